"""Rows of the store from what the monitor knows, and back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from apps.finance_monitor import tables
from apps.finance_monitor.alerting.course import Severity, Story
from apps.finance_monitor.alerts import Alert
from apps.finance_monitor.data import Sentiment
from apps.finance_monitor.engine import Label
from apps.finance_monitor.monitor import Reading


def score(
    item: tables.News, label: Label, version: str, originals: Sequence[int], copies: Sequence[int]
) -> dict[str, Any]:
    """How an item was read, and which others tell the same."""
    return {
        "news_id": item.id,
        "version": version,
        "topic": label.topic,
        "sentiment": label.sentiment,
        "probabilities": label.probabilities,
        "copy_of": min(originals, default=0),
        "copies": copies,
    }


def reading(item: tables.News, score: tables.Score, copies: Sequence[tables.Score]) -> Reading:
    """An item as a monitor counts it."""
    return Reading(
        item.id,
        item.key,
        item.time,
        item.arrived,
        item.company,
        item.headline,
        score.topic,
        cast(Sentiment, score.sentiment),
        score.probabilities["negative"],
        # In the order of their numbers they have come, and so they are counted again.
        is_copy=0 < (score.copy_of or 0) < item.id,
        copies=tuple(copy.news_id for copy in copies if copy.copy_of == item.id > copy.news_id),
        copy_of=score.copy_of or 0,
    )


def alert(alert: Alert) -> dict[str, Any]:
    """An alert as it is kept."""
    causes = [{"time": c.time.isoformat(), "headline": c.headline, "negative": c.negative} for c in alert.causes]
    return {
        "key": alert.key,
        "company": alert.company,
        "opened": alert.opened,
        "state": alert.state,
        "severity": alert.severity,
        "reason": {"usual": alert.usual, "hours": alert.hours, "causes": causes},
        "changed": alert.changed,
    }


def told(kept: tables.Alert, key: str) -> Alert:
    """An alert that was kept; who has acknowledged it is the store's to know."""
    causes = [
        Story(datetime.fromisoformat(cause["time"]), cause["headline"], cause["negative"])
        for cause in kept.reason["causes"]
    ]
    return Alert(
        0,
        key,
        kept.company,
        kept.opened,
        kept.reason["usual"] / max(kept.reason["hours"], 1.0),
        causes,
        cast(Severity, kept.severity),
        "resolved" if kept.state == "resolved" else "open",
        changed=kept.changed,
    )
