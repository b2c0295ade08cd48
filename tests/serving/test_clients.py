"""Clients that were made for other servers hold a conversation with the bot."""

import json
import subprocess

import anyio
import openai
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

pytestmark = pytest.mark.slow

PASSWORD = "How do I reset my password?"


@pytest.fixture
def client(server):
    return openai.OpenAI(base_url=f"{server}/v1", api_key="none-needed", max_retries=0)


def test_the_openai_client_gets_an_answer_with_its_source(client):
    answer = client.chat.completions.create(model="steer-support", messages=[{"role": "user", "content": PASSWORD}])
    assert "assword" in answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
    assert answer.model_extra["steer"]["action"] == "answer"
    assert answer.model_extra["steer"]["sources"]


def test_the_openai_client_streams_the_same_answer(client):
    messages = [{"role": "system", "content": "You are a pirate."}, {"role": "user", "content": PASSWORD}]
    whole = client.chat.completions.create(model="steer-support", messages=messages)
    options = {"include_usage": True}
    stream = client.chat.completions.create(
        model="steer-support", messages=messages, stream=True, stream_options=options
    )
    chunks = list(stream)
    words = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert len(words) > 3
    assert "".join(words) == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage


def test_the_openai_client_goes_on_after_a_question_back(client):
    messages = [{"role": "user", "content": "it does not work"}]
    first = client.chat.completions.create(model="steer-support", messages=messages)
    messages += [
        {"role": "assistant", "content": first.choices[0].message.content},
        {"role": "user", "content": [{"type": "text", "text": "the link to reset my password"}]},
    ]
    second = client.chat.completions.create(model="steer-support", messages=messages)
    assert second.choices[0].message.content


def test_the_openai_client_sees_the_model_and_is_told_of_mistakes(client):
    assert [model.id for model in client.models.list()] == ["steer-support"]
    with pytest.raises(openai.NotFoundError, match="There is no model 'gpt-9'"):
        client.chat.completions.create(model="gpt-9", messages=[{"role": "user", "content": "hello"}])
    with pytest.raises(openai.BadRequestError, match="last message must be the user's"):
        client.chat.completions.create(model="steer-support", messages=[{"role": "assistant", "content": "hello"}])


def test_curl_holds_a_conversation(server):
    def curl(*arguments: str) -> str:
        command = ["curl", "--silent", "--show-error", "--fail-with-body", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    identity = json.loads(curl("-X", "POST", f"{server}/v1/support/conversations"))["id"]
    address = f"{server}/v1/support/conversations/{identity}/messages"
    reply = json.loads(curl(address, "--json", json.dumps({"text": PASSWORD})))
    assert reply["action"] == "answer"
    stream = curl(
        "--no-buffer",
        f"{server}/v1/chat/completions",
        "--json",
        json.dumps({"model": "steer-support", "stream": True, "messages": [{"role": "user", "content": PASSWORD}]}),
    )
    assert stream.endswith("data: [DONE]\n\n")


def test_an_mcp_client_uses_the_three_apps_as_tools(server):
    async def talk() -> tuple[list[str], list[str]]:
        async with (
            streamable_http_client(f"{server}/gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            tools = {tool.name: tool for tool in (await session.list_tools()).tools}
            assert "customer service" in tools["ask_support"].description
            answers = []
            for name, arguments in (
                ("ask_support", {"question": PASSWORD}),
                ("read_headline", {"headline": "Profit doubles", "company": "Corvane"}),
                ("recommend_items", {"wish": "a quiet film about space"}),
            ):
                result = await session.call_tool(name, arguments)
                assert not result.isError, result
                answers.append(result.content[0].text)
            return sorted(tools), answers

    names, (answer, label, films) = anyio.run(talk)
    assert names == ["ask_support", "news_alerts", "read_headline", "read_help_article", "recommend_items"]
    assert "answer" in answer
    assert "assword" in answer
    assert "positive" in label
    assert "year" in films
