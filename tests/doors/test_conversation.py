"""What a conversation of the chat page holds, and what is left of it when it is opened again."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from fakes import answered, cited
from hypothesis import given
from hypothesis import strategies as st

from assistant.doors.conversation import (
    HISTORY_TURNS,
    Conversation,
    ReaderLimits,
    limits_from,
    metadata_of,
    resumed,
)
from indexing.errors import SettingsError

ENGINES = ["quotes", "openai:one"]
SOURCES = ["a.txt", "b.txt"]
ANSWER = answered("A sentence. [1]", cited("A sentence.", "A sentence."))


def said(value: dict[str, Any]) -> str:
    return limits_from(value, ENGINES, SOURCES).said()


# Limits


def test_limits_are_said_in_words() -> None:
    assert said({}) == ""
    assert said({"engine": "quotes"}) == "", "what is used anyway limits nothing"
    assert said({"sources": ["a.txt"]}) == "1 source"
    assert said({"sources": ["a.txt", "b.txt"], "since": "2026-02-01"}) == (
        "2 sources, since 1 Feb 2026"
    )
    assert said({"since": "2026-02-01", "until": "2026-02-05"}) == "1 Feb 2026 to 5 Feb 2026"
    assert said({"until": "2026-02-05", "asOf": "2026-03-01", "quotes": 1}) == (
        "until 5 Feb 2026, as of 1 Mar 2026, at most 1 quote"
    )
    assert said({"engine": "openai:one", "quotes": 4}) == "at most 4 quotes, openai:one"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"engine": "openai:other"}, "there is no engine openai:other"),
        ({"sources": ["gone.txt"]}, "there is no article gone.txt any more"),
        ({"sources": [7]}, "there is no article 7"),
        ({"since": "yesterday"}, "yesterday is not a day"),
        ({"until": 5}, "5 is not a day"),
        ({"since": "2026-02-05", "until": "2026-02-04"}, "the first day is after the last"),
        ({"quotes": 0}, "1 to 10"),
        ({"quotes": 11}, "1 to 10"),
        ({"quotes": True}, "1 to 10"),
        ({"quotes": "3"}, "1 to 10"),
    ],
)
def test_limits_that_cannot_be_used_are_refused_in_words(
    value: dict[str, Any], problem: str
) -> None:
    with pytest.raises(SettingsError, match=problem):
        limits_from(value, ENGINES, SOURCES)


def test_stored_limits_lose_only_what_is_no_more() -> None:
    stored = {"engine": "gone:model", "sources": ["gone.txt"], "since": "2026-02-01", "quotes": 2}
    read = limits_from(stored, ENGINES, SOURCES, lenient=True)
    assert read == ReaderLimits(since=date(2026, 2, 1), max_quotes=2)
    assert limits_from("nonsense", ENGINES, SOURCES, lenient=True) == ReaderLimits()


days = st.none() | st.dates(date(1990, 1, 1), date(2050, 1, 1))


@given(
    st.builds(
        ReaderLimits,
        engine=st.sampled_from([None, "openai:one"]),
        sources=st.lists(st.sampled_from(SOURCES), unique=True).map(tuple),
        since=days,
        as_of=days,
        max_quotes=st.none() | st.integers(1, 10),
    )
)
def test_the_page_gives_back_the_limits_it_was_given(limits: ReaderLimits) -> None:
    sent = json.loads(json.dumps(limits.to_json()))
    assert limits_from(sent, ENGINES, SOURCES) == limits
    assert (limits.said() == "") == (limits == ReaderLimits())


# Turns


def test_a_follow_up_is_read_against_what_was_answered() -> None:
    conversation = Conversation()
    conversation.ask("1", "First?")
    conversation.answer("1", ANSWER)
    conversation.ask("2", "Second?")
    assert conversation.history() == [("First?", ANSWER.text)]
    assert conversation.unanswered == "2"


def test_a_question_asked_anew_ends_what_came_after_it() -> None:
    conversation = Conversation()
    for id in "123":
        assert not conversation.ask(id, f"Question {id}?")
        conversation.answer(id, ANSWER)
    assert conversation.ask("2", "Another second?")
    assert list(conversation.turns) == ["1", "2"]
    assert conversation.history() == [("Question 1?", ANSWER.text)]


def test_only_the_latest_turns_are_read() -> None:
    conversation = Conversation()
    for number in range(HISTORY_TURNS + 5):
        conversation.ask(str(number), f"Question {number}?")
        conversation.answer(str(number), ANSWER)
    assert len(conversation.history()) == HISTORY_TURNS
    assert conversation.history()[-1][0] == f"Question {HISTORY_TURNS + 4}?"


# Opened again


def question(id: str, text: str) -> dict[str, Any]:
    moment = "2026-11-22T10:00:00.000000Z"
    return {"id": id, "type": "user_message", "output": text, "createdAt": moment}


def answer_to(id: str, limits: ReaderLimits = ReaderLimits()) -> dict[str, Any]:  # noqa: B008
    return {"type": "assistant_message", "metadata": metadata_of(id, ANSWER, limits)}


def test_a_stored_conversation_is_the_same_again() -> None:
    limits = ReaderLimits(sources=("b.txt",))
    steps = [
        question("1", "First?"),
        {"type": "run", "name": "on_message"},
        answer_to("1"),
        question("2", "Second?"),
        answer_to("2", limits),
    ]
    again = resumed(json.loads(json.dumps(steps)), ENGINES, SOURCES)
    assert [(turn.question, turn.answer.text) for turn in again.turns.values() if turn.answer] == [
        ("First?", ANSWER.text),
        ("Second?", ANSWER.text),
    ]
    assert again.turns["1"].answer is not None
    assert again.turns["1"].answer.citations == ANSWER.citations
    assert again.limits == limits
    assert [turn.within for turn in again.turns.values()] == ["", "1 source"]
    assert again.unanswered is None


def test_only_a_last_question_that_nothing_came_of_waits_for_its_answer() -> None:
    cut_off = [question("1", "First?"), answer_to("1"), question("2", "Second?")]
    assert resumed(cut_off, ENGINES, SOURCES).unanswered == "2"
    error = {"type": "assistant_message", "isError": True, "output": "The index is gone."}
    assert resumed([*cut_off, error], ENGINES, SOURCES).unanswered is None
    stopped = {"type": "assistant_message", "metadata": {"question_id": "2"}}
    assert resumed([*cut_off, stopped], ENGINES, SOURCES).unanswered is None
    followed = [*cut_off, question("3", "Third?"), answer_to("3")]
    assert list(resumed(followed, ENGINES, SOURCES).turns) == ["1", "3"]


@pytest.mark.parametrize(
    "metadata",
    [None, "text", {}, {"question_id": "1"}, {"question_id": "1", "answer": {"text": 7}}],
)
def test_what_a_store_should_not_hold_is_left_out(metadata: object) -> None:
    steps = [question("1", "First?"), {"type": "assistant_message", "metadata": metadata}]
    assert resumed(steps, ENGINES, SOURCES).history() == []
    assert resumed([{"type": "user_message", "output": ""}], ENGINES, SOURCES).turns == {}
