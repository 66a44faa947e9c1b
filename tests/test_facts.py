"""The questions with known facts, and how `eval.facts` scores their answers."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from conftest import ARTICLES

from assistant.schema import Answer, AnswerDate, Citation, Status
from eval import facts
from eval.facts import Case, Score

KINDS = {
    *("deadline", "date", "duration", "amount", "count", "share", "person", "body", "place"),
    *("law", "reason", "yes/no", "list", "comparison", "agreement", "source-limit", "time-limit"),
    *("follow-up", "two-in-one", "topic"),
}
UNANSWERABLE = {"near-miss", "false-premise", "unreported", "off-topic"}
CASES = facts.load(facts.SET)

TEXTS = {"a.txt": "The plan is due within 30 days. Work starts in May."}
CASE = Case(
    id="x1",
    split="test",
    kind="deadline",
    question="When is the plan due?",
    answerable=True,
    facts=(("30 days", "thirty days"), ("plan",)),
    date="2026-03-06",
    evidence=(("a.txt", 0, 31),),
)
CITATION = Citation(1, "a.txt", "", None, None, TEXTS["a.txt"][:31], 0, 31, None)
DATE = AnswerDate("within 30 days", None, "2026-03-06", "", 1, (1,))
ANSWER = Answer(
    question=CASE.question,
    status=Status.ANSWERED,
    engine="quotes",
    confidence=0.9,
    text="The **plan** is due within **30** days [1], by 6 March 2026 [1].",
    citations=(CITATION,),
    dates=(DATE,),
)


def scored(case: Case = CASE, **changes: object) -> Score:
    return facts.score(case, replace(ANSWER, **changes), TEXTS)  # type: ignore[arg-type]


def test_a_complete_answer_is_right() -> None:
    one = scored()
    assert one.is_right
    assert one.text == "The plan is due within 30 days, by 6 March 2026."
    assert (one.missing, one.dated, one.citations, one.exact, one.hit) == ((), True, 1, 1, True)
    assert "right" in facts.shown(one)


def test_every_fact_must_be_there_as_whole_words() -> None:
    one = scored(text="It is due within 130 days, by 6 March 2026: the planned day.")
    assert one.missing == CASE.facts
    assert not one.is_right
    assert "missing 30 days | thirty days" in facts.shown(one)


@pytest.mark.parametrize(
    ("text", "wording"),
    [
        ("signed by the U.S. and Mexico", "the US"),
        ("about 90% of it", "90 percent"),
        ("Act (H.R. 4090)", "HR 4090"),
        ("a 60-day plan", "60 day"),
        ("China’s mines", "China's"),
    ],
)
def test_a_wording_is_found_whatever_its_punctuation(text: str, wording: str) -> None:
    assert facts.holds(text, wording)


@pytest.mark.parametrize(
    ("given", "text", "right"),
    [
        ("2026-03-06", "By 6 March 2026.", True),
        ("2026-03", "By 6 March 2026.", True),
        ("2026-03-07", "By 6 March 2026.", False),
        ("2026-03-06", "By 16 March 2026.", False),
        ("2026-03-06", "Within 30 days.", False),
    ],
)
def test_a_calendar_date_must_be_given_and_written(given: str, text: str, right: bool) -> None:
    one = scored(dates=(replace(DATE, date=given),), text=text)
    assert one.dated is right
    assert ("no date" in facts.shown(one)) is not right


def test_a_month_need_not_be_written_and_no_date_need_not_be_right() -> None:
    month = replace(CASE, date="2025-07")
    assert scored(month, dates=(replace(DATE, date="2025-07-31"),), text="Last July.").dated
    assert scored(month, dates=()).dated is False
    assert scored(replace(CASE, date=None), dates=()).dated is None


def test_a_quote_must_be_the_characters_of_its_file() -> None:
    moved = replace(CITATION, start=1, end=32)
    elsewhere = replace(CITATION, source="b.txt")
    for wrong in (moved, elsewhere):
        one = scored(citations=(CITATION, wrong))
        assert (one.citations, one.exact, one.is_right) == (2, 1, False)
        assert "1 inexact" in facts.shown(one)


def test_evidence_is_hit_by_a_citation_that_overlaps_it() -> None:
    assert not scored(citations=(replace(CITATION, start=31, end=51),)).hit
    assert scored(citations=(replace(CITATION, start=30, end=51),)).hit
    assert not scored(citations=(replace(CITATION, source="b.txt"),)).hit


def test_a_report_counts_refusals_and_false_answers() -> None:
    other = Case("x2", "test", "off-topic", "What is the score?", False)
    refused = {"status": Status.NOT_IN_CORPUS, "text": "No.", "citations": (), "dates": ()}
    assert scored(other, **refused).is_right
    assert not scored(other).is_right
    assert not scored(**refused).is_right
    many = (CITATION,) * 4
    lines = facts.report(
        [
            scored(),
            scored(citations=many),
            scored(replace(CASE, kind="list"), citations=many),
            scored(**refused),
            scored(other),
        ]
    ).splitlines()
    fields = {line.split()[0]: line.split()[1:] for line in lines[1:]}
    assert fields["deadline"] == ["3", "2/3", "2/3", "5/5", "1/2", "2/3", "-", "1/3", "11"]
    assert fields["list"] == ["1", "1/1", "1/1", "4/4", "-", "1/1", "-", "0/1", "11"]
    assert fields["off-topic"] == ["1", "-", "-", "1/1", "1/1", "-", "1/1", "-", "11"]
    assert fields["all"][0] == "5"


def test_the_set_is_well_formed() -> None:
    assert len({case.id for case in CASES}) == len(CASES)
    assert len({case.question.casefold() for case in CASES}) == len(CASES)
    assert 3 * sum(not case.answerable for case in CASES) >= len(CASES)
    for case in CASES:
        assert case.split in ("test", "dev"), case.id
        assert case.kind in (KINDS if case.answerable else UNANSWERABLE), case.id
        assert case.question.strip() == case.question != "", case.id
        assert bool(case.facts) is bool(case.evidence) is case.answerable, case.id
        assert all(case.facts), case.id
        for fact in case.facts:
            assert all(0 < len(facts.normal(w).split()) <= 8 for w in fact), case.id
        if case.date:
            assert case.answerable, case.id
            assert facts.written(case.date), case.id


def test_every_fact_of_the_set_stands_in_its_evidence() -> None:
    if not ARTICLES.exists():
        return
    articles = {p.name: p.read_bytes().decode("utf-8") for p in ARTICLES.glob("*.txt")}
    for case in CASES:
        for file, start, end in case.evidence:
            assert 0 <= start < end <= len(articles[file]), case.id
            assert articles[file][start:end].strip() == articles[file][start:end], case.id
        said = " / ".join(articles[file][start:end] for file, start, end in case.evidence)
        for fact in case.facts:
            assert any(facts.holds(said, wording) for wording in fact), (case.id, fact)
            for wording in fact:
                calendar = re.fullmatch(r"(\d{1,2} )?([A-Z][a-z]+ )?\d{4}", wording)
                assert calendar or facts.holds(said, wording), (case.id, wording)
