"""The side panels: an article at its quote, and the library with the limits a reader sets."""

# Chainlit is typed in part:
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import logging
import mimetypes
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import chainlit as cl

from assistant.doors.chat.session import (
    open_panel,
    opening_here,
    read_here,
    tell,
    the_conversation,
    the_kept_shelf,
    the_page,
    the_shelf,
)
from assistant.doors.chat.words import say
from assistant.doors.conversation import Conversation, limits_from
from assistant.doors.show.json import citation_from_json, has_words
from assistant.doors.show.page import article_view, source_view
from assistant.language.marks import short_date
from assistant.service import QUOTED
from assistant.settings import QUOTES
from indexing.errors import DatelineError, SettingsError
from indexing.schema import SourceInfo

log = logging.getLogger(__name__)


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
    await open_panel("Source", props, say("source_title", number=citation.number))


async def open_article(source: str) -> None:
    """Opens the side panel on a whole article."""
    found = await _opened(source)
    if found is None:
        return
    raw, file = found
    info = await read_here(lambda assistant: assistant.source(source))
    view = article_view(info, raw, date.today())
    await open_panel("Source", {**view, "file": file}, say("article_title"))


async def _opened(source: str) -> tuple[str, str | None] | None:
    """An article's text and an address of its file; None, and the reader told, where there is none."""
    try:
        raw, original = await read_here(lambda a: (a.source_text(source), a.original(source)))
        return raw, await _address_of(original)
    except DatelineError as exc:
        await tell(str(exc))
    except Exception:
        log.exception("cannot show %r", source)
        await tell(say("cannot_show"))
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


async def open_library() -> None:
    page, limits = the_page(), the_conversation().limits
    engines = [
        {"value": engine, "label": say("quotes_engine") if engine == QUOTES else engine}
        for engine in page.assistant.engines()
    ]
    props = {
        **await asyncio.to_thread(library(), ""),
        "engines": engines,
        "quotes": QUOTED,
        "limits": limits.to_json(),
    }
    await open_panel("Library", props, say("library_title"))


LISTED = 500
"""The most sources that the page is sent at once; a search finds the others."""


def library() -> Callable[[str], dict[str, Any]]:
    """Lists what this conversation may read that has certain words in its title, publisher or source:
    its own articles first, then the newest. To be called in the thread that reads."""
    opening, kept, here = opening_here(), the_kept_shelf(), the_shelf()

    def listed(query: str) -> dict[str, Any]:
        infos = opening().sources()
        scopes = {info.source: "person" for info in kept.sources()}
        scopes |= {info.source: "conversation" for info in here.sources()}
        found = [info for info in infos if has_words(info, query)]
        found.sort(key=lambda info: (info.published or date.min, info.title), reverse=True)
        found.sort(key=lambda info: info.source not in scopes)
        items = [{**as_listed(info), "scope": scopes.get(info.source)} for info in found[:LISTED]]
        return {"query": query, "items": items, "found": len(found), "total": len(infos)}

    return listed


def as_listed(info: SourceInfo) -> dict[str, Any]:
    """An article as lists of the page show it."""
    return {
        "source": info.source,
        "title": info.title,
        "publisher": info.publisher,
        "day": short_date(info.published),
        "passages": info.passages,
        "repeats": info.voice if info.voice != info.source else None,
    }


async def set_limits(wanted: object) -> None:
    """Sets what the next answers may rest on, and tells the page, or what is wrong with it."""
    conversation = the_conversation()
    infos = await read_here(lambda assistant: assistant.sources())
    try:
        conversation.limits = limits_from(
            wanted, the_page().assistant.engines(), [info.source for info in infos]
        )
    except SettingsError as exc:
        await show_limits(conversation, problem=str(exc))
    else:
        await show_limits(conversation)


async def show_limits(conversation: Conversation, problem: str = "") -> None:
    told = {"dateline": "limits", "said": conversation.limits.said(), "problem": problem}
    await cl.context.emitter.send_window_message(told)
