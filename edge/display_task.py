"""The screens of the daemon: a code that changes with time while the portal is there, else why there is none.

What a person does with the code is the portal's business, and only its order opens: nothing here moves a boom.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from edge import clock
from edge.config import Config
from edge.display_table import DisplayTable
from edge.link import Link
from gate_controller.access import device_reason
from gate_controller.devices.text_display import Sheet, TextDisplay
from gate_controller.moment import Moment
from gate_controller.reasons import DRIVER
from gate_controller.site import Site
from sync import shown
from sync.device_key import device_key
from sync.signing import Signer

SHOWN_FOR_S: Final = 20.0
"""Then comes the next code, so that one that was photographed is soon worth nothing."""
LOOK_EVERY_S: Final = 0.25
CUT_OFF: Final = Sheet(
    ("No code can be shown now:", "this gate is cut off.", "Please use your plate, badge or pass.")
)


class House(Protocol):
    """What a screen needs of the daemon."""

    @property
    def site(self) -> Site:
        """The site as it is now."""


class DisplayTask:
    """One screen. `signer` is the edge's own key, `audience` tenant, site and edge."""

    def __init__(
        self,
        table: DisplayTable,
        port: str,
        house: House,
        connected: Callable[[], bool],
        signer: Signer,
        audience: str,
    ) -> None:
        self._table, self._house, self._connected = table, house, connected
        self._signer, self._audience = signer, audience
        self._code, self._since_s = "", -SHOWN_FOR_S
        self._codec = TextDisplay()
        self._link = Link(port, self._codec, lambda signal: None)

    async def run(self) -> None:
        """Show what is to be seen, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._link.run())
            while True:
                self._codec.show(self.sheet(clock.now()))
                self._link.drive([])
                await asyncio.sleep(LOOK_EVERY_S)

    def sheet(self, now: Moment) -> Sheet:
        """What is to be seen at this moment."""
        reason = device_reason(self._house.site, self._table.lane)
        if reason is not None:
            return Sheet((DRIVER[reason],))
        if not self._connected():
            self._since_s = now.mono_s - SHOWN_FOR_S
            return CUT_OFF
        if now.mono_s - self._since_s >= SHOWN_FOR_S:
            self._code = shown.issue(self._signer, self._audience, self._table.lane, now.wall)
            self._since_s = now.mono_s
        address = f"{self._table.pages.rstrip('/')}/{shown.PATH}/{self._code}"
        return Sheet(("Scan this with your phone", f"to open {self._table.lane}."), address)


class Portal(Protocol):
    """What a screen needs of the link to the portal."""

    @property
    def connected(self) -> bool:
        """Whether there is a way to the portal now."""


def displays(config: Config, house: House, portal: Portal | None) -> list[DisplayTask]:
    """The screens of one edge; they sign with the key that lies beside its database. Raises StoreError."""
    if config.portal is None or portal is None or not config.displays:
        return []
    signer = device_key(config.path(config.store.path).parent)
    audience = config.portal.address().audience
    return [
        DisplayTask(table, str(config.path(table.port)), house, lambda: portal.connected, signer, audience)
        for table in config.displays.values()
    ]
