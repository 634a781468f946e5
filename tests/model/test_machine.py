"""The whole model against its oracle: a short run here, and 20,000 steps by `make model`."""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import DECISIONS, STEPS, Model

RELEASE = os.environ.get("HYPOTHESIS_PROFILE") == "model"
STEPS_EACH = 40
STEPS_MIN = 20_000 if RELEASE else 240
SPARE = 1.1
"""An example may have fewer steps than it could."""


@pytest.mark.hypothesis
def test_no_step_diverges(capsys: pytest.CaptureFixture[str]) -> None:
    STEPS.clear()
    DECISIONS.clear()
    run_state_machine_as_test(
        Model,
        settings=settings(
            max_examples=round(SPARE * STEPS_MIN / STEPS_EACH),
            stateful_step_count=STEPS_EACH,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )
    steps = sum(count for name, count in STEPS.items() if ":" not in name)
    if RELEASE:
        with capsys.disabled():
            print(f"\n{steps} steps, 0 divergences")
            for title, counts in (("steps by rule", STEPS), ("decisions and records", DECISIONS)):
                print(f"{title}:")
                for name, count in sorted(counts.items()):
                    print(f"  {count:7} {name}")
    assert steps >= STEPS_MIN, f"only {steps} steps were played"
