"""How passwords are kept: never as they are, never twice the same, and nothing weak is taken."""

import pytest

from hardware_sim.portal.records import passwords
from hardware_sim.portal.records.inputs import WrongField


async def test_only_the_password_matches_what_is_kept() -> None:
    stored = await passwords.kept("correct horse")
    assert b"correct horse" not in stored
    assert await passwords.matches("correct horse", stored)
    assert not await passwords.matches("correct hors", stored)
    assert stored != await passwords.kept("correct horse")


async def test_what_is_shipped_is_slow_and_older_hashes_still_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert passwords.COST == (14, 8, 5)
    stored = await passwords.kept("correct horse")
    monkeypatch.setattr(passwords, "COST", (4, 8, 1))
    assert await passwords.matches("correct horse", stored)


async def test_nothing_matches_where_nothing_is_kept() -> None:
    assert not await passwords.matches("", None)
    assert not await passwords.matches("correct horse", None)


async def test_text_that_is_no_unicode_is_a_password_like_any_other() -> None:
    assert await passwords.matches("a\ud800b", await passwords.kept("a\ud800b"))


@pytest.mark.parametrize("weak", ["short", "x" * 201, "aaaaaaaaaaaa", "Anna@Example.com"])
def test_weak_passwords_are_not_taken(weak: str) -> None:
    with pytest.raises(WrongField):
        passwords.acceptable(weak, ("anna@example.com",))


def test_a_few_words_are_taken() -> None:
    assert passwords.acceptable("four quiet grey geese", ("anna",)) == "four quiet grey geese"
