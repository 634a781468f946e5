"""What many ask for at once is done once for all of them, and again only after a while."""

import asyncio
from collections.abc import Callable


class Seldom:
    """A deed for whoever wants it: at once, or for all together as soon as the last is `every_s` seconds ago."""

    def __init__(self, deed: Callable[[], None], every_s: float) -> None:
        self._deed, self._every_s = deed, every_s
        self._rests = self._wanted = False

    def want(self) -> None:
        """Done now or later, and after this moment in any case; from a running event loop."""
        if self._rests:
            self._wanted = True
            return
        self._deed()
        self._rests, self._wanted = True, False
        asyncio.get_running_loop().call_later(self._every_s, self._rested)

    def _rested(self) -> None:
        self._rests = False
        if self._wanted:
            self.want()
