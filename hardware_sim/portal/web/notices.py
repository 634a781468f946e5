"""Who is told of events: webhooks and mail rules of one's own organisation, what became of each delivery, hosts."""

from collections.abc import Sequence
from typing import Final

from litestar import get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from gate_controller.delegation import sees
from gate_controller.errors import BadInput
from hardware_sim.portal.following.feed import Feed
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.records.inputs import EMAIL_LEN_MAX
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
from hardware_sim.portal.webhooks.notices import KINDS
from hardware_sim.portal.webhooks.subscriptions import Means, State, Subscription, Subscriptions
from hardware_sim.portal.webhooks.webhooks import URL_LEN_MAX

KEEPS: Final = roles(Role.OPERATOR, Role.ADMINISTRATOR, Role.PARTNER)
OPERATOR: Final = roles(Role.OPERATOR)
ROWS_MAX: Final = 200
WAYS: Final = {Means.WEBHOOK: "webhook", Means.MAIL: "mail rule"}
_TARGET: Final = {
    Means.WEBHOOK: Field(
        "target", "Web address", mandatory=True, len_max=URL_LEN_MAX, hint="It begins with https://."
    ),
    Means.MAIL: Field("target", "E-mail address", Kind.EMAIL, mandatory=True, len_max=EMAIL_LEN_MAX),
}
_WHAT: Final = (
    Field("events", "Events", Kind.CHOICES, mandatory=True, choices=[*KINDS.items()]),
    Field("device", "Device", Kind.CHOICE, hint="Left empty, all that you see, later ones too."),
)
NEW: Final = {means: Form([_TARGET[means], *_WHAT], f"Add the {words}") for means, words in WAYS.items()}
EDIT: Final = {
    means: Form([_TARGET[means], *_WHAT, Field("enabled", "Is on", Kind.TICK)], "Save", versioned=True)
    for means in Means
}
SECRET: Final = Form([], "Make a new secret")
REMOVE: Final = Form([], "Take it away")
AGAIN: Final = Form([], "Send it again")
HOSTS: Final = Form(
    [Field("hosts", "Hosts", Kind.LONG, hint="One a line, with a port unless it is the usual one.")],
    "Allow these",
    versioned=True,
)


@get("/notices", seen_by=KEEPS)
async def notices(request: AnyRequest) -> Page:
    house, own = house_of(request), caller_of(request).organisation.id
    rows = [
        (
            Link(one.target, f"/notices/{one.id}"),
            WAYS[one.means],
            one.device or "all devices",
            ", ".join(KINDS[kind] for kind in one.events),
            "" if one.enabled else "off",
        )
        for one in await house.run(Subscriptions(house).of, own)
    ]
    actions = [Link("Add a webhook", "/notices/new/webhook"), Link("Add a mail rule", "/notices/new/mail")]
    if caller_of(request).has(Role.OPERATOR):
        actions.append(Link("Hosts of webhooks", "/notices/hosts"))
    intro = "Events go on to other systems and people. Nobody is named but users of your own whom you pay for."
    return await listed(request, "Notices", ("To", "By", "Of", "When", ""), rows, intro=intro, actions=actions)


@get("/notices/new/{means:str}", seen_by=KEEPS)
async def new_page(request: AnyRequest, means: FromPath[str]) -> Page:
    by = _means(means)
    return await drawn(request, f"Add a {WAYS[by]}", _choosing(request, NEW[by]).with_values())


@post("/notices/new/{means:str}", status_code=200, seen_by=KEEPS)
async def new(request: AnyRequest, means: FromPath[str]) -> Page:
    house, by, caller = house_of(request), _means(means), caller_of(request)

    async def deed(filled: Filled) -> Page:
        made = _filled(Subscription(house.new_id(), caller.organisation.id, by, "", ()), filled, enabled=True)
        books = Subscriptions(house)

        def write() -> str:
            books.put(caller.account.name, made)
            return books.new_secret(caller.account.name, made.id) if by is Means.WEBHOOK else ""

        secret = await house.write(write)
        if not secret:
            return await done(request, f"/notices/{made.id}", "The mail rule is added.")
        return await _told_once(request, made.id, secret)

    return await taken(request, _choosing(request, NEW[by]), deed, f"Add a {WAYS[by]}")


@get("/notices/{subscription:str}", seen_by=KEEPS)
async def notice_page(request: AnyRequest, subscription: FromPath[str]) -> Page:
    house, known = house_of(request), await _known(request, subscription)
    await Feed(house).catch_up()
    filled = _choosing(request, EDIT[known.means], known.device).with_values(
        version=known.version, target=known.target, events=known.events, device=known.device, enabled=known.enabled
    )
    rows = [
        (
            Link(KINDS[one.kind], f"/notices/{known.id}/{one.number}"),
            one.device,
            one.at,
            one.state.value,
            one.tries,
            one.said,
        )
        for one in await house.run(Subscriptions(house).deliveries, known.id, ROWS_MAX)
    ]
    more = [("secret", SECRET)] if known.means is Means.WEBHOOK else []
    return await shown(
        request,
        "notice.html",
        f"{WAYS[known.means].capitalize()} to {known.target}",
        filled=filled,
        more=[(f"/notices/{known.id}/{path}", form.with_values()) for path, form in [*more, ("remove", REMOVE)]],
        heads=("What", "Device", "When", "Became", "Tries", "Answer"),
        rows=rows,
    )


@post("/notices/{subscription:str}", status_code=200, seen_by=KEEPS)
async def edit(request: AnyRequest, subscription: FromPath[str]) -> Page:
    house, known = house_of(request), await _known(request, subscription)

    async def deed(filled: Filled) -> Page:
        wanted = _filled(known, filled, enabled=filled.ticked("enabled"), version=filled.version)
        await house.write(Subscriptions(house).put, caller_of(request).account.name, wanted)
        return await done(request, f"/notices/{known.id}", "Saved.")

    form = _choosing(request, EDIT[known.means], known.device)
    return await taken(request, form, deed, f"{WAYS[known.means].capitalize()} to {known.target}")


@post("/notices/{subscription:str}/secret", status_code=200, seen_by=KEEPS)
async def new_secret(request: AnyRequest, subscription: FromPath[str]) -> Page:
    house, known = house_of(request), await _known(request, subscription)
    if known.means is not Means.WEBHOOK:
        raise NotFoundException

    async def deed(_: Filled) -> Page:
        secret = await house.write(Subscriptions(house).new_secret, caller_of(request).account.name, known.id)
        return await _told_once(request, known.id, secret)

    return await taken(request, SECRET, deed, "A new secret")


@post("/notices/{subscription:str}/remove", status_code=200, seen_by=KEEPS)
async def remove(request: AnyRequest, subscription: FromPath[str]) -> Page:
    house, known = house_of(request), await _known(request, subscription)

    async def deed(_: Filled) -> Page:
        await house.write(Subscriptions(house).remove, caller_of(request).account.name, known.id)
        return await done(request, "/notices", f"Nothing goes to {known.target} by this any more.")

    return await taken(request, REMOVE, deed, "Take it away")


@get("/notices/{subscription:str}/{number:int}", seen_by=KEEPS)
async def delivery_page(request: AnyRequest, subscription: FromPath[str], number: FromPath[int]) -> Page:
    house, known = house_of(request), await _known(request, subscription)
    try:
        found = await house.run(Subscriptions(house).delivery, known.id, number)
    except BadInput:
        raise NotFoundException from None
    return await shown(
        request,
        "delivery.html",
        f"{KINDS[found.kind]}: {found.device}",
        one=found,
        to=known,
        waits=found.state is State.WAITING,
        again=AGAIN.with_values(),
    )


@post("/notices/{subscription:str}/{number:int}", status_code=200, seen_by=KEEPS)
async def again(request: AnyRequest, subscription: FromPath[str], number: FromPath[int]) -> Page:
    house, known = house_of(request), await _known(request, subscription)

    async def deed(_: Filled) -> Page:
        await house.write(Subscriptions(house).again, caller_of(request).account.name, known, number)
        return await done(request, f"/notices/{known.id}", "It is sent again.")

    return await taken(request, AGAIN, deed, "Send it again")


# ---- the operator's ----


@get("/notices/hosts", seen_by=OPERATOR)
async def hosts_page(request: AnyRequest) -> Page:
    house = house_of(request)
    found = await house.run(Subscriptions(house).hosts)
    return await drawn(
        request, "Hosts of webhooks", HOSTS.with_values(version=" ".join(found), hosts="\n".join(found))
    )


@post("/notices/hosts", status_code=200, seen_by=OPERATOR)
async def allow_hosts(request: AnyRequest) -> Page:
    house = house_of(request)

    async def deed(filled: Filled) -> Page:
        actor, wanted = caller_of(request).account.name, filled.text("hosts").split()
        await house.write(Subscriptions(house).allow, actor, wanted, filled.mark.split())
        return await done(request, "/notices/hosts", "Webhooks may go to these, and to no others.")

    return await taken(request, HOSTS, deed, "Hosts of webhooks")


# ---- inside ----


async def _told_once(request: AnyRequest, subscription: str, secret: str) -> Page:
    return await shown(request, "secret.html", "The secret", secret=secret, back=f"/notices/{subscription}")


async def _known(request: AnyRequest, subscription: str) -> Subscription:
    house = house_of(request)
    try:
        return await house.run(Subscriptions(house).get, caller_of(request).organisation.id, subscription)
    except BadInput:
        raise NotFoundException from None


def _means(text: str) -> Means:
    try:
        return Means(text)
    except ValueError:
        raise NotFoundException from None


def _choosing(request: AnyRequest, form: Form, *more: str) -> Form:
    """Devices that the organisation sees by now, and the one that was chosen before."""
    house, own = house_of(request), caller_of(request).organisation.id
    now = house.now()
    seen: Sequence[str] = [one.id for one in house.portal.allowlist.devices() if sees(own, one, now)]
    return form.choosing(device=[(one, one) for one in sorted({*seen, *filter(None, more)})])


def _filled(of: Subscription, filled: Filled, *, enabled: bool, version: int = 1) -> Subscription:
    return Subscription(
        of.id,
        of.organisation,
        of.means,
        filled.text("target"),
        filled.several("events"),
        filled.text("device"),
        enabled,
        version,
    )


PART: Final = Part(
    [
        notices, new_page, new, notice_page, edit, new_secret, remove, delivery_page, again,
        hosts_page, allow_hosts,
    ],
    [Entry("/notices", "Notices", KEEPS)],
)  # fmt: skip
