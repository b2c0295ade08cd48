"""The bot as a tool for language models (Model Context Protocol)."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from apps.customer_service.chats import SupportChats
from apps.customer_service.texts import TEXTS
from core.platform.pages.requests import page_principal


def tools(chats: SupportChats) -> list[Callable[..., Any]]:
    """`ask_support` and `read_help_article`."""

    async def ask_support(question: str, request: gr.Request) -> dict[str, Any]:
        """Ask the shop's customer service a question.

        Args:
            question: in the customer's words.
            request: the model's.

        Returns:
            The action (answer, ask_back, hand_over or decline), the text for the customer, how sure the bot is, and
            the articles that the answer rests on.
        """
        said = await chats.answer_once(page_principal(request), [], question)
        assert said.reply is not None  # the bot's turn
        return {
            "action": said.reply.action,
            "text": said.text or TEXTS.say(said.reply.action, request),
            "confidence": said.reply.confidence,
            "articles": [{"id": source.article, "title": source.title} for source in said.reply.sources],
        }

    async def read_help_article(article: str) -> dict[str, str]:
        """Read one of the shop's help articles.

        Args:
            article: its id, as `ask_support` names it.

        Returns:
            Title and body.
        """
        found = await chats.article(article)
        return {"title": found.title, "body": found.body}

    return [ask_support, read_help_article]
