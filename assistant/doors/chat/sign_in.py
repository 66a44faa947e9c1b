"""Sign-in on the chat page: Chainlit's way of it, and what that leaves out.

Chainlit signs a cookie and trusts it until it expires; here every request, and every message over a
socket, asks `People` whether it still counts.
"""

# Chainlit is typed in part:
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from functools import partial
from typing import Any

import chainlit as cl
import chainlit.auth
import jwt
from chainlit import oauth_providers
from chainlit.auth.cookie import get_token_from_cookies, set_auth_cookie
from chainlit.auth.jwt import create_jwt, decode_jwt, get_jwt_secret
from chainlit.config import config
from fastapi import FastAPI, HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request, cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant.doors.chat.oidc import TRIP_S, NotSignedIn, Reception, discover
from assistant.doors.paths import is_api
from assistant.keeping.people import GUEST, LOCAL, OIDC, PASSWORD, People, Person, Throttle
from assistant.settings import Settings
from indexing.errors import DatelineError

log = logging.getLogger(__name__)

CALLBACK = "/auth/oidc/callback"
PROVIDER = "single sign-on"
"""What the button says after "Continue with"."""
_SOCKET = "/ws/socket.io"
_TRIP = "dateline-trip"
_address: ContextVar[str] = ContextVar("_address", default="")


def register(app: FastAPI, settings: Settings) -> None:
    """Adds the routes and the middleware of sign-in to `app`, and sets Chainlit's callbacks.

    Comes before the page is mounted, and after its `allow_origins` are set. Raises SettingsError
    where nobody may be let in like that, or the provider of identities cannot be asked.
    """
    people = People(settings)

    # Chainlit's server and its socket find it here, by this name.
    vars(chainlit.auth)["decode_jwt"] = partial(user_of, people)

    # Chainlit's decorators would turn the refusals below into its log's stack traces.
    if PASSWORD in people.ways:
        config.code.password_auth_callback = _with_password(people)
    if people.ways & {LOCAL, GUEST}:
        # Asked only where the cookie of `Visits` did not reach the page.
        config.code.header_auth_callback = _with_cookie_alone(people)

    config.code.on_logout = _signing_out(people)
    # Those of other programs in the environment would have buttons too.
    oauth_providers.providers[:] = []
    if OIDC in people.ways:
        reception = Reception(settings, discover(settings), get_jwt_secret() or "")
        _with_provider(app, settings, people, reception)
    app.add_middleware(Visits, people=people)
    _check_sockets()


def _check_sockets() -> None:
    # Only now: it reads `allow_origins`, and `decode_jwt`, as it is imported.
    from chainlit.server import sio
    from chainlit.socket import connect

    async def connect_checked(sid: str, environ: dict[str, Any], auth: Any) -> Any:
        # Chainlit makes a folder of that name and removes it: it must not lead anywhere else.
        session = auth.get("sessionId") if isinstance(auth, dict) else None
        if not isinstance(session, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", session):
            raise ConnectionRefusedError("the session has no name")
        return await connect(sid, environ, auth)

    sio.on("connect", connect_checked)


def user_of(people: People, token: str) -> cl.User:
    """Who is signed in by that token. Raises jwt.InvalidTokenError where nobody is (any more)."""
    try:
        user = decode_jwt(token)
    except (KeyError, TypeError, ValueError) as exc:
        raise jwt.InvalidTokenError("this is not what was signed here") from exc
    if not people.is_current(user.identifier, user.metadata):
        raise jwt.InvalidTokenError("this sign-in has ended")
    return user


def _token(headers: Headers) -> str:
    return get_token_from_cookies(cookie_parser(headers.get("cookie", ""))) or ""


def _user(person: Person) -> cl.User:
    return cl.User(identifier=person.identifier, display_name=person.name, metadata=person.proof)


def _with_password(people: People) -> Any:
    throttle = Throttle()
    # One at a time, and not among the threads that answer: a flood of guesses must not stop those.
    hashing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="passwords")

    async def check(name: str, password: str) -> cl.User:
        address = _address.get()
        if not throttle.admits(name, address):
            raise HTTPException(429, "Too many wrong passwords. Wait some minutes and try again.")
        loop = asyncio.get_running_loop()
        try:
            person = await loop.run_in_executor(hashing, people.accounts.check, name, password)
        except DatelineError as exc:
            log.error("%s", exc)
            raise HTTPException(503, "Nobody can sign in; the terminal says why.") from None
        if person is None:
            raise HTTPException(401, "Wrong name or password.")
        throttle.forget(name, address)
        return _user(people.signed_in(person, PASSWORD))

    return check


def _with_cookie_alone(people: People) -> Any:
    async def check(headers: Headers) -> cl.User:
        try:
            return user_of(people, _token(headers))
        except jwt.InvalidTokenError:
            raise HTTPException(403, "This page needs cookies.") from None

    return check


def _signing_out(people: People) -> Any:
    async def sign_out(request: Request, response: Response) -> dict[str, bool]:
        try:
            user = user_of(people, _token(request.headers))
            await asyncio.to_thread(people.sign_out, user.metadata)
        except jwt.InvalidTokenError:
            pass
        except DatelineError as exc:
            log.error("%s", exc)
        return {"success": True}

    return sign_out


def _with_provider(app: FastAPI, settings: Settings, people: People, reception: Reception) -> None:
    class Button(oauth_providers.OAuthProvider):
        id = PROVIDER

        def is_configured(self) -> bool:
            return True

    async def nobody(*_: Any) -> None:
        """Chainlit shows the button only where there is such a callback; its route is not ours."""

    oauth_providers.providers.append(Button())
    config.code.oauth_callback = nobody

    def returning(request: Request) -> str:
        return (settings.public_url.rstrip("/") or f"http://{request.headers['host']}") + CALLBACK

    @app.get(CALLBACK)
    async def arrive(request: Request) -> Response:
        kept = request.cookies.get(_TRIP, "")
        try:
            person = await reception.arrive(request.query_params, kept, returning(request))
            user = _user(people.signed_in(person, OIDC))
            response = RedirectResponse("/", status_code=303)
            set_auth_cookie(request, response, create_jwt(user))
        except NotSignedIn as exc:
            log.warning("somebody was not signed in: %s", exc)
            response = RedirectResponse(f"/login?error={exc.reason}", status_code=303)
        response.delete_cookie(_TRIP, path=CALLBACK)  # once only
        return response

    @app.get("/auth/oauth/{rest:path}")
    async def depart(rest: str, request: Request) -> Response:
        if rest != PROVIDER:
            raise HTTPException(404)
        address, kept = reception.depart(returning(request))
        response = RedirectResponse(address, status_code=303)
        response.set_cookie(
            _TRIP, kept, path=CALLBACK, max_age=TRIP_S, httponly=True, samesite="lax"
        )
        return response


class Visits:
    """Makes somebody of whoever need not sign in, and ends the connections of whoever signed out."""

    def __init__(self, app: ASGIApp, people: People) -> None:
        self._app = app
        self._people = people

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The API has keys, and nobody signs in there.
        if scope["type"] not in ("http", "websocket") or is_api(scope["path"]):
            await self._app(scope, receive, send)
            return
        _address.set(scope["client"][0] if scope.get("client") else "")
        headers = Headers(scope=scope)
        if LOCAL in self._people.ways and headers.get("sec-fetch-site") not in _ELSEWHERE:
            scope = _with_cookie(scope, create_jwt(_user(self._people.local())))
            headers = Headers(scope=scope)
        token = _token(headers)
        if scope["path"].startswith(_SOCKET):
            await self._socket(token, scope, receive, send)
        elif GUEST in self._people.ways and scope["type"] == "http" and scope["method"] == "GET":
            await self._guest(token, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _socket(self, token: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Chainlit looks at the cookie when a socket opens, and never again."""
        closed = False

        async def close() -> None:
            nonlocal closed
            if closed:
                return
            closed = True
            if scope["type"] == "http":
                await PlainTextResponse("sign in first", status_code=401)(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008, "reason": "signed out"})

        if not self._is_current(token):
            await close()
            return

        async def receive_checked() -> Message:
            message = await receive()
            if message["type"] == "websocket.receive" and not self._is_current(token):
                await close()
                return {"type": "websocket.disconnect", "code": 1008}
            return message

        async def send_checked(message: Message) -> None:
            # Of an answer over HTTP that has begun, the rest follows.
            if message["type"] != "http.response.body" and not self._is_current(token):
                await close()
            elif not closed:
                await send(message)

        await self._app(scope, receive_checked, send_checked)

    async def _guest(self, token: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Every page comes with the cookie of the guest who asked for it, or of a new one."""

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    try:
                        user = user_of(self._people, token)
                    except jwt.InvalidTokenError:
                        user = _user(self._people.guest())
                    made = Response()
                    set_auth_cookie(Request(scope), made, create_jwt(user))
                    for cookie in made.headers.getlist("set-cookie"):
                        headers.append("set-cookie", cookie)
            await send(message)

        await self._app(scope, receive, send_with_cookie)

    def _is_current(self, token: str) -> bool:
        try:
            user_of(self._people, token)
        except (jwt.InvalidTokenError, DatelineError):
            return False
        return True


_ELSEWHERE = ("cross-site", "same-site")
"""A page of another site asks (Fetch Metadata): it must not do so as the person at this machine."""


def _with_cookie(scope: Scope, token: str) -> Scope:
    """The request with that sign-in in place of its own."""
    made = Response()
    set_auth_cookie(Request({"type": "http", "headers": []}), made, token)
    ours = made.headers["set-cookie"].partition(";")[0]
    cookies = [value.decode("latin-1") for key, value in scope["headers"] if key == b"cookie"]
    kept = [(key, value) for key, value in scope["headers"] if key != b"cookie"]
    # The last of a name counts.
    return {**scope, "headers": [*kept, (b"cookie", "; ".join([*cookies, ours]).encode("latin-1"))]}
