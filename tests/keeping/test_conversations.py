"""Conversations are kept whole, found again and deleted for good: in SQLite and Postgres."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from kept_conversations import at, ids, message, new_id, person, reply, rows, shown, step_ids

from assistant.keeping.conversations import NAME_CHARS, Conversations, open_conversations
from assistant.keeping.tables import Step, Thread
from assistant.settings import Settings
from indexing.errors import StoreError

# What is written comes back


def test_a_conversation_comes_back_as_it_was_written(kept: Conversations) -> None:
    ann, thread_id = person(kept), new_id()
    asked = message(thread_id, 1, "¿Cuándo? 😀 \r\n\t“é” 日本")
    work = Step(
        id=new_id(),
        thread_id=thread_id,
        type="tool",
        name="Searched",
        parent_id=asked.id,
        created_at=at(2),
        input='{"a": 1}',
        output="done",
        metadata={"icon": "search", "deep": [{"é": None}, 1.5, True]},
        is_error=True,
        streaming=True,
        start=at(2),
        end=at(3),
        tags=["a", "b"],
        generation={"model": "m"},
        show_input="json",
        language="json",
        command="c",
        modes={"m": "1"},
        wait_for_answer=False,
        default_open=True,
        auto_collapse=False,
    )
    answered = replace(reply(thread_id, 4, "¿Cuándo?", "On 6 March."), show_input=False)
    for step in (asked, work, answered):
        kept.put_step(step, ann.id)
    drawn = shown(
        answered, props={"lines": [{"text": "😀"}]}, page=3, size="small", language="en", url="u",
        mime="application/json", auto_play=True, player_config={"a": 1},
    )  # fmt: skip
    kept.put_element(drawn, ann.id)
    kept.put_feedback(answered.id, 1, "Right, é", ann.id)
    kept.put_thread(thread_id, name="When?", metadata={"engine": "quotes"}, tags=["x"], by=ann.id)

    whole = kept.thread(thread_id, ann.id)
    assert whole
    assert whole.steps == (asked, work, answered)
    assert whole.elements == (drawn,)
    assert kept.element(thread_id, drawn.id) == drawn
    said = whole.feedback[answered.id]
    assert (said.value, said.comment, list(whole.feedback)) == (1, "Right, é", [answered.id])
    thread = whole.thread
    assert (thread.name, thread.metadata, thread.tags) == ("When?", {"engine": "quotes"}, ["x"])
    assert (thread.person_id, thread.identifier, thread.active_at) == (
        ann.id,
        ann.identifier,
        at(4),
    )
    assert kept.owner_of(thread_id) == ann.identifier
    assert kept.threads(ann.id).threads == (thread,)


@pytest.mark.parametrize("text", ["a\x00b", "a\ud800b", "\udfff", "a\\u0000b", "%s %(x)s :y ?"])
def test_no_text_is_refused(kept: Conversations, text: str) -> None:
    ann, thread_id = person(kept), new_id()
    said = message(thread_id, 1, text, metadata={"text": text})
    kept.put_step(said, ann.id)
    kept.put_thread(thread_id, name=text, metadata={text: text}, by=ann.id)
    kept.put_feedback(said.id, 0, text)
    whole = kept.thread(thread_id)
    assert whole
    storable = "".join("\ufffd" if c == "\x00" or "\ud800" <= c <= "\udfff" else c for c in text)
    assert whole.steps[0].output == whole.thread.name == storable
    assert whole.steps[0].metadata == {"text": text}
    assert ids(kept, ann.id, search=text) == [thread_id]


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("2026-02-04T09:30:00Z", "2026-02-04T09:30:00.000000Z"),
        ("2026-02-04T09:30:00.5+02:00", "2026-02-04T07:30:00.500000Z"),
        ("2026-02-04T09:30:00.123456", "2026-02-04T09:30:00.123456Z"),
    ],
)
def test_times_are_kept_in_one_form_that_sorts(kept: Conversations, given: str, read: str) -> None:
    step = replace(message(new_id(), 0), created_at=given)
    kept.put_step(step)
    whole = kept.thread(step.thread_id)
    assert whole
    assert whole.steps[0].created_at == read


def test_a_person_has_one_id_for_good(kept: Conversations) -> None:
    assert kept.person("ann@example.org") is None
    ann = kept.put_person("ann@example.org", {"provider": "a"})
    again = kept.put_person("ann@example.org", {"provider": "b"})
    assert again == replace(ann, metadata={"provider": "b"}) == kept.person("ann@example.org")
    assert kept.put_person("Ann@example.org", {}).id != ann.id


def test_metadata_is_merged_and_what_is_not_given_stays(kept: Conversations) -> None:
    ann, thread_id = person(kept), new_id()

    def thread() -> Thread:
        (only,) = kept.threads(ann.id).threads
        return only

    kept.put_thread(thread_id, name=" When \n is it? ", metadata={"a": 1, "b": None}, by=ann.id)
    kept.put_thread(thread_id, metadata={"a": None, "c": [1]})
    kept.put_thread(thread_id, tags=["x"])
    kept.put_thread(thread_id, name=" ")
    kept.put_thread(thread_id)
    assert (thread().name, thread().metadata, thread().tags) == ("When is it?", {"c": [1]}, ["x"])
    kept.put_thread(thread_id, name="😀" * 5000)
    name = thread().name
    assert name is not None
    assert len(name) == NAME_CHARS
    assert name.endswith("😀…")


# The order in which things arrive


def test_an_earlier_version_that_comes_late_changes_nothing(kept: Conversations) -> None:
    ann = person(kept)
    done = message(new_id(), 1, "The whole answer.")
    kept.put_step(done, ann.id)
    kept.put_step(replace(done, output=""), ann.id, is_new=True)
    whole = kept.thread(done.thread_id)
    assert whole
    assert whole.steps == (done,)


def test_children_may_come_before_their_parents_from_many_threads_at_once(
    kept: Conversations,
) -> None:
    ann, thread_id = person(kept), new_id()
    parents = [message(thread_id, n, f"Parent {n}") for n in range(8)]
    failed: list[Exception] = []

    def write(n: int) -> None:
        try:
            child = message(thread_id, 100 + n, "Child", parent_id=parents[n].id)
            kept.put_element(shown(child), ann.id)
            kept.put_step(child, ann.id, is_new=True)
            for parent in parents:  # the same ones in every thread
                kept.put_step(replace(parent, output=""), ann.id, is_new=True)
                kept.put_step(parent, ann.id)
        except Exception as exc:  # noqa: BLE001 - looked at below, in the test's own thread
            failed.append(exc)

    writers = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failed == []
    whole = kept.thread(thread_id, ann.id)
    assert whole
    assert list(whole.steps[:8]) == parents
    assert [s.output for s in whole.steps[8:]] == ["Child"] * 8
    assert len(whole.elements) == 8


def test_an_element_is_replaced_by_its_later_version(kept: Conversations) -> None:
    first = shown(message(new_id(), 1), props={"open": False})
    second = shown(message(first.thread_id, 1), props={})
    kept.put_element(first)
    kept.put_element(second)
    kept.put_element(replace(first, props={"open": True}))
    whole = kept.thread(first.thread_id)
    assert whole
    assert whole.elements == (replace(first, props={"open": True}), second)
    kept.delete_element(first.id)
    assert kept.element(first.thread_id, first.id) is None
    assert kept.element(first.thread_id, second.id) == second


# Listing


def test_pages_hold_every_thread_once_newest_activity_first(kept: Conversations) -> None:
    ann, ben = person(kept), person(kept)
    seconds = [5, 3, 9, 3, 3, 7, 3]  # of equals too
    threads = [message(new_id(), second) for second in seconds]
    for step in threads:
        kept.put_step(step, ann.id)
    kept.put_step(message(new_id(), 6), ben.id)
    expected = [s.thread_id for s in sorted(threads, key=lambda s: (s.created_at, s.thread_id))]
    expected.reverse()
    for size in range(1, 9):
        found: list[str] = []
        after: str | None = None
        pages = 0
        while pages == 0 or after is not None:
            page = kept.threads(ann.id, first=size, after=after)
            found += [thread.id for thread in page.threads]
            after, pages = page.after, pages + 1
        assert found == expected
        assert pages == -(-len(threads) // size), "an empty page was promised"


def test_only_what_is_said_counts_as_activity(kept: Conversations) -> None:
    ann = person(kept)
    old, new = message(new_id(), 1), message(new_id(), 2)
    kept.put_step(old, ann.id)
    kept.put_step(new, ann.id)
    kept.put_thread(old.thread_id, name="Renamed", metadata={"seen": 1})
    kept.put_step(replace(old, output="Edited"))
    kept.put_feedback(old.id, 1)
    assert ids(kept, ann.id) == [new.thread_id, old.thread_id]
    kept.put_step(message(old.thread_id, 3), ann.id)
    assert ids(kept, ann.id) == [old.thread_id, new.thread_id]
    kept.put_step(old)  # what was said long ago, changed
    assert ids(kept, ann.id) == [old.thread_id, new.thread_id]


@pytest.mark.parametrize("first", [-1, 0, 1, 10**9])
def test_a_page_of_any_size_is_a_page(kept: Conversations, first: int) -> None:
    ann = person(kept)
    for second in range(3):
        kept.put_step(message(new_id(), second), ann.id)
    assert len(kept.threads(ann.id, first=first).threads) == max(1, min(3, first))


def test_the_list_reads_neither_steps_nor_other_peoples_threads(kept: Conversations) -> None:
    ann = person(kept)
    kept.put_step(message(new_id(), 1, "Hello"), ann.id)
    engine, said = kept._database.engine, []

    @sa.event.listens_for(engine, "before_cursor_execute")
    def note(connection: object, cursor: object, statement: str, values: Any, *_: object) -> None:
        said.append((statement, values))

    kept.threads(ann.id, first=1, after=f"{at(5)}/x")
    (statement, values) = said[-1]
    assert [text for text, _ in said if "SELECT" in text] == [statement]
    assert "dateline_steps" not in statement
    with kept._database.reading() as connection:
        if connection.dialect.name == "sqlite":
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        else:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            plan = connection.exec_driver_sql(f"EXPLAIN {statement}", values)
        steps = "\n".join(str(row[-1]) for row in plan)
    assert "dateline_threads_newest" in steps
    assert "TEMP B-TREE" not in steps  # the order is the index's
    assert "Sort" not in steps


# Searching


def test_a_search_finds_names_questions_and_answers(kept: Conversations) -> None:
    ann = person(kept)
    asked = message(new_id(), 3, "Who is the Trade Representative?")
    named = message(new_id(), 2, "-")
    answered = reply(new_id(), 1, "-", "**On** 6 March [1]", output=r"\*\*On\*\* 6 March \[1\]")
    worked = message(new_id(), 4, "Trade, 6 March, Due", type="tool")
    for step in (asked, named, answered, worked):
        kept.put_step(step, ann.id)
    kept.put_thread(named.thread_id, name="TRADE and when it is due")
    both = [asked.thread_id, named.thread_id]
    assert ids(kept, ann.id, search="trade") == both
    assert ids(kept, ann.id, search=" tRaDe ") == both
    assert kept.threads(ann.id, search="trade", first=1).threads[0].id == asked.thread_id
    assert kept.threads(ann.id, search="trade", first=1).after
    assert ids(kept, ann.id, search="6 march [1]") == [answered.thread_id]
    assert ids(kept, ann.id, search="representative trade") == []
    assert len(ids(kept, ann.id, search="  ")) == 4
    kept.put_step(replace(asked, output="Nothing now"))
    kept.put_thread(named.thread_id, name="Nothing now")
    assert ids(kept, ann.id, search="trade") == []


@pytest.mark.parametrize(
    ("text", "found", "missed"),
    [
        ("100% sure", "0%", "0%%"),
        ("100 sure", "100", "0%"),
        ("a_b", "a_b", "a__"),
        ("axb", "axb", "a_b"),
        (r"C:\new", r"c:\n", r"c:\\n"),
        ('it\'s "so"; DROP TABLE x', 'it\'s "so"; drop', "''"),
        ("a/b", "a/b", "a//b"),
        ("ÉCOLE Straße ΣΊΣΥΦΟΣ", "école STRASSE σίσυφος", "ecole"),
        ("e\u0301cole", "École", "ecole"),
        ("日本語 😀", "本語 😀", "日語"),
        ("İstanbul", "İSTANBUL", "istanbull"),
        ("[x*", "[x*", "x?"),
    ],
)
def test_what_is_searched_is_taken_literally_in_every_language(
    shared: Conversations, text: str, found: str, missed: str
) -> None:
    ann, thread_id = person(shared), new_id()
    shared.put_step(message(thread_id, 1, f"before {text} after"), ann.id)
    shared.put_thread(thread_id, name=text)
    assert ids(shared, ann.id, search=found) == [thread_id]
    assert ids(shared, ann.id, search=missed) == []
    shared.put_thread(thread_id, name="-")
    assert ids(shared, ann.id, search=found) == [thread_id]


def test_threads_are_found_by_how_their_answers_were_rated(kept: Conversations) -> None:
    ann = person(kept)
    liked, disliked, unrated = (message(new_id(), n) for n in (1, 2, 3))
    for step in (liked, disliked, unrated):
        kept.put_step(step, ann.id)
    kept.put_feedback(liked.id, 1)
    kept.put_feedback(disliked.id, 0)
    assert ids(kept, ann.id, value=1) == [liked.thread_id]
    assert ids(kept, ann.id, value=0) == [disliked.thread_id]
    assert len(ids(kept, ann.id)) == 3


# Deleting


def test_a_deleted_thread_leaves_nothing_and_does_not_come_back(kept: Conversations) -> None:
    ann, thread_id = person(kept), new_id()
    step = message(thread_id, 1, "A secret of hers")
    kept.put_step(step, ann.id)
    kept.put_element(shown(step), ann.id)
    kept.put_feedback(step.id, 0)
    kept.delete_thread(thread_id, ann.id)
    # What was still on its way when it was deleted, and what a session writes as it ends.
    kept.put_step(replace(step, output="Late"), ann.id)
    kept.put_element(shown(step), ann.id)
    kept.put_thread(thread_id, metadata={"late": True})
    kept.delete_thread(thread_id)
    assert rows(kept) == {
        "people": 1, "threads": 0, "deleted_threads": 1, "steps": 0, "elements": 0, "feedback": 0,
    }  # fmt: skip
    assert kept.thread(thread_id) is None
    assert kept.owner_of(thread_id) is None
    with pytest.raises(StoreError, match="cannot be rated"):
        kept.put_feedback(step.id, 1)


def test_words_of_a_deleted_thread_are_not_left_on_the_disk(settings: Settings) -> None:
    kept = open_conversations(settings)
    thread_id = new_id()
    kept.put_step(message(thread_id, 1, "Xylophone " * 5000))

    def on_disk() -> bytes:
        return b"".join(path.read_bytes() for path in (settings.index / "chat").iterdir())

    assert b"ylophone" in on_disk()
    kept.delete_thread(thread_id)
    assert b"ylophone" not in on_disk()
    kept.close()


def test_a_deleted_step_takes_its_children_along(kept: Conversations) -> None:
    ann, thread_id = person(kept), new_id()
    asked = message(thread_id, 1)
    child = message(thread_id, 2, parent_id=asked.id)
    grandchild = message(thread_id, 3, parent_id=child.id)
    other = message(thread_id, 4, parent_id=new_id())
    for step in (grandchild, other, child, asked):
        kept.put_step(step, ann.id)
        kept.put_element(shown(step), ann.id)
        kept.put_feedback(step.id, 1)
    kept.delete_step(child.id, ann.id)
    kept.delete_step(new_id(), ann.id)
    whole = kept.thread(thread_id)
    assert whole
    assert whole.steps == (asked, other)
    assert {e.step_id for e in whole.elements} == set(whole.feedback) == {asked.id, other.id}
    assert rows(kept)["feedback"] == 2


def test_a_step_that_is_its_own_ancestor_can_be_deleted(kept: Conversations) -> None:
    thread_id, one, other = new_id(), new_id(), new_id()
    kept.put_step(message(thread_id, 1, id=one, parent_id=other))
    kept.put_step(message(thread_id, 2, id=other, parent_id=one))
    kept.delete_step(one)
    assert step_ids(kept, thread_id) == []


def test_a_question_asked_anew_loses_what_came_after_it(kept: Conversations) -> None:
    ann, thread_id = person(kept), new_id()
    before, asked, run, answer = (message(thread_id, n) for n in (1, 2, 3, 4))
    elsewhere = message(new_id(), 900)
    for step in (before, asked, run, answer, elsewhere):
        kept.put_step(step, ann.id)
        kept.put_element(shown(step), ann.id)
        kept.put_feedback(step.id, 1)
    kept.delete_after(thread_id, asked.id, [run.id], ann.id)
    whole = kept.thread(thread_id)
    assert whole
    assert whole.steps == (before, asked, run)
    assert {e.step_id for e in whole.elements} == {before.id, asked.id, run.id}
    assert set(whole.feedback) == {before.id, asked.id, run.id}
    kept.delete_after(thread_id, new_id())  # of no step
    kept.delete_after(thread_id, elsewhere.id)  # of another thread
    assert len(step_ids(kept, thread_id)) == 3
    assert step_ids(kept, elsewhere.thread_id) == [elsewhere.id]
    kept.delete_after(thread_id, before.id)
    assert step_ids(kept, thread_id) == [before.id]
