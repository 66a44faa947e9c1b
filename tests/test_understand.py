"""Reading questions: what they ask for, and what they leave to the turn before."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.understand import Wanted, content_terms, spelled_out, stem, understand


def spelled(question: str, texts: list[str]) -> str:
    return spelled_out(understand(question), texts).text


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("When did the ferry sink?", Wanted.DATE),
        ("What is the filing deadline?", Wanted.DATE),
        ("By what date must the bridge be closed?", Wanted.DATE),
        ("In which month was the mayor elected?", Wanted.DATE),
        ("whats the due date", Wanted.DATE),
        ("How long is the strike going to last?", Wanted.DURATION),
        ("How much did the stadium cost?", Wanted.AMOUNT),
        ("What was the price of wheat?", Wanted.AMOUNT),
        ("What share of voters stayed at home?", Wanted.SHARE),
        ("How many ships were built?", Wanted.COUNT),
        ("Who chairs the board?", Wanted.PERSON),
        ("Where was the treaty signed?", Wanted.PLACE),
        ("Why did the bank fail?", Wanted.REASON),
        ("Did the bank fail?", Wanted.YES_NO),
        ("Compare the two reports on wages", Wanted.COMPARISON),
        ("price floors", Wanted.DESCRIPTION),
    ],
)
def test_the_kind_of_answer_is_read_from_the_question(question: str, wanted: Wanted) -> None:
    assert understand(question).wanted is wanted


def test_a_follow_up_is_completed_from_the_question_before() -> None:
    history = [("What does the harbour treaty say about tolls?", "They end.")]
    assert "harbour treaty" in understand("And when is it due?", history).text
    assert "harbour treaty" in understand("Why?", history).text


def test_a_question_that_stands_on_its_own_is_left_alone() -> None:
    history = [("What does the harbour treaty say?", "Tolls end.")]
    question = "Which company bought the northern coal mine last year?"
    assert understand(question, history).text == question


def test_an_abbreviation_is_spelled_out_as_the_texts_do() -> None:
    texts = ["The letter of intent was signed.", "The Bank of Northern Atlantis rose."]
    assert "letter of intent" in spelled("When is the LOI due?", texts)
    assert "Bank of Northern Atlantis" in spelled("Who runs the BNA?", texts)
    assert "(LOI)" in spelled("What is the letter of intent?", ["The LOI ends."])


def test_what_an_abbreviation_means_supports_it() -> None:
    question = spelled_out(understand("When is the LOI due?"), ["A letter of intent came."])
    assert question.is_supported("loi", {"letter", "intent"})
    assert question.is_supported("loi", {"loi"})
    assert not question.is_supported("loi", {"letter"})


def test_a_question_without_abbreviations_is_not_added_to() -> None:
    texts = ["Many others understand. The cat and the dog."]
    assert spelled("What is the deadline?", texts) == "What is the deadline?"


@given(st.text(max_size=200), st.lists(st.text(max_size=80), max_size=3))
def test_no_text_breaks_the_reading(question: str, texts: list[str]) -> None:
    read = understand(question, [(text, text) for text in texts])
    assert len(set(read.terms)) == len(read.terms)
    assert spelled_out(read, texts).text.startswith(read.text)


def test_dotted_abbreviations_and_plurals_are_one_word() -> None:
    assert content_terms("The U.K. crews and their ships") == ("uk", "crews", "ships")
    assert stem("frameworks") == stem("framework")
