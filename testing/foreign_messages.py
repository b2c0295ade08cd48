"""Messages in other languages than the shipped articles'."""

from pathlib import Path

from apps.customer_service.data import Utterance
from core.data.languages import Language
from core.data.tables import read_rows
from core.training.task import Split

_FILE = Path(__file__).with_name("foreign_messages.jsonl")


class ForeignMessage(Utterance):
    """A message with the intents of which any answers it."""

    language: Language


def foreign_messages(split: Split) -> list[ForeignMessage]:
    """Those of a split."""
    return [row for row in read_rows(str(_FILE), ForeignMessage) if row.split == split]
