"""A desk in the simulated site, over real bytes: a badge becomes a user's, frees a key, and the key comes back."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from edge import clock
from gate_controller.allowlist import Action, Permit, PermitPut, ReservationPut, User, UserPut
from gate_controller.contracts import ContractKind
from gate_controller.desk import Licence, LicenceStatus, Registration, Reservation
from gate_controller.facts import DeskGranted, EnrolAnswered, EnrolAsked, KeyReturned, KeyTaken, Refused
from hardware_sim.desk import DESK, SimulatedDesk, simulated_desk
from hardware_sim.garage import EDGE, SITE
from hardware_sim.simulated_site import SimulatedSite, simulated_site
from sync.onlooker import journal_of
from sync.orders import EnrolBadge

BADGE = "000414CD7E"


def quiet(who: str, what: str) -> None:
    """Say nothing."""


def test_a_key_comes_out_of_an_unlocked_slot_only(tmp_path: Path) -> None:
    with simulated_desk(tmp_path) as desk:
        assert isinstance(desk, SimulatedDesk)
        assert not desk.take(2)
        desk.freed.append(2)
        assert desk.take(2)
        assert not desk.take(2), "it is gone"
        desk.put_back(2)
        assert not desk.take(2), "the slot locked itself behind it"


async def people(site: SimulatedSite) -> None:
    """One who waits for a badge, with a trip that is on now and a licence that is good."""
    now = clock.now().wall
    user = User(
        "u1",
        "ann",
        "acme",
        registration=Registration.PRE_REGISTERED,
        terms_accepted_at=now,
        licence=Licence(LicenceStatus.VALIDATED, now, now + timedelta(days=90)),
        home_site=SITE,
    )
    trip = Reservation("r1", "u1", "DACIA-1", SITE, now - timedelta(minutes=1), now + timedelta(hours=2), slot=2)
    drive = PermitPut(Permit("p1", Action.DRIVE, user_id="u1"))
    await site.portal.change([UserPut(user), drive, ReservationPut(trip)])


async def choose(site: SimulatedSite, user: str = "ann") -> Any:
    return await site.portal.command(EDGE, EnrolBadge(DESK, user, "mia", "acme"))


async def test_from_an_empty_hand_to_a_key_and_back_over_a_restart(tmp_path: Path) -> None:
    async with simulated_site(tmp_path, quiet, [], desk=True) as site:
        await people(site)
        await site.start_daemon()
        await site.until_ready()
        await site.until_in_force()
        assert (await choose(site, "nobody")).status == "refused"
        assert (await choose(site)).status == "done"
        site.desk.tap(BADGE)
        asked = await site.expect(EnrolAsked, DESK)
        assert (asked.external_id, asked.clerk, asked.provisional) == ("ann", "mia", False)
        answer = await site.expect(EnrolAnswered, DESK, enrol=asked.enrol)
        user = site.portal.allowlist.user("u1")
        assert user is not None
        assert answer.user_number == user.number != ""
        assert [c.kind for c in user.contracts] == [ContractKind.BUSINESS, ContractKind.PRIVATE]
        await site.until_in_force()
        await site.desk.take_away()
        site.desk.tap(BADGE)
        granted = await site.expect(DeskGranted, DESK)
        assert (granted.slot, granted.payer) == (2, "acme")
        await site.until(lambda: site.desk.take(2), "the key of slot 2 in the hand")
        assert site.desk.freed == [2]
        assert (await site.expect(KeyTaken, DESK)).reservation == "r1"
        await site.kill_daemon()
        await site.start_daemon()
        await site.until_ready()
        assert site.desk.freed == [2], "no start frees a slot"
        site.desk.put_back(2)
        returned = await site.expect(KeyReturned, DESK)
        assert (returned.slot, returned.user_id, returned.late_s) == (2, "u1", 0.0)


def journal_has(site: SimulatedSite, kind: type) -> bool:
    return any(isinstance(row.fact(), kind) for row in journal_of(site.database))


async def test_without_a_portal_the_badge_waits_and_has_no_rights(tmp_path: Path) -> None:
    async with simulated_site(tmp_path, quiet, [], desk=True) as site:
        await people(site)
        await site.start_daemon()
        await site.until_ready()
        await site.until_in_force()
        assert (await choose(site)).status == "done"
        await site.unplug_broker()
        site.desk.tap(BADGE)
        await site.until(lambda: journal_has(site, EnrolAsked), "the tap in the journal")
        await site.desk.take_away()
        site.desk.tap(BADGE)
        await site.until(lambda: journal_has(site, Refused), "a badge without rights refused")
        assert site.desk.freed == []
        await site.plug_broker_in()
        answer = await site.expect(EnrolAnswered, DESK, within_s=60.0)
        assert answer.user_number
