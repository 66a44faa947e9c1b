"""Slack's Socket Mode: events over a WebSocket that we open, so that no address of ours is public."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

log = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
HEARTBEAT_S = 15.0

Payload = dict[str, Any]


class SocketMode:
    """Listens until its task is cancelled, and connects anew whenever a connection ends.

    `open_` asks Slack for the address of a connection, of which each holds once; `hear` is given each
    envelope and returns what acknowledges it, None to have Slack deliver it again.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        open_: Callable[[], Awaitable[str]],
        hear: Callable[[Payload], Awaitable[Payload | None]],
        proxy: str | None = None,
    ) -> None:
        self._session = session
        self._open = open_
        self._hear = hear
        self._proxy = proxy
        self._pause_s = FIRST_PAUSE_S

    async def listen(self, address: str) -> None:
        """`address` is that of the first connection."""
        first: str | None = address
        while True:
            try:
                url, first = first or await self._open(), None
                async with self._session.ws_connect(
                    url, heartbeat=HEARTBEAT_S, proxy=self._proxy
                ) as socket:
                    is_asked_to = await self._receive(socket)
                if is_asked_to:
                    continue
                reason = "it was closed"
            except Exception as exc:  # noqa: BLE001 - it connects again, come what may
                # Its text may hold the address, which is as good as a key.
                reason = type(exc).__name__
            log.warning("the connection to Slack is lost (%s); connecting again", reason)
            await asyncio.sleep(self._pause_s)
            self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)

    async def _receive(self, socket: aiohttp.ClientWebSocketResponse) -> bool:
        """Whether Slack asked for a new connection."""
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            envelope = _read(message.data)
            if envelope.get("type") == "hello":
                self._pause_s = FIRST_PAUSE_S
            elif envelope.get("type") == "disconnect":
                return True
            elif isinstance(id := envelope.get("envelope_id"), str):
                payload = await self._hear(envelope)
                if payload is not None:
                    await socket.send_json({"envelope_id": id} | payload)
        return False


def _read(text: str) -> Payload:
    try:
        read = json.loads(text)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}
