"""What happens beside the pages: a feed that is followed, entries of a queue that workers share, time that passes."""

import os
from collections.abc import Sequence
from pathlib import Path
from threading import Event

import structlog

from apps.finance_monitor.feed import Feed, FeedFile, Item, item_of
from apps.finance_monitor.redis_feed import RedisFeed
from apps.finance_monitor.service import MonitorService
from core.platform.queues.connection import is_address
from core.platform.queues.stream import Entry
from core.util.errors import SteerError, UnavailableError

FEED_VARIABLE = "STEER_FINANCE_FEED"
_PAUSE, _LONGEST_PAUSE = 0.5, 60.0
_TICK = 5.0


def follow(service: MonitorService, stop: Event) -> None:
    """Push what the feed brings that `STEER_FINANCE_FEED` names, a file or a stream in Redis, until told to stop.

    Every server may follow the same feed: an item's key counts once. Whatever fails is tried again, ever more slowly.
    """
    source = os.environ.get(FEED_VARIABLE)
    if not source:
        return
    log = structlog.get_logger().bind(feed=Path(source).name)
    feed: Feed | None = None
    waiting: list[Item] = []
    pause, told = 0.0, ""
    while not stop.wait(pause):
        try:
            feed = feed or (RedisFeed(source) if is_address(source) else FeedFile(Path(source)))
            if not waiting:
                waiting = feed.poll()
                for reason in feed.rejected:
                    log.warning("left out of the feed", reason=reason)
            if waiting:
                for item, reason in _unkept(service, waiting):
                    log.warning("left out of the feed", reason=f"{item.key}: {reason}")
                waiting = []
            pause, told = _PAUSE, ""
        except Exception as error:  # the thread must outlive whatever a feed, a model or the store can raise
            pause = min(max(2 * pause, _PAUSE), _LONGEST_PAUSE)
            unexpected = None if isinstance(error, SteerError) else error  # a SteerError says all in its message
            if str(error) != told:  # once, however often it returns
                told = str(error)
                log.error("the feed waits", reason=told, again_in=pause, exc_info=unexpected)
    if isinstance(feed, FeedFile):
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
