"""Mail and SMS are kept and shown, the newest first, and not for ever."""

from pathlib import Path

import pytest

from hardware_sim.portal.records import mailbox
from tests.hardware_sim.portal.house_rig import BEGIN, a_house


async def test_letters_are_kept_as_written(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await house.write(house.mailbox.mail, BEGIN, "anna@example.com", "Hello", "Body\nof it", "QR text")
        await house.write(house.mailbox.sms, BEGIN, "+491701234567", "Code 1234")
        sms, mail = await house.run(house.mailbox.letters)
        assert (mail.kind, mail.at, mail.recipient, mail.subject, mail.body, mail.qr) == (
            "mail", BEGIN, "anna@example.com", "Hello", "Body\nof it", "QR text",
        )  # fmt: skip
        assert (sms.kind, sms.recipient, sms.body, sms.qr) == ("sms", "+491701234567", "Code 1234", None)
        assert await house.run(house.mailbox.letters, "anna@example.com") == [mail]


async def test_the_oldest_go_beyond_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "LETTERS_LEN_MAX", 3)
    async with a_house(tmp_path) as house:
        for n in range(5):
            await house.write(house.mailbox.sms, BEGIN, "+491701234567", f"{n}")
        assert [letter.body for letter in await house.run(house.mailbox.letters)] == ["4", "3", "2"]
