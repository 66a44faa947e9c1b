"""Conversations as they are kept: who asked what, what was answered, and what they said of it.

A thread belongs to one person, and holds steps (messages, and what was done for them) and elements
(what is shown beside a message). Nothing here knows of Chainlit; `data_layer` translates.
"""

from __future__ import annotations

import re
import unicodedata
import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from assistant.keeping.database import (
    Database,
    deleted_threads,
    elements,
    feedback,
    file_of,
    open_database,
    people,
    steps,
    threads,
)
from assistant.keeping.tables import Element, Feedback, Page, Person, Rated, Step, Thread, Whole
from assistant.settings import Settings
from indexing.errors import NotTheirs, StoreError

NOBODY = ""
"""The writer who is signed in as nobody: he may write to threads without an owner alone."""
NAME_CHARS = 200
"""A longer name of a thread is cut."""
MOST_THREADS = 200
"""The longest page of a listing."""

ANSWER = "answer"
"""Where an answer stands in the metadata of its message."""


def open_conversations(settings: Settings) -> Conversations:
    """The conversations that `settings` name, begun where there are none.

    Raises SettingsError and StoreError as `database.open_database` does.
    """
    return Conversations(open_database(settings))


def are_kept(settings: Settings) -> bool:
    """Whether there may be conversations: without asking a server, and without beginning a file."""
    return bool(settings.database_url) or file_of(settings).is_file()


class Conversations:
    """Reads and writes them; safe to share between threads.

    `by` is the id of the person who writes or reads: NotTheirs is raised where a thread to be
    written belongs to another, and what belongs to another is not found. None where the caller has
    made sure; NOBODY where no one is signed in. Every write is one transaction. A thread is made
    when something is first written to it, and belongs to the first person who writes; what is
    written to a deleted thread is dropped. Methods raise StoreError when the database fails.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert: Any = sqlite.insert if database.is_file else postgresql.insert

    def close(self) -> None:
        self._database.close()

    # People

    def person(self, identifier: str) -> Person | None:
        query = sa.select(people).where(people.c.identifier == identifier)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return Person(**row._mapping) if row else None

    def put_person(self, identifier: str, metadata: Mapping[str, Any]) -> Person:
        """Made with an id that stays; the metadata of one who is known is replaced."""
        row = {
            "id": str(uuid.uuid4()),
            "identifier": identifier,
            "created_at": now(),
            "metadata": dict(metadata),
        }
        put = self._insert(people).values(row)
        put = put.on_conflict_do_update(
            index_elements=["identifier"], set_={"metadata": put.excluded.metadata}
        )
        with self._database.writing() as connection:
            return Person(**connection.execute(put.returning(people)).one()._mapping)

    # Threads

    def threads(
        self,
        person_id: str,
        *,
        first: int = MOST_THREADS,
        after: str | None = None,
        search: str | None = None,
        value: int | None = None,
    ) -> Page:
        """The person's threads, newest activity first: `first` of them from the cursor `after` on.

        `search`: only those whose name or messages hold these words, in upper or lower case;
        `value`: only those with an answer rated so.
        """
        first = max(1, min(first, MOST_THREADS))
        newest = sa.tuple_(threads.c.active_at, threads.c.id)
        query = _threads_with_owner().where(threads.c.person_id == person_id)
        if after is not None:
            active_at, _, id_ = after.partition("/")
            query = query.where(newest < sa.tuple_(sa.literal(active_at), sa.literal(id_)))
        if words := folded(search or "").strip():
            said = steps.c.folded.contains(words, autoescape=True)
            is_said = sa.exists().where(steps.c.thread_id == threads.c.id, said)
            query = query.where(threads.c.folded.contains(words, autoescape=True) | is_said)
        if value is not None:
            of_step = steps.join(feedback, feedback.c.step_id == steps.c.id)
            in_thread = (steps.c.thread_id == threads.c.id) & (feedback.c.value == value)
            query = query.where(sa.exists().select_from(of_step).where(in_thread))
        query = query.order_by(threads.c.active_at.desc(), threads.c.id.desc()).limit(first + 1)
        with self._database.reading() as connection:
            found = [Thread(**row._mapping) for row in connection.execute(query)]
        page = found[:first]
        has_more = len(found) > first
        return Page(tuple(page), f"{page[-1].active_at}/{page[-1].id}" if has_more else None)

    def thread(self, thread_id: str, by: str | None = None) -> Whole | None:
        query = _threads_with_owner().where(threads.c.id == thread_id, _visible(by))
        in_order = (
            sa.select(*_columns(steps, Step), feedback.c.id.label("feedback_id"))
            .add_columns(feedback.c.value, feedback.c.comment)
            .select_from(steps.outerjoin(feedback))
            .where(steps.c.thread_id == thread_id)
            .order_by(steps.c.created_at, steps.c.id)
        )
        shown = (
            sa.select(*_columns(elements, Element))
            .where(elements.c.thread_id == thread_id)
            .order_by(elements.c.created_at, elements.c.id)
        )
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
            if row is None:
                return None
            rows = connection.execute(in_order).all()
            beside = connection.execute(shown).all()
        said = {
            r.id: Feedback(r.feedback_id, r.id, r.value, r.comment) for r in rows if r.feedback_id
        }
        return Whole(
            Thread(**row._mapping),
            tuple(_step(r) for r in rows),
            tuple(Element(**r._mapping) for r in beside),
            said,
        )

    def owner_of(self, thread_id: str) -> str | None:
        """The identifier of the thread's person; None for a thread that is unknown or nobody's."""
        query = sa.select(people.c.identifier).join(threads).where(threads.c.id == thread_id)
        with self._database.reading() as connection:
            return connection.scalar(query)

    def put_thread(
        self,
        thread_id: str,
        *,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        tags: list[str] | None = None,
        by: str | None = None,
    ) -> None:
        """Changes what is given. `metadata` is merged with what is there; a None in it removes."""
        with self._database.writing() as connection:
            if not self._enter(connection, thread_id, by):
                return
            this = threads.c.id == thread_id
            changes: dict[str, Any] = {}
            if name is not None and (shown := _shortened(name)):
                changes |= {"name": shown, "folded": folded(shown)}
            if metadata is not None:
                known = connection.scalar(sa.select(threads.c.metadata).where(this)) or {}
                merged = {**known, **metadata}
                changes["metadata"] = {k: v for k, v in merged.items() if v is not None}
            if tags is not None:
                changes["tags"] = tags
            if changes:
                connection.execute(sa.update(threads).where(this).values(changes))

    def delete_thread(self, thread_id: str, by: str | None = None) -> None:
        """Deletes it with all that is in it."""
        with self._database.writing() as connection:
            if self._owned(connection, thread_id, by):
                connection.execute(sa.delete(threads).where(threads.c.id == thread_id))
                tombstone = self._insert(deleted_threads).values(thread_id=thread_id)
                connection.execute(tombstone.on_conflict_do_nothing())
        self._database.shrink()

    # Steps

    def put_step(self, step: Step, by: str | None = None, *, is_new: bool = False) -> None:
        """Keeps the step in the place of the one with its id; `is_new` leaves one that is there.

        For the first version of a step may come after the second.
        """
        # The message itself is Markdown, in which a mark such as [1] is written with backslashes.
        text = f"{step.input}\n{step.output}\n{_answer_of(step.metadata).get('answer', '')}"
        row = _row(step) | {
            "created_at": _instant(step.created_at),
            "folded": folded(text) if "message" in step.type else "",
            "is_favorite": step.metadata.get("favorite") is True,
        }
        self._put(steps, row, by, is_new=is_new)

    def delete_step(self, step_id: str, by: str | None = None) -> None:
        """Deletes it with its children, and what is shown beside them."""
        within = sa.select(steps.c.id).where(steps.c.id == step_id).cte(recursive=True)
        within = within.union(sa.select(steps.c.id).join(within, steps.c.parent_id == within.c.id))
        with self._database.writing() as connection:
            thread_id = connection.scalar(sa.select(steps.c.thread_id).where(steps.c.id == step_id))
            if thread_id is None or not self._owned(connection, thread_id, by):
                return
            _delete(connection, thread_id, steps.c.id.in_(sa.select(within.c.id)))

    def delete_after(
        self, thread_id: str, step_id: str, keep: Collection[str] = (), by: str | None = None
    ) -> None:
        """Deletes the steps of the thread begun after that one, but for those with an id in `keep`:
        a question is asked anew."""
        place = sa.tuple_(steps.c.created_at, steps.c.id)
        with self._database.writing() as connection:
            if not self._owned(connection, thread_id, by):
                return
            here = (steps.c.id == step_id) & (steps.c.thread_id == thread_id)
            created_at = connection.scalar(sa.select(steps.c.created_at).where(here))
            if created_at is None:
                return
            later = place > sa.tuple_(sa.literal(created_at), sa.literal(step_id))
            _delete(connection, thread_id, later & steps.c.id.not_in(keep))

    def favorites(self, person_id: str) -> list[Step]:
        """The steps the person marked as favorites, the newest first."""
        query = (
            sa.select(*_columns(steps, Step))
            .join(threads)
            .where(threads.c.person_id == person_id, steps.c.is_favorite)
            .order_by(steps.c.created_at.desc(), steps.c.id.desc())
        )
        with self._database.reading() as connection:
            return [_step(row) for row in connection.execute(query)]

    # Elements

    def put_element(self, element: Element, by: str | None = None) -> None:
        """Keeps the element in the place of the one with its id."""
        self._put(elements, _row(element) | {"created_at": now()}, by)

    def element(self, thread_id: str, element_id: str, by: str | None = None) -> Element | None:
        query = (
            sa.select(*_columns(elements, Element))
            .join(threads)
            .where(elements.c.thread_id == thread_id, elements.c.id == element_id, _visible(by))
        )
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return Element(**row._mapping) if row else None

    def delete_element(self, element_id: str, by: str | None = None) -> None:
        this = elements.c.id == element_id
        with self._database.writing() as connection:
            thread_id = connection.scalar(sa.select(elements.c.thread_id).where(this))
            if thread_id is not None and self._owned(connection, thread_id, by):
                connection.execute(sa.delete(elements).where(this))

    # Feedback

    def put_feedback(
        self, step_id: str, value: int, comment: str | None = None, by: str | None = None
    ) -> str:
        """Keeps what was said of an answer in the place of what was said before; returns its id."""
        row = {
            "id": str(uuid.uuid4()),
            "step_id": step_id,
            "created_at": now(),
            "value": value,
            "comment": _clean(comment) if comment else None,
        }
        put = self._insert(feedback).values(row)
        changes = {name: put.excluded[name] for name in ("created_at", "value", "comment")}
        put = put.on_conflict_do_update(index_elements=["step_id"], set_=changes)
        with self._database.writing() as connection:
            thread_id = connection.scalar(sa.select(steps.c.thread_id).where(steps.c.id == step_id))
            if thread_id is None or not self._owned(connection, thread_id, by):
                raise StoreError("this answer is not kept, so it cannot be rated; ask again")
            return str(connection.scalar(put.returning(feedback.c.id)))

    def delete_feedback(self, feedback_id: str, by: str | None = None) -> bool:
        """Whether there was such feedback."""
        this = feedback.c.id == feedback_id
        of_step = sa.select(steps.c.thread_id).join(feedback).where(this)
        with self._database.writing() as connection:
            thread_id = connection.scalar(of_step)
            if thread_id is None or not self._owned(connection, thread_id, by):
                return False
            return connection.execute(sa.delete(feedback).where(this)).rowcount > 0

    def rated(self, value: int | None = None) -> Iterator[Rated]:
        """The answers that people rated (so), the newest rating first."""
        query = (
            sa.select(steps, feedback.c.value, feedback.c.comment)
            .add_columns(feedback.c.created_at.label("rated_at"))
            .join(feedback)
            .order_by(feedback.c.created_at.desc(), feedback.c.id)
        )
        if value is not None:
            query = query.where(feedback.c.value == value)
        place = sa.tuple_(steps.c.created_at, steps.c.id)
        newest_first = sa.select(steps).order_by(steps.c.created_at.desc(), steps.c.id.desc())
        in_order = sa.select(steps.c.metadata).order_by(steps.c.created_at, steps.c.id)
        with self._database.reading() as connection:
            for row in connection.execute(query).all():
                # The page rates the run of a question, and its answer is a step of that.
                about = (steps.c.id == row.id) | (steps.c.parent_id == row.id)
                found = (
                    (step, _answer_of(step._mapping["metadata"]))
                    for step in connection.execute(newest_first.where(about))
                )
                step, answer = next(((s, a) for s, a in found if a), (None, None))
                if step is None or answer is None:
                    continue
                earlier = in_order.where(
                    steps.c.thread_id == step.thread_id,
                    steps.c.type == step.type,
                    place < sa.tuple_(sa.literal(step.created_at), sa.literal(step.id)),
                )
                before = map(_answer_of, connection.scalars(earlier))
                turns = tuple((b["question"], b["answer"]) for b in before if b)
                yield Rated(answer, turns, row.value, row.comment, row.rated_at)

    # What writes have in common

    def _put(
        self, table: sa.Table, row: dict[str, Any], by: str | None, *, is_new: bool = False
    ) -> None:
        put = self._insert(table).values(row)
        if is_new:
            put = put.on_conflict_do_nothing()
        else:
            kept = {"id", "thread_id", "created_at"}
            changes = {name: put.excluded[name] for name in row if name not in kept}
            # An id is chosen by the page: it must not reach into another thread.
            same = table.c.thread_id == put.excluded.thread_id
            put = put.on_conflict_do_update(index_elements=["id"], set_=changes, where=same)
        with self._database.writing() as connection:
            if not self._enter(connection, row["thread_id"], by):
                return
            done = connection.execute(put.returning(table.c.id)).one_or_none()
            if done is None and not is_new:
                raise NotTheirs("this stands in another conversation, and is left as it is")
            is_older = threads.c.active_at < row["created_at"]
            if table is steps:
                connection.execute(
                    sa.update(threads)
                    .where(threads.c.id == row["thread_id"], is_older)
                    .values(active_at=row["created_at"])
                )

    def _enter(self, connection: sa.Connection, thread_id: str, by: str | None) -> bool:
        """Makes the thread if there is none, and locks it; False where it was deleted."""
        at = now()
        row = {"id": thread_id, "created_at": at, "active_at": at, "folded": "", "metadata": {}}
        connection.execute(self._insert(threads).values(row).on_conflict_do_nothing())
        this = threads.c.id == thread_id
        found = self._owned(connection, thread_id, by)
        # Only now that it is locked: it may have been deleted a moment ago.
        buried = sa.select(deleted_threads).where(deleted_threads.c.thread_id == thread_id)
        if not found or connection.execute(buried).one_or_none():
            connection.execute(sa.delete(threads).where(this))
            return False
        if by:
            mine = sa.update(threads).where(this, threads.c.person_id.is_(None))
            connection.execute(mine.values(person_id=by))
        return True

    def _owned(self, connection: sa.Connection, thread_id: str, by: str | None) -> bool:
        """Locks the thread; False where there is none. Raises NotTheirs."""
        query = sa.select(threads.c.person_id).where(threads.c.id == thread_id).with_for_update()
        row = connection.execute(query).one_or_none()
        if row and by is not None and row.person_id not in (None, by):
            raise NotTheirs("this conversation belongs to another person, and is left as it is")
        return row is not None


def now() -> str:
    """The time in UTC, such as 2026-02-04T09:30:00.000000Z: as text in order of time."""
    return _as_text(datetime.now(UTC))


def _as_text(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _instant(text: str | None) -> str:
    """A time given in ISO form, as `now` writes it; now where none is given."""
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return now()
    return _as_text(time if time.tzinfo else time.replace(tzinfo=UTC))


def folded(text: str) -> str:
    """`text` as it is searched, without case. No database does so for every language: SQLite folds
    ASCII alone, Postgres what its locale knows."""
    return unicodedata.normalize("NFKC", _clean(text)).casefold()


_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def _clean(text: str) -> str:
    """`text` without what Postgres or UTF-8 cannot hold."""
    return _UNSTORABLE.sub("\ufffd", text)


def _shortened(name: str) -> str:
    name = " ".join(_clean(name).split())
    return name if len(name) <= NAME_CHARS else name[: NAME_CHARS - 1].rstrip() + "…"


def _answer_of(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The answer that a message's metadata holds, or nothing."""
    answer = metadata.get(ANSWER)
    if not isinstance(answer, dict):
        return {}
    words = (answer.get("question"), answer.get("answer"))
    return answer if all(isinstance(text, str) for text in words) else {}


def _row(noun: Step | Element) -> dict[str, Any]:
    row = asdict(noun)
    return {name: _clean(v) if isinstance(v, str) else v for name, v in row.items()}


def _columns(table: sa.Table, noun: type[Step | Element]) -> list[sa.Column[Any]]:
    return [table.c[f.name] for f in fields(noun)]


def _step(row: sa.Row[Any]) -> Step:
    return Step(**{f.name: row._mapping[f.name] for f in fields(Step)})


def _threads_with_owner() -> sa.Select[Any]:
    names = [f.name for f in fields(Thread) if f.name != "identifier"]
    whose = threads.outerjoin(people)
    return sa.select(*(threads.c[name] for name in names), people.c.identifier).select_from(whose)


def _visible(by: str | None) -> sa.ColumnElement[bool]:
    if by is None:
        return sa.true()
    return threads.c.person_id == by if by else threads.c.person_id.is_(None)


def _delete(connection: sa.Connection, thread_id: str, which: sa.ColumnElement[bool]) -> None:
    """Deletes such steps of the thread, and what is shown beside them."""
    these = (steps.c.thread_id == thread_id) & which
    beside = elements.c.step_id.in_(sa.select(steps.c.id).where(these))
    connection.execute(sa.delete(elements).where(elements.c.thread_id == thread_id, beside))
    connection.execute(sa.delete(steps).where(these))
