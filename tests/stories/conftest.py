"""Passwords are slow to try on purpose, and stories have many."""

import pytest

from hardware_sim.portal.records import passwords


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "COST", (4, 8, 1))
