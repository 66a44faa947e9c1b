"""What an answer says: the direct answer, its sources, what they differ on, and what they lack."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pytest
from repository import write_files

from assistant.answering import quotes
from assistant.finding import find
from assistant.finding.support import calibration
from assistant.schema import Answer, Status
from assistant.service import QUOTED, Assistant, open_assistant
from assistant.settings import Settings
from indexing.sync import sync

ARTICLES = {
    "ferry-gazette.md": """---
title: Harland orders a ferry
publisher: The Gazette
date: 2026-03-02
---

The port of Harland has ordered a ferry, the Northern Star, from the Bolt shipyard.
The Northern Star will cost $48 million, the port said.
The ferry will carry 600 passengers on each crossing.
The shipyard must deliver the ferry by 30 June 2026.
The council of Harland approved the loan for the ferry on Tuesday.
The harbour master, Ingrid Holm, called the order overdue.
""",
    "ferry-herald.md": """---
title: New ship for the strait
publisher: The Herald
date: 2026-03-04
---

Bolt shipyard will build the Northern Star for the crossing between Harland and Tessel.
The price of the Northern Star is 48 million dollars, according to the harbour board.
The old ferry was retired because its engines had failed twice in the winter.
""",
    "museum-gazette.md": """---
title: Flood damages the Tessel museum
publisher: The Gazette
date: 2026-02-11
---

A flood damaged the Tessel museum on 9 February 2026.
The museum lost 25 paintings in the flood.
The museum will stay closed for two years, its director Otto Brandt said.
""",
    "museum-herald.md": """---
title: Tessel counts its losses
publisher: The Herald
date: 2026-02-20
---

The museum lost 31 paintings in the flood.
Insurers will pay for the roof of the museum [7].
""",
}
AS_OF = date(2026, 3, 10)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("quotes")
    settings = replace(Settings(), corpus=folder / "corpus", index=folder / "index")
    write_files(settings.corpus, ARTICLES)
    sync(settings.corpus, settings)
    return settings


@pytest.fixture(scope="module")
def assistant(index: Settings) -> Iterator[Assistant]:
    opened = open_assistant(index)
    yield opened
    opened.close()


def numbers_in(text: str) -> list[int]:
    return [int(n) for n in re.findall(r"\[(\d+)\]", text)]


def lead(answer: Answer) -> str:
    assert answer.status is Status.ANSWERED, answer.text
    return answer.text.split("\n")[0]


# --- the direct answer ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "value", "source"),
    [
        ("How many passengers will the ferry carry?", "600", "ferry-gazette.md"),
        ("How long will the museum stay closed?", "For two years", "museum-gazette.md"),
        ("When was the museum damaged by a flood?", "9 February 2026", "museum-gazette.md"),
        ("When must the shipyard deliver the ferry?", "By 30 June 2026", "ferry-gazette.md"),
    ],
)
def test_the_value_asked_for_comes_first_in_bold(
    assistant: Assistant, question: str, value: str, source: str
) -> None:
    answer = assistant.ask(question, as_of=AS_OF)
    assert lead(answer).startswith(f"**{value}**")
    assert lead(answer).endswith("[1]")
    assert answer.citations[0].source == source
    assert value.split()[-1] in answer.citations[0].quote


def test_two_sources_that_state_the_same_are_counted_and_both_cited(assistant: Assistant) -> None:
    answer = assistant.ask("How much will the Northern Star cost?", as_of=AS_OF)
    said = (
        r"\*\*(?:\$48 million|48 million dollars)\*\*, as two independent sources say\. \[1\]\[2\]"
    )
    assert re.fullmatch(said, lead(answer))
    assert {c.source for c in answer.citations[:2]} == {"ferry-gazette.md", "ferry-herald.md"}
    (value,) = answer.agreement
    assert value.citations == (1, 2)


def test_two_sources_that_differ_are_both_told_the_newer_first(assistant: Assistant) -> None:
    answer = assistant.ask("How many paintings did the museum lose?", as_of=AS_OF)
    assert re.fullmatch(
        r"The sources differ: \*\*31\*\* \(20 February 2026\) \[\d\];"
        r" \*\*25\*\* \(11 February 2026\) \[\d\]",
        lead(answer),
    )
    assert {c.source for c in answer.citations} == {"museum-gazette.md", "museum-herald.md"}
    assert [value.value for value in answer.agreement] == ["31", "25"]


def test_the_value_is_bold_in_its_quote_and_a_reason_is_quoted_alone(assistant: Assistant) -> None:
    counted = assistant.ask("How many passengers will the ferry carry?", as_of=AS_OF)
    assert "The ferry will carry **600** passengers on each crossing. [1]" in counted.text
    why = assistant.ask("Why was the old ferry retired?", as_of=AS_OF)
    assert lead(why) == (
        "The old ferry was retired because its engines had failed twice in the winter. [1]"
    )


# --- days, and where they lie from today ---------------------------------------------------------


@pytest.mark.parametrize(
    ("as_of", "status"),
    [
        (date(2026, 3, 10), "that is in 112 days"),
        (date(2026, 6, 29), "that is in 1 day"),
        (date(2026, 6, 30), "that is today"),
        (date(2026, 7, 1), "that day passed 1 day ago"),
        (date(2030, 6, 30), "that day passed 1,461 days ago"),
    ],
)
@pytest.mark.parametrize(
    "question",
    ["When must the shipyard deliver the ferry?", "Is the delivery of the ferry still ahead?"],
)
def test_a_deadline_is_set_against_the_day_given(
    assistant: Assistant, question: str, as_of: date, status: str
) -> None:
    answer = assistant.ask(question, as_of=as_of)
    assert lead(answer) == f"**By 30 June 2026**; {status}. [1]"
    (day,) = (d for d in answer.dates if d.date == "2026-06-30")
    assert day.days_from_as_of == (date(2026, 6, 30) - as_of).days
    assert 1 in day.citations


def test_a_weekday_is_a_calendar_date_with_the_rule_behind_it(assistant: Assistant) -> None:
    answer = assistant.ask(
        "When did the council of Harland approve the loan for the ferry?", as_of=AS_OF
    )
    assert lead(answer).startswith("**24 February 2026** (“Tuesday”: ")
    assert "ago" not in lead(answer)
    (day,) = (d for d in answer.dates if d.date == "2026-02-24")
    assert day.anchor == date(2026, 3, 2)


def test_a_question_about_now_is_told_how_old_the_newest_source_is(assistant: Assistant) -> None:
    answer = assistant.ask("How much does the Northern Star currently cost?", as_of=AS_OF)
    newest = max(c.published for c in answer.citations if c.published)
    days = (AS_OF - newest).days
    assert answer.text.endswith(
        f"The newest source cited is of {newest.day} March 2026, {days} days before."
    )
    same_day = assistant.ask("How much does the Northern Star currently cost?", as_of=newest)
    assert "newest source" not in same_day.text


# --- what the articles do not say ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("What did Zanzibar say about the ferry?", "Zanzibar"),
        ("Who painted the hull of the Marigold?", "Marigold"),
        ("How much did the Northern Star cost in 1987?", "1987"),
    ],
)
def test_a_name_that_no_article_has_is_refused_by_name(
    assistant: Assistant, question: str, name: str
) -> None:
    answer = assistant.ask(question, as_of=AS_OF)
    assert answer.status is Status.NOT_IN_CORPUS
    assert answer.text == f"The articles do not say: no article mentions “{name}”."


def test_a_near_miss_shows_the_nearest_they_come(
    assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = "Why was the old ferry retired?"
    confidence = assistant.ask(question, as_of=AS_OF).confidence
    strict = replace(calibration(), threshold=1.0, near=confidence)
    for module in (find, quotes):
        monkeypatch.setattr(module, "calibration", lambda: strict)
    answer = assistant.ask(question, as_of=AS_OF)
    assert answer.status is Status.NOT_IN_CORPUS
    assert answer.text == (
        "The articles do not say this outright; the nearest they come is “The old ferry was retired"
        " because its engines had failed twice in the winter.” (New ship for the strait, 4 March 2026)."
    )
    assert answer.closest[0].source == "ferry-herald.md"


@pytest.mark.parametrize(
    "question",
    ["What did Zanzibar say about the ferry?", "What is the boiling point of tungsten?", "xyzzy"],
)
def test_a_refusal_cites_nothing_and_shows_what_is_closest(
    assistant: Assistant, question: str
) -> None:
    answer = assistant.ask(question, as_of=AS_OF)
    assert answer.status is Status.NOT_IN_CORPUS
    assert answer.citations == answer.claims == ()
    assert not numbers_in(answer.text)
    assert len(answer.closest) <= quotes.CLOSEST
    for c in answer.closest:
        assert ARTICLES[c.source][c.start : c.end] == c.quote


def test_files_that_changed_since_are_said_to_have(assistant: Assistant, index: Settings) -> None:
    question = "Why was the old ferry retired?"
    try:
        for name, text in ARTICLES.items():
            (index.corpus / name).write_text(text.upper(), "utf-8")
        answer = assistant.ask(question, as_of=AS_OF)
    finally:
        write_files(index.corpus, dict(ARTICLES))
    assert answer.status is Status.NOT_IN_CORPUS
    assert answer.text == quotes.MOVED
    assert not answer.closest
    assert assistant.ask(question, as_of=AS_OF).status is Status.ANSWERED


# --- questions of several parts ------------------------------------------------------------------


def test_each_part_of_a_question_is_answered_in_its_turn(assistant: Assistant) -> None:
    answer = assistant.ask(
        "When must the shipyard deliver the ferry and how many passengers will it carry?",
        as_of=AS_OF,
    )
    by, counted = (answer.text.index(bold) for bold in ("**By 30 June 2026**", "**600**"))
    assert by < counted
    assert "do not say" not in answer.text


@pytest.mark.parametrize(
    "question",
    [
        "When must the shipyard deliver the ferry and what did Zanzibar say about the flood?",
        "What did Zanzibar say about the flood? When must the shipyard deliver the ferry?",
    ],
)
def test_a_part_that_cannot_be_answered_is_named(assistant: Assistant, question: str) -> None:
    answer = assistant.ask(question, as_of=AS_OF)
    assert lead(answer).startswith("**By 30 June 2026**")
    last = answer.text.split("\n\n")[-1].casefold()
    assert last == "the articles do not say: what did zanzibar say about the flood."


def test_several_parts_that_all_fail_are_one_refusal(assistant: Assistant) -> None:
    answer = assistant.ask("What did Zanzibar say? Who runs the Marigold line?", as_of=AS_OF)
    assert answer.status is Status.NOT_IN_CORPUS
    assert "no article mentions “" in answer.text


def test_clauses_of_one_question_are_answered_from_both_papers(assistant: Assistant) -> None:
    answer = assistant.ask(
        "Which ship is said by the Gazette article to cost $48 million for the port of Harland,"
        " while the Herald article says that Bolt shipyard will build it?",
        as_of=AS_OF,
    )
    assert {c.publisher for c in answer.citations} == {"The Gazette", "The Herald"}
    assert "Northern Star" in answer.text
    assert "do not say" not in answer.text


def test_a_follow_up_is_answered_from_the_turn_before(assistant: Assistant) -> None:
    history = [("Who builds the Northern Star?", "Bolt shipyard builds it. [1]")]
    answer = assistant.ask("How much will it cost?", history, as_of=AS_OF)
    assert "48 million" in lead(answer)
    assert answer.question == "How much will it cost?"


# --- what every answer keeps ---------------------------------------------------------------------

ORDINARY = [
    "How much will the Northern Star cost?",
    "How many passengers will the ferry carry?",
    "How many paintings did the museum lose?",
    "When must the shipyard deliver the ferry?",
    "Who pays for the roof of the museum?",
    "Who is the harbour master?",
    "Which shipyard builds the Northern Star?",
    "Why was the old ferry retired?",
    "Did the flood damage the museum?",
    "When was the museum damaged and how many paintings did it lose?",
    "summarise the order of the Northern Star",
    "the Tessel museum",
]
WIDE = ["Compare the articles on the Northern Star", "Do the articles agree on the paintings?"]


@pytest.mark.parametrize("question", [*ORDINARY, *WIDE])
def test_every_mark_has_its_citation_and_every_citation_its_mark(
    assistant: Assistant, index: Settings, question: str
) -> None:
    answer = assistant.ask(question, as_of=AS_OF)
    assert answer.status is Status.ANSWERED
    assert set(numbers_in(answer.text)) == {c.number for c in answer.citations}
    assert [c.number for c in answer.citations] == list(range(1, len(answer.citations) + 1))
    for claim in answer.claims:
        assert claim.text in answer.text
        assert tuple(numbers_in(claim.text)) == claim.citations
    for c in answer.citations:
        assert ARTICLES[c.source][c.start : c.end] == c.quote
    if question in ORDINARY:
        assert len(answer.citations) <= QUOTED
    assert len({(c.source, c.start) for c in answer.citations}) == len(answer.citations)


def test_a_comparison_hears_both_papers(assistant: Assistant) -> None:
    answer = assistant.ask("Compare the articles on the Northern Star", as_of=AS_OF)
    assert {c.publisher for c in answer.citations} == {"The Gazette", "The Herald"}


def test_an_articles_own_footnote_is_no_mark(assistant: Assistant) -> None:
    answer = assistant.ask("Who pays for the roof of the museum?", as_of=AS_OF)
    assert answer.citations[0].quote == "Insurers will pay for the roof of the museum [7]."
    assert 7 not in numbers_in(answer.text)
    assert "7" in answer.text
