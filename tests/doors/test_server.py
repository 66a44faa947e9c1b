"""The web server: its routes, its guard, and how it starts and stops."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from repository import HELPERS
from running import Running, running

from assistant.doors.chat import folder
from assistant.doors.server import Guard, create_app, script_hashes, serve, without_other_hosts
from assistant.keeping.people import LOOPBACK
from assistant.settings import Settings
from indexing.errors import IndexStorage, SettingsError

pytestmark = pytest.mark.slow

SCRIPTED = str(HELPERS / "scripted_server.py")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    index = tmp_path_factory.mktemp("index")
    with running([SCRIPTED, str(index)], tmp_path_factory.mktemp("cwd")) as started:
        yield started


@pytest.fixture
def client(server: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, trust_env=False) as opened:
        yield opened


def test_healthz_answers_beside_the_page(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok", "service": "dateline"}
    page = client.get("/")
    assert page.status_code == 200
    assert "<title>Dateline</title>" in page.text


PAGES = ["/", "/login", "/login/callback?success=true", "/thread/x", "/element/x", "/anything/else"]


@pytest.mark.parametrize("path", PAGES)
def test_the_page_names_no_other_host(client: httpx.Client, path: str) -> None:
    page = client.get(path)
    assert not re.search(r"""(?:src|href|content)=["'](?:https?:)?//""", page.text)
    assert page.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/", "/healthz", "/public/dateline.css", "/thread/x", "/logo"])
def test_every_answer_says_what_the_page_may_do(client: httpx.Client, path: str) -> None:
    found = client.get(path, params={"theme": "light"} if path == "/logo" else None)
    assert found.status_code == 200
    policy = found.headers["content-security-policy"]
    assert "default-src 'self';" in policy
    assert not re.search(r"script-src [^;]*'unsafe-inline'", policy)
    assert "frame-ancestors 'none'" in policy
    assert found.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", PAGES)
def test_the_policy_permits_the_pages_own_inline_scripts(client: httpx.Client, path: str) -> None:
    page = client.get(path)
    hashes = script_hashes(page.text)
    assert hashes
    assert hashes in page.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/", "/healthz", "/ws/socket.io/?EIO=4&transport=polling"])
def test_other_sites_get_nothing(client: httpx.Client, path: str) -> None:
    own = str(client.base_url).rstrip("/")
    assert client.get(path, headers={"Origin": own}).status_code == 200
    assert client.get(path, headers={"Origin": "http://evil.example"}).status_code == 403
    assert client.get(path, headers={"Origin": "null"}).status_code == 403
    assert client.get(path, headers={"Host": "evil.example"}).status_code == 403


def test_uploads_are_limited_and_strange_servers_are_off(client: httpx.Client) -> None:
    settings = client.get("/project/settings").json()
    assert settings["features"]["spontaneous_file_upload"]["max_size_mb"] == 50
    assert settings["features"]["mcp"]["enabled"] is False
    assert settings["features"]["unsafe_allow_html"] is False
    assert [s["message"] for s in settings["starters"]] == ["Hostile?", "Missing?"]


def test_ctrl_c_ends_it_cleanly_and_nothing_is_left_where_it_was_started(tmp_path: Path) -> None:
    index, cwd = tmp_path / "index", tmp_path / "cwd"
    cwd.mkdir()
    with running([SCRIPTED, str(index)], cwd) as started:
        assert started.stop() == 0
    assert "Traceback" not in "".join(started.printed)
    assert list(cwd.iterdir()) == []
    assert not list(index.rglob(".files"))


def test_a_taken_port_is_said_before_anything_is_loaded() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(SettingsError, match="--port"):
            serve(Settings(port=taken.getsockname()[1]))


def test_an_index_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "chat").write_text("in the way")
    with pytest.raises(IndexStorage, match="--index"):
        folder.prepare(tmp_path / "chat" / "8000")


def test_a_page_that_others_can_reach_is_not_served_unasked(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--open-to-all"):
        serve(Settings(index=tmp_path / "index", host="0.0.0.0", port=0))
    with pytest.raises(SettingsError, match="--open-to-all"):
        create_app(Settings(index=tmp_path / "index", public_url="https://news.example.org"))
    assert list(tmp_path.iterdir()) == []


async def _passed(
    scope: dict[str, Any],
    hosts: frozenset[str] | None = LOOPBACK,
    public: str | None = None,
) -> bool:
    """Whether the guard lets a request through."""
    reached = False

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal reached
        reached = True

    async def nothing(*_: Any) -> Any:
        return {}

    await Guard(app, hosts, "", public)(scope, nothing, nothing)
    return reached


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    ("host", "origin", "passes"),
    [
        ("127.0.0.1:8000", None, True),
        ("localhost:8000", "http://localhost:8000", True),
        ("[::1]:8000", "http://[::1]:8000", True),
        ("127.0.0.1:8000", "http://127.0.0.1:9000", False),
        ("127.0.0.1:8000", "http://localhost:8000", False),
        ("127.0.0.1:8000", "", False),
        ("rebound.example:8000", None, False),
        ("127.0.0.1; script-src *", None, False),
        ("", None, False),
    ],
)
def test_the_guard_lets_in_only_the_pages_own_requests(
    kind: str, host: str, origin: str | None, passes: bool
) -> None:
    headers = [(b"host", host.encode())]
    headers += [(b"origin", origin.encode())] if origin is not None else []
    scope = {"type": kind, "path": "/", "headers": headers}
    assert asyncio.run(_passed(scope)) is passes


def test_where_the_server_is_meant_for_others_any_name_of_it_will_do() -> None:
    headers = [(b"host", b"news.example"), (b"origin", b"https://news.example")]
    scope = {"type": "http", "path": "/", "headers": headers}
    assert asyncio.run(_passed(scope, hosts=None))


@pytest.mark.parametrize(
    ("host", "origin", "passes"),
    [
        ("news.example", "https://news.example", True),
        ("News.Example", "https://NEWS.example", True),
        ("127.0.0.1:8000", "https://news.example", True),  # the proxy did not pass the name on
        ("127.0.0.1:8000", "http://127.0.0.1:8000", True),
        ("news.example", "http://news.example", False),
        ("news.example", "https://news.example.evil.example", False),
        ("news.example", "https://evil.example", False),
        ("other.example", "https://news.example", False),
        ("other.example", None, False),
    ],
)
def test_behind_a_proxy_the_page_is_known_by_its_public_address(
    host: str, origin: str | None, passes: bool
) -> None:
    headers = [(b"host", host.encode())]
    headers += [(b"origin", origin.encode())] if origin is not None else []
    scope = {"type": "http", "path": "/", "headers": headers}
    hosts = LOOPBACK | {"news.example"}
    assert asyncio.run(_passed(scope, hosts, "https://news.example")) is passes


def test_links_to_other_hosts_are_cut_out_and_own_ones_stay() -> None:
    html = (
        '<link\n  href="https://x.example/a.css"\n/><link href="/own.css"><link href="//y.example">'
    )
    assert without_other_hosts(html) == '<link href="/own.css">'
