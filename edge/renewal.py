"""The edge's certificate over time: renewed by the daemon when two thirds of its life are over, told of when not.

Nothing here can hold the gate up. A certificate that has expired, or a clock that is wrong, cuts the link and only
the link: the cached list stays in force and the journal waits.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final

from gate_controller.errors import PortalError
from gate_controller.moment import Moment
from sync.enrolment import Portal, Renewal, renew
from sync.identity import (
    Identity,
    Standing,
    TlsFiles,
    key_pem,
    new_key,
    refuse_foreign,
    signing_request,
    write_whole,
)

LOOK_EVERY_S: Final = 3600.0
"""On average; each wait is drawn between half of it and one and a half, so that edges do not come all at once."""

log = logging.getLogger(__name__)


def trouble(identity: Identity, now: datetime, *, renews: bool) -> str | None:
    """What a person should know of a certificate, and do; None if all is well."""
    match identity.standing(now):
        case Standing.EXPIRED:
            return (
                f"expired on {identity.ends:%Y-%m-%d}; the gate works on without its portal: get a new code there,"
                " then run `slagboom enrol`"
            )
        case Standing.NOT_YET:
            return (
                f"begins only on {identity.begins:%Y-%m-%d %H:%M} UTC and it is {now:%Y-%m-%d %H:%M} here; the gate"
                " works on without its portal: set this machine's clock"
            )
        case Standing.DUE if renews:
            return (
                f"ends on {identity.ends:%Y-%m-%d} and should have been renewed; is the portal's address reachable?"
            )
        case Standing.DUE:
            return (
                f"ends on {identity.ends:%Y-%m-%d} and does not renew itself: replace it, or run `slagboom enrol`"
            )
    return None


class CertificateKeeper:
    """Looks after one certificate. `run` it for as long as the daemon lives."""

    def __init__(
        self,
        files: TlsFiles,
        portal: Portal | None,
        reconnect: Callable[[str], None],
        clock: Callable[[], Moment],
        chance: Callable[[], float],
    ) -> None:
        """`portal` None never renews; `reconnect` is told why. `chance` gives 0 to 1."""
        self._files, self._portal, self._reconnect = files, portal, reconnect
        self._clock, self._chance = clock, chance
        self._said: str | None = None

    async def run(self) -> None:
        """Look, renew when it is due, and wait, for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S * (0.5 + self._chance()))

    async def look(self) -> None:
        """Renew if it is due; what is wrong is said once, until it is something else."""
        try:
            identity = await asyncio.to_thread(self._files.identity)
            standing = identity.standing(self._clock().wall)
            if standing is Standing.DUE and self._portal is not None:
                identity = await asyncio.to_thread(renewed, self._files, self._portal, identity.name)
                log.info("the certificate was renewed; it holds until %s", f"{identity.ends:%Y-%m-%d}")
                self._reconnect("the broker is left, to come back with the renewed certificate")
            said = trouble(identity, self._clock().wall, renews=self._portal is not None)
            said = None if said is None else f"the certificate {said}"
        except PortalError as error:
            said = f"the certificate: {error}"
        except OSError as error:
            said = f"the certificate cannot be written: {error.filename}: {error.strerror}; the old one stays"
        if said is not None and said != self._said:
            log.error("%s", said)
        self._said = said


def renewed(files: TlsFiles, portal: Portal, name: str) -> Identity:
    """A new key and its certificate in place of the old ones; blocks. Raises PortalError and OSError."""
    if files.key != files.cert:
        raise PortalError(f"{files.cert}: renews only with its key in the same file, as `slagboom enrol` writes it")
    key = new_key()
    pem = renew(portal, files.context(), Renewal(signing_request(key, name)))
    refuse_foreign(pem, files.ca.read_text(), key, name)
    write_whole(files.cert, key_pem(key) + pem.encode())
    return files.identity()
