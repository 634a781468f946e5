"""Who is billed follows from moments alone; who may agree to what, from sides and stages."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_controller.delegation import (
    Delegated,
    Delegation,
    Device,
    DeviceKind,
    DeviceState,
    Partnership,
    Stage,
    billed_to,
    copy_of,
    delegate,
    device_problem,
    in_charge,
    sees,
)
from gate_controller.errors import BadInput, CodeError

T0 = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)
GATE = Device("entry", DeviceKind.GATE, owner="acme", token="ab" * 32)
ASKED = Partnership("pp", "taqto", "acme", T0)


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def agreed(accepted: float = 10, partner_accepts: float = 20) -> tuple[Partnership, Delegation]:
    partnership = ASKED.accepted("acme", at(accepted))
    asked = delegate("d1", GATE, partnership, "acme", at(accepted), [])
    return partnership, asked.accepted("taqto", at(partner_accepts))


def bill(when: float, partnership: Partnership, *delegations: Delegation) -> str:
    return billed_to(replace(GATE, delegations=in_charge(GATE.id, delegations, [partnership])), at(when))


def test_the_owner_pays_until_both_have_accepted() -> None:
    partnership, delegation = agreed()
    assert bill(15, partnership, replace(delegation, stage=Stage.REQUESTED, accepted_at=None)) == "acme"
    assert bill(15, ASKED, delegation) == "acme"
    assert [bill(when, partnership, delegation) for when in (15, 20, 25)] == ["acme", "taqto", "taqto"]
    assert billed_to(None, T0) == "", "nobody in particular owns a device that is not listed"


def test_an_end_cuts_by_the_moment_and_not_by_when_it_was_heard_of() -> None:
    partnership, delegation = agreed()
    ended = delegation.ended("taqto", at(40))
    assert [bill(when, partnership, ended) for when in (39, 40)] == ["taqto", "acme"]
    over = partnership.ended("acme", at(30))
    assert [bill(when, over, ended) for when in (29, 30)] == ["taqto", "acme"]
    again = delegate("d2", GATE, partnership, "acme", at(41), [ended]).accepted("taqto", at(50))
    assert [bill(when, partnership, ended, again) for when in (45, 50)] == ["acme", "taqto"]
    assert in_charge("exit", [ended, again], [partnership]) == ()


def test_one_that_ended_before_it_began_is_none() -> None:
    partnership, delegation = agreed(partner_accepts=20)
    assert in_charge(GATE.id, [delegation], [partnership.ended("acme", at(15))]) == ()


@given(st.lists(st.integers(0, 90), min_size=1, max_size=5))
def test_events_are_billed_the_same_in_whatever_order_they_arrive(minutes: list[int]) -> None:
    partnership, delegation = agreed()
    ended = delegation.ended("acme", at(60))
    device = replace(GATE, delegations=in_charge(GATE.id, [ended], [partnership]))
    for order in permutations(minutes):
        for minute in order:
            assert billed_to(device, at(minute)) == ("taqto" if 20 <= minute < 60 else "acme")


def test_the_owner_never_loses_sight_and_the_partner_sees_while_in_charge() -> None:
    partnership, delegation = agreed()
    device = replace(GATE, delegations=in_charge(GATE.id, [delegation.ended("acme", at(40))], [partnership]))
    for minute, partner in ((15, False), (30, True), (40, False)):
        assert sees("acme", device, at(minute))
        assert sees("taqto", device, at(minute)) is partner
    assert not sees("stranger", device, at(30))


def test_each_side_does_its_own_part_and_only_in_its_time() -> None:
    partnership, delegation = agreed()
    asked = delegate("d9", replace(GATE, id="exit"), partnership, "acme", at(11), [delegation])
    for wrong in (
        lambda: ASKED.accepted("taqto", T0),
        lambda: ASKED.refused("taqto"),
        lambda: ASKED.ended("stranger", T0),
        lambda: ASKED.refused("acme").accepted("acme", T0),
        lambda: partnership.ended("acme", T0).ended("acme", T0),
        lambda: asked.accepted("acme", T0),
        lambda: asked.refused("taqto").ended("taqto", T0),
        lambda: delegate("d2", GATE, ASKED, "acme", T0, []),
        lambda: delegate("d2", GATE, partnership, "taqto", T0, []),
        lambda: delegate("d2", replace(GATE, owner="other"), partnership, "acme", T0, []),
        lambda: delegate("d2", GATE, partnership, "acme", T0, [delegation]),
    ):
        with pytest.raises(BadInput):
            wrong()
    assert asked.refused("taqto").stage is Stage.REFUSED
    assert asked.ended("acme", at(12)).stage is Stage.ENDED, "the owner takes back what nobody has accepted yet"


SPANS = st.lists(
    st.tuples(st.integers(0, 50), st.none() | st.integers(0, 50)).map(
        lambda pair: Delegated(f"p{pair[0]}", at(pair[0]), None if pair[1] is None else at(pair[1]))
    ),
    max_size=3,
)


@given(SPANS)
def test_a_device_that_is_accepted_has_one_partner_at_most_at_any_moment(spans: list[Delegated]) -> None:
    device = replace(GATE, delegations=tuple(spans))
    accepted = device_problem(None, device) is None
    crowded = any(sum(one.at(at(minute)) for one in spans) > 1 for minute in range(-1, 60))
    assert accepted is not crowded


DEVICES = st.builds(
    Device,
    st.just("entry"),
    st.sampled_from(DeviceKind),
    st.sampled_from(DeviceState),
    st.just("acme"),
    st.none(),
    SPANS.map(tuple),
    st.none() | st.just("ab" * 32),
    st.none() | st.just("other"),
)


@given(DEVICES)
def test_a_copy_has_neither_secret_nor_state(device: Device) -> None:
    copied = copy_of(device, "side")
    assert (copied.state, copied.token, copied.delegations) == (DeviceState.INACTIVE, None, ())
    assert (copied.id, copied.copied_from, copied.owner) == ("side", "entry", "acme")
    with pytest.raises(BadInput):
        copy_of(device, device.id)


def test_what_is_written_once_stays() -> None:
    assert device_problem(GATE, replace(GATE, state=DeviceState.INACTIVE, owner="new")) is None
    assert device_problem(replace(GATE, token=None), GATE) is None, "a token is made later than its device"
    for old, new in (
        (GATE, replace(GATE, token="cd" * 32)),
        (GATE, replace(GATE, token=None)),
        (GATE, replace(GATE, kind=DeviceKind.DESK)),
        (GATE, replace(GATE, copied_from="exit")),
        (replace(GATE, state=DeviceState.RETIRED), GATE),
    ):
        found = device_problem(old, new)
        assert found is not None
        assert found[0] == "immutable_id"
    naive = replace(GATE, delegations=(Delegated("p", datetime(2026, 3, 1)),))
    assert device_problem(None, naive) is not None
    with pytest.raises(CodeError):
        replace(GATE, token="K7M2")
