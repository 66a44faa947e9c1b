"""What several test files need: small folders of articles, settings that point at them, servers."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis
import machine
import pytest
from filelock import FileLock
from pages import DESK, NewPage
from playwright.sync_api import Browser, Page, sync_playwright
from postgres import Postgres, postgres_server
from repository import HELPERS, ROOT
from running import Running, running

from assistant.settings import Settings

# A shell's background jobs ignore interrupts, and so would the servers that tests start and stop.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes is the machine's doing, and no test's.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")

pytest_plugins = ["housekeeping"]

CHROMIUM_OPTIONS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(Settings(), corpus=tmp_path / "corpus", index=tmp_path / "index")


@pytest.fixture(scope="session")
def briefs(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Settings:
    """Settings of an index of corpus/, built once for all processes of a run."""
    from indexing.sync import sync

    own = tmp_path_factory.getbasetemp()
    shared = (own if worker_id == "master" else own.parent) / "briefs"
    built = replace(Settings(), corpus=ROOT / "corpus", index=shared / "index")
    with FileLock(f"{shared}.lock"):
        if not shared.exists():
            sync(built.corpus, built)
    index = tmp_path_factory.mktemp("briefs") / "index"
    shutil.copytree(built.index, index)
    return replace(built, index=index)


@pytest.fixture
def opened(settings: Settings) -> Iterator[Callable[[], object]]:
    """Opens the assistant of `settings`, and closes it after the test."""
    from assistant.service import Assistant, open_assistant

    open_ones: list[Assistant] = []

    def open_() -> Assistant:
        open_ones.append(open_assistant(settings))
        return open_ones[-1]

    yield open_
    for assistant in open_ones:
        assistant.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = machine.browser() or machine.go_without(machine.NO_BROWSER)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_OPTIONS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with postgres_server() as running:
        yield running


@pytest.fixture(scope="module")
def dateline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """`dateline chat` over corpus/, as a user starts it."""
    index = tmp_path_factory.mktemp("real") / "index"
    command = ["-m", "assistant.doors.cli", "chat", "--corpus", str(ROOT / "corpus")]
    with running(
        [*command, "--index", str(index), "--port", "0"], tmp_path_factory.mktemp("cwd")
    ) as started:
        yield started
        assert list(started.folder.iterdir()) == [], "it left files where it was started"


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The page over scripted answers; see `scripted_server`."""
    index = tmp_path_factory.mktemp("scripted") / "index"
    script = str(HELPERS / "scripted_server.py")
    with running([script, str(index)], tmp_path_factory.mktemp("cwd")) as started:
        yield started


@pytest.fixture
def new_page(browser: Browser) -> Iterator[NewPage]:
    """Opens the page of a server; afterwards checks that it asked no other host for anything, ran no
    script of an article and reported no error."""
    contexts, strange = [], []

    def open_(
        server: Running,
        size: dict[str, int] = DESK,
        path: str = "",
        forgiven: tuple[str, ...] = (),
        **more: Any,
    ) -> Page:
        context = browser.new_context(viewport=size, **more)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()

        def note_request(url: str) -> None:
            if not url.startswith((server.url, "data:", "blob:")):
                strange.append(url)

        def note_said(kind: str, text: str) -> None:
            # Chainlit gives its phone panel's title an id of its own, and Radix misses the one it gave.
            # A page that was taken offline says so until it is closed.
            known = ("requires a `DialogTitle`", "ERR_INTERNET_DISCONNECTED", *forgiven)
            if kind == "error" and not any(part in text for part in known):
                strange.append(text)

        page.on("request", lambda request: note_request(request.url))
        page.on("websocket", lambda ws: note_request(ws.url.replace("ws://", "http://")))
        page.on("dialog", lambda dialog: strange.append(dialog.message))
        page.on("pageerror", lambda error: strange.append(str(error)))
        page.on("console", lambda said: note_said(said.type, said.text))
        page.goto(server.url + path)
        page.locator("#chat-input").wait_for()
        return page

    yield open_
    for context in contexts:
        context.close()
    assert strange == []
