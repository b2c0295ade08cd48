"""The chat with the customer-service bot."""

import html
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.context import Context

from apps.customer_service.service import Reply, Source, SupportService, open_service
from core.serving.errors import shown_errors
from core.serving.page import Page, Texts

CHOICES = 3

TEXTS = Texts(
    "customer_service",
    {
        "title": ("Customer service", "客户服务"),
        "summary": (
            "Ask like a customer: the bot answers from the help articles with its source, asks back, or hands over.",
            "像顾客一样提问：机器人依据帮助文章作答并给出来源，必要时追问或转人工。",
        ),
        "chat": ("Harbour & Pine support", "Harbour & Pine 客服"),
        "placeholder": ("How can we help? Type your question and press Enter.", "需要什么帮助？输入问题后按回车键。"),
        "send": ("Send", "发送"),
        "person": ("Talk to a person", "转人工"),
        "undo": ("Undo last message", "撤回上一条"),
        "restart": ("New chat", "新对话"),
        "try": ("For example", "例如"),
        "decision": ("What the bot decided", "机器人的决定"),
        "no_decision": (
            "Ask something: here you will see what the bot decided, how sure it is, and the articles behind it.",
            "提问之后，这里会显示机器人的决定、把握程度以及所依据的文章。",
        ),
        "action.answer": ("answered from an article", "依据文章回答"),
        "action.ask_back": ("asked back", "追问"),
        "action.hand_over": ("handed over to a person", "转人工"),
        "action.decline": ("not a matter of the shop", "超出服务范围"),
        "sure": ("{share:.0%} sure", "把握 {share:.0%}"),
        "sources": ("Source", "来源"),
        "choices": ("It may be about", "可能与以下内容有关"),
        "no_sources": ("No article was used.", "未使用文章。"),
        "ask_back": (
            "I want to be sure that I understand. Is it about one of these, or can you say a little more?",
            "为了准确理解您的问题：是否与以下某项有关？或者请再详细说明一下。",
        ),
        "hand_over": (
            "This is one for a colleague. I am handing you over together with what you wrote, "
            "so you need not repeat yourself.",
            "这个问题需要同事来处理。我已将您写的内容一并转交，您无需重复说明。",
        ),
        "decline": (
            "That is outside what I can help with. I can answer questions about orders, deliveries, returns, payments, "
            "your account, our products and our shops.",
            "这超出了我的服务范围。我可以回答有关订单、配送、退货、付款、账户、商品和门店的问题。",
        ),
        "wants_person": ("I would like to talk to a person.", "我想找人工客服。"),
        "thanks_up": ("Thank you - noted as helpful.", "谢谢，已记录为有帮助。"),
        "thanks_down": ("Thank you - noted; this helps the bot to learn.", "谢谢，已记录，将帮助机器人改进。"),
    },
)

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
.cs-choice button, .cs-example button { white-space: normal; text-align: left; }
"""


@dataclass(frozen=True)
class Exchange:
    """One message of the customer and the bot's reply, worded in the customer's language."""

    message: str
    reply: Reply
    shown: str


Chat = list[Exchange]


def build(service: SupportService) -> None:
    """Lay out the page; the whole conversation lives in the visitor's own session."""
    chat = gr.State([])
    gr.HTML(f"<style>{CSS}</style>", apply_default_css=False)
    with gr.Row():
        with gr.Column(scale=3, min_width=340):
            bot = gr.Chatbot(
                label=TEXTS.label("chat"),
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

    def ask(text: str, so_far: Chat, request: gr.Request) -> list[Any]:
        return [*_render(_with_reply(service, so_far, text, request), request), ""]

    def ask_for_person(so_far: Chat, request: gr.Request) -> list[Any]:
        reply = Reply("hand_over", "", [], 1.0)
        exchange = Exchange(TEXTS.say("wants_person", request), reply, TEXTS.say("hand_over", request))
        return _render([*so_far, exchange], request)

    def take_back(so_far: Chat, request: gr.Request) -> list[Any]:
        return [*_render(so_far[:-1], request), so_far[-1].message if so_far else ""]

    def start_over(request: gr.Request) -> list[Any]:
        return _render([], request)

    def note(data: gr.LikeData, so_far: Chat, request: gr.Request) -> None:
        index = data.index[0] if isinstance(data.index, list | tuple) else data.index
        with shown_errors():
            service.keep_feedback(bool(data.liked), _history(so_far[: index // 2 + 1]))
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
    bot.like(note, chat, None, **quiet)


def _with_reply(service: SupportService, so_far: Chat, text: str, request: gr.Request) -> Chat:
    with shown_errors():
        reply = service.reply(_unanswered(so_far), text)
    return [*so_far, Exchange(text.strip(), reply, reply.text or TEXTS.say(reply.action, request))]


def _unanswered(so_far: Chat) -> list[str]:
    """The messages that the bot has only asked back about so far."""
    messages: list[str] = []
    for exchange in reversed(so_far):
        if exchange.reply.action != "ask_back":
            break
        messages.insert(0, exchange.message)
    return messages


def _history(so_far: Chat) -> list[dict[str, str]]:
    return [
        turn
        for exchange in so_far
        for turn in (
            {"role": "user", "content": exchange.message},
            {"role": "assistant", "content": exchange.shown},
        )
    ]


def _render(so_far: Chat, request: gr.Request) -> list[Any]:
    """The page's state and view: chat, bot, decision, sources, row of choices, choices."""
    reply = so_far[-1].reply if so_far else None
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


page = Page("customer_service", "support", TEXTS, open_service, build)
