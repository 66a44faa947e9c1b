"""Turns of a conversation: follow-ups completed, questions of several parts taken apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.question.turns import MOST_PARTS, read

PLAN = "When is the EU plan due?"
FERRY = "When was the Harland ferry ordered?"


def whole(question: str, *before: str, answer: str = "") -> str:
    """The one question that `question` is, asked after the questions `before`."""
    parts = read(question, [(asked, answer) for asked in before])
    assert len(parts.texts) == 1
    return parts.texts[0]


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("And for Mexico?", "Mexico"),
        ("what about mexico?", "mexico"),
        ("How about Japan?", "Japan"),
        ("And Japan?", "Japan"),
        ("for Brazil?", "Brazil"),
        ("Ok, and what about Canada?", "Canada"),
    ],
)
def test_a_name_alone_takes_the_place_of_the_name_before(question: str, name: str) -> None:
    assert whole(question, PLAN) == f"When is the {name} plan due?"


@pytest.mark.parametrize(
    ("before", "question", "read_as"),
    [
        (FERRY, "How much did it cost?", "How much did the Harland ferry cost?"),
        (FERRY, "Who built it?", "Who built the Harland ferry?"),
        (FERRY, "When was its hull laid?", "When was the Harland ferry’s hull laid?"),
        (FERRY, "Why was it ordered?", "Why was the Harland ferry ordered?"),
        (PLAN, "And when does it end?", "And when does the EU plan end?"),
        ("Who is Mara Lindqvist?", "When did she resign?", "When did Mara Lindqvist resign?"),
        ("Who is Otto Brandt?", "Where does he live?", "Where does Otto Brandt live?"),
        ("Who is Otto Brandt?", "What is his salary?", "What is Otto Brandt’s salary?"),
        ("Who are the pilots?", "When will they vote?", "When will the pilots vote?"),
    ],
)
def test_a_pronoun_stands_for_what_was_asked_about(
    before: str, question: str, read_as: str
) -> None:
    assert whole(question, before) == read_as


def test_he_and_she_may_be_the_person_of_the_last_answer() -> None:
    answer = "The harbour board is led by **Mara Lindqvist**. [1]"
    asked = "Who leads the harbour board?"
    assert whole("When did she resign?", asked, answer=answer) == "When did Mara Lindqvist resign?"
    assert whole("What did they decide?", asked, answer=answer) == (
        "What did the harbour board decide?"
    )


def test_a_bare_interrogative_takes_the_place_of_the_one_before() -> None:
    assert whole("Why?", "When is the harbour plan due?") == "Why is the harbour plan due?"


def test_it_means_the_object_of_a_question_that_has_one() -> None:
    asked = "When must the shipyard deliver the ferry?"
    assert whole("And how much will it cost?", asked) == "And how much will the ferry cost?"


def test_a_short_question_that_stands_alone_is_left_alone() -> None:
    question = "Who is the director of the museum?"
    assert whole(question, "How much will the Northern Star cost?") == question


@pytest.mark.parametrize("question", ["And then?", "Tell me more"])
def test_what_names_nothing_is_asked_of_the_question_before(question: str) -> None:
    asked = "What does the harbour treaty say about tolls?"
    assert whole(question, asked) == f"{asked} {question}"


@pytest.mark.parametrize(
    "question",
    [
        "Which company bought the northern coal mine last year?",
        "Why was the old lighthouse of Skagen closed?",
        "Did the council of Tessel vote on the harbour tolls?",
        "What did Otto Brandt say about the flooded museum?",
    ],
)
def test_a_question_that_stands_on_its_own_is_left_alone(question: str) -> None:
    assert whole(question, PLAN) == question
    assert whole(question, PLAN, FERRY) == question


def test_without_a_conversation_nothing_is_added() -> None:
    for question in ("Why?", "And for Mexico?", "How much did it cost?"):
        assert whole(question) == question


def test_a_follow_up_of_a_follow_up_is_completed_through_both() -> None:
    assert whole("And for Japan?", PLAN, "And for Mexico?") == "When is the Japan plan due?"
    assert whole("How much is it worth?", PLAN, "And for Mexico?") == (
        "How much is the Mexico plan worth?"
    )
    assert whole("Who built it?", FERRY, "How much is it worth?") == "Who built the Harland ferry?"


# --- several parts -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "texts"),
    [
        (
            "When was the Harland ferry ordered and how much is it worth?",
            ("When was the Harland ferry ordered?", "how much is the Harland ferry worth?"),
        ),
        (
            "When was the ferry ordered? How much is it worth?",
            ("When was the ferry ordered?", "How much is the ferry worth?"),
        ),
        (
            "Who built the Harland ferry, and when was it ordered, and how much is it worth?",
            (
                "Who built the Harland ferry?",
                "when was the Harland ferry ordered?",
                "how much is the Harland ferry worth?",
            ),
        ),
        (
            "Who signed the deal and is it binding?",
            ("Who signed the deal?", "is the deal binding?"),
        ),
    ],
)
def test_a_question_of_several_parts_is_taken_apart(question: str, texts: tuple[str, ...]) -> None:
    parts = read(question)
    assert parts.texts == texts
    assert not parts.joint


@pytest.mark.parametrize(
    "question",
    [
        "I read about the ferry. When was it ordered?",
        "Hello there. Who built the Harland ferry?",
        "The ferry was late? Hmm.",
        "What do research and development cost?",
        "Who signed the deal and the annex?",
    ],
)
def test_what_holds_one_question_stays_whole(question: str) -> None:
    assert read(question).texts == (question,)


def test_the_first_part_may_itself_be_a_follow_up() -> None:
    parts = read("When was it ordered and who built it?", [("What is the Harland ferry?", "")])
    assert parts.texts == (
        "When was the Harland ferry ordered?",
        "who built the Harland ferry?",
    )


def test_at_most_four_parts_are_read() -> None:
    parts = read(
        "Who built the Harland ferry? When was it ordered? How much is it worth?"
        " Where does it sail? Is it late?"
    )
    assert len(parts.texts) == MOST_PARTS == 4
    assert parts.texts[-1] == "Where does the Harland ferry sail?"


def test_clauses_that_describe_one_thing_by_several_sources_are_joint() -> None:
    parts = read(
        "Which company is described by the Times report as the largest yard in the north,"
        " while the Herald report says that it lost its last order in May?"
    )
    assert parts.joint
    assert parts.texts == (
        "Which company is described by the Times report as the largest yard in the north",
        "the Herald report says that it lost its last order in May",
    )


def test_what_else_is_said_of_one_person_is_joint() -> None:
    parts = read(
        "Who is the shipbuilder that won the largest order in the north, is accused of fraud by"
        " its rivals, has sold three yards, and was fined in May last year?"
    )
    assert parts.joint
    assert len(parts.texts) == 4
    assert all(text.startswith("Who is ") for text in parts.texts)


def test_a_short_question_of_two_sources_is_not_taken_apart() -> None:
    question = "Do the Times report and the Herald report agree?"
    assert read(question).texts == (question,)


PIECES = st.sampled_from(
    "who what when why how is was did and but while the it its they he she Mexico EU plan ferry cost "
    "report article ? ?? . , : ’s 30 $5 also for about".split()
)
TEXTS = st.text(max_size=120) | st.lists(PIECES, max_size=40).map(" ".join)


@given(TEXTS, st.lists(st.tuples(TEXTS, TEXTS), max_size=3))
def test_reading_never_fails_and_always_gives_something_to_answer(
    question: str, history: list[tuple[str, str]]
) -> None:
    parts = read(question, history)
    assert 1 <= len(parts.texts) <= MOST_PARTS
    assert not (parts.joint and len(parts.texts) == 1)
    if any(c.isalnum() for c in question):
        assert all(text.strip() for text in parts.texts)


def test_it_means_the_thing_that_the_last_answer_named() -> None:
    asked = "Which harbour bill got through the council?"
    answer = "The Tessel Tolls Act, H.R. 12."
    assert (
        whole("who introduced it?", asked, answer=answer) == "who introduced The Tessel Tolls Act?"
    )


def test_a_time_that_the_last_answer_gave_is_nothing_to_point_at() -> None:
    answer = "Within 30 days of 4 May, that is by 3 June 2026."
    assert "3 June" not in whole("And when does it end?", PLAN, answer=answer)


def test_what_a_follow_up_puts_in_another_s_place_is_its_focus() -> None:
    history = [("When is the memorandum with the EU due?", "By 6 March 2026.")]
    parts = read("and for Mexico?", history)
    assert parts.texts == ("When is the memorandum with Mexico due?",)
    assert "Mexico" in parts.focus


@pytest.mark.parametrize(
    ("question", "texts"),
    [
        ("Quick one before I file: when is the plan due?", ("when is the plan due?",)),
        (
            "Refresh my memory: when was the pact enacted and who signed it?",
            ("when was the pact enacted?", "who signed the pact?"),
        ),
        ("In the Mexico deal: when is the plan due?", None),
        ("Hey: the plan?", None),
    ],
)
def test_what_is_only_said_before_a_question_is_left_out(
    question: str, texts: tuple[str, ...] | None
) -> None:
    assert read(question).texts == (texts or (question,))
