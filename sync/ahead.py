"""Which parts of a whole list to ask for, so that the next ones travel while those before them are read. Pure."""

from sync.messages import PARTS_AHEAD


class Ahead:
    """What of one whole list was asked for."""

    def __init__(self) -> None:
        # The parts before this one were; and where the next question begins, if not at the first that is not here.
        self._to = self._onward = 0

    def asks(self, next_: int, parts: int) -> bool:
        """Whether to ask now, the parts before `next_` being here: once for all that follow one question."""
        end = -(-next_ // PARTS_AHEAD) * PARTS_AHEAD
        if end >= parts or self._to > end:
            return False
        self._onward, self._to = end, end + PARTS_AHEAD
        return True

    @property
    def waiting(self) -> bool:
        """Whether what `asks` wanted has not begun yet."""
        return bool(self._onward)

    def begin(self, next_: int) -> int:
        """The first part to ask for; `next_` if this is a question out of turn, because nobody answered."""
        onward, self._onward = self._onward, 0
        if not onward:
            self._to = 0
        return onward or next_
