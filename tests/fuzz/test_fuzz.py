"""A small share of the fuzzing on each side; `python -m tests.fuzz` plays a hundred thousand."""

import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from sync.signing import Refusal
from tests.fuzz import edge_side, portal_side
from tests.fuzz.__main__ import table
from tests.fuzz.edge_side import Table

Play = Callable[[Path, random.Random, int], Awaitable[Table]]


@pytest.mark.parametrize(
    ("play", "messages", "reasons"),
    [
        (edge_side.attacked, 1500, {"unknown_topic"}),
        (portal_side.attacked, 1500, {"nothing new"}),
        (edge_side.maddened, 200, {"believed", "answered_before"}),
        (portal_side.maddened, 400, {"believed"}),
    ],
    ids=["broker to edge", "broker to portal", "mad portal", "mad edge"],
)
async def test_nothing_crashes_and_nothing_but_the_other_side_s_word_changes_anything(
    tmp_path: Path, play: Play, messages: int, reasons: set[str]
) -> None:
    found = await play(tmp_path, random.Random(7), messages)
    assert found.total() == messages
    assert {reason for _, reason in found} <= {*Refusal, *reasons}
    assert len(found) > 10, "all kinds came"
    assert f"t: {messages} messages in 1 s" in table("t", found, 1.0)
