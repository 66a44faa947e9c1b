"""The same question gives the same answer and the same citations, whichever door it comes through."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from repository import ROOT
from running import Running, running
from slack_server import BOT_TOKEN, BOT_USER, SECRET, TEAM, signed, slack_server

from assistant import open_assistant
from assistant.doors.show.json import from_json, to_json
from assistant.doors.slack import blocks
from assistant.settings import Settings
from eval.speed.chat_speed import hold

QUESTIONS = [
    "What is the MOU deadline?",
    "How many countries took part in the ministerial?",
    "What share of processing capacity does China control?",
    "Who introduced the Critical Mineral Dominance Act?",
    "Who won the cup final?",
]
PATIENCE_S = 60
DATELINE = [sys.executable, "-m", "assistant.doors.cli"]


@pytest.fixture(scope="module")
def expected(briefs: Settings) -> Iterator[list[dict[str, Any]]]:
    with open_assistant(briefs) as assistant:
        yield [told(to_json(assistant.ask(question))) for question in QUESTIONS]


def told(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer's JSON without what differs from one time to the next, as other programs read it."""
    kept = {name: value for name, value in answer.items() if name not in ("id", "timings_ms")}
    read: dict[str, Any] = json.loads(json.dumps(kept))
    return read


def test_the_command_line(briefs: Settings, expected: list[dict[str, Any]], tmp_path: Path) -> None:
    asked = tmp_path / "asked.jsonl"
    asked.write_text("".join(json.dumps({"question": q}) + "\n" for q in QUESTIONS))
    command = [*DATELINE, "ask", "--batch", str(asked), "--json", "--index", str(briefs.index)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert [told(json.loads(line)) for line in ran.stdout.splitlines()] == expected


def test_the_page(dateline: Running, expected: list[dict[str, Any]]) -> None:
    replies = [asyncio.run(hold(dateline.url, [question]))[0] for question in QUESTIONS]
    assert [told(dict(reply.answer)) for reply in replies] == expected
    for reply in replies:
        drawn = [(c["number"], c["source"], c["start"]) for c in reply.drawn["citations"]]
        cited = [(c["number"], c["source"], c["start"]) for c in reply.answer["citations"]]
        assert drawn == cited


def test_http_and_openais_form(dateline: Running, expected: list[dict[str, Any]]) -> None:
    with httpx.Client(base_url=dateline.url, trust_env=False, timeout=PATIENCE_S) as client:
        for question, answer in zip(QUESTIONS, expected, strict=True):
            assert told(client.post("/api/ask", json={"question": question}).json()) == answer
            asked = {"messages": [{"role": "user", "content": question}]}
            completed = client.post("/v1/chat/completions", json=asked).json()
            assert told(completed["dateline"]) == answer
            assert completed["choices"][0]["message"]["citations"] == answer["citations"]


def test_mcp(dateline: Running, briefs: Settings, expected: list[dict[str, Any]]) -> None:
    async def ask(streams: Any) -> list[dict[str, Any]]:
        async with ClientSession(*streams[:2]) as session:
            await session.initialize()
            results = [await session.call_tool("ask", {"question": q}) for q in QUESTIONS]
            return [told(result.structuredContent or {}) for result in results]

    async def over_both() -> list[list[dict[str, Any]]]:
        arguments = [*DATELINE[1:], "mcp", "--index", str(briefs.index)]
        async with stdio_client(StdioServerParameters(command=DATELINE[0], args=arguments)) as io:
            here = await ask(io)
        async with streamable_http_client(f"{dateline.url}/mcp") as io:
            return [here, await ask(io)]

    assert asyncio.run(over_both()) == [expected, expected]


def test_slack(briefs: Settings, tmp_path: Path, expected: list[dict[str, Any]]) -> None:
    command = ["-m", "assistant.doors.cli", "chat", "--corpus", str(ROOT / "corpus"), "--port", "0"]

    async def ask(server: Running, slack: Any, number: int, question: str) -> list[dict[str, Any]]:
        text = f"<@{BOT_USER}> {question}"
        ts = slack.say("C0NEWS", text, "U0ANNA")
        event = {"type": "app_mention", "channel": "C0NEWS", "user": "U0ANNA"}
        event |= {"text": text, "ts": ts, "team": TEAM}
        told = {"type": "event_callback", "team_id": TEAM, "event_id": f"Ev{number}"}
        body = json.dumps({**told, "event": event})
        headers = {"Content-Type": "application/json", **signed(body)}
        async with httpx.AsyncClient(trust_env=False) as client:
            got = await client.post(f"{server.url}/slack/events", content=body, headers=headers)
        assert got.status_code == 200
        async with asyncio.timeout(PATIENCE_S):
            while len(slack.ours) <= number or len(slack.ours[number].versions) < 2:
                await asyncio.sleep(0.05)
        shown: list[dict[str, Any]] = slack.ours[number].last["blocks"]
        return shown

    async def all_asked() -> list[list[dict[str, Any]]]:
        (tmp_path / "cwd").mkdir()
        async with slack_server() as slack:
            variables = {
                "DATELINE_SLACK_BOT_TOKEN": BOT_TOKEN,
                "DATELINE_SLACK_SIGNING_SECRET": SECRET,
            }
            index = ["--index", str(tmp_path / "index")]
            elsewhere = [f"assistant.doors.slack.client.API={slack.api}"]
            served = running([*command, *index], tmp_path / "cwd", elsewhere, **variables)
            server = await asyncio.to_thread(served.__enter__)
            try:
                return [await ask(server, slack, n, q) for n, q in enumerate(QUESTIONS)]
            finally:
                await asyncio.to_thread(served.__exit__, None, None, None)

    for shown, answer in zip(asyncio.run(all_asked()), expected, strict=True):
        step = next(
            element["value"]
            for block in shown
            if block["type"] == "actions"
            for element in block["elements"]
        )
        (message,) = blocks.answered(from_json(answer | {"timings_ms": {}}), date.today(), step)
        for block in (*shown, *message.blocks):
            block.pop("block_id", None)  # Slack gives each its own
        assert shown == list(message.blocks)
        for citation in answer["citations"]:
            assert blocks.mrkdwn(citation["quote"]) in json.dumps(shown, ensure_ascii=False)
