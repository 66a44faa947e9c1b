"""Signing in to the real server over HTTP, and in a real Chromium where the page matters."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from oidc_provider import CLIENT, SECRET, Provider, providing
from playwright.sync_api import Browser, Page, expect
from repository import HELPERS
from running import Running, running
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from assistant.keeping import people
from assistant.keeping.people import Accounts
from assistant.settings import Settings

pytestmark = pytest.mark.slow

SERVER = [
    "-c",
    f"import os, sys; sys.path.insert(0, {str(HELPERS)!r}); from scripted_server import assistant; "
    "from assistant.doors.server import serve; from assistant.settings import Settings; "
    "settings = Settings.from_env(os.environ); "
    "serve(settings, assistant(settings.index / 'gate'))",
]
GOOD = "correct horse"
PUBLIC = "https://news.example.org"

Visit = Callable[[Running], Page]


def server(factory: pytest.TempPathFactory, settings: Settings, **others: str) -> Any:
    variables = {
        "DATELINE_INDEX": str(settings.index),
        "DATELINE_PORT": "0",
        "DATELINE_SIGN_IN": settings.sign_in,
    }
    return running(SERVER, factory.mktemp("cwd"), **variables, **others)


@pytest.fixture(scope="module", autouse=True)
def quick_hashes() -> Iterator[None]:
    """Passwords are kept with little work; a server does as much as they were kept with."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(people, "_SCRYPT", {"n": 16, "r": 8, "p": 1})
        yield


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, quick_hashes: None) -> Settings:
    index = tmp_path_factory.mktemp("guarded") / "index"
    return replace(Settings(), index=index, sign_in="password")


@pytest.fixture(scope="module")
def accounts(guarded: Settings) -> Accounts:
    accounts = Accounts(guarded)
    for name in ("anna", "berta", "carla", "dora", "emma", "frida"):
        accounts.add(name, GOOD)
    return accounts


@pytest.fixture(scope="module")
def locked(
    tmp_path_factory: pytest.TempPathFactory, guarded: Settings, accounts: Accounts
) -> Iterator[Running]:
    """A page that asks for a name and a password."""
    with server(tmp_path_factory, guarded) as started:
        yield started


@pytest.fixture(scope="module")
def open_(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A page behind a proxy, where whoever comes is a guest."""
    settings = replace(Settings(), index=tmp_path_factory.mktemp("open") / "index")
    others = {"DATELINE_PUBLIC_URL": f"{PUBLIC}/", "DATELINE_OPEN_TO_ALL": "on"}
    with server(tmp_path_factory, settings, **others) as started:
        yield started


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A page for whoever sits at this machine."""
    settings = replace(Settings(), index=tmp_path_factory.mktemp("private") / "index")
    with server(tmp_path_factory, settings) as started:
        yield started


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with providing(sub="1", email="anna@example.org", name="Anna Berg") as running_one:
        yield running_one


@pytest.fixture(scope="module")
def trusting(
    tmp_path_factory: pytest.TempPathFactory, provider: Provider, accounts: Accounts
) -> Iterator[Running]:
    """A page that asks a provider of identities, or for a password."""
    settings = replace(
        Settings(), index=tmp_path_factory.mktemp("trusting") / "index", sign_in="password,oidc"
    )
    Accounts(settings).add("anna berg", GOOD)
    others = {
        "DATELINE_OIDC_ISSUER": provider.issuer,
        "DATELINE_OIDC_CLIENT_ID": CLIENT,
        "DATELINE_OIDC_CLIENT_SECRET": SECRET,
        "DATELINE_OIDC_ALLOW": "*@example.org",
    }
    with server(tmp_path_factory, settings, **others) as started:
        yield started
        assert SECRET not in "".join(started.printed)
        assert "Traceback" not in "".join(started.printed)


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Opens the page of a server as a stranger does, in a browser of its own."""
    contexts = []

    def open_page(at: Running) -> Page:
        contexts.append(browser.new_context())
        page = contexts[-1].new_page()
        page.goto(at.url)
        return page

    yield open_page
    for context in contexts:
        context.close()


def client(at: Running, **headers: str) -> httpx.Client:
    return httpx.Client(base_url=at.url, headers=headers, trust_env=False)


def sign_in(
    browsing: httpx.Client, name: str, password: str = GOOD, **headers: str
) -> httpx.Response:
    fields = {"username": name, "password": password}
    return browsing.post("/login", data=fields, headers=headers)


@contextmanager
def signed_in(at: Running, name: str) -> Iterator[httpx.Client]:
    with client(at) as browsing:
        assert sign_in(browsing, name).json() == {"success": True}
        yield browsing


def who(browsing: httpx.Client) -> str | None:
    """The identifier of whoever is signed in."""
    answer = browsing.get("/user")
    assert answer.status_code in (200, 401)
    return str(answer.json()["identifier"]) if answer.status_code == 200 else None


def open_session(browsing: httpx.Client, name: str) -> str:
    """What Chainlit's socket answers to whoever opens, or takes up, the session of that name."""
    at = "/ws/socket.io/?EIO=4&transport=polling"
    opened = browsing.get(at)
    if opened.status_code != 200:
        return str(opened.status_code)
    at += f"&sid={json.loads(opened.text[1:])['sid']}"
    told = {"sessionId": name, "clientType": "webapp"}
    browsing.post(at, content=f"40{json.dumps(told)}").raise_for_status()
    answer = browsing.get(at).text
    return "in" if answer.startswith("40") else answer


def socket_of(at: Running) -> str:
    return f"{at.url.replace('http', 'ws')}/ws/socket.io/?EIO=4&transport=websocket"


def cookie_of(browsing: httpx.Client) -> tuple[str, str]:
    ((name, value),) = browsing.cookies.items()
    return name, value


# Passwords


def test_nobody_sees_anything_before_they_sign_in(locked: Running) -> None:
    with client(locked) as stranger:
        assert stranger.get("/").status_code == 200, "the page itself, which asks to sign in"
        assert who(stranger) is None
        assert stranger.get("/project/settings").status_code == 401
        assert stranger.get("/project/file/x?session_id=y").status_code == 401
        assert open_session(stranger, "a") == "401"
        with pytest.raises(InvalidStatus, match="403"), connect(socket_of(locked)):
            pass


def test_a_password_signs_in_with_a_cookie_that_scripts_cannot_read(locked: Running) -> None:
    with client(locked) as browsing:
        wrong = sign_in(browsing, "anna", "wrong password")
        assert wrong.status_code == 401
        assert wrong.json() == {"detail": "Wrong name or password."}
        assert wrong.content == sign_in(browsing, "nobody", "wrong password").content
        right = sign_in(browsing, "ANNA")
        assert right.status_code == 200
        cookie = right.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert str(who(browsing)).startswith("password-")
        assert browsing.get("/project/settings").status_code == 200
        assert open_session(browsing, "b") == "in"


def test_other_sites_cannot_sign_anybody_in(locked: Running) -> None:
    with client(locked) as browsing:
        assert sign_in(browsing, "anna", Origin="http://evil.example").status_code == 403


def test_what_nobody_signed_here_is_no_sign_in(locked: Running, guarded: Settings) -> None:
    secret = (guarded.index / "chat" / "secret").read_text()
    with signed_in(locked, "anna") as browsing:
        name, token = cookie_of(browsing)
    claims = jwt.decode(token, secret, ["HS256"])
    head, body, _ = token.split(".")

    def unsigned(value: dict[str, Any]) -> str:
        raw = base64.urlsafe_b64encode(json.dumps(value).encode())
        return raw.rstrip(b"=").decode()

    endless = {claim: value for claim, value in claims.items() if claim != "exp"}
    forged = {
        "another secret": jwt.encode(claims, "x" * 48, "HS256"),
        "no algorithm": f"{unsigned({'alg': 'none'})}.{body}.",
        "no signature": f"{head}.{body}.",
        "another body": f"{head}.{unsigned({**claims, 'identifier': 'local'})}.{token.split('.')[2]}",
        "expired": jwt.encode({**claims, "exp": time.time() - 1}, secret, "HS256"),
        "without an end": jwt.encode(endless, secret, "HS256"),
        "no person": jwt.encode({"exp": claims["exp"]}, secret, "HS256"),
        "no proof": jwt.encode({**claims, "metadata": {}}, secret, "HS256"),
        "another way in": jwt.encode({**claims, "metadata": {"way": "local"}}, secret, "HS256"),
        "somebody else": jwt.encode({**claims, "identifier": "password-1"}, secret, "HS256"),
        "garbage": "a.b.c",
    }
    with client(locked, Cookie=f"{name}={token}") as real:
        assert who(real) == claims["identifier"]
    for what, made in forged.items():
        with client(locked, Cookie=f"{name}={made}") as forger:
            assert who(forger) is None, what
            assert open_session(forger, "c") == "401", what
        with client(locked, Authorization=f"Bearer {made}") as forger:
            assert who(forger) is None, what
            assert forger.post("/auth/jwt").status_code in (400, 401), what


def test_the_fifth_wrong_guess_makes_that_name_wait_and_no_other(locked: Running) -> None:
    with client(locked) as guesser:
        guesses = [sign_in(guesser, "dora", f"wrong number {n}").status_code for n in range(6)]
        assert guesses == [401] * 5 + [429]
        assert sign_in(guesser, "dora").status_code == 429
        assert sign_in(guesser, "emma").status_code == 200
        elsewhere = sign_in(guesser, "dora", **{"X-Forwarded-For": "192.0.2.7"})
        assert elsewhere.status_code == 200, "as the proxy before this server tells it"


def test_signing_out_ends_every_copy_of_the_cookie(locked: Running) -> None:
    with signed_in(locked, "anna") as browsing, signed_in(locked, "anna") as elsewhere:
        name, token = cookie_of(browsing)
        assert browsing.post("/logout").json() == {"success": True}
        assert who(browsing) is None
        with client(locked, Cookie=f"{name}={token}") as thief:
            assert who(thief) is None
            assert thief.post("/logout").status_code == 200
        assert who(elsewhere)


@contextmanager
def chatting(at: Running, browsing: httpx.Client) -> Iterator[ClientConnection]:
    """The socket of a page that is ready for questions."""
    cookies = {"Cookie": "=".join(cookie_of(browsing))}
    with connect(socket_of(at), additional_headers=cookies) as socket:
        socket.recv()
        told = {"sessionId": str(uuid.uuid4()), "clientType": "webapp"}
        socket.send(f"40{json.dumps(told)}")
        assert str(socket.recv()).startswith("40")
        yield socket


def ask(socket: ClientConnection, question: str) -> None:
    message = {
        "id": str(uuid.uuid4()),
        "type": "user_message",
        "name": "me",
        "output": question,
        "createdAt": "2026-11-22T12:00:00Z",
    }
    socket.send(f"42{json.dumps(['client_message', {'message': message}])}")


def is_cut_off(socket: ClientConnection) -> None:
    """What is under way may still come; then the server closes the socket, as not permitted."""
    with pytest.raises(ConnectionClosed) as closed:
        deque(
            iter(partial(socket.recv, timeout=20), None)
        )  # Chainlit's signs of life are 25 s apart
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


def test_whoever_was_removed_is_not_heard_any_more(locked: Running, accounts: Accounts) -> None:
    with signed_in(locked, "frida") as browsing, chatting(locked, browsing) as socket:
        accounts.remove("frida")
        assert who(browsing) is None
        assert sign_in(browsing, "frida").status_code == 401
        socket.send('42["nothing that would be answered"]')
        is_cut_off(socket)


def test_with_a_new_password_the_answer_under_way_is_cut_off(
    locked: Running, accounts: Accounts, guarded: Settings
) -> None:
    with signed_in(locked, "carla") as browsing, chatting(locked, browsing) as socket:
        ask(socket, "Slow?")
        while "Searching" not in str(socket.recv(timeout=20)):
            pass
        accounts.change_password("carla", f"another {GOOD}")
        (guarded.index / "gate").touch()
        is_cut_off(socket)
        assert who(browsing) is None
        assert sign_in(browsing, "carla").status_code == 401
        assert sign_in(browsing, "carla", f"another {GOOD}").status_code == 200


def test_one_person_never_sees_anothers_conversations(locked: Running) -> None:
    def listed(browsing: httpx.Client) -> list[str]:
        wanted = {"pagination": {"first": 20}, "filter": {}}
        answer = browsing.post("/project/threads", json=wanted).raise_for_status()
        return [thread["id"] for thread in answer.json()["data"]]

    with signed_in(locked, "emma") as emma, signed_in(locked, "berta") as berta:
        with chatting(locked, emma) as socket:
            ask(socket, "Missing?")
            while "task_end" not in str(socket.recv(timeout=20)):
                pass
        (thread,) = listed(emma)
        assert emma.get(f"/project/thread/{thread}").status_code == 200
        assert listed(berta) == []
        for answer in (
            berta.get(f"/project/thread/{thread}"),
            berta.request("DELETE", "/project/thread", json={"threadId": thread}),
            berta.put("/project/thread", json={"threadId": thread, "name": "mine"}),
        ):
            assert answer.status_code in (401, 403, 404)
        assert listed(emma) == [thread]


def test_one_person_cannot_reach_into_anothers_session(locked: Running) -> None:
    with signed_in(locked, "anna") as anna, signed_in(locked, "berta") as berta:
        assert who(anna) != who(berta)
        assert open_session(anna, "of-anna") == "in"
        assert "refused" in open_session(berta, "of-anna")
        at = "/project/file?session_id=of-anna"
        file = {"file": ("a.txt", b"mine", "text/plain")}
        assert berta.post(at, files=file).status_code == 401
        sent = anna.post(at, files=file)
        assert sent.status_code == 200
        kept = f"/project/file/{sent.json()['id']}?session_id=of-anna"
        assert anna.get(kept).content == b"mine"
        assert berta.get(kept).status_code == 401
        with client(locked) as stranger:
            assert stranger.get(kept).status_code == 401


@pytest.mark.parametrize("name", ["../../..", "/tmp", "..", "a/b", "", "a" * 65, "a\n", "é"])
def test_a_session_is_no_path(private: Running, name: str) -> None:
    with client(private) as browsing:
        assert "refused" in open_session(browsing, name)


def test_signing_in_and_out_in_a_browser(locked: Running, visit: Visit) -> None:
    anna, berta = visit(locked), visit(locked)
    for page, name in ((anna, "anna"), (berta, "berta")):
        page.wait_for_url("**/login")
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").first.fill("wrong password")
        page.get_by_role("button", name="Sign in").click()
        alert = page.get_by_role("alert").or_(page.locator(".alert-error, [class*=destructive]"))
        expect(alert.filter(has_text="Wrong name or password.").first).to_be_visible()
        page.get_by_label("Password").first.fill(GOOD)
        page.get_by_role("button", name="Sign in").click()
        page.locator("#chat-input").wait_for()
        page.locator("#user-nav-button").click()
        expect(page.get_by_role("menu").get_by_text(name, exact=True)).to_be_visible()
        page.keyboard.press("Escape")
    anna.locator("#user-nav-button").click()
    anna.get_by_role("menuitem").click()
    anna.wait_for_url("**/login")
    anna.goto(locked.url)
    anna.wait_for_url("**/login")
    berta.reload()
    berta.locator("#chat-input").wait_for()


# Nobody is asked


def test_the_person_at_this_machine_is_in_at_once(private: Running, visit: Visit) -> None:
    page = visit(private)
    visited: list[str] = []
    page.on("framenavigated", lambda frame: visited.append(frame.url))
    page.goto(private.url)
    page.locator("#chat-input").wait_for()
    assert visited == [f"{private.url}/"]
    assert page.evaluate("fetch('/user').then((a) => a.json())")["identifier"] == "local"
    expect(page.locator("#user-nav-button")).to_be_hidden()


def test_a_page_of_another_site_is_not_the_person_at_this_machine(private: Running) -> None:
    for site, expected in (("cross-site", None), ("same-site", None), ("same-origin", "local")):
        with client(private, **{"Sec-Fetch-Site": site}) as browsing:
            assert who(browsing) == expected


def test_each_guest_is_somebody_else_and_stays_so(open_: Running) -> None:
    proxied = {"Host": "news.example.org", "X-Forwarded-Proto": "https"}
    seen = set()
    for _ in range(3):
        with client(open_, **proxied) as browsing:
            assert who(browsing) is None
            page = browsing.get("/thread/x")
            cookie = page.headers["set-cookie"]
            for word in ("httponly", "samesite=lax", "; secure"):
                assert word in cookie.lower()
            kept = {"Cookie": cookie.partition(";")[0]}
            guest = browsing.get("/user", headers=kept).json()["identifier"]
            again = browsing.get("/", headers=kept).headers["set-cookie"].partition(";")[0]
            assert browsing.get("/user", headers={"Cookie": again}).json()["identifier"] == guest
            assert guest.startswith("guest-")
            seen.add(guest)
    assert len(seen) == 3
    assert "asks for no password" in "".join(open_.printed)


def test_behind_a_proxy_the_public_address_is_its_own_and_others_are_not(open_: Running) -> None:
    for host, origin, status in (
        ("news.example.org", PUBLIC, 200),
        ("127.0.0.1:80", PUBLIC, 200),
        ("news.example.org", None, 200),
        ("news.example.org", "http://news.example.org", 403),
        ("news.example.org", "https://evil.example", 403),
        ("evil.example", None, 403),
        ("evil.example", "https://evil.example", 403),
    ):
        headers = {"Host": host} | ({"Origin": origin} if origin else {})
        with client(open_, **headers) as browsing:
            assert browsing.get("/healthz").status_code == status, (host, origin)


# Uploaded files


@pytest.mark.parametrize(
    "kind", ["text/html", "image/svg+xml", "text/plain", "application/xhtml+xml", "text/xml"]
)
def test_an_uploaded_file_is_never_a_page_of_ours(private: Running, kind: str) -> None:
    with client(private) as browsing:
        open_session(browsing, "files")
        file = {"file": ("a.txt", b"<script>alert(1)</script>", kind)}
        sent = browsing.post("/project/file?session_id=files", files=file)
        if sent.status_code == 400:
            return  # this type is not taken at all
        found = browsing.get(f"/project/file/{sent.json()['id']}?session_id=files")
        assert found.status_code == 200
        assert "sandbox; default-src 'none'" in found.headers["content-security-policy"]
        assert found.headers["content-disposition"] == "attachment"
        assert found.headers["x-content-type-options"] == "nosniff"


def test_our_page_may_frame_a_pdf_and_nobody_else_may(private: Running) -> None:
    with client(private) as browsing:
        open_session(browsing, "files")
        file = {"file": ("a.pdf", b"%PDF-1.4", "application/pdf")}
        sent = browsing.post("/project/file?session_id=files", files=file)
        found = browsing.get(f"/project/file/{sent.json()['id']}?session_id=files")
        assert found.headers["content-security-policy"] == "frame-ancestors 'self'"
        assert found.headers["x-frame-options"] == "SAMEORIGIN"
        assert "content-disposition" not in found.headers
        assert browsing.get("/").headers["x-frame-options"] == "DENY"


# A provider of identities


@pytest.fixture
def honest(provider: Provider) -> Iterator[Provider]:
    yield provider
    provider.person = {"sub": "1", "email": "anna@example.org", "name": "Anna Berg"}
    provider.back_with, provider.lies, provider.down = {}, {}, False


def test_the_provider_signs_in_and_the_page_signs_out(
    trusting: Running, honest: Provider, visit: Visit
) -> None:
    page = visit(trusting)
    page.wait_for_url("**/login")
    page.get_by_role("button", name="Continue with Single sign-on").click()
    page.locator("#chat-input").wait_for()
    page.locator("#user-nav-button").click()
    expect(page.get_by_role("menu").get_by_text("Anna Berg", exact=True)).to_be_visible()
    user = page.evaluate("fetch('/user').then((a) => a.json())")
    assert user["identifier"].startswith("oidc-")
    page.get_by_role("menuitem").click()
    page.wait_for_url("**/login")

    page.get_by_label("Name").fill("Anna Berg")
    page.get_by_label("Password").first.fill(GOOD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.locator("#chat-input").wait_for()
    other = page.evaluate("fetch('/user').then((a) => a.json())")
    assert other["identifier"].startswith("password-"), "of the same name, but not the same person"


def test_a_refusal_is_a_sentence_on_the_login_page(
    trusting: Running, honest: Provider, visit: Visit
) -> None:
    page = visit(trusting)
    page.wait_for_url("**/login")  # where it goes by itself
    for lie, sentence in (
        ({"person": {"sub": "2", "email": "eve@evil.example"}}, "not open to your e-mail address"),
        ({"back_with": {"state": "forged"}}, "Start again"),
        ({"back_with": {"error": "access_denied"}}, "did not let you in"),
        ({"back_with": {}, "lies": {"nonce": "old"}}, "cannot be trusted"),
    ):
        for name, value in lie.items():
            setattr(honest, name, value)
        page.goto(f"{trusting.url}/login")
        page.get_by_role("button", name="Continue with").click()
        page.wait_for_url("**/login?error=*")
        expect(page.get_by_text(sentence).first).to_be_visible()


def test_the_way_back_from_the_provider_works_once(trusting: Running, honest: Provider) -> None:
    with client(trusting) as browsing:
        away = browsing.get("/auth/oauth/single sign-on")
        assert away.status_code == 303
        assert away.headers["location"].startswith(f"{honest.issuer}/authorize?")
        trip = away.headers["set-cookie"].lower()
        assert "httponly" in trip
        assert "samesite=lax" in trip
        back = httpx.get(away.headers["location"]).headers["location"]
        assert back.startswith(f"{trusting.url}/auth/oidc/callback?")
        with client(trusting) as elsewhere:
            assert "error=sso_start_again" in elsewhere.get(back).headers["location"]
            assert who(elsewhere) is None
        assert browsing.get(back).headers["location"] == "/"
        assert str(who(browsing)).startswith("oidc-")
        assert "error=" in browsing.get(back).headers["location"]
        assert browsing.get("/auth/oauth/github").status_code == 404
        assert browsing.get("/auth/oauth/github/callback?code=1&state=2").status_code == 404


def test_without_its_provider_the_server_says_so_and_ends(tmp_path: Path) -> None:
    settings = {
        "DATELINE_INDEX": str(tmp_path / "index"),
        "DATELINE_PORT": "0",
        "DATELINE_SIGN_IN": "oidc",
        "DATELINE_OIDC_ISSUER": "http://localhost:1",
        "DATELINE_OIDC_CLIENT_ID": CLIENT,
    }
    with pytest.raises(AssertionError) as ended, running(SERVER, tmp_path, **settings):
        pass
    assert "DATELINE_OIDC_ISSUER is 'http://localhost:1'" in str(ended.value)
