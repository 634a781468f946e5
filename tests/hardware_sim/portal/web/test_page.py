"""What all pages share: everything typed is escaped, a notice is told once, times are the site's."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.records.organisations import Organisation
from hardware_sim.portal.web.page import at_site, qr
from tests.hardware_sim.portal.web.web_rig import Served

EVIL = "<script>alert(1)</script>\"'&"


async def test_what_people_typed_is_shown_and_never_run(web: Served) -> None:
    olga = await web.staff("olga", Role.OPERATOR)
    await web.house.write(web.house.organisations.put, Organisation("o1", EVIL))
    await web.house.write(web.house.mailbox.mail, web.house.now(), "a@example.com", EVIL, EVIL, EVIL)
    await web.house.write(web.house.audit.note, web.house.now(), EVIL, EVIL, EVIL)
    await web.house.portal.add_user(EVIL, ["98-THD-4"])
    for path in (
        "/organisations",
        "/organisations/o1",
        "/accounts/new",
        "/mailbox",
        "/mailbox/1",
        "/audit",
        "/users",
    ):
        page = await olga.open(path)
        assert page.status == 200
        assert "<script" not in page.html, path
        assert "&lt;script&gt;" in page.html, path


async def test_a_notice_is_told_once(web: Served) -> None:
    olga = await web.staff("olga", Role.OPERATOR)
    await olga.open("/organisations/new")
    page = await olga.submit("Save", {"Name": "Brandt", "Customer: owns devices": True})
    assert (page.path, "Brandt is saved." in page) == ("/organisations", True)
    assert "Brandt is saved." not in await olga.open("/organisations")


def test_times_are_told_at_the_site() -> None:
    tz = ZoneInfo("Europe/Amsterdam")
    assert at_site(datetime(2026, 7, 1, 10, tzinfo=UTC), tz) == "2026-07-01 12:00:00"
    assert at_site("2026-01-01T10:00:00+00:00", tz) == "2026-01-01 11:00:00"
    assert at_site(None, tz) == ""


def test_a_qr_code_is_a_picture() -> None:
    assert qr("hello").startswith("<svg")
