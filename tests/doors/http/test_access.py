"""Who may ask the HTTP API, from where, how often and how much."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
from api_client import PATIENCE_S, bearer, client, events, figure, let_go, scripted_server, until
from running import Running

from assistant.keeping.keys import Keys
from assistant.settings import Settings
from eval.speed import api_speed

pytestmark = pytest.mark.slow

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
    with (
        scripted_server(tmp_path, ["assistant.doors.asking.MOST_UNDER_WAY=2"]) as started,
        client(started) as api,
    ):
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
        scripted_server(tmp_path, ["assistant.doors.asking.LONGEST_S=1"]) as started,
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
