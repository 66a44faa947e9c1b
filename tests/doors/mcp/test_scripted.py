"""What the protocol's server makes of answers, errors and calls that end early."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import anyio
import httpx
import pytest
from command_line import DATED_QUESTION
from fakes import ScriptedAssistant, answered, cited, info
from mcp import ClientSession, McpError, types
from mcp.shared.memory import create_connected_server_and_client_session
from mcp_client import ACCEPTS, PRIVATE, message, read, serving
from repository import write_files
from running import PATIENCE_S

from assistant.doors import asking, mcp
from assistant.doors.workers import Workers
from assistant.schema import Answer, Claim
from assistant.settings import Settings
from indexing.errors import SettingsError
from indexing.schema import SourceInfo


@dataclass
class Slow(ScriptedAssistant):
    """Is at work on every question until it is told to stop."""

    def __post_init__(self) -> None:
        self.began, self.ended = threading.Event(), threading.Event()

    def stream(
        self,
        question: str,
        history: Sequence[tuple[str, str]] = (),
        *more: object,
        cancelled: Callable[[], bool] = lambda: False,
        **_: object,
    ) -> Iterator[Claim | Answer]:
        self.began.set()
        while not cancelled():
            threading.Event().wait(0.01)
        self.ended.set()
        yield from ()


Act = Callable[[ClientSession], Any]


def in_memory(assistant: object, act: Act) -> Any:
    """What `act` gives, done with a client of the server of `assistant`."""
    workers = Workers()
    server = mcp.create(assistant, workers)

    async def run() -> Any:
        async with create_connected_server_and_client_session(server) as session:
            return await act(session)

    try:
        return anyio.run(run)
    finally:
        workers.close()


def calls(tool: str, **arguments: object) -> Act:
    return lambda session: session.call_tool(tool, arguments)


def scripted(articles: Mapping[str, str] | None = None, **answers: Answer | Exception) -> Any:
    return ScriptedAssistant(articles or {}, answers)


def test_the_turns_before_reach_the_assistant() -> None:
    raw = "The bridge closed."
    assistant = scripted({"a.txt": raw}, q=answered("The bridge closed. [1]", cited(raw, raw)))
    result = in_memory(assistant, calls("ask", question="q", history=[["a", "b"], ["c", "d"]]))
    assert assistant.asked == [("q", [("a", "b"), ("c", "d")])]
    assert result.structuredContent["citations"][0]["quote"] == raw


@pytest.mark.parametrize("error", [RuntimeError(PRIVATE), KeyError(PRIVATE), OSError(PRIVATE)])
def test_an_unknown_error_is_logged_and_not_told(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, logger="assistant.doors.mcp"):
        result = in_memory(scripted(q=error), calls("ask", question="q"))
    assert result.isError
    assert read(result) == "Something went wrong inside Dateline; its log says what."
    assert PRIVATE in caplog.text


def test_an_error_of_ours_is_told_as_it_is() -> None:
    result = in_memory(scripted(q=SettingsError("the key is missing")), calls("ask", question="q"))
    assert (result.isError, read(result)) == (True, "the key is missing.")


def test_an_answer_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow({}, {})
    monkeypatch.setattr(asking, "LONGEST_S", 1)
    result = in_memory(slow, calls("ask", question="q"))
    assert (result.isError, read(result)) == (True, "there was no answer within 1 s.")
    assert slow.ended.wait(PATIENCE_S)


def test_with_too_many_under_way_the_next_is_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MOST_UNDER_WAY", 1)
    monkeypatch.setattr(asking, "LONGEST_S", 1)

    async def two(session: ClientSession) -> list[str]:
        asks = [session.call_tool("ask", {"question": "q"}) for _ in range(2)]
        return sorted(read(result) for result in await asyncio.gather(*asks))

    told = in_memory(Slow({}, {}), two)
    assert told[0] == "there was no answer within 1 s."
    assert told[1] == "too many answers are under way already; try again in a moment."


def test_a_cancelled_request_ends_the_work() -> None:
    slow = Slow({}, {})

    async def cancels(session: ClientSession) -> None:
        async def ask() -> None:
            # The protocol's answer to what was cancelled is an error.
            with pytest.raises(McpError):
                await session.call_tool("ask", {"question": "q"})

        async with anyio.create_task_group() as both:
            both.start_soon(ask)
            await anyio.to_thread.run_sync(slow.began.wait, PATIENCE_S)
            # Requests are numbered from 0, which began the session.
            gone = types.CancelledNotificationParams(requestId=1, reason="no longer wanted")
            told = types.CancelledNotification(params=gone)
            await session.send_notification(types.ClientNotification(told))

    in_memory(slow, cancels)
    assert slow.ended.wait(PATIENCE_S)


def test_the_log_of_the_server_can_hold_what_was_asked() -> None:
    asked: list[str] = []
    raw = "The bridge closed."
    workers = Workers()
    assistant = scripted({"a.txt": raw}, q=answered("The bridge closed. [1]", cited(raw, raw)))
    endpoint = mcp.Endpoint(mcp.create(assistant, workers))

    class Noting(mcp.Endpoint):
        def __init__(self) -> None:
            self.running = endpoint.running  # type: ignore[method-assign]

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            scope.setdefault("state", {})
            await endpoint(scope, receive, send)
            asked.append(scope["state"].get("question", ""))

    with serving(Noting()) as url:
        call = message("tools/call", 1, name="ask", arguments={"question": "q"})
        replied = httpx.post(url, content=call, headers=ACCEPTS, trust_env=False)
    workers.close()
    assert replied.json()["result"]["structuredContent"]["question"] == "A question?"
    assert asked == ["q"]


def test_who_hangs_up_ends_the_work() -> None:
    slow, workers = Slow({}, {}), Workers()
    server = mcp.create(slow, workers)
    with serving(mcp.Endpoint(server)) as url:

        async def hangs_up() -> None:
            asked = {"name": "ask", "arguments": {"question": "q"}}
            async with httpx.AsyncClient(trust_env=False) as http, asyncio.TaskGroup() as group:
                post = http.post(url, content=message("tools/call", 1, **asked), headers=ACCEPTS)
                task = group.create_task(post)
                await asyncio.to_thread(slow.began.wait, PATIENCE_S)
                task.cancel()

        asyncio.run(hangs_up())
        assert slow.ended.wait(PATIENCE_S)
    workers.close()


def test_a_long_article_is_read_in_several_calls() -> None:
    whole = "".join(f"Sentence {i} of the 🌉 bridge.\r\n" for i in range(2_000))

    async def read_on(session: ClientSession) -> list[dict[str, Any]]:
        parts: list[dict[str, Any]] = []
        following: int | None = 0
        while following is not None:
            arguments = {"source": "a.txt", "start": following}
            result = await session.call_tool("read_source", arguments)
            assert result.structuredContent is not None
            parts.append(result.structuredContent)
            following = parts[-1]["next"]
            assert (following is None) == ("Read on with start=" not in read(result))
        return parts

    parts = in_memory(scripted({"a.txt": whole}), read_on)
    assert "".join(part["text"] for part in parts) == whole
    assert {len(part["text"]) for part in parts[:-1]} == {mcp.MOST_CHARS}
    assert {part["length"] for part in parts} == {len(whole)}


def test_a_long_list_is_cut_and_says_so() -> None:
    @dataclass
    class Many(ScriptedAssistant):
        def sources(self) -> list[SourceInfo]:
            return [info(f"{i}.txt", f"Report {i}", date(2026, 1, 1)) for i in range(1_500)]

    result = in_memory(Many({}, {}), calls("list_sources"))
    assert len(result.structuredContent["sources"]) == mcp.MOST_SOURCES
    assert result.structuredContent["total"] == 1_500
    assert read(result).startswith("1,500 articles, of which these are 1,000; narrow them")
    result = in_memory(Many({}, {}), calls("list_sources", query="REPORT 1499"))
    assert [s["source"] for s in result.structuredContent["sources"]] == ["1499.txt"]


def test_an_empty_index_is_served(settings: Settings, opened: Callable[[], Any]) -> None:
    from indexing.sync import sync

    write_files(settings.corpus, {})
    sync(settings.corpus, settings)
    assistant = opened()
    assert in_memory(assistant, calls("list_sources")).structuredContent["total"] == 0
    answer = in_memory(assistant, calls("ask", question=DATED_QUESTION)).structuredContent
    assert answer["status"] == "not_in_corpus"
