"""The commands of the simulated world: `slagboom demo`, `slagboom sim` and `slagboom portal`."""

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from gate_controller.errors import BadInput
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


@app.command(epilog="Example: slagboom sim second-car front-door")
def sim(
    stories: Annotated[list[str] | None, typer.Argument(metavar="STORY...", help="Names; none lists them.")] = None,
    folder: Folder = None,
    systems: Annotated[
        bool, typer.Option("--systems", help="The story of every system, one after the other.")
    ] = False,
) -> None:
    """Play named stories against the real daemon, and fail where it does not do what it must.

    The story of a system has a site of its own, and the portal's pages.
    """
    from hardware_sim.scenarios import STORIES
    from hardware_sim.show import headline, list_stories
    from hardware_sim.stories.registry import BY_SYSTEM, SYSTEMS

    wanted = stories or []
    if not wanted and not systems:
        list_stories(STORIES, SYSTEMS)
        return
    unknown = [name for name in wanted if name not in STORIES and name not in SYSTEMS]
    if unknown:
        raise typer.BadParameter(f"no story {unknown[0]!r}; known are {', '.join([*STORIES, *SYSTEMS])}")
    if at_a_gate := [name for name in wanted if name in STORIES]:
        _play(at_a_gate, folder)
    for name in [name for name in wanted if name in SYSTEMS]:
        _play_system(name, folder)
    for system, told in BY_SYSTEM.items() if systems else ():
        headline(system)
        for story in told:
            _play_system(story.name, folder)


def _play(stories: Sequence[str], folder: Path | None) -> None:
    from hardware_sim.show import play

    with _kept(folder) as place:
        asyncio.run(play(stories, place))


def _play_system(name: str, folder: Path | None) -> None:
    """Each begins on an empty site: what it proves must not come from another run."""
    from hardware_sim.show import play_system
    from hardware_sim.stories.registry import SYSTEMS

    with _kept(folder) as place:
        if (place / name).exists():
            raise BadInput(f"--folder {place}: {name} was played here already; name another folder")
        place.mkdir(parents=True, exist_ok=True)
        asyncio.run(play_system(SYSTEMS[name], place / name))


@contextmanager
def _kept(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="slagboom-") as made:
        yield Path(made)
