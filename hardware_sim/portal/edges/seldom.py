"""What many ask for at once is done once for all of them: at once and seldom again, or a little later."""

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


class Soon:
    """A deed for whoever wants it, done once for all together, `after_s` after the first."""

    def __init__(self, deed: Callable[[], None], after_s: float) -> None:
        self._deed, self._after_s = deed, after_s
        self._due = False

    def want(self) -> None:
        """Done later, and after this moment in any case; from a running event loop."""
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_later(self._after_s, self._done)

    def _done(self) -> None:
        self._due = False
        self._deed()
