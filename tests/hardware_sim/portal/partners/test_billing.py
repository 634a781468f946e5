"""Stays out of journals, and the file that spreadsheets open."""

import csv
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from gate_controller.facts import (
    Basis,
    Closed,
    Direction,
    Fact,
    Granted,
    HoldId,
    HoldReleased,
    LaneId,
    Matched,
    Passed,
    Released,
    SessionClosed,
)
from hardware_sim.portal.journals.ledgers import PortalEvent
from hardware_sim.portal.partners.billing import BOM, Stayed, as_csv, invoice, invoice_csv, payable_by, stays

AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
ENTRY = LaneId("entry")


def grant(hold: str, direction: Direction = Direction.IN, closes: tuple[str, ...] = (), **more: str) -> Granted:
    basis = Basis("e", 1, Matched.EXACT)
    told = Granted(
        ENTRY, direction, HoldId(hold), "u-1", "A-17", "98THD4", basis, closes=tuple(map(HoldId, closes))
    )
    return replace(told, **more)  # type: ignore[arg-type]


def passed(hold: str, direction: Direction = Direction.IN) -> Passed:
    return Passed(ENTRY, direction, HoldId(hold))


def told(*facts: Fact, edge: str = "e1") -> list[PortalEvent]:
    return [PortalEvent(n, edge, "l", n, AT + timedelta(minutes=n), fact) for n, fact in enumerate(facts)]


def test_a_stay_is_from_passage_to_passage_under_what_it_began_with() -> None:
    renamed = replace(grant("b", Direction.OUT, ("a",)), external_id="A-18")
    events = told(grant("a", contract="c"), passed("a"), renamed, passed("b", Direction.OUT))
    assert [*stays(events)] == [
        Stayed("A-17", "98THD4", AT + timedelta(minutes=1), AT + timedelta(minutes=3), "c", "")
    ]


def test_what_did_not_pass_is_no_stay_and_a_missed_exit_is_told() -> None:
    void = HoldReleased(ENTRY, HoldId("a"), Released.BACK_OUT)
    assert [*stays(told(grant("a"), void, passed("a")))] == []
    events = told(grant("a"), passed("a"), grant("b", closes=("a",)), passed("b"))
    assert [(one.left is None, one.remark) for one in stays(events)] == [(False, "exit missed"), (True, "")]
    closed = SessionClosed(HoldId("a"), "u-1", "98THD4", Closed.LEFT_ELSEWHERE)
    assert [one.remark for one in stays(told(grant("a"), passed("a"), closed))] == ["left elsewhere"]


def test_edges_have_names_of_their_own_for_holds() -> None:
    events = [*told(grant("a"), passed("a")), *told(grant("b", Direction.OUT, ("a",)), passed("b"), edge="e2")]
    assert [one.left for one in stays(events)] == [None]


def test_who_pays_sees_it_and_nobody_else() -> None:
    events = told(grant("a"), passed("a"), grant("b", payer="u-1"), passed("b"))
    assert len(payable_by(stays(events), "")) == len(payable_by(stays(events), "u-1")) == 1


def test_the_file_is_as_spreadsheets_of_europe_read_it_and_runs_nothing() -> None:
    stay = Stayed('=HYPERLINK("x")', "B;1", AT, AT + timedelta(minutes=90, seconds=30), "", "", "")
    text = as_csv([stay, Stayed("A-17", "Ä", AT, None, "c", "p", "")], ZoneInfo("Europe/Berlin"))
    assert text.startswith(BOM)
    rows = [*csv.reader(text.removeprefix(BOM).splitlines(), delimiter=";")]
    assert rows[1][:5] == ['\'=HYPERLINK("x")', "B;1", "2026-03-02 09:00", "2026-03-02 10:30", "90,5"]
    assert rows[2][:5] == ["A-17", "Ä", "2026-03-02 09:00", "", ""]


def test_an_invoice_adds_up_by_user_contract_and_month_of_the_site() -> None:
    new_year = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    hour = timedelta(hours=1)
    found = [
        Stayed("B", "X", AT, AT + hour, "business", ""),
        Stayed("A", "X", AT, AT + hour, "business", ""),
        Stayed("A", "X", AT + hour, AT + 2 * hour, "business", "", "exit missed"),
        Stayed("A", "X", AT, AT + hour, "other", ""),
        Stayed("A", "X", new_year - hour, new_year, "business", ""),
        Stayed("A", "X", AT, None, "business", ""),
    ]
    rows = [
        *csv.reader(
            invoice_csv(invoice(found, ZoneInfo("Europe/Berlin"))).removeprefix(BOM).splitlines(), delimiter=";"
        )
    ]
    assert rows[1:] == [
        ["2027-01", "A", "business", "1", "60,0", "0"],
        ["2026-03", "A", "business", "2", "120,0", "1"],
        ["2026-03", "A", "other", "1", "60,0", "0"],
        ["2026-03", "B", "business", "1", "60,0", "0"],
    ]
