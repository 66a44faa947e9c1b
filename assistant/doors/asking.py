"""The seam between the front doors and what answers, and how a server's doors ask."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol

from assistant.doors.workers import Workers
from assistant.schema import Answer, Claim, Hit
from indexing.embed import Embedder
from indexing.errors import DatelineError, SettingsError
from indexing.schema import Filters, SourceInfo

LONGEST_S = 120
"""The longest an answer may take."""
MOST_UNDER_WAY = 200
"""With so many answers asked for and not there yet, the next is turned away."""

History = Sequence[tuple[str, str]]
"""Earlier (question, answer) turns, oldest first."""


class Answering(Protocol):
    """What a front door needs of an `Assistant`."""

    def stream(
        self,
        question: str,
        history: History = (),
        filters: Filters | None = None,
        as_of: date | None = None,
        engine: str | None = None,
        cancelled: Callable[[], bool] = ...,
        max_quotes: int | None = None,
    ) -> Iterator[Claim | Answer]: ...

    def follow_ups(
        self,
        answer: Answer,
        history: History = (),
        *,
        filters: Filters | None = None,
        cancelled: Callable[[], bool] = ...,
    ) -> list[str]: ...

    @property
    def embedder(self) -> Embedder: ...

    def joined(self, *indexes: Path) -> Answering: ...

    def search(self, query: str, k: int = 10, filters: Filters | None = None) -> list[Hit]: ...

    def check_index(self) -> None: ...

    def engines(self) -> list[str]: ...

    def sources(self) -> list[SourceInfo]: ...

    def source(self, source: str) -> SourceInfo: ...

    def source_text(self, source: str) -> str: ...

    def original(self, source: str) -> Path | None: ...

    def starters(self) -> list[str]: ...

    def warm(self) -> None: ...

    def close(self) -> None: ...


class NoSuchEngine(SettingsError):
    """An engine was asked for that is not on offer."""


class Overloaded(DatelineError):
    """So many answers are under way that another would wait too long."""


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks in the server's threads, within the limits above."""

    assistant: Answering
    workers: Workers

    def engine(self, wanted: str | None) -> str:
        """The engine that is to answer. Raises NoSuchEngine for one that is not on offer: others may
        be named in the settings alone, for their addresses are called from here."""
        on_offer = self.assistant.engines()
        if wanted is None:
            return on_offer[0]
        if wanted not in on_offer:
            raise NoSuchEngine(f"there is no engine {wanted!r}; on offer: {', '.join(on_offer)}")
        return wanted

    async def items(
        self,
        question: str,
        history: History = (),
        *,
        filters: Filters | None = None,
        as_of: date | None = None,
        engine: str | None = None,
        max_quotes: int | None = None,
    ) -> AsyncGenerator[Claim | Answer, None]:
        """The verified claims and then the answer; closing it ends the work.

        Raises NoSuchEngine, Overloaded, TimeoutError after LONGEST_S, and whatever
        answering raises.
        """
        chosen = self.engine(engine)
        if self.workers.under_way >= MOST_UNDER_WAY:
            raise Overloaded("too many answers are under way already; try again in a moment")
        stopped = threading.Event()

        def iterate() -> Iterator[Claim | Answer]:
            return self.assistant.stream(
                question,
                history,
                filters=filters,
                as_of=as_of,
                engine=chosen,
                cancelled=stopped.is_set,
                max_quotes=max_quotes,
            )

        async with asyncio.timeout(LONGEST_S):
            async with aclosing(self.workers.stream(chosen, iterate, stopped)) as items:
                async for item in items:
                    if isinstance(item, Exception):
                        raise item
                    yield item
