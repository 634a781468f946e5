"""Pictures of the plates that decided: kept for a while, then deleted. Never a stream, never a whole frame."""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import cv2

from gate_controller.errors import StoreError
from recognition.frame import Image

log = logging.getLogger(__name__)

JPEG_QUALITY = 85


class EvidenceFolder:
    """A folder of JPEG crops named by id."""

    def __init__(self, folder: Path) -> None:
        """Makes the folder. Raises `StoreError` naming it when that is not possible."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"{folder}: cannot keep pictures here: {error.strerror}; choose another folder"
            ) from None
        self._folder = folder

    def save(self, name: str, crop: Image) -> str | None:
        """Write a (H, W, 3) uint8 BGR crop; its file name, or None when the disk refuses: a driver never waits."""
        path = self._folder / f"{name}.jpg"
        try:
            encoded, data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            if encoded:
                path.write_bytes(data.tobytes())
                return path.name
        except OSError as error:
            log.error("evidence: %s: %s", path, error.strerror)
        return None

    def delete(self, names: Iterable[str]) -> None:
        """Delete these pictures before their time."""
        for name in names:
            (self._folder / Path(name).name).unlink(missing_ok=True)

    def erase(self, now: datetime, keep: timedelta) -> int:
        """Delete pictures older than `keep`; how many went."""
        old = [path for path in self._folder.glob("*.jpg") if path.stat().st_mtime < (now - keep).timestamp()]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)
