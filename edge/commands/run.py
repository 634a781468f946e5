"""`slagboom run`: the daemon in the foreground, its log on stderr, ended cleanly by SIGTERM or Ctrl-C."""

import asyncio
import logging
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

from edge.config import Config, load_config
from edge.daemon import serve
from edge.pace import keep_pace

LOG_FORMAT: Final = "%(asctime)s %(levelname)s %(message)s"


def run_site(path: Path) -> int:
    """Run the site until told to stop. Raises `SlagboomError` for what a person must mend first."""
    config = load_config(path)
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    keep_pace()
    with suppress(asyncio.CancelledError):
        asyncio.run(_until_told(config))
    return 0


async def _until_told(config: Config) -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await serve(config)
