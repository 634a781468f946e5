"""Characters a reader takes for one another, and the folding that ignores the difference.

Here: the groups and `fold`. Not here: which of two look-alikes is meant (that is the layout's or the
allowlist's business) and any other confusion; an unrelated substitution is never forgiven.
"""

from collections.abc import Sequence

# Field practice for plates (OCR-equivalence tables of plate matchers): O 0 D Q, I 1, B 8, S 5, Z 2, G 6;
# the dots of an umlaut are the first thing blur takes away. O/Ö and A/Ä share a group with their base letter.
LOOK_ALIKES: tuple[str, ...] = ("O0DQÖ", "I1", "B8", "S5", "Z2", "G6", "AÄ", "UÜ")

GROUP_OF: dict[str, str] = {char: group for group in LOOK_ALIKES for char in group}

# Latin-1 holds every character of a canonical key in one byte, and bytes are folded several times faster than text.
_FOLDING = bytes.maketrans(
    "".join(group[1:] for group in LOOK_ALIKES).encode("latin-1"),
    "".join(group[0] * (len(group) - 1) for group in LOOK_ALIKES).encode("latin-1"),
)


def skeleton(key: str) -> bytes:
    """What all look-alikes of a canonical key have in common, as an index key."""
    return key.encode("latin-1").translate(_FOLDING)


def skeletons(keys: Sequence[str]) -> list[bytes]:
    """Those of many canonical keys, in a fraction of the time."""
    return "\n".join(keys).encode("latin-1").translate(_FOLDING).split(b"\n") if keys else []


def fold(key: str) -> str:
    """The key with every character replaced by the first of its group; equal for look-alikes, and only for them."""
    return skeleton(key).decode("latin-1")
