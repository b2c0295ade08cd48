"""The secret that sessions are signed with."""

import os
import secrets
from pathlib import Path
from tempfile import mkstemp

from filelock import FileLock

from core.util.errors import SteerError

_MIN_LENGTH = 32


def load_secret(folder: Path) -> str:
    """The secret in `STEER_SECRET`, or in the file that `STEER_SECRET_FILE` names, or in the file `secret` of a folder.

    That last file is created where there is none; only its owner can read it.

    Raises:
        SteerError: The secret is too short to be one, or its file cannot be read or written.
    """
    if "STEER_SECRET" in os.environ:
        return _checked(os.environ["STEER_SECRET"], "STEER_SECRET")
    file = Path(os.environ.get("STEER_SECRET_FILE") or folder / "secret")
    try:
        if "STEER_SECRET_FILE" not in os.environ:
            _create(file)
        return _checked(file.read_text(encoding="utf-8", errors="replace"), str(file))
    except OSError as error:
        raise SteerError(
            f"the secret in {file} cannot be read: {error.strerror or error}; "
            "name another file with STEER_SECRET_FILE, or put the secret into STEER_SECRET"
        ) from error


def _create(file: Path) -> None:
    """Write a new secret whole, unless there is one; of several processes that start at once, one does."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{file}.lock"):
        if file.exists():
            return
        descriptor, temporary = mkstemp(dir=file.parent, prefix=".secret.")  # readable to its owner alone
        with os.fdopen(descriptor, "w") as stream:
            stream.write(secrets.token_urlsafe(32) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(file)


def _checked(text: str, where: str) -> str:
    secret = text.strip()
    if len(secret) < _MIN_LENGTH:
        raise SteerError(
            f"the secret in {where} has fewer than {_MIN_LENGTH} characters; "
            'make one with: python -c "import secrets; print(secrets.token_urlsafe(32))"'
        )
    return secret
