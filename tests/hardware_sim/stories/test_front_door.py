"""The story itself is played in tests/stories; here, what it claims."""

from hardware_sim.stories import front_door


def test_it_proves_first_login_and_forgotten_password() -> None:
    assert front_door.STORY.proves == {3, 28}
