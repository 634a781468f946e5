import pytest

from gate_controller.devices.codec import Pulse, PulseId


@pytest.mark.parametrize("width_s", [0.0, 0.05, 10.1, float("inf"), float("nan")])
def test_a_pulse_that_could_hold_a_boom_open_cannot_be_made(width_s):
    with pytest.raises(ValueError, match="outside"):
        Pulse(0, PulseId("a"), width_s, expires_s=1.0)
