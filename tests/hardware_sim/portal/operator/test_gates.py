"""What is asked about edges: the last events of many, masked unless they are asked for in full."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gate_controller.conflicts import Basis, Claim, Conflict, EventId, Kind, Resolution
from gate_controller.errors import BadInput
from gate_controller.facts import Basis as FactBasis
from gate_controller.facts import Direction, Fact, LaneId, Matched, Refused, VehicleLeft
from gate_controller.reasons import Reason
from hardware_sim.portal.edges.service import Portal
from hardware_sim.portal.journals.ledgers import PortalEvent
from hardware_sim.portal.operator import gates
from hardware_sim.portal.operator.asked import About, Conflicts, Events, SettleConflict
from hardware_sim.portal.operator.folder import PortalFolder
from sync.codec import UnknownFact

T0 = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)
LANE = LaneId("entry")


class Eventful:
    """Of a portal, only its events."""

    def __init__(self, facts: list[Fact | UnknownFact]) -> None:
        self._all = [
            PortalEvent(number, "gatehouse", "l", number, T0 + timedelta(seconds=number), fact)
            for number, fact in enumerate(facts, 1)
        ]

    async def events(self, after_number: int = 0, limit: int = 1000) -> list[PortalEvent]:
        return [event for event in self._all if event.number > after_number][:limit]

    async def latest(self, limit: int) -> list[PortalEvent]:
        return self._all[-limit:]


@pytest.fixture
async def portal(tmp_path: Path) -> AsyncIterator[Portal]:
    opened = await PortalFolder.create(tmp_path / "p", "acme", "north", "UTC").open()
    yield opened
    await opened.close()


async def test_the_last_events_are_told_or_those_after_a_number() -> None:
    portal = Eventful([VehicleLeft(LANE)] * 2500)
    last = await gates.events(portal, Events(limit=3))  # type: ignore[arg-type]
    assert [row["number"] for row in last.rows] == [2498, 2499, 2500]
    next_ones = await gates.events(portal, Events(after=1200, limit=2))  # type: ignore[arg-type]
    assert [row["number"] for row in next_ones.rows] == [1201, 1202]


async def test_plates_are_masked_unless_they_are_asked_for() -> None:
    basis = FactBasis("e", 1, Matched.NONE, "98-THD-4")
    refused = Refused(LANE, Direction.IN, Reason.UNKNOWN_CREDENTIAL, None, "", "98-THD-4", basis)
    portal = Eventful([refused, UnknownFact("solar_flare", b"{}")])
    masked = await gates.events(portal, Events())  # type: ignore[arg-type]
    assert "98" not in str(masked.rows).replace("2026-03-01", "")
    assert masked.rows[1]["text"] == "solar_flare, of a newer edge"
    clear = await gates.events(portal, Events(clear=True))  # type: ignore[arg-type]
    assert [row["plate"] for row in clear.rows] == ["98-THD-4", None]


async def test_a_new_portal_tells_of_itself(portal: Portal) -> None:
    await portal.add_user("anna")
    (row,) = (await gates.about(portal, About())).rows
    assert (row["users"], row["revision"], row["applied"], row["edges"]) == (1, 1, 0, 0)


async def test_a_conflict_is_told_by_its_user_s_name_and_settled_by_a_person(portal: Portal) -> None:
    anna = await portal.add_user("anna")
    claims = tuple(Claim(EventId(edge, "l", 7), T0) for edge in ("north", "south"))
    found = Conflict(
        "c1", anna.id, Kind.DOUBLE_ENTRY, claims, Basis.FENCE, 250, Resolution.AUTO, surplus="south/l/7"
    )
    stays = portal._ledgers.stays
    await portal.database.write(stays._write_conflicts, anna.id, "2020-01-01", [found])
    (row,) = (await gates.conflicts(portal, Conflicts())).rows
    assert (row["external_id"], row["kind"], row["surplus"]) == ("anna", "double_entry", "south/l/7")
    assert [claim["event"] for claim in row["claims"]] == ["north/l/7", "south/l/7"]
    await gates.settle_conflict(portal, SettleConflict("c1", pardon=True))
    (row,) = (await gates.conflicts(portal, Conflicts())).rows
    assert row["resolution"] == "pardon"
    with pytest.raises(BadInput, match="no conflict 'c2'"):
        await gates.settle_conflict(portal, SettleConflict("c2"))
