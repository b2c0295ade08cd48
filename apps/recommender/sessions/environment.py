"""A visit as an environment: up to six lists of ten, each answered before the next."""

from typing import Any

import numpy as np
from gymnasium import spaces

from apps.recommender.ranking import highest
from apps.recommender.sessions.rewards import HIDE, LIKE, REWARD, SKIP, VisitReward
from apps.recommender.sessions.shop import SessionShop
from apps.recommender.sessions.state import FEATURES, MOST_LISTS, NOTHING, VISIT, Candidates, visit_features
from apps.recommender.sessions.visitors import DRAWN, Moods, Visitors
from apps.recommender.splits import PICKS
from core.envs.episodes import EpisodeEnv
from core.envs.observations import Observations
from core.envs.slate import ListSpace

CANDIDATES = 80
# Numbers of the column that only a critic reads.
VISITOR = len(VISIT) + len(DRAWN) + 2


class SessionEnv(EpisodeEnv):
    """The state is what EASE and the visit say of the best candidates; the action is a list of ten of them.

    Candidates are what EASE likes best by all likes, those of the visit included; nothing is shown twice in a visit.
    All chance of a visit is drawn as it begins, so that different policies meet the same visitor.

    Args:
        shop: Shop that is visited.
        visitors: Visits, one an episode.
        num_envs: Number of visits side by side.
        shuffle: See `EpisodeEnv`.
        again: Whether what was passed over may be shown again.
        on_average: Whether a list pays what its answers are worth on average, and not what they happen to be: the same
            in the long run, with less noise to learn from.
        reward: Reward of answers.
    """

    def __init__(
        self,
        shop: SessionShop,
        visitors: Visitors,
        num_envs: int | None = None,
        *,
        shuffle: bool = False,
        again: bool = False,
        on_average: bool = False,
        reward: VisitReward = REWARD,
    ) -> None:
        super().__init__(num_envs or len(visitors), len(visitors), CANDIDATES, shuffle=shuffle)
        self.shop, self.visitors, self.again, self.reward = shop, visitors, again, reward
        self.on_average = on_average
        self._moods = Moods(visitors, self.num_envs)
        slots, items = self.num_envs, len(shop.items)
        self._before, self._visit, self._hidden = (np.zeros((slots, items), dtype=np.float32) for _ in range(3))
        self._closed = np.zeros((slots, items), dtype=bool)
        self._shown = np.zeros((slots, (MOST_LISTS - 1) * PICKS), dtype=np.int64)
        self._answers = np.full(self._shown.shape, NOTHING)
        self._lists = np.zeros(slots, dtype=np.int64)
        self._chance = np.zeros((slots, MOST_LISTS, PICKS + 1, 2))
        self._begun = [shop.scores(history) for history in visitors.histories]
        self._known = np.array([len(history) for history in visitors.histories])
        self.candidates = np.zeros((slots, CANDIDATES), dtype=np.int64)
        self.set_spaces(
            spaces.Dict(
                {
                    "visit": spaces.Box(-np.inf, np.inf, (len(VISIT),), np.float32),
                    "visitor": spaces.Box(-np.inf, np.inf, (VISITOR,), np.float32),
                    "candidates": spaces.Box(0, items - 1, (CANDIDATES,), np.int64),
                    "features": spaces.Box(-np.inf, np.inf, (CANDIDATES, len(FEATURES)), np.float32),
                }
            ),
            ListSpace(CANDIDATES, PICKS),
        )

    def begin(self, slots: np.ndarray) -> None:
        rows = self.rows[slots]
        self._moods.begin(slots, rows)
        self._before[slots] = np.stack([self._begun[row] for row in rows])
        self._visit[slots], self._hidden[slots], self._closed[slots] = 0.0, 0.0, False
        for slot, row in zip(slots, rows, strict=True):
            self._closed[slot, self.visitors.histories[row]] = True
        self._answers[slots], self._lists[slots] = NOTHING, 0
        self._chance[slots] = self.np_random.random((len(slots), *self._chance.shape[1:]))

    def observe(self) -> Observations:
        scores = np.where(self._closed, -np.inf, self._before + self._visit)
        self.candidates = highest(scores, CANDIDATES)
        features, visit = visit_features(self._about(scores))
        visitor = np.concatenate([visit, self._hidden_facts()], axis=1)
        return {"visit": visit, "visitor": visitor, "candidates": self.candidates.copy(), "features": features}

    def act(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
        slots, now = np.arange(self.num_envs), self._lists.copy()
        lists = np.take_along_axis(self.candidates, actions, axis=1)
        chance = self._chance[slots, now]
        answers, likely = self._moods.answer(lists, chance[:, :PICKS])
        paid = self._worth(likely[..., 0], likely[..., 1]) if self.on_average else self.reward(None, lists, answers)
        rewards = np.asarray(paid, dtype=np.float32)
        for slot in range(self.num_envs):
            self._take(slot, lists[slot], answers[slot])
        self._lists += 1
        over = self._moods.leaves(answers, chance[:, PICKS, 0]) | (self._lists == MOST_LISTS)
        outcomes = [f"{(row == LIKE).sum()} {(row == HIDE).sum()}" for row in answers]
        return rewards.sum(axis=1), over, {"pick_rewards": rewards, "outcome": outcomes}

    def worth(self) -> np.ndarray:
        """What a look at each candidate would bring on average, were it the next: float32 (visits, candidates)."""
        return self._worth(*self._moods.chances(self.candidates))

    def _worth(self, like: np.ndarray, hide: np.ndarray) -> np.ndarray:
        return self.reward.weights["liked"] * like + self.reward.weights["hidden"] * hide

    def _hidden_facts(self) -> np.ndarray:
        """What only a critic may know: how the visitors are, and what the best candidates would bring."""
        worth = self.worth()
        best = -np.sort(-worth, axis=1)[:, : 2 * PICKS]
        manners = [getattr(self.visitors, name)[self.rows] for name in DRAWN]
        return np.stack([*manners, 3 * worth.mean(axis=1), 3 * best.mean(axis=1)], axis=1, dtype=np.float32)

    def _take(self, slot: int, items: np.ndarray, answers: np.ndarray) -> None:
        if self._lists[slot] < MOST_LISTS - 1:
            at = slice(self._lists[slot] * PICKS, (self._lists[slot] + 1) * PICKS)
            self._shown[slot, at], self._answers[slot, at] = items, answers
        liked, hidden = items[answers == LIKE], items[answers == HIDE]
        fades = 0.5 ** (len(liked) / self.shop.half_life)
        self._before[slot] *= fades
        self._visit[slot] *= fades
        if len(liked):
            self._visit[slot] += self.shop.scores(liked)
        if len(hidden):
            self._hidden[slot] += self.shop.weights[hidden].sum(axis=0)
        self._closed[slot, items[answers != SKIP] if self.again else items] = True

    def _about(self, scores: np.ndarray) -> Candidates:
        found, shown, shop = self.candidates, self._shown, self.shop
        places = np.arange(shown.shape[1]) // PICKS
        return Candidates(
            score=np.take_along_axis(scores, found, axis=1),
            score_visit=np.take_along_axis(self._visit, found, axis=1),
            score_hidden=np.take_along_axis(self._hidden, found, axis=1),
            popularity=shop.popularity[found],
            tags=shop.tags[found],
            alike=shop.alike[found[:, :, None], shown[:, None, :]],
            shown_tags=shop.tags[shown],
            answers=self._answers,
            age=(self._lists[:, None] - 1 - places).clip(0),
            lists=self._lists,
            known=self._known[self.rows],
        )
