"""What the page shows, as HTML; every text from outside is escaped here."""

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from textwrap import shorten

import gradio as gr

from apps.finance_monitor.service import (
    TOPICS,
    AlertHistory,
    AlertLine,
    Label,
    MonitorService,
    Sentiment,
    StoredItem,
    Watch,
)
from apps.finance_monitor.texts import TEXTS
from core.util.errors import NotFoundError

_ITEMS, _ALERTS, _DAYS = 60, 200, 28
_REASON = 160
_SIGNS = {"negative": "▼", "neutral": "–", "positive": "▲"}
_ORDER = ("open", "acknowledged", "resolved")


@dataclass(frozen=True)
class Shown:
    """What a visitor looks at.

    Attributes:
        company: Id of the company whose news are wanted; "" for all.
        topic: Topic that is wanted; "" for all.
        sentiment: Sentiment that is wanted; "" for all.
        alert: Number of the alert that is read; 0 for none.
    """

    company: str = ""
    topic: str = ""
    sentiment: str = ""
    alert: int = 0

    @classmethod
    def of_address(cls, request: gr.Request, topics: Sequence[str]) -> "Shown":
        """What the page's address names; whatever it names wrongly is left out."""
        asked = dict(request.query_params)
        number = asked.get("alert", "")
        return cls(
            asked.get("company", "")[:80],
            asked.get("topic", "") if asked.get("topic") in topics else "",
            asked.get("sentiment", "") if asked.get("sentiment") in _SIGNS else "",
            int(number) if number.isdecimal() and len(number) < 10 else 0,
        )


def ordered(alerts: Sequence[AlertLine]) -> list[AlertLine]:
    """Open alerts first, then acknowledged and resolved ones; the newest of each first."""
    return sorted(alerts, key=lambda alert: _ORDER.index(alert.state))


def status(service: MonitorService, shown: Shown, replay_time: datetime | None, request: gr.Request) -> str:
    """Whether the page is live or where a replay has got to, what is open, and when that was found out."""
    alerts = sum(alert.state == "open" for alert in service.alerts(_ALERTS))
    if replay_time is None:
        newest = _time(service.newest) if service.newest else TEXTS.say("none", request)
        text = TEXTS.say("now_live", request, count=len(service.companies), alerts=alerts, newest=newest)
        failing = [feed for feed in service.feeds.values() if feed.error]
        if waiting := "; ".join(f"{feed.name} ({shorten(feed.error, _REASON)})" for feed in failing):
            text += f" · {TEXTS.say('waiting', request, feeds=html.escape(waiting))}"
        now = ""
    else:
        text = TEXTS.say("now_replay", request, time=replay_time, alerts=alerts)
        now = f' data-now="{replay_time.isoformat()}"'
    refreshed = TEXTS.say("refreshed", request, time=f"{datetime.now().astimezone():%H:%M:%S}")
    shows = html.escape(json.dumps(vars(shown)))
    return f'<span{now} data-shows="{shows}"><b>{text}</b> · {refreshed}</span>'


def stream(service: MonitorService, shown: Shown, request: gr.Request) -> str:
    """The newest headlines that fit the filters."""
    items = service.items(_ITEMS, shown.company or None, shown.topic or None, shown.sentiment or None)
    rows = "".join(_item(service, item, request) for item in items)
    watch = f'<br><button type="button" class="fin-link" data-pick="replay">{TEXTS.say("watch", request)}</button>'
    empty = _empty("no_match", request) if service.now else _empty("no_news", request, watch)
    return _panel("stream", rows or empty, request)


def alerts(service: MonitorService, shown: Shown, request: gr.Request) -> str:
    """All alerts, a row each; a click chooses the one that is read."""
    rows = "".join(
        f'<button type="button" class="fin-row{" fin-here" if alert.id == shown.alert else ""}" data-pick="{alert.id}" '
        f'data-key="{alert.id}">{_time(alert.opened)}<span class="fin-text">{_name(service, alert.company)} '
        f'<span class="fin-sub">{TEXTS.say("stories", request, count=len(alert.reason.causes))} · '
        f"{TEXTS.say(alert.severity, request)}</span></span>{_state(alert, request)}</button>"
        for alert in ordered(service.alerts(_ALERTS))
    )
    keys = f'<div class="fin-keys">{TEXTS.say("keys", request)}</div>'
    return _panel("alerts", rows + keys if rows else _empty("no_alerts", request), request)


def detail(service: MonitorService, alert: AlertHistory | None, hint: str, request: gr.Request) -> str:
    """The chosen alert: why it was raised, a hint, what became of it, and the headlines behind it."""
    if alert is None:
        return ""
    reason = alert.reason
    usual = f"{reason.usual:.1f}" if reason.usual >= 0.05 else "< 0.1"
    why = TEXTS.say("reason", request, stories=len(reason.causes), hours=reason.hours, usual=html.escape(usual))
    causes = "".join(
        f"<li>{_time(cause.time)}<span>{html.escape(cause.headline)}</span></li>" for cause in reason.causes
    )
    steps = "".join(
        f"<li>{_time(step.time, ' data-wall')}<span>{TEXTS.say(step.state, request)} · {_who(step.who, request)}"
        f"{' · ' + html.escape(step.note) if step.note else ''}</span></li>"
        for step in alert.history
    )
    return (
        f'<div class="fin-detail"><p><b>{_name(service, alert.company)}</b> {_state(alert, request)}<br>{why}</p>'
        f"<p>{hint}</p><h5>{TEXTS.say('history', request)}</h5><ul>{steps}</ul>"
        f"<h5>{TEXTS.say('headlines', request)}</h5><ul>{causes}</ul></div>"
    )


def _who(name: str, request: gr.Request) -> str:
    """The name of whoever did something; of somebody who was erased, none is kept."""
    return html.escape(name) or TEXTS.say("erased", request)


def watchlist(service: MonitorService, request: gr.Request) -> str:
    """A line for each company; a click filters by it."""
    names = [TEXTS.say(key, request) for key in ("company", "volume", "share", "days")]
    head = f'<th>{names[0]}</th><th class="fin-number">{names[1]}</th><th class="fin-number">{names[2]}</th>'
    rows = "".join(_line(service, line, request) for line in service.watchlist())
    body = f'<table class="fin-table"><tr>{head}<th>{names[3]}</th></tr>{rows}</table>'
    return _panel("watchlist", body if rows else _empty("none", request), request)


def trend(service: MonitorService, shown: Shown, request: gr.Request) -> str:
    """Bars of the new stories of each day, by sentiment."""
    now = service.now
    if now is None:
        return _panel("trend", _empty("none", request), request)
    daily = service.trend(shown.company or None, shown.topic or None, _DAYS)
    most = max(1, *(sum(day) for day in zip(*daily.values(), strict=True)))
    days = [(now - timedelta(days=age)).date() for age in range(_DAYS - 1, -1, -1)]
    bars = "".join(
        f'<span title="{day:%Y-%m-%d}: {_counts(daily, at, request)}">'
        + "".join(
            f'<i class="fin-{name}" style="height:{counts[at] / most:.1%}"></i>' for name, counts in daily.items()
        )
        + "</span>"
        for at, day in enumerate(days)
    )
    legend = "".join(
        f'<span class="fin-{name}">{TEXTS.say(name, request)} {sum(counts):,}</span>' for name, counts in daily.items()
    )
    ends = f"<span>{days[0]:%d %b} – {days[-1]:%d %b}, ≤ {TEXTS.say('stories', request, count=most)}</span>"
    return _panel("trend", f'<div class="fin-days">{bars}</div><div class="fin-legend">{ends}{legend}</div>', request)


def label(headline: str, label: Label, request: gr.Request) -> str:
    """What the policy decides about a typed headline, and how probable each sentiment is."""
    bars = "".join(
        f'{_tag(name, request)} {share:.0%}<div class="fin-bar" style="width:{share:.0%}"></div>'
        for name, share in label.probabilities.items()
    )
    topic = f"{_topic(label.topic, request)} ({label.topic_probability:.0%})"
    is_likeliest = label.probabilities[label.sentiment] == max(label.probabilities.values())
    why = "" if is_likeliest else f'<p class="fin-sub">{TEXTS.say("weighed", request)}</p>'
    return (
        f'<div class="fin-result"><p>{html.escape(headline[:160])}</p>'
        f"<p><b>{TEXTS.say(label.sentiment, request)}</b> · {topic}</p>{why}{bars}</div>"
    )


def chosen(service: MonitorService, alert: int) -> AlertHistory | None:
    """The alert that is read: that of a number, else the one on top; None where there is none."""
    try:
        return service.alert(alert)
    except NotFoundError:
        first = ordered(service.alerts(_ALERTS))[:1]
        return service.alert(first[0].id) if first else None


def _panel(title: str, body: str, request: gr.Request) -> str:
    more = f'<span class="fin-more">{TEXTS.say("more", request)}</span>'
    return f"<h4><span>{TEXTS.say(title, request)}</span>{more}</h4>{body}"


def _empty(key: str, request: gr.Request, more: str = "") -> str:
    return f'<span class="fin-empty">{TEXTS.say(key, request)}{more}</span>'


def _time(moment: datetime, of: str = "", written: str = "%d %b %H:%M") -> str:
    """A time that the page shows as its age, and exactly to who points at it."""
    exact = f'datetime="{moment.isoformat()}" title="{moment:%Y-%m-%d %H:%M} UTC"'
    return f"<time {exact}{of}>{moment:{written}}</time>"


def _name(service: MonitorService, company: str) -> str:
    return html.escape(service.name(company))


def _topic(topic: str, request: gr.Request) -> str:
    return TEXTS.say(topic, request) if topic in TOPICS else html.escape(topic)


def _tag(sentiment: Sentiment, request: gr.Request) -> str:
    return f'<span class="fin-tag fin-{sentiment}">{_SIGNS[sentiment]} {TEXTS.say(sentiment, request)}</span>'


def _state(alert: AlertLine, request: gr.Request) -> str:
    return f'<span class="fin-tag fin-{alert.state}">{TEXTS.say(alert.state, request)}</span>'


def _item(service: MonitorService, item: StoredItem, request: gr.Request) -> str:
    about = [_name(service, item.company) if item.company else TEXTS.say("unlinked", request)]
    about += [_topic(item.topic, request)] if item.topic else []
    about += [TEXTS.say("copy", request)] if item.is_copy else []
    about += [f"<b>{TEXTS.say('ahead', request)}</b>"] if item.is_ahead else []
    label = (
        _tag(item.sentiment, request)
        if item.sentiment
        else f'<span class="fin-tag">{TEXTS.say("unread", request)}</span>'
    )
    time = _time(item.time, written="%Y-%m-%d %H:%M") if item.is_ahead else _time(item.time)
    return (
        f'<div class="fin-row fin-stream-row{" fin-copy" if item.is_copy else ""}" data-key="{item.id}">'
        f'{time}<span class="fin-text">{html.escape(item.headline)} '
        f'<span class="fin-sub">{" · ".join(about)}</span></span>{label}</div>'
    )


def _line(service: MonitorService, line: Watch, request: gr.Request) -> str:
    company, name = html.escape(line.company), _name(service, line.company)
    bars = "".join(f'<i style="height:{min(count * 4, 18)}px"></i>' for count in line.days)
    mark = f' <span class="fin-tag fin-open">{TEXTS.say("alerted", request)}</span>' if line.alerted else ""
    return (
        f'<tr class="fin-line" tabindex="0" data-pick="{company}" data-key="{company}">'
        f'<td title="{name}">{name}{mark}</td><td class="fin-number">{line.volume:,}</td>'
        f'<td class="fin-number">{line.negative:.0%}</td>'
        f'<td><span class="fin-spark" title="{" ".join(map(str, line.days))}">{bars}</span></td></tr>'
    )


def _counts(daily: dict[Sentiment, list[int]], at: int, request: gr.Request) -> str:
    return ", ".join(f"{counts[at]} {TEXTS.say(name, request)}" for name, counts in daily.items())
