import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware_sim.world import (
    BOOM_TRAVEL_S,
    PAUSE_S,
    QUEUE_LEN_MAX,
    Boom,
    Doing,
    Vehicle,
    World,
)

STEP_S = 0.05
CAR = Vehicle(("B", "NO", "1234"))
OTHER = Vehicle(("AB", "123", "CD"), "F", patience_s=60.0)


def site(**more):
    return World({"entry": "in", "exit": "out"}, **more)


def run(world, for_s, react=lambda world: None):
    """Everything that happens in so many seconds; `react` sees the world after each step."""
    happened = []
    for _ in range(round(for_s / STEP_S)):
        happened += world.step(STEP_S)
        react(world)
    return happened


def told(happened):
    return [(event.lane, event.vehicle.plate, event.what) for event in happened]


def open_for_whom_waits(lane):
    def react(world):
        scene = world.scene(lane)
        if scene.boom is Boom.CLOSED and any(placed.doing is Doing.WAITING for placed in scene.vehicles):
            world.pulse(lane)

    return react


def test_a_vehicle_waits_before_a_closed_boom_on_the_approach_loop():
    world = site()
    world.arrive("entry", CAR)
    run(world, 10)
    (placed,) = world.scene("entry").vehicles
    contacts = world.contacts("entry")
    assert placed.doing is Doing.WAITING
    assert contacts.approach
    assert contacts.closed
    assert not contacts.safety
    assert world.contacts("exit") == site().contacts("exit")


def test_a_passage_crosses_the_loops_in_order_and_the_boom_closes_behind():
    world = site()
    world.arrive("entry", CAR)
    seen = []

    def react(world):
        open_for_whom_waits("entry")(world)
        contacts = world.contacts("entry")
        now = "".join(
            letter
            for letter, on in zip("ASX", (contacts.approach, contacts.safety, contacts.far), strict=True)
            if on
        )
        if not seen or seen[-1] != now:
            seen.append(now)

    happened = run(world, 20, react)
    assert told(happened) == [("entry", "BNO1234", "arrived"), ("entry", "BNO1234", "passed")]
    assert seen == ["", "A", "AS", "S", "SX", "X", ""]
    assert world.contacts("entry").closed
    assert world.parked == (CAR,)


def test_limits_are_both_off_while_the_boom_travels():
    world = site()
    world.pulse("entry")
    run(world, BOOM_TRAVEL_S / 2)
    contacts = world.contacts("entry")
    assert not contacts.closed
    assert not contacts.opened
    run(world, BOOM_TRAVEL_S)
    assert world.contacts("entry").opened


def test_a_boom_opened_for_nobody_closes_by_itself_and_another_pulse_prolongs():
    world = site()
    world.pulse("entry")
    run(world, BOOM_TRAVEL_S + PAUSE_S - 1)
    assert world.scene("entry").boom is Boom.OPEN
    world.pulse("entry")
    run(world, PAUSE_S - 1)
    assert world.scene("entry").boom is Boom.OPEN
    run(world, 2 + BOOM_TRAVEL_S)
    assert world.scene("entry").boom is Boom.CLOSED


def test_a_held_boom_stays_up_until_released():
    world = site()
    world.hold("entry", True)
    run(world, 3 * PAUSE_S)
    assert world.scene("entry").boom is Boom.OPEN
    assert world.scene("entry").held
    world.hold("entry", False)
    run(world, PAUSE_S + BOOM_TRAVEL_S + 1)
    assert world.scene("entry").boom is Boom.CLOSED


def test_a_closing_boom_reopens_on_a_pulse():
    world = site()
    world.pulse("entry")
    run(world, BOOM_TRAVEL_S + PAUSE_S + 0.5)
    assert world.scene("entry").boom is Boom.CLOSING
    world.pulse("entry")
    run(world, 0.1)
    assert world.scene("entry").boom is Boom.OPENING


def test_a_closing_boom_reopens_when_a_vehicle_comes_under_it():
    reopened = 0
    for wait_s in range(14, 24):
        world = site()
        world.pulse("entry")
        run(world, wait_s + 0.3)
        world.arrive("entry", CAR)
        before = Boom.OPEN
        for _ in range(round(12 / STEP_S)):
            world.step(STEP_S)
            scene = world.scene("entry")
            reopened += before is Boom.CLOSING and scene.boom is Boom.OPENING
            before = scene.boom
            if any(placed.rear_m < 0 < placed.front_m for placed in scene.vehicles):
                assert scene.boom is not Boom.CLOSING
    assert reopened


def test_the_badge_is_shown_once_after_its_time():
    world = site()
    world.arrive("entry", Vehicle(("B", "NO", "1"), badge="000414CD7E"))
    badges = [event for event in run(world, 12) if event.what == "badge"]
    assert len(badges) == 1


def test_what_is_scanned_or_typed_is_shown_in_its_order():
    world = site()
    world.arrive("entry", Vehicle(("B", "NO", "1"), shows=((1.0, "wrong"), (2.0, "right"))))
    assert [event.shown for event in run(world, 12) if event.what == "code"] == ["wrong", "right"]


def test_a_driver_without_patience_backs_out():
    world = site()
    world.arrive("entry", Vehicle(("B", "NO", "1"), patience_s=3))
    happened = run(world, 30)
    assert told(happened)[-1] == ("entry", "BNO1", "gave_up")
    assert world.scene("entry").vehicles == ()
    assert world.parked == ()


def test_one_behind_makes_room_for_one_who_gives_up_and_comes_again():
    world = site()
    world.arrive("entry", Vehicle(("B", "NO", "1"), patience_s=8))
    world.arrive("entry", CAR)
    run(world, 14)
    assert [placed.doing for placed in world.scene("entry").vehicles] == [Doing.REVERSING, Doing.MAKING_ROOM]
    happened = run(world, 40, open_for_whom_waits("entry"))
    assert world.parked == (CAR,)
    assert told(happened)[-1] == ("entry", "BNO1234", "passed")


def test_an_honest_driver_lets_the_boom_close_behind_the_one_ahead():
    world = site()
    world.arrive("entry", CAR)
    world.arrive("entry", OTHER)
    run(world, 9)
    world.pulse("entry")
    run(world, 20)
    assert world.parked == (CAR,)
    assert world.scene("entry").boom is Boom.CLOSED
    run(world, 20, open_for_whom_waits("entry"))
    assert world.parked == (CAR, OTHER)


def test_a_tailgater_follows_through():
    world = site()
    tailgater = Vehicle(("X", "1"), tailgates=True)
    world.arrive("entry", CAR)
    world.arrive("entry", tailgater)
    run(world, 9)
    world.pulse("entry")
    run(world, 20)
    assert world.parked == (CAR, tailgater)


def test_who_was_let_in_leaves_after_its_stay():
    world = site()
    world.arrive("entry", Vehicle(("B", "NO", "1"), stays_s=5))

    def react(world):
        open_for_whom_waits("entry")(world)
        open_for_whom_waits("exit")(world)

    happened = run(world, 60, react)
    assert [event.what for event in happened] == ["arrived", "passed", "arrived", "left"]
    assert world.parked == ()


def test_a_parked_vehicle_can_be_sent_out_once():
    world = site(parked=[CAR])
    world.leave(CAR, "exit")
    assert world.parked == ()
    with pytest.raises(ValueError, match="not parked"):
        world.leave(CAR, "exit")


def test_the_queue_is_bounded():
    world = site()
    for _ in range(QUEUE_LEN_MAX):
        world.arrive("entry", CAR)
    with pytest.raises(ValueError, match="queue"):
        world.arrive("entry", CAR)


@pytest.mark.parametrize("dt_s", [0.0, -1.0, 0.11])
def test_a_step_that_jumps_over_things_is_refused(dt_s):
    with pytest.raises(ValueError, match="step"):
        site().step(dt_s)


def test_the_same_seed_tells_the_same_story():
    def story(seed):
        world = site(seed=seed)
        for number in range(4):
            world.arrive("entry", Vehicle(("B", "NO", str(number)), badge="01", patience_s=4, stays_s=3))
        return [(event.at_s, event.what) for event in run(world, 90, open_for_whom_waits("exit"))]

    assert story(7) == story(7)
    assert story(7) != story(8)


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["arrive", "tailgater", "hasty", "pulse", "hold", "release", "wait"]), st.floats(0, 8)
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(ACTS)
def test_no_two_vehicles_overlap_and_no_boom_comes_down_on_one(acts):
    world = site()

    def react(world):
        scene = world.scene("entry")
        for ahead, behind in zip(scene.vehicles, scene.vehicles[1:], strict=False):
            assert behind.front_m <= ahead.rear_m + 1e-6
        if any(placed.rear_m < 0 < placed.front_m for placed in scene.vehicles):
            assert scene.raised > 0.4
            assert scene.boom is not Boom.CLOSING

    for act, for_s in acts:
        match act:
            case "arrive" | "tailgater" | "hasty":
                patience_s = 2.0 if act == "hasty" else 30.0
                if len(world.scene("entry").vehicles) < 3:
                    world.arrive("entry", Vehicle(("A", act), patience_s=patience_s, tailgates=act == "tailgater"))
            case "pulse":
                world.pulse("entry")
            case "hold" | "release":
                world.hold("entry", act == "hold")
        run(world, for_s, react)
