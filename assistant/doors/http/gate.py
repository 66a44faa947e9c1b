"""What every request to the API passes: its id, its key, its limits, its line in the log."""

from __future__ import annotations

import asyncio
import re
import time
import uuid

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant.doors import asking
from assistant.doors.http.problems import Problem, problem_of
from assistant.doors.http.watch import Watch
from assistant.doors.paths import GATED, is_api, is_below
from assistant.keeping import people
from assistant.keeping.keys import ASK, INDEX, Key, Keys, wants_key
from assistant.settings import Settings

MOST_BYTES = 1_000_000
"""The largest request body."""

OPEN = ("/api/docs", "/api/openapi.json", "/slack", "/readyz")
"""What wants no key: nothing there tells of the articles, and Slack signs what it sends."""

NO_KEY = (
    "This needs a key: send `Authorization: Bearer KEY`; whoever runs Dateline makes one with "
    "`dateline keys add NAME`.",
    "missing_api_key",
)

WRONG_KEY = (
    "There is no such key, or it has been revoked; it is sent as `Authorization: Bearer KEY`.",
    "bad_api_key",
)

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Gate:
    """An ASGI middleware. Answers with an error in JSON, never a stack trace."""

    def __init__(self, app: ASGIApp, settings: Settings, watch: Watch) -> None:
        self._app = app
        self._watch = watch
        self._keys = Keys(settings)
        self._most = settings.requests_per_minute
        self._limit = RateLimitItemPerMinute(max(self._most, 1))
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._wants_key = wants_key(settings)
        self._has_guests = people.GUEST in people.ways(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_api(scope["path"]):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        id = given if _ID.fullmatch(given) else uuid.uuid4().hex
        state = scope.setdefault("state", {})
        begun, status, by = time.time_ns(), 0, ""

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = id
            await send(message)

        try:
            key = self._admit(scope, headers)
            by = key.name if key else ""
            # A stream ends itself before that, and says so.
            async with asyncio.timeout(asking.LONGEST_S + 1):
                await self._app(scope, await _read(receive, headers), send_noted)
        except Exception as exc:  # noqa: BLE001 - whatever fails is answered as a Problem
            problem = problem_of(exc)
            if not status:
                await problem.response()(scope, receive, send_noted)
        finally:
            asked = state.get("question", "")
            route = getattr(scope.get("route"), "path", "") or _root(scope["path"])
            self._watch.request(id, scope["method"], route, status or 499, begun, by, asked)

    def _admit(self, scope: Scope, headers: Headers) -> Key | None:
        """The key a request came with. Raises Problem where it may not come in."""
        path, method = scope["path"], scope["method"]
        if is_below(path, OPEN) or method == "OPTIONS":
            return None
        given = headers.get("authorization")
        scheme, _, value = (given or "").partition(" ")
        key = self._keys.find(value.strip()) if scheme.lower() == "bearer" else None
        self._count(f"key {key.name}" if key else f"address {_address(scope)}")
        wants = INDEX if (path, method) == ("/api/index", "POST") else ASK
        if key is not None and wants not in key.scopes:
            raise Problem(
                403, f"The key {key.name!r} lacks the scope {wants!r}.", "insufficient_scope"
            )
        if key is None and (self._wants_key or (wants == INDEX and self._has_guests)):
            told = WRONG_KEY if given else NO_KEY
            raise Problem(401, *told, {"WWW-Authenticate": "Bearer"})
        # Clients that must send a key send any where none is wanted.
        return key

    def _count(self, who: str) -> None:
        if self._most and not self._limiter.hit(self._limit, who):
            at, _ = self._limiter.get_window_stats(self._limit, who)
            wait_s = max(1, round(at - time.time()))
            raise Problem(
                429,
                f"More than {self._most} requests in a minute; try again in {wait_s} s.",
                "rate_limited",
                {"Retry-After": str(wait_s)},
            )


def _root(path: str) -> str:
    """What a path that no route of ours took is counted under: never what its sender made up."""
    return next(root for root in GATED if is_below(path, (root,)))


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return people.network(client[0]) if client else "unknown"


async def _read(receive: Receive, headers: Headers) -> Receive:
    """Reads the body of a request, which `receive` then gives again. Raises Problem where it is too
    large."""
    told = headers.get("content-length", "0")
    length = int(told) if told.isdecimal() else 0
    body, more = b"", True
    while more and max(length, len(body)) <= MOST_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem(499, "whoever asked has gone", "disconnected")
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if max(length, len(body)) > MOST_BYTES:
        raise Problem(413, f"A request may have {MOST_BYTES:,} bytes at most.", "request_too_large")
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again
