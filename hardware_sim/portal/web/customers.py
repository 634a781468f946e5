"""A partner's pages: the customers that are linked to it, and one device's delegation, which both sides see."""

from collections.abc import Sequence
from typing import Final

from litestar import get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from gate_controller.delegation import Delegation, Partnership, Stage
from hardware_sim.portal.partners.partners import Partners, Word
from hardware_sim.portal.web.agreements import (
    SAID,
    WORDS,
    forms,
    is_customer,
    is_either,
    is_partner,
    link_answered,
    link_of,
    link_shown,
    names,
    word_of,
)
from hardware_sim.portal.web.forms import Filled
from hardware_sim.portal.web.gatekeeper import AnyRequest
from hardware_sim.portal.web.page import Entry, Link, Page, Part, caller_of, done, house_of, listed, shown, taken

# ---- the partner ----


@get("/customers", seen_by=is_partner)
async def customers(request: AnyRequest) -> Page:
    house, mine = house_of(request), caller_of(request).organisation.id
    called, service = await names(house), Partners(house)
    charges = await service.delegations(mine)
    rows = [
        (
            Link(called[one.customer], f"/customers/{one.id}"),
            one.accepted_at,
            _count(charges, one, Stage.ACCEPTED),
            _count(charges, one, Stage.REQUESTED),
        )
        for one in await service.partnerships(mine)
        if one.partner == mine and one.stage is Stage.ACCEPTED
    ]
    heads = ("Customer", "Linked since", "Devices in your charge", "Requests to answer")
    return await listed(request, "Customers", heads, rows)


def _count(charges: Sequence[Delegation], of: Partnership, stage: Stage) -> int:
    return sum(1 for one in charges if one.partnership == of.id and one.stage is stage)


@get("/customers/{partnership:str}", seen_by=is_partner)
async def customer_page(request: AnyRequest, partnership: FromPath[str]) -> Page:
    found = await link_of(request, partnership, as_partner=True)
    return await link_shown(request, found, found.customer, "/customers", [Word.END], [], [])


@post("/customers/{partnership:str}/{word:str}", status_code=200, seen_by=is_partner)
async def answer_customer(request: AnyRequest, partnership: FromPath[str], word: FromPath[str]) -> Page:
    return await link_answered(request, await link_of(request, partnership, as_partner=True), word, "/customers")


# ---- one device, either side ----


@get("/delegations/{delegation:str}", seen_by=is_either, mailed=True)
async def delegation_page(request: AnyRequest, delegation: FromPath[str]) -> Page:
    found = await _delegation(request, delegation)
    called, as_partner = await names(house_of(request)), _as_partner(request, found)
    facts = [
        ("Owner", called[found.customer]),
        ("Partner", called[found.partner]),
        ("State", found.stage.value),
        ("Asked", found.requested_at),
        ("Accepted", found.accepted_at),
        ("Ended", found.ended_at),
    ]
    words = [Word.ACCEPT, Word.REFUSE] if as_partner and found.stage is Stage.REQUESTED else [Word.END]
    intro = {
        Stage.REQUESTED: "Until the partner accepts, the owner pays.",
        Stage.ACCEPTED: "The partner pays for scans that open, and sees what happens, until either side ends it.",
    }.get(found.stage, "")
    return await shown(
        request,
        "sheet.html",
        f"Device {found.device}",
        intro=[intro] if intro else [],
        facts=facts,
        actions=[],
        forms=forms(words, found, f"/delegations/{found.id}"),
        tables=[],
    )


@post("/delegations/{delegation:str}/{word:str}", status_code=200, seen_by=is_either)
async def answer_delegation(request: AnyRequest, delegation: FromPath[str], word: FromPath[str]) -> Page:
    found, said = await _delegation(request, delegation), word_of(word)

    async def deed(filled: Filled) -> Page:
        caller = caller_of(request)
        service = Partners(house_of(request))
        await service.respond(caller.account.name, caller.organisation.id, found.id, said, filled.mark)
        return await done(request, f"/delegations/{found.id}", SAID[said])

    return await taken(request, WORDS[said], deed, f"Device {found.device}")


def _as_partner(request: AnyRequest, found: Delegation) -> bool:
    caller = caller_of(request)
    return found.partner == caller.organisation.id and is_partner(caller)


async def _delegation(request: AnyRequest, delegation: str) -> Delegation:
    caller = caller_of(request)
    found = await Partners(house_of(request)).delegation(caller.organisation.id, delegation)
    owns = found is not None and found.customer == caller.organisation.id and is_customer(caller)
    if found is None or not (owns or _as_partner(request, found)):
        raise NotFoundException
    return found


PART: Final = Part(
    [customers, customer_page, answer_customer, delegation_page, answer_delegation],
    [Entry("/customers", "Customers", is_partner)],
)
