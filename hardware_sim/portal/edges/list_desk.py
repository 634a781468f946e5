"""Single users, guests and permits, put on the list and taken off it: each edit is one change of the portal's list.

Here: what people ask of the list in their own words. Not here: how a change is made and sent (`service`), and what
new entries look like (`newcomers`).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from gate_controller.allowlist import (
    Allowlist,
    Change,
    Permit,
    PermitPut,
    PermitRemoved,
    User,
    UserPut,
    UserRemoved,
    UserStatus,
)
from gate_controller.credentials import Badge, PlateCredential
from gate_controller.errors import BadInput
from gate_controller.plates import Plate
from hardware_sim.portal.edges import newcomers
from hardware_sim.portal.edges.revocation import given_badge, given_plate
from sync.portal import Surroundings

Changing = Sequence[Change] | Callable[[Allowlist], Sequence[Change]]
"""Changes, or what makes them out of the list as it is by then."""


class ListDesk(ABC):
    """The edits, of whoever has the list. Each may raise BadInput or ListRejected, and then has changed nothing."""

    allowlist: Allowlist
    around: Surroundings

    @abstractmethod
    async def change(self, changes: Changing, beside: Callable[[], None] | None = None) -> int:
        """Make the next revision; returns its number."""

    async def add_user(
        self,
        external_id: str,
        plates: Sequence[str] = (),
        badges: Sequence[str] = (),
        groups: Sequence[str] = (),
        *,
        country: str | None = None,
        pool_size: int = 1,
        schedule: str | None = None,
    ) -> User:
        """A new user with a permit to park, at once in force wherever an edge is connected.

        With groups it is their permits that count, and the user gets none of its own.
        """
        user_id = f"u-{self.around.new_id()}"
        user = newcomers.user(user_id, external_id, plates, badges, groups, country, pool_size)
        changes: list[Change] = [UserPut(user)]
        if not groups:
            changes.append(PermitPut(newcomers.parking(user_id=user.id, schedule=schedule)))
        await self.change(changes)
        return user

    async def add_guest(
        self, external_id: str, *, qr_pass: str = "", code: str = "", valid_to: datetime | None = None
    ) -> User:
        """A visitor who comes by QR pass or guest code until `valid_to`; the portal, too, keeps digests only."""
        guest = newcomers.guest(f"u-{self.around.new_id()}", external_id, qr_pass, code, valid_to)
        await self.change([UserPut(guest), PermitPut(newcomers.parking(user_id=guest.id))])
        return guest

    async def edit(self, external_id: str, edited: Callable[[User], User]) -> None:
        """Change one user as it is by then: what another manager did meanwhile stays."""
        await self.change(lambda _: [UserPut(edited(self.user(external_id)))])

    async def set_status(self, external_id: str, status: UserStatus) -> None:
        """Switch a user off, or on again."""
        await self.edit(external_id, lambda user: replace(user, status=status))

    async def add_plate(self, external_id: str, plate: str, country: str | None = None) -> None:
        """Give a user one more plate, or again one that was revoked."""
        added = PlateCredential(Plate.parse(plate, country))
        await self.edit(external_id, lambda user: given_plate(user, added))

    async def add_badge(self, external_id: str, badge: str) -> None:
        """Give a user one more badge, or again one that was revoked."""
        added = Badge.parse(badge)
        await self.edit(external_id, lambda user: given_badge(user, added))

    async def set_groups(self, external_id: str, groups: Sequence[str]) -> None:
        """Put a user into exactly these groups."""
        await self.edit(external_id, lambda user: replace(user, groups=tuple(groups)))

    async def remove_user(self, external_id: str) -> None:
        """Delete a user and its own permits; its id is never given again."""
        await self.change([UserRemoved(self.user(external_id).id)])

    async def permit_group(self, group: str, schedule: str | None = None, device: str | None = None) -> Permit:
        """Let a group park, at one lane or everywhere, always or on a weekly schedule."""
        permit = newcomers.parking(group_id=group, schedule=schedule, device=device)
        await self.change([PermitPut(permit)])
        return permit

    async def remove_permit(self, permit_id: str) -> None:
        """Take a permit away."""
        await self.change([PermitRemoved(permit_id)])

    def user(self, external_id: str) -> User:
        """The user whom the customer calls so. Raises BadInput."""
        user = self.allowlist.user_by_external(external_id)
        if user is None:
            raise BadInput(f"no user has the external id {external_id!r}; add it first")
        return user
