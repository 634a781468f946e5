"""Codes that a device shows, at the portal: genuine, fresh, here, unused, and only for who may pass."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from gate_controller.allowlist import DevicePut, UserStatus
from gate_controller.delegation import Device, DeviceKind, DeviceState
from gate_controller.errors import PortalError
from gate_controller.facts import BoomOpenedManually, Direction, HoldId, LaneId, Passed
from gate_controller.lane import Order
from gate_controller.reasons import Reason
from hardware_sim.portal.codes.shown_codes import GOOD_FOR, KEPT_FOR, NotOpened, ShownCodes
from hardware_sim.portal.following.feed import Feed
from hardware_sim.portal.house import House
from hardware_sim.portal.partners.credits import Credits
from sync.messages import CmdResult
from sync.orders import LaneOrder
from sync.shown import issue, read
from sync.signing import AHEAD_MAX, Signer
from tests.hardware_sim.portal.event_rig import arrives, granted
from tests.hardware_sim.portal.house_rig import BEGIN, Clock, a_house

KEY, OTHER = Signer.of(bytes(32)), Signer.of(bytes([1]) * 32)
WHERE = "acme/north/gatehouse"


@dataclass
class Gate:
    """A house with one registered edge, whose orders go nowhere but here."""

    house: House
    clock: Clock
    dora: str
    said: CmdResult | PortalError = field(default_factory=lambda: result("done"))
    ordered: list[tuple[str, object]] = field(default_factory=list)

    @property
    def codes(self) -> ShownCodes:
        return ShownCodes(self.house)

    def code(self, signer: Signer = KEY, where: str = WHERE, lane: str = "entry", age_s: float = 0.0) -> str:
        return issue(signer, where, lane, self.clock.at - timedelta(seconds=age_s))

    async def refused(self, code: str, user: str | None = None) -> Reason:
        """Why neither a look nor a press opens."""
        found = []
        for tried in (self.codes.door(code, user or self.dora), self.codes.open("dora", code, user or self.dora)):
            with pytest.raises(NotOpened) as error:
                await tried
            found.append(error.value.reason)
        assert found[0] == found[1]
        assert not self.ordered
        return found[0]


def result(status: str, detail: str = "") -> CmdResult:
    return CmdResult(aud="acme/north", cmd_id="c", status=status, detail=detail)  # type: ignore[arg-type]


@asynccontextmanager
async def a_gate(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gate]:
    clock = Clock()
    async with a_house(folder, clock) as house:
        await house.portal.register("gatehouse", KEY.public)
        await house.portal.register("harbour", OTHER.public)
        dora = await house.portal.add_user("dora", ["98-THD-4"])
        gate = Gate(house, clock, dora.id)

        async def command(edge: str, ask: object) -> CmdResult:
            gate.ordered.append((edge, ask))
            if isinstance(gate.said, PortalError):
                raise gate.said
            return gate.said

        monkeypatch.setattr(house.portal, "command", command)
        yield gate


async def test_a_look_uses_nothing_up_and_a_press_orders_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_gate(tmp_path, monkeypatch) as gate:
        code = gate.code()
        for _ in range(3):
            door = await gate.codes.door(code, gate.dora)
        assert (door.edge, door.code.lane, door.user.external_id) == ("gatehouse", "entry", "dora")
        assert not gate.ordered
        assert (await gate.codes.open("dora", code, gate.dora)).status == "done"
        ((edge, order),) = gate.ordered
        number = door.code.number
        assert (edge, order) == (
            "gatehouse",
            LaneOrder("entry", Order.OPEN, "dora", f"code shown at entry {number}"),
        )
        gate.ordered.clear()
        assert await gate.refused(code) is Reason.PASS_REPLAYED
        gate.clock.pass_(minutes=5)
        assert await gate.refused(code) is Reason.PASS_REPLAYED, "used is told before old"
        deeds = [(one.actor, one.deed, one.detail) for one in await gate.house.run(gate.house.audit.deeds)]
        assert deeds[0] == ("dora", "code.refused", "pass_replayed")
        assert ("dora", "code.done", "") in deeds


async def test_codes_that_are_worth_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_gate(tmp_path, monkeypatch) as gate:
        good, old = GOOD_FOR.total_seconds(), GOOD_FOR.total_seconds() + 0.001
        ahead = AHEAD_MAX.total_seconds()
        for code, reason in (
            ("nonsense", Reason.CODE_WRONG),
            ("", Reason.CODE_WRONG),
            (gate.code(OTHER), Reason.CODE_WRONG),
            (gate.code(KEY, "acme/north/harbour"), Reason.CODE_WRONG),
            (gate.code(KEY, "acme/north/nobody"), Reason.CODE_WRONG),
            (gate.code(KEY, "acme/south/gatehouse"), Reason.WRONG_SITE),
            (gate.code(KEY, "gatehouse"), Reason.WRONG_SITE),
            (gate.code(age_s=old), Reason.PASS_EXPIRED),
            (gate.code(age_s=-ahead - 0.001), Reason.PASS_EXPIRED),
        ):
            assert await gate.refused(code) is reason
        for age_s in (good, -ahead):
            assert (await gate.codes.door(gate.code(age_s=age_s), gate.dora)).edge == "gatehouse"


async def test_a_retired_edge_is_believed_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_gate(tmp_path, monkeypatch) as gate:
        code = gate.code()
        ledgers = gate.house.portal._ledgers
        await gate.house.write(ledgers.retire, "gatehouse", gate.clock.at)
        assert await gate.refused(code) is Reason.CODE_WRONG


async def test_who_may_not_pass_is_told_why_and_the_code_stays_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_gate(tmp_path, monkeypatch) as gate:
        portal, code = gate.house.portal, gate.code()
        erik = await portal.add_user("erik", ["GR-418-N"], groups=["nowhere"])
        nights = await portal.add_user("nina", ["KA-RS 290"], schedule="Mo-Su 22:00-23:00")
        assert await gate.refused(code, erik.id) is Reason.NO_PERMIT
        assert await gate.refused(code, "somebody") is Reason.NO_PERMIT
        assert await gate.refused(code, nights.id) is Reason.OUTSIDE_SCHEDULE
        await portal.change([DevicePut(Device("entry", DeviceKind.GATE, DeviceState.INACTIVE))])
        assert await gate.refused(code) is Reason.DEVICE_INACTIVE
        await portal.change([DevicePut(Device("entry", DeviceKind.GATE))])
        await portal.set_status("dora", UserStatus.INACTIVE)
        assert await gate.refused(code) is Reason.USER_INACTIVE
        await portal.set_status("dora", UserStatus.ACTIVE)
        entry = replace(granted("h-1"), user_id=gate.dora)
        await arrives(gate.house, entry, Passed(LaneId("entry"), Direction.IN, HoldId("h-1")))
        assert await gate.refused(code) is Reason.ALREADY_INSIDE
        await portal.edit("dora", lambda user: replace(user, pool_size=2))
        assert (await gate.codes.open("dora", code, gate.dora)).status == "done"


async def test_a_gate_that_is_away_or_refuses_uses_the_code_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_gate(tmp_path, monkeypatch) as gate:
        first, second = gate.code(), gate.code(age_s=1)
        gate.said = PortalError("edge gatehouse is not connected")
        with pytest.raises(PortalError, match="not connected"):
            await gate.codes.open("dora", first, gate.dora)
        gate.said = result("refused", "fire holds the boom open")
        assert (await gate.codes.open("dora", second, gate.dora)).detail == "fire holds the boom open"
        gate.ordered.clear()
        assert {await gate.refused(one) for one in (first, second)} == {Reason.PASS_REPLAYED}


async def test_the_opening_in_the_journal_costs_one_credit_and_other_openings_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_gate(tmp_path, monkeypatch) as gate:
        house = gate.house
        await house.portal.change([DevicePut(Device("entry", DeviceKind.GATE, owner="acme"))])
        code = gate.code()
        await gate.codes.open("dora", code, gate.dora)
        known = read(code)
        assert known is not None
        name = f"code shown at entry {known.number}"
        openings = [
            BoomOpenedManually(LaneId(lane), f"p-{number}", "dora", reason)
            for number, (lane, reason) in enumerate(
                (
                    ("entry", name),
                    ("entry", "code shown at entry 1"),
                    ("entry", "code shown at entry ²"),
                    ("entry", f"code shown at entry {'9' * 40}"),
                    ("exit", name),
                    ("entry", "ambulance"),
                )
            )
        ]
        await arrives(house, *openings)
        await arrives(house, openings[0], edge="harbour")
        await Feed(house).catch_up()
        assert (await house.run(Credits(house).balance, "acme")).credits == 99
        (entry,) = await house.run(Credits(house).entries, "acme", 9)
        assert (entry.about, entry.said) == ("entry", "")


async def test_used_codes_are_forgotten_long_after_they_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_gate(tmp_path, monkeypatch) as gate:
        await gate.codes.open("dora", gate.code(), gate.dora)
        gate.clock.pass_(seconds=KEPT_FOR.total_seconds() + 1)
        await gate.codes.open("dora", gate.code(), gate.dora)
        rows = gate.house.portal.database.sql
        assert await gate.house.run(lambda: rows.execute("SELECT count(*) FROM shown_code").fetchone()[0]) == 1
        assert gate.clock.at > BEGIN
