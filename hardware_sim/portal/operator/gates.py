"""What an operator asks of a portal about its edges: how they stand, what happened there, orders, keys, enrolment.

Not here: people (`people`). What a running portal alone can do, an order above all, is refused without one.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from edge.narrate import masked, narrate
from gate_controller.conflicts import Conflict, Resolution
from gate_controller.credentials import DIGEST_MARK
from gate_controller.errors import BadInput, PortalError
from gate_controller.facts import Fact, Granted, Refused
from hardware_sim.portal.codes.shown_codes import by_code
from hardware_sim.portal.edges.service import Portal
from hardware_sim.portal.journals.ledgers import EdgeSeen, PortalEvent
from hardware_sim.portal.operator.asked import (
    About,
    AddEdge,
    Alarms,
    BrokerFolder,
    Conflicts,
    Edges,
    Events,
    KeyOfEdge,
    OrderEdge,
    Reply,
    RetireEdge,
    RotateKeys,
    SettleConflict,
)
from hardware_sim.portal.trust.registry import EnrolledEdge
from sync.codec import UnknownFact
from sync.identity import write_whole

LIMIT_MAX: Final = 1000
"""Events of one reply."""

Row = dict[str, Any]


async def about(portal: Portal, _: About) -> Reply:
    applied, edges = await portal.applied()
    tenant, site = portal.keys.audience.split("/")
    row = {
        "tenant": tenant,
        "site": site,
        "root_key": portal.keys.root_key.hex(),
        "fingerprint": portal.enrolment.authority.fingerprint,
        "keys": portal.keys.version,
        "revision": portal.allowlist.revision,
        "users": portal.allowlist.users_len,
        "applied": applied,
        "edges": edges,
        "messages_refused": dict(portal.refused),
    }
    return Reply([row])


async def edges(portal: Portal, _: Edges) -> Reply:
    seen = {edge.name: edge for edge in await portal.edges()}
    enrolled = {edge.edge: edge for edge in await portal.enrolment.edges()}
    return Reply([_edge(portal, name, seen.get(name), enrolled.get(name)) for name in sorted({*seen, *enrolled})])


def _edge(portal: Portal, name: str, seen: EdgeSeen | None, enrolled: EnrolledEdge | None) -> Row:
    row: Row = {
        "edge": name,
        "online": False,
        "last_seen": None,
        "revision": None,
        "newest": portal.allowlist.revision,
    }
    row |= {"applied": False, "list_at": None, "stale": False, "trouble": "", "waiting": None, "software": None}
    if seen is not None:
        ours = seen.revision is not None and seen.revision.epoch == portal.allowlist.epoch
        row["online"], row["last_seen"] = seen.online, seen.seen_at.isoformat()
        row["revision"] = seen.revision.rev if ours and seen.revision is not None else None
        row["applied"] = row["revision"] == portal.allowlist.revision
        row["list_at"] = seen.list_at.isoformat() if seen.list_at is not None else None
        row["stale"], row["trouble"], row["software"] = seen.stale, seen.trouble, seen.software
        row["waiting"] = seen.waiting
    row["serial"] = enrolled.serial if enrolled else None
    until = enrolled.certificate_until if enrolled else None
    row["certificate_until"] = until.isoformat() if until else None
    row["retired"] = enrolled is not None and enrolled.retired
    return row


async def events(portal: Portal, asked: Events) -> Reply:
    limit = min(max(asked.limit, 1), LIMIT_MAX)
    if asked.after is not None:
        found = await portal.events(asked.after, limit)
    else:
        found = await portal.latest(limit)
    return Reply([_event(event, asked.clear) for event in found])


async def journal(portal: Portal, limit: int, *, private: bool) -> list[Row]:
    """The last events, without plates; private use, and codes that name a user and no payer, only if `private`."""
    found = await portal.latest(min(limit, LIMIT_MAX))
    return [_event(event, False) for event in found if private or not _is_private(event.fact)]


def _is_private(fact: Fact | UnknownFact) -> bool:
    user_id = getattr(fact, "user_id", None)
    return by_code(fact) or (user_id is not None and getattr(fact, "payer", "") == user_id)


def _event(event: PortalEvent, clear: bool) -> Row:
    fact = event.fact
    row = {
        "number": event.number,
        "edge": event.edge,
        "seq": event.seq,
        "at": event.at.isoformat(),
        "kind": fact.kind if isinstance(fact, UnknownFact) else type(fact).__name__,
        "lane": getattr(fact, "lane", None),
        "text": f"{fact.kind}, of a newer edge" if isinstance(fact, UnknownFact) else narrate(fact),
    }
    return {**row, "plate": _plate(fact)} if clear else row


def _plate(fact: Fact | UnknownFact) -> str | None:
    if isinstance(fact, Granted | Refused):
        read = fact.basis.as_read
        return masked(read) if read.startswith(DIGEST_MARK) else read or None
    return getattr(fact, "plate", None) or None


async def order(portal: Portal, asked: OrderEdge) -> Reply:
    result = await portal.command(asked.edge, asked.order)
    if result.status != "done":
        raise PortalError(f"{asked.edge}: refused: {result.detail}")
    return Reply(
        [{"edge": asked.edge, "status": result.status, "detail": result.detail}], f"{asked.edge}: {result.detail}"
    )


async def add_edge(portal: Portal, asked: AddEdge) -> Reply:
    invited = await portal.enrolment.register(asked.edge, asked.serial)
    row = {"edge": invited.edge, "serial": invited.serial, "code": invited.code, "fingerprint": invited.fingerprint}
    return Reply([row])


async def key_of_edge(portal: Portal, asked: KeyOfEdge) -> Reply:
    try:
        public = bytes.fromhex(asked.public)
    except ValueError:
        raise BadInput(f"key {asked.public[:80]!r}: write the 64 characters of the edge's device.pub") from None
    await portal.register(asked.edge, public)
    return Reply([{"edge": asked.edge, "key": asked.public}], f"{asked.edge} is believed what this key signs")


async def alarms(portal: Portal, _: Alarms) -> Reply:
    found = await portal.alarms(LIMIT_MAX)
    return Reply([{"at": a.at.isoformat(), "edge": a.edge, "alarm": a.kind, "detail": a.detail} for a in found])


async def conflicts(portal: Portal, _: Conflicts) -> Reply:
    return Reply([_conflict(portal, found) for found in await portal.places.conflicts()])


def _conflict(portal: Portal, found: Conflict) -> Row:
    user = portal.allowlist.user(found.user)
    return {
        "conflict": found.id,
        "kind": found.kind.value,
        "external_id": user.external_id if user is not None else None,
        "user_id": found.user,
        "claims": [{"event": str(claim.id), "at": claim.at.isoformat()} for claim in found.claims],
        "basis": found.basis.value,
        "surplus": found.surplus,
        "clock_err_ms": found.clock_err_ms,
        "resolution": found.resolution.value,
    }


async def settle_conflict(portal: Portal, asked: SettleConflict) -> Reply:
    word = Resolution.PARDON if asked.pardon else Resolution.OPERATOR
    await portal.places.settle(asked.conflict, word)
    return Reply([{"conflict": asked.conflict, "resolution": word.value}], f"{asked.conflict}: {word.value}")


async def retire_edge(portal: Portal, asked: RetireEdge) -> Reply:
    await portal.enrolment.retire(asked.edge)
    return Reply(
        [{"edge": asked.edge, "retired": True}],
        f"{asked.edge} is retired: nothing it signs is believed, and no certificate of it renewed; now"
        " `slagboom portal broker` writes the access list anew",
    )


async def broker_folder(portal: Portal, asked: BrokerFolder) -> Reply:
    folder = Path(asked.folder)
    if not asked.host:
        if not (folder / "mosquitto.conf").exists():
            raise BadInput(f"{folder}: no broker's folder; name what edges call the broker with --host")
        write_whole(folder / "acl", (await portal.enrolment.access_list()).encode())
        return Reply([{"access_list": str(folder / "acl")}], f"{folder / 'acl'}: have it read with `kill -HUP`")
    try:
        config = await portal.enrolment.write_broker_folder(folder, asked.host, asked.port)
    except OSError as error:
        raise BadInput(f"{folder}: cannot be written ({error.strerror}); choose another place") from error
    return Reply([{"settings": str(config)}], f"{config}: start it with `mosquitto -c {config}`")


async def rotate_keys(portal: Portal, _: RotateKeys) -> Reply:
    await portal.rotate_keys()
    return Reply([{"keys": portal.keys.version}], f"the edges trust keys {portal.keys.version} and no older ones")


Answer = Callable[[Portal, Any], Awaitable[Reply]]

LOOKS: Final[dict[type, Answer]] = {
    About: about,
    Edges: edges,
    Events: events,
    Alarms: alarms,
    Conflicts: conflicts,
}
DEEDS: Final[dict[type, Answer]] = {
    OrderEdge: order,
    AddEdge: add_edge,
    KeyOfEdge: key_of_edge,
    SettleConflict: settle_conflict,
    RetireEdge: retire_edge,
    BrokerFolder: broker_folder,
    RotateKeys: rotate_keys,
}
