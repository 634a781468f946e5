"""The portal's answers to edges that ask for a user's place.

What is given is on disk before it is said. The rule is `gate_controller.arbiter`'s, the books are
`hardware_sim.portal.journals.stays`'s.
"""

from gate_controller.arbiter import Given, Held
from gate_controller.conflicts import Conflict, Resolution
from gate_controller.errors import BadInput
from hardware_sim.portal.journals.ingest import Ingest
from hardware_sim.portal.journals.stays import Stays
from hardware_sim.portal.trust.keys import PortalKeys
from sync.database import Database
from sync.messages import CLAIM_LIVES, LIST_LIVES, Address, Claim, ClaimReply, Left
from sync.portal import Surroundings


class ClaimDesk:
    """Users' places among the edges of one site. Everything may raise StoreError."""

    def __init__(
        self,
        database: Database,
        stays: Stays,
        ingest: Ingest,
        keys: PortalKeys,
        tenant: str,
        site: str,
        around: Surroundings,
    ) -> None:
        self._database, self._stays, self._ingest, self._keys = database, stays, ingest, keys
        self._tenant, self._site, self._around = tenant, site, around

    async def conflicts(self) -> list[Conflict]:
        """Entries that took a place too many while nobody could be asked, and exits that no entry explains."""
        return await self._database.run(self._stays.conflicts)

    async def settle(self, id: str, resolution: Resolution) -> None:
        """A person's word on a conflict; what journals tell later does not change it. Raises BadInput."""
        if not await self._database.write(self._stays.decide, id, resolution):
            raise BadInput(f"no conflict {id!r}; `slagboom portal conflicts` lists them")

    async def left(self, edge: Address) -> Left | None:
        """What an edge must be told of vehicles that left through another one; None if it believes in none."""
        sessions = await self._database.run(self._stays.left, edge.edge)
        now = self._around.clock().wall
        return Left(aud=edge.audience, iat=now, exp=now + LIST_LIVES, sessions=sessions) if sessions else None

    async def news(self) -> list[tuple[Address, Left]]:
        """The same for every edge of which that was just found, once."""
        edges = [Address(self._tenant, self._site, edge) for edge in sorted(self._stays.left_news)]
        self._stays.left_news.clear()
        return [(edge, left) for edge in edges if (left := await self.left(edge))]

    async def answer(self, edge: Address, payload: bytes) -> bytes | None:
        """The signed answer to what an edge says of its places; None where there is nothing to answer.

        Raises MessageRefused for what is not that edge's own word.
        """
        now = self._around.clock().wall

        def take(claim: Claim) -> tuple[Claim, Given | Held | None]:
            return claim, self._stays.claim(edge.edge, claim, now)

        claim, answer = await self._ingest.taken(edge, Claim, payload, take)
        if answer is None:
            return None
        fence, holder = (answer.fence, "") if isinstance(answer, Given) else (None, answer.holder)
        reply = ClaimReply(
            aud=edge.audience, iat=now, exp=now + CLAIM_LIVES, claim_id=claim.claim_id, fence=fence, holder=holder
        )
        return self._keys.sign(reply)
