"""What the program says it is, installed and not."""

import importlib.metadata

import pytest

from edge.version import software


def test_an_installed_program_names_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", {"slagboom": "1.2.3"}.__getitem__)
    assert software() == "slagboom 1.2.3"


def test_a_checkout_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert software() == "slagboom from a checkout"
