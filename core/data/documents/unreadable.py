"""What keeps a document from being read: the document itself, or a package that is not there."""

from collections.abc import Iterator
from contextlib import contextmanager

from core.util.errors import SteerError


class UnreadableError(Exception):
    """A document cannot be used; the message is the reason, the same for all documents that have it."""


@contextmanager
def extra(does: str) -> Iterator[None]:
    """Import what the extra `documents` installs.

    Args:
        does: Use of the package, for whoever has to install it.

    Raises:
        SteerError: It is not installed.
    """
    try:
        yield
    except ImportError as error:
        raise SteerError(f"{error.name}, which {does}, is not installed: pip install 'steer[documents]'") from error
