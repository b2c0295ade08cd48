"""The recommender beside its outsiders on MovieLens' test split, what visitors type, and MovieLens-1M."""

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from apps.recommender.engine import RecommenderEngine
from apps.recommender.model import RecommenderModel, Visitor
from apps.recommender.rewards import Taste, ndcg_gains
from apps.recommender.splits import history_cuts
from apps.recommender.task import Recommender
from benchmarks.decisions.als import best_als
from benchmarks.decisions.ml1m import ndcg10, ranks_on_ml1m
from core.cli.workflow import train_tasks
from core.evaluation.bootstrap import Estimate, bootstrap_mean, paired_gain
from core.evaluation.figures import figure
from core.platform.inference.engine import Engine
from core.rl.explore import Explorer
from core.training.evaluate import baselines
from core.training.loader import open_task
from core.training.run import Run, trained_policy
from core.training.task import greedy
from testing.sentences import Sentence, read_sentences
from testing.wishes import Wish, read_wishes

SEEDS = (0, 1, 2)
_LINES = ("ease", "ease_mmr", "supervised", "cost_optimal", "rl")


@dataclass(frozen=True)
class PerUser:
    """What the lists of one line are worth for each user of the test, float64 of shape (users,).

    Attributes:
        reward: Reward of the list.
        ndcg: NDCG@10 over the whole catalogue.
        hit: Whether the list holds an item that the user liked next.
    """

    reward: np.ndarray
    ndcg: np.ndarray
    hit: np.ndarray


def recommender_figures(data_dir: Path | None, console: Console) -> dict[str, dict[str, Any]]:
    """RL on three seeds over its baselines, wishes on the first; MovieLens-1M where `data_dir` holds it."""
    with tempfile.TemporaryDirectory() as scratch:
        runs = [_trained(seed, Path(scratch) / str(seed), console) for seed in SEEDS]
        by_seed = [_lines(*run) for run in runs]
        lines = {name: _mean([each[name] for each in by_seed]) for name in _LINES}
        lines["als"] = _per_user(runs[0][0], best_als(runs[0][0].data))
        results = _figures(lines) | _wish_figures(*runs[0])
    if data_dir is not None and (data_dir / "ml1m").is_dir():
        ranks = ranks_on_ml1m(data_dir / "ml1m")
        results["ml1m512_hr10"] = figure(bootstrap_mean((ranks < 10).astype(float)), target=0.30)
        results["ml1m512_ndcg10"] = figure(bootstrap_mean(ndcg10(ranks)), target=0.17)
    for key, entry in results.items():
        console.print(f"{key}: {entry['value']:.4f} [{entry['low']:.4f}, {entry['high']:.4f}]", highlight=False)
    return results


def _trained(seed: int, folder: Path, console: Console) -> tuple[Recommender, Run]:
    train_tasks([Recommender.name], "quick", None, [f"seed={seed}"], folder, console)
    run = Run(folder / Recommender.name)
    return open_task(Recommender, run), run


def _lines(task: Recommender, run: Run) -> dict[str, PerUser]:
    acts = {**baselines(task, run), "rl": greedy(trained_policy(task, run))}
    environment = task.environment("test")
    states, candidates = environment.states, np.asarray(environment.states["candidates"])
    return {name: _per_user(task, np.take_along_axis(candidates, acts[name](states), axis=1)) for name in _LINES}


def _per_user(task: Recommender, lists: np.ndarray) -> PerUser:
    cuts = history_cuts(task.data, "test")
    relevant = [cut.relevant for cut in cuts]
    ndcg = ndcg_gains(lists, relevant).sum(axis=1, dtype=float)
    reward = task.reward([cut.liked for cut in cuts], lists, Taste.of_likes(relevant)).sum(axis=1, dtype=float)
    return PerUser(reward, ndcg, (ndcg > 0).astype(float))


def _mean(seeds: Sequence[PerUser]) -> PerUser:
    return PerUser(*(np.mean([getattr(each, name) for each in seeds], axis=0) for name in ("reward", "ndcg", "hit")))


def _figures(lines: dict[str, PerUser]) -> dict[str, dict[str, Any]]:
    rl = lines["rl"]
    results = {
        "movielens_ndcg10": figure(bootstrap_mean(rl.ndcg), target=0.092),
        "movielens_hr10": figure(bootstrap_mean(rl.hit), target=0.37),
    }
    # where the gain comes from: the rule alone, what supervision adds to it, what RL adds to that
    for name, over in (("ease_mmr", rl), ("supervised", rl), ("cost_optimal", rl), ("ease_mmr", lines["supervised"])):
        key = f"movielens_{'reward' if over is rl else 'supervised'}_gain_vs_{name}"
        results[key] = figure(paired_gain(over.reward, lines[name].reward))
    for name in ("ease", "ease_mmr", "als"):
        results[f"movielens_{name}_ndcg10"] = figure(bootstrap_mean(lines[name].ndcg))
        results[f"movielens_{name}_hr10"] = figure(bootstrap_mean(lines[name].hit))
        results[f"movielens_{name}_reward"] = figure(bootstrap_mean(lines[name].reward))
    return results


def _wish_figures(task: Recommender, run: Run) -> dict[str, dict[str, Any]]:
    """Share of the films that fit a wish, for somebody new and four known users; share of the sentences obeyed."""
    engine = Engine.local(RecommenderEngine(task, run, patience=None))
    model = RecommenderModel(task, engine)
    users = [each.user for each in model.catalogue.users(6)[1:-1]]

    async def share(wish: Wish, user: str | None) -> float:
        shown = (await model.rank(Visitor(user=user, words=wish.words), Explorer())).items
        return float(np.mean([wish.fits(each.item) for each in shown]))

    async def shares(wishes: Sequence[Wish], known: Sequence[str | None]) -> Estimate:
        return bootstrap_mean(np.array([np.mean([await share(wish, user) for user in known]) for wish in wishes]))

    results = {}
    for half, wishes in zip(("chosen_on", "held_out"), read_wishes(), strict=True):
        results[f"wishes_{half}_new_visitor"] = figure(asyncio.run(shares(wishes, [None])))
        results[f"wishes_{half}_known_visitor"] = figure(asyncio.run(shares(wishes, users)))
    for key, sentences in zip(("sentences_chosen_on", "sentences_obeyed"), read_sentences(), strict=True):
        obeyed = asyncio.run(_obeyed(model, sentences))
        results[key] = figure(bootstrap_mean(obeyed), target=0.9 if key == "sentences_obeyed" else None)
    engine.close()
    return results


async def _obeyed(model: RecommenderModel, sentences: Sequence[Sentence]) -> np.ndarray:
    """Whether each sentence is obeyed, one or zero, float64 of shape (sentences,)."""
    popular = (await model.rank(Visitor(), Explorer())).items
    lists = [(await model.rank(Visitor(words=sentence.words), Explorer())).items for sentence in sentences]
    obeyed = [
        shown == popular
        if sentence.is_nonsense
        else sentence.is_obeyed([each.item for each in shown], model.task.data.items)
        for sentence, shown in zip(sentences, lists, strict=True)
    ]
    return np.array(obeyed, dtype=float)
