"""A provider of identities that speaks OpenID Connect over HTTP on this machine, and lies when told to."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT = "dateline-tests"
SECRET = "s3cret/with:signs"


def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


KEY, STRANGER_KEY = _key(), _key()


@dataclass
class Provider:
    """A running provider. It lets whoever comes in as `person`, without a question."""

    issuer: str = ""
    person: dict[str, Any] = field(default_factory=dict)
    in_userinfo: dict[str, Any] | None = None
    """What /userinfo says, where that is not `person`."""
    lies: dict[str, Any] = field(default_factory=dict)
    """Claims of the identity token in place of the true ones; None leaves one out."""
    says: dict[str, Any] = field(default_factory=dict)
    """The same for the document that describes it."""
    back_with: dict[str, str] = field(default_factory=dict)
    """The same for the parameters that a browser is sent back with."""
    key: rsa.RSAPrivateKey | None = KEY
    """What signs; None for the algorithm "none"."""
    key_id: str = "first"
    down: bool = False
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    redeemed: list[str] = field(default_factory=list)

    def describe(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            **self.says,
        }

    def authorize(self, asked: dict[str, str]) -> str:
        """The address that the browser is sent back to."""
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(8)
        self.codes[code] = asked
        back = {"code": code, "state": asked["state"], "iss": self.issuer} | self.back_with
        return f"{asked['redirect_uri']}?{urlencode(back)}"

    def exchange(self, sent: dict[str, str], authorization: str) -> dict[str, str] | None:
        """The tokens for a code: once, to the program it was made for, that knows the verifier."""
        asked = self.codes.pop(sent.get("code", ""), None)
        basic = base64.b64encode(f"{CLIENT}:s3cret%2Fwith%3Asigns".encode()).decode()
        challenge = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
        if (
            asked is None
            or authorization != f"Basic {basic}"
            or sent.get("redirect_uri") != asked["redirect_uri"]
            or base64.urlsafe_b64encode(challenge).rstrip(b"=").decode() != asked["code_challenge"]
        ):
            return None
        self.redeemed.append(sent["code"])
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 60,
            "nonce": asked["nonce"],
            **self.person,
            **self.lies,
        }
        claims = {name: claim for name, claim in claims.items() if claim is not None}
        token = jwt.encode(
            claims,
            self.key,
            "RS256" if self.key else "none",
            headers={"kid": self.key_id},
        )
        return {"id_token": token, "access_token": "an access token", "token_type": "Bearer"}

    def keys(self) -> dict[str, Any]:
        published = jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
        return {"keys": [{**published, "kid": self.key_id, "use": "sig"}]}


@contextmanager
def providing(**person: Any) -> Iterator[Provider]:
    """Runs one at http://localhost:…, another site than 127.0.0.1 to a browser."""
    provider = Provider(person=person)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            path = urlsplit(self.path)
            if path.path == "/.well-known/openid-configuration":
                self._json(provider.describe())
            elif provider.down:
                self.send_error(503)
            elif path.path == "/authorize":
                asked = {name: values[0] for name, values in parse_qs(path.query).items()}
                self.send_response(302)
                self.send_header("Location", provider.authorize(asked))
                self.end_headers()
            elif path.path == "/keys":
                self._json(provider.keys())
            elif path.path == "/userinfo":
                assert self.headers["Authorization"] == "Bearer an access token"
                info = provider.in_userinfo
                self._json(provider.person if info is None else info)
            else:
                self.send_error(404)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            sent = {name: values[0] for name, values in parse_qs(body).items()}
            tokens = provider.exchange(sent, self.headers.get("Authorization", ""))
            if provider.down:
                self.send_error(503)
            elif tokens is None:
                self._json({"error": "invalid_grant"}, 400)
            else:
                self._json(tokens)

        def _json(self, value: Any, status: int = 200) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.issuer = f"http://localhost:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
