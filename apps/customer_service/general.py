"""What the customers of any company write: they greet, thank, complain, want a person, or do not say what about."""

from functools import cache
from pathlib import Path

from pydantic import BaseModel

from apps.customer_service.data import Intent, Utterance
from core.data.fields import Text
from core.data.splits import Split
from core.data.tables import read_rows

_FOLDER = Path(__file__).parent / "general"


class Opening(BaseModel):
    """A first message that nobody could answer."""

    text: Text
    split: Split


@cache
def general_intents() -> list[Intent]:
    """Intents of any company that only a person may handle."""
    return read_rows(_FOLDER / "intents.jsonl", Intent)


@cache
def general_messages() -> list[Utterance]:
    """Messages with these intents, and off-topic ones; of any beginning, each has its share."""
    return read_rows(_FOLDER / "messages.jsonl", Utterance)


@cache
def small_talk() -> list[Utterance]:
    """Messages that want a word and no answer; of any beginning, each kind has its share."""
    return read_rows(_FOLDER / "small_talk.jsonl", Utterance)


@cache
def general_openings(split: Split) -> list[str]:
    """Vague openings of a split."""
    return [opening.text for opening in read_rows(_FOLDER / "openings.jsonl", Opening) if opening.split == split]
