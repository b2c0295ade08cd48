"""Which version serves: a measurably worse one does not, and there is always a way back."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from core.platform.store import versions
from core.platform.versions.metrics import Metrics
from core.platform.versions.promotion import promote, rollback, worse
from core.training.run import Run
from core.util.errors import SteerError
from tests.core.bandit import Bandit


@pytest.fixture
def made(library, task, good):
    """Registers a version that earned the given returns."""

    def make(*returns: float, of: Bandit = task) -> str:
        return library.register(of, good, Metrics.of(np.array(returns)) if returns else Metrics()).name

    return make


def serving(library) -> str:
    with library.store.reading() as session:
        return versions.current(session, "bandit").name


def test_a_promoted_version_serves(library, made):
    made(1, 1, 1)
    promotion = promote(library, Bandit, "v0001", "ann")
    assert (promotion.version, promotion.who, promotion.reason) == ("v0001", "ann", "")
    assert serving(library) == "v0001"


def test_a_worse_policy_is_refused_and_a_reason_overrides(library, task, good, good_metrics, spoilt, spoilt_metrics):
    library.register(task, good, good_metrics)
    library.register(task, spoilt, spoilt_metrics)
    promote(library, Bandit, "v0001", "ann")
    with pytest.raises(
        SteerError, match=r"v0002 is worse than v0001, which serves, by -.* on the same 12 test episodes"
    ):
        promote(library, Bandit, "v0002", "ann")
    assert serving(library) == "v0001"
    promote(library, Bandit, "v0002", "ann", "the old one insults customers")
    assert serving(library) == "v0002"
    with library.store.reading() as session:
        assert versions.history(session, "bandit")[-1].reason == "the old one insults customers"


def test_a_difference_within_the_interval_is_no_reason_to_refuse(library, made):
    made(1, 0, 1, 0, 1, 0)
    made(0, 1, 0, 1, 0, 0)
    promote(library, Bandit, "v0001", "ann")
    promote(library, Bandit, "v0002", "ann")
    assert serving(library) == "v0002"


def test_pairs_show_what_intervals_of_their_own_would_hide(library, made):
    difficulty = np.random.default_rng(0).normal(scale=10, size=50)
    made(*difficulty)
    made(*(difficulty - 0.1))
    promote(library, Bandit, "v0001", "ann")
    with pytest.raises(SteerError, match="worse"):
        promote(library, Bandit, "v0002", "ann")


@pytest.mark.parametrize(("earned", "refused"), [((0.0,) * 6, True), ((1.0, 0.0, 1.0, 0.0, 1.0, 0.0), False)])
def test_on_other_data_the_mean_is_compared_with_the_interval(library, made, changed_task, earned, refused):
    made(1, 0, 1, 0, 1, 1)
    made(*earned, of=changed_task)
    old, new = library.version("bandit", "v0001"), library.version("bandit", "v0002")
    fault = worse(new, old)
    assert (fault is not None) == refused
    if fault:
        assert "bandit v0002 earns 0.000, less than v0001, which serves and earns 0.667 [" in fault


def test_as_many_episodes_are_needed_for_pairs(library, made):
    made(1, 1, 1)
    made(1, 1, 1, 0.9)
    assert "earns 0.975, less than" in worse(library.version("bandit", "v0002"), library.version("bandit", "v0001"))


def test_a_version_that_nobody_measured_is_not_promoted_whatever_the_reason(library, made):
    made()
    with pytest.raises(SteerError, match="nobody measured what bandit v0001 earns"):
        promote(library, Bandit, "v0001", "ann", "trust me")


def test_after_a_first_version_that_nobody_measured_any_measured_one_may_serve(library, made):
    made()
    with library.store.transaction() as session:
        versions.promote(session, versions.find(session, "bandit", "v0001"), "the server")
    made(-1, -1)
    promote(library, Bandit, "v0002", "ann")
    assert serving(library) == "v0002"


def test_an_unknown_version_and_the_one_that_serves_are_not_promoted(library, made):
    with pytest.raises(SteerError, match="no version 'v0009'"):
        promote(library, Bandit, "v0009", "ann")
    made(1)
    promote(library, Bandit, "v0001", "ann")
    with pytest.raises(SteerError, match="v0001 serves already"):
        promote(library, Bandit, "v0001", "ann")


def test_a_changed_file_is_not_promoted(library, made):
    made(1)
    weights = library.path(library.version("bandit", "v0001")) / "rl/model/policy.safetensors"
    with weights.open("r+b") as stream:
        stream.seek(-1, 2)
        last = stream.read(1)
        stream.seek(-1, 2)
        stream.write(bytes([last[0] ^ 1]))
    with pytest.raises(SteerError, match=r"policy\.safetensors was changed"):
        promote(library, Bandit, "v0001", "ann", "it will be fine")


def test_a_policy_that_does_not_open_is_not_promoted_whatever_the_reason(library, task, good, good_metrics, tmp_path):
    run = Run(tmp_path / "cut" / Bandit.name)
    shutil.copytree(good.folder, run.folder)
    file = run.model("rl") / "policy.safetensors"
    tensors = {name: tensor[:1] if name == "head.scores.0.bias" else tensor for name, tensor in load_file(file).items()}
    save_file(tensors, file)
    library.register(task, run, good_metrics)
    with pytest.raises(SteerError, match=r"belongs to another model: head\.scores\.0\.bias does not fit"):
        promote(library, Bandit, "v0001", "ann", "it will be fine")


def test_rolling_back_twice_goes_back_twice(library, made):
    for name in ("v0001", "v0002", "v0003"):
        made(1)
        promote(library, Bandit, name, "ann")
    assert rollback(library, "bandit", "bob").reason == "rollback from v0003"
    assert serving(library) == "v0002"
    rollback(library, "bandit", "bob")
    assert serving(library) == "v0001"
    with pytest.raises(SteerError, match="no earlier version"):
        rollback(library, "bandit", "bob")
    with library.store.reading() as session:
        promoted = [(promotion.version, promotion.who) for promotion in versions.history(session, "bandit")]
    assert promoted[3:] == [("v0002", "bob"), ("v0001", "bob")]


def test_a_version_promoted_again_can_be_rolled_back_again(library, made):
    for name in ("v0001", "v0002"):
        made(1)
        promote(library, Bandit, name, "ann")
    rollback(library, "bandit", "bob")
    promote(library, Bandit, "v0002", "ann")
    assert rollback(library, "bandit", "bob").version == "v0001"


def test_a_rollback_to_changed_files_is_refused(library, made):
    for name in ("v0001", "v0002"):
        made(1)
        promote(library, Bandit, name, "ann")
    (library.folder / "bandit/v0001/settings.yaml").write_text("seed: 7\n")
    with pytest.raises(SteerError, match=r"settings\.yaml was changed"):
        rollback(library, "bandit", "bob")
    assert serving(library) == "v0002"


def test_of_many_who_promote_at_once_one_succeeds(library, made):
    made(1)

    def attempt(_) -> bool:
        try:
            promote(library, Bandit, "v0001", "ann")
        except SteerError:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(attempt, range(6))) == 1
