"""Webhooks on their way to real receivers: one that is dead holds up nobody, and every failure is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gate_controller.errors import StoreError
from hardware_sim.portal.house import House
from hardware_sim.portal.records.sealing import KEY_FILE
from hardware_sim.portal.webhooks import hook_sender, subscriptions
from hardware_sim.portal.webhooks.hook_sender import HookSender
from hardware_sim.portal.webhooks.subscriptions import Delivery, State, Subscriptions
from hardware_sim.stories.receiver import Receiver
from tests.hardware_sim.portal.house_rig import Clock, a_house
from tests.hardware_sim.portal.webhooks.test_subscriptions import HOOK, happened, kept, newest


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook_sender, "LOOK_EVERY_S", 0.001)
    monkeypatch.setattr(subscriptions, "RETRY_FIRST_S", 0.0)


@asynccontextmanager
async def sending(folder: Path, *receivers: Receiver) -> AsyncIterator[House]:
    """A house that has something to tell each of these."""
    async with a_house(folder, Clock()) as house, asyncio.TaskGroup() as group:
        books = await kept(house)
        await house.write(
            books.allow, "olga", [f"127.0.0.1:{one.port}" for one in receivers], ["hooks.example.com"]
        )
        for number, one in enumerate(receivers):
            hook = replace(HOOK, id=f"hook{number}", target=f"http://127.0.0.1:{one.port}/")
            await house.write(books.put, "ada", hook)
            one.secret = await house.write(books.new_secret, "ada", hook.id)
        task = group.create_task(HookSender(house).run())
        try:
            yield house
        finally:
            task.cancel()
            for one in receivers:
                await one.stop()


async def until(house: House, state: State, said: str = "", hook: str = "hook0") -> Delivery:
    async with asyncio.timeout(60):
        while True:
            found = await newest(house, hook)
            if found.state is state and said in found.said:
                return found
            await asyncio.sleep(0.001)


async def begun(answer: str = "200 OK") -> Receiver:
    made = Receiver(answer=answer)
    await made.start()
    return made


async def test_it_is_signed_delivered_and_written_down(tmp_path: Path) -> None:
    receiver = await begun()
    async with sending(tmp_path, receiver) as house:
        await happened(house)
        found = await until(house, State.DELIVERED)
        (came,) = receiver.came
        assert (came.id, came.genuine, came.body["type"]) == (found.message, True, "granted")
        assert (found.tries, found.said) == (1, "200 OK")


async def test_a_dead_one_holds_up_nobody_and_hears_it_when_it_is_back(tmp_path: Path) -> None:
    dead, alive = await begun(), await begun()
    async with sending(tmp_path, dead, alive) as house:
        await dead.stop()
        await happened(house)
        await until(house, State.DELIVERED, hook="hook1")
        await until(house, State.WAITING, "not reached")
        await happened(house, first=2)
        await until(house, State.DELIVERED, hook="hook1")
        assert [one.genuine for one in alive.came] == [True, True]
        await dead.start()
        await until(house, State.DELIVERED)


async def test_refusals_are_tried_again_until_that_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "TRIES_MAX", 3)
    receiver = await begun("503 Busy")
    async with sending(tmp_path, receiver) as house:
        await happened(house)
        found = await until(house, State.FAILED)
        assert (found.tries, found.said, len(receiver.came)) == (3, "503 Busy", 3)
        assert len({one.id for one in receiver.came}) == 1, "it is one message, however often it comes"


async def test_where_it_may_go_is_asked_again_before_each_try(tmp_path: Path) -> None:
    receiver = await begun("503 Busy")
    async with sending(tmp_path, receiver) as house:
        await happened(house)
        await until(house, State.WAITING, "503")
        books = Subscriptions(house)
        await house.write(books.allow, "olga", [], await house.run(books.hosts))
        await until(house, State.WAITING, "does not allow")
        (tmp_path / "keys" / KEY_FILE).write_text("none")
        await house.write(books.allow, "olga", [f"127.0.0.1:{receiver.port}"], [])
        await until(house, State.WAITING, "cannot be unsealed")


async def test_a_store_that_fails_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver, failing = await begun(), [StoreError("full"), StoreError("full")]
    tried, due = Subscriptions.tried, Subscriptions.due

    def fails(self: Subscriptions, *args: object) -> object:
        if failing:
            raise failing.pop()
        return (due if len(args) == 2 else tried)(self, *args)  # type: ignore[operator]

    monkeypatch.setattr(Subscriptions, "due", fails)
    monkeypatch.setattr(Subscriptions, "tried", fails)
    async with sending(tmp_path, receiver) as house:
        await happened(house)
        await until(house, State.DELIVERED)
    assert not failing
