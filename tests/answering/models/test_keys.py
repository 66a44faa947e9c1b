"""Keys go to the one place they are for, and are never shown."""

from __future__ import annotations

import logging
import traceback

import langsmith.utils
import pytest
from chat_models import (
    ANTHROPIC_KEY,
    ASKED,
    KEY,
    NAMED,
    SAID,
    SETTINGS,
    every_protocol,
    failure,
    opened,
)
from langchain_core.tracers.langchain import wait_for_all_tracers
from scripted_model import Fault, Script, serving

from assistant.answering.models import call
from assistant.answering.models.call import open_chat_model
from assistant.answering.models.names import ModelName
from indexing.errors import ModelError


def test_a_server_of_ones_own_needs_no_key() -> None:
    with serving(SAID) as server:
        assert opened(server).complete(ASKED) == SAID
    assert server.keys == ["Bearer none"]


def test_a_key_is_sent_to_the_url_that_is_set_and_no_further(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(SAID) as elsewhere, serving(Script(fault="HTTP 307")) as server:
        server.elsewhere = elsewhere.root
        for protocol in NAMED:
            message = failure(opened(server, protocol))
            assert "has moved (HTTP 307)" in message
    assert server.keys == [f"Bearer {KEY}", None, f"Bearer {ANTHROPIC_KEY}"]
    assert not elsewhere.requests


@pytest.mark.parametrize("fault", ["HTTP 401", "HTTP 403", "HTTP 500", "breaks off", None])
@every_protocol
def test_neither_a_key_nor_a_password_is_ever_shown(
    protocol: str,
    fault: Fault | None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr(call, "RETRIES", 0)
    shown: list[object] = []
    with caplog.at_level(logging.DEBUG), serving(Script(SAID, fault=fault)) as server:
        for user in ("", "jo:hunter%202@"):
            name = NAMED[protocol](server).replace("http://", f"http://{user}")
            model = open_chat_model(name, SETTINGS)
            shown += [model.name, model, ModelName.parse(name), vars(model)]
            try:
                model.complete(ASKED)
            except ModelError as error:
                assert fault
                shown += [error, *traceback.format_exception(error)]
    assert server.headers[1]["authorization"] == "Basic am86aHVudGVyIDI="
    secrets = (KEY, ANTHROPIC_KEY, "hunter", "am86aHVudGVyIDI=")
    for text in (*map(repr, shown), *map(str, shown), caplog.text, *capfd.readouterr()):
        assert not any(secret in text for secret in secrets)


def test_a_refused_key_is_told_by_where_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Script(fault="HTTP 401")) as server:
        wanted = failure(opened(server))
        assert f"{server.host} wants a key: set OPENAI_API_KEY (HTTP 401)" in wanted
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        assert "refused the key in OPENAI_API_KEY (HTTP 401)" in failure(opened(server))
        assert "refused the key in ANTHROPIC_API_KEY" in failure(opened(server, "anthropic"))
        assert "lets nobody in without a key" in failure(opened(server, "ollama"))
        user = open_chat_model(f"ollama:m@{server.root.replace('//', '//jo:pw@')}", SETTINGS)
        assert "refused the user and password of its URL" in failure(user)


def test_a_proxy_of_the_environment_is_asked_for_what_is_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for protocol, variable in (("openai", "OPENAI_PROXY"), ("anthropic", "ANTHROPIC_PROXY")):
        with serving(SAID) as proxy:
            monkeypatch.setenv(variable, proxy.root)
            model = open_chat_model(f"{protocol}:m@http://far.invalid/v1", SETTINGS)
            failure(model)
        assert proxy.paths[0].startswith("http://far.invalid/v1/")


def test_a_proxy_of_the_environment_is_not_asked_for_what_is_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "OPENAI_PROXY", "ANTHROPIC_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
    with serving(SAID) as server:
        assert [opened(server, protocol).complete(ASKED) for protocol in NAMED] == [SAID] * 3


def test_nothing_is_told_to_langsmith(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(langsmith.utils.get_env_var.cache_clear)
    with serving(SAID) as server:
        for variable, value in {
            "LANGSMITH_TRACING": "true",
            "LANGSMITH_API_KEY": KEY,
            "LANGSMITH_ENDPOINT": server.root,
        }.items():
            monkeypatch.setenv(variable, value)
        langsmith.utils.get_env_var.cache_clear()
        assert opened(server).complete(ASKED) == SAID
        wait_for_all_tracers()
    assert server.paths == ["/v1/chat/completions"]
