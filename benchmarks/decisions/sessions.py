"""Visits of several lists: what an outsider would show, and what is learnt, before visitors that none was tuned on.

Outsiders are tuned, and policies trained and chosen, on the shipped MovieLens' training and validation people. They are
judged on its test people, whose manners are others (`OTHER_MANNERS`), on the same as tired as MovieLens says, and on
people and films of MovieLens-1M.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from apps.recommender.data import Events, Item, ShopData
from apps.recommender.diversity import Distances
from apps.recommender.list_rule import ListRule
from apps.recommender.movielens import as_said
from apps.recommender.sessions.environment import SessionEnv
from apps.recommender.sessions.learn import Training, session_env, shipped_shop
from apps.recommender.sessions.rule import VisitRule, distances
from apps.recommender.sessions.shop import SessionShop, session_shop
from apps.recommender.sessions.visitors import MILD_MANNERS, OTHER_MANNERS
from core.envs.play import play
from core.evaluation.bootstrap import bootstrap_mean, paired_gain
from core.evaluation.figures import figure
from core.models.diverse_list import DiverseListPolicy
from core.models.encoder import TextEncoder
from core.models.weights import DEFAULT_ENCODER

SEEDS = 3
SUPERVISED, MYOPIC, RL = (
    "+ residual supervised",
    "+ residual by PPO, each pick for itself",
    "+ residual by PPO over visits",
)
_TODAY = "EASE + MMR, with repeats"

Line = VisitRule | Sequence[DiverseListPolicy]


def session_figures(data_dir: Path | None, console: Console) -> dict[str, dict[str, Any]]:
    """Figures of every way to make the lists of a visit, and what RL gains over the best rule.

    Args:
        data_dir: Folder that may hold `ml1m`.
        console: Console for the tables.
    """
    data, shop = shipped_shop()
    training = Training(data, shop)
    lines: dict[str, Line] = {**training.rules, **_learnt(training)}
    judged_on = {
        "recommender_session": session_env(data, shop, "test", OTHER_MANNERS),
        "recommender_session.mild": session_env(data, shop, "test", MILD_MANNERS),
    }
    if data_dir is not None and (data_dir / "ml1m").is_dir():
        films = read_ml1m(data_dir / "ml1m")
        texts = TextEncoder(DEFAULT_ENCODER, max_length=32).embed([item.text for item in films.items], role="document")
        judged_on["recommender_session.ml1m"] = session_env(
            films, _ml1m_shop(films, Distances(films, texts)), "test", OTHER_MANNERS
        )
    results: dict[str, dict[str, Any]] = {}
    for prefix, env in judged_on.items():
        returns = {_TODAY: _returns(training.rules["EASE + MMR"], SessionEnv(env.shop, env.visitors, again=True))}
        returns |= {name: _returns(line, env) for name, line in lines.items()}
        people = env.visitors.person
        results |= _figures(prefix, {name: _by_person(each, people) for name, each in returns.items()}, training.best)
        _print(console, f"{prefix}; best rule on validation: {training.best}", results, prefix)
    return results


def read_ml1m(folder: Path) -> ShopData:
    """MovieLens-1M's films and what each person met, oldest first; whether they liked it is not among these files."""
    films = {}
    for line in (folder / "movies.dat").read_text(encoding="latin-1").splitlines():
        number, title, genres = line.split("::")
        films[number] = as_said({"title": title, "genres": genres})
    numbers = dict(line.split() for line in (folder / "sas_to_original_items.txt").read_text().splitlines())
    items = [Item(0, "", "")] * len(numbers)
    for row, number in numbers.items():
        film = films[number]
        items[int(row) - 1] = Item(
            int(row) - 1, number, film["title"], tags=tuple(str(film["genres"]).split("|")), year=film["year"]
        )
    users = {}
    for user, line in enumerate((folder / "train_input.txt").read_text().splitlines()):
        rows = np.array(line.split(), dtype=np.int64) - 1
        users[str(user)] = Events(rows, np.ones(len(rows), dtype=bool))
    return ShopData(tuple(items), users)


def _ml1m_shop(films: ShopData, apart: Distances) -> SessionShop:
    """Nothing is tuned: as regular as for the shipped films, and scaled to scores like theirs."""
    shop = session_shop(films, apart, ListRule(400.0, 3.0, 1.0, 0.0))
    histories = shop.numbered([events.items[:30] for events in list(films.users.values())[:500]])
    best = float(np.mean([shop.scores(history).max() for history in histories]))
    return replace(shop, weights=shop.weights / best)


def _learnt(training: Training) -> dict[str, Line]:
    return {
        SUPERVISED: [training.imitated(seed) for seed in range(SEEDS)],
        MYOPIC: [training.practised(seed, gamma=0.0) for seed in range(SEEDS)],
        RL: [training.practised(seed) for seed in range(SEEDS)],
    }


def _returns(line: Line, env: SessionEnv) -> np.ndarray:
    """Return of each visit, a mean over the seeds, float64 of shape (visits,)."""
    if isinstance(line, VisitRule):
        return play(env, line.on(env.shop)).returns
    for policy in line:
        policy.distances = lambda states: distances(env.shop, states)
    return np.mean([play(env, policy.predict).returns for policy in line], axis=0)


def _by_person(returns: np.ndarray, person: np.ndarray) -> np.ndarray:
    """Mean return of each person's visits: those of one person are not independent of each other."""
    return np.bincount(person, weights=returns) / np.bincount(person)


def _figures(prefix: str, earned: Mapping[str, np.ndarray], best: str) -> dict[str, dict[str, Any]]:
    results = {}
    for name, returns in earned.items():
        gain = paired_gain(returns, earned[best])
        results[f"{prefix}.{name}"] = figure(bootstrap_mean(returns)) | {"over_the_best_rule": str(gain)}
    results[f"{prefix}.rl_gain"] = figure(paired_gain(earned[RL], earned[best]), target=0.0) | {"over": best}
    results[f"{prefix}.rl_gain_vs_supervised"] = figure(paired_gain(earned[RL], earned[SUPERVISED]))
    results[f"{prefix}.rl_gain_vs_myopic"] = figure(paired_gain(earned[RL], earned[MYOPIC]))
    return results


def _print(console: Console, title: str, results: Mapping[str, dict[str, Any]], prefix: str) -> None:
    table = Table("lists", "reward", "over the best rule", title=title)
    for key, entry in results.items():
        if key.rpartition(".")[0] == prefix:
            value = f"{entry['value']:.3f} [{entry['low']:.3f}, {entry['high']:.3f}]"
            table.add_row(key.removeprefix(f"{prefix}."), value, entry.get("over_the_best_rule", ""))
    console.print(table)
