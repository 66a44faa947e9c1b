"""The chat page as a reader uses it, in a real Chromium: over corpus/, and over scripted answers."""

from __future__ import annotations

import re
from pathlib import Path

from pages import ANSWER_MS, PHONE, NewPage, ask, in_view, open_library, say
from playwright.sync_api import expect
from repository import HELPERS, ROOT
from running import Running, running
from scripted_model import Script, serving
from scripted_server import GONE, HOSTILE, MARKUP, SECRET

CORPUS = ROOT / "corpus"
SCRIPTED = str(HELPERS / "scripted_server.py")


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


def test_hovering_over_a_chip_shows_what_stands_behind_it(
    dateline: Running, new_page: NewPage
) -> None:
    page = new_page(dateline)
    answer = ask(page, "What is the MOU deadline?")
    answer.locator(".dl-mark").first.hover()
    card = page.locator(".dl-hover")
    expect(card).to_be_visible()
    quote = answer.locator(".dl-card .dl-quote bdi").first.text_content() or ""
    expect(card).to_contain_text(quote)
    expect(card).to_contain_text("Mining.com")
    expect(card).to_contain_text(re.compile(r"4 Feb 2026, [\d,]+ days ago"))
    expect(card).to_contain_text("mining-com-action-plans.md")


def test_the_panel_leads_to_the_citations_beside_it(dateline: Running, new_page: NewPage) -> None:
    page = new_page(dateline)
    answer = ask(page, "What is the MOU deadline?")
    count = answer.locator(".dl-card").count()
    assert count >= 3
    answer.locator(".dl-mark").first.click()
    mark = page.locator(".dl-article mark")
    earlier = page.get_by_role("button", name="Earlier citation")
    later = page.get_by_role("button", name="Later citation")
    for number in range(1, count + 1):
        expect(page.get_by_text(f"Citation {number} of {count}")).to_be_visible()
        quote = answer.locator(".dl-card .dl-quote bdi").nth(number - 1).text_content() or ""
        expect(mark).to_have_text(quote)
        assert in_view(page, mark)
        if number < count:
            later.click()
    expect(later).to_be_disabled()
    earlier.click()
    expect(page.get_by_text(f"Citation {count - 1} of {count}")).to_be_visible()
    expect(page.locator("#side-view-title")).to_contain_text(f"Source {count - 1}")


def test_the_direct_answer_comes_first_then_dates_and_agreement(
    dateline: Running, new_page: NewPage
) -> None:
    page = new_page(dateline)
    answer = ask(page, "What is the MOU deadline?")
    lead = answer.locator(".dl-text p").first
    expect(lead).to_contain_text("6 March 2026")
    weight = lead.evaluate("(e) => Number(getComputedStyle(e).fontWeight)")
    assert weight >= 600
    expect(answer.locator(".dl-badge.dl-past")).to_contain_text("passed")
    expect(answer).to_contain_text("30 days after Wednesday, 4 February 2026")
    expect(answer).to_contain_text("3 independent sources agree")


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
    assert round(panel["width"]) == PHONE["width"]
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


def test_values_that_differ_stand_in_a_table_with_their_days(
    scripted: Running, new_page: NewPage
) -> None:
    page = new_page(scripted)
    answer = ask(page, "Differ?")
    table = answer.get_by_role("table", name="The sources differ")
    rows = table.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("First line")
    expect(rows.nth(0)).to_contain_text("A paper, 5 Feb 2026")
    expect(rows.nth(1)).to_contain_text("An opening line.")
    rows.nth(1).locator(".dl-mark").click()
    assert in_view(page, page.locator(".dl-article mark"))


def test_a_quote_that_no_longer_stands_is_not_highlighted(
    scripted: Running, new_page: NewPage
) -> None:
    page = new_page(scripted)
    ask(page, "Moved?").locator(".dl-mark").click()
    expect(page.locator(".dl-note")).to_contain_text("nothing is highlighted")
    expect(page.locator(".dl-article mark")).to_have_count(0)


def test_escape_closes_the_panel_and_goes_back_to_its_chip(
    scripted: Running, new_page: NewPage
) -> None:
    page = new_page(scripted)
    chip = ask(page, "Differ?").locator(".dl-mark").first
    chip.focus()
    page.keyboard.press("Enter")
    article = page.locator(".dl-article")
    expect(article).to_be_focused()  # so that its arrow keys scroll it
    page.keyboard.press("Escape")
    expect(article).to_have_count(0)
    expect(chip).to_be_focused()


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
    page.locator("#header #new-chat-button").click()
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


def test_ctrl_c_ends_the_server_though_pages_are_open(tmp_path: Path, new_page: NewPage) -> None:
    (tmp_path / "cwd").mkdir()
    with running([SCRIPTED, str(tmp_path / "index")], tmp_path / "cwd") as started:
        page = new_page(started, forgiven=("Failed to fetch",))
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
    command = ["-m", "assistant.doors.cli", "chat", "--corpus", str(CORPUS), "--port", "0"]
    folder = tmp_path / "cwd"
    folder.mkdir()
    with serving(written) as model:
        one, other = f"openai:one@{model.url}", f"openai:other@{model.url}"
        offered = {"DATELINE_MODEL": f"{one},{other}"}
        with running([*command, "--index", str(tmp_path / "i")], folder, **offered) as started:
            page = new_page(started)
            answer = ask(page, "When is the MOU deadline?")
            expect(answer).to_contain_text("The memorandum of understanding was expected within")
            expect(answer).to_contain_text("A sentence of the model's draft was left out")
            expect(answer).not_to_contain_text("evil")
            step = page.get_by_text("Left out of the model's draft (1)")
            step.click()
            expect(page.get_by_text("it holds a link, markup or hidden characters")).to_be_visible()
            assert page.locator("a[href*=evil], img[src*=evil]").count() == 0
            assert model.requests[0]["model"] == "one"

            engines = open_library(page).get_by_label("What answers")
            engines.select_option("openai:other")
            assert model.url not in page.content()
            page.get_by_role("button", name="Apply").click()
            expect(page.get_by_text("Applies from the next question")).to_be_visible()
            expect(ask(page, "When is the MOU deadline?")).to_contain_text("openai:other")
            assert model.requests[-1]["model"] == "other"

            open_library(page).get_by_label("What answers").select_option("quotes")
            page.get_by_role("button", name="Apply").click()
            expect(page.get_by_text("Applies from the next question")).to_be_visible()
            asked = len(model.requests)
            ask(page, "When is the MOU deadline?")
            assert len(model.requests) == asked
            page.close()  # before its server goes
