"""How people come to the fleet: a mail address, a link, a form, and a mail that says where to go and to whom.

Nobody is on the list before the address is confirmed by its link; then the user waits, pre-registered, for a badge.
Not here: what a clerk checks there (`desk_checks`), and the badge (`badge_desk`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from typing import Final

from gate_controller.allowlist import Allowlist, Change, User, UserPut
from gate_controller.desk import Licence, LicenceStatus, Registration
from gate_controller.errors import BadInput
from hardware_sim.portal.company.company import contacts_of
from hardware_sim.portal.fleet.subscriber_books import LINK_LIVES, Picture, Subscriber, SubscriberBooks, Terms
from hardware_sim.portal.house import House
from hardware_sim.portal.records import inputs, passwords
from hardware_sim.portal.records.accounts import Role, new_account
from hardware_sim.portal.records.inputs import Overtaken, WrongField
from hardware_sim.portal.records.organisations import SiteRecord
from hardware_sim.portal.records.sealing import Seal

EXTERNAL_IDS_FROM: Final = 1001
CLOSED: Final = "Nobody can register at the moment"
DEAD_LINK: Final = "This link was used, is over, or never was. Register again to get another one."


@dataclass(frozen=True, slots=True)
class Application:
    """What somebody writes into the form; `terms` are the number of those that were shown and accepted."""

    name: str
    phone: str
    address: str
    home_site: str
    password: str
    terms: int
    picture: bytes | None = None


def books_of(house: House) -> SubscriberBooks:
    """The subscribers of this house."""
    return SubscriberBooks(house.portal.database.sql)


def open_sites(house: House) -> list[SiteRecord]:
    """Sites that take subscribers: those with a manager and an address to name. On the database's thread."""
    return [site for site in house.organisations.sites() if site.manager and site.address]


# ---- by mail address ----


async def register(house: House, address: str) -> None:
    """Mail somebody the way to the form; the answer does not tell who has an account. Raises BadInput."""
    email = inputs.email(address)

    def deed() -> None:
        if books_of(house).terms() is None or not open_sites(house):
            raise BadInput(CLOSED)
        token = books_of(house).begin(email, house.now())
        if token is None:
            return
        if house.accounts.called(email) is not None:
            subject, body = "You have an account already", _KNOWN_MAIL.format(url=house.url)
        else:
            subject, body = (
                "Confirm your address",
                _STEPS_MAIL.format(link=f"{house.url}/register/{token}", days=LINK_LIVES.days),
            )
        house.mailbox.mail(house.now(), email, subject, body)
        house.audit.note(house.now(), "", "registration.begun", email)

    await house.write(deed)


async def confirmed(house: House, token: str) -> str | None:
    """The address whose owner followed this link; None where it counts no more, or there is an account by now."""

    def look() -> str | None:
        email = books_of(house).address(token, house.now())
        return email if email is not None and house.accounts.called(email) is None else None

    return await house.run(look)


# ---- by the form ----


async def pre_register(house: House, token: str, application: Application) -> User:
    """A user who waits for the desk, with an account to log in with; whole or not at all.

    Raises BadInput, and Overtaken where the terms have changed. Who is a user
    already, by this very address, stays the same user.
    """
    email = await confirmed(house, token)
    if email is None:
        raise BadInput(DEAD_LINK)
    picture = Picture.of(application.picture) if application.picture else None
    seal = Seal.open(house.portal.keys.folder)
    words = (email, email.split("@")[0])
    password = await house.kept(passwords.acceptable(application.password, words))
    known = await house.run(contacts_of(house).user_of, email)
    new_id, put = f"u-{house.new_id()}", list[User]()

    def changes(listed: Allowlist) -> list[Change]:
        old = (listed.user(known) if known else None) or User(new_id, _external_id(listed))
        if old.registration is not None:
            raise BadInput(DEAD_LINK)
        put.append(_applied(old, application, house.now(), with_picture=picture is not None))
        return [UserPut(put[-1])]

    def beside() -> None:
        user, books = put[-1], books_of(house)
        if books.address(token, house.now()) != email:
            raise BadInput(DEAD_LINK)
        site = _accepted(house, application)
        made = new_account(house.new_id(), email, house.tenant, [Role.SUBSCRIBER], email, application.phone)
        house.accounts.set_password(house.accounts.put(replace(made, user_id=user.id)).id, password)
        contacts_of(house).put(user.id, email)
        contacts_of(house).put_phone(user.id, inputs.phone(application.phone))
        wanted = Subscriber(user.id, application.name, application.phone, application.address, application.terms)
        name = books.put(wanted).name
        if picture is not None:
            books.put_picture(user.id, replace(picture, data=seal.shut_file(picture.data, _about(user.id))))
        books.used(email)
        body = _DESK_MAIL.format(name=name, id=user.external_id, site=site, url=house.url)
        house.mailbox.mail(house.now(), email, f"Pre-registered: come to {site.name}", body)
        house.audit.note(house.now(), email, "user.pre_registered", user.external_id, f"home site {site.id}")

    await house.portal.change(changes, beside)
    return put[-1]


async def picture_of(house: House, user_id: str) -> Picture | None:
    """The copy of the licence that this user handed in; it lies sealed, and is opened here alone."""
    kept, seal = await house.run(books_of(house).picture, user_id), Seal.open(house.portal.keys.folder)
    return replace(kept, data=seal.read_file(kept.data, _about(user_id))) if kept is not None else None


def _about(user_id: str) -> str:
    return f"licence of {user_id}"


def _accepted(house: House, application: Application) -> SiteRecord:
    """The site of an application whose terms are those in force. Raises WrongField, Overtaken."""
    terms = books_of(house).terms()
    if terms is None or terms.number != application.terms:
        raise Overtaken("The terms of use have changed while you wrote; read them again")
    for site in open_sites(house):
        if site.id == application.home_site:
            return site
    raise WrongField("home_site", "takes nobody at the moment; choose another")


def _external_id(listed: Allowlist) -> str:
    wanted = (f"S-{EXTERNAL_IDS_FROM + number}" for number in count(listed.revision))
    return next(name for name in wanted if listed.user_by_external(name) is None)


def _applied(old: User, application: Application, at: datetime, *, with_picture: bool) -> User:
    return replace(
        old,
        name=inputs.line(application.name, "name"),
        home_site=application.home_site,
        registration=Registration.PRE_REGISTERED,
        terms_accepted_at=at,
        licence=Licence(LicenceStatus.PENDING) if with_picture else None,
    )


# ---- terms of use ----


async def publish_terms(house: House, actor: str, text: str) -> Terms:
    """New terms, in force at once; whoever waits for the desk is mailed, and accepts them before a badge.

    Raises Overtaken where somebody registered while they were written.
    """
    known = await house.run(books_of(house).user_ids)
    made: list[Terms] = []

    def changes(listed: Allowlist) -> list[Change]:
        return [UserPut(replace(user, terms_accepted_at=None)) for user in pre_registered(listed, known)]

    def beside() -> None:
        if books_of(house).user_ids() != known:
            raise Overtaken("Somebody registered meanwhile")
        made.append(books_of(house).put_terms(text, house.now()))
        for user in pre_registered(house.portal.allowlist, known):
            email = contacts_of(house).email(user.id)
            if email:
                body = _TERMS_MAIL.format(url=house.url)
                house.mailbox.mail(house.now(), email, "New terms of use", body)
        house.audit.note(house.now(), actor, "terms.published", str(made[-1].number))

    await house.portal.change(changes, beside)
    return made[-1]


def pre_registered(listed: Allowlist, user_ids: Sequence[str]) -> list[User]:
    """Those of these users who wait for the desk."""
    found = (listed.user(user_id) for user_id in user_ids)
    return [user for user in found if user is not None and user.registration is Registration.PRE_REGISTERED]


async def accept_terms(house: House, user_id: str, number: int) -> None:
    """A user accepts the terms that were shown. Raises Overtaken where there are newer ones, and BadInput."""
    now = house.now()

    def changes(listed: Allowlist) -> list[Change]:
        user = listed.user(user_id)
        if user is None:
            raise BadInput("This user was deleted")
        return [UserPut(replace(user, terms_accepted_at=now))]

    def beside() -> None:
        terms, known = books_of(house).terms(), books_of(house).get(user_id)
        if known is None:
            raise BadInput("This user was deleted")
        if terms is None or terms.number != number:
            raise Overtaken("The terms of use have changed while you read; read them again")
        books_of(house).put(replace(known, terms=number))
        user = house.portal.allowlist.user(user_id)
        who = user.external_id if user is not None else user_id
        house.audit.note(house.now(), who, "terms.accepted", who, str(number))

    await house.portal.change(changes, beside)


_STEPS_MAIL: Final = """\
Somebody, hopefully you, wants to use our shared vehicles. These are the steps:

1. Open this page within {days} days and fill in the form: {link}
2. We mail you who manages your site, and where to go.
3. Come there with your identity card and your driving licence. You get your badge, and can begin.

If it was not you, nothing is to be done.
"""
_KNOWN_MAIL: Final = """\
Somebody, hopefully you, wants to register with this address. It has an account already: log in at {url}/login, or
ask there for a new password.

If it was not you, nothing is to be done.
"""
_DESK_MAIL: Final = """\
{name}, you are pre-registered as {id}. One thing is left:

Go to {site.name}, {site.address}. {site.manager}, who manages the site, or a colleague there looks at your data and
your driving licence with you and hands you your badge. Bring your identity card and your driving licence.

Until then you can log in at {url}/login and see how things stand.
"""
_TERMS_MAIL: Final = """\
The terms of use have changed. Read and accept them before you come for your badge: {url}/registration
"""
