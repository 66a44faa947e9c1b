"""Questions in Slack are answered where they were asked, as they are written, and in words where they fail."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from fakes import ScriptedAssistant, answered
from slack_desk import ANSWER, DUE, QUESTION, RAW, Desk, Stage, direct, mention, opened, scripted
from slack_server import (
    BOT_USER,
    slack_server,
)

from assistant.doors.slack import app, blocks, shown
from assistant.doors.slack.channels import NOTHING_TO_READ, REFUSED, channels
from assistant.schema import Claim
from assistant.settings import Settings
from indexing.errors import DatelineError, SettingsError
from indexing.schema import Filters

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
    monkeypatch.setattr(shown, "UPDATE_S", 0.2)
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
    monkeypatch.setattr(shown, "UPDATE_S", 0.01)
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
