"""The operator's own pages: accounts, organisations, sites, the mailbox, and who did what."""

from dataclasses import replace
from typing import Final

from litestar import get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from gate_controller.errors import BadInput
from hardware_sim.portal.house import House
from hardware_sim.portal.partners.partners import Partners
from hardware_sim.portal.records.accounts import LOGIN_LEN_MAX, Account, Role
from hardware_sim.portal.records.inputs import EMAIL_LEN_MAX
from hardware_sim.portal.records.organisations import ADDRESS_LEN_MAX, Organisation, SiteRecord
from hardware_sim.portal.web.forms import Field, Filled, Form, Kind
from hardware_sim.portal.web.gatekeeper import AnyRequest, roles
from hardware_sim.portal.web.page import (
    Entry,
    Link,
    Page,
    Part,
    caller_of,
    done,
    drawn,
    house_of,
    listed,
    shown,
    taken,
)

OPERATOR: Final = roles(Role.OPERATOR)
ROWS_MAX: Final = 200

_ROLES: Final = Field(
    "roles",
    "Roles",
    Kind.CHOICES,
    choices=[(role.value, role.value.replace("_", " ")) for role in Role],
    hint="Operator, support, managers and clerks work for this portal's own organisation alone.",
)
_EMAIL: Final = Field("email", "E-mail address", Kind.EMAIL, len_max=EMAIL_LEN_MAX)
NEW_ACCOUNT: Final = Form(
    [
        Field("name", "Name to log in with", mandatory=True, len_max=LOGIN_LEN_MAX, hint="Or an e-mail address."),
        _EMAIL,
        Field("phone", "Telephone", Kind.PHONE, hint="With the country, such as +49 170 1234567."),
        Field("organisation", "Organisation", Kind.CHOICE, mandatory=True),
        _ROLES,
        Field("sites", "Sites", Kind.CHOICES),
    ],
    "Add the account",
)
EDIT_ACCOUNT: Final = Form(
    [
        _EMAIL,
        Field("phone", "Telephone", Kind.PHONE),
        _ROLES,
        Field("sites", "Sites", Kind.CHOICES),
        Field("enabled", "May log in", Kind.TICK),
    ],
    "Save",
    versioned=True,
)
RESET: Final = Form([], "Make a new one-time code")
ORGANISATION: Final = Form(
    [
        Field("name", "Name", mandatory=True),
        _EMAIL,
        Field("partner", "Partner: may take charge of customers' devices", Kind.TICK),
        Field("customer", "Customer: owns devices", Kind.TICK),
    ],
    "Save",
    versioned=True,
)
SITE: Final = Form(
    [
        Field("name", "Name", mandatory=True),
        _EMAIL,
        Field("time_zone", "Time zone", mandatory=True, value="Europe/Amsterdam"),
        Field("address", "Address", len_max=ADDRESS_LEN_MAX),
        Field("manager", "Manager", hint="With an address and a manager, people may register for the fleet here."),
    ],
    "Save",
    versioned=True,
)


# ---- accounts ----


@get("/accounts", seen_by=OPERATOR)
async def accounts(request: AnyRequest) -> Page:
    house = house_of(request)
    rows = [
        (
            Link(one.name, f"/accounts/{one.id}"),
            one.organisation,
            ", ".join(sorted(one.roles)),
            "" if one.enabled else "switched off",
            "waits for the first login" if one.must_change else "",
        )
        for one in await house.run(house.accounts.all)
    ]
    heads = ("Name", "Organisation", "Roles", "State", "Password")
    return await listed(request, "Accounts", heads, rows, actions=[Link("Add an account", "/accounts/new")])


@get("/accounts/new", seen_by=OPERATOR)
async def new_account_page(request: AnyRequest) -> Page:
    return await drawn(request, "Add an account", (await _account_form(request, NEW_ACCOUNT)).with_values())


@post("/accounts/new", status_code=200, seen_by=OPERATOR)
async def new_account(request: AnyRequest) -> Page:
    async def deed(filled: Filled) -> Page:
        account, code = await house_of(request).add_account(
            caller_of(request).account.name,
            filled.text("name"),
            filled.text("organisation"),
            [*map(Role, filled.several("roles"))],
            email=filled.maybe("email"),
            phone=filled.maybe("phone"),
            sites=filled.several("sites"),
        )
        return await _told_once(request, account.name, code)

    return await taken(request, await _account_form(request, NEW_ACCOUNT), deed, "Add an account")


@get("/accounts/{account_id:str}", seen_by=OPERATOR)
async def account_page(request: AnyRequest, account_id: FromPath[str]) -> Page:
    house = house_of(request)
    account = await _known(request, account_id)
    filled = (await _account_form(request, EDIT_ACCOUNT)).with_values(
        version=account.version,
        email=account.email,
        phone=account.phone,
        roles=account.roles,
        sites=account.sites,
        enabled=account.enabled,
    )
    deeds = await house.run(house.audit.deeds, account.name, 20)
    return await shown(
        request, "account.html", f"Account {account.name}", account=account, filled=filled, reset=RESET, deeds=deeds
    )


@post("/accounts/{account_id:str}", status_code=200, seen_by=OPERATOR)
async def edit_account(request: AnyRequest, account_id: FromPath[str]) -> Page:
    house, account = house_of(request), await _known(request, account_id)

    async def deed(filled: Filled) -> Page:
        wanted = replace(
            account,
            email=filled.maybe("email"),
            phone=filled.maybe("phone"),
            roles=frozenset(map(Role, filled.several("roles"))),
            sites=filled.several("sites"),
            enabled=filled.ticked("enabled"),
            version=filled.version,
        )

        def write() -> None:
            house.accounts.put(wanted)
            if not wanted.enabled:
                house.sessions.end_all(account.holder)
            house.audit.note(house.now(), caller_of(request).account.name, "account.changed", account.name)

        await house.write(write)
        return await done(request, "/accounts", f"{account.name} is changed.")

    form = await _account_form(request, EDIT_ACCOUNT)
    return await taken(request, form, deed, f"Account {account.name}")


@post("/accounts/{account_id:str}/code", status_code=200, seen_by=OPERATOR)
async def reset_account(request: AnyRequest, account_id: FromPath[str]) -> Page:
    account = await _known(request, account_id)

    async def deed(_: Filled) -> Page:
        code = await house_of(request).reset(caller_of(request).account.name, account.name)
        return await _told_once(request, account.name, code)

    return await taken(request, RESET, deed, f"Account {account.name}")


async def _told_once(request: AnyRequest, name: str, code: str) -> Page:
    return await shown(request, "code.html", f"One-time code for {name}", name=name, code=code)


async def _known(request: AnyRequest, account_id: str) -> Account:
    house = house_of(request)
    try:
        return await house.run(house.accounts.get, account_id)
    except BadInput:
        raise NotFoundException from None


async def _account_form(request: AnyRequest, form: Form) -> Form:
    house = house_of(request)
    organisations = [(one.id, one.name) for one in await house.run(house.organisations.all)]
    sites = [(one.id, one.name) for one in await house.run(house.organisations.sites)]
    return form.choosing(organisation=organisations, sites=sites)


# ---- organisations and sites ----


@get("/organisations", seen_by=OPERATOR)
async def organisations(request: AnyRequest) -> Page:
    house = house_of(request)
    rows = [
        (
            Link(one.name, f"/organisations/{one.id}"),
            one.email,
            ", ".join(word for word in ("operator", "partner", "customer") if getattr(one, word)),
        )
        for one in await house.run(house.organisations.all)
    ]
    actions = [Link("Add an organisation", "/organisations/new")]
    return await listed(request, "Organisations", ("Name", "E-mail address", "Is"), rows, actions=actions)


@get("/organisations/{organisation_id:str}", seen_by=OPERATOR)
async def organisation_page(request: AnyRequest, organisation_id: FromPath[str]) -> Page:
    found = await _organisation(house_of(request), organisation_id)
    filled = ORGANISATION.with_values(
        version=found.version, name=found.name, email=found.email, partner=found.partner, customer=found.customer
    )
    return await drawn(request, found.name or "Add an organisation", filled)


@post("/organisations/{organisation_id:str}", status_code=200, seen_by=OPERATOR)
async def put_organisation(request: AnyRequest, organisation_id: FromPath[str]) -> Page:
    house = house_of(request)
    found = await _organisation(house, organisation_id)

    async def deed(filled: Filled) -> Page:
        wanted = replace(
            found,
            id=found.id or house.new_id(),
            name=filled.text("name"),
            email=filled.maybe("email"),
            partner=filled.ticked("partner"),
            customer=filled.ticked("customer"),
            version=filled.version,
        )

        def write() -> None:
            house.organisations.put(wanted)
            house.audit.note(house.now(), caller_of(request).account.name, "organisation.saved", wanted.name)

        await house.write(write)
        if not wanted.partner:
            await Partners(house).withdraw(caller_of(request).account.name, wanted.id)
        return await done(request, "/organisations", f"{wanted.name} is saved.")

    return await taken(request, ORGANISATION, deed, found.name or "Add an organisation")


async def _organisation(house: House, organisation_id: str) -> Organisation:
    if organisation_id == "new":
        return Organisation("", "", version=0)
    found = [one for one in await house.run(house.organisations.all) if one.id == organisation_id]
    if not found:
        raise NotFoundException
    return found[0]


@get("/sites", seen_by=OPERATOR)
async def sites(request: AnyRequest) -> Page:
    house = house_of(request)
    rows = [
        (Link(one.name, f"/sites/{one.id}"), one.email, one.time_zone, one.address)
        for one in await house.run(house.organisations.sites)
    ]
    heads = ("Name", "E-mail address", "Time zone", "Address")
    return await listed(request, "Sites", heads, rows, actions=[Link("Add a site", "/sites/new")])


@get("/sites/{site_id:str}", seen_by=OPERATOR)
async def site_page(request: AnyRequest, site_id: FromPath[str]) -> Page:
    found = await _site(house_of(request), site_id)
    filled = SITE.with_values(
        version=found.version,
        name=found.name,
        email=found.email,
        time_zone=found.time_zone,
        address=found.address,
        manager=found.manager,
    )
    return await drawn(request, found.name or "Add a site", filled)


@post("/sites/{site_id:str}", status_code=200, seen_by=OPERATOR)
async def put_site(request: AnyRequest, site_id: FromPath[str]) -> Page:
    house = house_of(request)
    found = await _site(house, site_id)

    async def deed(filled: Filled) -> Page:
        wanted = SiteRecord(
            found.id or house.new_id(),
            filled.text("name"),
            filled.maybe("email"),
            filled.text("time_zone"),
            filled.text("address"),
            filled.version,
            filled.text("manager"),
        )

        def write() -> None:
            house.organisations.put_site(wanted)
            house.audit.note(house.now(), caller_of(request).account.name, "site.saved", wanted.name)

        await house.write(write)
        return await done(request, "/sites", f"{wanted.name} is saved.")

    return await taken(request, SITE, deed, found.name or "Add a site")


async def _site(house: House, site_id: str) -> SiteRecord:
    if site_id == "new":
        return SiteRecord("", "", None, "Europe/Amsterdam", "", version=0)
    found = [one for one in await house.run(house.organisations.sites) if one.id == site_id]
    if not found:
        raise NotFoundException
    return found[0]


# ---- what was said and done ----


@get("/mailbox", seen_by=OPERATOR)
async def mailbox(request: AnyRequest) -> Page:
    house = house_of(request)
    rows = [
        (
            letter.at,
            letter.kind,
            letter.recipient,
            Link(letter.subject or letter.body[:60], f"/mailbox/{letter.number}"),
        )
        for letter in await house.run(house.mailbox.letters, "", ROWS_MAX)
    ]
    intro = "Mail and SMS are kept here and never sent."
    return await listed(request, "Mailbox", ("When", "Kind", "To", "About"), rows, intro=intro)


@get("/mailbox/{number:int}", seen_by=OPERATOR)
async def letter_page(request: AnyRequest, number: FromPath[int]) -> Page:
    house = house_of(request)
    found = await house.run(house.mailbox.letter, number)
    if found is None:
        raise NotFoundException
    return await shown(request, "letter.html", found.subject or "SMS", letter=found)


@get("/audit", seen_by=OPERATOR)
async def audit(request: AnyRequest) -> Page:
    house = house_of(request)
    rows = [
        (one.at, one.actor or "–", one.deed, one.about, one.detail)
        for one in await house.run(house.audit.deeds, "", ROWS_MAX)
    ]
    return await listed(request, "Audit", ("When", "Who", "What", "About", "Detail"), rows)


PART: Final = Part(
    [
        accounts,
        new_account_page,
        new_account,
        account_page,
        edit_account,
        reset_account,
        organisations,
        organisation_page,
        put_organisation,
        sites,
        site_page,
        put_site,
        mailbox,
        letter_page,
        audit,
    ],
    [
        Entry("/accounts", "Accounts", OPERATOR),
        Entry("/organisations", "Organisations", OPERATOR),
        Entry("/sites", "Sites", OPERATOR),
        Entry("/mailbox", "Mailbox", OPERATOR),
        Entry("/audit", "Audit", OPERATOR),
    ],
)
