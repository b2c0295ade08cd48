"""Shops of any size, in which a few items are loved by many and people have tastes."""

from pathlib import Path

import numpy as np
import pandas as pd

from core.training.workspace import FILE

# People, items and events.
CHECKED, TRAINED = (10_000, 4_000, 96_000), (50_000, 17_000, 400_000)
_TASTES = 40
_WORDS = (
    "amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath", "inlet", "jetty", "knoll", "larch", "marsh",
    "north", "ocean", "plain", "quill", "ridge", "stone", "thorn", "upper", "vault", "water", "yield",
)  # fmt: skip


def write_shop(folder: Path, people: int, items: int, events: int, seed: int = 0) -> None:
    """Write a workspace of the recommender.

    Args:
        folder: Folder to make.
        people: Number of people; each does one thing at least.
        items: Number of items.
        events: Number of likes in all, by a power law among people.
        seed: Seed of everything random.
    """
    chance = np.random.default_rng(seed)
    folder.mkdir()
    (folder / FILE).write_text(f"app: recommender\nname: {folder.name}\nitems: items.csv\nevents: events.csv\n")
    words = chance.choice(_WORDS, (items, 4))
    titles = [" ".join(row) for row in words]
    ids = [f"{number:07}" for number in range(items)]
    pd.DataFrame({"id": ids, "title": titles}).to_csv(folder / "items.csv", index=False)
    who = np.concatenate([np.arange(people), _powerful(chance, people, 2 * events)])
    what = _liked(chance, who, people, items)
    rows = pd.DataFrame({"user": who, "item": np.array(ids)[what]}).drop_duplicates().head(events)
    when = pd.Timestamp("2025-01-01", tz="UTC") + pd.to_timedelta(chance.uniform(0, 3e7, len(rows)), unit="s")
    rows.assign(time=when.strftime("%Y-%m-%dT%H:%M:%SZ")).to_csv(folder / "events.csv", index=False)


def _liked(chance: np.random.Generator, who: np.ndarray, people: int, items: int) -> np.ndarray:
    """Items that belong to their person's taste, three times of four."""
    taste = chance.integers(_TASTES, size=people)[who]
    popular = _powerful(chance, items, len(who))
    own = (popular // _TASTES * _TASTES + taste) % items
    return np.where(chance.random(len(who)) < 0.75, own, popular)


def _powerful(chance: np.random.Generator, of: int, count: int) -> np.ndarray:
    """Numbers below `of`, of which small ones come often."""
    weights = 1.0 / np.arange(1, of + 1) ** 0.8
    return chance.choice(of, count, p=weights / weights.sum())
