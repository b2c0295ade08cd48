"""What a task's labels allow to measure, and what an outsider would make of them in a few lines."""

import copy
from collections.abc import Mapping

import numpy as np
import torch

from core.data.splits import Split
from core.envs.observations import Observations
from core.envs.play import Act
from core.evaluation.cost_optimal import minimum_expected_cost
from core.evaluation.labels import (
    Calibration,
    LabelScores,
    expected_calibration_error,
    label_probabilities,
    label_scores,
    option_probabilities,
)
from core.models.policy import Policy
from core.models.rule_head import RulePolicy
from core.training.task import Task


def scores(task: Task, split: Split, acts: Mapping[str, Act]) -> dict[str, dict[str, LabelScores]]:
    """How often the labels of each decision rule are right, by rule and question; empty where there are no labels."""
    known, found = task.labelled_states(split), {}
    if known is None:
        return {}
    states, right = known
    options = task.option_labels(states)
    for name, act in acts.items():
        chosen = act(states)[:, :1]
        said = {each: np.take_along_axis(labels, chosen, axis=1)[:, 0] for each, labels in options.by_question.items()}
        found[name] = {question: label_scores(said[question], labels) for question, labels in right.items()}
    return found


def calibrations(task: Task, split: Split, policy: Policy) -> dict[str, Calibration]:
    """How honest the beliefs are that a policy decides by, by question; empty where there are none, or no labels."""
    known = task.labelled_states(split)
    if known is None or not isinstance(policy, RulePolicy):
        return {}
    states, right = known
    options = task.option_labels(states)
    before = copy.deepcopy(policy)
    before.head.running_temperature.fill_(1.0)
    beliefs = [each.decide(states)[1].numpy() for each in (before, policy)]

    def error(stated: np.ndarray, question: str) -> float:
        said, labels = options.by_question[question], right[question]
        found = label_probabilities(stated, said, 1 + max(said.max(), labels.max()))
        return expected_calibration_error(found, labels)

    return {question: Calibration(*(error(stated, question) for stated in beliefs)) for question in right}


def logistic_regression(task: Task) -> Act | None:
    """The frozen encoder, logistic regression on the labels of the training split, and the minimum expected cost."""
    from sklearn.linear_model import LogisticRegression  # a second to import, and most who import this measure nothing

    known = task.labelled_states("train")
    if known is None or task.reward_table(known[0]) is None:
        return None
    vectors = _unit_vectors(task, known[0])
    models = {name: LogisticRegression(C=10.0, max_iter=2000).fit(vectors, right) for name, right in known[1].items()}

    def act(states: Observations) -> np.ndarray:
        table = task.reward_table(states)
        assert table is not None
        options, vectors, labels = task.option_labels(states), _unit_vectors(task, states), {}
        for question, model in models.items():
            size = 1 + max(options.by_question[question].max(), model.classes_.max())
            labels[question] = np.zeros((len(vectors), size))
            labels[question][:, model.classes_] = model.predict_proba(vectors)
        chances = torch.from_numpy(option_probabilities(labels, options)).float().clamp_min(1e-9)
        return minimum_expected_cost(chances.log(), table, temperature=1.0)

    return act


def _unit_vectors(task: Task, states: Observations) -> np.ndarray:
    vectors = task.state_vectors(states)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
