from hardware_sim.stories.activation import STORY


def test_it_proves_app_activation() -> None:
    assert STORY.proves == {41, 42, 43, 44, 45, 46, 47, 48, 49, 69}
