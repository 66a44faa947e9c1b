"""Makes the pictures of README.md and docs/: the chat page in each of its states, and the report of the evaluation.

Run from the repository: `python docs/screenshot.py [NAME...]`. Needs playwright and a Chromium: that of
the tests.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests" / "helpers"))

from machine import browser  # noqa: E402

DATELINE = [sys.executable, "-m", "assistant.doors.cli"]
DESK = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 780}
DEADLINE = "What is the MOU deadline?"

# Two accounts of one invented event, to show what is made of accounts that differ.
ADDED = {
    "gazette.md": """---
title: Flood damages the Tessel museum
publisher: The Gazette
date: 2026-02-11
---

A flood damaged the Tessel museum on 9 February 2026.
The museum lost 25 paintings in the flood.
The museum will stay closed for two years, its director Otto Brandt said.
""",
    "herald.md": """---
title: Tessel counts its losses
publisher: The Herald
date: 2026-02-20
---

The museum lost 31 paintings in the flood.
Insurers will visit the building in March.
""",
}


def ask(page: Page, question: str) -> None:
    """Asks, and waits until nothing is added to the answer any more."""
    answers = page.locator(".dl-answer")
    before = answers.count()
    page.locator("#chat-input").click()
    page.keyboard.type(question)
    page.locator("#chat-submit:enabled").click()
    answers.nth(before).wait_for(timeout=60_000)
    page.wait_for_timeout(4000)  # for what to ask next


def settled(page: Page) -> None:
    page.mouse.move(640, 795)
    page.wait_for_timeout(1500)  # panels slide in, tooltips fade


def answer(page: Page) -> None:
    ask(page, "What does the action plan with Mexico cover?")


def deadline(page: Page) -> None:
    ask(page, DEADLINE)
    page.locator(".dl-mark").nth(2).hover()
    page.wait_for_timeout(1000)


def panel(page: Page) -> None:
    ask(page, DEADLINE)
    page.locator(".dl-mark").first.click()
    page.locator(".dl-article mark").wait_for()
    settled(page)


def disagreement(page: Page) -> None:
    upload(page)
    ask(page, "How many paintings did the museum lose?")
    page.locator("[data-step-type=user_message]").last.scroll_into_view_if_needed()
    page.locator(".dl-differ").scroll_into_view_if_needed()
    settled(page)


def not_in_corpus(page: Page) -> None:
    ask(page, "Who will chair FORGE?")
    settled(page)


def upload(page: Page) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ADDED]
        for file in files:
            file.write_text(ADDED[file.name], "utf-8")
        page.locator("#upload-button").wait_for()
        page.set_input_files("#upload-button-input", files)
        page.locator("#chat-submit:enabled").click()
        page.locator(".dl-uploaded").nth(1).wait_for(timeout=60_000)
        settled(page)


def history(page: Page) -> None:
    for question in ("Who leads the U.S. trade office?", DEADLINE):
        ask(page, question)
        page.locator("#header #new-chat-button").click()
        page.locator("#welcome-screen").wait_for()
    ask(page, "Which countries have agreed to what?")
    page.locator("#header #sidebar-trigger-button").click()
    settled(page)


def phone(page: Page) -> None:
    ask(page, DEADLINE)
    settled(page)


def library(page: Page) -> None:
    while "What is reported in" in page.locator("#starters").inner_text():
        page.wait_for_timeout(1000)  # better questions are being made
        page.reload()
    page.locator("#upload-button").wait_for()
    page.locator("#dl-sources-button").click()
    page.locator(".dl-row").nth(2).get_by_role("checkbox").check()
    page.get_by_role("button", name="Apply").click()
    settled(page)


STATES: dict[str, tuple[Callable[[Page], None], dict[str, int], str]] = {
    "answer": (answer, DESK, "light"),
    "panel": (panel, DESK, "light"),
    "deadline": (deadline, DESK, "light"),
    "disagreement": (disagreement, DESK, "light"),
    "not-in-corpus": (not_in_corpus, DESK, "light"),
    "upload": (upload, DESK, "light"),
    "library": (library, DESK, "light"),
    "history": (history, DESK, "light"),
    "phone": (phone, PHONE, "light"),
    "dark": (panel, DESK, "dark"),
}


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu"]
        launched = playwright.chromium.launch(executable_path=browser(), args=options)
        yield launched
        launched.close()


def chat(names: list[str]) -> None:
    """Serves corpus/ to nobody before, once for each picture, and takes it."""
    for name in names:
        do, size, scheme = STATES[name]
        with tempfile.TemporaryDirectory() as index, chromium() as browser:
            command = [*DATELINE, "chat", "--corpus", str(ROOT / "corpus"), "--index", index]
            server = subprocess.Popen(
                [*command, "--port", "0"], stdout=subprocess.PIPE, text=True, cwd=ROOT
            )
            try:
                page = browser.new_page(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
                page.goto(address(server))
                page.locator("#chat-input").wait_for()
                do(page)
                save(page, name)
            finally:
                server.send_signal(signal.SIGINT)
                server.wait(timeout=30)


def address(server: subprocess.Popen[str]) -> str:
    """Where the server says it is."""
    assert server.stdout is not None
    for line in server.stdout:
        if found := re.search(r"Dateline is at (\S+)", line):
            return found[1]
    raise SystemExit("the server did not start")


def report() -> None:
    """Asks the evaluation set against its baseline, opens the report at its figures."""
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        file = Path(folder) / "report.html"
        index = Path(folder) / "index"
        command = [*DATELINE, "eval", "--gate", "--html", str(file), "--index", str(index)]
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
        page = browser.new_page(viewport={"width": 1280, "height": 1900})
        page.goto(file.as_uri())
        save(page, "report")


def save(page: Page, name: str) -> None:
    page.screenshot(path=ROOT / "docs" / f"{name}.png")
    print(f"saved docs/{name}.png")


if __name__ == "__main__":
    wanted = sys.argv[1:] or [*STATES, "report"]
    chat([name for name in wanted if name in STATES])
    if "report" in wanted:
        report()
