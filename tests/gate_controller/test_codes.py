"""Viewing codes have one live generation and open nothing; one-time codes work once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_controller.codes import (
    ALIKE,
    FORMER_LEN_MAX,
    SECRETS,
    SHORT_LEN,
    TRIES_MAX,
    Tried,
    View,
    ViewCode,
    ViewScope,
    activation_link,
    code_problem,
    one_time,
    open_view,
    regenerated,
    secret,
    secret_digest,
)
from gate_controller.credentials import CODE_ALPHABET, CodeRead
from gate_controller.delegation import Device, DeviceKind
from gate_controller.errors import CodeError
from gate_controller.reasons import DRIVER, Reason

T0 = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)
ALL, NORTH, OLD, LABEL = (secret(number) for number in (7**18, 5**22, 3**30, 11**15))
CUSTOMER = ViewCode("v1", ViewScope.CUSTOMER, "acme", secret_digest(ALL))
SITE = ViewCode("v2", ViewScope.SITE, "acme", secret_digest(NORTH), site="north")
BOILER = Device("boiler", DeviceKind.GATE, owner="acme", site="north", token=secret_digest(LABEL))
OTHERS = Device("other", DeviceKind.GATE, owner="rival", site="north", token=secret_digest(OLD))


def opened(text: str, *listed: ViewCode, token: str = "", here: str = "north") -> View | Reason:
    found = [c for c in listed if secret_digest(text) in (c.digest, *c.former)]
    return open_view(text, token, found, [BOILER, OTHERS], here, only_here=True)


@given(st.integers(0, SECRETS - 1))
def test_a_secret_can_be_read_out_and_typed_as_one_likes(number: int) -> None:
    text = secret(number)
    assert set(text) <= {*CODE_ALPHABET, "-"}
    assert secret_digest(text.lower().replace("-", " ")) == secret_digest(text)
    assert len({secret(number), secret((number + 1) % SECRETS)}) == 2
    assert len(secret(number, SHORT_LEN).replace("-", "")) == SHORT_LEN


def test_the_entered_code_decides_the_view_and_levels_live_side_by_side() -> None:
    wide, narrow = opened(ALL, CUSTOMER, SITE), opened(NORTH, CUSTOMER, SITE)
    assert wide == View("v1", 1, "acme")
    assert narrow == View("v2", 1, "acme", "north")
    assert isinstance(wide, View)
    assert isinstance(narrow, View)
    south = replace(BOILER, site="south")
    assert wide.shows(BOILER, "north")
    assert wide.shows(south, "north")
    assert not narrow.shows(south, "north")
    assert narrow.shows(replace(BOILER, site=None), "north"), "a device without a site is of this one"
    assert not wide.shows(OTHERS, "north")


def test_a_site_s_code_with_a_token_shows_that_one_device() -> None:
    both = replace(SITE, token_required=True)
    view = opened(NORTH, both, token=LABEL)
    assert view == View("v2", 1, "acme", "north", "boiler")
    assert isinstance(view, View)
    assert not view.shows(replace(BOILER, id="second"), "north")
    assert opened(NORTH, both) is Reason.TOKEN_REQUIRED
    assert opened(NORTH, both, token=" - ") is Reason.TOKEN_REQUIRED
    assert opened(NORTH, both, token=ALL) is Reason.TOKEN_MISMATCH
    assert opened(NORTH, both, token=OLD) is Reason.TOKEN_MISMATCH, "the token of another customer's device"
    assert opened(ALL, CUSTOMER, token="whatever") == View("v1", 1, "acme"), "a customer's code needs no token"


def test_a_new_generation_ends_the_one_before_at_once() -> None:
    view = opened(NORTH, SITE)
    assert isinstance(view, View)
    newer = regenerated(SITE, secret_digest(OLD))
    assert code_problem(SITE, newer) is None
    assert opened(NORTH, newer) is Reason.CODE_SUPERSEDED
    assert opened(OLD, newer) == View("v2", 2, "acme", "north")
    assert view.stands(SITE)
    assert not view.stands(newer), "pages that are open end too"
    off = replace(SITE, enabled=False)
    assert opened(NORTH, off) is Reason.CODE_REVOKED
    assert not view.stands(off)
    assert not view.stands(None)
    assert opened(ALL, CUSTOMER, off) == View("v1", 1, "acme"), "another's code is untouched"


def test_an_unknown_code_and_one_of_another_site_are_told_apart_only_in_the_journal() -> None:
    assert opened(secret(1), CUSTOMER, SITE) is Reason.CODE_WRONG
    assert opened(NORTH, SITE, here="south") is Reason.OUT_OF_SCOPE
    portal = open_view(NORTH, "", [SITE], [BOILER], "south", only_here=False)
    assert portal == View("v2", 1, "acme", "north")
    assert len({DRIVER[reason] for reason in ALIKE}) == 1


def test_one_generation_is_alive() -> None:
    assert code_problem(None, SITE) is None
    assert code_problem(SITE, replace(SITE, enabled=False)) is None
    for old, new in (
        (regenerated(SITE, secret_digest(OLD)), SITE),
        (SITE, replace(SITE, digest=secret_digest(OLD))),
        (SITE, replace(SITE, generation=2)),
        (replace(SITE, enabled=False), SITE),
    ):
        found = code_problem(old, new)
        assert found is not None
        assert found[0] == "old_generation"
    moved = code_problem(SITE, replace(SITE, site="south"))
    assert moved is not None
    assert moved[0] == "immutable_id"


@pytest.mark.parametrize(
    "code",
    [
        replace(SITE, site=None),
        replace(CUSTOMER, site="north"),
        replace(CUSTOMER, token_required=True),
        replace(SITE, former=(SITE.digest,)),
        replace(SITE, former=(secret_digest(OLD),) * (FORMER_LEN_MAX + 1)),
    ],
)
def test_a_code_that_makes_no_sense_is_no_entry(code: ViewCode) -> None:
    found = code_problem(None, code)
    assert found is not None
    assert found[0] == "bad_view_code"


def test_a_list_takes_a_viewing_code_as_its_digest_only() -> None:
    with pytest.raises(CodeError) as error:
        replace(SITE, digest=NORTH)
    assert NORTH not in str(error.value)
    many = SITE
    for number in range(20):
        many = regenerated(many, secret_digest(secret(number)))
    assert len(many.former) == FORMER_LEN_MAX


def test_a_one_time_code_works_once_and_not_for_ever() -> None:
    code = one_time("phone", "u1", "K7M2-PX94", "salt", T0)
    assert "K7M2" not in code.digest
    used, first = code.tried("k7m2 px94", T0)
    assert (first, used.tried("K7M2-PX94", T0)[1]) == (Tried.RIGHT, Tried.USED)
    assert code.tried("K7M2-PX94", T0 + timedelta(hours=24))[1] is Tried.EXPIRED
    tried = code
    for _ in range(TRIES_MAX):
        tried, came = tried.tried("AAAA-AAAA", T0)
        assert came is Tried.WRONG
    assert tried.tried("K7M2-PX94", T0)[1] is Tried.TOO_MANY


def test_an_activation_s_qr_code_is_known_as_such_when_a_gate_reads_it() -> None:
    assert CodeRead.of(activation_link("https://portal.example/", secret(9))).activation
    for other in ("K7M2-PX94", "https://portal.example/activate", "activate/x/y"):
        assert not CodeRead.of(other).activation
