"""People, steps and elements for tests to keep, and what of them is kept."""

from __future__ import annotations

import uuid
from typing import Any

import sqlalchemy as sa

from assistant.keeping import database
from assistant.keeping.conversations import Conversations
from assistant.keeping.tables import Element, Person, Step

BACKENDS = ["sqlite", "postgres"]


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


def rows(kept: Conversations) -> dict[str, int]:
    with kept._database.reading() as connection:
        return {
            table.name.removeprefix("dateline_"): connection.scalar(
                sa.select(sa.func.count()).select_from(table)
            )
            for table in database.tables.sorted_tables
        }
