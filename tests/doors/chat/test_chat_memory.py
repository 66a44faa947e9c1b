"""What the chat page remembers: conversations by name, their sources, ratings, through restarts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from pages import ANSWER_MS, NewPage, ask, in_view, say
from playwright.sync_api import expect
from repository import HELPERS
from running import Running, running

SCRIPTED = str(HELPERS / "scripted_server.py")


def test_conversations_have_names_and_are_found_again(scripted: Running, new_page: NewPage) -> None:
    page = new_page(scripted)
    ask(page, "Missing?")
    page.locator("#header #new-chat-button").click()
    expect(page.locator("#welcome-screen")).to_be_visible()
    ask(page, "Differ?")
    page.locator("#header").get_by_role("button", name="Conversations").click()
    history = page.locator("#thread-history")
    expect(history.get_by_text("Missing?")).to_be_visible()
    expect(history.get_by_text("Differ?")).to_be_visible()

    # Another name for it.
    entry = history.locator("li", has_text="Differ?").first
    entry.hover()
    entry.locator("#thread-options").click()
    page.get_by_role("menuitem", name="Rename").click()
    page.get_by_role("dialog").get_by_role("textbox").fill("Of lines & lengths")
    page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
    expect(history.get_by_text("Of lines & lengths")).to_be_visible()

    # By a word of an answer, though the name has another.
    page.get_by_role("button", name="Search conversations").click()
    page.get_by_placeholder("Search conversations").fill("opening line")
    found = page.get_by_role("option")
    expect(found).to_have_count(1)
    expect(found).to_have_text("Of lines & lengths")
    found.click()
    expect(page.locator(".dl-answer")).to_contain_text("Differ.", timeout=ANSWER_MS)

    page.get_by_role("button", name="Search conversations").click()
    page.get_by_placeholder("Search conversations").fill("100% nothing")
    expect(page.get_by_text("No conversation found")).to_be_visible()
    page.keyboard.press("Escape")

    entry = history.locator("li", has_text="Of lines & lengths").first
    entry.hover()
    entry.locator("#thread-options").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Confirm").click()
    expect(history.get_by_text("Of lines & lengths")).to_have_count(0)


def test_a_conversation_goes_on_where_it_was(scripted: Running, new_page: NewPage) -> None:
    page = new_page(scripted)
    ask(page, "Differ?")
    expect(page.locator(".dl-follow-up").first).to_be_visible()
    address = page.url
    assert "/thread/" in address
    again = new_page(scripted, path=urlsplit(address).path)
    answer = again.locator(".dl-answer")
    expect(answer).to_have_count(1, timeout=ANSWER_MS)
    expect(answer.locator(".dl-follow-up").first).to_be_visible()
    answer.locator(".dl-mark").first.click()
    assert in_view(again, again.locator(".dl-article mark"))
    expect(ask(again, "What did I ask?")).to_contain_text("You asked: Differ?")


def test_a_rating_with_its_comment_becomes_a_candidate(
    dateline: Running, new_page: NewPage, tmp_path: Path
) -> None:
    page = new_page(dateline)
    ask(page, "How many countries took part in the ministerial?")
    answer = ask(page, "What is the MOU deadline?")
    expect(answer.locator(".dl-follow-up").first).to_be_visible(timeout=ANSWER_MS)  # moves the rest
    page.get_by_role("button", name="Good answer").first.click()
    page.locator("#submit-feedback").click()
    expect(page.locator(".positive-feedback-on")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Bad answer").last.click()
    page.get_by_role("dialog").get_by_role("textbox").fill("Name the memorandum.")
    page.locator("#submit-feedback").click()
    expect(page.locator(".negative-feedback-on")).to_be_visible()
    page.reload()
    expect(page.locator(".dl-answer")).to_have_count(2, timeout=ANSWER_MS)
    expect(page.locator(".negative-feedback-on")).to_be_visible()

    index = dateline.process.args[dateline.process.args.index("--index") + 1]  # type: ignore[index,union-attr]

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "assistant.doors.cli", *arguments, "--index", str(index)]
        return subprocess.run(
            command, capture_output=True, text=True, check=True, cwd=tmp_path
        ).stdout

    lines = [json.loads(line) for line in run("feedback", "--json").splitlines()]
    assert {line["rating"]: line["question"] for line in lines} == {
        "up": "How many countries took part in the ministerial?",
        "down": "What is the MOU deadline?",
    }
    (bad,) = (line for line in lines if line["rating"] == "down")
    assert bad["comment"] == "Name the memorandum."
    assert "6 March 2026" in bad["answer"]
    assert [question for question, _ in bad["history"]] == [
        "How many countries took part in the ministerial?"
    ]
    reported = tmp_path / "down.jsonl"
    reported.write_text(run("feedback", "--rating", "down", "--json"), "utf-8")
    added = [sys.executable, "-m", "assistant.doors.cli", "eval", "add"]
    subprocess.run(
        [*added, "--set", str(tmp_path / "my.jsonl"), "--from", str(reported)],
        check=True,
        capture_output=True,
        cwd=tmp_path,
    )
    assert "What is the MOU deadline?" in (tmp_path / "my.jsonl").read_text("utf-8")


def test_a_restart_in_mid_answer_leaves_the_conversation_whole(
    tmp_path: Path, new_page: NewPage
) -> None:
    index = tmp_path / "index"
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with running([SCRIPTED, str(index)], tmp_path / "one") as first:
        # Until the server is back the page may well knock in vain.
        page = new_page(first, forgiven=("ERR_CONNECTION_REFUSED",))
        ask(page, "Differ?")
        say(page, "Slow?")
        expect(page.get_by_text("It took its time.")).to_be_visible(timeout=ANSWER_MS)
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait()
        port = str(urlsplit(first.url).port)
    with running([SCRIPTED, str(index), port], tmp_path / "two") as second:
        # The page finds the server again by itself, and the conversation as it was.
        cut_off = page.get_by_text("was cut off before it was whole")
        expect(cut_off).to_be_visible(timeout=ANSWER_MS)
        page.locator(".dl-answer").first.locator(".dl-mark").first.click()
        assert in_view(page, page.locator(".dl-article mark"))
        (index / "gate").touch()
        page.get_by_role("button", name="Ask again", exact=True).click()
        expect(page.locator(".dl-answer", has_text="It took its time.")).to_be_visible(
            timeout=ANSWER_MS
        )
        expect(cut_off).to_have_count(0)
        expect(page.locator('[data-step-type="user_message"]')).to_have_text(["Differ?", "Slow?"])
        expect(ask(page, "What did I ask?")).to_contain_text("You asked: Differ?; Slow?")
        page.close()
        assert second.stop() == 0
