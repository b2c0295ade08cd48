"""Parameters of requests: what a route does not take is refused by its name, never ignored."""

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import Query, Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict

from core.platform.http.idempotency import HEADER, is_idempotent

Limit = Annotated[int, Query(ge=1, le=500, description="Largest number of records in the answer.")]
Offset = Annotated[int, Query(ge=0, le=2**31 - 1, description="Number of records to leave out, the first ones.")]


class RequestBody(BaseModel):
    """A body of a request; a field that it does not have is a mistake."""

    model_config = ConfigDict(extra="forbid")


async def refuse_unknown(request: Request) -> None:
    """A dependency of every route of the API.

    Raises:
        RequestValidationError: The request has a query parameter, a body or an `Idempotency-Key` that its route does
            not take.
    """
    route = request.scope["route"]
    mistakes = [
        _mistake("query", name, "this route has no such parameter")
        for name in request.query_params
        if name not in _names(route.dependant, "query_params")
    ]
    # A client that sends a key takes the promise that the request is carried out once for given.
    if HEADER in request.headers and not (
        is_idempotent(request.scope) or HEADER in _names(route.dependant, "header_params")
    ):
        mistakes.append(
            _mistake("header", HEADER, "this route cannot promise to do what is sent again once; send no key")
        )
    if route.body_field is None and (await request.body()).strip() not in (b"", b"{}", b"null"):
        mistakes.append(_mistake("body", "", "this route takes no body"))
    if mistakes:
        raise RequestValidationError(mistakes)


def _names(dependant: Dependant, kind: str) -> Iterable[str]:
    """Names of a route's parameters of one kind, with those of what it depends on."""
    mine = [field.alias.lower() for field in getattr(dependant, kind)]
    return [*mine, *(name for inner in dependant.dependencies for name in _names(inner, kind))]


def _mistake(where: str, name: str, message: str) -> dict[str, Any]:
    return {"loc": (where, name) if name else (where,), "msg": message, "type": "unknown_parameter"}
