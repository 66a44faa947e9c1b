"""Dates: what is found, what it means, what is left alone, and what is never guessed."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexing.reading.published import publication
from indexing.schema import Document, Sentence, Span, TimeExpression
from indexing.times.calendar import describe, iso
from indexing.times.expressions import parse_day, time_expressions

THURSDAY = date(2026, 2, 5)


def read(text: str, day: date | None = THURSDAY) -> tuple[TimeExpression, ...]:
    return time_expressions(text, [Sentence(0, len(text))], day)[0]


def document(raw: str, format: str = "txt", **metadata: str) -> Document:
    return Document("a." + format, raw, "utf-8", format, metadata=tuple(metadata.items()))


# Sentence, phrase, kind, first, last ("" for one day, "-" for unresolved), all as of 5 February 2026.
RESOLVED = [
    # written out
    ("The plant shut on 4 February 2026.", "4 February 2026", "date", "2026-02-04", ""),
    ("The plant shut on Feb. 4, 2026.", "Feb. 4, 2026", "date", "2026-02-04", ""),
    ("The plant shut on the 4th of February.", "4th of February", "date", "2026-02-04", ""),
    ("The plant shut on 2026-02-04.", "2026-02-04", "date", "2026-02-04", ""),
    ("The plant shut on 13/1/2026.", "13/1/2026", "date", "2026-01-13", ""),
    ("The plant shut on 4/2/2026.", "4/2/2026", "date", "-", ""),
    ("The plant shut on 4.2.2026.", "4.2.2026", "date", "2026-02-04", ""),
    ("The fair runs March 3-5, 2026.", "March 3-5, 2026", "date", "2026-03-03", "2026-03-05"),
    ("Sales fell in February 2025.", "February 2025", "period", "2025-02-01", "2025-02-28"),
    ("The bridge opened in 2020.", "2020", "period", "2020-01-01", "2020-12-31"),
    ("The lease is set to expire in 2036.", "2036", "period", "2036-01-01", "2036-12-31"),
    ("Rents rose in the 1990s.", "the 1990s", "period", "1990-01-01", "1999-12-31"),
    ("The permit (2019) lapsed.", "2019", "period", "2019-01-01", "2019-12-31"),
    ("Q3 2025 was dull.", "Q3 2025", "period", "2025-07-01", "2025-09-30"),
    ("Profits rose in the third quarter of 2025.", "the third quarter of 2025", "period",
     "2025-07-01", "2025-09-30"),
    ("The first half of 2025 was dull.", "The first half of 2025", "period",
     "2025-01-01", "2025-06-30"),
    ("Spending rose in fiscal 2025.", "fiscal 2025", "period", "-", ""),
    ("Delivery is due in early 2027.", "due in early 2027", "deadline", "2027-01-01", "2027-04-30"),
    ("It rained in late January.", "late January", "period", "2026-01-21", "2026-01-31"),
    ("It opens in spring 2026.", "spring 2026", "period", "2026-03-01", "2026-05-31"),
    # no year
    ("The port closed on February 4.", "February 4", "date", "2026-02-04", ""),
    ("The union prepares for a July 1 vote.", "July 1", "date", "2026-07-01", ""),
    ("The minister signed it on Dec. 20.", "Dec. 20", "date", "2025-12-20", ""),
    ("In October she signed the lease.", "October", "period", "2025-10-01", "2025-10-31"),
    ("The shop will open in October.", "October", "period", "2026-10-01", "2026-10-31"),
    # relative to publication
    ("The mayor resigned Wednesday.", "Wednesday", "date", "2026-02-04", ""),
    ("The mayor resigned on Thursday.", "Thursday", "date", "2026-02-05", ""),
    ("The council will meet on Friday.", "Friday", "date", "2026-02-06", ""),
    ("The inquest is expected to be held on Sunday.", "Sunday", "date", "2026-02-08", ""),
    ("Rain is possible on Sunday.", "Sunday", "date", "2026-02-08", ""),
    ("It closed on Wednesday, February 4: nobody came.", "Wednesday, February 4", "date",
     "2026-02-04", ""),
    ("The council met on Friday.", "Friday", "date", "2026-01-30", ""),
    ("Next Friday the pool opens.", "Next Friday", "date", "2026-02-06", ""),
    ("Last Wednesday the pool shut.", "Last Wednesday", "date", "2026-02-04", ""),
    ("The pool shut on Friday last week.", "Friday last week", "date", "2026-01-30", ""),
    ("The pool shuts today.", "today", "date", "2026-02-05", ""),
    ("The pool shut yesterday evening.", "yesterday evening", "date", "2026-02-04", ""),
    ("The pool shuts tomorrow.", "tomorrow", "date", "2026-02-06", ""),
    ("The pool burned last night.", "last night", "date", "2026-02-04", ""),
    ("Prices rose this week.", "this week", "period", "2026-02-02", "2026-02-08"),
    ("Prices rose last month.", "last month", "period", "2026-01-01", "2026-01-31"),
    ("Prices will rise next year.", "next year", "period", "2027-01-01", "2027-12-31"),
    ("Last July the dam broke.", "Last July", "period", "2025-07-01", "2025-07-31"),
    ("The dam will reopen next July.", "next July", "period", "2026-07-01", "2026-07-31"),
    ("She left last summer.", "last summer", "period", "2025-06-01", "2025-08-31"),
    ("He quit earlier this year.", "earlier this year", "period", "2026-01-01", "2026-02-05"),
    ("He quit two days ago.", "two days ago", "date", "2026-02-03", ""),
    ("He quit three months ago.", "three months ago", "period", "2025-11-01", "2025-11-30"),
    ("Costs doubled over the past year.", "the past year", "period", "2025-02-05", "2026-02-05"),
    ("It has grown in recent years.", "in recent years", "period", "-", ""),
    ("Talks go on in the coming weeks.", "in the coming weeks", "period", "-", ""),
    ("The show will open in 10 days.", "in 10 days", "date", "2026-02-15", ""),
    # deadlines and lengths
    ("Both must sign within 30 days.", "within 30 days", "deadline", "2026-03-07", ""),
    ("Both must sign within a month.", "within a month", "deadline", "2026-03-05", ""),
    ("Both must sign within six weeks.", "within six weeks", "deadline", "2026-03-19", ""),
    ("Both must sign within a fortnight.", "within a fortnight", "deadline", "2026-02-19", ""),
    ("Both must sign in the next 60 days.", "in the next 60 days", "deadline", "2026-04-06", ""),
    ("Both must sign within 36 hours.", "within 36 hours", "deadline", "2026-02-07", ""),
    ("Both must sign within three business days.", "within three business days", "deadline",
     "2026-02-10", ""),
    ("Both must sign within 30 days of 3 March 2026.", "within 30 days", "deadline", "2026-04-02", ""),
    ("Both must sign within 30 days of ratification.", "within 30 days", "deadline", "-", ""),
    ("Bids are taken by March 6.", "by March 6", "deadline", "2026-03-06", ""),
    ("Bids are taken by mid-March.", "by mid-March", "deadline", "2026-03-11", "2026-03-20"),
    ("Pay no later than 15 April 2026.", "no later than 15 April 2026", "deadline", "2026-04-15", ""),
    ("The form is due Friday.", "due Friday", "deadline", "2026-02-06", ""),
    ("The ban holds until 2030.", "until 2030", "deadline", "2030-01-01", "2030-12-31"),
    ("It had failed for years, so inspectors, a clerk for the county said, want the whole file by "
     "Friday.", "by Friday", "deadline", "2026-02-06", ""),
    ("The house elects a speaker within 30 days from its ranks.", "within 30 days", "deadline",
     "2026-03-07", ""),
    ("Pay by the end of the year.", "by the end of the year", "deadline", "2026-12-31", ""),
    ("The law must pass before July.", "before July", "deadline", "2026-07-01", "2026-07-31"),
    ("A 90-day window opened.", "90-day", "duration", "-", ""),
    ("He taught for two years.", "for two years", "duration", "-", ""),
    ("Thirty days are enough.", "Thirty days", "duration", "-", ""),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "phrase", "kind", "first", "last"), RESOLVED)
def test_an_expression_means_these_days(
    sentence: str, phrase: str, kind: str, first: str, last: str
) -> None:
    found = {t.phrase: t for t in read(sentence)}
    assert phrase in found
    t = found[phrase]
    days = (str(t.first), str(t.last)) if t.first else ("-", "-")
    assert (t.kind, *days) == (kind, first, last or first)
    assert t.rule
    assert bool(t.precision) == (first != "-")


@pytest.mark.parametrize(
    "sentence",
    [
        "May I come in? It may rain.",
        "They march on and march back.",
        "In a second the Sunday best came off.",
        "It costs $30, and H.R. 4090 costs $2025.",
        "About 2000 tonnes for 2,000 people of the G7, 2,036 in all.",
        "Turn left at 10 March Street.",
        "April Ryan asked; a column by June Smith followed.",
        "Of 1990 people, by 2000 votes, in 2025 homes.",
        "She is 45 years old, her son a 12-year-old, for children aged 6 months.",
        "He runs twice a day, or 30 hours a week.",
        "Black Friday sales and a Tonight Show rerun, as USA TODAY had it.",
        "The quarterback scored in the third quarter.",
        "Three quarters of them left.",
        "The flat rose 2 to 1 at 10:30 in room 1-2-3.",
    ],
)
def test_words_that_only_look_like_time_are_left_alone(sentence: str) -> None:
    assert read(sentence) == ()


@pytest.mark.parametrize(
    ("day", "sentence", "first", "last"),
    [
        (date(2026, 1, 2), "The dam broke Wednesday.", "2025-12-31", "2025-12-31"),
        (date(2026, 1, 2), "The dam broke in December.", "2025-12-01", "2025-12-31"),
        (date(2026, 1, 2), "The dam broke on Dec. 30.", "2025-12-30", "2025-12-30"),
        (date(2025, 12, 30), "The dam will reopen on January 3.", "2026-01-03", "2026-01-03"),
        (date(2025, 12, 30), "The dam will reopen on Friday.", "2026-01-02", "2026-01-02"),
        (date(2026, 1, 2), "The dam broke last month.", "2025-12-01", "2025-12-31"),
        (date(2026, 1, 2), "The dam broke last week.", "2025-12-22", "2025-12-28"),
        (date(2024, 1, 31), "Pay within a month.", "2024-02-29", "2024-02-29"),
        (date(2025, 1, 31), "Pay within a month.", "2025-02-28", "2025-02-28"),
        (date(2024, 2, 29), "Pay within a year.", "2025-02-28", "2025-02-28"),
        (date(2026, 2, 5), "He was born on February 29.", "2024-02-29", "2024-02-29"),
        (date(2022, 11, 10), "The vote was on Monday, Nov. 7.", "2022-11-07", "2022-11-07"),
        (date(2026, 2, 7), "Pay within one business day.", "2026-02-09", "2026-02-09"),
    ],
)
def test_years_months_and_leap_days_are_crossed_rightly(
    day: date, sentence: str, first: str, last: str
) -> None:
    t = read(sentence, day)[-1]
    assert (str(t.first), str(t.last)) == (first, last)


def test_without_a_publication_date_only_full_dates_resolve() -> None:
    text = "On Feb. 4, a Wednesday, and 5 March 2026 they must sign within a week, by Friday."
    found = {t.phrase: t for t in read(text, None)}
    assert found["Feb. 4"].rule == found["Wednesday"].rule == "the article has no date"
    assert found["by Friday"].kind == "deadline"
    assert found["by Friday"].first is None
    assert found["5 March 2026"].first == date(2026, 3, 5)
    assert found["within a week"].first == date(2026, 3, 12)
    assert read("Sign within a week.", None)[0].rule == "the article has no date"


def in_sentences(text: str, day: date | None) -> list[TimeExpression]:
    spans = [Sentence(m.start(), m.end()) for m in re.finditer(r"[^.\s][^.]*\.", text)]
    return [t for row in time_expressions(text, spans, day) for t in row]


def test_a_deadline_runs_from_the_event_of_the_report() -> None:
    text = "Two ports merged Wednesday. On Monday a third had shut. They must list debts within 30 days."
    deadline = in_sentences(text, THURSDAY)[-1]
    assert deadline.anchor == date(2026, 2, 4)
    assert deadline.first == deadline.last == date(2026, 3, 6)
    assert deadline.rule == "30 days after Wednesday, 4 February 2026"


def test_a_day_named_in_the_same_sentence_comes_before_the_event() -> None:
    text = "Two ports merged Wednesday. A judge told them on Monday to list debts within 10 days."
    assert in_sentences(text, THURSDAY)[-1].first == date(2026, 2, 12)


def test_a_date_stamp_or_a_day_long_ago_is_no_event() -> None:
    text = "The Daily, 2026-02-05. Founded on 1 May 1990. Two ports merged Tuesday. Debts are due within 7 days."
    assert in_sentences(text, THURSDAY)[-1].anchor == date(2026, 2, 3)
    assert (
        in_sentences("Founded on 1 May 1990. Pay within 7 days.", THURSDAY)[-1].anchor == THURSDAY
    )


@given(
    st.integers(1, 2000),
    st.sampled_from(["day", "week"]),
    st.dates(date(1900, 1, 1), date(2100, 1, 1)),
)
def test_n_days_and_weeks_are_counted_as_datetime_counts(n: int, unit: str, day: date) -> None:
    (t,) = read(f"They must pay within {n} {unit}s.", day)
    assert t.first == t.last == day + timedelta(**{f"{unit}s": n})


WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.integers(0, 6))
def test_a_weekday_lies_within_seven_days_on_the_side_its_verb_says(day: date, n: int) -> None:
    (past,) = read(f"The kiln cracked on {WEEKDAYS[n]}.", day)
    (coming,) = read(f"The kiln will be fired on {WEEKDAYS[n]}.", day)
    assert past.first
    assert coming.first
    assert past.first.weekday() == coming.first.weekday() == n
    assert 0 <= (day - past.first).days <= 6
    assert 0 <= (coming.first - day).days <= 6


PIECES = [
    "within",
    "30",
    "999999",
    "2.5",
    "days",
    "weeks",
    "ago",
    "Feb.",
    "4",
    "May",
    "March",
    "2026",
    "9999",
    "1990s",
    "by",
    "the",
    "end",
    "of",
    "last",
    "next",
    "July",
    "Wednesday",
    ",",
    ".",
    "-",
    "–",
    "(",
    "$",
    "4/2/2026",
    "31",
    "30",
    "Q3",
    "third",
    "quarter",
    "early",
    "mid",
    "late",
    "in",
    "a",
    "few",
    "year",
    "years",
    "hours",
    "today",
    "this",
    "past",
    "fiscal",
    "2026-02-30",
    "business",
    "said",
    "will",
    "until",
    "0",
    "²",
    "é\n",
]


@given(
    st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=6)), max_size=25),
    st.sampled_from([" ", "", "-", "\r\n"]),
    st.one_of(st.none(), st.dates()),
)
def test_any_text_gives_sorted_disjoint_slices_and_never_raises(
    words: list[str], glue: str, day: date | None
) -> None:
    text = glue.join(words)
    half = len(text) // 2
    sentences = [Sentence(0, half), Sentence(half, len(text))]
    rows = time_expressions(text, sentences, day)
    assert len(rows) == 2
    for sentence, row in zip(sentences, rows, strict=True):
        free = sentence.start
        for t in row:
            assert free <= t.start < t.end <= sentence.end
            assert t.phrase == text[t.start : t.end]
            assert t.kind in ("date", "period", "deadline", "duration")
            assert (t.first is None) == (t.last is None) == (t.precision == "")
            if t.first and t.last:
                assert t.first <= t.last
                assert describe(t.first, t.last, t.precision)
                assert iso(t.first, t.precision)
            free = t.end
    publication(document(text), text)
    parse_day(text, day or THURSDAY)


PUBLISHED = [
    ("The Lamp, 2026-02-05 | By A. Writer\n\nA tale.", "2026-02-05"),
    ("5 February 2026 10:12 GMT\nA tale.", "2026-02-05"),
    ("Morning Lamp - Life: Best Stories, Feb. 5, 2026\nA tale.", "2026-02-05"),
    ("A tale\nPublished: Feb. 5, 2026\nThe end.", "2026-02-05"),
    ("A tale\nBy A. Writer | Posted Thursday, February 5, 2026 at 3:15 pm\nThe end.", "2026-02-05"),
    (
        "A tale\nUpdated 6 February 2026 10:12 GMT\nPublished 5 February 2026\nThe end.",
        "2026-02-05",
    ),
    ("A tale\nUpdated 5 February 2026 10:12 GMT", "2026-02-05"),
    (" date 2026-02-05 Lampworks Corporation\nA tale.", "2026-02-05"),
    ("A tale.\n\nLAMPNEWS05022026000012003456ID99\n", "2026-02-05"),
    ("A tale.\nLN20260205X01\n", "2026-02-05"),
    ("Publié le 5 février 2026\nUn conte.", "2026-02-05"),
    ("A tale\nPublished: 25/02/2026", "2026-02-25"),
    ("A tale\nPublished: 05/02/2026", None),
    ("The war that began on 4 March 2021 went on.", None),
    ("Published 4 March 2021, the report says that lamps glow.", None),
    ("# Harbour fire, September 11, 1951\nA tale.", None),
    ("On Wednesday, Feb. 4, lamps glowed.", None),
    ("A tale\nPublished: 30 February 2026", None),
    ("A tale\nPublished: 5 February 3026", None),
    ("A tale\n" + "It went on.\n" * 90 + "Published: 5 February 2026\n", "2026-02-05"),
    ("A tale\n" + "On.\n" * 90 + "Published: 5 Feb 2026\nPublished: 6 Feb 2026\n", None),
    ("A tale\nLampsong (released 4 March 2021)\nReleased 4 March 2021", None),
    ("Call LN12345678 now.\nLN99999999999\n", None),
]


@pytest.mark.parametrize(("raw", "day"), PUBLISHED)
def test_a_stamp_dates_an_article_and_prose_does_not(raw: str, day: str | None) -> None:
    expected = (date.fromisoformat(day), "stamp") if day else (None, None)
    assert publication(document(raw), raw) == expected


@pytest.mark.parametrize(
    ("value", "language", "day"),
    [
        ("2026-02-05", "", "2026-02-05"),
        ("2026-02-05T23:59:00+02:00", "", "2026-02-05"),
        ("20260205", "", "2026-02-05"),
        ("Thu, 05 Feb 2026 10:12:00 GMT", "", "2026-02-05"),
        ("Feb. 5, 2026", "", "2026-02-05"),
        ("05/02/2026", "", None),
        ("05/02/2026", "en", None),
        ("05/02/2026", "en-GB", "2026-02-05"),
        ("02/05/2026", "en-US", "2026-02-05"),
        ("5. Februar 2026", "de", "2026-02-05"),
        ("yesterday", "", None),
        ("1650-01-01", "", None),
        ("", "", None),
    ],
)
def test_metadata_is_read_in_any_plain_format(value: str, language: str, day: str | None) -> None:
    for format, where in (("md", "front matter"), ("html", "metadata")):
        found = publication(
            document("A tale.", format, published=value, language=language), "A tale."
        )
        assert found == ((date.fromisoformat(day), where) if day else (None, None))


def test_metadata_comes_before_a_stamp_and_front_matter_is_not_one() -> None:
    raw = "---\nupdated: 2026-02-09\n---\nA tale.\n"
    marked = Document("a.md", raw, "utf-8", "md", markup=(Span(0, 28),))
    assert publication(marked, raw) == (None, None)
    stamped = document("Published: 2026-02-05\n", published="2026-02-04")
    assert publication(stamped, "") == (date(2026, 2, 4), "front matter")


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("LAMPTON, Feb. 4, 2026 (Newswire) — Lamps glowed.", "2026-02-04"),
        ("New Lampton, 4 February 2026 – Lamps glowed.", "2026-02-04"),
        ("LAMPTON, Feb. 4, 2026 /Wire/ -- Lamps glowed.", "2026-02-04"),
        ("LAMPTON, Feb 4 — Lamps glowed.", None),
        ("LAMPTON, Feb 4 — Lamps glowed.\n© 2026 The Lamp", "2026-02-04"),
        ("Lamps, glowing on Feb. 4, 2026, went out.", None),
    ],
)
def test_a_dateline_needs_its_year(text: str, day: str | None) -> None:
    expected = (date.fromisoformat(day), "dateline") if day else (None, None)
    assert publication(document(text), text) == expected


@pytest.mark.parametrize(
    ("phrase", "first", "last"),
    [
        ("4 february", "2026-02-04", "2026-02-04"),
        ("Feb 2026", "2026-02-01", "2026-02-28"),
        ("2024", "2024-01-01", "2024-12-31"),
        ("may", "2026-05-01", "2026-05-31"),
        ("last week", "2026-01-26", "2026-02-01"),
        ("What happened on wednesday?", "2026-02-04", "2026-02-04"),
        ("before March", "0001-01-01", "2026-02-28"),
        ("until 6 March 2026", "0001-01-01", "2026-03-06"),
        ("by 6 March 2026", "0001-01-01", "2026-03-06"),
        ("after 6 March 2026", "2026-03-07", "9999-12-31"),
        ("since 2024", "2024-01-01", "9999-12-31"),
        ("between 3 May 2024 and 6 June 2024", "2024-05-03", "2024-06-06"),
        ("in the last 7 days", "2026-01-29", "2026-02-05"),
    ],
)
def test_the_words_of_a_question_limit_time(phrase: str, first: str, last: str) -> None:
    found = parse_day(phrase, THURSDAY)
    assert found == (date.fromisoformat(first), date.fromisoformat(last))


def test_a_question_without_time_limits_nothing() -> None:
    assert parse_day("who signed it", THURSDAY) is None
    assert parse_day("in recent years", THURSDAY) is None


@pytest.mark.parametrize(
    ("first", "last", "precision", "words", "written"),
    [
        ("2026-03-06", "2026-03-06", "day", "6 March 2026", "2026-03-06"),
        ("2026-02-02", "2026-02-08", "day", "2 to 8 February 2026", "2026-02-02"),
        ("2026-01-26", "2026-02-01", "day", "26 January to 1 February 2026", "2026-01-26"),
        ("2025-07-01", "2025-07-31", "month", "July 2025", "2025-07"),
        ("2026-03-01", "2026-05-31", "month", "March to May 2026", "2026-03"),
        ("2025-12-01", "2026-02-28", "month", "December 2025 to February 2026", "2025-12"),
        ("2025-07-01", "2025-09-30", "quarter", "the third quarter of 2025", "2025-07/2025-09"),
        ("2020-01-01", "2020-12-31", "year", "2020", "2020"),
        ("2016-01-01", "2020-12-31", "year", "2016 to 2020", "2016"),
        ("1990-01-01", "1999-12-31", "year", "the 1990s", "1990"),
    ],
)
def test_days_are_put_in_words_and_in_iso_form(
    first: str, last: str, precision: str, words: str, written: str
) -> None:
    assert describe(date.fromisoformat(first), date.fromisoformat(last), precision) == words
    assert iso(date.fromisoformat(first), precision) == written


@pytest.mark.parametrize(
    "line",
    [
        "will Friday ",
        "a ",
        "1-",
        "A, ",
        "next ",
        "2,",
        "A",
        "Published ",
        "within 5 days on Monday ",
    ],
)
def test_a_long_sentence_takes_linear_time(line: str) -> None:
    """What is not linear meets the test's time-out."""
    text = line * (1_000_000 // len(line))
    time_expressions(text, [Sentence(0, len(text))], THURSDAY)
    publication(document(text), text)
