"""Approach clips read frame by frame: first sure frame, final read, frames until it was decided.

`python -m benchmarks.clips CLIPS.csv`; the table has the columns clip (beside it), text, country, and `A|B` are two
plates in view. No clips are in this repository, so it is left out unless named: `make bench CLIPS=CLIPS.csv`.
Limits: every plate of every clip read at its end, both of `A|B`, none wrongly, and no gate opened by a list of all
plates that are one edit away from the true ones (a character replaced by one unlike it, left out or put in).

Decided twice: as at a lane where a sensor says that a vehicle stands there, and by the pictures alone, where one
that never moves in the picture is not told from a parked one before the end.
"""

import csv
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from benchmarks._report import Bar, Report, console, finish
from benchmarks.readers import plain
from edge.camera import open_source
from gate_controller.allowlist import Allowlist, UserPut
from gate_controller.credentials import PlateCredential
from gate_controller.look_alikes import fold
from gate_controller.plates import Plate, PlateRead
from gate_controller.users import User
from recognition.frame import Frame
from recognition.recognizer import Recognizer
from recognition.vote import VoteEvent, Voter

CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


@dataclass(frozen=True, slots=True)
class Vehicle:
    """One vehicle of a clip. Frames count from 1 in the whole clip.

    `first_seen`: with any read of it; `first_sure`: whose read is believed by itself, None if none is;
    `decided`: when the vote was over, the clip's last if only its end decided.
    """

    read: PlateRead
    accepted: bool
    first_seen: int
    first_sure: int | None
    decided: int

    @property
    def frames(self) -> int:
        """From the first read of it to the decision, both counted."""
        return self.decided - self.first_seen + 1


@dataclass(frozen=True, slots=True)
class Followed:
    """A clip's frames, and the vehicles that the vote told of: announced by a sensor, and by the pictures alone."""

    frames: int
    announced: list[Vehicle]
    alone: list[Vehicle]


def follow(frames: Iterable[Frame], recognizer: Recognizer) -> Followed:
    """Read once, voted twice."""
    voters = [Voter(recognizer.settings.accept_at) for _ in range(2)]
    events: list[list[tuple[VoteEvent, int]]] = [[], []]
    times: list[float] = []
    sure: dict[str, int] = {}
    for frame in frames:
        times.append(frame.at_s)
        reads = recognizer.read(frame.image)
        for read in reads:
            if read.accepted:
                sure.setdefault(read.read.plate.key, len(times))
        for voter, standing, told in zip(voters, (True, False), events, strict=True):
            told += [(event, len(times)) for event in voter.add(frame, reads, standing=standing)]
    for voter, told in zip(voters, events, strict=True):
        told += [(event, len(times)) for event in voter.flush()]
    announced, alone = ([_vehicle(event, at, times, sure) for event, at in told] for told in events)
    return Followed(len(times), announced, alone)


def _vehicle(event: VoteEvent, at: int, times: list[float], sure: dict[str, int]) -> Vehicle:
    first_seen = times.index(event.first_s) + 1
    return Vehicle(event.read, event.accepted, first_seen, sure.get(event.read.plate.key), at)


def neighbours(key: str) -> Iterator[str]:
    """Every text one edit away that is no look-alike of the key: replaced, left out, put in."""
    for at in range(len(key) + 1):
        for char in CHARACTERS:
            yield key[:at] + char + key[at:]
            if at < len(key) and fold(char) != fold(key[at]):
                yield key[:at] + char + key[at + 1 :]
        if at < len(key):
            yield key[:at] + key[at + 1 :]


def listed(keys: Iterable[str]) -> Allowlist:
    """A list with a user for each plate."""
    users = [User(f"u{at}", f"e{at}", plates=(PlateCredential(Plate(key)),)) for at, key in enumerate(keys)]
    return Allowlist.empty("clips").apply([UserPut(user) for user in users], 1)


def believed(vehicles: Iterable[Vehicle]) -> set[str]:
    """The plates of which a vote was sure."""
    return {vehicle.read.plate.key for vehicle in vehicles if vehicle.accepted}


def main(arguments: list[str]) -> int:
    """Print the table; 1 if a limit was missed. Without clips there is nothing to measure, and it says so."""
    arguments = arguments or os.environ.get("CLIPS", "").split()
    if not arguments:
        note = "left out: name a table of labelled clips, as in make bench CLIPS=CLIPS.csv"
        return finish(Report("clips", [], notes=[note], timed=False))
    path = Path(arguments[0])
    with path.open(encoding="utf-8") as file:
        rows = [(row["clip"], row["country"], plain_all(row["text"])) for row in csv.DictReader(file)]
    true = {text for _, _, texts in rows for text in texts}
    near = listed(sorted({text for key in true for text in neighbours(key)} - true))
    recognizer = Recognizer()
    shown = Table("clip", "country", "frames", "seen", "sure", "announced", "frames", "alone", "read", "")
    missed = wrong = opened = 0
    waits: list[int] = []
    for clip, country, texts in rows:
        with closing(open_source(str(path.parent / clip))) as source:
            told = follow(source.frames(), recognizer)
        for way in (told.announced, told.alone):
            reads = [vehicle.read for vehicle in way if vehicle.accepted]
            missed, wrong = missed + len(texts - believed(way)), wrong + len(believed(way) - texts)
            opened += sum(near.find_plate(read).user is not None for read in reads)
        waits += [vehicle.frames for vehicle in told.announced if vehicle.accepted]
        for line in _lines(told, texts):
            shown.add_row(Path(clip).stem, country, str(told.frames), *line)
    console().print(shown)
    bars = [
        Bar("plates not read rightly, announced or alone", missed, 0),
        Bar("plates read wrongly and believed", wrong, 0),
        Bar("opened by a list of one-edit neighbours", opened, 0),
    ]
    figures = {"clips": len(rows), "neighbours": near.users_len, "frames_to_decision": sorted(waits)}
    return finish(Report("clips", bars, figures, timed=False))


def _lines(told: Followed, texts: set[str]) -> Iterator[tuple[str, ...]]:
    """The table's cells for one clip, a line a plate; a vehicle of which no vote was sure is undecided."""
    alone = {vehicle.read.plate.key: vehicle for vehicle in told.alone if vehicle.accepted}
    announced = {vehicle.read.plate.key: vehicle for vehicle in told.announced if vehicle.accepted}
    for key in alone | announced:
        one, other = announced.get(key), alone.get(key)
        best = one or other
        assert best is not None
        yield (
            str(best.first_seen),
            str(best.first_sure or "-"),
            str(one.decided if one else "-"),
            str(one.frames if one else "-"),
            "-" if other is None else "end" if other.decided == told.frames else str(other.decided),
            f"{best.read.plate.display()} {best.read.confidence:.3f}",
            "right" if key in texts else "[red]WRONG",
        )
    if not alone | announced:
        yield (*"-----", "|".join(sorted(texts)), "[red]undecided")


def plain_all(text: str) -> set[str]:
    """The plates of a label."""
    return {plain(part) for part in text.split("|")}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
