"""Any chat model that LangChain knows, by its name, made safe to call.

Every call has a thread, an event loop and connections of its own, and none of them outlives it:
cancelling a task is the one way to close a connection at once, whatever the server does, that the
clients of all providers share. Errors are told in words of ours, for a provider's may repeat a key.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from inspect import isawaitable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from assistant.answering.models.failures import (
    CUT_SHORT,
    ERRORS,
    REFUSALS,
    Failure,
    check_finish,
    cut_off,
    failure_of,
    refused,
)
from assistant.answering.models.names import (
    CEILING,
    Message,
    Target,
    build,
    missing_package,
    target_of,
)
from assistant.settings import AnswerSettings
from indexing.errors import ModelError, SettingsError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage
    from tenacity import RetryCallState

POLL_S = 0.05
"""How often a call that waits looks whether it is still wanted."""

CLOSING_S = 2.0
"""The longest that a call waits for its connection to close."""

AFTER_FINISH_S = 5.0
"""The longest wait, after a reply's end, for the count of its tokens."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 8.0
"""Between a call and the next one of its kind: doubled each time, and up to the first more."""

PIECES_AHEAD = 4096
"""Pieces read before they are asked for: most replies whole, so that the place is free again."""


LONGEST_REPLY = 600
"""Tokens of a reply that nobody asked to be shorter."""

RETRIES = 2
"""How often a call that failed before its first word is made again."""

AT_ONCE = 4
"""Calls of one model that may run at once."""


def never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Usage:
    """What calls cost; a number of tokens is None where no server said one.

    A call that was made again counts once.
    """

    calls: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.calls + other.calls,
            _sum(self.input_tokens, other.input_tokens),
            _sum(self.output_tokens, other.output_tokens),
        )


def _sum(a: int | None, b: int | None) -> int | None:
    return b if a is None else a if b is None else a + b


def open_chat_model(name: str, settings: AnswerSettings) -> ChatModel:
    """The chat model `name`; nothing is asked of it yet, so it may not be there.

    Raises SettingsError for a malformed name, for a package that is not installed and for a key
    that is not in the environment.
    """
    target = target_of(name, settings)
    try:
        build(target, LONGEST_REPLY, frozenset())
    except ImportError:
        raise SettingsError(missing_package(target)) from None
    except Exception as exc:  # noqa: BLE001 - each package has its own, whose texts may hold a key
        raise SettingsError(f"{target.name} cannot be opened ({type(exc).__name__})") from None
    return ChatModel(target)


class ChatModel:
    """A chat model that can be called from many threads at once. Made by `open_chat_model`."""

    def __init__(self, target: Target) -> None:
        self.name = str(target.name)
        self._target = target
        self._retries, self._at_once = RETRIES, AT_ONCE
        self._without: frozenset[str] = (
            frozenset()
        )  # of what can be asked for, by `adaptable_target`
        self._places = threading.BoundedSemaphore(self._at_once)
        self._lock = threading.Lock()
        self._usage = Usage()

    @property
    def usage(self) -> Usage:
        """What all calls so far cost."""
        with self._lock:
            return self._usage

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int | None = None,
        cancelled: Callable[[], bool] = never,
        spent: Callable[[Usage], None] | None = None,
    ) -> Generator[str, None, None]:
        """The reply, piece by piece as it arrives, as long as there is one and it is wanted.

        `max_tokens`, LONGEST_REPLY where None: of the reply, which then just ends. `cancelled` is
        asked at least every 0.1 s; once true, the pieces end. `spent` is told, once, what the call
        cost, also when it failed or was cancelled; never where the model was not called. Closing
        the iterator closes the connection.
        Raises ModelError for a reply that is none, and for one that breaks off.
        """
        from langchain_core.messages import convert_to_messages

        prompt = convert_to_messages(messages)
        if not self._has_place(cancelled):
            return
        most = LONGEST_REPLY if max_tokens is None else max_tokens
        call = _Call(self, prompt, most)
        try:
            yield from call.pieces(cancelled)
        finally:
            call.close()
            with self._lock:
                self._usage += call.used
            if spent and call.used.calls:
                spent(call.used)

    def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int | None = None,
        cancelled: Callable[[], bool] = never,
        spent: Callable[[Usage], None] | None = None,
    ) -> str:
        """The whole reply, or what there was of it when `cancelled`. Raises ModelError."""
        return "".join(
            self.stream(messages, max_tokens=max_tokens, cancelled=cancelled, spent=spent)
        )

    def _has_place(self, cancelled: Callable[[], bool]) -> bool:
        """Waits for one of the places; False when cancelled. Raises ModelError after the time-out."""
        until = time.monotonic() + self._target.settings.model_timeout_s
        while not cancelled():
            if self._places.acquire(timeout=POLL_S):
                return True
            if time.monotonic() > until:
                raise ModelError(
                    f"{self.name} is busy: {self._at_once} calls at once are all it is given; ask"
                    " again later"
                )
        return False


class _Call:
    """One call of a model, which has a place: read in a thread of its own until it is closed."""

    def __init__(self, model: ChatModel, prompt: list[BaseMessage], max_tokens: int) -> None:
        self.used = Usage()
        self._model = model
        self._target = model._target
        self._prompt = prompt
        self._max_tokens = max_tokens
        self._failure = ""
        self._queue: queue.Queue[str | None] = queue.Queue(PIECES_AHEAD)  # None: that was all
        self._has_begun = False  # to speak
        self._has_ended = False
        self._running = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._thread = threading.Thread(target=self._work, name="dateline-model", daemon=True)

    def pieces(self, cancelled: Callable[[], bool]) -> Iterator[str]:
        """What the model says. Raises ModelError."""
        try:
            self._thread.start()
        except RuntimeError:
            self._model._places.release()
            raise ModelError(
                f"{self._target.name} cannot be called: too many threads are at work"
            ) from None
        while not cancelled():
            is_alive = self._thread.is_alive()
            try:
                piece = self._queue.get(timeout=POLL_S)
            except queue.Empty:
                if is_alive:
                    continue
                piece = None
            if piece is None:
                self._has_ended = True
                if self._failure:
                    raise ModelError(self._failure)
                return
            yield piece

    def close(self) -> None:
        """Ends the call, its connection and its thread."""
        if self._thread.ident is None:
            return
        self._running.wait()
        if not self._has_ended and self._loop and self._task:
            with suppress(RuntimeError):  # its loop has ended meanwhile
                self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(CLOSING_S)

    def _work(self) -> None:
        try:
            # Not asyncio.run, which nest_asyncio, where ragas has been imported, replaces.
            with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
                runner.run(self._run())
        except asyncio.CancelledError:  # by `close`, after which nobody asks why
            self._failure = cut_off(self._target, self._has_begun).message
        except Exception as exc:  # noqa: BLE001 - its thread's top: what is lost here nobody hears of
            self._failure = self._failure or failure_of(self._target, exc, self._has_begun).message
        finally:
            self._model._places.release()
            self._running.set()

    async def _run(self) -> None:
        from langsmith import tracing_context
        from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        self._running.set()
        self._ceiling = self._loop.time() + self._target.settings.model_timeout_s * CEILING
        again = AsyncRetrying(
            sleep=asyncio.sleep,
            stop=stop_after_attempt(1 + self._model._retries),
            wait=_pause,
            retry=retry_if_exception(lambda exc: isinstance(exc, Failure) and exc.is_passing),
            reraise=True,
        )
        self.used = Usage(calls=1)
        try:
            with tracing_context(enabled=False):
                await again(self._ask)
        except Failure as failure:
            self._failure = failure.message
        await self._hand_over(None)

    async def _ask(self) -> None:
        """One request, or one more for each thing asked for that the server refuses.

        Raises Failure.
        """
        while True:
            without = self._model._without
            try:
                await self._request(without)
                return
            except Failure:
                raise
            except Exception as exc:
                setting = "" if self._has_begun else refused(self._target, exc)
                if setting and setting not in without:
                    self._model._without = without | {setting}
                    continue
                raise failure_of(self._target, exc, self._has_begun) from exc

    async def _request(self, without: Collection[str]) -> None:
        chat = build(self._target, self._max_tokens, without)
        try:
            self._check_end(await self._read(chat))
        finally:
            with suppress(Exception):  # one that was never opened, or is closed already
                async with asyncio.timeout(CLOSING_S):
                    connections = attrgetter(self._target.provider.connections)(chat)
                    closing = getattr(connections, "aclose", None) or connections.close
                    if isawaitable(closed := closing()):
                        await closed

    async def _read(self, chat: BaseChatModel) -> str:
        """Hands over what the model says, and gives why it ended. Raises Failure, and what its
        package raises."""
        loop, timeout_s = asyncio.get_running_loop(), self._target.settings.model_timeout_s
        is_cohere = self._target.name.provider == "cohere"
        with_call: dict[str, Any] = {"max_tokens": self._max_tokens} if is_cohere else {}
        spoken, finish = _Spoken(), ""
        until = loop.time() + timeout_s
        async with aclosing(chat.astream(self._prompt, **with_call)) as chunks:  # type: ignore[type-var]
            while True:
                try:
                    async with asyncio.timeout_at(min(until, self._ceiling)):
                        chunk = await anext(chunks, None)
                except Exception as exc:
                    if finish:
                        break  # all has been said
                    if isinstance(exc, TimeoutError):
                        raise self._too_slow() from None
                    raise
                if chunk is None:
                    break
                if counted := chunk.usage_metadata:
                    self.used += Usage(0, counted["input_tokens"], counted["output_tokens"])
                finish = check_finish(chunk) or finish
                if text := spoken(chunk.text):
                    self._has_begun = True
                    self._ceiling += await self._hand_over(text)
                    until = loop.time() + timeout_s
                if finish:
                    until = min(until, loop.time() + AFTER_FINISH_S)
        return finish

    def _check_end(self, finish: str) -> None:
        """Raises Failure where a reply that ended with `finish` is none."""
        name = self._target.name
        if finish in REFUSALS:
            raise Failure(f"{name} refused to answer ({finish.replace('_', ' ')})")
        if not finish or finish in ERRORS:
            raise cut_off(self._target, self._has_begun)
        if self._has_begun:
            return
        if finish in CUT_SHORT:
            raise Failure(
                f"{name} spent {self._max_tokens} tokens without a word to show; choose"
                " another model"
            )
        raise Failure(f"{name} said nothing, which may be its way to refuse")

    async def _hand_over(self, piece: str | None) -> float:
        """Puts `piece` where the caller takes it from, and says how long it took to find room."""
        since = time.monotonic()
        while True:
            try:
                self._queue.put_nowait(piece)
            except queue.Full:
                await asyncio.sleep(POLL_S / 5)
            else:
                return time.monotonic() - since

    def _too_slow(self) -> Failure:
        name, timeout_s = self._target.name, self._target.settings.model_timeout_s
        if asyncio.get_running_loop().time() >= self._ceiling:
            return Failure(
                f"{name} took longer than {timeout_s * CEILING} s over one answer; choose a"
                " faster model"
            )
        how = "raise DATELINE_MODEL_TIMEOUT_S or choose a faster model"
        if self._has_begun:
            return Failure(
                f"{name} fell silent in mid-answer, for longer than {timeout_s} s; {how}"
            )
        return Failure(
            f"{name} took longer than {timeout_s} s to say a word; {how}", is_passing=True
        )


class _Spoken:
    """Of a reply's text, what is meant to be read.

    Some servers leave a model's reasoning in the text, as <think>...</think> before all else.
    """

    def __init__(self) -> None:
        self._held: str | None = ""

    def __call__(self, text: str) -> str:
        if self._held is None:
            return text
        self._held += text
        begun = self._held.lstrip()
        if begun.startswith("<think>"):
            _, end, self._held = begun.partition("</think>")
            if not end:
                self._held = begun
                return ""
            return self("")
        if "<think>".startswith(begun):
            return ""
        self._held = None
        return begun


def _pause(state: RetryCallState) -> float:
    """The seconds before the next try: what the server asks for, else ever more, and not alike."""
    from tenacity import wait_exponential, wait_random

    failed = state.outcome.exception() if state.outcome else None
    if isinstance(failed, Failure) and failed.pause_s is not None:
        return failed.pause_s
    grown = wait_exponential(FIRST_PAUSE_S, LONGEST_PAUSE_S) + wait_random(0, FIRST_PAUSE_S)
    return grown(state)
