"""The page on which a visitor gets ten films and changes the list by liking and hiding."""

from collections.abc import Callable
from functools import partial
from html import escape
from typing import Any, Literal

import gradio as gr

from apps.recommender.cards import CSS, card, history_strip, status
from apps.recommender.service import LIST_LENGTH, RecommenderService, UserSummary, Visitor, checked, open_service
from apps.recommender.texts import TEXTS
from core.serving.errors import shown_errors
from core.serving.page import Page

FOUND = 6
EXAMPLES = ("a quiet film about space", "funny and warm, for children", "dark crime thriller")

Kind = Literal["like", "hide"]


def build(service: RecommenderService) -> None:
    """Lay out the page; all that is known of a visitor lives in their own session."""
    visitor, shown, found = gr.State(Visitor()), gr.State([]), gr.State([])
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

    view = [visitor, shown, empty, headline, grid, history, undo, *cards]
    show = partial(_view, service)

    def choose(typed: str | None, request: gr.Request) -> list[Any]:
        if not typed:
            return [*show(Visitor(), request), ""]
        return [*show(Visitor(user=_user_number(typed, request)), request), ""]

    def describe(words: str, now: Visitor, request: gr.Request) -> list[Any]:
        with shown_errors():
            words = checked(words)
        return [*show(Visitor(words=words, events=now.events if now.user is None else ()), request), None, words]

    def reaction(kind: Kind, at: int) -> Callable[..., list[Any]]:
        def react(now: Visitor, films: list[int], request: gr.Request) -> list[Any]:
            return show(now.with_event(kind, films[at]), request)

        return react

    def take_back(now: Visitor, request: gr.Request) -> list[Any]:
        return show(now.undone(), request)

    def search(words: str, request: gr.Request) -> list[Any]:
        with shown_errors():
            films = service.search(words, FOUND)
        if not films:
            gr.Info(escape(TEXTS.say("none_found", request, title=words)))
        labels = [f"+ {film.title} ({film.year})" for film in films] + [""] * (FOUND - len(films))
        return [[film.row for film in films], *(gr.Button(label, visible=bool(label)) for label in labels)]

    def start_over(request: gr.Request) -> list[Any]:
        hidden = [gr.Button(visible=False) for _ in finds]
        return [*show(Visitor(), request), None, "", "", [], *hidden]

    quiet: dict[str, Any] = {"show_progress": "minimal", "api_visibility": "private"}
    user.input(choose, user, [*view, taste], **quiet)
    taste.submit(describe, [taste, visitor], [*view, user, taste], **quiet)
    for example in examples:
        example.click(describe, [example, visitor], [*view, user, taste], **quiet)
    title.submit(search, title, [found, *finds], **quiet)
    for at, find in enumerate(finds):
        find.click(reaction("like", at), [visitor, found], view, **quiet)
    for at in range(LIST_LENGTH):
        likes[at].click(reaction("like", at), [visitor, shown], view, **quiet)
        hides[at].click(reaction("hide", at), [visitor, shown], view, **quiet)
    undo.click(take_back, visitor, view, **quiet)
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


def _view(service: RecommenderService, visitor: Visitor, request: gr.Request) -> list[Any]:
    """Values of the page's state and view: visitor, shown films, empty state, headline, grid, history, undo, cards."""
    say = partial(TEXTS.say, request=request)
    with shown_errors():
        films = service.recommend(visitor)
        likes, total = service.history(visitor)
    new = sum(event.kind == "like" for event in visitor.events)
    return [
        visitor,
        [film.film.row for film in films],
        gr.Column(visible=not films),
        status(_headline(visitor, say), _change(service, visitor, say)) if films else "",
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


page = Page("recommender", "recommend", TEXTS, open_service, build)
