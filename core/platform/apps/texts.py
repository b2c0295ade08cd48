"""Texts of an app in the languages of its visitors."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from core.platform.http.languages import LANGUAGES, HasHeaders, requested_language


class Texts:
    """A page's texts in the order of `LANGUAGES`; what the last of them lack is said in English.

    Args:
        scope: Prefix that keeps apps apart, the app's name.
        texts: English, Chinese and German text by key.
    """

    def __init__(self, scope: str, texts: Mapping[str, tuple[str, ...]]) -> None:
        self.scope, self.texts = scope, texts

    def named(self, scope: str, title: str, summary: str) -> "Texts":
        """The same texts under another title and summary, as a company wrote them, in one language."""
        own = {"title": title, "summary": summary}
        return Texts(scope, {**self.texts, **{key: (text,) for key, text in own.items() if text}})

    def translations(self) -> dict[str, dict[str, str]]:
        """Texts by language and scoped key."""
        return {
            language: {f"{self.scope}.{key}": self._text(key, language) for key in self.texts} for language in LANGUAGES
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

    def say(self, key: str, request: HasHeaders | None, **values: Any) -> str:
        """A text in the language that the request asks for, its `{}` fields filled; for what a handler returns."""
        return self._text(key, requested_language(request)).format(**values)

    def _text(self, key: str, language: str) -> str:
        said, at = self.texts[key], LANGUAGES.index(language)
        return said[at] if at < len(said) else said[0]
