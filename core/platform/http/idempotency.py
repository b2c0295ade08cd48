"""The header by which a repeated request is recognized."""

from typing import Annotated

from fastapi import Header

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
