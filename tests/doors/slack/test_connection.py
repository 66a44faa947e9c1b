"""Dateline is reached by Slack, and reaches it: signatures, Socket Mode, settings and tokens."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from repository import ROOT
from slack_desk import MENTION, QUESTION, Desk, Stage, mention, opened, scripted
from slack_server import (
    APP_TOKEN,
    BOT_TOKEN,
    SECRET,
    TEAM,
    Slack,
    signed,
    slack_server,
)

from assistant.doors.slack import app, blocks, client
from assistant.doors.workers import Workers
from assistant.keeping.conversations import open_conversations
from assistant.settings import Settings
from indexing.errors import DatelineError, SettingsError

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


def test_making_a_door_asks_slack_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with slack_server() as slack:
            monkeypatch.setattr(client, "API", slack.api)
            chosen = replace(settings, slack_bot_token=BOT_TOKEN, slack_app_token=APP_TOKEN)
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


def test_slacks_libraries_are_imported_by_its_client_alone() -> None:
    users = {
        path.relative_to(ROOT / "assistant").as_posix()
        for path in (ROOT / "assistant").rglob("*.py")
        if re.search(r"^\s*(?:import|from) slack_(?:bolt|sdk)", path.read_text("utf-8"), re.M)
    }
    assert users == {"doors/slack/client.py"}
