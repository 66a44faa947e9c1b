"""From passages to sentences: how they are ranked, and which few are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sentences import evidence_of, hit_of, times_of

from assistant.finding.select import (
    AGAIN,
    OPENING_WORDS,
    WANTING,
    changed,
    choose,
    distinct_of,
    in_context,
    is_same,
    is_twin,
    select,
    with_opening,
)
from assistant.question.understand import understand
from assistant.schema import Evidence
from indexing.schema import TimeExpression


def no_times(source: str, start: int, end: int) -> Sequence[TimeExpression]:
    return ()


def evenly(word: str) -> float:
    return 0.5


class Scripted:
    """A reranker that scores a text by the first of its marks that the text holds, and remembers
    what it read."""

    name = "scripted"

    def __init__(self, marks: Mapping[str, float]) -> None:
        self.marks = marks
        self.read: list[str] = []

    def scores(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        self.read.extend(texts)
        scored = [next((s for m, s in self.marks.items() if m in text), -8.0) for text in texts]
        return np.array(scored, dtype=np.float32)


def test_sentences_are_ranked_by_the_reranker_and_point_into_their_passage() -> None:
    hits = [hit_of("The dam is old. The dam leaks badly."), hit_of("A dam was shut.", "b.txt")]
    reranker = Scripted({"shut": 4.0, "leaks": 2.0, "old": 0.0})
    found = select(understand("What about the dam?"), hits, reranker, no_times, evenly)
    assert [e.text for e in found] == ["A dam was shut.", "The dam leaks badly.", "The dam is old."]
    assert [e.logit for e in found] == [4.0, 2.0, 0.0]
    for e in found:
        passage = e.hit.passage
        start, end = e.sentence.start - passage.start, e.sentence.end - passage.start
        assert passage.text[start:end] == e.text


def test_without_a_reranker_the_order_of_the_hits_decides() -> None:
    hits = [hit_of("The dam is old.", "a.txt", fused=0.9), hit_of("The dam leaks.", "b.txt")]
    found = select(understand("the dam"), hits, None, no_times, evenly)
    assert [e.hit.passage.source for e in found] == ["a.txt", "b.txt"]


@pytest.mark.parametrize(
    ("question", "holding", "wanting"),
    [
        ("How much did the dam cost?", "The dam cost $3 million.", "The dam cost a great deal."),
        ("How many dams were shut?", "They shut nine dams.", "They shut these dams in silence."),
        (
            "When was the dam shut?",
            "The dam was shut on 4 May 2025.",
            "The dam was shut in silence.",
        ),
        ("How long was the dam shut?", "It was shut for two years.", "It was shut in silence."),
        ("Who shut the dam?", "The dam was shut by Ingrid Holm.", "The dam was shut by storms."),
    ],
)
def test_a_sentence_without_a_value_of_the_kind_asked_for_ranks_lower(
    question: str, holding: str, wanting: str
) -> None:
    hits = [hit_of(wanting, "a.txt"), hit_of(holding, "b.txt")]
    stated = {"b.txt": times_of(hits[1], 0), "a.txt": times_of(hits[0], 0)}
    found = select(
        understand(question), hits, Scripted({"": 1.0}), lambda s, a, b: stated[s], evenly
    )
    assert [e.text for e in found] == [holding, wanting]
    assert found[0].relevance - found[1].relevance >= WANTING / 2
    assert found[0].times == stated["b.txt"]


def test_no_more_sentences_are_read_than_allowed_those_with_the_words_first() -> None:
    text = " ".join(f"Ship number {n} passed the cape." for n in range(30))
    hits = [hit_of(text), hit_of("The dam is old.", "b.txt")]
    reranker = Scripted({})
    found = select(understand("How old is the dam?"), hits, reranker, no_times, evenly, 5)
    assert len(found) == 5
    assert len(reranker.read) == 5 + AGAIN
    assert "The dam is old." in {e.text for e in found}


def test_nothing_found_gives_nothing() -> None:
    assert select(understand("the dam"), [], Scripted({}), no_times, evenly) == []
    assert choose(understand("the dam"), [], 3) == []


def test_a_bullet_is_no_part_of_the_quote() -> None:
    (found,) = select(understand("the dam"), [hit_of("- The dam is old.")], None, no_times, evenly)
    assert found.text == "The dam is old."
    assert found.sentence.start == 2


def test_the_reranker_reads_the_headline_and_what_a_sentence_leans_on() -> None:
    hit = hit_of("The dam is old. It leaks.")
    assert in_context(hit, 0) == "A title. The dam is old."
    assert in_context(hit, 1) == "A title. The dam is old. It leaks."


LOST = understand("How many paintings did the museum lose?")


def test_a_copy_is_said_once() -> None:
    told = "The museum lost 25 paintings in the flood."
    evidence = [
        evidence_of(told, "a.txt", 3.0),
        evidence_of(told, "b.txt", 3.0, voice="a.txt"),
        evidence_of(told, "c.txt", 2.9, voice="a.txt"),
    ]
    assert distinct_of(evidence) == evidence[:1]
    assert choose(LOST, evidence, 3) == evidence[:1]


def test_a_sentence_that_says_the_same_is_not_shown_beside_it() -> None:
    evidence = [
        evidence_of("The museum lost 25 paintings in the flood.", "a.txt", 3.0),
        evidence_of("In the flood the museum lost 25 paintings.", "b.txt", 2.9),
    ]
    assert choose(LOST, evidence, 3) == evidence[:1]


@pytest.mark.parametrize(
    "other",
    [
        "The museum lost 31 paintings in the flood.",
        "The museum of Orly lost 25 paintings in the flood.",
    ],
)
def test_what_another_source_tells_otherwise_is_shown_too(other: str) -> None:
    evidence = [
        evidence_of("The museum of Tessel lost 25 paintings in the flood.", "a.txt", 6.0),
        evidence_of(other, "b.txt", 0.5),
    ]
    assert is_twin(*evidence)
    assert choose(LOST, evidence, 3) == evidence


def test_the_same_source_is_no_twin_of_itself() -> None:
    a = evidence_of("The museum lost 25 paintings in the flood.", "a.txt")
    b = evidence_of("The museum lost 31 paintings in the flood.", "a.txt")
    assert not is_twin(a, b)


def test_one_clear_answer_is_shown_alone_and_what_is_far_behind_never() -> None:
    evidence = [
        evidence_of("The museum lost 25 paintings.", "a.txt", 6.0),
        evidence_of("Rain is forecast for the weekend.", "b.txt", 1.6),
        evidence_of("Trams run late.", "c.txt", -4.0),
    ]
    assert choose(LOST, evidence, 3) == evidence[:1]
    assert choose(understand("Compare the articles on rain"), evidence, 3) == evidence[:2]


def test_sentences_that_answer_alike_well_are_shown_together() -> None:
    evidence = [
        evidence_of(text, f"{n}.txt", 2.0)
        for n, text in enumerate(
            ["Roads were closed.", "Trams ran late.", "Schools stayed shut.", "Ferries sailed."]
        )
    ]
    shown = choose(understand("What did the storm do?"), evidence, 3)
    assert shown == evidence[:3]


def test_a_comparison_hears_every_voice() -> None:
    first = "Wages rose in spring. Wages of nurses rose most. Wages of cooks fell."
    evidence = [
        evidence_of(first, "a.txt", 3.0, n=0),
        evidence_of(first, "a.txt", 2.9, n=1),
        evidence_of(first, "a.txt", 2.8, n=2),
        evidence_of("Wages have stagnated, unions say.", "b.txt", 1.0),
        evidence_of("Pay is behind prices.", "c.txt", 0.9),
    ]
    shown = choose(understand("Compare what the articles say about wages"), evidence, 3)
    assert {e.hit.info.voice for e in shown} == {"a.txt", "b.txt", "c.txt"}


SENTENCES = st.sampled_from(
    [
        "The museum lost 25 paintings in the flood.",
        "The museum lost 31 paintings in the flood.",
        "The gallery of Tessel lost paintings.",
        "It reopened on 4 May 2026.",
        "Otto Brandt said that $3 million would be needed.",
        "Nothing else is known.",
        "Trams ran late. Ferries did not.",
    ]
)

EVIDENCE = st.lists(
    st.builds(
        evidence_of,
        SENTENCES,
        st.sampled_from(["a.txt", "b.txt", "c.txt"]),
        st.floats(-12, 14),
        st.sampled_from([None, "a.txt"]),
    ),
    max_size=8,
)

QUESTIONS = st.sampled_from(
    [
        "How many paintings were lost?",
        "Compare the articles on the flood",
        "Who said so?",
        "When did it reopen?",
        "What are the losses?",
        "the flood",
    ]
)


@given(QUESTIONS, EVIDENCE, st.integers(1, 5))
def test_what_is_shown_is_of_what_was_found_each_once_and_no_more_than_asked(
    question: str, evidence: list[Evidence], most: int
) -> None:
    evidence = sorted(evidence, key=lambda e: -e.relevance)
    shown = choose(understand(question), evidence, most)
    assert len(shown) <= most
    assert bool(shown) == bool(evidence)
    assert all(any(e is f for f in evidence) for e in shown)
    assert len({id(e) for e in shown}) == len(shown)
    for n, e in enumerate(shown):
        assert not any(is_same(e.text, f.text) for f in shown[:n])
    assert shown[:1] == evidence[:1]


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("The port opened on Monday.", "On Monday the port opened.", True),
        ("The port opened.", "The port opened, and ships came at once from the north.", True),
        ("The port opened on Monday.", "The port opened on Friday.", False),
        ("The dam holds 1,200 tonnes of water.", "The dam holds 1,300 tonnes of water.", False),
        ("Holm won the vote.", "Brandt won the vote.", False),
        ("The port opened.", "Ships came from the north.", False),
    ],
)
def test_the_same_words_are_the_same_but_for_a_name_or_number(a: str, b: str, same: bool) -> None:
    assert is_same(a, b) is same
    assert is_same(b, a) is same


@pytest.mark.parametrize(
    ("a", "b", "is_changed"),
    [
        ("It cost $3 million.", "It cost $4 million.", True),
        ("It opened in Tessel.", "It opened in Harland.", True),
        ("It opened in 2024.", "It opened in Tallinn in 2024.", False),
        ("The dam is old.", "The dam is new.", False),
    ],
)
def test_a_change_is_a_name_or_number_on_either_side(a: str, b: str, is_changed: bool) -> None:
    assert changed(a, b) is is_changed
    assert changed(b, a) is is_changed


@pytest.mark.parametrize(
    ("before", "text"),
    [
        ("The dam of Orly was built in 1961.", "It leaks."),
        ("Tessel and Harland signed a pact.", "The deal ends in May."),
        ("Ingrid Holm runs the port.", "But she resigned."),
        ("• Tessel signed.", "The treaty is binding."),
    ],
)
def test_a_sentence_that_leans_on_the_one_before_brings_it(before: str, text: str) -> None:
    e = evidence_of(f"Rain fell. {before} {text} Trams ran.", n=2)
    assert e.text == text
    place, quoted = with_opening(e)
    assert quoted == f"{before.removeprefix('• ')} {text}"
    assert e.hit.passage.text[place.start : place.end] == quoted


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("It leaks. The dam is old.", 0),  # nothing stands before it
        ("Rain fell. Ferries sailed.", 1),  # it leans on nothing
        ("Rain fell.\n\nIt leaks.", 1),  # another paragraph
        (f"Rain fell {'and fell ' * OPENING_WORDS}. It leaks.", 1),  # too long together
    ],
)
def test_a_sentence_that_needs_no_opening_is_quoted_alone(text: str, n: int) -> None:
    e = evidence_of(text, n=n)
    assert with_opening(e) == (e.sentence, e.text)


@given(
    st.lists(
        SENTENCES | st.sampled_from(["- It leaks.", "• This ends.", "He won.\n"]),
        min_size=1,
        max_size=6,
    ),
    st.data(),
)
def test_what_is_quoted_stands_in_the_passage(told: list[str], data: st.DataObject) -> None:
    text = " ".join(told)
    n = data.draw(st.integers(0, len(hit_of(text).passage.sentences) - 1))
    e = evidence_of(text, n=n)
    place, quoted = with_opening(e)
    assert e.hit.passage.text[place.start : place.end] == quoted
    assert quoted.endswith(e.text)
