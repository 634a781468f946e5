"""Partners: customers linked to them, devices in their charge, and the mails that tell whoever is asked.

Who may do what, and from when until when somebody pays, are `gate_controller.delegation`'s rules. What they say of
a device goes into its list entry in the same transaction, so that a gate stamps at the scan who pays. To a partner
a link is not there before the customer has accepted it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeVar

from gate_controller.allowlist import Allowlist, Change, DevicePut
from gate_controller.delegation import (
    Delegation,
    Device,
    DeviceState,
    Partnership,
    Stage,
    delegate,
    in_charge,
)
from gate_controller.errors import BadInput
from hardware_sim.portal.house import House
from hardware_sim.portal.partners.partner_books import PartnerBooks
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.records.inputs import Overtaken, WrongField
from hardware_sim.portal.records.organisations import Organisation

OPEN: Final = (Stage.REQUESTED, Stage.ACCEPTED)
A = TypeVar("A", Partnership, Delegation)


class Word(StrEnum):
    """What either side says of an agreement."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    END = "end"


_DONE: Final = {Word.ACCEPT: "accepted", Word.REFUSE: "refused", Word.END: "ended"}


@dataclass(frozen=True, slots=True)
class Agreed:
    """All agreements of one customer, those that are over too."""

    partnerships: Sequence[Partnership]
    delegations: Sequence[Delegation]

    def now_with(self, links: Iterable[Partnership], charges: Iterable[Delegation]) -> "Agreed":
        """The same with these in place of what they were."""
        newer = {one.id: one for one in links}, {one.id: one for one in charges}
        return Agreed(
            [newer[0].get(one.id, one) for one in self.partnerships],
            [newer[1].get(one.id, one) for one in self.delegations],
        )


class Partners:
    """Partnerships and delegations of one house."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.books = PartnerBooks(house.portal.database.sql)

    # ---- what is seen ----

    async def partnerships(self, organisation: str) -> list[Partnership]:
        """What this organisation may know of: a partner nothing that the customer has not accepted."""
        found = await self._house.run(self.books.partnerships, organisation)
        return [one for one in found if knows(organisation, one)]

    async def partnership(self, organisation: str, partnership: str) -> Partnership | None:
        """One that this organisation may know of."""
        found = await self._house.run(self.books.partnership, partnership)
        return found if found is not None and knows(organisation, found) else None

    async def delegations(self, organisation: str) -> list[Delegation]:
        """Those of this organisation, on either side, "" for all; the newest first."""
        return await self._house.run(self.books.delegations, organisation)

    async def delegation(self, organisation: str, delegation: str) -> Delegation | None:
        """One of this organisation's."""
        found = await self._house.run(self.books.delegation, delegation)
        return found if found is not None and organisation in (found.partner, found.customer) else None

    async def unreachable(self, organisation: str, role: Role) -> str:
        """A hint for whoever asked an organisation that cannot be mailed, "" for one that can."""
        if await self._house.run(self._house.addresses, organisation, role):
            return ""
        return " It has no e-mail address here and was not mailed: tell it yourself."

    def devices(self, owner: str) -> list[Device]:
        """The devices of an owner, by name."""
        listed = self._house.portal.allowlist.devices()
        return sorted((one for one in listed if one.owner == owner), key=lambda one: one.id)

    # ---- support, then the customer ----

    async def ask_for(self, actor: str, partner: str, customer: str) -> Partnership:
        """Support asks a customer to be linked to a partner; only the customer is told. Raises BadInput."""
        house = self._house

        def deed() -> Partnership:
            asked = house.organisations.get(partner), house.organisations.get(customer)
            _fit(*asked)
            if any(one.partner == partner and one.stage in OPEN for one in self.books.partnerships(customer)):
                raise WrongField("customer", "is linked to this partner already, or asked about it")
            made = Partnership(house.new_id(), partner, customer, house.now())
            self.books.keep_partnership(None, made)
            told = _ASKED.format(partner=asked[0].name, link=f"{house.url}/partners/{made.id}")
            self._mail(customer, Role.ADMINISTRATOR, "A partner for your devices", told)
            house.audit.note(house.now(), actor, "partnership.requested", made.id, f"{partner} {customer}")
            return made

        return await house.write(deed)

    async def answer(self, actor: str, by: str, partnership: str, word: Word, mark: str) -> Partnership:
        """The customer's word, or either side's end, with which all that was delegated under it ends.

        `mark` is the stage that the answer is to. Raises BadInput, Overtaken.
        """
        before = await self.partnership(by, partnership)
        if before is None:
            raise BadInput("there is no such link")
        _unchanged(before.stage, mark)
        agreed = await self._agreed(before.customer)
        at = self._moment(agreed)
        after = _said(before, word, by, at)
        under = [one for one in agreed.delegations if one.partnership == partnership and one.stage in OPEN]
        ended = [one.ended(by, at) for one in under if word is Word.END]

        def noted() -> None:
            self.books.keep_partnership(before, after)
            for old, new in zip(under, ended, strict=False):
                self.books.keep_delegation(old, new)
            self._tell(by, after, f"The link between {before.partner} and {before.customer}", word)
            self._house.audit.note(self._house.now(), actor, f"partnership.{_DONE[word]}", partnership, by)

        await self._written(agreed, agreed.now_with([after], ended), noted)
        return after

    async def withdraw(self, actor: str, partner: str) -> None:
        """Who is no partner any more is in charge of nothing and linked with nobody."""
        found = await self._house.run(self.books.partnerships, partner)
        for one in found:
            if one.partner == partner and one.stage in OPEN:
                await self.answer(actor, one.customer, one.id, Word.END, one.stage.value)

    async def settle(self) -> None:
        """Withdraw from everybody who is no partner: a portal may have been stopped in the middle of it."""
        for one in await self._house.run(self._house.organisations.all):
            if not one.partner:
                await self.withdraw("", one.id)

    # ---- the owner, then the partner ----

    async def delegate(
        self, actor: str, by: str, partnership: str, devices: Sequence[str], *, all_of_them: bool = False
    ) -> list[Delegation]:
        """The owner asks the partner to take charge of devices; the partner is mailed. Raises BadInput.

        All means those that there are by now and that are free: none that comes later.
        """
        house = self._house
        owned = {one.id: one for one in self.devices(by) if one.state is not DeviceState.RETIRED}

        def deed() -> list[Delegation]:
            link = self.books.partnership(partnership)
            if link is None or link.customer != by:
                raise BadInput("there is no such link")
            taken = {one.device for one in self.books.delegations(by) if one.stage in OPEN}
            chosen = [one for one in owned if one not in taken] if all_of_them else [*dict.fromkeys(devices)]
            if not chosen:
                raise WrongField("devices", "are missing: choose some that nobody is in charge of or asked about")
            made = [self._asked(owned, one, link, by) for one in chosen]
            for one in made:
                self.books.keep_delegation(None, one)
                house.audit.note(house.now(), actor, "delegation.requested", one.id, f"{one.device} {one.partner}")
            name = house.organisations.get(by).name
            lines = "\n".join(f"{one.device}: {house.url}/delegations/{one.id}" for one in made)
            told = _DELEGATED.format(customer=name, lines=lines)
            self._mail(link.partner, Role.PARTNER, f"{name} asks you to take charge of devices", told)
            return made

        return await house.write(deed)

    async def respond(self, actor: str, by: str, delegation: str, word: Word, mark: str) -> Delegation:
        """The partner's word, or either side's end; from then on the gate knows who pays.

        `mark` is the stage that the answer is to. Raises BadInput, Overtaken.
        """
        before = await self.delegation(by, delegation)
        if before is None:
            raise BadInput("there is no such request")
        _unchanged(before.stage, mark)
        agreed = await self._agreed(before.customer)
        link = next(one for one in agreed.partnerships if one.id == before.partnership)
        if word is Word.ACCEPT and link.stage is not Stage.ACCEPTED:
            raise BadInput("the link between the two has ended")
        after = _said(before, word, by, self._moment(agreed))

        def noted() -> None:
            self.books.keep_delegation(before, after)
            self._tell(by, after, f"Device {before.device}", word)
            about = f"{before.device} {by}"
            self._house.audit.note(self._house.now(), actor, f"delegation.{_DONE[word]}", delegation, about)

        await self._written(agreed, agreed.now_with([], [after]), noted)
        return after

    # ---- inside ----

    async def _agreed(self, customer: str) -> Agreed:
        return await self._house.run(self._all_of, customer)

    def _all_of(self, customer: str) -> Agreed:
        mine = [one for one in self.books.partnerships(customer) if one.customer == customer]
        return Agreed(mine, [one for one in self.books.delegations(customer) if one.customer == customer])

    def _moment(self, agreed: Agreed) -> datetime:
        """Now, and never before what was said already: a clock may have been set back."""
        all_of_them = [*agreed.partnerships, *agreed.delegations]
        said = [at for one in all_of_them for at in (one.accepted_at, one.ended_at) if at is not None]
        return max([self._house.now(), *said])

    async def _written(self, before: Agreed, after: Agreed, noted: Callable[[], None]) -> None:
        """Agreements and the entries of the devices that they are about, together."""
        customer = after.partnerships[0].customer

        def beside() -> None:
            if self._all_of(customer) != before:
                raise Overtaken("something else was asked or answered meanwhile; look at it again")
            noted()

        differing = {
            new.device for old, new in zip(before.delegations, after.delegations, strict=True) if old != new
        }
        spans = {one: in_charge(one, after.delegations, after.partnerships) for one in differing}

        def changes(now: Allowlist) -> list[Change]:
            listed = [device for name in sorted(spans) if (device := now.device(name)) is not None]
            wanted = [replace(device, delegations=spans[device.id]) for device in listed]
            return [DevicePut(new) for old, new in zip(listed, wanted, strict=True) if old != new]

        if changes(self._house.portal.allowlist):
            await self._house.portal.change(changes, beside)
        else:
            await self._house.write(beside)

    def _asked(self, owned: dict[str, Device], name: str, link: Partnership, by: str) -> Delegation:
        device = owned.get(name)
        if device is None:
            raise WrongField("devices", f"{name!r} is none of yours")
        house = self._house
        return delegate(house.new_id(), device, link, by, house.now(), self.books.of_device(name))

    def _tell(self, by: str, after: Partnership | Delegation, about: str, word: Word) -> None:
        """The other side, if it may know of it."""
        other = after.partner if by == after.customer else after.customer
        if not isinstance(after, Partnership) or knows(other, after):
            role = Role.PARTNER if other == after.partner else Role.ADMINISTRATOR
            name = self._house.organisations.get(by).name
            self._mail(other, role, f"{about}: {_DONE[word]}", f"{name} has said so. {self._house.url}/")

    def _mail(self, organisation: str, role: Role, subject: str, body: str) -> None:
        house = self._house
        for address in house.addresses(organisation, role):
            house.mailbox.mail(house.now(), address, subject, body)


def knows(organisation: str, link: Partnership) -> bool:
    """Whether an organisation may know of a link: its customer does, its partner from the acceptance on."""
    return organisation == link.customer or (organisation == link.partner and link.accepted_at is not None)


def _fit(partner: Organisation, customer: Organisation) -> None:
    if not partner.partner:
        raise WrongField("partner", "has no partner status; grant it first")
    if not customer.customer:
        raise WrongField("customer", "owns no devices: it is no customer")
    if partner.id == customer.id:
        raise WrongField("customer", "is the partner itself")


def _said(before: A, word: Word, by: str, at: datetime) -> A:
    match word:
        case Word.ACCEPT:
            return before.accepted(by, at)
        case Word.REFUSE:
            return before.refused(by)
        case Word.END:
            return before.ended(by, at)


def _unchanged(stage: Stage, mark: str) -> None:
    if stage.value != mark:
        raise Overtaken(f"this is {stage.value} meanwhile; look at it again")


_ASKED: Final = """\
Support asks to link your account with the partner {partner}. Nothing is shown to it, and nothing changes, unless
you accept:

{link}
"""
_DELEGATED: Final = """\
{customer} asks you to take charge of these devices, and of what their scans cost. Log in to accept or refuse each;
until you accept, their owner pays:

{lines}
"""
