"""What the server remembers of every open page: what its visitor did there, and no copy of the page."""

from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
from fastapi import FastAPI
from gradio.routes import App
from gradio.state_holder import SessionState, StateHolder
from starlette.routing import Mount

# Some 45 kB each. Whoever comes back after so many others have come finds the page as it was at first.
_MOST = 1_000


class Sessions(StateHolder):
    """Sessions of visitors, those that were used last.

    For each, Gradio writes down what every component of every page is like, so that a deep link could show it again:
    0.45 MB and 80 ms of computing. It has no end of its own but 10,000 sessions, which are 4.5 GB. Here a link says
    what it shows, and nothing is written down for others.

    Args:
        blocks: Pages.
    """

    def __init__(self, blocks: gr.Blocks) -> None:
        super().__init__()
        self.set_blocks(blocks)
        self.capacity = _MOST

    def __getitem__(self, session_id: str) -> SessionState:
        """The session of an id, a new one for a new id."""
        if session_id not in self.session_data:
            self.session_data[session_id] = _session(self.blocks)
        return super().__getitem__(session_id)


def remember_little(app: FastAPI, blocks: gr.Blocks) -> None:
    """Let pages that were mounted in an application remember little of each visitor, and nothing of those long gone."""
    (pages,) = (route.app for route in app.routes if isinstance(route, Mount) and isinstance(route.app, App))
    pages.state_holder = Sessions(blocks)


def _session(blocks: gr.Blocks) -> SessionState:
    without_components = SimpleNamespace(default_config=blocks.default_config, blocks={})
    session = SessionState(cast(gr.Blocks, without_components))
    session.config_values = _Unkept()
    return session


class _Unkept(dict[int, Any]):
    """Configurations of components that nobody will ask for: all are there, and empty."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: int) -> dict[str, Any]:
        return {}

    def __setitem__(self, key: int, value: Any) -> None:
        pass
