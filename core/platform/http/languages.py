"""The languages that pages speak, and which of them a request asks for."""

from typing import Any, Protocol

LANGUAGES = ("en", "zh", "de")


class HasHeaders(Protocol):
    """A request of a page or of the API."""

    @property
    def headers(self) -> Any:
        """Headers by name."""
        ...


def requested_language(request: HasHeaders | None) -> str:
    """The one of `LANGUAGES` that a request prefers; English where there is none."""
    preferred = request.headers.get("accept-language", "").lower()[:2] if request else ""
    return preferred if preferred in LANGUAGES else "en"
