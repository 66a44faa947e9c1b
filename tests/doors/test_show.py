"""What people and programs are shown. Articles are hostile here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from typing import Any

import pytest
from fakes import answered, cited, missing
from hostile import TEXTS
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from assistant.doors.show import text as show
from assistant.doors.show.json import citation_from_json, from_json, to_json
from assistant.doors.show.markdown import as_markdown, claim_as_markdown, escape_markdown
from assistant.doors.show.page import LEAD_CHARS, source_view, to_view
from assistant.doors.show.parts import NEAREST, agreement_lead
from assistant.language.marks import age, plain
from assistant.schema import Agreement, Answer, AnswerDate, Citation, Dropped, ModelUse, Status
from indexing.schema import Passage

AS_OF = date(2026, 11, 22)

RENDERERS = [MarkdownIt("commonmark"), MarkdownIt("commonmark").enable(["table", "strikethrough"])]


class _Page(HTMLParser):
    """The elements and the text of a rendered page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def _without_joiners(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("\u2060", "")).strip()


@given(TEXTS)
@example("0-a")
@example("http://a.example")
def test_escaped_text_is_one_plain_paragraph_that_reads_as_it_stood(text: str) -> None:
    escaped = escape_markdown(text)
    for renderer in RENDERERS:
        page = _Page(renderer.render(escaped))
        assert set(page.tags) <= {"p"}
        assert len(page.tags) <= 1
        assert _without_joiners(page.text) == _without_joiners(plain(text))


@given(TEXTS)
def test_escaped_text_holds_nothing_that_gfm_or_chainlit_would_link_or_draw(text: str) -> None:
    escaped = escape_markdown(text)
    shown = _Page(RENDERERS[0].render(escaped)).text  # GFM looks at the text after escapes
    assert not re.search(r"(?i)https?://|www\.|[-.\w+]@", shown, re.ASCII)
    assert not re.search(r"(?<!\\)(?:\\\\)*:[A-Za-z:]", escaped)
    assert "\u200b" not in escaped


@given(TEXTS, TEXTS, TEXTS)
@example("[1](http://evil.example)", "[1]: http://evil.example", "[1]")
def test_no_article_puts_markup_of_its_own_into_an_answer(body: str, title: str, name: str) -> None:
    citation = cited("x" + body + "y", "x" + body + "y", title=title, publisher=name, source=name)
    answer = answered(
        f"{body} [1]",
        citation,
        dates=(AnswerDate(body, date(2026, 2, 4), "2026-03-06", title, -1, (1,)),),
        agreement=(Agreement(body, (1,)), Agreement(title, (1,))),
    )
    for shown in (answer, missing(citation)):
        page = _Page(MarkdownIt("commonmark").enable("table").render(as_markdown(shown)))
        assert set(page.tags) <= {"p", "ul", "li", "strong"}
        for forbidden in (show.as_text(shown), json.dumps(to_view(shown, AS_OF)["plain"])):
            assert "\x1b" not in forbidden
            assert "\u202e" not in forbidden


def test_bold_and_marks_are_the_answers_own() -> None:
    raw = "The pact is due within 30 days."
    answer = answered("**6 March 2026**: The pact [sic] is due. [1][7]", cited(raw, raw))
    html = MarkdownIt("commonmark").render(claim_as_markdown(answer.text, [1]))
    assert "<strong>6 March 2026</strong>" in html
    pieces = to_view(answer, AS_OF)["lines"][0]["pieces"]
    assert [p["text"] for p in pieces if p["kind"] == "mark"] == ["1"]  # [7] cites nothing
    assert "".join(p["text"] for p in pieces if p["kind"] == "text").endswith("[7]")
    assert "[sic]" in html


def test_a_list_stays_a_list() -> None:
    raw = "Coal. Iron."
    text = "- **Coal** [1]\n- Iron [2]"
    answer = answered(text, cited(raw, "Coal."), cited(raw, "Iron.", number=2))
    assert _Page(MarkdownIt().render(as_markdown(answer))).tags.count("li") == 4
    assert [line["isItem"] for line in to_view(answer, AS_OF)["lines"]] == [True, True]
    assert show.as_text(answer).startswith("- Coal [1]\n\n- Iron [2]")


def test_a_date_shows_its_rule_and_whether_it_has_passed() -> None:
    raw = "due within 30 days"
    when = AnswerDate(
        "within 30 days", date(2026, 2, 4), "2026-03-06", "anchor + 30 days", -261, (1,)
    )
    answer = answered("Due. [1]", cited(raw, raw), dates=(when,))
    said = "“within 30 days” (4 February 2026 + 30 days), passed 261 days ago"
    assert to_view(answer, AS_OF)["dates"][0] == {
        "date": "6 March 2026",
        "rule": "“within 30 days” (4 February 2026 + 30 days)",
        "distance": "passed 261 days ago",
        "lies": "past",
        "citations": [1],
    }
    assert f"**6 March 2026**: {said} \\[1\\]" in as_markdown(answer)
    assert said in re.sub(r"\s+", " ", show.as_text(answer))


@pytest.mark.parametrize(
    ("anchor", "rule", "said"),
    [
        (date(2026, 2, 4), "anchor + 30 days", "4 February 2026 + 30 days"),
        (date(2026, 2, 4), "30 days after 4 February 2026", "30 days after 4 February 2026"),
        (date(2026, 2, 4), "30 days on", "30 days on, counted from 4 February 2026"),
        (date(2026, 3, 6), "the day of publication", "the day of publication"),
        (None, "as stated", "as stated"),
    ],
)
def test_the_day_a_date_was_counted_from_is_said_once(
    anchor: date | None, rule: str, said: str
) -> None:
    raw = "then"
    when = AnswerDate("", anchor, "2026-03-06", rule, 0, (1,))
    answer = answered("[1]", cited(raw, raw), dates=(when,))
    assert to_view(answer, AS_OF)["dates"][0]["rule"] == f"({said})"


@pytest.mark.parametrize(
    ("iso", "days", "words"),
    [
        ("2025-07", 0, ("July 2025", "today")),
        ("2020", -1, ("2020", "passed 1 day ago")),
        ("2027-01-01", 1, ("1 January 2027", "1 day ahead")),
        ("2026-Q1", 1200, ("2026-Q1", "1,200 days ahead")),
        ("2026-13", 1, ("2026-13", "1 day ahead")),
    ],
)
def test_dates_are_as_precise_as_they_are_known(
    iso: str, days: int, words: tuple[str, str]
) -> None:
    raw = "then"
    answer = answered("[1]", cited(raw, raw), dates=(AnswerDate("", None, iso, "", days, ()),))
    drawn = to_view(answer, AS_OF)["dates"][0]
    assert (drawn["date"], drawn["distance"]) == words
    assert drawn["lies"] == ("now" if days == 0 else "past" if days < 0 else "future")


def test_agreement_is_said_only_where_there_is_something_to_compare() -> None:
    raw = "30 days. 60 days."
    one, other = cited(raw, "30 days."), cited(raw, "30 days.", number=2, source="b.txt")
    alone = answered("x [1]", one, agreement=(Agreement("30 days", (1,)),))
    agreed = answered("x [1][2]", one, other, agreement=(Agreement("30 days", (1, 2)),))
    differ = answered(
        "x [1][2]", one, other, agreement=(Agreement("30 days", (1,)), Agreement("60 days", (2,)))
    )
    views = [to_view(a, AS_OF)["agreement"] for a in (alone, agreed, differ)]
    assert [(view["kind"], view["count"]) for view in views] == [
        ("one", 1),
        ("agree", 2),
        ("differ", 2),
    ]
    assert agreement_lead(agreed) == "2 articles agree"
    nothing = answered("x [1][2]", one, other)
    assert to_view(nothing, AS_OF)["agreement"]["kind"] == ""
    assert "The articles differ: 30 days [1]; 60 days [2]" in show.as_text(differ)


def test_a_copy_is_no_independent_source() -> None:
    raw = "30 days. 60 days."
    one, copy = cited(raw, "30 days."), cited(raw, "30 days.", number=2, source="copy.txt")
    answer = answered("x [1][2]", one, copy, agreement=(Agreement("30 days", (1, 2)),))
    view = to_view(answer, AS_OF, {"a.txt": "a.txt", "copy.txt": "a.txt"})
    assert view["agreement"]["kind"] == "one"


def test_a_short_first_paragraph_is_the_direct_answer() -> None:
    raw = "A sentence."
    long = "word " * LEAD_CHARS
    for text, leads in (
        ("Direct. [1]\n\nMore. [1]", [True, False]),
        (f"{long}[1]", [False]),
        ("- An item [1]\n- Another [1]", [False, False]),
    ):
        view = to_view(answered(text, cited(raw, raw)), AS_OF)
        assert [line["isLead"] for line in view["lines"]] == leads
    refused = to_view(missing(cited(raw, raw)), AS_OF)
    assert [line["isLead"] for line in refused["lines"]] == [False]


def test_what_is_not_in_the_articles_is_said_first_and_the_nearest_are_named_so() -> None:
    answer = missing(cited("Something else.", "Something else."))
    assert as_markdown(answer).startswith("**Not in the articles.**")
    assert show.as_text(answer).startswith("Not in the articles.")
    assert NEAREST in show.as_text(answer)
    assert to_view(answer, AS_OF)["closest"][0]["label"].startswith("Nearest passage 1: ")


def test_json_has_the_contracts_keys_in_their_order() -> None:
    raw = "due within 30 days"
    when = AnswerDate("within 30 days", None, "2026-03-06", "rule", -261, (1,))
    answer = answered("Due. [1]", cited(raw, raw), dates=(when,), timings_ms={"retrieve": 4.1})
    found = to_json(answer, "q1")
    assert list(found) == [
        *("id", "question", "status", "engine", "confidence", "answer", "citations"),
        *("dates", "agreement", "closest", "dropped", "notice", "model", "timings_ms"),
    ]
    assert found["citations"] == [
        {
            "number": 1,
            "source": "a.txt",
            "title": "A title",
            "publisher": "A paper",
            "published": "2026-02-05",
            "quote": raw,
            "start": 0,
            "end": len(raw),
            "page": None,
            "url": None,
        }
    ]
    assert found["dates"][0]["anchor"] is None
    assert json.loads(json.dumps(found)) == found
    assert to_json(missing(cited(raw, raw)))["closest"] == found["citations"]
    assert to_json(answer)["id"] is None


NUMBERS = st.lists(st.integers(0, 99), max_size=4).map(tuple)

COUNTS = st.integers(0, 10**12)

DAYS = st.one_of(st.none(), st.dates())

WORDS = st.text(max_size=20)

CITATIONS = st.lists(
    st.builds(
        Citation,
        number=COUNTS,
        source=WORDS,
        title=WORDS,
        publisher=st.one_of(st.none(), WORDS),
        published=DAYS,
        quote=WORDS,
        start=COUNTS,
        end=COUNTS,
        page=st.one_of(st.none(), COUNTS),
        url=st.one_of(st.none(), WORDS),
    ),
    max_size=3,
).map(tuple)

ANSWERS = st.builds(
    Answer,
    question=WORDS,
    status=st.sampled_from(Status),
    engine=WORDS,
    confidence=st.floats(0, 1),
    text=WORDS,
    citations=CITATIONS,
    dates=st.lists(
        st.builds(AnswerDate, WORDS, DAYS, WORDS, WORDS, st.integers(), NUMBERS), max_size=2
    ).map(tuple),
    agreement=st.lists(st.builds(Agreement, WORDS, NUMBERS), max_size=2).map(tuple),
    closest=CITATIONS,
    dropped=st.lists(st.builds(Dropped, WORDS, WORDS), max_size=2).map(tuple),
    notice=WORDS,
    model=st.one_of(
        st.none(),
        st.builds(
            ModelUse, WORDS, COUNTS, st.one_of(st.none(), COUNTS), st.one_of(st.none(), COUNTS)
        ),
    ),
    timings_ms=st.dictionaries(WORDS, st.floats(0, 1e9), max_size=3),
)


@given(ANSWERS)
def test_an_answer_comes_back_from_its_json(answer: Answer) -> None:
    assert from_json(json.loads(json.dumps(to_json(answer, "q1")))) == answer


def test_what_json_does_not_hold_does_not_come_back() -> None:
    raw = "due within 30 days"
    passage = Passage("a.txt", 0, len(raw), raw, ())
    answer = answered("Due. [1]", cited(raw, raw), passages=(passage,))
    assert answer.claims
    assert from_json(to_json(answer)) == replace(answer, claims=(), passages=())


def test_json_from_before_it_held_addresses_models_and_drafts_is_read() -> None:
    raw = "due within 30 days"
    answer = answered("Due. [1]", cited(raw, raw))
    kept = to_json(answer)
    del kept["dropped"], kept["notice"], kept["model"], kept["citations"][0]["url"]
    assert from_json(kept) == replace(answer, claims=())


def whole_json() -> dict[str, Any]:
    """The JSON of an answer in which no list is empty and nothing is null."""
    raw = "due within 30 days"
    citation = cited(raw, raw, page=1, url="https://example.org")
    return to_json(
        answered(
            "Due. [1]",
            citation,
            dates=(AnswerDate("in 30 days", date(2026, 2, 4), "2026-03-06", "rule", -261, (1,)),),
            agreement=(Agreement("30 days", (1,)),),
            closest=(citation,),
            dropped=(Dropped("Never.", "nothing says it"),),
            notice="A sentence was left out.",
            model=ModelUse("m", 1, 2, 3),
            timings_ms={"answer": 1.5},
        )
    )


def places(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to everything inside a JSON value."""
    parts = (
        value
        if isinstance(value, dict)
        else dict(enumerate(value))
        if isinstance(value, list)
        else {}
    )
    for key, part in parts.items():
        yield (*at, key)
        yield from places(part, (*at, key))


def is_refused(place: tuple[str | int, ...], wrong: object) -> None:
    value = whole_json()
    at: Any = value
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = wrong
    with pytest.raises(ValueError, match=f"{place[0]!r} is missing or not of its form") as caught:
        from_json(value)
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "wrong", [True, {"secret": ["x"]}, [["secret"]], float("nan"), float("inf")], ids=repr
)
def test_what_is_of_no_right_type_is_refused_wherever_it_stands(wrong: object) -> None:
    for place in places(whole_json()):
        if place[0] != "id":
            is_refused(place, wrong)


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        (("status",), "secret"),
        (("question",), None),
        (("confidence",), 1.1),
        (("confidence",), -0.1),
        (("confidence",), "0.5"),
        pytest.param(("timings_ms", "answer"), 10**400, id="longer than any float"),
        (("citations",), ""),
        (("citations",), {}),
        (("citations", 0), None),
        (("citations", 0, "published"), "secret"),
        (("citations", 0, "start"), -1),
        (("citations", 0, "end"), 1.0),
        (("dates", 0, "anchor"), "2026-02-30"),
        (("dates", 0, "citations", 0), "1"),
        (("model", "calls"), None),
    ],
)
def test_what_no_answer_may_hold_is_refused(place: tuple[str | int, ...], wrong: object) -> None:
    is_refused(place, wrong)


@pytest.mark.parametrize(
    "key", [k for k in whole_json() if k not in ("id", "dropped", "notice", "model")]
)
def test_json_without_a_key_is_refused(key: str) -> None:
    value = whole_json()
    del value[key]
    with pytest.raises(ValueError, match=f"{key!r} is missing"):
        from_json(value)


@pytest.mark.parametrize("value", [None, "{}", [], 3, {}])
def test_what_is_no_answers_json_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="no answer in Dateline's JSON"):
        from_json(value)


@pytest.mark.parametrize("value", [None, "x", [], {}, {"number": 1}])
def test_what_is_no_citations_json_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="no citation in Dateline's JSON"):
        citation_from_json(value)


def test_terminal_text_keeps_to_its_width_and_places_every_quote() -> None:
    raw = "A sentence of some length, and another one that goes on for a good while longer. " * 3
    answer = answered(f"{raw} [1]", cited(raw, raw, page=3))
    text = show.as_text(answer, 40, as_of=date(2026, 11, 22))
    assert max(map(len, text.splitlines())) <= 40
    assert f"a.txt:0-{len(raw)}, page 3" in text
    assert "5 February 2026, 290 days ago" in re.sub(r"\s+", " ", text)


@pytest.mark.parametrize(
    ("published", "words"),
    [
        (None, "no date given"),
        (date(2026, 11, 22), "today"),
        (date(2026, 11, 21), "1 day ago"),
        (date(2026, 2, 5), "290 days ago"),
        (date(2026, 11, 24), "in 2 days"),
    ],
)
def test_age(published: date | None, words: str) -> None:
    assert age(published, date(2026, 11, 22)) == words


@given(TEXTS, TEXTS.filter(bool), TEXTS)
@example("😀" * 20, "😀é", "\r\n😀")
def test_the_panel_is_cut_by_code_points(before: str, quote: str, after: str) -> None:
    raw = before + quote + after
    citation = cited(raw, quote)
    view = source_view(citation, raw, date(2026, 11, 22))
    assert view["stands"]
    assert view["quote"] == quote
    assert view["before"] + view["quote"] + view["after"] == raw
    assert view["cut"] is None


def test_a_quote_that_moved_is_not_highlighted() -> None:
    citation = cited("One. Two.", "Two.")
    view = source_view(citation, "Zero. One. Two.", date(2026, 11, 22))
    assert (view["stands"], view["quote"]) == (False, "")
    assert view["before"] + view["after"] == "Zero. One. Two."


@pytest.mark.parametrize("place", [0, 1_000_000, 2_499_990, 5_000_000])
def test_of_a_very_long_article_the_panel_gets_what_surrounds_the_quote(place: int) -> None:
    raw = "x" * place + "QUOTE" + "y" * (5_000_000 - place)
    view = source_view(cited(raw, "QUOTE"), raw, date(2026, 11, 22))
    shown = view["before"] + view["quote"] + view["after"]
    assert view["quote"] == "QUOTE"
    assert shown in raw
    assert abs(len(shown) - show.WINDOW_CHARS) <= 5
    assert view["cut"] is not None
    assert view["cut"] == {"shown": f"{len(shown):,}", "total": "5,000,005"}


@pytest.mark.parametrize(
    ("url", "is_one"),
    [
        ("https://example.org/a?b=c#d", True),
        ("HTTP://example.org", True),
        ("javascript:alert(1)", False),
        ("java\nscript:alert(1)", False),
        ("https://a b", False),
        ("//example.org", False),
        ("data:text/html,x", False),
        (None, False),
    ],
)
def test_only_web_addresses_become_links(url: str | None, is_one: bool) -> None:
    raw = "Text."
    view = source_view(cited(raw, raw, url=url), raw, date(2026, 11, 22))
    assert view["url"] == (url if is_one else None)


def test_a_chip_brings_its_citation_back() -> None:
    raw = "😀 Text."
    citation = cited(raw, "Text.", page=2, url="https://example.org")
    view = to_view(answered("Text. [1]", citation), AS_OF)["citations"][0]
    assert citation_from_json(json.loads(json.dumps(view))) == citation


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        {},
        {"start": -1},
        {"start": True},
        {"source": 3},
        {"published": "soon"},
        {"published": 5},
        {"end": "9"},
        {"page": 1.5},
        {"url": {}},
    ],
)
def test_what_is_not_a_chips_citation_is_refused(wrong: object) -> None:
    view = to_view(answered("Text. [1]", cited("Text.", "Text.")), AS_OF)["citations"][0]
    sent = view | wrong if isinstance(wrong, dict) and wrong else wrong
    with pytest.raises(ValueError, match="no citation"):
        citation_from_json(sent)
