"""The pages on a real port."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.hardware_sim.portal.web.web_rig import Served, served


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as running:
        yield running
