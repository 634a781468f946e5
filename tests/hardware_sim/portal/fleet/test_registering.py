"""From an address to a user who waits for the desk: whole or not at all, whoever comes between."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gate_controller.allowlist import Action
from gate_controller.credentials import PlateCredential
from gate_controller.desk import Licence, LicenceStatus, Registration
from gate_controller.errors import BadInput
from gate_controller.plates import Plate
from hardware_sim.portal.company import company
from hardware_sim.portal.fleet import registering
from hardware_sim.portal.fleet.registering import Application, books_of
from hardware_sim.portal.fleet.subscriber_books import Picture
from hardware_sim.portal.house import House
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.records.inputs import Overtaken, WrongField
from hardware_sim.portal.records.organisations import SiteRecord
from tests.hardware_sim.portal.house_rig import Clock, a_house

SAM = "sam@example.com"
JPEG = b"\xff\xd8\xff and the rest"
FORM = Application("Sam", "+32 470 12 34 56", "Rue Haute 5", "north", "four quiet grey geese", 1)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def house(tmp_path: Path, clock: Clock) -> AsyncIterator[House]:
    async with a_house(tmp_path, clock) as opened:
        yield opened


async def opened(house: House) -> None:
    """Somebody manages the site, and there are terms."""
    (site,) = await house.run(house.organisations.sites)
    await house.write(house.organisations.put_site, replace(site, address="Quai 7", manager="Mireille"))
    await registering.publish_terms(house, "olga", "Bring it back clean.")


async def token_for(house: House, address: str = SAM) -> str:
    await registering.register(house, address)
    (letter, *_) = await house.run(house.mailbox.letters, address)
    (token,) = re.findall(r"/register/(\S+)", letter.body)
    return str(token)


async def test_nobody_registers_where_nobody_could_be_named(house: House) -> None:
    with pytest.raises(BadInput, match="Nobody"):
        await registering.register(house, SAM)
    await opened(house)
    await house.write(house.organisations.put_site, SiteRecord("south", "South", None, "UTC", "", manager="Max"))
    assert [one.id for one in await house.run(registering.open_sites, house)] == ["north"]


async def test_a_form_makes_user_account_and_mail(house: House) -> None:
    await opened(house)
    user = await registering.pre_register(house, await token_for(house), replace(FORM, picture=JPEG))
    assert (user.registration, user.home_site) == (Registration.PRE_REGISTERED, "north")
    assert (user.terms_accepted_at, user.licence) == (house.now(), Licence(LicenceStatus.PENDING))
    for action in (Action.PARK, Action.DRIVE, Action.CARPOOL):
        assert not house.portal.allowlist.permits_of(user, action), "permits come with the badge"
    account = await house.run(house.accounts.called, SAM)
    assert account is not None
    assert (account.user_id, account.roles, account.phone) == (user.id, {Role.SUBSCRIBER}, "+32470123456")
    assert await house.log_in(SAM, FORM.password)
    (letter, *_) = await house.run(house.mailbox.letters, SAM)
    assert "Mireille" in letter.body
    assert "Quai 7" in letter.body
    sealed = await house.run(books_of(house).picture, user.id)
    assert sealed is not None
    assert JPEG not in sealed.data
    assert await registering.picture_of(house, user.id) == Picture("image/jpeg", JPEG)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"name": ""}, WrongField),
        ({"phone": "12"}, WrongField),
        ({"address": "x" * 201}, WrongField),
        ({"home_site": "south"}, WrongField),
        ({"password": "short"}, WrongField),
        ({"password": SAM}, WrongField),
        ({"terms": 0}, Overtaken),
        ({"picture": b"MZ"}, WrongField),
    ],
)
async def test_what_is_wrong_changes_nothing(house: House, wrong: dict[str, str], error: type[Exception]) -> None:
    await opened(house)
    token = await token_for(house)
    before = house.portal.allowlist.revision, await house.run(house.mailbox.letters)
    with pytest.raises(error):
        await registering.pre_register(house, token, replace(FORM, **wrong))  # type: ignore[arg-type]
    assert (house.portal.allowlist.revision, await house.run(house.mailbox.letters)) == before
    assert await house.run(house.accounts.called, SAM) is None
    assert await registering.confirmed(house, token) == SAM, "the link waits for the next try"


async def test_a_telephone_is_one_person_s(house: House) -> None:
    await opened(house)
    await registering.pre_register(house, await token_for(house), FORM)
    with pytest.raises(WrongField, match="phone"):
        await registering.pre_register(house, await token_for(house, "tess@example.com"), FORM)


async def test_a_link_makes_one_user_whoever_comes_between(house: House) -> None:
    await opened(house)
    token = await token_for(house)
    await registering.pre_register(house, token, FORM)
    with pytest.raises(BadInput, match="This link"):
        await registering.pre_register(house, token, FORM)
    late = await token_for(house, "tess@example.com")
    await house.add_account("olga", "tess@example.com", "acme", [Role.DRIVER])
    assert await registering.confirmed(house, late) is None


async def test_who_has_an_account_is_told_by_mail_alone(house: House) -> None:
    await opened(house)
    await house.add_account("olga", SAM, "acme", [Role.CLERK])
    await registering.register(house, SAM)
    (letter, *_) = await house.run(house.mailbox.letters, SAM)
    assert "has an account already" in letter.body
    assert "/register/" not in letter.body


async def test_a_user_of_the_list_stays_the_same_user(house: House) -> None:
    await opened(house)
    anna = await company.add(house, "frida", company.Entry("A-17", email=SAM, plates=("98-THD-4",)))
    user = await registering.pre_register(house, await token_for(house), FORM)
    assert (user.id, user.external_id, user.plates) == (
        anna.id,
        "A-17",
        (PlateCredential(Plate.parse("98-THD-4")),),
    )
    assert house.portal.allowlist.permits_of(user), "the permit to park stays"


async def test_new_terms_are_accepted_anew_by_who_waits(house: House) -> None:
    await opened(house)
    token = await token_for(house)
    user = await registering.pre_register(house, token, FORM)
    newer = await registering.publish_terms(house, "olga", "And full.")
    assert company.by_id(house, user.id).terms_accepted_at is None
    assert "/registration" in (await house.run(house.mailbox.letters, SAM))[0].body
    with pytest.raises(Overtaken):
        await registering.accept_terms(house, user.id, newer.number - 1)
    assert company.by_id(house, user.id).terms_accepted_at is None
    await registering.accept_terms(house, user.id, newer.number)
    assert company.by_id(house, user.id).terms_accepted_at == house.now()
    with pytest.raises(BadInput, match="deleted"):
        await registering.accept_terms(house, "u-nobody", newer.number)


async def test_of_two_who_send_the_form_at_once_one_is_taken(house: House) -> None:
    await opened(house)
    token = await token_for(house)
    both = [registering.pre_register(house, token, replace(FORM, name=name)) for name in ("Sam", "Sham")]
    done = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["BadInput", "User"]
    assert len([*house.portal.allowlist.users()]) == 1


async def test_who_is_deleted_leaves_no_account_and_may_come_again(house: House, clock: Clock) -> None:
    await opened(house)
    user = await registering.pre_register(house, await token_for(house), replace(FORM, picture=JPEG))
    entered = await house.log_in(SAM, FORM.password)
    assert entered is not None
    await company.remove(house, "frida", user.id)
    assert await house.who(entered.token) is None
    assert await house.run(house.accounts.called, SAM) is None
    assert await house.run(books_of(house).picture, user.id) is None
    clock.pass_(minutes=2)
    again = await registering.pre_register(house, await token_for(house), FORM)
    assert again.id != user.id
