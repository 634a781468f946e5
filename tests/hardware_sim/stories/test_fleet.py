from hardware_sim.stories.fleet import STORY


def test_it_plays_at_a_desk_without_a_car() -> None:
    assert STORY.desk
    assert not STORY.cars
    assert STORY.proves >= {17, 18, 19, 20, 21, 22, 24, 26, 27, 61, 63}
