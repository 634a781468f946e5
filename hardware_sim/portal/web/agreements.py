"""What the pages of partners and of their customers share: who acts for whom, and a link as either side sees it.

A partner's pages are there for whoever acts for an organisation that has partner status now; to all others, and in
every form, they are not. What may be said by whom is settled by `portal.partners`.
"""

from collections.abc import Sequence
from typing import Final

from litestar.exceptions import NotFoundException

from gate_controller.delegation import Delegation, Partnership
from hardware_sim.portal.house import House
from hardware_sim.portal.partners.partners import OPEN, Partners, Word
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.web.forms import Filled, Form
from hardware_sim.portal.web.gatekeeper import AnyRequest, Caller
from hardware_sim.portal.web.page import Link, Page, caller_of, done, house_of, shown, taken


def is_customer(caller: Caller) -> bool:
    """Whoever acts for an organisation that owns devices."""
    return caller.has(Role.ADMINISTRATOR) and caller.organisation.customer


def is_partner(caller: Caller) -> bool:
    """Whoever acts for an organisation that has partner status now."""
    return caller.has(Role.PARTNER) and caller.organisation.partner


def is_either(caller: Caller) -> bool:
    """Either of them."""
    return is_customer(caller) or is_partner(caller)


WORDS: Final = {
    Word.ACCEPT: Form([], "Accept", versioned=True),
    Word.REFUSE: Form([], "Refuse", versioned=True),
    Word.END: Form([], "End it now", versioned=True),
}
SAID: Final = {
    Word.ACCEPT: "It is accepted.",
    Word.REFUSE: "It is refused.",
    Word.END: "It has ended, from now on.",
}
HEADS: Final = ("Device", "State", "Asked", "Accepted", "Ended")


async def names(house: House) -> dict[str, str]:
    """What organisations are called, by id."""
    return {one.id: one.name for one in await house.run(house.organisations.all)}


async def link_of(request: AnyRequest, partnership: str, *, as_partner: bool) -> Partnership:
    mine = caller_of(request).organisation.id
    found = await Partners(house_of(request)).partnership(mine, partnership)
    if found is None or mine != (found.partner if as_partner else found.customer):
        raise NotFoundException
    return found


async def link_shown(
    request: AnyRequest,
    found: Partnership,
    other: str,
    at: str,
    words: Sequence[Word],
    intro: Sequence[str],
    actions: Sequence[Link],
) -> Page:
    house = house_of(request)
    facts = [("State", found.stage.value), ("Accepted", found.accepted_at), ("Ended", found.ended_at)]
    rows = [
        (
            Link(one.device, f"/delegations/{one.id}"),
            one.stage.value,
            one.requested_at,
            one.accepted_at,
            one.ended_at,
        )
        for one in await house.run(Partners(house).books.of_partnership, found.id)
    ]
    return await shown(
        request,
        "sheet.html",
        (await names(house))[other],
        intro=intro,
        facts=facts,
        actions=actions,
        forms=forms(words, found, f"{at}/{found.id}"),
        tables=[("Devices", HEADS, rows)],
    )


async def link_answered(request: AnyRequest, found: Partnership, word: str, at: str) -> Page:
    said = word_of(word)

    async def deed(filled: Filled) -> Page:
        caller, service = caller_of(request), Partners(house_of(request))
        await service.answer(caller.account.name, caller.organisation.id, found.id, said, filled.mark)
        return await done(request, at, SAID[said])

    return await taken(request, WORDS[said], deed, "Link with a partner")


def forms(words: Sequence[Word], about: Partnership | Delegation, at: str) -> list[tuple[Filled, str]]:
    if about.stage not in OPEN:
        return []
    return [(WORDS[word].with_values(version=about.stage.value), f"{at}/{word.value}") for word in words]


def word_of(said: str) -> Word:
    try:
        return Word(said)
    except ValueError:
        raise NotFoundException from None
