"""Requests that differ from one another, so that no cache answers them."""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import count
from typing import Any

import numpy as np

from apps.customer_service.reading import read_support_data
from apps.customer_service.task import CustomerService
from apps.finance_monitor.data import example_data
from apps.recommender.data import ShopData
from apps.recommender.reading import read_shop_data
from apps.recommender.task import Recommender


def questions(seed: int) -> Iterator[str]:
    """What customers typed, each with an order's number."""
    texts = [utterance.text for utterance in read_support_data(CustomerService.workspace).utterances]
    generator = np.random.default_rng(seed)
    for number in count(seed * 1_000_000):
        yield f"{texts[generator.integers(len(texts))]} (order HP-{number})"


def headlines(seed: int) -> Iterator[tuple[str, str]]:
    """Company and headline, each with a number."""
    news = example_data().news
    generator = np.random.default_rng(seed)
    for number in count(seed * 1_000_000):
        item = news[generator.integers(len(news))]
        yield item.company, f"{item.headline} (wire {number})"


def histories(seed: int) -> Iterator[list[int]]:
    """Rows of twelve films that somebody likes."""
    films = len(_shop().items)
    generator = np.random.default_rng(seed)
    while True:
        yield generator.choice(films, 12, replace=False).tolist()


@cache
def _shop() -> ShopData:
    return read_shop_data(Recommender.workspace)


def _support(seed: int) -> Iterator[tuple[str, Any]]:
    for text in questions(seed):
        yield "/v1/support/conversations/{conversation}/messages", {"text": text}


def _finance(seed: int) -> Iterator[tuple[str, Any]]:
    for company, headline in headlines(seed):
        yield "/v1/news/labels", {"items": [{"company": company, "headline": headline}]}


def _recommender(seed: int) -> Iterator[tuple[str, Any]]:
    for films in histories(seed):
        ids = [_shop().items[row].id for row in films]
        yield "/v1/recommender/lists", {"events": [{"kind": "like", "item": id_} for id_ in ids]}


# Address and body of each request, by app.
REQUESTS: dict[str, Callable[[int], Iterator[tuple[str, Any]]]] = {
    "customer_service": _support,
    "finance_monitor": _finance,
    "recommender": _recommender,
}
