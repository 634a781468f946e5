"""The page behind a shown code: for who is logged in, a look opens nothing, and every answer is in words."""

from datetime import timedelta

import pytest

from gate_controller.errors import PortalError
from hardware_sim.portal.codes.shown_codes import SAID, Reason
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.web.shown_codes import CUT_OFF
from hardware_sim.stories.browser import Browser
from sync.messages import CmdResult
from sync.shown import issue
from sync.signing import Signer
from tests.hardware_sim.portal.web.web_rig import PASSWORD, Served

KEY = Signer.of(bytes(32))


def code(web: Served, age_s: float = 0.0) -> str:
    return issue(KEY, "acme/north/gatehouse", "entry", web.clock.at - timedelta(seconds=age_s))


async def dora(web: Served) -> Browser:
    await web.house.portal.register("gatehouse", KEY.public)
    user = await web.house.portal.add_user("dora", ["98-THD-4"])
    account, _ = await web.house.add_account("test", "dora", "acme", [Role.DRIVER], user_id=user.id)
    await web.house.set_password(account, PASSWORD)
    browser = web.browser()
    await browser.open("/login")
    await browser.submit("Log in", {"Name or e-mail address": "dora", "Password or one-time code": PASSWORD})
    return browser


def answering(web: Served, monkeypatch: pytest.MonkeyPatch, status: str, detail: str = "") -> list[str]:
    """What edges are ordered; they answer so."""
    ordered: list[str] = []

    async def command(edge: str, ask: object) -> CmdResult:
        ordered.append(edge)
        return CmdResult(aud="acme/north", cmd_id="c", status=status, detail=detail)  # type: ignore[arg-type]

    monkeypatch.setattr(web.house.portal, "command", command)
    return ordered


async def test_a_look_asks_and_a_press_opens_once(web: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    phone, ordered = await dora(web), answering(web, monkeypatch, "done")
    shown = code(web)
    page = await phone.open(f"/open/{shown}")
    assert "Open entry?" in page
    assert not ordered
    fields = phone.hidden("Open")
    assert "The gate opens" in await phone.submit("Open")
    page = await phone.post(f"/open/{shown}", fields)
    assert (page.status, SAID[Reason.PASS_REPLAYED] in page) == (422, True)
    assert ordered == ["gatehouse"]
    assert SAID[Reason.PASS_REPLAYED] in await phone.open(f"/open/{shown}")


async def test_nobody_opens_without_a_login_a_form_of_ours_or_a_permit(
    web: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone, ordered = await dora(web), answering(web, monkeypatch, "done")
    shown = code(web)
    assert (await web.browser().open(f"/open/{shown}")).path == "/login"
    assert (await web.browser().post(f"/open/{shown}", {})).path == "/login"
    await phone.open(f"/open/{shown}")
    assert (await phone.post(f"/open/{shown}", {})).status == 403
    assert (await phone.post(f"/open/{shown}", {**phone_fields(phone), "lane": "exit"})).status in (403, 422)
    olga = await web.staff("olga", Role.OPERATOR)
    page = await olga.open(f"/open/{shown}")
    assert (page.status, "no permit" in page) == (422, True)
    for worthless in ("x", "x" * 500, "%00", "<script>", code(web, 120)):
        page = await phone.open(f"/open/{worthless}")
        assert page.status in (404, 422)
        assert "<script>" not in page.html
    assert not ordered


def phone_fields(phone: Browser) -> dict[str, str]:
    return {"_csrf": phone.page.forms[0].controls[0].value} if phone.page.forms else {}


async def test_who_logs_in_first_goes_on_to_the_gate(web: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    phone, ordered = await dora(web), answering(web, monkeypatch, "done")
    await phone.submit("Log out")
    shown = code(web)
    assert (await phone.open(f"/open/{shown}")).path == "/login"
    page = await phone.submit("Log in", {"Name or e-mail address": "dora", "Password or one-time code": PASSWORD})
    assert page.path == f"/open/{shown}"
    assert not ordered
    assert "The gate opens" in await phone.submit("Open")


async def test_why_it_does_not_open_is_told(web: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    phone = await dora(web)
    answering(web, monkeypatch, "refused", "fire holds the boom open")
    await phone.open(f"/open/{code(web)}")
    page = await phone.submit("Open")
    assert (page.status, "fire holds the boom open" in page) == (409, True)
    monkeypatch.undo()

    async def away(*_: object) -> CmdResult:
        raise PortalError("edge gatehouse is not connected")

    monkeypatch.setattr(web.house.portal, "command", away)
    await phone.open(f"/open/{code(web, 1)}")
    page = await phone.submit("Open")
    assert (page.status, CUT_OFF in page) == (503, True)
