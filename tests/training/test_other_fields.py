"""The examples from other fields work as their pages say."""

import shutil
from datetime import timedelta

from apps.finance_monitor.engine import NewsEngine
from apps.finance_monitor.feeds import open_feed
from apps.finance_monitor.model import NewsModel
from apps.finance_monitor.replay import PinnedModel, Replay
from core.platform.inference.engine import Engine
from core.training.loader import load_task, open_task
from core.training.run import Run
from tests.training.conftest import PAGES, steer
from tests.training.test_own_tasks import served, walk


def test_patients_messages_reach_a_department_and_doubt_reaches_the_nurse(saved):
    file = saved("medicine")
    results = walk(file)
    assert set(results) == {"always_nurse", "initial", "supervised", "cost_optimal", "rl"}
    assert results["cost_optimal"]["value"] > results["always_nurse"]["value"]
    assert results["rl"]["value"] > results["initial"]["value"]
    card = (file.parent / "runs" / "triage" / "README.md").read_text()
    assert "emergency missed" in card
    assert "No medical device" in card
    assert served(file, text="his face hangs on one side and he cannot speak") in {"emergency", "nurse"}


def test_a_tutor_teaches_more_than_the_textbook(saved):
    file = saved("education")
    results = walk(file, "rl.iterations=5")
    rules = {"always_hardest", "random", "textbook_ladder", "searched_lesson", "one_step_lookahead"}
    assert set(results) == {*rules, "initial", "rl"}
    assert results["rl"]["value"] > max(results["textbook_ladder"]["high"], results["initial"]["high"])
    assert "- whole lesson: " in (file.parent / "runs" / "next_exercise" / "README.md").read_text()
    assert served(file, text="8 left. Halves are fine. Sevenths are not.") in {"easy", "middle"}


def test_a_burst_main_alerts_whoever_looks_after_the_district(tmp_path):
    city, runs = shutil.copytree(PAGES / "city", tmp_path / "city"), tmp_path / "runs"
    steer("train", str(city), "--runs", str(runs))
    task_class = load_task(str(city))
    run = Run(runs / task_class.name)
    task = open_task(task_class, run)
    feed = open_feed(task.workspace, task.workspace.config.feeds[0])
    stream = {item.key: item for item in feed.poll()}
    feed.close()
    model = NewsModel(task, Engine.local(NewsEngine(task, run)))
    replay = Replay(PinnedModel((model, "v0001")), list(stream.values()), stream["s01"].time)
    while not replay.is_finished:
        replay.advance(timedelta(hours=1))
    [alert] = replay.service.alerts(10)
    replay.close()
    assert alert.company == "millbrook"
    assert task.news.companies[alert.company].owner == "jonas"
    assert stream["s07"].time < alert.opened <= stream["s16"].time  # from the first report on, within the morning
    assert "as high as a man" in alert.reason.causes[0].headline
