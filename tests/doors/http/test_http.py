"""The HTTP API as programs use it: curl, OpenAI's own client, a browser, and whatever its schema allows."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from playwright.sync_api import Browser, expect
from prometheus_client.parser import text_string_to_metric_families
from repository import HELPERS, write_files
from running import Running, running
from schemathesis.checks import CheckFunction, load_all_checks
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from assistant.doors.show.json import citation_to_json, hit_to_json, source_to_json, to_json
from assistant.doors.show.markdown import as_markdown
from assistant.keeping.keys import Keys
from assistant.service import Assistant, open_assistant
from eval.speed import api_speed
from indexing.schema import Filters
from indexing.settings import Settings

SCRIPTED = str(HELPERS / "scripted_server.py")
DEADLINE = "What is the MOU deadline?"
PATIENCE_S = 60


def client(server: Running, **headers: str) -> httpx.Client:
    return httpx.Client(base_url=server.url, headers=headers, trust_env=False, timeout=PATIENCE_S)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def events(text: str) -> list[tuple[str, Any]]:
    """The server-sent events of a body: their names and data."""
    found = re.findall(r"event: (\w+)\ndata: (.*)\n\n", text)
    return [(name, json.loads(data)) for name, data in found]


def until(holds: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.fixture
def api(dateline: Running) -> Iterator[httpx.Client]:
    """The API over corpus/."""
    with client(dateline) as opened:
        yield opened


@pytest.fixture(scope="module")
def alone(briefs: Settings) -> Iterator[Assistant]:
    """What the API's answers are held against."""
    with open_assistant(briefs) as opened:
        yield opened


@contextmanager
def scripted_server(folder: Path, **variables: str) -> Iterator[Running]:
    (folder / "cwd").mkdir(exist_ok=True)
    (folder / "corpus").mkdir(exist_ok=True)
    variables = {"DATELINE_CORPUS": str(folder / "corpus"), **variables}
    with running([SCRIPTED, str(folder / "index")], folder / "cwd", **variables) as started:
        yield started


def let_go(folder: Path) -> None:
    """Lets "Slow?" have its answer."""
    (folder / "index" / "gate").touch()


# Answers


def without_times(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "timings_ms"}


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


# Keys


def run(*arguments: str, index: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "assistant.doors.cli", *arguments, "--index", str(index)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=index.parent)


def test_keys_are_made_listed_and_revoked_by_command(tmp_path: Path) -> None:
    index = tmp_path / "index"
    key = run("keys", "add", "ci", index=index).stdout.strip()
    reader = run("keys", "add", "nightly", "--scope", "index", index=index).stdout.strip()
    assert key.startswith("dl_")
    assert key != reader
    kept = (index / "chat" / "keys.json").read_text()
    assert key not in kept
    assert oct((index / "chat" / "keys.json").stat().st_mode & 0o777) == "0o600"
    listed = json.loads(run("keys", "list", "--json", index=index).stdout)
    assert [(k["name"], k["scopes"]) for k in listed] == [("ci", ["ask"]), ("nightly", ["index"])]
    assert key not in run("keys", "list", index=index).stdout

    again = run("keys", "add", "ci", index=index)
    assert again.returncode == 2
    assert "there is a key 'ci' already" in again.stderr
    assert run("keys", "remove", "ci", index=index).returncode == 0
    assert run("keys", "remove", "ci", index=index).returncode == 2
    assert run("keys", "list", "ci", index=index).returncode == 2


def test_where_a_key_is_wanted_only_one_with_its_scope_opens(tmp_path: Path) -> None:
    keys = Keys(Settings(index=tmp_path / "index"))
    ask, index = keys.add("asks", ["ask"]), keys.add("indexes", ["index"])
    with (
        scripted_server(tmp_path, DATELINE_API_KEYS="required") as started,
        client(started) as api,
    ):
        question = {"question": "Missing?"}
        for method, path in (
            ("POST", "/api/ask"),
            ("POST", "/api/search"),
            ("GET", "/api/sources"),
            ("GET", "/api/sources/a.txt"),
            ("POST", "/api/index"),
            ("GET", "/v1/models"),
            ("POST", "/v1/chat/completions"),
            ("GET", "/metrics"),
            ("GET", "/api/nothing"),
        ):
            got = api.request(method, path)
            assert got.status_code == 401, path
            assert got.headers["www-authenticate"] == "Bearer"
            assert "dateline keys add" in got.json()["error"]["message"]
        for path in ("/healthz", "/readyz", "/api/docs", "/api/openapi.json"):
            assert api.get(path).status_code == 200, path

        def asked(key: str) -> int:
            return api.post("/api/ask", json=question, headers=bearer(key)).status_code

        def indexed(key: str) -> int:
            return api.post("/api/index", headers=bearer(key)).status_code

        assert (asked(ask), indexed(ask)) == (200, 403)
        assert (asked(index), indexed(index)) == (403, 200)
        assert asked("dl_" + "x" * 43) == asked("none") == 401
        assert api.post("/api/ask", headers={"Authorization": f"Basic {ask}"}).status_code == 401
        keys.remove("asks")
        assert asked(ask) == 401


def test_guests_may_ask_and_not_index(tmp_path: Path) -> None:
    key = Keys(Settings(index=tmp_path / "index")).add("indexes", ["index"])
    guests = {"DATELINE_OPEN_TO_ALL": "on", "DATELINE_PUBLIC_URL": "https://news.example.org"}
    with scripted_server(tmp_path, **guests) as started, client(started) as api:
        assert api.post("/api/ask", json={"question": "Missing?"}).status_code == 200
        assert api.post("/api/index").status_code == 401
        assert api.post("/api/index", headers=bearer(key)).status_code == 200


# Limits


def test_each_key_and_each_address_may_ask_so_often(tmp_path: Path) -> None:
    keys = Keys(Settings(index=tmp_path / "index"))
    one, other = keys.add("one", ["ask"]), keys.add("other", ["ask"])
    with (
        scripted_server(tmp_path, DATELINE_REQUESTS_PER_MINUTE="3") as started,
        client(started) as api,
    ):

        def statuses(**headers: str) -> list[int]:
            return [api.get("/v1/models", headers=headers).status_code for _ in range(4)]

        assert statuses(**bearer(one)) == [200, 200, 200, 429]
        assert statuses(**bearer(other)) == [200, 200, 200, 429]
        assert statuses() == [200, 200, 200, 429]
        refused = api.get("/v1/models")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.json()["error"]["code"] == "rate_limited"
        for path in ("/healthz", "/readyz", "/"):
            assert api.get(path).status_code == 200


def test_too_many_at_once_are_turned_away_at_once(tmp_path: Path) -> None:
    with scripted_server(tmp_path, DATELINE_MOST_WAITING="2") as started, client(started) as api:
        answers: list[httpx.Response] = []

        def ask() -> None:
            with client(started) as own:
                answers.append(own.post("/api/ask", json={"question": "Slow?"}))

        waiting = [threading.Thread(target=ask) for _ in range(2)]
        for thread in waiting:
            thread.start()
        until(lambda: figure(api, "dateline_answers_under_way") == 2, "they wait")
        for path, asked in (
            ("/api/ask", {"question": "Missing?"}),
            ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Missing?"}]}),
        ):
            refused = api.post(path, json=asked)
            assert refused.status_code == 503
            assert refused.headers["retry-after"] == "5"
            assert refused.json()["error"]["code"] == "overloaded"
        assert api.get("/healthz").status_code == 200
        let_go(tmp_path)
        for thread in waiting:
            thread.join(PATIENCE_S)
        assert [answer.status_code for answer in answers] == [200, 200]
        assert api.post("/api/ask", json={"question": "Missing?"}).status_code == 200


def test_a_request_that_is_too_large_or_takes_too_long_is_given_up(tmp_path: Path) -> None:
    with (
        scripted_server(tmp_path, DATELINE_REQUEST_TIMEOUT_S="1") as started,
        client(started) as api,
    ):
        large = json.dumps({"question": "Missing?", "id": "x" * 1_000_000}).encode()
        headers = {"content-type": "application/json"}
        for body in (large, (large[i : i + 65_536] for i in range(0, len(large), 65_536))):
            got = api.post("/api/ask", content=body, headers=headers)
            assert got.status_code == 413
        late = api.post("/api/ask", json={"question": "Slow?"})
        assert late.status_code == 504
        assert late.json()["error"]["code"] == "timeout"
        ((*_, (name, error)),) = [
            events(api.post("/api/ask", json={"question": "Slow?", "stream": True}).text)
        ]
        assert name == "error"
        assert error["error"]["code"] == "timeout"
        until(lambda: figure(api, "dateline_answers_under_way") == 0, "the work goes on")


@pytest.mark.timeout(600)
def test_a_hundred_at_once_are_all_answered_in_bounded_memory(dateline: Running) -> None:
    times = api_speed.measure(dateline.url, dateline.process.pid, is_quick=True)
    assert len(times.at_once_whole) == 100
    assert 0 < times.most_mb - times.memory_mb < 500


def test_whoever_leaves_is_not_answered_any_longer(tmp_path: Path) -> None:
    with scripted_server(tmp_path) as started, client(started) as api:
        for asked in ({"question": "Slow?"}, {"question": "Slow?", "stream": True}):
            with client(started) as leaving, pytest.raises(httpx.ReadTimeout):
                leaving.post("/api/ask", json=asked, timeout=httpx.Timeout(PATIENCE_S, read=1))
            until(lambda: figure(api, "dateline_answers_under_way") == 0, "the work goes on")


# What is told of the work


def figure(api: httpx.Client, name: str, **labels: str) -> float:
    """A figure of `/metrics`, 0 where it is not there yet."""
    for family in text_string_to_metric_families(api.get("/metrics").text):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return float(sample.value)
    return 0


def test_metrics_count_requests_and_answers(tmp_path: Path) -> None:
    with scripted_server(tmp_path) as started, client(started) as api:
        for question in ("Missing?", "Hostile?", "Broken?"):
            api.post("/api/ask", json={"question": question})
        api.get("/api/made/up/by/its/sender")
        ask = {"method": "POST", "route": "/api/ask"}
        assert figure(api, "dateline_requests_total", **ask, status="200") == 2
        assert figure(api, "dateline_requests_total", **ask, status="500") == 1
        unknown = {"method": "GET", "route": "/api", "status": "404"}
        assert figure(api, "dateline_requests_total", **unknown) == 1
        quotes = {"engine": "quotes"}
        assert figure(api, "dateline_answers_total", **quotes, status="answered") == 1
        assert figure(api, "dateline_answers_total", **quotes, status="not_in_corpus") == 1
        assert figure(api, "dateline_answer_failures_total") == 1
        assert figure(api, "dateline_request_seconds_count", route="/api/ask") == 3


def test_an_error_tells_nothing_of_the_inside(tmp_path: Path) -> None:
    with scripted_server(tmp_path) as started, client(started) as api:
        broken = api.post("/api/ask", json={"question": "Broken?"})
        assert broken.status_code == 500
        assert "a detail of the inside" not in broken.text
        unreadable = api.post("/api/ask", json={"question": "Unreadable?"})
        assert unreadable.status_code == 503
        assert "index" not in unreadable.text
    said = "".join(started.printed)
    assert "a detail of the inside" in said, "the log says why"
    assert "the *index* is gone" in said


@pytest.mark.parametrize("allowed", ["on", "off"])
def test_the_log_holds_what_was_asked_only_where_it_may(tmp_path: Path, allowed: str) -> None:
    key = Keys(Settings(index=tmp_path / "index")).add("ci", ["ask"])
    variables = {"DATELINE_LOG": "json", "DATELINE_LOG_QUESTIONS": allowed}
    with scripted_server(tmp_path, **variables) as started, client(started) as api:
        headers = {"X-Request-ID": "my-id-7", **bearer(key)}
        got = api.post("/api/ask", json={"question": "Missing?"}, headers=headers)
        assert got.headers["x-request-id"] == "my-id-7"
        made = api.post("/api/ask", json={"question": "Missing?"}, headers={"X-Request-ID": "a b"})
        assert re.fullmatch("[0-9a-f]{32}", made.headers["x-request-id"])
    lines = [json.loads(line) for line in started.printed if line.startswith("{")]
    assert [line["request_id"] for line in lines] == ["my-id-7", made.headers["x-request-id"]]
    assert (lines[0]["route"], lines[0]["status"], lines[0]["key"]) == ("/api/ask", 200, "ci")
    assert lines[0]["ms"] > 0
    assert ("Missing?" in "".join(started.printed)) == (allowed == "on")
    assert key not in "".join(started.printed)


@pytest.fixture
def collector() -> Iterator[tuple[str, list[Any]]]:
    """An OpenTelemetry collector: its address, and the spans it is sent."""
    spans: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            sent = ExportTraceServiceRequest.FromString(body)
            for resource in sent.resource_spans:
                for scope in resource.scope_spans:
                    spans.extend(scope.spans)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1/traces", spans
        server.shutdown()
        thread.join()


def test_traces_go_to_a_collector(tmp_path: Path, collector: tuple[str, list[Any]]) -> None:
    url, spans = collector
    with scripted_server(tmp_path, DATELINE_TRACES_URL=url) as started, client(started) as api:
        api.post("/api/ask", json={"question": "Hostile?"})
        assert started.stop() == 0
    by_name = {span.name: span for span in spans}
    assert set(by_name) == {"answer", "POST /api/ask"}
    told = {a.key: a.value for a in by_name["answer"].attributes}
    assert told["dateline.status"].string_value == "answered"
    assert told["dateline.citations"].int_value == 1
    assert "dateline.question" not in told
    for span in spans:
        assert span.end_time_unix_nano > span.start_time_unix_nano


def test_it_is_ready_when_index_and_model_can_be_reached(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as listening:
        model = f"openai:m@http://127.0.0.1:{listening.server_port}/v1"
        with scripted_server(tmp_path, DATELINE_MODEL=model) as started, client(started) as api:
            ready = api.get("/readyz")
            checks = {"index": "ok", "model": "ok"}
            assert (ready.status_code, ready.json()) == (200, {"status": "ready", "checks": checks})
            listening.server_close()
            ready = api.get("/readyz")
            assert ready.status_code == 503
            assert ready.json()["checks"] == {"index": "ok", "model": "cannot be reached"}
            assert api.get("/healthz").status_code == 200


def test_what_is_being_answered_is_finished_when_the_server_ends(tmp_path: Path) -> None:
    with scripted_server(tmp_path) as started:
        answers: list[httpx.Response] = []

        def ask(**more: Any) -> None:
            with client(started) as own:
                answers.append(own.post("/api/ask", json={"question": "Slow?", **more}))

        threads = [
            threading.Thread(target=ask),
            threading.Thread(target=ask, kwargs={"stream": True}),
        ]
        with client(started) as api:
            for thread in threads:
                thread.start()
            until(lambda: figure(api, "dateline_answers_under_way") == 2, "they are asked")
        stopping = threading.Thread(target=started.stop)
        stopping.start()

        def is_shut() -> bool:
            try:
                httpx.get(f"{started.url}/healthz", trust_env=False)
            except httpx.TransportError:
                return True
            return False

        until(is_shut, "it takes no more")
        let_go(tmp_path)
        for thread in (*threads, stopping):
            thread.join(PATIENCE_S)
        assert started.process.returncode == 0
    assert [answer.status_code for answer in answers] == [200, 200]
    assert all("It took its time." in answer.text for answer in answers)


# Other sites


def test_pages_of_other_sites_may_call_it_where_the_settings_say_so(tmp_path: Path) -> None:
    friend = "https://intranet.example.org"
    with scripted_server(tmp_path, DATELINE_CORS=f"{friend}, https://b.example") as started:
        asked = {"question": "Missing?"}
        with client(started, Origin=friend) as api:
            wants = {
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization,content-type",
            }
            asks_first = api.options("/api/ask", headers=wants)
            assert asks_first.status_code == 200
            assert asks_first.headers["access-control-allow-origin"] == friend
            got = api.post("/api/ask", json=asked)
            assert got.headers["access-control-allow-origin"] == friend
            assert api.get("/").status_code == 403, "the page itself is nobody else's"
        with client(started, Origin="https://evil.example") as api:
            assert api.post("/api/ask", json=asked).status_code == 403
            assert api.options("/api/ask", headers=wants).status_code == 403


# Unmodified clients


@pytest.fixture
def official(dateline: Running) -> Iterator[openai.OpenAI]:
    with (
        httpx.Client(trust_env=False) as plain,
        openai.OpenAI(
            base_url=f"{dateline.url}/v1", api_key="none", max_retries=0, http_client=plain
        ) as opened,
    ):
        yield opened


def test_openais_own_client_asks_and_streams(official: openai.OpenAI, alone: Assistant) -> None:
    assert [model.id for model in official.models.list()] == ["dateline", "quotes"]
    expected = alone.ask(DEADLINE)
    messages: Any = [
        {"role": "system", "content": "Answer in French."},
        {"role": "user", "content": DEADLINE},
    ]
    for model in ("dateline", "quotes"):
        got = official.chat.completions.create(model=model, messages=messages, temperature=0.2)
        (choice,) = got.choices
        assert choice.finish_reason == "stop"
        assert choice.message.content == as_markdown(expected)
        sent = (choice.message.model_extra or {})["citations"]
        assert sent == [citation_to_json(c) for c in expected.citations]
        assert (got.model_extra or {})["dateline"]["answer"] == expected.text

    streamed = official.chat.completions.create(
        model="quotes", messages=messages, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(streamed)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == as_markdown(expected)
    assert len([chunk for chunk in chunks if chunk.choices]) > 3, "it comes in parts"
    assert chunks[-1].usage is not None
    (whole,) = (c.model_extra["dateline"] for c in chunks if "dateline" in (c.model_extra or {}))
    assert whole["answer"] == expected.text


def test_openais_own_client_holds_a_conversation(official: openai.OpenAI, alone: Assistant) -> None:
    first = alone.ask(DEADLINE)
    got = official.chat.completions.create(
        model="quotes",
        messages=[
            {"role": "user", "content": DEADLINE},
            {"role": "assistant", "content": first.text},
            {"role": "user", "content": [{"type": "text", "text": "And for Mexico?"}]},
        ],
    )
    expected = alone.ask("And for Mexico?", [(DEADLINE, first.text)])
    assert got.choices[0].message.content == as_markdown(expected)


def test_openais_own_client_understands_refusals(official: openai.OpenAI, tmp_path: Path) -> None:
    user: Any = [{"role": "user", "content": DEADLINE}]
    with pytest.raises(openai.NotFoundError, match="there is no engine 'gpt-9'"):
        official.chat.completions.create(model="gpt-9", messages=user)
    with pytest.raises(openai.BadRequestError, match="the last message must be the user's"):
        official.chat.completions.create(
            model="quotes", messages=[*user, {"role": "assistant", "content": "Soon."}]
        )
    with pytest.raises(openai.UnprocessableEntityError):
        official.chat.completions.create(model="quotes", messages=[])
    with (
        scripted_server(tmp_path, DATELINE_API_KEYS="required") as started,
        httpx.Client(trust_env=False) as plain,
        openai.OpenAI(base_url=f"{started.url}/v1", api_key="wrong", http_client=plain) as locked,
        pytest.raises(openai.AuthenticationError),
    ):
        locked.models.list()


def test_markup_of_an_article_is_not_markup_for_clients_that_draw_it(tmp_path: Path) -> None:
    with scripted_server(tmp_path) as started, client(started) as api:
        asked = {"messages": [{"role": "user", "content": "Hostile?"}]}
        for stream in (False, True):
            got = api.post("/v1/chat/completions", json={**asked, "stream": stream})
            if stream:
                lines = [line[6:] for line in got.text.splitlines() if line.startswith("data: {")]
                parts = [json.loads(line)["choices"] for line in lines]
                text = "".join(c["delta"].get("content", "") for part in parts for c in part)
            else:
                text = got.json()["choices"][0]["message"]["content"]
            assert "evil" in text
            assert not re.search(r"(?<!\\)[<\[]|https?://(?=evil)", text)


def test_curl_asks_too(dateline: Running) -> None:
    command = ["curl", "-sS", "-N", "--noproxy", "*", f"{dateline.url}/api/ask"]
    asked = json.dumps({"question": DEADLINE, "stream": True})
    command += ["-H", "Content-Type: application/json", "-d", asked]
    got = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert events(got)[-1][1]["status"] == "answered"


def test_its_page_describes_it_without_another_host(dateline: Running, browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    asked, said = list[str](), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.on(
        "console", lambda message: said.append(message.text) if message.type == "error" else None
    )
    page.goto(f"{dateline.url}/api/docs")
    expect(page.get_by_text("Answer a question from the articles")).to_be_visible(timeout=30_000)
    page.get_by_text("Answer a question from the articles").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    answer = page.locator(".live-responses-table")
    expect(answer).to_contain_text('"status": "answered"', timeout=PATIENCE_S * 1000)
    assert [url for url in asked if not url.startswith((dateline.url, "data:", "blob:"))] == []
    assert said == []
    context.close()


# Whatever the schema allows

load_all_checks()
CHECKS: list[CheckFunction] = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.mark.timeout(600)
def test_nothing_that_its_schema_allows_or_forbids_breaks_it(tmp_path: Path) -> None:
    with scripted_server(tmp_path, DATELINE_REQUESTS_PER_MINUTE="0") as started:
        described = schemathesis.openapi.from_url(f"{started.url}/api/openapi.json")
        operations = [found.ok() for found in described.get_all_operations()]
        assert len(operations) == 9
        for operation in operations:
            for mode in schemathesis.GenerationMode:

                @given(case=operation.as_strategy(generation_mode=mode))
                @settings(
                    max_examples=25,
                    deadline=None,
                    database=None,
                    suppress_health_check=list(HealthCheck),
                )
                def holds(case: schemathesis.Case) -> None:
                    case.call_and_validate(base_url=started.url, checks=CHECKS)

                holds()
        assert "Traceback" not in "".join(started.printed)
