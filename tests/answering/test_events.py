"""What happened on a day, asked of a small index."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any

import pytest
from repository import write_files

from assistant.answering.events import asked_time, happened
from assistant.checking.quotes import QuoteVerifier
from assistant.schema import Answer, Status
from assistant.settings import Settings
from indexing.schema import Filters
from indexing.store.catalog import Catalog
from indexing.sync import sync

ARTICLES = {
    "port.md": """---
title: A port reopens
date: 2026-02-05
---

The port of Harland reopened on 4 February 2026 after a storm.
Tariffs on herring stayed in place.
Crews had cleared the harbour on Tuesday.
""",
    "vote.md": """---
title: Tessel votes
date: 2026-02-06
---

Tessel elected a new mayor on Wednesday.
The count of votes ended yesterday.

- The museum closed on 9 January 2026.
""",
    "wire.md": """---
title: Port open again
date: 2026-02-05
---

The port of Harland reopened on February 4, 2026 after a storm.
""",
}
Ask = Callable[..., Any]
WINTER = date(2026, 2, 10)
NOVEMBER = date(2026, 11, 22)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("events")
    settings = replace(Settings(), corpus=folder / "corpus", index=folder / "index")
    write_files(settings.corpus, ARTICLES)
    sync(settings.corpus, settings)
    return settings


@pytest.fixture(scope="module")
def catalog(index: Settings) -> Iterator[Catalog]:
    opened = Catalog(index.index)
    yield opened
    opened.close()


@pytest.fixture
def ask(index: Settings, catalog: Catalog) -> Iterator[Ask]:
    verifier = QuoteVerifier()
    with catalog.view() as view:

        def asked(
            question: str, as_of: date = WINTER, most: int = 3, filters: Filters | None = None
        ) -> Answer | None:
            holds = partial(verifier.holds, view)
            return happened(question, view, as_of, most, holds, filters or Filters())

        yield asked


def quotes(answer: Answer) -> set[str]:
    assert answer.status is Status.ANSWERED
    for c in answer.citations:
        assert ARTICLES[c.source][c.start : c.end] == c.quote
    numbers = {int(n) for n in re.findall(r"\[(\d+)\]", answer.text)}
    assert numbers == {c.number for c in answer.citations}
    return {c.quote for c in answer.citations}


@pytest.mark.parametrize("as_of", [WINTER, NOVEMBER])
@pytest.mark.parametrize(
    "question", ["what happened on 4 February?", "What happened on 4 Feb 2026"]
)
def test_a_day_is_answered_with_what_lies_on_it(ask: Ask, question: str, as_of: date) -> None:
    answer = ask(question, as_of)
    # The wire says the same as the port's article in other words: it is said once.
    said = quotes(answer)
    assert len(said) == 2
    assert "Tessel elected a new mayor on Wednesday." in said
    lead = answer.text.split("\n")[0]
    assert lead.startswith("**4 February 2026**")
    assert lead.endswith(": [1][2]")


def test_a_month_and_a_year_are_days_too_and_a_bullet_is_not_quoted(ask: Ask) -> None:
    assert quotes(ask("What happened in January 2026?")) == {"The museum closed on 9 January 2026."}
    assert len(quotes(ask("What happened in 2026?"))) == 3
    assert len(quotes(ask("What happened in 2026?", most=2))) == 2
    assert len(quotes(ask("What happened in 2026?", most=9))) == 5


@pytest.mark.parametrize(
    ("question", "day", "quote"),
    [
        ("what happened on Tuesday?", "3 February 2026", "Crews had cleared the harbour on Tuesday."),
        ("What happened yesterday?", "5 February 2026", "The count of votes ended yesterday."),
    ],
)  # fmt: skip
def test_a_weekday_without_news_is_counted_from_the_newest_article(
    ask: Ask, question: str, day: str, quote: str
) -> None:
    answer = ask(question, NOVEMBER)
    assert answer.text.startswith(f"**{day}** (“")
    assert "counted from the newest article" in answer.text
    assert quotes(answer) == {quote}


def test_a_day_that_has_news_is_counted_from_today(ask: Ask) -> None:
    answer = ask("what happened yesterday?", date(2026, 2, 5))
    assert answer.text.startswith("**4 February 2026**: ")
    assert "counted from" not in answer.text


@pytest.mark.parametrize(
    ("question", "day"),
    [
        ("what happened on 12 March 2025?", "12 March 2025"),
        ("What happened on Monday?", "16 November 2026"),
        ("what happened before 2026?", "the time until 31 December 2025"),
    ],
)
def test_a_day_that_nothing_speaks_of_is_refused_with_the_newest_day(
    ask: Ask, question: str, day: str
) -> None:
    answer = ask(question, NOVEMBER)
    assert answer.status is Status.NOT_IN_CORPUS
    assert not answer.citations
    assert answer.text == (
        f"The articles do not say: none of them speaks of {day};"
        " the newest article is of 6 February 2026."
    )


def test_filters_limit_what_is_told_and_what_is_newest(ask: Ask) -> None:
    only = Filters(source="port.md")
    assert quotes(ask("what happened on 4 February?", filters=only)) == {
        "The port of Harland reopened on 4 February 2026 after a storm."
    }
    assert "5 February 2026" in ask("what happened on 12 March 2025?", filters=only).text


@pytest.mark.parametrize(
    "question",
    [
        "what happened with tariffs on 4 February",
        "what happened to the port on 4 February?",
        "what happened?",
        "When did the port reopen?",
        "Who was elected on 4 February?",
        "4 February",
    ],
)
def test_a_question_on_something_is_none_on_a_day(ask: Ask, question: str) -> None:
    assert ask(question) is None
    assert asked_time(question, WINTER) is None


@pytest.mark.parametrize(
    ("question", "first", "last"),
    [
        ("what happened on 4 february?", date(2026, 2, 4), date(2026, 2, 4)),
        ("What's planned in March 2026?", date(2026, 3, 1), date(2026, 3, 31)),
        ("tell me what was announced last week", date(2026, 2, 2), date(2026, 2, 8)),
        ("And what else happened in 2025?", date(2025, 1, 1), date(2025, 12, 31)),
        ("What has happened since 4 February 2026?", date(2026, 2, 4), date.max),
    ],
)
def test_the_time_is_read_from_the_question(question: str, first: date, last: date) -> None:
    found = asked_time(question, WINTER)
    assert found is not None
    assert found[:2] == (first, last)
