"""Replies come over real HTTP, through LangChain's own packages, in pieces whose cost is counted."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from chat_models import ASKED, SAID, SETTINGS, every_protocol, failure, is_free, opened
from langchain_core.messages import AIMessageChunk
from scripted_model import Script, serving

from assistant.answering.models.call import Usage, open_chat_model
from assistant.answering.models.failures import check_finish
from indexing.errors import ModelError

# Replies


@every_protocol
def test_a_reply_comes_in_its_pieces_and_its_cost_is_counted(protocol: str) -> None:
    costs: list[Usage] = []
    with serving(SAID) as server:
        model = opened(server, protocol)
        pieces = list(model.stream(ASKED, spent=costs.append))
        assert "".join(pieces) == SAID
        assert len(pieces) == len(SAID.split())
        assert model.complete(ASKED, spent=costs.append) == SAID
        words = sum(len(text.split()) for _, text in ASKED)
        if protocol == "anthropic":  # where the system's message is no message
            words -= len(ASKED[0][1].split())
        assert costs == [Usage(1, words, len(pieces))] * 2
        assert model.usage == Usage(2, 2 * words, 2 * len(pieces))
        assert is_free(server)
    assert not server.closed_by_client.is_set()


@every_protocol
def test_the_messages_and_the_limits_are_sent_as_they_are(protocol: str) -> None:
    with serving(SAID) as server:
        opened(server, protocol).complete(ASKED)
        opened(server, protocol).complete(ASKED, max_tokens=33)
    first, second = server.requests
    roles = {"human": "user", "ai": "assistant", "system": "system"}
    sent = [{"role": roles[role], "content": text} for role, text in ASKED]
    if protocol == "anthropic":
        assert first["system"] == ASKED[0][1]
        sent = sent[1:]
    assert [{k: m[k] for k in ("role", "content")} for m in first["messages"]] == sent
    assert first["stream"] is True
    for request, most in ((first, 600), (second, 33)):
        options = request["options"] if protocol == "ollama" else request
        assert options["num_predict" if protocol == "ollama" else "max_tokens"] == most
        assert options["temperature"] == 0


@every_protocol
def test_a_piece_is_there_before_the_next_one(protocol: str) -> None:
    with serving(Script(SAID, fault="stalls")) as server:
        stream = opened(server, protocol).stream(ASKED)
        assert next(stream) == "The "
        stream.close()


@every_protocol
def test_thoughts_are_no_text(protocol: str) -> None:
    with serving(Script(SAID, thought="Which bridge do they mean?")) as server:
        assert opened(server, protocol).complete(ASKED) == SAID


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        (["<think>", "Which?", "</think>", "\n\n", "The ", "5th."], "The 5th."),
        (["\n<thi", "nk>Which?</th", "ink>\n", "The 5th."], "The 5th."),
        (["<think></think>The 5th."], "The 5th."),
        (["<", "b>The 5th."], "<b>The 5th."),
        (["The <think>5th</think>."], "The <think>5th</think>."),
    ],
)
def test_thoughts_that_a_server_leaves_in_the_text_are_taken_out(
    pieces: list[str], said: str
) -> None:
    with serving(Script(pieces=pieces)) as server:
        assert opened(server).complete(ASKED) == said


def test_a_model_that_only_thinks_has_said_nothing() -> None:
    with serving(Script(pieces=["<think>", "Which bridge ", "do they mean?"])) as server:
        assert "said nothing" in failure(opened(server))
        with pytest.raises(ModelError, match="spent 2 tokens without a word"):
            opened(server).complete(ASKED, max_tokens=2)


@every_protocol
def test_a_reply_that_meets_its_limit_just_ends(protocol: str) -> None:
    with serving(SAID) as server:
        assert opened(server, protocol).complete(ASKED, max_tokens=3).split() == SAID.split()[:3]


def test_a_reader_may_be_slower_than_the_time_out() -> None:
    with serving(Script(SAID, pace_s=0.05)) as server:
        read = []
        for piece in opened(server).stream(ASKED):
            read.append(piece)
            time.sleep(1.3 if len(read) == 2 else 0)
    assert "".join(read) == SAID


def test_a_model_can_be_called_where_an_event_loop_runs() -> None:
    async def call() -> str:
        return opened(server).complete(ASKED)

    with serving(SAID) as server:
        assert asyncio.run(call()) == SAID


def test_calls_of_many_threads_are_counted_together() -> None:
    with serving(SAID) as server:
        model = opened(server, AT_ONCE=8)
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda _: model.complete(ASKED), range(24)))
    assert replies == [SAID] * 24
    each = Usage(1, sum(len(text.split()) for _, text in ASKED), len(SAID.split()))
    assert model.usage == Usage(24, 24 * (each.input_tokens or 0), 24 * (each.output_tokens or 0))


def test_a_server_of_ones_own_is_asked_in_the_protocol_that_all_of_them_speak() -> None:
    with serving(SAID) as server:  # a name by which langchain-openai takes another
        model = open_chat_model(f"openai:codex-mini@{server.url}", SETTINGS)
        assert model.complete(ASKED) == SAID
    assert server.paths == ["/v1/chat/completions"]


@pytest.mark.parametrize(
    ("said", "finish"),
    [
        ({}, ""),
        ({"finish_reason": None}, ""),
        ({"finish_reason": "STOP"}, "stop"),
        ({"done_reason": "length"}, "length"),
        ({"stop_reason": "end_turn"}, "end_turn"),
        ({"status": "completed"}, "stop"),
        ({"status": "in_progress"}, ""),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            "content_filter",
        ),
        ({"status": "incomplete", "incomplete_details": None}, "incomplete"),
    ],
)
def test_each_protocol_says_in_its_own_way_that_a_reply_has_ended(
    said: dict[str, object], finish: str
) -> None:
    assert check_finish(AIMessageChunk("Yes.", response_metadata=said)) == finish
    refused = AIMessageChunk([{"type": "refusal", "refusal": "No."}], response_metadata=said)
    assert check_finish(refused) == "refusal"


# The server of these tests


def test_the_scripted_model_replies_whole_and_by_what_it_was_asked() -> None:
    import httpx

    def reply(messages: list[dict[str, str]]) -> str:
        return f"You said: {messages[-1]['content']}"

    with serving(reply) as server:
        asked = {"model": "m", "messages": [{"role": "user", "content": "Hi there."}]}
        told = httpx.post(f"{server.url}/chat/completions", json=asked, trust_env=False).json()
    assert told["choices"][0]["message"]["content"] == "You said: Hi there."
    assert told["choices"][0]["finish_reason"] == "stop"
    assert told["usage"] == {"prompt_tokens": 2, "completion_tokens": 4, "total_tokens": 6}
    assert server.messages == [asked["messages"]]
