"""The conversations that wait for people: agents take them over, answer, and give them back to the bot."""

from apps.customer_service import tables
from apps.customer_service.model import MAX_MESSAGE
from apps.customer_service.tables import Turn
from apps.customer_service.views import ChatTurn, InboxLine, inbox_line
from core.platform.auth.access import Principal
from core.platform.store.database import Session, Store
from core.util.errors import ConflictError, NotFoundError, SteerError
from core.util.text_input import check_text


class Inbox:
    """What agents do about conversations; while one of them has taken a conversation over, the bot is silent in it.

    Args:
        store: Store that keeps the conversations.
        app: Name of the app in the store.
    """

    def __init__(self, store: Store, app: str) -> None:
        self._store, self._app = store, app

    async def lines(self, principal: Principal, count: int) -> list[InboxLine]:
        """Conversations for people, those that wait longest first.

        Raises:
            SteerError: The principal is no agent.
        """
        _check_agent(principal)
        found = await self._store.read(lambda session: tables.inbox(session, self._app, count))
        return [inbox_line(*each) for each in found]

    async def take_over(self, principal: Principal, conversation_id: str) -> None:
        """Let the principal look after a conversation.

        Raises:
            SteerError: The principal is no agent.
            NotFoundError: There is no such conversation.
            ConflictError: Another agent looks after it.
        """

        def taken(session: Session) -> None:
            self._take(session, principal, conversation_id)

        await self._store.write(taken)

    async def answer(self, principal: Principal, conversation_id: str, text: str) -> ChatTurn:
        """Write to the customer, and so take the conversation over.

        Raises:
            SteerError: The principal is no agent, or the text is empty, too long, or not text.
            NotFoundError: There is no such conversation.
            ConflictError: Another agent looks after it.
        """
        said = check_text(text, max_length=MAX_MESSAGE, what="an answer")
        turn = Turn(role=tables.AGENT, text=said)

        def kept(session: Session) -> None:
            self._take(session, principal, conversation_id)
            last = tables.last_turns(session, conversation_id, 1)
            tables.append(session, conversation_id, last[-1].number + 1 if last else 0, [turn])

        await self._store.write(kept)
        return ChatTurn(role="agent", text=said, time=turn.time)

    async def give_back(self, principal: Principal, conversation_id: str) -> None:
        """Let the bot talk again in a conversation that the principal looks after; an admin may give back any.

        Raises:
            SteerError: The principal is no agent.
            NotFoundError: There is no such conversation.
            ConflictError: Another agent looks after it.
        """

        def given(session: Session) -> None:
            self._find(session, principal, conversation_id)
            has = tables.taken_by(session, conversation_id)
            if has not in (None, principal.name) and not principal.is_at_least("admin"):
                raise _others(has)
            tables.give_back(session, conversation_id)

        await self._store.write(given)

    def _take(self, session: Session, principal: Principal, conversation_id: str) -> None:
        self._find(session, principal, conversation_id)
        has = tables.take_over(session, conversation_id, principal.name)
        if has != principal.name:
            raise _others(has)

    def _find(self, session: Session, principal: Principal, conversation_id: str) -> None:
        _check_agent(principal)
        principal.hold(session)
        if tables.find(session, self._app, conversation_id) is None:
            raise NotFoundError("There is no such conversation.")


def _check_agent(principal: Principal) -> None:
    if not principal.is_at_least("agent"):
        raise SteerError("Only agents look after conversations: ask an admin for that role.")


def _others(agent: str | None) -> ConflictError:
    return ConflictError(f"{agent} looks after this conversation.")
