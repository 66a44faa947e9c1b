"""Articles that people upload into a conversation, and keep or remove again."""

# Chainlit is typed in part:
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import chainlit as cl
from fastapi import UploadFile

from assistant.doors.chat.library import as_listed
from assistant.doors.chat.session import (
    data_layer_of_page,
    read_here,
    tell,
    the_conversation,
    the_kept_shelf,
    the_page,
    the_shelf,
)
from assistant.doors.chat.words import say
from assistant.doors.show.markdown import escape_markdown
from indexing.errors import DatelineError
from indexing.reading.read import BYTES_PER_MB, MAX_FILE_MB, SUPPORTED
from indexing.schema import SourceInfo


def check_upload(file: UploadFile, spec: object = None) -> None:
    """Raises ValueError, which the page shows, for a file that is not even to be received."""
    name = file.filename or ""
    if Path(name).suffix.lower() not in SUPPORTED:
        raise ValueError(say("upload_type", types=", ".join(sorted(SUPPORTED))))
    if not file.size:
        raise ValueError(say("upload_empty"))
    if file.size > MAX_FILE_MB * BYTES_PER_MB:
        raise ValueError(say("upload_size", most=MAX_FILE_MB))


async def name_after(files: list[str]) -> None:
    """Names a conversation that begins without a question: the page lists none without a name."""
    if not the_conversation().turns:
        id, name = cl.context.session.thread_id, ", ".join(files)
        await data_layer_of_page().update_thread(id, name=name)
        begun = {"interaction": name, "thread_id": id}
        await cl.context.emitter.emit("first_interaction", begun)


async def upload(element: Any) -> bool:
    """Adds an uploaded file to this conversation, and tells; whether it could."""
    name, path = str(element.name), element.path
    shelf, loop = the_shelf(), asyncio.get_running_loop()
    async with cl.Step(name=say("reading", file=name), type="tool", icon="file-plus") as step:
        infos: list[SourceInfo] = []
        problem = ""

        def show_progress(stage: str, done: int, total: int) -> None:
            if stage == "embedding" and total:
                step.name = say("embedding", file=name, done=done, total=total)
                asyncio.run_coroutine_threadsafe(step.update(), loop)

        try:
            taken = [info.source for info in await read_here(lambda assistant: assistant.sources())]
            add = partial(shelf.add, name, Path(path), taken=taken, progress=show_progress)
            infos = await the_page().workers.add(add)
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
        "articles": [as_listed(info) for info in infos],
        "scope": scope,
        "question": about(infos[0].title) if len(infos) == 1 else None,
    }


@cl.action_callback("keep_upload")
async def keep_upload(action: cl.Action) -> None:
    kept, here = the_kept_shelf(), the_shelf()
    await _with_upload(action, "person", partial(here.move, other=kept))


@cl.action_callback("remove_upload")
async def remove_upload(action: cl.Action) -> None:
    kept, here = the_kept_shelf(), the_shelf()

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
        await tell(say("not_kept"))
        return
    props = dict(stored.get("props") or {})
    try:
        for article in props["articles"]:
            await asyncio.to_thread(do, str(article["source"]))
    except DatelineError as exc:
        await tell(str(exc))
        return
    drawn = cl.CustomElement(name="Uploaded", props={**props, "scope": scope})
    drawn.id, drawn.for_id = id, stored.get("forId")
    await drawn.update()
