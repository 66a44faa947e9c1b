"""The front door in Slack: from its events, commands and clicks to one `Assistant`, and back."""

from __future__ import annotations

import asyncio
import logging
import re
import signal
from collections.abc import Coroutine, Mapping
from contextlib import aclosing, suppress
from datetime import date
from typing import Any

from fastapi import APIRouter, Request, Response

from assistant.doors.asking import Answering, Asking
from assistant.doors.conversation import ReaderLimits
from assistant.doors.slack import blocks
from assistant.doors.slack.channels import channels
from assistant.doors.slack.client import Client, Signed, reason, refusal
from assistant.doors.slack.kept import History, Kept, Place, identifier
from assistant.doors.slack.shown import Shown, as_sent
from assistant.doors.slack.threads import Post, Seen, Threads
from assistant.doors.workers import Workers
from assistant.keeping.conversations import Conversations, now, open_conversations
from assistant.schema import Answer, Claim
from assistant.settings import Settings
from indexing.errors import DatelineError, SettingsError, StoreError
from indexing.schema import Filters

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

LONGEST_BODY = 1_000_000
"""Bytes of a request that are read; Slack's own are far smaller."""
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

_REFUSED = "not_in_channel channel_not_found is_archived".split()
_ID = re.compile(r"[A-Z0-9]{2,30}")
_SUBTYPES = (None, "file_share", "thread_broadcast")
"""Messages that people wrote; others tell of edits, of people who join, of bots."""


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
        self._asking = Asking(assistant, workers)
        self._kept = Kept(conversations)
        self._channels = channels(settings.slack_channels)
        self._seen = Seen()
        self._tasks: set[asyncio.Task[None]] = set()
        self._voting = asyncio.Lock()
        self._closed = asyncio.Event()
        self._client = Client(settings)
        self._threads = Threads(self._client, self._kept)
        self._app = self._client.bolt()
        self._listen()
        self.router = self._routes() if settings.slack_signing_secret else None

    # Starting and stopping

    async def start(self) -> None:
        """Makes sure that Slack knows us, and with an app token listens in Socket Mode from now on.

        Raises SettingsError for a token that Slack refuses, DatelineError where it cannot be reached.
        """
        await self._client.open()
        try:
            await self._client.who()
            if self._settings.slack_app_token:
                socket, address = await self._client.socket(self._app)
                self._spawn(socket.listen(address))
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
        await self._client.close()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)  # the loop holds tasks by weak references only
        task.add_done_callback(self._tasks.discard)

    async def idle(self) -> None:
        """Waits until nothing is being answered; with Socket Mode that is never."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _listen(self) -> None:
        app = self._app
        app.event("app_mention")(self._on_mention)
        app.event("message")(self._on_message)
        app.command(COMMAND)(self._on_command)
        app.action(blocks.RATE_UP)(self._on_vote)
        app.action(blocks.RATE_DOWN)(self._on_vote)

    def _routes(self) -> APIRouter:
        router = APIRouter()
        signed = Signed(self._app, self._settings.slack_signing_secret)

        @router.post(PATH, include_in_schema=False)
        async def events(request: Request) -> Response:
            if not _is_short(request):
                return Response("the request is too long", status_code=413)
            # Bolt checks it too, but reads the body before, and fails on a time that is no number.
            if not signed.holds(await request.body(), request.headers):
                return Response('{"error": "invalid request"}', 401, media_type="application/json")
            return await signed.handler.handle(request)

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
        who = self._client.identity
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
            who = await self._client.who()
            is_ours = await self._threads.is_ours(post, who)
        except Exception as exc:  # noqa: BLE001 - its task's top: nobody waits for it
            log.warning("a reply was not read: %s", reason(exc))
            return
        to_another = re.match(r"\s*<@(\w+)", post.text)
        if not is_ours or (to_another and f"<@{who.user}>" not in post.text):
            return
        if self._seen.add(_event_id(body), post.key):
            await self._answer(post)

    async def _answer(self, post: Post) -> None:
        """Answers a post in its thread."""
        shown = Shown(self._client, post.place.channel, post.place.root)
        try:
            who = await self._client.who()
            told = await self._threads.told(post.place)
            if told and post.place.answer_id(post.ts) in told.answers:
                return  # before this process began
            self._threads.join(post.place)
            await shown.post(blocks.said(blocks.SEARCHING))
            question = blocks.question_of(post.text, who.user)
            await self._write(
                shown, post, question, "", await self._threads.history(post, told, who)
            )
        except Exception as exc:  # noqa: BLE001 - its task's top: nobody waits for it
            log.warning("a question in Slack was not answered: %s", reason(exc))

    async def _command(self, body: Mapping[str, Any], question: str, respond: Any) -> None:
        """Answers a command in its channel, where all can see it."""
        channel, user = str(body.get("channel_id")), str(body.get("user_id"))
        asked = blocks.asked_by(user, question)
        shown = Shown(self._client, channel, None)
        try:
            await shown.post(blocks.said(blocks.SEARCHING, asked))
            place = Place((await self._client.who()).team, channel, shown.ts)
            post = Post(place, shown.ts, identifier(str(body.get("team_id")), user), question)
            self._threads.join(post.place)
            await self._write(shown, post, question, asked, [])
        except Exception as exc:  # noqa: BLE001 - its task's top: nobody waits for it
            log.warning("a command of Slack was not answered: %s", reason(exc))
            if not shown.ts:
                is_outside = refusal(exc) in _REFUSED
                await respond(text=UNINVITED if is_outside else APOLOGY, response_type="ephemeral")

    async def _write(
        self, shown: Shown, post: Post, question: str, asked: str, history: History
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
                await Shown(self._client, post.place.channel, post.place.root).post(message)
        except asyncio.CancelledError:
            await shown.settle(at_last)
            raise
        except DatelineError as exc:
            await shown.settle(blocks.said(_sentence(str(exc)), asked))
        except Exception as exc:
            if refusal(exc):  # what it says may hold the answer
                log.warning("an answer was not shown: %s", reason(exc))
            else:
                log.exception("no answer")
            await shown.settle(blocks.said(APOLOGY, asked))

    async def _ask(
        self, shown: Shown, channel: str, question: str, asked: str, history: History
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

    # Votes

    async def _vote(self, body: Mapping[str, Any], action: Mapping[str, Any]) -> None:
        message, user = body.get("message") or {}, body.get("user") or {}
        channel = str((body.get("channel") or {}).get("id"))
        who = str(user.get("id"))
        ts, root = str(message.get("ts")), str(message.get("thread_ts") or message.get("ts"))
        is_up = action.get("action_id") == blocks.RATE_UP
        try:
            own = (await self._client.who()).team
            voter = identifier(str(user.get("team_id") or own), who)
            async with self._voting:  # of two clicks the later counts
                place, step = Place(own, channel, root), str(action.get("value"))
                await asyncio.to_thread(self._kept.rate, place, step, voter, int(is_up))
            shown = blocks.noted(message.get("blocks") or [], is_up)
            await self._client.web.chat_update(channel=channel, ts=ts, **as_sent(shown))
        except StoreError as exc:
            note = blocks.said(NOT_NOTED.format(why=exc))
            with suppress(Exception):
                await self._client.web.chat_postEphemeral(
                    channel=channel, user=who, thread_ts=root, **as_sent(note)
                )
        except Exception as exc:  # noqa: BLE001 - its task's top: nobody waits for it
            log.warning("a vote in Slack was not noted: %s", reason(exc))


def _event_id(body: Mapping[str, Any]) -> tuple[str, object]:
    return "event", body.get("event_id") or object()


def _sentence(text: str) -> str:
    """An error's text as a sentence."""
    ended = text if text.endswith((".", "?", "!")) else f"{text}."
    return f"{ended[:1].upper()}{ended[1:]}"


def _is_short(request: Request) -> bool:
    length = request.headers.get("content-length", "")
    return length.isascii() and length.isdigit() and int(length) <= LONGEST_BODY


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
