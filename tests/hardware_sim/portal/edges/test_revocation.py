"""What is revoked is off, and nothing else; what is given again is there once."""

import pytest

from gate_controller.credentials import Badge, CredentialState, PlateCredential
from gate_controller.errors import BadInput
from gate_controller.plates import Plate
from gate_controller.users import User
from hardware_sim.portal.edges.revocation import given_badge, given_plate, revoked

FIRST, SECOND = (PlateCredential(Plate.parse(text)) for text in ("98-THD-4", "AB-123-CD"))
BADGE = Badge.parse("000414CD7E")
ANNA = User("u1", "anna", plates=(FIRST, SECOND), badges=(BADGE,))


def states(user: User) -> list[bool]:
    return [one.state is CredentialState.ACTIVE for one in (*user.plates, *user.badges)]


def test_a_user_or_one_credential_is_switched_off() -> None:
    assert (revoked(ANNA, "").active, states(revoked(ANNA, ""))) == (False, [True, True, True])
    assert (revoked(ANNA, "98THD4").active, states(revoked(ANNA, "98THD4"))) == (True, [False, True, True])
    assert states(revoked(ANNA, "000414CD7E")) == [True, True, False]
    assert revoked(revoked(ANNA, "98THD4"), "98THD4") == revoked(ANNA, "98THD4")
    with pytest.raises(BadInput, match="anna has no such plate or badge"):
        revoked(ANNA, "XX1")


def test_what_is_given_again_is_there_once() -> None:
    assert states(given_plate(revoked(ANNA, "98THD4"), FIRST)) == [True, True, True]
    assert states(given_badge(revoked(ANNA, "000414CD7E"), BADGE)) == [True, True, True]
    assert len(given_plate(ANNA, FIRST).plates) == 3, "the list's own rules refuse what is there already"
