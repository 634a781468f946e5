"""One contact, freed of bounce. Which way is dangerous is not decided here: both directions wait alike."""

DEBOUNCE_S = 0.05


class Debounce:
    """Believes a change once samples have agreed on it for `DEBOUNCE_S`, none between them differing."""

    def __init__(self, on: bool) -> None:
        self.on = on
        self._differs_since_s: float | None = None

    @property
    def unsettled(self) -> bool:
        """True while a change was seen and not yet believed."""
        return self._differs_since_s is not None

    def see(self, on: bool, at_s: float) -> bool:
        """Take one sample; True if `on` changed by it."""
        if on == self.on:
            self._differs_since_s = None
            return False
        if self._differs_since_s is None:
            self._differs_since_s = at_s
            return False
        if at_s - self._differs_since_s < DEBOUNCE_S:
            return False
        self.on = on
        self._differs_since_s = None
        return True
