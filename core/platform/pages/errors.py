"""How an error that a user can mend appears on a page."""

import html
from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr

from core.util.errors import SteerError


@contextmanager
def shown_errors() -> Iterator[None]:
    """Show the message of a `SteerError` as a notice on the page, without a traceback in the log."""
    try:
        yield
    except SteerError as error:
        raise gr.Error(html.escape(str(error)), duration=8, print_exception=False) from None
