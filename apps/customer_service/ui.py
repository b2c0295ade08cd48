"""The chat with the customer-service bot."""

import html
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.context import Context

from apps.customer_service.chats import Said, SupportChats
from apps.customer_service.replies import Reply, Source
from apps.customer_service.texts import TEXTS
from core.platform.pages.requests import page_principal, shown_errors

CHOICES = 3

EXAMPLES = (
    "Where is my order HP-48213?",
    "how long do i have to send a lamp back",
    "It still doesn't work!!",
    "someone ordered a grill on my account and it wasn't me",
)

CSS = """
.cs-panel { border: 1px solid var(--border-color-primary); border-radius: 12px; padding: 1rem 1.1rem;
  background: var(--block-background-fill); color: var(--body-text-color); line-height: 1.5; }
.cs-panel h4 { margin: 0 0 .5rem; font-size: .8rem; letter-spacing: .04em; text-transform: uppercase;
  color: var(--body-text-color-subdued); }
.cs-empty { color: var(--body-text-color-subdued); }
.cs-badge { display: inline-block; padding: .2rem .7rem; border-radius: 999px; font-weight: 600; font-size: .9rem; }
.cs-answer { background: #0d94882e; color: light-dark(#0f766e, #5eead4); }
.cs-ask_back { background: #d977062e; color: light-dark(#b45309, #fcd34d); }
.cs-hand_over { background: #4f46e52e; color: light-dark(#4338ca, #a5b4fc); }
.cs-decline { background: #64748b2e; color: light-dark(#475569, #cbd5e1); }
.cs-sure { margin-left: .6rem; color: var(--body-text-color-subdued); }
.cs-panel details { border-top: 1px solid var(--border-color-primary); padding: .6rem 0; }
.cs-panel summary { cursor: pointer; font-weight: 600; }
.cs-panel details p { margin: .5rem 0 0; color: var(--body-text-color-subdued); }
.dark .cs-panel { color-scheme: dark; }
#cs-chat .placeholder { padding: 0 1.5rem; text-align: center; }
.cs-choice button, .cs-example button { white-space: normal; text-align: left; }
"""


@dataclass(frozen=True)
class Exchange:
    """One message of the customer and the bot's reply, worded in the customer's language."""

    message: str
    said: Said
    shown: str

    @property
    def reply(self) -> Reply:
        """What the bot decided."""
        assert self.said.reply is not None  # the bot's turn
        return self.said.reply


@dataclass(frozen=True)
class Chat:
    """What the page shows of a conversation; the id is the first message's, nothing is kept of a chat without one."""

    conversation: str | None = None
    exchanges: tuple[Exchange, ...] = ()


def build(chats: SupportChats) -> None:
    """Lay out the page; which conversation it shows is known to the visitor's own session alone."""
    chat = gr.State(Chat())
    gr.HTML(f"<style>{CSS}</style>", apply_default_css=False)
    with gr.Row():
        with gr.Column(scale=3, min_width=340):
            bot = gr.Chatbot(
                label=TEXTS.label("chat"),
                placeholder=TEXTS.label("empty"),
                elem_id="cs-chat",
                height=460,
                render_markdown=False,
                buttons=["copy"],
                feedback_options=("Like", "Dislike"),
            )
            with gr.Row(visible=False) as choice_row:
                choices = [gr.Button(size="sm", elem_id=f"cs-choice-{at}") for at in range(CHOICES)]
            with gr.Row(equal_height=True):
                message = gr.Textbox(
                    placeholder=TEXTS.label("placeholder"),
                    show_label=False,
                    container=False,
                    autofocus=True,
                    scale=6,
                    elem_id="cs-message",
                )
                send = gr.Button(TEXTS.label("send"), variant="primary", scale=1, min_width=90, elem_id="cs-send")
            with gr.Row():
                person = gr.Button(TEXTS.label("person"), size="sm", elem_id="cs-person")
                undo = gr.Button(TEXTS.label("undo"), size="sm", elem_id="cs-undo")
                restart = gr.Button(TEXTS.label("restart"), size="sm", elem_id="cs-restart")
        with gr.Column(scale=2, min_width=300):
            decision = gr.HTML(elem_id="cs-action", apply_default_css=False)
            sources = gr.HTML(elem_id="cs-sources", apply_default_css=False)
            gr.Markdown(TEXTS.label("try"))
            examples = [gr.Button(text, size="sm", elem_classes="cs-example") for text in EXAMPLES]

    view = [chat, bot, decision, sources, choice_row, *choices]

    async def ask(text: str, so_far: Chat, request: gr.Request) -> list[Any]:
        with shown_errors():
            conversation = so_far.conversation or await chats.start(page_principal(request))
            said = await chats.say(page_principal(request), conversation, text)
        return [*_render(_with(so_far, conversation, text.strip(), said, request), request), ""]

    async def ask_for_person(so_far: Chat, request: gr.Request) -> list[Any]:
        wish = TEXTS.say("wants_person", request)
        with shown_errors():
            conversation = so_far.conversation or await chats.start(page_principal(request))
            said = await chats.hand_over(page_principal(request), conversation, wish)
        return _render(_with(so_far, conversation, wish, said, request), request)

    async def take_back(so_far: Chat, request: gr.Request) -> list[Any]:
        if so_far.conversation is None or not so_far.exchanges:
            return [*_render(so_far, request), ""]
        with shown_errors():
            message = await chats.take_back(page_principal(request), so_far.conversation)
        return [*_render(Chat(so_far.conversation, so_far.exchanges[:-1]), request), message or ""]

    def start_over(request: gr.Request) -> list[Any]:
        return _render(Chat(), request)

    async def note(data: gr.LikeData, so_far: Chat, request: gr.Request) -> None:
        index = data.index[0] if isinstance(data.index, list | tuple) else data.index
        decision = so_far.exchanges[index // 2].said.decision
        if decision is not None:  # a person's own wish for a person is no decision of the bot's
            with shown_errors():
                await chats.judge(page_principal(request), decision, 1.0 if data.liked else -1.0)
        gr.Info(TEXTS.say("thanks_up" if data.liked else "thanks_down", request))

    quiet: dict[str, Any] = {"show_progress": "minimal", "api_visibility": "private"}
    gr.on([message.submit, send.click], ask, [message, chat], [*view, message], **quiet)
    for button in (*examples, *choices):
        button.click(ask, [button, chat], [*view, message], **quiet)
    person.click(ask_for_person, chat, view, **quiet)
    undo.click(take_back, chat, [*view, message], **quiet)
    restart.click(start_over, None, view, **quiet)
    blocks = Context.root_block
    assert blocks is not None  # the shell builds pages inside one
    blocks.load(start_over, None, view, **quiet)
    bot.clear(start_over, None, view, **quiet)
    bot.like(note, chat, None, **quiet)


def _with(so_far: Chat, conversation: str, message: str, said: Said, request: gr.Request) -> Chat:
    assert said.reply is not None  # the bot's turn
    shown = said.text or TEXTS.say(said.reply.action, request)
    return Chat(conversation, (*so_far.exchanges, Exchange(message, said, shown)))


def _history(so_far: Chat) -> list[dict[str, str]]:
    return [
        turn
        for exchange in so_far.exchanges
        for turn in (
            {"role": "user", "content": exchange.message},
            {"role": "assistant", "content": exchange.shown},
        )
    ]


def _render(so_far: Chat, request: gr.Request) -> list[Any]:
    """The page's state and view: chat, bot, decision, sources, row of choices, choices."""
    reply = so_far.exchanges[-1].reply if so_far.exchanges else None
    options = reply.sources if reply and reply.action == "ask_back" else []
    buttons = [
        gr.Button(options[at].title if at < len(options) else "", visible=at < len(options)) for at in range(CHOICES)
    ]
    return [
        so_far,
        # The chat takes contents for markup, even with Markdown off.
        [{**turn, "content": html.escape(turn["content"], quote=False)} for turn in _history(so_far)],
        _decision(reply, request),
        _sources(reply, request),
        gr.Row(visible=bool(options)),
        *buttons,
    ]


def _decision(reply: Reply | None, request: gr.Request) -> str:
    if reply is None:
        body = f'<span class="cs-empty">{TEXTS.say("no_decision", request)}</span>'
    else:
        body = (
            f'<span class="cs-badge cs-{reply.action}">{TEXTS.say(f"action.{reply.action}", request)}</span>'
            f'<span class="cs-sure">{TEXTS.say("sure", request, share=reply.confidence)}</span>'
        )
    return f'<div class="cs-panel"><h4>{TEXTS.say("decision", request)}</h4>{body}</div>'


def _sources(reply: Reply | None, request: gr.Request) -> str:
    if reply is None:
        return ""
    heading = TEXTS.say("choices" if reply.action == "ask_back" else "sources", request)
    items = "".join(_source(source, is_open=reply.action == "answer") for source in reply.sources)
    empty = f'<span class="cs-empty">{TEXTS.say("no_sources", request)}</span>'
    return f'<div class="cs-panel"><h4>{heading}</h4>{items or empty}</div>'


def _source(source: Source, *, is_open: bool) -> str:
    title, body = html.escape(source.title), html.escape(source.body)
    return f"<details {'open' if is_open else ''}><summary>{title}</summary><p>{body}</p></details>"
