"""The splits of what customers said, where the workspace does not say them itself."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from apps.customer_service.data import LoggedConversation, LoggedMessage, Utterance
from apps.customer_service.logs import talks_of
from core.data.splits import Split, Splits, split_by_time, split_randomly
from core.util.errors import SteerError

if TYPE_CHECKING:
    from datasets import Dataset

Splittable = TypeVar("Splittable", Utterance, LoggedConversation)


def with_splits(rows: Sequence[Splittable], text_of: Callable[[Splittable], str]) -> list[Splittable]:
    """Rows with a split each; what has none is divided at random, near-duplicates together.

    Args:
        rows: Messages or conversations.
        text_of: Function that gives a row's text, by which it may be a near-duplicate of another.
    """
    undecided = [at for at, row in enumerate(rows) if row.split is None]
    texts = [text_of(rows[at]) for at in undecided]
    split_of = _divided({"row": undecided, "text": texts}, lambda data: split_randomly(data, text="text"))
    return [row if row.split else row.model_copy(update={"split": split_of[at]}) for at, row in enumerate(rows)]


def splits_of_log(messages: Sequence[LoggedMessage]) -> dict[str, Split]:
    """The split of each conversation: as the log says, by time where it says when, or else at random."""
    talks = talks_of(messages)
    given = {name: next((each.split for each in talk if each.split), None) for name, talk in talks.items()}
    undecided = [name for name, split in given.items() if split is None]
    times = [talks[name][0].time for name in undecided]
    if all(times):
        found = _divided({"row": undecided, "time": times}, lambda data: split_by_time(data, "time"))
    else:
        texts = ["\n".join(each.text for each in talks[name]) for name in undecided]
        found = _divided({"row": undecided, "text": texts}, lambda data: split_randomly(data, text="text"))
    return {name: split or found[name] for name, split in given.items()}


def _divided(columns: Mapping[str, Sequence[Any]], divide: Callable[["Dataset"], Splits]) -> dict[Any, Split]:
    """The split of each row; so few that they cannot be divided are all for training."""
    from datasets import Dataset

    try:
        return {row: split for split, part in divide(Dataset.from_dict(columns)).items() for row in part["row"]}
    except SteerError:
        return dict.fromkeys(columns["row"], "train")
