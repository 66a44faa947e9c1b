"""The chat page's handlers: from Chainlit's events to one `Assistant`, and back.

Importing this module imports Chainlit, which writes to `CHAINLIT_APP_ROOT`: `server` sets that first.
"""

# Chainlit is typed in part:
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import logging
import threading
import uuid
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from datetime import date
from typing import Any, Protocol

import chainlit as cl
from chainlit.config import config
from chainlit.input_widget import InputWidget, Select
from fastapi import FastAPI

from assistant import show
from assistant.schema import Answer, Claim
from indexing.errors import DatelineError
from indexing.schema import SourceInfo
from indexing.settings import QUOTES

log = logging.getLogger(__name__)

APOLOGY = (
    "Sorry, something went wrong inside Dateline and there is no answer. "
    "Ask again; if it happens again, the terminal that runs Dateline says why."
)
HISTORY_TURNS = 20
"""How many earlier questions and answers a follow-up is read against."""

History = list[tuple[str, str]]
Replies = dict[str, tuple[Answer, History]]
"""The latest answers of a conversation, with what came before each."""


class Answering(Protocol):
    """What the page needs of an `Assistant`."""

    def stream(
        self,
        question: str,
        history: History,
        *,
        engine: str | None = None,
        cancelled: Callable[[], bool] = ...,
    ) -> Iterator[Claim | Answer]: ...

    def engines(self) -> list[str]: ...

    def sources(self) -> list[SourceInfo]: ...

    def source_text(self, source: str) -> str: ...

    def starters(self) -> list[str]: ...

    def report(self, answer: Answer, history: History) -> None: ...


_assistant: Answering | None = None  # Chainlit's own state is one a process, so this may be too


def mount(app: FastAPI, assistant: Answering, origins: list[str]) -> str:
    """Serves the page of `assistant` at the root of `app`, below the routes `app` already has.

    `origins`: the addresses the page itself is served from. Returns the page's HTML as Chainlit
    would serve it, for a route of `app` to serve it improved.
    """
    global _assistant
    _assistant = assistant
    config.project.allow_origins = origins
    # Follow the reader's system: the page knows this value, and Chainlit's settings do not.
    config.ui.default_theme = "system"

    if len(assistant.engines()) > 1:
        # Not always: while it runs the page takes no question, and says nothing of that.
        cl.on_chat_start(offer_engines)

    # Only now: it reads `allow_origins` as it is imported.
    from chainlit.server import app as page
    from chainlit.server import get_html_template

    app.mount("/", page)
    return str(get_html_template(""))


def _the_assistant() -> Answering:
    assert _assistant is not None, "mount() comes first"
    return _assistant


@cl.data_layer
def no_data_layer() -> Any:
    """None: without this, a DATABASE_URL meant for another program would become the chat's store."""
    return None


@cl.set_starters  # type: ignore[arg-type]
async def starters() -> list[cl.Starter]:
    try:
        questions = await asyncio.to_thread(_the_assistant().starters)
    except Exception:
        log.exception("no starters")
        return []
    return [cl.Starter(label=question, message=question) for question in questions]


ENGINE = "engine"
ENGINE_LABEL = "What answers"
QUOTES_LABEL = "quotes: sentences of the articles, word for word"


async def offer_engines() -> None:
    """Lets the reader choose what answers."""
    engines = _the_assistant().engines()
    items = {QUOTES_LABEL if engine == QUOTES else engine: engine for engine in engines}
    choice: list[InputWidget] = [
        Select(id=ENGINE, label=ENGINE_LABEL, items=items, initial_value=engines[0])
    ]
    await cl.ChatSettings(choice).send()


@cl.on_settings_update
async def choose_engine(chosen: dict[str, Any]) -> None:
    if chosen.get(ENGINE) in _the_assistant().engines():
        cl.user_session.set(ENGINE, chosen[ENGINE])


@cl.on_message
async def reply(message: cl.Message) -> None:
    question = message.content.strip()
    if not question:
        return
    try:
        await _reply(question)
    except DatelineError as exc:
        await cl.ErrorMessage(content=show.escape_markdown(str(exc))).send()
    except Exception:
        log.exception("no answer to %r", question)
        await cl.ErrorMessage(content=APOLOGY).send()


async def _reply(question: str) -> None:
    assistant = _the_assistant()
    history: History = cl.user_session.get("history") or []
    articles = _articles(len(await asyncio.to_thread(assistant.sources)))
    shown = cl.Message(content="")
    stopped = threading.Event()  # set when the reader stops the answer, or leaves
    engine: str | None = cl.user_session.get(ENGINE)

    def ask() -> Iterator[Claim | Answer]:
        return assistant.stream(question, history, engine=engine, cancelled=stopped.is_set)

    async with aclosing(_in_thread(ask, stopped)) as items:
        async with cl.Step(name=f"Searching {articles}", type="tool", icon="search") as step:
            item = await anext(items)
            step.name = f"Searched {articles}"
        while isinstance(item, Claim):
            await shown.stream_token(_claim_as_markdown(item) + "\n\n")
            item = await anext(items)
    if isinstance(item, Exception):
        raise item  # not inside the step: it would show the text of any error in the page
    cl.user_session.set("history", [*history, (question, item.text)][-HISTORY_TURNS:])
    if item.dropped:
        left_out = f"{show.LEFT_OUT} ({len(item.dropped)})"
        async with cl.Step(name=left_out, type="tool", icon="scissors") as step:
            step.output = show.dropped_as_markdown(item)
    # The element draws the answer, with buttons for its marks. The Markdown under it, which the
    # style sheet hides as soon as the element is drawn, is what streams, what is copied and kept.
    shown.content = show.as_markdown(item)
    turn = str(uuid.uuid4())
    replies: Replies = cl.user_session.get("replies") or {}
    kept = list({**replies, turn: (item, history)}.items())[-HISTORY_TURNS:]
    cl.user_session.set("replies", dict(kept))
    props = {**show.to_view(item), "turn": turn}
    shown.elements = [cl.CustomElement(name="Answer", props=props)]  # type: ignore[list-item]
    await shown.send()


def _claim_as_markdown(claim: Claim) -> str:
    marks = "".join(f"[{n}]" for n in claim.citations if f"[{n}]" not in claim.text)
    return show.claim_as_markdown(f"{claim.text} {marks}".rstrip(), claim.citations)


def _articles(count: int) -> str:
    return "1 article" if count == 1 else f"{count:,} articles"


@cl.action_callback("open_source")
async def open_source(action: cl.Action) -> None:
    """Opens the side panel on the article behind a chip, at its quote."""
    citation = show.citation_from_view(action.payload)
    if citation is None:
        return
    try:
        raw = await asyncio.to_thread(_the_assistant().source_text, citation.source)
    except DatelineError as exc:
        await cl.context.emitter.send_toast(str(exc), type="error")
        return
    except Exception:
        log.exception("cannot show %r", citation.source)
        await cl.context.emitter.send_toast("This article cannot be shown.", type="error")
        return
    view = show.source_view(citation, raw, date.today())
    panel = cl.CustomElement(name="Source", props=view)
    # A new key each time: Chainlit leaves a panel with the same key as it is, scrolled away or not.
    await cl.ElementSidebar.set_elements([panel], key=str(uuid.uuid4()))
    # After the elements, or it is lost.
    await cl.ElementSidebar.set_title(f"Source {citation.number}")


@cl.action_callback("report_answer")
async def report_answer(action: cl.Action) -> bool:
    """Keeps an answer that its reader calls wrong; says whether it could."""
    replies: Replies = cl.user_session.get("replies") or {}
    reply = replies.get(str(action.payload.get("turn")))
    problem = "This answer is too long ago to be reported: ask again."
    if reply is not None:
        try:
            await asyncio.to_thread(_the_assistant().report, *reply)
            return True
        except DatelineError as exc:
            problem = str(exc)
        except Exception:
            log.exception("cannot keep a report")
            problem = "The report could not be kept."
    await cl.context.emitter.send_toast(problem, type="error")
    return False


async def _in_thread(
    iterate: Callable[[], Iterator[Claim | Answer]], stopped: threading.Event
) -> AsyncGenerator[Claim | Answer | Exception, None]:
    """The items of `iterate()`, produced in a worker thread so that the page stays responsive; an
    exception it raises is its last item.

    One thread for all of them: what the iterator holds open (a database) may be bound to its thread.
    Closing this generator sets `stopped`, and ends the thread at its next item.
    """
    loop = asyncio.get_running_loop()
    items: asyncio.Queue[Claim | Answer | Exception | None] = asyncio.Queue()

    def put(item: Claim | Answer | Exception | None) -> None:
        if not stopped.is_set():
            loop.call_soon_threadsafe(items.put_nowait, item)

    def work() -> None:
        try:
            for item in iterate():
                put(item)
                if stopped.is_set():
                    return
        except Exception as exc:
            put(exc)
        finally:
            put(None)

    loop.run_in_executor(None, work)
    try:
        while (item := await items.get()) is not None:
            yield item
    finally:
        stopped.set()
