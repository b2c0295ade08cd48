"""The environment: one decision for each headline, its label."""

from collections.abc import Sequence

from apps.finance_monitor.data import LABELS, Headline, NewsData
from core.envs.text_choice import TextChoiceEnv
from core.rewards.reward import Reward


class NewsEnv(TextChoiceEnv):
    """A contextual bandit over some headlines; it pays what the reward says of the chosen label.

    Args:
        news: Data that the headlines are of.
        items: Headlines with their true labels, one episode each.
        reward: Reward of a label, given the true one.
        num_envs: Number of environments side by side; by default as many as there are headlines.
        shuffle: See `EpisodeEnv`.
    """

    def __init__(
        self,
        news: NewsData,
        items: Sequence[Headline],
        reward: Reward[None, str, str],
        num_envs: int | None = None,
        *,
        shuffle: bool = False,
    ) -> None:
        texts = [news.text(item.company, item.headline) for item in items]
        rewards = reward.table(None, LABELS, LABELS)[[LABELS.index(item.label) for item in items]]
        super().__init__(texts, rewards, num_envs or len(items), shuffle=shuffle)
