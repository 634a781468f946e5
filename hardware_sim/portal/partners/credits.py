"""Credits: what scans cost organisations, how much is left, who is warned, and how more are booked.

A granted scan costs one credit, and nothing else does; what is one, and who pays for it by the time that it
happened, `charges` says. What was taken back before it opened anything is given back. A balance may go below zero:
nothing that an edge says is dropped, and no gate ever asks whether there is credit.

Every method runs on the database connection's own thread, inside the transaction that its owner opened.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import IntEnum
from typing import Final

from gate_controller.delegation import Device, billed_to
from gate_controller.errors import BadInput
from gate_controller.facts import HoldId, HoldReleased
from hardware_sim.portal.codes.shown_codes import ShownCodes
from hardware_sim.portal.house import House
from hardware_sim.portal.journals.ledgers import PortalEvent
from hardware_sim.portal.partners.charges import UNOPENED, Charge, charge_of
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.records.inputs import Overtaken, WrongField, line

BEGINS_WITH: Final = 100
LOW_AT: Final = 20
"""Both as in the table's trigger, so that an organisation has them from the moment that it is there."""
SCAN_COSTS: Final = 1
TAKEN_BACK_WITHIN_ROWS: Final = 200
"""How far behind its grant in the journal the end of one may stand that opened nothing: they are seconds apart."""
BOOKED_MAX: Final = 1_000_000
LOW_AT_MAX: Final = 1_000_000


class Level(IntEnum):
    """How much is left; a mail goes out when it gets worse."""

    ENOUGH = 0
    LOW = 1
    USED_UP = 2


@dataclass(frozen=True, slots=True)
class Balance:
    """How an organisation stands; `low_at` credits and fewer are few."""

    organisation: str
    credits: int
    low_at: int
    warned: Level
    version: int

    @property
    def level(self) -> Level:
        """How much that is."""
        if self.credits <= 0:
            return Level.USED_UP
        return Level.LOW if self.credits <= self.low_at else Level.ENOUGH


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the account: `at` is when it happened, `booked_at` when it was heard of.

    `about` is the device or the words of who booked; `said` is whom the edge billed where that was another.
    """

    at: datetime
    booked_at: datetime
    amount: int
    balance: int
    about: str
    said: str
    edge: str | None


class Credits:
    """The accounts of one house."""

    def __init__(self, house: House) -> None:
        self._house, self._db = house, house.portal.database.sql
        self._codes = ShownCodes(house)

    # ---- questions ----

    def balance(self, organisation: str) -> Balance:
        """How an organisation stands. Raises BadInput for none."""
        found = self._db.execute(f"{_BALANCES} WHERE organisation = ?", (organisation,)).fetchone()
        if found is None:
            raise BadInput(f"no organisation {organisation!r} has credits")
        return _balance(*found)

    def all(self) -> list[Balance]:
        """Everybody's, by id."""
        return [_balance(*row) for row in self._db.execute(f"{_BALANCES} ORDER BY organisation")]

    def entries(self, organisation: str, limit: int) -> list[Entry]:
        """The newest lines of an account, the newest first."""
        found = self._db.execute(
            "SELECT at, booked_at, amount, balance, about, said, edge FROM credit_entry WHERE organisation = ?"
            " ORDER BY number DESC LIMIT ?",
            (organisation, limit),
        )
        return [
            Entry(datetime.fromisoformat(at), datetime.fromisoformat(booked), *rest) for at, booked, *rest in found
        ]

    # ---- what events cost ----

    def charge(self, event: PortalEvent) -> None:
        """Charge an event that costs something to whom it is billed, once; give back what then opened nothing."""
        if isinstance(event.fact, HoldReleased) and event.fact.why in UNOPENED:
            self._give_back(event, event.fact.hold)
            return
        device = self._house.portal.allowlist.device(getattr(event.fact, "lane", ""))
        charge = charge_of(event, device) or self._of_shown_code(event, device)
        where = (event.edge, event.ledger, event.seq)
        if charge is None or not charge.payer or self._is_charged(where) or self._was_taken_back(event):
            return
        fresh = (charge.payer, BEGINS_WITH, LOW_AT)
        self._db.execute("INSERT INTO credit VALUES (?, ?, ?, 0, 1) ON CONFLICT DO NOTHING", fresh)
        said = (charge.said or "nobody") if charge.degraded else ""
        self._enter(charge.payer, -SCAN_COSTS, charge.at, charge.device, said, where)

    def _of_shown_code(self, event: PortalEvent, device: Device | None) -> Charge | None:
        """A code that the device showed is a scan too: its gate's journal has the opening, and bills nobody."""
        if device is None or self._codes.opened_by(event) is None:
            return None
        payer = billed_to(device, event.at)
        return Charge(event.number, event.edge, device.id, event.at, payer, payer)

    def _give_back(self, event: PortalEvent, hold: HoldId) -> None:
        found = self._db.execute(
            "SELECT organisation, about, said FROM credit_entry JOIN event e USING (edge, ledger, seq)"
            f" WHERE {_NEAR} AND e.kind = 'granted' AND json_extract(e.body, '$.hold') = ?",
            (event.edge, event.ledger, event.seq - TAKEN_BACK_WITHIN_ROWS, event.seq, hold),
        ).fetchone()
        where = (event.edge, event.ledger, event.seq)
        if found is not None and not self._is_charged(where):
            organisation, about, said = found
            self._enter(organisation, SCAN_COSTS, event.at, about, said, where)

    def _was_taken_back(self, event: PortalEvent) -> bool:
        """Whether the end of this grant is here already; rows may come in any order."""
        through, hold = event.seq + TAKEN_BACK_WITHIN_ROWS, getattr(event.fact, "hold", "")
        ends = self._db.execute(
            "SELECT json_extract(e.body, '$.why') FROM event e"
            f" WHERE {_NEAR} AND e.kind = 'hold_released' AND json_extract(e.body, '$.hold') = ?",
            (event.edge, event.ledger, event.seq, through, hold),
        )
        return any(why in UNOPENED for (why,) in ends)

    def _is_charged(self, where: tuple[str, str, int]) -> bool:
        found = self._db.execute("SELECT 1 FROM credit_entry WHERE edge = ? AND ledger = ? AND seq = ?", where)
        return found.fetchone() is not None

    # ---- what people book ----

    def book(self, actor: str, organisation: str, amount: int, words: str, version: int) -> None:
        """Add credits, or with a negative amount correct what was added. Raises WrongField, Overtaken, BadInput."""
        if not amount or abs(amount) > BOOKED_MAX:
            raise WrongField("amount", f"must be from {-BOOKED_MAX} to {BOOKED_MAX}, and not 0")
        about = line(words, "words")
        self._newest(organisation, version)
        self._enter(organisation, amount, self._house.now(), about, "", None)
        self._house.audit.note(self._house.now(), actor, "credits.booked", organisation, f"{amount}: {about}")

    def warn_at(self, actor: str, organisation: str, low_at: int, version: int) -> None:
        """From now on so many credits are few. Raises WrongField, Overtaken, BadInput."""
        if not 0 <= low_at <= LOW_AT_MAX:
            raise WrongField("low_at", f"must be from 0 to {LOW_AT_MAX}")
        self._newest(organisation, version)
        self._db.execute("UPDATE credit SET low_at = ? WHERE organisation = ?", (low_at, organisation))
        self._warn(self.balance(organisation))
        self._house.audit.note(self._house.now(), actor, "credits.warning", organisation, str(low_at))

    # ---- inside ----

    def _newest(self, organisation: str, version: int) -> None:
        if self.balance(organisation).version != version:
            raise Overtaken("somebody else booked or changed something here meanwhile; look at it and do it again")
        self._db.execute("UPDATE credit SET version = version + 1 WHERE organisation = ?", (organisation,))

    def _enter(
        self,
        organisation: str,
        amount: int,
        at: datetime,
        about: str,
        said: str,
        where: tuple[str, str, int] | None,
    ) -> None:
        old = self.balance(organisation)
        new = replace(old, credits=old.credits + amount)
        self._db.execute("UPDATE credit SET balance = ? WHERE organisation = ?", (new.credits, organisation))
        times = (_text(at), _text(self._house.now()))
        self._db.execute(
            "INSERT INTO credit_entry"
            " (organisation, at, booked_at, amount, balance, about, said, edge, ledger, seq)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (organisation, *times, amount, new.credits, about, said, *(where or (None, None, None))),
        )
        self._warn(new)

    def _warn(self, of: Balance) -> None:
        """Mail once each time that it gets worse, and begin anew once it is better."""
        if of.level is of.warned:
            return
        self._db.execute("UPDATE credit SET warned = ? WHERE organisation = ?", (of.level, of.organisation))
        if of.level < of.warned:
            return
        house = self._house
        known = {one.id: one for one in house.organisations.all()}
        name = known[of.organisation].name if of.organisation in known else of.organisation
        subject = "No credits are left" if of.level is Level.USED_UP else "Few credits are left"
        link = f"{house.url}/credits/{of.organisation}"
        to = house.addresses(of.organisation, Role.ADMINISTRATOR) or house.addresses(house.tenant, Role.OPERATOR)
        for address in to:
            house.mailbox.mail(
                house.now(), address, subject, _MAIL.format(name=name, credits=of.credits, link=link)
            )


_MAIL: Final = """\
{name} has {credits} credits. Gates go on as before, and nothing that happens there is lost.

Their use, scan by scan: {link}
The operator of this portal books new ones.
"""


_NEAR: Final = "e.edge = ? AND e.ledger = ? AND e.seq BETWEEN ? AND ?"
_BALANCES: Final = "SELECT organisation, balance, low_at, warned, version FROM credit"


def _balance(organisation: str, credits: int, low_at: int, warned: int, version: int) -> Balance:
    return Balance(organisation, credits, low_at, Level(warned), version)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
