"""The whole road of a question, on a real index of our briefs and of small folders."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from repository import write_files

from assistant.schema import Answer, Claim, Status
from assistant.service import Assistant, open_assistant
from assistant.settings import Settings
from indexing.errors import CorpusError, SettingsError
from indexing.schema import Filters
from indexing.sync import sync

AS_OF = date(2026, 11, 22)


@pytest.fixture(scope="module")
def assistant(briefs: Settings) -> Iterator[Assistant]:
    opened = open_assistant(briefs)
    yield opened
    opened.close()


def numbers_in(text: str) -> set[int]:
    return {int(n) for n in re.findall(r"\[(\d+)\]", text)}


def test_the_deadline_is_a_calendar_date_with_its_rule_and_whether_it_has_passed(
    assistant: Assistant,
) -> None:
    answer = assistant.ask("What is the MOU deadline?", as_of=AS_OF)
    assert answer.status is Status.ANSWERED
    assert "**By 6 March 2026**" in answer.text
    assert "passed 261 days ago" in answer.text
    deadline = next(d for d in answer.dates if d.date == "2026-03-06")
    assert deadline.anchor == date(2026, 2, 4)
    assert deadline.days_from_as_of == -261
    assert any("within 30 days" in c.quote for c in answer.citations)


def test_a_deadline_still_ahead_says_how_far(assistant: Assistant) -> None:
    answer = assistant.ask("What is the MOU deadline?", as_of=date(2026, 3, 1))
    assert "in 5 days" in answer.text


@pytest.mark.parametrize(
    "question",
    [
        "What is the MOU deadline?",
        "Who is the US Trade Representative?",
        "How big is the critical mineral reserve?",
        "price floors",
        "What share of processing does China control?",
    ],
)
def test_marks_and_citations_match_and_every_quote_is_exact(
    assistant: Assistant, briefs: Settings, question: str
) -> None:
    answer = assistant.ask(question, as_of=AS_OF)
    assert answer.status is Status.ANSWERED
    assert numbers_in(answer.text) == {c.number for c in answer.citations}
    assert [c.number for c in answer.citations] == list(range(1, len(answer.citations) + 1))
    assert all(claim.citations for claim in answer.claims)
    for citation in (*answer.citations, *answer.closest):
        raw = (briefs.corpus / citation.source).read_bytes().decode("utf-8")
        assert raw[citation.start : citation.end] == citation.quote


@pytest.mark.parametrize(
    "question",
    ["Who won the football cup?", "What is the boiling point of tungsten?", "xyzzy plugh"],
)
def test_what_is_not_in_the_corpus_is_said_not_to_be(assistant: Assistant, question: str) -> None:
    answer = assistant.ask(question, as_of=AS_OF)
    assert answer.status is Status.NOT_IN_CORPUS
    assert not answer.citations
    assert not numbers_in(answer.text)
    assert 0 <= answer.confidence <= 1


def test_streaming_gives_the_claims_and_then_the_same_answer(assistant: Assistant) -> None:
    *claims, last = assistant.stream("How big is the critical mineral reserve?", as_of=AS_OF)
    whole = assistant.ask("How big is the critical mineral reserve?", as_of=AS_OF)
    assert isinstance(last, Answer)
    assert all(isinstance(claim, Claim) for claim in claims)
    assert (tuple(claims), last.text) == (whole.claims, whole.text)


def test_filters_limit_what_is_searched_and_cited(assistant: Assistant) -> None:
    glob = Filters(source="nam-*")
    answer = assistant.ask("What share of processing does China control?", filters=glob)
    assert {c.source for c in (*answer.citations, *answer.closest)} == {
        "nam-partners-and-congress.md"
    }
    dated = assistant.search("Mexico action plan", 20, Filters(since=date(2026, 2, 5)))
    assert dated
    assert all(h.info.published and h.info.published >= date(2026, 2, 5) for h in dated)


def test_an_empty_question_and_an_unknown_engine_are_refused(
    assistant: Assistant, briefs: Settings
) -> None:
    for empty in ("", "  \n"):
        with pytest.raises(SettingsError, match="empty"):
            assistant.ask(empty)
    with pytest.raises(SettingsError, match="DATELINE_ENGINE"):
        open_assistant(replace(briefs, engine="oracle"))
    with pytest.raises(CorpusError, match="nowhere"):
        assistant.source_text("nowhere.md")


def test_starters_are_questions_about_the_articles(assistant: Assistant) -> None:
    starters = assistant.starters()
    assert 1 <= len(starters) <= 4
    for starter in starters:
        assert assistant.ask(starter).status is Status.ANSWERED


def test_a_quote_whose_file_has_changed_is_not_given(
    settings: Settings, opened: Callable[[], Assistant]
) -> None:
    told = "The lighthouse keeper of Skagen is Ingrid Holm."
    write_files(settings.corpus, {"a.txt": told, "b.txt": "Ferries leave Skagen at nine."})
    sync(settings.corpus, settings)
    question = "Who is the lighthouse keeper of Skagen?"
    assert opened().ask(question).citations[0].quote == told
    (settings.corpus / "a.txt").write_text("The keeper has left.")
    changed = opened().ask(question)
    assert all(c.source != "a.txt" for c in (*changed.citations, *changed.closest))
    (settings.corpus / "a.txt").write_text(told + " She took over in May.")
    assert opened().ask(question).citations[0].quote == told
    (settings.corpus / "a.txt").unlink()
    gone = opened().ask(question)
    assert all(c.source != "a.txt" for c in (*gone.citations, *gone.closest))


def test_an_index_answers_without_its_corpus(
    settings: Settings, opened: Callable[[], Assistant], tmp_path: Path
) -> None:
    write_files(settings.corpus, {"a.txt": "The lighthouse keeper of Skagen is Ingrid Holm."})
    sync(settings.corpus, settings)
    settings.corpus.rename(tmp_path / "elsewhere")
    assert opened().ask("Who is the lighthouse keeper of Skagen?").citations


def test_the_retriever_is_a_langchain_retriever(assistant: Assistant) -> None:
    from langchain_core.retrievers import BaseRetriever

    retriever = assistant.as_retriever(k=3)
    assert isinstance(retriever, BaseRetriever)
    documents = retriever.invoke("price floors")
    assert len(documents) == 3
    for document in documents:
        text = assistant.source_text(document.metadata["source"])
        start, end = document.metadata["start"], document.metadata["end"]
        assert text[start:end] == document.page_content


def test_copies_are_quoted_once(settings: Settings, opened: Callable[[], Assistant]) -> None:
    wire = "The lighthouse keeper of Skagen is Ingrid Holm. " + " ".join(
        f"Ship {n} passed the cape in calm weather." for n in range(20)
    )
    write_files(settings.corpus, {f"copy{n}.txt": wire for n in range(5)})
    sync(settings.corpus, settings)
    answer = opened().ask("Who is the lighthouse keeper of Skagen?")
    assert [c.quote for c in answer.citations].count(answer.citations[0].quote) == 1
