"""A subscriber's own account: contact data, home site, plates of one's own, and which contract pays.

An own plate is a credential like any other, and needs a permit to open a gate. Whoever changes the name or address
between the clerk's check and the badge is looked at again. Not here: passwords (`house`), registering, and the mail
address, which is who the account is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

import msgspec

from gate_controller.allowlist import Allowlist, Change, User, UserPut
from gate_controller.credentials import PlateCredential
from gate_controller.desk import Licence, LicenceStatus, Registration
from gate_controller.errors import BadInput
from gate_controller.plates import Plate
from hardware_sim.portal.company.company import PLATES_MAX, by_id, put_phone
from hardware_sim.portal.fleet.registering import books_of
from hardware_sim.portal.fleet.subscriber_books import Subscriber
from hardware_sim.portal.house import House
from hardware_sim.portal.records.inputs import Overtaken, WrongField, line

OVERTAKEN: Final = "Your account was changed meanwhile"


@dataclass(frozen=True, slots=True)
class Mine:
    """What a subscriber writes; `plates` as people write them, `contract` the id of the one that usually pays."""

    name: str
    phone: str
    address: str
    home_site: str
    plates: Sequence[str] = ()
    contract: str | None = None


def mark_of(user: User, known: Subscriber) -> str:
    """What a form was drawn from: another mark means that somebody changed the account meanwhile."""
    return sha256(msgspec.json.encode(msgspec.to_builtins([user, known]))).hexdigest()[:16]


async def known_of(house: House, user_id: str) -> Subscriber:
    """What the portal knows of this subscriber. Raises BadInput."""
    found = await house.run(books_of(house).get, user_id)
    if found is None:
        raise BadInput("This subscriber was deleted")
    return found


async def edit(house: House, user_id: str, mark: str, mine: Mine) -> User:
    """Write the account anew if nobody else has meanwhile; in force at once. Raises Overtaken, BadInput."""
    before, put = await known_of(house, user_id), list[User]()
    if mine.home_site not in {one.id for one in await house.run(house.organisations.sites)}:
        raise WrongField("home_site", "is none of the sites")

    def changes(_: Allowlist) -> list[Change]:
        user = by_id(house, user_id)
        if mark_of(user, before) != mark:
            raise Overtaken(OVERTAKEN)
        put[:] = [_written(user, mine, again=_again(user, before, mine))]
        return [UserPut(put[0])]

    def beside() -> None:
        wanted = replace(before, name=mine.name, phone=mine.phone, address=mine.address)
        if _again(put[0], before, mine):
            wanted = replace(wanted, checked_by="", checked_at=None)
        after = books_of(house).put(wanted)
        put_phone(house, user_id, after.phone)
        house.audit.note(house.now(), put[0].external_id, "account.edited", put[0].external_id)

    await house.portal.change(changes, beside)
    return put[0]


def _again(user: User, before: Subscriber, mine: Mine) -> bool:
    changed = (before.name, before.address) != (mine.name.strip(), mine.address.strip())
    return changed and user.registration is Registration.PRE_REGISTERED


def _written(user: User, mine: Mine, *, again: bool) -> User:
    if len(mine.plates) > PLATES_MAX:
        raise WrongField("plates", f"are {len(mine.plates)}; {PLATES_MAX} are the most")
    if mine.contract is not None and mine.contract not in {one.id for one in user.contracts}:
        raise WrongField("contract", "is none of yours")
    had = {one.text: one for one in user.plates}
    plates = {
        one.text: had.get(one.text, one) for one in (PlateCredential(Plate.parse(text)) for text in mine.plates)
    }
    return replace(
        user,
        name=line(mine.name, "name"),
        home_site=mine.home_site,
        plates=tuple(plates.values()),
        default_contract=mine.contract or user.default_contract,
        licence=Licence(LicenceStatus.PENDING) if again and user.licence is not None else user.licence,
    )
