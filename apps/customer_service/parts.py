"""What a workspace holds, row by row: its articles, intents, messages and logs."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.customer_service.config import SupportConfig
from apps.customer_service.data import (
    OFF_TOPIC,
    SMALL_TALK,
    Article,
    Intent,
    LoggedConversation,
    LoggedMessage,
    Utterance,
)
from apps.customer_service.general import general_intents
from core.data.documents.passages import text_of
from core.data.documents.reading import SUFFIXES, read_documents
from core.data.report import Rejections
from core.data.sources import open_source
from core.data.usable import UsableRows
from core.training.workspace import Table, Workspace
from core.util.errors import SteerError

_TAG = re.compile(r"<(a|br|div|h[1-6]|li|ol|p|span|table|ul)\b[^<>]*>", re.IGNORECASE)


@dataclass(frozen=True)
class Parts:
    """What a workspace holds.

    Attributes:
        articles: Articles, each with an intent.
        intents: Intents that the workspace lists.
        messages: Messages that customers typed.
        conversations: Past conversations, where the log has one in each row.
        log: Past messages, where the log has one in each row.
    """

    articles: UsableRows[Article]
    intents: UsableRows[Intent] | None
    messages: UsableRows[Utterance] | None
    conversations: UsableRows[LoggedConversation] | None
    log: UsableRows[LoggedMessage] | None

    @property
    def given(self) -> list[UsableRows[Any]]:
        """Those that the workspace names."""
        parts = (self.articles, self.intents, self.messages, self.conversations, self.log)
        return [part for part in parts if part is not None]


def parts_of(workspace: Workspace[SupportConfig]) -> Parts:
    """What a workspace holds, with rows rejected that name what is not there.

    Raises:
        SteerError: A source is missing, lacks a column, or is empty.
    """
    config = workspace.config

    def rows(table: Table | None, schema: type) -> UsableRows[Any] | None:
        return UsableRows.of_table(workspace.source(table.source), schema, table.columns) if table else None

    articles = _articles(workspace)
    intents = rows(config.intents, Intent)
    messages = rows(config.messages, Utterance)
    is_whole = config.logs is not None and _has_turns(workspace, config.logs)
    conversations = rows(config.logs, LoggedConversation) if is_whole else None
    log = None if is_whole else rows(config.logs, LoggedMessage)

    known = {article.intent for article in articles.rows} | {OFF_TOPIC, *SMALL_TALK}
    known |= {intent.intent for intent in (*(intents.rows if intents else ()), *general_intents())}
    ids = {article.id for article in articles.rows}
    if messages:
        messages.reject("intents", lambda row: _unknown(set(row.intents) - known, "neither an intent nor an article"))
    if conversations:
        conversations.reject("intent", lambda row: _unknown({row.intent} - known, "neither an intent nor an article"))
    if log:
        log.reject("article", lambda row: _unknown({row.article} - {None, *ids}, "there is no such article"))
    return Parts(articles, intents, messages, conversations, log)


def documents_of(workspace: Workspace[SupportConfig]) -> Path | None:
    """The folder or file of documents that articles come from; None where they come from a table.

    Raises:
        SteerError: Columns are named, and documents have none.
    """
    table, path = workspace.config.articles, workspace.path(workspace.config.articles.source)
    files = path.rglob("*") if path.is_dir() else [path]
    if not any(file.name.lower().endswith(SUFFIXES) for file in files):
        return None
    if table.columns:
        raise SteerError(f"articles.columns: {path} holds documents, which have no columns; remove the columns")
    return path


def _articles(workspace: Workspace[SupportConfig]) -> UsableRows[Article]:
    """Articles; one that names no intent is an intent of its own, as is each section of a document."""
    documents, table = documents_of(workspace), workspace.config.articles
    if documents is None:
        found = UsableRows.of_table(workspace.source(table.source), Article, table.columns)
        found.rows = [
            row.model_copy(update={"intent": row.intent or row.id, "body": _without_markup(row.body)})
            for row in found.rows
        ]
        found.reject("body", lambda row: None if row.body else ("HTML without text", ""))
        return found
    rejections = Rejections()
    passages = read_documents(documents, rejections)
    rows = [Article(id=each.id, title=each.title, body=each.text, intent=each.section) for each in passages]
    return UsableRows(str(documents), Article, rows, [row.id for row in rows], rejections)


def _without_markup(body: str) -> str:
    """The text of an article that a help centre keeps as HTML."""
    return text_of(body) if _TAG.search(body) else body


def _has_turns(workspace: Workspace[SupportConfig], table: Table) -> bool:
    first = next(open_source(workspace.source(table.source)).read(), None)
    return first is not None and table.columns.get("turns", "turns") in first.values


def _unknown(values: set[Any], reason: str) -> tuple[str, str] | None:
    return (reason, ", ".join(sorted(map(repr, values)))) if values else None
