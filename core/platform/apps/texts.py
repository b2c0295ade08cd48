"""Texts of an app in English and Chinese."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Protocol

LANGUAGES = ("en", "zh")


class HasHeaders(Protocol):
    """A request of a page or of the API."""

    @property
    def headers(self) -> Any:
        """Headers by name."""
        ...


class Texts:
    """A page's texts in English and Chinese.

    Args:
        scope: Prefix that keeps apps apart, the app's name.
        texts: English and Chinese text by key.
    """

    def __init__(self, scope: str, texts: Mapping[str, tuple[str, str]]) -> None:
        self.scope, self.texts = scope, texts

    def named(self, scope: str, title: str, summary: str) -> "Texts":
        """The same texts under another title and summary, as a company wrote them, in one language."""
        own = {"title": title, "summary": summary}
        return Texts(scope, {**self.texts, **{key: (text, text) for key, text in own.items() if text}})

    def translations(self) -> dict[str, dict[str, str]]:
        """Texts by language and scoped key."""
        return {
            language: {f"{self.scope}.{key}": pair[i] for key, pair in self.texts.items()}
            for i, language in enumerate(LANGUAGES)
        }

    @cached_property
    def _translator(self) -> Any:
        from gradio import I18n  # a server without pages does without Gradio

        return I18n(**self.translations())

    def label(self, key: str) -> Any:
        """A text that the browser shows in its own language; for labels, placeholders and buttons.

        Raises:
            KeyError: The page has no such text.
        """
        if key not in self.texts:
            raise KeyError(key)
        return self._translator(f"{self.scope}.{key}")

    def say(self, key: str, request: "HasHeaders | None", **values: Any) -> str:
        """A text in the language that the request asks for, its `{}` fields filled; for what a handler returns."""
        accepted = request.headers.get("accept-language", "en") if request else "en"
        return self.texts[key][1 if accepted.lower().startswith("zh") else 0].format(**values)
