"""Standing orders outlive the program; the last one to a lane, or on a user, counts."""

from pathlib import Path

from gate_controller.facts import LaneId
from gate_controller.standing_orders import Switched, Void
from sync.standing_orders import StandingOrders
from tests.sync.samples import open_store

ENTRY = LaneId("entry")
ANNA, PLATE = Void("anna", "", "e", 7, "e"), Void("anna", "98THD4", "e", 7, "e")


async def test_they_are_there_after_a_restart(path: Path) -> None:
    store = await open_store(path)
    assert isinstance(store._standing, StandingOrders)
    await store.switch_lane(Switched(ENTRY, active=True, setting=False))
    await store.switch_lane(Switched(ENTRY, active=False, setting=True))
    await store.make_void(ANNA)
    await store.make_void(PLATE)
    await store.close()
    store = await open_store(path)
    assert await store.switched() == [Switched(ENTRY, active=False, setting=True)]
    assert set(await store.voids()) == {ANNA, PLATE}
    await store.forget_switch(Switched(ENTRY, active=False, setting=True))
    assert await store.switched() == []
    await store.close()


async def test_what_is_over_is_dropped_unless_it_was_ordered_again(path: Path) -> None:
    store = await open_store(path)
    again = Void("anna", "", "e", 9, "e")
    await store.make_void(ANNA)
    await store.make_void(PLATE)
    await store.make_void(again)
    await store.drop_voids([ANNA, PLATE])
    assert await store.voids() == [again]
    await store.close()
