"""Every error of the project, split by who can mend it.

    SlagboomError
    ├── BadInput                what a person handed in: a plate, a file, a setting
    │   ├── PlateError          text that is no plate
    │   ├── ScheduleError       text that is no weekly schedule
    │   ├── BadgeError          text that is no badge number
    │   ├── CodeError           text that is no QR pass or guest code
    │   ├── ConfigError         a setting, named by its path in the file
    │   ├── ListFileError       rows of an allowlist file, named by line
    │   └── MediaError          a picture, video or stream that cannot be used
    ├── RecognitionError        a model that cannot be loaded or run
    ├── ListRejected            a change to the allowlist that breaks an invariant, with its reason
    ├── StoreError              the database: corrupt, newer, full, locked
    ├── DeviceError             a board, reader or camera
    ├── PortalError             the link to the portal
    │   ├── MalformedMessage    what came over it cannot be understood
    │   ├── MessageRefused      what came over it is not believed, with its reason
    │   └── EnrolmentRefused    the portal gives no certificate, and says why
    └── ControlError            the socket for a person's orders

A refusal at a gate is a value (`facts.Refused`), never an exception.
"""

from collections.abc import Sequence


class SlagboomError(Exception):
    """Base of all; its text names the place and the fix."""


class BadInput(SlagboomError):
    """Something a person handed in cannot be used."""


class PlateError(BadInput, ValueError):
    """Text that cannot be a number plate."""


class ScheduleError(BadInput, ValueError):
    """Text that is not a weekly schedule; a ValueError too, so that a decoder names the field it came in."""


class BadgeError(BadInput, ValueError):
    """Text that is not a badge's number."""


class CodeError(BadInput, ValueError):
    """Text that cannot be a QR pass or a guest code; it never says which text, because that is a password."""


class ConfigError(BadInput):
    """One or more settings are wrong; each problem begins with its path in the file."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class ListFileError(BadInput):
    """An allowlist file cannot be used; each problem names its line.

    `in_log` are the same problems without what stands in the rows, which names vehicles and persons.
    """

    def __init__(self, problems: Sequence[str], in_log: Sequence[str] = ()) -> None:
        super().__init__("\n".join(problems))
        self.problems, self.in_log = tuple(problems), tuple(in_log or problems)


class MediaError(BadInput):
    """A picture, video, folder or stream cannot be used."""


class RecognitionError(SlagboomError):
    """A model cannot be loaded or run."""


class ListRejected(SlagboomError):
    """A change to the allowlist breaks an invariant and was not applied at all.

    `reason` is one of the names in `domain` use: `immutable_id`, `duplicate_external_id`,
    `duplicate_credential`, `badge_collision`. `external_id` is whose entry is to be mended, where one is.
    No plate, badge or code is in its text in full, because it is logged.
    """

    def __init__(self, reason: str, detail: str, external_id: str = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.external_id = reason, external_id


class StoreError(SlagboomError):
    """The database cannot be opened, read or written."""


class DeviceError(SlagboomError):
    """A board, reader or camera does not answer or answers nonsense."""


class PortalError(SlagboomError):
    """The link to the portal cannot be used."""


class MalformedMessage(PortalError):
    """What came over the link cannot be understood; it changes nothing."""


class MessageRefused(PortalError):
    """A message that is understood, or not even looked into, and not believed; it changes nothing.

    `reason` is a `sync.signing.Refusal`.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


class EnrolmentRefused(PortalError):
    """The portal heard who asks for a certificate, and gives none."""


class ControlError(SlagboomError):
    """An order cannot be given: no daemon listens, or it does not answer."""
