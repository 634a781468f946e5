"""Every form of the pages, filled in wrongly in every way: a clear answer, never a fault, nothing half done.

The forms are found as a person finds them, by following links; whatever is added later is tried too.
"""

import json
import logging
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from hardware_sim.portal.fleet.subscriber_books import Subscriber, SubscriberBooks
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.web import app
from hardware_sim.stories.browser import Browser, Control, FormSeen, Shown
from tests.hardware_sim.portal.pool_rig import a_pool
from tests.hardware_sim.portal.web.web_rig import PASSWORD, Served

EVIL = [
    "",
    "x" * 5000,
    "a\0b",
    "\u202eanna",
    '"><script>alert(1)</script>',
    "'; DROP TABLE account; --",
    "{{ 7 * 7 }} %s %(name)s",
    "../../etc/passwd",
    "-1",
]
ACCEPTABLE = {200, 400, 401, 404, 409, 413, 422, 429}
"""403 would mean that the form itself was not looked at."""
PASSING = {"session", "audit", "sqlite_sequence", "sqlite_stat1"}
"""Tables that change with every request, or only tell of it."""
FORMS_LEN_MAX = 200


async def everything(web: Served) -> str:
    """All that the portal has written down, apart from what passes; tries to log in do not count either."""

    def dump() -> str:
        db = web.house.portal.database.sql
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {
            table: db.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()
            for table in sorted(tables)
            if table not in PASSING
        }
        rows["account"] = [row[:10] for row in rows["account"]]
        return json.dumps(rows, default=repr)

    return await web.house.run(dump)


async def forms_of(browser: Browser, *methods: str) -> dict[tuple[str, str], str]:
    """Each form (path, button) that is to be found by following links, and the page it is on."""
    seen, todo, found = set[str](), ["/", "/login", "/forgotten", "/password"], dict[tuple[str, str], str]()
    while todo and len(seen) < FORMS_LEN_MAX:
        path = todo.pop(0)
        if path in seen:
            continue
        seen.add(path)
        page = await browser.open(path)
        if "html" not in page.headers.get("content-type", ""):
            continue
        todo += [link.path for link in page.links if link.path.startswith("/")]
        for form in page.forms:
            if form.action != "/logout" and form.method in methods:
                action = form.action or page.path.partition("?")[0]
                found[(action, " ".join(form.button.split()))] = page.path
    return found


def variants(form: FormSeen) -> Iterator[list[tuple[str, str]]]:
    """The form as it stands, with each field in turn missing, doubled, and evil."""
    fields = [one for one in form.controls if one.name and one.kind != "file"]
    stands = [(one.name, _usual(one)) for one in fields if one.kind != "checkbox" or one.ticked]
    for one in {one.name: one for one in fields if one.name != "_csrf"}.values():
        rest = [pair for pair in stands if pair[0] != one.name]
        yield rest
        yield [*rest, (one.name, _usual(one)), (one.name, _usual(one))]
        for evil in EVIL:
            yield [*rest, (one.name, evil)]
    yield [*stands, ("is_admin", "1")]


def _usual(control: Control) -> str:
    return control.value or next((value for value, _ in control.choices if value), "something")


async def as_staff(web: Served, browser: Browser, role: Role) -> None:
    """Be logged in (again), whatever the forms have done to the account."""
    account = await web.house.run(web.house.accounts.called, role.value)
    if account is None or not account.enabled or account.roles != {role} or account.sites:
        if account is not None:
            await web.house.write(web.house.accounts.remove, account.id)
        of_user = f"u-{role.value}" if role is Role.SUBSCRIBER else None
        account, _ = await web.house.add_account("test", role.value, "acme", [role], user_id=of_user)
    await web.house.set_password(account, PASSWORD)
    entered = await web.house.log_in(role.value, PASSWORD)
    assert entered is not None
    browser.client.cookies.set("slagboom_session", entered.token, domain="127.0.0.1")


def _offered(page: Shown, button: str) -> bool:
    return any(" ".join(form.button.split()) == button for form in page.forms)


class Vandal:
    """Somebody with a role who sends what no page would; logged in again whenever a form threw him out."""

    def __init__(self, web: Served, role: Role) -> None:
        self.web, self.role, self.browser, self.tried = web, role, web.browser(), 0
        self._stands = ""

    async def visit(self, path: str, button: str, action: str) -> None:
        for form in await self._forms(path, button):
            for fields in variants(form):
                if not _offered(self.browser.page, button):
                    return  # it did what it says, and there is nothing left to do
                await self._try(path, button, action, fields)

    async def _forms(self, path: str, button: str) -> list[FormSeen]:
        page = await self.browser.open(path)
        if page.path != path:
            await as_staff(self.web, self.browser, self.role)
            page = await self.browser.open(path)
        self._stands = await everything(self.web)
        return [form for form in page.forms if " ".join(form.button.split()) == button]

    async def _try(self, path: str, button: str, action: str, fields: list[tuple[str, str]]) -> None:
        data: dict[str, str | list[str]] = {}
        for name, value in fields:
            data[name] = [*data.get(name, []), value]
        if "_csrf" in (hidden := self.browser.hidden(button)):
            data["_csrf"] = hidden["_csrf"]
            page = await self.browser.post(action, data)
        else:
            page = await self.browser.open(f"{action}?{urlencode(data, doseq=True)}")
        told = f"{action} {fields!r}: {page.status} {page.text}"
        assert page.status in ACCEPTABLE, told
        assert "<script" not in page.html, told
        after = await everything(self.web)
        assert page.status < 400 or after == self._stands, told
        self._stands, self.tried = after, self.tried + 1
        if page.status < 400 or not _offered(page, button):
            await self._forms(path, button)


COMMON = {"/login", "/forgotten", "/password", "/register"}


@pytest.mark.parametrize("role", Role)
async def test_no_form_is_a_way_to_break_anything(
    web: Served, role: Role, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    await a_pool(web.house, Role.SUBSCRIBER.value)
    known = Subscriber(f"u-{Role.SUBSCRIBER}", "Sam", "+31612345678", "Kade 1", 1)
    await web.house.write(SubscriberBooks(web.house.portal.database.sql).put, known)
    vandal = Vandal(web, role)
    await as_staff(web, vandal.browser, role)
    for (action, button), path in (await forms_of(vandal.browser, "get", "post")).items():
        if role is Role.OPERATOR or action not in COMMON:
            await vandal.visit(path, button, action)
    assert role is not Role.OPERATOR or vandal.tried > 100
    assert not [record.getMessage() for record in caplog.records if record.name.startswith(app.__name__)]


async def test_the_proof_of_a_form_is_asked_for_everywhere(web: Served) -> None:
    browser = web.browser()
    await as_staff(web, browser, Role.OPERATOR)
    forms = await forms_of(browser, "post")
    assert len(forms) >= 8
    for action, _ in forms:
        assert (await browser.post(action, {"name": "x"})).status == 403, action
