"""Chat models that a scripted server answers for, and what is asked of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from running import PATIENCE_S
from scripted_model import ScriptedModel

from assistant.answering.models import call
from assistant.answering.models.call import ChatModel, open_chat_model
from assistant.settings import Settings
from indexing.errors import ModelError

KEY, ANTHROPIC_KEY = "sk-do-not-show-me", "sk-ant-do-not-show-me"
ASKED = [("system", "Be brief."), ("human", "When did it open?"), ("ai", "What?"), ("human", "It.")]
SAID = "The bridge opened on 5 May 2024 at noon."
SETTINGS = replace(Settings(), model_timeout_s=1)
NAMED = {
    "openai": lambda server: f"openai:local@{server.url}",
    "ollama": lambda server: f"ollama:local@{server.root}",
    "anthropic": lambda server: f"anthropic:local@{server.root}",
}
"""The name of a server's model, by the protocol it is called in."""
every_protocol = pytest.mark.parametrize("protocol", NAMED)


def opened(
    server: ScriptedModel, protocol: str = "openai", *, timeout_s: int = 1, **constants: int
) -> ChatModel:
    """A model whose calls are not made again; `constants` are those of its module."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"RETRIES": 0, **constants}.items():
            patch.setattr(call, name, value)
        settings = replace(SETTINGS, model_timeout_s=timeout_s)
        return open_chat_model(NAMED[protocol](server), settings)


def failure(model: ChatModel) -> str:
    """What a call's error says, where its whole chain shows no more than that."""
    with pytest.raises(ModelError) as caught:
        model.complete(ASKED)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    message = str(caught.value)
    assert message.count(model.name) == 1
    assert "\n" not in message
    return message


def after(seconds: float) -> Callable[[], bool]:
    until = time.monotonic() + seconds
    return lambda: time.monotonic() > until


def is_free(server: ScriptedModel) -> bool:
    """Whether nobody is connected to the server any more, in time."""
    until = time.monotonic() + PATIENCE_S
    while server.at_once and time.monotonic() < until:
        time.sleep(0.01)
    return not server.at_once
