"""How often one address may be wrong: so many times a minute, then it waits, whatever it says."""

from collections import OrderedDict
from typing import Final

ADDRESSES_LEN_MAX: Final = 10_000
"""Beyond that, whoever was wrong longest ago is forgotten."""


class Throttle:
    """Wrong tries by address; `mono_s` is the caller's clock."""

    def __init__(self, tries_max: int, per_s: float) -> None:
        self._tries_max, self._per_s = tries_max, per_s
        self._tries: OrderedDict[str, list[float]] = OrderedDict()

    def closed(self, address: str, mono_s: float) -> bool:
        """Whether the address must wait."""
        recent = [at_s for at_s in self._tries.get(address, ()) if mono_s - at_s < self._per_s]
        return len(recent) >= self._tries_max

    def wrong(self, address: str, mono_s: float) -> None:
        """Count a wrong try."""
        recent = [at_s for at_s in self._tries.pop(address, []) if mono_s - at_s < self._per_s]
        self._tries[address] = [*recent, mono_s][-self._tries_max :]
        if len(self._tries) > ADDRESSES_LEN_MAX:
            self._tries.popitem(last=False)
