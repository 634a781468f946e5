"""Stays and invoices as a customer gets them, out of the journals; and CSV that spreadsheets of Europe open right.

A stay begins and ends with a confirmed passage; what it is under was fixed at the entry and stands in the journal,
so that no later edit rewrites it. The customer's file has only what the customer pays. Pure.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from typing import Final

from gate_controller.contracts import employer_sees
from gate_controller.facts import Direction, Granted, HoldId, HoldReleased, Passed, SessionClosed
from hardware_sim.portal.journals.ledgers import PortalEvent
from sync.codec import FACT_KINDS

BOM: Final = "\ufeff"
"""By it a spreadsheet knows that the file is UTF-8."""
HEADS: Final = ("External id", "Plate", "Entry", "Exit", "Minutes", "Contract", "Payer", "Remark")
INVOICE_HEADS: Final = ("Month", "External id", "Contract", "Stays", "Minutes", "Of them with a remark")
KINDS: Final = [FACT_KINDS[kind] for kind in (Granted, HoldReleased, Passed, SessionClosed)]
"""Kinds of events that `stays` reads."""
_FORMULA: Final = "=+-@\t\r"
_NUMBER: Final = re.compile(r"-?\d+(,\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Stayed:
    """One vehicle's stay at one edge; `left` is None while it is inside."""

    external_id: str
    plate: str
    entered: datetime
    left: datetime | None
    contract: str
    payer: str
    remark: str = ""


def stays(events: Iterable[PortalEvent]) -> Iterator[Stayed]:
    """Every stay that the journals tell of, those that are over first; events of one edge in their order."""
    granted: dict[tuple[str, HoldId], Granted] = {}
    inside: dict[tuple[str, HoldId], Stayed] = {}
    for event in events:
        match event.fact:
            case Granted() as fact:
                granted[event.edge, fact.hold] = fact
            case HoldReleased(hold=hold):
                granted.pop((event.edge, hold), None)
            case Passed(hold=hold):
                grant = granted.pop((event.edge, hold), None)
                if grant is None or grant.user_id is None:
                    continue
                for session in grant.closes:
                    if (stay := inside.pop((event.edge, session), None)) is not None:
                        missed = "" if grant.direction is Direction.OUT else "exit missed"
                        yield replace(stay, left=event.at, remark=missed)
                if grant.direction is Direction.IN:
                    begun = Stayed(grant.external_id, grant.plate, event.at, None, grant.contract, grant.payer)
                    inside[event.edge, hold] = begun
            case SessionClosed(session=session, why=why):
                if (stay := inside.pop((event.edge, session), None)) is not None:
                    yield replace(stay, left=event.at, remark=why.value.replace("_", " "))
    yield from inside.values()


def payable_by(found: Iterable[Stayed], payer: str) -> list[Stayed]:
    """What this payer may see: the stays it pays for, in the order of the entries."""
    return sorted((one for one in found if employer_sees(one.payer, payer)), key=lambda one: one.entered)


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """What one user's stays under one contract come to in a month (2026-11); `doubtful` of them bear a remark."""

    month: str
    external_id: str
    contract: str
    stays: int
    took: timedelta
    doubtful: int


def invoice(found: Iterable[Stayed], tz: tzinfo) -> list[InvoiceLine]:
    """Stays that are over, by the month in which they ended at the site; the newest month first."""
    lines: dict[tuple[str, str, str], InvoiceLine] = {}
    for one in found:
        if one.left is None:
            continue
        key = f"{one.left.astimezone(tz):%Y-%m}", one.external_id, one.contract
        line = lines.get(key, InvoiceLine(*key, 0, timedelta(), 0))
        lines[key] = replace(
            line,
            stays=line.stays + 1,
            took=line.took + (one.left - one.entered),
            doubtful=line.doubtful + bool(one.remark),
        )
    by_user = sorted(lines.values(), key=lambda line: (line.external_id, line.contract))
    return sorted(by_user, key=lambda line: line.month, reverse=True)


def invoice_csv(lines: Iterable[InvoiceLine]) -> str:
    """The lines of invoices as a spreadsheet."""
    rows = (
        (one.month, one.external_id, one.contract, str(one.stays), minutes(one.took), str(one.doubtful))
        for one in lines
    )
    return spreadsheet(INVOICE_HEADS, rows)


def minutes(took: timedelta) -> str:
    """With one decimal, behind a comma."""
    return f"{took / timedelta(minutes=1):.1f}".replace(".", ",")


def as_csv(found: Sequence[Stayed], tz: tzinfo) -> str:
    """The stays as a spreadsheet, with local times and decimal commas."""
    rows = []
    for one in found:
        took = "" if one.left is None else minutes(one.left - one.entered)
        times = [local(at, tz) for at in (one.entered, one.left)]
        rows.append((one.external_id, one.plate, *times, took, one.contract, one.payer, one.remark))
    return spreadsheet(HEADS, rows)


def spreadsheet(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """UTF-8 with its mark and semicolons, as German, French and Dutch programs read it.

    A cell that a program would take for a formula begins with an apostrophe.
    """
    out = io.StringIO()
    out.write(BOM)
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(heads)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return out.getvalue()


def local(at: datetime | None, tz: tzinfo) -> str:
    """A time at the site, in the order that a program takes for one in any language; empty for none."""
    return "" if at is None else f"{at.astimezone(tz):%Y-%m-%d %H:%M}"


def _harmless(cell: str) -> str:
    risky = cell and cell[0] in _FORMULA and not _NUMBER.fullmatch(cell)
    return f"'{cell}" if risky else cell
