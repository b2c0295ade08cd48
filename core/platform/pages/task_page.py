"""The plain page of a task: type a state, read the decision, judge it."""

import html
import json
from typing import Any

import gradio as gr

from core.platform.apps.texts import Texts
from core.platform.pages.requests import page_principal, shown_errors
from core.platform.pages.task_app import TaskService
from core.util.errors import SteerError

TEXTS = Texts(
    "task",
    {
        "inputs": ("State: a text, or a JSON object of values by name", "状态：一段文本，或按名称给出取值的 JSON 对象"),
        "decide": ("Decide", "决策"),
        "nothing": ("The decision appears here.", "决策结果将显示在这里。"),
        "sure": ("{share:.0%} sure", "把握 {share:.0%}"),
        "right": ("Right", "正确"),
        "wrong": ("Wrong", "错误"),
        "thanks": ("Thank you, noted.", "谢谢，已记录。"),
        "first": ("Decide about something first.", "请先进行一次决策。"),
        "bad_json": ("That is no JSON object: {why}", "这不是 JSON 对象：{why}"),
    },
)


def build(service: TaskService) -> None:
    """Lay out the page."""
    decision = gr.State(None)
    inputs = gr.Textbox(label=TEXTS.label("inputs"), lines=3, autofocus=True, elem_id="task-inputs")
    decide = gr.Button(TEXTS.label("decide"), variant="primary", min_width=120, elem_id="task-decide")
    shown = gr.HTML(elem_id="task-decision", apply_default_css=False)
    with gr.Row():
        right = gr.Button(TEXTS.label("right"), size="sm", min_width=90, elem_id="task-right")
        wrong = gr.Button(TEXTS.label("wrong"), size="sm", min_width=90, elem_id="task-wrong")

    async def on_decide(text: str, request: gr.Request) -> tuple[str, str]:
        with shown_errors():
            decision_id, decided = await service.decide(page_principal(request), _inputs(text, request))
        action = decided.action if isinstance(decided.action, str) else json.dumps(decided.action, ensure_ascii=False)
        sure = "" if decided.confidence is None else TEXTS.say("sure", request, share=decided.confidence)
        return decision_id, f"<p role='status'><b>{html.escape(action)}</b> {sure}</p>"

    async def on_judge(decision_id: str | None, value: float, request: gr.Request) -> None:
        with shown_errors():
            if decision_id is None:
                raise SteerError(TEXTS.say("first", request))
            await service.judge(page_principal(request), decision_id, value)
        gr.Info(TEXTS.say("thanks", request))

    async def on_right(decision_id: str | None, request: gr.Request) -> None:
        await on_judge(decision_id, 1.0, request)

    async def on_wrong(decision_id: str | None, request: gr.Request) -> None:
        await on_judge(decision_id, -1.0, request)

    quiet: dict[str, Any] = {"show_progress": "minimal", "api_visibility": "private"}
    gr.on([decide.click, inputs.submit], on_decide, inputs, [decision, shown], **quiet)
    right.click(on_right, decision, None, **quiet)
    wrong.click(on_wrong, decision, None, **quiet)


def _inputs(text: str, request: gr.Request) -> dict[str, Any]:
    if not text.lstrip().startswith("{"):
        return {"text": text}
    try:
        return dict(json.loads(text))
    except ValueError as error:
        raise SteerError(TEXTS.say("bad_json", request, why=error)) from error
