"""The chat with the customer-service bot; it keeps nothing, and shows what the store holds of a conversation."""

import html
from collections.abc import Sequence
from typing import Any

import gradio as gr
from gradio.context import Context

from apps.customer_service.inbox_ui import build_inbox
from apps.customer_service.markup import as_markup, empty, panel, said_by, source_details
from apps.customer_service.rewards import OFFERED
from apps.customer_service.service import SupportService
from apps.customer_service.texts import TEXTS, worded
from apps.customer_service.views import ChatTurn, ConversationSummary, exchanges
from core.platform.pages.requests import page_principal, shown_errors
from core.platform.pages.times import TIMES_JS
from core.util.errors import SteerError

CONVERSATIONS = 100
# How long a person's answer may lie before the customer sees it.
_REFRESH_SECONDS = 4

CSS = """
.cs-panels { display: flex; flex-direction: column; gap: 1rem; }
.cs-panels > :empty { display: none; }
.cs-panel { border: 1px solid var(--border-color-primary); border-radius: 12px; padding: 1rem 1.1rem;
  background: var(--block-background-fill); color: var(--body-text-color); line-height: 1.5; }
.cs-panel h4 { margin: 0 0 .5rem; font-size: .8rem; letter-spacing: .04em; text-transform: uppercase;
  color: var(--body-text-color-subdued); }
.cs-empty { color: var(--body-text-color-subdued); }
.cs-badge { display: inline-block; padding: .2rem .7rem; border-radius: 999px; font-weight: 600; font-size: .9rem;
  background: #64748b2e; color: light-dark(#475569, #cbd5e1); }
.cs-answer { background: #0d94882e; color: light-dark(#0f766e, #5eead4); }
.cs-ask_back { background: #d977062e; color: light-dark(#b45309, #fcd34d); }
.cs-hand_over { background: #4f46e52e; color: light-dark(#4338ca, #a5b4fc); }
.cs-sure { margin-left: .6rem; color: var(--body-text-color-subdued); }
.cs-panel details { border-top: 1px solid var(--border-color-primary); padding: .6rem 0; }
.cs-panel summary { cursor: pointer; font-weight: 600; }
.cs-panel details p { margin: .5rem 0 0; color: var(--body-text-color-subdued); }
.dark .cs-panel, .dark .cs-list { color-scheme: dark; }
#cs-inbox-talk .icon-button-wrapper.top-panel { display: none; }
#cs-chat .placeholder { padding: 0 1.5rem; text-align: center; }
.cs-choice button, .cs-example button { white-space: normal; text-align: left; }
.cs-list { list-style: none; margin: 0; padding: 0; max-height: 22rem; overflow-y: auto; }
.cs-list li { display: flex; align-items: baseline; gap: .5rem; padding: .35rem .5rem; border-radius: 8px; }
.cs-list li:hover, .cs-list .cs-here { background: var(--background-fill-secondary); }
.cs-list a { flex: 1; min-width: 0; color: var(--body-text-color); text-decoration: none; overflow-wrap: anywhere; }
.cs-here a { font-weight: 600; }
.cs-list time, .cs-list summary { font-size: .85rem; color: var(--body-text-color-subdued); white-space: nowrap; }
.cs-list summary { cursor: pointer; }
#cs-inbox-lines li { flex-wrap: wrap; }
#cs-inbox-lines a { flex: 1 1 11rem; }
.cs-list .cs-waits { color: light-dark(#b45309, #fcd34d); font-weight: 600; }
.cs-list button { margin-top: .3rem; font-size: .85rem; font-weight: 600; color: var(--error-text-color); }
"""

# The address names the conversation that the page shows.
NAME_JS = """id => {
  const address = new URL(location);
  if (id) address.searchParams.set('conversation', id);
  else address.searchParams.delete('conversation');
  history.replaceState(history.state, '', address);
}"""
NAMED_JS = "() => new URLSearchParams(location.search).get('conversation') || ''"

# Conversations open in place, or in a tab of their own if so wished.
LIST_JS = (
    TIMES_JS
    + """
element.addEventListener('click', event => {
  const link = event.target.closest('a[data-id]'), button = event.target.closest('button[data-id]');
  if (button) trigger('delete', {id: button.dataset.id});
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  trigger('select', {id: link.dataset.id});
});
"""
)


def build(service: SupportService) -> None:
    """Lay out the page."""
    style, named = f"<style>{CSS}</style>", f"watch('value', () => ({NAME_JS})(props.value))"
    shown_id = gr.HTML("", html_template=style, js_on_load=named, apply_default_css=False)
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
                choices = [gr.Button(size="sm", elem_id=f"cs-choice-{at}") for at in range(OFFERED)]
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
            with gr.Accordion(TEXTS.label("conversations"), open=False, elem_id="cs-conversations"):
                conversations = gr.HTML(js_on_load=LIST_JS, apply_default_css=False)
        with gr.Column(scale=2, min_width=300):
            panels = gr.HTML(apply_default_css=False)
            gr.Markdown(TEXTS.label("try"))
            examples = [gr.Button(text, size="sm", elem_classes="cs-example") for text in service.examples]
    build_inbox(service)
    timer, newest = gr.Timer(_REFRESH_SECONDS, active=False), gr.State("")

    view = [shown_id, bot, panels, choice_row, *choices, conversations, timer, newest]

    async def show(conversation_id: str | None, request: gr.Request) -> list[Any]:
        principal = page_principal(request)
        turns = await service.turns(principal, conversation_id, offset=None) if conversation_id else []
        mine = _listed(await service.newest(principal, CONVERSATIONS, mine=True), conversation_id, request)
        is_followed = gr.Timer(active=any(turn.is_for_people for turn in turns))
        return [conversation_id or "", *_talk(turns, request), mine, is_followed, _newest(turns)]

    async def follow(conversation_id: str, shown: str, request: gr.Request) -> list[Any] | dict[str, Any]:
        """What a person has answered meanwhile."""
        try:
            turns = await service.turns(page_principal(request), conversation_id, offset=None)
            return gr.skip() if _newest(turns) == shown else await show(conversation_id, request)
        except SteerError:  # it was deleted elsewhere, or the store is away for a moment
            return gr.skip()

    async def open_address(conversation_id: str | None, request: gr.Request) -> list[Any]:
        try:
            return await show(conversation_id, request)
        except SteerError as error:
            gr.Warning(html.escape(str(error)))
            return await show(None, request)

    async def ask(text: str, conversation_id: str | None, request: gr.Request) -> list[Any]:
        with shown_errors():
            if conversation_id:
                await service.say(page_principal(request), conversation_id, text)
            else:
                conversation_id, _ = await service.start_with(page_principal(request), text)
            return [*await show(conversation_id, request), ""]

    async def ask_for_person(conversation_id: str | None, request: gr.Request) -> list[Any]:
        principal, wish = page_principal(request), TEXTS.say("wants_person", request)
        with shown_errors():
            conversation_id = conversation_id or await service.start(principal)
            await service.hand_over(principal, conversation_id, wish)
            return await show(conversation_id, request)

    async def take_back(conversation_id: str | None, request: gr.Request) -> list[Any]:
        with shown_errors():
            text = await service.take_back(page_principal(request), conversation_id) if conversation_id else None
            return [*await show(conversation_id, request), text or ""]

    async def start_over(request: gr.Request) -> list[Any]:
        with shown_errors():
            return await show(None, request)

    async def open_listed(data: gr.EventData, request: gr.Request) -> list[Any]:
        with shown_errors():
            return await show(data.id, request)

    async def remove(data: gr.EventData, conversation_id: str | None, request: gr.Request) -> list[Any]:
        with shown_errors():
            await service.remove(page_principal(request), data.id)
            gr.Info(TEXTS.say("deleted", request))
            return await show(None if data.id == conversation_id else conversation_id, request)

    async def note(data: gr.LikeData, conversation_id: str, request: gr.Request) -> None:
        index = data.index[0] if isinstance(data.index, list | tuple) else data.index
        with shown_errors():
            turns = await service.turns(page_principal(request), conversation_id, offset=None)
            decision = turns[index].decision
            if decision is not None:  # a person's own wish for a person is no decision of the bot's
                await service.judge(page_principal(request), decision, 1.0 if data.liked else -1.0)
        gr.Info(TEXTS.say("thanks_up" if data.liked else "thanks_down", request))

    quiet: dict[str, Any] = {"show_progress": "minimal", "api_visibility": "private"}
    gr.on([message.submit, send.click], ask, [message, shown_id], [*view, message], **quiet)
    for button in (*examples, *choices):
        button.click(ask, [button, shown_id], [*view, message], **quiet)
    person.click(ask_for_person, shown_id, view, **quiet)
    undo.click(take_back, shown_id, [*view, message], **quiet)
    gr.on([restart.click, bot.clear], start_over, None, view, **quiet)
    conversations.select(open_listed, None, view, trigger_mode="multiple", **quiet)
    conversations.delete(remove, shown_id, view, **quiet)
    bot.like(note, shown_id, None, trigger_mode="multiple", **quiet)
    timer.tick(follow, [shown_id, newest], view, show_progress="hidden", api_visibility="private")
    blocks = Context.root_block
    assert blocks is not None  # the shell builds pages inside one
    loaded = blocks.load(open_address, shown_id, view, js=NAMED_JS, **quiet)
    loaded.then(None, shown_id, js=NAME_JS)  # an address of what is not there names nothing


def _talk(turns: Sequence[ChatTurn], request: gr.Request) -> list[Any]:
    """What the page shows of a conversation: chat, panels beside it, row of choices, choices."""
    replies = [turn for turn in turns if turn.role == "assistant"]
    last = replies[-1] if replies else None
    options = last.sources if last and last.action == "ask_back" and turns[-1] is last else []
    return [
        [_line_of_chat(turn, request) for turn in turns],
        f'<div class="cs-panels"><div id="cs-action">{panel(TEXTS.say("decision", request), _decision(last, request))}'
        f'</div><div id="cs-sources">{_sources(last, request)}</div>'
        f'<div id="cs-earlier">{_earlier(turns, request)}</div></div>',
        gr.Row(visible=bool(options)),
        *(
            gr.Button(options[at].title if at < len(options) else "", visible=at < len(options))
            for at in range(OFFERED)
        ),
    ]


def _line_of_chat(turn: ChatTurn, request: gr.Request) -> dict[str, str]:
    # The chat takes contents for markup, even with Markdown off.
    text = as_markup(worded(turn, request).text)
    if turn.role == "agent":
        return {"role": "assistant", "content": said_by("colleague", text, request)}
    return {"role": turn.role, "content": text}


def _newest(turns: Sequence[ChatTurn]) -> str:
    """Another text for every further turn."""
    return turns[-1].time.isoformat() if turns else ""


def _decision(reply: ChatTurn | None, request: gr.Request) -> str:
    if reply is None:
        return empty("no_decision", request)
    done = f'<span class="cs-badge cs-{reply.action}">{TEXTS.say(f"action.{reply.action}", request)}</span>'
    if reply.confidence is None:
        return done
    # Whom nobody understood is handed over too, with what may help: to be "2 % sure" of that would be no reason.
    is_lost = reply.action == "hand_over" and reply.sources
    sure = TEXTS.say("lost", request) if is_lost else TEXTS.say("sure", request, share=reply.confidence)
    return f'{done}<span class="cs-sure">{sure}</span>'


def _sources(reply: ChatTurn | None, request: gr.Request) -> str:
    if reply is None:
        return ""
    is_guess = reply.action != "answer" and reply.sources
    heading = TEXTS.say("choices" if is_guess else "sources", request)
    items = "".join(source_details(source, request, is_open=reply.action == "answer") for source in reply.sources)
    return panel(heading, items or empty("no_sources", request))


def _earlier(turns: Sequence[ChatTurn], request: gr.Request) -> str:
    """What the bot decided before, the newest first, each under the message that it replied to."""
    items = [
        f"<details><summary>{html.escape(question.text)}</summary><p>{_decision(reply, request)}</p>"
        f"{''.join(source_details(source, request, is_open=False) for source in reply.sources)}</details>"
        for question, reply in exchanges(turns)[:-1]
    ]
    return panel(TEXTS.say("earlier", request), "".join(reversed(items))) if items else ""


def _listed(conversations: Sequence[ConversationSummary], shown_id: str | None, request: gr.Request) -> str:
    """Links to conversations, each with its time and a way to delete it that asks once more."""
    items = "".join(_line(conversation, conversation.id == shown_id, request) for conversation in conversations)
    return f'<ul class="cs-list">{items}</ul>' if items else empty("no_conversations", request)


def _line(conversation: ConversationSummary, is_shown: bool, request: gr.Request) -> str:
    title = html.escape(conversation.title) or empty("untitled", request)
    here = 'class="cs-here"' if is_shown else ""
    return (
        f'<li {here}><a href="?conversation={conversation.id}" data-id="{conversation.id}"'
        f"{' aria-current=page' if is_shown else ''}>{title}</a>"
        f'<time datetime="{conversation.created.isoformat()}"></time>'
        f"<details><summary>{TEXTS.say('delete', request)}</summary>"
        f'<button data-id="{conversation.id}">{TEXTS.say("delete_for_good", request)}</button></details></li>'
    )
