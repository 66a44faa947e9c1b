"""A thread in Slack knows what was said in it, and everything is answered once."""

from __future__ import annotations

import asyncio
import json
import threading

from slack_desk import (
    ANSWER,
    MENTION,
    QUESTION,
    Desk,
    Stage,
    direct,
    mention,
    message,
    opened,
    scripted,
)
from slack_server import (
    BOT_USER,
    slack_server,
)

from assistant.doors.slack import app
from assistant.settings import Settings

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
