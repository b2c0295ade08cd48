"""An engine in a process of its own computes as one in this process does, and its death costs nobody an answer."""

import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from core.platform.inference.engine import Engine
from core.platform.inference.engine_process import EngineProcess
from core.rl.explore import Explorer
from core.training.run import Run
from core.util.errors import SteerError, UnavailableError


class Small:
    """An engine that needs no model."""

    def __init__(self, run: Run) -> None:
        self._folder = str(run.folder)

    def twice(self, items: list[int]) -> list[int]:
        return [2 * item for item in items]

    def inverse(self, items: list[int]) -> list[float]:
        return [1 / item for item in items]

    def refuse(self, items: list[str]) -> list[str]:
        raise SteerError(f"no {items[0]} here")

    def draw(self, explorers: list[Explorer]) -> list[tuple[int, ...]]:
        return [explorer.choose_many() for explorer in map(_Many, explorers)]

    def pid(self, items: list[int]) -> list[int]:
        return [os.getpid() for _ in items]

    def folder(self, items: list[int]) -> list[str]:
        return [self._folder for _ in items]

    def die(self, items: list[int]) -> list[int]:
        os.kill(os.getpid(), signal.SIGKILL)
        return items

    def die_once(self, marks: list[Path]) -> list[bool]:
        new = [mark for mark in marks if not mark.exists()]
        for mark in new:
            mark.touch()
        if new:
            self.die([])
        return [True for _ in marks]

    def slow(self, items: list[float]) -> list[float]:
        time.sleep(sum(items))
        return items


def open_nothing(run: Run) -> Small:
    raise SteerError(f"{run.folder} holds nothing")


def open_and_die(run: Run) -> Small:
    os.kill(os.getpid(), signal.SIGKILL)
    return Small(run)


class _Many:
    def __init__(self, explorer: Explorer) -> None:
        self._explorer = explorer

    def choose_many(self) -> tuple[int, ...]:
        import numpy as np

        return tuple(self._explorer.choose(np.ones(1000))[0] for _ in range(3))


@pytest.fixture(scope="module")
def process() -> Iterator[EngineProcess]:
    process = EngineProcess("small", Small, Run(Path("somewhere")))
    yield process
    process.close()


def is_alive(pid: int) -> bool:
    """Whether a process runs; a dead one that nobody has waited for does not."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def ends(pid: int) -> bool:
    deadline = time.monotonic() + 20
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_alive(pid)


def test_it_works_in_another_process_on_the_run_that_it_was_given(process):
    assert process.run_batch("twice", [1, 2, 3]) == [2, 4, 6]
    assert process.run_batch("pid", [0]) == [process.pid] != [os.getpid()]
    assert process.run_batch("folder", [0]) == ["somewhere"]


def test_many_threads_get_their_own_answers(process):
    engine: Engine[Small] = Engine(process.run_batch)
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(lambda item: engine.ask(Small.twice, item), range(200))) == list(range(0, 400, 2))
    engine.close()


def test_a_closed_engine_takes_nothing_more():
    engine = Engine.local(Small(Run(Path("somewhere"))))
    assert engine.ask(Small.twice, 4) == 8
    engine.close()
    with pytest.raises(UnavailableError, match="stopping"):
        engine.ask(Small.twice, 4)
    with pytest.raises(UnavailableError, match="stopping"):
        engine.ask(Small.inverse, 4)


def test_what_goes_wrong_is_told_and_the_process_goes_on(process):
    pid = process.pid
    with pytest.raises(SteerError, match="no bread here"):
        process.run_batch("refuse", ["bread"])
    with pytest.raises(RuntimeError, match="the engine of small failed") as failed:
        process.run_batch("inverse", [0])
    assert "Traceback" not in str(failed.value)
    assert "ZeroDivisionError" in "".join(traceback.format_exception(failed.value))  # as the log shows it
    assert process.run_batch("pid", [0]) == [pid]


def test_chance_differs_from_batch_to_batch(process):
    explorer = Explorer(1.0)
    assert process.run_batch("draw", [explorer]) != process.run_batch("draw", [explorer])


def test_a_process_that_was_killed_is_replaced_before_the_next_answer(process):
    dead = process.pid
    os.kill(dead, signal.SIGKILL)
    assert process.run_batch("twice", [4]) == [8]
    assert process.pid != dead


def test_a_kill_amid_the_work_costs_only_time(process, tmp_path):
    assert process.run_batch("die_once", [tmp_path / "mark"]) == [True]


def test_a_request_that_kills_every_process_is_refused_alone(process):
    with pytest.raises(UnavailableError, match="stopped twice"):
        process.run_batch("die", [1])
    assert process.run_batch("twice", [5]) == [10]


def test_ctrl_c_and_a_supervisors_term_leave_it_to_the_server_to_end_it(process):
    pid = process.pid
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(pid, number)
    assert process.run_batch("pid", [0]) == [pid]


def test_closing_answers_what_was_taken_and_ends_the_process():
    process = EngineProcess("small", Small, Run(Path("somewhere")))
    engine: Engine[Small] = Engine(process.run_batch, release=process.close)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(engine.ask, Small.slow, 0.3)
        time.sleep(0.1)
        engine.close()
        assert answer.result() == 0.3
    assert ends(process.pid)


def test_an_engine_that_does_not_open_says_why():
    with pytest.raises(SteerError, match="somewhere holds nothing"):
        EngineProcess("small", open_nothing, Run(Path("somewhere")))
    with pytest.raises(UnavailableError, match="died while it opened"):
        EngineProcess("small", open_and_die, Run(Path("somewhere")))


def test_what_engines_need_is_imported_while_the_server_has_imported_nothing_of_it():
    loaded = "print([name in sys.modules for name in ('torch', 'apps.recommender.task', 'apps.finance_monitor.task')])"
    code = f"""
import sys
from core.platform.inference.fork_server import CONTEXT, start_fork_server
start_fork_server(["recommender"])
process = CONTEXT.Process(target=exec, args=("import sys; " + {loaded!r},))
process.start()
process.join()
{loaded}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[True, True, False]", "[False, False, False]"]


def test_a_server_that_ends_without_closing_it_ends():
    code = """
from pathlib import Path
from core.platform.inference.engine_process import EngineProcess
from core.training.run import Run
from tests.serving.test_engine_process import Small
process = EngineProcess("small", Small, Run(Path("somewhere")))
raise SystemExit(3)
"""
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False, timeout=120).returncode == 3


def test_it_does_not_outlive_a_server_that_is_killed(tmp_path):
    code = """
import sys, time
from pathlib import Path
from core.platform.inference.engine_process import EngineProcess
from core.training.run import Run
from tests.serving.test_engine_process import Small
process = EngineProcess("small", Small, Run(Path("somewhere")))
print(process.pid, flush=True)
time.sleep(60)
"""
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=root) as server:
        assert server.stdout is not None
        pid = int(server.stdout.readline())
        assert is_alive(pid)
        server.kill()
        assert ends(pid)


_SHAPES = """
import psutil
import core.platform.inference.engine_process
import torch
layer = torch.nn.Linear(384, 1536)
def grown(rows):
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for row in rows:
            layer(torch.ones(row, 384))
    return psutil.Process().memory_info().rss
print(-grown([300]) + grown(range(1, 300)))
"""


@pytest.mark.skipif(not torch.cpu._is_avx512_bf16_supported(), reason="float32 products do not go through oneDNN")
def test_shapes_of_batches_that_come_and_go_leave_no_memory_behind():
    def grown(**environment: str) -> int:
        command = [sys.executable, "-c", _SHAPES]
        return int(subprocess.run(command, env=os.environ | environment, check=True, capture_output=True).stdout)

    kept = grown(LRU_CACHE_CAPACITY="1024", ONEDNN_PRIMITIVE_CACHE_CAPACITY="1024")
    assert grown() < kept / 2
