"""A screen at the entry of a simulated site: it shows lines of text and a QR code, which a person's phone reads."""

from pathlib import Path
from typing import Final

from hardware_sim.peers import PtyPeer

CONFIG: Final = """
[displays.entry_screen]
port = "{port}"
lane = "entry"
pages = "{pages}"
"""


class SimulatedScreen(PtyPeer):
    """A screen that shows lines of text and a QR code, as it was last told to."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._coming = b""
        self.text: list[str] = []
        """The lines on the screen."""
        self.qr = ""
        """What its QR code says, "" while there is none."""

    def config(self, pages: str) -> str:
        """The table of the site's settings that belongs to it; `pages` is where the portal's are."""
        return CONFIG.format(port=self.path, pages=pages)

    def _answer(self, data: bytes) -> bytes:
        *lines, self._coming = (self._coming + data).split(b"\r\n")
        for line in lines:
            word, _, rest = line.decode("ascii", "replace").partition(" ")
            if word == "CLEAR":
                self.text, self.qr = [], ""
            elif word == "QR":
                self.qr = rest
            elif word == "TEXT":
                self.text = [*self.text, rest]
        return b""
