"""What an event says to an organisation that wants to hear of it: only what happens at devices that it sees. Pure.

A person is named only to the customer whose user it is, and only where that customer pays: to everybody else, a
partner in charge included, it is somebody. A stranger's plate is told to nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from gate_controller.allowlist import User
from gate_controller.contracts import employer_sees
from gate_controller.delegation import Device, sees
from gate_controller.facts import (
    AlarmRaised,
    BoomOpenedManually,
    DeskGranted,
    Granted,
    KeyReturned,
    KeyTaken,
    Passed,
    Refused,
    UngrantedPassage,
)
from hardware_sim.portal.journals.ledgers import PortalEvent
from sync.codec import FACT_KINDS, instant_text

KINDS: Final[Mapping[str, str]] = {
    FACT_KINDS[kind]: words
    for kind, words in {
        Granted: "Somebody is let in or out",
        Refused: "Somebody is refused",
        Passed: "A vehicle has passed",
        UngrantedPassage: "A vehicle has passed without a grant",
        BoomOpenedManually: "The barrier was opened by order",
        AlarmRaised: "Something needs a person",
        DeskGranted: "A desk lets somebody drive or ride along",
        KeyTaken: "A key was taken",
        KeyReturned: "A key is back",
    }.items()
}
"""Kinds of events that are told, in words."""
LATE_AFTER: Final = timedelta(minutes=1)
_PLAIN: Final = ("direction", "kind", "alarm", "detail", "action", "slot", "late_s", "notes")
"""Fields that name nobody. What an operator gives as the reason for an order may, and is not among them."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What is told: `device` by its name, `body` as JSON will have it."""

    kind: str
    device: str
    at: datetime
    body: dict[str, Any]


def notice(
    event: PortalEvent, device: Device | None, user: User | None, organisation: str, tenant: str, now: datetime
) -> Notice | None:
    """What an organisation is told of an event, None if it is none of its business or of no kind that is told.

    `device` is where it happened and `user` who it was, both as listed now; a device that is not listed is the
    tenant's own. `late` says that the event was long on its way, so that what it tells is past.
    """
    fact, name = event.fact, str(getattr(event.fact, "lane", ""))
    kind = FACT_KINDS.get(type(fact), "")
    if kind not in KINDS or not name or not _sees(organisation, device, event.at, tenant):
        return None
    body: dict[str, Any] = {
        "id": f"{event.edge}/{event.ledger}/{event.seq}",
        "type": kind,
        "at": instant_text(event.at),
        "late": now - event.at > LATE_AFTER,
        "gate": event.edge,
        "device": name,
        "data": {key: getattr(fact, key) for key in _PLAIN if hasattr(fact, key)},
    }
    if isinstance(fact, Refused):
        body["data"]["reason"] = fact.reason
    body["data"] |= _person(fact, user, organisation, tenant)
    return Notice(kind, name, event.at, body)


def _sees(organisation: str, device: Device | None, at: datetime, tenant: str) -> bool:
    if device is None or not device.owner:
        return organisation == tenant
    return sees(organisation, device, at)


def _person(fact: object, user: User | None, organisation: str, tenant: str) -> dict[str, str]:
    if not isinstance(fact, Granted | Refused | DeskGranted) or user is None:
        return {}
    payer = getattr(fact, "payer", "")
    if (user.customer or tenant) != organisation or not employer_sees(payer, user.customer):
        return {}
    named = {"external_id": fact.external_id}
    return named | ({"plate": fact.plate} if isinstance(fact, Granted) and fact.plate else {})
