"""What an app gives to the web application: a page, its texts in two languages, and its service."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from core.training import Run

LANGUAGES = ("en", "zh")


class Texts:
    """A page's texts in English and Chinese.

    Args:
        scope: prefix that keeps pages apart, the app's name.
        texts: by key, the English and the Chinese text.
    """

    def __init__(self, scope: str, texts: Mapping[str, tuple[str, str]]) -> None:
        self.scope, self.texts = scope, texts
        self._translator = gr.I18n(**self.translations())

    def translations(self) -> dict[str, dict[str, str]]:
        """Texts by language and scoped key."""
        return {
            language: {f"{self.scope}.{key}": pair[at] for key, pair in self.texts.items()}
            for at, language in enumerate(LANGUAGES)
        }

    def label(self, key: str) -> Any:
        """A text that the browser shows in its own language; for labels, placeholders and buttons.

        Raises:
            KeyError: the page has no such text.
        """
        if key not in self.texts:
            raise KeyError(key)
        return self._translator(f"{self.scope}.{key}")

    def say(self, key: str, request: gr.Request | None, **values: Any) -> str:
        """A text in the language that the request asks for, its `{}` fields filled; for what a handler returns."""
        accepted = request.headers.get("accept-language", "en") if request else "en"
        return self.texts[key][1 if accepted.lower().startswith("zh") else 0].format(**values)


@dataclass(frozen=True)
class Page:
    """One page of the web application.

    Attributes:
        name: of the app.
        path: of the page in the address.
        texts: must hold `title` and `summary`.
        open_service: makes the app's service from the run, or the version, that holds its policy.
        build: lays out the page for a service; called inside a Blocks context.
    """

    name: str
    path: str
    texts: Texts
    open_service: Callable[[Run], Any]
    build: Callable[[Any], None]
