"""The recommender as a tool for language models (Model Context Protocol)."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from apps.recommender.service import RecommenderService, Visitor
from core.platform.pages.requests import page_principal


def tools(service: RecommenderService) -> list[Callable[..., Any]]:
    """`recommend_films`."""

    async def recommend_films(wish: str, request: gr.Request) -> list[dict[str, Any]]:
        """Recommend ten films that fit a wish and differ from each other.

        Args:
            wish: A few words about what somebody would like to see.
            request: Request of the model.

        Returns:
            Title, year and genres of each film, best first.
        """
        shown = await service.show(page_principal(request), Visitor(words=wish))
        return [
            {"title": listed.film.title, "year": listed.film.year, "genres": list(listed.film.genres)}
            for listed in shown.films
        ]

    return [recommend_films]
