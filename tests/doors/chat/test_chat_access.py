"""The chat page for everybody: with a screen reader, with no mouse, on a phone, in the dark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import pytest
from axe import violations
from pages import ANSWER_MS, DESK, PHONE, NewPage, ask, in_view, open_library, panel, say
from playwright.sync_api import Browser, Page, expect
from repository import HELPERS, ROOT
from running import Running, running

from assistant.keeping.people import Accounts
from assistant.settings import Settings

pytestmark = pytest.mark.slow

PUBLIC = ROOT / "assistant" / "doors" / "chat" / "assets" / "public"
BOTH = pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
NO_MOTION = {"color_scheme": "dark", "reduced_motion": "reduce"}
PASSWORD = "correct horse"
SERVER = (
    "import os; from scripted_server import assistant; from assistant.doors.server import serve; "
    "from assistant.settings import Settings; settings = Settings.from_env(os.environ); "
    "serve(settings, assistant(settings.index / 'gate'))"
)


def faults(page: Page, without: tuple[str, ...] = ()) -> list[str]:
    """What is wrong with the page as it stands: what axe finds in light and in dark, what scrolls
    sideways, headings out of order."""
    found = []
    for scheme, other in (("light", "dark"), ("dark", "light")):
        page.evaluate(
            """([to, from]) => {
                const root = document.documentElement  // as Chainlit's button does it
                root.classList.replace(from, to)
                for (const [name, value] of Object.entries(window.theme[to])) root.style.setProperty(name, value)
                return Promise.allSettled(document.getAnimations().map((change) => change.finished))
            }""",
            [scheme, other],
        )
        found += [f"{scheme}: {violation}" for violation in violations(page, without=without)]
    found += page.evaluate(
        """() => {
            const shown = (e) => e.checkVisibility({ visibilityProperty: true })
            const wide = [...document.querySelectorAll("html, body, body *")].filter(
                (e) => shown(e) && e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 1
                    && (e === document.documentElement || /auto|scroll/.test(getComputedStyle(e).overflowX)))
            const levels = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")]
                .filter((e) => shown(e) && !e.closest("[aria-hidden=true]")).map((e) => Number(e.tagName[1]))
            const jumps = levels.filter((level, i) => i && level > levels[i - 1] + 1)
            return [...wide.map((e) => `scrolls sideways: ${e.tagName} ${e.className}`),
                    ...jumps.map((level) => `heading ${level} in ${levels}`)]
        }"""
    )
    return found


def close_panel(page: Page) -> None:
    page.keyboard.press("Escape")
    expect(panel(page)).to_have_count(0)


def open_history(page: Page) -> None:
    page.locator("#header #sidebar-trigger-button").click()
    expect(page.locator("#thread-history li").first).to_be_visible()
    expect(page.locator("#search-chats-button")).to_be_visible()


# Nothing grave in any state


@BOTH
def test_answers_and_panels_are_open_to_everybody(
    dateline: Running, new_page: NewPage, tmp_path: Path, size: dict[str, int]
) -> None:
    page = new_page(dateline, size, **NO_MOTION)
    expect(page.locator("#starters button").first).to_be_enabled()
    assert faults(page) == []

    answer = ask(page, "What is the MOU deadline?")
    expect(answer.locator(".dl-badge")).to_be_visible()
    expect(answer).to_contain_text("3 independent sources agree")
    expect(answer.locator(".dl-follow-up").first).to_be_visible(timeout=ANSWER_MS)
    assert faults(page) == []

    answer.locator(".dl-mark").first.hover()
    expect(page.locator(".dl-hover")).to_be_visible()
    assert faults(page) == []
    page.mouse.move(1, 300)
    expect(page.locator(".dl-hover")).to_have_count(0)

    answer.locator(".dl-mark").first.click()
    assert in_view(page, page.locator(".dl-article mark"))
    assert faults(page) == []
    close_panel(page)

    open_library(page).locator(".dl-row input").first.check()
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("Applies from the next question")).to_be_visible()
    assert faults(page) == []
    close_panel(page)

    page.get_by_role("button", name="Export this conversation").click()
    expect(page.get_by_role("button", name="Markdown file")).to_be_visible()
    assert faults(page) == []
    close_panel(page)

    expect(ask(page, "Who won the Eurovision Song Contest in 1974?")).to_have_class(
        re.compile("dl-missing")
    )
    assert faults(page) == []

    path = tmp_path / "smelter.md"
    path.write_text("# A tin smelter\n\nVelnor opened a tin smelter on 12 March 2026.\n", "utf-8")
    page.set_input_files("#upload-button-input", str(path))
    expect(page.locator("#attachments button")).to_be_visible()
    expect(page.locator("#chat-submit")).to_be_enabled(timeout=ANSWER_MS)
    assert faults(page) == []
    page.locator("#chat-submit").click()
    expect(page.locator(".dl-uploaded")).to_be_visible(timeout=ANSWER_MS)
    assert faults(page) == []


@BOTH
def test_conversations_and_dialogs_are_open_to_everybody(
    scripted: Running, new_page: NewPage, size: dict[str, int]
) -> None:
    page = new_page(scripted, size, **NO_MOTION)
    ask(page, "Differ?")
    assert faults(page) == []

    page.locator('[data-step-type="user_message"]').hover()
    page.get_by_role("button", name="Edit and ask again").click()
    expect(page.locator("#edit-chat-input")).to_be_visible()
    assert faults(page) == []
    page.get_by_role("button", name="Cancel").click()

    page.get_by_role("button", name="Good answer").click()
    page.get_by_role("dialog").get_by_role("textbox").fill("Clear.")
    assert faults(page) == []
    page.locator("#submit-feedback").click()
    expect(page.get_by_role("button", name="Edit comment")).to_be_visible()
    expect(page.locator("[data-sonner-toast]")).to_be_visible()
    assert faults(page) == []

    open_history(page)
    assert faults(page) == []
    page.locator("#search-chats-button").click()
    expect(page.get_by_role("option").first).to_be_visible()
    assert faults(page) == []
    page.keyboard.press("Escape")
    expect(page.get_by_placeholder("Search conversations")).to_have_count(0)

    page.locator("#thread-history li").first.hover()
    page.locator("#thread-options").first.click()
    expect(page.get_by_role("menuitem", name="Rename")).to_be_visible()
    # Radix hides the page behind an open menu and keeps the focus in the menu, which axe cannot see.
    assert faults(page, without=("aria-hidden-focus",)) == []
    page.get_by_role("menuitem", name="Rename").click()
    expect(page.get_by_role("dialog").get_by_role("textbox", name="New name")).to_be_visible()
    assert faults(page) == []


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A page that asks for a name and a password."""
    settings = replace(Settings(), index=tmp_path_factory.mktemp("locked") / "index")
    Accounts(replace(settings, sign_in="password")).add("anna", PASSWORD)
    variables = {
        "DATELINE_INDEX": str(settings.index),
        "DATELINE_PORT": "0",
        "DATELINE_SIGN_IN": "password",
        "PYTHONPATH": f"{ROOT}:{HELPERS}",
    }
    with running(["-c", SERVER], tmp_path_factory.mktemp("cwd"), **variables) as started:
        yield started


@BOTH
def test_signing_in_is_open_to_everybody(
    locked: Running, browser: Browser, size: dict[str, int]
) -> None:
    context = browser.new_context(viewport=size, **NO_MOTION)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(locked.url)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert faults(page) == []
    page.get_by_label("Name").fill("anna")
    page.get_by_label("Password").first.fill("wrong password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Wrong name or password.").first).to_be_visible()
    assert faults(page) == []
    page.get_by_label("Password").first.fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.locator("#chat-input").wait_for(timeout=ANSWER_MS)

    # The widest header: with an account, and limits set.
    library = open_library(page)
    library.locator(".dl-row input").first.check()
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("Applies from the next question")).to_be_visible()
    close_panel(page)
    expect(page.locator("#dl-sources-button")).to_have_text("Sources: limited")
    boxes = [b.bounding_box() for b in page.locator("#header button:visible").all()]
    spans = sorted((box["x"], box["x"] + box["width"]) for box in boxes if box)
    assert len(spans) == 6
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert spans[0][0] >= 0
    assert spans[-1][1] <= size["width"]
    assert faults(page) == []
    context.close()


# A phone


def test_on_a_phone_panels_cover_the_page_and_scroll(dateline: Running, new_page: NewPage) -> None:
    page = new_page(dateline, PHONE, reduced_motion="reduce")
    answer = ask(page, "What is the MOU deadline?")
    expect(answer.locator(".dl-follow-up").first).to_be_visible(timeout=ANSWER_MS)
    sizes = answer.locator(".dl-text p").evaluate_all(
        "(all) => all.map((e) => parseFloat(getComputedStyle(e).fontSize))"
    )
    assert min(sizes) >= 16

    def covers() -> None:
        box = page.get_by_role("dialog").bounding_box()
        assert box is not None
        assert (box["x"], box["width"]) == (0, PHONE["width"])

    def scrolls() -> bool:
        return bool(panel(page).evaluate("(e) => (e.scrollTop = 1e6, e.scrollTop > 0)"))

    answer.locator(".dl-mark").first.click()
    assert in_view(page, page.locator(".dl-article mark"))
    covers()
    header = page.locator(".dl-source header").bounding_box()
    assert header is not None
    assert header["height"] < PHONE["height"] / 4
    assert scrolls()
    close_panel(page)
    open_library(page)
    covers()
    assert scrolls()
    expect(page.get_by_role("button", name="Apply")).to_be_in_viewport()
    close_panel(page)
    page.get_by_role("button", name="Export this conversation").click()
    expect(page.get_by_role("button", name="Markdown file")).to_be_visible()
    covers()


def test_on_a_phone_the_conversations_open_at_the_first_touch(
    scripted: Running, new_page: NewPage
) -> None:
    page = new_page(scripted, PHONE, has_touch=True)
    ask(page, "Missing?")
    page.locator("#header #sidebar-trigger-button").tap()
    page.wait_for_url("**/thread/*")  # which closes them, and they open again
    expect(page.locator("#thread-history li").first).to_be_visible()
    page.wait_for_timeout(300)
    page.locator("#thread-history li").first.get_by_role("button").tap()
    expect(page.get_by_role("menuitem", name="Rename")).to_be_visible()


@pytest.mark.parametrize("opener", [".dl-answer .dl-mark", "#dl-export-button"])
def test_a_panel_stays_open_when_the_conversation_gets_its_address(
    scripted: Running, new_page: NewPage, opener: str
) -> None:
    page = new_page(scripted)
    page.evaluate(
        """() => {
            const fetch = window.fetch
            const later = new Promise((go) => { window.goOn = go })
            window.fetch = (address, ...more) => String(address).includes("/project/threads")
                ? later.then(() => fetch(address, ...more)) : fetch(address, ...more)
        }"""
    )
    say(page, "Differ?")
    expect(page.locator(".dl-follow-up").first).to_be_visible(timeout=ANSWER_MS)
    page.locator(opener).first.click()
    opened = panel(page).locator("[data-panel]")
    expect(opened).to_be_visible()
    before = opened.element_handle()
    page.evaluate("window.goOn()")
    page.wait_for_url("**/thread/*")
    page.wait_for_function("(before) => !before.isConnected", arg=before)
    expect(opened).to_be_visible()


def test_an_article_stays_open_where_it_is_when_the_next_answer_comes(
    scripted: Running, new_page: NewPage
) -> None:
    page = new_page(scripted, {**DESK, "height": 400})
    ask(page, "Differ?").locator(".dl-mark").first.click()
    article = page.locator(".dl-source")
    expect(article).to_be_visible()
    view = "(e) => e.parentElement.closest('.overflow-auto')"
    page.wait_for_timeout(600)  # it has slid in and gone to its quote
    article.evaluate(f"(e) => ({view})(e).scrollTo({{ top: 7 }})")
    assert article.evaluate(f"(e) => ({view})(e).scrollTop") == 7
    before, title = article.element_handle(), article.locator("h2").inner_text()

    ask(page, "Missing?")
    page.wait_for_function("(before) => !before.isConnected", arg=before)
    expect(article.locator("h2")).to_have_text(title)
    page.wait_for_timeout(600)
    assert article.evaluate(f"(e) => ({view})(e).scrollTop") == 7
    expect(page.locator("#chat-input")).to_be_focused()

    close_panel(page)
    ask(page, "Differ?")
    page.wait_for_timeout(600)
    expect(panel(page)).to_have_count(0)


def test_a_panel_that_is_closed_at_once_stays_closed(scripted: Running, new_page: NewPage) -> None:
    page = new_page(scripted)
    open_library(page)
    close_panel(page)
    page.wait_for_timeout(2000)  # past the next time that the page would have asked for it
    expect(panel(page)).to_have_count(0)


# The keyboard


@dataclass(frozen=True, slots=True)
class Stop:
    """Where the Tab key stopped: what the element is called, and whether one sees it and sees that
    the keyboard is there."""

    name: str
    visible: bool
    marked: bool


_STOP = """() => {
    const e = document.activeElement
    if (!e || e === document.body) return null
    const look = () => {
        const styles = []
        for (let at = e, i = 0; at && i < 4; at = at.parentElement, i++) {
            const s = getComputedStyle(at)
            styles.push(s.outlineStyle === "none" ? "" : s.outlineColor + s.outlineWidth, s.boxShadow)
        }
        return styles.join()
    }
    const box = e.getBoundingClientRect()
    const visible = box.width > 1 && box.height > 1 && box.right > 0 && box.left < innerWidth
        && e.checkVisibility({ opacityProperty: true, visibilityProperty: true })
    const focused = look()
    e.blur()
    const marked = look() !== focused
    e.focus()
    return [e.getAttribute("aria-label") || e.textContent.trim() || e.id, visible, marked]
}"""


def tour(page: Page) -> list[Stop]:
    """Where the Tab key stops, from the question box on until it is there again."""
    page.locator("#chat-input").focus()
    stops: list[Stop] = []
    for _ in range(60):
        if at := page.evaluate(_STOP):
            stop = Stop(*at)
            if stops and stop.name == "Your question":
                return stops
            stops.append(stop)
        page.keyboard.press("Tab")
    raise AssertionError(f"the keyboard does not come back: {stops}")


def names_in_order(stops: list[Stop], *names: str) -> bool:
    """Whether the stops begin with these names in this order, others between them."""
    rest = iter(stop.name for stop in stops)
    return all(any(stop.startswith(name) for stop in rest) for name in names)


def test_the_keyboard_goes_everywhere_in_order_and_one_sees_where(
    scripted: Running, new_page: NewPage
) -> None:
    page = new_page(scripted, reduced_motion="reduce")
    expect(page.locator("#starters button").first).to_be_enabled()
    stops = tour(page)
    assert [stop for stop in stops if not (stop.visible and stop.marked)] == []
    assert names_in_order(stops, "Your question", "Add an article", "Hostile?", "Missing?")

    answer = ask(page, "Differ?")
    expect(answer.locator(".dl-follow-up").first).to_be_visible()
    stops = tour(page)
    assert [stop for stop in stops if not (stop.visible and stop.marked)] == []
    assert names_in_order(
        stops,
        *("Your question", "Add an article", "Conversations", "New chat"),
        *("Sources and settings", "Export this conversation", "Light or dark"),
        *("Edit and ask again", "Citation 1", "Citation 2", "Citation 1", "Citation 2"),
        *("Citation 1", "Citation 2", "Long?", "What did I ask?", "Copy with sources"),
        *("Good answer", "Bad answer"),
    )
    names = {stop.name for stop in stops}
    assert "Search conversations" not in names, "the sidebar is shut"

    page.locator("#header #sidebar-trigger-button").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#thread-history li").first).to_be_visible()
    stops = tour(page)
    assert [stop for stop in stops if not (stop.visible and stop.marked)] == []
    assert names_in_order(
        stops, "Search conversations", "Differ?", "Options of this", "Edit and ask"
    )


def test_keys_open_panels_and_menus_and_escape_goes_back(
    dateline: Running, new_page: NewPage
) -> None:
    page = new_page(dateline, reduced_motion="reduce")
    expect(page.locator("#starters button").first).to_be_enabled()
    page.locator("#starters button").first.focus()
    page.keyboard.press("Space")
    answer = page.locator(".dl-answer")
    expect(answer).to_have_count(1, timeout=ANSWER_MS)
    answer = ask(page, "What is the MOU deadline?")
    expect(answer.locator(".dl-follow-up").first).to_be_visible(timeout=ANSWER_MS)

    for button, opened in (("#dl-sources-button", "library"), ("#dl-export-button", "export")):
        page.locator(button).focus()
        page.keyboard.press("Enter")
        expect(page.locator(f"[data-panel={opened}]")).to_be_focused()
        page.keyboard.press("Escape")
        expect(panel(page)).to_have_count(0)
        expect(page.locator(button)).to_be_focused()

    for key, opener in (("Enter", ".dl-mark"), ("Space", ".dl-card")):
        answer.locator(opener).first.focus()
        page.keyboard.press(key)
        article = page.locator(".dl-article")
        expect(article).to_be_focused()
        assert in_view(page, article.locator("mark"))
        place = (
            "document.querySelector('.dl-source').parentElement.closest('.overflow-auto').scrollTop"
        )
        before = page.evaluate(place)
        page.keyboard.press("ArrowDown")
        page.wait_for_function(f"(before) => {place} > before", arg=before)
        page.get_by_role("button", name="Later citation").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_text("Citation 2 of 3")).to_be_visible()
        expect(page.get_by_role("button", name="Later citation")).to_be_focused()
        page.get_by_role("button", name="Close the panel").focus()
        page.keyboard.press("Enter")
        expect(panel(page)).to_have_count(0)
        expect(answer.locator(opener).first).to_be_focused()

    page.locator("#header #sidebar-trigger-button").focus()
    page.keyboard.press("Enter")
    options = page.locator("#thread-options").first
    expect(options).to_be_visible()
    options.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Rename")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("menu")).to_have_count(0)
    expect(options).to_be_focused()


# What is said, shown and moved


def test_an_answer_is_announced_once(scripted: Running, new_page: NewPage) -> None:
    page = new_page(scripted)
    said = page.locator("#dl-said")
    page.evaluate(
        """() => {
            window.heard = []
            const note = () => { const text = document.getElementById("dl-said")?.textContent
                                 if (text) window.heard.push(text) }
            new MutationObserver(note).observe(document.getElementById("dl-said"), { childList: true })
        }"""
    )
    expect(said).to_have_role("status")
    for question, words in (
        ("Differ?", "Answer ready"),
        ("Missing?", "Not in the articles"),
        ("Differ?", "Answer ready"),
        ("Broken?", "Sorry, something went wrong inside Dateline"),
    ):
        say(page, question)
        expect(said).to_contain_text(words, timeout=ANSWER_MS)
        expect(page.locator("#stop-button")).to_have_count(0)
    heard = page.evaluate("window.heard")
    assert heard[:3] == ["Answer ready", "Not in the articles", "Answer ready"]
    assert len(heard) == 4
    page.reload()
    expect(page.locator(".dl-answer").first).to_be_visible(timeout=ANSWER_MS)
    expect(page.locator("#dl-said")).to_have_text("")


def test_the_page_bears_our_name_and_pictures(scripted: Running, new_page: NewPage) -> None:
    page = new_page(scripted)
    expect(page).to_have_title("Dateline")
    assert page.evaluate("document.documentElement.lang") == "en"
    expect(page.get_by_role("heading", level=1)).to_have_text("Dateline")
    for scheme in ("light", "dark"):
        logo = page.request.get(f"{scripted.url}/logo?theme={scheme}")
        assert logo.body() == (PUBLIC / f"logo_{scheme}.svg").read_bytes()
    icon = page.locator("link[rel~=icon]").first.get_attribute("href") or ""
    fetched = page.request.get(f"{scripted.url}/{icon.lstrip('/')}")
    assert fetched.body() == (PUBLIC / "favicon.svg").read_bytes()
    expect(page.get_by_role("img", name="logo")).to_be_visible()


def test_nothing_moves_for_who_wants_it_still(scripted: Running, new_page: NewPage) -> None:
    seconds = {}
    for motion in ("reduce", "no-preference"):
        page = new_page(scripted, reduced_motion=motion)
        answer = ask(page, "Differ?")
        answer.locator(".dl-mark").first.click()
        expect(page.locator(".dl-article mark")).to_be_visible()
        seconds[motion] = page.evaluate(
            """() => Math.max(...[...document.querySelectorAll("body *")].flatMap((e) => {
                const s = getComputedStyle(e)
                return [s.transitionDuration, s.animationDuration].flatMap((d) => d.split(",").map(parseFloat))
            }))"""
        )
    assert seconds["reduce"] < 0.001
    assert seconds["no-preference"] > 0.1


def test_limits_are_told_in_words_not_in_colour(scripted: Running, new_page: NewPage) -> None:
    page = new_page(scripted)
    button = page.locator("#dl-sources-button")
    expect(button).to_have_text("Sources")
    open_library(page).locator(".dl-row input").first.check()
    page.get_by_role("button", name="Apply").click()
    expect(button).to_have_text("Sources: limited")
    expect(button).to_have_attribute("aria-label", "Sources and settings: 1 source")
