"""What the portal says of its list names its audience, its era, and how long it counts."""

from datetime import UTC, datetime

from msgspec import Raw

from gate_controller.allowlist import Allowlist
from hardware_sim.portal.edges.books import Changes, Part
from hardware_sim.portal.edges.letters import Letters
from sync.messages import LIST_LIVES

T0 = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)


def test_each_letter_says_whose_it_is_and_until_when() -> None:
    letters, newest = Letters("t/s", 5, lambda: T0), Allowlist.empty("e")
    head = letters.head(newest, "root", "conn")
    delta = letters.delta("e", Changes(6, 7, "root", []))
    part = letters.part("e", Part(7, "root", 2, 3, Raw(b"[]")))
    for letter in (head, delta, part):
        assert (letter.aud, letter.era, letter.epoch, letter.root) == ("t/s", 5, "e", "root")
        assert (letter.iat, letter.exp) == (T0, T0 + LIST_LIVES)
    assert (head.rev, head.conn, delta.from_, delta.to) == (0, "conn", 6, 7)
    assert (part.rev, part.part, part.parts) == (7, 2, 3)
