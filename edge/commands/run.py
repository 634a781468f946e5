"""`slagboom run`: the daemon, until it is told to stop."""

import asyncio
import logging
import signal
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path

from edge.config import load_config
from edge.daemon import serve


def run_site(path: Path) -> int:
    """Run the site of a settings file; 0 after SIGTERM or SIGINT."""
    config = load_config(path)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S%z"
    )
    asyncio.run(_until_told(serve(config)))
    return 0


async def _until_told(work: Coroutine[None, None, None]) -> None:
    """Run to the end, or until a signal asks to stop; what has happened is written either way."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        await task
