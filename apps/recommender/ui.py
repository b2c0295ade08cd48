"""The page on which a visitor gets ten items and changes the list by liking and hiding.

It opens on the visitor's own list, from the profile in the store. A user whom the data know can be tried out in a
demo view, where nothing is kept. The address names what is shown: `?words=...`, `?visitor=...`.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from typing import Any

import gradio as gr
from gradio.context import Context

from apps.recommender.cards import ABSENT, CSS, Say, card, history_strip, status
from apps.recommender.service import (
    LIST_LENGTH,
    Event,
    Item,
    Kind,
    RecommenderService,
    Shown,
    UserSummary,
    Visitor,
    asked,
    checked_words,
)
from apps.recommender.texts import ShopTexts
from core.platform.pages.requests import page_principal, shown_errors

FOUND = 6

# What is typed and not sent yet outlives a reload of the tab; what is shown stands in the address.
_DRAFTS = "() => JSON.parse(sessionStorage.getItem('rec-drafts') || '[\"\", \"\"]')"
_KEEP_DRAFTS = "(words, title) => { sessionStorage.setItem('rec-drafts', JSON.stringify([words, title])) }"
_KEEP_ADDRESS = """(user, words) => {
  const address = new URL(location);
  for (const [name, value] of [['visitor', user], ['words', words]])
    if (value) address.searchParams.set(name, value); else address.searchParams.delete(name);
  history.replaceState(history.state, '', address);
}"""
# The button stands below the list, and what it brings begins above; keys go on from there as well.
_GO_TO_LIST = """() => {
  const list = document.getElementById('rec-status');
  list.tabIndex = -1;
  list.focus({preventScroll: true});
  list.scrollIntoView();
}"""


@dataclass(frozen=True)
class View:
    """What a tab shows.

    Attributes:
        demo: User whom the data know who is tried out, with what was done in their place; None on the own list.
        words: Words that the visitor wrote about their taste.
        items: Ids of the items on the list.
        decision: Id of the list in the log.
        shown: Items of each list of this visit that the visitor has gone on from, oldest first.
    """

    demo: Visitor | None = None
    words: str = ""
    items: tuple[str, ...] = ()
    decision: str | None = None
    shown: tuple[tuple[str, ...], ...] = ()


def build(service: RecommenderService) -> None:
    """Lay out the page; likes and hides stand in the store, and what a tab shows is known to that tab alone."""
    texts, examples = service.texts, service.config.examples
    view, found = gr.State(View()), gr.State([])
    gr.HTML(f"<style>{CSS}</style>", apply_default_css=False)
    with gr.Row(elem_classes="rec-start"):
        taste, offered = _taste_box(texts, examples)
        title, finds = _search_box(texts, service.catalogue.best_known.title)
    with gr.Row():
        with gr.Column(scale=4, min_width=320):
            with gr.Row(elem_classes="rec-head"):
                headline = gr.HTML(elem_id="rec-status", apply_default_css=False)
                back = gr.Button(texts.label("back"), size="sm", visible=False, elem_id="rec-back")
            grid, cards, likes, hides = _grid(texts)
            others = gr.Button(texts.label("others"), size="sm", interactive=False, elem_id="rec-others")
        with gr.Column(scale=1, min_width=230):
            history = gr.HTML(elem_id="rec-history", apply_default_css=False)
            with gr.Row(elem_classes="rec-profile"):
                undo = gr.Button(texts.label("undo"), size="sm", interactive=False, elem_id="rec-undo")
                forget = gr.Button(texts.label("forget"), size="sm", interactive=False, elem_id="rec-forget")
            with gr.Column(visible=False, elem_classes="rec-confirm") as confirm:
                question = gr.Markdown(elem_id="rec-question")
                with gr.Row():
                    sure = gr.Button(texts.label("forget_sure"), size="sm", variant="stop", elem_id="rec-forget-sure")
                    keep = gr.Button(texts.label("forget_not"), size="sm", elem_id="rec-forget-not")
            with gr.Accordion(texts.label("demo"), open=False, elem_id="rec-demo", elem_classes="rec-demo"):
                user = _user_picker(service)
    gr.Markdown(texts.label("terms"), elem_classes="rec-terms")
    terms = f'<p class="rec-terms">{escape(service.config.terms)}</p>'
    gr.HTML(terms, elem_id="rec-terms", apply_default_css=False)

    shown_view = [view, headline, back, grid, others, history, undo, forget, confirm, *cards]

    async def show(now: View, request: gr.Request, note: str = "") -> list[Any]:
        visitor = replace(now.demo or Visitor(words=now.words), shown=now.shown)
        with shown_errors():
            shown = await service.show(page_principal(request), visitor, with_profile=now.demo is None)
        return _values(shown, note, partial(texts.say, request=request))

    async def open_page(words: str, title: str, request: gr.Request) -> list[Any]:
        try:
            now = _addressed(request)
            values = await show(now, request)
        except gr.Error as error:  # an address may say anything
            gr.Warning(error.message)
            now = View()
            values = await show(now, request)
        return [*values, now.demo and now.demo.user, words or now.words, title]

    async def try_out(typed: str | None, request: gr.Request) -> list[Any]:
        demo = Visitor(user=typed.strip()) if typed else None
        return [*await show(View(demo), request), ""]

    async def describe(words: str, request: gr.Request) -> list[Any]:
        with shown_errors():
            words = checked_words(words)
        return [*await show(View(words=words), request), None, words]

    async def react(now: View, event: Event, decision: str | None, request: gr.Request) -> list[Any]:
        note = texts.say(f"after_{event.kind}", request, title=service.catalogue.item(event.item).title)
        if now.demo is not None:
            return await show(View(now.demo.with_event(event.kind, event.item), shown=now.shown), request, note)
        with shown_errors():
            visitor = Visitor(words=now.words, shown=now.shown)
            shown = await service.react(page_principal(request), event, decision, visitor)
        return _values(shown, note, partial(texts.say, request=request))

    async def show_others(now: View, request: gr.Request) -> list[Any]:
        return await show(replace(now, shown=(*now.shown, now.items)), request)

    def on_list(kind: Kind, place: int) -> Callable[..., Awaitable[list[Any]]]:
        async def reacted(now: View, request: gr.Request) -> list[Any]:
            return await react(now, Event(kind, now.items[place]), now.decision, request)

        return reacted

    def on_found(place: int) -> Callable[..., Awaitable[list[Any]]]:
        async def reacted(now: View, items: list[str], request: gr.Request) -> list[Any]:
            return await react(now, Event("like", items[place]), None, request)

        return reacted

    async def take_back(now: View, request: gr.Request) -> list[Any]:
        if now.demo is not None:
            return await show(View(now.demo.undone(), shown=now.shown), request)
        with shown_errors():
            await service.undo(page_principal(request))
        return await show(now, request, texts.say("after_undo", request))

    def search(words: str, request: gr.Request) -> list[Any]:
        with shown_errors():
            items = service.catalogue.search(words, FOUND)
        if not items:
            gr.Info(escape(texts.say("none_found", request, title=words)))
        labels = [f"+ {_named(item)}" for item in items] + [""] * (FOUND - len(items))
        return [[item.id for item in items], *(gr.Button(label, visible=bool(label)) for label in labels)]

    async def go_back(request: gr.Request) -> list[Any]:
        hidden = [gr.Button(visible=False) for _ in finds]
        return [*await show(View(), request), None, "", "", [], *hidden]

    async def ask(request: gr.Request) -> list[Any]:
        with shown_errors():
            profile = await service.profile(page_principal(request))
        return [gr.Column(visible=True), texts.say("forget_ask", request, count=len(profile.events))]

    async def forget_all(now: View, request: gr.Request) -> list[Any]:
        with shown_errors():
            await service.forget(page_principal(request))
        return await show(replace(now, shown=()), request, texts.say("after_forget", request))

    quiet: dict[str, Any] = {"show_progress": "minimal", "api_visibility": "private"}
    keep_address: dict[str, Any] = {"fn": None, "inputs": [user, taste], "js": _KEEP_ADDRESS}
    blocks = Context.root_block
    assert blocks is not None  # the layout builds pages inside one
    opened = blocks.load(open_page, [taste, title], [*shown_view, user, taste, title], js=_DRAFTS, **quiet)
    # What is typed or chosen before the page is open would be lost under the first list.
    begin = [taste, title, *offered]
    opened.then(lambda: [gr.update(interactive=True) for _ in begin], None, begin, **quiet)
    gr.on([taste.change, title.change], None, [taste, title], js=_KEEP_DRAFTS)
    user.input(try_out, user, [*shown_view, taste], trigger_mode="always_last", **quiet).success(**keep_address)
    taste.submit(describe, taste, [*shown_view, user, taste], **quiet).success(**keep_address)
    for example in offered:
        example.click(describe, example, [*shown_view, user, taste], **quiet).success(**keep_address)
    back.click(go_back, None, [*shown_view, user, taste, title, found, *finds], **quiet).success(**keep_address)
    title.submit(search, title, [found, *finds], **quiet)
    for place, find in enumerate(finds):
        find.click(on_found(place), [view, found], shown_view, **quiet)
    for place in range(LIST_LENGTH):
        likes[place].click(on_list("like", place), view, shown_view, **quiet)
        hides[place].click(on_list("hide", place), view, shown_view, **quiet)
    others.click(show_others, view, shown_view, **quiet).success(None, js=_GO_TO_LIST)
    undo.click(take_back, view, shown_view, **quiet)
    forget.click(ask, None, [confirm, question], **quiet)
    sure.click(forget_all, view, shown_view, **quiet)
    keep.click(lambda: gr.Column(visible=False), None, confirm, **quiet)


def _user_picker(service: RecommenderService) -> gr.Dropdown:
    return gr.Dropdown(
        [(_user_label(summary), summary.user) for summary in service.catalogue.users()],
        label=service.texts.label("user"),
        info=service.texts.label("user_hint"),
        value=None,
        allow_custom_value=True,
        elem_id="rec-user",
    )


def _taste_box(texts: ShopTexts, offered: Sequence[str]) -> tuple[gr.Textbox, list[gr.Button]]:
    with gr.Column(min_width=250):
        box = gr.Textbox(
            label=texts.label("taste"),
            info=texts.label("taste_hint"),
            placeholder=next(iter(offered), None),
            submit_btn=True,
            interactive=False,
            elem_id="rec-taste",
        )
        with gr.Row(elem_classes="rec-chips"):
            examples = [
                gr.Button(text, size="sm", interactive=False, elem_id=f"rec-example-{i}")
                for i, text in enumerate(offered)
            ]
            return box, examples


def _search_box(texts: ShopTexts, placeholder: str) -> tuple[gr.Textbox, list[gr.Button]]:
    with gr.Column(min_width=250):
        box = gr.Textbox(
            label=texts.label("search"),
            info=texts.label("search_hint"),
            placeholder=placeholder,
            submit_btn=True,
            interactive=False,
            elem_id="rec-search",
        )
        with gr.Row(elem_classes="rec-chips"):
            return box, [gr.Button(size="sm", visible=False, elem_id=f"rec-found-{i}") for i in range(FOUND)]


def _grid(texts: ShopTexts) -> tuple[gr.Row, list[gr.HTML], list[gr.Button], list[gr.Button]]:
    cards, likes, hides = [], [], []
    with gr.Row(visible=False, elem_classes="rec-grid", elem_id="rec-grid") as grid:
        for i in range(LIST_LENGTH):
            with gr.Column(elem_classes="rec-card", min_width=150):
                cards.append(gr.HTML(elem_id=f"rec-card-{i}", apply_default_css=False))
                with gr.Row(elem_classes="rec-actions"):
                    likes.append(gr.Button(texts.label("like"), size="sm", elem_id=f"rec-like-{i}"))
                    hides.append(gr.Button(texts.label("hide"), size="sm", elem_id=f"rec-hide-{i}"))
    return grid, cards, likes, hides


def _values(shown: Shown, note: str, say: Say) -> list[Any]:
    """Values of the page's view: state, headline, way back, grid, others, history, undo, forget, question, cards."""
    visitor, items = shown.visitor, tuple(item.item.id for item in shown.items)
    is_demo = visitor.user is not None
    whose = say("history_of", user=visitor.user) if is_demo else say("history")
    liked = {event.item for event in visitor.events if event.kind == "like"}
    hidden = {event.item for event in visitor.events} - {item.id for item in shown.likes}
    return [
        View(visitor if is_demo else None, visitor.words, items, shown.decision, visitor.shown),
        status(_headline(shown, say), _notes(shown, note, say), is_demo=is_demo, say=say),
        gr.Button(visible=is_demo or bool(visitor.words)),
        gr.Row(visible=True),
        gr.Button(interactive=len(items) == LIST_LENGTH),
        history_strip(whose, shown.likes, liked if is_demo else frozenset(), len(hidden), say),
        gr.Button(interactive=bool(visitor.events)),
        gr.Button(interactive=bool(visitor.events), visible=not is_demo),
        gr.Column(visible=False),
        *(card(item, say) for item in shown.items),
        *[ABSENT] * (LIST_LENGTH - len(shown.items)),
    ]


def _headline(shown: Shown, say: Say) -> str:
    if shown.visitor.user is not None:
        return say("for_user", user=shown.visitor.user)
    if shown.visitor.words and not shown.is_not_understood:
        return say("for_words", words=shown.visitor.words)
    if shown.is_not_understood:
        return say("for_newcomer")
    return say("for_likes") if shown.likes else say("for_newcomer")


def _notes(shown: Shown, note: str, say: Say) -> list[str]:
    heard = [each for each in shown.wish.conditions if each not in shown.unmet]
    wish = [say(key, about=asked(each, say)) for key, each in (("heard", heard), ("unmet", shown.unmet)) if each]
    if wish or shown.notes:
        return [note, *wish, *(say(key) for key in shown.notes)]
    if shown.visitor.user is not None:
        return [note, say("demo_hint")]
    return [note] if shown.likes or shown.visitor.words else [note, say("newcomer_hint")]


def _addressed(request: gr.Request) -> View:
    """What the page's address asks for."""
    query = request.query_params
    if visitor := query.get("visitor"):
        return View(Visitor(user=visitor))
    with shown_errors():
        return View(words=checked_words(query["words"])) if query.get("words") else View()


def _named(item: Item) -> str:
    return f"{item.title} ({item.year})" if item.year else item.title


def _user_label(summary: UserSummary) -> str:
    return f"{summary.user} · {', '.join(summary.tags)} · {summary.likes} ♥"
