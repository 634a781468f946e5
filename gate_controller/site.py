"""Everything a decision may look at, as one immutable value that the daemon swaps by assignment."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from gate_controller.allowlist import Allowlist
from gate_controller.facts import LaneId
from gate_controller.occupancy import Occupancy


@dataclass(frozen=True, slots=True)
class Rules:
    """A site's own choices.

    `capacity` counts vehicles, None is unlimited. A session older than `session_expires_after` is closed by
    itself (Genetec forgets presence after 7 days). One older than `missed_exit_grace` no longer refuses its
    user's other vehicle; None means it always does. A list not confirmed by the portal for `list_max_age`
    admits nobody; None means a list never grows too old. Exits heed none of these.
    """

    capacity: int | None = None
    session_expires_after: timedelta = timedelta(days=7)
    missed_exit_grace: timedelta | None = None
    list_max_age: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """The cached allowlist, the occupancy and the rules at one instant.

    `tz` is the site's time zone for schedules; `list_confirmed_at` is when the portal last said the list is
    current (None for a site without a portal); `inactive` holds the lanes that are switched off.
    """

    allowlist: Allowlist
    tz: tzinfo
    occupancy: Occupancy = field(default_factory=Occupancy)
    rules: Rules = field(default_factory=Rules)
    list_confirmed_at: datetime | None = None
    inactive: frozenset[LaneId] = frozenset()
