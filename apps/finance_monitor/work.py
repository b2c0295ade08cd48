"""News from a queue."""

from collections.abc import Sequence

from apps.finance_monitor.desk import Delivered, NewsDesk
from apps.finance_monitor.feed import item_of
from core.platform.queues.stream import Entry


def take(desk: NewsDesk, entries: Sequence[Entry]) -> list[tuple[Entry, str]]:
    """Keep, read and watch the news of some entries; those that are no news, and why."""
    refused, delivered = [], []
    for entry in entries:
        try:
            delivered.append(Delivered(entry.key, item_of(entry.payload)))
        except ValueError as error:
            refused.append((entry, str(error)))
    if delivered:
        desk.push(delivered)
    return refused
