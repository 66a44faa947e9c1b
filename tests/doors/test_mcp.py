"""Other programs' models: the protocol's own client, over both transports, finds every promise kept."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import anyio
import httpx
import jsonschema
import pytest
import uvicorn
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fakes import ScriptedAssistant, answered, cited, info
from fastapi import FastAPI
from mcp import ClientSession, McpError, StdioServerParameters, types
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.memory import create_connected_server_and_client_session
from repository import ROOT, write_files
from running import PATIENCE_S

from assistant.doors import mcp
from assistant.doors.cli import main
from assistant.doors.workers import Workers
from assistant.schema import Answer, Claim
from assistant.service import open_assistant
from indexing.errors import SettingsError
from indexing.schema import SourceInfo
from indexing.settings import Settings

DATED_QUESTION = "When is the review of the USMCA?"
MISSING_QUESTION = "Who won the 2019 cricket world cup?"
ACCEPTS = {
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
}
PRIVATE = "a very private detail"


@dataclass
class Connected:
    """A client of the protocol, to be used without waiting."""

    portal: BlockingPortal
    session: ClientSession
    began: types.InitializeResult

    def call(self, tool: str, /, **arguments: object) -> types.CallToolResult:
        return self.portal.call(self.session.call_tool, tool, arguments)

    def given(self, tool: str, /, **arguments: object) -> dict[str, Any]:
        """The structured content of a call that works."""
        result = self.call(tool, **arguments)
        assert not result.isError, result.content
        assert result.structuredContent is not None
        return result.structuredContent

    def refused(self, tool: str, /, **arguments: object) -> str:
        """The sentence of a call that does not."""
        result = self.call(tool, **arguments)
        assert result.isError
        assert result.structuredContent is None
        return read(result)

    def tools(self) -> dict[str, types.Tool]:
        return {tool.name: tool for tool in self.portal.call(self.session.list_tools).tools}


def read(result: types.CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    return content.text


def environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("DATELINE_")}


def command(settings: Settings) -> list[str]:
    return [sys.executable, "-m", "assistant.doors.cli", "mcp", "--index", str(settings.index)]


@pytest.fixture(scope="module")
def address(briefs: Settings) -> Iterator[str]:
    """A web server with the endpoint at /mcp, mounted as the chat page's server does it."""
    assistant, workers = open_assistant(briefs), Workers()
    with serving(mcp.Endpoint(mcp.create(assistant, briefs, workers))) as url:
        yield url
    workers.close()
    assistant.close()


class serving:
    """Serves the endpoint at a free port of this machine."""

    def __init__(self, endpoint: mcp.Endpoint) -> None:
        @asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            async with endpoint.running():
                yield

        app = FastAPI(lifespan=lifespan)
        app.add_route("/mcp", endpoint)
        config = uvicorn.Config(app, log_level="warning", ws="none", timeout_graceful_shutdown=3)
        self._server = uvicorn.Server(config)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/mcp"

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=PATIENCE_S)
        self._socket.close()


@pytest.fixture(scope="module", params=["stdio", "http"])
def client(
    request: pytest.FixtureRequest, briefs: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Connected]:
    """The official client, unmodified."""
    folder = tmp_path_factory.mktemp("client")
    said = folder / "stderr"
    is_stdio = request.param == "stdio"
    url = "" if is_stdio else request.getfixturevalue("address")

    @asynccontextmanager
    async def connected() -> AsyncIterator[tuple[ClientSession, types.InitializeResult]]:
        program, *arguments = command(briefs)
        server = StdioServerParameters(
            command=program, args=arguments, cwd=folder, env=environment()
        )
        with said.open("w") as errors:
            transport = stdio_client(server, errors) if is_stdio else streamable_http_client(url)
            async with transport as streams, ClientSession(*streams[:2]) as session:
                yield session, await session.initialize()

    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(connected()) as (session, began),
    ):
        yield Connected(portal, session, began)
    if is_stdio:
        assert said.read_text("utf-8") == ""
        assert list(folder.iterdir()) == [said], "it left files where it was started"


def test_it_says_what_it_is_and_how_it_is_used(client: Connected) -> None:
    assert client.began.serverInfo.name == "dateline"
    assert client.began.serverInfo.version == "0.1.0"
    assert "not_in_corpus" in (client.began.instructions or "")


def test_its_tools_declare_what_they_take_and_give(client: Connected) -> None:
    tools = client.tools()
    assert list(tools) == ["ask", "search", "list_sources", "read_source"]
    for tool in tools.values():
        assert tool.description
        assert tool.annotations is not None
        hints = tool.annotations
        assert (hints.readOnlyHint, hints.idempotentHint, hints.openWorldHint) == (
            True,
            True,
            False,
        )
        assert tool.outputSchema is not None
        for schema in (tool.inputSchema, tool.outputSchema):
            jsonschema.Draft202012Validator.check_schema(schema)
            assert schema["type"] == "object"
            assert "title" not in schema
        for about in tool.inputSchema["properties"].values():
            assert about["description"]
    assert tools["ask"].inputSchema["required"] == ["question"]
    assert tools["search"].inputSchema["properties"]["k"]["maximum"] == 50


def test_what_they_give_is_of_the_declared_form(client: Connected) -> None:
    tools = client.tools()
    given = {
        "ask": client.given("ask", question=DATED_QUESTION),
        "search": client.given("search", query="rare earths"),
        "list_sources": client.given("list_sources"),
        "read_source": client.given("read_source", source="mining-com-action-plans.md"),
    }
    assert given.keys() == tools.keys()
    for name, structured in given.items():
        jsonschema.validate(structured, tools[name].outputSchema)
        assert structured.keys() == tools[name].outputSchema["properties"].keys()


def test_every_quote_of_an_answer_stands_where_it_says(client: Connected) -> None:
    result = client.call("ask", question=DATED_QUESTION, as_of="2026-02-10")
    answer = result.structuredContent
    assert answer is not None
    assert answer["status"] == "answered"
    assert answer["dates"][0]["date"] == "2026-07-01"
    assert answer["dates"][0]["days_from_as_of"] == 141
    assert answer["citations"]
    for citation in answer["citations"]:
        part = client.given(
            "read_source",
            source=citation["source"],
            start=citation["start"],
            end=citation["end"],
        )
        whole = client.given("read_source", source=citation["source"])
        assert part["text"] == citation["quote"]
        assert whole["text"][citation["start"] : citation["end"]] == citation["quote"]
        assert whole["title"] == citation["title"]
        assert f"[{citation['number']}]" in answer["answer"]
    assert "1 July 2026" in read(result)
    assert answer["citations"][0]["source"] in read(result)


def test_a_question_that_the_articles_do_not_answer_is_no_error(client: Connected) -> None:
    result = client.call("ask", question=MISSING_QUESTION)
    assert not result.isError
    assert result.structuredContent is not None
    assert result.structuredContent["status"] == "not_in_corpus"
    assert result.structuredContent["citations"] == []
    assert result.structuredContent["closest"]
    assert "Not in the articles" in read(result)


def test_earlier_turns_and_limits_are_heeded(client: Connected) -> None:
    turns = [["Who is the US Trade Representative?", "Jamieson Greer is. [1]"]]
    answer = client.given("ask", question="What did he say?", history=turns, max_quotes=1)
    assert len(answer["citations"]) <= 2
    name = "mining-com-action-plans.md"
    for limits in ({"source": "mining*"}, {"since": "2026-02-04", "until": "2026-02-04"}):
        limited = client.given("ask", question="What do the action plans set out?", **limits)
        quoted = limited["citations"] + limited["closest"]
        assert {citation["source"] for citation in quoted} == {name}
        found = client.given("search", query="action plans", k=50, **limits)["retrieved"]
        assert {hit["file"] for hit in found} == {name}


def test_a_search_ranks_passages_with_their_places(client: Connected) -> None:
    result = client.call("search", query="rare earths", k=3)
    assert result.structuredContent is not None
    found = result.structuredContent["retrieved"]
    assert len(found) == 3
    assert [hit["score"] for hit in found] == sorted((hit["score"] for hit in found), reverse=True)
    for hit in found:
        place = {"source": hit["file"], "start": hit["start"], "end": hit["end"]}
        assert client.given("read_source", **place)["text"] == hit["text"]
        assert hit["file"] in read(result)


def test_the_articles_are_listed_and_narrowed(client: Connected) -> None:
    listed = client.given("list_sources")
    names = {path.name for path in (ROOT / "corpus").glob("*.md")}
    assert {source["source"] for source in listed["sources"]} == names
    assert listed["total"] == len(names)
    narrowed = client.given("list_sources", query="manufacturers NAM")
    assert [s["source"] for s in narrowed["sources"]] == ["nam-partners-and-congress.md"]
    assert client.given("list_sources", query="zebra") == {"sources": [], "total": 0}


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("ask", {}, "ask needs the argument 'question'."),
        ("ask", {"question": ""}, "ask cannot use question: "),
        ("ask", {"question": "  "}, "the question is empty."),
        ("ask", {"question": 7}, "ask cannot use question: "),
        (
            "ask",
            {"question": "x", "since": "soon"},
            "since must be a day such as 2026-02-04, got 's",
        ),
        ("ask", {"question": "x", "as_of": 20260204}, "as_of must be a day such as 2026-02-04"),
        ("ask", {"question": "x", "max_quotes": 11}, "ask cannot use max_quotes: "),
        ("ask", {"question": "x", "history": [["only"]]}, "ask cannot use history.0: "),
        ("ask", {"question": "x", "engine": "openai:x@http://evil"}, "there is no engine "),
        ("ask", {"question": "x", "colour": "red"}, "ask takes no argument 'colour'; it takes "),
        ("search", {"query": "x", "k": 51}, "search cannot use k: "),
        ("search", {"query": "x", "k": True}, "search cannot use k: "),
        ("search", {"query": " "}, "the query is empty."),
        ("read_source", {"source": "../secret"}, "there is no article '../secret' in the index."),
        (
            "read_source",
            {"source": "mining-com-action-plans.md", "start": 99_999},
            "start is 99999, and 'mining-com-action-plans.md' has ",
        ),
        (
            "read_source",
            {"source": "mining-com-action-plans.md", "start": 9, "end": 8},
            "end is 8, before start, which is 9.",
        ),
        ("delete", {}, "there is no tool 'delete'; there are ask, search, "),
    ],
)
def test_a_wrong_call_is_refused_in_a_sentence(
    client: Connected, tool: str, arguments: dict[str, object], says: str
) -> None:
    told = client.refused(tool, **arguments)
    assert told.startswith(says)
    assert told.endswith(".")
    assert "\n" not in told
    assert "Traceback" not in told


def test_several_are_answered_at_once(client: Connected) -> None:
    async def all_of_them() -> list[types.CallToolResult]:
        asked = [DATED_QUESTION, MISSING_QUESTION] * 6
        asks = [client.session.call_tool("ask", {"question": question}) for question in asked]
        reads = [client.session.call_tool("list_sources", {}) for _ in range(4)]
        return await asyncio.gather(*asks, *reads)

    *answers, _, _, _, _ = client.portal.call(all_of_them)
    statuses = [result.structuredContent["status"] for result in answers]
    assert statuses == ["answered", "not_in_corpus"] * 6


# What a process prints


def message(method: str, identity: int | None = None, **params: object) -> str:
    whole = {"jsonrpc": "2.0", "method": method, "params": params}
    return json.dumps(whole if identity is None else whole | {"id": identity}) + "\n"


def test_standard_output_holds_the_protocol_alone_and_the_end_is_clean(briefs: Settings) -> None:
    begin = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "a program", "version": "1"},
    }
    with subprocess.Popen(
        command(briefs),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        cwd=ROOT,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(
            message("initialize", 1, **begin) + message("notifications/initialized")
        )
        asked = {"name": "ask", "arguments": {"question": DATED_QUESTION}}
        process.stdin.write(message("tools/call", 2, **asked))
        process.stdin.flush()
        replies = [json.loads(process.stdout.readline()) for _ in range(2)]
        rest, errors = process.communicate(timeout=PATIENCE_S)  # closes its standard input
    assert [reply["id"] for reply in replies] == [1, 2]
    assert replies[1]["result"]["structuredContent"]["status"] == "answered"
    assert (rest, errors, process.returncode) == ("", "", 0)


@pytest.mark.parametrize("printed", ["print('noise')", "import os; os.write(1, b'noise')"])
def test_what_a_library_prints_goes_to_standard_error(briefs: Settings, printed: str) -> None:
    program = (
        "import sys, assistant.service as service\n"
        "opens = service.open_assistant\n"
        "def noisy(settings):\n"
        f"    {printed}\n"
        "    return opens(settings)\n"
        "service.open_assistant = noisy\n"
        "from assistant.doors.cli import main\n"
        f"sys.exit(main(['mcp', '--index', {str(briefs.index)!r}]))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        input="",
        capture_output=True,
        text=True,
        env=environment(),
        cwd=ROOT,
        timeout=PATIENCE_S,
        check=True,
    )
    assert ran.stdout == ""
    assert ran.stderr.strip() == "noise"


def test_without_an_index_it_says_so_as_ask_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = []
    for arguments in (["ask", "Why?"], ["mcp"]):
        ran = subprocess.run(
            [
                sys.executable,
                "-m",
                "assistant.doors.cli",
                *arguments,
                "--index",
                str(tmp_path / "none"),
            ],
            input="",
            capture_output=True,
            text=True,
            env=environment(),
            cwd=ROOT,
            timeout=PATIENCE_S,
        )
        assert ran.stdout == ""
        said.append((ran.returncode, ran.stderr))
    assert said[0] == said[1]
    assert said[1][0] == 1
    with pytest.raises(SystemExit):
        main(["mcp", "--help"])
    assert "Model Context Protocol" in capsys.readouterr().out


# Over HTTP


def test_only_post_is_answered(address: str) -> None:
    for method in ("GET", "DELETE", "PUT"):
        refused = httpx.request(method, address, trust_env=False)
        assert (refused.status_code, refused.headers["allow"]) == (405, "POST")


# With scripted answers


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


def in_memory(assistant: object, act: Act, settings: Settings | None = None) -> Any:
    """What `act` gives, done with a client of the server of `assistant`."""
    workers = Workers()
    server = mcp.create(assistant, settings or Settings(), workers)

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


def test_an_answer_that_takes_too_long_is_given_up() -> None:
    slow = Slow({}, {})
    settings = replace(Settings(), request_timeout_s=1)
    result = in_memory(slow, calls("ask", question="q"), settings)
    assert (result.isError, read(result)) == (True, "there was no answer within 1 s.")
    assert slow.ended.wait(PATIENCE_S)


def test_with_too_many_under_way_the_next_is_turned_away() -> None:
    settings = replace(Settings(), most_waiting=1, request_timeout_s=1)

    async def two(session: ClientSession) -> list[str]:
        asks = [session.call_tool("ask", {"question": "q"}) for _ in range(2)]
        return sorted(read(result) for result in await asyncio.gather(*asks))

    told = in_memory(Slow({}, {}), two, settings)
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
    endpoint = mcp.Endpoint(mcp.create(assistant, Settings(), workers))

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
    server = mcp.create(slow, Settings(), workers)
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
