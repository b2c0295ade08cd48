"""The key by which a request that is sent again is known."""

from typing import Annotated

from fastapi import Header

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=8,
        max_length=80,
        pattern=r"^[\w.-]+$",
        description="of your choice: sent again with the same key, the request is carried out once",
    ),
]
