"""Keys of the HTTP API: what they may be used for, and whether one still counts."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from assistant.keeping.records import Named
from assistant.settings import Settings

ASK, INDEX = "ask", "index"
SCOPES = (ASK, INDEX)
"""To ask, search and read; to bring the index in step with its folder."""

_PREFIX = "dl_"


def wants_key(settings: Settings) -> bool:
    """Whether nobody may ask without a key."""
    return settings.api_keys == "required" or settings.sign_in != "none"


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is kept; what it is itself is shown once, when it is made, and not kept."""

    name: str
    scopes: tuple[str, ...]
    hint: str
    made: str


class Keys:
    """The keys of one index, in `<index>/chat/keys.json`, by the SHA-256 of each.

    A key has 256 random bits, so that a slow hash would add nothing. Every method raises as those of
    `Named` do.
    """

    def __init__(self, settings: Settings) -> None:
        self._kept = Named(
            settings.index / "chat", "keys", "key", "revoke it with `dateline keys remove {name}`"
        )

    def list(self) -> list[Key]:
        return [_key(name, kept) for name, kept in self._kept.all().items()]

    def add(self, name: str, scopes: Sequence[str]) -> str:
        """A new key."""
        key = _PREFIX + secrets.token_urlsafe(32)
        kept = {
            "sha256": _hashed(key),
            "scopes": [scope for scope in SCOPES if scope in scopes],
            "hint": f"{key[:6]}…",
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        self._kept.add(name.strip(), kept)
        return key

    def remove(self, name: str) -> None:
        """From now on it opens nothing."""
        self._kept.remove(name)

    def find(self, key: str) -> Key | None:
        """Which of them `key` is."""
        hashed = _hashed(key)
        for name, kept in self._kept.all().items():
            if hmac.compare_digest(str(kept.get("sha256")), hashed):
                return _key(name, kept)
        return None


def _key(name: str, kept: dict[str, Any]) -> Key:
    return Key(name, tuple(kept["scopes"]), kept["hint"], kept["made"])


def _hashed(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
