"""What answering and the doors are told besides indexing: one object, read once."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from typing import ClassVar, Self

from indexing.errors import SettingsError
from indexing.settings import BUNDLED, IndexSettings

QUOTES = "quotes"
"""The engine that needs no chat model."""
NO_SETTING = "DATELINE_DEBUG"
"""A variable that steers the command line, and not an answer."""
REWRITE, RERANK, SEARCH = HELPS = ("rewrite", "rerank", "search")
"""What a chat model may do besides writing."""


@dataclass(frozen=True, slots=True)
class AnswerSettings(IndexSettings):
    """What a user can set of how questions are answered.

    `reranker` is "bundled", a sentence-transformers model by name or folder, or "none". `model` lists
    the chat models on offer, `provider:model` or `provider:model@URL`, with commas between them;
    `engine` is what answers: "quotes", one of them, or any other such name. Where a model is given and
    no engine, the first model answers. `model_timeout_s` is the longest wait for a model's next
    words. `model_helps` says what a model may do besides writing, with commas: "rewrite" follow-up
    questions as whole ones, "rerank" the sentences found, and "search" in other words where those
    lack support; or "none". `entailment` is "none" or a sentence-transformers CrossEncoder by name
    or folder.
    """

    LEAST: ClassVar[Mapping[str, int]] = {
        **IndexSettings.LEAST,
        "model_timeout_s": 1,
    }

    reranker: str = BUNDLED
    engine: str = QUOTES
    model: str = ""
    model_timeout_s: int = 30
    model_helps: str = REWRITE
    entailment: str = "none"

    @property
    def models(self) -> tuple[str, ...]:
        """The chat models on offer, the preferred one first."""
        return tuple(dict.fromkeys(name.strip() for name in self.model.split(",") if name.strip()))

    @property
    def helps(self) -> frozenset[str]:
        """What a chat model may do besides writing."""
        return frozenset(name.strip() for name in self.model_helps.split(",")) - {"none"}

    def check(self) -> None:
        """Raises SettingsError naming the variable for a value that cannot be used."""
        IndexSettings.check(self)
        if not self.helps <= set(HELPS):
            raise SettingsError(
                f"DATELINE_MODEL_HELPS must be none, or of {', '.join(HELPS)} with commas between them, "
                f"got {self.model_helps!r}"
            )

    def completed(self, given: Collection[str]) -> Self:
        """With the first model as the engine, where there is one and no engine is given."""
        if self.models and "engine" not in given:
            return replace(self, engine=self.models[0])
        return self


@dataclass(frozen=True, slots=True)
class Settings(AnswerSettings):
    """Every value a user can set: what the doors are told, and all below them.

    `sign_in` says how people sign in to the chat page: "none", "password", "oidc", or the last two
    with a comma between them; where it is "none", `open_to_all` must be on to serve other machines.
    `public_url` is the address people reach the page at, where that is not host and port. The
    `oidc_*` describe the provider of identities; `oidc_allow` lists the addresses it may send, with
    commas and `*` ("*@example.org"). `database_url` is a Postgres URL for conversations; without one
    they are kept in the index.
    `api_keys` says when the HTTP API wants a key: "required", or "auto", where the page asks to sign
    in. `requests_per_minute` may be asked with one key, or from one address without a key, 0 for any
    number. `cors` lists origins whose pages may call the API, with
    commas. `log` is "off", "text" or "json"; only with `log_questions` does it hold what was asked.
    `traces_url` is an OTLP/HTTP endpoint. `slack_bot_token`, with `slack_app_token` (Socket Mode) or
    `slack_signing_secret` (events over HTTP), are those of a Slack app; `slack_channels` says which
    sources each channel may be answered from.
    """

    LEAST: ClassVar[Mapping[str, int]] = {
        **AnswerSettings.LEAST,
        "port": 0,
        "requests_per_minute": 0,
    }
    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "api_keys": ("auto", "required"),
        "log": ("off", "text", "json"),
    }

    host: str = "127.0.0.1"
    port: int = 8000
    database_url: str = ""
    sign_in: str = "none"
    open_to_all: bool = False
    public_url: str = ""
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: str = ""
    oidc_allow: str = "*"
    api_keys: str = "auto"
    requests_per_minute: int = 600
    cors: str = ""
    log: str = "off"
    log_questions: bool = False
    traces_url: str = ""
    slack_bot_token: str = ""
    slack_app_token: str = ""
    slack_signing_secret: str = ""
    slack_channels: str = ""

    def check(self) -> None:
        """Raises SettingsError naming the variable for a value that cannot be used."""
        AnswerSettings.check(self)
        if self.port > 65535:
            raise SettingsError(f"DATELINE_PORT must be 65535 or less, got {self.port}")
        _check_sign_in(self)


def unknown(env: Mapping[str, str]) -> list[str]:
    """The variables in `env` that are named like settings, and are none."""
    known = {f"DATELINE_{f.name.upper()}" for f in fields(Settings)} | {NO_SETTING}
    return sorted(name for name in env if name.startswith("DATELINE_") and name not in known)


def _check_sign_in(settings: Settings) -> None:
    ways = {way.strip() for way in settings.sign_in.split(",")}
    if ways != {"none"} and not (ways and ways <= {"password", "oidc"}):
        raise SettingsError(
            f"DATELINE_SIGN_IN must be none, password, oidc, or password,oidc, got {settings.sign_in!r}"
        )
    if settings.public_url and not re.fullmatch(
        r"https?://(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?/?", settings.public_url
    ):
        raise SettingsError(
            "DATELINE_PUBLIC_URL must be https:// and a host, without a path, such as "
            f"https://news.example.org, got {settings.public_url!r}"
        )
    if "oidc" not in ways:
        return
    for name in ("oidc_issuer", "oidc_client_id"):
        if not getattr(settings, name):
            raise SettingsError(f"DATELINE_SIGN_IN is oidc: set DATELINE_{name.upper()} too")
    if not re.fullmatch(
        r"https://\S+|http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?(/\S*)?",
        settings.oidc_issuer,
    ):
        raise SettingsError(
            f"DATELINE_OIDC_ISSUER must be an address with https://, got {settings.oidc_issuer!r}"
        )
    if settings.host not in ("127.0.0.1", "localhost", "::1") and not settings.public_url:
        raise SettingsError(
            "DATELINE_SIGN_IN is oidc and other machines are served: set DATELINE_PUBLIC_URL, the "
            "address that the provider sends people back to"
        )
