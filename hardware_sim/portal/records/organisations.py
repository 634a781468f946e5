"""Organisations and sites as the portal's records: whose accounts there are, and where people go to.

Every method runs on the database connection's own thread, inside the transaction that its owner opened. One portal
signs the list of one site; further sites are records only. What partners may see is `delegation`'s in the core.
"""

import sqlite3
from dataclasses import dataclass, replace
from typing import Final

from gate_controller.errors import BadInput
from hardware_sim.portal.records.inputs import Overtaken, WrongField, email, line, time_zone

ADDRESS_LEN_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Organisation:
    """A tenant of people and devices; only the operator makes one a partner."""

    id: str
    name: str
    email: str | None = None
    operator: bool = False
    partner: bool = False
    customer: bool = True
    version: int = 1


@dataclass(frozen=True, slots=True)
class SiteRecord:
    """A place with gates or desks: branch, location and car park are the same; `manager` is a person's name."""

    id: str
    name: str
    email: str | None
    time_zone: str
    address: str
    version: int = 1
    manager: str = ""


class Organisations:
    """Organisations and sites of one open portal database."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    # ---- organisations ----

    def put(self, wanted: Organisation) -> Organisation:
        """Add one, or change it if `version` is the newest. Raises BadInput, Overtaken."""
        clean = replace(wanted, name=line(wanted.name, "name"), email=_maybe_email(wanted.email))
        _unlike(self._db, "organisation", clean.id, clean.name)
        row = (clean.name, clean.email, clean.operator, clean.partner, clean.customer)
        known = self._db.execute("SELECT version FROM organisation WHERE id = ?", (clean.id,)).fetchone()
        if known is None:
            self._db.execute("INSERT INTO organisation VALUES (?, ?, ?, ?, ?, ?, 1)", (clean.id, *row))
            return replace(clean, version=1)
        _newest(known[0], wanted.version, "organisation")
        self._db.execute(
            "UPDATE organisation SET name = ?, email = ?, operator = ?, partner = ?, customer = ?,"
            " version = version + 1 WHERE id = ?",
            (*row, clean.id),
        )
        return replace(clean, version=wanted.version + 1)

    def get(self, organisation: str) -> Organisation:
        """The organisation with this id. Raises BadInput."""
        found = [one for one in self.all() if one.id == organisation]
        if not found:
            raise BadInput(f"no organisation {organisation!r}; `slagboom portal account` tells which there are")
        return found[0]

    def all(self) -> list[Organisation]:
        """Every organisation, by name."""
        found = self._db.execute(
            "SELECT id, name, email, operator, partner, customer, version FROM organisation ORDER BY name"
        )
        return [
            Organisation(id_, name, mail, bool(operator), bool(partner), bool(customer), version)
            for id_, name, mail, operator, partner, customer, version in found
        ]

    # ---- sites ----

    def put_site(self, wanted: SiteRecord) -> SiteRecord:
        """Add a site, or change it if `version` is the newest. Raises BadInput, Overtaken."""
        clean = replace(
            wanted,
            name=line(wanted.name, "name"),
            email=_maybe_email(wanted.email),
            time_zone=time_zone(wanted.time_zone),
            address=line(wanted.address, "address", ADDRESS_LEN_MAX) if wanted.address.strip() else "",
            manager=line(wanted.manager, "manager") if wanted.manager.strip() else "",
        )
        _unlike(self._db, "site", clean.id, clean.name)
        row = (clean.name, clean.email, clean.time_zone, clean.address, clean.manager)
        known = self._db.execute("SELECT version FROM site WHERE id = ?", (clean.id,)).fetchone()
        if known is None:
            columns = "id, name, email, time_zone, address, manager, version"
            self._db.execute(f"INSERT INTO site ({columns}) VALUES (?, ?, ?, ?, ?, ?, 1)", (clean.id, *row))
            return replace(clean, version=1)
        _newest(known[0], wanted.version, "site")
        self._db.execute(
            "UPDATE site SET name = ?, email = ?, time_zone = ?, address = ?, manager = ?, version = version + 1"
            " WHERE id = ?",
            (*row, clean.id),
        )
        return replace(clean, version=wanted.version + 1)

    def site(self, site: str) -> SiteRecord:
        """The site with this id. Raises BadInput."""
        found = [one for one in self.sites() if one.id == site]
        if not found:
            raise BadInput(f"no site {site!r}")
        return found[0]

    def sites(self) -> list[SiteRecord]:
        """Every site, by name."""
        found = self._db.execute(
            "SELECT id, name, email, time_zone, address, version, manager FROM site ORDER BY name"
        )
        return [SiteRecord(*row) for row in found]


def _maybe_email(text: str | None) -> str | None:
    return email(text) if text and text.strip() else None


def _unlike(db: sqlite3.Connection, table: str, key: str, name: str) -> None:
    """Two of one name would be taken for each other."""
    taken = db.execute(f"SELECT 1 FROM {table} WHERE name = ? AND id != ?", (name, key)).fetchone()
    if taken:
        raise WrongField("name", f"is that of another {table}")


def _newest(stored: int, version: int, what: str) -> None:
    if stored != version:
        raise Overtaken(f"somebody else changed this {what} meanwhile; look at it and change it again")
