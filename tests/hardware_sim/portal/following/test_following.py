"""Everything that a house does by itself goes on side by side, and ends when it is told to."""

import asyncio
from dataclasses import replace
from pathlib import Path

from gate_controller.allowlist import DevicePut
from gate_controller.delegation import Device, DeviceKind
from hardware_sim.portal.following.following import followers
from hardware_sim.portal.partners.credits import Credits
from hardware_sim.portal.webhooks.subscriptions import State
from hardware_sim.stories.receiver import Receiver
from tests.hardware_sim.portal.event_rig import arrives, granted
from tests.hardware_sim.portal.house_rig import Clock, a_house
from tests.hardware_sim.portal.webhooks.test_subscriptions import HOOK, kept, newest


async def test_an_event_is_charged_and_told_without_anybody_asking(tmp_path: Path) -> None:
    receiver = Receiver()
    await receiver.start()
    async with a_house(tmp_path, Clock()) as house:
        books = await kept(house)
        await house.write(books.allow, "olga", [f"127.0.0.1:{receiver.port}"], ["hooks.example.com"])
        await house.write(books.put, "ada", replace(HOOK, target=f"http://127.0.0.1:{receiver.port}/"))
        receiver.secret = await house.write(books.new_secret, "ada", HOOK.id)
        await house.portal.change([DevicePut(Device("entry", DeviceKind.GATE, owner="acme"))])
        async with asyncio.TaskGroup() as group, asyncio.timeout(60):
            tasks = [group.create_task(one) for one in followers(house)]
            await arrives(house, granted(billed_to="acme"))
            while not receiver.came or (await newest(house)).state is not State.DELIVERED:
                await asyncio.sleep(0.01)
            for task in tasks:
                task.cancel()
        assert receiver.came[0].genuine
        assert (await house.run(Credits(house).balance, "acme")).credits == 99
    await receiver.stop()
