"""Authentication of every request to a page or route."""

from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from core.platform.auth.access import Accounts, NoAuth, is_loopback
from core.platform.http.problems import RETRY_AFTER, problem
from core.util.errors import SteerError, UnavailableError

PUBLIC_PATHS = frozenset({"/login", "/logout", "/health", "/ready"})


class AuthMiddleware:
    """Authenticates requests, for `core.platform.auth.access.current_principal`, and refuses unknown senders.

    Args:
        app: Application behind it.
        authenticator: Authenticator of requests.
        apps: Function that returns the apps' names by the addresses of their pages, and of their routes below `/v1`.
    """

    def __init__(self, app: ASGIApp, authenticator: Accounts | NoAuth, apps: Callable[[], Mapping[str, str]]) -> None:
        self.app, self.authenticator, self.apps = app, authenticator, apps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "lifespan" or scope["path"] in PUBLIC_PATHS:
            await self.app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        try:
            connection.state.principal = await self.authenticator.principal(connection)
        except SteerError as error:
            connection.state.reason = error.reason if isinstance(error, UnavailableError) else str(error)
            detail = "The accounts cannot be read at the moment; please try again."
            await _problem(connection, 503, detail, {"Retry-After": RETRY_AFTER})(scope, receive, send)
            return
        if connection.state.principal is not None:
            wanted = self.apps().get(_first_part(scope["path"]))
            if wanted is None or connection.state.principal.may_use(wanted):
                await self.app(scope, receive, send)
            else:
                detail = f"Your account is not for {wanted}; an admin can change that: steer users apps"
                await _problem(connection, 403, detail, {})(scope, receive, send)
        elif isinstance(self.authenticator, NoAuth):
            detail = "Without accounts, only this machine is answered, at http://localhost; see `steer serve --auth`."
            await _problem(connection, 403, detail, {})(scope, receive, send)
        else:
            await _unauthorized(connection)(scope, receive, send)


def _first_part(path: str) -> str:
    """The address of an app in the path of its page or of one of its routes."""
    return path.removeprefix("/v1").strip("/").partition("/")[0]


def check_public(host: str, *, auth: bool) -> None:
    """Check that only this machine's users can get in without an account.

    Args:
        host: Address to listen on.
        auth: Whether accounts are on.

    Raises:
        SteerError: They are off, and others can reach the address.
    """
    if not auth and not is_loopback(host):
        raise SteerError(
            f"whoever can reach {host} could use Steer without an account; turn accounts on with --auth "
            "(create yours first: steer users add NAME --role admin), or listen on 127.0.0.1"
        )


def _unauthorized(connection: HTTPConnection) -> Response:
    scope = connection.scope
    if scope.get("method") == "GET" and "text/html" in connection.headers.get("accept", ""):
        query = scope["query_string"].decode("latin-1")
        return RedirectResponse(f"/login?{urlencode({'next': scope['path'] + ('?' + query if query else '')})}", 303)
    detail = "Send an API key as `Authorization: Bearer steer_...`, or log in at /login."
    return _problem(connection, 401, detail, {"WWW-Authenticate": "Bearer"})


def _problem(connection: HTTPConnection, status: int, detail: str, headers: dict[str, str]) -> Response:
    return problem(status, detail, headers, request_id=connection.scope.get("state", {}).get("request_id"))
