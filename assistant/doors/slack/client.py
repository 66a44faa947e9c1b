"""Our side of Slack's libraries, which no other module imports: calls of its Web API, and its events."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
from slack_bolt.adapter.fastapi.async_handler import AsyncSlackRequestHandler
from slack_bolt.adapter.socket_mode.async_internals import run_async_bolt_app
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
    AsyncServerErrorRetryHandler,
)
from slack_sdk.signature import SignatureVerifier
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.web.async_client import AsyncWebClient

from assistant.doors.slack.socket_mode import SocketMode
from assistant.settings import Settings
from indexing.errors import DatelineError, SettingsError

log = logging.getLogger(__name__)

API = "https://slack.com/api/"
"""The root of Slack's Web API."""
MOST_RETRIES = 20
"""How often a call that Slack found too many is made again, each time after the wait it asked for."""
TIMEOUT_S = 30

NO_REASON = "for no reason it gave"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are in Slack."""

    team: str
    user: str
    bot: str


class Client:
    """Slack's Web API as one app may call it, and what turns its events to our handlers.

    `web` makes the calls. `open` and `close` are called once each.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None
        self._knowing = asyncio.Lock()
        self.identity: Identity | None = None
        """Who we are, None until `who` has asked."""
        self.web = self._new_client(settings.slack_bot_token)

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))
        self.web.session = self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _new_client(self, token: str | None) -> AsyncWebClient:
        return AsyncWebClient(
            token=token,
            base_url=API,
            timeout=TIMEOUT_S,
            logger=_quiet_logger(),
            retry_handlers=[
                AsyncRateLimitErrorRetryHandler(max_retry_count=MOST_RETRIES),
                AsyncConnectionErrorRetryHandler(),
                AsyncServerErrorRetryHandler(),
            ],
        )

    def bolt(self) -> AsyncApp:
        """What events, commands and clicks are handed to, without handlers yet."""

        async def authorize(enterprise_id: str | None) -> AuthorizeResult:
            who = await self.who()
            return AuthorizeResult(
                enterprise_id=enterprise_id,
                team_id=who.team,
                bot_user_id=who.user,
                bot_id=who.bot,
                bot_token=self._settings.slack_bot_token,
            )

        return AsyncApp(
            name="dateline",
            logger=_quiet_logger(),
            client=self._new_client(None),
            authorize=authorize,
            signing_secret=self._settings.slack_signing_secret,
            # Ours only note what to do: what Slack is told we have got is then not lost.
            process_before_response=True,
        )

    async def who(self) -> Identity:
        """Who we are, asked once. Raises SettingsError and DatelineError."""
        async with self._knowing:
            if self.identity is None:
                try:
                    told = await self.web.auth_test()
                except Exception as exc:  # noqa: BLE001 - each library raises its own, an odd reply anything
                    raise self._in_words(exc, "DATELINE_SLACK_BOT_TOKEN") from None
                team, user, bot = (str(told.get(k) or "") for k in ("team_id", "user_id", "bot_id"))
                self.identity = Identity(team, user, bot)
            return self.identity

    async def socket(self, app: AsyncApp) -> tuple[SocketMode, str]:
        """Brings events to `app` while its `listen` is given that first address. Raises as `who` does."""
        assert self._session is not None, "open() comes first"

        async def hear(envelope: dict[str, Any]) -> dict[str, Any] | None:
            return await _hear(app, envelope)

        socket = SocketMode(self._session, self._open_socket, hear, self.web.proxy)
        return socket, await self._open_socket()

    async def _open_socket(self) -> str:
        """The address of a new connection. Raises SettingsError and DatelineError."""
        try:
            token = self._settings.slack_app_token
            return str((await self.web.apps_connections_open(app_token=token))["url"])
        except Exception as exc:  # noqa: BLE001 - each library raises its own, an odd reply anything
            raise self._in_words(exc, "DATELINE_SLACK_APP_TOKEN") from None

    def _in_words(self, error: Exception, variable: str) -> DatelineError:
        if refusal(error) not in (None, NO_REASON):
            return SettingsError(
                f"Slack does not accept {variable} ({refusal(error)}); copy it anew from the app's page "
                "at https://api.slack.com/apps, and see that the app is installed"
            )
        return DatelineError(
            f"Slack cannot be reached at {API} ({type(error).__name__}); "
            "see whether this machine is online"
        )


async def _hear(app: AsyncApp, envelope: dict[str, Any]) -> dict[str, Any] | None:
    """What acknowledges an envelope of Socket Mode; None where it could not be taken."""
    try:
        request = SocketModeRequest.from_dict(envelope)
        if request is None:
            return {}
        response = await run_async_bolt_app(app, request)
    except Exception:
        log.exception("an event of Slack could not be read")
        return None
    if response.status != 200:
        return None
    return {"payload": {"text": response.body}} if response.body else {}


class Signed:
    """Events over HTTP, for `app`."""

    def __init__(self, app: AsyncApp, secret: str) -> None:
        self._verifier = SignatureVerifier(secret)
        self.handler = AsyncSlackRequestHandler(app)

    def holds(self, body: bytes, headers: Mapping[str, str]) -> bool:
        """Whether Slack signed it, a short while ago."""
        time = headers.get("x-slack-request-timestamp", "")
        signature = headers.get("x-slack-signature", "")
        if not re.fullmatch(r"[0-9]{1,12}", time) or not re.fullmatch(
            r"v0=[0-9a-f]{64}", signature
        ):
            return False
        try:
            return self._verifier.is_valid(body, time, signature)
        except UnicodeDecodeError:
            return False


def refusal(error: BaseException) -> str | None:
    """Slack's word for an error; nothing else of its answer, which may repeat a token. None for an
    error that is not Slack's."""
    if not isinstance(error, SlackApiError):
        return None
    with suppress(Exception):
        code = str(error.response["error"])
        if re.fullmatch(r"[a-z0-9_]{1,60}", code):
            return code
    return NO_REASON


def reason(error: Exception) -> str:
    """What is logged of an error; its own text may hold what people wrote."""
    code = refusal(error)
    return type(error).__name__ if code is None else f"Slack refuses it: {code}"


def _quiet_logger() -> logging.Logger:
    """The logger of Slack's libraries: at lower levels they log what people wrote."""
    logger = logging.getLogger(f"{__name__}.library")
    logger.setLevel(logging.WARNING)
    return logger
