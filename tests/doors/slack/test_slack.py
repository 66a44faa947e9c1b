"""Dateline in Slack: over HTTP and Socket Mode, against a Slack on the loopback."""

from __future__ import annotations

import asyncio
import html
import json
import logging
import re
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import yaml
from fakes import ScriptedAssistant, answered, cited, missing
from fastapi import FastAPI
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from repository import ROOT
from slack_server import (
    APP_TOKEN,
    BOT_TOKEN,
    BOT_USER,
    SECRET,
    TEAM,
    Posted,
    Slack,
    error_of,
    signed,
    slack_server,
)

from assistant.doors.cli import main
from assistant.doors.show.json import to_json
from assistant.doors.show.parts import NEAREST
from assistant.doors.slack import app, blocks
from assistant.doors.slack.channels import NOTHING_TO_READ, REFUSED, channels
from assistant.doors.slack.kept import Place, identifier
from assistant.doors.workers import Workers
from assistant.keeping.conversations import Conversations, open_conversations
from assistant.keeping.tables import Step
from assistant.language.marks import plain
from assistant.schema import Agreement, Answer, AnswerDate, Claim
from indexing.errors import DatelineError, SettingsError
from indexing.schema import Filters
from indexing.settings import Settings

RAW = "The report is due on 6 March 2026, the agency said."
DUE = cited(RAW, RAW, url="https://example.org/report", title="Report due")
ANSWER = answered("**It is due on 6 March 2026.** [1]", DUE)
LATER = answered("It was moved from 4 March. [1]", DUE)
MENTION = f"<@{BOT_USER}> When is it due?"
QUESTION = "When is it due?"
TODAY = date(2026, 11, 22)
WORD_JOINER = "\u2060"


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


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)


Play = Callable[[Desk], Awaitable[None]]
Stage = Callable[..., None]


@asynccontextmanager
async def opened(
    settings: Settings, assistant: Any, slack: Slack, **changes: str
) -> AsyncIterator[Desk]:
    tokens = {"slack_bot_token": BOT_TOKEN, "slack_signing_secret": SECRET, "slack_url": slack.api}
    chosen = replace(settings, **{**tokens, **changes})
    workers, conversations = Workers(), open_conversations(chosen)
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


@pytest.fixture
def stage(settings: Settings) -> Stage:
    """Plays a scene between a Slack and a door over `assistant`."""

    def play(scene: Play, assistant: Any = None, **changes: str) -> None:
        async def run() -> None:
            async with slack_server() as slack:
                open_ = opened(settings, assistant or scripted(), slack, **changes)
                async with open_ as desk:
                    await scene(desk)

        asyncio.run(run())

    return play


# Questions


def test_a_mention_is_answered_in_its_thread_by_one_message_that_is_edited(stage: Stage) -> None:
    async def scene(desk: Desk) -> None:
        ts = await desk.mention()
        (posted,) = desk.slack.ours
        assert (posted.channel, posted.thread_ts) == ("C0NEWS", ts)
        assert "Searching" in posted.versions[0]["text"]
        assert "*It is due on 6 March 2026.* [1]" in posted.text
        assert f"[1] “{RAW}”" in posted.text
        assert "<https://example.org/report|Report due>, A paper, 5 Feb 2026, " in posted.text
        assert len(desk.slack.called("chat.postMessage")) == 1
        assert len(desk.slack.called("chat.update")) == 1

    assistant = scripted()
    stage(scene, assistant)
    assert assistant.asked == [(QUESTION, [])]


def test_what_is_sent_asks_slack_to_parse_and_unfurl_nothing(stage: Stage) -> None:
    async def scene(desk: Desk) -> None:
        await desk.mention()
        (first,) = desk.slack.called("chat.postMessage")
        (last,) = desk.slack.called("chat.update")
        assert first["unfurl_links"] is first["unfurl_media"] is first["link_names"] is False
        assert (first["parse"], last["parse"], last["link_names"]) == ("none", "none", False)
        for block in [*first["blocks"], *last["blocks"]]:
            if block["type"] == "section":
                assert block["text"]["verbatim"] is True

    stage(scene)


def test_a_direct_message_is_answered(stage: Stage) -> None:
    async def scene(desk: Desk) -> None:
        ts = desk.slack.say("D0ANNA", QUESTION, "U0ANNA")
        await desk.tell(direct(ts))
        (posted,) = desk.slack.ours
        assert (posted.channel, posted.thread_ts) == ("D0ANNA", ts)
        assert "It is due on 6 March 2026." in posted.text

    stage(scene)


@pytest.mark.parametrize(
    "strange",
    [
        {"bot_id": "B0OTHER"},
        {"subtype": "bot_message"},
        {"subtype": "message_changed", "hidden": True},
        {"subtype": "message_deleted"},
        {"subtype": "channel_join"},
        {"user": BOT_USER},
        {"user": ""},
    ],
)
def test_what_no_person_wrote_is_not_answered(stage: Stage, strange: dict[str, Any]) -> None:
    async def scene(desk: Desk) -> None:
        await desk.tell(direct("1.1", **strange))
        await desk.tell(mention("1.2", **strange))
        assert desk.slack.ours == []
        await desk.tell(direct("1.3"))
        assert len(desk.slack.ours) == 1

    stage(scene)


def test_a_command_is_answered_for_all_to_see_with_who_asked_what(stage: Stage) -> None:
    async def scene(desk: Desk) -> None:
        response = await desk.command(QUESTION)
        assert (response.status_code, response.text) == (200, "")
        (posted,) = desk.slack.ours
        assert (posted.channel, posted.thread_ts) == ("C0NEWS", None)
        for version in posted.versions:
            assert version["blocks"][0]["text"]["text"] == f"<@U0ANNA> asked: {QUESTION}"
        assert "Searching" in posted.versions[0]["text"]
        assert "It is due on 6 March 2026." in posted.text
        await desk.reply(posted.ts, "And why?", "U0BERTA", parent_user_id=BOT_USER)
        assert "moved from 4 March" in desk.slack.ours[1].text

    assistant = scripted()
    stage(scene, assistant)
    assert assistant.asked[1] == ("And why?", [("A question?", ANSWER.text)])


def test_a_command_without_a_question_says_how_to_ask(stage: Stage) -> None:
    async def scene(desk: Desk) -> None:
        response = await desk.command("  ")
        assert "Write a question after /ask" in response.text
        assert desk.slack.ours == []

    stage(scene)


def test_a_command_where_dateline_is_not_a_member_tells_the_person_alone(stage: Stage) -> None:
    async def scene(desk: Desk) -> None:
        desk.slack.refusals["chat.postMessage"] = ["not_in_channel"]
        await desk.command(QUESTION)
        assert desk.slack.ours == []
        (told,) = desk.slack.responses
        assert told["text"] == app.UNINVITED
        assert told["response_type"] == "ephemeral"

    stage(scene)


def test_a_mention_without_a_question_says_how_to_ask(stage: Stage) -> None:
    async def scene(desk: Desk) -> None:
        await desk.mention(f"<@{BOT_USER}> ")
        (posted,) = desk.slack.ours
        assert posted.text == app.ASK_SOMETHING

    stage(scene)


# Threads


def test_a_reply_in_a_thread_of_ours_needs_no_mention_and_knows_what_was_said(stage: Stage) -> None:
    async def scene(desk: Desk) -> None:
        ts = await desk.mention()
        await desk.reply(ts, "And why?", "U0BERTA")
        posted = desk.slack.ours[1]
        assert posted.thread_ts == ts
        assert "moved from 4 March" in posted.text
        assert desk.slack.called("conversations.replies") == []

    assistant = scripted()
    stage(scene, assistant)
    assert assistant.asked[1] == ("And why?", [("A question?", ANSWER.text)])


def test_a_reply_in_a_thread_of_others_is_left_alone(stage: Stage) -> None:
    async def scene(desk: Desk) -> None:
        root = desk.slack.say("C0NEWS", "Lunch?", "U0ANNA")
        await desk.reply(root, "And why?", "U0BERTA")
        await desk.reply(root, "And why?")
        assert desk.slack.ours == []
        assert len(desk.slack.called("conversations.replies")) == 1, "it asks once for each thread"
        await desk.tell(message(desk.slack.say("C0NEWS", QUESTION, "U0ANNA"), QUESTION))
        assert desk.slack.ours == []
        await desk.mention(thread=root)
        await desk.reply(root, "And why?", "U0BERTA")
        assert len(desk.slack.ours) == 2

    stage(scene)


def test_a_reply_to_somebody_else_is_left_alone(stage: Stage) -> None:
    async def scene(desk: Desk) -> None:
        ts = await desk.mention()
        await desk.reply(ts, "<@U0BERTA> And why?")
        assert len(desk.slack.ours) == 1

    stage(scene)


def test_a_thread_that_is_not_kept_is_read_from_slack(stage: Stage) -> None:
    async def scene(desk: Desk) -> None:
        root = desk.slack.say("C0NEWS", MENTION, "U0ANNA")
        desk.slack.say("C0NEWS", "*It is due on 6 March 2026.* [1]\n[1] “x”", BOT_USER, root)
        desk.slack.say("C0NEWS", "Thanks", "U0ANNA", root)
        desk.slack.say("C0NEWS", "Is A &amp; B meant?", "U0BERTA", root)
        desk.slack.say("C0NEWS", "It is.", BOT_USER, root)
        ts = desk.slack.say("C0NEWS", "And why?", "U0ANNA", root)
        desk.slack.say("C0NEWS", "Is it later?", "U0BERTA", root)
        desk.slack.say("C0NEWS", "It is not.", BOT_USER, root)
        await desk.tell(message(ts, "And why?", thread_ts=root))
        assert "moved from 4 March" in desk.slack.ours[-1].text

    assistant = scripted()
    stage(scene, assistant)
    history = [(QUESTION, "It is due on 6 March 2026. [1]"), ("Is A & B meant?", "It is.")]
    assert assistant.asked == [("And why?", history)]


def test_the_answer_to_a_command_is_read_from_slack_too(stage: Stage) -> None:
    async def scene(desk: Desk) -> None:
        text = f"<@U0ANNA> asked: {QUESTION}\nOn 6 March. [1]\n[1] “x”"
        root = desk.slack.say("C0NEWS", text, BOT_USER)
        await desk.reply(root, "And why?")

    assistant = scripted()
    stage(scene, assistant)
    assert assistant.asked == [("And why?", [(QUESTION, "On 6 March. [1]")])]


def test_a_kept_thread_is_known_after_a_restart(settings: Settings) -> None:
    assistant = scripted()

    async def run() -> None:
        async with slack_server() as slack:
            async with opened(settings, assistant, slack) as desk:
                ts = await desk.mention()
            async with opened(settings, assistant, slack) as desk:
                await desk.tell(mention(ts))
                assert len(slack.ours) == 1, "it answers again what it has answered"
                await desk.reply(ts, "And why?")
                assert len(slack.ours) == 2
                assert slack.called("conversations.replies") == []

    asyncio.run(run())
    assert assistant.asked[1] == ("And why?", [("A question?", ANSWER.text)])


# Once


def test_retries_and_both_events_of_one_post_are_answered_once(stage: Stage) -> None:
    async def scene(desk: Desk) -> None:
        ts = await desk.mention()
        await desk.tell(mention(ts), **{"X-Slack-Retry-Num": "1"})
        await desk.tell(message(ts, MENTION))
        assert len(desk.slack.ours) == 1
        second = desk.slack.say("C0NEWS", MENTION, "U0ANNA", ts)
        await desk.tell(message(second, MENTION, thread_ts=ts))
        await desk.tell(mention(second, thread=ts))
        assert len(desk.slack.ours) == 2
        third = desk.slack.say("C0NEWS", MENTION, "U0ANNA", ts)
        both = message(third, MENTION, thread_ts=ts), mention(third, thread=ts)
        await asyncio.gather(*(desk.send(json.dumps(desk.event(one))) for one in both * 3))
        await desk.door.idle()
        assert len(desk.slack.ours) == 3
        await desk.tell(direct("5.1"), "Ev-same")
        await desk.tell(direct("5.2"), "Ev-same")
        assert len(desk.slack.ours) == 4

    stage(scene)


def test_a_storm_of_events_is_answered_once_each(stage: Stage) -> None:
    async def scene(desk: Desk) -> None:
        events = [
            desk.event(mention(desk.slack.say("C0NEWS", MENTION, "U0ANNA"))) for _ in range(200)
        ]
        bodies = [json.dumps(event) for event in events for _ in range(2)]
        responses = await asyncio.gather(*map(desk.send, bodies))
        assert {response.status_code for response in responses} == {200}
        await desk.door.idle()
        asked = {event["event"]["ts"] for event in events}
        assert len(desk.slack.ours) == 200
        assert {posted.thread_ts for posted in desk.slack.ours} == asked
        assert all("6 March" in posted.text for posted in desk.slack.ours)
        await asyncio.gather(*map(desk.send, bodies))
        await desk.door.idle()
        assert len(desk.slack.ours) == 200

    stage(scene)


def test_what_was_seen_is_forgotten_in_order() -> None:
    seen = app.Seen(most=3)
    assert [seen.add(n) for n in (1, 2, 1, 3, 4)] == [True, True, False, True, True]
    assert [n in seen for n in (1, 2, 3, 4)] == [True, False, True, True]
    assert seen.add(2)
    assert len(seen) == 3


def test_threads_see_each_thing_once() -> None:
    seen, new = app.Seen(), []

    def add() -> None:
        new.extend(n for n in range(2_000) if seen.add(n))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(new) == list(range(2_000))


# Signatures


def test_slack_learns_that_the_address_is_ours(stage: Stage) -> None:
    async def scene(desk: Desk) -> None:
        response = await desk.send(json.dumps({"type": "url_verification", "challenge": "abc"}))
        assert response.status_code == 200
        assert "abc" in response.text

    stage(scene)


def test_forged_and_old_requests_are_refused(stage: Stage) -> None:
    async def scene(desk: Desk) -> None:
        body = json.dumps(desk.event(mention("1.1")))
        old, early = time.time() - 6 * 60, time.time() + 6 * 60
        good = signed(body)
        for headers in (
            signed(body, "another secret"),
            signed(body + " "),
            signed(body, at=old),
            signed(body, at=early),
            {},
            {**good, "X-Slack-Request-Timestamp": "now"},
            {**good, "X-Slack-Signature": "v0="},
            {**good, "X-Slack-Signature": "v1" + good["X-Slack-Signature"][2:]},
            {"X-Slack-Request-Timestamp": good["X-Slack-Request-Timestamp"]},
        ):
            response = await desk.http.post(app.PATH, content=body, headers=headers)
            assert response.status_code == 401, headers
        verification = json.dumps({"type": "url_verification", "challenge": "abc"})
        response = await desk.http.post(app.PATH, content=verification)
        assert response.status_code == 401
        response = await desk.http.post(app.PATH, content=b"\xff{", headers=good)
        assert response.status_code == 401
        await desk.door.idle()
        assert desk.slack.ours == []
        assert (await desk.http.post(app.PATH, content=body, headers=good)).status_code == 200
        await desk.door.idle()
        assert len(desk.slack.ours) == 1

    stage(scene)


def test_a_request_that_is_too_long_is_not_read(stage: Stage) -> None:
    async def scene(desk: Desk) -> None:
        response = await desk.send("x" * (app.LONGEST_BODY + 1))
        assert response.status_code == 413

    stage(scene)


# What answers look like


def everything(*answers: blocks.Message) -> str:
    return "\n".join(
        shown["text"]["text"] for m in answers for shown in m.blocks if "text" in shown
    )


def test_dates_say_their_rule_and_whether_they_have_passed() -> None:
    when = AnswerDate(
        "within 30 days", date(2026, 2, 4), "2026-03-06", "anchor + 30 days", -261, (1,)
    )
    text = everything(*blocks.answered(replace(ANSWER, dates=(when,)), TODAY))
    reckoned = "“within 30 days” (4 February 2026 + 30 days), passed 261 days ago [1]"
    assert f"*6 March 2026*: {reckoned}" in text


def test_sources_that_differ_are_listed_with_their_marks() -> None:
    other = cited(RAW, RAW, 2, "b.txt")
    values = (Agreement("6 March", (1,)), Agreement("4 March", (2,)))
    answer = answered("It is due. [1][2]", DUE, other, agreement=values)
    text = everything(*blocks.answered(answer, TODAY))
    assert "*The articles differ*: 6 March [1]; 4 March [2]" in text
    agreed = replace(answer, agreement=(Agreement("6 March", (1, 2)),))
    assert "*2 articles agree*: 6 March [1][2]" in everything(*blocks.answered(agreed, TODAY))


def test_what_the_articles_do_not_say_looks_different() -> None:
    (found,) = blocks.answered(missing(DUE), TODAY, "step")
    assert found.blocks[0] == {
        "type": "header",
        "text": {"type": "plain_text", "text": "Not in the articles", "emoji": False},
    }
    assert "The articles do not say." in found.text
    assert f"_{NEAREST}:_" in everything(found)
    assert f"[1] “{RAW}”" in everything(found)
    assert "*" not in everything(found)
    assert found.blocks[-1]["type"] == "actions"


def test_each_citation_is_a_block_with_its_title_publisher_date_and_age() -> None:
    undated = cited(RAW, RAW, 2, "b.txt", published=None, publisher=None, page=3, url="ftp://x.org")
    (found,) = blocks.answered(answered("Due. [1] So. [2]", DUE, undated), TODAY)
    first, second = (b["text"]["text"] for b in found.blocks[-2:])
    about = "<https://example.org/report|Report due>, A paper, 5 Feb 2026, 290 days ago"
    assert first == f"[1] “{RAW}”\n{about}"
    assert second == f"[2] “{RAW}”\nA title, Publisher not named, no date given, page 3"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://e.org/a b", "T"),
        ("javascript:alert(1)", "T"),
        ("https://e.org/|x>y", "T"),
        ("https://e.org/a|b", "<https://e.org/a%7Cb|T>"),
        ("https://e.org/?a=1&b=é", "<https://e.org/?a=1&amp;b=%C3%A9|T>"),
        ("https://e.org/\u202egpj", "<https://e.org/%E2%80%AEgpj|T>"),
        ("https://e.org/" + "a" * 2_000, "T"),
        (None, "T"),
    ],
)
def test_a_link_is_only_made_of_a_web_address(url: str | None, shown: str) -> None:
    assert blocks.link(url, "T") == shown


def test_lists_and_bold_words_are_slacks() -> None:
    text = "Two are named:\n- **Mexico** [1]\n- Japan, **2**nd [1]"
    shown = everything(*blocks.answered(answered(text, DUE), TODAY))
    assert "*Two are named:*\n\n• *Mexico* [1]\n\n• Japan, 2nd [1]" in shown


def test_a_long_answer_is_split_at_sentences_into_blocks_and_messages(stage: Stage) -> None:
    sentences = [f"Sentence number {n} says <something> & more of it [1]." for n in range(400)]
    quotes = [f"Quote {n} " + "is long & " * 80 + "ends." for n in range(60)]
    citations = [DUE, *(cited(q, q, n + 2) for n, q in enumerate(quotes))]
    body = " ".join(sentences) + "".join(f"\nAs {c.number} says. [{c.number}]" for c in citations)
    answer = answered(body, *citations)

    async def scene(desk: Desk) -> None:
        ts = await desk.mention()
        first, *rest = desk.slack.ours
        assert len(rest) > 3
        assert {posted.thread_ts for posted in desk.slack.ours} == {ts}
        whole = "\n".join(posted.text for posted in desk.slack.ours)
        for n in range(400):
            assert f"number {n} says &lt;something&gt; &amp; more of it [1]." in whole
        for n in range(60):
            assert f"Quote {n} " in whole
        for block in (b for m in desk.slack.ours for b in m.last["blocks"] if "text" in b):
            assert re.search(r"[.…)!?\]”’*:>]$|ago$", block["text"]["text"]), (
                "it is cut in a sentence"
            )
        assert [("actions" in m.kinds) for m in desk.slack.ours] == [False] * len(rest) + [True]
        assert "Searching" in first.versions[0]["text"]
        await desk.click(rest[-1], blocks.RATE_UP)
        assert rest[-1].kinds[-1] == "context"

    stage(scene, scripted(**{QUESTION: answer}))


def test_a_message_of_many_small_blocks_holds_at_most_fifty() -> None:
    citations = [cited(RAW, RAW, n + 1) for n in range(120)]
    found = blocks.answered(answered("All agree. [1]", *citations), TODAY, "step")
    assert len(found) >= 3
    assert max(len(m.blocks) for m in found) <= blocks.MESSAGE_BLOCKS - 1, (
        "no room for a vote's note"
    )


def test_one_word_longer_than_a_block_is_still_shown_whole() -> None:
    word = "&" * 9_000
    found = blocks.answered(answered(f"{word} [1]", cited(word, word)), TODAY)
    shown = [b["text"]["text"] for m in found for b in m.blocks if "text" in b]
    assert sum(html.unescape(text).count("&") for text in shown) == 18_000
    assert max(map(len, shown)) <= blocks.SECTION_CHARS
    assert max(len(m.text) for m in found) <= blocks.FALLBACK_CHARS


# Hostile text

HOSTILE = (
    "<!channel> <!here> <@U0BOSS> <#C0NEWS|general> @channel @here @everyone "
    "<https://evil.example|the report> https://evil.example www.evil.example me@evil.example "
    "*bold* _slanted_ ~struck~ `code` ```block``` :skull: > quoted &lt;!here&gt; #general"
)


def drawn(text: str) -> list[str]:
    """What Slack would do with a text besides showing it."""
    formats = r"(?<![^\W_])([*_~])(?=\S)[^\n]*?(?<=\S)\1(?![^\W_])|`[^`]+`"
    patterns = [
        r"<[^>]*>",  # mentions and links
        r"[<>]",
        r"&(?!amp;|lt;|gt;)",
        formats,
        r"(?i)https?://\S|www\.\S|://",
        r"@\w",
        r"(?i)(?:^|\s)#\w",
        r"(?i):[a-z0-9_+'-]+:",
        r"(?m)^(?:&gt;|>)",
    ]
    return [found[0] for pattern in patterns for found in re.finditer(pattern, text)]


def test_the_check_for_what_slack_would_do_finds_it() -> None:
    assert len(drawn(HOSTILE)) > 15


@hypothesis_settings(deadline=None)
@given(st.text() | st.text(alphabet="*_~`<>&|@#:/.!ahtpsw\n\u2060 ", max_size=60))
def test_no_text_pings_links_or_formats(text: str) -> None:
    shown = blocks.mrkdwn(text)
    assert drawn(shown) == []
    alike = str.maketrans("\u2217\u02cd\u223c\u02cb", "*_~`", WORD_JOINER)
    assert html.unescape(shown).translate(alike) == plain(text).translate(alike)


@hypothesis_settings(deadline=None)
@given(st.text(alphabet="*_~`<>&|@#:/.!ahtpsw[]1- \n", max_size=80), st.text(max_size=40))
def test_nothing_of_an_answer_pings_links_or_formats_but_our_own(text: str, title: str) -> None:
    quote = cited(text, text, title=title, publisher=text, url=f"https://e.org/{title}")
    value = (Agreement(text, (1,)), Agreement(title, (1,)))
    when = AnswerDate(text, None, "2026-03-06", title, -1, (1,))
    answer = answered(f"{text} [1]", quote, agreement=value, dates=(when,))
    for found in blocks.answered(answer, TODAY, "step", blocks.asked_by("U0ANNA", text)):
        for line in [found.text, *(b["text"]["text"] for b in found.blocks if "text" in b)]:
            bare = re.sub(r"<@U0ANNA>|<https://e\.org/[^<>|\s]*\|[^<>|]*>", "", line)
            assert not re.search(r"[<>]|@\w|https?://|`", bare)
            assert "&lt;!channel" not in bare


WORDS = st.text(max_size=40) | st.text(alphabet="*_~`<>&|[]1.-> \n\u2060a", max_size=40)


@hypothesis_settings(deadline=None)
@given(WORDS, WORDS, st.integers(1, 400), st.integers(1, 70), st.booleans())
def test_slack_takes_every_answer(
    text: str, title: str, times: int, count: int, is_missing: bool
) -> None:
    quotes = [cited(text, text, n + 1, title=title, publisher=title) for n in range(count)]
    when = AnswerDate(text, None, "2026-03-06", title, -1, (1,))
    value = (Agreement(text, (1,)), Agreement(title, (1,)))
    whole = answered(f"Said. {text * times} [1]", *quotes, agreement=value, dates=(when,))
    answer = missing(*quotes) if is_missing else whole
    asked = blocks.asked_by("U0ANNA", "Why? " + text * times)
    claims = [Claim(f"{title} is {text * times}", (1,))] * count
    for found in (
        *blocks.answered(answer, TODAY, "step", asked),
        blocks.draft(claims, asked),
        blocks.said(f"Sorry, {text * 50}", asked),
    ):
        sent = {"text": found.text, "blocks": list(found.blocks)}
        assert error_of("chat.update", sent) is None
        voted = blocks.noted(found.blocks, True)
        assert error_of("chat.update", {"text": voted.text, "blocks": list(voted.blocks)}) is None


def test_hostile_articles_questions_and_errors_are_shown_as_they_stand(stage: Stage) -> None:
    quote = cited(HOSTILE, HOSTILE, title=HOSTILE, publisher=HOSTILE)
    assistant = scripted(
        **{QUESTION: answered(f"{HOSTILE} [1]", quote), "Bad?": SettingsError(HOSTILE)}
    )
    hostile = "Bad? " + HOSTILE
    assistant.answers[blocks.question_of(hostile, BOT_USER)] = RuntimeError(HOSTILE)

    async def scene(desk: Desk) -> None:
        await desk.mention()
        await desk.mention(f"<@{BOT_USER}> Bad?")
        await desk.command(hostile)
        assert len(desk.slack.ours) == 3
        for posted in desk.slack.ours:
            for version in posted.versions:
                texts = [
                    version["text"],
                    *(b["text"]["text"] for b in version["blocks"] if "text" in b),
                ]
                for text in texts:
                    bare = text.replace("<@U0ANNA> asked", "").replace(f"*{text[1:-5]}* [1]", "")
                    assert [d for d in drawn(bare) if not d.startswith(("*", "_"))] == []

    stage(scene, assistant)


def test_a_question_is_read_as_its_writer_saw_it() -> None:
    sent = (
        f"<@{BOT_USER}> Is <https://e.org/a|this page> or <http://b.org> of "
        "<#C1|news> by <@U9|carla> &amp; <!subteam^S1|@desk> &lt;ok&gt;?"
    )
    assert blocks.question_of(sent, BOT_USER) == (
        "Is this page or http://b.org of news by carla & @desk <ok>?"
    )


# Streaming


class Slow:
    """Tells one claim, and the rest when it is let on."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.claims = [Claim(f"Part {n} is verified. [1]", (1,)) for n in range(50)]
        text = "\n\n".join(claim.text for claim in self.claims)
        self.answer = replace(answered(text, DUE), claims=tuple(self.claims))
        self.was_cancelled = False

    def stream(self, *_: object, cancelled: Callable[[], bool], **__: object) -> Iterator[Any]:
        yield self.claims[0]
        while not self.go_on.wait(0.01):
            if cancelled():
                self.was_cancelled = True
                return
        yield from self.claims[1:]
        yield self.answer

    def engines(self) -> list[str]:
        return ["openai:a"]

    def sources(self) -> list[Any]:
        return []


def test_verified_claims_are_shown_while_the_rest_is_written(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "UPDATE_S", 0.2)
    slow = Slow()

    async def scene(desk: Desk) -> None:
        told = asyncio.create_task(desk.mention())
        await desk.slack.updated.wait()
        (posted,) = desk.slack.ours
        assert "*Part 0 is verified.* [1]" in posted.text
        assert blocks.STILL_WRITING in posted.text
        assert "Part 1 " not in posted.text
        slow.go_on.set()
        await told
        assert len(desk.slack.ours) == 1
        assert "Part 49 is verified. [1]" in posted.text
        assert blocks.STILL_WRITING not in posted.text
        # Fifty claims at once are one update, and no two come within the time allowed.
        assert len(posted.versions) == 3
        assert posted.at[2] - posted.at[1] > 0.19

    stage(scene, slow)


def test_an_answer_that_is_there_at_once_is_one_update(stage: Stage) -> None:
    slow = Slow()
    slow.go_on.set()

    async def scene(desk: Desk) -> None:
        await desk.mention()
        assert len(desk.slack.ours[0].versions) == 2

    stage(scene, slow)


def test_an_answer_under_way_when_dateline_stops_says_so(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "UPDATE_S", 0.01)
    slow = Slow()

    async def run() -> None:
        async with slack_server() as slack:
            async with opened(settings, slow, slack) as desk:
                await desk.send(json.dumps(desk.event(mention("1.1"))))
                await slack.updated.wait()
            assert slack.ours[0].text == app.STOPPED

    asyncio.run(run())
    slow.go_on.set()


def test_an_answer_that_is_shown_already_stays_when_dateline_stops(settings: Settings) -> None:
    async def run() -> None:
        async with slack_server() as slack:
            slack.holds["chat.update"] = hold = asyncio.Event()
            async with opened(settings, scripted(), slack) as desk:
                await desk.send(json.dumps(desk.event(mention("1.1"))))
                await slack.updated.wait()
            hold.set()
            assert "6 March" in slack.ours[0].text

    asyncio.run(run())


# Trouble


def test_errors_are_told_in_words(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    assistant = scripted(
        **{"Known?": DatelineError("the index is being rebuilt"), "Unknown?": ValueError("0xDEAD")}
    )

    async def scene(desk: Desk) -> None:
        await desk.mention(f"<@{BOT_USER}> Known?")
        await desk.mention(f"<@{BOT_USER}> Unknown?")
        known, unknown = desk.slack.ours
        assert known.text == "The index is being rebuilt."
        assert unknown.text == app.APOLOGY
        assert len(unknown.versions) == 2
        assert "0xDEAD" not in json.dumps(desk.slack.calls)

    stage(scene, assistant)
    assert "0xDEAD" in caplog.text, "whoever runs it cannot see why"


def test_what_slack_finds_too_many_is_sent_again_after_the_wait(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = []
    real = asyncio.sleep

    async def sleep(seconds: float, *rest: Any) -> Any:
        if seconds >= 7:
            waits.append(int(seconds))
            seconds = 0
        return await real(seconds, *rest)

    async def scene(desk: Desk) -> None:
        desk.slack.refusals["chat.postMessage"] = [7, 8]
        desk.slack.refusals["chat.update"] = [9]
        monkeypatch.setattr(asyncio, "sleep", sleep)
        await desk.mention()
        monkeypatch.undo()
        (posted,) = desk.slack.ours
        assert "6 March" in posted.text

    stage(scene)
    assert waits == [7, 8, 9]


def test_an_answer_that_slack_does_not_take_becomes_an_apology(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(desk: Desk) -> None:
        desk.slack.refusals["chat.update"] = ["invalid_blocks"]
        await desk.mention()
        assert desk.slack.ours[0].text == app.APOLOGY
        desk.slack.refusals["chat.postMessage"] = ["is_archived"]
        await desk.mention()
        assert len(desk.slack.ours) == 1

    stage(scene)
    assert "invalid_blocks" in caplog.text
    assert "is_archived" in caplog.text


# Channels


class Limited(ScriptedAssistant):
    """Notes what each question was limited to."""

    def stream(self, question: str, history: Any = (), **given: Any) -> Iterator[Any]:
        self.within.append(given["filters"])
        return super().stream(question, history)

    @property
    def within(self) -> list[Filters]:
        return self.__dict__.setdefault("_within", [])


def test_a_channel_is_answered_from_its_own_sources(stage: Stage) -> None:
    articles = {"deals/a.txt": RAW, "deals/b.txt": RAW, "public/c.txt": RAW}
    assistant = Limited(articles, {QUESTION: ANSWER})

    async def scene(desk: Desk) -> None:
        await desk.tell(mention("1.1", channel="C0DEALS"))
        await desk.tell(direct("1.2"))
        await desk.tell(mention("1.3", channel="C0EMPTY"))
        await desk.tell(mention("1.4", channel="C0ALL"))
        await desk.tell(mention("1.5", channel="C0OTHER"))
        texts = {posted.channel: posted.text for posted in desk.slack.ours}
        assert "6 March" in texts["C0DEALS"]
        assert texts["C0EMPTY"] == NOTHING_TO_READ
        assert texts["C0OTHER"].replace("\u02cd", "_") == REFUSED

    rules = "C0DEALS=deals/*, acme/*; D*=public/*; C0EMPTY=secret/*; C0ALL=*;"
    stage(scene, assistant, slack_channels=rules)
    deals, public = ("deals/a.txt", "deals/b.txt"), ("public/c.txt",)
    assert assistant.within == [Filters(sources=deals), Filters(sources=public), Filters()]


def test_without_rules_every_channel_reads_everything() -> None:
    assert channels("").filters("C1", ["a"]) == Filters()


def test_the_first_rule_that_fits_counts() -> None:
    rules = channels("C1=a/*;C*=b/*;*=c/*")
    sources = ["a/1", "b/1", "c/1", "c/2"]
    found = [rules.filters(channel, sources).sources for channel in ("C1", "C2", "D1")]
    assert found == [("a/1",), ("b/1",), ("c/1", "c/2")]


@pytest.mark.parametrize(
    "setting", ["C1", "=a/*", "C1=", "C1=a,,b", "#news=a/*", "C1=a/*;D1", ";", "C1=a;=b"]
)
def test_a_malformed_rule_is_named(setting: str) -> None:
    with pytest.raises(SettingsError, match="DATELINE_SLACK_CHANNELS"):
        channels(setting)


# Votes


def test_a_vote_is_noted_and_kept_like_the_pages(
    stage: Stage, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    async def scene(desk: Desk) -> None:
        ts = await desk.mention()
        await desk.reply(ts, "And why?")
        first, second = desk.slack.ours
        await desk.click(second, blocks.RATE_UP)
        assert "Noted" in second.last["blocks"][-1]["elements"][0]["text"]
        assert "actions" in second.kinds, "the vote cannot be changed"
        assert "moved from 4 March" in second.text
        assert desk.rated() == [("A question?", 1, (("A question?", ANSWER.text),))]
        await desk.click(second, blocks.RATE_DOWN)
        assert desk.rated() == [("A question?", 0, (("A question?", ANSWER.text),))]
        (note,) = [b for b in second.last["blocks"] if b["type"] == "context"]
        assert "👎" in note["elements"][0]["text"]
        await desk.click(first, blocks.RATE_UP)
        assert len(desk.rated()) == 2

    stage(scene)
    assert main(["feedback", "--index", str(settings.index)]) == 0
    printed = capsys.readouterr().out
    assert "It is due on 6 March 2026." in printed
    assert "down" in printed


def test_each_voter_has_one_vote(stage: Stage) -> None:
    async def scene(desk: Desk) -> None:
        ts = await desk.mention()
        await desk.reply(ts, "And why?", "U0BERTA")
        posted = desk.slack.ours[1]
        for user, action in (
            ("U0ANNA", blocks.RATE_UP),
            ("U0BERTA", blocks.RATE_UP),
            ("U0CARLA", blocks.RATE_DOWN),
            ("U0CARLA", blocks.RATE_UP),
            ("U0BERTA", blocks.RATE_DOWN),
            ("U0BERTA", blocks.RATE_DOWN),
        ):
            await desk.click(posted, action, user)
        votes = desk.rated()
        assert sorted(value for _, value, _ in votes) == [0, 1, 1]
        assert {history for _, _, history in votes} == {(("A question?", ANSWER.text),)}

    stage(scene)


def test_of_two_quick_clicks_the_later_counts(stage: Stage) -> None:
    async def scene(desk: Desk) -> None:
        await desk.mention()
        (posted,) = desk.slack.ours
        for action in (blocks.RATE_UP, blocks.RATE_DOWN) * 5:
            await desk.click_at_once(posted, action, "U0BERTA")
        await desk.door.idle()
        assert [value for _, value, _ in desk.rated()] == [0]

    stage(scene)


def test_an_answer_that_is_not_kept_there_cannot_be_rated(stage: Stage) -> None:
    async def scene(desk: Desk) -> None:
        await desk.mention()
        await desk.mention(f"<@{BOT_USER}> And why?")
        first, second = desk.slack.ours
        other = second.last["blocks"][-1]["elements"][0]["value"]
        await desk.click(first, blocks.RATE_UP, step=other)
        (told,) = desk.slack.called("chat.postEphemeral")
        assert told["user"] == "U0ANNA"
        assert "not kept" in told["text"]
        assert desk.rated() == []

    stage(scene)


def test_members_of_slack_are_people_of_their_own(stage: Stage) -> None:
    async def scene(desk: Desk) -> None:
        page = desk.conversations.put_person("U0ANNA", {})
        await desk.mention()
        anna = desk.conversations.person(identifier(TEAM, "U0ANNA"))
        assert anna is not None
        (thread,) = desk.conversations.threads(anna.id).threads
        assert thread.name == "A question?"
        assert desk.conversations.threads(page.id).threads == ()
        assert desk.conversations.thread(thread.id, page.id) is None

    stage(scene)


def test_a_conversation_of_the_page_in_our_place_is_neither_read_nor_written(stage: Stage) -> None:
    """Whoever uses the page chooses the ids of his own conversations."""
    secret = "A secret of the page."
    taken = answered(secret, DUE)

    async def scene(desk: Desk) -> None:
        ts = desk.slack.say("C0NEWS", MENTION, "U0ANNA")
        place = Place(TEAM, "C0NEWS", ts)
        page = desk.conversations.put_person("password:eve", {})
        held = Step(
            id="s1",
            thread_id=place.id,
            type="assistant_message",
            metadata={"answer": to_json(taken)},
        )
        desk.conversations.put_step(held, by=page.id)
        await desk.tell(mention(ts))
        (posted,) = desk.slack.ours
        assert "6 March" in posted.text
        assert "actions" not in posted.kinds, "what is not kept cannot be rated"
        whole = desk.conversations.thread(place.id)
        assert whole is not None
        assert [step.id for step in whole.steps] == ["s1"]
        await desk.reply(ts, "And why?")

    assistant = scripted()
    stage(scene, assistant)
    assert len(assistant.asked) == 2
    assert secret not in str(assistant.asked)


# Socket Mode

SOCKET = {"slack_app_token": APP_TOKEN, "slack_signing_secret": ""}


async def settled(desk: Desk, count: int) -> None:
    """Waits until so many messages are answers."""
    while sum(len(m.versions) > 1 for m in desk.slack.ours) < count:
        desk.slack.updated.clear()
        await desk.slack.updated.wait()


def test_socket_mode_answers_events_commands_and_clicks(stage: Stage) -> None:
    async def scene(desk: Desk) -> None:
        assert desk.door.router is None
        ts = desk.slack.say("C0NEWS", MENTION, "U0ANNA")
        envelope = {"type": "events_api", "envelope_id": "e1", "payload": desk.event(mention(ts))}
        assert await desk.slack.deliver(envelope) == {"envelope_id": "e1"}
        await settled(desk, 1)
        assert "6 March" in desk.slack.ours[0].text
        command = {"command": "/ask", "team_id": TEAM, "channel_id": "C1", "user_id": "U0ANNA"}
        envelope = {
            "type": "slash_commands",
            "envelope_id": "e2",
            "payload": {**command, "text": ""},
        }
        ack = await desk.slack.deliver(envelope)
        assert "Write a question" in ack["payload"]["text"]
        asked = {**command, "text": QUESTION, "trigger_id": "t"}
        envelope = {"type": "slash_commands", "envelope_id": "e3", "payload": asked}
        assert await desk.slack.deliver(envelope) == {"envelope_id": "e3"}
        await settled(desk, 2)
        posted = desk.slack.ours[1]
        button = posted.last["blocks"][-1]["elements"][0]
        payload = {
            "type": "block_actions",
            "team": {"id": TEAM},
            "user": {"id": "U0ANNA", "team_id": TEAM},
            "channel": {"id": "C1"},
            "message": {"ts": posted.ts, "blocks": posted.last["blocks"]},
            "actions": [button],
        }
        envelope = {"type": "interactive", "envelope_id": "e4", "payload": payload}
        assert await desk.slack.deliver(envelope) == {"envelope_id": "e4"}
        while "Noted" not in posted.text:
            desk.slack.updated.clear()
            await desk.slack.updated.wait()
        assert [value for _, value, _ in desk.rated()] == [1]

    stage(scene, **SOCKET)


def test_socket_mode_connects_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assistant.doors.slack.socket_mode.FIRST_PAUSE_S", 0.01)

    async def scene(desk: Desk) -> None:
        await desk.slack.connected(1)
        await desk.slack.ask_to_reconnect()
        await desk.slack.connected(2)
        await desk.slack.hang_up()
        await desk.slack.connected(3)
        desk.slack.refusals["apps.connections.open"] = ["internal_error", "internal_error"]
        await desk.slack.hang_up()
        await desk.slack.connected(4)
        ts = desk.slack.say("C0NEWS", MENTION, "U0ANNA")
        event = desk.event(mention(ts))
        for id in ("e1", "e2"):  # what was not acknowledged in time is delivered again
            await desk.slack.deliver({"type": "events_api", "envelope_id": id, "payload": event})
        await settled(desk, 1)
        assert len(desk.slack.ours) == 1

    stage(scene, **SOCKET)


def test_both_ways_may_be_open(stage: Stage) -> None:
    async def scene(desk: Desk) -> None:
        await desk.slack.connected(1)
        event = desk.event(mention("1.1"))
        await desk.slack.deliver({"type": "events_api", "envelope_id": "e", "payload": event})
        assert (await desk.send(json.dumps(event))).status_code == 200
        await settled(desk, 1)
        assert len(desk.slack.ours) == 1

    stage(scene, slack_app_token=APP_TOKEN)


# Settings


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"slack_bot_token": ""}, "DATELINE_SLACK_BOT_TOKEN"),
        ({"slack_bot_token": "xapp-mistaken"}, "DATELINE_SLACK_BOT_TOKEN"),
        ({"slack_app_token": "xoxb-mistaken"}, "DATELINE_SLACK_APP_TOKEN"),
        ({"slack_signing_secret": ""}, "DATELINE_SLACK_SIGNING_SECRET"),
        ({"slack_channels": "news"}, "DATELINE_SLACK_CHANNELS"),
        ({"slack_url": "http://slack.example/api/"}, "DATELINE_SLACK_URL"),
        ({"slack_url": "slack"}, "DATELINE_SLACK_URL"),
    ],
)
def test_settings_that_cannot_serve_slack_are_named(
    settings: Settings, changes: dict[str, str], named: str
) -> None:
    good = replace(settings, slack_bot_token=BOT_TOKEN, slack_signing_secret=SECRET)
    app.check(good)
    with pytest.raises(SettingsError, match=named) as raised:
        app.check(replace(good, **changes))
    assert "mistaken" not in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"slack_bot_token": "xoxb-9-wrong"}, "DATELINE_SLACK_BOT_TOKEN"),
        ({"slack_app_token": "xapp-9-wrong"}, "DATELINE_SLACK_APP_TOKEN"),
    ],
)
def test_tokens_that_slack_refuses_are_named_and_never_repeated(
    settings: Settings,
    changes: dict[str, str],
    named: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)

    async def run() -> None:
        async with slack_server() as slack, opened(settings, scripted(), slack, **changes):
            pass

    with pytest.raises(SettingsError, match=f"{named} \\(invalid_auth\\)") as raised:
        asyncio.run(run())
    assert "wrong" not in str(raised.value) + caplog.text


def test_a_slack_that_cannot_be_reached_is_said_so(settings: Settings) -> None:
    async def run() -> None:
        async with slack_server() as slack:
            gone = Slack(root=slack.root)
        async with opened(settings, scripted(), gone):
            pass

    with pytest.raises(DatelineError, match="cannot be reached"):
        asyncio.run(run())


def test_no_token_is_logged(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def scene(desk: Desk) -> None:
        await desk.slack.connected(1)
        await desk.send(json.dumps(desk.event(mention("1.1"))))
        await desk.http.post(app.PATH, content="{}", headers=signed("{}", "another"))
        await settled(desk, 1)

    stage(scene, slack_app_token=APP_TOKEN)
    for token in (BOT_TOKEN, APP_TOKEN, SECRET, "ticket=", QUESTION, "6 March"):
        assert token not in caplog.text


def test_making_a_door_asks_slack_nothing(settings: Settings) -> None:
    async def run() -> None:
        async with slack_server() as slack:
            chosen = replace(
                settings, slack_bot_token=BOT_TOKEN, slack_app_token=APP_TOKEN, slack_url=slack.api
            )
            # In another thread, where no event loop runs: as a server makes it before it serves.
            door = await asyncio.to_thread(app.create, chosen, scripted(), workers, conversations)
            assert slack.calls == []
            await door.start()
            assert [method for method, _ in slack.calls] == ["auth.test", "apps.connections.open"]
            await door.close()

    workers, conversations = Workers(), open_conversations(settings)
    asyncio.run(run())
    workers.close()
    conversations.close()


def test_the_manifest_asks_for_what_is_used_and_no_more(stage: Stage) -> None:
    read = yaml.safe_load(Path(app.__file__).with_name("manifest.yaml").read_text(encoding="utf-8"))
    settings, features = read["settings"], read["features"]
    assert settings["event_subscriptions"]["bot_events"] == sorted(app.EVENTS)
    assert [c["command"] for c in features["slash_commands"]] == [app.COMMAND]
    assert read["oauth_config"]["scopes"]["bot"] == sorted(set(app.SCOPE_OF.values()))
    assert read["oauth_config"]["scopes"].keys() == {"bot"}
    assert settings["interactivity"]["is_enabled"] is settings["socket_mode_enabled"] is True
    assert {*app.EVENTS, app.COMMAND} <= app.SCOPE_OF.keys()

    async def scene(desk: Desk) -> None:
        ts = await desk.mention()
        await desk.reply(desk.slack.say("C0NEWS", "Lunch?", "U0ANNA"), "And why?")
        await desk.click(desk.slack.ours[0], blocks.RATE_UP)
        await desk.click(desk.slack.ours[0], blocks.RATE_UP, step="none")
        assert ts
        free = {"auth.test", "apps.connections.open"}  # these need no scope
        history = {"conversations.replies"}  # those of the events
        assert {method for method, _ in desk.slack.calls} - free - history <= app.SCOPE_OF.keys()

    stage(scene)


def test_slacks_libraries_are_imported_by_the_door_alone() -> None:
    users = {
        path.relative_to(ROOT / "assistant").as_posix()
        for path in (ROOT / "assistant").rglob("*.py")
        if re.search(r"^\s*(?:import|from) slack_(?:bolt|sdk)", path.read_text("utf-8"), re.M)
    }
    assert users == {"slack/app.py"}


# The real thing


def test_the_articles_are_answered_from(briefs: Settings, tmp_path: Path) -> None:
    from assistant.service import open_assistant

    assistant = open_assistant(briefs)
    apart = replace(briefs, index=tmp_path)  # where the conversations are kept

    async def run() -> None:
        rules = "C*=*;D*=nam-*"
        async with (
            slack_server() as slack,
            opened(apart, assistant, slack, slack_channels=rules) as desk,
        ):
            asked = "What share of global processing capacity does China control?"
            await desk.mention(f"<@{BOT_USER}> {asked}")
            await desk.mention(f"<@{BOT_USER}> What does a ticket to the moon cost?")
            await desk.tell(direct("9.9", asked))
            share, moon, alone = desk.slack.ours
            assert "90%" in share.text
            assert "[1] “" in share.text
            assert "header" in moon.kinds
            assert "Not in the articles" in moon.text
            assert "90%" in alone.text
            assert "National Association of Manufacturers" in alone.text
            await desk.click(share, blocks.RATE_UP)
            assert [(question, value) for question, value, _ in desk.rated()] == [(asked, 1)]

    try:
        asyncio.run(run())
    finally:
        assistant.close()


def test_the_command_answers_until_it_is_interrupted(briefs: Settings, tmp_path: Path) -> None:
    async def run() -> None:
        async with slack_server() as slack:
            process = await asyncio.create_subprocess_exec(
                *[sys.executable, "-m", "assistant.doors.cli", "slack"],
                *["--corpus", str(ROOT / "corpus"), "--index", str(briefs.index)],
                cwd=tmp_path,
                env={
                    "PYTHONPATH": str(ROOT),
                    "DATELINE_SLACK_BOT_TOKEN": BOT_TOKEN,
                    "DATELINE_SLACK_APP_TOKEN": APP_TOKEN,
                    "DATELINE_SLACK_URL": slack.api,
                },
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            await slack.connected(1)
            event = direct("1.1", "What share of global processing capacity does China control?")
            payload = {"type": "event_callback", "team_id": TEAM, "event_id": "E", "event": event}
            await slack.deliver({"type": "events_api", "envelope_id": "e", "payload": payload})
            await slack.updated.wait()
            process.send_signal(signal.SIGINT)
            out, errors = await process.communicate()
            assert (process.returncode, errors.decode()) == (0, "")
            assert "Dateline answers in Slack" in out.decode()
            assert "90%" in slack.ours[0].text

    asyncio.run(run())


@pytest.mark.parametrize(
    ("given_", "named"),
    [
        ({}, "DATELINE_SLACK_BOT_TOKEN"),
        ({"BOT_TOKEN": BOT_TOKEN, "SIGNING_SECRET": SECRET}, "DATELINE_SLACK_APP_TOKEN"),
    ],
)
def test_the_command_without_tokens_says_which(
    given_: dict[str, str],
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in given_.items():
        monkeypatch.setenv(f"DATELINE_SLACK_{name}", value)
    assert main(["slack", "--index", str(tmp_path / "index")]) == 2
    assert f"{named} is not set" in capsys.readouterr().err
    assert not (tmp_path / "index").exists()
