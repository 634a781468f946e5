"""Passes that the portal makes, as a gate reads them."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gate_controller.allowlist import User
from gate_controller.credentials import CredentialState, PassRead
from gate_controller.errors import BadInput, PlateError, PortalError
from hardware_sim.portal.codes.passes import PHONE_PASS_LIVES, Visits, call_off, invite, phone_pass, text_of
from hardware_sim.portal.house import House
from hardware_sim.portal.records.inputs import WrongField
from sync import passes
from tests.hardware_sim.portal.house_rig import BEGIN, Clock, a_house

HOUR = timedelta(hours=1)


def at_the_gate(house: House, text: str) -> PassRead:
    signer = house.portal.keys.passes
    assert signer is not None
    found = passes.read(text, {signer.kid: Ed25519PublicKey.from_public_bytes(signer.public)}, "acme/north")
    assert found is not None
    return found


async def test_a_phone_s_pass_is_good_once_and_for_a_moment_and_never_the_same(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        anna = User("u-1", "anna", app=CredentialState.ACTIVE)
        first, second = (at_the_gate(house, phone_pass(house.portal.keys, anna, BEGIN)) for _ in range(2))
        assert (first.user_id, first.once, first.guest) == ("u-1", True, "")
        assert first.valid_to - first.valid_from == PHONE_PASS_LIVES
        assert first.number != second.number
        for state in (None, CredentialState.PENDING, CredentialState.REVOKED):
            with pytest.raises(BadInput, match="app is not active"):
                phone_pass(house.portal.keys, replace(anna, app=state), BEGIN)


async def test_a_guest_is_on_the_list_for_the_visit_and_the_link_shows_the_same_pass(tmp_path: Path) -> None:
    clock = Clock()
    async with a_house(tmp_path, clock) as house:
        invited = await invite(house, "frida", "Gina Rossi", BEGIN, BEGIN + HOUR, "hb-tu 512", "gina@example.com")
        (guest,) = house.portal.allowlist.users()
        assert guest.app is CredentialState.ACTIVE
        assert "Gina" not in guest.external_id, "journals are kept longer than guests' names"
        assert [(one.text, one.valid_to) for one in guest.plates] == [("HBTU512", BEGIN + HOUR)]
        (permit,) = house.portal.allowlist.permits_of(guest)
        assert (permit.valid_from, permit.valid_to) == (BEGIN, BEGIN + HOUR)
        visits = Visits(house.portal.database.sql)
        assert await house.run(visits.by_link, invited.token, clock.at) == invited.visit
        assert await house.run(visits.by_link, invited.token + "x", clock.at) is None
        read = at_the_gate(house, text_of(house.portal.keys, invited.visit.read))
        assert (read.user_id, read.guest, read.once) == (guest.id, guest.external_id, False)
        (mail,) = await house.run(house.mailbox.letters, "gina@example.com")
        assert invited.token in mail.body
        assert invited.code in mail.body
        clock.pass_(hours=1)
        assert await house.run(visits.by_link, invited.token, clock.at) is None
        assert await house.run(visits.all, clock.at) == []


async def test_a_visit_that_is_called_off_is_over(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        invited = await invite(house, "frida", "Gina", BEGIN, BEGIN + HOUR)
        await call_off(house, "frida", invited.visit.user_id)
        assert not [*house.portal.allowlist.users()]
        assert await house.run(Visits(house.portal.database.sql).by_link, invited.token, BEGIN) is None
        with pytest.raises(BadInput, match="called off already"):
            await call_off(house, "frida", invited.visit.user_id)
        assert [deed.deed for deed in await house.run(house.audit.deeds)] == ["visit.called_off", "visit.invited"]
        anna = await house.portal.add_user("anna", ["98-THD-4"])
        with pytest.raises(BadInput, match="is no visit"):
            await call_off(house, "clara", anna.id)
        assert house.portal.allowlist.user(anna.id) == anna


@pytest.mark.parametrize(
    ("name", "begins", "ends", "plate", "error"),
    [
        (" ", 0, 1, "", WrongField),
        ("x" * 61, 0, 1, "", WrongField),
        ("Gina", 1, 1, "", WrongField),
        ("Gina", -3, -1, "", WrongField),
        ("Gina", 0, 24 * 32, "", WrongField),
        ("Gina", 0, 1, "§§§", PlateError),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_is_done(
    tmp_path: Path, name: str, begins: int, ends: int, plate: str, error: type[Exception]
) -> None:
    async with a_house(tmp_path) as house:
        with pytest.raises(error):
            await invite(house, "frida", name, BEGIN + begins * HOUR, BEGIN + ends * HOUR, plate, "g@example.com")
        assert not [*house.portal.allowlist.users()]
        assert await house.run(house.mailbox.letters) == []


async def test_a_portal_of_an_older_version_says_how_it_gets_its_key(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        house.portal.keys.passes = None
        with pytest.raises(PortalError, match="keys rotate"):
            await invite(house, "frida", "Gina", BEGIN, BEGIN + HOUR)
        assert not [*house.portal.allowlist.users()]
