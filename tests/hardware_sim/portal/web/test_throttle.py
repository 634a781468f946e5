"""Wrong tries by address, within a minute and within bounds."""

import pytest

from hardware_sim.portal.web import throttle
from hardware_sim.portal.web.throttle import Throttle


def test_an_address_waits_after_so_many_and_no_other_does() -> None:
    gate = Throttle(3, 60.0)
    for at_s in (0.0, 1.0, 2.0):
        assert not gate.closed("a", at_s)
        gate.wrong("a", at_s)
    assert gate.closed("a", 59.9)
    assert not gate.closed("b", 3.0)
    assert not gate.closed("a", 60.0)


def test_the_longest_ago_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "ADDRESSES_LEN_MAX", 2)
    gate = Throttle(1, 60.0)
    for address in "abc":
        gate.wrong(address, 0.0)
    assert [gate.closed(address, 1.0) for address in "abc"] == [False, True, True]
