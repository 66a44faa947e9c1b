"""`dateline slack` over real articles, as a program."""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from repository import ROOT
from running import ALTERED
from slack_desk import direct, opened
from slack_server import (
    APP_TOKEN,
    BOT_TOKEN,
    BOT_USER,
    SECRET,
    TEAM,
    slack_server,
)

from assistant.doors.cli import main
from assistant.doors.slack import blocks
from assistant.settings import Settings

pytestmark = pytest.mark.slow


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
                *[sys.executable, ALTERED, f"assistant.doors.slack.client.API={slack.api}"],
                *["-m", "assistant.doors.cli", "slack"],
                *["--corpus", str(ROOT / "corpus"), "--index", str(briefs.index)],
                cwd=tmp_path,
                env={
                    "PYTHONPATH": str(ROOT),
                    "DATELINE_SLACK_BOT_TOKEN": BOT_TOKEN,
                    "DATELINE_SLACK_APP_TOKEN": APP_TOKEN,
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
