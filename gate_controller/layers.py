"""A dictionary too large to copy at every change: a shared base and a small overlay.

Both are never changed once a reader can see them; a change copies the overlay only. Merging the two is left to
the caller, because it takes as long as the whole list is large.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", str, bytes)
_MISSING: Any = object()


class Holders(tuple[Any, ...]):
    """Several rows under one key; a single row stands there by itself."""

    __slots__ = ()


def rows_under(value: Any) -> tuple[Any, ...]:
    """The rows of an index value: none, the one, or all."""
    if value is None:
        return ()
    return value if type(value) is Holders else (value,)


@dataclass(frozen=True, slots=True, eq=False)
class Layer(Generic[Key]):
    """An immutable mapping whose `get` is the base's own as long as nothing was changed."""

    base: dict[Key, Any]
    over: dict[Key, Any]
    get: Callable[[Key], Any]

    @classmethod
    def of(cls, base: dict[Key, Any], over: dict[Key, Any]) -> "Layer[Key]":
        """The overlay on the base; None in the overlay hides the base's value. An empty base is replaced."""
        if not base and over:
            base, over = {key: value for key, value in over.items() if value is not None}, {}
        return cls(base, over, _getter(base, over) if over else base.get)

    def items(self) -> Iterator[tuple[Key, Any]]:
        """All pairs that are there, in no promised order."""
        for key, value in self.base.items():
            if key not in self.over:
                yield key, value
        for key, value in self.over.items():
            if value is not None:
                yield key, value

    def values(self) -> Iterator[Any]:
        """All values that are there, in no promised order."""
        return (value for _, value in self.items())

    def merged(self) -> "Layer[Key]":
        """The same content without an overlay; takes as long as the base is large."""
        return self if not self.over else Layer.of(dict(self.items()), {})


def _getter(base: dict[Key, Any], over: dict[Key, Any]) -> Callable[[Key], Any]:
    changed, unchanged = over.get, base.get

    def get(key: Key) -> Any:
        value = changed(key, _MISSING)
        return unchanged(key) if value is _MISSING else value

    return get


class Draft(Generic[Key]):
    """A layer being changed; the layer it came from stays as it was, and is what comes of no change."""

    __slots__ = ("_layer", "_over", "get", "hides")

    def __init__(self, layer: Layer[Key]) -> None:
        self._layer: Layer[Key] = layer
        # Copied with the first change: most changes touch few of a list's layers.
        self._over: dict[Key, Any] | None = None
        self.hides = bool(layer.over)
        """Whether something in the overlay may be None."""
        self.get: Callable[[Key], Any] = layer.get

    @property
    def over(self) -> dict[Key, Any]:
        """The overlay so far."""
        return self._layer.over if self._over is None else self._over

    def put(self, key: Key, value: Any) -> None:
        self._own()[key] = value
        self.hides = self.hides or value is None

    def put_all(self, values: dict[Key, Any]) -> None:
        """Put many, none of them None."""
        self._own().update(values)

    def meets(self, keys: Collection[Key]) -> bool:
        """Whether any of these keys is there, or was."""
        return not (self.over.keys().isdisjoint(keys) and self._layer.base.keys().isdisjoint(keys))

    def add(self, key: Key, row: Any) -> None:
        """Put a row under a key beside those that are there."""
        there: Any = self.get(key)
        if there is not None:
            row = Holders([*rows_under(there), row])
        self._own()[key] = row

    def add_all(self, pairs: Iterable[tuple[Key, Any]]) -> None:
        """Put each row under its key beside those that are there."""
        over, get = self._own(), self.get
        for key, row in pairs:
            there: Any = get(key)
            over[key] = row if there is None else Holders([*rows_under(there), row])

    def drop(self, key: Key, row: Any) -> None:
        """Take this very row from under a key."""
        left: list[Any] = [held for held in rows_under(self.get(key)) if held != row]
        self.put(key, Holders(left) if len(left) > 1 else left[0] if left else None)

    def layer(self) -> Layer[Key]:
        """What has come of it; nothing is put after that."""
        if self._over is None:
            return self._layer
        if not self._layer.base and not self.hides:
            # Of a whole list, too large to be copied.
            return Layer(self._over, {}, self._over.get)
        return Layer.of(self._layer.base, self._over)

    def _own(self) -> dict[Key, Any]:
        """The overlay to be changed."""
        if self._over is not None:
            return self._over
        base = self._layer.base
        over = self._over = dict(self._layer.over)
        # A whole list in the making is asked ten times for each user.
        self.get = _getter(base, over) if base else over.get
        return over
