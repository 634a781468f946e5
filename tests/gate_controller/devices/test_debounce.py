from gate_controller.devices.debounce import Debounce


def test_a_change_is_believed_after_two_samples_50_ms_apart():
    contact = Debounce(False)
    assert not contact.see(True, 1.00)
    assert contact.unsettled
    assert not contact.see(True, 1.04)
    assert not contact.on
    assert contact.see(True, 1.05)
    assert contact.on
    assert not contact.unsettled


def test_a_bounce_starts_the_wait_again():
    contact = Debounce(True)
    assert not contact.see(False, 1.00)
    assert not contact.see(True, 1.03)
    assert not contact.see(False, 1.06)
    assert not contact.see(False, 1.10)
    assert contact.on
    assert contact.see(False, 1.12)
