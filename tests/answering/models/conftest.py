"""No key of the machine's is used, and no connection or thread is left."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest
from chat_models import ANTHROPIC_KEY

from assistant.answering.models import call as chat_model
from assistant.answering.models.names import _PROVIDERS


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in _PROVIDERS.values():
        for variable in (provider.key, *provider.needs):
            if variable:
                monkeypatch.delenv(variable, raising=False)
    for variable in ("OPENAI_BASE_URL", "OPENAI_API_BASE", "OPENAI_PROXY", "ANTHROPIC_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("ANTHROPIC_API_KEY", ANTHROPIC_KEY)
    monkeypatch.setattr(chat_model, "FIRST_PAUSE_S", 0.02)


@pytest.fixture(autouse=True, scope="module")
def no_connection_is_left() -> Iterator[None]:
    yield
    gc.collect()  # one that is not closed warns, and that fails


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert not [thread for thread in threading.enumerate() if thread.name == "dateline-model"]
