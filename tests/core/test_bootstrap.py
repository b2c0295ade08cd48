"""Intervals say how sure a mean is: as wide as theory has it, and right as often as they claim."""

import numpy as np
import pytest

from core.evaluation.bootstrap import Estimate, bootstrap, bootstrap_mean, paired_gain


def test_an_estimate_reads_as_a_value_with_its_interval():
    assert str(Estimate(0.5, -0.25, 1.0)) == "0.500 [-0.250, 1.000]"


def test_two_values_give_the_quartiles_that_can_be_counted():
    # Resamples of 0 and 1 have the means 0, 1/2, 1/2, 1.
    assert bootstrap_mean(np.array([0.0, 1.0])) == Estimate(0.5, 0.0, 1.0)


def test_values_that_do_not_differ_leave_no_doubt():
    assert bootstrap_mean(np.full(7, 0.25)) == Estimate(0.25, 0.25, 0.25)


def test_the_interval_is_that_of_the_normal_approximation_where_it_holds():
    values = np.random.default_rng(1).normal(3.0, 2.0, size=2000)
    estimate = bootstrap_mean(values)
    half = 1.96 * values.std() / np.sqrt(2000)
    assert estimate.value == values.mean()
    assert estimate.value - estimate.low == pytest.approx(half, rel=0.04)
    assert estimate.high - estimate.value == pytest.approx(half, rel=0.04)


def test_the_true_mean_lies_in_about_95_of_100_intervals():
    generator = np.random.default_rng(2)
    samples = generator.normal(1.0, 1.0, size=(100, 40))
    estimates = [bootstrap_mean(sample, seed=at) for at, sample in enumerate(samples)]
    hits = sum(estimate.low <= 1.0 <= estimate.high for estimate in estimates)
    assert 90 <= hits <= 98


def test_a_seed_gives_the_same_interval_again_and_another_seed_another():
    values = np.random.default_rng(3).normal(size=30)
    assert bootstrap_mean(values) == bootstrap_mean(values, seed=0) == bootstrap_mean(values)
    assert bootstrap_mean(values) != bootstrap_mean(values, seed=1)
    assert bootstrap(lambda rows: values[rows].mean(-1), 30) == bootstrap_mean(values)
    assert paired_gain(values, -values) == bootstrap_mean(2 * values)
    assert paired_gain(values, -values, seed=4) == bootstrap_mean(2 * values, seed=4)


def test_nothing_has_no_mean():
    with pytest.raises(ValueError, match="no values"):
        bootstrap_mean(np.array([]))


def test_a_paired_gain_leaves_out_what_both_find_difficult():
    generator = np.random.default_rng(5)
    difficulty = generator.normal(0.0, 10.0, size=200)
    baseline = difficulty + generator.normal(0.0, 0.1, size=200)
    better = difficulty + 0.5 + generator.normal(0.0, 0.1, size=200)
    gain = paired_gain(better, baseline)
    assert gain.value == pytest.approx(better.mean() - baseline.mean())
    assert 0.45 < gain.low < gain.value < gain.high < 0.55
    assert bootstrap_mean(better).high - bootstrap_mean(better).low > 2
