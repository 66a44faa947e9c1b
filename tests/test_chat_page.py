"""The chat page as a reader uses it, in a real Chromium: over corpus/, and over scripted answers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from running import Running, running
from scripted_model import Script, serving
from scripted_server import GONE, HOSTILE, MARKUP, SECRET

ROOT = Path(__file__).parents[1]
CORPUS = ROOT / "corpus"
SCRIPTED = str(Path(__file__).with_name("scripted_server.py"))
ANSWER_MS = 60_000
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 800}

NewPage = Callable[..., Page]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("real") / "index"


@pytest.fixture(scope="module")
def dateline(tmp_path_factory: pytest.TempPathFactory, index: Path) -> Iterator[Running]:
    """`dateline chat` over corpus/, as a user starts it."""
    command = ["-m", "assistant.cli", "chat", "--corpus", str(CORPUS), "--index", str(index)]
    with running([*command, "--port", "0"], tmp_path_factory.mktemp("cwd")) as started:
        yield started
        assert list(started.folder.iterdir()) == [], "it left files where it was started"


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    index = tmp_path_factory.mktemp("scripted") / "index"
    with running([SCRIPTED, str(index)], tmp_path_factory.mktemp("cwd")) as started:
        yield started


@pytest.fixture
def new_page(browser: Browser) -> Iterator[NewPage]:
    """Opens the page of a server; afterwards checks that it asked no other host for anything, ran no
    script of an article and reported no error."""
    contexts, strange = [], []

    def open_(server: Running, size: dict[str, int] = DESK) -> Page:
        context = browser.new_context(viewport=size)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()

        def note_request(url: str) -> None:
            if not url.startswith((server.url, "data:", "blob:")):
                strange.append(url)

        def note_said(kind: str, text: str) -> None:
            # Chainlit gives its phone panel's title an id of its own, and Radix misses the one it gave.
            # A page that was taken offline says so until it is closed.
            forgiven = ("requires a `DialogTitle`", "ERR_INTERNET_DISCONNECTED")
            if kind == "error" and not any(known in text for known in forgiven):
                strange.append(text)

        page.on("request", lambda request: note_request(request.url))
        page.on("websocket", lambda ws: note_request(ws.url.replace("ws://", "http://")))
        page.on("dialog", lambda dialog: strange.append(dialog.message))
        page.on("pageerror", lambda error: strange.append(str(error)))
        page.on("console", lambda said: note_said(said.type, said.text))
        page.goto(server.url)
        page.locator("#chat-input").wait_for()
        return page

    yield open_
    for context in contexts:
        context.close()
    assert strange == []


def ask(page: Page, question: str) -> Locator:
    """The answer to a question, once it is drawn."""
    answers = page.locator(".dl-answer")
    before = answers.count()
    say(page, question)
    expect(answers).to_have_count(before + 1, timeout=ANSWER_MS)
    return answers.nth(before)


def say(page: Page, question: str) -> None:
    """Types a question as a reader does."""
    page.locator("#chat-input").click()
    page.keyboard.type(question)
    expect(page.locator("#chat-submit")).to_be_enabled()  # once the socket is connected
    page.keyboard.press("Enter")


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


# The real assistant over corpus/


def test_a_chip_opens_the_article_at_its_exact_quote(dateline: Running, new_page: NewPage) -> None:
    page = new_page(dateline)
    answer = ask(page, "What is the MOU deadline?")
    expect(answer).to_have_attribute("data-status", "answered")
    expect(page.get_by_text("Searched 5 articles")).to_be_visible()

    chip = answer.locator(".dl-mark").first
    assert (chip.get_attribute("aria-label") or "").startswith("Citation 1: ")
    chip.click()
    mark = page.locator(".dl-article mark")
    assert in_view(page, mark)
    quote = answer.locator(".dl-card .dl-quote bdi").first.text_content()
    assert quote
    assert mark.text_content() == quote
    source = page.locator(".dl-file bdi").first.text_content() or ""
    whole = (CORPUS / source).read_bytes().decode("utf-8")
    assert page.locator(".dl-article").text_content() == whole
    assert page.locator(".dl-byline").is_visible()

    # Closed with its arrow, and opened again by a card.
    page.locator("#side-view-title button").click()
    expect(mark).to_have_count(0)
    answer.locator(".dl-card").first.click()
    assert in_view(page, mark)


def test_starters_ask_their_question(dateline: Running, new_page: NewPage) -> None:
    page = new_page(dateline)
    starters = page.locator("#starters button")
    expect(starters.first).to_be_enabled()
    assert starters.count() >= 2
    question = starters.first.inner_text()
    starters.first.click()
    expect(page.locator(".dl-answer")).to_have_count(1, timeout=ANSWER_MS)
    expect(page.locator('[data-step-type="user_message"]')).to_contain_text(question)


def test_what_the_articles_do_not_say_looks_different(dateline: Running, new_page: NewPage) -> None:
    page = new_page(dateline)
    answer = ask(page, "Who won the Eurovision Song Contest in 1974?")
    expect(answer).to_have_attribute("data-status", "not_in_corpus")
    expect(answer.locator(".dl-status")).to_have_text("Not in the articles")
    expect(answer.locator(".dl-mark")).to_have_count(0)
    nearest = answer.get_by_role("region", name="Nearest passages")
    nearest.locator("button").first.click()
    assert in_view(page, page.locator(".dl-article mark"))


def test_a_phone_shows_all_of_it(dateline: Running, new_page: NewPage) -> None:
    page = new_page(dateline, PHONE)
    for starter in page.locator("#starters button").all():
        box = starter.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]
    answer = ask(page, "What is the MOU deadline?")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    answer.locator(".dl-mark").first.click()
    mark = page.locator(".dl-article mark")
    assert in_view(page, mark)
    panel = page.get_by_role("dialog").bounding_box()
    assert panel is not None
    assert panel["width"] == PHONE["width"]
    page.get_by_role("button", name="Close").click()
    expect(mark).to_have_count(0)


# Scripted answers


def test_an_articles_markup_is_only_ever_text(scripted: Running, new_page: NewPage) -> None:
    page = new_page(scripted)
    answer = ask(page, "Hostile?")
    answer.locator(".dl-mark").first.click()
    mark = page.locator(".dl-article mark")
    assert in_view(page, mark)
    assert mark.text_content() == MARKUP  # by code points: emoji stand before it
    assert page.locator(".dl-article").text_content() == HOSTILE
    made = page.locator(".message-content, #side-view-content, #side-view-title")
    for tag in ("a", "img", "script", "iframe", "h1", "h2 b", "video", "code", "i", "b"):
        assert made.locator(tag).count() == 0, tag
    assert page.evaluate("document.querySelectorAll('.ai-message a').length") == 0


def test_claims_stream_before_the_answer_and_are_not_shown_twice(
    scripted: Running, new_page: NewPage
) -> None:
    page = new_page(scripted)
    say(page, "Long?")
    streamed = page.locator('.ai-message [role="article"]', has_text="THE QUOTE")
    expect(streamed.first).to_be_visible(timeout=ANSWER_MS)
    assert page.locator(".dl-answer").count() == 0
    expect(page.locator(".dl-answer")).to_have_count(1)
    expect(streamed.first).to_be_hidden()
    # Of a very long article the panel shows a part, and says so.
    page.locator(".dl-mark").click()
    assert in_view(page, page.locator(".dl-article mark"))
    expect(page.locator(".dl-note")).to_contain_text("characters, around the quote")


def test_the_keyboard_reaches_every_chip(scripted: Running, new_page: NewPage) -> None:
    page = new_page(scripted)
    answer = ask(page, "Missing?")
    chip = answer.get_by_role("button", name="Nearest passage 1: A title, A paper, 5 February 2026")
    chip.focus()
    page.keyboard.press("Enter")
    assert in_view(page, page.locator(".dl-article mark"))


def test_the_inside_of_an_error_stays_out_of_the_page(scripted: Running, new_page: NewPage) -> None:
    page = new_page(scripted)
    say(page, "Broken?")
    expect(page.get_by_text("Sorry, something went wrong inside Dateline")).to_be_visible()
    assert SECRET not in page.content()
    assert any(SECRET in line for line in scripted.printed), "the terminal says why"
    say(page, "Unreadable?")
    expect(page.get_by_text("the *index* is gone; run `dateline index`")).to_be_visible()


def test_an_article_that_has_gone_is_said(scripted: Running, new_page: NewPage) -> None:
    page = new_page(scripted)
    answer = ask(page, "Gone?")
    expect(answer).to_contain_text(GONE)
    answer.locator(".dl-mark").click()
    expect(page.get_by_text("there is no article 'gone.txt' in the index")).to_be_visible()


def test_follow_ups_see_the_conversation_and_a_new_chat_does_not(
    scripted: Running, new_page: NewPage
) -> None:
    page = new_page(scripted)
    ask(page, "Missing?")
    expect(ask(page, "What did I ask?")).to_contain_text("You asked: Missing?")
    page.locator("#new-chat-button").click()
    expect(page.locator("#starters")).to_be_visible()
    expect(ask(page, "What did I ask?")).to_contain_text("You asked: nothing")


def test_the_answer_is_copied_with_its_sources(scripted: Running, new_page: NewPage) -> None:
    page = new_page(scripted)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    answer = ask(page, "Missing?")
    answer.get_by_role("button", name="Copy with sources").click()
    expect(answer.get_by_text("Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("Not in the articles.")
    assert "a.txt:0-" in copied


def test_a_wrong_answer_is_kept_for_the_evaluation_set(
    dateline: Running, index: Path, new_page: NewPage
) -> None:
    page = new_page(dateline)
    ask(page, "What is the MOU deadline?")
    page.get_by_role("button", name="Report as wrong").click()
    expect(page.get_by_role("button", name="Reported, thank you")).to_be_disabled()
    (line,) = (index / "reported.jsonl").read_text("utf-8").splitlines()
    kept = json.loads(line)
    assert kept["question"] == "What is the MOU deadline?"
    assert "6 March 2026" in kept["answer"]
    assert kept["history"] == []


def test_a_report_that_cannot_be_kept_is_said(scripted: Running, new_page: NewPage) -> None:
    page = new_page(scripted)
    ask(page, "Gone?")
    page.get_by_role("button", name="Report as wrong").click()
    expect(page.get_by_text("the disk is full")).to_be_visible()
    expect(page.get_by_role("button", name="Report as wrong")).to_be_enabled()


def test_ctrl_c_ends_the_server_though_pages_are_open(tmp_path: Path, new_page: NewPage) -> None:
    (tmp_path / "cwd").mkdir()
    with running([SCRIPTED, str(tmp_path / "index")], tmp_path / "cwd") as started:
        page = new_page(started)
        ask(page, "Missing?")
        page.context.set_offline(True)  # what it then says of the lost connection is no fault
        assert started.stop() == 0
    assert "Traceback" not in "".join(started.printed)


def written(messages: list[dict[str, str]]) -> Script | str:
    if len(messages) > 2:
        return "DROP"
    found = re.search(r"^\[(\d+)\] .*memorandum of understanding", messages[1]["content"], re.M)
    assert found
    mark = f"[{found[1]}]"
    return Script(
        f"The memorandum of understanding was expected within 30 days, by 6 March 2026 {mark}."
        f" Sign at [Paris](http://evil.example/x) ![x](http://evil.example/p.png) {mark}.",
        pace_s=0.03,
    )


def test_a_model_answers_and_what_was_left_out_is_in_a_step(
    tmp_path: Path, new_page: NewPage
) -> None:
    command = ["-m", "assistant.cli", "chat", "--corpus", str(CORPUS), "--port", "0"]
    folder = tmp_path / "cwd"
    folder.mkdir()
    with serving(written) as model:
        one, other = f"openai:one@{model.url}", f"openai:other@{model.url}"
        offered = {"DATELINE_MODEL": f"{one},{other}"}
        with running([*command, "--index", str(tmp_path / "i")], folder, **offered) as started:
            page = new_page(started)
            page.locator("#chat-settings-open-modal").wait_for()
            answer = ask(page, "When is the MOU deadline?")
            expect(answer).to_contain_text("The memorandum of understanding was expected within")
            expect(answer).to_contain_text("A sentence of the model's draft was left out")
            expect(answer).not_to_contain_text("evil")
            step = page.get_by_text("Left out of the model's draft (1)")
            step.click()
            expect(page.get_by_text("it holds a link, markup or hidden characters")).to_be_visible()
            assert page.locator("a[href*=evil], img[src*=evil]").count() == 0
            assert model.requests[0]["model"] == "one"

            page.locator("#chat-settings-open-modal").click()
            page.get_by_role("combobox").click()
            page.get_by_role("option", name="openai:other").click()
            assert model.url not in page.content()
            page.get_by_role("button", name="Confirm").click()
            expect(page.get_by_role("dialog")).to_have_count(0)
            ask(page, "When is the MOU deadline?")
            assert model.requests[-1]["model"] == "other"

            page.locator("#chat-settings-open-modal").click()
            page.get_by_role("combobox").click()
            page.get_by_role("option", name="quotes").click()
            page.get_by_role("button", name="Confirm").click()
            expect(page.get_by_role("dialog")).to_have_count(0)
            asked = len(model.requests)
            ask(page, "When is the MOU deadline?")
            assert len(model.requests) == asked
            page.close()  # before its server goes
