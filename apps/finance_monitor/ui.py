"""The risk desk: live stream, watchlist, trends, and alerts with their reasons."""

import html
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import gradio as gr
import plotly.graph_objects as go
from gradio.context import Context

from apps.finance_monitor.desk import NewsDesk
from apps.finance_monitor.service import FinanceService, Session
from apps.finance_monitor.texts import TEXTS
from core.platform.pages.requests import shown_errors
from core.util.errors import SteerError

START = datetime(2025, 3, 1, 6, tzinfo=UTC)
FIRST_DAY, LAST_DAY = datetime(2025, 1, 20, tzinfo=UTC), datetime(2025, 7, 6, tzinfo=UTC)
SPEEDS = {"3 h": 3, "12 h": 12, "1 d": 24, "3 d": 72}
SHOWN_ITEMS, SHOWN_COMPANIES = 30, 28

GRID = "rgba(148, 163, 184, 0.25)"
COLOURS = {"negative": "#dc2626", "neutral": "#94a3b8", "positive": "#16a34a"}

CSS = """
.fin-panel { border: 1px solid var(--border-color-primary); border-radius: 12px; padding: .8rem 1rem;
  background: var(--block-background-fill); color: var(--body-text-color);
  max-width: calc(100vw - 5.5rem); overflow-x: auto; }
.fin-panel h4 { margin: 0 0 .5rem; font-size: .8rem; letter-spacing: .04em; text-transform: uppercase;
  color: var(--body-text-color-subdued); }
.fin-scroll { max-height: 420px; overflow-y: auto; }
.fin-empty { color: var(--body-text-color-subdued); }
.fin-row { display: flex; gap: .7rem; align-items: baseline; padding: .4rem 0; line-height: 1.35;
  border-top: 1px solid var(--border-color-primary); }
.fin-row time, .fin-topic { color: var(--body-text-color-subdued); font-size: .8rem; }
.fin-row time { white-space: nowrap; }
.fin-row .fin-text { flex: 1; min-width: 0; }
.fin-copy { opacity: .55; }
.fin-chip { border-radius: 999px; padding: .05rem .55rem; font-size: .78rem; font-weight: 600; white-space: nowrap; }
.fin-negative { background: #dc26262b; color: #b91c1c; } .dark .fin-negative { color: #fca5a5; }
.fin-neutral { background: #94a3b833; color: #475569; } .dark .fin-neutral { color: #cbd5e1; }
.fin-positive { background: #16a34a2b; color: #15803d; } .dark .fin-positive { color: #86efac; }
.fin-alert { border-left: 4px solid #dc2626; padding: .5rem .8rem; margin: .5rem 0; border-radius: 6px;
  background: #dc262612; }
.fin-alert.fin-acknowledged { border-color: #d97706; background: #d9770612; }
.fin-alert.fin-resolved { border-color: #94a3b8; background: transparent; }
.fin-alert summary { cursor: pointer; color: var(--body-text-color-subdued); }
.fin-alert ul { margin: .3rem 0 0; padding-left: 1.1rem; }
.fin-table { width: 100%; border-collapse: collapse; font-size: .88rem; margin: 0 !important; }
.fin-table th { text-align: left; font-weight: 500; color: var(--body-text-color-subdued); }
.fin-table td, .fin-table th { padding: .25rem .4rem !important; border: 0 !important;
  border-top: 1px solid var(--border-color-primary) !important; }
.fin-spark { display: inline-flex; align-items: flex-end; gap: 1px; height: 18px; }
.fin-spark i { width: 5px; background: #dc2626; min-height: 1px; border-radius: 1px; }
#fin-trend { min-width: 0; max-width: calc(100vw - 2rem); overflow: hidden; }
.fin-bar { height: 8px; border-radius: 4px; margin: .15rem 0 .5rem; }
"""


def build(desk: NewsDesk) -> None:
    """Lay out the page; the clock and everything on it belong to the visitor's own session."""
    service = desk.service
    names = [(company.name, company.id) for company in sorted(service.companies, key=lambda company: company.name)]
    session = gr.State(None)
    running = gr.State(False)
    timer = gr.Timer(1.0, active=False)
    gr.HTML(f"<style>{CSS}</style>", apply_default_css=False)
    with gr.Row(equal_height=True):
        start = gr.Button(TEXTS.label("start"), variant="primary", elem_id="fin-start", min_width=180)
        speed = gr.Radio(list(SPEEDS), value="12 h", label=TEXTS.label("speed"), elem_id="fin-speed")
        day = gr.DateTime(
            START.strftime("%Y-%m-%d"), include_time=False, type="string", label=TEXTS.label("day"), elem_id="fin-day"
        )
    clock = gr.HTML(elem_id="fin-clock", apply_default_css=False)
    with gr.Row():
        with gr.Column(scale=3, min_width=340):
            stream = gr.HTML(elem_id="fin-stream", apply_default_css=False)
            with gr.Row():
                company = gr.Dropdown(
                    [(TEXTS.label("everything"), ""), *names], value="", label=TEXTS.label("trend_company")
                )
                topic = gr.Dropdown(
                    [(TEXTS.label("everything"), ""), *service.topics], value="", label=TEXTS.label("trend_topic")
                )
            trend = gr.Plot(show_label=False, elem_id="fin-trend")
        with gr.Column(scale=2, min_width=320):
            alerts = gr.HTML(elem_id="fin-alerts", apply_default_css=False)
            acknowledge = gr.Button(TEXTS.label("ack"), size="sm", elem_id="fin-ack")
            watchlist = gr.HTML(elem_id="fin-watchlist", apply_default_css=False)
    with gr.Row():
        with gr.Column(min_width=320):
            gr.Markdown(TEXTS.label("try"))
            about = gr.Dropdown(names, value=names[0][1], label=TEXTS.label("company"))
            headline = gr.Textbox(label=TEXTS.label("headline"), elem_id="fin-headline", max_lines=2)
            read = gr.Button(TEXTS.label("read"), elem_id="fin-read")
            label = gr.HTML(elem_id="fin-label", apply_default_css=False)
        with gr.Column(min_width=320):
            upload = gr.File(label=TEXTS.label("upload"), file_types=[".jsonl"], elem_id="fin-upload", height=190)

    view = [session, clock, stream, alerts, watchlist, trend]

    def show(state: Session | None, wanted: str, about_topic: str, request: gr.Request) -> list[Any]:
        return [
            state,
            _clock(state, request),
            _stream(desk.service, state, request),
            _alerts(desk.service, state, request),
            _watchlist(desk.service, state, request),
            _trend(state, wanted, about_topic, request),
        ]

    def start_or_pause(
        state: Session | None, is_running: bool, begin: str, wanted: str, about_topic: str, request: gr.Request
    ) -> list[Any]:
        with shown_errors():
            state = state or desk.service.replay(_day(begin))
        return [*show(state, wanted, about_topic, request), not is_running, gr.Timer(active=not is_running)]

    def begin_elsewhere() -> list[Any]:
        return [None, False, gr.Timer(active=False)]

    def tick(state: Session, pace: str, wanted: str, about_topic: str, request: gr.Request) -> list[Any]:
        known = len(state.monitor.alerts)
        with shown_errors():
            state.advance(timedelta(hours=SPEEDS[pace]))
        for alert in state.monitor.alerts[known:]:
            gr.Warning(html.escape(TEXTS.say("new_alert", request, company=desk.service.name(alert.company))))
        if state.finished:
            gr.Info(TEXTS.say("finished", request))
        return [*show(state, wanted, about_topic, request), gr.Timer(active=not state.finished)]

    def acknowledge_all(state: Session | None, wanted: str, about_topic: str, request: gr.Request) -> list[Any]:
        if state is not None:
            state.acknowledge_all()
        return show(state, wanted, about_topic, request)

    def replay_upload(file: str | None, wanted: str, about_topic: str, request: gr.Request) -> list[Any]:
        if file is None:
            return [*show(None, wanted, about_topic, request), False, gr.Timer(active=False)]
        with shown_errors():
            state, rejected = desk.service.replay_file(Path(file))
        why = html.escape("; ".join(rejected[:3])) or "-"
        gr.Info(TEXTS.say("uploaded", request, good=state.size, bad=len(rejected), why=why))
        return [*show(state, wanted, about_topic, request), True, gr.Timer(active=True)]

    def read_one(about_company: str, text: str, request: gr.Request) -> str:
        with shown_errors():
            return _label(desk.service, about_company, text, request)

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    shown = [company, topic]
    start.click(start_or_pause, [session, running, day, *shown], [*view, running, timer], **quiet)
    day.change(begin_elsewhere, None, [session, running, timer], **quiet)
    timer.tick(tick, [session, speed, *shown], [*view, timer], **quiet)
    acknowledge.click(acknowledge_all, [session, *shown], view, **quiet)
    upload.change(replay_upload, [upload, *shown], [*view, running, timer], **quiet)
    gr.on([company.change, topic.change], show, [session, *shown], view, **quiet)
    blocks = Context.root_block
    assert blocks is not None  # the shell builds pages inside one
    blocks.load(show, [session, *shown], view, **quiet)
    gr.on([read.click, headline.submit], read_one, [about, headline], label, **quiet)


def _day(text: str) -> datetime:
    try:
        chosen = datetime.strptime(text[:10], "%Y-%m-%d").replace(tzinfo=UTC)
    except (ValueError, TypeError) as error:
        raise SteerError("Please choose a day such as 2025-03-01.") from error
    if not FIRST_DAY <= chosen <= LAST_DAY:
        raise SteerError(f"The shipped news runs from {FIRST_DAY:%Y-%m-%d} to {LAST_DAY:%Y-%m-%d}.")
    return chosen.replace(hour=6)


def _panel(title: str, body: str) -> str:
    return f'<div class="fin-panel"><h4>{title}</h4><div class="fin-scroll">{body}</div></div>'


def _empty(key: str, request: gr.Request) -> str:
    return f'<span class="fin-empty">{TEXTS.say(key, request)}</span>'


def _chip(sentiment: str, text: str | None = None) -> str:
    return f'<span class="fin-chip fin-{sentiment}">{text or sentiment}</span>'


def _clock(state: Session | None, request: gr.Request) -> str:
    if state is None:
        return ""
    return f"<b>{TEXTS.say('clock', request, now=state.now, count=len(state.monitor.seen))}</b>"


def _stream(service: FinanceService, state: Session | None, request: gr.Request) -> str:
    rows = "".join(
        f'<div class="fin-row{"" if seen.is_new else " fin-copy"}"><time>{seen.item.time:%d %b %H:%M}</time>'
        f'<span class="fin-text">{html.escape(seen.item.headline)} '
        f'<span class="fin-topic">{html.escape(service.name(seen.item.company))} · {seen.label.topic}</span></span>'
        f"{_chip(seen.label.sentiment)}</div>"
        for seen in reversed(state.monitor.seen[-SHOWN_ITEMS:] if state else [])
    )
    return _panel(TEXTS.say("stream", request), rows or _empty("no_stream", request))


def _alerts(service: FinanceService, state: Session | None, request: gr.Request) -> str:
    cards = []
    for alert in reversed(state.monitor.alerts if state else []):
        reason = TEXTS.say("reason", request, stories=len(alert.causes), hours=alert.hours, usual=alert.usual)
        causes = "".join(f"<li>{html.escape(cause.headline)}</li>" for cause in alert.causes)
        cards.append(
            f'<div class="fin-alert fin-{alert.state}"><b>{html.escape(service.name(alert.company))}</b> '
            f"{_chip('negative' if alert.state == 'open' else 'neutral', TEXTS.say(alert.state, request))}"
            f"<div>{reason} · {TEXTS.say('opened', request, time=alert.opened)}</div>"
            f"<details><summary>{TEXTS.say('headlines', request)}</summary><ul>{causes}</ul></details></div>"
        )
    return _panel(TEXTS.say("alerts", request), "".join(cards) or _empty("no_alerts", request))


def _watchlist(service: FinanceService, state: Session | None, request: gr.Request) -> str:
    if state is None:
        return _panel(TEXTS.say("watchlist", request), _empty("no_stream", request))
    head = "".join(f"<th>{TEXTS.say(key, request)}</th>" for key in ("company", "volume", "share", "days"))
    rows = []
    for line in state.monitor.watchlist(state.companies, state.now)[:SHOWN_COMPANIES]:
        bars = "".join(f'<i style="height:{min(count * 4, 18)}px"></i>' for count in line.days)
        mark = "● " if line.alerted else ""
        rows.append(
            f"<tr><td>{mark}{html.escape(service.name(line.company))}</td><td>{line.volume}</td>"
            f'<td>{line.negative:.0%}</td><td><span class="fin-spark">{bars}</span></td></tr>'
        )
    table = f'<table class="fin-table"><tr>{head}</tr>{"".join(rows)}</table>'
    return _panel(TEXTS.say("watchlist", request), table)


def _trend(state: Session | None, company: str, topic: str, request: gr.Request) -> go.Figure:
    figure = go.Figure()
    if state is not None:
        daily = state.monitor.daily(company or None, topic or None, state.now)
        days = [(state.now - timedelta(days=age)).date() for age in range(len(daily["negative"]) - 1, -1, -1)]
        for sentiment, counts in daily.items():
            figure.add_bar(x=days, y=counts, name=sentiment, marker_color=COLOURS[sentiment])
    else:  # axes of nothing would count from -1 to 6
        figure.add_annotation(text=TEXTS.say("no_stream", request), showarrow=False)
    figure.update_layout(
        barmode="stack",
        height=250,
        margin={"l": 30, "r": 10, "t": 34, "b": 30},
        title={"text": TEXTS.say("trend", request), "font": {"size": 14}},
        legend={"orientation": "h", "y": 1.2, "x": 1, "xanchor": "right"},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": "#64748b"},
        # Plotly's own lines are white, which glares on a dark page.
        xaxis={"gridcolor": GRID, "zerolinecolor": GRID, "visible": state is not None},
        yaxis={"gridcolor": GRID, "zerolinecolor": GRID, "visible": state is not None},
    )
    return figure


def _label(service: FinanceService, company: str, headline: str, request: gr.Request) -> str:
    label = service.read(company, headline)
    bars = "".join(
        f'{name} {share:.0%}<div class="fin-bar" style="width:{share:.0%};background:{COLOURS[name]}"></div>'
        for name, share in zip(COLOURS, label.sentiments, strict=True)
    )
    body = f"{_chip(label.sentiment)} {label.topic} ({label.topic_share:.0%})<br><br>{bars}"
    return _panel(html.escape(headline[:160]), body)
