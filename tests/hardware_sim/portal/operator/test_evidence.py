"""Pictures and quarantine over the counter: the right event, its picture once, and every refusal in words."""

from base64 import b64decode
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from gate_controller.errors import BadInput, PortalError
from gate_controller.facts import Basis, Direction, Granted, HoldId, LaneId, Matched, VehicleArrived
from hardware_sim.portal.edges.picture_desk import Album
from hardware_sim.portal.edges.service import Portal
from hardware_sim.portal.journals.reading import Quarantined as Apart
from hardware_sim.portal.journals.reading import Why
from hardware_sim.portal.operator import evidence
from hardware_sim.portal.operator.asked import DropQuarantined, FetchPicture, Quarantined, ShowQuarantined
from sync.codec import encode_fact, instant_text
from sync.orders import SendPicture
from tests.hardware_sim.portal.edges.test_service import T0, open_portal

BASIS = Basis("e", 1, Matched.EXACT, evidence="crop-1")
GRANT = Granted(LaneId("entry"), Direction.IN, HoldId("h"), "u1", "anna", "98THD4", BASIS)


@pytest.fixture
async def portal(tmp_path: Path) -> AsyncIterator[Portal]:
    opened = await open_portal(tmp_path)
    for seq, fact in enumerate((VehicleArrived(LaneId("entry"), Direction.IN), GRANT), 1):
        encoded = encode_fact(fact)
        personal = '{"basis.evidence": "crop-1"}' if encoded.personal else None
        values = ("g", "L", seq, instant_text(T0), encoded.kind, encoded.body.decode(), personal)
        names = "edge, ledger, seq, at, kind, body, personal"
        insert = f"INSERT INTO event ({names}) VALUES (?, ?, ?, ?, ?, ?, ?)"
        await opened.database.write(opened.database.sql.execute, insert, values)
    yield opened
    await opened.close()


async def test_the_picture_of_an_event_is_found_by_its_number(portal: Portal) -> None:
    album, erase_at = Album(portal.database.sql), T0 + timedelta(days=1)
    await portal.database.write(album.put, "g", SendPicture("L", 2), b"jpeg", erase_at)
    (row,) = (await evidence.picture(portal, FetchPicture(2))).rows
    assert (row["event"], row["edge"], row["seq"], b64decode(row["jpeg"])) == (2, "g", 2, b"jpeg")
    with pytest.raises(BadInput, match="event 1: no picture decided it"):
        await evidence.picture(portal, FetchPicture(1))
    with pytest.raises(BadInput, match="no event has the number 3"):
        await evidence.picture(portal, FetchPicture(3))
    await portal.database.write(album.erase, erase_at)
    with pytest.raises(PortalError, match="edge g is not connected"):
        await evidence.picture(portal, FetchPicture(2))


async def test_quarantine_is_listed_without_what_it_says_and_shown_with_it(portal: Portal) -> None:
    await portal.database.write(portal.quarantine.put, "g", "L", Apart(3, Why.UNREADABLE, "?98-THD-4?"), T0)
    (row,) = (await evidence.quarantined(portal, Quarantined())).rows
    assert "98-THD-4" not in str(row)
    assert (row["seq"], row["reason"], row["characters"]) == (3, "unreadable", 10)
    (shown,) = (await evidence.show_quarantined(portal, ShowQuarantined(row["number"]))).rows
    assert shown == {**row, "text": "?98-THD-4?"}
    await evidence.drop_quarantined(portal, DropQuarantined((row["number"],)))
    assert (await evidence.quarantined(portal, Quarantined())).rows == []
