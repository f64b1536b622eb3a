"""Asked by OpenAI's own client library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest

from acclimate.core.files import read_jsonl

if TYPE_CHECKING:
    Served = tuple[Any, Path]

QUESTION = "What does numpy.argsum do?"
MODEL = "acclimate-scientific-python"


@pytest.fixture(scope="module")
def client(served: Served) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{served[0].url}/v1", api_key="none", max_retries=0, timeout=60)


def chat(client: openai.OpenAI, **fields: Any) -> Any:
    messages: Any = [{"role": "user", "content": QUESTION}]
    return client.chat.completions.create(**{"model": "champion", "messages": messages, "max_tokens": 8, **fields})


def test_a_conversation_is_answered_as_the_question_is(client: openai.OpenAI, served: Served) -> None:
    answer = chat(client)
    _, plain = served[0].ask(question=QUESTION, max_new_tokens=8)
    (choice,) = answer.choices
    assert (choice.message.role, choice.message.content) == ("assistant", plain["text"])
    assert (choice.finish_reason, answer.model) == ("length", f"{MODEL}:1")
    usage = answer.usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (plain["prompt_tokens"], plain["new_tokens"])
    assert usage.total_tokens == plain["prompt_tokens"] + plain["new_tokens"]


def test_a_stream_says_what_the_whole_answer_says(client: openai.OpenAI) -> None:
    whole = chat(client, max_tokens=16)
    chunks = list(chat(client, max_tokens=16, stream=True, stream_options={"include_usage": True}))
    *said, last = chunks
    assert "".join(chunk.choices[0].delta.content or "" for chunk in said) == whole.choices[0].message.content
    assert said[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in said if chunk.choices[0].finish_reason] == ["length"]
    assert last.usage == whole.usage
    assert len(said) > 4, "it comes in pieces"
    assert len({chunk.id for chunk in chunks}) == 1


def test_a_text_is_completed_whole_and_streamed(client: openai.OpenAI, served: Served) -> None:
    _, plain = served[0].ask(prompt="numpy", max_new_tokens=8)
    whole = client.completions.create(model=MODEL, prompt="numpy", max_tokens=8)
    streamed = client.completions.create(model="1", prompt="numpy", max_tokens=8, stream=True)
    assert whole.choices[0].text == plain["text"] == "".join(chunk.choices[0].text for chunk in streamed)
    assert whole.choices[0].finish_reason == "length"


def test_a_stop_string_ends_the_answer_and_is_not_in_it(client: openai.OpenAI) -> None:
    whole = chat(client, max_tokens=16).choices[0].message.content
    stop = whole[len(whole) // 2 :][:3]
    for answer in (chat(client, max_tokens=16, stop=stop), chat(client, max_tokens=16, stop=[stop, "never"])):
        assert answer.choices[0].message.content == whole[: whole.index(stop)]
        assert answer.choices[0].finish_reason == "stop"
        assert answer.usage.completion_tokens <= 16


def test_a_seed_gives_the_same_draw_again_and_another_seed_another(client: openai.OpenAI) -> None:
    drawn = [chat(client, temperature=2.0, seed=seed, max_tokens=16).choices[0].message.content for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_tiny_nucleus_leaves_only_the_likeliest_token(client: openai.OpenAI) -> None:
    greedy = chat(client).choices[0].message.content
    assert chat(client, temperature=1.0, top_p=1e-6).choices[0].message.content == greedy


def test_what_can_be_asked_is_listed(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [MODEL, "champion", f"{MODEL}:1"]
    assert client.models.retrieve("champion").owned_by == "acclimate"
    with pytest.raises(openai.NotFoundError, match=r"'gpt-4' is not served; there are champion \(version 1\)"):
        client.models.retrieve("gpt-4")
    with pytest.raises(openai.NotFoundError, match="'challenger' is not served"):
        chat(client, model="challenger")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"n": 2}, "n: Input should be less than or equal to 1"),
        ({"logprobs": True}, "logprobs: Input should be False"),
        ({"logprobs": 0}, "logprobs: Value error, Input should be a valid boolean"),
        ({"presence_penalty": 0.5}, "presence_penalty: Input should be less than or equal to 0"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools: Extra inputs are not permitted"),
        ({"response_format": {"type": "json_object"}}, "response_format.type: Input should be 'text'"),
        ({"messages": [{"role": "assistant", "content": "a"}]}, "the last message must be the user's"),
        ({"max_tokens": 17}, "17 new tokens asked for; at most 16 are allowed"),
        ({"max_tokens": 4, "max_completion_tokens": 4}, "not both"),
        ({"stream_options": {"include_usage": True}}, "stream is not true"),
        ({"messages": [{"role": "user", "content": "word " * 200}]}, "prompt tokens; at most 96 are allowed"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(client: openai.OpenAI, fields: dict[str, Any], told: str) -> None:
    with pytest.raises(openai.UnprocessableEntityError) as refused:
        chat(client, **fields)
    body = refused.value.response.json()["error"]
    assert told in body["message"]
    assert (body["type"], set(body)) == ("invalid_request_error", {"message", "type", "param", "code"})


def test_a_conversation_is_written_as_the_training_questions_were(client: openai.OpenAI, served: Served) -> None:
    messages: Any = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "a"}]},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    chat(client, messages=messages)
    row = read_jsonl(served[1] / ".acclimate/endpoint/requests.jsonl")[-1]
    assert row["prompt"] == "Be brief.\n\nQuestion: a\nAnswer: b\n\nQuestion: c\nAnswer:"


def test_who_hangs_up_in_the_middle_of_a_stream_is_logged_and_written_for_no_more(
    client: openai.OpenAI, served: Served
) -> None:
    stream = chat(client, max_tokens=16, stream=True)
    next(iter(stream))
    identity = stream.response.headers["x-request-id"]
    stream.close()
    log = served[1] / ".acclimate/endpoint/access.jsonl"

    def noted() -> list[dict[str, Any]]:
        lines = [line for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")]  # whole ones
        return [row for row in map(json.loads, lines) if row["id"] == identity]

    served[0].until(noted)
    (row,) = noted()
    assert row["status"] in (200, 499)  # the answer is short: it may have been written before the client was gone
