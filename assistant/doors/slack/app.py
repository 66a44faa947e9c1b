"""The front door in Slack: from its events, commands and clicks to one `Assistant`, and back.

The only module that imports Slack's libraries.
"""

from __future__ import annotations

import asyncio
import logging
import re
import signal
import threading
from collections import OrderedDict
from collections.abc import Coroutine, Hashable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import aiohttp
from fastapi import APIRouter, Request, Response
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

from assistant.doors.asking import Answering, Asking
from assistant.doors.conversation import HISTORY_TURNS, ReaderLimits
from assistant.doors.slack import blocks
from assistant.doors.slack.blocks import Message
from assistant.doors.slack.channels import channels
from assistant.doors.slack.kept import History, Kept, Place, Told, identifier
from assistant.doors.slack.socket_mode import SocketMode
from assistant.doors.workers import Workers
from assistant.keeping.conversations import Conversations, now, open_conversations
from assistant.schema import Answer, Claim
from indexing.errors import DatelineError, SettingsError, StoreError
from indexing.schema import Filters
from indexing.settings import Settings

log = logging.getLogger(__name__)

PATH = "/slack/events"
COMMAND = "/ask"
EVENTS = ("app_mention", "message.channels", "message.groups", "message.im")
SCOPE_OF = {
    "app_mention": "app_mentions:read",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
    COMMAND: "commands",
    "chat.postMessage": "chat:write",
    "chat.update": "chat:write",
    "chat.postEphemeral": "chat:write",
}
"""What Slack asks for each event, command and method that is used; the manifest asks for no more."""

UPDATE_S = 1.0
"""The least time between two updates of one message."""
MOST_RETRIES = 20
"""How often a call that Slack found too many is made again, each time after the wait it asked for."""
TIMEOUT_S = 30
REMEMBERED = 10_000
"""Events, and threads, that are remembered."""
LONGEST_BODY = 1_000_000
"""Bytes of a request that are read; Slack's own are far smaller."""
PAGES = 5
"""Pages of an old thread that are read for its history."""
STOPS_S = 5.0

ASK_SOMETHING = (
    "Write a question about the articles, such as: When is the report due? "
    "A reply in this thread is answered too."
)
APOLOGY = (
    "Sorry, something went wrong inside Dateline and there is no answer. Ask again; if it happens "
    "again, whoever runs Dateline can see why in its log."
)
STOPPED = "Dateline was stopped before there was an answer. Ask again in a minute."
TOO_LONG = "The answer took too long and was given up. Ask again."
UNINVITED = "Dateline is not in this channel. Invite it with /invite, and ask again."
NOT_NOTED = "Your vote could not be noted: {why}."

_NO_REASON = "for no reason it gave"
_REFUSED = "not_in_channel channel_not_found is_archived".split()
_ID = re.compile(r"[A-Z0-9]{2,30}")
_SUBTYPES = (None, "file_share", "thread_broadcast")
"""Messages that people wrote; others tell of edits, of people who join, of bots."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are in Slack."""

    team: str
    user: str
    bot: str


@dataclass(frozen=True, slots=True)
class Post:
    """A question in Slack. `place` is the thread it stands in or begins, `ts` its own; `asker` is who
    asks, as `kept.identifier` names him."""

    place: Place
    ts: str
    asker: str
    text: str

    @property
    def is_reply(self) -> bool:
        return self.place.root != self.ts

    @property
    def key(self) -> tuple[str, str]:
        """The same for all events that tell of this post."""
        return self.place.channel, self.ts


class Seen:
    """What was seen lately, the oldest forgotten first. Safe to share between threads."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._keys: OrderedDict[Hashable, None] = OrderedDict()

    def add(self, *keys: Hashable) -> bool:
        """Whether none of them was seen before; all of them are now."""
        with self._lock:
            is_new = not any(key in self._keys for key in keys)
            for key in keys:
                self._keys[key] = None
                self._keys.move_to_end(key)
            while len(self._keys) > self._most:
                self._keys.popitem(last=False)
            return is_new

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._keys

    def discard(self, key: Hashable) -> None:
        with self._lock:
            self._keys.pop(key, None)

    def __len__(self) -> int:
        return len(self._keys)


def check(settings: Settings) -> None:
    """Raises SettingsError, naming the variable, where Slack cannot be served with `settings`."""
    for name, start in (("bot_token", "xoxb-"), ("app_token", "xapp-")):
        value = getattr(settings, f"slack_{name}")
        variable = f"DATELINE_SLACK_{name.upper()}"
        if not value and name == "bot_token":
            raise SettingsError(
                f"{variable} is not set; Slack shows it under OAuth & Permissions, it begins with {start}"
            )
        if value and not re.fullmatch(rf"{start}[\x21-\x7e]+", value):
            raise SettingsError(f"{variable} is no such token: those of Slack begin with {start}")
    if not settings.slack_app_token and not settings.slack_signing_secret:
        raise SettingsError(
            "Slack needs DATELINE_SLACK_APP_TOKEN for Socket Mode, or DATELINE_SLACK_SIGNING_SECRET "
            "for events over HTTP; neither is set"
        )
    if not re.fullmatch(
        r"https://[^\s/@]+(/\S*)?|http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(/\S*)?",
        settings.slack_url,
    ):
        raise SettingsError(
            f"DATELINE_SLACK_URL must be an address with https://, got {settings.slack_url!r}"
        )
    channels(settings.slack_channels)


def create(
    settings: Settings,
    assistant: Answering,
    workers: Workers,
    conversations: Conversations,
) -> SlackDoor:
    """The door of `assistant`; asks Slack nothing yet. Raises SettingsError as `check` does."""
    check(settings)
    return SlackDoor(settings, assistant, workers, conversations)


class SlackDoor:
    """Answers in Slack. Its methods belong to one event loop.

    `router` serves `POST /slack/events`, None without a signing secret. `start` and `close` are called
    once each, whichever way events come; `run` does the first, and waits.
    """

    def __init__(
        self,
        settings: Settings,
        assistant: Answering,
        workers: Workers,
        conversations: Conversations,
    ) -> None:
        self._settings = settings
        self._assistant = assistant
        self._asking = Asking(assistant, settings, workers)
        self._kept = Kept(conversations)
        self._channels = channels(settings.slack_channels)
        self._seen = Seen()
        self._joined = Seen()
        self._foreign = Seen()
        self._tasks: set[asyncio.Task[None]] = set()
        self._voting = asyncio.Lock()
        self._knowing = asyncio.Lock()
        self._identity: Identity | None = None
        self._closed = asyncio.Event()
        self._session: aiohttp.ClientSession | None = None
        self._client = self._new_client(settings.slack_bot_token)
        self._app = self._bolt()
        self.router = self._routes() if settings.slack_signing_secret else None

    # Starting and stopping

    async def start(self) -> None:
        """Makes sure that Slack knows us, and with an app token listens in Socket Mode from now on.

        Raises SettingsError for a token that Slack refuses, DatelineError where it cannot be reached.
        """
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))
        self._client.session = self._session
        try:
            await self._who()
            if self._settings.slack_app_token:
                socket = SocketMode(
                    self._session, self._open_socket, self._hear, self._client.proxy
                )
                self._spawn(socket.listen(await self._open_socket()))
        except BaseException:
            await self.close()
            raise

    async def run(self) -> None:
        """Answers until it is closed. Raises as `start` does."""
        await self.start()
        await self._closed.wait()

    async def close(self) -> None:
        """Stops listening; answers that are not there yet say so."""
        self._closed.set()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOPS_S)
        if self._session is not None:
            await self._session.close()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)  # the loop holds tasks by weak references only
        task.add_done_callback(self._tasks.discard)

    async def idle(self) -> None:
        """Waits until nothing is being answered; with Socket Mode that is never."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    # Slack's libraries

    def _new_client(self, token: str | None) -> AsyncWebClient:
        return AsyncWebClient(
            token=token,
            base_url=self._settings.slack_url,
            timeout=TIMEOUT_S,
            logger=_quiet_logger(),
            retry_handlers=[
                AsyncRateLimitErrorRetryHandler(max_retry_count=MOST_RETRIES),
                AsyncConnectionErrorRetryHandler(),
                AsyncServerErrorRetryHandler(),
            ],
        )

    def _bolt(self) -> AsyncApp:
        async def authorize(enterprise_id: str | None) -> AuthorizeResult:
            who = await self._who()
            return AuthorizeResult(
                enterprise_id=enterprise_id,
                team_id=who.team,
                bot_user_id=who.user,
                bot_id=who.bot,
                bot_token=self._settings.slack_bot_token,
            )

        app = AsyncApp(
            name="dateline",
            logger=_quiet_logger(),
            client=self._new_client(None),
            authorize=authorize,
            signing_secret=self._settings.slack_signing_secret,
            # Ours only note what to do: what Slack is told we have got is then not lost.
            process_before_response=True,
        )
        app.event("app_mention")(self._on_mention)
        app.event("message")(self._on_message)
        app.command(COMMAND)(self._on_command)
        app.action(blocks.RATE_UP)(self._on_vote)
        app.action(blocks.RATE_DOWN)(self._on_vote)
        return app

    async def _who(self) -> Identity:
        """Who we are, asked once. Raises SettingsError and DatelineError."""
        async with self._knowing:
            if self._identity is None:
                try:
                    told = await self._client.auth_test()
                except Exception as exc:  # noqa: BLE001 - each library raises its own, an odd reply anything
                    raise self._in_words(exc, "DATELINE_SLACK_BOT_TOKEN") from None
                team, user, bot = (str(told.get(k) or "") for k in ("team_id", "user_id", "bot_id"))
                self._identity = Identity(team, user, bot)
            return self._identity

    async def _open_socket(self) -> str:
        """The address of a new connection. Raises SettingsError and DatelineError."""
        try:
            token = self._settings.slack_app_token
            return str((await self._client.apps_connections_open(app_token=token))["url"])
        except Exception as exc:  # noqa: BLE001 - each library raises its own, an odd reply anything
            raise self._in_words(exc, "DATELINE_SLACK_APP_TOKEN") from None

    def _in_words(self, error: Exception, variable: str) -> DatelineError:
        if isinstance(error, SlackApiError) and _code(error) != _NO_REASON:
            return SettingsError(
                f"Slack does not accept {variable} ({_code(error)}); copy it anew from the app's page "
                "at https://api.slack.com/apps, and see that the app is installed"
            )
        return DatelineError(
            f"Slack cannot be reached at {self._settings.slack_url} ({type(error).__name__}); "
            "see whether this machine is online, and DATELINE_SLACK_URL"
        )

    async def _hear(self, envelope: dict[str, Any]) -> dict[str, Any] | None:
        """What acknowledges an envelope of Socket Mode; None where it could not be taken."""
        try:
            request = SocketModeRequest.from_dict(envelope)
            if request is None:
                return {}
            response = await run_async_bolt_app(self._app, request)
        except Exception:
            log.exception("an event of Slack could not be read")
            return None
        if response.status != 200:
            return None
        return {"payload": {"text": response.body}} if response.body else {}

    def _routes(self) -> APIRouter:
        router = APIRouter()
        handler = AsyncSlackRequestHandler(self._app)
        verifier = SignatureVerifier(self._settings.slack_signing_secret)

        @router.post(PATH, include_in_schema=False)
        async def events(request: Request) -> Response:
            if not _is_short(request):
                return Response("the request is too long", status_code=413)
            # Bolt checks it too, but reads the body before, and fails on a time that is no number.
            if not _is_signed(verifier, await request.body(), request.headers):
                return Response('{"error": "invalid request"}', 401, media_type="application/json")
            return await handler.handle(request)

        return router

    # What Slack tells

    async def _on_mention(self, event: dict[str, Any], body: dict[str, Any]) -> None:
        post = self._post(event, body)
        if post is not None and self._seen.add(_event_id(body), post.key):
            self._spawn(self._answer(post))

    async def _on_message(self, event: dict[str, Any], body: dict[str, Any]) -> None:
        post = self._post(event, body)
        if post is None:
            return
        if event.get("channel_type") == "im":
            if self._seen.add(_event_id(body), post.key):
                self._spawn(self._answer(post))
        elif post.is_reply:
            self._spawn(self._follow_up(post, body))

    async def _on_command(self, ack: Any, body: dict[str, Any], respond: Any) -> None:
        question = blocks.question_of(str(body.get("text") or ""), "")
        if not question:
            await ack(text=f"Write a question after {COMMAND}, such as: {COMMAND} When is it due?")
            return
        await ack()
        if self._seen.add(("command", body.get("trigger_id"))):
            self._spawn(self._command(body, question, respond))

    async def _on_vote(self, ack: Any, body: dict[str, Any], action: dict[str, Any]) -> None:
        await ack()
        self._spawn(self._vote(body, action))

    def _post(self, event: Mapping[str, Any], body: Mapping[str, Any]) -> Post | None:
        """The question of an event; None where it is none that a person wrote."""
        if event.get("subtype") not in _SUBTYPES or event.get("bot_id") or event.get("hidden"):
            return None
        who = self._identity
        team = str(event.get("user_team") or event.get("team") or body.get("team_id") or "")
        channel, user = str(event.get("channel") or ""), str(event.get("user") or "")
        ts = str(event.get("ts") or "")
        if who is None or user == who.user or not ts:
            return None
        if not all(map(_ID.fullmatch, (team, channel, user))):
            return None
        place = Place(who.team, channel, str(event.get("thread_ts") or ts))
        return Post(place, ts, identifier(team, user), str(event.get("text") or ""))

    # Answers

    async def _follow_up(self, post: Post, body: Mapping[str, Any]) -> None:
        """Answers a reply without a mention, where the thread is one of ours."""
        try:
            who = await self._who()
            is_ours = await self._is_ours(post, who)
        except Exception as exc:  # noqa: BLE001 - its task's top: nobody waits for it
            log.warning("a reply was not read: %s", _reason(exc))
            return
        to_another = re.match(r"\s*<@(\w+)", post.text)
        if not is_ours or (to_another and f"<@{who.user}>" not in post.text):
            return
        if self._seen.add(_event_id(body), post.key):
            await self._answer(post)

    async def _is_ours(self, post: Post, who: Identity) -> bool:
        """Whether we have answered in the thread of a post."""
        place = post.place
        if place in self._joined:
            return True
        if place in self._foreign:
            return False
        told = await self._told(place)
        is_ours = bool(told and told.answers) or any(
            _is_from(message, who) for message in await self._replies(place)
        )
        (self._joined if is_ours else self._foreign).add(place)
        return is_ours

    async def _answer(self, post: Post) -> None:
        """Answers a post in its thread."""
        shown = _Shown(self._client, post.place.channel, post.place.root)
        try:
            who = await self._who()
            told = await self._told(post.place)
            if told and post.place.answer_id(post.ts) in told.answers:
                return  # before this process began
            self._join(post.place)
            await shown.post(blocks.said(blocks.SEARCHING))
            question = blocks.question_of(post.text, who.user)
            await self._write(shown, post, question, "", await self._history(post, told, who))
        except Exception as exc:  # noqa: BLE001 - its task's top: nobody waits for it
            log.warning("a question in Slack was not answered: %s", _reason(exc))

    async def _command(self, body: Mapping[str, Any], question: str, respond: Any) -> None:
        """Answers a command in its channel, where all can see it."""
        channel, user = str(body.get("channel_id")), str(body.get("user_id"))
        asked = blocks.asked_by(user, question)
        shown = _Shown(self._client, channel, None)
        try:
            await shown.post(blocks.said(blocks.SEARCHING, asked))
            place = Place((await self._who()).team, channel, shown.ts)
            post = Post(place, shown.ts, identifier(str(body.get("team_id")), user), question)
            self._join(post.place)
            await self._write(shown, post, question, asked, [])
        except Exception as exc:  # noqa: BLE001 - its task's top: nobody waits for it
            log.warning("a command of Slack was not answered: %s", _reason(exc))
            if not shown.ts:
                is_outside = isinstance(exc, SlackApiError) and _code(exc) in _REFUSED
                await respond(text=UNINVITED if is_outside else APOLOGY, response_type="ephemeral")

    async def _write(
        self, shown: _Shown, post: Post, question: str, asked: str, history: History
    ) -> None:
        """Turns a posted message into the answer, or into a sentence that says why there is none."""
        asked_at, at_last = now(), blocks.said(STOPPED, asked)
        try:
            if not question:
                raise SettingsError(ASK_SOMETHING)
            answer, limits = await self._ask(shown, post.place.channel, question, asked, history)
            step = await self._keep(post, asked_at, answer, limits)
            at_last, *rest = blocks.answered(answer, date.today(), step, asked)
            await shown.settle(at_last)
            for message in rest:
                await _Shown(self._client, post.place.channel, post.place.root).post(message)
        except asyncio.CancelledError:
            await shown.settle(at_last)
            raise
        except DatelineError as exc:
            await shown.settle(blocks.said(_sentence(str(exc)), asked))
        except Exception as exc:
            if isinstance(exc, SlackApiError):  # what it says may hold the answer
                log.warning("an answer was not shown: %s", _reason(exc))
            else:
                log.exception("no answer")
            await shown.settle(blocks.said(APOLOGY, asked))

    async def _ask(
        self, shown: _Shown, channel: str, question: str, asked: str, history: History
    ) -> tuple[Answer, ReaderLimits]:
        filters = await asyncio.to_thread(self._filters, channel)
        claims: list[Claim] = []
        try:
            async with aclosing(self._asking.items(question, history, filters=filters)) as items:
                async for item in items:
                    if isinstance(item, Answer):
                        return item, ReaderLimits(sources=filters.sources)
                    claims.append(item)
                    shown.change(blocks.draft(claims, asked))
        except TimeoutError:
            raise DatelineError(TOO_LONG) from None
        raise StoreError("Dateline is being stopped; ask again in a minute")

    def _filters(self, channel: str) -> Filters:
        """What may be read for a channel. Raises SettingsError where that is nothing."""
        rules = self._channels
        return rules.filters(
            channel, (info.source for info in self._assistant.sources()) if rules.rules else ()
        )

    async def _keep(
        self, post: Post, asked_at: str, answer: Answer, limits: ReaderLimits
    ) -> str | None:
        """The id of the kept answer; None where it could not be kept, and so cannot be rated."""
        try:
            return await asyncio.to_thread(
                self._kept.keep, post.place, post.ts, post.asker, asked_at, answer, limits
            )
        except StoreError as exc:
            log.warning("an answer in Slack was not kept: %s", exc)
            return None

    # Earlier questions

    def _join(self, place: Place) -> None:
        self._joined.add(place)
        self._foreign.discard(place)

    async def _told(self, place: Place) -> Told | None:
        try:
            return await asyncio.to_thread(self._kept.told, place)
        except StoreError as exc:
            log.warning("a thread of Slack was not found: %s", exc)
            return None

    async def _history(self, post: Post, told: Told | None, who: Identity) -> History:
        """What was asked and answered in the thread before: as we kept it, else as Slack has."""
        if told is not None and told.history:
            return told.history
        if not post.is_reply:
            return []
        try:
            messages = await self._replies(post.place)
        except Exception as exc:  # noqa: BLE001 - better an answer without it than none
            log.warning("a thread was not read: %s", _reason(exc))
            return []
        before = [m for m in messages if str(m.get("ts")) < post.ts]
        return _pairs(before, who)[-HISTORY_TURNS:]

    async def _replies(self, place: Place) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        for _ in range(PAGES):
            page = await self._client.conversations_replies(
                channel=place.channel, ts=place.root, limit=200, cursor=cursor
            )
            found += page.get("messages") or []
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                break
        return found

    # Votes

    async def _vote(self, body: Mapping[str, Any], action: Mapping[str, Any]) -> None:
        message, user = body.get("message") or {}, body.get("user") or {}
        channel = str((body.get("channel") or {}).get("id"))
        who = str(user.get("id"))
        ts, root = str(message.get("ts")), str(message.get("thread_ts") or message.get("ts"))
        is_up = action.get("action_id") == blocks.RATE_UP
        try:
            own = (await self._who()).team
            voter = identifier(str(user.get("team_id") or own), who)
            async with self._voting:  # of two clicks the later counts
                place, step = Place(own, channel, root), str(action.get("value"))
                await asyncio.to_thread(self._kept.rate, place, step, voter, int(is_up))
            shown = blocks.noted(message.get("blocks") or [], is_up)
            await self._client.chat_update(channel=channel, ts=ts, **_as_sent(shown))
        except StoreError as exc:
            note = blocks.said(NOT_NOTED.format(why=exc))
            with suppress(Exception):
                await self._client.chat_postEphemeral(
                    channel=channel, user=who, thread_ts=root, **_as_sent(note)
                )
        except Exception as exc:  # noqa: BLE001 - its task's top: nobody waits for it
            log.warning("a vote in Slack was not noted: %s", _reason(exc))


@dataclass(slots=True)
class _Shown:
    """One message, edited in place at most once in `UPDATE_S`."""

    client: AsyncWebClient
    channel: str
    thread: str | None
    ts: str = ""
    _free_at: float = 0.0
    _latest: Message | None = None
    _drafting: asyncio.Task[None] | None = None
    _sending: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def post(self, message: Message) -> None:
        posted = await self.client.chat_postMessage(
            channel=self.channel,
            thread_ts=self.thread,
            unfurl_links=False,
            unfurl_media=False,
            **_as_sent(message),
        )
        self.ts = str(posted["ts"])

    def change(self, message: Message) -> None:
        """Shows a draft soon; a later one takes the place of one that is not shown yet."""
        self._latest = message
        if self._drafting is None or self._drafting.done():
            self._drafting = asyncio.create_task(self._draft())

    async def _draft(self) -> None:
        loop = asyncio.get_running_loop()
        # The whole answer is often there at once: a draft that stands for an instant is none.
        await asyncio.sleep(max(UPDATE_S, self._free_at - loop.time()))
        assert self._latest is not None
        try:
            await self._update(self._latest)
        except Exception as exc:  # noqa: BLE001 - the answer itself is still to come
            log.warning("a draft was not shown: %s", _reason(exc))

    async def settle(self, message: Message) -> None:
        """Shows the last version."""
        if self._drafting is not None and not self._drafting.done():
            if not self._sending.locked():
                self._drafting.cancel()
            await asyncio.wait([self._drafting])
        wait_s = self._free_at - asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, wait_s))
        await self._update(message)

    async def _update(self, message: Message) -> None:
        async with self._sending:
            await self.client.chat_update(channel=self.channel, ts=self.ts, **_as_sent(message))
            self._free_at = asyncio.get_running_loop().time() + UPDATE_S


def _as_sent(message: Message) -> dict[str, Any]:
    # chat.update would find names and addresses in the text itself unless told not to.
    sent = {"text": message.text, "blocks": list(message.blocks)}
    return {**sent, "link_names": False, "parse": "none"}


def _pairs(messages: Sequence[Mapping[str, Any]], who: Identity) -> History:
    """The questions of Slack's own messages with our answers to them."""
    pairs: History = []
    question = ""
    for message in messages:
        text = str(message.get("text") or "")
        if not _is_from(message, who):
            question = blocks.question_of(text, who.user)
            continue
        if own := blocks.ASKED.match(text):
            question, text = blocks.question_of(own["question"], who.user), text[own.end() :]
        answer = blocks.question_of(text.partition("\n[")[0].replace("*", ""), who.user)
        if question and answer and answer != blocks.SEARCHING:
            pairs.append((question, answer))
            question = ""
    return pairs


def _is_from(message: Mapping[str, Any], who: Identity) -> bool:
    return message.get("user") == who.user or (bool(who.bot) and message.get("bot_id") == who.bot)


def _event_id(body: Mapping[str, Any]) -> tuple[str, object]:
    return "event", body.get("event_id") or object()


def _sentence(text: str) -> str:
    """An error's text as a sentence."""
    ended = text if text.endswith((".", "?", "!")) else f"{text}."
    return f"{ended[:1].upper()}{ended[1:]}"


def _code(error: SlackApiError) -> str:
    """Slack's word for an error; nothing else of its answer, which may repeat a token."""
    with suppress(Exception):
        code = str(error.response["error"])
        if re.fullmatch(r"[a-z0-9_]{1,60}", code):
            return code
    return _NO_REASON


def _reason(error: Exception) -> str:
    """What is logged of an error; its own text may hold what people wrote."""
    if isinstance(error, SlackApiError):
        return f"Slack refuses it: {_code(error)}"
    return type(error).__name__


def _is_short(request: Request) -> bool:
    length = request.headers.get("content-length", "")
    return length.isascii() and length.isdigit() and int(length) <= LONGEST_BODY


def _is_signed(verifier: SignatureVerifier, body: bytes, headers: Mapping[str, str]) -> bool:
    time = headers.get("x-slack-request-timestamp", "")
    signature = headers.get("x-slack-signature", "")
    if not re.fullmatch(r"[0-9]{1,12}", time) or not re.fullmatch(r"v0=[0-9a-f]{64}", signature):
        return False
    try:
        return verifier.is_valid(body, time, signature)
    except UnicodeDecodeError:
        return False


def _quiet_logger() -> logging.Logger:
    """The logger of Slack's libraries: at lower levels they log what people wrote."""
    logger = logging.getLogger(f"{__name__}.library")
    logger.setLevel(logging.WARNING)
    return logger


def serve(settings: Settings) -> None:
    """Answers in Slack over Socket Mode until Ctrl-C.

    Raises SettingsError where a token is missing or refused, DatelineError where the index cannot be
    used or Slack cannot be reached.
    """
    from assistant.service import open_assistant

    check_socket_mode(settings)
    assistant = open_assistant(settings)
    workers = Workers()
    try:
        conversations = open_conversations(settings)
        try:
            asyncio.run(_until_stopped(settings, assistant, workers, conversations))
        finally:
            conversations.close()
    finally:
        workers.close()
        assistant.close()


def check_socket_mode(settings: Settings) -> None:
    """Raises SettingsError as `check` does, and where there is no token for Socket Mode."""
    check(settings)
    if not settings.slack_app_token:
        raise SettingsError(
            "DATELINE_SLACK_APP_TOKEN is not set, and `dateline slack` listens in Socket Mode; Slack "
            "shows it under Basic Information, App-Level Tokens. Events over HTTP are served by "
            "`dateline chat`"
        )


async def _until_stopped(
    settings: Settings, assistant: Answering, workers: Workers, conversations: Conversations
) -> None:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows raises KeyboardInterrupt instead
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    door = create(settings, assistant, workers, conversations)
    try:
        await door.start()
        print("Dateline answers in Slack (Ctrl-C stops it)", flush=True)
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        pass
    finally:
        await door.close()
