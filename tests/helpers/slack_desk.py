"""Dateline in Slack as tests use it: a door that listens to a Slack, and what is said there."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from fakes import ScriptedAssistant, answered, cited
from fastapi import FastAPI
from slack_server import (
    BOT_TOKEN,
    BOT_USER,
    SECRET,
    TEAM,
    Posted,
    Slack,
    signed,
)

from assistant.doors.slack import app, client
from assistant.doors.workers import Workers
from assistant.keeping.conversations import Conversations, open_conversations
from assistant.schema import Answer
from assistant.settings import Settings

RAW = "The report is due on 6 March 2026, the agency said."
DUE = cited(RAW, RAW, url="https://example.org/report", title="Report due")
ANSWER = answered("**It is due on 6 March 2026.** [1]", DUE)
LATER = answered("It was moved from 4 March. [1]", DUE)
MENTION = f"<@{BOT_USER}> When is it due?"
QUESTION = "When is it due?"


def scripted(**more: Answer | Exception) -> ScriptedAssistant:
    return ScriptedAssistant({"a.txt": RAW}, {QUESTION: ANSWER, "And why?": LATER, **more})


@dataclass
class Desk:
    """A door that listens to a Slack, and what reaches it."""

    slack: Slack
    door: app.SlackDoor
    conversations: Conversations
    http: httpx.AsyncClient
    number: int = 0

    async def send(self, body: str, **headers: str) -> httpx.Response:
        kind = "application/json" if body.startswith("{") else "application/x-www-form-urlencoded"
        return await self.http.post(
            app.PATH, content=body, headers={"Content-Type": kind, **signed(body), **headers}
        )

    def event(self, event: dict[str, Any], id: str | None = None) -> dict[str, Any]:
        self.number += 1
        return {
            "type": "event_callback",
            "team_id": TEAM,
            "event_id": id or f"Ev{self.number:06}",
            "event": event,
        }

    async def tell(self, event: dict[str, Any], id: str | None = None, **headers: str) -> None:
        """Delivers an event, and waits until nothing is being answered."""
        response = await self.send(json.dumps(self.event(event, id)), **headers)
        assert response.status_code == 200
        await self.door.idle()

    async def mention(
        self, text: str = MENTION, user: str = "U0ANNA", thread: str | None = None, **more: Any
    ) -> str:
        ts = self.slack.say("C0NEWS", text, user, thread)
        await self.tell(mention(ts, text, user, thread, **more))
        return ts

    async def reply(self, thread: str, text: str, user: str = "U0ANNA", **more: Any) -> str:
        ts = self.slack.say("C0NEWS", text, user, thread)
        await self.tell(message(ts, text, user, thread_ts=thread, **more))
        return ts

    async def command(self, text: str, channel: str = "C0NEWS") -> httpx.Response:
        self.number += 1
        given = {
            "command": "/ask",
            "text": text,
            "team_id": TEAM,
            "channel_id": channel,
            "user_id": "U0ANNA",
            "user_name": "anna",
            "trigger_id": f"T{self.number}",
            "response_url": f"{self.slack.root}/respond",
        }
        response = await self.send(urlencode(given))
        await self.door.idle()
        return response

    async def click(
        self, posted: Posted, action: str, user: str = "U0ANNA", step: str | None = None
    ) -> None:
        await self.click_at_once(posted, action, user, step)
        await self.door.idle()

    async def click_at_once(
        self, posted: Posted, action: str, user: str, step: str | None = None
    ) -> None:
        shown = posted.last["blocks"]
        buttons = next(b["elements"] for b in shown if b["type"] == "actions")
        value = next(b["value"] for b in buttons if b["action_id"] == action)
        payload = {
            "type": "block_actions",
            "team": {"id": TEAM},
            "user": {"id": user, "team_id": TEAM},
            "channel": {"id": posted.channel},
            "message": {
                "ts": posted.ts,
                "blocks": shown,
                **({"thread_ts": posted.thread_ts} if posted.thread_ts else {}),
            },
            "actions": [{"type": "button", "action_id": action, "value": step or value}],
        }
        response = await self.send(urlencode({"payload": json.dumps(payload)}))
        assert response.status_code == 200

    def rated(self, value: int | None = None) -> list[tuple[str, int, tuple[Any, ...]]]:
        found = self.conversations.rated(value)
        return [(r.answer["question"], r.value, r.history) for r in found]


def mention(
    ts: str, text: str = MENTION, user: str = "U0ANNA", thread: str | None = None, **more: Any
) -> dict[str, Any]:
    of = {"thread_ts": thread} if thread else {}
    event = {"type": "app_mention", "channel": "C0NEWS", "user": user, "ts": ts, "text": text}
    return {**event, **of, **more}


def message(ts: str, text: str, user: str = "U0ANNA", **more: Any) -> dict[str, Any]:
    event = {"type": "message", "channel": "C0NEWS", "channel_type": "channel", "user": user}
    return {**event, "ts": ts, "text": text, **more}


def direct(ts: str, text: str = QUESTION, **more: Any) -> dict[str, Any]:
    return message(ts, text, **{"channel": "D0ANNA", "channel_type": "im", **more})


Play = Callable[[Desk], Awaitable[None]]
Stage = Callable[..., None]


@asynccontextmanager
async def opened(
    settings: Settings, assistant: Any, slack: Slack, **changes: str
) -> AsyncIterator[Desk]:
    tokens = {"slack_bot_token": BOT_TOKEN, "slack_signing_secret": SECRET}
    chosen = replace(settings, **{**tokens, **changes})
    workers, conversations = Workers(), open_conversations(chosen)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "API", slack.api)
        door = app.create(chosen, assistant, workers, conversations)
        api = FastAPI()
        if door.router is not None:
            api.include_router(door.router)
        transport = httpx.ASGITransport(api)
        try:
            await door.start()
            async with httpx.AsyncClient(transport=transport, base_url="http://dateline") as http:
                yield Desk(slack, door, conversations, http)
        finally:
            await door.close()
            workers.close()
            conversations.close()
