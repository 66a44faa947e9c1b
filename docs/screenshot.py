"""Makes the picture of README.md: serves corpus/, asks, opens a source, saves docs/chat.png.

Run from the repository: `python docs/screenshot.py [QUESTION]`. Needs playwright and a Chromium.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "chat.png"
QUESTION = "What is the MOU deadline?"
CHROMIUM = "/usr/bin/chromium"


def main(question: str = QUESTION) -> None:
    with tempfile.TemporaryDirectory() as index:
        command = [sys.executable, "-m", "assistant.cli", "chat"]
        command += ["--corpus", str(ROOT / "corpus"), "--index", index, "--port", "0"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        try:
            picture(address(server), question)
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(timeout=30)
    print(f"saved {PICTURE.relative_to(ROOT)}")


def address(server: subprocess.Popen[str]) -> str:
    """Where the server says it is."""
    assert server.stdout is not None
    for line in server.stdout:
        if found := re.search(r"Dateline is at (\S+)", line):
            return found[1]
    raise SystemExit("the server did not start")


def picture(url: str, question: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(url)
        page.locator("#chat-input").click()
        page.keyboard.type(question)
        page.locator("#chat-submit:enabled").click()
        page.locator(".dl-mark").first.click()
        page.locator(".dl-article mark").wait_for()
        page.mouse.move(640, 790)
        page.wait_for_timeout(1500)  # the panel slides in, the button's tooltip fades
        page.screenshot(path=PICTURE)
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:2])
