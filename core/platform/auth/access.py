"""Authenticators: API keys and sessions, or, without accounts, this machine's local user."""

import hashlib
import ipaddress
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request
from itsdangerous import BadSignature, SignatureExpired, TimestampSigner, URLSafeTimedSerializer
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from core.platform.store import accounts
from core.platform.store.accounts import LOCAL, ROLES, Role
from core.platform.store.database import Session, Store
from core.platform.store.schema import User

COOKIE = "steer_session"
SESSION = timedelta(hours=12)


@dataclass(frozen=True)
class Principal:
    """The user who sends a request.

    Attributes:
        name: Name of the user, who owns what they make.
        role: Role of the user: `viewer`, `agent` or `admin`.
        account: Id of the account; None without accounts.
        apps: Names of the apps and workspaces that they may use; None for all.
    """

    name: str
    role: str
    account: str | None = None
    apps: frozenset[str] | None = None

    def may_use(self, app: str) -> bool:
        """Whether they may use an app or a workspace."""
        return self.apps is None or app in self.apps

    def is_at_least(self, role: Role) -> bool:
        """Whether they may do what `role` may."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def may_see(self, owner: str) -> bool:
        """Whether they may see what belongs to `owner`: their own, or, as an agent, everybody's."""
        return owner == self.name or self.is_at_least("agent")

    def hold(self, session: Session) -> None:
        """Make sure that they have not been erased since they asked; whatever is written in their name does so first.

        Raises:
            NotFoundError: They have.
        """
        accounts.hold(session, self.account)


class NoAuth:
    """No accounts: the local user may do everything, other sites' pages in their browser nothing."""

    async def principal(self, connection: HTTPConnection) -> Principal | None:
        """The one local user; None for another site's page, and for a foreign host name that leads here."""
        is_ours = is_loopback(connection.url.hostname or "") and is_from_own_page(connection)
        return Principal(LOCAL, "admin") if is_ours else None


class _Signer(TimestampSigner):
    """Bears a clock that was set back, and another server's that is ahead: a session may begin in the future."""

    def unsign(self, signed_value: str | bytes, max_age: int | None = None, return_timestamp: bool = False) -> Any:
        value, signed = super().unsign(signed_value, return_timestamp=True)
        age = self.get_timestamp() - signed.timestamp()
        if max_age is not None and abs(age) > max_age:
            raise SignatureExpired(f"Signature age {age} is beyond {max_age} seconds", value, signed)
        return (value, signed) if return_timestamp else value


class Accounts:
    """Accounts: an API key or a session says who asks.

    Args:
        store: Store that holds the accounts.
        secret: Secret that sessions are signed with (see `core.platform.auth.secret`).
    """

    def __init__(self, store: Store, secret: str) -> None:
        self._store = store
        signer = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
        self.sessions = URLSafeTimedSerializer(secret, salt=COOKIE, signer=_Signer, signer_kwargs=signer)

    async def principal(self, connection: HTTPConnection) -> Principal | None:
        """Who sent a request; None for an unknown sender.

        Raises:
            SteerError: The store does not answer.
        """
        user = await run_in_threadpool(self._user, connection)
        if user is None:
            return None
        return Principal(user.name, user.role, user.id, None if user.apps is None else frozenset(user.apps))

    def log_in(self, name: str, password: str) -> str | None:
        """The value of a session's cookie; None where name and password do not belong together.

        Raises:
            SteerError: The store does not answer.
        """
        with self._store.reading() as session:
            user = accounts.authenticate(session, name, password)
        if user is None:
            return None
        if accounts.has_outdated_hash(user):
            with self._store.transaction() as session:
                accounts.renew_hash(session, user, password)
        return str(self.sessions.dumps([user.id, user.sessions_since.isoformat(), secrets.token_urlsafe(9)]))

    def log_out(self, cookie: str) -> None:
        """End the session of a cookie, wherever else the cookie may be.

        Raises:
            SteerError: The store does not answer.
        """
        if self._signed(cookie) is not None:
            with self._store.transaction() as session:
                accounts.end_session(session, _session_id(cookie), SESSION)

    def _user(self, connection: HTTPConnection) -> User | None:
        scheme, _, key = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            with self._store.reading() as session:
                return accounts.of_key(session, key.strip())
        if not is_from_own_page(connection):
            return None  # the browser adds the cookie to what any site's page sends
        return self._of_session(connection.cookies.get(COOKIE, ""))

    def _of_session(self, cookie: str) -> User | None:
        signed = self._signed(cookie)
        if signed is None:
            return None
        user_id, since, *_ = signed
        with self._store.reading() as session:
            if accounts.has_ended(session, _session_id(cookie)):
                return None
            return accounts.of_session(session, user_id, datetime.fromisoformat(since))

    def _signed(self, cookie: str) -> list[str] | None:
        """Id of the user, their `sessions_since`, and a random text, if the cookie is ours and lasts."""
        try:
            signed: list[str] = self.sessions.loads(cookie, max_age=int(SESSION.total_seconds()))
        except BadSignature:
            return None
        return signed


def _session_id(cookie: str) -> str:
    """Names a session by what its signature covers; the signature itself can be spelt in several ways."""
    return hashlib.sha256(cookie.rpartition(".")[0].encode()).hexdigest()[:32]


def is_from_own_page(connection: HTTPConnection) -> bool:
    """Whether no other site's page sent a request: browsers name the page's origin with all that could do harm."""
    origin = connection.headers.get("origin")
    return origin is None or origin.partition("://")[2] == connection.headers.get("host")


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own for certain."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a name may lead anywhere


def current_principal(request: Request) -> Principal:
    """Who sent a request that `core.platform.auth.middleware.AuthMiddleware` let pass."""
    principal: Principal = request.state.principal
    return principal


async def _current_principal(request: Request) -> Principal:
    """`current_principal` as a dependency: FastAPI would call what is no coroutine in another thread."""
    return current_principal(request)


def require(role: Role) -> Callable[[Request], Coroutine[Any, Any, Principal]]:
    """A dependency that gives a route its principal, and refuses everybody below a role.

    Args:
        role: Lowest role that may pass.
    """

    async def required(request: Request) -> Principal:
        principal = current_principal(request)
        if not principal.is_at_least(role):
            raise HTTPException(403, f"This takes the role {role}; yours is {principal.role}.")
        return principal

    return required


CurrentPrincipal = Annotated[Principal, Depends(_current_principal)]
Agent = Annotated[Principal, Depends(require("agent"))]
