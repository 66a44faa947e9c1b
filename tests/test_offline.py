"""With the network unplugged everything works, and nothing so much as tries to leave the machine.

Each command runs as a process of its own whose sockets are guarded before anything is imported: an
attempt to reach another machine, or to look up its name, is written down and refused. Its home is
an empty folder, so nothing can come from a cache of downloads either. Native code gets past such a
guard, but libraries that report to their makers keep an identity and a queue in the home folder:
nothing may be found there afterwards.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from repository import write_files
from unplugged import Unplugged

from assistant.settings import Settings
from indexing.embed import BULK_TEXTS

pytestmark = pytest.mark.slow


@pytest.fixture
def unplugged(tmp_path: Path) -> Unplugged:
    return Unplugged(tmp_path)


@pytest.mark.parametrize(
    "attempt",
    [
        "import socket; socket.create_connection(('203.0.113.7', 80), 1)",
        "import socket; socket.getaddrinfo('huggingface.co', 443)",
        "import urllib.request as u; u.urlopen('https://pypi.org', timeout=1)",
        "import asyncio; asyncio.run(asyncio.open_connection('203.0.113.7', 80))",
        "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('203.0.113.7', 53))",
        "import httpx; httpx.get('http://203.0.113.7', trust_env=False, timeout=1)",
    ],
)
def test_the_guard_stops_and_records_what_would_leave(unplugged: Unplugged, attempt: str) -> None:
    quiet = f"try:\n  exec({attempt!r})\nexcept Exception: pass"
    unplugged.run("-W", "ignore", "-c", quiet)
    assert re.match(r"connect|getaddrinfo|sendto", unplugged.attempts())


def test_the_guard_lets_this_machine_talk_to_itself(unplugged: Unplugged) -> None:
    talk = "import socket; s = socket.create_server(('localhost', 0)); "
    unplugged.run("-c", talk + "socket.create_connection(s.getsockname()).close(); s.close()")
    unplugged.assert_nothing_left()


def test_a_folder_is_indexed_asked_and_searched(unplugged: Unplugged, briefs: Settings) -> None:
    report = json.loads(unplugged.dateline("index", briefs.corpus, "--json"))
    assert report["added"] == 5
    assert report["failed"] == []

    question = "When is the review of the USMCA?"
    answer = json.loads(unplugged.dateline("ask", question, "--json"))
    assert answer["status"] == "answered"
    found = json.loads(unplugged.dateline("search", "price floors", "--json"))
    assert len(found["retrieved"]) == 10

    unplugged.environment["DATELINE_CORPUS"] = str(briefs.corpus)
    findings = json.loads(unplugged.dateline("doctor", "--json"))
    assert {finding["state"] for finding in findings} == {"ok"}
    assert [path.name for path in unplugged.cwd.iterdir()] == [".dateline"]


def test_no_library_leaves_anything_in_the_home_folder(
    unplugged: Unplugged, briefs: Settings
) -> None:
    """onnxruntime, unless told not to, puts a device's identity there and reports to its maker."""
    unplugged.dateline("ask", "When is the review of the USMCA?", "--index", briefs.index)
    assert [path for path in unplugged.home.rglob("*") if path.is_file()] == []


def test_answers_are_measured_and_reported(unplugged: Unplugged) -> None:
    """Ragas, matplotlib and what they bring along each have something to keep or to tell."""
    out = unplugged.dateline("eval", "--limit", 6, "--html", "report.html")
    assert "6 questions" in out
    assert (unplugged.cwd / "report.html").stat().st_size > 50_000
    assert [path for path in unplugged.home.rglob("*") if path.is_file()] == []


def test_many_texts_are_embedded_in_bulk(unplugged: Unplugged, tmp_path: Path) -> None:
    lines = (json.dumps({"text": f"Ship {n} left."}) for n in range(BULK_TEXTS + 5))
    corpus = write_files(tmp_path / "corpus", {"ships.jsonl": "\n".join(lines)})
    index = f"main(['index', {str(corpus)!r}, '--json'])"
    out = unplugged.run(
        "-c", f"import sys; from assistant.doors.cli import main; {index}; print(*sys.modules)"
    )
    unplugged.assert_nothing_left()
    report, modules = out.splitlines()
    assert json.loads(report)["embedded"] == BULK_TEXTS + 5
    assert "sentence_transformers" in modules.split(), "the bulk path was not taken"


def test_every_kind_of_file_is_read(unplugged: Unplugged, tmp_path: Path) -> None:
    """A page may name style sheets, scripts, images and a document type; none may be fetched."""
    page = (
        '<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN"'
        ' "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd"><html><head><title>News</title>'
        '<link rel="stylesheet" href="https://elsewhere.example/a.css">'
        '<script src="https://elsewhere.example/a.js"></script>'
        '<base href="https://elsewhere.example/"></head><body><article>'
        '<img src="https://elsewhere.example/a.png"><iframe src="https://elsewhere.example"></iframe>'
        "<p>The harbour board approved the new ferry line on Tuesday, after a long debate.</p>"
        "</article></body></html>"
    )
    markdown = "---\nurl: https://elsewhere.example/x\n---\n![a](https://elsewhere.example/a.png) It rained."
    entity = '<!DOCTYPE x [<!ENTITY e SYSTEM "http://elsewhere.example/e">]><html><body>'
    corpus = write_files(
        tmp_path / "corpus",
        {
            "a.html": page,
            "b.md": markdown,
            "c.html": f"{entity}<p>The council met on Monday and sat for six hours. &e;</p></body></html>",
            "d.txt": "See https://elsewhere.example for more. The bridge opened.",
            "e.json": '{"url": "https://elsewhere.example", "text": "The mill closed."}',
        },
    )
    report = json.loads(unplugged.dateline("index", corpus, "--json"))
    assert {failure["source"] for failure in report["failed"]} <= {"c.html"}
    assert report["added"] >= 4


def test_the_chat_page_is_served(unplugged: Unplugged, briefs: Settings) -> None:
    with subprocess.Popen(
        [
            *(sys.executable, "-u", "-m", "assistant.doors.cli", "chat", "--port", "0"),
            *("--corpus", str(briefs.corpus)),
        ],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        cwd=unplugged.cwd, env=unplugged.environment,
    ) as server:  # fmt: skip
        printed: list[str] = []
        reader = threading.Thread(target=lambda: printed.extend(server.stdout or ()), daemon=True)
        reader.start()
        try:
            url = _until(lambda: re.search(r"Dateline is at (\S+)", "".join(printed)), server)[1]
            with httpx.Client(base_url=url, trust_env=False) as client:

                def healthy() -> bool:
                    try:
                        return client.get("/healthz").status_code == 200
                    except httpx.TransportError:
                        return False

                _until(healthy, server)
                assert "<title>Dateline</title>" in client.get("/").text
                assert client.get("/project/settings").status_code == 200
                assert client.get("/ws/socket.io/?EIO=4&transport=polling").status_code == 200
        finally:
            server.send_signal(signal.SIGINT)
            try:
                code = server.wait(30)
            except subprocess.TimeoutExpired:
                server.kill()
                raise
            reader.join(10)
    assert code == 0, "".join(printed)
    unplugged.assert_nothing_left()


def _until(found: Callable[[], Any], server: subprocess.Popen[str]) -> Any:
    """Waits for `found()` while the server runs."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and server.poll() is None:
        if value := found():
            return value
        time.sleep(0.1)
    raise AssertionError("the server did not start")
