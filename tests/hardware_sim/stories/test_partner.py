from hardware_sim.stories.partner import STORY


def test_it_proves_what_partners_are_for() -> None:
    assert STORY.proves >= {29, 30, 31, 33, 64, 65, 66}
