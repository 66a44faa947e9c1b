"""The web server: the chat page at `/`, the API beside it, and the guard before both."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import re
import socket
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exception_handlers import (
    http_exception_handler,
    request_validation_exception_handler,
)
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant.doors import mcp
from assistant.doors.chat import folder
from assistant.doors.http import api as http_api
from assistant.doors.http import completions, docs, problems
from assistant.doors.http.api import Api
from assistant.doors.http.gate import Gate
from assistant.doors.http.watch import Watch
from assistant.doors.paths import is_api
from assistant.doors.workers import Workers
from assistant.keeping import people
from assistant.keeping.people import LOOPBACK
from assistant.settings import Settings
from indexing.errors import DatelineError, SettingsError

if TYPE_CHECKING:
    from assistant.doors.asking import Answering
    from assistant.doors.slack.app import SlackDoor
    from assistant.keeping.conversations import Conversations


STOPS_S = 10
"""The longest wait for what is being prepared when the server ends."""


ENDS_S = 20
"""The longest that answers under way keep the server from ending."""


def create_app(settings: Settings, assistant: Answering | None = None) -> FastAPI:
    """The application; one a process, since Chainlit keeps its state in modules.

    `assistant` is opened from `settings` when not given. Raises DatelineError where the index
    cannot be used, before anything is served.
    """
    people.ways(settings)  # is anybody to be let in like that?
    if assistant is None:
        from assistant.service import open_assistant

        assistant = open_assistant(settings)

    # A folder for each port: two servers of one index must not clear each other's session files.
    root = settings.index / "chat" / str(settings.port)
    folder.prepare(root)
    chat = _chat(settings, root)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with _warmed(assistant):
            async with endpoint.running(), _in_slack(slack):
                yield
            workers.close()
            chat.close()
            if kept is not None:
                kept.close()
            await asyncio.to_thread(watch.close)
        folder.clear_session_files(root)

    watch = Watch(settings)
    workers = Workers(watch.answering)
    watch.count_under_way(lambda: workers.under_way)
    slack, kept = _slack(settings, assistant, workers)
    endpoint = mcp.Endpoint(mcp.create(assistant, workers))
    # No OpenAPI pages: FastAPI's load their scripts from another host.
    app = FastAPI(title="Dateline", lifespan=lifespan, openapi_url=None)
    app.get("/healthz")(healthz)
    _add_api(app, Api(assistant, settings, workers, watch))
    app.routes.append(Route("/mcp", endpoint))
    if slack is not None and slack.router is not None:
        app.include_router(slack.router)

    # Last: a mount at the root answers every path that is not taken yet.
    page = without_other_hosts(chat.mount(app, assistant, _origins(settings), settings, workers))
    if settings.sign_in == "none":
        page = page.replace("</head>", _NOBODY_SIGNS_OUT + "</head>")
    _serve_everywhere(page)
    _add_guards(app, settings, watch, page)
    return app


def _chat(settings: Settings, root: Path) -> ModuleType:
    """The chat page's module; importing it starts Chainlit, with `root` for its files."""
    # A cookie for each port: browsers do not tell the ports of a host apart.
    cookie = f"dateline-{settings.port}-session"
    hidden = folder.configure_environment(root, people.secret(settings), cookie)
    try:
        from assistant.doors.chat import app
    finally:
        os.environ.update(hidden)
    return app


def _slack(
    settings: Settings, assistant: Answering, workers: Workers
) -> tuple[SlackDoor | None, Conversations | None]:
    """The door in Slack and where it keeps what was said; None of both without a token."""
    if not settings.slack_bot_token:
        return None, None
    from assistant.doors.slack.app import create
    from assistant.keeping.conversations import open_conversations

    kept = open_conversations(settings)
    return create(settings, assistant, workers, kept), kept


def healthz() -> dict[str, str]:
    return {"status": "ok", "service": "dateline"}


def _add_guards(app: FastAPI, settings: Settings, watch: Watch, page: str) -> None:
    """What every request passes before it is answered; the last one added is the first passed."""
    public = settings.public_url.rstrip("/").lower()
    origins = frozenset(
        o.strip().rstrip("/").lower() for o in settings.cors.split(",") if o.strip()
    )
    app.add_middleware(Gate, settings=settings, watch=watch)
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=sorted(origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
            expose_headers=["X-Request-ID", "Retry-After"],
        )
    app.add_middleware(
        Guard,
        hosts=_hosts(settings),
        scripts=script_hashes(page),
        public=public or None,
        friends=origins,
    )


@contextmanager
def _warmed(assistant: Answering) -> Iterator[None]:
    """Makes it ready meanwhile, and closes it in the end."""
    warming = threading.Thread(target=assistant.warm, daemon=True)
    warming.start()
    yield
    assistant.close()
    # Python ends under a thread that still reckons, and its libraries abort with a core.
    warming.join(timeout=STOPS_S)


@asynccontextmanager
async def _in_slack(slack: SlackDoor | None) -> AsyncIterator[None]:
    """Answers in Slack meanwhile. That Slack is not there keeps nobody from the page."""
    if slack is None:
        yield
        return

    async def start() -> None:
        try:
            await slack.start()
        except DatelineError as exc:
            print(f"Warning: nothing is answered in Slack: {exc}", file=sys.stderr)

    starting = asyncio.create_task(start())
    try:
        yield
    finally:
        starting.cancel()
        await asyncio.wait([starting])
        await slack.close()


def _add_api(app: FastAPI, api: Api) -> None:
    described = http_api.router()
    http_api.add_routes(described, api)
    completions.add_routes(described, api)
    app.include_router(described)
    app.include_router(docs.routes(described))
    for path in ("/api/{rest:path}", "/v1/{rest:path}"):
        app.add_route(path, http_api.unknown(described), METHODS, include_in_schema=False)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        if is_api(request.url.path):
            return problems.invalid(error).response()
        return await request_validation_exception_handler(request, error)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        if is_api(request.url.path):
            problem = problems.Problem(error.status_code, error.detail, "invalid_request")
            return problem.response()
        return await http_exception_handler(request, error)


METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


_NOBODY_SIGNS_OUT = "<style>#user-nav-button { display: none }</style>"


def _serve_everywhere(page: str) -> None:
    """Has Chainlit answer every path that it leaves to the browser with `page`."""
    import chainlit.server

    def get_html_template(_: str) -> str:
        return page

    chainlit.server.get_html_template = get_html_template


def _hosts(settings: Settings) -> frozenset[str] | None:
    """The names that the page answers to, None for any."""
    if settings.public_url:
        return LOOPBACK | {settings.host, urlsplit(settings.public_url).hostname or ""}
    return LOOPBACK if settings.host in LOOPBACK else None


def serve(settings: Settings, assistant: Answering | None = None) -> None:
    """Serves until Ctrl-C. Raises SettingsError when the address cannot be had, or the page would be
    open to others and nobody said that it may be."""
    people.ways(settings)
    listening = _listen(settings.host, settings.port)
    try:
        # Port 0 asks the system for a free one: say which it gave.
        settings = replace(settings, port=listening.getsockname()[1])
        app = create_app(settings, assistant)
        config = uvicorn.Config(
            app, log_level="warning", server_header=False, timeout_graceful_shutdown=ENDS_S
        )
        for warning in _warnings(settings):
            print(f"Warning: {warning}", file=sys.stderr)
        print(f"Dateline is at {_address(settings)} (Ctrl-C stops it)", flush=True)
        uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        pass  # uvicorn has shut down in order and passes the signal on
    finally:
        listening.close()


def _warnings(settings: Settings) -> Iterator[str]:
    ways = people.ways(settings)
    if people.GUEST in ways:
        place = settings.public_url or settings.host
        yield (
            f"{place} can be reached from other machines, and the page asks "
            "for no password: whoever reaches it can read every article."
        )
    elif people.is_exposed(settings) and not settings.public_url.startswith("https://"):
        yield (
            "passwords and answers cross the network unencrypted; put a server with https before "
            "this one, and its address into DATELINE_PUBLIC_URL."
        )
    if ways == {people.PASSWORD} and not people.Accounts(settings).names():
        yield "nobody can sign in yet; add somebody with `dateline people add NAME`."


def _listen(host: str, port: int) -> socket.socket:
    """A bound socket, before the models are loaded: a taken port should be known at once."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        try:
            if os.name == "posix":  # on Windows it would let two servers share the port
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(128)
        except OSError:
            listening.close()
            raise
        return listening
    except OSError as exc:
        raise SettingsError(
            f"cannot serve at {host}, port {port} ({exc.strerror or exc}); "
            "stop the program that uses it, or choose another with --port or --host"
        ) from exc


def _address(settings: Settings) -> str:
    return f"http://{_bracketed(settings.host)}:{settings.port}"


def _origins(settings: Settings) -> list[str]:
    names = sorted(LOOPBACK) if settings.host in LOOPBACK else [settings.host]
    public = [settings.public_url.rstrip("/")] if settings.public_url else []
    return [*(f"http://{_bracketed(name)}:{settings.port}" for name in names), *public]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


_LINK_ELSEWHERE = re.compile(r'<link\b[^>]*\bhref="(?:https?:)?//[^>]*>')
_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def without_other_hosts(html: str) -> str:
    """Chainlit's page without its links to a font and a style sheet on two other hosts.

    On a network that drops packets each would hold up the first paint for 30 s.
    """
    return _LINK_ELSEWHERE.sub("", html)


def script_hashes(html: str) -> str:
    """The Content-Security-Policy sources that permit the page's inline scripts and no others."""
    digests = (hashlib.sha256(s.encode()).digest() for s in _INLINE_SCRIPT.findall(html))
    return " ".join(f"'sha256-{base64.b64encode(d).decode()}'" for d in digests)


_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?")

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def _is_html(sent: MutableHeaders) -> bool:
    return sent.get("content-type", "").startswith("text/html")


def _confine(sent: MutableHeaders) -> None:
    """An uploaded file may show itself, and do nothing as a page of ours."""
    sent["X-Frame-Options"] = "SAMEORIGIN"
    if sent.get("content-type", "").partition(";")[0].strip().lower() == "application/pdf":
        # More would stop Chromium's viewer, which is no page of ours either.
        sent["Content-Security-Policy"] = "frame-ancestors 'self'"
    else:
        sent["Content-Security-Policy"] = "sandbox; default-src 'none'; frame-ancestors 'self'"
        sent["Content-Disposition"] = "attachment"


def _encrypt_cookies(message: Message) -> None:
    """Has browsers send the cookies of this answer over https alone."""
    message["headers"] = [
        (name, value + b"; Secure")
        if name.lower() == b"set-cookie" and b"; secure" not in value.lower()
        else (name, value)
        for name, value in message["headers"]
    ]


class Guard:
    """Turns away requests of other sites, and says to browsers what the page may do.

    Chainlit's socket checks no origin, and a server without a password is only as private as that
    check: any page open in the same browser could otherwise ask it for the articles. A name that
    another site points at this machine (DNS rebinding) is caught by `hosts`, None for any. `public`
    is the origin people reach the page at where a proxy stands before it, in small letters; `friends`
    are the origins whose pages may call the API.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: frozenset[str] | None,
        scripts: str,
        public: str | None = None,
        friends: frozenset[str] = frozenset(),
    ) -> None:
        self._friends = friends
        self._app = app
        self._hosts = hosts
        self._scripts = scripts
        self._public = public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        origin = headers.get("origin")
        if (origin or "").lower() in self._friends and is_api(scope["path"]):
            origin = None  # whose pages may call the API, and nothing else here
        if refusal := self._refusal(host, origin):
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008, "reason": refusal})
            else:
                await PlainTextResponse(refusal, status_code=403)(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent = MutableHeaders(scope=message)
                sent.update(_HEADERS)
                sent["Content-Security-Policy"] = self._policy(host)
                if scope["path"].startswith("/project/file/"):
                    _confine(sent)
                if _is_html(sent) or scope["path"].startswith("/public/"):
                    sent["Cache-Control"] = "no-cache"  # else an upgrade shows the old page
                if (self._public or "").startswith("https://"):
                    _encrypt_cookies(message)
            await send(message)

        await self._app(scope, receive, send_guarded)

    def _refusal(self, host: str, origin: str | None) -> str | None:
        parsed = _HOST.fullmatch(host)
        if parsed is None:
            return "Dateline: the Host header is missing or malformed"
        if self._hosts is not None and parsed["name"].strip("[]").lower() not in self._hosts:
            return "Dateline answers only under this machine's own address; see --host"
        if origin is None or origin.lower() == self._public:
            return None
        place = origin.lower().partition("://")[2]
        if place != host.lower() or (self._public or "").endswith(f"://{place}"):
            return "Dateline: requests from other sites are refused"
        return None

    def _policy(self, host: str) -> str:
        # 'unsafe-eval': Chainlit compiles our page elements in the browser. The socket is named
        # besides 'self' because older Safaris do not count it in.
        sockets = {host, self._public.partition("://")[2]} if self._public else {host}
        connections = " ".join(f"ws://{at} wss://{at}" for at in sorted(sockets))
        return (
            "default-src 'self'; "
            f"script-src 'self' 'unsafe-eval' {self._scripts}; "
            "style-src 'self' 'unsafe-inline'; "
            "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' blob:; "
            "worker-src 'self' blob:; "
            f"connect-src 'self' {connections}; "
            "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        )
