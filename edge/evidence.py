"""Pictures of the plates that decided: kept for a while, then deleted. Never a stream, never a whole frame.

A crop is held in memory with its read (`offer`) and written only when a decision names it (`keep`), by a thread of
its own: no driver waits for a disk. Pictures of vehicles that belong to nobody on the list lie in a folder of their
own, so that they go in time even where the journal's row that named them is gone already.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gate_controller.errors import StoreError
from sync.pictures import Picture

if TYPE_CHECKING:
    from recognition.frame import Image

log = logging.getLogger(__name__)

JPEG_QUALITY: Final = 85
STRANGERS: Final = "strangers"
OFFERED_LEN_MAX: Final = 32
"""Crops in memory, of all cameras; one takes up to 70 kB. The oldest goes: it decided nothing for that long."""
WRITING_LEN_MAX: Final = 16
"""Pictures that wait for a slow disk; further ones are lost."""


class EvidenceFolder:
    """A folder of JPEG crops named by the read that they show."""

    def __init__(self, folder: Path) -> None:
        """Makes the folder. Raises `StoreError` naming it when that is not possible."""
        try:
            (folder / STRANGERS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"{folder}: cannot keep pictures here: {error.strerror}; choose another folder"
            ) from None
        self._folder = folder
        self._offered: dict[str, Image] = {}
        self._free = threading.Semaphore(WRITING_LEN_MAX)
        self._writer = ThreadPoolExecutor(1, "evidence")
        self._said: set[str] = set()

    def offer(self, name: str, crop: Image) -> None:
        """Hold a (H, W, 3) uint8 BGR crop in memory under the file name that a decision may name."""
        self._offered.pop(name, None)
        self._offered[name] = crop
        if len(self._offered) > OFFERED_LEN_MAX:
            del self._offered[next(iter(self._offered))]

    def keep(self, name: str, stranger: bool) -> None:
        """Write the crop offered under this name, soon and elsewhere; nothing happens if it is written already."""
        crop = self._offered.pop(name, None)
        if crop is None:
            return
        if not self._free.acquire(blocking=False):
            self._complain("the disk is too slow; a picture is lost")
            return
        folder = self._folder / STRANGERS if stranger else self._folder
        self._writer.submit(self._write, folder / name, crop)

    def read(self, name: str, now: datetime, keep: timedelta, keep_strangers: timedelta) -> Picture | None:
        """The picture of this name; None when it is gone, or due to go."""
        for folder, kept in ((self._folder, keep), (self._folder / STRANGERS, keep_strangers)):
            path = folder / Path(name).name
            try:
                erase_at = datetime.fromtimestamp(path.stat().st_mtime, UTC) + kept
                if path.is_file() and erase_at > now:
                    return Picture(path.read_bytes(), erase_at)
            except OSError:  # not here, or gone meanwhile
                continue
        return None

    def close(self) -> None:
        """Return when what was kept is written."""
        self._writer.shutdown()

    def delete(self, names: Iterable[str]) -> None:
        """Delete these pictures of strangers before their time."""
        self._unlink(self._folder / STRANGERS / Path(name).name for name in names)

    def erase(self, now: datetime, keep: timedelta, keep_strangers: timedelta) -> int:
        """Delete pictures older than `keep`, of strangers older than `keep_strangers`; how many went."""
        old = [*_older(self._folder, now - keep), *_older(self._folder / STRANGERS, now - keep_strangers)]
        return self._unlink(old)

    def _write(self, path: Path, crop: Image) -> None:
        import cv2  # a site without cameras never gets here, and need not carry it

        try:
            encoded, data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            if encoded:
                path.write_bytes(data.tobytes())
                self._said.clear()
        except (OSError, cv2.error) as error:
            self._complain(f"a picture cannot be written: {_why(error)}")
            self._unlink([path])  # half a picture shows nothing
        finally:
            self._free.release()

    def _unlink(self, paths: Iterable[Path]) -> int:
        """One that cannot be deleted does not keep the rest; it is tried again when its age is looked at."""
        gone = 0
        for path in paths:
            try:
                path.unlink(missing_ok=True)
                gone += 1
            except OSError as error:
                self._complain(f"a picture cannot be deleted: {_why(error)}")
        return gone

    def _complain(self, what: str) -> None:
        """Once, until a picture can be written again."""
        if what not in self._said:
            self._said.add(what)
            log.error("evidence: %s: %s", self._folder, what)


def _older(folder: Path, than: datetime) -> list[Path]:
    found = []
    for path in folder.glob("*.jpg"):
        try:
            if path.stat().st_mtime < than.timestamp():
                found.append(path)
        except OSError:  # gone meanwhile
            continue
    return found


def _why(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
