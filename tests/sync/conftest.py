"""A store on a real file."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sync.store import Store
from tests.sync.samples import open_store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gate.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    opened = await open_store(path)
    yield opened
    await opened.close()
