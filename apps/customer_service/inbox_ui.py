"""The inbox below the chat: agents read whom the bot has handed over, answer, and give them back."""

import html
from collections.abc import Sequence
from typing import Any

import gradio as gr
from gradio.context import Context

from apps.customer_service.markup import as_markup, empty, panel, said_by, source_details
from apps.customer_service.service import ChatTurn, InboxLine, SupportService
from apps.customer_service.texts import TEXTS, worded
from core.platform.pages.requests import page_principal, shown_errors
from core.platform.pages.times import TIMES_JS
from core.util.errors import NotFoundError, SteerError

_MOST = 100
_REFRESH_SECONDS = 4
_PICK_JS = (
    TIMES_JS
    + """
element.addEventListener('click', event => {
  const link = event.target.closest('a[data-id]');
  if (!link) return;
  event.preventDefault();
  trigger('select', {id: link.dataset.id});
});
"""
)


def build_inbox(service: SupportService) -> None:
    """Lay out the inbox, which agents alone see."""
    with gr.Accordion(visible=False, open=False, elem_id="cs-inbox") as box, gr.Row():
        inbox = _Inbox(service, box)
    inbox.connect()


class _Inbox:
    """The components of the inbox, and what they do."""

    def __init__(self, service: SupportService, box: gr.Accordion) -> None:
        self._service, self.box = service, box
        with gr.Column(scale=2, min_width=280):
            self.lines = gr.HTML(js_on_load=_PICK_JS, apply_default_css=False, elem_id="cs-inbox-lines")
        with gr.Column(scale=3, min_width=340):
            self.talk = gr.Chatbot(
                label=TEXTS.label("chat"),
                placeholder=TEXTS.label("inbox_pick"),
                height=360,
                render_markdown=False,
                buttons=["copy"],
                elem_id="cs-inbox-talk",
            )
            with gr.Group(visible=False) as self.desk:
                self._lay_out_desk()
            self.helping = gr.HTML(apply_default_css=False)
        self.timer, self.picked, self.seen = gr.Timer(_REFRESH_SECONDS, active=False), gr.State(""), gr.State("")

    def _lay_out_desk(self) -> None:
        self.text = gr.Textbox(
            placeholder=TEXTS.label("write_answer"), show_label=False, lines=3, max_lines=12, elem_id="cs-inbox-text"
        )
        with gr.Row():
            self.send = gr.Button(TEXTS.label("answer"), variant="primary", size="sm", elem_id="cs-inbox-send")
            self.take = gr.Button(TEXTS.label("take_over"), size="sm", elem_id="cs-inbox-take")
            self.give = gr.Button(TEXTS.label("give_back"), size="sm", elem_id="cs-inbox-give")

    def connect(self) -> None:
        """Say what the components do."""
        quiet: dict[str, Any] = {"show_progress": "minimal", "api_visibility": "private"}
        hidden: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        view = [self.box, self.lines, self.talk, self.desk, self.take, self.give, self.helping, self.timer]
        view += [self.picked, self.seen]
        self.lines.select(self._pick, None, view, trigger_mode="multiple", **quiet)
        gr.on([self.text.submit, self.send.click], self._answer, [self.picked, self.text], [*view, self.text], **quiet)
        self.take.click(self._take_over, self.picked, view, **quiet)
        self.give.click(self._give_back, self.picked, view, **quiet)
        self.timer.tick(self._tick, [self.picked, self.seen], view, **hidden)
        blocks = Context.root_block
        assert blocks is not None  # the shell builds pages inside one
        blocks.load(self._open, None, view, **hidden)

    async def _show(self, conversation_id: str, request: gr.Request, seen: str | None = None) -> Any:
        """The view, or nothing new: to who is no agent, and where all is as it was `seen`."""
        principal = page_principal(request)
        if not principal.is_at_least("agent"):
            return gr.skip()
        waiting = await self._service.inbox.lines(principal, _MOST)
        try:
            turns = await self._service.turns(principal, conversation_id, offset=None) if conversation_id else []
        except NotFoundError:  # the customer has deleted it
            conversation_id, turns = "", []
        state = f"{[(each.id, each.since, each.agent) for each in waiting]} {conversation_id} {len(turns)}"
        if state == seen:
            return gr.skip()
        agent = next((each.agent for each in waiting if each.id == conversation_id), None)
        label = TEXTS.say("inbox", request, count=sum(each.since is not None for each in waiting))
        return [
            gr.Accordion(visible=True, label=label),
            _listed(waiting, conversation_id, request),
            [_line_of_talk(turn, request) for turn in turns],
            gr.Group(visible=bool(conversation_id)),
            gr.Button(interactive=agent is None),
            gr.Button(interactive=agent is not None),
            _helping(turns, request),
            gr.Timer(active=True),
            conversation_id,
            state,
        ]

    async def _tick(self, conversation_id: str, seen: str, request: gr.Request) -> Any:
        try:
            return await self._show(conversation_id, request, seen)
        except SteerError:  # the store is away for a moment
            return gr.skip()

    async def _open(self, request: gr.Request) -> Any:
        with shown_errors():
            return await self._show("", request)

    async def _pick(self, data: gr.EventData, request: gr.Request) -> Any:
        with shown_errors():
            return await self._show(data.id, request)

    async def _answer(self, conversation_id: str, text: str, request: gr.Request) -> Any:
        with shown_errors():
            await self._service.inbox.answer(page_principal(request), conversation_id, text)
            return [*await self._show(conversation_id, request), ""]

    async def _take_over(self, conversation_id: str, request: gr.Request) -> Any:
        with shown_errors():
            await self._service.inbox.take_over(page_principal(request), conversation_id)
            gr.Info(TEXTS.say("taken_over", request))
            return await self._show(conversation_id, request)

    async def _give_back(self, conversation_id: str, request: gr.Request) -> Any:
        with shown_errors():
            await self._service.inbox.give_back(page_principal(request), conversation_id)
            gr.Info(TEXTS.say("given_back", request))
            return await self._show(conversation_id, request)


def _line_of_talk(turn: ChatTurn, request: gr.Request) -> dict[str, str]:
    """A turn as an agent sees it: what the company says stands on the agent's side."""
    who = {"user": "customer", "assistant": "bot", "agent": "colleague"}[turn.role]
    content = said_by(who, as_markup(worded(turn, request).text), request)
    return {"role": "assistant" if turn.role == "user" else "user", "content": content}


def _helping(turns: Sequence[ChatTurn], request: gr.Request) -> str:
    """The articles that the bot named last."""
    sources = next((turn.sources for turn in reversed(turns) if turn.sources), [])
    items = "".join(source_details(source, request, is_open=False) for source in sources)
    return panel(TEXTS.say("may_help", request), items) if items else ""


def _listed(waiting: Sequence[InboxLine], shown_id: str, request: gr.Request) -> str:
    items = "".join(_line(line, line.id == shown_id, request) for line in waiting)
    return f'<ul class="cs-list">{items}</ul>' if items else empty("inbox_empty", request)


def _line(line: InboxLine, is_shown: bool, request: gr.Request) -> str:
    has = TEXTS.say("looked_after", request, agent=html.escape(line.agent)) if line.agent else ""
    state = TEXTS.say("waits" if line.since else "answered", request)
    since = f'<time datetime="{line.since.isoformat()}"></time>' if line.since else ""
    return (
        f"<li{' class=cs-here' if is_shown else ''}>"
        f'<a href="#" data-id="{line.id}"{" aria-current=true" if is_shown else ""}>{html.escape(line.title)}</a>'
        f"<span{' class=cs-waits' if line.since else ''}>{state}</span> <small>{has}</small>{since}</li>"
    )
