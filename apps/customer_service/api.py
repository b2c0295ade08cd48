"""The bot's HTTP API: conversations, opinions, articles, and OpenAI's protocol."""

from itertools import pairwise
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from apps.customer_service.service import MAX_MESSAGE, Article, Inbox, InboxLine, SupportService, unanswered
from apps.customer_service.texts import TEXTS, act_of, worded
from apps.customer_service.views import ChatTurn, ConversationSummary
from core.platform.auth.access import Agent, CurrentPrincipal, current_principal
from core.platform.http.chat_completions import Completion, Message
from core.platform.http.idempotency import IdempotencyKey
from core.platform.http.parameters import Limit, Offset, RequestBody

Identity = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="id of a conversation")]


class NewMessage(RequestBody):
    """What a customer says."""

    text: str = Field(min_length=1, max_length=MAX_MESSAGE, examples=["How do I reset my password?"])


class Opinion(RequestBody):
    """What somebody thinks of a reply."""

    value: float = Field(strict=True, ge=-1, le=1, allow_inf_nan=False, description="from -1 (wrong) to 1 (right)")
    comment: str = Field(default="", max_length=2_000)


def routes(service: SupportService) -> APIRouter:
    """All routes of the app."""
    router = APIRouter(tags=["customer service"])
    router.include_router(_conversations(service))
    router.include_router(_inbox(service.inbox))
    router.include_router(_articles(service))
    return router


async def complete(service: SupportService, request: Request, messages: list[Message]) -> Completion:
    """A reply to a conversation that the client keeps and repeats with every call."""
    earlier, message = _unanswered(messages[:-1]), messages[-1].text
    _, turn = await service.start_with(current_principal(request), message, earlier)
    reply = worded(turn, request)
    about = reply.model_dump(include={"action", "confidence", "decision"})
    sources = [{"id": source.id, "title": source.title} for source in reply.sources]
    # Long conversations take a while.
    counts = await run_in_threadpool(service.count_tokens, [*(each.text for each in messages), reply.text])
    return Completion(reply.text, sum(counts[:-1]), counts[-1], {**about, "sources": sources})


def _conversations(service: SupportService) -> APIRouter:
    router = APIRouter()

    @router.post("/conversations", status_code=201)
    async def start(principal: CurrentPrincipal) -> dict[str, str]:
        """Begin a conversation."""
        return {"id": await service.start(principal)}

    @router.get("/conversations")
    async def newest(
        principal: CurrentPrincipal,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        mine: Annotated[bool, Query(description="leave out those of others, which agents see")] = False,
    ) -> list[ConversationSummary]:
        """Your newest conversations; an agent sees everybody's."""
        return await service.newest(principal, limit, mine=mine)

    @router.get("/conversations/{identity}")
    async def read(
        principal: CurrentPrincipal, identity: Identity, request: Request, limit: Limit = 200, offset: Offset = 0
    ) -> list[ChatTurn]:
        """The turns, oldest first; a page that is full may have a next one."""
        return [worded(turn, request) for turn in await service.turns(principal, identity, limit, offset)]

    @router.post("/conversations/{identity}/messages")
    async def say(
        principal: CurrentPrincipal, identity: Identity, body: NewMessage, request: Request, key: IdempotencyKey = None
    ) -> ChatTurn:
        """Say something; the bot's reply."""
        return worded(await service.say(principal, identity, body.text, key), request)

    @router.delete("/conversations/{identity}/messages/last")
    async def take_back(principal: CurrentPrincipal, identity: Identity) -> dict[str, str | None]:
        """Take back your last message and its reply; the message."""
        return {"text": await service.take_back(principal, identity)}

    @router.post("/conversations/{identity}/hand-over")
    async def hand_over(
        principal: CurrentPrincipal, identity: Identity, request: Request, key: IdempotencyKey = None
    ) -> ChatTurn:
        """Ask for a person."""
        return worded(await service.hand_over(principal, identity, TEXTS.say("wants_person", request), key), request)

    @router.delete("/conversations/{identity}", status_code=204)
    async def remove(principal: CurrentPrincipal, identity: Identity) -> Response:
        """Delete a conversation."""
        await service.remove(principal, identity)
        return Response(status_code=204)

    @router.put("/decisions/{identity}/feedback", status_code=204)
    async def judge(principal: CurrentPrincipal, identity: Identity, body: Opinion) -> Response:
        """Say what you think of a reply; a later opinion of yours replaces the earlier one."""
        await service.judge(principal, identity, body.value, body.comment)
        return Response(status_code=204)

    return router


def _inbox(inbox: Inbox) -> APIRouter:
    router = APIRouter()

    @router.get("/inbox")
    async def lines(principal: Agent, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> list[InboxLine]:
        """Conversations that wait for a person, the longest first, then those that agents have answered."""
        return await inbox.lines(principal, limit)

    @router.post("/conversations/{identity}/take-over", status_code=204)
    async def take_over(principal: Agent, identity: Identity) -> Response:
        """Look after a conversation; the bot is silent there until it is given back."""
        await inbox.take_over(principal, identity)
        return Response(status_code=204)

    @router.post("/conversations/{identity}/answers", status_code=201)
    async def answer(principal: Agent, identity: Identity, body: NewMessage) -> ChatTurn:
        """Write to the customer as a person of the company, and so take the conversation over."""
        return await inbox.answer(principal, identity, body.text)

    @router.post("/conversations/{identity}/give-back", status_code=204)
    async def give_back(principal: Agent, identity: Identity) -> Response:
        """Let the bot talk again."""
        await inbox.give_back(principal, identity)
        return Response(status_code=204)

    return router


def _articles(service: SupportService) -> APIRouter:
    router = APIRouter()

    @router.get("/articles")
    async def articles(
        limit: Annotated[int, Query(ge=1, le=500)] = 100, after: Annotated[str, Query(max_length=200)] = ""
    ) -> list[Article]:
        """Articles in the order of their ids, from behind the id `after`."""
        return await service.articles(limit, after)

    @router.get("/articles/{identity:path}")  # ids are the company's own, and may hold slashes
    async def article(identity: Annotated[str, Path(max_length=200)]) -> Article:
        """One article."""
        return await service.article(identity)

    return router


def _unanswered(messages: list[Message]) -> list[str]:
    """What the user said before and the bot only asked back about."""
    talk = [message for message in messages if message.role in ("user", "assistant")]
    return unanswered(
        (said.text, act_of(reply.text))
        for said, reply in pairwise(talk)
        if (said.role, reply.role) == ("user", "assistant")
    )
