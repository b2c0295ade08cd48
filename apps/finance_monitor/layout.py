"""The components of the page, and where they stand."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import gradio as gr

from apps.finance_monitor.replay import Replays
from apps.finance_monitor.service import SENTIMENTS, TOPICS, MonitorService
from apps.finance_monitor.texts import TEXTS

# Replays begin where there is a past to compare with.
_FIRST_WEEKS = timedelta(days=40)
SPEEDS = {"3 h": 3, "12 h": 12, "1 d": 24, "3 d": 72}
MAX_NOTE = 2_000

_CSS = Path(__file__).with_name("ui.css").read_text(encoding="utf-8")
_PICK = """
const pick = (event) => {
  const row = event.target.closest('[data-pick]');
  if (row) trigger('select', {pick: row.dataset.pick});
};
element.addEventListener('click', pick);
element.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && event.target.tagName === 'TR') pick(event);
});
"""


class Layout:
    """Lays out the page when it is made.

    Args:
        service: Monitor whose companies may be chosen.
        replays: Replays of visitors, which end when their visitors leave.
    """

    def __init__(self, service: MonitorService, replays: Replays) -> None:
        first, last = replays.days
        names = sorted((company.name, company.id) for company in service.companies)
        self.replay = gr.State(None, delete_callback=replays.leave)
        self.alert, self.rendered = gr.State(0), gr.State(None)
        self.timer = gr.Timer(1.0, active=False)
        gr.HTML(f"<style>{_CSS}</style>", elem_id="fin-style", apply_default_css=False)
        with gr.Column(elem_id="fin-page"):
            self._top(f"{min(first + _FIRST_WEEKS, last):%Y-%m-%d}")
            with gr.Row():
                with gr.Column(scale=3, min_width=340):
                    self._filters(names, service.topics)
                    self.stream = _list("fin-stream", js_on_load=_PICK)
                    self.trend = _panel("fin-trend")
                with gr.Column(scale=2, min_width=320):
                    self.alerts = _list("fin-alerts", js_on_load=_PICK)
                    self._chosen_alert()
                    self.watchlist = _list("fin-watchlist", js_on_load=_PICK)
            self._reading(names)

    def _top(self, start: str) -> None:
        modes = [(TEXTS.label("live"), "live"), (TEXTS.label("replay"), "replay")]
        with gr.Row():
            self.mode = gr.Radio(
                modes, value="live", show_label=False, container=False, scale=0, min_width=190, elem_id="fin-mode"
            )
            self.now = gr.HTML(elem_id="fin-now", apply_default_css=False)
        with gr.Row(visible=False, elem_id="fin-replay") as self.controls:
            self.pause = gr.Button(TEXTS.label("pause"), size="sm", min_width=80, elem_id="fin-pause")
            self.speed = gr.Radio(list(SPEEDS), value="12 h", label=TEXTS.label("speed"), elem_id="fin-speed")
            self.day = gr.DateTime(
                start, include_time=False, type="string", label=TEXTS.label("day"), elem_id="fin-day", min_width=140
            )
            self.upload = gr.UploadButton(
                TEXTS.label("own_feed"), file_types=[".jsonl"], size="sm", elem_id="fin-upload", min_width=160
            )

    def _filters(self, names: list[tuple[str, str]], topics: list[str]) -> None:
        everything = (TEXTS.label("all"), "")
        with gr.Row():
            self.company = gr.Dropdown(
                [everything, *names], value="", label=TEXTS.label("company"), allow_custom_value=True, min_width=100
            )
            self.topic, self.sentiment = (
                gr.Dropdown(
                    [everything, *((TEXTS.label(name) if name in known else name, name) for name in some)],
                    value="", label=TEXTS.label(what), min_width=100,
                )
                for what, some, known in (("topic", topics, TOPICS), ("sentiment", SENTIMENTS, SENTIMENTS))
            )  # fmt: skip

    def _chosen_alert(self) -> None:
        self.detail = _panel("fin-detail")
        with gr.Row():
            self.note = gr.Textbox(
                label=TEXTS.label("note"),
                max_length=MAX_NOTE,
                scale=3,
                min_width=160,
                elem_id="fin-note",
                visible=False,
            )
            self.acknowledge = gr.Button(
                TEXTS.label("ack"), variant="primary", size="sm", min_width=120, elem_id="fin-ack", visible=False
            )

    def _reading(self, names: list[tuple[str, str]]) -> None:
        with gr.Accordion(TEXTS.label("try"), open=True):
            with gr.Row(equal_height=False):
                self.about = gr.Dropdown(names, value=names[0][1], label=TEXTS.label("company"), min_width=140)
                self.headline = gr.Textbox(
                    label=TEXTS.label("headline"), elem_id="fin-headline", max_lines=2, scale=4, min_width=240
                )
            self.read = gr.Button(TEXTS.label("read"), elem_id="fin-read", size="sm", min_width=100)
            self.label = gr.HTML(elem_id="fin-label", apply_default_css=False)

    @property
    def filters(self) -> list[gr.Dropdown]:
        """Company, topic and sentiment that are wanted."""
        return [self.company, self.topic, self.sentiment]

    @property
    def views(self) -> list[Any]:
        """What shows a monitor, and what the visitor's server knows of that."""
        panels = [self.now, self.stream, self.alerts, self.detail, self.watchlist, self.trend]
        return [*panels, self.note, self.acknowledge, self.alert, self.rendered]

    @property
    def frame(self) -> list[Any]:
        """Live or replay, and what belongs to that."""
        return [self.replay, self.mode, self.controls, self.pause]


def _panel(name: str, *, js_on_load: str | None = None, classes: str = "fin-panel") -> gr.HTML:
    return gr.HTML(elem_id=name, elem_classes=classes, js_on_load=js_on_load, apply_default_css=False)


def _list(name: str, *, js_on_load: str | None = None) -> gr.HTML:
    return _panel(name, js_on_load=js_on_load, classes="fin-panel fin-list")
