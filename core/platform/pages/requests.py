"""What every page needs of a request: who sent it, and errors that a user can mend as notices."""

import html
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import gradio as gr

from core.platform.auth.access import Principal, current_principal
from core.util.errors import SteerError


def page_principal(request: gr.Request) -> Principal:
    """Who uses the page (see `core.platform.auth.access.current_principal`)."""
    assert request.request is not None  # Gradio fills it in whenever a browser or a tool asks
    return current_principal(request.request)


@contextmanager
def shown_errors() -> Iterator[None]:
    """Show the message of a `SteerError` as a notice on the page, without a traceback in the log."""
    try:
        yield
    except SteerError as error:
        raise gr.Error(html.escape(str(error)), duration=8, print_exception=False) from None


def with_shown_errors(tool: Callable[..., Any]) -> Callable[..., Any]:
    """A tool for language models that tells the message of a `SteerError`; see `shown_errors`."""
    if not inspect.iscoroutinefunction(tool):
        return shown_errors()(tool)

    @wraps(tool)
    async def told(*arguments: Any, **named: Any) -> Any:
        with shown_errors():
            return await tool(*arguments, **named)

    return told
