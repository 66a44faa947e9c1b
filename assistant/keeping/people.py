"""Who may use the chat page: accounts with passwords, guests, and whether a sign-in still counts.

Knows nothing of Chainlit, so that `dateline people` need not load it. All of it is kept in
`<index>/chat/`, in files that only their owner may read.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import secrets
import time
import unicodedata
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from assistant.keeping.records import Named, Record, written
from assistant.settings import Settings
from indexing.errors import IndexStorage, SettingsError

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

LOCAL, GUEST, PASSWORD, OIDC = "local", "guest", "password", "oidc"
"""The ways to be somebody on the page; the first two ask for nothing."""

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 1000
SESSION_S = {PASSWORD: 15 * 86_400, OIDC: 86_400}
"""How long a sign-in lasts. The provider of identities does not say when it takes a person back, so
its people sign in again each day."""

_SCRYPT = {"n": 2**15, "r": 8, "p": 3}
"""As OWASP's Password Storage Cheat Sheet (2024) asks: 32 MiB, some 0.3 s."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is signed in. No two people ever share an `identifier`.

    `proof` is what the signed cookie carries besides, and `People.is_current` looks at.
    """

    identifier: str
    name: str
    proof: dict[str, Any] = field(default_factory=dict)


def ways(settings: Settings) -> frozenset[str]:
    """How people come to be somebody under `settings`.

    Raises SettingsError where the page would be open to others and nobody said that it may be.
    """
    if settings.sign_in != "none":
        return frozenset(way.strip() for way in settings.sign_in.split(","))
    if not is_exposed(settings):
        return frozenset({LOCAL})
    if settings.open_to_all:
        return frozenset({GUEST})
    place = f"host {settings.host}" if settings.host not in LOOPBACK else settings.public_url
    raise SettingsError(
        f"others can reach the page at {place}, and it asks nobody to sign in; set "
        "DATELINE_SIGN_IN=password (and `dateline people add NAME`) or DATELINE_SIGN_IN=oidc, or "
        "let everybody in with --open-to-all or DATELINE_OPEN_TO_ALL=on"
    )


def is_exposed(settings: Settings) -> bool:
    """Whether people on other machines can reach the page."""
    public = urlsplit(settings.public_url).hostname
    return settings.host not in LOOPBACK or (public is not None and public not in LOOPBACK)


def secret(settings: Settings, env: Mapping[str, str] = os.environ) -> str:
    """What the cookies of signed-in people are signed with: made once, and kept.

    `CHAINLIT_AUTH_SECRET` in `env` wins. Raises SettingsError where that is too short, IndexStorage
    where there is no secret and none can be kept.
    """
    if given := env.get("CHAINLIT_AUTH_SECRET"):
        if len(given) < 32:
            raise SettingsError("CHAINLIT_AUTH_SECRET must have 32 characters or more")
        return given
    path = _folder(settings) / "secret"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            made = written(path, secrets.token_urlsafe(48))
            with suppress(FileExistsError):
                os.link(made, path)  # not a rename: of two that start at once, one secret counts
            made.unlink()
        kept = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise IndexStorage(f"the secret of the chat page at {path} cannot be kept: {exc}") from exc
    if len(kept) < 32:
        raise IndexStorage(f"{path} is damaged; remove it, and everybody signs in again")
    return kept


class Accounts:
    """The people with a password, in `<index>/chat/people.json`.

    Every method raises as those of `Named` do. Names are the same in capitals and small letters.
    """

    def __init__(self, settings: Settings) -> None:
        taken = "change the password with `dateline people password {name}`"
        self._kept = Named(_folder(settings), "people", "person", taken)

    def names(self) -> list[str]:
        return list(self._kept.all())

    def add(self, name: str, password: str) -> None:
        """Raises SettingsError where the password will not do."""
        # Not their name: whoever gets a removed person's name must not get their conversations.
        self._kept.add(_folded(name), {"id": secrets.token_hex(16), **_hashed(password)})

    def change_password(self, name: str, password: str) -> None:
        """Ends the person's sessions too. Raises SettingsError as `add` does."""
        self._kept.change(_folded(name), _hashed(password))

    def remove(self, name: str) -> str:
        """Ends the person's sessions too, and returns the identifier they had."""
        return _identifier(self._kept.remove(_folded(name)))

    def check(self, name: str, password: str) -> Person | None:
        """The person, where the password is theirs. A name that is unknown takes as long."""
        name = _folded(name)
        account = self._kept.get(name)
        against = account or _NOBODY
        given = _scrypt(password[:LONGEST_PASSWORD], against)
        right = hmac.compare_digest(given, bytes.fromhex(against["hash"]))
        if account is None or not right:
            return None
        return Person(_identifier(account), name, {"name": name, "epoch": account["epoch"]})

    def has(self, identifier: str, proof: Mapping[str, Any]) -> bool:
        """Whether that person is still there, with the password they signed in with."""
        account = self._kept.get(str(proof.get("name")))
        return (
            account is not None
            and identifier == _identifier(account)
            and hmac.compare_digest(str(proof.get("epoch")).encode(), account["epoch"].encode())
        )


class People:
    """Who is signed in to the page."""

    def __init__(self, settings: Settings, now: Callable[[], float] = time.time) -> None:
        """Raises SettingsError as `ways` does."""
        self.ways = ways(settings)
        self.accounts = Accounts(settings)
        self._allow = settings.oidc_allow
        self._ended = Record(_folder(settings) / "signed_out.json")
        self._now = now

    def local(self) -> Person:
        """The one person of a page that only this machine can reach."""
        return Person(LOCAL, "You", {"way": LOCAL})

    def guest(self) -> Person:
        """Somebody new, whom nobody asked who they are."""
        return Person(f"{GUEST}-{secrets.token_hex(16)}", "Guest", {"way": GUEST})

    def signed_in(self, person: Person, way: str) -> Person:
        """The person with the proof of having signed in now, in that way."""
        session = {"way": way, "session": secrets.token_hex(16), "since": int(self._now())}
        return Person(person.identifier, person.name, {**person.proof, **session})

    def is_current(self, identifier: str, proof: Mapping[str, Any]) -> bool:
        """Whether a sign-in still counts: its way is open, it is not too old, and neither was it
        signed out nor has the person been removed or given another password since."""
        way = proof.get("way")
        if way not in self.ways:
            return False
        if way == LOCAL:
            return identifier == LOCAL
        if way == GUEST:
            return identifier.startswith(f"{GUEST}-")
        since = proof.get("since")
        if not isinstance(since, int) or self._now() - since > SESSION_S[way]:
            return False
        if proof.get("session") in self._ended.read():
            return False
        if way == PASSWORD:
            return self.accounts.has(identifier, proof)
        return identifier.startswith(f"{OIDC}-") and is_allowed(self._allow, proof.get("email"))

    def sign_out(self, proof: Mapping[str, Any]) -> None:
        """Ends that sign-in for good, wherever its cookie may have been copied to."""
        if not isinstance(session := proof.get("session"), str):
            return
        with self._ended.changing() as ended:
            for old in [s for s, at in ended.items() if self._now() - at > max(SESSION_S.values())]:
                del ended[old]
            ended[session] = int(self._now())


def is_allowed(patterns: str, email: str | None) -> bool:
    """Whether one of the patterns, with commas between them, covers that address.

    "*" covers people without an address too.
    """
    wanted = [pattern.strip().casefold() for pattern in patterns.split(",")]
    if email is None:
        return "*" in wanted
    return any(fnmatchcase(email.casefold(), pattern) for pattern in wanted)


FREE_GUESSES = 5
LONGEST_WAIT_S = 900
_FORGOTTEN_S = 3600
_MOST_GUESSERS = 10_000


class Throttle:
    """Makes whoever guesses at a password wait, longer after each guess.

    Counted for each name at each address, so that nobody can keep another out; and the same for names
    that nobody has, so that waiting tells nothing.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._guesses: dict[tuple[str, str], tuple[int, float]] = {}

    def admits(self, name: str, address: str) -> bool:
        """Whether a guess may be made now. It counts from here: many at once get no further."""
        key = _folded(name)[:100], network(address)
        guesses, until = self._guesses.pop(key, (0, 0.0))
        if self._now() < until:
            self._guesses[key] = guesses, until
            return False
        guesses = guesses + 1 if self._now() < until + _FORGOTTEN_S else 1
        wait_s = min(2 ** min(guesses - FREE_GUESSES + 1, 10), LONGEST_WAIT_S)
        self._guesses[key] = guesses, self._now() + (wait_s if guesses >= FREE_GUESSES else 0)
        while len(self._guesses) > _MOST_GUESSERS:
            del self._guesses[next(iter(self._guesses))]  # the one that guessed longest ago
        return True

    def forget(self, name: str, address: str) -> None:
        """That name's password was right."""
        self._guesses.pop((_folded(name)[:100], network(address)), None)


def network(address: str) -> str:
    """The address; of one in IPv6 the half that its owner cannot choose."""
    try:
        if ipaddress.ip_address(address).version == 6:
            return str(ipaddress.ip_network(f"{address}/64", strict=False))
    except ValueError:
        pass
    return address


def _folder(settings: Settings) -> Path:
    return settings.index / "chat"


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _identifier(account: Mapping[str, Any]) -> str:
    return f"{PASSWORD}-{account['id']}"


def _hashed(password: str) -> dict[str, Any]:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise SettingsError(
            f"a password has {SHORTEST_PASSWORD} characters or more (at most "
            f"{LONGEST_PASSWORD:,}), this one has {len(password):,}"
        )
    chosen = {"salt": secrets.token_hex(16), **_SCRYPT}
    return {**chosen, "hash": _scrypt(password, chosen).hex(), "epoch": secrets.token_hex(8)}


def _scrypt(password: str, stored: Mapping[str, Any]) -> bytes:
    n, r, p = stored["n"], stored["r"], stored["p"]
    return hashlib.scrypt(
        unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass"),
        salt=bytes.fromhex(stored["salt"]), n=n, r=r, p=p, maxmem=2 * 128 * n * r, dklen=32,
    )  # fmt: skip


_NOBODY: dict[str, Any] = {"salt": "00" * 16, "hash": "00" * 32, **_SCRYPT}
