"""Strangers admitted beside owners rescued: this project's look-alike rule against any-one-edit matching.

A fleet of N German plates of one district is on the list; strangers of the same district and the fleet itself
drive up. Each is read once, by drawing every character's observation from `confusions.json`, which was measured
with the shipped reader on drawn plates (`_measure_confusions`); characters are taken as independent, and none is
lost or added. Any-one-edit admits whoever is within one insertion, deletion or substitution of a listed plate.

Limits: at least 100 times fewer strangers than any-one-edit over all N, at no fewer than 90 % of its rescues of
look-alike misreads (owners whose plate was misread in look-alikes only).
"""

import json
import random
import sys
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks._confusions import TABLE, model_digest
from benchmarks._report import Bar, Report, console, finish
from gate_controller.allowlist import Allowlist, UserPut
from gate_controller.credentials import PlateCredential
from gate_controller.look_alikes import fold
from gate_controller.plates import Plate, PlateRead
from gate_controller.users import User
from recognition.looks import settled_read

FLEETS = (200, 1_000, 5_000)
STRANGERS = 100_000
OWNER_READS = 40_000
DISTRICT = "KA"
SAFER_MIN, RESCUED_MIN = 100.0, 90.0  # times, %
SEED = 11
STALE = f"{TABLE.name} belongs to another model file: measure it anew, python -m benchmarks._measure_confusions"

Options = tuple[tuple[str, float], ...]


class Reader:
    """Draws what the measured reader would have made of a plate."""

    def __init__(self, table: dict[str, Any], rng: random.Random) -> None:
        self.rng = rng
        self.share: dict[str, float] = {}
        self.doubts: dict[str, list[Options]] = {}
        for char, row in table["characters"].items():
            self.share[char] = row["doubtful"] / row["seen"]
            self.doubts[char] = [tuple((other, p) for other, p in options) for options in row["doubts"]]

    def options(self, key: str) -> tuple[Options, ...]:
        """Per character what the reader holds possible, best first."""
        rng = self.rng
        return tuple(
            rng.choice(self.doubts[char]) if rng.random() < self.share[char] else ((char, 0.9995),) for char in key
        )


@dataclass(slots=True)
class Score:
    """Counts over one fleet."""

    strangers: int = 0
    strangers_ours: int = 0
    strangers_edit: int = 0
    misread: int = 0
    rescued_ours: int = 0
    rescued_edit: int = 0


def plates(count: int, rng: random.Random) -> list[str]:
    """So many different plates of the district, short ones as rare as they are on the road."""
    found: dict[str, None] = {}
    while len(found) < count:
        letters = "".join(rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=rng.choices((1, 2), (1, 9))[0]))
        found[
            f"{DISTRICT}{letters}{rng.randrange(1, 10) if rng.random() < 0.05 else rng.randrange(10, 10_000)}"
        ] = None
    return list(found)


class OneEdit:
    """Any-one-edit matching through an index of deletions, so that a run ends today."""

    def __init__(self, keys: list[str]) -> None:
        self.whole = frozenset(keys)
        self.shorter: dict[str, list[str]] = {}
        for key in keys:
            for shorter in {key[:at] + key[at + 1 :] for at in range(len(key))}:
                self.shorter.setdefault(shorter, []).append(key)

    def matches(self, text: str) -> set[str]:
        """Listed plates at distance 0 or 1."""
        found = set(self.shorter.get(text, ()))  # the text misses a character
        if text in self.whole:
            found.add(text)
        for at in range(len(text)):
            shorter = text[:at] + text[at + 1 :]
            if shorter in self.whole:  # the text has one too many
                found.add(shorter)
            found |= {key for key in self.shorter.get(shorter, ()) if _one_substitution(key, text)}
        return found


def _one_substitution(one: str, other: str) -> bool:
    return len(one) == len(other) and sum(a != b for a, b in zip(one, other, strict=True)) == 1


def drive_up(fleet: list[str], strangers: list[str], reader: Reader, rng: random.Random) -> Score:
    """Every stranger once, and random owners until enough were read."""
    score = Score()
    put = [UserPut(User(key, key, plates=(PlateCredential(Plate(key)),))) for key in fleet]
    allowlist, edit, listed = Allowlist.empty("bench").apply(put, 1), OneEdit(fleet), frozenset(fleet)
    for key in strangers:
        if key in listed:
            continue
        score.strangers += 1
        read = seen(reader, key)
        score.strangers_edit += bool(edit.matches(read.plate.key))
        score.strangers_ours += allowlist.find_plate(read).user is not None
    for key in rng.choices(fleet, k=OWNER_READS):
        options = reader.options(key)
        raw = "".join([option[0][0] for option in options])
        if raw == key or fold(raw) != fold(key):
            continue
        score.misread += 1
        read = settled(options)
        score.rescued_edit += key in edit.matches(read.plate.key)
        user = allowlist.find_plate(read).user
        score.rescued_ours += user is not None and user.id == key
    return score


def settled(options: tuple[Options, ...]) -> PlateRead:
    """The read as the recogniser hands it on; the reader knows a German plate when it sees one."""
    return settled_read(options, (("D", 1.0),), 1.0)


def seen(reader: Reader, key: str) -> PlateRead:
    """A stranger's plate as read; a read without any doubt needs no settling."""
    options = reader.options(key)
    if all(len(option) == 1 for option in options) and all(o[0][0] == c for o, c in zip(options, key, strict=True)):
        return PlateRead(Plate(key), 0.99, options)
    return settled(options)


def main() -> int:
    """Print the table; 1 if a limit was missed."""
    screen = console()
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    notes = [] if table["model_sha256"] == model_digest() else [STALE]
    rng = random.Random(SEED)
    reader = Reader(table, rng)
    shown = Table(title=f"One district, {STRANGERS:,} strangers and {OWNER_READS:,} owners, each read once")
    columns = (
        "N",
        "strangers: one edit",
        "ours",
        "times fewer",
        "look-alike misreads",
        "rescued: one edit",
        "ours",
    )
    for column in columns:
        shown.add_column(column, justify="right")
    total = Score()
    for size in track(FLEETS, "fleets", console=Console(stderr=True)):
        score = drive_up(plates(size, rng), plates(STRANGERS, rng), reader, rng)
        shown.add_row(*row(f"{size:,}", score))
        for name in Score.__slots__:
            setattr(total, name, getattr(total, name) + getattr(score, name))
    shown.add_row(*row("all", total), style="bold")
    screen.print(shown)
    fewer = total.strangers_edit / max(1, total.strangers_ours)
    rescued = 100 * total.rescued_ours / max(1, total.rescued_edit)
    bars = [
        Bar("strangers admitted, times fewer than by any-one-edit", fewer, SAFER_MIN, "times", at_least=True),
        Bar("rescues of look-alike misreads, share of any-one-edit's", rescued, RESCUED_MIN, "%", at_least=True),
    ]
    figures = {**{name: getattr(total, name) for name in Score.__slots__}, "model_sha256": table["model_sha256"]}
    return finish(Report("false_opens", bars, figures, notes, timed=False))


def row(name: str, score: Score) -> list[str]:
    """One line of the table."""
    return [
        name,
        f"{score.strangers_edit} ({score.strangers_edit / score.strangers:.3%})",
        f"{score.strangers_ours} ({score.strangers_ours / score.strangers:.4%})",
        f"{score.strangers_edit / max(1, score.strangers_ours):.0f}",
        str(score.misread),
        str(score.rescued_edit),
        str(score.rescued_ours),
    ]


if __name__ == "__main__":
    sys.exit(main())
