"""Votes on answers in Slack are kept like those of the chat page."""

from __future__ import annotations

import pytest
from fakes import answered
from slack_desk import ANSWER, DUE, MENTION, Desk, Stage, mention, scripted
from slack_server import (
    BOT_USER,
    TEAM,
)

from assistant.doors.cli import main
from assistant.doors.show.json import to_json
from assistant.doors.slack import blocks
from assistant.doors.slack.kept import Place, identifier
from assistant.keeping.tables import Step
from assistant.settings import Settings


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
