"""Reads a workspace: the company's articles, and whatever else it has. What it lacks is made, or general."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from apps.customer_service.completing import completed
from apps.customer_service.config import SupportConfig
from apps.customer_service.data import OFF_TOPIC, SupportData
from apps.customer_service.logs import conversations_of
from apps.customer_service.parts import Parts, documents_of, parts_of
from apps.customer_service.splitting import splits_of_log, with_splits
from core.data.splits import SPLITS, split_sizes
from core.training.workspace import Workspace, WorkspaceReport
from core.util.errors import SteerError
from core.util.lru_cache import LRUCache

_REMEMBERED = 8

_read: LRUCache[tuple[Any, ...], SupportData] = LRUCache(_REMEMBERED)


def read_support_data(workspace: Workspace[SupportConfig]) -> SupportData:
    """Everything that the bot learns from; read anew when a file has changed.

    Documents that cannot be read are left out; `check_support_data` names them.

    Raises:
        SteerError: Something is missing or malformed; the message names it.
    """
    return _read.get([_state_of(workspace)], lambda _: [_support_data(workspace)])[0]


def check_support_data(workspace: Workspace[SupportConfig]) -> WorkspaceReport:
    """What there is to say of a workspace's articles, intents, messages and logs.

    Raises:
        SteerError: A source is missing, lacks a column, or is empty.
    """
    parts = parts_of(workspace)
    texts = [article.text for article in parts.articles.rows]
    texts += [message.text for message in parts.messages.rows] if parts.messages else []
    reports = tuple(part.report() for part in parts.given)
    remarks, splits = [], {}
    try:
        data = _learnt_from(workspace, parts)
        splits = {
            "questions": split_sizes(each.split for each in data.utterances),
            "conversations": split_sizes(each.split for each in data.conversations),
        }
    except SteerError as error:
        remarks.append(str(error))
    return WorkspaceReport(reports, tuple(remarks), tuple(_missing(parts)), tuple(texts), splits)


def _support_data(workspace: Workspace[SupportConfig]) -> SupportData:
    parts = parts_of(workspace)
    for part in parts.given:
        # Among many documents there is always one that cannot be read; a line of a table can be mended.
        if part is not parts.articles or documents_of(workspace) is None or not part.rows:
            part.refuse()
    return _learnt_from(workspace, parts)


def _learnt_from(workspace: Workspace[SupportConfig], parts: Parts) -> SupportData:
    articles = parts.articles.rows
    utterances = with_splits(parts.messages.rows, lambda row: row.text) if parts.messages else []
    conversations = []
    if parts.conversations:
        conversations = with_splits(parts.conversations.rows, lambda row: "\n".join(row.customer))
    if parts.log:
        intent_of = {article.id: article.intent for article in articles}
        conversations = conversations_of(parts.log.rows, intent_of, splits_of_log(parts.log.rows))
    data = completed(parts.intents.rows if parts.intents else [], utterances, articles, conversations)
    answerable = {article.intent for article in articles} - data.hand_over_intents
    for split in SPLITS:
        if not any(each.split == split and answerable.intersection(each.intents) for each in data.utterances):
            raise SteerError(
                f"{workspace.folder} has no question for the split {split}; give at least three articles that nobody "
                "has asked about, from which questions are made, or messages of each split"
            )
    return data


def _missing(parts: Parts) -> Iterator[str]:
    """What a workspace lacks, and what it would bring."""
    if parts.messages is None:
        yield (
            "no messages: questions are made from the articles' own titles and sentences; a few hundred messages that "
            "customers typed teach how they put it, and measure what they will meet"
        )
    if parts.log is None and parts.conversations is None:
        yield (
            "no logs: the bot cannot learn from what customers ask, nor when to ask back; past conversations with the "
            "article that answered teach both"
        )
    if parts.intents is None:
        yield (
            "no intents: each article answers for itself; intents join the articles that answer the same question, and "
            "name what only a person may handle"
        )
    labels = {label for message in (parts.messages.rows if parts.messages else ()) for label in message.intents}
    unasked = {article.intent for article in parts.articles.rows} - labels
    if parts.messages and unasked:
        yield f"no messages about {len(unasked)} intents, such as {min(unasked)}: questions about them are made"
    if OFF_TOPIC not in labels:
        yield "no off-topic messages (intents: none): general ones are used; yours would tell where your field ends"


def _state_of(workspace: Workspace[SupportConfig]) -> tuple[Any, ...]:
    """What changes whenever the files of a workspace do."""
    config = workspace.config
    tables = [table for table in (config.articles, config.intents, config.messages, config.logs) if table]
    files = [file for table in tables for file in _files(workspace.path(table.source))]
    return (config.model_dump_json(), *((str(file), *_stamp(file)) for file in files))


def _files(path: Path) -> Iterable[Path]:
    return sorted(path.rglob("*")) if path.is_dir() else [path]


def _stamp(file: Path) -> tuple[int, int]:
    try:
        stat = file.stat()
    except OSError:  # a name on the Hub, or a link to nothing
        return 0, 0
    return stat.st_mtime_ns, stat.st_size
