"""When to alert: rules that an outsider would write, and what is learnt, on streams that none of them was tuned on.

Thresholds are tuned, and policies trained and chosen, on streams of the shipped news' training and validation weeks.
They are judged twice: on streams of its test weeks, and on real traffic, Reuters' headlines about large companies, in
which the surges and decoys of the test weeks are planted. Reuters' own surges count as usual traffic, so an alert in
one is called false, whoever gives it. The dates have no hours, which are drawn from those of the shipped news.
"""

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from apps.finance_monitor.alerting.environment import AlertEnv
from apps.finance_monitor.alerting.learn import STREAMS, TUNED_ON, Training, streams_of
from apps.finance_monitor.alerting.outsiders import OUTSIDERS, from_threshold, tuned
from apps.finance_monitor.alerting.reading import AsServed
from apps.finance_monitor.alerting.rewards import REWARD
from apps.finance_monitor.alerting.rule import THRESHOLD
from apps.finance_monitor.alerting.streams import Planting, Stream, Traffic
from apps.finance_monitor.data import News
from apps.finance_monitor.model import NewsModel
from core.envs.play import Act, Played, play
from core.evaluation.bootstrap import bootstrap_mean, paired_gain
from core.evaluation.figures import figure
from core.util.errors import SteerError

SEEDS = 3
PRESENT, RL = "CUSUM at 7", "+ residual by the exact gradient"
_SIDE_BY_SIDE = 64
# Before the pandemic, in which every company's news was bad.
_BEGIN, _WEEKS = datetime(2019, 4, 1, tzinfo=UTC), 46
_COMPANIES = (
    "Boeing", "Tesla", "Huawei", "Amazon", "Apple", "Facebook", "Airbus", "Nissan", "Google", "Uber", "Renault",
    "Volkswagen", "Ford", "SoftBank", "Goldman Sachs", "Walmart", "JPMorgan", "Aramco", "Daimler", "Ryanair",
    "Lufthansa", "Bayer", "BMW", "Samsung", "Disney", "Qualcomm", "AT&T", "PG&E", "Toyota", "Wells Fargo", "Microsoft",
    "Alibaba", "Wirecard", "Starbucks", "Thyssenkrupp", "BlackRock", "Lyft", "Twitter", "UBS", "Exxon", "Netflix",
    "Bombardier", "HSBC", "Nestle", "Thomas Cook", "Comcast", "Chevron", "Nike", "Siemens", "Intel", "Lockheed",
    "Commerzbank", "Barclays", "Honda", "Deutsche Bank",
)  # fmt: skip


@dataclass(frozen=True)
class Detector:
    """Something that alerts.

    Attributes:
        acts: Functions from states to actions, one a seed.
        ratio: See `Course`.
    """

    acts: Sequence[Act]
    ratio: float = OUTSIDERS["CUSUM"].ratio


@dataclass(frozen=True)
class Judged:
    """What a detector did on streams, a mean over its seeds.

    Attributes:
        returns: Return of each stream, float64 of shape (streams,).
        found: Share of the surges that it told of.
        delay: Median hours until it did.
        false_a_week: Alerts for nothing, for each company and week.
    """

    returns: np.ndarray
    found: float
    delay: float
    false_a_week: float


def alert_figures(data_dir: Path | None, model: NewsModel, console: Console) -> dict[str, dict[str, Any]]:
    """Figures of every detector on both kinds of streams, and what RL gains over the best rule.

    Args:
        data_dir: Folder with `news_headlines/reuters_headlines.csv`.
        model: Model that reads the headlines.
        console: Console for the tables.

    Raises:
        SteerError: There is no such file.
    """
    train, validation = streams_of(model, "train"), streams_of(model, "validation")
    detectors = {**_rules(train), **_learnt(Training(train, validation))}
    best = max((name for name in detectors if name in OUTSIDERS), key=lambda name: _mean(detectors[name], validation))
    judged_on = {
        "finance_alerts": reuters_streams(data_dir, model),
        "finance_alerts.shipped": streams_of(model, "test"),
    }
    results: dict[str, dict[str, Any]] = {}
    for prefix, streams in judged_on.items():
        judged = {name: judge(detector, streams) for name, detector in detectors.items()}
        _print(console, f"{prefix}, {len(streams)} streams; best rule on validation: {best}", judged, best)
        for name, one in judged.items():
            details = {"found": one.found, "delay_hours": one.delay, "false_alarms_a_week": one.false_a_week}
            results[f"{prefix}.{name}"] = figure(bootstrap_mean(one.returns)) | details
        gain = paired_gain(judged[RL].returns, judged[best].returns)
        results[f"{prefix}.rl_gain"] = figure(gain, target=0.0) | {"over": best}
    return results


def reuters_streams(data_dir: Path | None, model: NewsModel) -> list[Stream]:
    """Streams of Reuters' headlines, with surges and decoys of the shipped news' test weeks."""
    file = (data_dir or Path()) / "news_headlines" / "reuters_headlines.csv"
    if data_dir is None or not file.is_file():
        raise SteerError("name a folder that holds news_headlines/reuters_headlines.csv with --data-dir")
    chance = np.random.default_rng(0)
    hours = [item.time - item.time.replace(hour=0, minute=0, second=0) for item in model.news.news]
    by_company: defaultdict[str, list[News]] = defaultdict(list)
    with file.open(encoding="utf-8", newline="") as rows:
        for number, (date, headline) in enumerate(csv.reader(rows)):
            time = datetime.fromisoformat(date).replace(tzinfo=UTC) + hours[int(chance.integers(len(hours)))]
            if _BEGIN <= time < _BEGIN + timedelta(weeks=_WEEKS):
                text = headline.replace(" 's", "'s").replace(" ,", ",").replace(" :", ":")
                for company in (name for name in _COMPANIES if name in text):
                    # nobody has labelled it, and nothing reads these labels
                    known = {"topic": "markets", "sentiment": "neutral"}
                    by_company[company].append(
                        News(id=f"r{number}", time=time, company=company, headline=text, **known)
                    )
    traffic = Traffic(
        _BEGIN, _WEEKS, {name: sorted(items, key=lambda item: item.time) for name, items in by_company.items()}
    )
    planting = Planting(traffic, model.news, "test", AsServed(model), model.vectors, largest=(1,))
    return planting.streams(STREAMS["test"], seed=3)


def judge(detector: Detector, streams: Sequence[Stream]) -> Judged:
    """Let a detector watch streams."""
    env = AlertEnv(streams, REWARD, _SIDE_BY_SIDE, ratio=detector.ratio)
    played = [play(env, act) for act in detector.acts]
    false, delay = np.stack([_told(one) for one in played], axis=1)
    surges = delay[:, [stream.surge is not None for stream in streams]]
    weeks = sum((stream.stories[-1].time - stream.live) / timedelta(weeks=1) for stream in streams)
    return Judged(
        np.mean([one.returns for one in played], axis=0),
        float((surges >= 0).mean()),
        float(np.median(surges[surges >= 0])) if (surges >= 0).any() else float("nan"),
        float(false.sum() / len(played) / weeks),
    )


def _told(played: Played) -> np.ndarray:
    """False alarms, and hours until the surge was told, of each stream: float64 of shape (2, streams)."""
    return np.array([outcome.split() for outcome in played.outcomes], dtype=np.float64).T


def _rules(train: Sequence[Stream]) -> dict[str, Detector]:
    present = from_threshold(OUTSIDERS["CUSUM"].score, THRESHOLD)
    found = {PRESENT: Detector([present])}
    for name, outsider in OUTSIDERS.items():
        env = AlertEnv(train[:TUNED_ON], REWARD, _SIDE_BY_SIDE, ratio=outsider.ratio)
        found[name] = Detector([from_threshold(outsider.score, tuned(outsider, env))], outsider.ratio)
    return found


def _learnt(training: Training) -> dict[str, Detector]:
    imitated = [training.imitated(seed) for seed in range(SEEDS)]
    practised = [training.practised(start, seed) for seed, start in enumerate(imitated)]
    climbed = [training.climbed(start, seed) for seed, start in enumerate(imitated)]
    return {
        "+ residual supervised": Detector([policy.predict for policy in imitated]),
        "+ residual by PPO": Detector([policy.predict for policy in practised]),
        RL: Detector([policy.predict for policy in climbed]),
    }


def _mean(detector: Detector, streams: Sequence[Stream]) -> float:
    return float(judge(detector, streams).returns.mean())


def _print(console: Console, title: str, judged: Mapping[str, Judged], best: str) -> None:
    table = Table(
        "detector", "reward", "over the best rule", "surges found", "delay", "false alarms a week", title=title
    )
    for name, one in judged.items():
        gain = paired_gain(one.returns, judged[best].returns)
        table.add_row(
            name,
            str(bootstrap_mean(one.returns)),
            str(gain),
            f"{one.found:.2f}",
            f"{one.delay:.1f} h",
            f"{one.false_a_week:.3f}",
        )
    console.print(table)
