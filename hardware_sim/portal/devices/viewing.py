"""Viewing codes: staff switch them on, read them out and end them; whoever has one sees devices, and opens nothing.

What a code shows and when it counts are `codes`' rules; here are its text, sealed, and the sessions it began. No
code is mailed. Every end of a code ends its open pages in the same transaction.
"""

import secrets
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from gate_controller.allowlist import Allowlist, Change, DevicePut, ViewCodePut
from gate_controller.codes import SECRETS, View, ViewCode, ViewScope, open_view, regenerated, secret, secret_digest
from gate_controller.delegation import Device
from gate_controller.errors import BadInput
from gate_controller.facts import Refused
from gate_controller.reasons import Reason
from hardware_sim.portal.house import House
from hardware_sim.portal.journals.ledgers import PortalEvent
from hardware_sim.portal.records.inputs import Overtaken, WrongField
from hardware_sim.portal.records.sealing import Seal

EVENTS_BACK: Final = 1000
"""So many of the newest events of the whole site are looked through for a view."""


def code_id(customer: str, site: str | None) -> str:
    """A customer has one code, and one for each site."""
    return f"view:{customer}" if site is None else f"view:{customer}:{site}"


def mark_of(code: ViewCode | None) -> str:
    """What a form about a code is drawn from; another mark is somebody else's change."""
    return "none" if code is None else f"{code.generation} {'on' if code.enabled else 'off'}"


@dataclass(frozen=True, slots=True)
class Seen:
    """A line of a view: when, where and what; nobody's plate or id."""

    at: str
    device: str
    what: str


class Viewing:
    """Viewing codes, tokens and views of one house."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._books = _Books(house.portal.database.sql)

    # ---- staff ----

    async def switch_on(self, actor: str, customer: str, site: str | None, token_required: bool, mark: str) -> None:
        """A new code, and a new generation where there was one. Raises BadInput, Overtaken."""
        if token_required and site is None:
            raise WrongField("token_required", "is for the code of a site")
        await self._house.run(self._house.organisations.get, customer)
        if site is not None:
            await self._house.run(self._house.organisations.site, site)
        text = secret(secrets.randbelow(SECRETS))

        def made(old: ViewCode | None) -> ViewCode:
            if old is not None and old.enabled:
                raise Overtaken("this code is switched on already")
            if old is not None:
                return replace(regenerated(old, secret_digest(text)), token_required=token_required)
            scope = ViewScope.CUSTOMER if site is None else ViewScope.SITE
            return ViewCode(
                code_id(customer, site), scope, customer, secret_digest(text), site, token_required=token_required
            )

        await self._put(actor, "view_code.switched_on", code_id(customer, site), mark, made, text)

    async def regenerate(self, actor: str, code: str, mark: str) -> None:
        """The next generation; the one before and its open pages end at once. Raises BadInput, Overtaken."""
        text = secret(secrets.randbelow(SECRETS))

        def made(old: ViewCode | None) -> ViewCode:
            return regenerated(_on(old), secret_digest(text))

        await self._put(actor, "view_code.regenerated", code, mark, made, text)

    async def switch_off(self, actor: str, code: str, mark: str) -> None:
        """The code and its open pages end at once; no other code is touched. Raises BadInput, Overtaken."""
        await self._put(
            actor, "view_code.switched_off", code, mark, lambda old: replace(_on(old), enabled=False), ""
        )

    async def read(self, actor: str, code: str) -> str:
        """The code as it is handed over; that somebody read it is written down. Raises BadInput, PortalError."""
        seal = self._seal()

        def deed() -> str:
            known = _on(self._house.portal.allowlist.view_code(code))
            sealed = self._books.secret(code, known.generation)
            if sealed is None:
                raise BadInput("this code is not kept here; make a new one")
            text = seal.read(sealed, _about(code, known.generation))
            self._house.audit.note(self._house.now(), actor, "view_code.read", code, str(known.generation))
            return text

        return await self._house.write(deed)

    async def make_token(self, actor: str, device: str) -> str:
        """The device's second secret, told here and never again. Raises BadInput, Overtaken."""
        text = secret(secrets.randbelow(SECRETS))

        def changes(now: Allowlist) -> list[Change]:
            known = now.device(device)
            if known is None:
                raise BadInput(f"no device {device!r} is listed")
            if known.token is not None:
                raise Overtaken("this device has its token already: it stands on the label inside")
            return [DevicePut(replace(known, token=secret_digest(text)))]

        def noted() -> None:
            self._house.audit.note(self._house.now(), actor, "device.token_made", device)

        await self._house.portal.change(changes, noted)
        return text

    async def _put(
        self,
        actor: str,
        deed: str,
        code: str,
        mark: str,
        made: Callable[[ViewCode | None], ViewCode],
        text: str,
    ) -> None:
        house, seal, put = self._house, self._seal(), list[ViewCode]()

        def changes(now: Allowlist) -> list[Change]:
            old = now.view_code(code)
            if mark_of(old) != mark:
                raise Overtaken("somebody else changed this code meanwhile; look at it and change it again")
            put[:] = [made(old)]
            return [ViewCodePut(put[0])]

        def beside() -> None:
            (new,) = put
            sealed = seal.shut(text, _about(code, new.generation)) if text else None
            self._books.put_secret(code, new.generation, sealed)
            house.sessions.end_all(code)
            house.audit.note(house.now(), actor, deed, code, str(new.generation))

        await house.portal.change(changes, beside)

    def _seal(self) -> Seal:
        return Seal.open(self._house.portal.keys.folder)

    # ---- whoever has a code ----

    def opened(self, text: str, token: str) -> View | Reason:
        """The view that a code and token give, or why not, which is for the audit alone."""
        now = self._house.portal.allowlist
        return open_view(text, token, now.view_codes_typed(text), now.devices(), self._house.site, only_here=False)

    async def begin(self, view: View | Reason) -> str | None:
        """A session's token for a view; None where there is none. Either is written down."""
        house = self._house

        def deed() -> str | None:
            if isinstance(view, Reason):
                house.audit.note(house.now(), "", "view.refused", "", view.value)
                return None
            if not view.stands(house.portal.allowlist.view_code(view.code)):
                return None
            token = house.sessions.begin(view.code, house.now())
            found = house.sessions.find(token, house.now())
            assert found is not None, "it has just begun"
            self._books.put_view(found.digest, view)
            house.audit.note(house.now(), "", "view.begun", view.code, view.device or "")
            return token

        return await house.write(deed)

    async def view(self, token: str) -> View | None:
        """What a session shows; None from the moment that its code ended."""
        house = self._house

        def deed() -> View | None:
            session = house.sessions.find(token, house.now())
            if session is None:
                return None
            view = self._books.view(session.digest)
            return view if view and view.stands(house.portal.allowlist.view_code(view.code)) else None

        return await house.write(deed)

    def devices(self, view: View) -> list[Device]:
        """The devices in view, by name."""
        listed = self._house.portal.allowlist.devices()
        return sorted((one for one in listed if view.shows(one, self._house.site)), key=lambda one: one.id)

    async def events(self, view: View) -> list[Seen]:
        """What happened lately at the devices in view, the newest first."""
        shown = {one.id for one in self.devices(view)}
        after = max(0, await self._house.run(self._books.newest_event) - EVENTS_BACK)
        found = await self._house.portal.events(after, EVENTS_BACK)
        return [seen(one) for one in reversed(found) if getattr(one.fact, "lane", None) in shown]


class _Books:
    """Rows of codes and views; every method runs on the database's thread."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def put_secret(self, code: str, generation: int, sealed: bytes | None) -> None:
        """Keep a code's text, or none of it."""
        self._db.execute("DELETE FROM view_secret WHERE code = ?", (code,))
        if sealed is not None:
            self._db.execute("INSERT INTO view_secret VALUES (?, ?, ?)", (code, generation, sealed))

    def secret(self, code: str, generation: int) -> bytes | None:
        found = self._db.execute(
            "SELECT sealed FROM view_secret WHERE code = ? AND generation = ?", (code, generation)
        ).fetchone()
        return None if found is None else bytes(found[0])

    def put_view(self, digest: bytes, view: View) -> None:
        """Keep what a session shows, and forget what ended ones showed."""
        self._db.execute("DELETE FROM viewing WHERE digest NOT IN (SELECT digest FROM session)")
        row = (digest, view.code, view.generation, view.customer, view.site, view.device)
        self._db.execute("INSERT INTO viewing VALUES (?, ?, ?, ?, ?, ?)", row)

    def view(self, digest: bytes) -> View | None:
        found = self._db.execute(
            "SELECT code, generation, customer, site, device FROM viewing WHERE digest = ?", (digest,)
        ).fetchone()
        return None if found is None else View(*found)

    def newest_event(self) -> int:
        return int(self._db.execute("SELECT coalesce(max(number), 0) FROM event").fetchone()[0])


def _on(code: ViewCode | None) -> ViewCode:
    if code is None or not code.enabled:
        raise Overtaken("this code is switched off")
    return code


def _about(code: str, generation: int) -> str:
    return f"{code} {generation}"


def seen(event: PortalEvent) -> Seen:
    """What may be told of an event to whoever may see its device."""
    fact = event.fact
    name = type(fact).__name__
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
    why = f": {fact.reason.value.replace('_', ' ')}" if isinstance(fact, Refused) else ""
    return Seen(event.at.isoformat(), str(getattr(fact, "lane", "")), f"{words}{why}")
