"""`slagboom portal`: edges, what happens there, orders to them, keys and the broker's folder."""

import getpass
from collections.abc import Sequence
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Annotated

import typer

from edge import clock, present
from hardware_sim.portal.commands.common import (
    AsJson,
    Column,
    EdgeName,
    Folder,
    Row,
    UserName,
    Why,
    ago,
    listed,
    local,
    told,
    worded,
)
from hardware_sim.portal.operator import asked

edge = typer.Typer(help="Edges: register, retire.", no_args_is_help=True)
keys = typer.Typer(help="The portal's keys.", no_args_is_help=True)

LaneName = Annotated[str, typer.Argument(metavar="LANE", help="The lane's name in the edge's settings.")]
Clear = Annotated[bool, typer.Option("--clear", help="Plates in full; they are personal data.")]


def edges(folder: Folder, as_json: AsJson = False) -> None:
    """Every edge: connected or not, the list it has, what waits there, its certificate."""
    now = clock.now().wall
    listed(folder, asked.Edges(), "Edges", lambda tz: edge_columns(tz, now), as_json=as_json)


def edge_columns(tz: tzinfo, now: datetime) -> Sequence[Column]:
    """The columns of a table of edges as they are now."""
    return [
        ("Edge", lambda row: row["edge"]),
        ("Link", _link),
        ("Seen", lambda row: "" if row["online"] or row["retired"] else ago(row["last_seen"], now)),
        ("List", _list),
        ("Confirmed", lambda row: ago(row["list_at"], now) if row["last_seen"] else ""),
        ("Rows wait", lambda row: row["waiting"]),
        ("Certificate until", lambda row: local(row["certificate_until"], tz)[:10]),
        ("Software", lambda row: row["software"]),
    ]


def _link(row: Row) -> str:
    if row["retired"]:
        return "retired"
    if row["last_seen"] is None:
        return "never seen"
    return {True: "online", False: "offline", None: "?"}[row["online"]]


def _list(row: Row) -> str:
    if row["revision"] is None:
        text = "none of ours" if row["last_seen"] else ""
    else:
        behind = row["newest"] - row["revision"]
        text = f"{row['revision']}, newest" if behind == 0 else f"{row['revision']}, {behind} behind"
        text = f"{text}, stale" if row["stale"] else text
    return f"{text}: {row['trouble']}" if row["trouble"] else text


@edge.command("add", epilog="Example: slagboom portal edge add north gatehouse --serial SB-2041")
def edge_add(
    folder: Folder,
    name: Annotated[str, typer.Argument(metavar="EDGE", help="The name that it will have.")],
    serial: Annotated[str, typer.Option(help="As it stands on the device.")],
    as_json: AsJson = False,
) -> None:
    """Register an edge, or give a known one a new code; prints what `slagboom enrol` asks for."""
    from hardware_sim.portal.operator.counter import ask
    from hardware_sim.portal.operator.folder import PortalFolder

    (row,) = ask(PortalFolder.load(folder), asked.AddEdge(name, serial)).rows
    if as_json:
        present.json_line(row)
        return
    for what in ("serial", "code", "fingerprint"):
        present.say(f"{what:<12}{row[what]}")
    present.say("The code is good once, for seven days, and kept nowhere.", stderr=True)


@edge.command("key", epilog='Example: slagboom portal edge key north gatehouse "$(cat device.pub)"')
def edge_key(
    folder: Folder,
    name: Annotated[str, typer.Argument(metavar="EDGE", help="The name in its settings.")],
    public: Annotated[str, typer.Argument(metavar="KEY", help="What its file device.pub holds.")],
    as_json: AsJson = False,
) -> None:
    """Believe what an edge signs with this key; enrolled edges bring theirs with them."""
    told(folder, asked.KeyOfEdge(name, public.strip()), as_json=as_json)


@edge.command("retire", epilog="Example: slagboom portal edge retire north gatehouse")
def edge_retire(folder: Folder, name: EdgeName, as_json: AsJson = False) -> None:
    """Give an edge no certificate any more, as when its box was stolen; its name is never given again."""
    told(folder, asked.RetireEdge(name), as_json=as_json)


def broker(
    folder: Folder,
    to: Annotated[Path, typer.Argument(metavar="BROKER-FOLDER", help="Where Mosquitto's files go.")],
    host: Annotated[
        str, typer.Option(help="What edges call the broker; without it only the access list is written anew.")
    ] = "",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The broker's port.")] = 8883,
    as_json: AsJson = False,
) -> None:
    """Write all that Mosquitto needs: settings, certificate, and who may use which topic."""
    told(folder, asked.BrokerFolder(str(to.absolute()), host, port), as_json=as_json)


def events(
    folder: Folder,
    after: Annotated[int | None, typer.Option(min=0, metavar="NUMBER", help="Those after this number.")] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=1000, help="At most so many; the last ones without --after.")
    ] = 50,
    clear: Clear = False,
    as_json: AsJson = False,
) -> None:
    """What happened at the edges, in the order in which the portal learned it."""
    request = asked.Events(after, limit, clear)
    listed(folder, request, "Events", lambda tz: event_columns(tz, clear=clear), as_json=as_json)


def event_columns(tz: tzinfo, *, clear: bool) -> Sequence[Column]:
    """The columns of a table of events."""
    columns: list[Column] = [
        ("Number", lambda row: row["number"]),
        ("At", lambda row: local(row["at"], tz)),
        ("Edge", lambda row: row["edge"]),
        ("What", lambda row: row["text"]),
    ]
    return [*columns, ("Plate", lambda row: row["plate"])] if clear else columns


def alarms(folder: Folder, as_json: AsJson = False) -> None:
    """What does not add up in what edges sent: a journal that was cut, or written anew."""
    listed(folder, asked.Alarms(), "Alarms", _alarm_columns, as_json=as_json)


def _alarm_columns(tz: tzinfo) -> Sequence[Column]:
    return [
        ("At", lambda row: local(row["at"], tz)),
        ("Edge", lambda row: row["edge"]),
        ("Alarm", lambda row: row["alarm"]),
        ("Detail", lambda row: row["detail"]),
    ]


def conflicts(folder: Folder, as_json: AsJson = False) -> None:
    """Vehicles of one user at several edges that nobody could ask about, and who had the place."""
    listed(folder, asked.Conflicts(), "Conflicts", _conflict_columns, as_json=as_json)


def _conflict_columns(tz: tzinfo) -> Sequence[Column]:
    return [
        ("Conflict", lambda row: row["conflict"]),
        ("User", lambda row: row["external_id"] or row["user_id"]),
        ("Kind", lambda row: row["kind"]),
        ("Claims", lambda row: "\n".join(f"{local(one['at'], tz)}  {one['event']}" for one in row["claims"])),
        ("Too many", lambda row: row["surplus"] or "undecidable"),
        ("Settled by", lambda row: row["resolution"]),
    ]


def settle(
    folder: Folder,
    conflict: Annotated[str, typer.Argument(metavar="CONFLICT", help="Its name in the list of conflicts.")],
    pardon: Annotated[bool, typer.Option("--pardon", help="Forgiven, not only seen to.")] = False,
    as_json: AsJson = False,
) -> None:
    """A person's word on a conflict; what journals tell later does not change it."""
    told(folder, asked.SettleConflict(conflict, pardon), as_json=as_json)


def open_once(folder: Folder, name: EdgeName, lane: LaneName, reason: Why, as_json: AsJson = False) -> None:
    """Open a barrier once, now."""
    _order(folder, name, lane, "open", reason, as_json=as_json)


def hold_open(folder: Folder, name: EdgeName, lane: LaneName, reason: Why, as_json: AsJson = False) -> None:
    """Keep a barrier open until it is released."""
    _order(folder, name, lane, "hold_open", reason, as_json=as_json)


def close_lane(folder: Folder, name: EdgeName, lane: LaneName, reason: Why, as_json: AsJson = False) -> None:
    """Let nobody in at a lane until it is released; who is inside still gets out."""
    _order(folder, name, lane, "close_lane", reason, as_json=as_json)


def release(folder: Folder, name: EdgeName, lane: LaneName, reason: Why, as_json: AsJson = False) -> None:
    """Back to normal from hold-open or close-lane."""
    _order(folder, name, lane, "release", reason, as_json=as_json)


def acknowledge(folder: Folder, name: EdgeName, lane: LaneName, reason: Why, as_json: AsJson = False) -> None:
    """Confirm that a fault, a fire or a forced boom has been seen to."""
    _order(folder, name, lane, "acknowledge", reason, as_json=as_json)


def activate(folder: Folder, name: EdgeName, lane: LaneName, reason: Why, as_json: AsJson = False) -> None:
    """Switch a lane on; it stays on over restarts until its settings are changed."""
    _switch(folder, name, lane, reason, as_json=as_json, active=True)


def deactivate(folder: Folder, name: EdgeName, lane: LaneName, reason: Why, as_json: AsJson = False) -> None:
    """Switch an entry off, over restarts too; lanes that let vehicles out stay on."""
    _switch(folder, name, lane, reason, as_json=as_json, active=False)


def _switch(folder: Path, name: str, lane: str, reason: str, *, as_json: bool, active: bool) -> None:
    from sync.orders import SwitchLane

    request = asked.OrderEdge(name, SwitchLane(lane, active, getpass.getuser(), worded(reason)))
    told(folder, request, as_json=as_json)


def _order(folder: Path, name: str, lane: str, kind: str, reason: str, *, as_json: bool) -> None:
    from gate_controller.lane import Order
    from sync.orders import LaneOrder

    request = asked.OrderEdge(name, LaneOrder(lane, Order(kind), getpass.getuser(), worded(reason)))
    told(folder, request, as_json=as_json)


def clear(folder: Folder, name: EdgeName, external_id: UserName, reason: Why, as_json: AsJson = False) -> None:
    """End a user's open sessions and grants at an edge, because the vehicle is gone."""
    from sync.orders import ClearUser

    request = asked.OrderEdge(name, ClearUser(external_id, getpass.getuser(), worded(reason)))
    told(folder, request, as_json=as_json)


def sync(folder: Folder, name: EdgeName, as_json: AsJson = False) -> None:
    """Have an edge ask for the list at once."""
    from sync.orders import SyncNow

    told(folder, asked.OrderEdge(name, SyncNow()), as_json=as_json)


@keys.command("rotate", epilog="Example: slagboom portal keys rotate north")
def keys_rotate(folder: Folder, as_json: AsJson = False) -> None:
    """A new online key, signed by the root key; the old one counts no more wherever the edges hear of it."""
    told(folder, asked.RotateKeys(), as_json=as_json)
