"""Devices of customers: claimed by serial and one-time code, copied, switched on and off.

A device that nobody has claimed decides nothing by the list, and a copy does not before somebody switches it on;
both are told by the gate itself. What a copy is and which states there are is `gate_controller.delegation`'s.
Whatever is wrong with a claim is told in the same words; an edge's own claim, which is for its certificate, is
`enrolment`'s.
"""

import asyncio
import re
import secrets
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from edge.tables import TABLE_NAME
from gate_controller.allowlist import Allowlist, Change, DevicePut
from gate_controller.codes import SECRETS, SHORT_LEN, OneTimeCode, Tried, one_time, secret
from gate_controller.delegation import Device, DeviceKind, DeviceState, copy_of
from gate_controller.errors import BadInput
from gate_controller.facts import DeskGranted, Granted, Passed
from hardware_sim.portal.house import House
from hardware_sim.portal.records.inputs import Overtaken, WrongField, line
from sync.codec import FACT_KINDS

CLAIM: Final = "device_claim"
CODE_LIVES: Final = timedelta(days=30)
"""From the shelf to the wall."""
SERIAL_LEN_MAX: Final = 40
LOOKED_BACK_LEN_MAX: Final = 10_000
"""Events by which it is told whether a gate works."""
REFUSED: Final = "Serial and code do not go together, or the code is used up. Nothing more can be said here."


class Devices:
    """The devices of one house."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._books = _Claims(house.portal.database.sql)

    def get(self, name: str) -> Device | None:
        """The device as it is listed."""
        return self._house.portal.allowlist.device(name)

    def all(self) -> Sequence[Device]:
        """All that are listed, by name."""
        return sorted(self._house.portal.allowlist.devices(), key=lambda one: one.id)

    async def add(self, actor: str, name: str, kind: DeviceKind, serial: str) -> str:
        """A device that waits for its owner; its code, which is told here and never again. Raises BadInput.

        The same again, while nobody has claimed it, gives a new code.
        """
        device, clean, house = Device(_name(name), kind, DeviceState.UNCLAIMED), _serial(serial), self._house
        text = secret(secrets.randbelow(SECRETS), SHORT_LEN)
        code = await asyncio.to_thread(
            one_time, CLAIM, device.id, text, secrets.token_hex(16), house.now(), CODE_LIVES
        )

        def changes(now: Allowlist) -> list[Change]:
            known = now.device(device.id)
            if known is not None and known != device:
                raise WrongField("name", "is that of another device")
            return [DevicePut(device)]

        def beside() -> None:
            self._books.put(clean, code)
            house.audit.note(house.now(), actor, "device.added", device.id, clean)

        await house.portal.change(changes, beside)
        return text

    async def claim(self, actor: str, owner: str, serial: str, code: str) -> Device:
        """The device becomes the owner's, and decides from then on. Raises BadInput, in the same words for all."""
        house = self._house
        known = await house.run(self._books.by_serial, serial.strip())
        now = house.now()
        # A serial that nobody knows takes as long as any other.
        nobodys = OneTimeCode(CLAIM, "", "", "", now + CODE_LIVES)
        after, tried = await asyncio.to_thread((known or nobodys).tried, code, now)
        if known is None or tried is not Tried.RIGHT:
            if known is not None:
                await house.write(self._wrong, actor, known, after)
            raise BadInput(REFUSED)

        def changes(listed: Allowlist) -> list[Change]:
            device = listed.device(known.subject)
            if device is None or device.state is not DeviceState.UNCLAIMED:
                raise BadInput(REFUSED)
            return [DevicePut(replace(device, state=DeviceState.ACTIVE, owner=owner))]

        def beside() -> None:
            self._books.keep(known, after)
            house.audit.note(house.now(), actor, "device.claimed", known.subject, owner)

        await house.portal.change(changes, beside)
        device = self.get(known.subject)
        assert device is not None, "it has just been put"
        return device

    async def copy(self, actor: str, owner: str, device: str, new_name: str) -> Device:
        """A copy for another place, which does nothing before it is switched on. Raises BadInput.

        Its name is not that of a gate that works: whoever copies may not switch off what is not on the list.
        """
        made: list[Device] = []
        if await self._house.run(self._books.works, _name(new_name)):
            raise WrongField("name", "is that of a gate that works already; the operator adds that one")

        def changes(now: Allowlist) -> list[Change]:
            copied = copy_of(_owned(now, owner, device), _name(new_name))
            if now.device(copied.id) is not None:
                raise WrongField("name", "is that of another device")
            made[:] = [copied]
            return [DevicePut(copied)]

        await self._changed(actor, "device.copied", new_name.strip(), device, changes)
        return made[0]

    async def switch(self, actor: str, owner: str, device: str, mark: str, *, on: bool) -> None:
        """Let a device decide, or not. `mark` is the state that it was seen in. Raises BadInput, Overtaken."""
        wanted = DeviceState.ACTIVE if on else DeviceState.INACTIVE

        def changes(now: Allowlist) -> list[Change]:
            known = _owned(now, owner, device)
            if known.state.value != mark or known.state is wanted:
                raise Overtaken(f"the device is {known.state.value} meanwhile; look at it again")
            if known.state not in (DeviceState.ACTIVE, DeviceState.INACTIVE):
                raise BadInput(f"the device is {known.state.value}")
            return [DevicePut(replace(known, state=wanted))]

        deed = "device.activated" if on else "device.deactivated"
        await self._changed(actor, deed, device, owner, changes)

    async def _changed(
        self, actor: str, deed: str, about: str, detail: str, changes: Callable[[Allowlist], list[Change]]
    ) -> None:
        house = self._house
        await house.portal.change(changes, lambda: house.audit.note(house.now(), actor, deed, about, detail))

    def _wrong(self, actor: str, before: OneTimeCode, after: OneTimeCode) -> None:
        if after != before:
            self._books.keep(before, after)
        self._house.audit.note(self._house.now(), actor, "device.claim_refused", before.subject)


class _Claims:
    """Rows of devices that wait for an owner; every method runs on the database's thread."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def put(self, serial: str, code: OneTimeCode) -> None:
        """A code for a device; an older one counts no more."""
        holder = self._db.execute("SELECT device FROM device_claim WHERE serial = ?", (serial,)).fetchone()
        if holder is not None and holder[0] != code.subject:
            raise WrongField("serial", "is that of another device")
        self._db.execute("DELETE FROM device_claim WHERE device = ?", (code.subject,))
        row = (code.subject, serial, code.salt, code.digest, _text(code.expires_at))
        self._db.execute("INSERT INTO device_claim VALUES (?, ?, ?, ?, ?, 0, NULL)", row)

    def by_serial(self, serial: str) -> OneTimeCode | None:
        """The code that goes with a serial."""
        found = self._db.execute(
            "SELECT device, salt, digest, expires_at, tries, used_at FROM device_claim WHERE serial = ?", (serial,)
        ).fetchone()
        if found is None:
            return None
        device, salt, digest, expires_at, tries, used_at = found
        used = None if used_at is None else datetime.fromisoformat(used_at)
        return OneTimeCode(CLAIM, device, salt, digest, datetime.fromisoformat(expires_at), tries, used)

    def works(self, name: str) -> bool:
        """Whether a lane or desk of this name let anybody through lately."""
        found = self._db.execute(
            "SELECT 1 FROM (SELECT body FROM event WHERE kind IN (?, ?, ?) ORDER BY number DESC LIMIT ?)"
            " WHERE json_extract(body, '$.lane') = ? LIMIT 1",
            (*(FACT_KINDS[kind] for kind in (Granted, Passed, DeskGranted)), LOOKED_BACK_LEN_MAX, name),
        )
        return found.fetchone() is not None

    def keep(self, before: OneTimeCode, after: OneTimeCode) -> None:
        """The code after a try. Raises Overtaken where another try came between: then this one was none."""
        used_at = None if after.used_at is None else _text(after.used_at)
        done = self._db.execute(
            "UPDATE device_claim SET tries = ?, used_at = ?"
            " WHERE device = ? AND digest = ? AND tries = ? AND used_at IS NULL",
            (after.tries, used_at, before.subject, before.digest, before.tries),
        )
        if done.rowcount != 1:
            raise Overtaken("another try for this device was made just now; try again")


def _owned(now: Allowlist, owner: str, device: str) -> Device:
    known = now.device(device)
    if known is None or not owner or known.owner != owner:
        raise BadInput(f"device {device!r} is none of yours")
    return known


def _name(text: str) -> str:
    if not re.fullmatch(TABLE_NAME, text.strip()):
        raise WrongField("name", "is none for a lane or desk: 1 to 32 letters, digits, - and _")
    return text.strip()


def _serial(text: str) -> str:
    clean = line(text, "serial", SERIAL_LEN_MAX)
    if not clean.isascii():
        raise WrongField("serial", "has characters that no label has; write it as it is on the device")
    return clean


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
