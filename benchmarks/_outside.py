"""What stands outside of the daemon, in a process of its own: cars, loops, board, camera, a bare database.

Nothing here may take processor time or the interpreter's lock from the daemon that `frame_to_relay` measures. The
parent sends one order at a time and gets one answer. Times are of the monotonic clock, which on Linux all processes
of a machine share.
"""

import multiprocessing
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, Self

from hardware_sim.camera import MjpegServer, draw
from hardware_sim.peers import BoardPeer
from hardware_sim.world import Boom, Doing, Placed, Scene, Vehicle
from recognition.frame import Image

CAMERA_FPS: Final = 10
FRAME_EVERY_S: Final = 0.25
ON_THE_LOOP_FOR_S: Final = 0.8
"""The vehicle is on the loop before it is read: what is timed is the read, not the drive."""
STEP_S: Final = 0.3
BOOM_S: Final = 1.0
READ_WITHIN_S: Final = 15.0
APPROACH_M: Final = (-7.0, -6.0, -5.2, -4.6, -4.1, -3.7, -3.4, -3.1, -2.9, -2.7, -2.6, -2.5)

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Commit:
    """What the same rows cost a bare program: seconds of its COMMIT alone, and bytes that its log grew by."""

    took_s: float
    log_bytes: int


class _Gate:
    """One gate whose contacts are set by hand and whose camera sees one car after the other."""

    def __init__(self, folder: Path) -> None:
        self.contacts = {"approach": False, "safety": False, "far": False, "closed": True, "opened": False}
        spare = [False, False, False]
        self.board = BoardPeer(folder / "board", lambda: [*self.contacts.values(), *spare], self._flash)
        self.pulse_at_s = 0.0
        self.drawn_at_s: deque[float] = deque(maxlen=4 * CAMERA_FPS)
        self._film = [_picture(None)]
        self._rolls_from_s = 0.0

    def sees(self) -> Image:
        """What the camera shows now."""
        self.drawn_at_s.append(time.monotonic())
        index = int((time.monotonic() - self._rolls_from_s) / FRAME_EVERY_S)
        return self._film[min(index, len(self._film) - 1)]

    def _flash(self, channel: int, width_s: float) -> None:
        self.pulse_at_s = time.monotonic()
        self.contacts.update(closed=False, opened=True)

    def car(self, car: Vehicle) -> tuple[float, list[float]]:
        """One car up to the boom and through: when the board had the pulse (0 if never) and pictures were made."""
        film = [_picture(Placed(car, front_m, 1.0, Doing.ARRIVING)) for front_m in APPROACH_M]
        self.contacts["approach"] = True
        time.sleep(ON_THE_LOOP_FOR_S)
        self.pulse_at_s = 0.0
        self._film, self._rolls_from_s = film, time.monotonic()
        give_up_s = time.monotonic() + READ_WITHIN_S
        while not self.pulse_at_s and time.monotonic() < give_up_s:
            time.sleep(0.05)
        answer = self.pulse_at_s, list(self.drawn_at_s)
        for change in ({"safety": True}, {"approach": False, "far": True}, {"safety": False}, {"far": False}):
            self.contacts.update(change)
            time.sleep(STEP_S)
        self._film = [_picture(None)]
        time.sleep(BOOM_S)
        self.contacts.update(closed=True, opened=False)
        time.sleep(BOOM_S)
        return answer


class _BareDatabase:
    """Another file on the same disk, with the same tables and pragmas, written by nothing but sqlite3."""

    def __init__(self, path: Path, schema: list[str]) -> None:
        self._log = path.with_name(f"{path.name}-wal")
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            self._db.execute(f"PRAGMA {pragma}")
        for statement in schema:
            self._db.execute(statement)

    def write(self, rows: list[tuple[str, Row]]) -> Commit:
        """The rows, by table, as one transaction."""
        before = self._log.stat().st_size
        self._db.execute("BEGIN IMMEDIATE")
        for table, row in rows:
            self._db.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
        begun_s = time.monotonic()
        self._db.execute("COMMIT")
        return Commit(time.monotonic() - begun_s, self._log.stat().st_size - before)


class Outside(AbstractContextManager["Outside"]):
    """The handle of the process; a context manager. `url` is the camera's address."""

    def __init__(self, folder: Path, schema: list[str]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, far = context.Pipe()
        self._process = context.Process(target=_serve, args=(far, folder, schema), daemon=True)
        self.url = ""

    def __enter__(self) -> Self:
        self._process.start()
        self.url = self._pipe.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.send(None)
        self._process.join(10)

    def car(self, car: Vehicle) -> tuple[float, list[float]]:
        """Drive one car through; see `_Gate.car`. Blocks for as long."""
        at: tuple[float, list[float]] = self._ask("car", car)
        return at

    def write(self, rows: list[tuple[str, Row]]) -> Commit:
        """Write the rows to the bare database."""
        commit: Commit = self._ask("write", rows)
        return commit

    def _ask(self, *order: Any) -> Any:
        self._pipe.send(order)
        return self._pipe.recv()


def _serve(pipe: Connection, folder: Path, schema: list[str]) -> None:
    gate, bare = _Gate(folder), _BareDatabase(folder / "bare.db", schema)
    does: dict[str, Callable[[Any], Any]] = {"car": gate.car, "write": bare.write}
    with MjpegServer(gate.sees, CAMERA_FPS) as camera, gate.board:
        pipe.send(camera.url)
        while (order := pipe.recv()) is not None:
            pipe.send(does[order[0]](order[1]))


def _picture(placed: Placed | None) -> Image:
    """The lane with one car, or empty."""
    return draw(Scene("entry", 0.0, Boom.CLOSED, 0.0, (placed,) if placed else ()))
