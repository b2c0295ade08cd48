"""Reads a workspace: the company's articles, and whatever else it has. What it lacks is made, or general."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from apps.customer_service.config import SupportConfig
from apps.customer_service.data import (
    HAND_OVER_GROUP,
    OFF_TOPIC,
    Article,
    Intent,
    LoggedConversation,
    LoggedMessage,
    SupportData,
    Utterance,
)
from apps.customer_service.general import general_intents, general_messages
from apps.customer_service.logs import conversations_of, talks_of
from apps.customer_service.questions import made_questions
from core.data.documents.reading import SUFFIXES, read_documents
from core.data.report import Rejections
from core.data.sources import open_source
from core.data.splits import SPLITS, Split, Splits, split_by_time, split_randomly
from core.data.usable import UsableRows
from core.training.workspace import Table, Workspace, WorkspaceReport
from core.util.errors import SteerError
from core.util.lru_cache import LRUCache

if TYPE_CHECKING:
    from datasets import Dataset

_REMEMBERED = 8
_ENOUGH_MESSAGES = 10
_MESSAGES_A_GENERAL_ONE, _FEWEST_GENERAL_ONES = 2, 6

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
    parts = _parts_of(workspace)
    texts = [article.text for article in parts.articles.rows]
    texts += [message.text for message in parts.messages.rows] if parts.messages else []
    return WorkspaceReport(tuple(part.report() for part in parts.given), tuple(_missing(parts)), tuple(texts))


@dataclass(frozen=True)
class _Parts:
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


def _parts_of(workspace: Workspace[SupportConfig]) -> _Parts:
    """What a workspace holds, with rows rejected that name what is not there."""
    config = workspace.config

    def rows(table: Table | None, schema: type) -> UsableRows[Any] | None:
        return UsableRows.of_table(workspace.source(table.source), schema, table.columns) if table else None

    articles = _articles(workspace)
    intents = rows(config.intents, Intent)
    messages = rows(config.messages, Utterance)
    is_whole = config.logs is not None and _has_turns(workspace, config.logs)
    conversations = rows(config.logs, LoggedConversation) if is_whole else None
    log = None if is_whole else rows(config.logs, LoggedMessage)

    known = {article.intent for article in articles.rows} | {OFF_TOPIC}
    known |= {intent.intent for intent in (*(intents.rows if intents else ()), *general_intents())}
    ids = {article.id for article in articles.rows}
    if messages:
        messages.reject("intents", lambda row: _unknown(set(row.intents) - known, "neither an intent nor an article"))
    if conversations:
        conversations.reject("intent", lambda row: _unknown({row.intent} - known, "neither an intent nor an article"))
    if log:
        log.reject("article", lambda row: _unknown({row.article} - {None, *ids}, "there is no such article"))
    return _Parts(articles, intents, messages, conversations, log)


def _unknown(values: set[Any], reason: str) -> tuple[str, str] | None:
    return (reason, ", ".join(sorted(map(repr, values)))) if values else None


def _has_turns(workspace: Workspace[SupportConfig], table: Table) -> bool:
    first = next(open_source(workspace.source(table.source)).read(), None)
    return first is not None and table.columns.get("turns", "turns") in first.values


def _documents(workspace: Workspace[SupportConfig]) -> Path | None:
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
    documents, table = _documents(workspace), workspace.config.articles
    if documents is None:
        found = UsableRows.of_table(workspace.source(table.source), Article, table.columns)
        found.rows = [row if row.intent else row.model_copy(update={"intent": row.id}) for row in found.rows]
        return found
    rejections = Rejections()
    passages = read_documents(documents, rejections)
    rows = [Article(id=each.id, title=each.title, body=each.text, intent=each.section) for each in passages]
    return UsableRows(str(documents), Article, rows, [row.id for row in rows], rejections)


def _support_data(workspace: Workspace[SupportConfig]) -> SupportData:
    parts = _parts_of(workspace)
    for part in parts.given:
        # Among many documents there is always one that cannot be read; a line of a table can be mended.
        if part is not parts.articles or _documents(workspace) is None or not part.rows:
            part.refuse()
    articles = parts.articles.rows
    utterances = _with_splits(parts.messages.rows, lambda row: row.text) if parts.messages else []
    conversations = []
    if parts.conversations:
        conversations = _with_splits(parts.conversations.rows, lambda row: "\n".join(row.customer))
    if parts.log:
        intent_of = {article.id: article.intent for article in articles}
        conversations = conversations_of(parts.log.rows, intent_of, _splits_of_log(parts.log.rows))
    data = _completed(parts.intents.rows if parts.intents else [], utterances, articles, conversations)
    answerable = {article.intent for article in articles} - data.hand_over_intents
    for split in SPLITS:
        if not any(each.split == split and answerable.intersection(each.intents) for each in data.utterances):
            raise SteerError(
                f"{workspace.folder} has no question for the split {split}; give at least three articles that nobody "
                "has asked about, from which questions are made, or messages of each split"
            )
    return data


def _completed(
    intents: Sequence[Intent],
    utterances: Sequence[Utterance],
    articles: Sequence[Article],
    conversations: Sequence[LoggedConversation],
) -> SupportData:
    """Data with what they lack: questions about articles, and what customers of any company write."""
    intents, utterances, conversations = list(intents), list(utterances), list(conversations)
    listed = {intent.intent for intent in intents}
    for article in articles:
        if article.intent not in listed:
            listed.add(article.intent)
            intents.append(Intent(intent=article.intent, group="articles", meaning=article.title))
    asked = Counter(label for each in utterances for label in each.intents)
    asked.update(each.intent for each in conversations)
    by_person = {intent.intent for intent in intents if intent.group == HAND_OVER_GROUP}
    seldom = [each for each in articles if asked[each.intent] < _ENOUGH_MESSAGES and each.intent not in by_person]
    made, opened_vaguely = made_questions(seldom, asked.keys())
    utterances += made
    # What is vague is known from logs alone.
    conversations += [] if any(each.opening == "vague" for each in conversations) else opened_vaguely
    labels = set()
    if not by_person:
        intents += [intent for intent in general_intents() if intent.intent not in listed]
        labels |= {intent.intent for intent in general_intents()}
    if not asked[OFF_TOPIC]:
        labels.add(OFF_TOPIC)
    utterances += _general(labels, Counter(each.split for each in utterances))
    content = repr((intents, utterances, articles, conversations)).encode()
    return SupportData(intents, utterances, articles, conversations, hashlib.sha256(content).hexdigest())


def _general(labels: set[str], questions: Counter[Split | None]) -> list[Utterance]:
    """General messages with some labels: fewer than questions, unless there are next to none."""
    found = []
    for split in SPLITS:
        of_split = [each for each in general_messages() if each.split == split and labels.issuperset(each.intents)]
        found += of_split[: max(_FEWEST_GENERAL_ONES, questions[split] // _MESSAGES_A_GENERAL_ONE)]
    return found


Splittable = TypeVar("Splittable", Utterance, LoggedConversation)


def _with_splits(rows: Sequence[Splittable], text_of: Callable[[Splittable], str]) -> list[Splittable]:
    """Rows with a split each; what has none is divided at random, near-duplicates together."""
    undecided = [at for at, row in enumerate(rows) if row.split is None]
    texts = [text_of(rows[at]) for at in undecided]
    split_of = _divided({"row": undecided, "text": texts}, lambda data: split_randomly(data, text="text"))
    return [row if row.split else row.model_copy(update={"split": split_of[at]}) for at, row in enumerate(rows)]


def _splits_of_log(messages: Sequence[LoggedMessage]) -> dict[str, Split]:
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


def _missing(parts: _Parts) -> Iterator[str]:
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
