"""A portal's house over a real database, with a clock that is set."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from gate_controller.moment import Moment
from hardware_sim.portal.edges.service import Portal
from hardware_sim.portal.house import House
from sync.portal import Surroundings

BEGIN = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.at = BEGIN

    def __call__(self) -> Moment:
        return Moment(self.at, (self.at - BEGIN).total_seconds())

    def pass_(self, **delta: float) -> None:
        self.at += timedelta(**delta)


@asynccontextmanager
async def a_house(folder: Path, clock: Clock | None = None) -> AsyncIterator[House]:
    """The house of tenant `acme`, site `north`."""
    ids = count(1)
    around = Surroundings(clock or Clock(), random.Random(1).random, lambda: f"id-{next(ids)}")
    portal = await Portal.open(folder / "portal.db", "acme", "north", around)
    try:
        yield await House.open(portal, "Europe/Amsterdam", "http://portal.example.net")
    finally:
        await portal.close()
