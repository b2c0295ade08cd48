"""The bot's HTTP API: conversations, opinions, articles, and OpenAI's protocol."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from apps.customer_service.chats import Said, SupportChats
from apps.customer_service.replies import Source
from apps.customer_service.service import MAX_MESSAGE
from apps.customer_service.texts import TEXTS
from core.platform.auth.access import CurrentPrincipal, current_principal
from core.platform.http.chat_completions import Completion, Message, chat_routes
from core.platform.http.idempotency import IdempotencyKey

MODEL = "steer-support"

Identity = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="id of a conversation")]


class NewMessage(BaseModel):
    """What a customer says."""

    text: str = Field(min_length=1, max_length=MAX_MESSAGE, examples=["How do I reset my password?"])


class Article(BaseModel):
    """A help article."""

    id: str
    title: str
    body: str

    @classmethod
    def of(cls, source: Source) -> "Article":
        """As the service knows it."""
        return cls(id=source.article, title=source.title, body=source.body)


class SaidTurn(BaseModel):
    """A turn of a conversation; the fields behind `time` are the bot's."""

    role: Literal["user", "assistant"]
    text: str
    time: datetime
    action: Literal["answer", "ask_back", "hand_over", "decline"] | None = None
    confidence: float | None = Field(default=None, description="the policy's probability of the action")
    sources: list[Article] = []
    decision: str | None = Field(default=None, description="to judge the reply by")

    @classmethod
    def of(cls, said: Said, request: Request) -> "SaidTurn":
        """In the language that the request asks for."""
        if said.reply is None:
            return cls(role="user", text=said.text, time=said.time)
        reply = said.reply
        return cls(
            role="assistant",
            text=reply.text or TEXTS.say(reply.action, request),
            time=said.time,
            action=reply.action,
            confidence=reply.confidence,
            sources=[Article.of(source) for source in reply.sources],
            decision=said.decision,
        )


class ConversationLine(BaseModel):
    """A conversation in a list."""

    id: str
    owner: str
    created: datetime


class Opinion(BaseModel):
    """What somebody thinks of a reply."""

    value: float = Field(ge=-1, le=1, allow_inf_nan=False, description="from -1 (wrong) to 1 (right)")
    comment: str = Field(default="", max_length=2_000)


def routes(chats: SupportChats) -> APIRouter:
    """All routes of the app, under `/support`, and the chat-completions protocol."""
    router = APIRouter()
    router.include_router(_conversations(chats), prefix="/support")
    router.include_router(_articles(chats), prefix="/support")
    router.include_router(chat_routes(MODEL, lambda request, messages: _complete(chats, request, messages)))
    return router


def _conversations(chats: SupportChats) -> APIRouter:
    router = APIRouter(tags=["customer service"])

    @router.post("/conversations", status_code=201)
    async def start(who: CurrentPrincipal) -> dict[str, str]:
        """Begin a conversation."""
        return {"id": await chats.start(who)}

    @router.get("/conversations")
    async def newest(who: CurrentPrincipal, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> list[ConversationLine]:
        """Your newest conversations; an agent sees everybody's."""
        return [ConversationLine(id=t.id, owner=t.owner, created=t.created) for t in await chats.newest(who, limit)]

    @router.get("/conversations/{identity}")
    async def read(who: CurrentPrincipal, identity: Identity, request: Request) -> list[SaidTurn]:
        """Every turn, oldest first."""
        return [SaidTurn.of(said, request) for said in await chats.turns(who, identity)]

    @router.post("/conversations/{identity}/messages")
    async def say(
        who: CurrentPrincipal, identity: Identity, body: NewMessage, request: Request, key: IdempotencyKey = None
    ) -> SaidTurn:
        """Say something; the bot's reply."""
        return SaidTurn.of(await chats.say(who, identity, body.text, key), request)

    @router.delete("/conversations/{identity}/messages/last")
    async def take_back(who: CurrentPrincipal, identity: Identity) -> dict[str, str | None]:
        """Take back your last message and its reply; the message."""
        return {"text": await chats.take_back(who, identity)}

    @router.post("/conversations/{identity}/hand-over")
    async def hand_over(who: CurrentPrincipal, identity: Identity, request: Request) -> SaidTurn:
        """Ask for a person."""
        return SaidTurn.of(await chats.hand_over(who, identity, TEXTS.say("wants_person", request)), request)

    @router.delete("/conversations/{identity}", status_code=204)
    async def remove(who: CurrentPrincipal, identity: Identity) -> Response:
        """Delete a conversation."""
        await chats.remove(who, identity)
        return Response(status_code=204)

    @router.put("/decisions/{identity}/feedback", status_code=204)
    async def judge(who: CurrentPrincipal, identity: Identity, body: Opinion) -> Response:
        """Say what you think of a reply; a later opinion of yours replaces the earlier one."""
        await chats.judge(who, identity, body.value, body.comment)
        return Response(status_code=204)

    return router


def _articles(chats: SupportChats) -> APIRouter:
    router = APIRouter(tags=["customer service"])

    @router.get("/articles")
    async def articles(
        limit: Annotated[int, Query(ge=1, le=500)] = 100, after: Annotated[str, Query(max_length=200)] = ""
    ) -> list[Article]:
        """Articles in the order of their ids, from behind the id `after`."""
        return [Article.of(source) for source in await chats.articles(limit, after)]

    @router.get("/articles/{identity}")
    async def article(identity: Annotated[str, Path(max_length=200)]) -> Article:
        """One article."""
        return Article.of(await chats.article(identity))

    return router


async def _complete(chats: SupportChats, request: Request, messages: list[Message]) -> Completion:
    """A reply to a conversation that the client keeps and repeats with every call."""
    said = await chats.answer_once(current_principal(request), _unanswered(messages[:-1]), messages[-1].text)
    assert said.reply is not None  # the bot's turn
    sources = [{"id": source.article, "title": source.title} for source in said.reply.sources]
    about = {"action": said.reply.action, "confidence": said.reply.confidence, "sources": sources}
    text = said.text or TEXTS.say(said.reply.action, request)
    # Long conversations take a while.
    counts = await run_in_threadpool(chats.service.count_tokens, [*(message.text for message in messages), text])
    return Completion(text, sum(counts[:-1]), counts[-1], {**about, "decision": said.decision})


def _unanswered(messages: list[Message]) -> list[str]:
    """What the user said before and the bot only asked back about."""
    asked_back = TEXTS.texts["ask_back"]
    talk = [message for message in messages if message.role in ("user", "assistant")]
    unanswered: list[str] = []
    while len(talk) >= 2 and talk[-1].role == "assistant" and talk[-1].text in asked_back and talk[-2].role == "user":
        unanswered.insert(0, talk[-2].text)
        talk = talk[:-2]
    return unanswered
