"""The threads that do a server's long work, apart from the event loop's own few; all its front doors
share them.

Chainlit writes a file for each element that it sends, in the event loop's threads: a ready answer
would stand in line there behind all that are not, were they made there too.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from typing import TypeVar

from assistant.schema import Answer, Claim
from assistant.settings import QUOTES

T = TypeVar("T")

WRITTEN_AT_ONCE = 64
"""Answers of chat models that may be under way; their threads wait for a model most of the time."""
ADDED_AT_ONCE = 2
LOOKS_UP_S = 0.1


Around = Callable[[], AbstractContextManager[Callable[[Answer], object]]]
"""Around the making of an answer, to be told what it is."""


class Workers:
    """Threads for each kind of work, so that none waits for another kind. Safe to share."""

    def __init__(self, answering: Around = lambda: nullcontext(lambda answer: None)) -> None:
        self._answering = answering
        # As many as can run: with more, those who asked first would wait as long as the last.
        self._quoting = ThreadPoolExecutor(max(2, os.cpu_count() or 2), "quoting")
        self._writing = ThreadPoolExecutor(WRITTEN_AT_ONCE, "writing")
        self._adding = ThreadPoolExecutor(ADDED_AT_ONCE, "adding")
        self._suggesting = ThreadPoolExecutor(1, "suggesting")
        self._change = threading.Condition()
        # Asked for and not there yet.
        self._quotes = 0
        self._answers = 0
        self._closed = False

    async def stream(
        self,
        engine: str,
        iterate: Callable[[], Iterator[Claim | Answer]],
        stopped: threading.Event,
    ) -> AsyncGenerator[Claim | Answer | Exception, None]:
        """The items of `iterate()`, made in a thread for `engine`; an exception it raises is its last
        item. Closing this generator sets `stopped`, and ends the thread at its next item.

        One thread for all of them: what the iterator holds open (a database) may be bound to it.
        """
        loop = asyncio.get_running_loop()
        items: asyncio.Queue[Claim | Answer | Exception | None] = asyncio.Queue()

        def put(item: Claim | Answer | Exception | None) -> None:
            if not stopped.is_set():
                loop.call_soon_threadsafe(items.put_nowait, item)

        def work() -> None:
            try:
                if not stopped.is_set():
                    self._make(iterate, put, stopped)
            except Exception as exc:  # noqa: BLE001 - its thread's top: whoever waits for it is told
                put(exc)
            finally:
                put(None)

        self.answer(engine, work)
        try:
            while (item := await items.get()) is not None:
                yield item
        finally:
            stopped.set()

    def _make(
        self,
        iterate: Callable[[], Iterator[Claim | Answer]],
        put: Callable[[Claim | Answer], None],
        stopped: threading.Event,
    ) -> None:
        with self._answering() as tell:
            for item in iterate():
                put(item)
                if isinstance(item, Answer):
                    tell(item)
                if stopped.is_set():
                    return

    @property
    def under_way(self) -> int:
        """Answers that are asked for and not there yet."""
        return self._answers

    def answer(self, engine: str, work: Callable[[], None]) -> None:
        """Makes an answer: one of quotes keeps a processor busy, a chat model's waits for the model.

        Raises RuntimeError once it is closed.
        """
        quotes = engine == QUOTES
        made = (self._quoting if quotes else self._writing).submit(work)
        with self._change:
            self._answers += 1
            self._quotes += quotes
        made.add_done_callback(lambda _: self._answered(quotes))

    async def add(self, work: Callable[[], T]) -> T:
        """Brings in an article, in the caller's context."""
        run = copy_context().run
        return await asyncio.get_running_loop().run_in_executor(self._adding, run, work)

    async def suggest(self, work: Callable[[], T]) -> T:
        """Makes what nobody has asked for, one at a time; `work` is to call `gives_way` often."""
        return await asyncio.get_running_loop().run_in_executor(self._suggesting, work)

    def gives_way(self, done: threading.Event) -> bool:
        """Waits while anybody waits for quotes, but no longer than until `done`; whether it is that,
        or the page closes, and the work may be dropped."""
        with self._change:
            while self._quotes and not done.is_set() and not self._closed:
                self._change.wait(LOOKS_UP_S)
            return done.is_set() or self._closed

    def close(self) -> None:
        """Drops what has not begun; what has is not waited for."""
        with self._change:
            self._closed = True
            self._change.notify_all()
        for threads in (self._quoting, self._writing, self._adding, self._suggesting):
            threads.shutdown(wait=False, cancel_futures=True)

    def _answered(self, quotes: bool) -> None:
        with self._change:
            self._answers -= 1
            self._quotes -= quotes
            self._change.notify_all()
