"""What may be asked of a portal by its operator, and the reply; how it gets there is `counter`'s business.

Rows of a reply are plain JSON, and the same for a table as for `--json`. Times are in UTC with their zone.
"""

from datetime import datetime
from typing import Any

from msgspec import Struct

from sync.orders import Request, SyncNow


class Reply(Struct, frozen=True):
    """The rows asked for, or what became of a change; `problems` say why nothing did."""

    rows: list[dict[str, Any]] = []
    text: str = ""
    problems: list[str] = []


class About(Struct, frozen=True, tag=True):
    """Names, keys and revision."""


class Users(Struct, frozen=True, tag=True):
    """Users whose external id begins so."""

    begins: str = ""


class ShowUser(Struct, frozen=True, tag=True):
    """One user with credentials and permits."""

    external_id: str


class AddUser(Struct, frozen=True, tag=True):
    external_id: str
    plates: tuple[str, ...] = ()
    badges: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    country: str | None = None
    places: int = 1
    schedule: str | None = None


class SwitchUser(Struct, frozen=True, tag=True):
    """On or off; a user who is off gets in nowhere."""

    external_id: str
    on: bool


class RemoveUser(Struct, frozen=True, tag=True):
    external_id: str


class AddCredential(Struct, frozen=True, tag=True):
    """One more plate or badge, whichever is given."""

    external_id: str
    plate: str = ""
    badge: str = ""
    country: str | None = None


class RemoveCredential(Struct, frozen=True, tag=True):
    external_id: str
    plate: str = ""
    badge: str = ""


class RevokeUser(Struct, frozen=True, tag=True):
    """A user, or the plate or badge that is given, is void at once wherever an edge is connected."""

    external_id: str
    by: str
    reason: str
    plate: str = ""
    badge: str = ""


class SetGroups(Struct, frozen=True, tag=True):
    external_id: str
    groups: tuple[str, ...]


class Permits(Struct, frozen=True, tag=True):
    """Every permit of a group."""


class PermitGroup(Struct, frozen=True, tag=True):
    group: str
    schedule: str | None = None
    lane: str | None = None


class RemovePermit(Struct, frozen=True, tag=True):
    permit_id: str


class AddGuest(Struct, frozen=True, tag=True):
    """A visitor; without a pass a guest code is made."""

    external_id: str
    until: datetime | None = None
    qr_pass: str = ""
    code: str = ""


class Import(Struct, frozen=True, tag=True):
    """The users of a list file; with `whole`, users whom it does not name are removed."""

    file: str
    whole: bool = False


class Edges(Struct, frozen=True, tag=True):
    """Every edge that was registered or ever spoke."""


class AddEdge(Struct, frozen=True, tag=True):
    edge: str
    serial: str


class KeyOfEdge(Struct, frozen=True, tag=True):
    """What an edge signs with this key is believed from now on; for edges that are not enrolled."""

    edge: str
    public: str


class Alarms(Struct, frozen=True, tag=True):
    """What the portal found wrong with what edges sent, the newest first."""


class Quarantined(Struct, frozen=True, tag=True):
    """What edges sent and cannot be read or is not believed, the newest first."""

    limit: int = 100


class ShowQuarantined(Struct, frozen=True, tag=True):
    """One of them, with what came."""

    number: int


class DropQuarantined(Struct, frozen=True, tag=True):
    """Delete some of them."""

    numbers: tuple[int, ...]


class FetchPicture(Struct, frozen=True, tag=True):
    """The picture that decided an event, from the portal or from its edge."""

    event: int


class Conflicts(Struct, frozen=True, tag=True):
    """Entries that took a place too many, and exits that no entry explains."""


class SettleConflict(Struct, frozen=True, tag=True):
    """A person's word on a conflict."""

    conflict: str
    pardon: bool = False


class RetireEdge(Struct, frozen=True, tag=True):
    edge: str


class BrokerFolder(Struct, frozen=True, tag=True):
    """Write Mosquitto's folder; without a host only its access list."""

    folder: str
    host: str = ""
    port: int = 8883


class Events(Struct, frozen=True, tag=True):
    """Events after a number in the order of arrival, or the last ones; plates only where they are asked for."""

    after: int | None = None
    limit: int = 100
    clear: bool = False


class OrderEdge(Struct, frozen=True, tag=True):
    """An order to an edge, for now and never for later."""

    edge: str
    order: Request | SyncNow


class RotateKeys(Struct, frozen=True, tag=True):
    """A new online key."""


class Accounts(Struct, frozen=True, tag=True):
    """Every account of the pages."""


class AddAccount(Struct, frozen=True, tag=True):
    """A new account; without an organisation it is the portal's own. Its one-time code is told once."""

    name: str
    roles: tuple[str, ...] = ()
    organisation: str = ""
    email: str | None = None
    phone: str | None = None
    sites: tuple[str, ...] = ()
    user: str | None = None


class ResetAccount(Struct, frozen=True, tag=True):
    """A fresh one-time code in place of the password."""

    name: str


class Letters(Struct, frozen=True, tag=True):
    """Mail and SMS that the portal keeps, the newest first; to one recipient only if one is named."""

    recipient: str = ""
    limit: int = 20


Asked = (
    About
    | Users
    | ShowUser
    | AddUser
    | SwitchUser
    | RemoveUser
    | AddCredential
    | RemoveCredential
    | RevokeUser
    | SetGroups
    | Permits
    | PermitGroup
    | RemovePermit
    | AddGuest
    | Import
    | Edges
    | AddEdge
    | KeyOfEdge
    | Alarms
    | Quarantined
    | ShowQuarantined
    | DropQuarantined
    | FetchPicture
    | Conflicts
    | SettleConflict
    | RetireEdge
    | BrokerFolder
    | Events
    | OrderEdge
    | RotateKeys
    | Accounts
    | AddAccount
    | ResetAccount
    | Letters
)
