"""Bulk work on a real Ray cluster of two nodes, with workers and a node that die on the way."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from core.models.encoder import TextEncoder
from core.models.weights import DEFAULT_ENCODER
from core.platform.scale.bulk import decide_in_bulk, embed_in_bulk, in_bulk
from core.util.errors import SteerError
from tests.scale.conftest import NODE

# More than one chunk for each of two workers, of many lengths, in no order.
TEXTS = [f"{number} " + "word " * (number * 7 % 23) for number in range(2500)]


def lengths(texts):
    return np.array([len(text) for text in texts])


def test_two_nodes_embed_a_catalogue_in_its_order(cluster):
    vectors = embed_in_bulk(TEXTS, DEFAULT_ENCODER, workers=2)
    some = [0, 1, 22, 1000, 2499]
    alone = TextEncoder(DEFAULT_ENCODER).embed([TEXTS[row] for row in some])
    assert vectors.shape == (2500, alone.shape[1])
    np.testing.assert_allclose(vectors[some], alone, atol=0.005)  # bfloat16 rounds by what stands in a batch


def test_a_policy_decides_a_backlog_as_it_would_alone(cluster, runs):
    from apps.finance_monitor.task import FinanceMonitor
    from core.training.loader import open_task
    from core.training.run import Run, trained_policy

    run = Run(Path(runs) / FinanceMonitor.name)
    texts = ["Corvane plant on fire", "Corvane profit doubles", "the regulator opens a case"] * 3
    policy = trained_policy(open_task(FinanceMonitor, run), run)
    np.testing.assert_array_equal(
        decide_in_bulk(texts, FinanceMonitor, run, workers=2), policy.predict({"text": tuple(texts)})
    )


def test_the_work_of_a_killed_worker_is_done_by_another(cluster, tmp_path):
    def make():
        def dies_once(texts):
            if not (tmp_path / "died").exists():
                (tmp_path / "died").touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return lengths(texts)

        return dies_once

    np.testing.assert_array_equal(in_bulk(make, TEXTS, workers=2), lengths(TEXTS))
    assert (tmp_path / "died").exists()


def test_the_work_of_a_lost_machine_is_done_by_the_other(cluster, tmp_path):
    import threading

    import ray

    def make():
        import time

        home = ray.get_runtime_context().get_node_id()

        def slow(texts):
            (tmp_path / home).touch()
            time.sleep(1)
            return lengths(texts)

        return slow

    def lose_a_node():
        while len(list(tmp_path.iterdir())) < 2:
            threading.Event().wait(0.05)
        cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)

    threading.Thread(target=lose_a_node).start()
    np.testing.assert_array_equal(in_bulk(make, TEXTS, workers=2), lengths(TEXTS))
    assert len(cluster.worker_nodes) == 0
    cluster.add_node(**NODE)


def test_work_that_kills_every_worker_ends_with_a_message(cluster):
    def make():
        return lambda texts: os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(SteerError, match="all 2 workers died"):
        in_bulk(make, TEXTS, workers=2)


def test_the_command_embeds_a_file(cluster, tmp_path):
    from safetensors.numpy import load_file

    from core.cli.embed import embed

    (tmp_path / "texts.jsonl").write_text('{"text": "a lamp"}\n{"text": "a green chair of wood"}\n')
    embed(tmp_path / "texts.jsonl", tmp_path / "vectors.safetensors", workers=1)
    vectors = load_file(tmp_path / "vectors.safetensors")["vectors"]
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 1], atol=1e-3)
