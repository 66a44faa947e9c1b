"""A Slack on the loopback: its Web API and Socket Mode, as strict with blocks as Slack is."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

BOT_TOKEN, APP_TOKEN, SECRET = "xoxb-1-bot", "xapp-1-app", "0123456789abcdef"
TEAM, BOT_USER, BOT = "T01TEAM", "U0BOT", "B0BOT"

SECTION, HEADER, BUTTON, VALUE, ID, BLOCKS = 3_000, 150, 75, 2_000, 255, 50
ALL_BLOCKS = 13_200
TEXT = {"chat.update": 4_000}
LONGEST_TEXT = 40_000

_KEYS = {
    "section": {"type", "text", "block_id", "fields", "accessory", "expand"},
    "header": {"type", "text", "block_id"},
    "context": {"type", "elements", "block_id"},
    "actions": {"type", "elements", "block_id"},
    "divider": {"type", "block_id"},
}


@dataclass
class Posted:
    """A message and all its versions, the oldest first; `at` says when each came (monotonic s)."""

    channel: str
    ts: str
    thread_ts: str | None
    user: str
    versions: list[dict[str, Any]] = field(default_factory=list)
    at: list[float] = field(default_factory=list)

    @property
    def last(self) -> dict[str, Any]:
        return self.versions[-1]

    @property
    def text(self) -> str:
        """All that its blocks show."""
        return "\n".join(shown(block) for block in self.last["blocks"])

    @property
    def kinds(self) -> list[str]:
        return [block["type"] for block in self.last["blocks"]]


def shown(block: dict[str, Any]) -> str:
    parts = [block.get("text"), *block.get("elements", ())]
    texts = [part["text"] for part in parts if part]
    return " ".join(t if isinstance(t, str) else t["text"] for t in texts)


def size(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


@dataclass
class Slack:
    """`calls` are the methods that were called with what; `refusals` holds for a method the answers
    given before it works: a code, or a number of seconds to retry after. `holds` holds what the next
    answer of a method waits for, once all is done."""

    root: str = ""
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refusals: dict[str, list[str | int]] = field(default_factory=dict)
    holds: dict[str, asyncio.Event] = field(default_factory=dict)
    messages: dict[tuple[str, str], Posted] = field(default_factory=dict)
    responses: list[dict[str, Any]] = field(default_factory=list)
    acks: dict[str, dict[str, Any]] = field(default_factory=dict)
    updated: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0
    _sockets: list[web.WebSocketResponse] = field(default_factory=list)
    _connected: asyncio.Condition = field(default_factory=asyncio.Condition)
    _tickets: set[str] = field(default_factory=set)
    _clock: int = 0

    # What the world does

    @property
    def api(self) -> str:
        return f"{self.root}/api/"

    def ts(self) -> str:
        self._clock += 1
        return f"1770000000.{self._clock:06}"

    def say(self, channel: str, text: str, user: str, thread: str | None = None) -> str:
        """A post of a person or another program; its ts."""
        ts = self.ts()
        posted = Posted(channel, ts, thread, user)
        posted.versions.append({"text": text, "blocks": []})
        self.messages[channel, ts] = posted
        return ts

    @property
    def ours(self) -> list[Posted]:
        return [m for m in self.messages.values() if m.user == BOT_USER]

    def called(self, method: str) -> list[dict[str, Any]]:
        return [given for name, given in self.calls if name == method]

    async def deliver(self, envelope: dict[str, Any]) -> dict[str, Any]:
        """Sends an envelope over the newest connection; what acknowledged it."""
        async with self._connected:
            await self._connected.wait_for(lambda: self._sockets)
        await self._sockets[-1].send_json(envelope)
        async with self._connected:
            await self._connected.wait_for(lambda: envelope["envelope_id"] in self.acks)
        return self.acks[envelope["envelope_id"]]

    async def connected(self, count: int) -> None:
        """Waits for the connection with this number, counted from 1."""
        async with self._connected:
            await self._connected.wait_for(lambda: self.connections >= count and self._sockets)

    async def ask_to_reconnect(self) -> None:
        await self._sockets[-1].send_json({"type": "disconnect", "reason": "refresh_requested"})

    async def hang_up(self) -> None:
        await self._sockets[-1].close()

    # The Web API

    async def call(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        given = await _given(request)
        wanted = APP_TOKEN if method == "apps.connections.open" else BOT_TOKEN
        if request.headers.get("Authorization") != f"Bearer {wanted}":
            return _refused("invalid_auth")
        if refusals := self.refusals.get(method):
            refusal = refusals.pop(0)
            if isinstance(refusal, int):
                headers = {"Retry-After": str(refusal)}
                return web.json_response(
                    {"ok": False, "error": "ratelimited"}, status=429, headers=headers
                )
            return _refused(refusal)
        self.calls.append((method, given))
        answer = getattr(self, "_" + method.replace(".", "_"), None)
        response = _refused("unknown_method") if answer is None else answer(given)
        if hold := self.holds.pop(method, None):
            await hold.wait()
        return response

    def _auth_test(self, _: dict[str, Any]) -> web.Response:
        return _done(team_id=TEAM, team="Desk", user_id=BOT_USER, user="dateline", bot_id=BOT)

    def _apps_connections_open(self, _: dict[str, Any]) -> web.Response:
        ticket = self.ts()
        self._tickets.add(ticket)
        return _done(url=self.root.replace("http", "ws", 1) + f"/link?ticket={ticket}")

    def _chat_postMessage(self, given: dict[str, Any]) -> web.Response:
        if error := error_of("chat.postMessage", given):
            return _refused(error)
        posted = Posted(given["channel"], self.ts(), given.get("thread_ts"), BOT_USER)
        self.messages[posted.channel, posted.ts] = posted
        return self._show(posted, given)

    def _chat_update(self, given: dict[str, Any]) -> web.Response:
        if error := error_of("chat.update", given):
            return _refused(error)
        posted = self.messages.get((given["channel"], given["ts"]))
        if posted is None or posted.user != BOT_USER:
            return _refused("message_not_found" if posted is None else "cant_update_message")
        self.updated.set()
        return self._show(posted, given)

    def _show(self, posted: Posted, given: dict[str, Any]) -> web.Response:
        shown = [{"block_id": f"b{i}", **b} for i, b in enumerate(given.get("blocks") or [])]
        posted.versions.append({**given, "blocks": shown})
        posted.at.append(time.monotonic())
        return _done(channel=posted.channel, ts=posted.ts)

    def _chat_postEphemeral(self, given: dict[str, Any]) -> web.Response:
        error = error_of("chat.postEphemeral", given)
        return _refused(error) if error else _done(message_ts=self.ts())

    def _conversations_replies(self, given: dict[str, Any]) -> web.Response:
        channel, root = given["channel"], given["ts"]
        if (channel, root) not in self.messages:
            return _refused("thread_not_found")
        found = [
            {"type": "message", "user": m.user, "ts": m.ts, "text": m.last["text"]}
            | ({"bot_id": BOT} if m.user == BOT_USER else {})
            for m in self.messages.values()
            if m.channel == channel and root in (m.ts, m.thread_ts)
        ]
        first = int(given.get("cursor") or 0)
        last = first + min(
            int(given.get("limit") or 100), 3
        )  # pages are short, so that there are some
        cursor = str(last) if last < len(found) else ""
        return _done(messages=found[first:last], response_metadata={"next_cursor": cursor})

    async def respond(self, request: web.Request) -> web.Response:
        self.responses.append(await request.json())
        return web.Response(text="ok")

    # Socket Mode

    async def link(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            raise web.HTTPForbidden  # it was used before, or never given
        self._tickets.discard(ticket)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "hello", "num_connections": 1})
        async with self._connected:
            self._sockets.append(socket)
            self.connections += 1
            self._connected.notify_all()
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                ack = json.loads(message.data)
                async with self._connected:
                    self.acks[ack["envelope_id"]] = ack
                    self._connected.notify_all()
        self._sockets.remove(socket)
        return socket


async def _given(request: web.Request) -> dict[str, Any]:
    given: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        return given | await request.json()
    given |= dict(await request.post())
    if isinstance(given.get("blocks"), str):
        given["blocks"] = json.loads(given["blocks"])
    return given


def _done(**more: object) -> web.Response:
    return web.json_response({"ok": True, **more})


def _refused(error: str) -> web.Response:
    return web.json_response({"ok": False, "error": error})


def error_of(method: str, given: dict[str, Any]) -> str | None:
    """What Slack would say against a message."""
    blocks = given.get("blocks") or []
    if not given.get("text") and not blocks:
        return "no_text"
    if size(given.get("text") or "") > TEXT.get(method, LONGEST_TEXT):
        return "msg_too_long"
    ids = [block["block_id"] for block in blocks if "block_id" in block]
    if len(blocks) > BLOCKS or len(ids) != len(set(ids)) or not all(map(_is_block, blocks)):
        return "invalid_blocks"
    if sum(size(shown(block)) for block in blocks) > ALL_BLOCKS:
        return "msg_blocks_too_long"
    return None


def _is_block(block: dict[str, Any]) -> bool:
    kind = block.get("type", "")
    if not set(block) <= _KEYS.get(kind, set()) or len(block.get("block_id", "")) > ID:
        return False
    if kind == "section":
        return _is_text(block["text"], SECTION)
    if kind == "header":
        return block["text"]["type"] == "plain_text" and _is_text(block["text"], HEADER)
    if kind == "context":
        return 1 <= len(block["elements"]) <= 10 and all(
            _is_text(e, SECTION) for e in block["elements"]
        )
    if kind == "actions":
        return 1 <= len(block["elements"]) <= 25 and all(map(_is_button, block["elements"]))
    return True


def _is_text(text: dict[str, Any], longest: int) -> bool:
    keys = {"mrkdwn": {"type", "text", "verbatim"}, "plain_text": {"type", "text", "emoji"}}
    known = keys.get(text.get("type", ""), set())
    return set(text) <= known and 1 <= size(text["text"]) <= longest


def _is_button(element: dict[str, Any]) -> bool:
    keys = {"type", "text", "action_id", "value", "accessibility_label", "url", "style"}
    return (
        element["type"] == "button"
        and set(element) <= keys
        and element["text"]["type"] == "plain_text"
        and _is_text(element["text"], BUTTON)
        and len(element["action_id"]) <= ID
        and len(element.get("value", "")) <= VALUE
        and len(element.get("accessibility_label", "")) <= BUTTON
    )


def signed(body: str, secret: str = SECRET, at: float | None = None) -> dict[str, str]:
    """The headers with which Slack sends `body`; `at` is when it was sent, now where not given."""
    stamp = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}"}


@asynccontextmanager
async def slack_server() -> AsyncIterator[Slack]:
    slack = Slack()
    app = web.Application()
    app.router.add_route("*", "/api/{method}", slack.call)
    app.router.add_get("/link", slack.link)
    app.router.add_post("/respond", slack.respond)
    runner = web.AppRunner(app, shutdown_timeout=1, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        slack.root = f"http://{host}:{port}"
        yield slack
    finally:
        await runner.cleanup()
