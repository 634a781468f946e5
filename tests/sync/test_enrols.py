"""A badge that was handed out is asked about until it is answered, over cuts and restarts, and then no more."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from gate_controller.errors import StoreError
from sync.enrols import AGAIN_AFTER_S, WAITING_LEN_MAX, Enrols
from sync.messages import Enrol
from sync.store import Store

T0 = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)


def question(number: int) -> Enrol:
    return Enrol(
        aud="t/s/e",
        enrol_id=f"desk-{number}",
        desk="desk",
        user="u1",
        badge="04A22F1B",
        bits=32,
        clerk="mia",
        at=T0,
    )


def test_it_is_said_at_once_again_after_a_while_and_on_a_new_connection() -> None:
    waiting = Enrols().asked(question(1))
    waiting, said = waiting.due(100.0)
    assert said == [question(1)]
    assert waiting.due(100.0 + AGAIN_AFTER_S / 2)[1] == []
    assert waiting.deadline_s() == 100.0 + AGAIN_AFTER_S
    assert waiting.due(100.0 + AGAIN_AFTER_S)[1] == [question(1)]
    assert waiting.begun().due(100.0)[1] == [question(1)]


def test_an_answer_ends_it_and_another_s_does_not() -> None:
    waiting = Enrols.of([question(1), question(2)])
    assert waiting.asked_as("desk-1") == question(1)
    answered = waiting.answered("desk-1")
    assert answered.due(0.0)[1] == [question(2)]
    assert answered.asked_as("desk-1") is None
    assert Enrols().deadline_s() is None


async def test_it_outlives_the_program(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "gate.db", lambda: "L")
    for number in (1, 2, 2):
        await store.put_enrol(question(number))
    await store.drop_enrol("desk-1")
    await store.close()
    again = await Store.open(tmp_path / "gate.db", lambda: "L")
    assert await again.enrols() == [question(2)]
    for number in range(3, WAITING_LEN_MAX + 2):
        await again.put_enrol(question(number))
    with pytest.raises(StoreError, match="wait for the portal"):
        await again.put_enrol(msgspec.structs.replace(question(1), enrol_id="one-more"))
    await again.close()
