"""The commands of the simulated world: `slagboom demo`, `slagboom sim` and `slagboom portal`."""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from hardware_sim.portal.cli import app as portal

app = typer.Typer()
app.add_typer(portal, name="portal")

Folder = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Keep the site here, and go on with what an earlier run left there."),
]


@app.command(epilog="Example: slagboom demo --folder mysite")
def demo(folder: Folder = None) -> None:
    """A whole site at work: two lanes, readers, a broker and a portal, all on this machine.

    Cars are drawn, driven and filmed by the simulator; everything that decides is the real daemon.
    """
    from hardware_sim.scenarios import STORIES

    _play(list(STORIES), folder)


@app.command(epilog="Example: slagboom sim second-car")
def sim(
    stories: Annotated[list[str] | None, typer.Argument(metavar="STORY...", help="Names; none lists them.")] = None,
    folder: Folder = None,
) -> None:
    """Play named stories against the real daemon, and fail where it does not do what it must."""
    from hardware_sim.scenarios import STORIES
    from hardware_sim.show import list_stories

    if not stories:
        list_stories(STORIES)
        return
    unknown = [name for name in stories if name not in STORIES]
    if unknown:
        raise typer.BadParameter(f"no story {unknown[0]!r}; known are {', '.join(STORIES)}")
    _play(stories, folder)


def _play(stories: Sequence[str], folder: Path | None) -> None:
    from hardware_sim.show import play

    if folder is not None:
        asyncio.run(play(stories, folder))
        return
    with tempfile.TemporaryDirectory(prefix="slagboom-") as made:
        asyncio.run(play(stories, Path(made)))
