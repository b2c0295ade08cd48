"""A trained policy beside the baselines that its task has."""

import numpy as np
import torch

from core.data.splits import Split
from core.envs.observations import Observations, count
from core.envs.play import Act
from core.evaluation.comparison import Comparison
from core.evaluation.off_policy import LogEvaluator, fit_rewards
from core.evaluation.plots import plot_curves, plot_rewards
from core.models.actor_critic import ActorCritic
from core.training.labels import calibrations, logistic_regression, scores
from core.training.measure import evaluator
from core.training.model_card import model_card
from core.training.run import Run, fingerprint, trained_policy
from core.training.stages import WarmStart
from core.training.task import PolicyT, Task, greedy
from core.util.files import write_json, write_text

LABELS = {
    "initial": "untrained policy",
    "logistic": "frozen encoder + logistic regression + cost-optimal decision",
    "cost_optimal": "supervised + cost-optimal decision",
    "logging": "the policy that made the log",
    "best_action": "always the same action",
    "reward_model": "highest reward by ridge regression",
}


def compare(task: Task, run: Run, split: Split = "test") -> Comparison:
    """Measure the policy of `run` and its baselines on the same episodes, or on the same logged decisions.

    The baselines are the task's own rules, the untrained policy, the stages before RL, and the cost-optimal rule over
    supervised probabilities and over a logistic regression, where the task knows labels and what an action costs. On a
    log: also the policy that made it, the best fixed action, and the best action by a regression of the rewards on the
    training split.

    Raises:
        SteerError: A stage has not been trained yet.
    """
    measure, policy = evaluator(task, split), _settled(trained_policy(task, run))
    acts = {**baselines(task, run), "rl": greedy(policy)}
    labels = LABELS | {stage.name: stage.label for stage in task.stages()}
    if isinstance(measure, LogEvaluator):
        acts = {**_log_baselines(task), **acts}
        played = {"logging": measure.logging_policy(), **{name: measure(act) for name, act in acts.items()}}
        estimates = {name: measure.estimates(act) for name, act in acts.items()}
    else:
        played, estimates = {name: measure(act) for name, act in acts.items()}, {}
    shown = {name: labels.get(name, name.replace("_", " ")) for name in played}
    scored = scores(task, split, acts)
    measures = {name: dict(found) for name, act in acts.items() if (found := task.measures(split, act))}
    calibrated = calibrations(task, split, policy)
    return Comparison(task.name, split, played, shown, estimates, scored, calibrated, measures)


def baselines(task: Task, run: Run) -> dict[str, Act]:
    """What the policy of `run` is compared with where episodes are played: rules, and the stages before RL.

    Raises:
        SteerError: A stage has not been trained yet.
    """
    torch.manual_seed(task.settings.seed)  # as training drew the fresh heads
    acts = {**task.rules(), "initial": greedy(_settled(task.policy().eval()))}
    if (outsider := logistic_regression(task)) is not None:
        acts["logistic"] = outsider
    for stage in (each for each in task.stages()[:-1] if each.is_baseline):
        policy = _settled(trained_policy(task, run, stage.name))
        acts[stage.name] = greedy(policy)
        rule = task.cost_optimal(policy) if stage.name == WarmStart.name else None
        if rule is not None:
            acts["cost_optimal"] = rule
    return acts


def _settled(policy: PolicyT) -> PolicyT:
    """The policy, which is trained no more: what its encoder says of a text is remembered, since many ask for it."""
    if isinstance(policy, ActorCritic):
        policy.encoder.freeze()
    return policy


def save_comparison(task: Task, run: Run, comparison: Comparison) -> None:
    """Leave episodes, figures, plots and the model card in the run folder."""
    comparison.save(run.episodes, fingerprint(task))
    write_json(run.folder / "evaluation.json", comparison.figures())
    plot_rewards(comparison, run.folder / "rewards.png")
    plot_curves({stage.name: run.history(stage.name) for stage in task.stages()}, run.folder / "curves.png")
    write_text(run.folder / "README.md", model_card(task, comparison))


def saved_comparison(task: Task, run: Run) -> Comparison | None:
    """What `save_comparison` left, if the task's settings, code and data are still the same."""
    return Comparison.saved(run.episodes, fingerprint(task))


def _log_baselines(task: Task) -> dict[str, Act]:
    """What a well-read outsider would try on the training split of a log."""
    log = task.logged_decisions("train")
    assert log is not None
    actions, rewards = log.actions[:, 0].numpy(), log.rewards.double().numpy()
    weights = np.exp(-log.log_propensities[:, 0].double().numpy())
    values = {
        action: np.average(rewards[actions == action], weights=weights[actions == action])
        for action in np.unique(actions)
    }
    best = max(values, key=values.__getitem__)
    model = fit_rewards(task.state_vectors(log.observations), actions, rewards, int(actions.max()) + 1)

    def by_reward_model(states: Observations) -> np.ndarray:
        return model.predict(task.state_vectors(states)).argmax(1)[:, None]

    return {"best_action": lambda states: np.full((count(states), 1), best), "reward_model": by_reward_model}
