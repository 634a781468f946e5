"""Rows of partnerships and delegations, those that are over too: who paid at a moment is asked about the past.

Every method runs on the database connection's own thread, inside the transaction that its owner opened. What may
become of an agreement is `gate_controller.delegation`'s rule; here is only that nobody undoes somebody else's.
"""

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from gate_controller.delegation import Delegation, Partnership, Stage
from hardware_sim.portal.records.inputs import Overtaken

_COLUMNS: Final = "id, partner, customer, requested_at, stage, accepted_at, ended_at"


class PartnerBooks:
    """The agreements of one open portal database."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def partnerships(self, organisation: str) -> list[Partnership]:
        """Those with this organisation on either side, "" for all; the newest first."""
        found = self._db.execute(
            f"SELECT {_COLUMNS} FROM partnership WHERE ?1 IN ('', partner, customer)"
            " ORDER BY requested_at DESC, id",
            (organisation,),
        )
        return [Partnership(*_agreement(row)) for row in found]

    def partnership(self, partnership: str) -> Partnership | None:
        """The one with this id."""
        row = self._db.execute(f"SELECT {_COLUMNS} FROM partnership WHERE id = ?", (partnership,)).fetchone()
        return None if row is None else Partnership(*_agreement(row))

    def delegations(self, organisation: str) -> list[Delegation]:
        """Those with this organisation on either side, "" for all; the newest first."""
        return self._delegations("?1 IN ('', partner, customer)", organisation)

    def of_device(self, device: str) -> list[Delegation]:
        """All that there ever were of a device, the newest first."""
        return self._delegations("device = ?1", device)

    def of_partnership(self, partnership: str) -> list[Delegation]:
        """All under one partnership, the newest first."""
        return self._delegations("partnership = ?1", partnership)

    def delegation(self, delegation: str) -> Delegation | None:
        """The one with this id."""
        return next(iter(self._delegations("id = ?1", delegation)), None)

    def keep_partnership(self, before: Partnership | None, new: Partnership) -> None:
        """Write it down as it became; `before` is what it became that from. Raises Overtaken."""
        self._keep("partnership", before.stage if before else None, new, ())

    def keep_delegation(self, before: Delegation | None, new: Delegation) -> None:
        """The same for a delegation."""
        self._keep("delegation", before.stage if before else None, new, (new.device, new.partnership))

    def _keep(self, table: str, before: Stage | None, new: Partnership | Delegation, more: Sequence[str]) -> None:
        times = [_text(at) for at in (new.requested_at, new.accepted_at, new.ended_at)]
        if before is None:
            row = (new.id, new.partner, new.customer, times[0], new.stage.value, *times[1:], *more)
            self._db.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
            return
        done = self._db.execute(
            f"UPDATE {table} SET stage = ?, accepted_at = ?, ended_at = ? WHERE id = ? AND stage = ?",
            (new.stage.value, *times[1:], new.id, before.value),
        )
        if done.rowcount != 1:
            raise Overtaken("somebody else answered this meanwhile; look at it again")

    def _delegations(self, where: str, value: str) -> list[Delegation]:
        found = self._db.execute(
            f"SELECT {_COLUMNS}, device, partnership FROM delegation WHERE {where} ORDER BY requested_at DESC, id",
            (value,),
        )
        return [Delegation(*_agreement(row[:7]), device=row[7], partnership=row[8]) for row in found]


def _agreement(row: Sequence[Any]) -> tuple[str, str, str, datetime, Stage, datetime | None, datetime | None]:
    id_, partner, customer, requested, stage, accepted, ended = row
    asked = datetime.fromisoformat(requested)
    return id_, partner, customer, asked, Stage(stage), _moment(accepted), _moment(ended)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat(timespec="microseconds")
