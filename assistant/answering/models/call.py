"""Any chat model that LangChain knows, by its name, made safe to call.

Every call has a thread, an event loop and connections of its own, and none of them outlives it:
cancelling a task is the one way to close a connection at once, whatever the server does, that the
clients of all providers share. Errors are told in words of ours, for a provider's may repeat a key.
"""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import os
import queue
import re
import socket
import threading
import time
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from inspect import isawaitable
from operator import attrgetter
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit, urlunsplit

from indexing.errors import ModelError, SettingsError
from indexing.settings import Settings

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage
    from tenacity import RetryCallState

Message = tuple[str, str]
"""A role, "system", "human" or "ai", and a text."""

CEILING = 10
"""A whole call may take this many times `model_timeout_s`."""
POLL_S = 0.05
"""How often a call that waits looks whether it is still wanted."""
CLOSING_S = 2.0
"""The longest that a call waits for its connection to close."""
AFTER_FINISH_S = 5.0
"""The longest wait, after a reply's end, for the count of its tokens."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 8.0
"""Between a call and the next one of its kind: doubled each time, and up to the first more."""
PIECES_AHEAD = 4096
"""Pieces read before they are asked for: most replies whole, so that the place is free again."""


def never() -> bool:
    return False


# Names


@dataclass(frozen=True, slots=True)
class ModelName:
    """A chat model as a user names it: "openai:gpt-5", "openai:local@http://127.0.0.1:8080/v1".

    `url` may hold a user and a password, and is in none of the texts made of this.
    """

    provider: str
    model: str
    url: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, text: str, default_url: str = "") -> ModelName:
        """What `text` names; `default_url` (DATELINE_MODEL_URL) is for a name without a URL.

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
        model, url = with_url.groups() if with_url else (rest, default_url.strip())
        which = f"the URL of {provider}:{model}" if with_url else "DATELINE_MODEL_URL"
        if not with_url and re.search(r"@[\w.-]+:[0-9]+(/|$)|@localhost\b", rest):
            model = rest.rpartition("@")[0]
            raise SettingsError(
                f"the URL of {provider}:{model} must begin with http:// or https://"
            )
        return cls(provider, model, _checked(url, which) if url else None)

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


# What calls cost


@dataclass(frozen=True, slots=True)
class Usage:
    """What calls cost; a number of tokens is None where no server said one.

    A call that was made again counts once.
    """

    calls: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.calls + other.calls,
            _sum(self.input_tokens, other.input_tokens),
            _sum(self.output_tokens, other.output_tokens),
        )


def _sum(a: int | None, b: int | None) -> int | None:
    return b if a is None else a if b is None else a + b


# Providers


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
class _Target:
    """A model that is called, and the settings it is called with."""

    name: ModelName
    provider: _Provider
    settings: Settings

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


def is_ready(name: str, settings: Settings) -> None:
    """Whether `name` can be opened, as far as can be told without opening it.

    Raises SettingsError as `open_chat_model` does.
    """
    _target(name, settings)


def check_reachable(name: str, settings: Settings, timeout_s: float) -> None:
    """Raises ModelError where nothing listens at the address of `name`; SettingsError as
    `open_chat_model` does. One without an address is served by its provider, who is not called."""
    target = _target(name, settings)
    url = urlsplit(target.name.url or "")
    if not url.hostname:
        return
    try:
        port = url.port or {"http": 80, "https": 443}[url.scheme]
        socket.create_connection((url.hostname, port), timeout_s).close()
    except OSError as exc:
        raise ModelError(f"nothing answers{target.at_host} ({type(exc).__name__})") from exc


def open_chat_model(name: str, settings: Settings) -> ChatModel:
    """The chat model `name`; nothing is asked of it yet, so it may not be there.

    Raises SettingsError for a malformed name, for a package that is not installed and for a key
    that is not in the environment.
    """
    target = _target(name, settings)
    try:
        _built(target, settings.model_tokens, frozenset())
    except ImportError:
        raise SettingsError(_missing(target)) from None
    except Exception as exc:  # each provider's package has its own, whose texts may hold a key
        raise SettingsError(f"{target.name} cannot be opened ({type(exc).__name__})") from None
    return ChatModel(target)


def _target(name: str, settings: Settings) -> _Target:
    """The model `name`, when all it needs is there. Raises SettingsError."""
    parsed = ModelName.parse(name, settings.model_url)
    target = _Target(parsed, _PROVIDERS[parsed.provider], settings)
    provider = target.provider
    if parsed.url and provider.url is None:
        raise SettingsError(f"{parsed} is served by its provider alone and takes no URL")
    takes_user = provider.headers or parsed.provider == "ollama"
    if parsed.url and not takes_user and "@" in urlsplit(parsed.url).netloc:
        raise SettingsError(f"{parsed} takes no user and password in its URL")
    if importlib.util.find_spec(provider.module) is None:
        raise SettingsError(_missing(target))
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


def _missing(target: _Target) -> str:
    return (
        f"{target.name} needs the package {target.provider.package}:"
        f" pip install 'dateline[{target.provider.extra}]'"
    )


def _adaptable(target: _Target) -> Iterator[str]:
    """What a request asks for that some servers refuse, by the word in their refusal."""
    yield "temperature"
    if target.provider.is_openai:
        yield "stream_options"
    if target.name.provider == "openai" and target.name.url:
        yield "max_tokens"


def _built(target: _Target, max_tokens: int, without: Collection[str]) -> BaseChatModel:
    """The model, with connections of its own, none of them open. `without`: of `_adaptable`.

    Raises what its package raises.
    """
    from langchain.chat_models import init_chat_model

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
    # No redirection is followed: it would take the prompt, and maybe the key, to another place.
    client: dict[str, Any] = {"follow_redirects": False}
    if target.is_here:
        client["mounts"] = dict.fromkeys(("http://", "https://", "all://"))  # by no proxy
    elif proxy := os.environ.get(provider.proxy):
        client["proxy"] = proxy
    if provider.is_openai:
        import openai

        options["http_async_client"] = openai.DefaultAsyncHttpxClient(**client)
        options["openai_proxy"] = ""  # which is the client's matter
        if not os.environ.get(provider.key or ""):
            options["api_key"] = "none"
    elif name.provider == "ollama":
        options["client_kwargs"] = {**client, "headers": headers}
    if name.provider == "openai" and name.url:
        options["use_responses_api"] = False  # which langchain-openai prefers for some names
    if name.provider == "azure_openai":
        options["azure_deployment"] = name.model
    chat: BaseChatModel = init_chat_model(name.model, model_provider=name.provider, **options)
    if name.provider == "anthropic":
        import anthropic

        # Its own is kept for all models of a process, whatever their event loop.
        own = anthropic.DefaultAsyncHttpxClient(**client)
        chat.__dict__["_async_client"] = attrgetter("_async_client")(chat).with_options(
            http_client=own
        )
    return chat


def _tokens(target: _Target, max_tokens: int, without: Collection[str]) -> dict[str, Any]:
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


# Calls


class ChatModel:
    """A chat model that can be called from many threads at once. Made by `open_chat_model`."""

    def __init__(self, target: _Target) -> None:
        self.name = str(target.name)
        self._target = target
        self._without: frozenset[str] = frozenset()  # of what can be asked for, by `_adaptable`
        self._places = threading.BoundedSemaphore(target.settings.model_concurrency)
        self._lock = threading.Lock()
        self._usage = Usage()

    @property
    def usage(self) -> Usage:
        """What all calls so far cost."""
        with self._lock:
            return self._usage

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int | None = None,
        cancelled: Callable[[], bool] = never,
        spent: Callable[[Usage], None] | None = None,
    ) -> Generator[str, None, None]:
        """The reply, piece by piece as it arrives, as long as there is one and it is wanted.

        `max_tokens`, `model_tokens` where None: of the reply, which then just ends. `cancelled` is
        asked at least every 0.1 s; once true, the pieces end. `spent` is told, once, what the call
        cost, also when it failed or was cancelled; never where the model was not called. Closing
        the iterator closes the connection.
        Raises ModelError for a reply that is none, and for one that breaks off.
        """
        from langchain_core.messages import convert_to_messages

        prompt = convert_to_messages(messages)
        if not self._has_place(cancelled):
            return
        most = self._target.settings.model_tokens if max_tokens is None else max_tokens
        call = _Call(self, prompt, most)
        try:
            yield from call.pieces(cancelled)
        finally:
            call.close()
            with self._lock:
                self._usage += call.used
            if spent and call.used.calls:
                spent(call.used)

    def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int | None = None,
        cancelled: Callable[[], bool] = never,
        spent: Callable[[Usage], None] | None = None,
    ) -> str:
        """The whole reply, or what there was of it when `cancelled`. Raises ModelError."""
        return "".join(
            self.stream(messages, max_tokens=max_tokens, cancelled=cancelled, spent=spent)
        )

    def _has_place(self, cancelled: Callable[[], bool]) -> bool:
        """Waits for one of the places; False when cancelled. Raises ModelError after the time-out."""
        settings = self._target.settings
        until = time.monotonic() + settings.model_timeout_s
        while not cancelled():
            if self._places.acquire(timeout=POLL_S):
                return True
            if time.monotonic() > until:
                raise ModelError(
                    f"{self.name} is busy: {settings.model_concurrency} calls at once are all it is"
                    " given; ask again later, or raise DATELINE_MODEL_CONCURRENCY"
                )
        return False


class _Call:
    """One call of a model, which has a place: read in a thread of its own until it is closed."""

    def __init__(self, model: ChatModel, prompt: list[BaseMessage], max_tokens: int) -> None:
        self.used = Usage()
        self._model = model
        self._target = model._target
        self._prompt = prompt
        self._max_tokens = max_tokens
        self._failure = ""
        self._queue: queue.Queue[str | None] = queue.Queue(PIECES_AHEAD)  # None: that was all
        self._has_begun = False  # to speak
        self._has_ended = False
        self._running = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._thread = threading.Thread(target=self._work, name="dateline-model", daemon=True)

    def pieces(self, cancelled: Callable[[], bool]) -> Iterator[str]:
        """What the model says. Raises ModelError."""
        try:
            self._thread.start()
        except RuntimeError:
            self._model._places.release()
            raise ModelError(
                f"{self._target.name} cannot be called: too many threads are at work"
            ) from None
        while not cancelled():
            is_alive = self._thread.is_alive()
            try:
                piece = self._queue.get(timeout=POLL_S)
            except queue.Empty:
                if is_alive:
                    continue
                piece = None
            if piece is None:
                self._has_ended = True
                if self._failure:
                    raise ModelError(self._failure)
                return
            yield piece

    def close(self) -> None:
        """Ends the call, its connection and its thread."""
        if self._thread.ident is None:
            return
        self._running.wait()
        if not self._has_ended and self._loop and self._task:
            with suppress(RuntimeError):  # its loop has ended meanwhile
                self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(CLOSING_S)

    def _work(self) -> None:
        try:
            # Not asyncio.run, which nest_asyncio, where ragas has been imported, replaces.
            with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
                runner.run(self._run())
        except asyncio.CancelledError:  # by `close`, after which nobody asks why
            self._failure = _cut_off(self._target, self._has_begun).message
        except Exception as exc:
            self._failure = self._failure or _failure(self._target, exc, self._has_begun).message
        finally:
            self._model._places.release()
            self._running.set()

    async def _run(self) -> None:
        from langsmith import tracing_context
        from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        self._running.set()
        self._ceiling = self._loop.time() + self._target.settings.model_timeout_s * CEILING
        again = AsyncRetrying(
            sleep=asyncio.sleep,
            stop=stop_after_attempt(1 + self._target.settings.model_retries),
            wait=_pause,
            retry=retry_if_exception(lambda exc: isinstance(exc, _Failure) and exc.is_passing),
            reraise=True,
        )
        self.used = Usage(calls=1)
        try:
            with tracing_context(enabled=False):
                await again(self._ask)
        except _Failure as failure:
            self._failure = failure.message
        await self._hand_over(None)

    async def _ask(self) -> None:
        """One request, or one more for each thing asked for that the server refuses.

        Raises _Failure.
        """
        while True:
            without = self._model._without
            try:
                await self._request(without)
                return
            except _Failure:
                raise
            except Exception as exc:
                refused = "" if self._has_begun else _refused(self._target, exc)
                if refused and refused not in without:
                    self._model._without = without | {refused}
                    continue
                raise _failure(self._target, exc, self._has_begun) from exc

    async def _request(self, without: Collection[str]) -> None:
        chat = _built(self._target, self._max_tokens, without)
        try:
            await self._read(chat)
        finally:
            with suppress(Exception):  # one that was never opened, or is closed already
                async with asyncio.timeout(CLOSING_S):
                    connections = attrgetter(self._target.provider.connections)(chat)
                    closing = getattr(connections, "aclose", None) or connections.close
                    if isawaitable(closed := closing()):
                        await closed

    async def _read(self, chat: BaseChatModel) -> None:
        """Hands over what the model says. Raises _Failure, and what its package raises."""
        loop, timeout_s = asyncio.get_running_loop(), self._target.settings.model_timeout_s
        is_cohere = self._target.name.provider == "cohere"
        with_call: dict[str, Any] = {"max_tokens": self._max_tokens} if is_cohere else {}
        spoken, finish = _Spoken(), ""
        until = loop.time() + timeout_s
        async with aclosing(chat.astream(self._prompt, **with_call)) as chunks:  # type: ignore[type-var]
            while True:
                try:
                    async with asyncio.timeout_at(min(until, self._ceiling)):
                        chunk = await anext(chunks, None)
                except Exception as exc:
                    if finish:
                        break  # all has been said
                    if isinstance(exc, TimeoutError):
                        raise self._too_slow() from None
                    raise
                if chunk is None:
                    break
                if counted := chunk.usage_metadata:
                    self.used += Usage(0, counted["input_tokens"], counted["output_tokens"])
                finish = _finish(chunk) or finish
                if text := spoken(chunk.text):
                    self._has_begun = True
                    self._ceiling += await self._hand_over(text)
                    until = loop.time() + timeout_s
                if finish:
                    until = min(until, loop.time() + AFTER_FINISH_S)
        name = self._target.name
        if finish in _REFUSALS:
            raise _Failure(f"{name} refused to answer ({finish.replace('_', ' ')})")
        if not finish or finish in _ERRORS:
            raise _cut_off(self._target, self._has_begun)
        if self._has_begun:
            return
        if finish in _CUT_SHORT:
            raise _Failure(
                f"{name} spent {self._max_tokens} tokens without a word to show; raise"
                " DATELINE_MODEL_TOKENS or choose another model"
            )
        raise _Failure(f"{name} said nothing, which may be its way to refuse")

    async def _hand_over(self, piece: str | None) -> float:
        """Puts `piece` where the caller takes it from, and says how long it took to find room."""
        since = time.monotonic()
        while True:
            try:
                self._queue.put_nowait(piece)
            except queue.Full:
                await asyncio.sleep(POLL_S / 5)
            else:
                return time.monotonic() - since

    def _too_slow(self) -> _Failure:
        name, timeout_s = self._target.name, self._target.settings.model_timeout_s
        if asyncio.get_running_loop().time() >= self._ceiling:
            return _Failure(
                f"{name} took longer than {timeout_s * CEILING} s over one answer; lower"
                " DATELINE_MODEL_TOKENS or choose a faster model"
            )
        how = "raise DATELINE_MODEL_TIMEOUT_S or choose a faster model"
        if self._has_begun:
            return _Failure(
                f"{name} fell silent in mid-answer, for longer than {timeout_s} s; {how}"
            )
        return _Failure(
            f"{name} took longer than {timeout_s} s to say a word; {how}", is_passing=True
        )


class _Spoken:
    """Of a reply's text, what is meant to be read.

    Some servers leave a model's reasoning in the text, as <think>...</think> before all else.
    """

    def __init__(self) -> None:
        self._held: str | None = ""

    def __call__(self, text: str) -> str:
        if self._held is None:
            return text
        self._held += text
        begun = self._held.lstrip()
        if begun.startswith("<think>"):
            _, end, self._held = begun.partition("</think>")
            if not end:
                self._held = begun
                return ""
            return self("")
        if "<think>".startswith(begun):
            return ""
        self._held = None
        return begun


_REFUSALS = {"content_filter", "content_filtered", "refusal", "guardrail_intervened", "safety",
             "recitation", "blocklist", "prohibited_content", "spii", "error_toxic"}  # fmt: skip
_ERRORS = {"error", "failed"}
_CUT_SHORT = {"length", "max_tokens", "max_output_tokens", "model_length"}


def _finish(chunk: Any) -> str:
    """Why the reply ends with this chunk, "stop" for one that is whole; empty where it goes on."""
    if isinstance(chunk.content, list):
        for block in chunk.content:
            if isinstance(block, dict) and block.get("type") == "refusal":
                return "refusal"
    said = chunk.response_metadata
    for field_name in ("finish_reason", "stop_reason", "done_reason", "stopReason"):
        if said.get(field_name):
            return str(said[field_name]).lower()
    if said.get("status") == "incomplete":  # of OpenAI's responses protocol, as is "completed"
        return str((said.get("incomplete_details") or {}).get("reason") or "incomplete").lower()
    return "stop" if said.get("status") == "completed" else ""


# Failures


class _Failure(Exception):
    """A request that failed, in the user's words.

    `is_passing`: the same one may succeed later, after `pause_s` where the server said.
    """

    def __init__(
        self, message: str, *, is_passing: bool = False, pause_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.is_passing = is_passing
        self.pause_s = pause_s


def _pause(state: RetryCallState) -> float:
    """The seconds before the next try: what the server asks for, else ever more, and not alike."""
    from tenacity import wait_exponential, wait_random

    failed = state.outcome.exception() if state.outcome else None
    if isinstance(failed, _Failure) and failed.pause_s is not None:
        return failed.pause_s
    grown = wait_exponential(FIRST_PAUSE_S, LONGEST_PAUSE_S) + wait_random(0, FIRST_PAUSE_S)
    return grown(state)


# The names of exceptions, or of their bases, for each client has its own.
_UNREACHABLE = {"ConnectError", "ConnectTimeout", "ConnectionRefusedError", "gaierror"}
_TIMEOUTS = {"TimeoutError", "TimeoutException", "APITimeoutError", "ModelTimeoutError"}
_BROKEN_OFF = {"OSError", "TransportError", "APIConnectionError", "ModelConnectionError"}
_RUBBISH = {
    "ValueError",
    "TypeError",
    "LookupError",
    "AttributeError",
    "APIResponseValidationError",
}
_TOO_LONG = re.compile(
    r"context.{0,20}(length|size|window)|(length|size).{0,20}context|prompt is too long"
    r"|too many (input )?tokens|too large for model|input is too long",
    re.IGNORECASE,
)
_PASSING = {408, 425, 429}
"""HTTP statuses after which the same request may succeed, as after any of 500 and more."""


def _failure(target: _Target, exc: Exception, has_begun: bool) -> _Failure:
    """What `exc`, of any client, means for the user."""
    name, chain = target.name, _chain(exc)
    kinds = {base.__name__ for each in chain for base in type(each).__mro__}
    status = _status(chain)
    if status is None and kinds & _RUBBISH and not kinds & (_UNREACHABLE | _TIMEOUTS | _BROKEN_OFF):
        where = f"{target.host} the right address" if target.host else "it the right model"
        return _Failure(f"{name} does not answer in the protocol of {name.provider}; is {where}?")
    if has_begun:
        return _cut_off(target, has_begun)
    if "ContextOverflowError" in kinds or status == 413:
        return _too_long(target)
    if status in (None, 400, 422, 500) and any(_TOO_LONG.search(str(each)) for each in chain):
        return _too_long(target)
    if status is not None:
        return _refusal(target, status, _retry_after(chain))
    if kinds & _UNREACHABLE or type(exc) is ConnectionError:
        advice = (
            "its server running" if target.host or not target.provider.key else "there a network"
        )
        return _Failure(f"{name} cannot be reached{target.at_host}; is {advice}?", is_passing=True)
    if kinds & _TIMEOUTS:
        return _Failure(f"{name} did not answer in time", is_passing=True)
    if kinds & _BROKEN_OFF:
        return _cut_off(target, has_begun)
    return _Failure(f"{name} answered with an error of its own ({type(exc).__name__})")


def _too_long(target: _Target) -> _Failure:
    return _Failure(f"the prompt is too long for {target.name}; choose a model that reads more")


def _cut_off(target: _Target, has_begun: bool) -> _Failure:
    if has_begun:
        return _Failure(f"{target.name} stopped in mid-answer")
    return _Failure(
        f"{target.name}{target.at_host} closed the connection without an answer", is_passing=True
    )


def _refusal(target: _Target, status: int, retry_after_s: float | None) -> _Failure:
    """What an answer of HTTP `status` means."""
    name, key = target.name, target.provider.key
    answered = f"(HTTP {status})"
    if status in (401, 403):
        if urlsplit(target.name.url or "").username:
            return _Failure(f"{name} refused the user and password of its URL {answered}")
        if not key:
            return _Failure(f"{name}{target.at_host} lets nobody in without a key {answered}")
        if not os.environ.get(key):
            return _Failure(f"{name}{target.at_host} wants a key: set {key} {answered}")
        return _Failure(f"{name} refused the key in {key} {answered}")
    if status == 404:
        if name.provider == "ollama":
            how = f"fetch it with: ollama pull {name.model}"
        else:
            how = "check its name" + (" and its URL" if target.host else "")
        return _Failure(f"{name} is not there{target.at_host} {answered}; {how}")
    if 300 <= status < 400:
        return _Failure(f"{name} has moved {answered}; check its URL")
    if status in _PASSING or status >= 500:
        timeout_s = target.settings.model_timeout_s
        message = f"{name} answered HTTP {status}"
        if status == 429:
            message = f"{name} takes no more requests for now {answered}"
        if retry_after_s is not None and retry_after_s > timeout_s:
            return _Failure(f"{message}; it asks to wait {retry_after_s:.0f} s")
        return _Failure(message, is_passing=True, pause_s=retry_after_s)
    return _Failure(f"{name} did not accept the request {answered}")


def _refused(target: _Target, exc: Exception) -> str:
    """Which of what the request asked for the server, or its client, names as not to be had."""
    chain = _chain(exc)
    if _status(chain) not in (None, 400, 422) or any(_TOO_LONG.search(str(e)) for e in chain):
        return ""
    said = " ".join(str(each) for each in chain)
    return next((word for word in _adaptable(target) if word in said), "")


def _chain(exc: BaseException) -> list[BaseException]:
    """`exc` and what led to it, innermost last."""
    found: list[BaseException] = []
    at: BaseException | None = exc
    while at is not None and at not in found:
        found.append(at)
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    return found


def _status(chain: Sequence[BaseException]) -> int | None:
    """The HTTP status that led to these, under whatever name their client keeps it."""
    for exc in chain:
        body = getattr(exc, "body", None)
        for value in (
            getattr(exc, "status_code", None),
            getattr(getattr(exc, "response", None), "status_code", None),
            getattr(exc, "code", None),
            body.get("code") if isinstance(body, dict) else None,
        ):
            if isinstance(value, int) and 300 <= value < 600:
                return int(value)
    return None


def _retry_after(chain: Sequence[BaseException]) -> float | None:
    """The seconds that the server asks to wait: RFC 9110, section 10.2.3."""
    for exc in chain:
        headers = getattr(getattr(exc, "response", None), "headers", None) or {}
        said = str(headers.get("retry-after") or "").strip()
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", said):
            return float(said)
        if said:
            with suppress(ValueError, OverflowError):
                return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    return None
