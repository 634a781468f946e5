from hardware_sim.stories.credits import OWNERS, STORY


def test_cars_of_the_story_are_told_apart() -> None:
    assert len({car.plate for car in STORY.cars}) == len(STORY.cars) == 3
    assert {*OWNERS} <= {car.plate for car in STORY.cars}
