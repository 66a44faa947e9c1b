"""What tests do on the chat page: ask, wait for the answer, look at what is in view."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

ANSWER_MS = 60_000
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 800}

NewPage = Callable[..., Page]


def say(page: Page, question: str) -> None:
    """Types a question as a reader does."""
    page.locator("#chat-input").click()
    page.keyboard.type(question)
    expect(page.locator("#chat-submit")).to_be_enabled()  # once the socket is connected
    page.keyboard.press("Enter")


def ask(page: Page, question: str) -> Locator:
    """The answer to a question, once it is drawn."""
    answers = page.locator(".dl-answer")
    begins = "/thread/" not in page.url
    before = answers.count()
    say(page, question)
    expect(answers).to_have_count(before + 1, timeout=ANSWER_MS)
    expect(page.locator("#stop-button")).to_have_count(0)
    if (page.viewport_size or DESK)["width"] == DESK["width"]:
        # With its first question a conversation gets its address, and Chainlit draws the page anew.
        expect(page).to_have_url(re.compile("/thread/"))
        page.wait_for_timeout(500 if begins else 0)
        expect(answers).to_have_count(before + 1, timeout=ANSWER_MS)
    return answers.nth(before)


def in_view(page: Page, mark: Locator) -> bool:
    """Whether the middle of `mark` is what the reader sees at its place, not hidden under a header."""
    page.wait_for_timeout(600)  # the panel slides in
    return bool(
        mark.evaluate(
            """(e) => {
                const r = e.getClientRects()[0];
                const at = document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2);
                return at === e;
            }"""
        )
    )


def panel(page: Page) -> Locator:
    return page.locator("#side-view-content")


def open_library(page: Page) -> Locator:
    page.locator("#dl-sources-button").click()
    library = page.locator(".dl-library")
    expect(library).to_be_visible()
    return library
