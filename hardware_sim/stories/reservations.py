"""Reservations of pool vehicles: from the subscriber's pages to the key in the hand, in time, late and offline."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from edge import clock
from gate_controller.allowlist import Change, PermitPut, User, UserPut
from gate_controller.contracts import business, private
from gate_controller.credentials import Badge
from gate_controller.desk import Licence, LicenceStatus, Registration, enrolled
from gate_controller.desk_machine import COMMIT_WITHIN_S, PULSE_EXPIRES_S
from gate_controller.facts import DeskGranted, Granted, KeyReturned, KeyTaken, Passed, Refused
from gate_controller.reasons import Note, Reason
from hardware_sim.desk import DESK
from hardware_sim.garage import ENTRY, SITE, TIME_ZONE
from hardware_sim.portal.company import company
from hardware_sim.portal.edges import newcomers
from hardware_sim.portal.fleet.registering import books_of
from hardware_sim.portal.fleet.subscriber_books import Subscriber
from hardware_sim.portal.house import House
from hardware_sim.portal.records.accounts import Role, new_account
from hardware_sim.portal.records.organisations import SiteRecord
from hardware_sim.simulated_site import STEP_S, SimulatedSite, StoryFailed
from hardware_sim.stories.browser import Shown
from hardware_sim.stories.story import PASSWORD, Stage, Story, must
from hardware_sim.world import Vehicle
from sync.onlooker import journal_of

OMARS_CAR: Final = Vehicle(("98", "THD", "4"), "NL", patience_s=3.0, speed_mps=6.0)
HARBOUR: Final = "harbour"
BADGES: Final = {"sofie": "0004A1B2C3", "lena": "0004A1B2C4", "omar": "0004A1B2C5", "tess": "0004A1B2C6"}
HERE: Final = "DACIA-1, Dacia Spring, GR-418-N, at garage"
ZOE: Final = "ZOE-2, Renault Zoe, TX-904-B, at garage"
KANGOO: Final = "KANGOO-3, Renault Kangoo, HB-TU 512, at harbour"
WITHIN_S: Final = 120.0
GIVEN_UP_S: Final = COMMIT_WITHIN_S + PULSE_EXPIRES_S + 2.0
"""A slot that has not opened by then stays locked: on a machine that is too busy a person taps once more."""
TAPS_MAX: Final = 5

STORY: Final = Story(
    "reservations", "Fleet desk: pool vehicles, reservations and their keys", (OMARS_CAR,), desk=True
)


def subscriber(name: str, licence: Licence | None, *, payable: bool = False) -> User:
    """Somebody whose badge was handed out at the desk, with number and both contracts."""
    user_id = f"u-{name}"
    waits = User(
        user_id,
        name,
        registration=Registration.PRE_REGISTERED,
        home_site=SITE,
        licence=licence,
        terms_accepted_at=clock.now().wall,
    )
    both = (business(f"{user_id}-business", ""), private(f"{user_id}-private", user_id, payable=payable))
    return enrolled(waits, Badge.parse(BADGES[name]), f"1000{len(name)}", both)


def typed(at: datetime) -> str:
    """A time as a person at the site writes it."""
    return at.astimezone(ZoneInfo(TIME_ZONE)).replace(tzinfo=None).isoformat(timespec="seconds")


async def reserves(
    stage: Stage, who: str, vehicle: str, begins: timedelta, lasts: timedelta, **more: str | bool
) -> Shown:
    """A subscriber fills in the form; times from now."""
    start = clock.now().wall + begins
    browser = stage.browser(who)
    await browser.open("/reservations/new")
    fill = {label.replace("_", " "): value for label, value in more.items()}
    return await browser.submit(
        "Reserve", {"Vehicle": vehicle, "From": typed(start), "Until": typed(start + lasts), **fill}
    )


async def moves(stage: Stage, who: str, begins: timedelta, lasts: timedelta, **more: str) -> None:
    """A subscriber moves the reservation that the browser shows."""
    start = clock.now().wall + begins
    times = {"From": typed(start), "Until": typed(start + lasts)}
    page = await stage.browser(who).submit("Move the reservation", {**times, **more})
    must("is moved" in page, f"it is not moved:\n{page.text}")


async def ends_soon(stage: Stage, who: str) -> None:
    """A subscriber shortens the reservation that the browser shows; it is over when this returns."""
    for lasts_s in (2, 4, 8, 16, 32):
        end = clock.now().wall.replace(microsecond=0) + timedelta(seconds=lasts_s)
        page = await stage.browser(who).submit("Move the reservation", {"Until": typed(end)})
        if "is moved" in page:
            stage.notes["ends"] = end
            await stage.site.until_in_force()
            await over(stage, end)
            return
    raise StoryFailed("no end is taken, however far it is ahead")


async def over(stage: Stage, end: datetime) -> None:
    """Wait until a moment has passed."""
    await stage.site.until(lambda: clock.now().wall > end, "the end of a time", 90.0)


async def tap(stage: Stage, who: str) -> None:
    """Hold a badge to the reader, which takes the same one for another tap only after a while."""
    if stage.notes.get("tapped") == who:
        await stage.site.desk.take_away()
    stage.notes["tapped"] = who
    stage.site.desk.tap(BADGES[who])


async def refused(stage: Stage, who: str, reason: Reason) -> Refused:
    """A badge is tapped in vain."""
    await tap(stage, who)
    fact = await stage.site.expect(Refused, DESK, external_id=who)
    must(fact.reason is reason, f"{who} is refused for {fact.reason}, and {reason} was expected")
    return fact


async def opens(stage: Stage, who: str, slot: int) -> float:
    """A badge is tapped, and the slot opens; after how many seconds, at the board."""
    desk, before, took_s = stage.site.desk, len(stage.site.desk.freed), 0.0
    for _ in range(TAPS_MAX):
        await tap(stage, who)
        since_s = clock.now().mono_s
        with suppress(StoryFailed):
            await stage.site.until(lambda: len(desk.freed) > before, f"an open slot for {who}", GIVEN_UP_S)
            took_s = clock.now().mono_s - since_s
            break
    must(desk.freed[before:] == [slot], f"slots {desk.freed[before:]} opened for {who}, and {slot} was expected")
    return took_s


# ---- the pool ----


@STORY.step(
    "Frida keeps the pool: vehicles with plate, site and key slot; what is wrong is named at its field.", [62]
)
async def the_pool(stage: Stage) -> None:
    house = stage.house
    await house.write(house.organisations.put_site, SiteRecord(HARBOUR, "Harbour", None, TIME_ZONE, ""))
    await stage.account("frida", Role.FLEET_MANAGER, Role.CLERK)
    await stage.log_in("frida")
    frida = stage.browser("frida")
    await frida.open("/pool")
    await frida.follow("Add a vehicle")
    page = await frida.submit("Add the vehicle", {"Name": "DACIA-1", "Site": SITE, "Key slot": "1"})
    must("Number plate is missing" in page and "Model is missing" in page, "what is missing is not named")
    await frida.submit("Add the vehicle", {"Model": "Dacia Spring", "Number plate": "gr 418 n"})
    for name, model, plate, site, slot in (
        ("ZOE-2", "Renault Zoe", "TX-904-B", SITE, "1"),
        ("KANGOO-3", "Renault Kangoo", "HB-TU 512", "Harbour", ""),
    ):
        await frida.open("/pool/new")
        fill = {"Name": name, "Model": model, "Number plate": plate, "Site": site, "Key slot": slot}
        page = await frida.submit("Add the vehicle", fill)
        if slot:
            must("Key slot has the key of DACIA-1" in page, "two keys hang in one slot")
            page = await frida.submit("Add the vehicle", {"Key slot": "2"})
        must(f"{name} is added" in page, f"{name} is not in the pool")
    must("GR-418-N" in page and "TX-904-B" in page, "the plates are not shown")


@STORY.step("Sofie, Lena, Tess and Omar have badges and two contracts each; Omar's licence is not checked yet.")
async def the_subscribers(stage: Stage) -> None:
    now = clock.now().wall
    valid = Licence(LicenceStatus.VALIDATED, now, now + timedelta(days=180))
    users = [subscriber(name, valid, payable=name == "lena") for name in ("sofie", "lena", "tess")]
    users.append(subscriber("omar", Licence(LicenceStatus.PENDING)))
    changes: list[Change] = [PermitPut(newcomers.parking(user_id="u-omar"))]
    for user in users:
        changes += [UserPut(user), *map(PermitPut, newcomers.subscribing(user.id))]
    await stage.house.portal.change(changes)
    books = books_of(stage.house)
    known = Subscriber("u-omar", "Omar", "+31612345678", "Kade 1, Utrecht", 1, "frida", now)
    await stage.house.write(books.put, known)
    await stage.house.write(with_accounts, stage.house, users, await stage.house.kept(PASSWORD))
    async with asyncio.TaskGroup() as group:
        for user in users:
            group.create_task(stage.log_in(user.external_id))


def with_accounts(house: House, users: Sequence[User], password: bytes) -> None:
    """Everybody has an account; their first login is another story."""
    for user in users:
        name = user.external_id
        made = new_account(f"a-{name}", name, house.tenant, [Role.SUBSCRIBER], f"{name}@example.com")
        house.accounts.set_password(house.accounts.put(replace(made, user_id=user.id)).id, password)


# ---- reserving ----


@STORY.step(
    "Sofie sees in the calendar what is free and reserves; a contract that cannot pay yet is refused.", [62]
)
async def sofie_reserves(stage: Stage) -> None:
    await stage.browser("sofie").open("/reservations")
    page = await stage.browser("sofie").follow("Calendar")
    must("DACIA-1" in page and "KANGOO-3" in page and "taken" not in page, "the calendar is not that of the pool")
    hour, day = timedelta(hours=1), timedelta(days=1)
    page = await reserves(stage, "sofie", HERE, timedelta(), hour, Who_pays="you, privately")
    must("Who pays has no payment profile yet" in page, "a contract that cannot pay is taken")
    fill: dict[str, str | bool] = {
        "Who_pays": "the company, by the business contract",
        "Others_may_ride_along": True,
    }
    page = await reserves(stage, "sofie", HERE, timedelta(), 15 * day, **fill)
    must("Until is more than 14 days after the beginning" in page, "a trip has no end")
    page = await reserves(stage, "sofie", HERE, timedelta(), 2 * hour, **fill)
    must("DACIA-1 is reserved for you" in page and "the company" in page, f"Sofie has no reservation:\n{page.text}")
    stage.notes["sofie"] = page.path
    must("yours" in await stage.browser("sofie").open("/reservations/calendar"), "the calendar does not show it")


@STORY.step("Lena wants the same hours: she is told, keeps what she typed, and takes another car privately.", [62])
async def lena_reserves(stage: Stage) -> None:
    private_: dict[str, str | bool] = {"Who_pays": "you, privately"}
    hours = timedelta(hours=3)
    page = await reserves(stage, "lena", HERE, timedelta(minutes=90), hours, **private_)
    must(page.status == 409 and "DACIA-1 is taken from" in page, "two people have one car")
    must("was not written" in page and "sofie" not in page, "she is not told what became of it, or too much")
    stage.say("lena", "is told: " + page.line_with("is taken from"))
    page = await stage.browser("lena").submit("Reserve", {"Vehicle": ZOE})
    must("ZOE-2 is reserved for you" in page and "you" in page.line_with("Pays"), "what she typed is lost")
    stage.notes["lena"] = page.path
    must("Number plate" not in page and "/pool" not in page.html, "a subscriber sees the manager's pages")
    must((await stage.browser("lena").open(stage.notes["sofie"])).status == 404, "she sees another's reservation")


@STORY.step("A badge at the cabinet: the number leads to Sofie, her reservation, and the key of slot 1.", [25])
async def sofie_takes_the_key(stage: Stage) -> None:
    await stage.site.until_in_force()
    took_s = await opens(stage, "sofie", 1)
    stage.say("desk", f"from the tap to the open slot: {took_s * 1000:.0f} ms")
    granted = await stage.site.expect(DeskGranted, DESK)
    must((granted.vehicle, granted.contract) == ("DACIA-1", "u-sofie-business"), f"granted is {granted}")
    must(granted.payer == "", f"{granted.payer} pays, and not the company")
    await stage.site.until(lambda: stage.site.desk.take(1), "the key of slot 1 in the hand")
    await stage.site.expect(KeyTaken, DESK, slot=1, user_id="u-sofie")


# ---- what is refused, and why ----


@STORY.step("Omar writes a plate of his own into his account; the gate knows it at once.", [62])
async def omars_account(stage: Stage) -> None:
    omar = stage.browser("omar")
    page = await omar.open("/my-account")
    must("user number" in page and "you, privately (no payment profile yet)" in page, "his account is not shown")
    page = await omar.submit("Save", {"Number plates of your own": "98 thd 4", "Telephone": "12"})
    must("Telephone is no telephone number" in page and "98 thd 4" in page.html, "what he typed is lost")
    page = await omar.submit("Save", {"Telephone": "+31 6 8765 4321"})
    must("Saved, and in force at once" in page, f"it is not saved:\n{page.text}")
    await stage.site.until_in_force()
    stage.site.world.arrive(ENTRY, OMARS_CAR)


@STORY.step("His licence was not checked: the key stays locked, he rides along, and parks as ever.", [23])
async def omar_rides_along(stage: Stage) -> None:
    site, omar = stage.site, stage.browser("omar")
    page = await reserves(stage, "omar", HERE, timedelta(hours=5), timedelta(hours=1))
    must("has not been checked" in page, "nobody tells him that the key will stay locked")
    await omar.submit("Cancel the reservation")
    await site.until_in_force()
    await refused(stage, "omar", Reason.LICENCE_NOT_VALIDATED)
    await omar.open("/rides")
    await omar.follow("DACIA-1")
    must("You ride along in DACIA-1" in await omar.submit("Take a seat"), "he has no seat")
    must((await stage.letters("sofie@example.com"))[0].subject == "Somebody rides along", "Sofie does not know")
    await site.until_in_force()
    await refused(stage, "lena", Reason.TOO_EARLY)
    freed = [*site.desk.freed]
    await tap(stage, "omar")
    granted = await site.expect(DeskGranted, DESK, external_id="omar")
    must((granted.action, granted.slot, site.desk.freed) == ("carpool", 0, freed), f"granted is {granted}")


@STORY.step("Another site, over, cancelled: each is told by name, and the desk knows at once.", [25, 62])
async def each_by_name(stage: Stage) -> None:
    lena, hour = stage.browser("lena"), timedelta(hours=1)
    await lena.open(stage.notes["lena"])
    await moves(stage, "lena", timedelta(), hour, Vehicle=KANGOO)
    await stage.site.until_in_force()
    await refused(stage, "lena", Reason.WRONG_SITE)
    await moves(stage, "lena", timedelta(), hour, Vehicle=ZOE)
    await ends_soon(stage, "lena")
    await refused(stage, "lena", Reason.RESERVATION_ENDED)
    must("is cancelled" in await lena.submit("Cancel the reservation"), "it is not cancelled")
    await stage.site.until_in_force()
    await refused(stage, "lena", Reason.NO_RESERVATION)
    entered = await stage.site.expect(Granted, ENTRY, external_id="omar")
    await stage.site.expect(Passed, ENTRY, hold=entered.hold)


# ---- late, and offline ----


@STORY.step(
    "Sofie is late: she and Lena, who has the car next, are told; and told again when the key is back.", [25]
)
async def late(stage: Stage) -> None:
    sofie, site = stage.browser("sofie"), stage.site
    page = await sofie.open(stage.notes["sofie"])
    must("the key is out" in page, "the portal does not know that the key is out")
    await ends_soon(stage, "sofie")
    page = await reserves(stage, "lena", HERE, timedelta(), timedelta(hours=2), Who_pays="you, privately")
    must("DACIA-1 is reserved for you" in page, f"Lena cannot have it after Sofie:\n{page.text}")
    stage.notes["lena"] = page.path
    await told(stage, "sofie", "The key is late")
    await told(stage, "lena", "Your vehicle is late")
    await site.until_in_force()
    await refused(stage, "lena", Reason.KEY_NOT_THERE)
    site.desk.put_back(1)
    returned = await site.expect(KeyReturned, DESK, user_id="u-sofie")
    must(returned.late_s > 0, "the journal does not say that it is late")
    await told(stage, "lena", "Your vehicle is back")
    must("the key is back" in await sofie.open(stage.notes["sofie"]), "Sofie's trip is not over")


@STORY.step("Omar's licence is looked at, and ends soon: he is mailed, and told when he reserves for later.")
async def omars_licence(stage: Stage) -> None:
    portal, now, frida = stage.house.portal, clock.now().wall, stage.browser("frida")
    await frida.open("/desk/u-omar")
    good = {"The licence": "is good", "Counts until": typed(now + timedelta(days=10))[:10]}
    must("in force at once" in await frida.submit("Write it down", good), "the licence is not written down")
    await told(stage, "omar", "Your driving licence is to be looked at again")
    await frida.open("/licences")
    must("omar" in frida.page, "nobody sees that it ends")
    stage.notes["licence"] = now + timedelta(seconds=3)
    licence = Licence(LicenceStatus.VALIDATED, now, stage.notes["licence"])
    await portal.change([UserPut(replace(company.by_id(stage.house, "u-omar"), licence=licence))])
    page = await reserves(stage, "omar", ZOE, timedelta(hours=5), timedelta(hours=1))
    must("must be checked again" in page, "nobody tells him that it will be over")


@STORY.step(
    "The desk is cut off: Lena gets her key, Omar's licence ends, and what the desk cannot know is marked.", [26]
)
async def offline(stage: Stage) -> None:
    site, desk, frida = stage.site, stage.site.desk, stage.browser("frida")
    await reserves(stage, "tess", ZOE, timedelta(), timedelta(hours=1))
    await site.until_in_force()
    await site.unplug_broker()
    await frida.open("/pool/reservations")
    await frida.follow("ZOE-2")
    must("is cancelled" in await frida.submit("Cancel the reservation"), "Frida cannot cancel Tess's reservation")
    page = await reserves(stage, "sofie", ZOE, timedelta(), timedelta(hours=1))
    must("ZOE-2 is reserved for you" in page, f"Sofie has no reservation:\n{page.text}")
    await over(stage, stage.notes["licence"])
    for who, reason in (("omar", Reason.LICENCE_EXPIRED), ("sofie", Reason.NO_RESERVATION)):
        await tap(stage, who)
        await site.until(partial(in_doubt, site, who, reason), f"{who} told {reason}")
    for who, slot in (("lena", 1), ("tess", 2)):
        await opens(stage, who, slot)
        must(desk.take(slot), f"the key of slot {slot} is not in the hand")
    site.tell_how_stale()
    await site.plug_broker_in()
    granted = await site.expect(DeskGranted, DESK, external_id="lena")
    must(granted.notes == (Note.DEGRADED,), "nobody says that the portal was away")
    must((granted.contract, granted.payer) == ("u-lena-private", "u-lena"), f"{granted.payer} pays")
    granted = await site.expect(DeskGranted, DESK, external_id="tess")
    must(granted.notes == (Note.DEGRADED,), "nobody says that her reservation may have been cancelled")


def in_doubt(site: SimulatedSite, who: str, reason: Reason) -> bool:
    """Whether the desk's own journal has this refusal, with the note that the portal was away."""
    facts = (row.fact() for row in journal_of(site.database))
    return any(
        isinstance(one, Refused) and (one.external_id, one.reason, one.notes) == (who, reason, (Note.DEGRADED,))
        for one in facts
    )


@STORY.step(
    "The portal is back and learns late that Tess has a key that had become Sofie's; she is told, and waits.", [25]
)
async def caught_up(stage: Stage) -> None:
    await told(stage, "sofie", "Your vehicle is out")
    await stage.site.until_in_force()
    await refused(stage, "sofie", Reason.KEY_NOT_THERE)
    stage.site.desk.put_back(2)
    await told(stage, "sofie", "Your vehicle is back")
    await opens(stage, "sofie", 2)
    async with asyncio.timeout(WITHIN_S):
        while True:
            if "the key is out" in await stage.browser("lena").open(stage.notes["lena"]):
                return
            await asyncio.sleep(STEP_S)


async def told(stage: Stage, who: str, subject: str) -> None:
    """Wait for a mail."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            if subject in {one.subject for one in await stage.letters(f"{who}@example.com")}:
                stage.say("mail", f"to {who}: {subject}")
                return
            await asyncio.sleep(STEP_S)
