"""Other programs' models: the protocol's own client, over both transports, finds every promise kept."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import httpx
import jsonschema
import pytest
from command_line import DATED_QUESTION, MISSING_QUESTION
from mcp import types
from mcp_client import Connected, command, environment, message, read
from repository import ROOT
from running import PATIENCE_S

from assistant.doors.cli import main
from assistant.settings import Settings


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
    assert tools["search"].inputSchema["properties"]["k"]["maximum"] == 100


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
        ("search", {"query": "x", "k": 101}, "search cannot use k: "),
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
