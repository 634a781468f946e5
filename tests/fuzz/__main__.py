"""Fuzz both ends of the link: `python -m tests.fuzz --messages 100000 --seed 1`.

So many messages to an edge and to the portal each, as somebody would send them who owns the broker, and a tenth as
many that the other side's own key has signed. Prints one table a side, by topic and reason; the first message that
crashes anything, changes anything or is not counted once ends it.
"""

import argparse
import asyncio
import logging
import random
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.fuzz import edge_side, portal_side
from tests.fuzz.edge_side import Table


def table(title: str, found: Table, took_s: float) -> str:
    """By topic and reason, the reasons summed up below."""
    lines = [f"{title}: {found.total()} messages in {took_s:.0f} s"]
    for topic in sorted({topic for topic, _ in found}):
        own = sorted((reason, count) for (at, reason), count in found.items() if at == topic)
        lines.append(f"  {topic:<22} " + ", ".join(f"{reason} {count}" for reason, count in own))
    reasons: Counter[str] = Counter()
    for (_, reason), count in found.items():
        reasons[str(reason)] += count
    return "\n".join(
        [*lines, "  all: " + ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())]
    )


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    for title, play, messages in (
        ("a hostile broker to an edge", edge_side.attacked, given.messages),
        ("a hostile broker to the portal", portal_side.attacked, given.messages),
        ("a mad portal to an edge", edge_side.maddened, given.messages // 10),
        ("a mad edge to the portal", portal_side.maddened, given.messages // 10),
    ):
        with tempfile.TemporaryDirectory() as folder:
            begun = time.monotonic()
            found = await play(Path(folder), random.Random(given.seed), messages)
            print(table(title, found, time.monotonic() - begun), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
