from hardware_sim.stories.partner import STORY


def test_it_proves_what_partners_are_for() -> None:
    assert STORY.proves == {29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 64, 65, 66}
