"""Everything a decision may look at, as one immutable value that the daemon swaps by assignment."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum

from gate_controller.allowlist import Allowlist
from gate_controller.facts import LaneId
from gate_controller.occupancy import Occupancy


class ClaimPolicy(StrEnum):
    """What an entry does when the portal does not say in time whether the user's place is free at other edges.

    `DENY_IF_LOCAL_SAYS_INSIDE` refuses whom this edge's own books have inside, even where it would forgive that as
    a missed exit.
    """

    GRANT_AND_REPORT = "grant_and_report"
    DENY_IF_LOCAL_SAYS_INSIDE = "deny_if_local_says_inside"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Rules:
    """A site's own choices.

    `capacity` counts vehicles, None is unlimited. A session older than `session_expires_after` is closed by
    itself (Genetec forgets presence after 7 days). One older than `missed_exit_grace` no longer refuses its
    user's other vehicle; None means it always does. A list not confirmed by the portal for `list_max_age`
    admits nobody; None means a list never grows too old. `claims` is for a site of several edges: an entry asks the
    portal for its user's place, and falls back to this policy; None asks nobody. Exits heed none of these.
    """

    capacity: int | None = None
    session_expires_after: timedelta = timedelta(days=7)
    missed_exit_grace: timedelta | None = None
    list_max_age: timedelta | None = None
    claims: ClaimPolicy | None = None


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
