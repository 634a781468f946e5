"""Who is told of which events: webhooks and mail rules of organisations, and what became of every delivery.

What is to be told is written down in the transaction in which the event is looked at, after its edge was answered;
a receiver that is dead holds up nothing but what waits for it. A webhook is tried again after ever longer, random
waits, a bounded number of times; after that, and whenever somebody wishes, it is sent again by hand, under the same
id, so that a receiver which has it already knows.

Every method runs on the database connection's own thread, inside the transaction that its owner opened.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import msgspec

from gate_controller.errors import BadInput
from hardware_sim.portal.house import House
from hardware_sim.portal.journals.ledgers import PortalEvent
from hardware_sim.portal.records import inputs
from hardware_sim.portal.records.inputs import Overtaken, WrongField
from hardware_sim.portal.records.sealing import Seal
from hardware_sim.portal.webhooks import webhooks
from hardware_sim.portal.webhooks.notices import KINDS, Notice, notice

SUBSCRIPTIONS_MAX: Final = 20
"""Of one organisation."""
HOSTS_MAX: Final = 100
WAITING_MAX: Final = 5000
"""Deliveries of one subscription that wait; one more is not tried, and can be sent by hand."""
TRIES_MAX: Final = 20
RETRY_FIRST_S: Final = 2.0
RETRY_MAX_S: Final = 3600.0
"""A wait is drawn between 0 and a bound that doubles up to this: the last try comes after five hours on average."""
MAILS_PER_H_MAX: Final = 30
"""Of one rule; more are written down and not mailed."""
KEPT_FOR: Final = timedelta(days=30)


class Means(StrEnum):
    """How somebody is told."""

    WEBHOOK = "webhook"
    MAIL = "mail"


class State(StrEnum):
    """What became of a delivery."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"
    WITHHELD = "withheld"


@dataclass(frozen=True, slots=True)
class Subscription:
    """Events of these kinds, at one device or at all ("") that the organisation sees, go to `target`."""

    id: str
    organisation: str
    means: Means
    target: str
    events: tuple[str, ...]
    device: str = ""
    enabled: bool = True
    version: int = 1


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one subscription; `due_at` counts while it waits, `told_at` is when it last changed."""

    number: int
    subscription: str
    event: str
    kind: str
    device: str
    at: datetime
    body: str
    state: State
    tries: int
    said: str
    due_at: datetime
    told_at: datetime

    @property
    def message(self) -> str:
        """The id that a receiver knows it by, however often it comes."""
        return f"{self.subscription}.{self.event}"


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery to be tried now: where, and signed with what."""

    delivery: Delivery
    target: str
    sealed: bytes


class Subscriptions:
    """The subscriptions and deliveries of one house."""

    def __init__(self, house: House) -> None:
        self._house, self._db = house, house.portal.database.sql

    # ---- hosts ----

    def hosts(self) -> list[str]:
        """Where webhooks may go."""
        return [host for (host,) in self._db.execute("SELECT host FROM webhook_host ORDER BY host")]

    def allow(self, actor: str, hosts: Sequence[str], before: Sequence[str]) -> None:
        """Let webhooks go to these alone; `before` is what they were changed from. Raises WrongField, Overtaken."""
        wanted = [*dict.fromkeys(webhooks.host(one) for one in hosts)]
        if len(wanted) > HOSTS_MAX:
            raise WrongField("hosts", f"are {len(wanted)}; {HOSTS_MAX} are the most")
        if self.hosts() != [*before]:
            raise Overtaken("somebody else changed the hosts meanwhile; look at them and change them again")
        self._db.execute("DELETE FROM webhook_host")
        self._db.executemany("INSERT INTO webhook_host VALUES (?)", ((one,) for one in wanted))
        self._house.audit.note(self._house.now(), actor, "webhook.hosts", "", " ".join(wanted))

    # ---- subscriptions ----

    def of(self, organisation: str) -> list[Subscription]:
        """Those of an organisation."""
        return [one for one in self.all() if one.organisation == organisation]

    def all(self) -> list[Subscription]:
        """Everybody's."""
        return [_subscription(*row) for row in self._db.execute(f"{_SUBSCRIPTIONS} ORDER BY means, target, id")]

    def get(self, organisation: str, subscription: str) -> Subscription:
        """One of this organisation's. Raises BadInput."""
        found = [one for one in self.of(organisation) if one.id == subscription]
        if not found:
            raise BadInput("there is no such subscription")
        return found[0]

    def put(self, actor: str, wanted: Subscription) -> Subscription:
        """Add one, or change it if `version` is the newest; a new webhook has no secret yet.

        Raises WrongField, Overtaken.
        """
        clean = replace(wanted, target=self._target(wanted), events=tuple(dict.fromkeys(wanted.events)))
        if not clean.events or not {*clean.events} <= {*KINDS}:
            raise WrongField("events", "must be some of those that are told")
        mine = self.of(clean.organisation)
        known = next((one for one in mine if one.id == clean.id), None)
        if any(_same(one, clean) for one in mine if one.id != clean.id):
            raise WrongField("target", "is told of this device already; change that one")
        words = (clean.organisation, clean.means, clean.target, " ".join(clean.events), clean.device, clean.enabled)
        if known is None:
            if len(mine) >= SUBSCRIPTIONS_MAX:
                raise BadInput(f"there are {SUBSCRIPTIONS_MAX} subscriptions already; take one away first")
            self._db.execute("INSERT INTO subscription VALUES (?, ?, ?, ?, ?, ?, ?, NULL, 1)", (clean.id, *words))
        elif known.version != wanted.version:
            raise Overtaken("somebody else changed this meanwhile; look at it and change it again")
        else:
            self._db.execute(
                "UPDATE subscription SET organisation = ?, means = ?, target = ?, events = ?, device = ?,"
                " enabled = ?, version = version + 1 WHERE id = ?",
                (*words, clean.id),
            )
        self._house.audit.note(self._house.now(), actor, "subscription.saved", clean.id, clean.means)
        return clean

    def new_secret(self, actor: str, subscription: str) -> str:
        """A secret that is told here and never again; the one before counts no more. Raises PortalError."""
        text = webhooks.new_secret()
        sealed = self._seal().shut(text, subscription)
        self._db.execute("UPDATE subscription SET sealed = ? WHERE id = ?", (sealed, subscription))
        self._house.audit.note(self._house.now(), actor, "subscription.secret", subscription)
        return text

    def secret(self, due: Due) -> str:
        """What a delivery is signed with. Raises PortalError."""
        return self._seal().read(due.sealed, due.delivery.subscription)

    def remove(self, actor: str, subscription: str) -> None:
        """Nobody is told any more; what waited is gone."""
        self._db.execute("DELETE FROM delivery WHERE subscription = ?", (subscription,))
        self._db.execute("DELETE FROM subscription WHERE id = ?", (subscription,))
        self._house.audit.note(self._house.now(), actor, "subscription.removed", subscription)

    # ---- deliveries ----

    def tell(self, events: Sequence[PortalEvent]) -> None:
        """Write down what is to be told of these, and mail what goes by mail; forget what is long over."""
        listed, now = self._house.portal.allowlist, self._house.now()
        wanted = [one for one in self.all() if one.enabled]
        self._db.execute("DELETE FROM delivery WHERE told_at < ? AND state != 'waiting'", (_text(now - KEPT_FOR),))
        for event in events if wanted else ():
            device = listed.device(getattr(event.fact, "lane", ""))
            user = listed.user(getattr(event.fact, "user_id", None) or "")
            told: dict[str, Notice | None] = {}
            for one in wanted:
                if one.organisation not in told:
                    told[one.organisation] = notice(event, device, user, one.organisation, self._house.tenant, now)
                said = told[one.organisation]
                if said is not None and said.kind in one.events and one.device in ("", said.device):
                    self._put(one, said, now)

    def deliveries(self, subscription: str, limit: int) -> list[Delivery]:
        """The newest deliveries, the newest first."""
        found = self._db.execute(
            f"{_DELIVERIES} WHERE subscription = ? ORDER BY number DESC LIMIT ?", (subscription, limit)
        )
        return [_delivery(row) for row in found]

    def delivery(self, subscription: str, number: int) -> Delivery:
        """One of a subscription's. Raises BadInput."""
        found = self._db.execute(
            f"{_DELIVERIES} WHERE subscription = ? AND number = ?", (subscription, number)
        ).fetchone()
        if found is None:
            raise BadInput("there is no such delivery any more")
        return _delivery(found)

    def again(self, actor: str, subscription: Subscription, number: int) -> None:
        """Send it once more, as it was. Raises BadInput for one that waits anyway."""
        known, now = self.delivery(subscription.id, number), self._house.now()
        if known.state is State.WAITING:
            raise BadInput("it is on its way; wait for what becomes of it")
        if subscription.means is Means.MAIL:
            self._mail(subscription, known, now)
        else:
            self._became(known, State.WAITING, 0, "sent again by hand", now, now)
        self._house.audit.note(now, actor, "delivery.again", subscription.id, known.event)

    def due(self, busy: Collection[str], limit: int) -> list[Due]:
        """What is to be tried now: the first of each subscription that is not `busy` with another."""
        rows = self._db.execute(
            f"{_SUBSCRIPTIONS} WHERE enabled AND sealed IS NOT NULL AND means = 'webhook'"
            " AND EXISTS (SELECT 1 FROM delivery WHERE subscription = subscription.id AND state = 'waiting')"
        ).fetchall()
        found = list[Due]()
        for one in (_subscription(*row) for row in rows):
            first = self._db.execute(
                f"{_DELIVERIES} WHERE subscription = ? AND state = 'waiting' AND due_at <= ?"
                " ORDER BY due_at, number LIMIT 1",
                (one.id, _text(self._house.now())),
            ).fetchone()
            if first is not None and one.id not in busy and len(found) < limit:
                (sealed,) = self._db.execute("SELECT sealed FROM subscription WHERE id = ?", (one.id,)).fetchone()
                found.append(Due(_delivery(first), one.target, bytes(sealed)))
        return found

    def tried(self, of: Delivery, answer: webhooks.Answer, chance: float) -> None:
        """Note what came of a try; `chance` of 0 to 1 draws the wait before the next."""
        now, tries = self._house.now(), of.tries + 1
        wait_s = chance * min(RETRY_MAX_S, RETRY_FIRST_S * 2**tries)
        if answer.taken:
            self._became(of, State.DELIVERED, tries, answer.said, now, now)
        elif tries >= TRIES_MAX:
            self._became(of, State.FAILED, tries, answer.said, now, now)
        else:
            self._became(of, State.WAITING, tries, answer.said, now + timedelta(seconds=wait_s), now)

    # ---- inside ----

    def _target(self, wanted: Subscription) -> str:
        if wanted.means is Means.MAIL:
            return inputs.email(wanted.target, "target")
        return webhooks.address(wanted.target, self.hosts())

    def _seal(self) -> Seal:
        return Seal.open(self._house.portal.database.path.parent / "keys")

    def _put(self, to: Subscription, said: Notice, now: datetime) -> None:
        body = msgspec.json.encode(said.body).decode()
        waiting, times = self._waiting(to.id), (_text(now), _text(now))
        state, why = State.WAITING, ""
        if to.means is Means.WEBHOOK and waiting >= WAITING_MAX:
            state, why = State.FAILED, f"{waiting} others wait already"
        done = self._db.execute(
            "INSERT INTO delivery"
            " (subscription, event, kind, device, at, body, state, tries, said, due_at, told_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?) ON CONFLICT DO NOTHING",
            (to.id, said.body["id"], said.kind, said.device, _text(said.at), body, state, why, *times),
        )
        if done.rowcount and to.means is Means.MAIL:
            made = self.delivery(to.id, int(done.lastrowid or 0))
            if self._mailed_lately(to.id, now) < MAILS_PER_H_MAX:
                self._mail(to, made, now)
            else:
                self._became(made, State.WITHHELD, 0, f"more than {MAILS_PER_H_MAX} mails in an hour", now, now)

    def _waiting(self, subscription: str) -> int:
        found = self._db.execute(
            "SELECT count(*) FROM delivery WHERE subscription = ? AND state = 'waiting'", (subscription,)
        )
        return int(found.fetchone()[0])

    def _mailed_lately(self, subscription: str, now: datetime) -> int:
        found = self._db.execute(
            "SELECT count(*) FROM delivery WHERE subscription = ? AND state = 'delivered' AND told_at > ?",
            (subscription, _text(now - timedelta(hours=1))),
        )
        return int(found.fetchone()[0])

    def _mail(self, to: Subscription, of: Delivery, now: datetime) -> None:
        words = _MAIL.format(
            what=KINDS[of.kind], device=of.device, at=f"{of.at:%Y-%m-%d %H:%M:%S} UTC", body=of.body
        )
        link = f"{self._house.url}/notices/{to.id}"
        letter = self._house.mailbox.mail(now, to.target, f"{KINDS[of.kind]}: {of.device}", f"{words}\n{link}\n")
        self._became(of, State.DELIVERED, of.tries + 1, f"in the mailbox as number {letter}", now, now)

    def _became(self, of: Delivery, state: State, tries: int, said: str, due_at: datetime, now: datetime) -> None:
        self._db.execute(
            "UPDATE delivery SET state = ?, tries = ?, said = ?, due_at = ?, told_at = ? WHERE number = ?",
            (state, tries, said, _text(due_at), _text(now), of.number),
        )


_MAIL: Final = """\
{what}, at {device}, {at}.

{body}
"""
_SUBSCRIPTIONS: Final = "SELECT id, organisation, means, target, events, device, enabled, version FROM subscription"
_DELIVERIES: Final = (
    "SELECT number, subscription, event, kind, device, at, body, state, tries, said, due_at, told_at FROM delivery"
)


def _same(one: Subscription, other: Subscription) -> bool:
    return (one.means, one.target, one.device) == (other.means, other.target, other.device)


def _subscription(
    id_: str, organisation: str, means: str, target: str, events: str, device: str, enabled: int, version: int
) -> Subscription:
    return Subscription(
        id_, organisation, Means(means), target, tuple(events.split()), device, bool(enabled), version
    )


def _delivery(row: Sequence[Any]) -> Delivery:
    number, subscription, event, kind, device, at, body, state, tries, said, due_at, told_at = row
    times = [datetime.fromisoformat(one) for one in (at, due_at, told_at)]
    return Delivery(
        number, subscription, event, kind, device, times[0], body, State(state), tries, said, times[1], times[2]
    )


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
