"""A message of ours in Slack, edited in place while its answer is written."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

from assistant.doors.slack.blocks import Message
from assistant.doors.slack.client import Client, reason

log = logging.getLogger(__name__)

UPDATE_S = 1.0
"""The least time between two updates of one message."""


@dataclass(slots=True)
class Shown:
    """One message, edited in place at most once in `UPDATE_S`."""

    client: Client
    channel: str
    thread: str | None
    ts: str = ""
    _free_at: float = 0.0
    _latest: Message | None = None
    _drafting: asyncio.Task[None] | None = None
    _sending: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def post(self, message: Message) -> None:
        posted = await self.client.web.chat_postMessage(
            channel=self.channel,
            thread_ts=self.thread,
            unfurl_links=False,
            unfurl_media=False,
            **as_sent(message),
        )
        self.ts = str(posted["ts"])

    def change(self, message: Message) -> None:
        """Shows a draft soon; a later one takes the place of one that is not shown yet."""
        self._latest = message
        if self._drafting is None or self._drafting.done():
            self._drafting = asyncio.create_task(self._draft())

    async def _draft(self) -> None:
        loop = asyncio.get_running_loop()
        # The whole answer is often there at once: a draft that stands for an instant is none.
        await asyncio.sleep(max(UPDATE_S, self._free_at - loop.time()))
        assert self._latest is not None
        try:
            await self._update(self._latest)
        except Exception as exc:  # noqa: BLE001 - the answer itself is still to come
            log.warning("a draft was not shown: %s", reason(exc))

    async def settle(self, message: Message) -> None:
        """Shows the last version."""
        if self._drafting is not None and not self._drafting.done():
            if not self._sending.locked():
                self._drafting.cancel()
            await asyncio.wait([self._drafting])
        wait_s = self._free_at - asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, wait_s))
        await self._update(message)

    async def _update(self, message: Message) -> None:
        async with self._sending:
            await self.client.web.chat_update(channel=self.channel, ts=self.ts, **as_sent(message))
            self._free_at = asyncio.get_running_loop().time() + UPDATE_S


def as_sent(message: Message) -> dict[str, Any]:
    """The arguments of a call that sends it."""
    # chat.update would find names and addresses in the text itself unless told not to.
    sent = {"text": message.text, "blocks": list(message.blocks)}
    return {**sent, "link_names": False, "parse": "none"}
