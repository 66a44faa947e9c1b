"""The protocol's own client, and servers of articles for it."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from anyio.from_thread import BlockingPortal
from fastapi import FastAPI
from mcp import ClientSession, types
from running import PATIENCE_S

from assistant.doors import mcp
from assistant.settings import Settings

ACCEPTS = {
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
}
PRIVATE = "a very private detail"


@dataclass
class Connected:
    """A client of the protocol, to be used without waiting."""

    portal: BlockingPortal
    session: ClientSession
    began: types.InitializeResult

    def call(self, tool: str, /, **arguments: object) -> types.CallToolResult:
        return self.portal.call(self.session.call_tool, tool, arguments)

    def given(self, tool: str, /, **arguments: object) -> dict[str, Any]:
        """The structured content of a call that works."""
        result = self.call(tool, **arguments)
        assert not result.isError, result.content
        assert result.structuredContent is not None
        return result.structuredContent

    def refused(self, tool: str, /, **arguments: object) -> str:
        """The sentence of a call that does not."""
        result = self.call(tool, **arguments)
        assert result.isError
        assert result.structuredContent is None
        return read(result)

    def tools(self) -> dict[str, types.Tool]:
        return {tool.name: tool for tool in self.portal.call(self.session.list_tools).tools}


def read(result: types.CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    return content.text


def environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("DATELINE_")}


def command(settings: Settings) -> list[str]:
    return [sys.executable, "-m", "assistant.doors.cli", "mcp", "--index", str(settings.index)]


class serving:
    """Serves the endpoint at a free port of this machine."""

    def __init__(self, endpoint: mcp.Endpoint) -> None:
        @asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            async with endpoint.running():
                yield

        app = FastAPI(lifespan=lifespan)
        app.add_route("/mcp", endpoint)
        config = uvicorn.Config(app, log_level="warning", ws="none", timeout_graceful_shutdown=3)
        self._server = uvicorn.Server(config)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/mcp"

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=PATIENCE_S)
        self._socket.close()


def message(method: str, identity: int | None = None, **params: object) -> str:
    whole = {"jsonrpc": "2.0", "method": method, "params": params}
    return json.dumps(whole if identity is None else whole | {"id": identity}) + "\n"
