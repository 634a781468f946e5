"""Links, contact data, pictures and terms in a real database."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from hardware_sim.portal.fleet.registering import books_of
from hardware_sim.portal.fleet.subscriber_books import Picture, Subscriber
from hardware_sim.portal.house import House
from hardware_sim.portal.records.inputs import Overtaken, WrongField
from tests.hardware_sim.portal.house_rig import Clock, a_house

SAM = Subscriber("u1", "Sam", "+32 470 12 34 56", "Rue Haute 5", 1)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def house(tmp_path: Path, clock: Clock) -> AsyncIterator[House]:
    async with a_house(tmp_path, clock) as opened:
        yield opened


async def test_a_link_lives_a_week_and_the_newest_alone_and_is_not_made_every_moment(
    house: House, clock: Clock
) -> None:
    books = books_of(house)
    first = await house.write(books.begin, "sam@example.com", house.now())
    assert first is not None
    assert await house.write(books.begin, "sam@example.com", house.now()) is None
    clock.pass_(minutes=2)
    second = await house.write(books.begin, "sam@example.com", house.now())
    assert second is not None
    assert await house.run(books.address, first, house.now()) is None
    clock.pass_(days=6)
    assert await house.run(books.address, second, house.now()) == "sam@example.com"
    clock.pass_(days=1)
    assert await house.run(books.address, second, house.now()) is None
    third = await house.write(books.begin, "sam@example.com", house.now())
    assert third is not None
    await house.write(books.used, "sam@example.com")
    assert await house.run(books.address, third, house.now()) is None


async def test_the_second_of_two_who_change_a_subscriber_is_told(house: House) -> None:
    books = books_of(house)
    made = await house.write(books.put, SAM)
    assert (made.phone, made.version) == ("+32470123456", 1)
    changed = await house.write(books.put, replace(made, checked_by="mia", checked_at=house.now()))
    assert await house.run(books.get, "u1") == changed
    with pytest.raises(Overtaken):
        await house.write(books.put, replace(made, name="Samuel"))
    for wrong in (replace(changed, name=""), replace(changed, phone="1"), replace(changed, address="x" * 201)):
        with pytest.raises(WrongField):
            await house.write(books.put, wrong)
    assert await house.run(books.get, "u1") == changed


@pytest.mark.parametrize("data", [b"", b"MZ", b"<svg/>", b"GIF89a", b" \xff\xd8\xff", b"\xff\xd8"])
def test_a_picture_is_told_by_how_it_begins(data: bytes) -> None:
    with pytest.raises(WrongField, match="JPEG"):
        Picture.of(data)
    assert Picture.of(b"%PDF-1.7 ").media == "application/pdf"


async def test_the_newest_picture_is_kept(house: House) -> None:
    books = books_of(house)
    assert await house.run(books.picture, "u1") is None
    await house.write(books.put, SAM)
    await house.write(books.put_picture, "u1", Picture.of(b"\xff\xd8\xff1"))
    await house.write(books.put_picture, "u1", Picture.of(b"\xff\xd8\xff2"))
    assert await house.run(books.picture, "u1") == Picture("image/jpeg", b"\xff\xd8\xff2")
    assert await house.run(books.user_ids) == ["u1"]


async def test_the_newest_terms_are_in_force(house: House) -> None:
    books = books_of(house)
    assert await house.run(books.terms) is None
    first = await house.write(books.put_terms, "Be kind.", house.now())
    second = await house.write(books.put_terms, "Be on time.", house.now())
    assert second.number > first.number
    assert await house.run(books.terms) == second
