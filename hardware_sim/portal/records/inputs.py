"""What people hand in: checks that every form, command and import shares, and the errors that name the field.

Not here: what only one subject knows, such as plates and schedules, which `gate_controller` reads.
"""

import re
import unicodedata
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gate_controller.errors import BadInput

NAME_LEN_MAX: Final = 100
EMAIL_LEN_MAX: Final = 254
"""Of a mailbox in a forward path: RFC 5321, 4.5.3.1.3, less its angle brackets."""
PHONE_DIGITS: Final = (6, 15)
"""15 at most: ITU-T E.164."""


class WrongField(BadInput):
    """One field of what was handed in cannot be used; its text follows the field's name."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field, self.problem = field, problem


class Overtaken(BadInput):
    """Somebody else changed it meanwhile; nothing was written."""


def line(text: str, field: str, len_max: int = NAME_LEN_MAX) -> str:
    """One line of readable text without spaces around it, in NFC. Raises WrongField."""
    clean = unicodedata.normalize("NFC", text).strip()
    if not clean:
        raise WrongField(field, "is missing")
    if len(clean) > len_max:
        raise WrongField(field, f"has {len(clean)} characters; {len_max} are the most")
    if any(unicodedata.category(letter).startswith("C") or letter in "\u2028\u2029" for letter in clean):
        raise WrongField(field, "has a character that cannot be seen; type it anew")
    return clean


def email(text: str, field: str = "email") -> str:
    """An e-mail address, folded: one address is one person. Raises WrongField."""
    clean = line(text, field, EMAIL_LEN_MAX).casefold()
    if not re.fullmatch(r"[^@\s<>\"(),:;\[\]\\]{1,64}@[\w-]+(\.[\w-]+)+", clean):
        raise WrongField(field, "is no e-mail address; write it like anna@example.com")
    return clean


def phone(text: str, field: str = "phone") -> str:
    """A telephone number with its country, as `+` and digits. Raises WrongField."""
    clean = re.sub(r"[\s()/.-]", "", line(text, field, 40))
    clean = "+" + clean[2:] if clean.startswith("00") else clean
    least, most = PHONE_DIGITS
    if not re.fullmatch(rf"\+[1-9][0-9]{{{least - 1},{most - 1}}}", clean):
        raise WrongField(field, "is no telephone number with its country; write it like +49 170 1234567")
    return clean


def time_zone(text: str, field: str = "time_zone") -> str:
    """The name of a time zone. Raises WrongField."""
    clean = line(text, field)
    try:
        ZoneInfo(clean)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise WrongField(field, "is no time zone; write it like Europe/Amsterdam") from None
    return clean
