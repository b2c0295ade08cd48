"""The page about the use from Python works as it stands."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from apps.finance_monitor.data import LABELS
from core.envs.play import play

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


@pytest.fixture(scope="module")
def page(runs, tmp_path_factory):
    """What the names of the page stand for, once its blocks have been run."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "runs").symlink_to(runs)
    names: dict = {"__name__": "page"}
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
            exec(compile(code, str(PAGE), "exec"), names)
    return names


def test_the_learner_teaches_the_policy(page):
    assert page["validate"](page["policy"]) == 1
    assert page["history"][-1]["iteration"] == 8


def test_what_was_saved_is_what_was_learnt(page):
    np.testing.assert_array_equal(page["again"].predict(page["states"]), page["policy"].predict(page["states"]))
    assert page["actions"].shape == (2, 1)
    assert page["expected"].shape == (2,)
    torch.testing.assert_close(page["log_probs"], page["drawn"].log_probs, atol=1e-4, rtol=1e-4)


def test_a_run_is_opened(page):
    assert page["beliefs"].sum().item() == pytest.approx(1, abs=1e-4)
    assert page["decision"] in LABELS


def test_the_language_model_learns_to_write_what_is_rewarded(page):
    assert play(page["writing"](2), page["writer"].predict).returns.mean() > 0.6  # chance is 1/12
