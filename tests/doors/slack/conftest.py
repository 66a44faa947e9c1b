"""What the tests of Slack share: a scene between a Slack and a door."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from slack_desk import Play, Stage, opened, scripted
from slack_server import (
    slack_server,
)

from assistant.settings import Settings


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)


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
