"""Chat models are called over real HTTP, through LangChain's own packages, and fail in words."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import subprocess
import sys
import threading
import time
import tomllib
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email.utils import formatdate
from itertools import pairwise

import langsmith.utils
import pytest
from langchain.chat_models import base as langchain_models
from langchain_core.messages import AIMessageChunk
from langchain_core.tracers.langchain import wait_for_all_tracers
from repository import ROOT
from scripted_model import Fault, Script, ScriptedModel, serving

from assistant.answering.models import call as chat_model
from assistant.answering.models.call import ChatModel, Usage, open_chat_model
from assistant.answering.models.failures import check_finish
from assistant.answering.models.names import _PROVIDERS, ModelName, is_ready
from indexing.errors import ModelError, SettingsError
from indexing.settings import Settings

KEY, ANTHROPIC_KEY = "sk-do-not-show-me", "sk-ant-do-not-show-me"
ASKED = [("system", "Be brief."), ("human", "When did it open?"), ("ai", "What?"), ("human", "It.")]
SAID = "The bridge opened on 5 May 2024 at noon."
SETTINGS = replace(Settings(), model_timeout_s=1, model_retries=0)
NAMED = {
    "openai": lambda server: f"openai:local@{server.url}",
    "ollama": lambda server: f"ollama:local@{server.root}",
    "anthropic": lambda server: f"anthropic:local@{server.root}",
}
"""The name of a server's model, by the protocol it is called in."""
every_protocol = pytest.mark.parametrize("protocol", NAMED)


def opened(server: ScriptedModel, protocol: str = "openai", **changed: int) -> ChatModel:
    return open_chat_model(NAMED[protocol](server), replace(SETTINGS, **changed))


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
    """Whether, within 2 seconds, nobody is connected to the server any more."""
    until = time.monotonic() + 2
    while server.at_once and time.monotonic() < until:
        time.sleep(0.01)
    return not server.at_once


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


# Names


@pytest.mark.parametrize(
    ("text", "default_url", "expected"),
    [
        ("openai:gpt-5", "", ("openai", "gpt-5", None)),
        (" OpenAI : gpt-5 ", "", ("openai", "gpt-5", None)),
        ("google-genai:gemini-3", "", ("google_genai", "gemini-3", None)),
        ("ollama:llama3.2:3b", "", ("ollama", "llama3.2:3b", None)),
        ("ollama:llama3.2", "http://box:11434", ("ollama", "llama3.2", "http://box:11434")),
        ("openai:m@https://h/v1", "http://box", ("openai", "m", "https://h/v1")),
        ("openai:m@http://u:p@h:1/v1", "", ("openai", "m", "http://u:p@h:1/v1")),
        ("openai:qwen@q4_k_m", "", ("openai", "qwen@q4_k_m", None)),
        ("openai:qwen@q4@http://[::1]:8/v1", "", ("openai", "qwen@q4", "http://[::1]:8/v1")),
        ("openai:@cf/meta/llama", "", ("openai", "@cf/meta/llama", None)),
    ],
)
def test_a_name_is_a_provider_a_model_and_maybe_a_url(
    text: str, default_url: str, expected: tuple[str, str, str | None]
) -> None:
    name = ModelName.parse(text, default_url)
    assert (name.provider, name.model, name.url) == expected
    assert str(name) == f"{expected[0]}:{expected[1]}"
    assert (name.url or "http") not in repr(name).replace(str(expected[1]), "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "provider:model, such as openai:gpt-5"),
        ("gpt-5", "got 'gpt-5'"),
        (":gpt-5", "provider:model"),
        ("openai:", "provider:model"),
        ("openai:@http://u:hidden@h", "got 'openai:'"),
        ("opnai:gpt-5", "no provider of chat models 'opnai'; choose of openai, azure_openai, anth"),
        ("http://u:hidden@h/v1", "no provider of chat models 'http'"),
        (
            "openai:m@ftp://u:hidden@h/v1",
            "of openai:m must begin with http:// or https://, got ftp:",
        ),
        ("openai:m@127.0.0.1:8080/v1", "the URL of openai:m must begin with http:// or https://"),
        ("openai:m@localhost", "the URL of openai:m must begin with http:// or https://"),
        ("openai:m@http://", "the URL of openai:m is not a URL such as"),
        ("openai:m@http://u:hidden@h:eighty", "the URL of openai:m is not a URL such as"),
        ("openai:m@http://h:99999", "the URL of openai:m is not a URL such as"),
        ("openai:m@http://[::1", "the URL of openai:m is not a URL such as"),
        ("openai:m@http://h/a b", "the URL of openai:m is not a URL such as"),
        ("openai:m@http://h/v1\n", ""),
        ("openai:m@http://h/v\n1", "the URL of openai:m is not a URL such as"),
        ("openai:m@http://h/v1?key=hidden", "the URL of openai:m must end with its path"),
        ("google_genai:m@http://h", "is served by its provider alone and takes no URL"),
        ("mistralai:m@http://u:hidden@h", "takes no user and password in its URL"),
    ],
)
def test_a_malformed_name_is_told_in_words(text: str, said: str) -> None:
    if not said:
        ModelName.parse(text)
        return
    with pytest.raises(SettingsError) as caught:
        is_ready(text, SETTINGS)
    assert said in str(caught.value)
    assert "hidden" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "hidden:hidden@127.0.0.1:8080"])
def test_a_malformed_default_url_is_told_by_its_variable(url: str) -> None:
    with pytest.raises(SettingsError, match="DATELINE_MODEL_URL must begin with http") as caught:
        open_chat_model("openai:m", replace(SETTINGS, model_url=url))
    assert "hidden" not in str(caught.value)


def test_usage_adds_up_what_is_known() -> None:
    assert Usage() + Usage(1) == Usage(1, None, None)
    assert Usage(1, 5, None) + Usage(2, None, 3) == Usage(3, 5, 3)
    assert Usage(1, 5, 0) + Usage(1, 2, 4) == Usage(2, 7, 4)


# Opening


def test_every_provider_is_one_that_langchain_opens_and_an_extra_installs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    for name, provider in _PROVIDERS.items():
        assert langchain_models._BUILTIN_PROVIDERS[name][0] == provider.module
        (requirement,) = extras[provider.extra]
        assert requirement.startswith(f"{provider.package}>=")


@pytest.mark.parametrize("provider", _PROVIDERS)
def test_a_missing_package_is_told_with_the_command_that_installs_it(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    row = _PROVIDERS[provider]
    expected = f"{provider}:m needs the package {row.package}: pip install 'dateline[{row.extra}]'"
    for check in (is_ready, open_chat_model):
        with pytest.raises(SettingsError) as caught:
            check(f"{provider}:m", SETTINGS)
        assert str(caught.value) == expected


def test_a_package_that_does_not_import_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anthropic", None)
    with pytest.raises(SettingsError, match="needs the package langchain-anthropic"):
        open_chat_model("anthropic:claude", SETTINGS)


@pytest.mark.parametrize(
    ("provider", "variable"),
    [(name, row.key) for name, row in _PROVIDERS.items() if row.key],
)
def test_a_missing_key_is_told_by_the_variable_to_set(
    provider: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    for needed in _PROVIDERS[provider].needs:
        with pytest.raises(SettingsError, match=f"needs {needed}: set it in the environment"):
            is_ready(f"{provider}:m", SETTINGS)
        monkeypatch.setenv(needed, "http://127.0.0.1:1")
    monkeypatch.setenv(variable, "")
    for check in (is_ready, open_chat_model):
        with pytest.raises(SettingsError, match=f":m needs a key: set {variable} in the environ"):
            check(f"{provider}:m", SETTINGS)
    monkeypatch.setenv(variable, KEY)
    is_ready(f"{provider}:m", SETTINGS)


@pytest.mark.parametrize("key", [f"{KEY}\n", f" {KEY}", f"{KEY} {KEY}", f"“{KEY}”"])
def test_a_key_that_cannot_be_one_is_told_without_showing_it(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(SettingsError, match="OPENAI_API_KEY holds no key") as caught:
        open_chat_model("openai:gpt-5", SETTINGS)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "env"),
    [
        ("openai:gpt-5", {"OPENAI_API_KEY": KEY}),
        ("openai:gpt-5", {"OPENAI_API_KEY": KEY, "OPENAI_PROXY": "http://127.0.0.1:1"}),
        ("openai:local@http://127.0.0.1:1/v1", {"OPENAI_PROXY": "http://127.0.0.1:1"}),
        ("anthropic:claude-opus-5", {}),
        ("anthropic:claude-opus-5", {"ANTHROPIC_PROXY": "http://127.0.0.1:1"}),
        ("ollama:llama3.2", {}),
        (
            "azure_openai:deployed@https://us.openai.azure.com",
            {"AZURE_OPENAI_API_KEY": KEY, "OPENAI_API_VERSION": "2026-01-01"},
        ),
    ],
)
def test_a_model_opens_without_a_network(
    name: str, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in env.items():
        monkeypatch.setenv(variable, value)

    def refuse(*_: object) -> None:
        raise AssertionError("opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    is_ready(name, SETTINGS)
    model = open_chat_model(name, SETTINGS)
    assert model.name == name.partition("@")[0]
    assert model.usage == Usage()
    assert KEY not in repr(model)


def test_what_a_constructor_says_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ValueError(f"wrong key {KEY}")

    monkeypatch.setattr("langchain.chat_models.init_chat_model", fails)
    with pytest.raises(SettingsError, match=r"openai:m cannot be opened \(ValueError\)") as caught:
        open_chat_model("openai:m@http://127.0.0.1:1", SETTINGS)
    assert KEY not in "".join(traceback.format_exception(caught.value))


def test_the_module_imports_no_provider_and_no_langchain() -> None:
    shown = subprocess.run(
        [sys.executable, "-c", "import sys, assistant.answering.models.call; print(*sys.modules)"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    heavy = {
        "langchain",
        "langchain_core",
        "langsmith",
        "openai",
        "anthropic",
        "ollama",
        "tenacity",
    }
    assert not heavy & set(shown.stdout.split())


# Replies


@every_protocol
def test_a_reply_comes_in_its_pieces_and_its_cost_is_counted(protocol: str) -> None:
    costs: list[Usage] = []
    with serving(SAID) as server:
        model = opened(server, protocol)
        pieces = list(model.stream(ASKED, spent=costs.append))
        assert "".join(pieces) == SAID
        assert len(pieces) == len(SAID.split())
        assert model.complete(ASKED, spent=costs.append) == SAID
        words = sum(len(text.split()) for _, text in ASKED)
        if protocol == "anthropic":  # where the system's message is no message
            words -= len(ASKED[0][1].split())
        assert costs == [Usage(1, words, len(pieces))] * 2
        assert model.usage == Usage(2, 2 * words, 2 * len(pieces))
        assert is_free(server)
    assert not server.closed_by_client.is_set()


@every_protocol
def test_the_messages_and_the_limits_are_sent_as_they_are(protocol: str) -> None:
    with serving(SAID) as server:
        opened(server, protocol, model_tokens=77).complete(ASKED)
        opened(server, protocol).complete(ASKED, max_tokens=33)
    first, second = server.requests
    roles = {"human": "user", "ai": "assistant", "system": "system"}
    sent = [{"role": roles[role], "content": text} for role, text in ASKED]
    if protocol == "anthropic":
        assert first["system"] == ASKED[0][1]
        sent = sent[1:]
    assert [{k: m[k] for k in ("role", "content")} for m in first["messages"]] == sent
    assert first["stream"] is True
    for request, most in ((first, 77), (second, 33)):
        options = request["options"] if protocol == "ollama" else request
        assert options["num_predict" if protocol == "ollama" else "max_tokens"] == most
        assert options["temperature"] == 0


@every_protocol
def test_a_piece_is_there_before_the_next_one(protocol: str) -> None:
    with serving(Script(SAID, fault="stalls")) as server:
        stream = opened(server, protocol).stream(ASKED)
        assert next(stream) == "The "
        stream.close()


@every_protocol
def test_thoughts_are_no_text(protocol: str) -> None:
    with serving(Script(SAID, thought="Which bridge do they mean?")) as server:
        assert opened(server, protocol).complete(ASKED) == SAID


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        (["<think>", "Which?", "</think>", "\n\n", "The ", "5th."], "The 5th."),
        (["\n<thi", "nk>Which?</th", "ink>\n", "The 5th."], "The 5th."),
        (["<think></think>The 5th."], "The 5th."),
        (["<", "b>The 5th."], "<b>The 5th."),
        (["The <think>5th</think>."], "The <think>5th</think>."),
    ],
)
def test_thoughts_that_a_server_leaves_in_the_text_are_taken_out(
    pieces: list[str], said: str
) -> None:
    with serving(Script(pieces=pieces)) as server:
        assert opened(server).complete(ASKED) == said


def test_a_model_that_only_thinks_has_said_nothing() -> None:
    with serving(Script(pieces=["<think>", "Which bridge ", "do they mean?"])) as server:
        assert "said nothing" in failure(opened(server))
        with pytest.raises(ModelError, match="spent 2 tokens without a word"):
            opened(server).complete(ASKED, max_tokens=2)


@every_protocol
def test_a_reply_that_meets_its_limit_just_ends(protocol: str) -> None:
    with serving(SAID) as server:
        assert opened(server, protocol).complete(ASKED, max_tokens=3).split() == SAID.split()[:3]


def test_a_reader_may_be_slower_than_the_time_out() -> None:
    with serving(Script(SAID, pace_s=0.05)) as server:
        read = []
        for piece in opened(server).stream(ASKED):
            read.append(piece)
            time.sleep(1.3 if len(read) == 2 else 0)
    assert "".join(read) == SAID


def test_a_model_can_be_called_where_an_event_loop_runs() -> None:
    async def call() -> str:
        return opened(server).complete(ASKED)

    with serving(SAID) as server:
        assert asyncio.run(call()) == SAID


def test_calls_of_many_threads_are_counted_together() -> None:
    with serving(SAID) as server:
        model = opened(server, model_concurrency=8)
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda _: model.complete(ASKED), range(24)))
    assert replies == [SAID] * 24
    each = Usage(1, sum(len(text.split()) for _, text in ASKED), len(SAID.split()))
    assert model.usage == Usage(24, 24 * (each.input_tokens or 0), 24 * (each.output_tokens or 0))


def test_a_server_of_ones_own_is_asked_in_the_protocol_that_all_of_them_speak() -> None:
    with serving(SAID) as server:  # a name by which langchain-openai takes another
        model = open_chat_model(f"openai:codex-mini@{server.url}", SETTINGS)
        assert model.complete(ASKED) == SAID
    assert server.paths == ["/v1/chat/completions"]


@pytest.mark.parametrize(
    ("said", "finish"),
    [
        ({}, ""),
        ({"finish_reason": None}, ""),
        ({"finish_reason": "STOP"}, "stop"),
        ({"done_reason": "length"}, "length"),
        ({"stop_reason": "end_turn"}, "end_turn"),
        ({"status": "completed"}, "stop"),
        ({"status": "in_progress"}, ""),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            "content_filter",
        ),
        ({"status": "incomplete", "incomplete_details": None}, "incomplete"),
    ],
)
def test_each_protocol_says_in_its_own_way_that_a_reply_has_ended(
    said: dict[str, object], finish: str
) -> None:
    assert check_finish(AIMessageChunk("Yes.", response_metadata=said)) == finish
    refused = AIMessageChunk([{"type": "refusal", "refusal": "No."}], response_metadata=said)
    assert check_finish(refused) == "refusal"


# Keys


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


# Failures


FAULTS: dict[Fault, tuple[str, int]] = {
    "silent": ("took longer than 1 s to say a word; raise DATELINE_MODEL_TIMEOUT_S or choose a", 1),
    "hangs up": ("at {host} closed the connection without an answer", 2),
    "stalls": ("fell silent in mid-answer, for longer than 1 s; raise DATELINE_MODEL_TIMEOUT_S", 1),
    "cut": ("stopped in mid-answer", 1),
    "unfinished": ("stopped in mid-answer", 1),
    "breaks off": ("stopped in mid-answer", 1),
    "malformed": ("does not answer in the protocol of {protocol}; is {host} the right address?", 1),
    "html": ("does not answer in the protocol of {protocol}; is {host} the right address?", 1),
    "HTTP 400": ("did not accept the request (HTTP 400)", 1),
    "HTTP 404": ("is not there at {host} (HTTP 404)", 1),
    "HTTP 429": ("takes no more requests for now (HTTP 429)", 2),
    "HTTP 500": ("answered HTTP 500", 2),
    "too long": ("the prompt is too long for {name}", 1),
    "refusal": ("refuse", 1),
    "filtered": ("refused to answer", 1),
    "empty": ("said nothing", 1),
}
"""What is said of each, and how many requests it takes where one more is allowed."""


@every_protocol
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_in_words_of_its_own(fault: Fault, protocol: str) -> None:
    said, requests = FAULTS[fault]
    with serving(Script(SAID, fault=fault)) as server:
        model = opened(server, protocol, model_retries=requests - 1 or int(fault != "silent"))
        message = failure(model)
        assert is_free(server)
    where = {"host": server.host, "protocol": protocol, "name": f"{protocol}:local"}
    assert said.format(**where) in message
    assert len(server.requests) == requests
    assert model.usage.calls == 1


@every_protocol
def test_a_server_that_is_not_there_is_told_by_its_host(protocol: str) -> None:
    with serving(SAID) as server:
        pass
    model = opened(server, protocol)
    host = server.host
    assert failure(model) == (
        f"{protocol}:local cannot be reached at {host}; is its server running?"
    )


@pytest.mark.parametrize(
    "said",
    [
        "the request exceeds the available context size, try increasing it",  # llama.cpp
        "This model's maximum context length is 4096 tokens. However, you requested 9000",  # vLLM
        "Trying to keep the first 900 tokens when context the overflows. The context length of 4096",
        "Prompt contains 70000 tokens, too large for model with 32768 maximum context length",
    ],
)
def test_a_prompt_that_is_too_long_is_told_whatever_the_server_calls_it(said: str) -> None:
    with serving(Script(fault="HTTP 400", said=said)) as server:
        assert "the prompt is too long for openai:local" in failure(opened(server))


def test_a_model_that_is_not_pulled_is_told_with_the_command_that_does() -> None:
    with serving(Script(fault="HTTP 404")) as server:
        assert "fetch it with: ollama pull local" in failure(opened(server, "ollama"))


def test_a_whole_call_has_a_ceiling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_model, "CEILING", 1)
    read: list[str] = []
    with serving(Script(SAID, pace_s=0.05, fault="endless")) as server:
        with pytest.raises(ModelError, match="took longer than 1 s over one answer; lower"):
            read.extend(opened(server).stream(ASKED))
        assert is_free(server)
    assert "".join(read).startswith(SAID)


# Again


@every_protocol
@pytest.mark.parametrize(
    "fault",
    ["hangs up", "HTTP 408", "HTTP 425", "HTTP 429", "HTTP 500", "HTTP 503"],
)
def test_a_call_that_failed_before_its_first_word_is_made_again(
    fault: Fault, protocol: str
) -> None:
    with serving(Script(SAID, fault=fault, fail_first=2)) as server:
        model = opened(server, protocol, model_retries=2)
        assert model.complete(ASKED) == SAID
    assert len(server.requests) == 3
    assert model.usage.calls == 1


def test_a_silent_server_is_asked_again() -> None:
    with serving(Script(SAID, fault="silent", fail_first=1)) as server:
        assert opened(server, model_retries=1).complete(ASKED) == SAID


def test_a_call_is_made_again_no_more_often_than_is_set() -> None:
    with serving(Script(SAID, fault="HTTP 503")) as server:
        assert "answered HTTP 503" in failure(opened(server, model_retries=2))
    assert len(server.requests) == 3


def test_a_server_is_given_the_time_it_asks_for() -> None:
    begun = time.monotonic()
    soon = formatdate(time.time() + 0.5, usegmt=True)
    for asked, at_least in (("1", 1.0), (soon, 0.0)):
        fails_once = Script(SAID, fault="HTTP 429", fail_first=1, retry_after=asked)
        with serving(fails_once) as server:
            assert opened(server, model_retries=1).complete(ASKED) == SAID
        assert time.monotonic() - begun >= at_least


@pytest.mark.parametrize(
    "asked", ["60", formatdate(time.time() + 3600, usegmt=True)], ids=["seconds", "date"]
)
def test_a_server_that_asks_for_more_time_than_there_is_is_not_asked_again(asked: str) -> None:
    with serving(Script(SAID, fault="HTTP 503", retry_after=asked)) as server:
        assert "answered HTTP 503; it asks to wait" in failure(opened(server, model_retries=2))
    assert len(server.requests) == 1


@pytest.mark.parametrize("unwanted", ["temperature", "stream_options", "max_tokens"])
def test_what_a_server_refuses_is_not_asked_for_again(unwanted: str) -> None:
    with serving(SAID) as server:
        server.rejects = {unwanted}
        model = opened(server)
        assert [model.complete(ASKED), model.complete(ASKED)] == [SAID, SAID]
    assert [unwanted in request for request in server.requests] == [True, False, False]
    assert server.requests[2].keys() & {"max_tokens", "max_completion_tokens"}


def test_what_its_own_package_refuses_for_a_model_is_not_asked_for() -> None:
    with serving(SAID) as server:
        model = open_chat_model(f"anthropic:claude-fable-5@{server.root}", SETTINGS)
        assert model.complete(ASKED) == SAID
    assert len(server.requests) == 1
    assert "temperature" not in server.requests[0]


# Ends


@every_protocol
@pytest.mark.parametrize("fault", ["silent", "stalls", "endless"])
def test_a_cancelled_call_ends_quietly_and_closes_its_connection(
    fault: Fault, protocol: str
) -> None:
    costs: list[Usage] = []
    begun = time.monotonic()
    with serving(Script(SAID, fault=fault, pace_s=0.02)) as server:
        model = opened(server, protocol, model_timeout_s=20)
        said = model.complete(ASKED, cancelled=after(0.3), spent=costs.append)
        assert time.monotonic() - begun < 3
        assert server.closed_by_client.wait(2)
    assert said.startswith("" if fault == "silent" else "The bridge")
    assert [cost.calls for cost in costs] == [1]


def test_a_call_that_is_not_wanted_is_not_made() -> None:
    costs: list[Usage] = []
    with serving(SAID) as server:
        assert opened(server).complete(ASKED, cancelled=lambda: True, spent=costs.append) == ""
    assert not server.requests
    assert not costs


def test_a_call_is_cancelled_before_it_is_made_again() -> None:
    begun = time.monotonic()
    with serving(Script(SAID, fault="HTTP 503", retry_after="15")) as server:
        model = opened(server, model_retries=5, model_timeout_s=20)
        assert model.complete(ASKED, cancelled=after(0.3)) == ""
    assert time.monotonic() - begun < 3
    assert len(server.requests) == 1


def test_whether_a_call_is_wanted_is_asked_ten_times_a_second() -> None:
    asked: list[float] = []

    def cancelled() -> bool:
        asked.append(time.monotonic())
        return len(asked) > 15

    with serving(Script(SAID, fault="silent")) as server:
        opened(server, model_timeout_s=20).complete(ASKED, cancelled=cancelled)
    waits = sorted(b - a for a, b in pairwise(asked))
    assert waits[len(waits) // 2] < 0.1


@every_protocol
def test_closing_the_pieces_closes_the_connection(protocol: str) -> None:
    costs: list[Usage] = []
    with serving(Script(SAID, fault="stalls")) as server:
        stream = opened(server, protocol, model_timeout_s=20).stream(ASKED, spent=costs.append)
        next(stream)
        begun = time.monotonic()
        stream.close()
        assert time.monotonic() - begun < 2
        assert server.closed_by_client.wait(2)
    assert [cost.calls for cost in costs] == [1]


def test_pieces_that_nobody_holds_any_more_close_the_connection() -> None:
    with serving(Script(SAID, fault="endless", pace_s=0.01)) as server:
        for _ in opened(server).stream(ASKED):
            break
        gc.collect()
        assert server.closed_by_client.wait(2)


def test_an_error_of_the_reader_closes_the_connection() -> None:
    def read() -> None:
        for _ in opened(server).stream(ASKED):
            raise KeyboardInterrupt

    with serving(Script(SAID, fault="endless", pace_s=0.01)) as server:
        with pytest.raises(KeyboardInterrupt):
            read()
        assert server.closed_by_client.wait(2)


# Places


def test_no_more_calls_run_at_once_than_is_set() -> None:
    with serving(Script(SAID, pace_s=0.02)) as server:
        model = opened(server, model_concurrency=2, model_timeout_s=10)
        with ThreadPoolExecutor(6) as pool:
            replies = list(pool.map(lambda _: model.complete(ASKED), range(6)))
    assert replies == [SAID] * 6
    assert server.most_at_once == 2


def test_a_call_that_finds_no_place_is_told_so_and_can_be_cancelled() -> None:
    with serving(Script(SAID, fault="endless", pace_s=0.05)) as server:
        model = opened(server, model_concurrency=1)
        stream = model.stream(ASKED)
        next(stream)
        assert "openai:local is busy: 1 calls at once" in failure(model)
        assert model.complete(ASKED, cancelled=after(0.2)) == ""
        stream.close()
        assert next(model.stream(ASKED)) == "The "
    assert len(server.requests) == 2
    assert model.usage.calls == 2


def test_a_reply_that_is_there_leaves_its_place_before_it_is_read() -> None:
    with serving(SAID) as server:
        model = opened(server, model_concurrency=1)
        stream = model.stream(ASKED)
        read = [next(stream), model.complete(ASKED), *stream]
    assert "".join(read) == f"The {SAID}{SAID[4:]}"


@pytest.mark.parametrize("fault", ["HTTP 500", "cut", "empty", "html"])
def test_a_failed_call_leaves_its_place(fault: Fault) -> None:
    with serving(Script(SAID, fault=fault, fail_first=3)) as server:
        model = opened(server, model_concurrency=1)
        for _ in range(3):
            failure(model)
        assert model.complete(ASKED) == SAID


# The server of these tests


def test_the_scripted_model_replies_whole_and_by_what_it_was_asked() -> None:
    import httpx

    def reply(messages: list[dict[str, str]]) -> str:
        return f"You said: {messages[-1]['content']}"

    with serving(reply) as server:
        asked = {"model": "m", "messages": [{"role": "user", "content": "Hi there."}]}
        told = httpx.post(f"{server.url}/chat/completions", json=asked, trust_env=False).json()
    assert told["choices"][0]["message"]["content"] == "You said: Hi there."
    assert told["choices"][0]["finish_reason"] == "stop"
    assert told["usage"] == {"prompt_tokens": 2, "completion_tokens": 4, "total_tokens": 6}
    assert server.messages == [asked["messages"]]
