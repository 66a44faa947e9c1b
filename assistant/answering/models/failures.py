"""What went wrong with a chat model, in words for people, and whether to try again."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from assistant.answering.models.names import Target, adaptable_target

REFUSALS = {"content_filter", "content_filtered", "refusal", "guardrail_intervened", "safety",
             "recitation", "blocklist", "prohibited_content", "spii", "error_toxic"}  # fmt: skip

ERRORS = {"error", "failed"}

CUT_SHORT = {"length", "max_tokens", "max_output_tokens", "model_length"}


def check_finish(chunk: Any) -> str:
    """Why the reply ends with this chunk, "stop" for one that is whole; empty where it goes on."""
    if isinstance(chunk.content, list):
        for block in chunk.content:
            if isinstance(block, dict) and block.get("type") == "refusal":
                return "refusal"
    said = chunk.response_metadata
    for field_name in ("finish_reason", "stop_reason", "done_reason", "stopReason"):
        if said.get(field_name):
            return str(said[field_name]).lower()
    if said.get("status") == "incomplete":  # of OpenAI's responses protocol, as is "completed"
        return str((said.get("incomplete_details") or {}).get("reason") or "incomplete").lower()
    return "stop" if said.get("status") == "completed" else ""


class Failure(Exception):
    """A request that failed, in the user's words.

    `is_passing`: the same one may succeed later, after `pause_s` where the server said.
    """

    def __init__(
        self, message: str, *, is_passing: bool = False, pause_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.is_passing = is_passing
        self.pause_s = pause_s


# The names of exceptions, or of their bases, for each client has its own.
_UNREACHABLE = {"ConnectError", "ConnectTimeout", "ConnectionRefusedError", "gaierror"}

_TIMEOUTS = {"TimeoutError", "TimeoutException", "APITimeoutError", "ModelTimeoutError"}

_BROKEN_OFF = {"OSError", "TransportError", "APIConnectionError", "ModelConnectionError"}

_RUBBISH = {
    "ValueError",
    "TypeError",
    "LookupError",
    "AttributeError",
    "APIResponseValidationError",
}

_TOO_LONG = re.compile(
    r"context.{0,20}(length|size|window)|(length|size).{0,20}context|prompt is too long"
    r"|too many (input )?tokens|too large for model|input is too long",
    re.IGNORECASE,
)

_PASSING = {408, 425, 429}
"""HTTP statuses after which the same request may succeed, as after any of 500 and more."""


def failure_of(target: Target, exc: Exception, has_begun: bool) -> Failure:
    """What `exc`, of any client, means for the user."""
    name, chain = target.name, _chain(exc)
    kinds = {base.__name__ for each in chain for base in type(each).__mro__}
    status = _status(chain)
    if status is None and kinds & _RUBBISH and not kinds & (_UNREACHABLE | _TIMEOUTS | _BROKEN_OFF):
        where = f"{target.host} the right address" if target.host else "it the right model"
        return Failure(f"{name} does not answer in the protocol of {name.provider}; is {where}?")
    if has_begun:
        return cut_off(target, has_begun)
    if "ContextOverflowError" in kinds or status == 413:
        return _too_long(target)
    if status in (None, 400, 422, 500) and any(_TOO_LONG.search(str(each)) for each in chain):
        return _too_long(target)
    if status is not None:
        return _refusal(target, status, _retry_after(chain))
    if kinds & _UNREACHABLE or type(exc) is ConnectionError:
        advice = (
            "its server running" if target.host or not target.provider.key else "there a network"
        )
        return Failure(f"{name} cannot be reached{target.at_host}; is {advice}?", is_passing=True)
    if kinds & _TIMEOUTS:
        return Failure(f"{name} did not answer in time", is_passing=True)
    if kinds & _BROKEN_OFF:
        return cut_off(target, has_begun)
    return Failure(f"{name} answered with an error of its own ({type(exc).__name__})")


def _too_long(target: Target) -> Failure:
    return Failure(f"the prompt is too long for {target.name}; choose a model that reads more")


def cut_off(target: Target, has_begun: bool) -> Failure:
    if has_begun:
        return Failure(f"{target.name} stopped in mid-answer")
    return Failure(
        f"{target.name}{target.at_host} closed the connection without an answer", is_passing=True
    )


def _refusal(target: Target, status: int, retry_after_s: float | None) -> Failure:
    """What an answer of HTTP `status` means."""
    name = target.name
    answered = f"(HTTP {status})"
    if status in (401, 403):
        return Failure(f"{_shut_out(target)} {answered}")
    if status == 404:
        if name.provider == "ollama":
            how = f"fetch it with: ollama pull {name.model}"
        else:
            how = "check its name" + (" and its URL" if target.host else "")
        return Failure(f"{name} is not there{target.at_host} {answered}; {how}")
    if 300 <= status < 400:
        return Failure(f"{name} has moved {answered}; check its URL")
    if status in _PASSING or status >= 500:
        timeout_s = target.settings.model_timeout_s
        message = f"{name} answered HTTP {status}"
        if status == 429:
            message = f"{name} takes no more requests for now {answered}"
        if retry_after_s is not None and retry_after_s > timeout_s:
            return Failure(f"{message}; it asks to wait {retry_after_s:.0f} s")
        return Failure(message, is_passing=True, pause_s=retry_after_s)
    return Failure(f"{name} did not accept the request {answered}")


def _shut_out(target: Target) -> str:
    """Why a server does not let us in."""
    name, key = target.name, target.provider.key
    if urlsplit(name.url or "").username:
        return f"{name} refused the user and password of its URL"
    if not key:
        return f"{name}{target.at_host} lets nobody in without a key"
    if not os.environ.get(key):
        return f"{name}{target.at_host} wants a key: set {key}"
    return f"{name} refused the key in {key}"


def refused(target: Target, exc: Exception) -> str:
    """Which of what the request asked for the server, or its client, names as not to be had."""
    chain = _chain(exc)
    if _status(chain) not in (None, 400, 422) or any(_TOO_LONG.search(str(e)) for e in chain):
        return ""
    said = " ".join(str(each) for each in chain)
    return next((word for word in adaptable_target(target) if word in said), "")


def _chain(exc: BaseException) -> list[BaseException]:
    """`exc` and what led to it, innermost last."""
    found: list[BaseException] = []
    at: BaseException | None = exc
    while at is not None and at not in found:
        found.append(at)
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    return found


def _status(chain: Sequence[BaseException]) -> int | None:
    """The HTTP status that led to these, under whatever name their client keeps it."""
    for exc in chain:
        body = getattr(exc, "body", None)
        for value in (
            getattr(exc, "status_code", None),
            getattr(getattr(exc, "response", None), "status_code", None),
            getattr(exc, "code", None),
            body.get("code") if isinstance(body, dict) else None,
        ):
            if isinstance(value, int) and 300 <= value < 600:
                return int(value)
    return None


def _retry_after(chain: Sequence[BaseException]) -> float | None:
    """The seconds that the server asks to wait: RFC 9110, section 10.2.3."""
    for exc in chain:
        headers = getattr(getattr(exc, "response", None), "headers", None) or {}
        said = str(headers.get("retry-after") or "").strip()
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", said):
            return float(said)
        if said:
            with suppress(ValueError, OverflowError):
                return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    return None
