"""Passwords: how they are kept, compared and chosen. They are slow to try on purpose, so callers wait in a thread.

Not here: whose they are and how often one may try (`accounts`).
"""

import asyncio
import hashlib
import hmac
import secrets
from typing import Final

from hardware_sim.portal.records.inputs import WrongField

COST: Final = (14, 8, 5)
"""scrypt's log2 N, r and p; these take 16 MiB: the OWASP password storage sheet."""
_MEMORY_MAX: Final = 64 * 2**20
_SALT_LEN: Final = 16
_HASH_LEN: Final = 32
PASSWORD_LEN_MIN: Final = 10
PASSWORD_LEN_MAX: Final = 200
"""Longer ones only cost time."""


async def kept(password: str) -> bytes:
    """What is stored of a password: how it is hashed, a fresh salt and the hash."""
    how = bytes(COST) + secrets.token_bytes(_SALT_LEN)
    return how + await asyncio.to_thread(_hash, password, how)


async def matches(password: str, stored: bytes | None) -> bool:
    """Whether it is the one; where nothing is stored that takes as long."""
    known = stored if stored is not None else bytes(COST) + bytes(_SALT_LEN + _HASH_LEN)
    how, right = known[:-_HASH_LEN], known[-_HASH_LEN:]
    found = await asyncio.to_thread(_hash, password, how)
    return hmac.compare_digest(found, right) and stored is not None


def acceptable(password: str, account_words: tuple[str, ...], field: str = "password") -> str:
    """A password that somebody chose. Raises WrongField for one that is too short, or says who it is."""
    if len(password) < PASSWORD_LEN_MIN:
        raise WrongField(field, f"is shorter than {PASSWORD_LEN_MIN} characters; a few words are easy to keep")
    if len(password) > PASSWORD_LEN_MAX:
        raise WrongField(field, f"is longer than {PASSWORD_LEN_MAX} characters")
    folded = password.casefold()
    if len(set(folded)) < 4 or folded in account_words:
        raise WrongField(field, "is too easy to guess; a few words that nobody connects with you are best")
    return password


def _hash(password: str, how: bytes) -> bytes:
    said, salt = password.encode(errors="surrogatepass"), how[3:]
    log_n, r, p = how[:3]
    return hashlib.scrypt(said, salt=salt, n=1 << log_n, r=r, p=p, maxmem=_MEMORY_MAX, dklen=_HASH_LEN)
