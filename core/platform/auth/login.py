"""Logging in and out with a browser; the form works without JavaScript."""

from typing import Annotated
from urllib.parse import parse_qsl

import structlog
from fastapi import APIRouter, Depends, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from core.platform.auth.access import COOKIE, SESSION, Accounts, is_from_own_page
from core.platform.auth.login_page import login_page
from core.platform.auth.login_throttle import LoginAttempts

_MAX_FORM_BYTES = 4096


def login_routes(accounts: Accounts) -> APIRouter:
    """The routes `/login` and `/logout`.

    Args:
        accounts: Accounts that users log in to.
    """
    router = APIRouter(include_in_schema=False)
    attempts = LoginAttempts()

    @router.get("/login")
    def form(request: Request, next: str = "/") -> Response:
        return login_page(request, local_path(next))

    @router.post("/login")
    def log_in(request: Request, fields: Fields) -> Response:
        name, password, back = fields.get("name", ""), fields.get("password", ""), local_path(fields.get("next", "/"))
        address = request.client.host if request.client else "unknown"
        log = structlog.get_logger().bind(address=address)  # no name: people type passwords into the wrong field
        wait = attempts.seconds_to_wait(name, address)
        if wait:
            log.warning("too many attempts to log in")
            return login_page(request, back, "wait", 429, {"Retry-After": str(wait)}, seconds=wait)
        cookie = accounts.log_in(name, password)
        if cookie is None:
            log.warning("wrong name or password")
            return login_page(request, back, "wrong", 401, {"WWW-Authenticate": "Bearer"})
        attempts.succeeded(name, address)
        log.info("logged in")
        response = RedirectResponse(back, 303)
        response.set_cookie(
            COOKIE, cookie, int(SESSION.total_seconds()), secure=_is_encrypted(request), httponly=True, samesite="lax"
        )
        return response

    @router.post("/logout")
    def log_out(request: Request, fields: Fields) -> Response:
        del fields
        accounts.log_out(request.cookies.get(COOKIE, ""))
        response = RedirectResponse("/login", 303)
        response.delete_cookie(COOKIE, secure=_is_encrypted(request), httponly=True, samesite="lax")
        return response

    return router


def local_path(text: str) -> str:
    r"""The text if it is a path of this site, else `/`.

    Browsers take `//host` and `/\host` for another site, and skip tabs and line breaks before they look.
    """
    is_local = text.startswith("/") and text.isprintable() and "\\" not in text and not text.startswith("//")
    return text if is_local else "/"


async def _fields(request: Request) -> dict[str, str]:
    """The fields of a small form that our own page sent."""
    if not is_from_own_page(request):
        raise HTTPException(403, "This form was sent by another site's page; log in at /login.")
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _MAX_FORM_BYTES:
            raise HTTPException(413, f"A form of this kind has at most {_MAX_FORM_BYTES:,} bytes.")
    try:
        return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True, max_num_fields=8))
    except ValueError:
        raise HTTPException(400, "The form has too many fields.") from None


Fields = Annotated[dict[str, str], Depends(_fields)]


def _is_encrypted(request: Request) -> bool:
    return bool(request.scope["scheme"] == "https")
