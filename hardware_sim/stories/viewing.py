"""Viewing codes: made, read out, combined, made anew, switched off at the portal; at the gate they open nothing."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Final

from gate_controller.allowlist import DevicePut
from gate_controller.codes import secret_digest
from gate_controller.credentials import DIGEST_MARK
from gate_controller.delegation import Device, DeviceKind
from gate_controller.facts import Granted, Refused, VehicleLeft
from gate_controller.reasons import Reason
from hardware_sim.garage import ENTRY, EXIT, SITE, TENANT
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.records.organisations import SiteRecord
from hardware_sim.portal.web.viewing import REFUSED
from hardware_sim.stories.browser import Shown
from hardware_sim.stories.story import Stage, Story, must
from hardware_sim.world import Vehicle
from sync.onlooker import journal_of

KEES_CAR: Final = Vehicle(("TX", "418", "B"), "NL", patience_s=6.0, speed_mps=6.0)
SCANS_AFTER_S: Final = 0.3
HARBOUR, BARRIER = "harbour", "harbour-gate"
NEEDS_TOKEN: Final = "Wants the token of a device too, and shows that device alone"
_CODE: Final = re.compile(r"\b(?:[2-9A-Z]{4}-){3}[2-9A-Z]{4}\b")

STORY: Final = Story("viewing", "Viewing codes: they show devices, and never open", (KEES_CAR,))


async def to_the_code(stage: Stage, extent: str) -> Shown:
    """Olga goes to one of the customer's codes."""
    olga = stage.browser("olga")
    await olga.open("/viewing")
    await olga.follow(TENANT)
    return await olga.follow(extent)


async def read_out(stage: Stage) -> str:
    """Olga reads the code of the page that she looks at."""
    page = await stage.browser("olga").submit("Read the code out")
    (code,) = _CODE.findall(page.text)
    must(f"{stage.house.url}/view" in page, "the link to the portal does not stand beside the code")
    return str(code)


async def looks(stage: Stage, person: str, code: str, token: str = "") -> Shown:
    """Somebody enters a code, in a browser that shows nothing yet."""
    browser = stage.browser(person)
    await browser.open("/view")
    return await browser.submit("Show", {"Code": code, "Token": token})


def databases(folder: Path) -> list[tuple[str, bytes]]:
    """Names and bytes of all databases of the site; each log before its database, into which it may be moved."""
    files = sorted((one for one in folder.rglob("*.db*") if one.is_file()), reverse=True)
    return [(one.name, one.read_bytes()) for one in files]


def shows(page: Shown, *devices: str) -> bool:
    """Whether exactly these devices are listed."""
    return {one for one in (ENTRY, EXIT, BARRIER) if re.search(rf" {one} ", page.text)} == {*devices}


@STORY.step(
    "Nobody has a code until Olga switches the customer's on; she reads it out, and nothing is mailed.", [50, 51]
)
async def customers_code(stage: Stage) -> None:
    house = stage.house
    await house.write(house.organisations.put_site, SiteRecord(HARBOUR, "Harbour", None, "Europe/Amsterdam", ""))
    gates = [Device(name, DeviceKind.GATE, owner=TENANT) for name in (ENTRY, EXIT)]
    gates.append(Device(BARRIER, DeviceKind.GATE, owner=TENANT, site=HARBOUR))
    await house.portal.change([DevicePut(one) for one in gates])
    await stage.account("olga", Role.SUPPORT)
    await stage.log_in("olga")
    must("This code is off" in await to_the_code(stage, "All sites and devices"), "a code is on by itself")
    page = await stage.browser("olga").submit("Switch on")
    must("is switched on" in page and not _CODE.findall(page.text), "it is shown without being read out")
    stage.notes["all"] = await read_out(stage)
    deeds = [one.deed for one in await house.run(house.audit.deeds) if one.actor == "olga"]
    must(deeds[0] == "view_code.read", "nobody wrote down who read it")
    must(not await stage.letters(""), "something was mailed")
    page = await looks(stage, "kees", stage.notes["all"])
    must(shows(page, ENTRY, EXIT, BARRIER), f"the customer's code shows something else:\n{page.text}")
    must(not page.forms, "there is something to send in a view")
    stage.say("kees", "sees: " + page.line_with(BARRIER))


@STORY.step("The edge has digests only, and so has the portal's disk, but for what is sealed.", proves=[50])
async def digests(stage: Stage) -> None:
    await stage.site.until_in_force()
    code = stage.notes["all"]
    told = {form.encode() for form in (code, code.replace("-", ""), code.replace("-", "").lower())}
    kept = b""
    for name, data in databases(stage.site.folder):
        must(not [one for one in told if one in data], f"{name} has the code in clear")
        kept += data if name.startswith(stage.site.database.name) else b""
    must(secret_digest(code).encode() in kept, "the edge does not know the code's digest")


@STORY.step("Kees holds the code to the scanner at the gate: it opens nothing, and he sees that he was refused.")
async def opens_nothing(stage: Stage) -> None:
    stage.site.world.arrive(ENTRY, replace(KEES_CAR, shows=((SCANS_AFTER_S, stage.notes["all"]),)))
    await stage.site.expect(Refused, ENTRY, reason=Reason.UNKNOWN_CREDENTIAL)
    await stage.site.expect(VehicleLeft, ENTRY)
    facts = [row.fact() for row in journal_of(stage.site.database)]
    read = [one for one in facts if isinstance(one, Refused) and one.basis.as_read.startswith(DIGEST_MARK)]
    must([one.reason for one in read] == [Reason.UNKNOWN_CREDENTIAL], f"the scanner's code is answered by {read}")
    must(not [one for one in facts if isinstance(one, Granted)], "somebody was let in")
    page = await stage.browser("kees").open("/view")
    must("refused: unknown credential" in page, f"the refusal is not in view:\n{page.text}")
    must(not [one for one in ("418", "TX4", "TX-4", KEES_CAR.plate) if str(one) in page.text], "a plate is in view")
    stage.say("kees", "sees: " + page.line_with("refused: unknown credential"))


@STORY.step(
    "Codes of two sites live beside it: each shows its own site, and nothing elsewhere.", proves=[51, 52, 53]
)
async def of_a_site(stage: Stage) -> None:
    await to_the_code(stage, "Harbour")
    await stage.browser("olga").submit("Switch on")
    stage.notes["harbour"] = await read_out(stage)
    page = await looks(stage, "hanna", stage.notes["harbour"])
    must(shows(page, BARRIER), f"the harbour's code shows something else:\n{page.text}")
    must("refused" not in page, "what happened at another site is in view")
    must(shows(await stage.browser("kees").open("/view"), ENTRY, EXIT, BARRIER), "the customer's code shows less")


@STORY.step(
    "The garage's code wants a device's token too, which is made once; every failure reads alike.", [54, 55]
)
async def second_secret(stage: Stage) -> None:
    olga = stage.browser("olga")
    await olga.open(f"/viewing/{TENANT}")
    await olga.follow(ENTRY)
    (token,) = _CODE.findall((await olga.submit("Make its token")).text)
    page = await olga.open(f"/viewing/{TENANT}/device/{ENTRY}")
    must("has its token already" in await olga.submit("Make its token"), "a second token was made")
    await to_the_code(stage, SITE)
    await olga.submit("Switch on", {NEEDS_TOKEN: True})
    garage = stage.notes["garage"] = await read_out(stage)
    told = set()
    for code, second in ((garage, ""), (garage, stage.notes["all"]), ("ABCD-EFGH", token), ("", token)):
        page = await looks(stage, "thief", code or "2", second)
        told.add((page.status, page.line_with(REFUSED[:20])))
    must(len(told) == 1, f"failures differ: {told}")
    stage.say("thief", "reads: " + page.line_with(REFUSED[:20]))
    page = await looks(stage, "mia", garage, token)
    must(shows(page, ENTRY), f"code and token show something else:\n{page.text}")


@STORY.step("The harbour's code leaked, and the gate is cut off: a new one ends Hanna's page at once.", proves=[56])
async def made_anew(stage: Stage) -> None:
    await stage.site.unplug_broker()
    await to_the_code(stage, "Harbour")
    await stage.browser("olga").submit("Make a new code")
    new = await read_out(stage)
    page = await stage.browser("hanna").open("/view")
    must(shows(page), "the leaked code's page goes on")
    must(REFUSED in await looks(stage, "thief", stage.notes["harbour"]), "the leaked code counts")
    must(shows(await looks(stage, "hanna", new), BARRIER), "the new code shows nothing")
    stage.notes["harbour"] = new


@STORY.step("The customer's code is switched off: Kees's page ends at once, Hanna's and Mia's go on.", proves=[57])
async def switched_off(stage: Stage) -> None:
    await to_the_code(stage, "All sites and devices")
    olga = stage.browser("olga")
    await olga.submit("Switch off")
    must(shows(await stage.browser("kees").open("/view")), "a page of the ended code goes on")
    must(REFUSED in await looks(stage, "kees", stage.notes["all"]), "the ended code counts")
    must(shows(await stage.browser("hanna").open("/view"), BARRIER), "another code's page ended too")
    must(shows(await stage.browser("mia").open("/view"), ENTRY), "another code's page ended too")
    await to_the_code(stage, "All sites and devices")
    await olga.submit("Switch on")
    must(await read_out(stage) != stage.notes["all"], "the old code is on again")
    must(REFUSED in await looks(stage, "kees", stage.notes["all"]), "the old code counts again")


@STORY.step("The gate is back and learns which codes have ended; of no code has it more than digests.", [56, 57])
async def caught_up(stage: Stage) -> None:
    await stage.site.plug_broker_in()
    await stage.site.until_in_force()
    found = databases(stage.site.folder)
    kept = b"".join(data for name, data in found if name.startswith(stage.site.database.name))
    must(secret_digest(stage.notes["harbour"]).encode() in kept, "the gate does not know of the new code")
    must(stage.notes["harbour"].encode() not in kept, "the gate has a code in clear")
