"""One answer per vehicle: what moves is decided once, what stands from the first frame is not."""

import math

import numpy as np
import pytest

from gate_controller.plates import Plate, PlateRead
from recognition.frame import Frame
from recognition.recognizer import LocatedRead, Rejected
from recognition.track import BALLOTS_LEN_MAX
from recognition.vote import STOOD_KEPT_S, STOOD_LEN_MAX, TRACKS_LEN_MAX, VoteEvent, Voter

FPS = 10.0
ACCEPT_AT = 0.9
BLACK = np.zeros((480, 640, 3), np.uint8)


def read_of(
    text: str, x: float = 320, y: float = 240, width: float = 120, sure: float = 0.99, sharp: float = 1.0,
    rejected: Rejected | None = None,
) -> LocatedRead:  # fmt: skip
    """A plate read at a place; CROP is filled with a value that names how sharp it was."""
    half, high = width / 2, width / 9
    corners = ((x - half, y - high), (x + half, y - high), (x + half, y + high), (x - half, y + high))
    options = tuple(((char, sure), ("X" if char != "X" else "Y", 1 - sure)) for char in text)
    read = PlateRead(Plate(text), sure ** len(text), options)
    crop = np.full((64, 300, 3), round(sharp * 100), np.uint8)
    return LocatedRead(read, corners, crop, 0.9, sharp, (("D", 0.9),), rejected)


class Film:
    """Plays reads frame by frame into a voter and keeps what it says."""

    def __init__(self) -> None:
        self.voter = Voter(ACCEPT_AT)
        self.index = 0
        self.events: list[tuple[int, VoteEvent]] = []

    def play(self, *reads: LocatedRead, frames: int = 1, standing: bool = False, was_free: bool = True) -> "Film":
        for _ in range(frames):
            frame = Frame(BLACK, self.index / FPS, self.index)
            events = self.voter.add(frame, list(reads), standing=standing, was_free=was_free)
            self.events += [(self.index, event) for event in events]
            self.index += 1
        return self

    def away(self, time_s: float) -> "Film":
        """No frames for so long, as while a camera reconnects."""
        self.index += round(time_s * FPS)
        return self

    def end(self) -> list[VoteEvent]:
        self.events += [(-1, event) for event in self.voter.flush()]
        return [event for _, event in self.events]

    def approach(self, text: str, frames: int = 12, x: float = 320, **how: float) -> "Film":
        for step in range(frames):
            self.play(read_of(text, x, 100 + 20 * step, 60 + 10 * step, **how))
        return self


def accepted(events: list[VoteEvent]) -> list[str]:
    return [event.read.plate.key for event in events if event.accepted]


def test_an_approach_is_one_event_decided_before_it_ends() -> None:
    film = Film().approach("BNO1234", frames=20)
    assert [event.read.plate.key for _, event in film.events] == ["BNO1234"]
    at, event = film.events[0]
    assert 2 <= at < 10
    assert event.read.votes >= 3
    assert event.first_s == 0.0
    assert event.at_s == pytest.approx(at / FPS)
    assert len(film.end()) == 1


def test_unsure_reads_are_waited_out_and_then_rejected_with_the_reason() -> None:
    film = Film().approach("BNO1234", sure=0.8)
    assert film.events == []
    events = film.end()
    assert [event.rejected for event in events] == [Rejected.BELOW]
    assert events[0].frames == 12


def test_a_blurred_far_first_read_does_not_win() -> None:
    film = Film()
    film.play(read_of("8N01284", 320, 100, 50, sure=0.97, sharp=0.2))
    film.play(read_of("8N01284", 320, 110, 55, sure=0.97, sharp=0.2))
    for step in range(8):
        film.play(read_of("BNO1234", 320, 130 + 20 * step, 80 + 10 * step, sure=0.99))
    events = film.end()
    assert accepted(events) == ["BNO1234"]
    assert events[0].best.read.plate.key == "BNO1234"


def test_unequal_lengths_are_aligned_before_the_vote() -> None:
    film = Film()
    for step, text in enumerate(["BNO1234", "BNNO1234", "BNO1234", "NO1234", "BNO1234", "BNO1234"]):
        film.play(read_of(text, 320, 100 + 30 * step, 80 + 10 * step))
    assert [event.read.plate.key for event in film.end()] == ["BNO1234"]


def test_the_picture_kept_is_of_the_sharpest_read_that_agrees() -> None:
    film = Film()
    for step, (text, sharp) in enumerate([("BNO1234", 0.5), ("BNO1234", 0.9), ("BNO1284", 1.0), ("BNO1234", 0.6)]):
        film.play(read_of(text, 320, 100 + 9 * step, 120, sharp=sharp, sure=0.9))
    (event,) = film.end()
    assert event.read.plate.key == "BNO1234"
    assert int(event.best.crop[0, 0, 0]) == 90
    assert event.best_index == 1


def test_two_cars_in_view_are_two_events() -> None:
    film = Film()
    for step in range(8):
        left = read_of("BNO1234", 150, 100 + 20 * step, 100 + 6 * step)
        right = read_of("MXY987", 480, 120 + 20 * step, 100 + 6 * step)
        film.play(*((left, right) if step % 2 else (right, left)))
    assert sorted(accepted(film.end())) == ["BNO1234", "MXY987"]


def test_a_car_that_stands_still_after_arriving_is_one_event() -> None:
    film = Film().approach("BNO1234").play(read_of("BNO1234", 320, 330, 170), frames=300)
    assert accepted(film.end()) == ["BNO1234"]


def test_a_short_gap_in_the_reads_is_still_the_same_vehicle() -> None:
    film = Film().approach("BNO1234").play(frames=40).play(read_of("BNO1234", 330, 330, 170), frames=10)
    assert accepted(film.end()) == ["BNO1234"]


def test_a_vehicle_that_left_and_comes_back_is_a_new_event() -> None:
    film = Film().approach("BNO1234").play(frames=300).approach("BNO1234")
    assert accepted(film.end()) == ["BNO1234", "BNO1234"]


def test_the_next_car_at_the_same_place_is_another_vehicle() -> None:
    film = Film().approach("BNO1234").approach("KAB5678")
    assert accepted(film.end()) == ["BNO1234", "KAB5678"]


def test_another_sure_text_in_the_very_place_is_another_vehicle() -> None:
    film = Film().approach("BNO1234")
    for step in range(8):
        film.play(read_of("KAB5678", 320, 320 - 14 * step, 170 - 8 * step))
    assert accepted(film.end()) == ["BNO1234", "KAB5678"]


@pytest.mark.parametrize("stands", [10, 100])
def test_who_comes_where_the_one_before_went_out_of_reach_is_another_vehicle(stands: int) -> None:
    film = Film().approach("BNO1234").play(read_of("BNO1234", 320, 320, 170), frames=stands)
    for step, text in enumerate(["BNO1Z84", "8N0I234", "HW77ZT", "KW561", "KA8561", "KAB567"]):
        film.play(read_of(text, 320, 300 - 30 * step, 150 - 18 * step, sure=0.8))
    assert accepted(film.approach("KAB5678").end()) == ["BNO1234", "KAB5678"]


def test_a_decided_vehicle_stays_decided_when_later_frames_misread_it() -> None:
    film = Film().approach("BNO1234").play(read_of("BNO1284", 320, 330, 170, sharp=2.0), frames=80)
    assert accepted(film.end()) == ["BNO1234"]


def test_a_long_stand_and_a_gap_are_still_the_same_vehicle() -> None:
    film = Film().approach("BNO1234").play(read_of("BNO1234", 320, 330, 170), frames=200)
    film.play(frames=40).play(read_of("BNO1234", 330, 330, 170), frames=10)
    assert accepted(film.end()) == ["BNO1234"]


def test_reads_cut_by_the_frame_s_edge_have_no_vote_beside_whole_ones() -> None:
    film = Film()
    for step in range(8):
        film.play(read_of("BNO123", 320, 30 + 10 * step, 170, rejected=Rejected.AT_BORDER))
    film.play(read_of("BNO1234", 320, 130, 150)).play(read_of("BNO1234", 320, 150, 150))
    film.play(read_of("BNO1234", 320, 170, 150))
    assert accepted(film.end()) == ["BNO1234"]


def test_what_never_moves_from_the_first_frame_is_ignored() -> None:
    film = Film().play(read_of("BNO1234"), frames=130)
    assert film.events == []
    assert [event.rejected for event in film.end()] == [Rejected.NEVER_MOVED]


def test_a_parked_car_does_not_hide_or_lend_its_plate_to_one_that_comes() -> None:
    film, parked = Film(), read_of("PARK123", 100, 400, 120)
    for step in range(30):
        film.play(parked, read_of("BNO1234", 400, 100 + 8 * step, 80 + 2 * step))
    assert accepted(film.end()) == ["BNO1234"]


def test_a_hand_held_clip_of_a_standing_car_counts() -> None:
    film = Film()
    for step in range(30):
        film.play(read_of("BNO1234", 320 + 4 * math.sin(step), 240 + 3 * math.cos(step)))
    assert accepted(film.end()) == ["BNO1234"]


def test_one_picture_alone_is_judged_by_itself() -> None:
    assert accepted(Film().play(read_of("BNO1234")).end()) == ["BNO1234"]
    assert accepted(Film().play(read_of("BNO1234", sure=0.9)).end()) == []


@pytest.mark.parametrize(
    ("text", "given", "reason"),
    [
        ("B12", None, Rejected.TOO_FEW),
        ("BNO1234", Rejected.AT_BORDER, Rejected.AT_BORDER),
        ("BNO1234", Rejected.INNER_PAD, Rejected.INNER_PAD),
        ("BNO1234", Rejected.FAINT, Rejected.FAINT),
    ],
)
def test_reads_not_to_be_believed_are_reported_with_the_reason(
    text: str, given: Rejected | None, reason: Rejected
) -> None:
    film = Film()
    for step in range(8):
        film.play(read_of(text, 320, 100 + 20 * step, rejected=given))
    assert [event.rejected for event in film.end()] == [reason]


def test_a_weak_character_is_the_reason_before_the_threshold() -> None:
    film = Film()
    for step in range(12):
        film.play(read_of(f"BNO12{'3816'[step % 4]}4", 320, 100 + 20 * step))
    events = film.end()
    assert [event.rejected for event in events] == [Rejected.WEAK]


def test_a_different_text_in_every_frame_is_never_accepted() -> None:
    film = Film()
    for step in range(10):
        film.play(read_of(f"{step}KL{step}{9 - step}M", 320, 100 + 12 * step, sure=0.97))
    assert accepted(film.end()) == []


def test_tracks_and_kept_reads_are_bounded() -> None:
    film = Film()
    for step in range(BALLOTS_LEN_MAX + 20):
        film.play(read_of("BNO1234", 320 + step, 240, sure=0.8))
    crowd = [read_of(f"K{n:02d}XY{n:02d}", 20 + 15 * (n % 40), 20 + 150 * (n // 40), 12) for n in range(60)]
    assert [len(track.reads) for track in film.voter._tracks] == [BALLOTS_LEN_MAX]
    film.play(*crowd)
    assert len(film.end()) <= TRACKS_LEN_MAX


def test_what_never_moved_is_decided_once_a_vehicle_is_known_to_have_stood_there() -> None:
    voter, still = Voter(ACCEPT_AT), read_of("BNO1234")
    events = [voter.add(Frame(BLACK, index / FPS, index), [still], standing=index >= 20) for index in range(40)]
    assert [index for index, told in enumerate(events) if accepted(told)] == [20]
    assert voter.flush() == []


# ---- what stood there, was out of sight and is seen again ----

PARKED = read_of("GB123H", 500, 300)


def covered(text: str, part: float, x: float = 500, y: float = 300, width: float = 120) -> LocatedRead:
    """A plate of which this part is hidden at its left end."""
    return read_of(text[round(part * len(text)) :], x + part * width / 2, y, width * (1 - part), sure=0.97)


def shaking(read: LocatedRead, step: int) -> LocatedRead:
    return read_of(read.read.plate.key, 500 + 2 * math.sin(step), 300 + 2 * math.cos(3 * step))


@pytest.mark.parametrize("hidden_s", [4.0, 600.0])
def test_a_parked_car_that_was_hidden_has_not_come_when_it_is_seen_again(hidden_s: float) -> None:
    film = Film().play(PARKED, frames=200).play(frames=round(hidden_s * FPS)).play(PARKED, frames=30)
    assert [event.rejected for event in film.end()] == [Rejected.NEVER_MOVED]


def test_who_walks_past_a_parked_car_does_not_make_it_come() -> None:
    film = Film()
    for _ in range(3):
        film.play(PARKED, frames=40)
        for part in (0.2, 0.3, 0.5):
            film.play(covered("GB123H", part), frames=2)
        film.play(frames=25)
        for part in (0.5, 0.3, 0.2):
            film.play(covered("GB123H", part), frames=2)
    film.play(PARKED, frames=40)
    assert accepted(film.end()) == []


def test_a_parked_plate_that_flickers_at_night_never_comes() -> None:
    film = Film()
    for step in range(40):
        film.play(shaking(PARKED, step), frames=1 + step % 5).play(frames=25)
    assert accepted(film.end()) == []


def test_a_time_stamp_detected_on_and_off_never_comes() -> None:
    film = Film()
    for minute in range(12, 40):
        film.play(read_of(f"CAM26{minute}", 500, 20, sure=0.9999), frames=5).play(frames=50)
    assert accepted(film.end()) == []


def test_what_stood_from_the_first_frame_and_is_out_of_sight_was_not_seen_to_come() -> None:
    film = Film()
    for step in range(40):
        film.play(shaking(PARKED, step))
    film.play(frames=30)
    assert [event.rejected for _, event in film.events] == [Rejected.NEVER_MOVED]


def test_a_camera_that_was_away_begins_anew() -> None:
    film = Film().play(frames=100)
    for step in range(20):
        film.away(5).play(shaking(PARKED, step), frames=4)
    film.away(5).play(frames=30)
    assert accepted(film.end()) == []


def test_a_parked_car_that_was_hidden_is_decided_once_it_drives_up() -> None:
    film = Film().play(PARKED, frames=200).play(frames=40).play(PARKED, frames=30)
    assert accepted([event for _, event in film.events]) == []
    begins = film.index
    for step in range(8):
        film.play(read_of("GB123H", 500 - 10 * step, 300 + 8 * step, 120 + 4 * step))
    assert [at - begins < 5 for at, event in film.events if event.accepted] == [True]
    assert accepted(film.end()) == ["GB123H"]


def test_a_parked_car_that_drove_up_out_of_sight_is_decided_where_it_stands_now() -> None:
    film = Film().play(PARKED, frames=200).play(frames=40).play(read_of("GB123H", 320, 380, 150), frames=10)
    assert accepted(film.end()) == ["GB123H"]


def test_another_vehicle_that_stopped_at_the_place_of_a_parked_one_is_decided() -> None:
    film = Film().play(PARKED, frames=200).play(frames=40).play(read_of("KAB5678", 500, 300), frames=10)
    assert accepted(film.end()) == ["KAB5678"]


def test_a_vehicle_that_came_and_was_hidden_is_decided_as_before() -> None:
    film = Film().approach("BNO1234").play(frames=200).play(read_of("BNO1234", 320, 320, 170), frames=10)
    assert accepted(film.end()) == ["BNO1234", "BNO1234"]


def test_the_place_of_a_parked_car_is_kept_for_some_time_only() -> None:
    film = Film().play(PARKED, frames=100).play(frames=30).away(STOOD_KEPT_S).play(frames=30)
    assert accepted(film.play(PARKED, frames=10).end()) == ["GB123H"]


def test_places_kept_are_bounded() -> None:
    film = Film()
    for number in range(2 * STOOD_LEN_MAX):
        film.away(5).play(read_of(f"K{number:02d}XY{number:02d}", 200 * number, 300))
    film.away(5).play(PARKED)
    assert len(film.voter._stood) == STOOD_LEN_MAX


def test_who_came_while_the_camera_was_away_is_decided_and_who_was_parked_before_is_not() -> None:
    film = Film().play(PARKED, frames=100).away(30)
    film.play(PARKED, read_of("BNO1234", 320, 380, 150), frames=10, standing=True, was_free=False)
    assert accepted(film.end()) == ["BNO1234"]


def test_who_may_have_stood_at_the_loop_is_not_taken_for_parked() -> None:
    film, still = Film(), read_of("BNO1234", 320, 380, 150)
    film.play(still, frames=20, was_free=False).away(5).play(still, frames=5, was_free=False).away(5)
    assert accepted(film.play(still, frames=10, standing=True, was_free=False).end()) == ["BNO1234"]
