"""Characters a reader takes for one another, and the folding that ignores the difference.

Here: the groups and `fold`. Not here: which of two look-alikes is meant (that is the layout's or the
allowlist's business) and any other confusion; an unrelated substitution is never forgiven.
"""

# Field practice for plates (OCR-equivalence tables of plate matchers): O 0 D Q, I 1, B 8, S 5, Z 2, G 6;
# the dots of an umlaut are the first thing blur takes away. O/Ö and A/Ä share a group with their base letter.
LOOK_ALIKES: tuple[str, ...] = ("O0DQÖ", "I1", "B8", "S5", "Z2", "G6", "AÄ", "UÜ")

GROUP_OF: dict[str, str] = {char: group for group in LOOK_ALIKES for char in group}

_FOLDING = str.maketrans({char: group[0] for group in LOOK_ALIKES for char in group[1:]})


def fold(key: str) -> str:
    """Skeleton of a canonical key: two keys have the same one exactly when they differ in look-alikes only."""
    return key.translate(_FOLDING)


def variants(char: str) -> str:
    """The characters that look like `char`, itself included, never empty."""
    return GROUP_OF.get(char, char)
