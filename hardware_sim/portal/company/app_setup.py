"""The app of one user, as its driver sets it up: the code of an SMS, consents, the own site last; and ends it.

A password of one's own comes between, as for everybody (`house`). Not here: what staff do (`activation`).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from gate_controller.allowlist import Allowlist, Change, User, UserPut
from gate_controller.codes import OneTimeCode, Tried, one_time
from gate_controller.credentials import CredentialState
from gate_controller.errors import BadInput
from hardware_sim.portal.company.activation import PURPOSE, books_of, end, kept_of
from hardware_sim.portal.company.company import by_id
from hardware_sim.portal.house import Entered, House
from hardware_sim.portal.records.accounts import Account
from hardware_sim.portal.records.inputs import Overtaken, WrongField

CONSENT_VERSION: Final = "2026-03"
"""Of the wording below; whoever changes it begins a new version."""
PRIVACY, NEWS = "privacy", "news"
CONSENTS: Final = {
    PRIVACY: "My name, number plates and stays are kept to let me in and to bill, as the privacy notice says",
    NEWS: "News and offers may be sent to me",
}
_OVER: Final = frozenset({Tried.USED, Tried.EXPIRED, Tried.TOO_MANY})
_TRIES_AT_ONCE_MAX: Final = 10
"""Tries of one code that may come between; beyond that this one is refused like a wrong one."""


async def enter(house: House, login: str, said: str) -> Entered | None:
    """A session for an address and the code from the SMS; None, after the same time, for every reason alike."""
    for _ in range(_TRIES_AT_ONCE_MAX):
        account, code = await house.run(_waiting, house, login)
        now = house.now()
        after, came = await house.slowly(_try, code, said, now)
        if code is None or after is None or came in _OVER:
            return None
        assert account is not None, "a code is somebody's"
        entered = await house.write(_entered, house, account, code, after, came)
        if entered is not None:
            return entered[0]
    return None


def _waiting(house: House, login: str) -> tuple[Account | None, OneTimeCode | None]:
    account = house.accounts.called(login)
    if account is None or account.user_id is None or not account.enabled:
        return account, None
    return account, books_of(house).code(PURPOSE, account.user_id)


def _try(code: OneTimeCode | None, said: str, now: datetime) -> tuple[OneTimeCode | None, Tried]:
    """What came of a try; where there is nothing to compare, that takes as long."""
    after, came = (None, Tried.WRONG) if code is None else code.tried(said, now)
    if code is None or came in _OVER:
        one_time(PURPOSE, "", said, "", now)
    return after, came


def _entered(
    house: House, account: Account, code: OneTimeCode, after: OneTimeCode, came: Tried
) -> tuple[Entered | None] | None:
    """Nothing if another try came first; else the session, if there is one."""
    if not books_of(house).note_try(code, after):
        return None
    if came is not Tried.RIGHT:
        return (None,)
    return (house.begin(house.accounts.forget_password(account.id)),)


async def agree(house: House, account: Account, purposes: Sequence[str]) -> None:
    """The driver agrees. Raises WrongField where the app cannot do without."""
    if PRIVACY not in purposes:
        raise WrongField(PRIVACY, "must be ticked, or there can be no app")

    def deed() -> None:
        user = _driver(house, account)
        for purpose in purposes:
            books_of(house).agree(user.id, purpose, CONSENT_VERSION, house.now())
            house.audit.note(house.now(), account.name, "consent.given", user.external_id, purpose)

    await house.write(deed)


async def choose_site(house: House, account: Account, site: str) -> None:
    """The last step: where the driver is at home; passes count from now on. Raises BadInput, Overtaken."""
    user_id, revs = _driver(house, account).id, list[int]()
    kept = await house.run(kept_of, house, user_id)

    def changes(now: Allowlist) -> list[Change]:
        revs[:] = [now.revision + 1]
        user = _driver(house, account)
        return [UserPut(replace(user, app=CredentialState.ACTIVE, home_site=site))]

    def beside() -> None:
        user, kept = by_id(house, user_id), kept_of(house, user_id)
        if kept.app is None or site not in kept.app.sites:
            raise WrongField("site", "is none of yours")
        if not any(one.purpose == PRIVACY and one.stands for one in kept.consents):
            raise Overtaken("You agree to the privacy notice no more")
        if kept.code is not None and kept.code.used_at is None:
            # A mailed link set the password: that is the wrong channel.
            raise BadInput("Log in once with the code from the SMS, which shows that the telephone is yours")
        books_of(house).put_app(replace(kept.app, rev=revs[0], site=site))
        house.audit.note(house.now(), account.name, "app.activated", user.external_id, f"site {site}")

    if kept.app is not None and kept.app.site == site and by_id(house, user_id).app is CredentialState.ACTIVE:
        return
    await house.portal.change(changes, beside)


async def disagree(house: House, account: Account, purpose: str) -> None:
    """The driver agrees no more; without the privacy notice the app ends. Raises BadInput, Overtaken."""
    if purpose not in CONSENTS:
        raise BadInput("There is no such consent")
    user = _driver(house, account)

    def deed() -> None:
        if not books_of(house).withdraw(user.id, purpose, house.now()):
            raise Overtaken("You do not agree to this any more already")
        house.audit.note(house.now(), account.name, "consent.withdrawn", user.external_id, purpose)

    if purpose == PRIVACY:
        await end(house, account.name, user.id, deed)
    else:
        await house.write(deed)


def _driver(house: House, account: Account) -> User:
    """The user that an account is, with an app that waits or works. Raises BadInput, Overtaken."""
    user = by_id(house, account.user_id or "")
    if user.app not in (CredentialState.PENDING, CredentialState.ACTIVE):
        raise Overtaken("Your app was withdrawn meanwhile")
    return user
