"""The bot as a tool for language models (Model Context Protocol)."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from apps.customer_service.service import SupportService
from apps.customer_service.texts import worded
from core.platform.pages.requests import page_principal


def tools(service: SupportService) -> list[Callable[..., Any]]:
    """`ask_support` and `read_help_article`."""

    async def ask_support(question: str, request: gr.Request) -> dict[str, Any]:
        """Ask customer service a question.

        Args:
            question: Question in the words of the customer.
            request: Request of the language model.

        Returns:
            The action (answer, ask_back, hand_over, decline, or the kind of small talk that it replied to: greeting,
            thanks, goodbye, about_bot or acknowledgement), the text for the customer, how sure the bot is, and the
            articles that the answer rests on.
        """
        _, turn = await service.start_with(page_principal(request), question)
        reply = worded(turn, request)
        articles = [{"id": source.id, "title": source.title} for source in reply.sources]
        return {**reply.model_dump(include={"action", "text", "confidence"}), "articles": articles}

    async def read_help_article(article: str) -> dict[str, str]:
        """Read one of the help articles.

        Args:
            article: Id of an article, as `ask_support` names it.

        Returns:
            Title and body.
        """
        return (await service.article(article)).model_dump(include={"title", "body"})

    return [ask_support, read_help_article]
