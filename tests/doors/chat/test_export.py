"""A conversation as a file: what it says, that nothing in it becomes markup, how it opens in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from axe import violations
from fakes import answered, cited, missing
from hostile import HOSTILE, TEXTS
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import html
from markdown_it import MarkdownIt
from playwright.sync_api import Browser, Page, expect
from pypdf import PdfReader

from assistant.doors.chat import export
from assistant.doors.chat.export import Turn, as_html, as_markdown, file_name
from assistant.doors.show.json import from_json, to_json
from assistant.doors.show.parts import NEAREST
from assistant.language.marks import plain
from assistant.schema import Agreement, Answer, AnswerDate, Citation, Dropped

AT = datetime(2026, 11, 22, 14, 5, tzinfo=UTC)
PHONE = {"width": 360, "height": 740}
ADDRESS = "https://example.org/partners?page=2&from=a"
RAW = "The pact is due within 30 days.\r\nSo it says.\n\nThe other report says 60 days."
NOTICE = "A sentence of the model's draft was left out: what it cites does not say it."
WRITTEN = replace(
    answered(
        f"**By 6 March 2026**: the pact is due. [1]\n\n- Coal [1]\n- Iron [sic] [2][9]\n\n{NOTICE}",
        cited(RAW, RAW[:44], title="Partners meet", page=3, url=ADDRESS),
        cited(RAW, "The other report says 60 days.", 2, "b.pdf", publisher=None, published=None),
        dates=(
            AnswerDate(
                "in 30 days", date(2026, 2, 4), "2026-03-06", "anchor + 30 days", -261, (1,)
            ),
        ),
        agreement=(Agreement("30 days", (1,)), Agreement("60 days", (2,))),
        dropped=(Dropped("It was signed in Paris.", "“Paris” is not in what it cites"),),
        notice=NOTICE,
    ),
    engine="ollama:llama3.2",
)
TURNS = [
    Turn("When is the pact due?", WRITTEN, AT, "2 sources"),
    Turn("Who won the cricket?", missing(cited(RAW, "So it says.")), AT),
    Turn("And then?", None, AT),
]


def page_of(turns: list[Turn], title: str = "Pacts") -> html.HtmlElement:
    return html.fromstring(as_html(title, turns, AT))


def rendered(turns: list[Turn], title: str = "Pacts") -> html.HtmlElement:
    """The Markdown of a conversation as a page."""
    drawn = MarkdownIt("commonmark").enable("table").render(as_markdown(title, turns, AT))
    return html.fromstring(f"<html><body>{drawn}</body></html>")


def squeezed(text: str) -> str:
    """Text without what may differ between forms: kinds of space, and joiners that have no width."""
    return re.sub(r"\s+", " ", text.replace("\u2060", "")).strip()


def text_of(node: html.HtmlElement) -> str:
    return squeezed(node.text_content())


def texts(nodes: Any) -> list[str]:
    return [text_of(node) for node in nodes]


BOTH = pytest.mark.parametrize("drawn", [page_of, rendered], ids=["html", "markdown"])


# What it says


@BOTH
def test_questions_are_headings_and_all_that_is_known_of_an_answer_is_below(drawn: Any) -> None:
    tree = drawn(TURNS)
    assert texts(tree.iter("h1")) == ["Pacts"]
    questions = [text_of(h) for h in tree.iter("h2") if h.get("id") != "contents"]
    assert questions == ["When is the pact due?", "Who won the cricket?", "And then?"]
    said = text_of(tree)
    for part in (
        "Answered from the articles",
        "asked 22 November 2026, 14:05 UTC",
        "written by ollama:llama3.2",
        "Asked within: 2 sources",
        "By 6 March 2026: the pact is due. [1]",
        "Iron [sic] [2][9]",
        f"Note: {NOTICE}",
        "“in 30 days” (4 February 2026 + 30 days)",
        "passed 261 days ago [1]",
        "The articles differ",
        "[1] Partners meet",
        "A paper · 5 February 2026 · a.txt:0-44 · page 3",
        "Publisher not named · no date given · b.pdf:46-76",
        "It was signed in Paris. Left out: “Paris” is not in what it cites",
        "Not in the articles",
        "The articles do not say.",
        NEAREST,
        "No answer came to this question",
        "Exported from Dateline on 22 November 2026, 14:05 UTC.",
        "every quote was compared with its article",
    ):
        assert part in said
    assert said.count(NOTICE) == 1
    assert [a.get("href") for a in tree.iter("a") if a.get("href")[0] != "#"] == [ADDRESS]


@BOTH
def test_a_quote_stands_in_full_with_its_paragraphs(drawn: Any) -> None:
    quotes = list(drawn(TURNS).iter("blockquote"))
    assert texts(quotes) == [
        "The pact is due within 30 days. So it says.",
        "The other report says 60 days.",
        "So it says.",
    ]
    whole = answered("Due. [1]", cited(RAW, RAW))
    (quote,) = drawn([Turn("When?", whole, AT)]).iter("blockquote")
    assert len(quote.findall("p")) == 2


@BOTH
def test_values_that_differ_are_a_table_of_who_says_what(drawn: Any) -> None:
    (table,) = drawn(TURNS).iter("table")
    rows = [texts(row.xpath("./th|./td")) for row in table.iter("tr")]
    assert rows == [
        ["Value", "Stated by"],
        ["30 days", "[1] A paper, 5 Feb 2026"],
        ["60 days", "[2] A title, undated"],
    ]


@BOTH
def test_one_value_of_one_article_is_no_table(drawn: Any) -> None:
    alone = answered("Due. [1]", cited(RAW, "So it says."), agreement=(Agreement("30", (1,)),))
    assert not list(drawn([Turn("When?", alone, AT)]).iter("table"))


@BOTH
def test_quotes_of_the_articles_are_said_to_be_such(drawn: Any) -> None:
    said = text_of(drawn([Turn("When?", answered("Due. [1]", cited(RAW, RAW)), AT)]))
    assert "quoting the articles word for word" in said
    assert "Note" not in said
    assert "written by" not in said


@BOTH
def test_a_refusal_names_the_model_that_read_and_nobody_else(drawn: Any) -> None:
    refused = missing(cited(RAW, "So it says."))
    assert "word for word" not in text_of(drawn([Turn("Who?", refused, AT)]))
    by_model = replace(refused, engine="ollama:llama3.2")
    assert "read by ollama:llama3.2" in text_of(drawn([Turn("Who?", by_model, AT)]))


@BOTH
def test_a_conversation_may_have_no_questions_and_no_words(drawn: Any) -> None:
    assert export.WORDS.empty in text_of(drawn([]))
    wordless = drawn([Turn("\u202e \u200b", None, AT)], title=" ")
    assert texts(wordless.xpath("//h1|//h2")) == ["A conversation", "A question without words"]


@BOTH
def test_what_a_question_was_limited_to_is_said(drawn: Any) -> None:
    said = text_of(drawn([Turn("When?", None, AT, "2 sources, since 1 Feb 2026")]))
    assert "Asked within: 2 sources, since 1 Feb 2026" in said


@pytest.mark.parametrize(
    ("zone", "said"),
    [(UTC, "14:05 UTC"), (timezone(timedelta(hours=2)), "14:05 UTC+02:00"), (None, "14:05 ·")],
)
def test_times_name_their_zone_where_it_is_known(zone: Any, said: str) -> None:
    turn = Turn("When?", answered("Due. [1]", cited(RAW, RAW)), AT.replace(tzinfo=zone))
    assert f"asked 22 November 2026, {said}" in as_markdown("Pacts", [turn], AT)


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "ftp://example.org", "https://example.org/\u202etxt", "https://a b"],
)
@BOTH
def test_only_an_address_that_reads_as_what_it_is_becomes_a_link(drawn: Any, url: str) -> None:
    answer = answered("Due. [1]", cited(RAW, RAW, url=url))
    links = [a.get("href") for a in drawn([Turn("When?", answer, AT)]).iter("a")]
    assert all(link.startswith("#") for link in links)


# What articles, questions and models may not do


def conversation(words: str, quote: str, address: str | None = None) -> list[Turn]:
    """`words` wherever an article, a question, a model or a setting could put them."""
    citation = Citation(1, words, words, words, date(2026, 2, 5), quote, 0, 9, 3, address)
    other = replace(citation, number=2, publisher=None, published=None)
    answer = answered(
        "It is due. [1] Or not. [2]",
        citation,
        other,
        dates=(AnswerDate(words, date(2026, 2, 4), words, words, -1, (1, 2)),),
        agreement=(Agreement(words, (1,)), Agreement(words, (2, 3))),
        dropped=(Dropped(words, words),),
        notice=words,
    )
    nearest = replace(missing(citation, other), engine=words)
    return [
        Turn(words, replace(answer, engine=words), AT, words),
        Turn(words, nearest, AT),
        Turn(words, None, AT),
    ]


def shape(tree: html.HtmlElement) -> list[tuple[str, list[tuple[str, str]]]]:
    """The elements of a page with their attributes, but for paragraphs, of which a quote may have
    several, and what is read aloud of a link."""
    return [
        (node.tag, sorted((k, v) for k, v in node.attrib.items() if k != "aria-label"))
        for node in tree.iter()
        if node.tag not in ("p", "style")
    ]


def texts_of_words(tree: html.HtmlElement) -> list[str]:
    """What stands where `conversation` puts its words, in the page of HTML."""
    where = (
        "//title|//h1|//article/h2|//nav//bdi|//cite|//th[@scope='row']"
        "|//p[@class='note']/bdi|//*[@class='place']/bdi|//*[@class='small']/bdi"
    )
    return texts(tree.xpath(where))


HARMLESS = "word"


@given(TEXTS, TEXTS)
@example(HOSTILE[0], HOSTILE[0])
@example("<!--", "-->")
@example("a #", "#")
@example("\uffff\ufffe", "\x85\u2028")
@example("{{ 7 * 7 }} {% raw %}", "</style></title></blockquote>")
def test_no_words_become_an_element_of_the_page(words: str, quote: str) -> None:
    said, quoted = f"x{words}y", f"x{quote}y"
    tree = page_of(conversation(said, quoted), said)
    assert shape(tree) == shape(page_of(conversation(HARMLESS, HARMLESS), HARMLESS))
    assert set(texts_of_words(tree)) == {squeezed(plain(said))}
    assert {text_of(q).replace(" ", "") for q in tree.iter("blockquote")} == {
        squeezed(plain(quoted)).replace(" ", "")
    }
    as_html(said, conversation(said, quoted), AT).encode()


@given(TEXTS, TEXTS)
@example(HOSTILE[4], HOSTILE[4])
@example("a #", "---\n===")
@example("a\\", "| --- | --- |\n| 1 | 2 |")
def test_no_words_become_markup_of_the_markdown(words: str, quote: str) -> None:
    said, quoted = f"x{words}y", f"x{quote}y"
    tree = rendered(conversation(said, quoted, ADDRESS), said)
    assert shape(tree) == shape(rendered(conversation(HARMLESS, HARMLESS, ADDRESS), HARMLESS))
    assert set(texts(tree.xpath("//h1|//h2"))) == {squeezed(plain(said))}
    assert {text_of(q).replace(" ", "") for q in tree.iter("blockquote")} == {
        squeezed(plain(quoted)).replace(" ", "")
    }
    as_markdown(said, conversation(said, quoted), AT).encode()


@given(st.text(st.sampled_from("# \\ab\u00a0"), max_size=8))
def test_a_heading_of_markdown_keeps_its_number_signs(words: str) -> None:
    (heading,) = rendered([], f"x{words}").iter("h1")
    assert text_of(heading) == squeezed(f"x{words}")


@given(TEXTS)
@example("[1](http://evil.example) **x**[1](/y)")
@example("[1]\u00a0[01][2]")
def test_an_answers_text_has_its_own_marks_and_bold_alone(body: str) -> None:
    answer = answered(f"{body} [1]", cited(RAW, "So it says."))
    (page, markdown) = (form([Turn("When?", answer, AT)]) for form in (page_of, rendered))
    (text,) = page.find_class("text")
    assert {e.tag for e in text.iter()} <= {"div", "p", "ul", "li", "strong", "a"}
    assert {e.get("href") for e in text.iter("a")} == {"#a1-c1"}
    assert len(page.xpath("//*[@id='a1-m1']")) == 1
    assert {e.tag for e in markdown.iter()} <= {
        *("html", "body", "h1", "h2", "h3", "p", "strong", "ul", "li", "blockquote", "hr"),
    }


def test_every_mark_leads_to_its_source_and_back() -> None:
    citations = [cited(RAW, "So it says.", number=n) for n in (1, 2)]
    turns = [Turn("When?", answered("Due [1], due. [1]", *citations), AT)] * 2
    tree = page_of(turns)
    ids = [e.get("id") for e in tree.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    for n in (1, 2):
        assert [a.get("href") for a in tree.xpath(f"//article[{n}]//div//a")] == [f"#a{n}-c1"] * 2
        back = [a.get("href") for a in tree.xpath(f"//article[{n}]//ol//a")]
        assert back == [f"#a{n}-m1", f"#a{n}"]  # nothing marks the second
    assert {a.get("href")[1:] for a in tree.iter("a")} <= set(ids)


def test_headings_are_in_order_and_the_page_names_its_language() -> None:
    tree = page_of(TURNS)
    levels = [int(e.tag[1]) for e in tree.iter("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert tree.get("lang") == "en"


def test_the_page_loads_nothing_and_its_policy_would_not_let_it() -> None:
    tree = page_of(conversation(HOSTILE[0], HOSTILE[1], ADDRESS))
    assert not list(tree.iter("script", "link", "img", "iframe", "object", "form", "base"))
    loading = {name for e in tree.iter() for name in e.attrib} & {
        "src",
        "srcset",
        "style",
        "action",
    }
    assert not loading
    (policy,) = tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")
    (style,) = tree.iter("style")
    assert not re.search(r"@import|url\(", style.text)


# Its name


@given(st.text(), st.sampled_from([".md", ".html"]))
@example("con", ".md")
@example("CON.", ".html")
@example("a" * 79 + " b", ".md")
@example("../../etc/passwd", ".md")
@example("-rf", ".md")
def test_a_files_name_suits_every_system(title: str, suffix: str) -> None:
    name = file_name(title, suffix)
    assert re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.(?:md|html)", name)
    assert name.endswith(suffix)
    assert len(name) <= 80
    assert not re.match(r"(?i)(con|prn|aux|nul|com\d|lpt\d)\.", name)


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("When is the review of the USMCA?", "When-is-the-review-of-the-USMCA.md"),
        ("The council’s café: 3.5%", "The-councils-cafe-3-5.md"),
        ("条約はいつ？", "conversation.md"),
        ("lpt1", "conversation-lpt1.md"),
        ("", "conversation.md"),
    ],
)
def test_a_files_name_reads_like_its_title(title: str, name: str) -> None:
    assert file_name(title, ".md") == name


# In a browser


def hostile_turns() -> list[Turn]:
    words = " ".join(HOSTILE) + "\u202e" + "unbroken" * 40 + "\ud800"
    return [*TURNS, *conversation(words, words, f"https://example.org/{'long' * 80}")]


@pytest.fixture(params=["light", "dark"])
def phone(browser: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page as a file on a narrow phone without a network; afterwards checks that it asked for
    nothing, broke no policy, ran nothing of an article and reported no error."""
    file = tmp_path / "page.html"
    file.write_text(as_html("Pacts", hostile_turns(), AT), "utf-8")
    context = browser.new_context(viewport=PHONE, offline=True, color_scheme=request.param)  # type: ignore[arg-type]
    strange: list[str] = []
    page = context.new_page()
    page.on("request", lambda asked: strange.append(asked.url))
    page.on("dialog", lambda dialog: strange.append(dialog.message))
    page.on("pageerror", lambda error: strange.append(str(error)))
    page.on("console", lambda said: strange.append(said.text))
    page.goto(file.as_uri())
    yield page
    context.close()
    assert strange == [file.as_uri()]


def test_the_file_opens_on_a_phone_without_a_network_and_everybody_can_read_it(
    phone: Page,
) -> None:
    expect(phone.locator("h1")).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    assert violations(phone) == []


def test_a_mark_is_a_link_to_the_source_and_the_source_leads_back(phone: Page) -> None:
    phone.locator("#a1-m2").click()
    expect(phone.locator("#a1-c2")).to_be_in_viewport()
    expect(phone.locator("#a1-m2")).not_to_be_in_viewport()
    phone.locator("#a1-c2 a").first.click()
    expect(phone.locator("#a1-m2")).to_be_in_viewport()


def test_the_page_prints_on_a4_in_ink_on_white(phone: Page, tmp_path: Path) -> None:
    phone.pdf(path=tmp_path / "page.pdf", prefer_css_page_size=True, print_background=True)
    printed = PdfReader(tmp_path / "page.pdf").pages
    assert {tuple(round(side) for side in page.mediabox[2:]) for page in printed} == {(595, 842)}
    said = squeezed(" ".join(page.extract_text() for page in printed))
    assert "Who won the cricket?" in said
    assert "every quote was compared with its article" in said
    phone.emulate_media(media="print")
    ink, paper = (
        phone.evaluate(f"getComputedStyle(document.body).{of}")
        for of in ("color", "backgroundColor")
    )
    assert (ink, paper) == ("rgb(23, 28, 38)", "rgb(255, 255, 255)")


def test_what_is_hard_to_see_or_unnamed_is_found_on_a_page_of_any_policy(browser: Browser) -> None:
    page = browser.new_page()
    policy = "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'\">"
    page.set_content(
        f"<!doctype html><html lang=en><head>{policy}<title>A page</title></head><body><main>"
        "<h1>Heading</h1><p><font color=#aaaaaa>Pale words</font></p><button id=b></button>"
        "<section id=well><p>Plain words</p></section></main></body></html>"
    )
    found = violations(page)
    assert [finding.split(" ")[0] for finding in found] == ["button-name", "color-contrast"]
    assert "#b [" in found[0]
    assert violations(page, within="#well") == []
    assert len(violations(page, without=["color-contrast"])) == 1
    page.close()


def test_a_whole_answer_survives_its_json_into_the_same_file() -> None:
    def again(answer: Answer) -> Answer:
        return from_json(to_json(answer))

    kept = [replace(t, answer=t.answer and again(t.answer)) for t in TURNS]
    assert as_html("Pacts", kept, AT) == as_html("Pacts", TURNS, AT)
    assert as_markdown("Pacts", kept, AT) == as_markdown("Pacts", TURNS, AT)
