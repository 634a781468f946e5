"""A running story on the terminal: who does what, as it happens, and how the books stand in the end."""

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge import clock
from hardware_sim.garage import ENTRY, EXIT
from hardware_sim.scenarios import CARS, STORIES, Story, leaves, people
from hardware_sim.simulated_site import Say, SimulatedSite, simulated_site
from hardware_sim.stories.story import Story as SystemStory

COLOURS = {
    "story": "bold white",
    "entry": "cyan",
    "exit": "cyan",
    "daemon": "green",
    "portal": "magenta",
    "display": "bold yellow",
    "site": "dim",
}


async def play(stories: Sequence[str], folder: Path) -> None:
    """Play stories one after the other over one site. Raises `StoryFailed` where the site does not do as told."""
    console = Console(highlight=False)
    say = _teller(console)
    async with told_of_the_portal(say), simulated_site(folder, say, CARS) as site:
        await people(site)
        await site.start_daemon()
        await site.until_ready()
        for car in site.world.parked:
            say("story", f"{car.plate} is still inside from the run before; it leaves first.")
            await leaves(site, car)
        for name in stories:
            await STORIES[name](site)
        await site.until(lambda: not any(site.world.scene(lane).vehicles for lane in (ENTRY, EXIT)), "empty lanes")
        await site.until_delivered()
        console.print(await _books(site))


async def play_system(story: SystemStory, folder: Path) -> None:
    """Play the story of a system over a site and pages of its own. Raises what its steps raise."""
    console = Console(highlight=False)
    console.print(Text(f"{story.name}: {story.title}", style="bold"))
    say = _teller(console)
    a_site = simulated_site(folder, say, story.cars, pages=True, desk=story.desk)
    async with told_of_the_portal(say), a_site as site:
        await site.start_daemon()
        await site.until_ready()
        await story.play(site)
        await site.until_delivered()
    proven = ", ".join(map(str, sorted(story.proves)))
    console.print(Text(f"{story.name} ends well; requirements proven: {proven}\n", style="bold green"))


def headline(system: str) -> None:
    """Where a system's transcript begins."""
    Console().rule(Text(system, style="bold"), align="left")


def _teller(console: Console) -> Say:
    begun_s = clock.now().mono_s

    def say(who: str, what: str) -> None:
        line = Text(f"{clock.now().mono_s - begun_s:6.1f} s  ", style="dim")
        line.append(f"{who:<8}", style=COLOURS.get(who, ""))
        line.append(what, style=_style(who, what))
        console.print(line, soft_wrap=True)

    return say


@asynccontextmanager
async def told_of_the_portal(say: Say) -> AsyncIterator[None]:
    """The portal lives in this process: what it logs is told like everything else."""

    class Told(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            say("portal", record.getMessage())

    handler, root = Told(logging.INFO), logging.getLogger("sync.mqtt")
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(before)


def _style(who: str, what: str) -> str:
    """Stories and displays stand out whole; of the daemon's lines, the decisions."""
    if who in ("story", "display"):
        return COLOURS[who]
    words = {": granted": "bold green", ": refused": "bold red", "ALARM": "bold red", "WARNING": "yellow"}
    return next((style for word, style in words.items() if word in what), "") if who == "daemon" else ""


def list_stories(stories: Mapping[str, Story], systems: Mapping[str, SystemStory]) -> None:
    """Name and first line of each story; of a system's, the title."""
    table = Table("Story", "What happens", box=None)
    for name, story in stories.items():
        table.add_row(name, (story.__doc__ or "").partition("\n")[0])
    for name, system in systems.items():
        table.add_row(name, system.title)
    Console().print(table)


async def _books(site: SimulatedSite) -> Table:
    """What the edge holds beside what the portal has."""
    events = await site.portal.events(limit=1_000_000)
    table = Table(title="The books", box=None, title_justify="left")
    table.add_column("")
    table.add_column("edge", justify="right")
    table.add_column("portal", justify="right")
    rows = site.journal_length()
    table.add_row("journal rows", str(rows), str(len(events)))
    table.add_row("vehicles inside", str(len(site.plates_inside())), "")
    return table
