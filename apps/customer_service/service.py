"""The one facade of the app: conversations that are kept, replies, opinions, articles."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from apps.customer_service import tables
from apps.customer_service.data import SMALL_TALK, Article
from apps.customer_service.engine import Reply
from apps.customer_service.inbox import Inbox
from apps.customer_service.model import MAX_MESSAGE, SupportModel
from apps.customer_service.rewards import MAX_ASKS
from apps.customer_service.tables import Conversation, Turn
from apps.customer_service.views import (
    ChatTurn,
    ConversationSummary,
    InboxLine,
    exchanges,
    summary,
    to_article,
    turn_views,
)
from core.platform.auth.access import Principal
from core.platform.http.idempotency import used_for_another
from core.platform.inference.drift import WATCH
from core.platform.inference.metrics import DECISIONS, FEEDBACK
from core.platform.store import decisions
from core.platform.store.database import Session, Store
from core.platform.store.schema import new_id
from core.platform.versions.live import LiveModel
from core.rl.explore import Explorer
from core.util.errors import ConflictError, NotFoundError
from core.util.text_input import check_text

__all__ = ["MAX_MESSAGE", "Article", "ChatTurn", "Inbox", "InboxLine", "SupportService"]

MOST_TURNS = 200
_TRIES, _EXAMPLES = 5, 4
# Turns: each question back, and as many lines of small talk between them.
_LOOKED_BACK = 2 * 2 * MAX_ASKS
_NOT_YOURS = "There is no such conversation of yours."


@dataclass(frozen=True)
class _Known:
    """What the next turn of a conversation depends on.

    Attributes:
        conversation: Its id.
        last: Its last turns, oldest first.
        sent: Message that was sent with the same key.
        answered: Reply to that message.
        agent: Who has taken it over.
        is_new: Whether it begins with the next turn.
    """

    conversation: str
    last: Sequence[Turn] = ()
    sent: str = ""
    answered: ChatTurn | None = None
    agent: str | None = None
    is_new: bool = False

    @property
    def length(self) -> int:
        """Number of all turns."""
        return self.last[-1].number + 1 if self.last else 0


class SupportService:
    """Keeps conversations, and lets each be seen by its owner and by agents only.

    Args:
        store: Store that keeps them.
        models: Model of the version that serves at the moment.
        explorer: Picks actions by their probability.

    Attributes:
        app: Name of the app in the store.
        examples: Messages that the page offers to try.
        inbox: What waits for people, and what they answer.
    """

    def __init__(self, store: Store, models: LiveModel[SupportModel], explorer: Explorer) -> None:
        self._store, self._models, self._explorer = store, models, explorer
        model, _ = models.current
        self.app, config = model.task.name, model.task.workspace.config
        self.inbox = Inbox(store, self.app)
        # Without examples, the page offers the titles of some articles, from the first document to the last.
        titles = [article.title for article in model.articles]
        self.examples = config.examples or tuple(titles[:: max(1, len(titles) // _EXAMPLES)][:_EXAMPLES])
        self._keep_articles()

    def counts(self) -> dict[str, int]:
        """What waits for people, for the start page."""
        with self._store.reading() as session:
            return {"waiting": tables.waiting(session, self.app)}

    async def start(self, principal: Principal) -> str:
        """Begin a conversation of the principal's; its id."""

        def started(session: Session) -> str:
            principal.hold(session)
            return tables.start(session, self.app, principal.name).id

        return await self._store.write(started)

    async def newest(self, principal: Principal, count: int, *, mine: bool = False) -> list[ConversationSummary]:
        """The newest conversations that the principal may see, the newest first.

        Args:
            principal: Person who asks.
            count: Number of conversations at most.
            mine: Whether to leave out those of others, which agents may see.
        """
        owner = None if principal.is_at_least("agent") and not mine else principal.name
        found = await self._store.read(lambda session: tables.newest(session, self.app, owner, count))
        return [summary(*each) for each in found]

    async def turns(
        self, principal: Principal, conversation_id: str, limit: int = MOST_TURNS, offset: int | None = 0
    ) -> list[ChatTurn]:
        """A part of a conversation, oldest turn first.

        Args:
            principal: Person who asks.
            conversation_id: Id of the conversation.
            limit: Largest number of turns.
            offset: Number of turns to leave out, the first ones; None for the end of the conversation.

        Raises:
            NotFoundError: It is not there, or not the principal's.
        """

        def found(session: Session) -> tuple[Conversation | None, list[ChatTurn]]:
            if offset is None:
                turns = tables.last_turns(session, conversation_id, limit)
            else:
                turns = tables.turns(session, conversation_id, limit, offset)
            return tables.find(session, self.app, conversation_id), turn_views(session, self.app, turns)

        talk, turns = await self._store.read(found)
        if talk is None or not principal.may_see(talk.owner):
            raise NotFoundError(_NOT_YOURS)
        return turns

    async def say(self, principal: Principal, conversation_id: str, message: str, key: str | None = None) -> ChatTurn:
        """Add the principal's message and the bot's reply.

        Args:
            principal: Person who asks; only the owner speaks in a conversation.
            conversation_id: Id of the conversation.
            message: Message as typed.
            key: Key of the sender's choice; a message that is sent again with the same key gets the same reply.

        Returns:
            The reply, which is on disk when this returns.

        Raises:
            NotFoundError: There is no such conversation of the principal's.
            ConflictError: The key came with another message before; or several messages came at the same time, and
                others were faster again and again.
            SteerError: The message is empty, too long, or not text.
        """
        for _ in range(_TRIES):
            known = await self._known(principal, conversation_id, key)
            if known.answered is not None:
                return _repeated(known, message, key)
            reply, version = await self._next(known, message)
            turn = await self._append(principal, known, message, key, reply, version)
            if turn is not None:
                return turn
        raise ConflictError("Several messages came at the same time; please send yours again.")

    async def start_with(self, principal: Principal, message: str, earlier: Sequence[str] = ()) -> tuple[str, ChatTurn]:
        """Begin a conversation with a message.

        Args:
            principal: Person who asks.
            message: Message as typed.
            earlier: Messages that the bot has only asked back about elsewhere, oldest first.

        Returns:
            Id of the conversation, and the bot's reply.

        Raises:
            SteerError: The message is empty, too long, or not text.
        """
        reply, version = await self._reply(list(earlier), message)
        conversation_id = new_id()
        turn = await self._append(principal, _Known(conversation_id, is_new=True), message, None, reply, version)
        assert turn is not None  # nobody else knows of the conversation yet
        return conversation_id, turn

    async def hand_over(
        self, principal: Principal, conversation_id: str, wish: str, key: str | None = None
    ) -> ChatTurn:
        """Note that the customer asked for a person, which is always obeyed; see `say`.

        Raises:
            NotFoundError: There is no such conversation of the principal's.
            ConflictError: The key came with another message before, or other messages came at the same time.
        """
        known = await self._known(principal, conversation_id, key)
        if known.answered is not None:
            return _repeated(known, wish, key)
        turn = await self._append(principal, known, wish, key, Reply("hand_over", "", [], 1.0), None)
        if turn is None:
            raise ConflictError("Another message came at the same time; please ask again.")
        return turn

    async def take_back(self, principal: Principal, conversation_id: str) -> str | None:
        """Erase the principal's last message and its reply; the message, or None where there is none to take back.

        Raises:
            NotFoundError: There is no such conversation of the principal's.
        """
        talk = (await self._known(principal, conversation_id)).conversation
        return await self._store.erase(lambda session: tables.take_back(session, talk), at_once=False)

    async def remove(self, principal: Principal, conversation_id: str) -> None:
        """Erase a conversation: its messages, the decisions about them, and the opinions of these.

        Raises:
            NotFoundError: There is no such conversation of the principal's.
        """
        talk = (await self._known(principal, conversation_id)).conversation
        await self._store.erase(lambda session: tables.remove(session, talk))

    async def judge(self, principal: Principal, decision_id: str, value: float, comment: str = "") -> None:
        """Keep what the principal thinks of a reply of theirs; agents may judge any.

        Args:
            principal: Person who says so.
            decision_id: Id of the decision that led to the reply.
            value: Opinion from -1 (wrong) to 1 (right).
            comment: Opinion in words.

        Raises:
            NotFoundError: There is no such decision that the principal may see.
        """

        def kept(session: Session) -> None:
            principal.hold(session)
            found = decisions.find(session, self.app, decision_id)
            if found is None or not principal.may_see(found.owner):
                raise NotFoundError("There is no such reply of yours.")
            about = {"comment": comment} if comment else {}
            decisions.judge(session, decision_id, principal.name, value, about)

        await self._store.write(kept)
        FEEDBACK.labels(self.app, "good" if value > 0 else "bad").inc()
        WATCH.note(self.app, "outcomes", value)

    async def articles(self, count: int, after: str) -> list[Article]:
        """Articles in the order of their ids, behind the id `after`."""
        return await self._store.read(
            lambda session: [to_article(document) for document in tables.documents(session, self.app, count, after)]
        )

    async def article(self, article_id: str) -> Article:
        """The article of an id.

        Raises:
            NotFoundError: There is none.
        """
        found = await self._store.read(lambda session: tables.document(session, self.app, article_id))
        if found is None:
            raise NotFoundError("There is no such article.")
        return to_article(found)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, as the policy's encoder counts them."""
        return self._models.current[0].count_tokens(texts)

    async def _known(self, principal: Principal, conversation_id: str, key: str | None = None) -> _Known:
        """What the next turn of a conversation of the principal's depends on."""

        def found(session: Session) -> tuple[Conversation | None, _Known]:
            last, agent = (
                tables.last_turns(session, conversation_id, _LOOKED_BACK),
                tables.taken_by(session, conversation_id),
            )
            known = _Known(conversation_id, last, agent=agent)
            if key and (exchange := tables.exchange(session, conversation_id, key)):
                sent, answered = turn_views(session, self.app, exchange)
                known = replace(known, sent=sent.text, answered=answered)
            return tables.find(session, self.app, conversation_id), known

        talk, known = await self._store.read(found)
        if talk is None or talk.owner != principal.name:
            raise NotFoundError(_NOT_YOURS)
        return known

    async def _next(self, known: _Known, message: str) -> tuple[Reply, str | None]:
        """What comes after a message: the bot's reply; where a person looks after the customer, that they have it."""
        if known.agent is not None:
            check_text(message, max_length=MAX_MESSAGE, what="a message")
            return Reply("passed_on", "", [], None), None
        talk = exchanges(known.last)
        return await self._reply(unanswered((said.text, reply.about["action"]) for said, reply in talk), message)

    async def _reply(self, earlier: list[str], message: str) -> tuple[Reply, str]:
        """The bot's reply, and the version that gave it."""
        model, version = self._models.current
        return await model.reply(earlier, message, self._explorer), version

    async def _append(
        self, principal: Principal, known: _Known, message: str, key: str | None, reply: Reply, version: str | None
    ) -> ChatTurn | None:
        """Keep an exchange and the decision behind it; None if the conversation is no longer what it was."""
        sources = [article.id for article in reply.sources]
        about = {"action": reply.action, "confidence": reply.confidence, "sources": sources}
        answer = Turn(role="assistant", text=reply.text, key=key, about=about)
        question = Turn(role="user", text=message.strip(), key=key)

        def kept(session: Session) -> bool:
            principal.hold(session)
            if known.is_new:
                tables.start(session, self.app, principal.name, known.conversation)
            if not tables.claim(session, known.conversation, known.length):
                return False
            if tables.taken_by(session, known.conversation) != known.agent:
                return False
            if reply.choice is not None and version is not None:
                answer.decision_id = decisions.keep(
                    session,
                    app=self.app,
                    owner=principal.name,
                    version=version,
                    state={**reply.choice.state, "confidence": reply.confidence},
                    action=[reply.choice.action],
                    propensity=reply.choice.propensity,
                )
            tables.append(session, known.conversation, known.length, [question, answer])
            return True

        if not await self._store.write(kept):
            return None
        if version is not None:
            DECISIONS.labels(self.app, version, reply.action).inc()
            if reply.confidence is not None:
                WATCH.note(self.app, "inputs", reply.confidence)
        return ChatTurn(
            role="assistant",
            text=reply.text,
            time=answer.time,
            action=reply.action,
            confidence=reply.confidence,
            sources=reply.sources,
            decision=answer.decision_id,
        )

    def _keep_articles(self) -> None:
        rows = [
            {
                "key": article.id,
                "title": article.title,
                "body": article.body,
                "attributes": {"intent": article.intent, "template": article.template, "url": article.url},
            }
            for article in self._models.current[0].articles
        ]
        with self._store.transaction() as session:
            tables.put_documents(session, self.app, rows)


def _repeated(known: _Known, message: str, key: str | None) -> ChatTurn:
    """The answer that the same message with the same key got."""
    assert known.answered is not None
    assert key is not None
    if known.sent != message.strip():
        raise used_for_another(key)
    return known.answered


def unanswered(exchanges: Iterable[tuple[str, str | None]]) -> list[str]:
    """The customer's messages that the bot has only asked back about so far; small talk in between does not count.

    Args:
        exchanges: Message and what the bot did about it, oldest first.
    """
    messages: list[str] = []
    for message, action in exchanges:
        if action == "ask_back":
            messages.append(message)
        elif action not in SMALL_TALK:
            messages.clear()
    return messages
