"""Passwords: their rules, and the Argon2 hashes that are kept of them."""

import secrets
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from core.util.errors import SteerError

SHORTEST, LONGEST = 10, 256

_hasher = PasswordHasher()  # the library's parameters are those of RFC 9106, and move with the times


def hashed(password: str) -> str:
    """What may be kept of a new password.

    Raises:
        SteerError: it is too short or too long.
    """
    if len(password.strip()) < SHORTEST or len(password) > LONGEST:
        raise SteerError(f"a password has {SHORTEST} to {LONGEST} characters; choose another one")
    return _hasher.hash(_normalised(password))


def matches(kept: str | None, password: str) -> bool:
    """Whether a password is the one that a hash was made of; takes as long where there is no hash.

    Args:
        kept: what `hashed` returned; None for a user who does not exist.
        password: as it was typed.
    """
    nobodys = _nobodys_hash()  # for everybody, so that the first unknown name does not take longer
    try:
        return _hasher.verify(kept or nobodys, _normalised(password)) and kept is not None
    except VerifyMismatchError:
        return False


def is_outdated(kept: str) -> bool:
    """Whether a hash was made with other parameters than a new one would be."""
    return _hasher.check_needs_rehash(kept)


@cache
def _nobodys_hash() -> str:
    return _hasher.hash(secrets.token_hex())


def _normalised(password: str) -> bytes:
    # Keyboards differ in how they compose an accented letter.
    return unicodedata.normalize("NFKC", password).encode(errors="replace")
