"""A partner's pages: there while it is one, with what its customers have accepted, and nothing else."""

import itertools
from pathlib import Path

from gate_controller.delegation import Stage
from hardware_sim.portal.partners.partners import Word
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.web.agreements import is_partner
from hardware_sim.portal.web.customers import PART
from tests.hardware_sim.portal.partner_rig import in_charge_of, linked
from tests.hardware_sim.portal.web.partner_pages import a_cast, entered


async def test_a_partner_sees_customers_once_they_have_accepted_and_answers_each_request(tmp_path: Path) -> None:
    async with a_cast(tmp_path) as cast:
        asked = await cast.partners.ask_for("sven", "clean", "cafe")
        assert "Café" not in await cast.paul.open("/customers")
        assert (await cast.paul.open(f"/customers/{asked.id}")).status == 404
        await cast.partners.answer("cora", "cafe", asked.id, Word.ACCEPT, "requested")
        await cast.partners.delegate("cora", "cafe", asked.id, ["entry", "exit"])
        page = await cast.paul.open("/customers")
        assert page.line_with("Café Ünal").endswith(" 0 2")
        await cast.paul.follow("Café Ünal")
        await cast.paul.follow("entry")
        assert "It is accepted" in await cast.paul.submit("Accept")
        await cast.paul.open(f"/customers/{asked.id}")
        await cast.paul.follow("exit")
        assert "It is refused" in await cast.paul.submit("Refuse")
        assert (await cast.paul.open("/customers")).line_with("Café Ünal").endswith(" 1 0")
        await cast.paul.follow("Café Ünal")
        await cast.paul.submit("End it now")
        assert "Café" not in await cast.paul.open("/customers")


PATHS = ("/customers", "/customers/{link}", "/delegations/{delegation}")


async def test_without_status_the_pages_are_not_there_in_any_form(tmp_path: Path) -> None:
    async with a_cast(tmp_path) as cast:
        link = await linked(cast.partners)
        delegation = await in_charge_of(cast.partners, link)
        paths = [one.format(link=link.id, delegation=delegation.id) for one in PATHS]
        paths += ["/customers.json", "/customers.csv", "/api/customers"]
        house = cast.web.house
        clean = await house.run(house.organisations.get, "clean")
        for path in paths[:3]:
            assert (await cast.paul.client.get(path)).status_code == 200
        await cast.sven.open("/")
        await cast.web.staff("olga", Role.OPERATOR)
        olga = cast.web.browsers[-1]
        await olga.open("/organisations/clean")
        await olga.submit("Save", {"Partner: may take charge of customers' devices": False})
        for path, accept in itertools.product(paths, ("text/html", "application/json", "*/*")):
            answer = await cast.paul.client.get(path, headers={"Accept": accept})
            assert answer.status_code == 404, f"{path} as {accept}"
            assert "Café" not in answer.text
        assert "Customers" not in await cast.paul.open("/")
        now = await house.run(house.organisations.get, "clean")
        assert (clean.partner, now.partner) == (True, False)
        assert [one.stage for one in await cast.partners.partnerships("cafe")] == [Stage.ENDED]
        assert [one.stage for one in await cast.partners.delegations("cafe")] == [Stage.ENDED]


def test_a_partners_first_page_is_in_the_menu_for_partners_alone() -> None:
    (entry,) = PART.entries
    assert (entry.path, entry.seen_by) == ("/customers", is_partner)


async def test_a_partners_pages_are_for_its_own_people_alone(tmp_path: Path) -> None:
    async with a_cast(tmp_path) as cast:
        link = await linked(cast.partners)
        (asked,) = await cast.partners.delegate("cora", "cafe", link.id, ["entry"])
        house = cast.web.house
        await house.add_account("test", "fresa", "fresh", [Role.PARTNER])
        await house.add_account("test", "bea", "clean", [Role.FLEET_MANAGER, Role.ADMINISTRATOR])
        other, colleague = await entered(cast.web, "fresa"), await entered(cast.web, "bea")
        for browser in (other, colleague, cast.sven, cast.fritz):
            for path in (f"/customers/{link.id}", f"/delegations/{asked.id}"):
                assert (await browser.open(path)).status == 404
        assert (await cast.cora.open(f"/customers/{link.id}")).status == 404
        page = await cast.cora.open(f"/delegations/{asked.id}")
        assert [one.button.strip() for one in page.forms] == ["Log out", "End it now"], (
            "she does not answer herself"
        )


WRONG_ANSWERS = (
    ({"_version": "accepted"}, 409),
    ({"_version": ""}, 409),
    ({"_version": "x" * 5000}, 409),
    ({"more": "yes"}, 422),
)


async def test_an_answer_to_something_else_changes_nothing(tmp_path: Path) -> None:
    async with a_cast(tmp_path) as cast:
        (asked,) = await cast.partners.delegate("cora", "cafe", (await linked(cast.partners)).id, ["entry"])
        await cast.paul.open(f"/delegations/{asked.id}")
        hidden = cast.paul.hidden("Accept")
        for fields, status in WRONG_ANSWERS:
            page = await cast.paul.post(f"/delegations/{asked.id}/accept", {**hidden, **fields})
            assert page.status == status
        assert await cast.partners.delegation("clean", asked.id) == asked


async def test_an_answer_that_there_is_not_is_not_there(tmp_path: Path) -> None:
    async with a_cast(tmp_path) as cast:
        link = await linked(cast.partners)
        (asked,) = await cast.partners.delegate("cora", "cafe", link.id, ["entry"])
        await cast.paul.open(f"/delegations/{asked.id}")
        hidden = cast.paul.hidden("Accept")
        for path in (f"/delegations/{asked.id}/take", f"/customers/{link.id}/take", "/delegations/nothing/accept"):
            assert (await cast.paul.post(path, hidden)).status == 404
        page = await cast.cora.open(f"/delegations/{asked.id}")
        page = await cast.cora.post(f"/delegations/{asked.id}/accept", cast.cora.hidden("End it now"))
        assert page.status == 422
        assert "accepts or refuses it" in page


async def test_the_second_of_two_is_told(tmp_path: Path) -> None:
    async with a_cast(tmp_path) as cast:
        link = await linked(cast.partners)
        (asked,) = await cast.partners.delegate("cora", "cafe", link.id, ["entry"])
        await cast.paul.open(f"/delegations/{asked.id}")
        await cast.cora.open(f"/delegations/{asked.id}")
        await cast.cora.submit("End it now")
        page = await cast.paul.submit("Accept")
        assert page.status == 409
        assert "ended meanwhile" in page
