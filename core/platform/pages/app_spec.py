"""What an app gives to the web application: a page, its texts in two languages, and its service."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import gradio as gr
from fastapi import APIRouter

from core.platform.auth.access import Principal, asker
from core.platform.inference.engine import Engine, Works
from core.platform.queues.stream import Entry
from core.platform.store.database import Store
from core.platform.versions.live import Live
from core.rl.explore import Explorer
from core.training.run import Run

LANGUAGES = ("en", "zh")

Take = Callable[[Sequence[Entry]], list[tuple[Entry, str]]]


class HasHeaders(Protocol):
    """A request of a page or of the API."""

    @property
    def headers(self) -> Any:
        """By name."""
        ...


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

    def say(self, key: str, request: "HasHeaders | None", **values: Any) -> str:
        """A text in the language that the request asks for, its `{}` fields filled; for what a handler returns."""
        accepted = request.headers.get("accept-language", "en") if request else "en"
        return self.texts[key][1 if accepted.lower().startswith("zh") else 0].format(**values)


def page_asker(request: gr.Request) -> Principal:
    """Who uses the page (see `core.platform.auth.access.asker`)."""
    assert request.request is not None  # Gradio fills it in whenever a browser or a tool asks
    return asker(request.request)


@dataclass(frozen=True)
class Page:
    """What an app gives to the web application: a page, an API, and tools for language models.

    Attributes:
        name: of the app.
        path: of the page in the address.
        texts: must hold `title` and `summary`.
        open_engine: makes what computes for the app's service, from the run or model version that holds its policy.
        open_service: makes the service, which decides, on such an engine.
        open_desk: makes what page, API and tools call, from the store, the service that is live, and how it explores.
        build: lays out the page for a desk; called inside a Blocks context.
        routes: the app's part of the API.
        tools: functions for the Model Context Protocol; names, docstrings and types say what they do.
        take: works off entries of a queue for a desk, and tells those that are wrong, with the reason.
    """

    name: str
    path: str
    texts: Texts
    open_engine: Callable[[Run], Works]
    open_service: Callable[[Run, Engine], Any]
    open_desk: Callable[[Store, Live[Any], Explorer], Any]
    build: Callable[[Any], None]
    routes: Callable[[Any], APIRouter]
    tools: Callable[[Any], Sequence[Callable[..., Any]]]
    take: Callable[[Any, Sequence[Entry]], list[tuple[Entry, str]]] | None = None
