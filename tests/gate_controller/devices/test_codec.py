import pytest

from gate_controller.devices.codec import SPENT_LEN_MAX, Pulse, PulseId, SpentPulses


def test_an_id_is_first_only_once():
    spent = SpentPulses()
    assert spent.first(PulseId("a"))
    assert not spent.first(PulseId("a"))
    assert spent.first(PulseId("b"))


def test_memory_of_spent_pulses_is_bounded_and_keeps_the_newest():
    spent = SpentPulses()
    for number in range(SPENT_LEN_MAX + 1):
        assert spent.first(PulseId(str(number)))
    assert not spent.first(PulseId("1"))
    assert not spent.first(PulseId(str(SPENT_LEN_MAX)))
    assert spent.first(PulseId("0"))


@pytest.mark.parametrize("width_s", [0.0, 0.05, 10.1, float("inf"), float("nan")])
def test_a_pulse_that_could_hold_a_boom_open_cannot_be_made(width_s):
    with pytest.raises(ValueError, match="outside"):
        Pulse(0, PulseId("a"), width_s, expires_s=1.0)
