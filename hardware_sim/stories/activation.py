"""App activation: ready or not, one user at a time, a code by SMS, a first login, and the pass at the gate."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from gate_controller.allowlist import Change, PermitPut, User, UserPut, UserRemoved
from gate_controller.codes import TRIES_MAX
from gate_controller.credentials import CredentialState, PassRead
from gate_controller.facts import Granted, Matched, Refused
from gate_controller.reasons import Reason
from hardware_sim.garage import ENTRY, SITE, TIME_ZONE
from hardware_sim.portal.codes.passes import text_of
from hardware_sim.portal.company import activation, app_setup, company
from hardware_sim.portal.edges.books import Changes
from hardware_sim.portal.edges.service import Portal
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.records.organisations import SiteRecord
from hardware_sim.stories.browser import Shown
from hardware_sim.stories.guests import drives_out, is_parked, pass_on
from hardware_sim.stories.qr_reader import scan
from hardware_sim.stories.story import PASSWORD, Stage, Story, must
from hardware_sim.world import Vehicle
from sync.codec import encode_change
from sync.onlooker import look_in
from sync.passes import NUMBER_LEN

LOAN_CAR: Final = Vehicle(("KA", "RS", "290"), "D", badge="000414CD7E", badge_after_s=3.0, speed_mps=6.0)
OTHER_CAR: Final = Vehicle(("HB", "TU", "512"), "D", patience_s=4.0, speed_mps=6.0)
"""Of neither does anybody know the plate: what opens is Mara's badge, or what her phone shows."""
SCANS_AFTER_S: Final = 0.3
HARBOUR, DEPOT = "harbour", "depot"
MARAS_MAIL, MARAS_PHONE = "mara@example.com", "+31612345678"
NILS_MAIL, NILS_PHONE = "nils@example.com", "+31687654321"
NEWS, PRIVACY = "News and offers may be sent to me", "My name, number plates and stays are kept"
_CODE: Final = re.compile(r"\b[2-9A-Z]{4}-[2-9A-Z]{4}\b")

STORY: Final = Story("activation", "App activation: checks, code, first login, pass", (LOAN_CAR, OTHER_CAR))


async def asks(stage: Stage, person: str, path: str, **fill: str | list[str]) -> Shown:
    """Somebody of the staff fills in the dialog of one user; labels with underscores for spaces."""
    browser = stage.browser(person)
    await browser.open(path)
    fields = {label.replace("_", " ").replace("E mail", "E-mail"): value for label, value in fill.items()}
    return await browser.submit("Activate the app of this user", fields)


async def code_of(stage: Stage, phone: str) -> str:
    """The code of the newest SMS."""
    sms, *_ = await stage.letters(phone)
    (code,) = _CODE.findall(sms.body)
    return str(code)


async def stage_of(stage: Stage, path: str) -> str:
    """What the page of the user says of the app."""
    return (await stage.browser("frida").open(path)).line_with("App:")


async def app_state(stage: Stage) -> CredentialState | None:
    """What the portal's list says of Mara's app."""
    return (await activation.look(stage.house, stage.notes["mara"])).user.app


@STORY.step("Two users, and a clerk of two sites, who chooses one first and is offered no other.", proves=[48])
async def people(stage: Stage) -> None:
    house = stage.house
    for site, name, mail in ((HARBOUR, "Harbour", "harbour@example.com"), (DEPOT, "Depot", None)):
        await house.write(house.organisations.put_site, SiteRecord(site, name, mail, TIME_ZONE, ""))
    mara = await stage.site.portal.add_user("M-1", ["GR-418-N"], ["000414CD7E"])
    nils = await stage.site.portal.add_user("N-2", ["98-THD-4"])
    stage.notes |= {"mara": mara.id, "nils": nils.id}
    await stage.account("frida", Role.FLEET_MANAGER, Role.OPERATOR)
    await stage.account("cleo", Role.CLERK, sites=[SITE, HARBOUR])
    await stage.log_in("frida")
    page = await stage.log_in("cleo")
    must(page.path == "/site", f"a clerk of two sites begins at {page.path}")
    (form,) = [one for one in page.forms if one.button == "Choose this site"]
    offered = {text.strip() for one in form.controls for value, text in one.choices if value}
    must(offered == {SITE, "Harbour"}, f"the clerk is offered {offered}")
    must((await stage.browser("cleo").open("/apps")).path == "/site", "something is done without a site")
    await stage.browser("cleo").submit("Choose this site", {"Site": SITE})


@STORY.step("The site has no e-mail address: Cleo reads what to do, and activates nothing before.", proves=[41, 69])
async def not_ready(stage: Stage) -> None:
    path = f"/apps/{stage.notes['mara']}"
    page = await stage.browser("cleo").open(path)
    missing = page.line_with("E-mail address of")
    must("not ready" in missing and "write one" in missing, f"the page says only {missing}")
    must("nothing is mailed" in page, "the page does not say that nothing can be mailed")
    page = await asks(stage, "cleo", path, E_mail_address=MARAS_MAIL, Telephone=MARAS_PHONE, **SITES)
    must("Nothing was activated" in page and "there is none" in page, f"it was activated:\n{page.text}")
    must(await app_state(stage) is None, "the list says otherwise than the page")
    stage.say("cleo", "is told: " + page.line_with("Nothing was activated"))
    frida = stage.browser("frida")
    await frida.open(f"/sites/{SITE}")
    await frida.submit("Save", {"E-mail address": "garage@example.com"})
    await stage.site.until_in_force()
    for what in (
        "Link to the broker",
        "List in force",
        "Clock of the gates",
        "Key for passes",
        "E-mail address of",
    ):
        line = (await frida.open(path)).line_with(what)
        must(" ready" in line and "not" not in line, f"after all was mended: {line}")


SITES: Final[dict[str, list[str]]] = {"Sites_that_serve_this_user": [SITE, "Harbour"]}


@STORY.step("A telephone that is missing, or is Nils's, stops it: contact_not_unique, and nothing changes.", [43])
async def not_unique(stage: Stage) -> None:
    house, path = stage.house, f"/apps/{stage.notes['mara']}"
    page = await asks(stage, "cleo", path, E_mail_address=MARAS_MAIL, **SITES)
    must("Telephone is missing" in page and "Telephone *" in page, "a missing telephone is not named")
    await house.write(company.contacts_of(house).put_phone, stage.notes["nils"], NILS_PHONE)
    page = await asks(stage, "cleo", path, E_mail_address=MARAS_MAIL, Telephone="0031 6 87654321", **SITES)
    must("contact_not_unique" in page and page.status == 422, f"two users have one telephone:\n{page.text}")
    page = await asks(
        stage, "cleo", path, E_mail_address=MARAS_MAIL, Telephone=MARAS_PHONE, Sites_that_serve_this_user=["Depot"]
    )
    must("no e-mail address of its own" in page, "a site without an address is taken")
    must(await app_state(stage) is None and not await stage.letters(""), "something was done nevertheless")
    (deed, *_) = await house.run(house.audit.deeds, "M-1")
    must((deed.deed, deed.detail) == ("app.refused", "contact_not_unique: phone"), f"written down is {deed}")


@STORY.step(
    "Cleo confirms Mara's alone, in a dialog with the QR code; the code goes to her phone, the way to her address.",
    proves=[42, 43, 45, 69],
)
async def confirmed(stage: Stage) -> None:
    house, path = stage.house, f"/apps/{stage.notes['mara']}"
    frida = stage.browser("frida")
    page = await frida.open(path)
    must(scan(page.html) == f"{house.url}/app", "the QR code leads elsewhere")
    page = await asks(stage, "cleo", path, E_mail_address=MARAS_MAIL, Telephone="+31 6 1234-5678", **SITES)
    must("The app is asked for" in page and "mailed to mara@example.com" in page, f"not activated:\n{page.text}")
    fill = {"E-mail address": MARAS_MAIL, "Telephone": "+31611111111", "Sites that serve this user": [SITE]}
    page = await frida.submit("Activate the app of this user", fill)
    must(page.status == 409 and "meanwhile" in page, f"a second manager activates it too:\n{page.text}")
    (sms,) = await stage.letters(MARAS_PHONE)
    (mail,) = await stage.letters(MARAS_MAIL)
    code = await code_of(stage, MARAS_PHONE)
    must(sms.kind == "sms" and mail.qr == f"{house.url}/app", "SMS and mail are not what they should be")
    must(
        code not in mail.body and "garage@example.com" in mail.body,
        "the mail has the code, or no address to ask at",
    )
    must(len(await stage.letters("")) == 2, "somebody else was written to")
    deeds = [one for one in await house.run(house.audit.deeds) if one.deed == "app.requested"]
    must([(one.actor, one.about, one.detail) for one in deeds] == [("cleo", "M-1", f"site {SITE}")], f"{deeds}")
    must((await activation.look(house, stage.notes["nils"])).user.app is None, "Nils's was activated too")
    await stage.site.until_in_force()
    must("pending: waits for the driver" in await stage_of(stage, path), await stage_of(stage, path))
    stage.say("sms", f"to {sms.recipient}: {sms.body}")


@STORY.step(
    "Five wrong guesses end the code, the next one comes a day late; every refusal reads alike.", proves=[45]
)
async def code_is_over(stage: Stage) -> None:
    house, path = stage.house, f"/apps/{stage.notes['mara']}"
    first = await code_of(stage, MARAS_PHONE)
    guesses = [await stage.log_in("thief", MARAS_MAIL, "AAAA-AAAA")]
    for last in range(TRIES_MAX - 1):
        must(await app_setup.enter(house, MARAS_MAIL, f"AAAA-AAA{last + 2}") is None, "a guess lets somebody in")
    guesses.append(await stage.log_in("mara", MARAS_MAIL, first))
    told = {page.line_with("do not go together") for page in guesses}
    frida = stage.browser("frida")
    must("tried too often" in await frida.open(path), "staff cannot see why the code does not count")
    await frida.submit("Send another code")
    second = await code_of(stage, MARAS_PHONE)
    must(second != first, "the same code was sent again")
    kept = (await activation.look(house, stage.notes["mara"])).kept.code
    assert kept is not None
    late = replace(kept, expires_at=house.now() - timedelta(seconds=1))
    await house.write(activation.books_of(house).put_code, late)
    told.add((await stage.log_in("mara", MARAS_MAIL, second)).line_with("do not go together"))
    must(len(told) == 1, f"refusals differ: {told}")
    must("The code is over" in await frida.open(path), "staff cannot see that the code is over")
    await frida.submit("Send another code")
    must((await stage.log_in("mara", MARAS_MAIL, second)).status == 401, "the older code counts")


@STORY.step("Mara logs in with address and code, must set a password, and logs in again with it.", proves=[45, 47])
async def first_login(stage: Stage) -> None:
    code, mara = await code_of(stage, MARAS_PHONE), stage.browser("mara")
    page = await mara.open("/app")
    must("code from the SMS" in page, "the way is not told")
    await mara.follow("Log in")
    page = await mara.submit("Log in", {"Name or e-mail address": MARAS_MAIL, "Password or one-time code": code})
    must(page.path == "/password", f"the first login leads to {page.path}")
    for other in ("/", "/phone", "/pass"):
        must((await mara.open(other)).path == "/password", f"{other} is shown before there is a password")
    await mara.submit("Set the password", {"New password": PASSWORD, "New password again": PASSWORD})
    must((await mara.open("/phone")).path == "/login", "the session of the code goes on")
    must((await stage.log_in("thief", MARAS_MAIL, code)).status == 401, "the code counts twice")
    page = await stage.log_in("mara", MARAS_MAIL)
    must("My app" in page, "her own password does not let her in")
    must((await mara.open("/pass")).status == 422, "there is a pass before the app is set up")


@STORY.step("She agrees to the privacy notice, and not to news; wording and time of both are kept.", [49])
async def agreed(stage: Stage) -> None:
    mara = stage.browser("mara")
    await mara.open("/phone")
    page = await mara.submit("I agree", {NEWS: True})
    must("must be ticked" in page, "the privacy notice is not asked for")
    (privacy,) = [one.label for form in page.forms for one in form.controls if one.label.startswith(PRIVACY)]
    await mara.submit("I agree", {privacy: True, NEWS: True})
    page = await mara.submit("I want no more news")
    rows = [line for line in page.lines() if is_consent(line)]
    must(len(rows) == 2, f"what she agreed to is not kept:\n{page.text}")
    must(
        any(line.startswith(NEWS) and line.count(":") == 4 for line in rows),
        "it is not kept that she wants no news",
    )
    staff = await stage.browser("frida").open(f"/apps/{stage.notes['mara']}")
    must(all(line in staff for line in rows), "staff see something else than she does")


@STORY.step(
    "The gate is cut off: Nils must wait. Mara chooses her site last; the gate knows her badge, and not her app.",
    proves=[41, 44, 48],
)
async def cut_off(stage: Stage) -> None:
    site, mara = stage.site, stage.browser("mara")
    await site.unplug_broker()
    await site.until(lambda: site.portal.connection is None, "the portal without a link")
    path = f"/apps/{stage.notes['nils']}"
    page = await asks(stage, "cleo", path, E_mail_address=NILS_MAIL, Telephone=NILS_PHONE, **SITES)
    must("Link to the broker: the portal has none" in page, f"Nils was activated without a link:\n{page.text}")
    page = await mara.open("/phone")
    (control,) = [one for form in page.forms for one in form.controls if one.label == "Site"]
    offered = {text.strip() for value, text in control.choices if value}
    must(offered == {SITE, "Harbour"}, f"she is offered {offered}")
    must((await mara.open("/pass")).status == 422, "there is a pass before the last step")
    await mara.open("/phone")
    page = await mara.submit("Choose this site", {"Site": SITE})
    must("Your app is set up" in page and "Not every gate knows of it yet" in page, f"she reads:\n{page.text}")
    told = await stage_of(stage, f"/apps/{stage.notes['mara']}")
    must("active, and the gates are being told. 0 of 1 gates know" in told, f"staff read: {told}")
    await comes(stage, LOAN_CAR, await pass_on(stage, "mara", "/pass"))
    await site.until(lambda: is_parked(stage, LOAN_CAR), "Mara inside by her badge")


@STORY.step(
    "Back again, the gate tells that it refused the pass and took the badge; it hears of the app.", proves=[44]
)
async def back(stage: Stage) -> None:
    site = stage.site
    await site.plug_broker_in()
    await site.expect(Refused, ENTRY, reason=Reason.CREDENTIAL_PENDING, external_id="M-1")
    granted = await site.expect(Granted, ENTRY, external_id="M-1")
    must(granted.basis.matched is Matched.BADGE, f"matched by {granted.basis.matched}")
    await site.until_in_force()
    told = await stage_of(stage, f"/apps/{stage.notes['mara']}")
    must("App: active. 1 of 1" in told, f"staff read: {told}")
    must("Not every gate" not in await stage.browser("mara").open("/phone"), "she reads that a gate does not know")
    await drives_out(stage, LOAN_CAR)


@STORY.step(
    "A portal that lost the rule gives Mara another id: the gate refuses the whole change, and an alarm tells.",
    [46],
)
async def another_id(stage: Stage) -> None:
    portal, site = stage.site.portal, stage.site
    mara = portal.allowlist.user(stage.notes["mara"])
    assert mara is not None
    other, newcomer = replace(mara, id="u-other"), User("u-newcomer", "X-9")
    kept: list[Change] = [UserPut(mara), *map(PermitPut, portal.allowlist.permits_of(mara))]
    puts: list[Change] = [UserPut(newcomer), UserPut(other)]
    await careless(portal, [UserRemoved(mara.id), *puts], puts)

    async def alarmed() -> bool:
        return any("immutable_id" in one.detail for one in await portal.alarms())

    await site.until_known(alarmed, "an alarm that says immutable_id")
    page = await stage.browser("frida").open("/")
    stage.say("frida", "sees: " + page.line_with("immutable_id"))
    there = look_in(site.database).allowlist
    must(there.user(mara.id) == mara, "the gate has taken the other id")
    must(there.user(newcomer.id) is None, "the rest of that change was taken")
    await careless(portal, [UserRemoved(other.id), UserRemoved(newcomer.id), *kept], [])
    books = portal._books
    portal.allowlist = await portal.database.run(books.allowlist)


async def careless(portal: Portal, written: Sequence[Change], told: Sequence[Change]) -> None:
    """What a portal would do that asks no rule of the list: write this, and tell the gates that."""
    books, database = portal._books, portal.database
    old = await database.run(books.allowlist)
    rev, encoded = old.revision + 1, [bytes(encode_change(one)) for one in written]
    # Below the books, which forget whoever is removed: Mara is not, in truth.
    root = await database.write(books._list.put, old.epoch, old.revision, rev, written, None, encoded)
    delta = portal._letters.delta(old.epoch, Changes(old.revision, rev, root, [*map(encode_change, told)]))
    portal._publish(portal._topic("list/delta"), delta)
    portal._publish_head(root)


@STORY.step("The gate is cut off again, and her pass opens it all the same. Frida withdraws her app.", proves=[44])
async def withdrawn(stage: Stage) -> None:
    site, mara, frida = stage.site, stage.browser("mara"), stage.browser("frida")
    await site.unplug_broker()
    await mara.open("/phone")
    await comes(stage, replace(LOAN_CAR, badge=None), await pass_on(stage, "mara", "/pass"))
    await site.until(lambda: is_parked(stage, LOAN_CAR), "Mara inside by her pass")
    await frida.open(f"/apps/{stage.notes['mara']}")
    page = await frida.submit("Withdraw the app")
    must("withdrawn, and the gates are being told. 0 of 1" in page.line_with("App:"), page.line_with("App:"))
    must((await mara.open("/pass")).path == "/login", "her phone's session goes on")
    await stage.log_in("mara", MARAS_MAIL)
    must((await mara.open("/pass")).status == 422, "her phone still gets passes")


@STORY.step(
    "Back again, the gate tells of the pass that opened, and knows: no pass of hers opens any more.", proves=[44]
)
async def revoked(stage: Stage) -> None:
    site, portal = stage.site, stage.site.portal
    await site.plug_broker_in()
    granted = await site.expect(Granted, ENTRY, external_id="M-1")
    must(granted.basis.matched is Matched.SIGNED_PASS, f"matched by {granted.basis.matched}")
    await site.until_in_force()
    must("App: withdrawn. 1 of 1" in await stage_of(stage, f"/apps/{stage.notes['mara']}"), "staff cannot see it")
    now = stage.house.now()
    # Her phone has none: this one is made with the portal's own key, behind its back.
    read = PassRead(stage.notes["mara"], "00" * NUMBER_LEN, now, now + timedelta(hours=1), once=True)
    await comes(stage, OTHER_CAR, text_of(portal.keys, read))
    await site.expect(Refused, ENTRY, reason=Reason.CREDENTIAL_REVOKED)


async def comes(stage: Stage, car: Vehicle, text: str) -> None:
    """The car drives up, and its driver holds this to the scanner."""
    stage.site.world.arrive(ENTRY, replace(car, shows=((SCANS_AFTER_S, text),)))


def is_consent(line: str) -> bool:
    """Whether a line is one of the consents."""
    return " 2026-03 " in line
