"""How much people tire of a kind, as far as what they rated tells: `python -m apps.recommender.sessions.tiredness`.

A logistic regression of whether somebody likes what they meet on how much more of its kind was among the last ten that
they met than usually is, beside how much of that kind they usually meet, how much they like, and how popular it is.
Kinds are the items' tags.
"""

import numpy as np
import typer
from sklearn.linear_model import LogisticRegression

from apps.recommender.data import ShopData
from apps.recommender.reading import read_shop_data
from apps.recommender.sessions.shop import unit
from apps.recommender.task import Recommender

_LAST, _FEWEST, _RESAMPLES = 10, 20, 50


def tiredness(data: ShopData) -> tuple[float, float]:
    """Log-odds of a like that ten of a kind cost the next of it, negative where they add some.

    Returns:
        The regression's coefficient, and its standard error by resampling people.
    """
    tags = unit(data.tags)
    likes = np.concatenate([events.items[events.is_liked] for events in data.users.values()])
    popularity = np.log(np.bincount(likes, minlength=len(data.items)) + 5.0)
    people = []
    for events in data.users.values():
        kinds, usual = tags[events.items], tags[events.items].mean(axis=0)
        for at in range(_FEWEST, len(events.items)):
            before, kind = kinds[at - _LAST : at].mean(axis=0), kinds[at]
            known = ((before - usual) @ kind, usual @ kind, events.is_liked.mean(), popularity[events.items[at]])
            people.append((*known, events.is_liked[at]))
    table = np.array(people)
    ends = np.cumsum([max(len(events.items) - _FEWEST, 0) for events in data.users.values()])
    of_person = np.split(np.arange(len(table)), ends[:-1])
    chance = np.random.default_rng(0)
    draws = [chance.integers(0, len(of_person), len(of_person)) for _ in range(_RESAMPLES)]
    resampled = [_cost(table[np.concatenate([of_person[who] for who in draw])]) for draw in draws]
    return _cost(table), float(np.std(resampled))


def _cost(table: np.ndarray) -> float:
    return -float(LogisticRegression(C=1e6).fit(table[:, :-1], table[:, -1]).coef_[0, 0])


def main() -> None:
    """Print the figure of the shipped example."""
    cost, error = tiredness(read_shop_data(Recommender.workspace))
    typer.echo(f"ten of a kind cost the next of it {cost:.2f} nats (standard error {error:.2f})")


if __name__ == "__main__":
    typer.run(main)
