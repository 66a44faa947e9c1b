"""Chat models by their names: `provider:model`, what each provider needs, and the client for it."""

from __future__ import annotations

import base64
import importlib.util
import os
import re
import socket
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit, urlunsplit

from assistant.settings import QUOTES, AnswerSettings
from indexing.errors import DatelineError, ModelError, SettingsError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

Message = tuple[str, str]
"""A role, "system", "human" or "ai", and a text."""

CEILING = 10
"""A whole call may take this many times `model_timeout_s`."""


@dataclass(frozen=True, slots=True)
class ModelName:
    """A chat model as a user names it: "openai:gpt-5", "openai:local@http://127.0.0.1:8080/v1".

    `url` may hold a user and a password, and is in none of the texts made of this.
    """

    provider: str
    model: str
    url: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, text: str) -> ModelName:
        """What `text` names.

        Raises SettingsError for a name without a provider or with an unknown one, and for a URL
        that is not one of http or https.
        """
        provider, _, rest = (part.strip() for part in text.partition(":"))
        provider = provider.lower().replace("-", "_")
        if not provider or not rest or rest.startswith("@http"):
            shown = re.split("@|//", text.strip())[0]
            raise SettingsError(
                "a chat model is named provider:model, such as openai:gpt-5 or ollama:llama3.2,"
                f" got {shown!r}"
            )
        if provider not in _PROVIDERS:
            raise SettingsError(
                f"there is no provider of chat models {provider!r}; choose of"
                f" {', '.join(_PROVIDERS)}"
            )
        with_url = re.fullmatch(r"(.+?)@([a-zA-Z][a-zA-Z0-9+.-]*://.*)", rest, re.DOTALL)
        model, url = with_url.groups() if with_url else (rest, None)
        if not with_url and re.search(r"@[\w.-]+:[0-9]+(/|$)|@localhost\b", rest):
            model = rest.rpartition("@")[0]
            raise SettingsError(
                f"the URL of {provider}:{model} must begin with http:// or https://"
            )
        return cls(
            provider, model, _checked(url, f"the URL of {provider}:{model}") if url else None
        )

    def __str__(self) -> str:
        return f"{self.provider}:{self.model}"


def _checked(url: str, which: str) -> str:
    """`url`, when it can be a model's. Raises SettingsError, which shows no password."""
    scheme = url.partition(":")[0]
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, an open bracket
        is_whole = False
    else:
        scheme = parts.scheme
    if scheme not in ("http", "https"):
        shown = f", got {scheme}://" if "://" in url else ""
        raise SettingsError(f"{which} must begin with http:// or https://{shown}")
    if not is_whole or not url.isprintable() or " " in url:
        raise SettingsError(f"{which} is not a URL such as http://127.0.0.1:8080/v1")
    if parts.query or parts.fragment:
        raise SettingsError(f"{which} must end with its path, without ? and #")
    return url


@dataclass(frozen=True, slots=True)
class _Provider:
    """How `init_chat_model` opens a provider's models: the names of its arguments, and more of them.

    `extra` and `package`: what to install. `key`: the environment variable that holds the key, or
    None; `needs`: others without which it does not work. `connections`: the attribute of a model
    that holds them. `proxy`: the environment variable that LangChain reads one for it from.
    `is_openai`: the model is called through the package openai.
    """

    extra: str
    package: str
    key: str | None
    connections: str
    url: str | None = "base_url"
    headers: str | None = None
    timeout: str | None = None
    proxy: str = ""
    fixed: Mapping[str, Any] = field(default_factory=lambda: {"max_retries": 0})
    needs: tuple[str, ...] = ()
    is_openai: bool = False

    @property
    def module(self) -> str:
        return self.package.replace("-", "_")


_THROUGH_OPENAI: dict[str, Any] = {
    "connections": "root_async_client",
    "headers": "default_headers",
    "proxy": "OPENAI_PROXY",
    "fixed": {
        "max_retries": 0,
        "stream_usage": True,
        "stream_chunk_timeout": None,  # the time-outs are ours
        "http_socket_options": (),  # or a proxy of the environment is passed over
    },
    "is_openai": True,
}

_PROVIDERS: Mapping[str, _Provider] = {
    "openai": _Provider("openai", "langchain-openai", "OPENAI_API_KEY", **_THROUGH_OPENAI),
    "azure_openai": _Provider(
        "openai",
        "langchain-openai",
        "AZURE_OPENAI_API_KEY",
        url="azure_endpoint",
        needs=("OPENAI_API_VERSION", "AZURE_OPENAI_ENDPOINT"),
        **_THROUGH_OPENAI,
    ),
    "anthropic": _Provider(
        "anthropic",
        "langchain-anthropic",
        "ANTHROPIC_API_KEY",
        "_async_client",
        headers="default_headers",
        proxy="ANTHROPIC_PROXY",
    ),
    "google_genai": _Provider(
        "google-genai",
        "langchain-google-genai",
        "GOOGLE_API_KEY",
        "async_client_running.transport",
        url=None,
        fixed={"max_retries": 1},  # it counts the first call
    ),
    "mistralai": _Provider(
        "mistralai",
        "langchain-mistralai",
        "MISTRAL_API_KEY",
        "async_client",
        timeout="timeout",
        fixed={"max_retries": 1},  # it counts the first call
    ),
    "groq": _Provider(
        "groq", "langchain-groq", "GROQ_API_KEY", "async_client._client", headers="default_headers"
    ),
    "ollama": _Provider("ollama", "langchain-ollama", None, "_async_client", fixed={}),
    "deepseek": _Provider("deepseek", "langchain-deepseek", "DEEPSEEK_API_KEY", **_THROUGH_OPENAI),
    "xai": _Provider("xai", "langchain-xai", "XAI_API_KEY", **_THROUGH_OPENAI),
    "cohere": _Provider(
        "cohere",
        "langchain-cohere",
        "COHERE_API_KEY",
        "async_client._client_wrapper.httpx_client.httpx_client",
        timeout="timeout_seconds",
        fixed={},
    ),
    "fireworks": _Provider(
        "fireworks",
        "langchain-fireworks",
        "FIREWORKS_API_KEY",
        "_async_sdk_client",
        timeout="timeout",
    ),
    "together": _Provider("together", "langchain-together", "TOGETHER_API_KEY", **_THROUGH_OPENAI),
    "openrouter": _Provider(
        "openrouter",
        "langchain-openrouter",
        "OPENROUTER_API_KEY",
        "client.sdk_configuration.async_client",
        fixed={"max_retries": 0, "model_kwargs": {"retries": None}},  # 0 alone: the client's own
    ),
}


@dataclass(frozen=True, slots=True)
class Target:
    """A model that is called, and the settings it is called with."""

    name: ModelName
    provider: _Provider
    settings: AnswerSettings

    @property
    def host(self) -> str:
        """Where it is served, such as "127.0.0.1:8080"; empty where its provider knows."""
        return urlsplit(self.name.url or "").netloc.rpartition("@")[2]

    @property
    def at_host(self) -> str:
        return f" at {self.host}" if self.host else ""

    @property
    def is_here(self) -> bool:
        """Whether it is served on this machine, where no proxy of the environment is asked."""
        host = urlsplit(self.name.url or "").hostname or ""
        return host in ("localhost", "::1") or host.startswith("127.")


def is_ready(name: str, settings: AnswerSettings) -> None:
    """Whether `name` can be opened, as far as can be told without opening it.

    Raises SettingsError as `open_chat_model` does.
    """
    target_of(name, settings)


def check_reachable(name: str, settings: AnswerSettings, timeout_s: float) -> None:
    """Raises ModelError where nothing listens at the address of `name`; SettingsError as
    `open_chat_model` does. One without an address is served by its provider, who is not called."""
    target = target_of(name, settings)
    url = urlsplit(target.name.url or "")
    if not url.hostname:
        return
    try:
        port = url.port or {"http": 80, "https": 443}[url.scheme]
        socket.create_connection((url.hostname, port), timeout_s).close()
    except OSError as exc:
        raise ModelError(f"nothing answers{target.at_host} ({type(exc).__name__})") from exc


def target_of(name: str, settings: AnswerSettings) -> Target:
    """The model `name`, when all it needs is there. Raises SettingsError."""
    parsed = ModelName.parse(name)
    target = Target(parsed, _PROVIDERS[parsed.provider], settings)
    provider = target.provider
    if parsed.url and provider.url is None:
        raise SettingsError(f"{parsed} is served by its provider alone and takes no URL")
    takes_user = provider.headers or parsed.provider == "ollama"
    if parsed.url and not takes_user and "@" in urlsplit(parsed.url).netloc:
        raise SettingsError(f"{parsed} takes no user and password in its URL")
    if importlib.util.find_spec(provider.module) is None:
        raise SettingsError(missing_package(target))
    for variable in provider.needs:
        if not os.environ.get(variable) and not (variable.endswith("_ENDPOINT") and parsed.url):
            raise SettingsError(f"{parsed} needs {variable}: set it in the environment")
    if provider.key:
        key = os.environ.get(provider.key, "")
        if not key and not (parsed.provider == "openai" and parsed.url):
            raise SettingsError(f"{parsed} needs a key: set {provider.key} in the environment")
        if " " in key or not key.isascii() or not key.isprintable():
            raise SettingsError(
                f"{provider.key} holds no key: a space, a line break or a letter that is not ASCII"
                " is in it"
            )
    return target


def missing_package(target: Target) -> str:
    return (
        f"{target.name} needs the package {target.provider.package}:"
        f" pip install 'dateline[{target.provider.extra}]'"
    )


def adaptable_target(target: Target) -> Iterator[str]:
    """What a request asks for that some servers refuse, by the word in their refusal."""
    yield "temperature"
    if target.provider.is_openai:
        yield "stream_options"
    if target.name.provider == "openai" and target.name.url:
        yield "max_tokens"


def build(target: Target, max_tokens: int, without: Collection[str]) -> BaseChatModel:
    """The model, with connections of its own, none of them open. `without`: of `adaptable_target`.

    Raises what its package raises.
    """
    from langchain.chat_models import init_chat_model

    name, client = target.name, _client(target)
    options = _options(target, max_tokens, without, client)
    chat: BaseChatModel = init_chat_model(name.model, model_provider=name.provider, **options)
    if name.provider == "anthropic":
        import anthropic

        # Its own is kept for all models of a process, whatever their event loop.
        own = anthropic.DefaultAsyncHttpxClient(**client)
        chat.__dict__["_async_client"] = attrgetter("_async_client")(chat).with_options(
            http_client=own
        )
    return chat


def _client(target: Target) -> dict[str, Any]:
    """The options of the httpx client that asks the model."""
    # No redirection is followed: it would take the prompt, and maybe the key, to another place.
    client: dict[str, Any] = {"follow_redirects": False}
    if target.is_here:
        client["mounts"] = dict.fromkeys(("http://", "https://", "all://"))  # by no proxy
    elif proxy := os.environ.get(target.provider.proxy):
        client["proxy"] = proxy
    return client


def _options(
    target: Target, max_tokens: int, without: Collection[str], client: Mapping[str, Any]
) -> dict[str, Any]:
    """What the class of the model's package is made with."""
    provider, name = target.provider, target.name
    options: dict[str, Any] = dict(provider.fixed)
    headers: dict[str, str] = {}
    if "temperature" not in without:
        options["temperature"] = 0
    if "stream_options" in without and "stream_usage" in options:
        options["stream_usage"] = False
    if provider.timeout:
        options[provider.timeout] = target.settings.model_timeout_s * CEILING
    if name.url and provider.url:
        options[provider.url], headers = _address(name.url)
    if headers and provider.headers:
        options[provider.headers] = headers
    options |= _tokens(target, max_tokens, without)
    if provider.is_openai:
        options |= _openai_options(target, client)
    elif name.provider == "ollama":
        options["client_kwargs"] = {**client, "headers": headers}
    return options


def _openai_options(target: Target, client: Mapping[str, Any]) -> dict[str, Any]:
    """What langchain-openai's classes want besides."""
    import openai

    options: dict[str, Any] = {
        "http_async_client": openai.DefaultAsyncHttpxClient(**client),
        "openai_proxy": "",  # which is the client's matter
    }
    if not os.environ.get(target.provider.key or ""):
        options["api_key"] = "none"
    if target.name.provider == "openai" and target.name.url:
        options["use_responses_api"] = False  # which langchain-openai prefers for some names
    if target.name.provider == "azure_openai":
        options["azure_deployment"] = target.name.model
    return options


def _tokens(target: Target, max_tokens: int, without: Collection[str]) -> dict[str, Any]:
    """The option that limits a reply's length."""
    if target.name.provider == "ollama":
        return {"num_predict": max_tokens}
    if target.name.provider == "cohere":
        return {}  # said with the call
    if target.name.provider == "openai" and target.name.url and "max_tokens" not in without:
        # langchain-openai says max_completion_tokens, which many a server passes over.
        return {"extra_body": {"max_tokens": max_tokens}}
    return {"max_tokens": max_tokens}


def _address(url: str) -> tuple[str, dict[str, str]]:
    """`url` without its user and password, and the header that says them; clients log a URL."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, {}
    said = base64.b64encode(unquote(user).encode()).decode()
    return urlunsplit(parts._replace(netloc=host)), {"Authorization": f"Basic {said}"}


def is_model_there(settings: AnswerSettings, timeout_s: float) -> bool:
    """Whether something listens where the engine in use is served, as far as that can be told; nothing
    is asked of it. True for quotes."""
    if settings.engine == QUOTES:
        return True
    try:
        check_reachable(settings.engine, settings, timeout_s)
    except DatelineError:
        return False
    return True
