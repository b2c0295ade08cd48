"""Decisions of the three apps beside every baseline and what an outsider would write."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from apps.finance_monitor.alerting.learn import news_model
from benchmarks.decisions.alerts import alert_figures
from benchmarks.decisions.bot import bot_figures
from benchmarks.decisions.classification import classification_figures
from benchmarks.decisions.labels import label_figures
from benchmarks.decisions.languages import language_figures
from benchmarks.decisions.recommender import recommender_figures
from benchmarks.decisions.sessions import session_figures
from benchmarks.runs import trained
from core.training.run import Run

Figures = dict[str, dict[str, Any]]


def run(data_dir: Path | None, console: Console) -> Figures:
    """All figures, on the data sets that lie in `data_dir`."""
    results: Figures = {}
    for part in PARTS.values():
        results |= part(data_dir, console)
    return results


def _alerts(data_dir: Path | None, console: Console) -> Figures:
    with tempfile.TemporaryDirectory() as scratch:
        return alert_figures(data_dir, news_model(trained(Path(scratch), console, ["finance_monitor"])), console)


def _languages(data_dir: Path | None, console: Console) -> Figures:
    del data_dir  # the messages are the project's own
    with tempfile.TemporaryDirectory() as scratch:
        return language_figures(
            Run(trained(Path(scratch), console, ["customer_service"]) / "customer_service"), console
        )


PARTS: dict[str, Callable[[Path | None, Console], Figures]] = {
    "labels": label_figures,
    "bot": bot_figures,
    "languages": _languages,
    "alerts": _alerts,
    "recommender": recommender_figures,
    "sessions": session_figures,
    "classification": classification_figures,
}
"""Parts that `steer bench decisions --only PART` runs alone."""
