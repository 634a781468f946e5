from hardware_sim.stories.viewing import STORY


def test_it_proves_what_viewing_codes_are_for_with_one_car_that_stays_outside() -> None:
    assert STORY.proves == {50, 51, 52, 53, 54, 55, 56, 57}
    assert len(STORY.cars) == 1
