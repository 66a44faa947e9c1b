"""The chat page's handlers: from Chainlit's events to one `Assistant`, and back.

Importing this module imports Chainlit, which writes to `CHAINLIT_APP_ROOT`: `server` sets that first.
"""

# Chainlit is typed in part:
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, TypeVar

import chainlit as cl
from chainlit.config import config
from chainlit.types import ThreadDict
from fastapi import FastAPI

from assistant.doors.asking import Answering
from assistant.doors.chat import export, ratings, sign_in
from assistant.doors.chat.library import (
    library,
    open_article,
    open_library,
    set_limits,
    show_limits,
)
from assistant.doors.chat.session import (
    Page,
    close_page,
    data_layer_of_page,
    open_panel,
    opening_here,
    read_here,
    serve_page,
    tell,
    the_conversation,
    the_page,
)
from assistant.doors.chat.uploads import check_upload, name_after, upload
from assistant.doors.chat.words import count, say
from assistant.doors.conversation import ReaderLimits, metadata_of, resumed
from assistant.doors.show.markdown import (
    as_markdown,
    claim_as_markdown,
    dropped_as_markdown,
    escape_markdown,
)
from assistant.doors.show.page import to_view
from assistant.doors.show.parts import LEFT_OUT
from assistant.doors.workers import Workers
from assistant.schema import Answer, Claim
from assistant.settings import Settings
from indexing.errors import DatelineError
from indexing.reading.read import MAX_FILE_MB, SUPPORTED
from indexing.schema import SourceInfo

log = logging.getLogger(__name__)
T = TypeVar("T")


TYPES = (
    "text/*",
    "application/pdf",
    "application/json",
    "application/jsonl",
    "application/x-ndjson",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/octet-stream",
)
"""The types browsers give the files that are read; what a file is its suffix decides."""


def mount(
    app: FastAPI,
    assistant: Answering,
    origins: list[str],
    settings: Settings,
    workers: Workers,
) -> str:
    """Serves the page of `assistant` at the root of `app`, below the routes `app` already has.

    `origins`: the addresses the page itself is served from. Returns the page's HTML as Chainlit
    would serve it, for a route of `app` to serve it improved.
    """
    served = Page(assistant, settings, workers)
    serve_page(served)
    config.project.allow_origins = origins
    # Follow the reader's system: the page knows this value, and Chainlit's settings do not.
    config.ui.default_theme = "system"
    uploads = config.features.spontaneous_file_upload
    assert uploads is not None
    uploads.accept = {kind: sorted(SUPPORTED) for kind in TYPES}
    uploads.max_size_mb = MAX_FILE_MB
    sign_in.register(app, settings)

    # Only now: it reads `allow_origins` as it is imported.
    from chainlit import server
    from chainlit.server import app as page
    from chainlit.server import get_html_template, sio

    sio.on("stop")(stop)  # Chainlit's own adds a message in words of its own
    vars(server)["validate_file_upload"] = check_upload  # and its own fails on an empty file
    app.include_router(ratings.routes(served.conversations))
    app.mount("/", page)
    return str(get_html_template(""))


def close() -> None:
    """Closes what `mount` opened."""
    close_page()


# Questions


@cl.set_starters  # type: ignore[arg-type]
async def starters() -> list[cl.Starter]:
    try:
        questions = await asyncio.to_thread(the_page().assistant.starters)
    except Exception:
        log.exception("no starters")
        return []
    return [cl.Starter(label=question, message=question) for question in questions]


@cl.on_message
async def reply(message: cl.Message) -> None:
    # An edited question is answered in a task that Chainlit does not know, and so could not stop.
    cl.context.session.current_task = asyncio.current_task()
    try:
        question = message.content.strip()
        if message.elements and not question:
            await name_after([element.name for element in message.elements])
        added = [await upload(element) for element in message.elements or []]
        if question and all(added):
            await _reply(message.id, question)
    except DatelineError as exc:
        await cl.ErrorMessage(content=escape_markdown(str(exc))).send()
    except Exception:
        log.exception("no answer")
        await cl.ErrorMessage(content=say("apology")).send()


async def _reply(id: str, question: str) -> None:
    page, session, conversation = the_page(), cl.context.session, the_conversation()
    _stop_suggesting(session)
    if conversation.ask(id, question):
        run = cl.context.current_run
        keep = [run.id] if run else []
        await asyncio.to_thread(page.conversations.delete_after, session.thread_id, id, keep)
    history, limits = conversation.history(), conversation.limits
    sources = await read_here(lambda assistant: assistant.sources())
    articles = count("article", "articles", len(limits.sources) or len(sources))
    engine = limits.engine or page.assistant.engines()[0]
    shown = cl.Message(content="")
    stopped = threading.Event()  # set when the reader stops the answer, or leaves
    opening = opening_here()

    def ask() -> Iterator[Claim | Answer]:
        return opening().stream(
            question,
            history,
            filters=limits.filters,
            as_of=limits.as_of,
            engine=limits.engine,
            cancelled=stopped.is_set,
            max_quotes=limits.max_quotes,
        )

    try:
        async with aclosing(page.workers.stream(engine, ask, stopped)) as items:
            item = await _streamed(shown, items, articles)
    except asyncio.CancelledError:
        shown.content += say("stopped" if shown.content else "stopped_at_once")
        shown.metadata = {"question_id": id}
        await shown.send()
        return
    if isinstance(item, Exception):
        raise item  # not inside the step: it would show the text of any error in the page
    conversation.answer(id, item, limits.said())
    await _tell_dropped(item)
    shown.metadata = metadata_of(id, item, limits)
    drawn = await _drawn(shown, item, limits, sources)
    done = page.suggesting[session] = threading.Event()

    def suggest(assistant: Answering) -> list[str]:
        cancelled = partial(page.workers.gives_way, done)
        return assistant.follow_ups(item, history, filters=limits.filters, cancelled=cancelled)

    _in_background(_suggest(drawn, suggest))


async def _streamed(
    shown: cl.Message, items: AsyncIterator[Claim | Answer | Exception], articles: str
) -> Answer | Exception:
    """Shows the claims as they come; what comes after the last of them."""
    searching = say("searching", articles=articles)
    async with cl.Step(name=searching, type="tool", icon="search") as step:
        item = await anext(items)
        step.name = say("searched", articles=articles)
    while isinstance(item, Claim):
        await shown.stream_token(_claim_as_markdown(item) + "\n\n")
        item = await anext(items)
    return item


async def _tell_dropped(answer: Answer) -> None:
    if not answer.dropped:
        return
    left_out = say("left_out", label=LEFT_OUT, count=len(answer.dropped))
    async with cl.Step(name=left_out, type="tool", icon="scissors") as step:
        step.output = dropped_as_markdown(answer)


async def _drawn(
    shown: cl.Message, answer: Answer, limits: ReaderLimits, sources: Sequence[SourceInfo]
) -> cl.CustomElement:
    """Shows the whole answer; the element that draws it, with buttons for its marks.

    The Markdown under it, which the style sheet hides as soon as the element is drawn, is what
    streams, what is copied and kept.
    """
    shown.content = as_markdown(answer)
    voices = {info.source: info.voice for info in sources}
    view = to_view(answer, limits.as_of or date.today(), voices)
    drawn = cl.CustomElement(name="Answer", props={**view, "within": limits.said()})
    drawn.props["element"] = drawn.id
    shown.elements = [drawn]  # type: ignore[list-item]
    await shown.send()
    return drawn


async def _suggest(drawn: cl.CustomElement, suggest: Callable[[Answering], list[str]]) -> None:
    """Adds questions that the articles answer to an answer that is already read."""
    try:
        opening = opening_here()
        questions = await the_page().workers.suggest(lambda: suggest(opening()))
    except Exception:
        log.exception("no follow-up questions")
        return
    if questions:
        drawn.props["followUps"] = questions
        # Kept, and told apart: an element that is sent anew closes the panel that is open.
        await data_layer_of_page().create_element(drawn)
        told = {"dateline": "next", "answer": drawn.id, "questions": questions}
        await cl.context.emitter.send_window_message(told)


def _stop_suggesting(session: Any) -> None:
    if earlier := the_page().suggesting.get(session):
        earlier.set()


_tasks: set[asyncio.Task[None]] = set()


def _in_background(work: Any) -> None:
    task = asyncio.create_task(work)
    _tasks.add(task)  # the loop holds tasks by weak references only
    task.add_done_callback(_tasks.discard)


async def stop(sid: str) -> None:
    """Ends the answer that is being written; what is verified of it stays."""
    from chainlit.session import WebsocketSession

    session = WebsocketSession.get(sid)
    if session and session.current_task:
        session.current_task.cancel()


def _claim_as_markdown(claim: Claim) -> str:
    marks = "".join(f"[{n}]" for n in claim.citations if f"[{n}]" not in claim.text)
    return claim_as_markdown(f"{claim.text} {marks}".rstrip(), claim.citations)


# Conversations that are opened again


@cl.on_chat_resume
async def resume(thread: ThreadDict) -> None:
    page = the_page()
    sources = [info.source for info in await read_here(lambda assistant: assistant.sources())]
    conversation = resumed(thread["steps"], page.assistant.engines(), sources)
    page.open[cl.context.session] = conversation
    if id := conversation.unanswered:
        _add_cut_off(thread, id)
    await show_limits(conversation)
    await cl.context.emitter.send_window_message({"dateline": "resumed"})


def _add_cut_off(thread: ThreadDict, id: str) -> None:
    """Adds to the page, not to the store, that the last question has no answer yet."""
    step = cl.Message(content="")
    step.thread_id = thread["id"]
    drawn = cl.CustomElement(name="CutOff", props={"question": id}, for_id=step.id)
    thread["steps"].append(step.to_dict())
    thread["elements"] = [*(thread.get("elements") or []), drawn.to_dict()]
    cl.user_session.set("cut_off", step.id)


@cl.action_callback("ask_again")
async def ask_again(action: cl.Action) -> None:
    """Answers the question whose answer was cut off."""
    id = str(action.payload.get("id"))
    turn = the_conversation().turns.get(id)
    if turn is None or turn.answer is not None:
        return
    if notice := cl.user_session.get("cut_off"):
        await cl.context.emitter.delete_step({"id": notice})
    question = cl.Message(content=turn.question, type="user_message", id=id)
    await cl.context.emitter.task_start()
    try:
        await config.code.on_message(question)
    finally:
        await cl.context.emitter.task_end()


@cl.on_window_message
async def hear(message: Any) -> None:
    """What `page.js` and the library ask for. They use no actions, for Chainlit would begin a
    conversation with those, before anything is asked, and give it the action's name."""
    wanted = message.get("dateline") if isinstance(message, dict) else None
    try:
        match wanted:
            case "library":
                await open_library()
            case "export":
                turns = len(the_conversation().turns)
                await open_panel("Export", {"turns": turns}, say("export_title"))
            case "find":
                found = await asyncio.to_thread(library(), str(message.get("query")))
                await cl.context.emitter.send_window_message({"dateline": "found", **found})
            case "article":
                await open_article(str(message.get("source")))
            case "set_limits":
                await set_limits(message.get("limits"))
    except DatelineError as exc:
        await tell(str(exc))
    except Exception:
        log.exception("cannot do %r", wanted)
        await tell(say("not_kept"))


# Export


@cl.action_callback("export_conversation")
async def export_conversation(action: cl.Action) -> dict[str, str]:
    """The conversation as a file: its name and content."""
    turns = [
        export.Turn(turn.question, turn.answer, turn.asked, turn.within)
        for turn in the_conversation().turns.values()
    ]
    stored = await data_layer_of_page().get_thread(cl.context.session.thread_id)
    title = (stored and stored["name"]) or say("untitled")
    now = datetime.now(UTC)
    if action.payload.get("format") == "html":
        content, suffix = export.as_html(title, turns, now), ".html"
    else:
        content, suffix = export.as_markdown(title, turns, now), ".md"
    return {"name": export.file_name(title, suffix), "content": content}
