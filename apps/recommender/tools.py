"""The recommender as a tool for language models (Model Context Protocol)."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from apps.recommender.service import RecommenderService, Visitor
from core.platform.pages.requests import page_principal


def tools(service: RecommenderService) -> list[Callable[..., Any]]:
    """`recommend_items`."""

    async def recommend_items(wish: str, request: gr.Request) -> list[dict[str, Any]]:
        """Recommend ten items that fit a wish and differ from each other.

        Args:
            wish: A few words about what somebody would like.
            request: Request of the model.

        Returns:
            Title, year and tags of each item, best first.
        """
        shown = await service.show(page_principal(request), Visitor(words=wish))
        return [
            {"title": listed.item.title, "year": listed.item.year, "tags": list(listed.item.tags)}
            for listed in shown.items
        ]

    return [recommend_items]
