"""A chat model is named, and opens without a network or says what it lacks."""

from __future__ import annotations

import socket
import subprocess
import sys
import tomllib
import traceback

import pytest
from chat_models import KEY, SETTINGS
from langchain.chat_models import base as langchain_models
from repository import ROOT

from assistant.answering.models.call import Usage, open_chat_model
from assistant.answering.models.names import _PROVIDERS, ModelName, is_ready
from indexing.errors import SettingsError

# Names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("openai:gpt-5", ("openai", "gpt-5", None)),
        (" OpenAI : gpt-5 ", ("openai", "gpt-5", None)),
        ("google-genai:gemini-3", ("google_genai", "gemini-3", None)),
        ("ollama:llama3.2:3b", ("ollama", "llama3.2:3b", None)),
        ("ollama:llama3.2@http://box:11434", ("ollama", "llama3.2", "http://box:11434")),
        ("openai:m@https://h/v1", ("openai", "m", "https://h/v1")),
        ("openai:m@http://u:p@h:1/v1", ("openai", "m", "http://u:p@h:1/v1")),
        ("openai:qwen@q4_k_m", ("openai", "qwen@q4_k_m", None)),
        ("openai:qwen@q4@http://[::1]:8/v1", ("openai", "qwen@q4", "http://[::1]:8/v1")),
        ("openai:@cf/meta/llama", ("openai", "@cf/meta/llama", None)),
    ],
)
def test_a_name_is_a_provider_a_model_and_maybe_a_url(
    text: str, expected: tuple[str, str, str | None]
) -> None:
    name = ModelName.parse(text)
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
