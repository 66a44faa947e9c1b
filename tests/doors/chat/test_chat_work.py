"""Working with the chat page: stop, ask anew, follow up, limit, add articles, take the answers along."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pages import ANSWER_MS, DESK, PHONE, NewPage, ask, open_library, panel, say
from playwright.sync_api import Page, expect
from reportlab.pdfgen import canvas
from repository import ROOT
from running import Running, running

SMELTER = """# Velnor opens a tin smelter

LINDHOLM, 12 March 2026 - Velnor Marine opened a tin smelter in Lindholm on Tuesday. The smelter cost \
84 million euros and will employ 130 people. The company must report its emissions within 45 days.
"""


def attach(page: Page, *files: Path) -> None:
    page.locator("#upload-button").wait_for()  # has another id until the page is connected
    page.set_input_files("#upload-button-input", [str(file) for file in files])
    expect(page.locator("#chat-submit")).to_be_enabled(timeout=ANSWER_MS)


@pytest.fixture
def smelter(tmp_path: Path) -> Path:
    path = tmp_path / "smelter.md"
    path.write_text(SMELTER, "utf-8")
    return path


# Asking


def test_an_answer_can_be_stopped_and_keeps_what_was_verified(
    scripted: Running, new_page: NewPage
) -> None:
    page = new_page(scripted)
    say(page, "Slow?")
    expect(page.get_by_text("It took its time.")).to_be_visible(timeout=ANSWER_MS)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped. What stands above was verified")).to_be_visible()
    expect(page.get_by_text("It took its time.")).to_be_visible()
    expect(ask(page, "What did I ask?")).to_contain_text("You asked: nothing")


def test_a_question_is_edited_and_asked_again(scripted: Running, new_page: NewPage) -> None:
    page = new_page(scripted)
    ask(page, "Missing?")
    ask(page, "Differ?")
    question = page.locator('[data-step-type="user_message"]').first
    question.hover()
    page.get_by_role("button", name="Edit and ask again").first.click()
    page.locator("#edit-chat-input").fill("Moved?")
    page.locator(".confirm-edit").click()
    expect(page.locator(".dl-answer")).to_have_count(1)
    expect(page.locator(".dl-answer")).to_contain_text("Moved.")
    expect(ask(page, "What did I ask?")).to_contain_text("You asked: Moved?")
    page.reload()
    expect(page.locator(".dl-answer")).to_have_count(2, timeout=ANSWER_MS)
    expect(page.locator('[data-step-type="user_message"]')).to_have_text(
        ["Moved?", "What did I ask?"]
    )


def test_an_edited_answer_can_be_stopped_too(scripted: Running, new_page: NewPage) -> None:
    page = new_page(scripted)
    ask(page, "Missing?")
    page.locator('[data-step-type="user_message"]').first.hover()
    page.get_by_role("button", name="Edit and ask again").click()
    page.locator("#edit-chat-input").fill("Slow?")
    page.locator(".confirm-edit").click()
    expect(page.get_by_text("It took its time.")).to_be_visible(timeout=ANSWER_MS)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped. What stands above was verified")).to_be_visible()


def test_what_to_ask_next_is_asked_with_a_click(scripted: Running, new_page: NewPage) -> None:
    page = new_page(scripted)
    answer = ask(page, "Missing?")
    following = answer.get_by_role("region", name="Ask next").get_by_role("button")
    expect(following).to_have_text(["Long?", "What did I ask?"])
    following.nth(1).click()
    expect(page.locator(".dl-answer")).to_have_count(2, timeout=ANSWER_MS)
    expect(page.locator(".dl-answer").nth(1)).to_contain_text("You asked: Missing?")


def test_what_is_suggested_is_answered_by_the_articles(
    dateline: Running, new_page: NewPage
) -> None:
    page = new_page(dateline)
    answer = ask(page, "How many countries took part in the ministerial?")
    following = answer.get_by_role("region", name="Ask next").get_by_role("button")
    expect(following.first).to_be_visible(timeout=ANSWER_MS)
    following.first.click()
    expect(page.locator(".dl-answer")).to_have_count(2, timeout=ANSWER_MS)
    expect(page.locator(".dl-answer").nth(1)).to_have_attribute("data-status", "answered")


# Limits


def apply(page: Page) -> None:
    page.get_by_role("button", name="Apply").click()


def test_the_library_lists_every_article_with_its_day_and_passages(
    dateline: Running, new_page: NewPage
) -> None:
    page = new_page(dateline)
    library = open_library(page)
    rows = library.locator(".dl-row")
    expect(rows).to_have_count(5)
    mining = rows.filter(has_text="Mining.com")
    expect(mining).to_contain_text("4 Feb 2026")
    expect(mining).to_contain_text(re.compile(r"\d+ passages"))
    library.get_by_label("Find a source").fill("menafn")
    expect(rows).to_have_count(1)
    rows.get_by_role("button", name=re.compile("Open the file")).click()
    expect(page.locator(".dl-article")).to_contain_text("Mexico")
    expect(page.locator(".dl-note")).to_have_count(0)


def test_answers_keep_to_the_chosen_sources(dateline: Running, new_page: NewPage) -> None:
    page = new_page(dateline)
    open_library(page).locator(".dl-row").filter(has_text="Mining.com").get_by_role(
        "checkbox"
    ).check()
    apply(page)
    expect(page.get_by_text("Applies from the next question: 1 source")).to_be_visible()
    answer = ask(page, "What is the MOU deadline?")
    expect(answer).to_contain_text("Asked within: 1 source")
    expect(answer.locator(".dl-card")).to_have_count(1)
    expect(answer.locator(".dl-card")).to_contain_text("Mining.com")
    expect(answer).to_contain_text("Only one source says so")
    # The limits are those of the conversation, also when it is opened again.
    page.reload()
    expect(page.locator(".dl-answer")).to_have_count(1, timeout=ANSWER_MS)
    expect(page.locator("#dl-sources-button")).to_have_attribute(
        "aria-label", "Sources and settings: 1 source"
    )
    open_library(page).get_by_role("button", name="Clear all").click()
    expect(page.get_by_text("No limits")).to_be_visible()
    expect(ask(page, "What is the MOU deadline?")).not_to_contain_text("Asked within")


def test_days_quotes_and_the_day_of_asking_limit_an_answer(
    dateline: Running, new_page: NewPage
) -> None:
    page = new_page(dateline)
    library = open_library(page)
    library.get_by_label("From", exact=True).fill("2026-02-05")
    library.get_by_label("Answer as of").fill("2026-02-10")
    library.get_by_label("At most this many quotes").fill("1")
    apply(page)
    said = "since 5 Feb 2026, as of 10 Feb 2026, at most 1 quote"
    expect(page.get_by_text(f"Applies from the next question: {said}")).to_be_visible()
    answer = ask(page, "What is the MOU deadline?")
    expect(answer.locator(".dl-card")).to_have_count(1)
    expect(answer.locator(".dl-card")).to_contain_text("5 Feb 2026")
    expect(answer.locator(".dl-future")).to_contain_text("ahead")


# Uploads


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_an_article_is_added_and_asked_at_once(
    dateline: Running, new_page: NewPage, smelter: Path, size: dict[str, int]
) -> None:
    page = new_page(dateline, size)
    attach(page, smelter)
    answer = ask(page, "How much did the tin smelter cost?")
    card = page.locator(".dl-uploaded")
    expect(card).to_contain_text("For this conversation only")
    expect(card).to_contain_text("12 Mar 2026")
    expect(page.get_by_text("Searched 6 articles")).to_be_visible()
    expect(answer).to_contain_text("84 million euros")
    answer.locator(".dl-mark").first.click()
    expect(page.locator(".dl-article mark")).to_contain_text("84 million euros")
    expect(page.locator(".dl-article")).to_have_text(SMELTER, use_inner_text=False)
    if size == PHONE:
        page.get_by_role("button", name="Close").click()
    # Another conversation does not know it.
    page.locator("#header #new-chat-button").click()
    other = ask(page, "How much did the tin smelter cost?")
    expect(other).to_have_attribute("data-status", "not_in_corpus")


def test_an_article_can_be_kept_and_removed_again(
    dateline: Running, new_page: NewPage, smelter: Path
) -> None:
    page = new_page(dateline)
    attach(page, smelter)
    page.locator("#chat-submit").click()  # without a question
    card = page.locator(".dl-uploaded")
    card.get_by_role("button", name="Keep for all my conversations").click()
    expect(card).to_contain_text("Kept for all your conversations")
    address = page.url
    page.locator("#header #new-chat-button").click()
    kept = ask(page, "How much did the tin smelter cost?")
    expect(kept).to_contain_text("84 million euros")
    row = open_library(page).locator(".dl-row").filter(has_text="tin smelter")
    expect(row).to_contain_text("kept")
    # What was kept is still so when its conversation is opened again, and can go from there.
    page.goto(address)
    expect(card).to_contain_text("Kept for all your conversations", timeout=ANSWER_MS)
    card.get_by_role("button", name="Remove").click()
    expect(card).to_contain_text("Removed")
    page.locator("#header #new-chat-button").click()
    gone = ask(page, "How much did the tin smelter cost?")
    expect(gone).to_have_attribute("data-status", "not_in_corpus")


def test_a_pdf_is_read_and_opened_at_its_page(
    dateline: Running, new_page: NewPage, tmp_path: Path
) -> None:
    path = tmp_path / "report.pdf"
    sheet = canvas.Canvas(str(path))
    for line in ("Page one tells of the harbour and its cranes.", "The lighthouse cost 9 dollars."):
        sheet.drawString(72, 720, line)
        sheet.showPage()
    sheet.save()
    page = new_page(dateline)
    attach(page, path)
    answer = ask(page, "How much did the lighthouse cost?")
    expect(answer).to_contain_text("9 dollars")
    answer.locator(".dl-mark").first.click()
    expect(page.locator(".dl-article mark")).to_contain_text("lighthouse")
    link = panel(page).get_by_role("link", name="Open the PDF at page 2")
    address = link.get_attribute("href") or ""
    assert address.endswith("#page=2")
    fetched = page.request.get(dateline.url + address.partition("#")[0])
    assert fetched.body() == path.read_bytes()
    assert fetched.headers["content-type"] == "application/pdf"


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("blank.txt", b" \n", "blank.txt"),
        ("broken.pdf", b"%PDF-1.4 not really", "broken.pdf"),
        ("picture.png", b"\x89PNG", ""),
        ("empty.txt", b"", ""),
    ],
)
def test_what_cannot_be_read_is_said(
    dateline: Running, new_page: NewPage, tmp_path: Path, name: str, content: bytes, problem: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    page = new_page(dateline, forgiven=("400 (Bad Request)",))
    page.locator("#upload-button").wait_for()
    page.set_input_files("#upload-button-input", str(path))
    if problem:
        expect(page.locator("#chat-submit")).to_be_enabled()
        page.locator("#chat-submit").click()
        expect(page.get_by_text(f"Could not add {name}")).to_be_visible(timeout=ANSWER_MS)
        expect(page.locator(".ai-message", has_text=problem).last).to_be_visible()
        assert "Traceback" not in page.content()
    else:
        expect(page.locator("[data-sonner-toast]").first).to_be_visible()
        expect(page.locator("#chat-submit")).to_be_disabled()


def test_a_guest_never_sees_what_another_added(
    tmp_path: Path, new_page: NewPage, smelter: Path
) -> None:
    (tmp_path / "cwd").mkdir()
    command = [
        "-m",
        "assistant.doors.cli",
        "chat",
        "--corpus",
        str(ROOT / "corpus"),
    ]
    settings = {"DATELINE_OPEN_TO_ALL": "on", "DATELINE_HOST": "0.0.0.0"}
    with running(
        [*command, "--index", str(tmp_path / "i"), "--port", "0"], tmp_path / "cwd", **settings
    ) as started:
        started.url = started.url.replace("0.0.0.0", "127.0.0.1")
        one, other = new_page(started), new_page(started)
        attach(one, smelter)
        one.locator("#chat-submit").click()
        one.get_by_role("button", name="Keep for all my conversations").click()
        expect(one.locator(".dl-uploaded")).to_contain_text("Kept for all")
        refused = ask(other, "How much did the tin smelter cost?")
        expect(refused).to_have_attribute("data-status", "not_in_corpus")
        other.goto(one.url)  # of the other's conversation
        expect(other.locator("#chat-input")).to_be_visible(timeout=ANSWER_MS)
        expect(other.locator(".dl-uploaded")).to_have_count(0)
        one.close()
        other.close()


# Taking it along


def test_the_conversation_is_exported_with_its_sources(
    dateline: Running, new_page: NewPage
) -> None:
    page = new_page(dateline)
    answer = ask(page, "What is the MOU deadline?")
    quotes = answer.locator(".dl-card .dl-quote bdi").all_text_contents()
    page.get_by_role("button", name="Export this conversation").click()
    for button, suffix in (("Markdown file", ".md"), ("Web page (HTML)", ".html")):
        with page.expect_download() as saved:
            page.get_by_role("button", name=button).click()
        assert saved.value.suggested_filename == f"What-is-the-MOU-deadline{suffix}"
        text = Path(saved.value.path()).read_text("utf-8")
        assert "6 March 2026" in text
        for number, quote in enumerate(quotes, 1):
            assert quote in text
            assert str(number) in text
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy as Markdown").click()
    expect(panel(page).get_by_role("status")).to_have_text("Copied")
    assert quotes[0] in page.evaluate("navigator.clipboard.readText()")


def test_nothing_asked_is_nothing_to_export(scripted: Running, new_page: NewPage) -> None:
    page = new_page(scripted)
    page.get_by_role("button", name="Export this conversation").click()
    expect(page.get_by_text("There is nothing to export yet")).to_be_visible()
