"""Decisions of the three apps beside every baseline and what an outsider would write."""

import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from apps.finance_monitor.alerting.learn import news_model
from benchmarks.decisions.alerts import alert_figures
from benchmarks.decisions.classification import classification_figures
from benchmarks.decisions.labels import label_figures
from benchmarks.decisions.languages import language_figures
from benchmarks.decisions.recommender import recommender_figures
from benchmarks.decisions.sessions import session_figures
from benchmarks.runs import trained
from core.training.run import Run


def run(data_dir: Path | None, console: Console) -> dict[str, dict[str, Any]]:
    """All figures, on the data sets that lie in `data_dir`."""
    results = label_figures(data_dir, console) | recommender_figures(data_dir, console)
    results |= session_figures(data_dir, console) | classification_figures(data_dir, console)
    with tempfile.TemporaryDirectory() as scratch:
        runs = trained(Path(scratch) / "runs", console, ["customer_service", "finance_monitor"])
        results |= language_figures(Run(runs / "customer_service"), console)
        return results | alert_figures(data_dir, news_model(runs), console)
