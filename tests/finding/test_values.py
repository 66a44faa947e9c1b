"""Values of the kind a question asks for, found in a sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentences import evidence_of

from assistant.finding.values import value_of, values
from assistant.question.understand import understand


def texts(question: str, sentence: str, around: str = "") -> list[str]:
    return [value.text for value in values(understand(question), sentence, around)]


@pytest.mark.parametrize(
    ("question", "sentence", "first"),
    [
        ("How much was the fund?", "The fund of $3.5 billion was opened.", "$3.5 billion"),
        ("How much did it cost?", "It cost forty million euros to build.", "forty million euros"),
        ("What share voted?", "Some 62.5% voted, fewer than before.", "62.5%"),
        ("What share is idle?", "About a third of the fleet is idle.", "a third"),
        ("How many ferries sailed?", "In 2024, 17 new ferries sailed with 9 crews.", "17"),
        ("How many crews?", "In 2024, 17 new ferries sailed with nine crews.", "nine"),
        ("Who wrote the report?", "The report was written by Prof. Ada Quill.", "Ada Quill"),
        ("Where was it signed?", "The pact was signed in Tallinn on Monday.", "Tallinn"),
    ],
)
def test_the_value_asked_for_comes_first(question: str, sentence: str, first: str) -> None:
    assert texts(question, sentence)[0] == first


def test_a_year_a_day_and_a_label_count_nothing() -> None:
    assert texts("How many ships?", "On May 4 2024 the 60-day lease of ships began.") == []


def test_a_word_that_the_text_also_writes_small_is_no_name() -> None:
    sentence = "Rare Metals were shown to Ada Quill."
    assert texts("Who saw them?", sentence, "rare metals are rare. " + sentence) == ["Ada Quill"]


def test_a_name_the_question_says_itself_does_not_answer_it() -> None:
    assert texts("Who hired Ada Quill?", "Ada Quill was hired by Bo Lund.") == ["Bo Lund"]


@pytest.mark.parametrize(
    ("a", "b"), [("$12B", "$12 billion"), ("12 billion dollars", "$12bn"), ("€3m", "€3 million")]
)
def test_the_same_amount_written_otherwise_is_the_same_value(a: str, b: str) -> None:
    question = understand("How much?")
    (first,), (second,) = (values(question, f"It cost {text} then.") for text in (a, b))
    assert first.meaning == second.meaning


@given(
    st.sampled_from(["How much?", "How many ships?", "What share?", "Who won?", "Where was it?"]),
    st.text(max_size=200),
)
def test_a_value_stands_where_it_says(question: str, sentence: str) -> None:
    for value in values(understand(question), sentence, sentence):
        assert sentence[value.start : value.end] == value.text
        assert value.text


def test_whoever_is_asked_after_by_name_is_not_answered_with_a_name() -> None:
    sentence = "Norway's Trade Minister, Ada Quill, came with Tom Reed."
    assert texts("Who is Ada Quill?", sentence) == []
    assert texts("Who came with Ada Quill?", sentence) != []


@pytest.mark.parametrize(
    ("question", "meaning", "text"),
    [
        ("How much was spent?", "12000000000 usd", "$12B"),
        ("When was it spent?", "2025-05-04/2025-05-04", "4 May 2025"),
        ("Who spent it?", "otto brandt", "Otto Brandt"),
    ],
)
def test_a_sentence_states_one_value_for_a_question(question: str, meaning: str, text: str) -> None:
    e = evidence_of("Otto Brandt spent $12B on 4 May 2025.", "a.txt", 5.0)
    value = value_of(understand(question), e)
    assert value is not None
    assert (value.meaning, value.text) == (meaning, text)
    assert e.text[value.start : value.end] == text
    assert value_of(understand("What share was spent?"), e) is None


@pytest.mark.parametrize(
    ("question", "sentence", "first"),
    [
        ("How much was it?", "It cost half a billion dollars.", "half a billion dollars"),
        ("How much was it?", "It cost $3-5 billion.", "$3-5 billion"),
        ("What share voted?", "Some 10 to 12 percent voted.", "10 to 12 percent"),
        ("What share voted?", "Pay for the vote rose from 3% to 5% of costs.", "3%"),
        ("How many people came?", "Two and a half million people came.", "Two and a half million"),
        ("How many people came?", "Between 20 and 30 people came.", "20 and 30"),
        ("How many tonnes?", "It took 30 tonnes.", "30"),
    ],
)
def test_a_value_is_the_whole_of_what_is_said(question: str, sentence: str, first: str) -> None:
    assert texts(question, sentence)[0] == first
