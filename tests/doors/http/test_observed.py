"""What the HTTP API tells of its work: metrics, logs, traces, and whether it is ready."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_client import PATIENCE_S, bearer, client, figure, let_go, scripted_server, until
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from assistant.keeping.keys import Keys
from assistant.settings import Settings

pytestmark = pytest.mark.slow


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
