"""Everything that the portal's pages and commands work with beside the list: one `House` around one `Portal`.

`write` runs several services' methods as one transaction: all of it happens, or nothing. Here are also the ways in
(log in, set a password, ask for a link), because they wait for slow hashes between two transactions.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, ParamSpec, TypeVar

from gate_controller.errors import BadInput
from hardware_sim.portal.edges.service import Portal
from hardware_sim.portal.records import passwords
from hardware_sim.portal.records.accounts import Account, Accounts, Role, new_account
from hardware_sim.portal.records.audit import Audit
from hardware_sim.portal.records.mailbox import Mailbox
from hardware_sim.portal.records.organisations import Organisation, Organisations, SiteRecord
from hardware_sim.portal.records.sessions import Session, Sessions
from hardware_sim.portal.trust.registry import new_code, plain_code

HASHES_AT_ONCE: Final = 2
"""Passwords that are tried at the same time; the others wait, and the gate does not."""
COMMAND: Final = "command"
"""The actor in the audit who worked at the machine itself."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entered:
    """Somebody who logged in: the token is the browser's, and is not kept."""

    account: Account
    token: str


class House:
    """Made by `House.open`; `url` is what browsers call the pages, empty where none are served."""

    def __init__(self, portal: Portal, url: str) -> None:
        self.portal, self.url = portal, url
        db = portal.database.sql
        self.accounts, self.sessions = Accounts(db), Sessions(db)
        self.mailbox, self.audit = Mailbox(db), Audit(db)
        self.organisations = Organisations(db)
        self._hashing = asyncio.Semaphore(HASHES_AT_ONCE)

    @classmethod
    async def open(cls, portal: Portal, time_zone: str = "UTC", url: str = "") -> "House":
        """The house of an open portal; its own organisation and site are recorded if they are not yet."""
        house = cls(portal, url)
        await house.write(house._found, time_zone)
        return house

    def _found(self, time_zone: str) -> None:
        tenant, site = self.portal.keys.audience.split("/")
        if not any(one.id == tenant for one in self.organisations.all()):
            self.organisations.put(Organisation(tenant, tenant, operator=True))
        if not any(one.id == site for one in self.organisations.sites()):
            self.organisations.put_site(SiteRecord(site, site, None, time_zone, ""))

    @property
    def tenant(self) -> str:
        """The organisation whose portal this is."""
        return self.portal.keys.audience.split("/")[0]

    @property
    def site(self) -> str:
        """The site whose list this portal signs."""
        return self.portal.keys.audience.split("/")[1]

    def now(self) -> datetime:
        """The time that everything here is written with."""
        return self.portal.around.clock().wall

    def new_id(self) -> str:
        """A fresh id."""
        return self.portal.around.new_id()

    def addresses(self, organisation: str, role: Role) -> list[str]:
        """Where an organisation is written to: its own address, and those of who acts for it here in this role.

        On the database connection's own thread.
        """
        own = [one.email for one in self.organisations.all() if one.id == organisation]
        found = [*own, *(one.email for one in self.accounts.acting_for(organisation, role))]
        return [*dict.fromkeys(address for address in found if address)]

    async def run(self, look: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Look something up. Raises StoreError."""
        return await self.portal.database.run(look, *args, **kwargs)

    async def write(self, deed: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something whole or not at all. Raises what the deed raises, and StoreError."""
        return await self.portal.database.write(deed, *args, **kwargs)

    # ---- accounts ----

    async def add_account(
        self,
        actor: str,
        name: str,
        organisation: str,
        roles: Sequence[Role],
        *,
        email: str | None = None,
        phone: str | None = None,
        sites: Sequence[str] = (),
        user_id: str | None = None,
    ) -> tuple[Account, str]:
        """A new account and its one-time code, which is told here and never again. Raises BadInput."""
        code = new_code()
        kept = await self.kept(plain_code(code))
        wanted = replace(
            new_account(self.new_id(), name, organisation, roles, email, phone), sites=tuple(sites), user_id=user_id
        )

        def deed() -> Account:
            self.organisations.get(organisation)
            for site in wanted.sites:
                self.organisations.site(site)
            made = self.accounts.put(wanted)
            self.accounts.set_code(made.id, kept, self.now())
            self.audit.note(self.now(), actor, "account.added", made.name, " ".join(sorted(made.roles)))
            return made

        return await self.write(deed), code

    async def reset(self, actor: str, name: str) -> str:
        """A fresh one-time code for an account, whose sessions end and whose password stops counting."""
        code = new_code()
        kept = await self.kept(plain_code(code))

        def deed() -> None:
            account = self.accounts.called(name)
            if account is None:
                raise BadInput(f"no account {name!r}; `slagboom portal account list` tells which there are")
            self.accounts.set_code(account.id, kept, self.now())
            self.sessions.end_all(account.holder)
            self.audit.note(self.now(), actor, "account.reset", account.name)

        await self.write(deed)
        return code

    async def kept(self, secret: str) -> bytes:
        """What is stored of a password or code."""
        async with self._hashing:
            return await passwords.kept(secret)

    async def slowly(self, look: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run something that is slow on purpose, beside the loop and a few at a time."""
        async with self._hashing:
            return await asyncio.to_thread(look, *args, **kwargs)

    # ---- ways in ----

    async def log_in(self, login: str, secret: str) -> Entered | None:
        """A session for the right password or one-time code; None, after the same time, for every reason alike."""
        attempt = await self.write(self.accounts.begin_try, login, self.now())
        async with self._hashing:
            said = plain_code(secret) if attempt.is_code else secret
            right = await passwords.matches(said[: passwords.PASSWORD_LEN_MAX + 1], attempt.stored)

        def deed() -> Entered | None:
            account = self.accounts.succeeded(attempt) if right else None
            if account is None:
                self.audit.note(self.now(), "", "login.refused", attempt.account.name if attempt.account else "")
                return None
            return self.begin(account)

        return await self.write(deed)

    def begin(self, account: Account) -> Entered:
        """A session for somebody who has proven to be this account, inside a transaction."""
        if account.must_change:
            self.sessions.end_all(account.holder)
        self.audit.note(self.now(), account.name, "login", account.name)
        token = self.sessions.begin(account.holder, self.now())
        if len(account.sites) == 1:
            found = self.sessions.find(token, self.now())
            assert found is not None
            self.sessions.choose_site(found.digest, account.sites[0])
        return Entered(account, token)

    async def is_password(self, account: Account, secret: str) -> bool:
        """Whether it is this account's password; a try that counts like one to log in."""
        attempt = await self.write(self.accounts.begin_try, account.name, self.now())
        async with self._hashing:
            right = await passwords.matches(secret, attempt.stored)
        return right and await self.write(self.accounts.succeeded, attempt) is not None

    async def who(self, token: str) -> tuple[Account, Session] | None:
        """Whose session a token is; None where it has ended."""

        def deed() -> tuple[Account, Session] | None:
            session = self.sessions.find(token, self.now())
            if session is None or not session.holder.startswith("account:"):
                return None
            try:
                account = self.accounts.get(session.holder.removeprefix("account:"))
            except BadInput:
                return None
            return (account, session) if account.enabled else None

        return await self.write(deed)

    async def set_password(self, account: Account, password: str) -> None:
        """Take over a password that its owner chose; every session ends. Raises WrongField."""
        words = tuple(word for word in (account.name, account.email, (account.email or "").split("@")[0]) if word)
        kept = await self.kept(passwords.acceptable(password, words))

        def deed() -> None:
            self.accounts.set_password(account.id, kept)
            self.sessions.end_all(account.holder)
            self.audit.note(self.now(), account.name, "console.password_changed", account.name)

        await self.write(deed)

    async def send_link(self, login: str) -> None:
        """Mail a link that sets a new password to the account's own address; nothing tells whether there is one."""

        def deed() -> None:
            account = self.accounts.called(login)
            if account is None or account.email is None or not account.enabled:
                return
            link = f"{self.url}/password/{self.accounts.new_link(account.id, self.now())}"
            self.mailbox.mail(self.now(), account.email, "Set a new password", _LINK_MAIL.format(link=link))
            self.audit.note(self.now(), "", "password.link", account.name)

        await self.write(deed)


_LINK_MAIL: Final = """\
Somebody, hopefully you, asked for a new password. This page takes one, once, within an hour:

{link}

If it was not you, nothing is to be done: your password has not changed.
"""
