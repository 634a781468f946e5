"""What a user can show at a gate, in which state, and how a badge is compared.

Here: plates and badges as list entries, badge reads. QR passes and guest codes have their kinds but no values
yet. Not here: the viewing `AccessCode`, which never opens anything.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gate_controller.errors import BadgeError
from gate_controller.plates import Plate

BADGE_BITS_MIN = 16
BADGE_BITS_MAX = 80  # ISO/IEC 14443-3: a UID has 4, 7 or 10 bytes
_HEX = frozenset("0123456789ABCDEF")


class CredentialKind(StrEnum):
    """What kinds of credential there are."""

    PLATE = "plate"
    BADGE = "badge"
    QR_PASS = "qr_pass"
    GUEST_CODE = "guest_code"


class CredentialState(StrEnum):
    """Whether a credential may be used; only `ACTIVE` opens."""

    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class PlateCredential:
    """A plate on a user's list entry; `valid_to` is the first moment outside."""

    plate: Plate
    state: CredentialState = CredentialState.ACTIVE
    valid_from: datetime | None = None
    valid_to: datetime | None = None

    @property
    def kind(self) -> CredentialKind:
        return CredentialKind.PLATE

    @property
    def text(self) -> str:
        return self.plate.key


@dataclass(frozen=True, slots=True)
class Badge:
    """A badge on a user's list entry: its whole number, `uid` in upper-case hexadecimal, `bits` wide."""

    uid: str
    bits: int
    state: CredentialState = CredentialState.ACTIVE
    valid_from: datetime | None = None
    valid_to: datetime | None = None

    def __post_init__(self) -> None:
        if not self.uid or not _HEX.issuperset(self.uid) or not len(self.uid) <= BADGE_BITS_MAX // 4:
            # Comes over the wire and into logs: where it is wrong is told, and not what stands there.
            raise BadgeError(f"badge of {len(self.uid)} characters: it is kept in upper-case hexadecimal digits")

    @classmethod
    def parse(cls, text: str) -> "Badge":
        """A badge as typed or imported (`04:A2:2F:1B`); every digit counts four bits. Raises `BadgeError`."""
        digits = text.upper().translate({ord(char): None for char in " :-.\t"}).removeprefix("0X")
        if not _HEX.issuperset(digits) or not BADGE_BITS_MIN <= 4 * len(digits) <= BADGE_BITS_MAX:
            shown = text if len(text) <= 40 else text[:39] + "…"
            raise BadgeError(
                f"badge {shown!r}: write the whole number in hexadecimal, "
                f"{BADGE_BITS_MIN // 4} to {BADGE_BITS_MAX // 4} digits 0-9 A-F"
            )
        return cls(digits, 4 * len(digits))

    @property
    def kind(self) -> CredentialKind:
        return CredentialKind.BADGE

    @property
    def text(self) -> str:
        return self.uid


@dataclass(frozen=True, slots=True)
class BadgeRead:
    """What a reader reported: the number in upper-case hexadecimal and how many bits of it the reader gives."""

    uid: str
    bits: int

    @classmethod
    def of(cls, value: int, bits: int) -> "BadgeRead":
        """A read from the number itself."""
        return cls(f"{value:0{-(-bits // 4)}X}", bits)

    @property
    def text(self) -> str:
        return self.uid


def whole_number(uid: str, bits: int) -> str:
    """Index key of a badge: the same digits in another width are another badge."""
    return f"{bits}:{uid}"


def low_bits(uid: str, bits: int) -> str:
    """Index key of what a reader that gives only `bits` of a longer number reports of it."""
    return f"{bits}:{int(uid, 16) & ((1 << bits) - 1):X}"
