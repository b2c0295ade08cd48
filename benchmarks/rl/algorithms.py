"""Every algorithm's test reward from the same supervised start, beside supervision alone and the cost-optimal rule."""

import copy
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.rl.running import Training
from benchmarks.rl.task import SUPERVISED_RATES, Questions, mean_reward, policy, rl_settings, supervised_settings
from benchmarks.side_by_side import side_by_side
from core.evaluation.bootstrap import Estimate, bootstrap_mean, paired_gain
from core.evaluation.comparison import verdict
from core.evaluation.cost_optimal import fit_temperature, minimum_expected_cost
from core.evaluation.figures import figure
from core.models.actor_critic import ActorCritic
from core.rl.algorithm import Algorithm
from core.rl.all_action import AllAction
from core.rl.off_policy import OffPolicy, log_decisions
from core.rl.supervised import Supervised
from core.training.stages import ON_POLICY

# Questions of each intent: the labels of the first few train the start; RL goes on with the rewards of all of them,
# and the supervised baselines have the labels of all of them.
SEEDS, STARTING, A_CLASS, EPOCHS = 4, 10, 25, 8
HESITATION = 0.1
# Iterations, and what differs from the shared settings; a few passes over the questions each.
WORK: dict[str, tuple[int, dict[str, Any]]] = {
    "ppo": (24, {"n_steps": 4}),
    "a2c": (36, {"n_steps": 2}),
    "trpo": (6, {"n_steps": 4, "target_kl": 0.02, "fisher_rows": 64, "cg_max_steps": 5, "n_epochs": 1}),
    "reinforce": (
        72,
        {"n_steps": 1, "num_generations": 8, "n_envs": 128, "learning_rate": 3e-5, "head_learning_rate": 3e-4},
    ),
    "grpo": (
        48,
        {"n_steps": 1, "num_generations": 8, "n_envs": 128, "learning_rate": 3e-5, "head_learning_rate": 3e-4},
    ),
    # The more entropy, the nearer its probabilities to softmax(expected reward / weight): unsure, it hands over.
    "all_action": (8, {**SUPERVISED_RATES, "ent_coef": 0.4, "lr_scheduler_type": "linear"}),
    "off_policy": (4, {}),
}
PAYOFF = np.concatenate([np.where(np.eye(77) > 0, 1.0, -1.0), np.zeros((77, 1))], axis=1).astype(np.float32)


def supervised_policy(
    train: Questions, seed: int, layers: int = 2, epochs: int = EPOCHS, hesitation: float = 0.0
) -> ActorCritic:
    """Trained on labels; a start for RL needs `HESITATION`, for what it never does it cannot learn to do."""
    settings = supervised_settings(epochs)
    trained = policy(seed, layers=layers)
    Training(trained, Supervised(train.demonstrations(hesitation), settings), settings, seed).iterations(epochs)
    return trained.eval()


def cost_optimal_actions(
    trained: ActorCritic, held_out: Questions, questions: Questions, payoff: np.ndarray = PAYOFF
) -> np.ndarray:
    """Actions of the highest expected reward; the temperature is fitted on held-out questions."""
    temperature = fit_temperature(trained.logits({"text": held_out.texts}), held_out.demonstrations())
    return minimum_expected_cost(trained.logits({"text": questions.texts}), payoff, temperature)[:, 0]


def every_algorithm(
    train: Questions, validation: Questions, test: Questions, console: Console
) -> dict[str, dict[str, Any]]:
    """Mean test reward over seeds, and the share of right answers among all questions."""
    rewards: dict[str, list[np.ndarray]] = {name: [] for name in ("start", "supervised", "cost_optimal", *WORK)}
    jobs = [(train, validation, test, seed) for seed in range(SEEDS)]
    for seed, found in enumerate(side_by_side(_one_seed, jobs)):
        for name, values in found.items():
            rewards[name].append(values)
        console.print(f"seed {seed}: { {name: round(float(values.mean()), 3) for name, values in found.items()} }")
    return {f"test_reward.{name}": _figure(name, values, rewards) for name, values in rewards.items()}


def _one_seed(train: Questions, validation: Questions, test: Questions, seed: int) -> dict[str, np.ndarray]:
    """Every policy's reward for each test question."""
    part = train.a_class(A_CLASS, seed)
    start = supervised_policy(part.a_class(STARTING, seed), seed, hesitation=HESITATION)
    supervised = supervised_policy(part, seed)
    optimal = test.rewards()[np.arange(len(test.texts)), cost_optimal_actions(supervised, validation, test)]
    baselines = {"start": mean_reward(start, test), "supervised": mean_reward(supervised, test)}
    learnt = {name: mean_reward(_trained(name, part, start, seed), test) for name in WORK}
    return {**baselines, "cost_optimal": optimal, **learnt}


def _trained(name: str, part: Questions, start: ActorCritic, seed: int) -> ActorCritic:
    iterations, changes = WORK[name]
    settings = rl_settings(name, iterations=iterations, kl_coef=0.01, **changes)
    trained, reference = (copy.deepcopy(start) for _ in range(2))  # they share what the frozen layers say
    reference.requires_grad_(False).eval()
    algorithm: Algorithm
    if name == "all_action":
        values = part.rewards()
        algorithm = AllAction({"text": part.texts}, lambda _: values, settings, reference)
    elif name == "off_policy":
        log = log_decisions(reference, part.environment(len(part.texts)), n_steps=1, seed=seed)
        algorithm = OffPolicy(log, settings, reference)
    else:
        algorithm = ON_POLICY[name](part.environment(settings.n_envs), settings, reference)
    Training(trained, algorithm, settings, seed).iterations(iterations)
    return trained.eval()


def _figure(name: str, values: list[np.ndarray], rewards: dict[str, list[np.ndarray]]) -> dict[str, Any]:
    everything = np.stack(values)
    by_question = bootstrap_mean(everything.mean(0))
    gain = paired_gain(everything.mean(0), np.stack(rewards["cost_optimal"]).mean(0))
    seeds = [round(float(value.mean()), 4) for value in values]
    note = f"accuracy {(everything > 0).mean():.3f}, handed over {(everything == 0).mean():.3f}, by seed {seeds}"
    if name in WORK:
        note += f"; against cost_optimal {_signed(gain)}: {verdict(gain)}"
    return figure(by_question) | {"note": note}


def _signed(gain: Estimate) -> str:
    return f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]"
