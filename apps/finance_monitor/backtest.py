"""How early, and how rarely for nothing, the monitor alerts: `steer backtest --help`.

Labelled news run through the very code that serves, in order of time and without a look ahead. A known surge is
found when an alert for its company opens within it; any other alert is false.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from statistics import median

from apps.finance_monitor.alerting.rule import THRESHOLD, Rule, cusum, learnt
from apps.finance_monitor.data import Episode, NewsData
from apps.finance_monitor.engine import NewsEngine
from apps.finance_monitor.model import NewsModel
from apps.finance_monitor.replay import PinnedModel, Replay, history
from apps.finance_monitor.task import FinanceMonitor
from core.data.splits import split_sizes
from core.platform.inference.engine import Engine
from core.training.run import Run
from core.training.task import Split
from core.util.errors import SteerError

Fired = tuple[str, datetime]
_SLACK = timedelta(hours=6)


@dataclass(frozen=True)
class Outcome:
    """What a detector did on one split.

    Attributes:
        found: Surges that were alerted.
        surges: All surges of the split.
        delay_hours: Median time from a surge's start to its alert, over the found ones; None where there are none.
        delay_headlines: The same in headlines of the surge.
        decoys: Decoys that fired.
        false_per_week: Alerts outside surges, per week.
    """

    found: int
    surges: int
    delay_hours: float | None
    delay_headlines: float | None
    decoys: int
    false_per_week: float


def backtest_run(task: FinanceMonitor, run: Run, split: Split) -> dict[str, dict[str, float | None]]:
    """Outcomes of a trained run's detectors on the news of a split, by name.

    Raises:
        SteerError: No surge among the news of that split is known.
    """
    config = task.workspace.config
    if config.news is None or config.episodes is None:
        raise SteerError(
            f"{task.name} has no known surges: name labelled `news:` and, under `episodes:`, the surges of bad news "
            "among them; without, nothing tells how early an alert comes"
        )
    surges = [episode.split for episode in task.news.episodes if episode.kind == "surge"]
    if split not in surges or not task.news.of(split):
        known = ", ".join(f"{name} {count}" for name, count in split_sizes(surges).items())
        raise SteerError(f"no surge of {task.name} is of the split {split}: {known}; choose another with --split")
    model = NewsModel(task, Engine.local(NewsEngine(task, run)))
    return {name: asdict(outcome) for name, outcome in backtest(model, split).items()}


def backtest(model: NewsModel, split: Split, threshold: float = THRESHOLD) -> dict[str, Outcome]:
    """Outcomes of the learnt detector, a CUSUM, a plain count, and a dummy that alerts at every bad headline."""
    opened, bad = _replayed(model, learnt())
    fired = {
        "learnt detector on stories": opened,
        "CUSUM on stories": _replayed(model, cusum(threshold))[0],
        "five negative headlines in 24 h": _counts(bad, 5),
        "every negative headline": bad,
    }
    return {name: score(model.news, split, alerts) for name, alerts in fired.items()}


def score(data: NewsData, split: Split, alerts: list[Fired]) -> Outcome:
    """Compare alerts (company, time) with the episodes of a split."""
    news = data.of(split)
    begin, end = news[0].time, news[-1].time
    alerts = [alert for alert in alerts if begin <= alert[1] <= end]
    surges = [episode for episode in data.episodes if episode.split == split and episode.kind == "surge"]
    decoys = [episode for episode in data.episodes if episode.split == split and episode.kind != "surge"]
    first = {surge.id: min((time for _, time in _within(alerts, surge)), default=None) for surge in surges}
    found = [(surge, time) for surge in surges if (time := first[surge.id]) is not None]
    true = sum(len(_within(alerts, surge)) for surge in surges)
    headlines = [sum(item.episode == surge.id and item.time <= time for item in data.news) for surge, time in found]
    return Outcome(
        len(found),
        len(surges),
        median((time - surge.start) / timedelta(hours=1) for surge, time in found) if found else None,
        median(headlines) if found else None,
        sum(bool(_within(alerts, decoy)) for decoy in decoys),
        (len(alerts) - true) / ((end - begin) / timedelta(weeks=1)),
    )


def _replayed(model: NewsModel, rule: Rule) -> tuple[list[Fired], list[Fired]]:
    """Alerts, and bad headlines, of the whole history."""
    items = history(model.news)
    replay = Replay(PinnedModel((model, "backtest")), items, model.news.news[-1].time, rule=rule)
    while not replay.is_finished:
        replay.advance(timedelta(0))
    bad = [(item.company, item.time) for item in reversed(replay.service.items(len(items), sentiment="negative"))]
    opened = [(alert.company, alert.opened) for alert in replay.service.alerts(len(items))]
    replay.close()
    return opened, bad


def _within(alerts: list[Fired], episode: Episode) -> list[Fired]:
    return [
        (company, time)
        for company, time in alerts
        if company == episode.company and episode.start <= time <= episode.end + _SLACK
    ]


def _counts(bad: list[Fired], least: int) -> list[Fired]:
    """Alerts of "so many negative headlines within a day", one until a day has passed without."""
    recent: dict[str, list[datetime]] = {}
    quiet: dict[str, bool] = {}
    alerts = []
    for company, time in bad:
        window = [earlier for earlier in recent.get(company, []) if time - earlier <= timedelta(days=1)]
        recent[company] = [*window, time]
        if len(recent[company]) < least:
            quiet[company] = True
        elif quiet.get(company, True):
            quiet[company] = False
            alerts.append((company, time))
    return alerts
