"""What follows from events: each once and in order, many at a time, and again after the store failed."""

import asyncio
from pathlib import Path

import pytest

from gate_controller.allowlist import DevicePut
from gate_controller.delegation import Device, DeviceKind
from gate_controller.errors import StoreError
from hardware_sim.portal.following import feed
from hardware_sim.portal.following.feed import EVENTS_AT_ONCE, Feed
from hardware_sim.portal.partners.credits import Credits
from tests.hardware_sim.portal.event_rig import arrives, granted
from tests.hardware_sim.portal.house_rig import a_house


async def test_more_than_one_bite_is_caught_up_with_and_nothing_twice_by_two_at_once(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await house.portal.change([DevicePut(Device("entry", DeviceKind.GATE, owner="acme"))])
        count = EVENTS_AT_ONCE + 3
        await arrives(house, *(granted(f"h-{row}", billed_to="acme") for row in range(count)))
        await asyncio.gather(*(Feed(house).catch_up() for _ in range(3)))
        assert (await house.run(Credits(house).balance, "acme")).credits == 100 - count


async def test_it_follows_by_itself_and_a_store_that_fails_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "LOOK_EVERY_S", 0.001)
    async with a_house(tmp_path) as house:
        await house.portal.change([DevicePut(Device("entry", DeviceKind.GATE, owner="acme"))])
        follower, failing = Feed(house), [StoreError("full")]
        whole = follower.catch_up

        async def sometimes() -> None:
            if failing:
                raise failing.pop()
            await whole()

        monkeypatch.setattr(follower, "catch_up", sometimes)
        task = asyncio.create_task(follower.run())
        await arrives(house, granted(billed_to="acme"))
        async with asyncio.timeout(60):
            while (await house.run(Credits(house).balance, "acme")).credits == 100:
                await asyncio.sleep(0.001)
        task.cancel()
        assert not failing
