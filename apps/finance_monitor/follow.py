"""What happens beside the pages: feeds that are followed, entries of a queue that workers share, time that passes."""

import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

import structlog

from apps.finance_monitor.clock import wall_clock
from apps.finance_monitor.config import FeedConfig
from apps.finance_monitor.feed import Feed, Item, item_of
from apps.finance_monitor.feeds import open_feed
from apps.finance_monitor.records import FeedState
from apps.finance_monitor.service import MonitorService
from core.platform.queues.stream import Entry
from core.util.errors import SteerError, UnavailableError

FEED_VARIABLE = "STEER_FINANCE_FEED"
# A feed that fails is tried again after twice the pause, up to a minute or a dozen times its own.
_LONGEST_PAUSE, _MOST_PAUSES = 60.0, 12
_TICK = 5.0


def follow(service: MonitorService, stop: Event) -> None:
    """Push what the feeds of the workspace bring until told to stop, and that which `STEER_FINANCE_FEED` names.

    Every server may follow the same feeds: an item's key counts once. Whatever fails is tried again, ever more slowly.
    """
    feeds = list(service.workspace.config.feeds)
    if source := os.environ.get(FEED_VARIABLE):
        feeds.append(FeedConfig(source=source if "://" in source else str(Path(source).absolute())))
    threads = [Thread(target=_follow_one, args=(service, feed, stop), name=feed.title, daemon=True) for feed in feeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _follow_one(service: MonitorService, config: FeedConfig, stop: Event) -> None:
    log = structlog.get_logger().bind(feed=config.title)
    feed: Feed | None = None
    waiting: list[Item] = []
    state = service.feeds.setdefault(config.title, FeedState(name=config.title))
    pause = 0.0
    while not stop.wait(pause):
        try:
            feed = feed or open_feed(service.workspace, config)
            if not waiting:
                waiting = feed.poll()
                for reason in feed.rejected:
                    log.warning("left out of the feed", reason=reason)
            if waiting:
                for item, reason in _unkept(service, waiting):
                    log.warning("left out of the feed", reason=f"{item.key}: {reason}")
                waiting = []
            pause = config.pause
            changed = {"last_success": wall_clock(), "error": ""}
        except Exception as error:  # the thread must outlive whatever a feed, a model or the store can raise
            pause = min(max(2 * pause, config.pause), max(_LONGEST_PAUSE, _MOST_PAUSES * config.pause))
            unexpected = None if isinstance(error, SteerError) else error  # a SteerError says all in its message
            if str(error) != state.error:  # once, however often it returns
                log.error("the feed waits", reason=str(error), again_in=pause, exc_info=unexpected)
            changed = {"last_error": wall_clock(), "error": str(error) or type(error).__name__}
        state = state.model_copy(update={**changed, "next_poll": wall_clock() + timedelta(seconds=pause)})
        service.feeds[config.title] = state
    if feed is not None:
        feed.close()


def keep_time(service: MonitorService, stop: Event) -> None:
    """Let the monitor's clock run until told to stop, so that quiet resolves alerts though nothing is published."""
    log = structlog.get_logger()
    while not stop.is_set():
        try:
            service.tick()
        except Exception as error:  # as above
            log.error("the clock waits", reason=str(error), exc_info=None if isinstance(error, SteerError) else error)
        stop.wait(_TICK)


def _unkept(service: MonitorService, items: Sequence[Item]) -> list[tuple[Item, str]]:
    """Push news; those that the store cannot keep, and why, which cost the others nothing."""
    try:
        service.push(items)
    except UnavailableError:
        raise
    except SteerError as error:
        if len(items) == 1:
            return [(items[0], str(error))]
        return [wrong for item in items for wrong in _unkept(service, [item])]
    return []


def take(service: MonitorService, entries: Sequence[Entry]) -> list[tuple[Entry, str]]:
    """Push the news of some entries of a queue; those that are no news, and why."""
    refused, items = [], []
    for entry in entries:
        try:
            items.append(item_of(entry.payload, entry.key))
        except ValueError as error:
            refused.append((entry, str(error)))
    if items:
        service.push(items)
    return refused
