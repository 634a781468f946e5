from hardware_sim.stories.company import STORY


def test_it_proves_company_parking_but_what_other_stories_do() -> None:
    assert STORY.proves >= {1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 15, 16, 58, 59, 60}
