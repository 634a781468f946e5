"""`slagboom portal`: pictures that decided, and events in quarantine."""

from base64 import b64decode
from collections.abc import Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Annotated

import typer

from edge import present
from gate_controller.errors import BadInput
from hardware_sim.portal.commands.common import AsJson, Column, Folder, listed, local, told
from hardware_sim.portal.operator import asked

quarantine = typer.Typer(help="What edges sent and nobody can read or believe.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(min=1, metavar="NUMBER", help="Its number in the list.")]


@quarantine.command("list", epilog="Example: slagboom portal quarantine list north")
def quarantine_list(
    folder: Folder,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many, the newest.")] = 100,
    as_json: AsJson = False,
) -> None:
    """What was set apart, the newest first; it is kept for 30 days."""
    listed(folder, asked.Quarantined(limit), "Quarantine", _columns, as_json=as_json)


def _columns(tz: tzinfo) -> Sequence[Column]:
    return [
        ("Number", lambda row: row["number"]),
        ("Came", lambda row: local(row["received_at"], tz)),
        ("Edge", lambda row: row["edge"]),
        ("Row", lambda row: row["seq"]),
        ("Why", lambda row: row["reason"]),
        ("Characters", lambda row: row["characters"]),
    ]


@quarantine.command("show", epilog="Example: slagboom portal quarantine show north 3")
def quarantine_show(folder: Folder, number: Number, as_json: AsJson = False) -> None:
    """What came, as it came; there may be plates in it."""
    from hardware_sim.portal.operator.counter import ask
    from hardware_sim.portal.operator.folder import PortalFolder

    (row,) = ask(PortalFolder.load(folder), asked.ShowQuarantined(number)).rows
    if as_json:
        present.json_line(row)
        return
    present.say(f"{row['edge']}, row {row['seq']} of ledger {row['ledger']}: {row['reason']}")
    present.say(row["text"])


@quarantine.command("drop", epilog="Example: slagboom portal quarantine drop north 3 4")
def quarantine_drop(
    folder: Folder,
    numbers: Annotated[list[int], typer.Argument(metavar="NUMBER...", help="Their numbers in the list.")],
    as_json: AsJson = False,
) -> None:
    """Delete what was looked at; that it came stays known, so that it does not come again."""
    told(folder, asked.DropQuarantined(tuple(numbers)), as_json=as_json)


def picture(
    folder: Folder,
    event: Annotated[int, typer.Argument(min=1, metavar="EVENT", help="The event's number.")],
    to: Annotated[Path, typer.Argument(metavar="FILE.jpg", help="A file that is made for it.")],
    as_json: AsJson = False,
) -> None:
    """The picture that decided a vehicle, from its edge; the file is yours to delete."""
    from hardware_sim.portal.operator.counter import ask
    from hardware_sim.portal.operator.folder import PortalFolder
    from sync.identity import write_whole

    if to.exists():
        raise BadInput(f"{to}: exists; name another file")
    (row,) = ask(PortalFolder.load(folder), asked.FetchPicture(event)).rows
    jpeg = b64decode(row.pop("jpeg"))
    try:
        write_whole(to, jpeg)
    except OSError as error:
        raise BadInput(f"{to}: cannot be written ({error.strerror}); choose another place") from error
    if as_json:
        present.json_line({**row, "file": str(to), "bytes": len(jpeg)})
        return
    present.say(f"{to}: {len(jpeg)} bytes, row {row['seq']} of {row['edge']}")
    present.say("It shows a vehicle: the portal deletes its own in time, this file only you can.", stderr=True)
