"""What must be well before phone apps are activated: link, list and clock of the gates, and the site's own address.

Here it is only found out and named, with what to do; whom it stops is the business of `activation`.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from hardware_sim.portal.house import House
from hardware_sim.portal.journals.ledgers import EdgeSeen
from sync.messages import Revision

CLOCK_OFF_MAX: Final = timedelta(seconds=30)
"""A phone's pass counts for 90 s, and the newest is up to 30 s old: more than this, and good ones are refused."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be well; `problem` is empty when it is, else `todo` says what to do."""

    what: str
    problem: str = ""
    todo: str = ""

    @property
    def ready(self) -> bool:
        """Whether it is well."""
        return not self.problem


async def checks(house: House) -> list[Check]:
    """Every check of the portal's own site, well or not, in the order in which they are best mended."""
    portal = house.portal
    edges = await portal.edges()
    newest = Revision(portal.allowlist.epoch, portal.allowlist.revision)
    site = await house.run(house.organisations.site, house.site)
    return [
        Check("Link to the broker", *_link(portal.connection is not None, edges)),
        Check("List in force at the gates", *_list(edges, newest)),
        Check("Clock of the gates", *_clock(edges)),
        Check("Key for passes", *(() if portal.keys.passes else _NO_KEY)),
        Check(
            f"E-mail address of {site.name}",
            *(() if site.email else ("there is none", "write one on the page of the site, so that users can ask")),
        ),
    ]


def told(found: list[Check]) -> str:
    """What is not well, in one line; empty if all is."""
    return "; ".join(f"{one.what}: {one.problem}: {one.todo}" for one in found if not one.ready)


_NO_KEY: Final = ("this portal has none", "run `slagboom portal keys rotate` once")


def _link(connected: bool, edges: list[EdgeSeen]) -> tuple[str, ...]:
    if not connected:
        return "the portal has none", "start the broker, or look at the portal's settings for it"
    if not edges:
        return "no gate has ever connected", "enrol one and start it"
    away = [edge.name for edge in edges if not edge.online]
    return (f"{', '.join(away)} is away", "look at its power and network") if away else ()


def _list(edges: list[EdgeSeen], newest: Revision) -> tuple[str, ...]:
    for edge in edges:
        if edge.revision != newest or edge.stale:
            has = f"revision {edge.revision.rev}" if edge.revision is not None else "none"
            why = f" ({edge.trouble})" if edge.trouble else ""
            return f"{edge.name} has {has} of {newest.rev}{why}", "wait until it has caught up"
    return () if edges else ("no gate has it", "enrol one and start it")


def _clock(edges: list[EdgeSeen]) -> tuple[str, ...]:
    for edge in edges:
        if edge.clock_off is None:
            return f"{edge.name} did not tell its time", "wait until it is connected, and update its program"
        if abs(edge.clock_off) > CLOCK_OFF_MAX:
            way = "ahead" if edge.clock_off > timedelta() else "behind"
            seconds = int(abs(edge.clock_off).total_seconds())
            return (
                f"that of {edge.name} is {seconds} s {way}",
                "set the clock of its machine, and have it kept by NTP",
            )
    return () if edges else ("no gate has told its time", "enrol one and start it")
