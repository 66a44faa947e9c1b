"""What several test files need: small folders of articles, settings that point at them."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from indexing.settings import Settings

# A shell's background jobs ignore interrupts, and so would the servers that tests start and stop.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parents[1]
ARTICLES = ROOT.parent / "shared" / "articles"
"""The scraped articles; not part of the repository, so a test may only use them as well as ours."""
CHROMIUM = "/usr/bin/chromium"
CHROMIUM_OPTIONS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


def write_files(folder: Path, files: dict[str, str | bytes]) -> Path:
    """Writes the files, and removes any other file of the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.rglob("*"):
        if path.is_file() and path.relative_to(folder).as_posix() not in files:
            path.unlink()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(Settings(), corpus=tmp_path / "corpus", index=tmp_path / "index")


@pytest.fixture(scope="session")
def briefs(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of an index of corpus/, built once."""
    from indexing.sync import sync

    built = replace(
        Settings(), corpus=ROOT / "corpus", index=tmp_path_factory.mktemp("briefs") / "index"
    )
    sync(built.corpus, built)
    return built


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
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        yield opened
        opened.close()
