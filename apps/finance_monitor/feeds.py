"""Opens the feeds of a workspace."""

from apps.finance_monitor.config import FeedConfig, NewsConfig
from apps.finance_monitor.feed import Feed, FeedFile
from apps.finance_monitor.redis_feed import RedisFeed
from apps.finance_monitor.rss_feed import RssFeed
from core.platform.queues.connection import is_address
from core.training.workspace import Workspace


def open_feed(workspace: Workspace[NewsConfig], feed: FeedConfig) -> Feed:
    """A feed of the web, of Redis, or a file beside `steer.yaml`, by its source.

    Raises:
        UnavailableError: A server does not answer.
        SteerError: The source is wrong, or the extra that it needs is not installed.
    """
    if feed.is_web:
        return RssFeed(feed.source, feed.time_zone, feed.allow_private)
    return RedisFeed(feed.source) if is_address(feed.source) else FeedFile(workspace.path(feed.source))
