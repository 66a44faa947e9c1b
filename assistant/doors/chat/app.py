"""The chat page's handlers: from Chainlit's events to one `Assistant`, and back.

Importing this module imports Chainlit, which writes to `CHAINLIT_APP_ROOT`: `server` sets that first.
"""

# Chainlit is typed in part:
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import logging
import mimetypes
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import aclosing
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import chainlit as cl
from chainlit.config import config
from chainlit.types import ThreadDict
from fastapi import FastAPI, UploadFile

from assistant.doors.asking import Answering
from assistant.doors.chat import export, ratings, sign_in
from assistant.doors.chat.data_layer import DataLayer
from assistant.doors.chat.words import count, say
from assistant.doors.conversation import Conversation, limits_from, metadata_of, resumed
from assistant.doors.show.json import citation_from_json, has_words
from assistant.doors.show.markdown import (
    as_markdown,
    claim_as_markdown,
    dropped_as_markdown,
    escape_markdown,
)
from assistant.doors.show.page import article_view, source_view, to_view
from assistant.doors.show.parts import LEFT_OUT
from assistant.doors.workers import Workers
from assistant.keeping.conversations import open_conversations
from assistant.keeping.people import LOCAL
from assistant.keeping.shelves import Shelf, Shelves
from assistant.language.marks import short_date
from assistant.schema import Answer, Claim
from indexing.errors import DatelineError, SettingsError
from indexing.reading.read import SUPPORTED
from indexing.schema import SourceInfo
from indexing.settings import QUOTES, Settings

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


class _Page:
    """What this process serves: Chainlit's own state is one a process, so this may be too."""

    def __init__(self, assistant: Answering, settings: Settings, workers: Workers) -> None:
        self.assistant = assistant
        self.settings = settings
        self.workers = workers
        self.shelves = Shelves(settings, assistant)
        self.conversations = open_conversations(settings)
        self.open: WeakKeyDictionary[Any, Conversation] = WeakKeyDictionary()
        """The conversations by Chainlit's sessions."""
        self.suggesting: WeakKeyDictionary[Any, threading.Event] = WeakKeyDictionary()
        """What stops the suggestions that are being made for a session."""


_page: _Page | None = None


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
    global _page
    _page = _Page(assistant, settings, workers)
    config.project.allow_origins = origins
    # Follow the reader's system: the page knows this value, and Chainlit's settings do not.
    config.ui.default_theme = "system"
    uploads = config.features.spontaneous_file_upload
    assert uploads is not None
    uploads.accept = {kind: sorted(SUPPORTED) for kind in TYPES}
    uploads.max_size_mb = settings.max_file_mb
    sign_in.register(app, settings)

    # Only now: it reads `allow_origins` as it is imported.
    from chainlit import server
    from chainlit.server import app as page
    from chainlit.server import get_html_template, sio

    sio.on("stop")(stop)  # Chainlit's own adds a message in words of its own
    vars(server)["validate_file_upload"] = check_upload  # and its own fails on an empty file
    app.include_router(ratings.routes(_page.conversations))
    app.mount("/", page)
    return str(get_html_template(""))


def close() -> None:
    """Closes what `mount` opened."""
    if _page is not None:
        _page.conversations.close()


def _the_page() -> _Page:
    assert _page is not None, "mount() comes first"
    return _page


class _Kept(DataLayer):
    """The store of conversations; what was uploaded into one goes with it."""

    async def delete_thread(self, thread_id: str) -> None:
        await super().delete_thread(thread_id)
        await asyncio.to_thread(_the_page().shelves.forget, thread_id)


@cl.data_layer
def data_layer() -> DataLayer:
    return _Kept(_the_page().conversations)


# The conversation of a session


def _conversation() -> Conversation:
    return _the_page().open.setdefault(cl.context.session, Conversation())


def _person() -> str:
    user = cl.context.session.user
    return user.identifier if user else LOCAL


def _shelf() -> Shelf:
    """The articles uploaded into this conversation."""
    return _the_page().shelves.of_conversation(cl.context.session.thread_id)


def _kept_shelf() -> Shelf:
    """The articles this person keeps for all his conversations."""
    return _the_page().shelves.of_person(_person())


def _opening() -> Callable[[], Answering]:
    """Opens what this conversation may read: the index, the person's articles and its own. To be
    called in the thread that reads."""
    shelves = _the_page().shelves
    return partial(shelves.assistant, cl.context.session.thread_id, _person())


async def _read(use: Callable[[Answering], T]) -> T:
    opening = _opening()
    return await asyncio.to_thread(lambda: use(opening()))


# Questions


@cl.set_starters  # type: ignore[arg-type]
async def starters() -> list[cl.Starter]:
    try:
        questions = await asyncio.to_thread(_the_page().assistant.starters)
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
            await _name_after([element.name for element in message.elements])
        added = [await _upload(element) for element in message.elements or []]
        if question and all(added):
            await _reply(message.id, question)
    except DatelineError as exc:
        await cl.ErrorMessage(content=escape_markdown(str(exc))).send()
    except Exception:
        log.exception("no answer")
        await cl.ErrorMessage(content=say("apology")).send()


async def _reply(id: str, question: str) -> None:
    page, session, conversation = _the_page(), cl.context.session, _conversation()
    _stop_suggesting(session)
    if conversation.ask(id, question):
        run = cl.context.current_run
        keep = [run.id] if run else []
        await asyncio.to_thread(page.conversations.delete_after, session.thread_id, id, keep)
    history, limits = conversation.history(), conversation.limits
    sources = await _read(lambda assistant: assistant.sources())
    articles = count("article", "articles", len(limits.sources) or len(sources))
    engine = limits.engine or page.assistant.engines()[0]
    shown = cl.Message(content="")
    stopped = threading.Event()  # set when the reader stops the answer, or leaves
    opening = _opening()

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
            async with cl.Step(
                name=say("searching", articles=articles), type="tool", icon="search"
            ) as step:
                item = await anext(items)
                step.name = say("searched", articles=articles)
            while isinstance(item, Claim):
                await shown.stream_token(_claim_as_markdown(item) + "\n\n")
                item = await anext(items)
    except asyncio.CancelledError:
        shown.content += say("stopped" if shown.content else "stopped_at_once")
        shown.metadata = {"question_id": id}
        await shown.send()
        return
    if isinstance(item, Exception):
        raise item  # not inside the step: it would show the text of any error in the page
    conversation.answer(id, item, limits.said())
    if item.dropped:
        left_out = say("left_out", label=LEFT_OUT, count=len(item.dropped))
        async with cl.Step(name=left_out, type="tool", icon="scissors") as step:
            step.output = dropped_as_markdown(item)
    # The element draws the answer, with buttons for its marks. The Markdown under it, which the
    # style sheet hides as soon as the element is drawn, is what streams, what is copied and kept.
    shown.content = as_markdown(item)
    shown.metadata = metadata_of(id, item, limits)
    voices = {info.source: info.voice for info in sources}
    view = to_view(item, limits.as_of or date.today(), voices)
    drawn = cl.CustomElement(name="Answer", props={**view, "within": limits.said()})
    drawn.props["element"] = drawn.id
    shown.elements = [drawn]  # type: ignore[list-item]
    await shown.send()
    done = page.suggesting[session] = threading.Event()

    def suggest(assistant: Answering) -> list[str]:
        cancelled = partial(page.workers.gives_way, done)
        return assistant.follow_ups(item, history, filters=limits.filters, cancelled=cancelled)

    _in_background(_suggest(drawn, suggest))


async def _suggest(drawn: cl.CustomElement, suggest: Callable[[Answering], list[str]]) -> None:
    """Adds questions that the articles answer to an answer that is already read."""
    try:
        opening = _opening()
        questions = await _the_page().workers.suggest(lambda: suggest(opening()))
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
    if earlier := _the_page().suggesting.get(session):
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
    page = _the_page()
    sources = [info.source for info in await _read(lambda assistant: assistant.sources())]
    conversation = resumed(thread["steps"], page.assistant.engines(), sources)
    page.open[cl.context.session] = conversation
    if id := conversation.unanswered:
        _add_cut_off(thread, id)
    await _show_limits(conversation)
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
    turn = _conversation().turns.get(id)
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


# Sources


@cl.action_callback("open_source")
async def open_source(action: cl.Action) -> None:
    """Opens the side panel on the article behind a chip, at its quote."""
    listed, at = action.payload.get("list"), action.payload.get("at")
    if not isinstance(listed, list) or not isinstance(at, int) or not 0 <= at < len(listed):
        return
    try:
        citation = citation_from_json(listed[at])
    except ValueError:
        return
    found = await _opened(citation.source)
    if found is None:
        return
    raw, file = found
    view = source_view(citation, raw, date.today())
    nearest = action.payload.get("nearest") is True
    props = {**view, "file": file, "list": listed, "at": at, "nearest": nearest}
    await _open_panel("Source", props, say("source_title", number=citation.number))


async def _open_article(source: str) -> None:
    """Opens the side panel on a whole article."""
    found = await _opened(source)
    if found is None:
        return
    raw, file = found
    info = await _read(lambda assistant: assistant.source(source))
    view = article_view(info, raw, date.today())
    await _open_panel("Source", {**view, "file": file}, say("article_title"))


async def _opened(source: str) -> tuple[str, str | None] | None:
    """An article's text and an address of its file; None, and the reader told, where there is none."""
    try:
        raw, original = await _read(lambda a: (a.source_text(source), a.original(source)))
        return raw, await _address_of(original)
    except DatelineError as exc:
        await _tell(str(exc))
    except Exception:
        log.exception("cannot show %r", source)
        await _tell(say("cannot_show"))
    return None


SHOWN_BY_BROWSERS = frozenset({".pdf"})


async def _address_of(file: Path | None) -> str | None:
    """Where this session, and nobody else, can fetch the file; None for what no browser shows."""
    if file is None or file.suffix.lower() not in SHOWN_BY_BROWSERS:
        return None
    session = cl.context.session
    mime = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    kept: dict[str, str] = cl.user_session.get("files") or {}
    key = f"{file}:{file.stat().st_mtime_ns}"
    if kept.get(key) not in session.files:
        stored = await session.persist_file(name=file.name, path=str(file), mime=mime)
        cl.user_session.set("files", {**kept, key: stored["id"]})
        kept = {key: stored["id"]}
    return f"/project/file/{kept[key]}?session_id={session.id}"


async def _open_panel(name: str, props: Mapping[str, Any], title: str) -> None:
    panel = cl.CustomElement(name=name, props=dict(props))
    # A new key each time: Chainlit leaves a panel with the same key as it is, scrolled away or not.
    await cl.ElementSidebar.set_elements([panel], key=str(uuid.uuid4()))
    await cl.ElementSidebar.set_title(title)  # after the elements, or it is lost


async def _tell(problem: str) -> None:
    await cl.context.emitter.send_toast(problem, type="error")


@cl.on_window_message
async def hear(message: Any) -> None:
    """What `page.js` and the library ask for. They use no actions, for Chainlit would begin a
    conversation with those, before anything is asked, and give it the action's name."""
    wanted = message.get("dateline") if isinstance(message, dict) else None
    try:
        match wanted:
            case "library":
                await _open_library()
            case "export":
                turns = len(_conversation().turns)
                await _open_panel("Export", {"turns": turns}, say("export_title"))
            case "find":
                found = await asyncio.to_thread(_library(), str(message.get("query")))
                await cl.context.emitter.send_window_message({"dateline": "found", **found})
            case "article":
                await _open_article(str(message.get("source")))
            case "set_limits":
                await _set_limits(message.get("limits"))
    except DatelineError as exc:
        await _tell(str(exc))
    except Exception:
        log.exception("cannot do %r", wanted)
        await _tell(say("not_kept"))


async def _open_library() -> None:
    page, limits = _the_page(), _conversation().limits
    engines = [
        {"value": engine, "label": say("quotes_engine") if engine == QUOTES else engine}
        for engine in page.assistant.engines()
    ]
    props = {
        **await asyncio.to_thread(_library(), ""),
        "engines": engines,
        "quotes": page.settings.max_quotes,
        "limits": limits.to_json(),
    }
    await _open_panel("Library", props, say("library_title"))


LISTED = 500
"""The most sources that the page is sent at once; a search finds the others."""


def _library() -> Callable[[str], dict[str, Any]]:
    """Lists what this conversation may read that has certain words in its title, publisher or source:
    its own articles first, then the newest. To be called in the thread that reads."""
    opening, kept, here = _opening(), _kept_shelf(), _shelf()

    def listed(query: str) -> dict[str, Any]:
        infos = opening().sources()
        scopes = {info.source: "person" for info in kept.sources()}
        scopes |= {info.source: "conversation" for info in here.sources()}
        found = [info for info in infos if has_words(info, query)]
        found.sort(key=lambda info: (info.published or date.min, info.title), reverse=True)
        found.sort(key=lambda info: info.source not in scopes)
        items = [{**_listed(info), "scope": scopes.get(info.source)} for info in found[:LISTED]]
        return {"query": query, "items": items, "found": len(found), "total": len(infos)}

    return listed


def _listed(info: SourceInfo) -> dict[str, Any]:
    return {
        "source": info.source,
        "title": info.title,
        "publisher": info.publisher,
        "day": short_date(info.published),
        "passages": info.passages,
        "repeats": info.voice if info.voice != info.source else None,
    }


async def _set_limits(wanted: object) -> None:
    """Sets what the next answers may rest on, and tells the page, or what is wrong with it."""
    conversation = _conversation()
    infos = await _read(lambda assistant: assistant.sources())
    try:
        conversation.limits = limits_from(
            wanted, _the_page().assistant.engines(), [info.source for info in infos]
        )
    except SettingsError as exc:
        await _show_limits(conversation, problem=str(exc))
    else:
        await _show_limits(conversation)


async def _show_limits(conversation: Conversation, problem: str = "") -> None:
    told = {"dateline": "limits", "said": conversation.limits.said(), "problem": problem}
    await cl.context.emitter.send_window_message(told)


# Uploads


def check_upload(file: UploadFile, spec: object = None) -> None:
    """Raises ValueError, which the page shows, for a file that is not even to be received."""
    name, most = file.filename or "", _the_page().settings.max_file_mb
    if Path(name).suffix.lower() not in SUPPORTED:
        raise ValueError(say("upload_type", types=", ".join(sorted(SUPPORTED))))
    if not file.size:
        raise ValueError(say("upload_empty"))
    if file.size > most * 1_000_000:
        raise ValueError(say("upload_size", most=most))


async def _name_after(files: list[str]) -> None:
    """Names a conversation that begins without a question: the page lists none without a name."""
    if not _conversation().turns:
        id, name = cl.context.session.thread_id, ", ".join(files)
        await data_layer_of_page().update_thread(id, name=name)
        begun = {"interaction": name, "thread_id": id}
        await cl.context.emitter.emit("first_interaction", begun)


async def _upload(element: Any) -> bool:
    """Adds an uploaded file to this conversation, and tells; whether it could."""
    name, path = str(element.name), element.path
    shelf, loop = _shelf(), asyncio.get_running_loop()
    async with cl.Step(name=say("reading", file=name), type="tool", icon="file-plus") as step:
        infos: list[SourceInfo] = []
        problem = ""

        def show_progress(stage: str, done: int, total: int) -> None:
            if stage == "embedding" and total:
                step.name = say("embedding", file=name, done=done, total=total)
                asyncio.run_coroutine_threadsafe(step.update(), loop)

        try:
            taken = [info.source for info in await _read(lambda assistant: assistant.sources())]
            add = partial(shelf.add, name, Path(path), taken=taken, progress=show_progress)
            infos = await _the_page().workers.add(add)
        except DatelineError as exc:
            problem = str(exc)
        step.name = say("added" if infos else "not_added", file=name)
    if problem:
        await cl.ErrorMessage(content=escape_markdown(problem)).send()
        return False
    drawn = cl.CustomElement(name="Uploaded", props=_uploaded(infos, "conversation"))
    drawn.props["element"] = drawn.id
    told = cl.Message(content=say("added", file=escape_markdown(name)))
    told.elements = [drawn]  # type: ignore[list-item]
    await told.send()
    return True


def _uploaded(infos: list[SourceInfo], scope: str) -> dict[str, Any]:
    from assistant.answering.desk import about

    return {
        "articles": [_listed(info) for info in infos],
        "scope": scope,
        "question": about(infos[0].title) if len(infos) == 1 else None,
    }


@cl.action_callback("keep_upload")
async def keep_upload(action: cl.Action) -> None:
    kept, here = _kept_shelf(), _shelf()
    await _with_upload(action, "person", partial(here.move, other=kept))


@cl.action_callback("remove_upload")
async def remove_upload(action: cl.Action) -> None:
    kept, here = _kept_shelf(), _shelf()

    def remove(source: str) -> None:
        for shelf in (here, kept):
            if source in {info.source for info in shelf.sources()}:
                shelf.remove(source)

    await _with_upload(action, "removed", remove)


async def _with_upload(action: cl.Action, scope: str, do: Callable[[str], object]) -> None:
    """Does something to the articles of an upload, and shows what became of them."""
    id, thread = str(action.payload.get("element")), cl.context.session.thread_id
    stored = await data_layer_of_page().get_element(thread, id)
    if stored is None or stored.get("name") != "Uploaded":
        await _tell(say("not_kept"))
        return
    props = dict(stored.get("props") or {})
    try:
        for article in props["articles"]:
            await asyncio.to_thread(do, str(article["source"]))
    except DatelineError as exc:
        await _tell(str(exc))
        return
    drawn = cl.CustomElement(name="Uploaded", props={**props, "scope": scope})
    drawn.id, drawn.for_id = id, stored.get("forId")
    await drawn.update()


def data_layer_of_page() -> DataLayer:
    from chainlit.data import get_data_layer

    kept = get_data_layer()
    assert isinstance(kept, DataLayer)
    return kept


# Export


@cl.action_callback("export_conversation")
async def export_conversation(action: cl.Action) -> dict[str, str]:
    """The conversation as a file: its name and content."""
    turns = [
        export.Turn(turn.question, turn.answer, turn.asked, turn.within)
        for turn in _conversation().turns.values()
    ]
    stored = await data_layer_of_page().get_thread(cl.context.session.thread_id)
    title = (stored and stored["name"]) or say("untitled")
    now = datetime.now(UTC)
    if action.payload.get("format") == "html":
        content, suffix = export.as_html(title, turns, now), ".html"
    else:
        content, suffix = export.as_markdown(title, turns, now), ".md"
    return {"name": export.file_name(title, suffix), "content": content}
