"""What the commands of the portal share: their arguments, completion of names, and how replies are printed."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from edge import present
from gate_controller.errors import BadInput, SlagboomError

if TYPE_CHECKING:
    from hardware_sim.portal.operator.asked import Asked

Row = dict[str, Any]
Column = tuple[str, Callable[[Row], object]]


def complete_user(ctx: typer.Context, incomplete: str) -> list[str]:
    """External ids that begin so."""
    from hardware_sim.portal.operator.asked import Users

    return [row["external_id"] for row in _quietly(ctx, Users(incomplete))]


def complete_edge(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of edges that begin so."""
    from hardware_sim.portal.operator.asked import Edges

    return [row["edge"] for row in _quietly(ctx, Edges()) if row["edge"].startswith(incomplete)]


def complete_permit(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of groups' permits that begin so."""
    from hardware_sim.portal.operator.asked import Permits

    return [row["permit"] for row in _quietly(ctx, Permits()) if row["permit"].startswith(incomplete)]


def _quietly(ctx: typer.Context, asked: "Asked") -> Iterator[Row]:
    """Rows for a completion, which has no place to say what went wrong."""
    from hardware_sim.portal.operator.counter import ask
    from hardware_sim.portal.operator.folder import PortalFolder

    with contextlib.suppress(SlagboomError, OSError, KeyError):
        yield from ask(PortalFolder.load(Path(ctx.params["folder"])), asked).rows


Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The portal's folder.")]
UserName = Annotated[
    str,
    typer.Argument(metavar="EXTERNAL-ID", help="What the customer calls the user.", autocompletion=complete_user),
]
NewUser = Annotated[str, typer.Argument(metavar="EXTERNAL-ID", help="What the customer calls the user.")]
EdgeName = Annotated[str, typer.Argument(metavar="EDGE", help="The edge.", autocompletion=complete_edge)]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line instead of tables.")]
Schedule = Annotated[
    str | None, typer.Option(metavar="WEEKLY", help='When, such as "Mo-Fr 06:00-20:00"; always if left out.')
]
Country = Annotated[str | None, typer.Option(help="The plates' country by its sign, such as NL.")]


REASON_LEN_MAX: Final = 200
Why = Annotated[str, typer.Option("--reason", help="Why: the edge's journal keeps it, with who ordered.")]


def worded(reason: str) -> str:
    """A reason as typed. Raises `BadInput`."""
    if not 1 <= len(reason.strip()) <= REASON_LEN_MAX:
        raise BadInput(f"--reason: write 1 to {REASON_LEN_MAX} characters; the journal keeps them")
    return reason.strip()


def told(folder: Path, asked: "Asked", *, as_json: bool) -> None:
    """Have something done, and print what became of it. Raises `SlagboomError`."""
    from hardware_sim.portal.operator.counter import ask
    from hardware_sim.portal.operator.folder import PortalFolder

    reply = ask(PortalFolder.load(folder), asked)
    if not as_json:
        present.say(reply.text)
        return
    for row in reply.rows:
        present.json_line(row)


def listed(
    folder: Path, asked: "Asked", title: str, columns: Callable[[tzinfo], Sequence[Column]], *, as_json: bool
) -> None:
    """Print rows as a table. Raises `SlagboomError`."""
    from hardware_sim.portal.operator.counter import ask
    from hardware_sim.portal.operator.folder import PortalFolder

    found = PortalFolder.load(folder)
    rows = ask(found, asked).rows
    if as_json:
        for row in rows:
            present.json_line(row)
        return
    wanted = columns(found.tz)
    cells = [[value(row) for _, value in wanted] for row in rows]
    present.table(title, [head for head, _ in wanted], cells)


def local(text: str | None, tz: tzinfo) -> str:
    """A time of a reply as people at the site say it."""
    return f"{datetime.fromisoformat(text).astimezone(tz):%Y-%m-%d %H:%M:%S}" if text else ""


def ago(text: str | None, now: datetime) -> str:
    """How long ago a time of a reply was."""
    if not text:
        return "never"
    gone_s = max((now.astimezone(UTC) - datetime.fromisoformat(text)).total_seconds(), 0.0)
    for unit, of_s in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if gone_s >= 2 * of_s:
            return f"{gone_s / of_s:.0f} {unit}"
    return f"{gone_s:.0f} s"


def moment(text: str | None, folder: Path, option: str) -> datetime | None:
    """A time as typed; without an offset it is meant at the site. Raises `BadInput`."""
    from edge.commands.when import instant
    from hardware_sim.portal.operator.folder import PortalFolder

    return instant(text, PortalFolder.load(folder).tz, option) if text is not None else None
