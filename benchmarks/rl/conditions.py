"""Three conditions in which RL should earn its place, against the same baselines, with five seeds each."""

import operator
from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.rl.algorithms import HESITATION, PAYOFF, cost_optimal_actions, supervised_policy
from benchmarks.rl.batch_metric import CAP, BatchReinforce, capped_macro_f1, credited
from benchmarks.rl.running import Training
from benchmarks.rl.task import HAND_OVER, Questions, mean_reward, rl_settings
from benchmarks.side_by_side import side_by_side
from core.evaluation.bootstrap import Estimate
from core.evaluation.comparison import verdict
from core.evaluation.figures import figure
from core.models.actor_critic import ActorCritic
from core.rl.off_policy import LoggedDecisions, OffPolicy, log_decisions
from core.rl.reinforce import Reinforce

SEEDS, LAYERS, EPOCHS = 5, 1, 6
WRONG_LATER = -4.0
INTERACTIONS = 3


def chosen_reward_only(train: Questions, validation: Questions, test: Questions, seed: int) -> dict[str, float]:
    """Three labels an intent; for other questions only the reward of the action taken is ever seen, three times each.

    The baselines imitate, supervised, those of the start's own actions that were rewarded. RL has as many interactions
    and acts better in each round, since it imitates what was rewarded after each; in the end it learns from the whole
    log what to leave to a person.
    """
    labelled = train.a_class(3, seed)
    rest = train.without(labelled).a_class(25, seed + 100)
    start = supervised_policy(labelled, seed, LAYERS, EPOCHS)
    imitating = _imitating(labelled, _acted(start, rest, INTERACTIONS, seed), seed)
    improving, log = start, _acted(start, rest, 1, seed)
    for interaction in range(1, INTERACTIONS):
        improving = _imitating(labelled, log, seed)
        log += _acted(improving, rest, 1, seed + 1000 * interaction)
    rl = _tapered(log, _imitating(labelled, log, seed, HESITATION), seed)
    optimal = test.rewards()[np.arange(len(test.texts)), cost_optimal_actions(imitating, validation, test)]
    return {
        "supervised": float(mean_reward(imitating, test).mean()),
        "cost_optimal": float(optimal.mean()),
        "rl": float(mean_reward(rl, test).mean()),
    }


def costs_change(train: Questions, validation: Questions, test: Questions, seed: int) -> dict[str, float]:
    """Nobody is told what a wrong answer costs, and half-way it becomes four times dearer; scored on the later costs.

    The baselines know the labels and the first costs. RL sees the rewards of what it does with further questions: half
    of them before the change, half after it, a few for each text. `cost_optimal_told` is what the rule would reach if
    somebody told it of the change.
    """
    part, halves = _with_further(train, seed)
    start = supervised_policy(part, seed, LAYERS, EPOCHS)
    before = _imitating(part, _acted(start, halves[0], 1, seed), seed, HESITATION)
    after = _reinforced(halves[1], halves[1].rewards(wrong=WRONG_LATER), before, seed, iterations=16)
    rows, later = np.arange(len(test.texts)), test.rewards(wrong=WRONG_LATER)
    told = np.where(PAYOFF < 0, WRONG_LATER, PAYOFF).astype(np.float32)
    return {
        "supervised": float(mean_reward(start, test, later).mean()),
        "cost_optimal": float(later[rows, cost_optimal_actions(start, validation, test)].mean()),
        "cost_optimal_told": float(later[rows, cost_optimal_actions(start, validation, test, told)].mean()),
        "rl": float(mean_reward(after, test, later).mean()),
    }


def batch_metric(train: Questions, validation: Questions, test: Questions, seed: int) -> dict[str, float]:
    """Macro F1 of a whole batch, in which at most a tenth may be handed over; each further one costs.

    The baseline with a decision rule hands over the least sure tenth, as chosen on validation. RL sees the metric of
    batches of further questions: it imitates what did good in the first half, and goes on by policy gradient.
    """
    part, halves = _with_further(train, seed)
    start = supervised_policy(part, seed, LAYERS, EPOCHS)
    trained = _imitating(part, credited(_acted(start, halves[0], 1, seed), halves[0]), seed, HESITATION)
    changes = {
        "learning_rate": 5e-5,
        "head_learning_rate": 3e-3,
        "batch_size": 256,
        "num_generations": 8,
        "kl_coef": 0.0,
    }
    settings = rl_settings("reinforce", iterations=10, lr_scheduler_type="linear", **changes)
    Training(trained, BatchReinforce(halves[1], settings), settings, seed).iterations(settings.iterations)
    confident = start.logits({"text": validation.texts}).exp().max(-1).values.numpy()
    bound = np.quantile(confident, CAP)
    sure = start.logits({"text": test.texts})
    chosen = np.where(sure.exp().max(-1).values.numpy() < bound, HAND_OVER, sure.argmax(-1).numpy())
    return {
        "supervised": capped_macro_f1(start.predict({"text": test.texts})[:, 0], test.intents),
        "cost_optimal": capped_macro_f1(chosen, test.intents),
        "rl": capped_macro_f1(trained.predict({"text": test.texts})[:, 0], test.intents),
    }


Condition = Callable[[Questions, Questions, Questions, int], dict[str, float]]
CONDITIONS: dict[str, Condition] = {
    "chosen_reward_only": chosen_reward_only,
    "costs_change": costs_change,
    "batch_metric": batch_metric,
}


def every_condition(
    train: Questions, validation: Questions, test: Questions, console: Console
) -> dict[str, dict[str, Any]]:
    """Each condition's test score by method; RL's says what it gains over the better baseline, seed by seed."""
    results = {}
    jobs = [(condition, train, validation, test, seed) for condition in CONDITIONS.values() for seed in range(SEEDS)]
    runs_of_all = side_by_side(operator.call, jobs)
    for name in CONDITIONS:
        runs = list(islice(runs_of_all, SEEDS))
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


def _with_further(train: Questions, seed: int) -> tuple[Questions, list[Questions]]:
    """Labelled questions, 25 of each intent, and two halves of further ones."""
    part = train.a_class(25, seed)
    further = train.without(part).a_class(60, seed + 100)
    return part, [further.take(np.arange(half, len(further.texts), 2)) for half in range(2)]


def _acted(policy: ActorCritic, questions: Questions, times: int, seed: int) -> LoggedDecisions:
    """What the policy, sampling, does with each question, so many times."""
    return log_decisions(policy, questions.environment(len(questions.texts)), n_steps=times, seed=seed)


def _imitating(labelled: Questions, log: LoggedDecisions, seed: int, hesitation: float = 0.0) -> ActorCritic:
    """A fresh policy, supervised by the labels and by those logged actions that were rewarded.

    In rounds, this is expert iteration (Anthony et al. 2017) or, on language models, RAFT (Dong et al. 2023).
    """
    worked = (log.rewards > 0).numpy()
    texts = tuple(text for text, good in zip(log.observations["text"], worked, strict=True) if good)
    both = Questions(labelled.texts + texts, np.concatenate([labelled.intents, log.actions[:, 0].numpy()[worked]]))
    return supervised_policy(both, seed, LAYERS, EPOCHS, hesitation)


def _tapered(log: LoggedDecisions, start: ActorCritic, seed: int) -> ActorCritic:
    settings = rl_settings(
        "off_policy",
        iterations=2,
        batch_size=32,
        learning_rate=5e-5,
        head_learning_rate=1e-3,
        lr_scheduler_type="linear",
        ent_coef=0.0,
        kl_coef=0.0,
        is_weight_max=1.0,
        is_weight_min=1.0,
        baseline=0.0,
    )
    Training(start, OffPolicy(log, settings), settings, seed).iterations(settings.iterations)
    return start.eval()


def _reinforced(
    questions: Questions, rewards: np.ndarray, start: ActorCritic, seed: int, *, iterations: int
) -> ActorCritic:
    settings = rl_settings(
        "reinforce",
        iterations=iterations,
        num_generations=8,
        n_envs=512,
        n_steps=1,
        batch_size=128,
        learning_rate=5e-5,
        head_learning_rate=1e-3,
        lr_scheduler_type="linear",
        ent_coef=0.3,
        kl_coef=0.0,
        normalize_advantage=False,
    )
    algorithm = Reinforce(questions.environment(settings.n_envs, rewards), settings)
    Training(start, algorithm, settings, seed).iterations(iterations)
    return start.eval()
