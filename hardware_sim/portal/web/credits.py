"""Credits at the pages: every organisation sees its own balance and use; the operator sees all and books."""

from typing import Final

from litestar import get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.response import Response

from gate_controller.errors import BadInput
from hardware_sim.portal.following.feed import Feed
from hardware_sim.portal.partners.billing import local, spreadsheet
from hardware_sim.portal.partners.credits import BEGINS_WITH, BOOKED_MAX, LOW_AT_MAX, Balance, Credits, Entry, Level
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.records.organisations import Organisation
from hardware_sim.portal.web import page
from hardware_sim.portal.web.forms import Field, Filled, Form, Kind
from hardware_sim.portal.web.gatekeeper import AnyRequest, roles
from hardware_sim.portal.web.page import Link, Page, Part, caller_of, done, house_of, listed, see, shown, taken

OVERSEES: Final = (Role.OPERATOR, Role.SUPPORT)
KEEPS: Final = (Role.ADMINISTRATOR, Role.FLEET_MANAGER, Role.PARTNER)
SEES: Final = roles(*OVERSEES, *KEEPS)
ROWS_MAX: Final = 200
FILE_ROWS_MAX: Final = 100_000
HEADS: Final = ("When", "What", "Credits", "Left", "Heard of", "Remark")
LEVELS: Final = {
    Level.ENOUGH: "",
    Level.LOW: "Few credits are left.",
    Level.USED_UP: "No credits are left. Gates go on as before, and nothing is lost.",
}

BOOK: Final = Form(
    [
        Field("amount", "Credits", Kind.NUMBER, mandatory=True, least=-BOOKED_MAX, most=BOOKED_MAX),
        Field(
            "words",
            "What for",
            mandatory=True,
            hint="With a minus before the number, what was booked is corrected.",
        ),
    ],
    "Book the credits",
    versioned=True,
)
WARN: Final = Form(
    [Field("low_at", "Warn when so many are left", Kind.NUMBER, mandatory=True, most=LOW_AT_MAX)],
    "Save",
    versioned=True,
)


@get("/credits", seen_by=SEES)
async def balances(request: AnyRequest) -> Page:
    house, caller = house_of(request), caller_of(request)
    if not caller.has(*OVERSEES):
        return see(f"/credits/{caller.organisation.id}")
    await Feed(house).catch_up()
    names = {one.id: one.name for one in await house.run(house.organisations.all)}
    rows = [
        (
            Link(names.get(one.organisation, one.organisation), f"/credits/{one.organisation}"),
            one.credits,
            LEVELS[one.level],
        )
        for one in await house.run(Credits(house).all)
    ]
    intro = "A granted scan costs one credit; exits and refusals cost nothing."
    return await listed(request, "Credits", ("Organisation", "Left", ""), rows, intro=intro)


@get("/credits/{organisation:str}", seen_by=SEES)
async def account_page(request: AnyRequest, organisation: FromPath[str]) -> Page:
    house, caller = house_of(request), caller_of(request)
    known, balance = await _seen(request, organisation)
    entries = await house.run(Credits(house).entries, organisation, ROWS_MAX)
    forms = [(f"/credits/{organisation}/warning", WARN.with_values(version=balance.version, low_at=balance.low_at))]
    if caller.has(Role.OPERATOR):
        forms.append((f"/credits/{organisation}/book", BOOK.with_values(version=balance.version)))
    return await shown(
        request,
        "credits.html",
        f"Credits of {known}",
        balance=balance,
        begins_with=BEGINS_WITH,
        told=LEVELS[balance.level],
        heads=HEADS,
        rows=[_row(one) for one in entries],
        forms=forms if caller.has(Role.OPERATOR, *KEEPS) else [],
        file=f"/credits/{organisation}/use.csv",
    )


@get("/credits/{organisation:str}/use.csv", seen_by=SEES)
async def use_file(request: AnyRequest, organisation: FromPath[str]) -> Response[str]:
    house, tz = house_of(request), request.app.state.tz
    await _seen(request, organisation)
    entries = await house.run(Credits(house).entries, organisation, FILE_ROWS_MAX)
    rows = [
        (local(one.at, tz), one.about, str(one.amount), str(one.balance), local(one.booked_at, tz), _remark(one))
        for one in reversed(entries)
    ]
    headers = {"content-disposition": 'attachment; filename="credits.csv"'}
    return Response(spreadsheet(HEADS, rows), media_type="text/csv; charset=utf-8", headers=headers)


@post("/credits/{organisation:str}/book", status_code=200, seen_by=roles(Role.OPERATOR))
async def book(request: AnyRequest, organisation: FromPath[str]) -> Page:
    known, _ = await _seen(request, organisation)

    async def deed(filled: Filled) -> Page:
        house, amount = house_of(request), filled.number("amount") or 0
        actor, words = caller_of(request).account.name, filled.text("words")
        await house.write(Credits(house).book, actor, organisation, amount, words, filled.version)
        return await done(request, f"/credits/{organisation}", f"{amount} credits are booked.")

    return await taken(request, BOOK, deed, f"Credits of {known}")


@post("/credits/{organisation:str}/warning", status_code=200, seen_by=roles(Role.OPERATOR, *KEEPS))
async def warn_at(request: AnyRequest, organisation: FromPath[str]) -> Page:
    known, _ = await _seen(request, organisation)

    async def deed(filled: Filled) -> Page:
        house, low_at = house_of(request), filled.number("low_at") or 0
        actor = caller_of(request).account.name
        await house.write(Credits(house).warn_at, actor, organisation, low_at, filled.version)
        return await done(request, f"/credits/{organisation}", f"A mail comes when {low_at} are left.")

    return await taken(request, WARN, deed, f"Credits of {known}")


async def _seen(request: AnyRequest, organisation: str) -> tuple[str, Balance]:
    """The name and balance of an organisation that the caller may look at, with what came in by now."""
    house, caller = house_of(request), caller_of(request)
    if not caller.has(*OVERSEES) and caller.organisation.id != organisation:
        raise NotFoundException
    await Feed(house).catch_up()
    try:
        known: Organisation = await house.run(house.organisations.get, organisation)
        return known.name, await house.run(Credits(house).balance, organisation)
    except BadInput:
        raise NotFoundException from None


def _row(entry: Entry) -> tuple[object, ...]:
    return entry.at, entry.about, f"{entry.amount:+d}", entry.balance, entry.booked_at, _remark(entry)


def _remark(entry: Entry) -> str:
    return f"the gate had billed {entry.said}" if entry.said else ""


PART: Final = Part(
    [balances, account_page, use_file, book, warn_at],
    [page.Entry("/credits", "Credits", SEES)],
)
