"""Requests that may be sent again: by their method, or by the header that makes one recognized."""

from typing import Annotated

from fastapi import Header
from starlette.types import Scope

from core.util.errors import ConflictError

HEADER = "idempotency-key"
# RFC 9110, section 9.2.2: doing these twice is as good as once.
_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
# Such a path takes back the last thing, whichever that is by then.
_NOT_TWICE = "/last"

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=8,
        max_length=80,
        pattern=r"^[\w.-]+$",
        description="Key of your choice: a request that is sent again with the same key is carried out once.",
    ),
]


def is_idempotent(scope: Scope) -> bool:
    """Whether carrying out a request twice is as good as once, whatever its headers say."""
    return scope["method"] in _METHODS and not scope["path"].endswith(_NOT_TWICE)


def used_for_another(key: str) -> ConflictError:
    """The error for a key that came with another request before."""
    return ConflictError(f"The Idempotency-Key {key} came with another request before; send a new key with a new one.")
