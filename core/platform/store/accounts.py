"""Accounts: users with their roles, passwords and API keys."""

import secrets
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Literal, get_args

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from core.platform.store import passwords
from core.platform.store.schema import NAME, ApiKey, EndedSession, User, now
from core.platform.store.upsert import put_once
from core.util.errors import ConflictError, NotFoundError, SteerError

Role = Literal["viewer", "agent", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)  # each may do what those before it may
LOCAL = "local"  # owns what is made without accounts; no user may be called so and inherit it
KEY_PREFIX = "steer_"


def create(session: Session, name: str, password: str, role: str, apps: Sequence[str] | None = None) -> User:
    """A new user.

    Args:
        session: Session of the store.
        name: Name to log in with.
        password: Password to log in with.
        role: Role of the user.
        apps: Names of the apps and workspaces that they may use; None for all.

    Raises:
        SteerError: The name, the password or the role cannot be used.
        ConflictError: Somebody has that name.
    """
    name = _valid(normal_name(name), "user")
    if name == LOCAL:
        raise SteerError(f"{LOCAL!r} stands for use without accounts; choose another name")
    row: dict[str, Any] = {"name": name, "role": _known(role), "password_hash": passwords.hashed(password)}
    row |= {"apps": None if apps is None else sorted(apps)}
    new = put_once(session, User, [row], ["name"])
    if not new:
        raise ConflictError(f"there is a user {name!r} already; choose another name")
    return new[0]


def normal_name(name: str) -> str:
    """A user's name as it is kept: capitals and ways to compose a letter make no difference."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def find(session: Session, name: str) -> User:
    """The user of a name.

    Raises:
        NotFoundError: There is none.
    """
    user = _find(session, name)
    if user is None:
        raise NotFoundError(f"there is no user {normal_name(name)!r}; `steer users list` shows all")
    return user


def everybody(session: Session) -> list[User]:
    """All users by name."""
    return list(session.scalars(select(User).order_by(User.name)))


def has_admin(session: Session) -> bool:
    """Whether there is an enabled admin."""
    return session.scalar(_enabled_admins.limit(1)) is not None


def set_role(session: Session, name: str, role: str) -> None:
    """Give a user another role; it counts from their next request on.

    Raises:
        NotFoundError: There is no such user.
        SteerError: The role is unknown, or nobody could administer any more.
    """
    user = find(session, name)
    if _known(role) != "admin":
        _keep_an_admin(session, user)
    user.role = role


def set_apps(session: Session, name: str, apps: Sequence[str] | None) -> None:
    """Let a user use some apps and workspaces, or all (None), from their next request on.

    Raises:
        NotFoundError: There is no such user.
    """
    find(session, name).apps = None if apps is None else sorted(apps)


def set_password(session: Session, name: str, password: str) -> None:
    """Give a user another password, and end their sessions.

    Raises:
        NotFoundError: There is no such user.
        SteerError: The password cannot be used.
    """
    user = find(session, name)
    user.password_hash, user.sessions_since = passwords.hashed(password), now()


def disable(session: Session, name: str) -> None:
    """Disable a user's password and keys, and end their sessions.

    Raises:
        NotFoundError: There is no such user.
        SteerError: Nobody could administer any more.
    """
    user = find(session, name)
    _keep_an_admin(session, user)
    user.disabled, user.sessions_since = True, now()


def enable(session: Session, name: str) -> None:
    """Enable a user again, with the password and the keys that they had.

    Raises:
        NotFoundError: There is no such user.
    """
    find(session, name).disabled = False


def delete_user(session: Session, name: str) -> int:
    """Remove a user and their keys, and end their sessions; number of users.

    What they made stays: `core.platform.store.erasure.erase_person` removes that as well.

    Raises:
        SteerError: Nobody could administer any more.
    """
    user = _find(session, name)
    if user is None:
        return 0
    _keep_an_admin(session, user)
    return User.erase(session, user.name)


def hold(session: Session, user_id: str | None) -> None:
    """Keep a user from being deleted until the transaction ends; without an id there is nothing to hold.

    Whoever writes in somebody's name calls this first: their request may have begun before they were erased.

    Raises:
        NotFoundError: They have been.
    """
    held = select(User.id).where(User.id == user_id).with_for_update(read=True, key_share=True)
    if user_id is not None and session.scalar(held) is None:
        raise NotFoundError("Your account has been deleted meanwhile.")


def authenticate(session: Session, name: str, password: str) -> User | None:
    """The enabled user of a name and password; a name that nobody has takes as long as a wrong password."""
    user = _find(session, name)
    right = passwords.matches(user.password_hash if user else None, password)
    return user if right and user and not user.disabled else None


def has_outdated_hash(user: User) -> bool:
    """Whether a user's password should be hashed anew, now that it is at hand."""
    return passwords.is_outdated(user.password_hash)


def renew_hash(session: Session, user: User, password: str) -> None:
    """Hash a user's present password anew, unless it has been changed since `user` was read."""
    still = (User.id == user.id) & (User.password_hash == user.password_hash)
    session.execute(update(User).where(still).values(password_hash=passwords.hashed(password)))


def of_session(session: Session, user_id: str, since: datetime) -> User | None:
    """The enabled user of an id, if their sessions have not all been ended since their `sessions_since` was `since`."""
    user = session.get(User, user_id)
    return user if user and not user.disabled and user.sessions_since == since else None


def has_ended(session: Session, session_id: str) -> bool:
    """Whether a user has ended the session of an id."""
    return session.get(EndedSession, session_id) is not None


def end_session(session: Session, session_id: str, lasting: timedelta) -> None:
    """End a session, and forget about those that would have lapsed by now.

    Args:
        session: Session of a transaction.
        session_id: Id of the session that ends.
        lasting: Time after which a session lapses by itself.
    """
    session.execute(delete(EndedSession).where(EndedSession.time < now() - lasting))
    put_once(session, EndedSession, [{"id": session_id, "time": now()}], ["id"])


def issue_key(session: Session, name: str, label: str) -> tuple[ApiKey, str]:
    """A new API key of a user.

    Args:
        session: Session of a transaction.
        name: Name of the user.
        label: Name of the key, which says what it is for.

    Returns:
        The record, and the key itself, which is kept nowhere.

    Raises:
        NotFoundError: There is no such user.
        SteerError: The label cannot be used.
    """
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    record = ApiKey(user_id=find(session, name).id, name=_valid(label.strip(), "key"), digest=_digest(key))
    session.add(record)
    session.flush()
    return record, key


def of_key(session: Session, key: str) -> User | None:
    """The enabled user of an API key that has not been revoked."""
    wanted = select(User).join(ApiKey, ApiKey.user_id == User.id)
    return session.scalar(
        wanted.where(ApiKey.digest == _digest(key), ApiKey.revoked.is_(None), User.disabled.is_(False))
    )


def keys(session: Session) -> list[tuple[str, ApiKey]]:
    """All API keys with the names of their users, the oldest first."""
    wanted = select(User.name, ApiKey).join(ApiKey, ApiKey.user_id == User.id)
    return [(row[0], row[1]) for row in session.execute(wanted.order_by(User.name, ApiKey.created, ApiKey.id))]


def revoke_key(session: Session, key_id: str) -> ApiKey:
    """Revoke an API key.

    Raises:
        NotFoundError: There is none of that id.
    """
    key = session.get(ApiKey, key_id)
    if key is None:
        raise NotFoundError(f"there is no API key of the id {key_id!r}; `steer users list` shows all")
    key.revoked = key.revoked or now()
    return key


_enabled_admins = select(User.id).where(User.role == "admin", User.disabled.is_(False)).order_by(User.id)


def _keep_an_admin(session: Session, user: User) -> None:
    # The lock makes two admins who shut each other out at once take turns (SQLite's transactions do so anyway).
    if list(session.scalars(_enabled_admins.with_for_update())) == [user.id]:
        raise SteerError(f"{user.name} is the last admin; make somebody else one first: steer users role NAME admin")


def _find(session: Session, name: str) -> User | None:
    name = normal_name(name)
    # PostgreSQL takes no NUL in a text; no such name can have been given to anybody.
    return session.scalar(select(User).where(User.name == name)) if name.isprintable() else None


def _known(role: str) -> str:
    if role not in ROLES:
        raise SteerError(f"there is no role {role!r}; the roles are {', '.join(ROLES)}")
    return role


def _valid(name: str, what: str) -> str:
    if not name or len(name) > NAME or not name.isprintable():
        raise SteerError(f"the name of a {what} is a text of 1 to {NAME} visible characters, not {name[:NAME]!r}")
    return name


def _digest(key: str) -> str:
    return sha256(key.encode(errors="replace")).hexdigest()
