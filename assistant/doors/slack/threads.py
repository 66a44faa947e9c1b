"""The threads of Slack that questions stand in: which are ours, and what was asked there before."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assistant.doors.conversation import HISTORY_TURNS
from assistant.doors.slack import blocks
from assistant.doors.slack.client import Client, Identity, reason
from assistant.doors.slack.kept import History, Kept, Place, Told
from indexing.errors import StoreError

log = logging.getLogger(__name__)

REMEMBERED = 10_000
"""Events, and threads, that are remembered."""
PAGES = 5
"""Pages of an old thread that are read for its history."""


@dataclass(frozen=True, slots=True)
class Post:
    """A question in Slack. `place` is the thread it stands in or begins, `ts` its own; `asker` is who
    asks, as `kept.identifier` names him."""

    place: Place
    ts: str
    asker: str
    text: str

    @property
    def is_reply(self) -> bool:
        return self.place.root != self.ts

    @property
    def key(self) -> tuple[str, str]:
        """The same for all events that tell of this post."""
        return self.place.channel, self.ts


class Seen:
    """What was seen lately, the oldest forgotten first. Safe to share between threads."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._keys: OrderedDict[Hashable, None] = OrderedDict()

    def add(self, *keys: Hashable) -> bool:
        """Whether none of them was seen before; all of them are now."""
        with self._lock:
            is_new = not any(key in self._keys for key in keys)
            for key in keys:
                self._keys[key] = None
                self._keys.move_to_end(key)
            while len(self._keys) > self._most:
                self._keys.popitem(last=False)
            return is_new

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._keys

    def discard(self, key: Hashable) -> None:
        with self._lock:
            self._keys.pop(key, None)

    def __len__(self) -> int:
        return len(self._keys)


class Threads:
    """Those that `client` can see and those that are `kept`."""

    def __init__(self, client: Client, kept: Kept) -> None:
        self._client = client
        self._kept = kept
        self._joined = Seen()
        self._foreign = Seen()

    def join(self, place: Place) -> None:
        """From now on it is one of ours."""
        self._joined.add(place)
        self._foreign.discard(place)

    async def told(self, place: Place) -> Told | None:
        """What is kept of a thread; None where that is nothing, or cannot be read."""
        try:
            return await asyncio.to_thread(self._kept.told, place)
        except StoreError as exc:
            log.warning("a thread of Slack was not found: %s", exc)
            return None

    async def history(self, post: Post, told: Told | None, who: Identity) -> History:
        """What was asked and answered in the thread before: as we kept it, else as Slack has."""
        if told is not None and told.history:
            return told.history
        if not post.is_reply:
            return []
        try:
            messages = await self._replies(post.place)
        except Exception as exc:  # noqa: BLE001 - better an answer without it than none
            log.warning("a thread was not read: %s", reason(exc))
            return []
        before = [m for m in messages if str(m.get("ts")) < post.ts]
        return _pairs(before, who)[-HISTORY_TURNS:]

    async def _replies(self, place: Place) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        for _ in range(PAGES):
            page = await self._client.web.conversations_replies(
                channel=place.channel, ts=place.root, limit=200, cursor=cursor
            )
            found += page.get("messages") or []
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                break
        return found

    async def is_ours(self, post: Post, who: Identity) -> bool:
        """Whether we have answered in the thread of a post."""
        place = post.place
        if place in self._joined:
            return True
        if place in self._foreign:
            return False
        told = await self.told(place)
        is_ours = bool(told and told.answers) or any(
            _is_from(message, who) for message in await self._replies(place)
        )
        (self._joined if is_ours else self._foreign).add(place)
        return is_ours


def _pairs(messages: Sequence[Mapping[str, Any]], who: Identity) -> History:
    """The questions of Slack's own messages with our answers to them."""
    pairs: History = []
    question = ""
    for message in messages:
        text = str(message.get("text") or "")
        if not _is_from(message, who):
            question = blocks.question_of(text, who.user)
            continue
        if own := blocks.ASKED.match(text):
            question, text = blocks.question_of(own["question"], who.user), text[own.end() :]
        answer = blocks.question_of(text.partition("\n[")[0].replace("*", ""), who.user)
        if question and answer and answer != blocks.SEARCHING:
            pairs.append((question, answer))
            question = ""
    return pairs


def _is_from(message: Mapping[str, Any], who: Identity) -> bool:
    return message.get("user") == who.user or (bool(who.bot) and message.get("bot_id") == who.bot)
