"""What a visit tells of each candidate: what was shown like it, and how that was answered."""

from dataclasses import dataclass

import numpy as np

from apps.recommender.sessions.rewards import HIDE, LIKE, SKIP
from apps.recommender.splits import PICKS

MOST_LISTS = 6
# Answer of a place at which nothing has been shown.
NOTHING = -1

_FADES = 0.6

# What is known of each candidate, in the order of the columns.
FEATURES = (
    "score",
    "score_visit",
    "score_hidden",
    "popularity",
    "near_shown",
    "near_shown_now",
    "nearest_shown",
    "near_liked",
    "near_hidden",
    "near_skipped",
    "kind_shown",
    "kind_shown_now",
    "kind_answer",
    "kind_unsure",
    "kind_hidden",
)
# What is known of the visit.
VISIT = ("begun", "lists", "likes", "hides", "likes_now", "hides_now", "likes_rate")


@dataclass(frozen=True)
class Candidates:
    """Candidates of some visits, and what has been shown in each; float32 unless said otherwise.

    Attributes:
        score: Fit of each to all that is liked, of shape (visits, candidates).
        score_visit: Fit of each to what was liked in the visit.
        score_hidden: Fit of each to what was hidden in the visit.
        popularity: Popularity of each, from 0 to 1.
        tags: Unit-length vectors of tags, of shape (visits, candidates, tags).
        alike: Likeness to each item shown, of shape (visits, candidates, shown).
        shown_tags: Unit-length vectors of the tags of what was shown, of shape (visits, shown, tags).
        answers: Answer to each, `NOTHING` where nothing was shown, int64 of shape (visits, shown).
        age: Number of lists since each was shown, 0 for the last list, int64 of that shape.
        lists: Number of lists before, int64 of shape (visits,).
        known: Number of likes before the visit, int64 of that shape.
    """

    score: np.ndarray
    score_visit: np.ndarray
    score_hidden: np.ndarray
    popularity: np.ndarray
    tags: np.ndarray
    alike: np.ndarray
    shown_tags: np.ndarray
    answers: np.ndarray
    age: np.ndarray
    lists: np.ndarray
    known: np.ndarray


def visit_features(about: Candidates) -> tuple[np.ndarray, np.ndarray]:
    """Columns `FEATURES` of each candidate, and `VISIT` of each visit.

    Returns:
        float32 of shape (visits, candidates, len(FEATURES)) and (visits, len(VISIT)).
    """
    shown, faded = about.answers != NOTHING, _FADES**about.age
    liked, hidden, skipped = (about.answers == answer for answer in (LIKE, HIDE, SKIP))

    def near(weights: np.ndarray) -> np.ndarray:
        found: np.ndarray = (about.alike @ weights.astype(np.float32)[:, :, None])[:, :, 0]
        return found

    def of_kind(weights: np.ndarray) -> np.ndarray:
        of_all = about.shown_tags.transpose(0, 2, 1) @ weights.astype(np.float32)[:, :, None]
        found: np.ndarray = (about.tags @ of_all)[:, :, 0]
        return found

    ends = 1.0 + np.stack([liked.sum(1), hidden.sum(1), skipped.sum(1)])[..., None]
    of_kind_shown, of_kind_liked = of_kind(shown), of_kind(liked)
    usual = ((1.0 + liked.sum(1)) / (5.0 + shown.sum(1)))[:, None]
    features = [
        about.score,
        about.score_visit,
        about.score_hidden,
        about.popularity,
        near(shown) / PICKS,
        near(shown * faded) / PICKS,
        (about.alike * shown[:, None]).max(2, initial=0.0),
        near(liked) / ends[0],
        near(hidden) / ends[1],
        near(skipped) / ends[2],
        of_kind_shown / PICKS,
        of_kind(shown * faded) / PICKS,
        (of_kind_liked + 5.0 * usual) / (of_kind_shown + 5.0) - usual,
        np.sqrt(np.log1p(shown.sum(1))[:, None] / (of_kind_shown + 1.0)),
        of_kind(hidden),
    ]
    now = about.age == 0
    visit = [
        np.log1p(about.known) / 5.0,
        about.lists / MOST_LISTS,
        liked.sum(1) / PICKS,
        hidden.sum(1) / 3.0,
        (liked & now).sum(1) / PICKS,
        (hidden & now).sum(1) / 3.0,
        liked.sum(1) / (5.0 + shown.sum(1)),
    ]
    return np.stack(features, axis=2, dtype=np.float32), np.stack(visit, axis=1, dtype=np.float32)
