"""The web server: the chat page at `/`, `/healthz` beside it, and the guard before both."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant.chat import folder
from indexing.errors import SettingsError
from indexing.settings import Settings

if TYPE_CHECKING:
    from assistant.chat.app import Answering

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def create_app(settings: Settings, assistant: Answering | None = None) -> FastAPI:
    """The application; one a process, since Chainlit keeps its state in modules.

    `assistant` is opened from `settings` when not given. Raises DatelineError where the index
    cannot be used, before anything is served.
    """
    if assistant is None:
        from assistant.service import open_assistant

        assistant = open_assistant(settings)

    # A folder for each port: two servers of one index must not clear each other's session files.
    root = settings.index / "chat" / str(settings.port)
    folder.prepare(root)
    hidden = folder.configure_environment(root)
    try:
        from assistant.chat import app as chat
    finally:
        os.environ.update(hidden)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        folder.clear_session_files(root)

    # No OpenAPI pages: FastAPI's load their scripts from another host.
    app = FastAPI(
        title="Dateline",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok", "service": "dateline"}

    @app.get("/")
    def index() -> HTMLResponse:
        return HTMLResponse(page)

    # Last: a mount at the root answers every path that is not taken yet.
    page = without_other_hosts(chat.mount(app, assistant, _origins(settings)))
    hosts = LOOPBACK if settings.host in LOOPBACK else None
    app.add_middleware(Guard, hosts=hosts, scripts=script_hashes(page))
    return app


def serve(settings: Settings, assistant: Answering | None = None) -> None:
    """Serves until Ctrl-C. Raises SettingsError when the address cannot be had."""
    listening = _listen(settings.host, settings.port)
    try:
        # Port 0 asks the system for a free one: say which it gave.
        settings = replace(settings, port=listening.getsockname()[1])
        app = create_app(settings, assistant)
        config = uvicorn.Config(
            app, log_level="warning", server_header=False, timeout_graceful_shutdown=3
        )
        if settings.host not in LOOPBACK:
            print(
                f"Warning: {settings.host} can be reached from other machines, and the page asks "
                "for no password: whoever reaches it can read every article.",
                file=sys.stderr,
            )
        print(f"Dateline is at {_address(settings)} (Ctrl-C stops it)", flush=True)
        uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        pass  # uvicorn has shut down in order and passes the signal on
    finally:
        listening.close()


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
    return [f"http://{_bracketed(name)}:{settings.port}" for name in names]


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


class Guard:
    """Turns away requests of other sites, and says to browsers what the page may do.

    Chainlit's socket checks no origin, and a server without a password is only as private as that
    check: any page open in the same browser could otherwise ask it for the articles. A name that
    another site points at this machine (DNS rebinding) is caught by `hosts`, None for any.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None, scripts: str) -> None:
        self._app = app
        self._hosts = hosts
        self._scripts = scripts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if refusal := self._refusal(host, headers.get("origin")):
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
                if scope["path"] == "/" or scope["path"].startswith("/public/"):
                    sent["Cache-Control"] = "no-cache"  # else an upgrade shows the old page
            await send(message)

        await self._app(scope, receive, send_guarded)

    def _refusal(self, host: str, origin: str | None) -> str | None:
        parsed = _HOST.fullmatch(host)
        if parsed is None:
            return "Dateline: the Host header is missing or malformed"
        if self._hosts is not None and parsed["name"].strip("[]").lower() not in self._hosts:
            return "Dateline answers only under this machine's own address; see --host"
        if origin is not None and origin.lower().partition("://")[2] != host.lower():
            return "Dateline: requests from other sites are refused"
        return None

    def _policy(self, host: str) -> str:
        # 'unsafe-eval': Chainlit compiles our page elements in the browser. The socket is named
        # besides 'self' because older Safaris do not count it in.
        return (
            "default-src 'self'; "
            f"script-src 'self' 'unsafe-eval' {self._scripts}; "
            "style-src 'self' 'unsafe-inline'; "
            "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' blob:; "
            "worker-src 'self' blob:; "
            f"connect-src 'self' ws://{host} wss://{host}; "
            "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        )
