"""Passwords are slow to try on purpose, and here there are many."""

import pytest

from hardware_sim.portal.records import passwords


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the tests looks at the cost that is shipped."""
    monkeypatch.setattr(passwords, "COST", (4, 8, 1))
