"""Where sources agree and where they differ."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from fakes import evidence
from sentences import evidence_of

from assistant.answering.agree import (
    agreement,
    backing,
    difference,
    differences,
    differing,
    hedge,
)
from assistant.question.understand import understand
from assistant.schema import Claim, Evidence

FIRST = date(2026, 3, 2)


def told(*sentences: str) -> list[Evidence]:
    """Each sentence by a source of its own, a day after the one before, all good answers."""
    return [
        evidence_of(text, f"{n}.txt", 5.0 - n / 10, published=FIRST + timedelta(days=n))
        for n, text in enumerate(sentences)
    ]


def grouped(question: str, *sentences: str) -> list[tuple[str, tuple[int, ...]]]:
    found = agreement(understand(question), told(*sentences))
    return [(value.value, value.citations) for value in found]


def remark(question: str, evidence: list[Evidence]) -> Claim | None:
    numbers = {id(e): n for n, e in enumerate(evidence, 1)}
    return differing(understand(question), evidence, numbers)


@pytest.mark.parametrize(
    ("question", "one", "two"),
    [
        ("How much did it cost?", "The dam cost $12B.", "Some $12 billion was spent."),
        ("How much did it cost?", "The dam cost €3m.", "Some €3 million was spent."),
        ("How many people died?", "Nine people died.", "In all 9 people died."),
        ("How many people died?", "Some 1,200 people died.", "In all 1200 people died."),
        ("What share voted?", "Some 90% voted.", "Turnout was 90 percent."),
        ("When did it open?", "It opened on 4 May 2025.", "Since 4 May 2025 it has been open."),
    ],
)
def test_one_value_written_in_two_ways_is_agreed_on(question: str, one: str, two: str) -> None:
    evidence = told(one, two)
    (value,) = agreement(understand(question), evidence)
    assert value.citations == (1, 2)
    assert value.value in one
    assert remark(question, evidence) is None


@pytest.mark.parametrize(
    ("question", "one", "two", "values"),
    [
        (
            "When is the filing due?",
            "Filing is due within 30 days.",
            "Filing is due within a month.",
            ["within a month", "within 30 days"],
        ),
        ("What share voted?", "Some 90% voted.", "Some 60% voted.", ["60%", "90%"]),
        ("How much was it?", "It was $12 billion.", "It was €12 billion.", ["€12 billion", "$12 billion"]),
        ("Who won the vote in Tessel?", "Holm won the vote in Tessel.", "Brandt won the vote in Tessel.", ["Brandt", "Holm"]),
    ],
)  # fmt: skip
def test_values_that_differ_are_both_said_the_newest_first(
    question: str, one: str, two: str, values: list[str]
) -> None:
    assert grouped(question, one, two) == [(values[0], (2,)), (values[1], (1,))]
    claim = remark(question, told(one, two))
    assert claim is not None
    assert claim.text == (
        f"The sources differ: **{values[0]}** (3 March 2026) [2]; **{values[1]}** (2 March 2026) [1]"
    )
    assert claim.citations == (2, 1)


def test_of_three_sources_those_that_agree_stand_together() -> None:
    assert grouped(
        "What share voted?", "Some 90% voted.", "Some 60% voted.", "Turnout was 90 percent."
    ) == [("90%", (1, 3)), ("60%", (2,))]


def test_one_voice_does_not_differ_from_itself() -> None:
    one, two = "Some 90% voted in Tessel.", "Some 60% voted in Harland."
    copies = [
        evidence_of(one, "a.txt", 5.0, voice="a.txt"),
        evidence_of(two, "b.txt", 5.0, voice="a.txt"),
    ]
    assert remark("What share voted?", copies) is None
    assert remark("What share voted?", told(one)) is None
    assert remark("What share voted?", []) is None
    assert agreement(understand("What share voted?"), []) == ()


def test_a_poor_answer_does_not_contradict_a_good_one() -> None:
    evidence = [
        evidence_of("Some 90% voted.", "a.txt", 6.0),
        evidence_of("Prices rose 4% in May.", "b.txt", 1.0),
    ]
    assert remark("What share voted?", evidence) is None


def test_a_source_without_a_day_comes_last_and_gives_none() -> None:
    evidence = [
        evidence_of("Some 90% voted.", "a.txt", 5.0, published=None),
        evidence_of("Some 60% voted.", "b.txt", 5.0, published=FIRST),
    ]
    claim = remark("What share voted?", evidence)
    assert claim is not None
    assert claim.text == "The sources differ: **60%** (2 March 2026) [2]; **90%** [1]"


def test_backing_is_another_voice_with_the_same_value() -> None:
    question = understand("What share voted?")
    first = evidence_of("Some 90% voted.", "a.txt", 5.0)
    evidence = [
        first,
        evidence_of("A share of 90 percent voted.", "b.txt", 4.5, voice="a.txt"),
        evidence_of("Some 60% voted.", "c.txt", 4.0),
        evidence_of("Turnout was 90 percent.", "d.txt", 3.5),
        evidence_of("Nine in ten, or 90%, voted.", "e.txt", 3.0),
        evidence_of("The vote drew 90%.", "f.txt", -4.0),
    ]
    found = backing(question, [first], evidence, 5)
    assert [e.hit.passage.source for e in found] == ["d.txt", "e.txt"]
    assert backing(question, [first], evidence, 1) == found[:1]
    assert backing(question, [first], evidence, 0) == []
    assert backing(question, [], evidence, 3) == []
    assert backing(understand("Why did they vote?"), [first], evidence, 3) == []


@pytest.mark.parametrize(
    ("a", "b", "pair"),
    [
        ("The museum lost 25 paintings.", "The museum lost 31 paintings.", ("25", "31")),
        ("Holm won the vote.", "Brandt won the vote.", ("Holm", "Brandt")),
        ("It cost $3.5 million.", "It cost $4 million.", ("$3.5", "$4")),
        ("Some 62% voted.", "Some 58% voted.", ("62%", "58%")),
        ("It holds 1,200 tonnes.", "It holds 1,300 tonnes.", ("1,200", "1,300")),
        ("Ingrid Holm won.", "Otto Brandt won.", ("Ingrid Holm", "Otto Brandt")),
        ("It closed in 2024.", "It closed in Tallinn in 2024.", None),
        ("The dam is old.", "The dam is new.", None),
        ("The dam is old.", "The dam is old.", None),
    ],
)
def test_the_difference_of_two_like_sentences_is_the_words_changed(
    a: str, b: str, pair: tuple[str, str] | None
) -> None:
    assert difference(a, b) == pair
    assert difference(b, a) == (pair and pair[::-1])


def test_differences_pair_the_citations_of_two_articles() -> None:
    cited = told(
        "The museum lost paintings to Holm in May.",
        "Trams ran late.",
        "The museum lost paintings to Brandt in May.",
    )
    assert differences(cited) == [(1, 3, ("Holm", "Brandt"))]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("More than 1,200 people died.", "more than "),
        ("Just over 1,200 people died.", "just over "),
        ("In all, 1,200 people died.", ""),
        ("Officials said over lunch that 1,200 people died.", ""),
    ],
)
def test_how_exact_a_value_is_its_own_sentence_says(text: str, said: str) -> None:
    question = understand("How many people died?")
    assert hedge(question, evidence(text)) == said
