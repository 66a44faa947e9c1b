"""How long a reader waits for the chat page, alone and beside 29 others.

The client here speaks to the page's socket as the page's own script does. A reader waits for the
first sentence to come into view, and then for the whole answer with its citations.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import socketio

from eval.cases import BRIEFS, load_set
from eval.speed.retrieval_table import BenchFailed
from eval.speed.serving import write_times

CONVERSATIONS = 30

QUESTIONS = 2
"""Questions of a conversation, the next as soon as one is answered."""

ALONE, QUICK_ALONE = 30, 8
"""Questions of the one conversation that is held alone."""

PATIENCE_S = 240.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What the page was sent for a question, `first_s` and `whole_s` seconds after it was asked: the
    first words of an answer, and the element that draws all of it.

    `answer` is that in the form of `show.to_json`, and `drawn` what the element shows of it; both are
    empty where there is none, and `messages` holds whatever was said instead. `thread` is the id that
    the conversation is kept under.
    """

    question: str
    first_s: float
    whole_s: float
    answer: Mapping[str, Any]
    drawn: Mapping[str, Any]
    messages: tuple[str, ...]
    thread: str


class Conversation:
    """A conversation held over the page's socket. Not to be asked twice at once.

    `thread` is the id it is kept under, empty before the first question.
    """

    def __init__(self, socket: Any) -> None:
        self.thread = ""
        self._socket = socket
        self._events: asyncio.Queue[tuple[str, Any, float]] = asyncio.Queue()
        socket.on("*", lambda event, data=None: self._note(event, data))
        socket.on("disconnect", lambda *_: self._note("disconnect", None))

    def _note(self, event: str, data: Any) -> None:
        if event == "first_interaction":
            self.thread = data["thread_id"]
        self._events.put_nowait((event, data, time.perf_counter()))

    async def next(self) -> tuple[str, Any, float]:
        """What the page is sent next, and when it came. Raises BenchFailed where nothing comes."""
        try:
            event = await asyncio.wait_for(self._events.get(), PATIENCE_S)
        except TimeoutError:
            raise BenchFailed(f"the page was silent for {PATIENCE_S:.0f} s") from None
        if event[0] == "disconnect":
            raise BenchFailed("the server hung up")
        return event

    async def until(self, wanted: str) -> None:
        """Waits for an event of that name; `stream_start` brings the first words of an answer."""
        while (await self.next())[0] != wanted:
            pass

    async def send(self, question: str) -> str:
        """Sends a question and waits for nothing. Returns the id of its message."""
        message = {
            "id": str(uuid.uuid4()),
            "name": "user",
            "type": "user_message",
            "output": question,
            "createdAt": datetime.now(UTC).isoformat(),
        }
        await self._socket.emit("client_message", {"message": message, "fileReferences": []})
        return str(message["id"])

    async def ask(self, question: str) -> Reply:
        """The answer, once all of it is there."""
        asked = time.perf_counter()
        return await self.reply(question, await self.send(question), asked)

    async def reply(self, question: str, id: str, asked: float) -> Reply:
        """The answer to a question that was sent at `asked` as the message `id`."""
        first: float | None = None
        whole = 0.0
        said: dict[str, Mapping[str, Any]] = {}  # messages by their ids
        drawn: Mapping[str, Any] = {}
        await self.until("task_start")  # what ended before is not this answer
        while True:
            event, data, at = await self.next()
            if event == "task_end":
                break
            if _is_message(event, data):
                first = at - asked if first is None else first
                said[data["id"]] = data
            elif event == "element" and data["name"] == "Answer" and data["forId"] in said:
                drawn, whole = data["props"], at - asked
        about = [m["metadata"] for m in said.values() if m["metadata"].get("question_id") == id]
        answer = about[0].get("answer", {}) if len(about) == 1 else {}
        texts = tuple(str(message["output"]) for message in said.values())
        return Reply(question, first or 0.0, whole, answer, drawn, texts, self.thread)

    async def stop(self) -> None:
        """Presses the button."""
        await self._socket.emit("stop")

    async def leave(self) -> None:
        """Closes the page."""
        await self._socket.disconnect()


def _is_message(event: str, data: Any) -> bool:
    """Whether the page is sent words of Dateline's, and no step of the work."""
    shown = event in ("stream_start", "new_message", "update_message")
    return shown and data["type"] == "assistant_message" and bool(data["output"])


@asynccontextmanager
async def conversation(url: str) -> AsyncIterator[Conversation]:
    """A new conversation with the page that is served at `url` to whoever is at this machine."""
    socket = socketio.AsyncClient(reconnection=False)
    opened = Conversation(socket)
    # A thread of its own choice would be looked for among the kept ones.
    who = {"clientType": "webapp", "sessionId": str(uuid.uuid4()), "threadId": ""}
    try:
        await socket.connect(
            url,
            auth={**who, "userEnv": "{}", "chatProfile": ""},
            socketio_path="ws/socket.io",
            transports=["websocket"],
            wait_timeout=PATIENCE_S,
        )
        await socket.emit("connection_successful")
        await opened.until("clear_call_fn")  # the last that a page is sent when it opens
        yield opened
    except socketio.exceptions.ConnectionError as exc:
        raise BenchFailed(f"no conversation with {url}: {exc}") from exc
    finally:
        await socket.disconnect()


async def hold(url: str, questions: Sequence[str]) -> list[Reply]:
    """A conversation of these questions, each asked when the one before it is answered."""
    async with conversation(url) as held:
        return [await held.ask(question) for question in questions]


async def hold_all(url: str, of_each: Sequence[Sequence[str]]) -> list[list[Reply]]:
    """Conversations that begin at once."""
    return await asyncio.gather(*(hold(url, questions) for questions in of_each))


@dataclass(slots=True)
class ChatTimes:
    """Seconds, one an answer: until its first sentence is in view, and until all of it is; in one
    conversation, and in `conversations` that began at once. `alone_s` and `at_once_s` are what those
    answers took together."""

    alone_first: list[float] = field(default_factory=list)
    alone_whole: list[float] = field(default_factory=list)
    at_once_first: list[float] = field(default_factory=list)
    at_once_whole: list[float] = field(default_factory=list)
    alone_s: float = 0.0
    at_once_s: float = 0.0
    conversations: int = CONVERSATIONS


def measure(url: str, *, is_quick: bool = False) -> ChatTimes:
    """Measures the page at `url`, which serves `corpus/`. Raises BenchFailed where there is a question
    that it did not answer."""
    questions = [case.question for case in load_set(BRIEFS).cases if not case.history]
    # Those asked alone are others, so that none profits from what another has left in a cache.
    warm_up, *rest = questions
    alone = rest[: QUICK_ALONE if is_quick else ALONE]
    together = rest[ALONE : ALONE + CONVERSATIONS * QUESTIONS]
    assert len(together) == CONVERSATIONS * QUESTIONS
    asyncio.run(hold(url, [warm_up]))
    started = time.perf_counter()
    one = asyncio.run(hold(url, alone))
    between = time.perf_counter()
    of_each = [together[n::CONVERSATIONS] for n in range(CONVERSATIONS)]
    many = [reply for held in asyncio.run(hold_all(url, of_each)) for reply in held]
    ended = time.perf_counter()
    for reply in (*one, *many):
        if not reply.drawn:
            said = " ".join(reply.messages) or "nothing"
            raise BenchFailed(f"the page said {said!r} to {reply.question!r}")
    return ChatTimes(
        [reply.first_s for reply in one],
        [reply.whole_s for reply in one],
        [reply.first_s for reply in many],
        [reply.whole_s for reply in many],
        between - started,
        ended - between,
    )


if __name__ == "__main__":
    write_times("eval.speed.chat_speed", __doc__, lambda at, quick: measure(at.url, is_quick=quick))
