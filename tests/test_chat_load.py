"""Many conversations with the chat page at once: each gets its own answers, and all of them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import ROOT
from running import PATIENCE_S, Running, running
from scripted_model import Script, ScriptedModel, serving

from assistant import show
from assistant.service import open_assistant
from eval.cases import BRIEFS, load_set
from eval.chat_speed import CONVERSATIONS, Reply, conversation, hold, hold_all
from indexing.settings import Settings

LEAVING, STOPPING = 10, 10
HELD = "The memorandum of understanding was expected within 30 days"
ONCE, ENDLESS = "When is the MOU deadline?", "By when is the memorandum of understanding due?"


def conversations() -> list[tuple[str, str]]:
    """Two questions each: the second one only means something after the first."""
    cases = [case for case in load_set(BRIEFS).cases if case.answerable]
    held = [(case.history[0][0], case.question) for case in cases if case.history]
    plain = [case.question for case in cases if not case.history]
    nexts = cycle(["And for Mexico?", "When was that?", "Who said so?", "Why is that?"])
    firsts = plain[:: len(plain) // (CONVERSATIONS - len(held))]
    return [*held, *zip(firsts, nexts, strict=False)][:CONVERSATIONS]


def until(holds: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def kept(server: Running, thread: str) -> dict[str, Any]:
    """The conversation in the store, empty while there is none."""
    got = httpx.get(f"{server.url}/project/thread/{thread}", trust_env=False, timeout=PATIENCE_S)
    found: dict[str, Any] = got.json() if got.status_code == 200 else {}
    return found


def answers_kept(server: Running, thread: str) -> list[dict[str, Any]]:
    """The stored answers that are stored with what draws them."""
    found = kept(server, thread)
    drawn = {e["forId"] for e in found.get("elements", ()) if e["name"] == "Answer"}
    told = [step["metadata"] for step in found.get("steps", ()) if step["id"] in drawn]
    return [metadata["answer"] for metadata in told if "answer" in metadata]


def essence(answer: Any) -> tuple[Any, ...]:
    """What must be the same whoever else asks at the time."""
    return answer["question"], answer["status"], answer["citations"], answer["closest"]


@pytest.mark.timeout(600)
def test_thirty_at_once_are_all_answered_and_each_with_its_own(
    dateline: Running, briefs: Settings
) -> None:
    asked = conversations()
    assert len({first for first, _ in asked}) == CONVERSATIONS == 30

    held = asyncio.run(hold_all(dateline.url, asked))

    assistant = open_assistant(briefs)
    cited = 0
    for questions, replies in zip(asked, held, strict=True):
        history: list[tuple[str, str]] = []
        for question, reply in zip(questions, replies, strict=True):
            assert reply.answer, reply
            assert reply.drawn["status"] == reply.answer["status"]
            assert 0 < reply.first_s <= reply.whole_s
            alone = assistant.ask(question, history)
            assert essence(reply.answer) == essence(show.to_json(alone)), history
            shown = [(c["source"], c["start"]) for c in reply.drawn["citations"]]
            assert shown == [(c["source"], c["start"]) for c in reply.answer["citations"]]
            for citation in (*reply.answer["citations"], *reply.answer["closest"]):
                stands_in = (ROOT / "corpus" / citation["source"]).read_bytes().decode()
                assert stands_in[citation["start"] : citation["end"]] == citation["quote"]
            cited += bool(reply.answer["citations"])
            history.append((question, reply.answer["answer"]))
    assistant.close()
    assert cited > CONVERSATIONS  # most of the questions have an answer

    threads = {n: kept_with(dateline, *asked[n]) for n in range(CONVERSATIONS)}
    assert len(set(threads.values())) == CONVERSATIONS
    for n, thread in threads.items():
        until(lambda thread=thread: len(answers_kept(dateline, thread)) == 2, asked[n][0])
        stored = [essence(answer) for answer in answers_kept(dateline, thread)]
        assert stored == [essence(reply.answer) for reply in held[n]]

    assert httpx.get(f"{dateline.url}/healthz", trust_env=False).status_code == 200
    (after,) = asyncio.run(hold(dateline.url, [asked[0][0]]))
    assert essence(after.answer) == essence(held[0][0].answer)


def kept_with(server: Running, first: str, second: str) -> str:
    raise NotImplementedError
