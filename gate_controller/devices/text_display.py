"""A small screen at the lane: it is sent a page of lines, each behind a word that says how to show it.

`CLEAR` empties the screen, `QR` draws its text as a QR code, `TEXT` shows it; a line ends with CR LF. It answers
nothing. A page is written whole when it changes and whenever the screen comes back; one that is lost with the port
is written again, because what is shown opens nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gate_controller.devices.codec import Drive, Signal
from gate_controller.moment import Moment

LINE_LEN_MAX = 512


@dataclass(frozen=True, slots=True)
class Sheet:
    """What stands on the screen: a QR code of `qr` unless that is "", and lines of text."""

    lines: tuple[str, ...]
    qr: str = ""


class TextDisplay:
    """Shows the last sheet that it was given."""

    def __init__(self) -> None:
        self._sheet: Sheet | None = None
        self._written = False

    def show(self, sheet: Sheet) -> None:
        """From now on this is to be seen; `send` writes it."""
        if sheet != self._sheet:
            self._sheet, self._written = sheet, False

    def receive(self, data: bytes, now: Moment) -> list[Signal]:
        """Nothing, whatever it says."""
        return []

    def send(self, wanted: Sequence[Drive], now: Moment) -> bytes:
        """The sheet, if it has not been written since it changed or the screen came back."""
        if self._sheet is None or self._written:
            return b""
        self._written = True
        lines = ["CLEAR", *([f"QR {self._sheet.qr}"] if self._sheet.qr else [])]
        lines += [f"TEXT {line}" for line in self._sheet.lines]
        return "".join(f"{_plain(line)}\r\n" for line in lines).encode("ascii")

    def deadline(self) -> float | None:
        """Never: only a new sheet, or the screen's return, is a reason to write."""
        return None

    def lost(self) -> None:
        """What stands on a screen that went is not known."""
        self._written = False


def _plain(line: str) -> str:
    return "".join(c if " " <= c <= "~" else "?" for c in line)[:LINE_LEN_MAX]
