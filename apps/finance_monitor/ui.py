"""The risk desk: stored alerts, watchlist, stream and trend of the one monitor, live or of a replay."""

import html
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
from gradio.context import Context

from apps.finance_monitor import views
from apps.finance_monitor.layout import MAX_NOTE, SPEEDS, Layout
from apps.finance_monitor.replay import Replay, Replays
from apps.finance_monitor.service import MonitorService
from apps.finance_monitor.texts import TEXTS
from apps.finance_monitor.views import Shown
from core.platform.pages.requests import page_principal, shown_errors
from core.util.errors import SteerError
from core.util.text_input import check_text

_JS = Path(__file__).with_name("ui.js").read_text(encoding="utf-8")


# Values of components, by the component.
Values = dict[Any, Any]


class _Rendered(NamedTuple):
    """What was on the page at the last look."""

    monitor: int
    revision: tuple[int, int]
    shown: Shown
    newest_alert: int


def build(service: MonitorService) -> None:
    """Lay out the page. What it shows is the service's; a visitor has filters, and perhaps a replay, of their own."""
    replays = Replays(service)
    at = Layout(service, replays)
    on = Handlers(at, service, replays)
    blocks = Context.root_block
    assert blocks is not None  # the shell builds pages inside one
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    everything = [*at.views, *at.frame, *at.filters]
    seen: set[Any] = {*at.filters, at.replay, at.alert}
    blocks.load(None, js=_JS)
    opened = blocks.load(on.open, None, everything, **quiet)
    opened.then(lambda: gr.Timer(active=True), None, at.timer, **quiet)  # not before the address has set the filters
    at.timer.tick(
        on.tick,
        {*seen, at.speed, at.rendered},
        everything,
        trigger_mode="once",
        concurrency_limit=32,
        **quiet,
    )
    gr.on([box.change for box in at.filters], on.show, seen, at.views, **quiet)
    at.alerts.select(None, None, at.note, js="() => ''")  # a note that was begun is about the alert before
    at.alerts.select(on.pick_alert, seen, at.views, trigger_mode="multiple", **quiet)
    at.watchlist.select(on.pick_company, None, at.company, trigger_mode="multiple", **quiet)
    gr.on([at.acknowledge.click, at.note.submit], on.acknowledge, {*seen, at.note}, at.views, **quiet)
    chosen = {*seen, at.mode, at.day}
    gr.on([at.mode.input, at.day.change], on.switch, chosen, everything, trigger_mode="always_last", **quiet)
    at.stream.select(on.watch, {*seen, at.day}, everything, **quiet)
    at.upload.upload(on.upload, {*seen, at.upload}, everything, **quiet)
    at.pause.click(on.pause, at.replay, at.pause, **quiet)
    gr.on([at.read.click, at.headline.submit], on.read, [at.about, at.headline], at.label, **quiet)


class Handlers:
    """What the page does when something is chosen, clicked or new.

    Args:
        at: Components of the page.
        service: The live monitor.
        replays: Replays of visitors.
    """

    def __init__(self, at: Layout, service: MonitorService, replays: Replays) -> None:
        self.at, self.service, self.replays = at, service, replays

    def open(self, request: gr.Request) -> Values:
        """The live monitor, seen as the page's address says."""
        shown = Shown.of_address(request, self.service.topics)
        filters = dict(zip(self.at.filters, (shown.company, shown.topic, shown.sentiment), strict=True))
        return {**filters, **self._turned({**filters, self.at.replay: None}, shown.alert, request)}

    def show(self, got: Values, request: gr.Request) -> Values:
        """Every view of the monitor that a visitor looks at."""
        with shown_errors():
            return self._views(got, request)

    def tick(self, got: Values, request: gr.Request) -> Any:
        """Let a replay's clock run, and show what is new; an idle page changes nothing.

        A visitor may choose something else meanwhile, and the answer to that may come first. So a tick never says what
        is chosen, except where the visitor has no choice; should it show what was chosen before, the next one mends it.
        """
        at, replay = self.at, got[self.at.replay]
        if replay is not None and replay.is_closed:
            if replay.is_left:
                return gr.skip()  # the answer to what the visitor chose is on its way
            gr.Info(TEXTS.say("left", request))
            return self._live(got, request)
        try:
            if is_moving := replay is not None and replay.is_running:
                replay.advance(timedelta(hours=SPEEDS[got[at.speed]]))
            monitor = self._monitor(replay)
            over = self._over(replay, request) if is_moving and replay.is_finished else {}
            if not got[at.rendered] or got[at.rendered][:3] != (id(monitor), monitor.revision(), self._shown(got)):
                if replay is None or not replay.is_behind:  # the past before a replay's start is no news
                    self._warn(monitor, got[at.rendered], request)
                return {**self._views(got, request), **over}
            if not is_moving:
                return gr.skip()
            return {at.now: views.status(monitor, self._shown(got), replay.now, request), **over}
        except SteerError as error:  # said in its place, since a notice would come back every second
            return {at.now: html.escape(TEXTS.say("stale", request, reason=error))}

    def switch(self, got: Values, request: gr.Request) -> Values:
        """Live, or the labelled history from the chosen day on."""
        if got[self.at.mode] == "live":
            changed = self._live(got, request)
            self.replays.leave(got[self.at.replay])
            return changed
        try:
            replay = self.replays.start_history(self._day(got[self.at.day]), after=got[self.at.replay])
        except SteerError as error:
            gr.Warning(html.escape(str(error)))
            return {self.at.mode: "replay" if got[self.at.replay] else "live"}
        return self._replaying(replay, got, request)

    def watch(self, got: Values, request: gr.Request) -> Values:
        """The labelled history, where there is no news yet."""
        return self.switch({**got, self.at.mode: "replay"}, request)

    def upload(self, got: Values, request: gr.Request) -> Values:
        """A visitor's own feed."""
        with shown_errors():
            replay, good, rejected = self.replays.start_upload(Path(got[self.at.upload]), after=got[self.at.replay])
        why = html.escape("; ".join(rejected[:3])) or "-"
        gr.Info(TEXTS.say("uploaded", request, good=good, bad=len(rejected), why=why))
        return self._replaying(replay, got, request)

    def pause(self, replay: Replay | None, request: gr.Request) -> Any:
        """Stop a replay's clock, or let it run on."""
        if replay is None:
            return gr.skip()
        replay.is_running = not replay.is_running
        return self._pause(replay, request)

    def pick_alert(self, got: Values, event: gr.EventData, request: gr.Request) -> Values:
        """Read another alert."""
        return self._turned(got, int(event.pick), request)

    def pick_company(self, event: gr.EventData) -> str:
        """Filter by a line of the watchlist."""
        return str(event.pick)

    def acknowledge(self, got: Values, request: gr.Request) -> Values:
        """Note that somebody has seen the alert, as `POST /v1/news/alerts/ID/acknowledge` does."""
        principal, note = page_principal(request), got[self.at.note] or ""
        with shown_errors():
            if not principal.is_at_least("agent"):
                raise SteerError(TEXTS.say("not_yours", request, role=principal.role))
            note = check_text(note, max_length=MAX_NOTE, what="a note") if note.strip() else ""
            self._monitor(got[self.at.replay]).acknowledge(principal, got[self.at.alert], note)
        changed = self.show(got, request)
        return {**changed, self.at.note: gr.update(**changed[self.at.note], value="")}

    def read(self, company: str, headline: str, request: gr.Request) -> str:
        """Label a typed headline."""
        with shown_errors():
            (label,) = self.service.read([(company, headline)])
        return views.label(headline, label, request)

    # Parts of what handlers return

    def _monitor(self, replay: Replay | None) -> MonitorService:
        return replay.service if replay else self.service

    def _shown(self, got: Values) -> Shown:
        company, topic, sentiment = (str(got[box] or "") for box in self.at.filters)
        return Shown(company, topic, sentiment, got[self.at.alert])

    def _turned(self, got: Values, alert: int, request: gr.Request) -> Values:
        """Every view, with another alert being read; 0 for the first that there is."""
        return {self.at.alert: alert, **self.show({**got, self.at.alert: alert}, request)}

    def _views(self, got: Values, request: gr.Request) -> Values:
        at, replay, principal = self.at, got[self.at.replay], page_principal(request)
        monitor = self._monitor(replay)
        revision = monitor.revision()  # before all else: what comes meanwhile is shown the next time
        found = views.chosen(monitor, got[at.alert])
        shown = self._shown({**got, at.alert: found.id if found else 0})
        is_open, is_agent = found is not None and found.state == "open", principal.is_at_least("agent")
        hint = TEXTS.say("not_yours", request, role=principal.role) if is_open and not is_agent else ""
        turned = {} if shown.alert == got[at.alert] else {at.alert: shown.alert}
        return {
            at.now: views.status(monitor, shown, replay.now if replay else None, request),
            at.stream: views.stream(monitor, shown, request),
            at.alerts: views.alerts(monitor, shown, request),
            at.detail: views.detail(monitor, found, hint, request),
            at.watchlist: views.watchlist(monitor, request),
            at.trend: views.trend(monitor, shown, request),
            at.note: gr.update(visible=is_open and is_agent),
            at.acknowledge: gr.update(visible=is_open, interactive=is_agent),
            **turned,
            at.rendered: _Rendered(id(monitor), revision, shown, max((a.id for a in monitor.alerts(20)), default=0)),
        }

    def _live(self, got: Values, request: gr.Request) -> Values:
        at = self.at
        frame = {at.replay: None, at.mode: "live", at.controls: gr.update(visible=False)}
        return {**frame, **self._turned({**got, at.replay: None}, 0, request)}

    def _replaying(self, replay: Replay, got: Values, request: gr.Request) -> Values:
        at = self.at
        frame = {at.replay: replay, at.mode: "replay", at.controls: gr.update(visible=True)}
        pause = {at.pause: self._pause(replay, request)}
        changed = {**frame, **pause, **self._turned({**got, at.replay: replay}, 0, request)}
        self.replays.leave(got[at.replay])
        return changed

    def _over(self, replay: Replay, request: gr.Request) -> Values:
        """A replay that has shown everything stops."""
        gr.Info(TEXTS.say("finished", request))
        replay.is_running = False
        return {self.at.pause: self._pause(replay, request)}

    def _pause(self, replay: Replay, request: gr.Request) -> Any:
        return gr.update(value=TEXTS.say("pause" if replay.is_running else "resume", request))

    def _warn(self, monitor: MonitorService, rendered: _Rendered | None, request: gr.Request) -> None:
        """Say which alerts are open that were not there at the last look."""
        if not rendered or rendered.monitor != id(monitor):
            return
        title = TEXTS.say("alerts", request)
        for alert in monitor.alerts(20):
            if alert.id > rendered.newest_alert and alert.state == "open":
                gr.Warning(
                    html.escape(TEXTS.say("new_alert", request, company=monitor.name(alert.company))), title=title
                )

    def _day(self, text: str) -> datetime:
        first, last = self.replays.days
        try:
            chosen = datetime.strptime(text[:10], "%Y-%m-%d").replace(tzinfo=UTC)
        except (ValueError, TypeError) as error:
            raise SteerError(f"Please choose a day such as {first:%Y-%m-%d}.") from error
        if not first <= chosen <= last:
            raise SteerError(f"The history runs from {first:%Y-%m-%d} to {last:%Y-%m-%d}.")
        return chosen.replace(hour=6)
