"""Sign-in with OpenID Connect: the authorization code flow with state, nonce and PKCE.

Knows nothing of Chainlit, whose own providers check neither the nonce nor the identity token, and
send no PKCE challenge. (OpenID Connect Core 1.0 §3.1; RFC 7636; RFC 9207.)
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx
import jwt

from assistant.keeping.people import LOOPBACK, OIDC, Person, is_allowed
from assistant.settings import Settings
from indexing.errors import DatelineError, SettingsError

PATIENCE_S = 10
TRIP_S = 600
"""How long a person may take at the provider."""
CLOCKS_APART_S = 60

_SIGNED_WITH = [
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
]
"""Public keys only: with a secret that both know, anybody who has it could say who somebody is."""


class NotSignedIn(DatelineError):
    """A person was not let in. `reason` names the sentence that the page shows (`auth.login.errors`);
    the message is for the terminal, and repeats nothing secret."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Provider:
    """What a provider of identities says of itself."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    takes_secret_in_body: bool


def discover(settings: Settings) -> Provider:
    """Asks `settings.oidc_issuer`. Raises SettingsError where there is no such provider."""
    issuer = settings.oidc_issuer
    at = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    blame = f"DATELINE_OIDC_ISSUER is {issuer!r}, and "
    try:
        response = httpx.get(at, timeout=PATIENCE_S)
        response.raise_for_status()
        says = response.json()
    except httpx.HTTPStatusError as exc:
        raise SettingsError(
            f"{blame}{at} answers with status {exc.response.status_code}; give the issuer as the "
            "provider writes it"
        ) from exc
    except httpx.HTTPError as exc:
        raise SettingsError(
            f"{blame}{at} cannot be reached ({exc or type(exc).__name__}); check the address and the "
            "network, or set DATELINE_SIGN_IN without oidc"
        ) from exc
    except ValueError as exc:
        raise SettingsError(f"{blame}{at} answers with something that is not JSON") from exc
    if not isinstance(says, dict) or says.get("issuer") != issuer:
        named = says.get("issuer") if isinstance(says, dict) else None
        raise SettingsError(f"{blame}the provider there calls itself {named!r}; they must be equal")

    def endpoint(name: str) -> str:
        url = says.get(name)
        if not isinstance(url, str) or not _is_safe(url):
            raise SettingsError(f"{blame}{at} gives no {name} with https, but {url!r}")
        return url

    ways = says.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return Provider(
        issuer,
        endpoint("authorization_endpoint"),
        endpoint("token_endpoint"),
        endpoint("jwks_uri"),
        endpoint("userinfo_endpoint") if "userinfo_endpoint" in says else None,
        takes_secret_in_body="client_secret_basic" not in ways,
    )


def _is_safe(url: str) -> bool:
    parsed = urlsplit(url)
    return parsed.scheme == "https" or (parsed.scheme == "http" and parsed.hostname in LOOPBACK)


class Reception:
    """Sends people to the provider, and finds out who comes back."""

    def __init__(self, settings: Settings, provider: Provider, secret: str) -> None:
        """`secret` signs what a browser keeps meanwhile."""
        self._settings = settings
        self._provider = provider
        # Not the key of the sessions: neither cookie can ever be taken for the other.
        self._secret = hmac.digest(secret.encode(), b"oidc", "sha256")
        self._keys: list[jwt.PyJWK] = []

    def depart(self, redirect_uri: str) -> tuple[str, str]:
        """The provider's address to send the browser to, and what the browser keeps until it returns."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
        asked = {
            "response_type": "code",
            "client_id": self._settings.oidc_client_id,
            "redirect_uri": redirect_uri,
            "scope": "openid profile email",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge.rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        kept = {"state": state, "nonce": nonce, "verifier": verifier, "exp": time.time() + TRIP_S}
        endpoint = self._provider.authorization_endpoint
        address = f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"
        return address, jwt.encode(kept, self._secret, "HS256")

    async def arrive(self, brought: Mapping[str, str], kept: str, redirect_uri: str) -> Person:
        """Who came back with those parameters. Raises NotSignedIn."""
        try:
            trip = jwt.decode(kept, self._secret, ["HS256"], {"require": ["exp"]})
        except jwt.InvalidTokenError as exc:
            raise NotSignedIn("sso_start_again", "the browser did not come from here") from exc
        if not hmac.compare_digest(brought.get("state", "").encode(), trip["state"].encode()):
            raise NotSignedIn("sso_start_again", "the state is not the one that was sent")
        if brought.get("iss", self._provider.issuer) != self._provider.issuer:
            raise NotSignedIn("sso_failed", "the answer is another issuer's")
        if "error" in brought:
            said = re.sub(r"[^\w .-]", "?", brought["error"])[:60]
            raise NotSignedIn("sso_refused", f"the provider refused: {said}")
        if not (code := brought.get("code")):
            raise NotSignedIn("sso_failed", "the provider sent no code")
        async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
            try:
                return await self._person(client, code, trip, redirect_uri)
            except httpx.HTTPStatusError as exc:
                raise NotSignedIn(
                    "sso_failed",
                    f"{exc.request.url.path} of the provider answers {exc.response.status_code}",
                ) from exc
            except httpx.HTTPError as exc:
                raise NotSignedIn(
                    "sso_down", f"the provider cannot be reached: {type(exc).__name__}"
                ) from exc
            except jwt.PyJWTError as exc:
                raise NotSignedIn("sso_failed", f"the identity token is wrong: {exc}") from exc
            except (ValueError, KeyError, TypeError, AttributeError) as exc:
                raise NotSignedIn(
                    "sso_failed", "the provider's answer is not OpenID Connect"
                ) from exc

    async def _person(
        self, client: httpx.AsyncClient, code: str, trip: Mapping[str, str], redirect_uri: str
    ) -> Person:
        tokens = await self._exchange(client, code, trip["verifier"], redirect_uri)
        claims = await self._claims(client, tokens["id_token"])
        if not hmac.compare_digest(str(claims.get("nonce")).encode(), trip["nonce"].encode()):
            raise NotSignedIn("sso_failed", "the identity token answers another request")
        if "email" not in claims and self._provider.userinfo_endpoint:
            bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
            response = await client.get(self._provider.userinfo_endpoint, headers=bearer)
            more = response.raise_for_status().json()
            if more["sub"] != claims["sub"]:
                raise NotSignedIn("sso_failed", "the provider describes somebody else")
            claims = {**more, **claims}
        email = _verified_email(claims)
        if not is_allowed(self._settings.oidc_allow, email):
            raise NotSignedIn("sso_not_allowed", "DATELINE_OIDC_ALLOW does not cover this address")
        # Hashed: of a length and an alphabet that any store takes.
        who = hashlib.sha256(f"{self._provider.issuer}\0{claims['sub']}".encode()).hexdigest()[:32]
        called = (claims.get("name"), claims.get("preferred_username"), email, "Somebody")
        name = next(n for n in called if isinstance(n, str) and n.strip())
        return Person(f"{OIDC}-{who}", name.strip()[:100], {"email": email})

    async def _exchange(
        self, client: httpx.AsyncClient, code: str, verifier: str, redirect_uri: str
    ) -> dict[str, Any]:
        sent = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        name, secret = self._settings.oidc_client_id, self._settings.oidc_client_secret
        auth = None
        if secret and not self._provider.takes_secret_in_body:
            auth = httpx.BasicAuth(quote(name, safe=""), quote(secret, safe=""))  # RFC 6749 §2.3.1
        else:
            sent |= {"client_id": name} | ({"client_secret": secret} if secret else {})
        response = await client.post(
            self._provider.token_endpoint, data=sent, auth=auth or httpx.USE_CLIENT_DEFAULT
        )
        tokens: dict[str, Any] = response.raise_for_status().json()
        return tokens

    async def _claims(self, client: httpx.AsyncClient, token: str) -> dict[str, Any]:
        """What the identity token says, once it is sure that the provider said it, here and now."""
        claims: dict[str, Any] = jwt.decode(
            token,
            await self._key(client, token),
            algorithms=_SIGNED_WITH,
            audience=self._settings.oidc_client_id,
            issuer=self._provider.issuer,
            leeway=CLOCKS_APART_S,
            options={"require": ["iss", "sub", "aud", "exp", "iat"]},
        )
        made_for = claims.get("azp", claims["aud"])
        if made_for not in (self._settings.oidc_client_id, [self._settings.oidc_client_id]):
            raise jwt.InvalidAudienceError("it was made for another program")
        return claims

    async def _key(self, client: httpx.AsyncClient, token: str) -> jwt.PyJWK:
        wanted = jwt.get_unverified_header(token).get("kid")

        def found() -> jwt.PyJWK | None:
            fits = [key for key in self._keys if wanted is None or key.key_id == wanted]
            return fits[0] if len(fits) == 1 else None

        if (key := found()) is None:  # the first sign-in, or the provider has changed its keys
            response = await client.get(self._provider.jwks_uri)
            keys = jwt.PyJWKSet.from_dict(response.raise_for_status().json()).keys
            self._keys = [key for key in keys if key.public_key_use in (None, "sig")]
            key = found()
        if key is None:
            raise jwt.InvalidKeyError("it is signed with a key that the provider does not publish")
        return key


def _verified_email(claims: Mapping[str, Any]) -> str | None:
    """The address, unless the provider says that it is not sure of it."""
    email = claims.get("email")
    if not isinstance(email, str) or not re.fullmatch(r"[^@\s,]+@[^@\s,]+", email):
        return None
    return None if claims.get("email_verified") in (False, "false") else email
