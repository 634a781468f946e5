"""`slagboom replay`: on these videos, with this list, would the gate have opened, for whom, and why?

Every frame is read, in media time, by the reader, the vote and the rules of the daemon. Sources follow each
other as if recorded one after the other, beginning at `--at`, and whoever was admitted stays inside.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2

from edge import present
from edge.camera import is_live, open_source
from edge.commands.gate import ImaginedGate, Sorter
from edge.commands.when import instant, local_zone
from edge.lane_table import without_secret
from gate_controller.errors import StoreError
from gate_controller.facts import Direction, Granted, LaneId, Refused
from gate_controller.site import Site
from recognition.choice import SHIPPED, Models, load_recognizer
from recognition.frame import Frame
from recognition.recognizer import Recognizer
from recognition.vote import VoteEvent, Voter
from sync.listfile import read_list

COLUMNS = ("Source", "At", "Plate", "Votes", "Decision", "Reason", "User", "Notes")


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """What `slagboom replay` was asked for; `evidence` is the folder for pictures, `at` as in `instant`."""

    direction: str
    lane: str
    at: str | None
    evidence: Path | None
    as_json: bool
    models: Models = SHIPPED


def replay_sources(
    sources: Sequence[str], list_file: Path, options: ReplayOptions, recognizer: Recognizer | None = None
) -> int:
    """Print what would have happened to each vehicle, and a summary; `recognizer` overrides the options' models.

    Raises `BadInput` before the first vehicle if the list, the time or any file cannot be used.
    """
    tz = local_zone()
    begin = instant(options.at, tz)
    site = Site(read_list(list_file, tz).allowlist, tz)
    for source in sources:
        if not is_live(source):
            with present.libraries_silenced():
                open_source(source).close()
    if options.evidence is not None:
        _make_folder(options.evidence)
    gate = ImaginedGate(site, LaneId(options.lane), Direction(options.direction))
    replay = _Replay(gate, recognizer or load_recognizer(options.models), begin, options)
    try:
        with present.progress("replaying", None, lines=options.as_json) as bar:
            for source in sources:
                for row in replay.run(source, bar):
                    if options.as_json:
                        present.json_line(row)
    except BaseException:
        # What was decided before an error or an interruption is worth seeing.
        if replay.rows:
            replay.summarise()
        raise
    replay.summarise()
    return 0


class _Replay:
    """The gate, what it has been shown so far, and the rows and rejected reads for the summary."""

    def __init__(self, gate: ImaginedGate, recognizer: Recognizer, begin: datetime, options: ReplayOptions) -> None:
        self._gate, self._recognizer, self._options = gate, recognizer, options
        self._tz = begin.tzinfo
        # Sums of local times forget that a clock is put forward or back between them.
        self._begin = begin.astimezone(UTC)
        self.rows: list[dict[str, Any]] = []
        self._rejected: list[tuple[str, VoteEvent]] = []
        self._empty: list[str] = []

    def run(self, source: str, bar: present.Bar) -> Iterator[dict[str, Any]]:
        """The rows of one source as they become known."""
        voter, sorter = Voter(self._recognizer.settings.accept_at), Sorter()
        frames, last_s, before = 0, 0.0, len(self.rows)
        with closing(open_source(source)) as opened:
            for frame in _quietly(opened.frames()):
                frames, last_s = frames + 1, frame.at_s
                events = voter.add(frame, self._recognizer.read(frame.image))
                for event in sorter.add(events, frame.at_s, frames):
                    yield self._row(source, event)
                bar(Path(source).name)
        for event in sorter.add(voter.flush(), math.inf, frames):
            yield self._row(source, event)
        self._rejected += [(without_secret(source), event) for event in sorter.rejected]
        if len(self.rows) == before:
            self._empty.append(without_secret(source))
        self._begin += timedelta(seconds=last_s)

    def _row(self, source: str, event: VoteEvent) -> dict[str, Any]:
        at = self._begin + timedelta(seconds=event.at_s)
        picture = self._keep(source, event)
        read = replace(event.read, evidence=picture)
        fact = self._gate.ask(read if event.accepted else None, at)
        row = {
            "source": without_secret(source),
            "at": round(event.at_s, 2),
            "time": at.astimezone(self._tz).isoformat(timespec="seconds"),
            **_told(fact, event),
            "evidence": picture,
        }
        self.rows.append(row)
        return row

    def _keep(self, source: str, event: VoteEvent) -> str | None:
        if self._options.evidence is None:
            return None
        stem = re.sub(r"[^\w-]+", "-", Path(source).stem)[:60]
        path = self._options.evidence / f"{len(self.rows) + 1:04}-{stem}-{event.read.plate.key}.png"
        try:
            path.write_bytes(cv2.imencode(".png", event.best.crop)[1].tobytes())
        except OSError as error:
            path.unlink(missing_ok=True)
            raise StoreError(f"{path}: {error.strerror}; free space or choose another folder") from None
        return str(path)

    def summarise(self) -> None:
        """What came of it, for people: on stdout after the table, on stderr beside JSON."""
        aside = self._options.as_json
        if not aside and self.rows:
            present.table("", COLUMNS, map(_cells, self.rows))
        decided = Counter(row["decision"] for row in self.rows)
        reasons = Counter(row["reason"] for row in self.rows if row["reason"])
        why = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
        denied = f"{decided['denied']} denied" + (f" ({why})" if why else "")
        present.say(f"{len(self.rows)} vehicles: {decided['granted']} granted, {denied}", stderr=aside)
        for source in self._empty:
            present.say(f"no vehicle: {source}", stderr=aside)
        if self._rejected:
            rows = [
                (source, f"{event.first_s:.1f}-{event.at_s:.1f}", event.read.plate.display(), event.frames,
                 f"{event.read.confidence:.2f}", event.rejected)
                for source, event in self._rejected
            ]  # fmt: skip
            columns = ("Source", "Seconds", "Read", "Frames", "Confidence", "Why")
            present.table("Reads that were rejected", columns, rows, stderr=aside)


def _quietly(frames: Iterator[Frame]) -> Iterator[Frame]:
    """The frames, decoded without the decoders' own messages between our lines."""
    while True:
        with present.libraries_silenced():
            frame = next(frames, None)
        if frame is None:
            return
        yield frame


def _told(fact: Granted | Refused, event: VoteEvent) -> dict[str, Any]:
    """The decision as one object; `plate` is None when no read was sure enough to act on."""
    granted = isinstance(fact, Granted)
    read = event.read
    return {
        "plate": read.plate.display() if event.accepted else None,
        "country": read.plate.country,
        "decision": "granted" if granted else "denied",
        "reason": None if isinstance(fact, Granted) else fact.reason.value,
        "external_id": fact.external_id or None,
        "user_id": fact.user_id,
        "votes": read.votes if event.accepted else 0,
        "frames": event.frames,
        "confidence": round(read.confidence, 4),
        "weakest": round(read.weakest, 4),
        "matched": fact.basis.matched.value,
        "as_matched": fact.basis.as_matched or None,
        "as_read": read.plate.display(),
        "rejected": event.rejected and event.rejected.value,
        "notes": [note.value for note in fact.notes] if isinstance(fact, Granted) else [],
    }


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    why = row["reason"] or row["matched"]
    if row["rejected"]:
        why = f"{why}: {row['rejected']}"
    plate = row["plate"] or f"({row['as_read']})"
    return (
        row["source"],
        f"{row['at']:.1f} s",
        plate,
        f"{row['votes']}/{row['frames']}",
        row["decision"],
        why,
        row["external_id"],
        " ".join(row["notes"]),
    )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: cannot keep pictures here ({error.strerror}); choose another folder") from None
