"""The routes of the API. Each translates to and from one call of an `Assistant`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.security import HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.routing import Match

from assistant.answering.models.names import is_model_there
from assistant.doors import forms, requests
from assistant.doors.asking import Answering, Asking
from assistant.doors.http import bodies
from assistant.doors.http.problems import Problem, problem_of
from assistant.doors.http.watch import Watch
from assistant.doors.show.json import (
    has_words,
    hit_to_json,
    report_to_json,
    source_to_json,
    to_json,
)
from assistant.doors.workers import Workers
from assistant.schema import Answer, Claim
from assistant.settings import QUOTES, Settings
from indexing.errors import CorpusError, DatelineError, IndexBusy
from indexing.schema import SourceInfo

T = TypeVar("T")

REACHED_S = 2.0
"""How long `/readyz` waits for a chat model's server."""
LONGEST_TEXT = 1_000_000
"""Characters of an article in one reply."""


@dataclass
class Api:
    """What the routes share."""

    assistant: Answering
    settings: Settings
    workers: Workers
    watch: Watch
    indexing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def asking(self) -> Asking:
        return Asking(self.assistant, self.workers)

    def items(self, asked: requests.Ask, engine: str) -> AsyncGenerator[Claim | Answer, None]:
        """The verified claims and then the answer. Raises as `Asking.items` does."""
        return self.asking.items(
            asked.question,
            asked.turns,
            filters=asked.filters,
            as_of=asked.as_of,
            engine=engine,
            max_quotes=asked.max_quotes,
        )

    async def answer(self, request: Request, asked: requests.Ask, engine: str) -> Answer:
        """The whole answer; given up when whoever asked is gone."""

        async def last() -> Answer:
            async with aclosing(self.items(asked, engine)) as items:
                found = [item async for item in items]
            assert isinstance(found[-1], Answer)
            return found[-1]

        return await _while_connected(request, last())


async def _while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    making = asyncio.create_task(work)
    gone = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait({making, gone}, return_when=asyncio.FIRST_COMPLETED)
        if making.done():
            return making.result()
        raise Problem(499, "whoever asked has gone", "disconnected")
    finally:
        for task in (making, gone):
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def event(name: str, data: Any) -> str:
    """A server-sent event: https://html.spec.whatwg.org/multipage/server-sent-events.html."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


def events_schema(*names: str) -> dict[str, Any]:
    """The OpenAPI schema of server-sent events with these names, whose data is JSON."""
    named = {"event": {"type": "string", "enum": list(names)}} if names else {}
    return {
        "type": "object",
        "properties": {**named, "data": {"type": "string"}},
        "required": [*named, "data"],
    }


STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": bodies.Refusal, "description": description}
    for status, description in (
        (400, "Not of the form that is asked for"),
        (401, "A key is needed, or is not one"),
        (403, "The key's scope does not reach so far"),
        (413, "The request is too large"),
        (422, "A field is not of its form"),
        (429, "Too many requests; see Retry-After"),
        (500, "A fault of Dateline's"),
        (503, "Too many answers are under way, or the index cannot be read"),
        (504, "The answer took too long"),
    )
}
NOT_FOUND: dict[int | str, dict[str, Any]] = {
    404: {"model": bodies.Refusal, "description": "There is none of that name"}
}
_BUSY: dict[int | str, dict[str, Any]] = {
    409: {"model": bodies.Refusal, "description": "The index is being written already"}
}


def router() -> APIRouter:
    """An empty router for what wants a key and may be refused."""
    bearer = HTTPBearer(auto_error=False, description="A key of `dateline keys add`")
    return APIRouter(responses=REFUSALS, dependencies=[Depends(bearer)])


def add_routes(router: APIRouter, api: Api) -> None:
    """Adds those below `/api`, and `/readyz` and `/metrics`."""
    _add_asking(router, api)
    _add_searching(router, api)
    _add_reading(router, api)
    _add_indexing(router, api)
    _add_watching(router, api)


def _add_asking(router: APIRouter, api: Api) -> None:
    @router.post(
        "/api/ask",
        tags=["Answers"],
        summary="Answer a question from the articles",
        response_model=forms.Answer,
        responses={
            **NOT_FOUND,
            200: {
                "content": {
                    "text/event-stream": {
                        "schema": events_schema("claim", "answer", "error"),
                        "example": event("claim", {"text": "...", "citations": [1]})
                        + event("answer", {"status": "answered", "answer": "... [1]"}),
                    }
                }
            },
        },
    )
    async def ask(request: Request, asked: bodies.AskBody) -> Response:
        """As JSON, or with `"stream": true` (or `Accept: text/event-stream`) as server-sent events:
        `claim` for each verified sentence as it is ready, then `answer` with the whole, or `error`."""
        request.state.question = asked.question
        engine = api.asking.engine(asked.engine)
        if asked.stream or _accepts_events(request):
            items = api.items(asked, engine)
            return StreamingResponse(
                _events(items, asked.id), media_type="text/event-stream", headers=STREAM_HEADERS
            )
        answer = await api.answer(request, asked, engine)
        return JSONResponse(to_json(answer, asked.id))


def _add_searching(router: APIRouter, api: Api) -> None:
    @router.post(
        "/api/search",
        tags=["Articles"],
        summary="Rank the passages that match a query",
        response_model=forms.Retrieved,
    )
    async def search(asked: bodies.SearchBody) -> dict[str, Any]:
        hits = await asyncio.to_thread(api.assistant.search, asked.query, asked.k, asked.filters)
        return {"id": None, "retrieved": [hit_to_json(hit) for hit in hits]}

    @router.get(
        "/api/sources",
        tags=["Articles"],
        summary="List the articles",
        response_model=forms.Sources,
    )
    async def sources(
        query: Annotated[str, Query(max_length=200, description="words of a title or source")] = "",
        limit: Annotated[int, Query(ge=1, le=requests.MOST_SOURCES)] = 100,
        offset: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
    ) -> dict[str, Any]:
        infos = await asyncio.to_thread(api.assistant.sources)
        found = [info for info in infos if has_words(info, query)]
        shown = found[offset : offset + limit]
        return {"sources": [source_to_json(info) for info in shown], "total": len(found)}


def _add_reading(router: APIRouter, api: Api) -> None:
    @router.get(
        "/api/sources/{source:path}",
        tags=["Articles"],
        summary="Read an article, or characters [start, end) of it",
        response_model=forms.Article,
        responses=NOT_FOUND,
    )
    async def source(
        source: str,
        start: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
        end: Annotated[int | None, Query(ge=0, le=1_000_000_000)] = None,
    ) -> dict[str, Any]:
        def read() -> tuple[SourceInfo, str]:
            return api.assistant.source(source), api.assistant.source_text(source)

        try:
            info, text = await asyncio.to_thread(read)
        except CorpusError as exc:
            raise Problem(404, str(exc), "source_not_found") from None
        begin = min(start, len(text))
        stop = min(len(text) if end is None else max(end, begin), begin + LONGEST_TEXT)
        place = {"text": text[begin:stop], "start": begin, "end": stop, "length": len(text)}
        return {**source_to_json(info), **place}


def _add_indexing(router: APIRouter, api: Api) -> None:
    @router.post(
        "/api/index",
        tags=["Articles"],
        summary="Bring the index in step with the folder of articles",
        response_model=bodies.Report,
        responses=_BUSY,
    )
    async def index() -> dict[str, Any]:
        """Adds, replaces and removes what has changed; needs a key with the scope `index` wherever
        others can reach the server."""
        from indexing.sync import sync

        busy = Problem(409, "the index is being written already", "busy", {"Retry-After": "10"})
        if api.indexing.locked():
            raise busy
        async with api.indexing:
            try:
                report = await asyncio.to_thread(sync, api.settings.corpus, api.settings)
            except IndexBusy:
                raise busy from None
        return report_to_json(report)


def _add_watching(router: APIRouter, api: Api) -> None:
    @router.get(
        "/readyz",
        tags=["Server"],
        summary="Whether questions can be answered",
        response_model=bodies.Ready,
        responses={503: {"model": bodies.Ready, "description": "They cannot"}},
    )
    async def readyz() -> Response:
        checks = await asyncio.to_thread(_checks, api)
        ready = all(found == "ok" for found in checks.values())
        told = {"status": "ready" if ready else "not ready", "checks": checks}
        return JSONResponse(told, 200 if ready else 503)

    @router.get(
        "/metrics",
        tags=["Server"],
        summary="Figures for Prometheus",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def metrics() -> Response:
        return Response(api.watch.metrics(), media_type=CONTENT_TYPE_LATEST)


def unknown(router: APIRouter) -> Callable[[Request], Any]:
    """An endpoint for what no route below the API's roots takes, which would else be shown the page."""

    async def refuse(request: Request) -> Response:
        allowed = sorted(
            method
            for route in router.routes
            if route.matches(request.scope)[0] is Match.PARTIAL
            for method in getattr(route, "methods", None) or ()
        )
        path, method = request.url.path, request.method
        if allowed:
            raise Problem(
                405,
                f"{path} takes {', '.join(allowed)}, not {method}",
                "method_not_allowed",
                {"Allow": ", ".join(allowed)},
            )
        raise Problem(404, f"there is nothing at {path}; see /api/docs", "not_found")

    return refuse


def _accepts_events(request: Request) -> bool:
    return request.headers.get("accept", "").split(",")[0].strip() == "text/event-stream"


async def _events(
    items: AsyncGenerator[Claim | Answer, None], id: str | None
) -> AsyncIterator[str]:
    try:
        async with aclosing(items):
            async for item in items:
                if isinstance(item, Answer):
                    yield event("answer", to_json(item, id))
                else:
                    yield event("claim", {"text": item.text, "citations": list(item.citations)})
    except Exception as exc:  # noqa: BLE001 - the stream has begun: what fails is its last event
        yield event("error", problem_of(exc).to_json())


def _checks(api: Api) -> dict[str, str]:
    """What was looked at, and "ok" or what is wrong, without names of folders or hosts."""
    checks = {"index": "ok"}
    try:
        api.assistant.check_index()
    except DatelineError:
        checks["index"] = "cannot be read"
    if api.settings.engine != QUOTES:
        there = is_model_there(api.settings, REACHED_S)
        checks["model"] = "ok" if there else "cannot be reached"
    return checks
