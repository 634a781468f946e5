"""Who is told: written down once an event, tried again within bounds, sent again by hand, and forgotten in time."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gate_controller.allowlist import DevicePut
from gate_controller.delegation import Device, DeviceKind
from gate_controller.errors import BadInput, PortalError
from hardware_sim.portal.following.feed import Feed
from hardware_sim.portal.house import House
from hardware_sim.portal.records.inputs import Overtaken, WrongField
from hardware_sim.portal.records.sealing import KEY_FILE
from hardware_sim.portal.webhooks import subscriptions
from hardware_sim.portal.webhooks.subscriptions import (
    MAILS_PER_H_MAX,
    RETRY_FIRST_S,
    RETRY_MAX_S,
    SUBSCRIPTIONS_MAX,
    TRIES_MAX,
    Delivery,
    Means,
    State,
    Subscription,
    Subscriptions,
)
from hardware_sim.portal.webhooks.webhooks import Answer
from tests.hardware_sim.portal.event_rig import arrives, granted
from tests.hardware_sim.portal.house_rig import Clock, a_house

HOOK = Subscription("hook", "acme", Means.WEBHOOK, "https://hooks.example.com/", ("granted",))
RULE = Subscription("rule", "acme", Means.MAIL, "guard@acme.example", ("granted",))
YES, NO = Answer(True, "200 OK"), Answer(False, "503")


async def kept(house: House, *wanted: Subscription) -> Subscriptions:
    """These subscriptions, with a secret where they need one."""
    books = Subscriptions(house)

    def write() -> None:
        books.allow("olga", ["hooks.example.com"], books.hosts())
        for one in wanted:
            books.put("ada", one)
            if one.means is Means.WEBHOOK:
                books.new_secret("ada", one.id)

    await house.write(write)
    return books


async def happened(house: House, *, first: int = 1, count: int = 1) -> None:
    await arrives(house, *(granted(f"h-{row}") for row in range(first, first + count)), first=first)
    await Feed(house).catch_up()


async def newest(house: House, subscription: str = "hook") -> Delivery:
    return (await house.run(Subscriptions(house).deliveries, subscription, 1))[0]


async def test_an_event_is_told_once_to_whom_it_concerns(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        exit_only = replace(HOOK, id="exit", device="exit")
        off, other_kind = replace(HOOK, id="off", device="x", enabled=False), replace(HOOK, id="r", device="y")
        books = await kept(house, HOOK, RULE, exit_only, off, replace(other_kind, events=("refused",)))
        await happened(house)
        await house.write(lambda: house.portal.database.sql.execute("UPDATE feed SET through = 0"))
        await Feed(house).catch_up()
        for name, count in (("hook", 1), ("rule", 1), ("exit", 0), ("off", 0), ("r", 0)):
            assert len(await house.run(books.deliveries, name, 10)) == count, name
        found = await newest(house)
        assert (found.state, found.tries, found.message) == (State.WAITING, 0, "hook.gatehouse/L/1")
        assert len(await house.run(house.mailbox.letters)) == 1


async def test_who_does_not_see_the_gate_hears_nothing(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await house.portal.change([DevicePut(Device("entry", DeviceKind.GATE, owner="cafe"))])
        books = await kept(house, HOOK)
        await happened(house)
        assert await house.run(books.deliveries, "hook", 10) == []


async def test_waits_double_are_drawn_at_random_and_end(tmp_path: Path) -> None:
    clock = Clock()
    async with a_house(tmp_path, clock) as house:
        books = await kept(house, HOOK)
        await happened(house)
        for tries in range(1, TRIES_MAX):
            (due,) = await house.run(books.due, (), 8)
            await house.write(books.tried, due.delivery, NO, 0.5)
            found = await newest(house)
            wait_s = 0.5 * min(RETRY_MAX_S, RETRY_FIRST_S * 2**tries)
            assert (found.tries, found.due_at - clock.at) == (tries, timedelta(seconds=wait_s))
            assert await house.run(books.due, (), 8) == []
            clock.pass_(seconds=wait_s)
        (due,) = await house.run(books.due, (), 8)
        await house.write(books.tried, due.delivery, NO, 1.0)
        found = await newest(house)
        assert (found.state, found.said) == (State.FAILED, "503")
        await house.write(books.again, "ada", HOOK, found.number)
        (due,) = await house.run(books.due, (), 8)
        assert (due.delivery.tries, due.delivery.message) == (0, found.message)
        with pytest.raises(BadInput, match="on its way"):
            await house.write(books.again, "ada", HOOK, found.number)
        await house.write(books.tried, due.delivery, YES, 1.0)
        assert (await newest(house)).state is State.DELIVERED


async def test_one_at_a_time_for_each_the_first_that_is_due(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        books = await kept(house, HOOK, replace(HOOK, id="other", target="https://hooks.example.com/2"))
        await happened(house, count=2)
        both = await house.run(books.due, (), 8)
        assert sorted(one.delivery.message for one in both) == ["hook.gatehouse/L/1", "other.gatehouse/L/1"]
        assert [one.delivery.subscription for one in await house.run(books.due, ("hook",), 8)] == ["other"]
        assert len(await house.run(books.due, (), 1)) == 1
        assert await house.run(books.due, (), 0) == []
        (first, *_) = both
        await house.write(books.tried, first.delivery, NO, 1.0)
        after = {one.delivery.subscription: one.delivery.event for one in await house.run(books.due, (), 8)}
        assert after[first.delivery.subscription] == "gatehouse/L/2", "one that waits does not hold up the next"
        await house.write(books.put, "ada", replace(HOOK, enabled=False))
        assert [one.delivery.subscription for one in await house.run(books.due, (), 8)] == ["other"]


async def test_a_flood_is_bounded_and_nothing_is_lost_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "WAITING_MAX", 3)
    clock = Clock()
    async with a_house(tmp_path, clock) as house:
        books = await kept(house, HOOK, RULE)
        await happened(house, count=MAILS_PER_H_MAX + 1)
        states = [one.state for one in await house.run(books.deliveries, "hook", 100)]
        assert states.count(State.WAITING) == 3
        assert states.count(State.FAILED) == MAILS_PER_H_MAX - 2
        assert "3 others wait already" in (await newest(house)).said
        assert len(await house.run(house.mailbox.letters)) == MAILS_PER_H_MAX
        last = await newest(house, "rule")
        assert (last.state, "in an hour" in last.said) == (State.WITHHELD, True)
        await house.write(books.again, "ada", RULE, last.number)
        assert (await newest(house, "rule")).state is State.DELIVERED
        clock.pass_(hours=1, seconds=1)
        await happened(house, first=MAILS_PER_H_MAX + 2)
        assert (await newest(house, "rule")).state is State.DELIVERED


async def test_what_is_over_is_forgotten_and_what_is_taken_away_goes_at_once(tmp_path: Path) -> None:
    clock = Clock()
    async with a_house(tmp_path, clock) as house:
        books = await kept(house, HOOK, RULE)
        await happened(house)
        clock.pass_(days=31)
        await happened(house, first=2)
        assert [one.event for one in await house.run(books.deliveries, "rule", 9)] == ["gatehouse/L/2"]
        assert len(await house.run(books.deliveries, "hook", 9)) == 2, "what waits is not over"
        await house.write(books.remove, "ada", "hook")
        assert await house.run(books.deliveries, "hook", 9) == []
        with pytest.raises(BadInput):
            await house.run(books.delivery, "hook", 1)
        with pytest.raises(BadInput):
            await house.run(books.get, "acme", "hook")


async def test_what_cannot_be_kept_is_told(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        books = await kept(house, HOOK)
        for wrong in (
            replace(HOOK, id="2"),
            replace(HOOK, id="2", target="x", device="d"),
            replace(RULE, target="x"),
        ):
            with pytest.raises(WrongField, match="target"):
                await house.write(books.put, "ada", wrong)
        for events in ((), ("everything",)):
            with pytest.raises(WrongField, match="events"):
                await house.write(books.put, "ada", replace(RULE, events=events))
        await house.write(books.put, "ada", replace(HOOK, events=("refused",)))
        with pytest.raises(Overtaken):
            await house.write(books.put, "ada", replace(HOOK, events=("passed",)))
        assert (await house.run(books.get, "acme", "hook")).events == ("refused",)
        with pytest.raises(BadInput):
            await house.run(books.get, "cafe", "hook")
        for number in range(SUBSCRIPTIONS_MAX - 1):
            await house.write(books.put, "ada", replace(RULE, id=f"r{number}", device=f"d{number}"))
        with pytest.raises(BadInput, match="already"):
            await house.write(books.put, "ada", RULE)
        with pytest.raises(Overtaken):
            await house.write(books.allow, "otto", ["x.example.com"], [])
        with pytest.raises(WrongField, match="the most"):
            await house.write(books.allow, "otto", [f"h{n}.example.com" for n in range(101)], ["hooks.example.com"])


async def test_a_secret_is_sealed_and_opens_with_this_portals_key_alone(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        books = await kept(house, HOOK)
        text = await house.write(books.new_secret, "ada", "hook")
        await happened(house)
        (due,) = await house.run(books.due, (), 8)
        assert await house.run(books.secret, due) == text
        assert text.encode() not in due.sealed
        (tmp_path / "keys" / KEY_FILE).write_text("00" * 32)
        with pytest.raises(PortalError):
            await house.run(books.secret, due)
