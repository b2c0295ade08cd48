"""HTML that chat and inbox share; every text from outside is escaped here."""

import html
import re

import gradio as gr

from apps.customer_service.service import Article
from apps.customer_service.texts import TEXTS


def as_markup(text: str) -> str:
    """Text that is shown as it is, but for what stands between backticks, as articles have their commands."""
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", html.escape(text, quote=False))


def said_by(who: str, content: str, request: gr.Request) -> str:
    """A message, in HTML, below the name of who said it.

    Args:
        who: Key of the name among the texts.
        content: Message, in HTML.
        request: Request of the page.
    """
    return f"<strong>{TEXTS.say(who, request)}</strong><br>{content}"


def panel(heading: str, body: str) -> str:
    """A box beside a conversation; both are HTML."""
    return f'<div class="cs-panel"><h4>{heading}</h4>{body}</div>'


def empty(key: str, request: gr.Request) -> str:
    """A quiet text in the place of what is not there."""
    return f'<span class="cs-empty">{TEXTS.say(key, request)}</span>'


def source_details(source: Article, request: gr.Request | None, *, is_open: bool) -> str:
    """An article to unfold."""
    title, body = html.escape(source.title), as_markup(source.body)
    page = TEXTS.say("page", request)
    link = f'<p><a href="{html.escape(source.url or "")}" target="_blank" rel="noopener noreferrer">{page}</a></p>'
    shown = f"<p>{body}</p>{link if source.url else ''}"
    return f"<details {'open' if is_open else ''}><summary>{title}</summary>{shown}</details>"
