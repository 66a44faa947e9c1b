"""A server of corpus/ over both transports, and a client of each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from anyio.from_thread import start_blocking_portal
from mcp import ClientSession, StdioServerParameters, types
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp_client import Connected, command, environment, serving

from assistant.doors import mcp
from assistant.doors.workers import Workers
from assistant.service import open_assistant
from assistant.settings import Settings


@pytest.fixture(scope="module")
def address(briefs: Settings) -> Iterator[str]:
    """A web server with the endpoint at /mcp, mounted as the chat page's server does it."""
    assistant, workers = open_assistant(briefs), Workers()
    with serving(mcp.Endpoint(mcp.create(assistant, workers))) as url:
        yield url
    workers.close()
    assistant.close()


@pytest.fixture(scope="module", params=["stdio", "http"])
def client(
    request: pytest.FixtureRequest, briefs: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Connected]:
    """The official client, unmodified."""
    folder = tmp_path_factory.mktemp("client")
    said = folder / "stderr"
    is_stdio = request.param == "stdio"
    url = "" if is_stdio else request.getfixturevalue("address")

    @asynccontextmanager
    async def connected() -> AsyncIterator[tuple[ClientSession, types.InitializeResult]]:
        program, *arguments = command(briefs)
        server = StdioServerParameters(
            command=program, args=arguments, cwd=folder, env=environment()
        )
        with said.open("w") as errors:
            transport = stdio_client(server, errors) if is_stdio else streamable_http_client(url)
            async with transport as streams, ClientSession(*streams[:2]) as session:
                yield session, await session.initialize()

    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(connected()) as (session, began),
    ):
        yield Connected(portal, session, began)
    if is_stdio:
        assert said.read_text("utf-8") == ""
        assert list(folder.iterdir()) == [said], "it left files where it was started"
