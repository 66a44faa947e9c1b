"""The threads that do the page's long work, apart from the event loop's own few.

Chainlit writes a file for each element that it sends, in the event loop's threads: a ready answer
would stand in line there behind all that are not, were they made there too.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")

WRITTEN_AT_ONCE = 64
"""Answers of chat models that may be under way; their threads wait for a model most of the time."""
ADDED_AT_ONCE = 2
LOOKS_UP_S = 0.1


class Workers:
    """Threads for each kind of work, so that none waits for another kind. Safe to share."""

    def __init__(self) -> None:
        # As many as can run: with more, those who asked first would wait as long as the last.
        self._quoting = ThreadPoolExecutor(max(2, os.cpu_count() or 2), "quoting")
        self._writing = ThreadPoolExecutor(WRITTEN_AT_ONCE, "writing")
        self._adding = ThreadPoolExecutor(ADDED_AT_ONCE, "adding")
        self._suggesting = ThreadPoolExecutor(1, "suggesting")
        self._change = threading.Condition()
        self._quotes = 0  # asked for and not there yet
        self._closed = False

    def quote(self, work: Callable[[], None]) -> None:
        """Makes an answer of quotes, which keeps a processor busy."""
        with self._change:
            self._quotes += 1
        self._quoting.submit(work).add_done_callback(self._quoted)

    def write(self, work: Callable[[], None]) -> None:
        """Makes an answer that a chat model writes."""
        self._writing.submit(work)

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

    def _quoted(self, _: Future[None]) -> None:
        with self._change:
            self._quotes -= 1
            self._change.notify_all()
