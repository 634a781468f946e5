from hardware_sim.stories.guests import STORY


def test_no_car_of_it_is_on_the_list_before_it_begins() -> None:
    assert len({car.plate for car in STORY.cars}) == len(STORY.cars) == 4
