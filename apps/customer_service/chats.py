"""What the page and the API ask for: conversations that are kept, replies, opinions, articles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.customer_service import tables
from apps.customer_service.environment import MAX_ASKS
from apps.customer_service.replies import Action, Reply, Source
from apps.customer_service.service import SupportService
from apps.customer_service.tables import Conversation, Turn
from core.platform.auth.access import Principal
from core.platform.inference.drift import WATCH
from core.platform.inference.metrics import DECISIONS, FEEDBACK
from core.platform.store import decisions
from core.platform.store.database import Session, Store
from core.platform.versions.live import LiveModel
from core.rl.explore import Explorer
from core.util.errors import ConflictError, NotFoundError

APP = "customer_service"
_TRIES = 5
_NOT_YOURS = "There is no such conversation of yours."


@dataclass(frozen=True)
class Said:
    """One turn of a conversation as it is shown.

    Attributes:
        role: `user` or `assistant`.
        text: empty where the page words the bot's action in the reader's language.
        time: when it was said.
        reply: what the bot decided, of its turns.
        decision: id to judge the reply by.
    """

    role: str
    text: str
    time: datetime
    reply: Reply | None = None
    decision: str | None = None


@dataclass(frozen=True)
class _Known:
    """What the next turn of a conversation depends on.

    Attributes:
        conversation: its id.
        last: its last turns, oldest first.
        answered: what answered the message that was sent with the same key.
    """

    conversation: str
    last: Sequence[Turn] = ()
    answered: Turn | None = None

    @property
    def length(self) -> int:
        """Number of all turns."""
        return self.last[-1].number + 1 if self.last else 0


class SupportChats:
    """Keeps conversations, and lets each be seen by its owner and by agents only.

    Args:
        store: where they are kept.
        services: the bot of the version that serves at the moment.
        explorer: picks actions by their probability.
    """

    def __init__(self, store: Store, services: LiveModel[SupportService], explorer: Explorer) -> None:
        self.store, self.services, self.explorer = store, services, explorer
        self._keep_articles()

    @property
    def service(self) -> SupportService:
        """The bot that answers at the moment."""
        return self.services.current[0]

    async def start(self, who: Principal) -> str:
        """Begin a conversation of the principal's; its id."""
        return await self.store.write(lambda session: tables.start(session, APP, who.name).id)

    async def newest(self, who: Principal, count: int) -> list[Conversation]:
        """The newest conversations that the principal may see."""
        owner = None if who.is_at_least("agent") else who.name
        return await self.store.read(lambda session: tables.newest(session, APP, owner, count))

    async def turns(self, who: Principal, identity: str) -> list[Said]:
        """A conversation, oldest turn first.

        Raises:
            NotFoundError: it is not there, or not the principal's.
        """

        def found(session: Session) -> tuple[Conversation | None, list[Turn]]:
            return tables.find(session, APP, identity), tables.turns(session, identity)

        talk, turns = await self.store.read(found)
        if talk is None or not who.may_see(talk.owner):
            raise NotFoundError(_NOT_YOURS)
        return [self._said(turn) for turn in turns]

    async def say(self, who: Principal, identity: str, message: str, key: str | None = None) -> Said:
        """Add the principal's message and the bot's reply.

        Args:
            who: asks; only the owner speaks in a conversation.
            identity: of the conversation.
            message: as typed.
            key: of the sender's choice; a message that is sent again with the same key gets the same reply.

        Returns:
            The reply, which is on disk when this returns.

        Raises:
            NotFoundError: there is no such conversation of the principal's.
            ConflictError: several messages came at the same time, and others were faster again and again.
            SteerError: the message is empty, too long, or not text.
        """
        for _ in range(_TRIES):
            known = await self._known(who, identity, key)
            if known.answered is not None:
                return self._said(known.answered)
            service, version = self.services.current
            reply = await service.reply(_unanswered(known.last), message, self.explorer)
            said = await self._append(who, known, message, key, reply, version)
            if said is not None:
                _count(version, reply)
                return said
        raise ConflictError("Several messages came at the same time; please send yours again.")

    async def answer_once(self, who: Principal, earlier: list[str], message: str) -> Said:
        """Reply in a conversation that the principal keeps; the exchange is kept as a conversation of its own.

        Args:
            who: asks.
            earlier: messages that the bot has only asked back about, oldest first.
            message: the newest.

        Raises:
            SteerError: the message is empty, too long, or not text.
        """
        service, version = self.services.current
        reply = await service.reply(earlier, message, self.explorer)
        said = await self._append(who, _Known(await self.start(who)), message, None, reply, version)
        assert said is not None  # nobody else knows of the conversation yet
        _count(version, reply)
        return said

    async def hand_over(self, who: Principal, identity: str, wish: str) -> Said:
        """Note that the customer asked for a person, which is always obeyed.

        Raises:
            NotFoundError: there is no such conversation of the principal's.
            ConflictError: other messages came at the same time.
        """
        reply = Reply("hand_over", "", [], 1.0)
        said = await self._append(who, await self._known(who, identity), wish, None, reply, None)
        if said is None:
            raise ConflictError("Another message came at the same time; please ask again.")
        return said

    async def take_back(self, who: Principal, identity: str) -> str | None:
        """Remove the principal's last message and its reply; the message, or None where there is none.

        Raises:
            NotFoundError: there is no such conversation of the principal's.
        """
        talk = (await self._known(who, identity)).conversation
        return await self.store.write(lambda session: tables.take_back(session, talk))

    async def remove(self, who: Principal, identity: str) -> None:
        """Delete a conversation.

        Raises:
            NotFoundError: there is no such conversation of the principal's.
        """
        talk = (await self._known(who, identity)).conversation
        await self.store.write(lambda session: tables.remove(session, talk))

    async def judge(self, who: Principal, decision: str, value: float, comment: str = "") -> None:
        """Keep what the principal thinks of a reply of theirs; agents may judge any.

        Args:
            who: says so.
            decision: that led to the reply.
            value: from -1 (wrong) to 1 (right).
            comment: in words.

        Raises:
            NotFoundError: there is no such decision that the principal may see.
        """
        found = await self.store.read(lambda session: decisions.find(session, APP, decision))
        if found is None or not who.may_see(found.owner):
            raise NotFoundError("There is no such reply of yours.")
        about = {"comment": comment} if comment else {}
        await self.store.write(lambda session: decisions.judge(session, decision, who.name, value, about))
        FEEDBACK.labels(APP, "good" if value > 0 else "bad").inc()
        WATCH.note(APP, "outcomes", value)

    async def articles(self, count: int, after: str) -> list[Source]:
        """Articles in the order of their ids, behind the id `after`."""
        found = await self.store.read(lambda session: tables.documents(session, APP, count, after))
        return [Source(document.key, document.title, document.body) for document in found]

    async def article(self, identity: str) -> Source:
        """The article of an id.

        Raises:
            NotFoundError: there is none.
        """
        found = await self.store.read(lambda session: tables.document(session, APP, identity))
        if found is None:
            raise NotFoundError("There is no such article.")
        return Source(found.key, found.title, found.body)

    async def _known(self, who: Principal, identity: str, key: str | None = None) -> _Known:
        """What the next turn of a conversation of the principal's depends on."""

        def found(session: Session) -> tuple[Conversation | None, _Known]:
            last = tables.last_turns(session, identity, 2 * MAX_ASKS)
            answered = tables.answer_to(session, identity, key) if key else None
            return tables.find(session, APP, identity), _Known(identity, last, answered)

        talk, known = await self.store.read(found)
        if talk is None or talk.owner != who.name:
            raise NotFoundError(_NOT_YOURS)
        return known

    async def _append(
        self, who: Principal, known: _Known, message: str, key: str | None, reply: Reply, version: str | None
    ) -> Said | None:
        """Keep an exchange and the decision behind it; None if the conversation is no longer what it was."""
        answer = Turn(role="assistant", text=reply.text, key=key, about=_about(reply))
        question = Turn(role="user", text=message.strip(), key=key)

        def kept(session: Session) -> bool:
            if not tables.claim(session, known.conversation, known.length):
                return False
            if reply.choice is not None and version is not None:
                answer.decision_id = decisions.keep(
                    session,
                    app=APP,
                    owner=who.name,
                    version=version,
                    state={**reply.choice.state, "confidence": reply.confidence},
                    action=[reply.choice.action],
                    propensity=reply.choice.propensity,
                )
            tables.append(session, known.conversation, known.length, [question, answer])
            return True

        return self._said(answer) if await self.store.write(kept) else None

    def _said(self, turn: Turn) -> Said:
        reply = _reply(turn, self.service) if turn.role == "assistant" else None
        return Said(turn.role, turn.text, turn.time, reply, turn.decision_id)

    def _keep_articles(self) -> None:
        rows = [
            {"key": a.id, "title": a.title, "body": a.body, "attributes": {"intent": a.intent}}
            for a in self.service.task.desk.articles
        ]
        with self.store.transaction() as session:
            tables.put_documents(session, APP, rows)


def _count(version: str, reply: Reply) -> None:
    DECISIONS.labels(APP, version, reply.action).inc()
    WATCH.note(APP, "inputs", reply.confidence)


def _unanswered(known: Sequence[Turn]) -> list[str]:
    """The customer's messages that the bot has only asked back about so far."""
    messages: list[str] = []
    for question, answer in zip(reversed(known[::2]), reversed(known[1::2]), strict=True):
        if answer.about["action"] != "ask_back":
            break
        messages.insert(0, question.text)
    return messages


def _about(reply: Reply) -> dict[str, Any]:
    sources = [source.article for source in reply.sources]
    return {"action": reply.action, "confidence": reply.confidence, "sources": sources}


def _reply(turn: Turn, service: SupportService) -> Reply:
    about: Mapping[str, Any] = turn.about
    action: Action = about["action"]
    return Reply(action, turn.text, service.sources(about["sources"]), about["confidence"])
