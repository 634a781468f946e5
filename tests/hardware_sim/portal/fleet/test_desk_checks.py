"""The clerk's three steps: in their order, by whom, and whoever comes second is told."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gate_controller.allowlist import User, UserPut
from gate_controller.desk import LicenceStatus, Registration, may_enrol
from gate_controller.errors import BadInput, PortalError
from gate_controller.facts import (
    Basis,
    Direction,
    EnrolAnswered,
    EnrolAsked,
    Fact,
    LaneId,
    Matched,
    PhaseEntered,
    Refused,
)
from gate_controller.reasons import Reason
from hardware_sim.portal.company import company
from hardware_sim.portal.fleet import registering
from hardware_sim.portal.fleet.desk_checks import check_contact, check_licence, listed_at, progress, take_badge
from hardware_sim.portal.fleet.registering import books_of
from hardware_sim.portal.fleet.subscriber_books import BadgeOrder, Subscriber
from hardware_sim.portal.house import House
from hardware_sim.portal.records.inputs import Overtaken, WrongField
from tests.hardware_sim.portal.event_rig import arrives
from tests.hardware_sim.portal.fleet.test_registering import FORM, opened, token_for
from tests.hardware_sim.portal.house_rig import Clock, a_house

TZ = ZoneInfo("Europe/Amsterdam")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def house(tmp_path: Path, clock: Clock) -> AsyncIterator[House]:
    async with a_house(tmp_path, clock) as made:
        await opened(made)
        yield made


async def somebody(house: House) -> tuple[User, Subscriber]:
    """Sam, who has come to the desk."""
    user = await registering.pre_register(house, await token_for(house), FORM)
    known = await house.run(books_of(house).get, user.id)
    assert known is not None
    return user, known


async def good(house: House, user: User, version: int, day: date | None = date(2031, 5, 31)) -> None:
    await check_licence(house, "mia", user.id, version, LicenceStatus.VALIDATED, day, TZ)


async def deeds(house: House, user: User) -> list[tuple[str, str]]:
    return [(one.actor, one.deed) for one in await house.run(house.audit.deeds, user.external_id)]


async def test_contact_first_then_licence_each_written_down_with_the_clerk(house: House) -> None:
    user, known = await somebody(house)
    with pytest.raises(BadInput, match="come first"):
        await good(house, user, known.version)
    assert company.by_id(house, user.id).licence is None
    await check_contact(house, "mia", replace(known, name="Samuel", phone="+32 470 00 00 00"))
    newer = await house.run(books_of(house).get, user.id)
    assert newer is not None
    assert (newer.checked_by, newer.checked_at, newer.terms) == ("mia", house.now(), known.terms)
    assert company.by_id(house, user.id).name == "Samuel"
    account = await house.run(house.accounts.of_user, user.id)
    assert account is not None
    assert account.phone == "+32470000000"
    assert may_enrol(company.by_id(house, user.id), None) is Reason.NOT_CHECKED
    await good(house, user, newer.version)
    checked = company.by_id(house, user.id)
    assert checked.licence is not None
    assert checked.licence.valid_until == datetime(2031, 5, 31, 22, tzinfo=UTC), "the end of that day at the site"
    assert may_enrol(checked, None) is None
    assert (await deeds(house, user))[:2] == [("mia", "licence.validated"), ("mia", "contact.checked")]


async def test_a_licence_that_is_not_accepted_hinders_no_badge(house: House) -> None:
    user, known = await somebody(house)
    await check_contact(house, "mia", known)
    await check_licence(house, "mia", user.id, known.version + 1, LicenceStatus.REJECTED, None, TZ)
    assert may_enrol(company.by_id(house, user.id), None) is None
    assert (await deeds(house, user))[0] == ("mia", "licence.rejected")


@pytest.mark.parametrize("day", [None, date(2026, 3, 1), date.max])
async def test_a_licence_is_good_until_a_day_that_is_to_come(house: House, day: date | None) -> None:
    user, known = await somebody(house)
    await check_contact(house, "mia", known)
    with pytest.raises(WrongField, match="valid_until"):
        await good(house, user, known.version + 1, day)
    await good(house, user, known.version + 1, date(2026, 3, 2))


async def test_the_second_of_two_clerks_is_told_and_nothing_is_lost(house: House) -> None:
    user, known = await somebody(house)
    await check_contact(house, "mia", replace(known, address="Rue Basse 9"))
    for late in (
        check_contact(house, "max", replace(known, address="elsewhere")),
        check_contact(house, "max", replace(known, name="Somebody")),
        good(house, user, known.version),
    ):
        with pytest.raises(Overtaken):
            await late
    newer = await house.run(books_of(house).get, user.id)
    assert newer is not None
    assert (newer.address, newer.checked_by) == ("Rue Basse 9", "mia")
    assert company.by_id(house, user.id).name == "Sam"
    for wrong in ({"name": ""}, {"phone": "1"}, {"address": "\u202e"}):
        with pytest.raises(WrongField):
            await check_contact(house, "mia", replace(newer, **wrong))  # type: ignore[arg-type]


async def test_a_telephone_of_somebody_else_is_not_taken(house: House) -> None:
    user, known = await somebody(house)
    await house.add_account("olga", "tess", "acme", [], phone="+32 470 11 11 11")
    with pytest.raises(WrongField, match="phone"):
        await check_contact(house, "mia", replace(known, phone="+32 470 11 11 11"))
    assert await house.run(books_of(house).get, user.id) == known


async def test_who_was_deleted_meanwhile_is_told(house: House) -> None:
    user, known = await somebody(house)
    await company.remove(house, "frida", user.id)
    with pytest.raises(BadInput, match="deleted"):
        await check_contact(house, "mia", known)
    with pytest.raises(BadInput, match="deleted"):
        await take_badge(house, "mia", user.id, "front")
    assert await listed_at(house, "north") == []


async def test_the_desk_lists_who_waits_and_nobody_else(house: House) -> None:
    user, _ = await somebody(house)
    assert await listed_at(house, "south") == [user]
    await house.portal.change([UserPut(replace(user, registration=Registration.REGISTERED))])
    assert await listed_at(house, "north") == []


async def test_no_badge_without_the_rules_and_none_without_an_edge(house: House) -> None:
    user, known = await somebody(house)
    with pytest.raises(BadInput, match="not_checked"):
        await take_badge(house, "mia", user.id, "front")
    await check_contact(house, "mia", known)
    await good(house, user, known.version + 1)
    with pytest.raises(PortalError, match=f"slagboom operate enrol front {user.external_id}"):
        await take_badge(house, "mia", user.id, "front")
    assert (await progress(house, user.id)).text == "No desk was told to take a badge."


async def test_a_badge_that_nobody_taps_is_over_after_half_a_minute(house: House, clock: Clock) -> None:
    user, _ = await somebody(house)
    order = BadgeOrder("front", "mia", house.now(), await house.run(books_of(house).last_event))
    await house.write(books_of(house).put_badge_order, user.id, order)
    assert await house.run(books_of(house).last_desk) == "front"
    clock.pass_(seconds=29)
    assert not (await progress(house, user.id)).over
    clock.pass_(seconds=1)
    assert (await progress(house, user.id)).over


BASIS = Basis("e", 1, Matched.NONE)
DESK = LaneId("front")


async def told(house: House, user: User, *facts: Fact) -> tuple[str, bool]:
    """What the clerk's page says once these have come after the desk was told to take a badge."""
    await arrives(house, *facts)
    now = await progress(house, user.id)
    return now.text, now.over


async def test_the_page_tells_how_far_a_badge_has_come(house: House) -> None:
    user, _ = await somebody(house)
    await house.write(books_of(house).put_badge_order, user.id, BadgeOrder("front", "mia", house.now(), 0))
    begun = PhaseEntered(DESK, "enrolling", f"{user.external_id}, by mia")
    refused = Refused(DESK, Direction.IN, Reason.BADGE_ALREADY_ASSIGNED, user.id, "S", "", BASIS, clerk="mia")
    others = EnrolAnswered(DESK, "front-0", "", "terms_not_accepted", "u-other", "mia")
    next_ = PhaseEntered(DESK, "enrolling", "S-9, by mia")
    assert await told(house, user, begun, others) == ("Hold the badge to the reader of front now.", False)
    text, over = await told(house, user, begun, others, refused)
    assert ("badge_already_assigned" in text, over) == (True, False)
    assert await told(house, user, begun, others, refused, next_) == (
        "front waits for another's badge by now; begin again.",
        True,
    )


async def test_once_tapped_it_does_not_matter_whom_the_desk_waits_for_next(house: House) -> None:
    user, _ = await somebody(house)
    await house.write(books_of(house).put_badge_order, user.id, BadgeOrder("front", "mia", house.now(), 0))
    asked = EnrolAsked(DESK, "front-1", user.id, user.external_id, "04A22F1B", 32, "mia", provisional=True)
    next_ = PhaseEntered(DESK, "enrolling", "S-9, by mia")
    text, over = await told(house, user, asked, next_)
    assert ("no rights yet" in text, over) == (True, False)
    answer = EnrolAnswered(DESK, "front-1", "", "duplicate_credential", user.id, "mia")
    text, over = await told(house, user, asked, next_, answer)
    assert ("Refused: duplicate_credential" in text, over) == (True, True)
