"""The page on which a visitor gets ten films and changes the list by liking and hiding."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from html import escape
from typing import Any

import gradio as gr

from apps.recommender.cards import CSS, card, history_strip, status
from apps.recommender.service import (
    LIST_LENGTH,
    Event,
    Kind,
    RecommenderService,
    UserSummary,
    Visitor,
    checked,
)
from apps.recommender.texts import TEXTS
from apps.recommender.visits import Visits
from core.platform.pages.requests import page_principal, shown_errors

FOUND = 6
EXAMPLES = ("a quiet film about space", "funny and warm, for children", "dark crime thriller")


@dataclass(frozen=True)
class Visit:
    """What the page knows of a visitor.

    Attributes:
        visitor: whom the list is for.
        films: rows of the films on the list.
        decision: the list's id in the log.
        noted: ids in the store of the visitor's events, in their order.
    """

    visitor: Visitor = field(default_factory=Visitor)
    films: tuple[int, ...] = ()
    decision: str | None = None
    noted: tuple[str, ...] = ()


def build(visits: Visits) -> None:
    """Lay out the page; which list it shows is known to the visitor's own session alone."""
    visit, found = gr.State(Visit()), gr.State([])
    service = visits.service
    gr.HTML(f"<style>{CSS}</style>", apply_default_css=False)
    with gr.Row(elem_classes="rec-start"):
        user = _user_picker(service)
        taste, examples = _taste_box()
        title, finds = _search_box()
    with gr.Row():
        with gr.Column(scale=4, min_width=320):
            with gr.Column(elem_classes="rec-empty", elem_id="rec-empty") as empty:
                gr.Markdown(TEXTS.label("empty_title"))
                gr.Markdown(TEXTS.label("empty"))
            headline = gr.HTML(elem_id="rec-status", apply_default_css=False)
            grid, cards, likes, hides = _grid()
        with gr.Column(scale=1, min_width=230):
            history = gr.HTML(elem_id="rec-history", apply_default_css=False)
            with gr.Row():
                undo = gr.Button(TEXTS.label("undo"), size="sm", interactive=False, elem_id="rec-undo")
                restart = gr.Button(TEXTS.label("restart"), size="sm", elem_id="rec-restart")
    gr.Markdown(TEXTS.label("terms"), elem_classes="rec-terms")
    gr.HTML(f'<p class="rec-terms" id="rec-terms">{escape(service.terms)}</p>', apply_default_css=False)

    view = [visit, empty, headline, grid, history, undo, *cards]
    show = partial(_view, visits)

    async def choose(typed: str | None, request: gr.Request) -> list[Any]:
        if not typed:
            return [*await show(Visitor(), (), request), ""]
        return [*await show(Visitor(user=_user_number(typed, request)), (), request), ""]

    async def describe(words: str, now: Visit, request: gr.Request) -> list[Any]:
        with shown_errors():
            words = checked(words)
        goes_on = now.visitor.user is None
        events = now.visitor.events if goes_on else ()
        return [*await show(Visitor(words=words, events=events), now.noted if goes_on else (), request), None, words]

    async def react(now: Visit, event: Event, decision: str | None, request: gr.Request) -> list[Any]:
        with shown_errors():
            noted = await visits.note(page_principal(request), event, decision)
        return await show(now.visitor.with_event(event.kind, event.film), (*now.noted, noted), request)

    def on_list(kind: Kind, at: int) -> Callable[..., Awaitable[list[Any]]]:
        async def reacted(now: Visit, request: gr.Request) -> list[Any]:
            return await react(now, Event(kind, now.films[at]), now.decision, request)

        return reacted

    def on_found(at: int) -> Callable[..., Awaitable[list[Any]]]:
        async def reacted(now: Visit, films: list[int], request: gr.Request) -> list[Any]:
            return await react(now, Event("like", films[at]), None, request)

        return reacted

    async def take_back(now: Visit, request: gr.Request) -> list[Any]:
        if now.noted:
            with shown_errors():
                await visits.take_back(page_principal(request), now.noted[-1])
        return await show(now.visitor.undone(), now.noted[:-1], request)

    def search(words: str, request: gr.Request) -> list[Any]:
        with shown_errors():
            films = visits.service.search(words, FOUND)
        if not films:
            gr.Info(escape(TEXTS.say("none_found", request, title=words)))
        labels = [f"+ {film.title} ({film.year})" for film in films] + [""] * (FOUND - len(films))
        return [[film.row for film in films], *(gr.Button(label, visible=bool(label)) for label in labels)]

    async def start_over(request: gr.Request) -> list[Any]:
        hidden = [gr.Button(visible=False) for _ in finds]
        return [*await show(Visitor(), (), request), None, "", "", [], *hidden]

    quiet: dict[str, Any] = {"show_progress": "minimal", "api_visibility": "private"}
    user.input(choose, user, [*view, taste], **quiet)
    taste.submit(describe, [taste, visit], [*view, user, taste], **quiet)
    for example in examples:
        example.click(describe, [example, visit], [*view, user, taste], **quiet)
    title.submit(search, title, [found, *finds], **quiet)
    for at, find in enumerate(finds):
        find.click(on_found(at), [visit, found], view, **quiet)
    for at in range(LIST_LENGTH):
        likes[at].click(on_list("like", at), visit, view, **quiet)
        hides[at].click(on_list("hide", at), visit, view, **quiet)
    undo.click(take_back, visit, view, **quiet)
    restart.click(start_over, None, [*view, user, taste, title, found, *finds], **quiet)


def _user_picker(service: RecommenderService) -> gr.Dropdown:
    with gr.Column(min_width=250):
        return gr.Dropdown(
            [(_user_label(summary), str(summary.user)) for summary in service.users()],
            label=TEXTS.label("user"),
            info=TEXTS.label("user_hint"),
            value=None,
            allow_custom_value=True,
            elem_id="rec-user",
        )


def _taste_box() -> tuple[gr.Textbox, list[gr.Button]]:
    with gr.Column(min_width=250):
        box = gr.Textbox(
            label=TEXTS.label("taste"),
            info=TEXTS.label("taste_hint"),
            placeholder=EXAMPLES[0],
            submit_btn=True,
            elem_id="rec-taste",
        )
        with gr.Row(elem_classes="rec-chips"):
            return box, [gr.Button(text, size="sm", elem_id=f"rec-example-{at}") for at, text in enumerate(EXAMPLES)]


def _search_box() -> tuple[gr.Textbox, list[gr.Button]]:
    with gr.Column(min_width=250):
        box = gr.Textbox(
            label=TEXTS.label("search"),
            info=TEXTS.label("search_hint"),
            placeholder=TEXTS.label("search_placeholder"),
            submit_btn=True,
            elem_id="rec-search",
        )
        with gr.Row(elem_classes="rec-chips"):
            return box, [gr.Button(size="sm", visible=False, elem_id=f"rec-found-{at}") for at in range(FOUND)]


def _grid() -> tuple[gr.Row, list[gr.HTML], list[gr.Button], list[gr.Button]]:
    cards, likes, hides = [], [], []
    with gr.Row(visible=False, elem_classes="rec-grid", elem_id="rec-grid") as grid:
        for at in range(LIST_LENGTH):
            with gr.Column(elem_classes="rec-card", min_width=150):
                cards.append(gr.HTML(elem_id=f"rec-card-{at}", apply_default_css=False))
                with gr.Row(elem_classes="rec-actions"):
                    likes.append(gr.Button(TEXTS.label("like"), size="sm", variant="primary", elem_id=f"rec-like-{at}"))
                    hides.append(gr.Button(TEXTS.label("hide"), size="sm", elem_id=f"rec-hide-{at}"))
    return grid, cards, likes, hides


async def _view(visits: Visits, visitor: Visitor, noted: tuple[str, ...], request: gr.Request) -> list[Any]:
    """Values of the page's state and view: visit, empty state, headline, grid, history, undo, cards."""
    say = partial(TEXTS.say, request=request)
    with shown_errors():
        shown = await visits.show(page_principal(request), visitor)
        likes, total = visits.service.history(visitor)
    films = shown.films
    new = sum(event.kind == "like" for event in visitor.events)
    return [
        Visit(visitor, tuple(film.film.row for film in films), shown.decision, noted),
        gr.Column(visible=not films),
        status(_headline(visitor, say), _change(visits.service, visitor, say)) if films else "",
        gr.Row(visible=bool(films)),
        history_strip(likes, total, new, len(visitor.events) - new, say) if films else "",
        gr.Button(interactive=bool(visitor.events)),
        *([card(film, say) for film in films] or [""] * LIST_LENGTH),
    ]


def _headline(visitor: Visitor, say: Any) -> str:
    if visitor.user is not None:
        return say("for_user", user=visitor.user)
    return say("for_words", words=visitor.words) if visitor.words else say("for_likes")


def _change(service: RecommenderService, visitor: Visitor, say: Any) -> str:
    if not visitor.events:
        return ""
    last = visitor.events[-1]
    return say(f"after_{last.kind}", title=service.film(last.film).title)


def _user_number(typed: str, request: gr.Request) -> int:
    if not typed.strip().isdecimal():
        raise gr.Error(escape(TEXTS.say("not_a_user", request, typed=typed[:40])), print_exception=False)
    return int(typed[:9])


def _user_label(summary: UserSummary) -> str:
    return f"{summary.user} · {', '.join(summary.genres)} · {summary.likes} ♥"
