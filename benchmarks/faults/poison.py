"""False voters among honest ones: what their votes make of the policy that retraining promotes by itself.

Customers of the validation split come to the bot, and vote by what they really wanted, except that one vote in ten is a
slip. False voters agree on one matter that the bot understands well: each asks for it again and again, in every wording
that the training split has for it, calls right answers wrong and wrong ones right. Then `steer retrain --promote` runs
on the real store. It promotes by what every other customer of the test split gets; what counts is what the rest of
them get in the end, whom neither voters nor retraining have met.
"""

import tempfile
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np
from rich.console import Console

from apps.customer_service.engine import Asked, Reply, SupportEngine
from apps.customer_service.environment import Customer, SupportEnv, customers
from apps.customer_service.rewards import is_right
from apps.customer_service.task import CustomerService
from benchmarks.runs import trained
from core.cli.retrain_progress import ConsoleProgress
from core.envs.episodes import EpisodeEnv
from core.platform.retraining.run_once import RetrainingPolicy, run_once
from core.platform.store import decisions, versions
from core.platform.store.database import open_store, sqlite_url
from core.platform.versions.library import VERSIONS, Library
from core.rl.explore import Explorer
from core.training.loader import open_task
from core.training.measure import evaluator
from core.training.run import Run, trained_policy
from core.training.task import Split, greedy

HONEST, QUESTIONS, SLIPS = 100, 5, 0.1
FALSE_VOTES = 70
_EXPLORED, _ITERATIONS = 0.1, 4


class Gated(CustomerService):
    """The bot, with every other customer of the test split."""

    first: ClassVar[int] = 0

    def environment(self, split: Split, num_envs: int | None = None, *, shuffle: bool = False) -> EpisodeEnv:
        if split != "test":
            return super().environment(split, num_envs, shuffle=shuffle)
        episodes = customers(self.data, split)[self.first :: 2]
        return SupportEnv(episodes, self.maker, self.reward, num_envs or len(episodes), shuffle=shuffle)


class Unmet(Gated):
    """The bot, with the other customers of the test split."""

    first: ClassVar[int] = 1


def poison_gain(false_voters: int, seed: int, console: Console | None = None) -> float:
    """What honest customers gain, in mean reward, by a retraining with false votes; 0 where nothing was promoted.

    Args:
        false_voters: Number of people who vote falsely, beside `HONEST` honest ones.
        seed: Seed of who asks what, of the slips and of the exploration.
        console: Console for what the retraining says; nothing is shown by default.
    """
    with tempfile.TemporaryDirectory() as scratch:
        runs = Path(scratch) / "runs"
        runs.mkdir()
        (runs / CustomerService.name).symlink_to(_trained_run())
        library = Library(open_store(sqlite_url(runs / "steer.db")), runs / VERSIONS)
        library.adopt(CustomerService, runs, "poison")
        _vote(library, runs, false_voters, seed)
        before = _returns(library)
        policy = RetrainingPolicy(min_decisions=50, on_drift=False, promote=True, requested_by="poison")
        progress = ConsoleProgress(console or Console(quiet=True))
        run_once(Gated, library, runs, [f"seed={seed}", f"rl.iterations={_ITERATIONS}"], policy, progress)
        gain = float((_returns(library) - before).mean())
        library.store.close()
        return gain


@cache
def _trained_run() -> Path:
    """One for all calls of this process; its folder goes with the process."""
    folder = tempfile.TemporaryDirectory()
    _KEPT.append(folder)
    return trained(Path(folder.name) / "runs", Console(quiet=True), [CustomerService.name]) / CustomerService.name


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def _returns(library: Library) -> np.ndarray:
    """Return of each unmet customer with the version that serves."""
    with library.store.reading() as session:
        serving = versions.current(session, CustomerService.name)
    assert serving is not None
    run = library.open(serving)
    task = open_task(Unmet, run)
    return evaluator(task, "test")(greedy(trained_policy(task, run))).returns


def _vote(library: Library, runs: Path, false_voters: int, seed: int) -> None:
    run = Run(runs / CustomerService.name)
    task = open_task(CustomerService, run)
    engine = SupportEngine(task, run)
    chance, explorer = np.random.default_rng(seed), Explorer(_EXPLORED, seed)
    everybody = customers(task.data, "validation")
    for number in range(HONEST):
        asked = [everybody[at] for at in chance.choice(len(everybody), QUESTIONS, replace=False)]
        said = [_opinion(reply, who) for reply, who in _replies(engine, explorer, asked)]
        slips = np.where(chance.random(QUESTIONS) < SLIPS, -1, 1)
        _keep(library, f"honest-{number}", said, slips)
    wordings = _matter(engine, customers(task.data, "train"))
    for number in range(false_voters):
        asked = [wordings[at] for at in chance.integers(0, len(wordings), FALSE_VOTES)]
        said = [_opinion(reply, who) for reply, who in _replies(engine, explorer, asked)]
        _keep(library, f"false-{number}", said, np.full(FALSE_VOTES, -1))


def _matter(engine: SupportEngine, everybody: Sequence[Customer]) -> list[Customer]:
    """The wordings of the matter that the bot answers rightly most often."""
    clear = [who for who in everybody if who.wants == "answer" and not who.vague]
    right = [who for reply, who in _replies(engine, Explorer(), clear) if _is_right(reply, who)]
    ((intent, _),) = Counter(intent for who in right for intent in who.intents).most_common(1)
    return [who for who in right if intent in who.intents]


def _replies(engine: SupportEngine, explorer: Explorer, asked: Sequence[Customer]) -> list[tuple[Reply, Customer]]:
    replies = engine.replies([Asked(who.messages[:1], True, explorer) for who in asked])
    return list(zip(replies, asked, strict=True))


def _is_right(reply: Reply, who: Customer) -> bool:
    """Whether a reply is what the customer wanted; a question back is right where the message was vague."""
    if reply.action == "ask_back":
        return who.vague
    return is_right(0, reply.sources[0] if reply.action == "answer" else reply.action, who)


def _opinion(reply: Reply, who: Customer) -> tuple[Reply, float]:
    return reply, 1.0 if _is_right(reply, who) else -1.0


def _keep(library: Library, owner: str, said: Sequence[tuple[Reply, float]], signs: np.ndarray) -> None:
    with library.store.transaction() as session:
        for (reply, value), sign in zip(said, signs, strict=True):
            assert reply.choice is not None
            decision = decisions.keep(
                session,
                app=CustomerService.name,
                owner=owner,
                version="v0001",
                state={**reply.choice.state, "confidence": reply.confidence},
                action=[reply.choice.action],
                propensity=reply.choice.propensity,
            )
            decisions.judge(session, decision, owner, float(sign * value), {})
