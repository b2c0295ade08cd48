"""What a workspace of the bot's names in its `steer.yaml`: the company's articles, and whatever else it has."""

from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from core.training.workspace import Table, WorkspaceConfig

EXAMPLE = Path(__file__).parent / "example"


class SupportConfig(WorkspaceConfig):
    """A company's own data for the bot; the articles alone are enough.

    The preset is by default `quick`, or `articles` where there is nothing that customers have said.
    """

    articles: Table = Field(
        description="Folder or file of documents (Markdown, HTML, text, PDF, Word), or a table with columns id, title, "
        "body and, if there are any, intent and template"
    )
    intents: Table | None = Field(
        default=None,
        description="Table of what customers can want: intent, meaning and group; a person handles the group handover",
    )
    messages: Table | None = Field(
        default=None,
        description="Table of what customers typed: text, and intents (names of intents, ids of articles, or none)",
    )
    logs: Table | None = Field(
        default=None,
        description="Table of past conversations, a line for each message: conversation, role, text and, where known, "
        "time, outcome and the article that answered",
    )

    @model_validator(mode="before")
    @classmethod
    def _preset_for_articles_alone(cls, value: Any) -> Any:
        if isinstance(value, dict) and not value.keys() & {"preset", "messages", "logs"}:
            return {**value, "preset": "articles"}
        return value
