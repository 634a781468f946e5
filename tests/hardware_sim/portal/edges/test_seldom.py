"""What a thousand want at once is done once, and nobody's wish is forgotten."""

import asyncio

from hardware_sim.portal.edges.seldom import Seldom, Soon


async def test_the_first_is_served_at_once_and_the_others_together() -> None:
    done = asyncio.Event()
    deeds: list[int] = []

    def deed() -> None:
        deeds.append(wanted)
        done.set()

    seldom, wanted = Seldom(deed, 0.05), 1
    seldom.want()
    assert deeds == [1]
    done.clear()
    for wanted in range(2, 1000):  # noqa: B007
        seldom.want()
    assert deeds == [1]
    async with asyncio.timeout(60):
        await done.wait()
    assert deeds == [1, 999]


async def test_a_rest_over_which_nobody_wanted_it_ends_quietly() -> None:
    deeds: list[None] = []
    seldom = Seldom(lambda: deeds.append(None), 0.0)
    seldom.want()
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(0.0, over.set)
    async with asyncio.timeout(60):
        await over.wait()
    assert len(deeds) == 1
    seldom.want()
    assert len(deeds) == 2


async def test_what_is_wanted_soon_is_done_once_for_all_and_again_for_the_next() -> None:
    done = asyncio.Event()
    deeds: list[int] = []

    def deed() -> None:
        deeds.append(wanted)
        done.set()

    soon, wanted = Soon(deed, 0.05), 0
    for round_ in (1, 2):
        done.clear()
        for _ in range(1000):
            wanted += 1
            soon.want()
        assert len(deeds) == round_ - 1
        async with asyncio.timeout(60):
            await done.wait()
    assert deeds == [1000, 2000]
