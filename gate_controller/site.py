"""Everything a decision may look at, as one immutable value that the daemon swaps by assignment."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum

from gate_controller.allowlist import Allowlist
from gate_controller.facts import LaneId
from gate_controller.moment import Moment
from gate_controller.occupancy import Occupancy
from gate_controller.standing_orders import Void


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
    user's other vehicle; None means it always does. A list that the portal has not confirmed for
    `permanent_list_max_age` admits nobody any more, one for `temporary_list_max_age` nobody whose permit or
    credential has an end: those change too soon. None means never too old. `claims` is for a site of several
    edges: an entry asks the portal for its user's place, and falls back to this policy; None asks nobody. Exits
    heed none of these.
    """

    capacity: int | None = None
    session_expires_after: timedelta = timedelta(days=7)
    missed_exit_grace: timedelta | None = None
    permanent_list_max_age: timedelta | None = None
    temporary_list_max_age: timedelta | None = timedelta(hours=72)
    claims: ClaimPolicy | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """The cached allowlist, the occupancy and the rules at one instant.

    `tz` is the site's time zone for schedules; `list_confirmed_at` is when the portal last said the list is
    current (None for a site without a portal), by the portal's clock, and `list_since_mono_s` an instant at which
    that was so already, by one that nobody can set. `inactive` holds the lanes that are switched off by the
    configuration or by order, `voids` what counts no more although the list does not say so yet; `name` is what the
    portal calls the site, "" without one.
    """

    allowlist: Allowlist
    tz: tzinfo
    occupancy: Occupancy = field(default_factory=Occupancy)
    rules: Rules = field(default_factory=Rules)
    list_confirmed_at: datetime | None = None
    list_since_mono_s: float | None = None
    inactive: frozenset[LaneId] = frozenset()
    voids: frozenset[Void] = frozenset()
    name: str = ""

    def is_void(self, user_id: str, credential: str = "") -> bool:
        """Whether an order has made the user, or this credential of it, void before the list says so."""
        listed = self.allowlist.epoch, self.allowlist.revision
        named = user_id, credential
        return any((v.user_id, v.credential) == named and not v.over(*listed) for v in self.voids)

    def list_age(self, now: Moment) -> timedelta | None:
        """How long nobody has confirmed the list, by whichever clock says longer; None without a portal.

        A clock set back does not make it young, nor does a confirmation that somebody held back.
        """
        if self.list_confirmed_at is None:
            return None
        ages = [timedelta(), now.wall - self.list_confirmed_at]
        if self.list_since_mono_s is not None:
            ages.append(timedelta(seconds=now.mono_s - self.list_since_mono_s))
        return max(ages)

    def list_max_age(self, temporary: bool) -> timedelta | None:
        """How old the list may be for a permit of this class; None is any age."""
        limits = [self.rules.permanent_list_max_age, self.rules.temporary_list_max_age if temporary else None]
        return min((limit for limit in limits if limit is not None), default=None)
