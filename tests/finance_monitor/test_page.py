"""The page's handlers, where the answers to a visitor and those to the clock cross."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from starlette.requests import Request

from apps.finance_monitor.layout import Layout
from apps.finance_monitor.records import FeedState
from apps.finance_monitor.replay import Replays
from apps.finance_monitor.ui import Handlers
from core.platform.auth.access import Principal
from tests.finance_monitor.news import surge

ANN = Principal("ann", "agent")


class Visitor:
    """Somebody at the page: what Gradio would hand to the handlers, and keeps of their answers."""

    def __init__(self, monitor) -> None:
        self.replays = Replays(monitor)
        with gr.Blocks():
            self.at = Layout(monitor, self.replays)
        self.on = Handlers(self.at, monitor, self.replays)
        asked = Request({"type": "http", "headers": [], "query_string": b"", "state": {"principal": ANN}})
        self.request = gr.Request(asked)
        at = self.at
        self.got: dict[Any, Any] = {
            **dict.fromkeys(at.filters, ""), at.replay: None, at.alert: 0, at.rendered: None, at.mode: "live",
            at.day: "2025-02-24", at.speed: "1 d", at.note: "",
        }  # fmt: skip
        self.keep(self.on.open(self.request))

    def keep(self, answer) -> None:
        """Take an answer's values; how a component looks is nothing that it hands back."""
        if answer != gr.skip():
            self.got |= {at: value for at, value in answer.items() if not isinstance(value, dict)}

    def ask(self, handler, **chosen) -> dict[Any, Any]:
        """The answer to a choice, not kept yet."""
        self.got |= {getattr(self.at, name): value for name, value in chosen.items()}
        return handler(dict(self.got), self.request)

    def pick(self, alert: int) -> None:
        self.keep(self.on.pick_alert(dict(self.got), SimpleNamespace(pick=str(alert)), self.request))


@pytest.fixture
def visitor(monitor):
    monitor.push([*surge(), *surge("Borealis")])
    return Visitor(monitor)


def test_a_tick_that_answers_late_takes_back_no_choice_of_an_alert(visitor, monitor):
    first, second = (alert.id for alert in monitor.alerts(2))
    visitor.pick(first)
    monitor.push(surge("Third"))
    late = visitor.ask(visitor.on.tick)
    visitor.pick(second)
    visitor.keep(late)
    assert visitor.got[visitor.at.alert] == second
    visitor.keep(visitor.ask(visitor.on.tick))
    assert f'fin-here" data-pick="{second}"' in visitor.got[visitor.at.alerts]


def test_an_acknowledgement_that_answers_late_takes_back_no_choice_either(visitor, monitor):
    first, second = (alert.id for alert in monitor.alerts(2))
    visitor.pick(first)
    late = visitor.ask(visitor.on.acknowledge)
    visitor.pick(second)
    visitor.keep(late)
    assert visitor.got[visitor.at.alert] == second
    assert monitor.alert(first).state == "acknowledged"


def test_who_has_chosen_nothing_reads_the_alert_on_top(visitor, monitor):
    assert visitor.got[visitor.at.alert] in {alert.id for alert in monitor.alerts(2)}
    visitor.pick(999)
    assert visitor.got[visitor.at.alert] in {alert.id for alert in monitor.alerts(2)}


def test_a_tick_that_answers_late_brings_no_replay_back(visitor, monitor):
    visitor.keep(visitor.ask(visitor.on.switch, mode="replay"))
    replay = visitor.got[visitor.at.replay]
    late = visitor.ask(visitor.on.tick)
    assert late != gr.skip()
    visitor.keep(visitor.ask(visitor.on.switch, mode="live"))
    assert replay.is_closed
    visitor.keep(late)
    assert visitor.got[visitor.at.replay] is None
    visitor.keep(visitor.ask(visitor.on.tick))
    assert visitor.got[visitor.at.rendered].monitor == id(monitor)


def test_a_tick_between_a_choice_and_its_answer_throws_nobody_back_to_live(visitor):
    visitor.keep(visitor.ask(visitor.on.switch, mode="replay"))
    first = visitor.got[visitor.at.replay]
    answer = visitor.ask(visitor.on.switch, day="2025-03-01")
    assert first.is_closed
    assert visitor.ask(visitor.on.tick) == gr.skip()
    visitor.keep(answer)
    assert visitor.got[visitor.at.replay].now.date() == datetime(2025, 3, 1, tzinfo=UTC).date()
    assert visitor.got[visitor.at.mode] == "replay"


def test_a_replay_that_was_closed_while_idle_leads_back_to_live(visitor, monitor):
    visitor.keep(visitor.ask(visitor.on.switch, mode="replay"))
    visitor.got[visitor.at.replay].used -= 3_600
    visitor.replays.leave(visitor.replays.start_history(datetime(2025, 1, 21, tzinfo=UTC)))
    visitor.keep(visitor.ask(visitor.on.tick))
    assert visitor.got[visitor.at.mode] == "live"
    assert visitor.got[visitor.at.rendered].monitor == id(monitor)


@pytest.mark.parametrize(("most", "day"), [(0, "2025-03-01"), (16, "2031-01-01"), (16, "soon")])
def test_a_replay_that_cannot_be_had_leaves_the_live_page_running(visitor, monitor, monkeypatch, most, day):
    monkeypatch.setattr("apps.finance_monitor.replay._MOST", most)
    visitor.keep(visitor.ask(visitor.on.switch, mode="replay", day=day))
    assert visitor.got[visitor.at.mode] == "live"
    monitor.push(surge("Third"))
    visitor.keep(visitor.ask(visitor.on.tick))
    assert "Third" in visitor.got[visitor.at.stream]


def test_another_day_is_chosen_where_no_further_replay_would_fit(visitor, monkeypatch):
    monkeypatch.setattr("apps.finance_monitor.replay._MOST", 1)
    visitor.keep(visitor.ask(visitor.on.switch, mode="replay"))
    first = visitor.got[visitor.at.replay]
    visitor.keep(visitor.ask(visitor.on.switch, day="2025-03-01"))
    assert visitor.got[visitor.at.replay] is not first
    assert not visitor.got[visitor.at.replay].is_closed


def test_a_paused_replay_stands_still_until_it_is_let_run_on(visitor):
    visitor.keep(visitor.ask(visitor.on.switch, mode="replay"))
    replay = visitor.got[visitor.at.replay]
    assert visitor.on.pause(replay, visitor.request)["value"] == "Resume"
    while visitor.ask(visitor.on.tick) != gr.skip():
        visitor.keep(visitor.ask(visitor.on.tick))
    stands = replay.now
    visitor.ask(visitor.on.tick)
    assert replay.now == stands
    assert visitor.on.pause(replay, visitor.request)["value"] == "Pause"
    visitor.ask(visitor.on.tick)
    assert replay.now > stands or replay.is_behind


def test_a_feed_that_fails_is_named_with_its_reason_and_one_that_answers_is_not(visitor, monitor):
    monitor.feeds["press"] = FeedState(name="press", error="<b>404</b> Not Found")
    monitor.feeds["wire"] = FeedState(name="wire")
    monitor.push(surge("Third"))
    visitor.keep(visitor.ask(visitor.on.tick))
    assert "press (&lt;b&gt;404&lt;/b&gt; Not Found)" in visitor.got[visitor.at.now]
    assert "wire" not in visitor.got[visitor.at.now]
