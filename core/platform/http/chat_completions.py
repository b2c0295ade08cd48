"""OpenAI's chat-completions protocol, so that clients made for it talk to a bot of ours unchanged.

What is left out, and refused: tools, several choices, logits, images, answers in a form of the client's. Settings of
sampling and bookkeeping are taken and have no effect, since the bot decides by its policy.
"""

import json
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import uuid4

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field, model_validator

from core.platform.http.parameters import RequestBody

MAX_MESSAGES = 200
_WITHOUT_EFFECT = {
    "temperature", "top_p", "frequency_penalty", "presence_penalty", "seed", "stop", "max_tokens", "logit_bias", "user",
    "max_completion_tokens", "reasoning_effort", "verbosity", "safety_identifier", "prompt_cache_key", "metadata",
    "store", "service_tier",
}  # fmt: skip
# What these ask for is what they would get anyway.
_AS_IT_IS: dict[str, tuple[object, ...]] = {
    "n": (1,),
    "tool_choice": ("none", "auto"),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "logprobs": (False,),
    "parallel_tool_calls": (True, False),
    "tools": ([],),
    "functions": ([],),
}


class Part(BaseModel):
    """A piece of a message; the bot reads texts only."""

    type: Literal["text"]
    text: str


class Message(BaseModel):
    """One message; what a `system` message says has no power here."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Part] = Field(max_length=100_000)

    @property
    def text(self) -> str:
        """The whole text of the message."""
        return self.content if isinstance(self.content, str) else "\n".join(part.text for part in self.content)


class StreamOptions(BaseModel):
    """What a stream ends with."""

    include_usage: bool = False


class ChatRequest(RequestBody):
    """The body of a request; fields of the protocol that the bot could not obey are refused."""

    model: str
    messages: list[Message] = Field(min_length=1, max_length=MAX_MESSAGES)
    stream: bool = False
    stream_options: StreamOptions | None = None

    @model_validator(mode="before")
    @classmethod
    def _leave_out(cls, body: Any) -> Any:
        if not isinstance(body, dict):
            return body
        return {
            name: value
            for name, value in body.items()
            if not (name in _WITHOUT_EFFECT or (name in _AS_IT_IS and value in (None, *_AS_IT_IS[name])))
        }


@dataclass(frozen=True)
class Completion:
    """A bot's answer.

    Attributes:
        text: Text for the user.
        prompt_tokens, completion_tokens: Numbers of tokens for the usage.
        metadata: Decision of the bot, shown in the extra field `steer`.
    """

    text: str
    prompt_tokens: int
    completion_tokens: int
    metadata: dict[str, Any] = field(default_factory=dict)


Complete = Callable[[Request, list[Message]], Awaitable[Completion]]


def chat_routes(bots: Mapping[str, Complete], may_use: Callable[[Request, str], bool]) -> APIRouter:
    """`/chat/completions` and `/models` for some bots.

    Args:
        bots: Function that answers a conversation whose last message is the user's, by the name under which clients ask
            for it.
        may_use: Function that says whether the sender of a request may use the bot of a name.
    """
    routes = APIRouter(tags=["chat completions"])

    @routes.get("/models")
    def models(request: Request) -> dict[str, Any]:
        """The models that there are."""
        known = [name for name in bots if may_use(request, name)]
        rows = [{"id": name, "object": "model", "created": 0, "owned_by": "steer"} for name in known]
        return {"object": "list", "data": rows}

    @routes.post("/chat/completions", response_model=None)
    async def chat(request: Request, body: ChatRequest) -> dict[str, Any] | StreamingResponse:
        """Answer a conversation whole, or as a stream of server-sent events."""
        known = [name for name in bots if may_use(request, name)]
        if body.model not in known:
            raise HTTPException(404, f"There is no model {body.model!r}; there is {', '.join(map(repr, known))}.")
        if body.messages[-1].role != "user":
            raise HTTPException(400, "The last message must be the user's.")
        completion = await bots[body.model](request, body.messages)
        head = {"id": f"chatcmpl-{uuid4().hex}", "created": int(time.time()), "model": body.model}
        if body.stream:
            with_usage = body.stream_options is not None and body.stream_options.include_usage
            return StreamingResponse(_stream(head, completion, with_usage), media_type="text/event-stream")
        message = {"role": "assistant", "content": completion.text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        whole = {"object": "chat.completion", "choices": [choice], "usage": _usage(completion)}
        return {**head, **whole, "steer": completion.metadata}

    return routes


def _usage(completion: Completion) -> dict[str, int]:
    prompt, answer = completion.prompt_tokens, completion.completion_tokens
    return {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}


def _stream(head: dict[str, Any], completion: Completion, with_usage: bool) -> Iterator[str]:
    """The events of a completion, a word at a time."""

    def event(choices: list[dict[str, Any]], **more: Any) -> str:
        return f"data: {json.dumps({**head, 'object': 'chat.completion.chunk', 'choices': choices, **more})}\n\n"

    def choice(delta: dict[str, str], finished: str | None = None) -> list[dict[str, Any]]:
        return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finished}]

    yield event(choice({"role": "assistant", "content": ""}))
    for word in re.findall(r"\s*\S+|\s+$", completion.text):
        yield event(choice({"content": word}))
    yield event(choice({}, "stop"), steer=completion.metadata)
    if with_usage:
        yield event([], usage=_usage(completion))
    yield "data: [DONE]\n\n"
