"""Three conditions in which RL should earn its place, against the same baselines, with five seeds each."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from benchmarks.rl.algorithms import HESITATION, PAYOFF, cost_optimal_actions, supervised_policy
from benchmarks.rl.running import Training
from benchmarks.rl.task import HAND_OVER, INTENTS, Questions, mean_reward, rl_settings
from core.config import RLSettings
from core.data.batches import shuffled
from core.evaluation.bootstrap import Estimate
from core.evaluation.compare import verdict
from core.evaluation.figures import figure
from core.models.actor_critic import ActorCritic
from core.models.policy import Policy
from core.rl.algorithm import Algorithm, Metrics
from core.rl.off_policy import log_decisions
from core.rl.on_policy import OnPolicy
from core.rl.ppo import PPO
from core.rl.reinforce import Reinforce

SEEDS, LAYERS = 5, 1
WRONG_LATER = -4.0
CAP = 0.1
INTERACTIONS = 3

Scores = dict[str, list[float]]


def chosen_reward_only(train: Questions, validation: Questions, test: Questions, seed: int) -> dict[str, float]:
    """Three labels an intent; for the rest only the reward of the action taken is ever seen.

    The baselines imitate, supervised, those of the start's own actions that were rewarded. RL spends the first of as
    many interactions in the same way, and the others on its own improving policy.
    """
    labelled, rest = train.a_class(3, seed), train.a_class(25, seed + 100)
    start = supervised_policy(labelled, seed, LAYERS, 6, HESITATION)
    imitating = _imitating(labelled, _rewarded(rest, start, INTERACTIONS, seed), seed)
    first = _imitating(labelled, _rewarded(rest, start, 1, seed), seed, HESITATION)
    iterations = (INTERACTIONS - 1) * len(rest.texts) // 512
    rl = _ppo(rest, rest.rewards(), first, seed, iterations=iterations)
    optimal = test.rewards()[np.arange(len(test.texts)), cost_optimal_actions(imitating, validation, test)]
    return {
        "supervised": float(mean_reward(imitating, test).mean()),
        "cost_optimal": float(optimal.mean()),
        "rl": float(mean_reward(rl, test).mean()),
    }


def _rewarded(questions: Questions, start: ActorCritic, interactions: int, seed: int) -> Questions:
    """The questions that the policy, sampling, answered right; each is asked `interactions` times."""
    env = questions.environment(len(questions.texts))
    log = log_decisions(start, env, steps=interactions, seed=seed)
    worked = (log.rewards > 0).numpy()
    texts = tuple(text for text, good in zip(log.observations["text"], worked, strict=True) if good)
    return Questions(texts, log.actions[:, 0].numpy()[worked])


def _imitating(labelled: Questions, rewarded: Questions, seed: int, hesitation: float = 0.0) -> ActorCritic:
    both = Questions(labelled.texts + rewarded.texts, np.concatenate([labelled.intents, rewarded.intents]))
    return supervised_policy(both, seed, LAYERS, 6, hesitation)


def costs_change(train: Questions, validation: Questions, test: Questions, seed: int) -> dict[str, float]:
    """Nobody is told what a wrong answer costs, and half-way it becomes four times dearer; scored on the later costs.

    The baselines know the labels and the first costs; RL sees rewards alone, a few for each text. `cost_optimal_told`
    is what the rule would reach if somebody told it of the change.
    """
    part = train.a_class(25, seed)
    start = supervised_policy(part, seed, LAYERS, 6)
    later = test.rewards(wrong=WRONG_LATER)
    fresh = train.a_class(40, seed + 100)  # other questions: on those that it was taught it makes no mistakes
    hesitant = supervised_policy(part, seed, LAYERS, 6, HESITATION)
    before = _reinforce(fresh, fresh.rewards(), hesitant, seed, iterations=4)
    after = _reinforce(fresh, fresh.rewards(wrong=WRONG_LATER), before, seed + 50, iterations=24)
    rows = np.arange(len(test.texts))
    told = np.where(PAYOFF < 0, WRONG_LATER, PAYOFF).astype(np.float32)
    return {
        "supervised": float(mean_reward(start, test, later).mean()),
        "cost_optimal": float(later[rows, cost_optimal_actions(start, validation, test)].mean()),
        "cost_optimal_told": float(later[rows, cost_optimal_actions(start, validation, test, told)].mean()),
        "rl": float(mean_reward(after, test, later).mean()),
    }


def batch_metric(train: Questions, validation: Questions, test: Questions, seed: int) -> dict[str, float]:
    """Macro F1 of a whole batch, in which at most a tenth may be handed over; each further one costs.

    The baseline with a decision rule hands over the least sure tenth, as chosen on validation.
    """
    part = train.a_class(25, seed)
    start = supervised_policy(part, seed, LAYERS, 6)
    fresh = train.a_class(40, seed + 100)
    settings = rl_settings("reinforce", learning_rate=5e-5, head_learning_rate=5e-4, kl=0.0, group=8, batch_size=256)
    trained = supervised_policy(part, seed, LAYERS, 6, HESITATION)
    Training(trained, BatchReinforce(fresh, settings), settings, seed).iterations(12)
    confident = start.logits({"text": validation.texts}).exp().max(-1).values.numpy()
    bound = np.quantile(confident, CAP)
    sure = start.logits({"text": test.texts})
    chosen = np.where(sure.exp().max(-1).values.numpy() < bound, HAND_OVER, sure.argmax(-1).numpy())
    decide: Callable[[ActorCritic], np.ndarray] = lambda p: p.decide({"text": test.texts})[:, 0]  # noqa: E731
    return {
        "supervised": capped_macro_f1(decide(start), test.intents),
        "cost_optimal": capped_macro_f1(chosen, test.intents),
        "rl": capped_macro_f1(decide(trained), test.intents),
    }


class BatchReinforce(Algorithm):
    """REINFORCE whose reward judges all decisions of a batch together.

    Each decision is credited with what the batch would lose if it were handed over instead: the difference reward of
    Wolpert and Tumer (2001), which leaves the joint optimum where it is.
    """

    def __init__(self, questions: Questions, settings: RLSettings) -> None:
        self.questions, self.settings = questions, settings

    def updates_an_iteration(self) -> int:
        return len(self.questions.texts) // self.settings.batch_size

    def batches(self, policy: Policy, seed: int) -> Iterator[Any]:
        lengths = policy.lengths({"text": self.questions.texts})
        for rows in shuffled(lengths, self.settings.batch_size, np.random.default_rng(seed)):
            yield _Rows(rows)

    def loss(self, policy: Policy, batch: Any) -> tuple[Tensor, Metrics]:
        part = self.questions.take(batch.at)
        distribution = policy({"text": part.texts}).distribution
        drawn = torch.multinomial(distribution.probs.detach(), self.settings.group, replacement=True)
        gains = np.stack([difference_rewards(actions.numpy(), part.intents) for actions in drawn.T], axis=1)
        credits = torch.as_tensor(gains / gains.std().clip(1e-8), dtype=torch.float32)
        loss = -(credits * distribution.log_probs.gather(1, drawn)).mean()
        return loss, {"loss": loss.item()}


class _Rows:
    """Numbers of questions."""

    def __init__(self, at: np.ndarray) -> None:
        self.at = at

    def __len__(self) -> int:
        return len(self.at)

    def rows(self, at: np.ndarray) -> "_Rows":
        return _Rows(self.at[at])


def capped_macro_f1(actions: np.ndarray, intents: np.ndarray) -> float:
    """Macro F1 over what was answered, minus the share handed over beyond the cap."""
    answered = actions != HAND_OVER
    excess = max(0.0, float(1 - answered.mean()) - CAP)
    if not answered.any():
        return -excess
    given, right = actions[answered], intents[answered]
    hits, answers, support = (
        np.bincount(labels, minlength=INTENTS) for labels in (given[given == right], given, right)
    )
    asked = support > 0
    return float((2 * hits[asked] / (answers + support)[asked]).mean()) - excess


def difference_rewards(actions: np.ndarray, intents: np.ndarray) -> np.ndarray:
    """What `capped_macro_f1` loses if one decision alone is handed over instead; float64 of shape (decisions,)."""
    whole, gains = capped_macro_f1(actions, intents), np.zeros(len(actions))
    for row in np.flatnonzero(actions != HAND_OVER):
        without = actions.copy()
        without[row] = HAND_OVER
        gains[row] = whole - capped_macro_f1(without, intents)
    return gains


CONDITIONS: dict[str, Callable[[Questions, Questions, Questions, int], dict[str, float]]] = {
    "chosen_reward_only": chosen_reward_only,
    "costs_change": costs_change,
    "batch_metric": batch_metric,
}


def every_condition(
    train: Questions, validation: Questions, test: Questions, console: Console
) -> dict[str, dict[str, Any]]:
    """Each condition's test score by method; RL's says what it gains over the better baseline, seed by seed."""
    results = {}
    for name, condition in CONDITIONS.items():
        runs = [condition(train, validation, test, seed) for seed in range(SEEDS)]
        scores = {method: np.array([run[method] for run in runs]) for method in runs[0]}
        best = max(("supervised", "cost_optimal"), key=lambda method: scores[method].mean())
        gain = _over_seeds(scores["rl"] - scores[best])
        for method, values in scores.items():
            results[f"condition.{name}.{method}"] = figure(_over_seeds(values))
        note = f"over {best}, seed by seed: {gain}: {verdict(gain)}"
        results[f"condition.{name}.rl"]["note"] = note
        console.print(f"{name}: { {m: round(float(v.mean()), 3) for m, v in scores.items()} }; RL {note}")
    return results


def _over_seeds(values: np.ndarray) -> Estimate:
    """Mean with Student's interval: five seeds are too few for the bootstrap."""
    half = 2.776 * values.std(ddof=1) / len(values) ** 0.5
    return Estimate(float(values.mean()), float(values.mean() - half), float(values.mean() + half))


def _ppo(questions: Questions, rewards: np.ndarray, start: ActorCritic, seed: int, *, iterations: int) -> ActorCritic:
    settings = rl_settings("ppo", steps=8, learning_rate=1e-4, head_learning_rate=1e-3, kl=0.0)
    return _improved(PPO(questions.environment(settings.environments, rewards), settings), start, seed, iterations)


def _reinforce(
    questions: Questions, rewards: np.ndarray, start: ActorCritic, seed: int, *, iterations: int
) -> ActorCritic:
    settings = rl_settings(
        "reinforce",
        group=8,
        environments=512,
        batch_size=128,
        learning_rate=5e-5,
        head_learning_rate=1e-3,
        kl=0.0,
        normalise_advantages=False,
        schedule="linear",
        iterations=iterations,
    )
    algorithm = Reinforce(questions.environment(settings.environments, rewards), settings)
    return _improved(algorithm, start, seed, iterations)


def _improved(algorithm: OnPolicy, start: ActorCritic, seed: int, iterations: int) -> ActorCritic:
    trained = copy.deepcopy(start)
    Training(trained, algorithm, algorithm.settings, seed).iterations(iterations)
    return trained.eval()
