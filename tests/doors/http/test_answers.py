"""The HTTP API answers as every other door does, and finds and lists articles."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_client import DEADLINE, client, events, without_times
from repository import write_files
from running import running

from assistant.doors.show.json import hit_to_json, source_to_json, to_json
from assistant.service import Assistant
from indexing.schema import Filters


def test_an_answer_is_that_of_every_other_door(api: httpx.Client, alone: Assistant) -> None:
    got = api.post("/api/ask", json={"question": DEADLINE, "id": "q1", "as_of": "2026-02-20"})
    assert got.status_code == 200
    expected = to_json(alone.ask(DEADLINE, as_of=date(2026, 2, 20)), "q1")
    assert without_times(got.json()) == without_times(json.loads(json.dumps(expected)))
    assert got.json()["citations"]


def test_limits_and_history_are_kept_to(api: httpx.Client, alone: Assistant) -> None:
    source = "mining-com-action-plans.md"
    limited = {"question": DEADLINE, "source": source, "max_quotes": 1, "since": "2026-02-01"}
    got = api.post("/api/ask", json=limited).json()
    assert {citation["source"] for citation in got["citations"]} == {source}

    history = [(DEADLINE, "Within 30 days.")]
    asked = {"question": "And for Mexico?", "history": history, "until": "2026-02-28"}
    got = api.post("/api/ask", json=asked).json()
    expected = alone.ask("And for Mexico?", history, Filters(until=date(2026, 2, 28)))
    assert got["answer"] == expected.text


def test_an_answer_comes_as_events_too(api: httpx.Client) -> None:
    whole = api.post("/api/ask", json={"question": DEADLINE}).json()
    for asked, headers in (
        ({"question": DEADLINE, "stream": True}, {}),
        ({"question": DEADLINE}, {"Accept": "text/event-stream"}),
    ):
        got = api.post("/api/ask", json=asked, headers=headers)
        assert got.headers["content-type"].startswith("text/event-stream")
        *claims, (name, last) = events(got.text)
        assert name == "answer"
        assert without_times(last) == without_times(whole)
        assert claims
        for name, claim in claims:
            assert name == "claim"
            assert claim["text"] in last["answer"]
            assert set(claim["citations"]) <= {c["number"] for c in last["citations"]}


def test_what_the_articles_do_not_say_is_said(api: httpx.Client) -> None:
    got = api.post("/api/ask", json={"question": "Who won the cup final?"}).json()
    assert got["status"] == "not_in_corpus"
    assert got["citations"] == []


@pytest.mark.parametrize(
    ("asked", "status", "told"),
    [
        ({}, 422, "question: Field required"),
        ({"question": ""}, 422, "question: "),
        ({"question": "  "}, 422, "question: it is empty"),
        ({"question": "x" * 4_001}, 422, "question: "),
        ({"question": "Who?", "as_of": "soon"}, 422, "as_of: "),
        ({"question": "Who?", "max_quotes": 11}, 422, "max_quotes: "),
        ({"question": "Who?", "qestion": "Who?"}, 422, "qestion: "),
        (
            {"question": "Who?", "engine": "openai:x@http://127.0.0.1:1/v1"},
            404,
            "there is no engine",
        ),
        ([], 422, ""),
    ],
)
def test_a_request_that_is_not_of_its_form_is_refused_in_words(
    api: httpx.Client, asked: Any, status: int, told: str
) -> None:
    got = api.post("/api/ask", json=asked)
    assert got.status_code == status
    error = got.json()["error"]
    assert error["message"].startswith(told)
    assert error["type"] == "invalid_request_error"
    assert error["code"]


def test_what_is_no_json_and_what_is_not_there(api: httpx.Client) -> None:
    got = api.post("/api/ask", content=b"{", headers={"content-type": "application/json"})
    assert got.status_code == 422
    for method, path, status in (
        ("GET", "/api/nothing", 404),
        ("POST", "/v1/embeddings", 404),
        ("GET", "/api/ask", 405),
        ("DELETE", "/v1/models", 405),
    ):
        got = api.request(method, path)
        assert got.status_code == status
        assert got.json()["error"]["message"]
    assert got.headers["allow"] == "GET"


# Articles


def test_search_gives_passages_that_stand_in_their_files(
    api: httpx.Client, alone: Assistant
) -> None:
    got = api.post("/api/search", json={"query": "price floors", "k": 3}).json()
    expected = [hit_to_json(hit) for hit in alone.search("price floors", 3)]
    assert got == {"id": None, "retrieved": expected}
    assert len(expected) == 3


def test_sources_are_listed_found_and_read(api: httpx.Client, alone: Assistant) -> None:
    listed = api.get("/api/sources").json()
    assert listed["sources"] == [source_to_json(info) for info in alone.sources()]
    assert listed["total"] == 5
    second = api.get("/api/sources", params={"limit": 1, "offset": 1}).json()
    assert second == {"sources": listed["sources"][1:2], "total": 5}
    (found,) = api.get("/api/sources", params={"query": "menafn"}).json()["sources"]
    assert found["publisher"] == "MENAFN"

    for citation in api.post("/api/ask", json={"question": DEADLINE}).json()["citations"]:
        place = {"start": citation["start"], "end": citation["end"]}
        got = api.get(f"/api/sources/{citation['source']}", params=place).json()
        assert got["text"] == citation["quote"]
        whole = api.get(f"/api/sources/{citation['source']}").json()
        assert whole["text"] == alone.source_text(citation["source"])
        assert whole["length"] == whole["end"] == len(whole["text"])


@pytest.mark.parametrize("source", ["none.md", "..%2F..%2Fetc%2Fpasswd", "%2Fetc%2Fpasswd", "%00"])
def test_only_articles_of_the_index_are_read(api: httpx.Client, source: str) -> None:
    got = api.get(f"/api/sources/{source}")
    assert got.status_code == 404
    assert got.json()["error"]["code"] == "source_not_found"


@pytest.mark.slow
def test_new_articles_are_indexed_on_demand(tmp_path: Path) -> None:
    corpus = write_files(tmp_path / "corpus", {"a.md": "The mayor opened a bridge on Monday."})
    command = ["-m", "assistant.doors.cli", "chat", "--corpus", str(corpus), "--port", "0"]
    (tmp_path / "cwd").mkdir()
    with (
        running([*command, "--index", str(tmp_path / "index")], tmp_path / "cwd") as started,
        client(started) as api,
    ):
        question = {"question": "How many seats does the new stadium have?"}
        assert api.post("/api/ask", json=question).json()["status"] == "not_in_corpus"
        (corpus / "b.md").write_text("The new stadium in Tessel has 31,000 seats, the club said.")
        report = api.post("/api/index").json()
        assert (report["added"], report["unchanged"], report["articles"]) == (1, 1, 2)
        (citation, *_) = api.post("/api/ask", json=question).json()["citations"]
        assert citation["source"] == "b.md"
