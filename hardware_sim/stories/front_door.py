"""How people come in at the portal's pages: first, with a password of their own, and when it is forgotten."""

import re
from typing import Final

from hardware_sim.portal.records.accounts import Role
from hardware_sim.stories.story import PASSWORD, Stage, Story, must

STORY: Final = Story("front-door", "First login, a password of one's own, and a forgotten one")

OLGA, FRIDA = "olga@example.com", "frida@example.com"
NEW_PASSWORD: Final = "nine loud green herons"


@STORY.step("The first account is made at the machine; its code is told once.")
async def first_account(stage: Stage) -> None:
    _, code = await stage.house.add_account("command", OLGA, stage.house.tenant, [Role.OPERATOR])
    stage.notes["code"] = code
    stage.say("portal", f"{OLGA} logs in with the code {code[:4]}-...")


@STORY.step("Olga comes in with it and sees nothing but a page that wants a password of her own.", proves=[3])
async def first_login(stage: Stage) -> None:
    page = await stage.log_in("olga", OLGA, stage.notes["code"])
    must(page.path == "/password", f"the first login leads to {page.path}, not to the password")
    olga = stage.browser("olga")
    for path in ("/", "/users", "/accounts"):
        must((await olga.open(path)).path == "/password", f"{path} is shown before a password is set")
    page = await olga.submit("Set the password", {"New password": PASSWORD, "New password again": PASSWORD})
    must("Your password is set" in page, "the password was not taken")
    must((await olga.open("/accounts")).path == "/login", "the session of the code goes on")
    page = await stage.log_in("olga", OLGA)
    must(page.path == "/" and "Accounts" in page, "the own password does not open the pages")
    stage.say("olga", "sees: " + page.line_with("List revision"))


@STORY.step("The code is used up, and a wrong password is told in the same words as a wrong name.", proves=[3])
async def used_up(stage: Stage) -> None:
    told = {
        (await stage.log_in("thief", name, secret)).line_with("do not go together")
        for name, secret in ((OLGA, stage.notes["code"]), (OLGA, "wrong"), ("nobody@example.com", "wrong"))
    }
    must(len(told) == 1, f"refusals differ: {told}")
    stage.say("thief", f"reads: {told.pop()}")


@STORY.step("Olga makes an account for Frida and hands her the code; Frida sets her password.", proves=[3])
async def a_manager(stage: Stage) -> None:
    olga = stage.browser("olga")
    await olga.open("/accounts")
    await olga.follow("Add an account")
    page = await olga.submit("Add the account", {"Name to log in with": FRIDA, "Roles": ["fleet manager"]})
    must("Organisation is missing" in page, "a missing field is not named")
    stage.say("olga", "is told: " + page.line_with("Organisation is missing"))
    page = await olga.submit("Add the account", {"Organisation": stage.house.tenant})
    (code,) = re.findall(r"\b(?:[0-9A-Z]{4}-){3}[0-9A-Z]{4}\b", page.text)
    must((await stage.log_in("frida", FRIDA, code)).path == "/password", "Frida's code does not count")
    fill = {"New password": PASSWORD, "New password again": PASSWORD}
    await stage.browser("frida").submit("Set the password", fill)
    page = await stage.log_in("frida", FRIDA)
    must("Users" in page and "Accounts" not in page, "a fleet manager sees other pages than a fleet manager's")


@STORY.step("Frida forgot it: the link goes to her own address, counts once, and nobody is shown a password.", [28])
async def forgotten(stage: Stage) -> None:
    frida = stage.browser("forgetful")
    await frida.open("/login")
    await frida.follow("Forgotten your password?")
    await frida.submit("Send the link", {"Name or e-mail address": FRIDA})
    (letter,) = await stage.letters(FRIDA)
    stage.say("mail", f"to {letter.recipient}: {letter.subject}")
    (link,) = re.findall(r"http\S+", letter.body)
    await frida.open(link)
    page = await frida.submit(
        "Set the password", {"New password": NEW_PASSWORD, "New password again": NEW_PASSWORD}
    )
    must("Your password is set" in page, "the link set no password")
    must((await frida.open(link)).status == 422, "the link counts twice")
    must((await stage.browser("frida").open("/users")).path == "/login", "the old session goes on")
    must((await stage.log_in("forgetful", FRIDA, PASSWORD)).status == 401, "the old password still counts")
    must((await stage.log_in("forgetful", FRIDA, NEW_PASSWORD)).path == "/", "the new password does not count")
    olga = stage.browser("olga")
    await olga.open("/mailbox")
    must(letter.subject in (await olga.follow(letter.subject)), "the operator cannot read the mailbox")
