"""Every relation of revisions, as one table."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sync.messages import ListDelta, ListHead, ListPart, Revision
from sync.replica import Step, on_delta, on_head, on_part

AT_5 = Revision("e", 5)
T0 = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)
SIGNED: dict[str, Any] = {"aud": "t/s", "iat": T0, "exp": T0, "era": 1, "root": ""}


@pytest.mark.parametrize(
    ("have", "epoch", "rev", "step"),
    [
        (None, "e", 0, Step.SNAPSHOT),
        (AT_5, "other", 5, Step.SNAPSHOT),
        (AT_5, "e", 6, Step.GAP),
        (AT_5, "e", 5, Step.IGNORE),
        (AT_5, "e", 4, Step.IGNORE),
    ],
)
def test_head(have: Revision | None, epoch: str, rev: int, step: Step) -> None:
    assert on_head(have, ListHead(**SIGNED, epoch=epoch, rev=rev)) is step


@pytest.mark.parametrize(
    ("have", "epoch", "from_", "to", "step"),
    [
        (None, "e", 0, 1, Step.SNAPSHOT),
        (AT_5, "other", 5, 6, Step.SNAPSHOT),
        (AT_5, "e", 5, 6, Step.APPLY),
        (AT_5, "e", 5, 9, Step.APPLY),
        (AT_5, "e", 5, 5, Step.APPLY),
        (AT_5, "e", 4, 5, Step.IGNORE),
        (AT_5, "e", 3, 4, Step.IGNORE),
        (AT_5, "e", 5, 4, Step.IGNORE),
        (AT_5, "e", 6, 7, Step.GAP),
        (AT_5, "e", 4, 6, Step.GAP),
    ],
)
def test_delta(have: Revision | None, epoch: str, from_: int, to: int, step: Step) -> None:
    assert on_delta(have, ListDelta(**SIGNED, epoch=epoch, from_=from_, to=to, ops=[])) is step


@pytest.mark.parametrize(
    ("have", "epoch", "rev", "step"),
    [
        (None, "e", 1, Step.APPLY),
        (AT_5, "e", 6, Step.APPLY),
        (AT_5, "e", 5, Step.APPLY),
        (AT_5, "e", 4, Step.IGNORE),
        (AT_5, "other", 1, Step.APPLY),
    ],
)
def test_whole_list(have: Revision | None, epoch: str, rev: int, step: Step) -> None:
    assert on_part(have, ListPart(**SIGNED, epoch=epoch, rev=rev, part=0, parts=1, packed=b"")) is step
