"""A portal's folder: `portal.toml` says whose portal it is; beside it lie the database, the keys and the socket.

Not here: what the commands do with it (`counter`), and the keys and tables themselves (`keys`, `books`).
"""

import random
import secrets
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from edge import clock
from edge.config import Name
from edge.control import socket_of
from edge.tables import Text, read_toml, table
from gate_controller.errors import ConfigError, PortalError
from sync.identity import write_whole

if TYPE_CHECKING:
    from hardware_sim.portal.edges.service import Portal

SETTINGS: Final = "portal.toml"


class PortalSite(Struct, forbid_unknown_fields=True):
    """`[portal]`: the one tenant and site of this portal, and the time zone in which its lists are meant."""

    tenant: Name
    site: Name
    time_zone: Text


@dataclass(frozen=True, slots=True)
class PortalFolder:
    """Where a portal keeps everything. Made by `create`, found by `load`."""

    path: Path
    tenant: str
    site: str
    tz: ZoneInfo

    @classmethod
    def create(cls, path: Path, tenant: str, site: str, time_zone: str) -> "PortalFolder":
        """A new folder, or an empty one taken. Raises ConfigError for a name that is none, PortalError, OSError."""
        if (path / SETTINGS).exists():
            raise PortalError(f"{path}: there is a portal already; `slagboom portal about {path}` tells of it")
        made = _checked(path, {"tenant": tenant, "site": site, "time_zone": time_zone}, "the names given")
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lines = [f'{key} = "{value}"\n' for key, value in (("tenant", tenant), ("site", site))]
        write_whole(
            path / SETTINGS, "".join(["[portal]\n", *lines, f'time_zone = "{time_zone}"\n']).encode(), 0o644
        )
        return made

    @classmethod
    def load(cls, path: Path) -> "PortalFolder":
        """A folder that `create` made. Raises PortalError where none is, and ConfigError for wrong settings."""
        file = path / SETTINGS
        if not file.exists():
            raise PortalError(f"{path}: no portal is here; make one with `slagboom portal init {path}`")
        return _checked(path, read_toml(file).get("portal"), str(file))

    @property
    def database(self) -> Path:
        return self.path / "portal.db"

    @property
    def socket(self) -> Path:
        """Where a running portal is asked."""
        return socket_of(self.database)

    async def open(self) -> "Portal":
        """The portal of this folder, held until it is closed. Raises StoreError when another process has it."""
        from hardware_sim.portal.edges.service import Portal
        from sync.portal import Surroundings

        around = Surroundings(clock.now, random.random, partial(secrets.token_hex, 8))
        return await Portal.open(self.database, self.tenant, self.site, around)


def _checked(path: Path, settings: object, place: str) -> PortalFolder:
    problems: list[str] = []
    found = table({"portal": settings}, "portal", PortalSite, problems)
    if found is not None:
        try:
            return PortalFolder(path, found.tenant, found.site, ZoneInfo(found.time_zone))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            problems.append(f'portal.time_zone: no time zone "{found.time_zone}"; write it like "Europe/Amsterdam"')
    raise ConfigError([f"{place}: {problem}" for problem in problems])
