"""Pictures asked for: of decisions, while they are here, in parts that fit."""

from datetime import timedelta

import pytest

from gate_controller.facts import LaneId, VehicleLeft
from sync.messages import PART_LEN_MAX
from sync.orders import Answer, SendPicture
from sync.pictures import PICTURE_LEN_MAX, Picture, no_picture, parts_of, picture_of
from sync.store import Store
from tests.sync.portal_side import DEVICE, EDGE
from tests.sync.samples import T0, at, grant

KEPT = Picture(b"\xff\xd8" + bytes(100_000), T0 + timedelta(days=30))


async def found(name: str) -> Picture | None:
    return KEPT if name == "crop-1" else None


async def test_the_picture_of_a_decision_is_found_by_its_row(store: Store) -> None:
    await store.append(at(grant(1)))
    assert await picture_of(store, SendPicture("L1", 1), found) == KEPT


@pytest.mark.parametrize(
    ("ask", "why"),
    [
        (SendPicture("L1", 2), "row 2 is no decision"),
        (SendPicture("L1", 3), "row 3 has no picture"),
        (SendPicture("L1", 9), "there is no row 9"),
        (SendPicture("L0", 1), "ledger L0 has no row 1 here"),
    ],
)
async def test_what_is_not_there_is_told(store: Store, ask: SendPicture, why: str) -> None:
    await store.append(at(grant(1), VehicleLeft(LaneId("in")), grant(2)))
    answer = await picture_of(store, ask, found)
    assert isinstance(answer, Answer)
    assert not answer.done
    assert answer.text.startswith(why)


async def test_a_row_that_was_erased_or_a_site_without_pictures_has_none(store: Store) -> None:
    await store.append(at(grant(1)))
    ask = SendPicture("L1", 1)
    assert isinstance(await picture_of(store, ask, no_picture), Answer)
    await store.append(at(VehicleLeft(LaneId("in"))))
    await store.erase_personal(T0 + timedelta(days=1))
    assert isinstance(await picture_of(store, ask, found), Answer)


async def test_rows_from_before_a_fork_are_those_of_every_ledger(store: Store) -> None:
    await store.append(at(grant(1), grant(1)))
    await store.acked(1)
    await store.fork_ledger("L2")
    assert isinstance(await picture_of(store, SendPicture("L1", 1), found), Picture)
    assert isinstance(await picture_of(store, SendPicture("L1", 2), found), Answer)
    assert isinstance(await picture_of(store, SendPicture("L2", 2), found), Picture)


async def test_a_picture_too_large_to_be_sent_is_told(store: Store) -> None:
    async def large(_: str) -> Picture:
        return Picture(bytes(PICTURE_LEN_MAX + 1), T0)

    await store.append(at(grant(1)))
    answer = await picture_of(store, SendPicture("L1", 1), large)
    assert isinstance(answer, Answer)
    assert "at most" in answer.text


def test_the_parts_fit_and_make_the_picture() -> None:
    parts = [*parts_of(Picture(bytes(PICTURE_LEN_MAX), T0), SendPicture("L1", 1), EDGE)]
    assert [(part.part, part.parts) for part in parts] == [(n, len(parts)) for n in range(len(parts))]
    assert sum(len(part.data) for part in parts) == PICTURE_LEN_MAX
    assert max(len(DEVICE.sign(part)) for part in parts) <= PART_LEN_MAX
