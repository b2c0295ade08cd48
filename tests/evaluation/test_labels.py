"""How often labels are right and how honest probabilities are, against values worked out by hand."""

import numpy as np
import pytest

from core.evaluation.labels import (
    OptionLabels,
    expected_calibration_error,
    label_probabilities,
    label_scores,
    option_probabilities,
)
from core.rl.supervised import Demonstrations
from core.training.evaluate import compare
from core.training.labels import logistic_regression
from core.training.run import Run
from core.training.stages import LinearProbe, ResidualRL, WarmStart
from core.training.train import train
from tests.core.bandit import Bandit, settings


def test_the_calibration_error_is_the_mean_gap_of_the_bins_each_weighed_by_its_states():
    # Bins of a quarter: .6 and .7 lie in the third (one of the two is right), .9 alone in the fourth (wrong).
    probabilities = np.array([[0.6, 0.4], [0.3, 0.7], [0.1, 0.9]])
    gap = 2 / 3 * abs(0.65 - 0.5) + 1 / 3 * 0.9
    assert expected_calibration_error(probabilities, np.array([0, 0, 0]), bins=4) == pytest.approx(gap)


def test_who_is_right_as_often_as_it_says_has_no_calibration_error():
    probabilities = np.tile([0.75, 0.25], (4, 1))
    assert expected_calibration_error(probabilities, np.array([0, 0, 1, 0])) == 0
    assert expected_calibration_error(np.eye(2), np.array([0, 1])) == 0
    assert expected_calibration_error(np.eye(2), np.array([1, 0])) == 1


def test_a_label_that_is_never_right_counts_as_a_miss_and_not_as_a_class():
    right, said = np.array([0, 0, 1, 1]), np.array([0, 5, 1, -1])
    found = label_scores(said, right)
    assert found.accuracy == 0.5
    assert found.macro_f1 == pytest.approx(2 / 3)  # of either label: precision 1, recall 1/2


def test_options_that_say_the_same_share_what_their_label_is_given_and_what_no_option_says_falls_to_one():
    said = np.array([[0, 0, 1, -1]])
    options = OptionLabels({"intent": said}, fallback=3)
    chances = option_probabilities({"intent": np.array([[0.4, 0.3, 0.3]])}, options)
    np.testing.assert_allclose(chances, [[0.2, 0.2, 0.3, 0.3]])
    np.testing.assert_allclose(label_probabilities(chances, said, 3), [[0.4, 0.3, 0.0]])


def test_a_joint_option_is_as_probable_as_its_labels_together():
    pairs = OptionLabels({"topic": np.array([[0, 0, 1, 1]]), "mood": np.array([[0, 1, 0, 1]])})
    labels = {"topic": np.array([[0.2, 0.8]]), "mood": np.array([[0.5, 0.5]])}
    np.testing.assert_allclose(option_probabilities(labels, pairs), [[0.1, 0.1, 0.4, 0.4]])


class Labelled(Bandit):
    """Sentences whose labels are known, and a rule over beliefs about them."""

    def stages(self):
        return LinearProbe(), WarmStart(), ResidualRL(after="supervised")

    def labelled_states(self, split):
        known: Demonstrations = self.demonstrations(split)
        return known.observations, {"subject": known.targets.argmax(axis=1)}

    def option_labels(self, states):
        return OptionLabels({"subject": np.tile(np.arange(3), (len(states["text"]), 1))})


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    task = Labelled(settings("linear.iterations=2", "supervised.iterations=2", "rl.iterations=1", "rl.algorithm=ppo"))
    run = Run(tmp_path_factory.mktemp("runs") / "labelled")
    train(task, run, lambda *_: None, lambda *_: None)
    return task, compare(task, run), run


def test_every_policy_has_its_labels_measured_beside_its_reward(compared):
    _, comparison, _ = compared
    assert comparison.label_scores.keys() == comparison.played.keys()
    for name, played in comparison.played.items():
        right = (played.returns > 0).mean()
        assert comparison.label_scores[name]["subject"].accuracy == pytest.approx(right)
    assert comparison.figures()["bandit.rl"]["labels"]["subject"]["accuracy"] > 1 / 3
    assert 0 <= comparison.calibrations["subject"].after <= 1


def test_an_outsider_learns_from_the_training_split_alone_and_weighs_what_mistakes_cost(compared):
    task, comparison, _ = compared
    assert comparison.label_scores["logistic"]["subject"].accuracy > 0.6
    states = task.environment("test").states
    plain = logistic_regression(task)(states)
    dear = Labelled(task.settings)
    dear.reward_table = lambda states: np.array([[1, -1, -1], [-1, 1, -1], [-50, -50, 1]], dtype=np.float32)
    assert (logistic_regression(dear)(states) == 2).mean() > (plain == 2).mean()


def test_what_was_measured_of_labels_is_kept_and_told_in_the_model_card(compared, tmp_path):
    from core.evaluation.comparison import Comparison
    from core.training.model_card import model_card

    task, comparison, _ = compared
    comparison.save(tmp_path / "episodes.json", "same")
    again = Comparison.saved(tmp_path / "episodes.json", "same")
    assert (again.label_scores, again.calibrations) == (comparison.label_scores, comparison.calibrations)
    card = model_card(task, comparison)
    found = comparison.label_scores["logistic"]["subject"]
    assert f"| {found.accuracy:.3f}, {found.macro_f1:.3f} |" in card
    assert f"{comparison.calibrations['subject'].before:.3f}" in card
