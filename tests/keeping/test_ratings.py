"""What people say of answers is kept, listed, and made candidates of an evaluation set."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from command_line import dateline
from kept_conversations import message, new_id, person, reply
from repository import ROOT

from assistant.keeping.conversations import Conversations, open_conversations
from assistant.settings import Settings

# What people say of answers


def test_an_answer_has_one_rating_and_the_last_counts(kept: Conversations) -> None:
    step = reply(new_id(), 1, "When?", "Then.")
    kept.put_step(step)
    first = kept.put_feedback(step.id, 0, "No!")
    assert kept.put_feedback(step.id, 1) == first
    (rated,) = kept.rated()
    assert (rated.value, rated.comment) == (1, None)
    assert kept.delete_feedback(first)
    assert not kept.delete_feedback(first)
    assert list(kept.rated()) == []


def test_rated_answers_come_with_the_turns_before_them_and_no_name(kept: Conversations) -> None:
    ann, thread_id = kept.put_person("ann@example.org", {"display": "Ann Alone"}), new_id()
    first = reply(thread_id, 2, "When?", "On 6 March.", name="Dateline")
    second = reply(thread_id, 4, "And where?", "In Mexico.", name="Dateline")
    third = reply(thread_id, 6, "Why?", "Not said.", name="Dateline")
    apology = message(thread_id, 7, "Sorry", type="assistant_message")
    elsewhere = reply(new_id(), 1, "Other?", "Other.", name="Dateline")
    for step in (message(thread_id, 1, "When?"), first, second, third, apology, elsewhere):
        kept.put_step(replace(step, metadata={**step.metadata, "by": "Ann Alone"}), ann.id)
    kept.put_feedback(first.id, 0, "Wrong day", ann.id)
    kept.put_feedback(third.id, 1, None, ann.id)
    kept.put_feedback(apology.id, 0, None, ann.id)  # no answer, so nothing to learn from
    up, down = kept.rated()
    assert up.answer == third.metadata["answer"]
    assert up.history == (("When?", "On 6 March."), ("And where?", "In Mexico."))
    assert (up.value, up.comment, down.value, down.comment) == (1, None, 0, "Wrong day")
    assert down.history == ()
    assert up.rated_at >= down.rated_at
    assert list(kept.rated(1)) == [up]
    assert list(kept.rated(0)) == [down]
    told = json.dumps([asdict(up), asdict(down)])
    assert "Ann" not in told
    assert "ann@" not in told


def test_favorites_are_the_steps_marked_so(kept: Conversations) -> None:
    ann = person(kept)
    old, new = (message(new_id(), n, metadata={"favorite": True}) for n in (1, 2))
    for step in (old, new, message(new_id(), 3, metadata={"favorite": "true"})):
        kept.put_step(step, ann.id)
    assert kept.favorites(ann.id) == [new, old]
    kept.put_step(replace(new, metadata={"favorite": False}))
    assert kept.favorites(ann.id) == [old]


# The command


@pytest.fixture
def rated(kept_in: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Two rated answers of one conversation, and one that nobody rated."""
    if kept_in.database_url:
        monkeypatch.setenv("DATELINE_DATABASE_URL", kept_in.database_url)
    kept, thread_id = open_conversations(kept_in), new_id()
    first = reply(thread_id, 1, "When is it due?", "On 6 March.")
    second = reply(thread_id, 2, "And for \x1b[31mMexico?", "In 60 days.")
    for step in (first, second, reply(thread_id, 3, "Why?", "Not said.")):
        kept.put_step(step)
    kept.put_feedback(first.id, 0, "It was the 7th.")
    kept.put_feedback(second.id, 1)
    kept.close()
    return kept_in


def test_rated_answers_are_listed_newest_first(rated: Settings) -> None:
    ran = dateline("feedback", "--index", rated.index, "--json")
    assert ran.code == 0
    up, down = ran.jsonl
    assert (up["rating"], up["comment"], up["answer"]) == ("up", None, "In 60 days.")
    assert up["history"] == [["When is it due?", "On 6 March."]]
    assert (down["rating"], down["comment"], down["history"]) == ("down", "It was the 7th.", [])
    assert up["rated"] > down["rated"]
    for rating, line in (("up", up), ("down", down)):
        only = dateline("feedback", "--index", rated.index, "--json", "--rating", rating)
        assert only.jsonl == [line]
    text = dateline("feedback", "--index", rated.index)
    assert text.out.index("In 60 days.") < text.out.index("On 6 March.")
    assert "“It was the 7th.”" in text.out
    assert "\x1b" not in text.out
    assert dateline("feedback", "--rating", "sideways").code == 2


def test_rated_answers_become_candidates_of_a_set(rated: Settings, tmp_path: Path) -> None:
    answers, cases = tmp_path / "answers.jsonl", tmp_path / "set.jsonl"
    answers.write_text(dateline("feedback", "--index", rated.index, "--json").out)
    added = dateline("eval", "add", "--set", cases, "--from", answers, "--corpus", ROOT / "corpus")
    assert (added.code, added.err) == (0, "")
    _, *found = (json.loads(line) for line in cases.read_text().splitlines())
    assert {case["question"] for case in found} == {"When is it due?", "And for \x1b[31mMexico?"}
    assert ["When is it due?", "On 6 March."] in [t for c in found for t in c.get("history", [])]


def test_where_no_conversation_was_kept_nothing_is_made(settings: Settings) -> None:
    ran = dateline("feedback", "--index", settings.index, "--json")
    assert (ran.code, ran.out) == (0, "")
    assert "No conversations are kept" in ran.err
    assert not settings.index.exists()
