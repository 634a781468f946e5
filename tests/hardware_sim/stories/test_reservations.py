from hardware_sim.stories.reservations import STORY


def test_it_proves_reservations_at_a_desk() -> None:
    assert STORY.proves >= {23, 25, 26, 62}
    assert STORY.desk
