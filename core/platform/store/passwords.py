"""Passwords: their rules, and the Argon2 hashes that are kept of them."""

import secrets
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from core.util.errors import SteerError

MIN_LENGTH, MAX_LENGTH = 10, 256

_hasher = PasswordHasher()  # the library's parameters are those of RFC 9106, and move with the times


def hashed(password: str) -> str:
    """The hash that is kept of a new password.

    Raises:
        SteerError: It is too short or too long.
    """
    if len(password.strip()) < MIN_LENGTH or len(password) > MAX_LENGTH:
        raise SteerError(f"a password has {MIN_LENGTH} to {MAX_LENGTH} characters; choose another one")
    return _hasher.hash(_normalized(password))


def matches(kept: str | None, password: str) -> bool:
    """Whether a password is the one that a hash was made of; takes as long where there is no hash.

    Args:
        kept: Hash that `hashed` returned; None for a user who does not exist.
        password: Password as it was typed.
    """
    decoy = _decoy_hash()  # for everybody, so that the first unknown name does not take longer
    try:
        return _hasher.verify(kept or decoy, _normalized(password)) and kept is not None
    except VerifyMismatchError:
        return False


def is_outdated(kept: str) -> bool:
    """Whether a hash was made with other parameters than a new one would be."""
    return _hasher.check_needs_rehash(kept)


@cache
def _decoy_hash() -> str:
    return _hasher.hash(secrets.token_hex())


def _normalized(password: str) -> bytes:
    # Keyboards differ in how they compose an accented letter.
    return unicodedata.normalize("NFKC", password).encode(errors="replace")
