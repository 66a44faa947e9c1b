"""Makes the pictures of README.md: the chat page with an answer, and the report of the evaluation.

Run from the repository: `python docs/screenshot.py [chat] [report]`. Needs playwright and a Chromium.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
QUESTION = "What is the MOU deadline?"
CHROMIUM = "/usr/bin/chromium"
DATELINE = [sys.executable, "-m", "assistant.cli"]


@contextmanager
def page(height: int) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser.new_page(viewport={"width": 1280, "height": height})
        browser.close()


def chat(picture: Path) -> None:
    """Serves corpus/, asks, opens a source."""
    with tempfile.TemporaryDirectory() as index, page(800) as shown:
        command = [*DATELINE, "chat", "--corpus", str(ROOT / "corpus"), "--index", index]
        server = subprocess.Popen(
            [*command, "--port", "0"], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        try:
            shown.goto(address(server))
            shown.locator("#chat-input").click()
            shown.keyboard.type(QUESTION)
            shown.locator("#chat-submit:enabled").click()
            shown.locator(".dl-mark").first.click()
            shown.locator(".dl-article mark").wait_for()
            shown.mouse.move(640, 790)
            shown.wait_for_timeout(1500)  # the panel slides in, the button's tooltip fades
            shown.screenshot(path=picture)
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


def report(picture: Path) -> None:
    """Asks the evaluation set against its baseline, opens the report at its figures."""
    with tempfile.TemporaryDirectory() as folder, page(1900) as shown:
        file = Path(folder) / "report.html"
        index = Path(folder) / "index"
        command = [*DATELINE, "eval", "--gate", "--html", str(file), "--index", str(index)]
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
        shown.goto(file.as_uri())
        shown.screenshot(path=picture)


if __name__ == "__main__":
    for name in sys.argv[1:] or ["chat", "report"]:
        picture = ROOT / "docs" / f"{name}.png"
        {"chat": chat, "report": report}[name](picture)
        print(f"saved {picture.relative_to(ROOT)}")
