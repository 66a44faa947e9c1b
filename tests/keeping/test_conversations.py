"""Conversations are kept whole, found again, and each person's are his own: in SQLite and Postgres."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from command_line import dateline
from filelock import FileLock, Timeout
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from postgres import PASSWORD, Postgres
from repository import ROOT

from assistant.keeping import database
from assistant.keeping.conversations import NAME_CHARS, NOBODY, Conversations, open_conversations
from assistant.keeping.tables import Element, Person, Step, Thread
from indexing.errors import NotTheirs, SettingsError, StoreError
from indexing.settings import Settings

BACKENDS = ["sqlite", "postgres"]

# The tables as the first version made them, with a conversation in them. Later versions must be
# able to start from it, so it is never changed.
VERSION_1 = """
CREATE TABLE dateline_schema (version_num VARCHAR(32) NOT NULL, CONSTRAINT dateline_schema_pkc PRIMARY KEY (version_num));
INSERT INTO dateline_schema VALUES ('0001');
CREATE TABLE dateline_people (id TEXT NOT NULL, identifier TEXT NOT NULL, created_at TEXT NOT NULL, metadata JSON NOT NULL, PRIMARY KEY (id), UNIQUE (identifier));
CREATE TABLE dateline_threads (id TEXT NOT NULL, person_id TEXT, created_at TEXT NOT NULL, active_at TEXT NOT NULL, name TEXT, folded TEXT NOT NULL, metadata JSON NOT NULL, tags JSON, PRIMARY KEY (id), FOREIGN KEY(person_id) REFERENCES dateline_people (id) ON DELETE CASCADE);
CREATE INDEX dateline_threads_newest ON dateline_threads (person_id, active_at, id);
CREATE TABLE dateline_deleted_threads (thread_id TEXT NOT NULL, PRIMARY KEY (thread_id));
CREATE TABLE dateline_steps (id TEXT NOT NULL, thread_id TEXT NOT NULL, parent_id TEXT, created_at TEXT NOT NULL, type TEXT NOT NULL, name TEXT NOT NULL, input TEXT NOT NULL, output TEXT NOT NULL, folded TEXT NOT NULL, metadata JSON NOT NULL, is_favorite BOOLEAN NOT NULL, is_error BOOLEAN NOT NULL, streaming BOOLEAN NOT NULL, start TEXT, "end" TEXT, tags JSON, generation JSON, show_input JSON, language TEXT, command TEXT, modes JSON, wait_for_answer BOOLEAN, default_open BOOLEAN, auto_collapse BOOLEAN, PRIMARY KEY (id), FOREIGN KEY(thread_id) REFERENCES dateline_threads (id) ON DELETE CASCADE);
CREATE INDEX dateline_steps_in_order ON dateline_steps (thread_id, created_at, id);
CREATE INDEX dateline_steps_parent ON dateline_steps (parent_id);
CREATE TABLE dateline_elements (id TEXT NOT NULL, thread_id TEXT NOT NULL, step_id TEXT NOT NULL, created_at TEXT NOT NULL, type TEXT NOT NULL, name TEXT NOT NULL, display TEXT NOT NULL, mime TEXT, url TEXT, props JSON, size TEXT, language TEXT, page INTEGER, auto_play BOOLEAN, player_config JSON, PRIMARY KEY (id), FOREIGN KEY(thread_id) REFERENCES dateline_threads (id) ON DELETE CASCADE);
CREATE INDEX dateline_elements_in_order ON dateline_elements (thread_id, created_at, id);
CREATE INDEX dateline_elements_step ON dateline_elements (step_id);
CREATE TABLE dateline_feedback (id TEXT NOT NULL, step_id TEXT NOT NULL, created_at TEXT NOT NULL, value INTEGER NOT NULL, comment TEXT, PRIMARY KEY (id), FOREIGN KEY(step_id) REFERENCES dateline_steps (id) ON DELETE CASCADE, UNIQUE (step_id));
INSERT INTO dateline_people VALUES ('p1', 'ann', '2026-02-04T09:00:00.000000Z', '{"email": "ann@example.org"}');
INSERT INTO dateline_threads VALUES ('t1', 'p1', '2026-02-04T09:00:00.000000Z', '2026-02-04T09:00:02.000000Z', 'When is it due?', 'when is it due?', '{"engine": "quotes"}', NULL);
INSERT INTO dateline_deleted_threads VALUES ('t0');
INSERT INTO dateline_steps VALUES ('s1', 't1', NULL, '2026-02-04T09:00:01.000000Z', 'user_message', 'ann', '', 'When is it due?', 'when is it due?', '{}', false, false, false, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO dateline_steps VALUES ('s2', 't1', 's1', '2026-02-04T09:00:02.000000Z', 'assistant_message', 'Dateline', '', 'On 6 March.', 'on 6 march.', '{"answer": {"question": "When is it due?", "answer": "On 6 March."}}', true, false, false, NULL, NULL, '["a"]', NULL, '"json"', NULL, NULL, NULL, false, NULL, NULL);
INSERT INTO dateline_elements VALUES ('e1', 't1', 's2', '2026-02-04T09:00:02.000000Z', 'custom', 'Answer', 'inline', 'application/json', NULL, '{"status": "answered"}', NULL, NULL, NULL, NULL, NULL);
INSERT INTO dateline_feedback VALUES ('f1', 's2', '2026-02-04T09:00:03.000000Z', 1, 'Right.');
"""


@pytest.fixture(params=BACKENDS)
def kept_in(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """Settings of a database that is still empty."""
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        return replace(settings, database_url=server.new_database())
    return settings


@pytest.fixture
def kept(kept_in: Settings) -> Iterator[Conversations]:
    opened = open_conversations(kept_in)
    yield opened
    opened.close()


@pytest.fixture(scope="module", params=BACKENDS)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Conversations]:
    """Conversations that several examples write to, each as people of its own."""
    settings = replace(Settings(), index=tmp_path_factory.mktemp("shared"))
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        settings = replace(settings, database_url=server.new_database())
    opened = open_conversations(settings)
    yield opened
    opened.close()


def new_id() -> str:
    return str(uuid.uuid4())


def person(kept: Conversations) -> Person:
    return kept.put_person(new_id(), {})


def at(second: int) -> str:
    """A time in a year to come: no clock of the test's has a say."""
    return f"2100-01-01T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.000000Z"


def message(thread_id: str, second: int, text: str = "", **more: Any) -> Step:
    values = {"id": new_id(), "type": "user_message", "name": "Ann", "output": text}
    return Step(thread_id=thread_id, created_at=at(second), **(values | more))


def reply(thread_id: str, second: int, question: str, answer: str, **more: Any) -> Step:
    kept_answer = {"question": question, "answer": answer, "status": "answered", "citations": []}
    more = {"type": "assistant_message", "metadata": {"answer": kept_answer}, **more}
    return message(thread_id, second, answer, **more)


def shown(step: Step, **more: Any) -> Element:
    values = {"id": new_id(), "type": "custom", "name": "Answer", "display": "inline", **more}
    return Element(thread_id=step.thread_id, step_id=step.id, **values)


def ids(kept: Conversations, person_id: str, **more: Any) -> list[str]:
    return [thread.id for thread in kept.threads(person_id, **more).threads]


def step_ids(kept: Conversations, thread_id: str) -> list[str]:
    whole = kept.thread(thread_id)
    return [step.id for step in whole.steps] if whole else []


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


def rows(kept: Conversations) -> dict[str, int]:
    with kept._database.reading() as connection:
        return {
            table.name.removeprefix("dateline_"): connection.scalar(
                sa.select(sa.func.count()).select_from(table)
            )
            for table in database.tables.sorted_tables
        }


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


# Whose it is


@dataclass
class Anns:
    """A conversation of Ann's, which is none of Ben's business."""

    ann: Person
    ben: Person
    step: Step
    element: Element
    feedback_id: str


@pytest.fixture
def anns(kept: Conversations) -> Anns:
    ann, ben = person(kept), person(kept)
    step = reply(new_id(), 1, "Hers?", "Hers.", metadata={"favorite": True})
    kept.put_step(step, ann.id)
    element = shown(step, props={"hers": True})
    kept.put_element(element, ann.id)
    return Anns(ann, ben, step, element, kept.put_feedback(step.id, 1, "Hers"))


def test_no_reader_sees_what_is_another_persons(kept: Conversations, anns: Anns) -> None:
    thread_id = anns.step.thread_id
    for by, sees in ((anns.ann.id, True), (anns.ben.id, False), (NOBODY, False)):
        assert bool(kept.thread(thread_id, by)) is sees
        assert bool(kept.element(thread_id, anns.element.id, by)) is sees
        assert bool(kept.threads(by).threads) is sees
        assert bool(kept.threads(by, search="hers").threads) is sees
        assert bool(kept.threads(by, value=1).threads) is sees
        assert bool(kept.favorites(by)) is sees
    theirs = message(new_id(), 1)
    kept.put_step(theirs, anns.ben.id)
    assert kept.element(theirs.thread_id, anns.element.id) is None


WRITES: dict[str, Callable[[Conversations, Anns, str], Any]] = {
    "name a thread": lambda k, a, by: k.put_thread(a.step.thread_id, name="Mine", by=by),
    "enter a thread": lambda k, a, by: k.put_thread(a.step.thread_id, by=by),
    "delete a thread": lambda k, a, by: k.delete_thread(a.step.thread_id, by),
    "add a step": lambda k, a, by: k.put_step(message(a.step.thread_id, 9), by),
    "change a step": lambda k, a, by: k.put_step(replace(a.step, output="x"), by),
    "move a step": lambda k, a, by: k.put_step(replace(a.step, thread_id=new_id()), by),
    "delete a step": lambda k, a, by: k.delete_step(a.step.id, by),
    "ask anew": lambda k, a, by: k.delete_after(a.step.thread_id, a.step.id, (), by),
    "add an element": lambda k, a, by: k.put_element(shown(a.step), by),
    "move an element": lambda k, a, by: k.put_element(replace(a.element, thread_id=new_id()), by),
    "delete an element": lambda k, a, by: k.delete_element(a.element.id, by),
    "rate": lambda k, a, by: k.put_feedback(a.step.id, 0, None, by),
    "take a rating back": lambda k, a, by: k.delete_feedback(a.feedback_id, by),
}


@pytest.mark.parametrize("write", WRITES)
def test_nobody_writes_to_another_persons_thread(
    kept: Conversations, anns: Anns, write: str
) -> None:
    before = kept.thread(anns.step.thread_id), rows(kept)
    for by in (anns.ben.id, NOBODY):
        with pytest.raises(NotTheirs):
            WRITES[write](kept, anns, by)
    assert (kept.thread(anns.step.thread_id), rows(kept)) == before


def test_a_thread_belongs_to_the_first_person_who_writes(kept: Conversations) -> None:
    ann, ben = person(kept), person(kept)
    step = message(new_id(), 1)
    kept.put_step(step, NOBODY)
    assert kept.owner_of(step.thread_id) is None
    assert kept.thread(step.thread_id, NOBODY)
    kept.put_thread(step.thread_id, by=ann.id)
    assert kept.owner_of(step.thread_id) == ann.identifier
    with pytest.raises(NotTheirs):
        kept.put_thread(step.thread_id, by=ben.id)
    kept.put_thread(step.thread_id, name="By one who has made sure")
    assert kept.owner_of(step.thread_id) == ann.identifier
    assert kept.owner_of(new_id()) is None


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


# The store against a model of it


@dataclass
class ModelThread:
    owner: int
    begun: int
    name: str = ""
    steps: dict[int, tuple[int, str, int | None]] = field(default_factory=dict)  # by number
    parents: dict[int, int] = field(default_factory=dict)
    active: int = -1


who, which, number = st.integers(0, 1), st.integers(0, 2), st.integers(0, 4)
words = st.text("aAéÉ%_\\", max_size=4)
operation = st.one_of(
    st.tuples(st.just("say"), who, which, number, st.integers(0, 6), words, number),
    st.tuples(st.just("name"), who, which, words.filter(str.strip)),
    st.tuples(st.just("rate"), who, which, number, st.integers(0, 1)),
    st.tuples(st.just("take back"), who, which, number),
    st.tuples(st.just("ask anew"), who, which, number),
    st.tuples(st.just("delete"), who, which),
)


class Model:
    """The simplest thing that behaves as the store must."""

    def __init__(self) -> None:
        self.threads: dict[int, ModelThread] = {}
        self.deleted: set[int] = set()
        self.begun = 0

    def enter(self, by: int, at_: int) -> ModelThread | None:
        if at_ in self.deleted:
            return None
        if at_ not in self.threads:
            self.begun += 1
            self.threads[at_] = ModelThread(by, self.begun)
        return self.threads[at_]

    def apply(self, kind: str, by: int, at_: int, *more: Any) -> None:
        """Raises PermissionError where the store must raise NotTheirs."""
        known = self.threads.get(at_)
        if kind in ("take back", "rate") and (known is None or more[0] not in known.steps):
            return
        if known and known.owner != by:
            raise PermissionError
        if kind == "delete":
            if known:
                del self.threads[at_]
                self.deleted.add(at_)
            return
        if kind == "ask anew":
            if known and more[0] in known.steps:
                place = (known.steps[more[0]][0], more[0])
                known.steps = {n: s for n, s in known.steps.items() if (s[0], n) <= place}
            return
        thread = self.enter(by, at_)
        if thread is None:
            return
        if kind == "name":
            thread.name = more[0].strip()
        elif kind == "rate":
            second, text, _ = thread.steps[more[0]]
            thread.steps[more[0]] = (second, text, more[1])
        elif kind == "say":
            n, second, text, parent = more
            first, _, value = thread.steps.get(n, (second, "", None))
            thread.steps[n] = (first, text, value)
            thread.parents[n] = parent
            thread.active = max(thread.active, second)
        elif kind == "take back":
            gone, reached = set(), {more[0]}
            while reached - gone:
                gone |= reached
                reached = {n for n in thread.steps if thread.parents[n] in gone} | gone
            thread.steps = {n: s for n, s in thread.steps.items() if n not in gone}

    def listed(self, by: int) -> list[int]:
        def place(number: int) -> tuple[int, int]:
            thread = self.threads[number]
            # Without a step its time is the clock's, which is long before those of steps.
            return (thread.active, number if thread.active >= 0 else thread.begun)

        mine = [number for number, thread in self.threads.items() if thread.owner == by]
        return sorted(mine, key=place, reverse=True)


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(operations=st.lists(operation, max_size=25), searched=words.filter(str.strip))
def test_the_store_behaves_as_its_model(
    shared: Conversations, operations: list[tuple[Any, ...]], searched: str
) -> None:
    run = new_id()
    both = [person(shared), person(shared)]
    model = Model()

    def thread_id(at_: int) -> str:
        return f"{run}-{at_}"

    def step_id(at_: int, n: int) -> str:
        return f"{run}-{at_}-{n}"

    def apply(kind: str, by: int, at_: int, *more: Any) -> None:
        id_, me = thread_id(at_), both[by].id
        if kind == "say":
            n, second, text, parent = more
            said = {"id": step_id(at_, n), "parent_id": step_id(at_, parent)}
            shared.put_step(message(id_, second, text, **said), me)
        elif kind == "name":
            shared.put_thread(id_, name=more[0], by=me)
        elif kind == "rate":
            try:
                shared.put_feedback(step_id(at_, more[0]), more[1], by=me)
            except NotTheirs:
                raise
            except StoreError:
                assert more[0] not in getattr(model.threads.get(at_), "steps", {})
        elif kind == "take back":
            shared.delete_step(step_id(at_, more[0]), me)
        elif kind == "ask anew":
            shared.delete_after(id_, step_id(at_, more[0]), by=me)
        else:
            shared.delete_thread(id_, me)

    for step in operations:
        try:
            model.apply(*step)
        except PermissionError:
            with pytest.raises(NotTheirs):
                apply(*step)
        else:
            apply(*step)

    for by, me in enumerate(both):
        listed = model.listed(by)
        assert ids(shared, me.id) == [thread_id(at_) for at_ in listed]
        for at_ in listed:
            thread = model.threads[at_]
            whole = shared.thread(thread_id(at_), me.id)
            assert whole
            assert (whole.thread.name or "") == thread.name
            in_order = sorted(thread.steps, key=lambda n: (thread.steps[n][0], n))
            assert [(s.id, s.output) for s in whole.steps] == [
                (step_id(at_, n), thread.steps[n][1]) for n in in_order
            ]
            assert {s: f.value for s, f in whole.feedback.items()} == {
                step_id(at_, n): v for n, (_, _, v) in thread.steps.items() if v is not None
            }

        def holds(thread: ModelThread) -> bool:
            texts = [thread.name, *(text for _, text, _ in thread.steps.values())]
            return any(searched.strip().casefold() in text.casefold() for text in texts)

        expected = [thread_id(at_) for at_ in listed if holds(model.threads[at_])]
        assert ids(shared, me.id, search=searched) == expected
    for at_ in model.deleted:
        assert shared.thread(thread_id(at_)) is None


# Opening


def opened_at_once(settings: Settings, script: str) -> subprocess.Popen[str]:
    """A process of its own that runs `script` with `kept`, the conversations of `settings`."""
    head = f"""
from dataclasses import replace
from pathlib import Path
from assistant.keeping.conversations import open_conversations
from assistant.keeping.tables import Step
from indexing.settings import Settings
settings = replace(Settings(), index=Path({str(settings.index)!r}), database_url={settings.database_url!r})
kept = open_conversations(settings)
"""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", head + script], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_migrations_make_the_tables_of_the_code(kept: Conversations) -> None:
    with kept._database.reading() as connection:
        options = {"version_table": database.VERSION_TABLE, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, database.tables) == []


def execute(settings: Settings, script: str) -> None:
    if settings.database_url:
        with psycopg.connect(settings.database_url, autocommit=True) as server:
            for statement in script.split(";\n"):
                if statement.strip():
                    server.execute(statement)
        return
    path = database.file_of(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()


def test_conversations_of_the_first_version_are_read_and_written(kept_in: Settings) -> None:
    execute(kept_in, VERSION_1)
    kept = open_conversations(kept_in)
    ann = kept.person("ann")
    assert ann
    assert ann.metadata == {"email": "ann@example.org"}
    whole = kept.thread("t1", ann.id)
    assert whole
    assert [step.output for step in whole.steps] == ["When is it due?", "On 6 March."]
    assert (whole.steps[1].show_input, whole.steps[1].tags) == ("json", ["a"])
    assert whole.elements[0].props == {"status": "answered"}
    (rated,) = kept.rated()
    assert (rated.answer["answer"], rated.comment) == ("On 6 March.", "Right.")
    assert ids(kept, ann.id, search="MARCH") == ["t1"]
    assert [step.id for step in kept.favorites(ann.id)] == ["s2"]
    kept.put_thread("t0", name="Still deleted")
    assert kept.thread("t0") is None
    kept.put_step(message("t1", 1, "And where?"), ann.id)
    assert len(step_ids(kept, "t1")) == 3
    kept.close()


def test_processes_that_start_at_once_do_not_both_migrate(kept_in: Settings) -> None:
    script = "kept.put_person('ann', {}); kept.close(); print('opened')"
    started = [opened_at_once(kept_in, script) for _ in range(4)]
    assert [process.communicate(timeout=60) for process in started] == [("opened\n", "")] * 4


def test_the_schema_is_changed_under_a_lock(
    kept_in: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade, found_free = database.command.upgrade, []

    def is_free() -> bool:
        if kept_in.database_url:
            with psycopg.connect(kept_in.database_url) as server:
                row = server.execute("SELECT pg_try_advisory_lock(%s)", [database._LOCK]).fetchone()
                assert row
                return bool(row[0])
        try:
            FileLock(f"{database.file_of(kept_in)}.lock").acquire(timeout=0).lock.release()
        except Timeout:
            return False
        return True

    def watched(*args: Any) -> None:
        found_free.append(is_free())
        upgrade(*args)

    monkeypatch.setattr(database.command, "upgrade", watched)
    open_conversations(kept_in).close()
    assert found_free == [False]
    assert is_free()


def test_a_write_has_the_file_to_itself_before_it_reads(settings: Settings) -> None:
    kept = open_conversations(settings)
    other = sqlite3.connect(database.file_of(settings), timeout=0, isolation_level=None)
    with kept._database.writing(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    with kept._database.reading():
        other.execute("BEGIN IMMEDIATE")
    other.close()
    kept.close()


def test_opening_again_changes_nothing_and_says_nothing(
    kept_in: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = open_conversations(kept_in)
    ann = person(kept)
    kept.close()
    again = open_conversations(kept_in)
    assert again.person(ann.identifier) == ann
    again.close()
    assert capfd.readouterr() == ("", "")


def test_a_store_of_a_newer_dateline_is_refused(kept_in: Settings) -> None:
    open_conversations(kept_in).close()
    execute(kept_in, "UPDATE dateline_schema SET version_num = '9999';\n")
    with pytest.raises(
        StoreError, match=r"format 9999, which a newer Dateline wrote.*0001"
    ) as told:
        open_conversations(kept_in)
    assert PASSWORD not in str(told.value)


KILLED = """
for n in range(10**6):
    step = Step(id=f"s{n}", thread_id=f"t{n % 7}", type="user_message", output=f"text {n}" * 50)
    kept.put_step(step)
    print(n, flush=True)
"""


def test_a_killed_writer_leaves_a_readable_store(kept_in: Settings) -> None:
    for lines in (1, 30, 77):
        process = opened_at_once(kept_in, KILLED.replace('f"s{n}"', f'f"{lines}-s{{n}}"'))
        assert process.stdout
        said = [process.stdout.readline() for _ in range(lines)]
        os.kill(process.pid, signal.SIGKILL)
        said += process.communicate()[0].splitlines()
        done = {f"{lines}-s{int(line)}" for line in said if line.strip()}
        kept = open_conversations(kept_in)
        wholes = [kept.thread(f"t{n}") for n in range(7)]
        found = {s.id: s for whole in wholes if whole for s in whole.steps}
        assert done <= set(found)
        assert {s.output[:5] for s in found.values()} <= {"text ", "It go"}
        kept.put_step(message("t0", 1, "It goes on."))
        if not kept_in.database_url:
            with kept._database.reading() as connection:
                assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        kept.close()


def test_a_server_that_drops_its_connections_is_asked_again(
    settings: Settings, postgres: Postgres
) -> None:
    settings = replace(settings, database_url=postgres.new_database())
    kept = open_conversations(settings)
    ann = person(kept)
    with psycopg.connect(settings.database_url, autocommit=True) as server:
        others = "datname = current_database() AND pid <> pg_backend_pid()"
        server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
    assert kept.person(ann.identifier) == ann
    kept.close()


def test_only_its_owner_may_read_the_file(settings: Settings) -> None:
    os.umask(mask := os.umask(0))
    kept = open_conversations(settings)
    kept.put_person("ann", {})
    folder = settings.index / "chat"
    modes = {p.name: p.stat().st_mode & 0o777 for p in folder.iterdir() if p.suffix != ".lock"}
    assert modes == dict.fromkeys((f"conversations.sqlite{s}" for s in ("", "-wal", "-shm")), 0o600)
    assert mask == 0o022, "the test would prove nothing"
    kept.close()


def test_a_file_that_is_no_database_is_named(settings: Settings) -> None:
    path = database.file_of(settings)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"Dear diary, " * 1000)
    with pytest.raises(StoreError, match=r"not a database.*move that file away") as told:
        open_conversations(settings)
    assert str(path) in str(told.value)
    path.unlink()
    path.mkdir()
    with pytest.raises(StoreError, match=r"conversations\.sqlite"):
        open_conversations(settings)


def test_a_folder_that_cannot_be_made_is_named(settings: Settings) -> None:
    settings.index.parent.mkdir(exist_ok=True)
    settings.index.write_text("a file")
    with pytest.raises(StoreError, match=r"conversations\.sqlite.*choose another index"):
        open_conversations(settings)


def test_a_database_that_breaks_later_is_told_in_words(settings: Settings) -> None:
    kept = open_conversations(settings)
    execute(settings, "DROP TABLE dateline_feedback; DROP TABLE dateline_steps;")
    with pytest.raises(StoreError, match="no such table") as told:
        kept.put_step(message(new_id(), 1, "A private question"))
    assert "private" not in f"{told.value!r}{told.value.__cause__!r}"
    kept.close()


@pytest.mark.parametrize(
    "url",
    ["mysql://u:hush@h/d", "nonsense", "postgresql://u:hush@h:port/d", "postgresql://u:hush@h"],
)
def test_a_url_that_is_not_of_postgres_is_a_wrong_setting(settings: Settings, url: str) -> None:
    with pytest.raises(SettingsError, match="DATELINE_DATABASE_URL must be like") as told:
        open_conversations(replace(settings, database_url=url))
    assert "hush" not in str(told.value)


def test_a_database_that_cannot_be_reached_is_named_without_its_password(
    settings: Settings, postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.new_database()
    for wrong in (
        url.replace(PASSWORD, "hush-hush"),
        url.replace(f"host={postgres.folder}", f"host={tmp_path}"),
        url.replace(f":{PASSWORD}", "") + "&password=hush-hush",
        postgres.url("nowhere"),
    ):
        with pytest.raises(StoreError, match="DATELINE_DATABASE_URL") as told:
            open_conversations(replace(settings, database_url=wrong))
        assert "hush" not in str(told.value)
        assert PASSWORD not in str(told.value)
        assert "tester@" in str(told.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_way_to_write_the_scheme_is_understood(
    settings: Settings, postgres: Postgres, scheme: str
) -> None:
    url = postgres.new_database().replace("postgresql", scheme, 1)
    kept = open_conversations(replace(settings, database_url=url))
    assert kept.put_person("ann", {}).identifier == "ann"
    kept.close()
    assert not settings.index.exists()


def test_without_the_driver_it_says_what_to_install(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(SettingsError, match=r"pip install 'dateline\[postgres\]'"):
        open_conversations(replace(settings, database_url="postgresql://u@h/d"))


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


def test_conversations_are_read_without_chainlit() -> None:
    code = "import sys, assistant.keeping.conversations; print('chainlit' in sys.modules)"
    run = [sys.executable, "-c", code]
    assert subprocess.run(run, cwd=ROOT, capture_output=True, text=True).stdout == "False\n"


def test_where_conversations_are_kept_is_told_and_nothing_is_made(
    settings: Settings, postgres: Postgres
) -> None:
    assert database.reached(settings) == str(database.file_of(settings))
    assert not database.file_of(settings).exists()
    on_a_server = replace(settings, database_url=postgres.new_database())
    assert "DATELINE_DATABASE_URL" in database.reached(on_a_server)
    assert PASSWORD not in database.reached(on_a_server)
