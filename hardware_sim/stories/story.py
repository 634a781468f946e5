"""A story of one system: named steps over a running site and the portal's real pages, each proving requirements.

Steps share a `Stage`: the site, one browser a person, and what they noted for later steps. A step fails by raising;
`StoryFailed` says in words what was expected. The same stories run as tests and by `slagboom sim NAME`.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hardware_sim.portal.house import House
from hardware_sim.portal.records.accounts import Account, Role
from hardware_sim.portal.records.mailbox import Letter
from hardware_sim.simulated_site import SimulatedSite, StoryFailed
from hardware_sim.stories.browser import Browser, Shown
from hardware_sim.world import Vehicle

PASSWORD: Final = "four quiet grey geese"


@dataclass(slots=True)
class Stage:
    """Where a story plays; `notes` carry ids and codes from one step to a later one."""

    site: SimulatedSite
    notes: dict[str, Any] = field(default_factory=dict)
    _browsers: dict[str, Browser] = field(default_factory=dict)
    _ends: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    @property
    def house(self) -> House:
        """Accounts, mailbox and records of the portal, for what a person would see there."""
        return self.site.house

    def say(self, who: str, what: str) -> None:
        """Tell what happens."""
        self.site.say(who, what)

    def browser(self, person: str) -> Browser:
        """The browser of this person, the same in every step."""
        if person not in self._browsers:
            self._browsers[person] = Browser(self.house.url)
        return self._browsers[person]

    async def account(
        self,
        person: str,
        *roles: Role,
        email: str | None = None,
        sites: Sequence[str] = (),
        user_id: str | None = None,
    ) -> Account:
        """An account with a password, for people whose first login is not the story; `log_in` logs in."""
        made, _ = await self.house.add_account(
            "story", person, self.house.tenant, roles, email=email, sites=sites, user_id=user_id
        )
        await self.house.set_password(made, PASSWORD)
        return made

    async def log_in(self, person: str, name: str = "", secret: str = PASSWORD) -> Shown:
        """Log a person in at the pages, as a person does."""
        browser = self.browser(person)
        await browser.open("/login")
        fill = {"Name or e-mail address": name or person, "Password or one-time code": secret}
        return await browser.submit("Log in", fill)

    async def letters(self, recipient: str) -> list[Letter]:
        """What was mailed or texted to somebody, the newest first."""
        return await self.house.run(self.house.mailbox.letters, recipient)

    def on_close(self, end: Callable[[], Awaitable[None]]) -> None:
        """Have something that a step began end with the story, however that ends."""
        self._ends.append(end)

    async def close(self) -> None:
        """Close every browser, and what steps began."""
        for end in self._ends:
            await end()
        for browser in self._browsers.values():
            await browser.client.aclose()


Act = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Step:
    """What happens, which requirements that proves, and the function that does it."""

    says: str
    proves: frozenset[int]
    act: Act


class Story:
    """A story; `step` adds to it in the order of the file. `cars` are drawn from the beginning.

    With `desk`, a fleet desk stands at its site.
    """

    def __init__(self, name: str, title: str, cars: Sequence[Vehicle] = (), *, desk: bool = False) -> None:
        self.name, self.title, self.cars, self.desk = name, title, tuple(cars), desk
        self.steps: list[Step] = []

    @property
    def proves(self) -> frozenset[int]:
        """Every requirement that one of its steps proves."""
        return frozenset().union(*(step.proves for step in self.steps))

    def step(self, says: str, proves: Iterable[int] = ()) -> Callable[[Act], Act]:
        """Make a function the next step."""

        def add(act: Act) -> Act:
            self.steps.append(Step(says, frozenset(proves), act))
            return act

        return add

    async def play(self, site: SimulatedSite) -> None:
        """Play every step. Raises what the step raises, best StoryFailed."""
        stage = Stage(site)
        try:
            for number, step in enumerate(self.steps, 1):
                proving = f"  [{', '.join(map(str, sorted(step.proves)))}]" if step.proves else ""
                site.say("story", f"{number}. {step.says}{proving}")
                await step.act(stage)
        finally:
            await stage.close()


def must(met: object, what: str) -> None:
    """Raises StoryFailed unless it is so."""
    if not met:
        raise StoryFailed(what)
