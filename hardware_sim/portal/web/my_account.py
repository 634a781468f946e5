"""A subscriber's page of the own account."""

from typing import Final

from litestar import get, post
from litestar.exceptions import NotFoundException

from gate_controller.allowlist import User
from gate_controller.contracts import ContractKind
from hardware_sim.portal.fleet import my_account
from hardware_sim.portal.fleet.my_account import Mine
from hardware_sim.portal.fleet.registering import books_of
from hardware_sim.portal.fleet.subscriber_books import ADDRESS_LEN_MAX, Subscriber
from hardware_sim.portal.web.forms import Field, Filled, Form, Kind
from hardware_sim.portal.web.gatekeeper import AnyRequest
from hardware_sim.portal.web.page import Entry, Page, Part, caller_of, done, drawn, house_of, taken
from hardware_sim.portal.web.reservations import subscribers

EDIT: Final = Form(
    [
        Field("name", "Name", mandatory=True),
        Field("phone", "Telephone", Kind.PHONE, mandatory=True),
        Field("address", "Address", mandatory=True, len_max=ADDRESS_LEN_MAX),
        Field("home_site", "Car park", Kind.CHOICE, mandatory=True, hint="It orders lists and forbids nothing."),
        Field(
            "plates", "Number plates of your own", Kind.LONG, hint="One a line; leave it empty if you have none."
        ),
        Field("contract", "Who usually pays", Kind.CHOICE),
    ],
    "Save",
    versioned=True,
)
_PAYS: Final = {ContractKind.BUSINESS: "the company", ContractKind.PRIVATE: "you, privately"}


@get("/my-account", seen_by=subscribers)
async def page(request: AnyRequest) -> Page:
    user, known = await _me(request)
    filled = (await _form(request, user)).with_values(
        version=my_account.mark_of(user, known),
        name=known.name,
        phone=known.phone,
        address=known.address,
        home_site=user.home_site,
        plates="\n".join(one.plate.display() for one in user.plates),
        contract=user.default_contract,
    )
    number = f", user number {user.number}" if user.number else ""
    contracts = ", ".join(
        _PAYS[one.kind] + ("" if one.payable else " (no payment profile yet)") for one in user.contracts
    )
    pays = f" Contracts: {contracts}." if contracts else ""
    intro = f"{user.external_id}{number}.{pays} Your mail address is your login; ask your manager to change it."
    return await drawn(request, "My account", filled, intro=intro)


@post("/my-account", status_code=200, seen_by=subscribers)
async def edit(request: AnyRequest) -> Page:
    user, _ = await _me(request)

    async def deed(filled: Filled) -> Page:
        mine = Mine(
            filled.text("name"),
            filled.text("phone"),
            filled.text("address"),
            filled.text("home_site"),
            [line for line in map(str.strip, filled.text("plates").splitlines()) if line],
            filled.maybe("contract"),
        )
        await my_account.edit(house_of(request), user.id, filled.mark, mine)
        return await done(request, "/my-account", "Saved, and in force at once.")

    return await taken(request, await _form(request, user), deed, "My account")


async def _form(request: AnyRequest, user: User) -> Form:
    house = house_of(request)
    sites = [(one.id, one.name) for one in await house.run(house.organisations.sites)]
    return EDIT.choosing(home_site=sites, contract=[(one.id, _PAYS[one.kind]) for one in user.contracts])


async def _me(request: AnyRequest) -> tuple[User, Subscriber]:
    house, user_id = house_of(request), caller_of(request).account.user_id or ""
    user, known = house.portal.allowlist.user(user_id), await house.run(books_of(house).get, user_id)
    if user is None or known is None:
        raise NotFoundException()
    return user, known


PART: Final = Part([page, edit], [Entry("/my-account", "My account", subscribers)])
