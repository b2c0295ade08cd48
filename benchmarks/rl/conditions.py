"""Three conditions in which RL should earn its place, against the same baselines, with five seeds each."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from rich.console import Console
from sklearn.metrics import f1_score
from torch import Tensor

from benchmarks.rl.algorithms import PAYOFF, cost_optimal_actions, supervised_policy
from benchmarks.rl.running import Training, copy_of
from benchmarks.rl.task import HAND_OVER, INTENTS, Questions, mean_reward, policy, rl_settings, supervised_settings
from core.config import RLSettings
from core.data.batches import shuffled
from core.evaluation.bootstrap import Estimate
from core.evaluation.compare import verdict
from core.evaluation.figures import figure
from core.models.actor_critic import ActorCritic
from core.models.policy import Policy
from core.rl.advantages import leave_one_out
from core.rl.algorithm import Algorithm, Metrics
from core.rl.off_policy import log_decisions
from core.rl.ppo import PPO
from core.rl.supervised import Demonstrations, Supervised

SEEDS, LAYERS = 5, 1
WRONG_LATER = -4.0
CAP = 0.1

Scores = dict[str, list[float]]


def chosen_reward_only(train: Questions, validation: Questions, test: Questions, seed: int) -> dict[str, float]:
    """Ten labels an intent; for the rest only the reward of the action taken is ever seen.

    The baselines imitate, supervised, those logged actions that were rewarded: as many interactions as RL gets.
    """
    labelled, rest = train.a_class(10, seed), train.a_class(40, seed + 100)
    start = supervised_policy(labelled, seed, LAYERS, 6)
    reference = copy_of(start, policy(seed, layers=LAYERS)).eval()
    log = log_decisions(reference, rest.environment(len(rest.texts)), steps=1, seed=seed)
    worked = (log.rewards > 0).numpy()
    right = np.eye(INTENTS + 1, dtype=np.float32)[log.actions[:, 0].numpy()[worked]]
    texts = tuple(text for text, good in zip(log.observations["text"], worked, strict=True) if good)
    both = Demonstrations({"text": labelled.texts + texts}, np.concatenate([labelled.demonstrations().targets, right]))
    settings = supervised_settings(6)
    imitating = policy(seed, layers=LAYERS)
    Training(imitating, Supervised(both, settings), settings, seed).iterations(6)
    rl = _ppo(rest, rest.rewards(), start, seed, iterations=len(rest.texts) // 512)
    optimal = test.rewards()[np.arange(len(test.texts)), cost_optimal_actions(imitating.eval(), validation, test)]
    return {
        "supervised": float(mean_reward(imitating, test).mean()),
        "cost_optimal": float(optimal.mean()),
        "rl": float(mean_reward(rl, test).mean()),
    }


def costs_change(train: Questions, validation: Questions, test: Questions, seed: int) -> dict[str, float]:
    """Nobody is told what a wrong answer costs, and half-way it becomes four times dearer; scored on the later costs.

    The baselines know the labels and the first costs; RL sees rewards alone, a few for each text. `cost_optimal_told`
    is what the rule would reach if somebody told it of the change.
    """
    part = train.a_class(25, seed)
    start = supervised_policy(part, seed, LAYERS, 6)
    later = test.rewards(wrong=WRONG_LATER)
    fresh = train.a_class(40, seed + 100)  # other questions: on those that it was taught it makes no mistakes
    before = _ppo(fresh, fresh.rewards(), start, seed, iterations=3)
    after = _ppo(fresh, fresh.rewards(wrong=WRONG_LATER), before, seed + 50, iterations=9)
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
    settings = rl_settings("reinforce", learning_rate=5e-5, head_learning_rate=5e-4, kl=0.05, group=8, batch_size=256)
    trained = copy_of(start, policy(seed, layers=LAYERS))
    reference = copy_of(start, policy(seed, layers=LAYERS)).eval()
    Training(trained, BatchReinforce(fresh, settings, reference), settings, seed).iterations(6)
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
    """REINFORCE whose reward judges all decisions of a batch together; several joint decisions are compared."""

    def __init__(self, questions: Questions, settings: RLSettings, reference: ActorCritic) -> None:
        self.questions, self.settings = questions, settings
        self.reference = reference.logits({"text": questions.texts})

    def updates_an_iteration(self) -> int:
        return len(self.questions.texts) // self.settings.batch_size

    def batches(self, policy: Policy, seed: int) -> Iterator[Any]:
        torch.manual_seed(seed)
        lengths = policy.lengths({"text": self.questions.texts})
        for rows in shuffled(lengths, self.settings.batch_size, np.random.default_rng(seed)):
            yield _Rows(rows)

    def loss(self, policy: Policy, batch: Any) -> tuple[Tensor, Metrics]:
        part = self.questions.take(batch.at)
        distribution = policy({"text": part.texts}).distribution
        drawn = torch.multinomial(distribution.probs.detach(), self.settings.group, replacement=True)
        rewards = [capped_macro_f1(actions.numpy(), part.intents) for actions in drawn.T]
        gains = leave_one_out(torch.tensor(rewards), self.settings.group)
        log_probs = distribution.log_probs.gather(1, drawn).sum(0)
        kl = distribution.kl(self.reference[batch.at]).mean()
        loss = -(gains * log_probs).mean() + self.settings.kl * kl
        return loss, {"loss": loss.item(), "train_return": float(np.mean(rewards)), "kl": kl.item()}


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
    labels = np.unique(intents[answered])
    return (
        float(f1_score(intents[answered], actions[answered], labels=labels, average="macro", zero_division=0)) - excess
    )


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
    trained = copy_of(start, policy(seed, layers=LAYERS))
    algorithm = PPO(questions.environment(settings.environments, rewards), settings)
    Training(trained, algorithm, settings, seed).iterations(iterations)
    return trained.eval()
