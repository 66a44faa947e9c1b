"""Many conversations with the chat page at once: each gets its own answers, and all of them."""

from __future__ import annotations

import asyncio
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import pytest
from repository import ROOT
from running import PATIENCE_S, Running, running
from scripted_model import Script, ScriptedModel, serving

from assistant.doors.show.json import to_json
from assistant.doors.workers import Workers
from assistant.service import open_assistant
from assistant.settings import QUOTES, Settings
from eval.cases import BRIEFS, load_set
from eval.speed.chat_speed import CONVERSATIONS, Conversation, Reply, conversation, hold, hold_all

pytestmark = pytest.mark.slow

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
            assert essence(reply.answer) == essence(to_json(alone)), history
            shown = [(c["source"], c["start"]) for c in reply.drawn["citations"]]
            assert shown == [(c["source"], c["start"]) for c in reply.answer["citations"]]
            for citation in (*reply.answer["citations"], *reply.answer["closest"]):
                stands_in = (ROOT / "corpus" / citation["source"]).read_bytes().decode()
                assert stands_in[citation["start"] : citation["end"]] == citation["quote"]
            cited += bool(reply.answer["citations"])
            history.append((question, reply.answer["answer"]))
    assistant.close()
    assert cited > CONVERSATIONS  # most of the questions have an answer

    threads = [replies[0].thread for replies in held]
    assert len(set(threads)) == CONVERSATIONS
    for thread, replies in zip(threads, held, strict=True):
        until(lambda thread=thread: len(answers_kept(dateline, thread)) == 2, "two answers kept")
        stored = [essence(answer) for answer in answers_kept(dateline, thread)]
        assert stored == [essence(reply.answer) for reply in replies]

    assert httpx.get(f"{dateline.url}/healthz", trust_env=False).status_code == 200
    (after,) = asyncio.run(hold(dateline.url, asked[0][:1]))
    assert essence(after.answer) == essence(held[0][0].answer)


def slowly(messages: list[dict[str, str]]) -> Script | str:
    """A sentence that holds, then for a while more of it, or nothing for as long as one waits."""
    if len(messages) > 2:
        return "DROP"  # a sentence that does not hold, asked for again
    found = re.search(r"^\[(\d+)\] .*memorandum of understanding", messages[1]["content"], re.M)
    assert found
    text = f"{HELD} [{found[1]}]. " + f"It says so again [{found[1]}]. " * 6
    return Script(text, pace_s=0.05, fault="stalls" if ENDLESS in messages[1]["content"] else None)


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedModel]:
    with serving(slowly) as served:
        yield served


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, model: ScriptedModel) -> Iterator[Running]:
    """`dateline chat` with a model that takes its time."""
    index, folder = tmp_path_factory.mktemp("index"), tmp_path_factory.mktemp("cwd")
    command = ["-m", "assistant.doors.cli", "chat", "--corpus", str(ROOT / "corpus"), "--port", "0"]
    with running(
        [*command, "--index", str(index / "i")],
        folder,
        [f"assistant.answering.models.call.AT_ONCE={LEAVING + STOPPING}"],
        DATELINE_MODEL=f"openai:slow@{model.url}",
        DATELINE_MODEL_TIMEOUT_S="600",
    ) as started:
        yield started


async def id_of(held: Conversation) -> str:
    """The id of a conversation that has begun: it is told beside the answers, before one or after."""
    while not held.thread:
        await held.next()
    return held.thread


async def leave_half_way(url: str) -> str:
    """Closes the page when a part of the answer stands there. Returns the conversation."""
    async with conversation(url) as held:
        await held.send(ONCE)
        await held.until("stream_start")
        return await id_of(held)


async def stop_half_way(url: str) -> tuple[str, Reply]:
    """Presses the button then. Returns the conversation, and what is answered there next."""
    async with conversation(url) as held:
        await held.send(ENDLESS)
        await held.until("stream_start")
        await held.stop()
        await held.until("task_end")
        reply = await held.ask("What can you do?")
        return await id_of(held), reply


async def all_half_way(url: str) -> tuple[list[str], list[tuple[str, Reply]]]:
    left = asyncio.gather(*(leave_half_way(url) for _ in range(LEAVING)))
    stopped = asyncio.gather(*(stop_half_way(url) for _ in range(STOPPING)))
    return await left, await stopped


def threads_of(server: Running) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"Threads:\s+(\d+)", status)[1])  # type: ignore[index]


def files_of(server: Running) -> int:
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


@pytest.mark.timeout(600)
def test_who_leaves_or_stops_half_way_leaves_nothing_behind(
    written: Running, model: ScriptedModel
) -> None:
    # What is opened once, such as the threads that are kept for the next, stays after the first time.
    asyncio.run(all_half_way(written.url))
    until(lambda: model.at_once == 0, "the model is still asked")
    threads, files = threads_of(written), files_of(written)

    left, stopped = asyncio.run(all_half_way(written.url))
    for thread in left:  # the answer is there when its reader comes back
        until(lambda thread=thread: answers_kept(written, thread), "the answer is not kept")
        (answer,) = answers_kept(written, thread)
        assert HELD in answer["answer"]
    for thread, reply in stopped:
        assert reply.drawn
        until(lambda thread=thread: answers_kept(written, thread), "the answer is not kept")
        said = [step["output"] for step in kept(written, thread)["steps"]]
        assert [HELD in text for text in said if "Stopped. What stands above" in text] == [True]
    until(lambda: model.at_once == 0, "the model is still asked")

    # One for each answer would be 20 more.
    until(lambda: threads_of(written) < threads + LEAVING, "its threads are not given back")
    until(lambda: files_of(written) < files + LEAVING, "its files or sockets are not closed")
    assert httpx.get(f"{written.url}/healthz", trust_env=False).status_code == 200
    assert "Traceback" not in "".join(written.printed)


# The threads themselves


def _wait(event: threading.Event) -> None:
    event.wait(PATIENCE_S)


def test_suggestions_wait_for_those_who_wait_for_an_answer() -> None:
    workers, ready, moved_on = Workers(), threading.Event(), threading.Event()
    done = list[str]()

    def suggest() -> bool:
        dropped = workers.gives_way(moved_on)
        done.append("suggested")
        return dropped

    def answer() -> None:
        ready.wait(PATIENCE_S)
        done.append("answered")

    async def both() -> bool:
        workers.answer(QUOTES, answer)
        suggesting = asyncio.create_task(workers.suggest(suggest))
        await asyncio.to_thread(ready.set)
        return await suggesting

    assert asyncio.run(both()) is False
    assert done == ["answered", "suggested"]
    workers.close()


@pytest.mark.parametrize("ends", ["the reader asks the next question", "the page closes"])
def test_suggestions_that_nobody_wants_any_more_are_dropped_without_waiting(ends: str) -> None:
    workers, begun, never, moved_on = Workers(), *(threading.Event() for _ in range(3))
    workers.answer(QUOTES, lambda: _wait(never))

    def suggest() -> bool:
        begun.set()
        return workers.gives_way(moved_on)

    async def suggested() -> bool:
        suggesting = asyncio.create_task(workers.suggest(suggest))
        await asyncio.to_thread(begun.wait)
        if ends == "the page closes":
            workers.close()
        else:
            moved_on.set()
        return await suggesting

    assert asyncio.run(suggested()) is True
    never.set()
    workers.close()


def test_answers_of_models_do_not_hold_up_quotes() -> None:
    workers, spoken, quoted = Workers(), threading.Event(), threading.Event()
    for _ in range(40):
        workers.answer("openai:small", lambda: _wait(spoken))
    workers.answer(QUOTES, quoted.set)
    assert quoted.wait(PATIENCE_S)
    spoken.set()
    workers.close()
