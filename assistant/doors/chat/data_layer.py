"""Chainlit's data layer over `Conversations`: its dicts in and out, its calls kept off the event loop.

Chainlit leaves most writes of a session to tasks that nobody waits for, so there a failure is
logged; where a reader waits for one, it is raised. Files are kept by name: their content lies on
the shelves.
"""

# Chainlit is typed in part:
# mypy: disable-error-code="no-untyped-call, untyped-decorator"

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import fields
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from chainlit.context import ChainlitContextException, get_context
from chainlit.data.base import BaseDataLayer
from chainlit.data.utils import queue_until_user_message
from chainlit.element import Element as ShownElement
from chainlit.element import ElementDict
from chainlit.session import BaseSession
from chainlit.step import StepDict
from chainlit.types import Feedback as GivenFeedback
from chainlit.types import PageInfo, PaginatedResponse, Pagination, ThreadDict, ThreadFilter
from chainlit.user import PersistedUser, User

from assistant.keeping.conversations import NOBODY, Conversations
from assistant.keeping.tables import Element, Feedback, Person, Step, Thread, Whole
from indexing.errors import DatelineError

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")
Method = Callable[Concatenate["DataLayer", P], Coroutine[Any, Any, None]]


def _session() -> BaseSession | None:
    try:
        return get_context().session
    except ChainlitContextException:
        return None


def _writer() -> str | None:
    """Who writes in a session; None outside one, where Chainlit's routes ask for the author first."""
    session = _session()
    return getattr(session.user, "id", NOBODY) if session else None


def _seen(what: str) -> Callable[[Method[P]], Method[P]]:
    """Logs the failure of a write where Chainlit leaves it to itself."""

    def decorated(method: Method[P]) -> Method[P]:
        @wraps(method)
        async def write(self: DataLayer, *args: P.args, **kwargs: P.kwargs) -> None:
            try:
                await method(self, *args, **kwargs)
            except DatelineError as exc:
                if _session() is None:
                    raise
                log.error("%s: %s", what, exc)

        return cast(Method[P], write)

    return decorated


class DataLayer(BaseDataLayer):
    """What Chainlit reads and writes; `close` closes the conversations with it."""

    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations
        # One thread, so that what Chainlit sends without waiting is written in the order it was sent.
        self._writes = ThreadPoolExecutor(1, "conversations-write")
        self._reads = ThreadPoolExecutor(4, "conversations-read")

    async def close(self) -> None:
        for threads in (self._writes, self._reads):
            await asyncio.to_thread(threads.shutdown)
        self._conversations.close()

    def _write(self, do: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        return _in(self._writes, partial(do, *args, **kwargs))

    def _read(self, do: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        return _in(self._reads, partial(do, *args, **kwargs))

    # People

    async def get_user(self, identifier: str) -> PersistedUser | None:
        person = await self._read(self._conversations.person, identifier)
        return _user(person) if person else None

    async def create_user(self, user: User) -> PersistedUser:
        put = self._conversations.put_person
        return _user(await self._write(put, user.identifier, user.metadata))

    # Threads

    async def get_thread_author(self, thread_id: str) -> str:
        """Empty for an unknown thread: Chainlit then answers that there is none."""
        return await self._read(self._conversations.owner_of, thread_id) or ""

    async def list_threads(
        self, pagination: Pagination, filters: ThreadFilter
    ) -> PaginatedResponse[ThreadDict]:
        if not filters.userId:
            raise ValueError("threads are listed for one person")
        page = await self._read(
            self._conversations.threads,
            filters.userId,
            first=pagination.first,
            after=pagination.cursor,
            search=filters.search,
            value=filters.feedback,
        )
        # The page groups and orders its list by this time, which it sets anew at each message.
        listed = [_thread(thread, thread.active_at) for thread in page.threads]
        return PaginatedResponse(PageInfo(page.after is not None, None, page.after), listed)

    async def get_thread(self, thread_id: str) -> ThreadDict | None:
        whole = await self._read(self._conversations.thread, thread_id)
        return _whole(whole) if whole else None

    @_seen("a conversation's name or settings are not kept")
    async def update_thread(
        self,
        thread_id: str,
        name: str | None = None,
        user_id: str | None = None,
        metadata: dict[str, Any] | None = None,
        tags: list[str] | None = None,
    ) -> None:
        await self._write(
            self._conversations.put_thread,
            thread_id,
            name=name,
            metadata=metadata,
            tags=tags,
            by=user_id or _writer(),
        )

    async def delete_thread(self, thread_id: str) -> None:
        await self._write(self._conversations.delete_thread, thread_id, _writer())

    # Steps

    @queue_until_user_message()
    @_seen("a message is not kept")
    async def create_step(self, step_dict: StepDict) -> None:
        put = self._conversations.put_step
        await self._write(put, _step_of(step_dict), _writer(), is_new=True)

    @queue_until_user_message()
    @_seen("a change of a message is not kept")
    async def update_step(self, step_dict: StepDict) -> None:
        await self._write(self._conversations.put_step, _step_of(step_dict), _writer())

    @queue_until_user_message()
    @_seen("a message that was taken back is still kept")
    async def delete_step(self, step_id: str) -> None:
        await self._write(self._conversations.delete_step, step_id, _writer())

    async def get_favorite_steps(self, user_id: str) -> list[StepDict]:
        found = await self._read(self._conversations.favorites, user_id)
        return [_step_dict(step, None) for step in found]

    # Elements

    @queue_until_user_message()
    @_seen("what is shown beside a message is not kept")
    async def create_element(self, element: ShownElement) -> None:
        given = element.to_dict()
        if not given.get("forId"):
            return  # it belongs to no message, and goes with the session
        put = self._conversations.put_element
        await self._write(put, _element_of(given), _writer())

    async def get_element(self, thread_id: str, element_id: str) -> ElementDict | None:
        element = await self._read(self._conversations.element, thread_id, element_id)
        return _element_dict(element) if element else None

    @queue_until_user_message()
    @_seen("what was removed beside a message is still kept")
    async def delete_element(self, element_id: str, thread_id: str | None = None) -> None:
        await self._write(self._conversations.delete_element, element_id, _writer())

    # Feedback

    async def upsert_feedback(self, feedback: GivenFeedback) -> str:
        put = self._conversations.put_feedback
        return await self._write(put, feedback.forId, feedback.value, feedback.comment, _writer())

    async def delete_feedback(self, feedback_id: str) -> bool:
        return await self._write(self._conversations.delete_feedback, feedback_id, _writer())

    async def build_debug_url(self) -> str:
        return ""


def _in(threads: Executor, work: Callable[[], T]) -> Awaitable[T]:
    return asyncio.get_running_loop().run_in_executor(threads, work)


# Chainlit's names, and ours where they differ from them in more than the writing

_CALLED = {"step_id": "forId"}


def _name(ours: str) -> str:
    """`created_at` is Chainlit's `createdAt`."""
    first, *others = ours.split("_")
    return _CALLED.get(ours, first + "".join(word.capitalize() for word in others))


_STEP = {f.name: _name(f.name) for f in fields(Step)}
_ELEMENT = {f.name: _name(f.name) for f in fields(Element)}


def _step_of(given: StepDict) -> Step:
    values = {ours: given.get(theirs) for ours, theirs in _STEP.items()}
    # None where Chainlit leaves something out that is never missing here.
    always = ("name", "input", "output", "metadata", "is_error", "streaming")
    return Step(**{k: v for k, v in values.items() if v is not None or k not in always})  # type: ignore[arg-type]


def _step_dict(step: Step, said: Feedback | None) -> StepDict:
    values: dict[str, Any] = {theirs: getattr(step, ours) for ours, theirs in _STEP.items()}
    values["feedback"] = said and {
        "forId": said.step_id,
        "id": said.id,
        "value": said.value,
        "comment": said.comment,
    }
    return cast(StepDict, values)


def _element_of(given: ElementDict) -> Element:
    return Element(**{ours: given.get(theirs) for ours, theirs in _ELEMENT.items()})  # type: ignore[arg-type]


def _element_dict(element: Element) -> ElementDict:
    values: dict[str, Any] = {theirs: getattr(element, o) for o, theirs in _ELEMENT.items()}
    # A key names a file of the session that sent it, and is of no use to another.
    values |= {"props": element.props or {}, "chainlitKey": None, "objectKey": None}
    return cast(ElementDict, values)


def _thread(thread: Thread, created_at: str) -> ThreadDict:
    return {
        "id": thread.id,
        "createdAt": created_at,
        "name": thread.name,
        "userId": thread.person_id,
        "userIdentifier": thread.identifier,
        "tags": thread.tags,
        "metadata": thread.metadata,
        "steps": [],
        "elements": [],
    }


def _whole(whole: Whole) -> ThreadDict:
    shown = _thread(whole.thread, whole.thread.created_at)
    shown["steps"] = [_step_dict(step, whole.feedback.get(step.id)) for step in whole.steps]
    shown["elements"] = [_element_dict(element) for element in whole.elements]
    return shown


def _user(person: Person) -> PersistedUser:
    return PersistedUser(
        id=person.id,
        createdAt=person.created_at,
        identifier=person.identifier,
        metadata=person.metadata,
    )
