"""Refusals and errors as programs read them, in the form that OpenAI's clients know."""

from __future__ import annotations

import logging
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from assistant.doors.asking import NoSuchEngine, Overloaded
from indexing.errors import DatelineError, SettingsError

log = logging.getLogger(__name__)

BROKEN = "Something went wrong inside Dateline; its log says what."
UNUSABLE = "The articles cannot be read just now; Dateline's log says why."


class Problem(Exception):
    """Why a request is not answered: an HTTP status, a sentence for people and a word for programs."""

    def __init__(
        self, status: int, message: str, code: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.headers = status, message, code, headers

    def to_json(self) -> dict[str, Any]:
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        return {"error": {"message": self.message, "type": kind, "param": None, "code": self.code}}

    def response(self) -> JSONResponse:
        return JSONResponse(self.to_json(), self.status, self.headers)


def problem_of(error: Exception) -> Problem:
    """What is told of an error. Of one that is not the caller's, only that there was one: its text may
    name folders of this machine."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, NoSuchEngine):
        return Problem(404, str(error), "model_not_found")
    if isinstance(error, Overloaded):
        return Problem(503, str(error), "overloaded", {"Retry-After": "5"})
    if isinstance(error, SettingsError):
        return Problem(400, str(error), "invalid_request")
    if isinstance(error, DatelineError):
        log.error("%s", error)
        return Problem(503, UNUSABLE, "unavailable")
    if isinstance(error, TimeoutError):
        return Problem(504, "The answer took too long and was given up.", "timeout")
    log.error("no answer", exc_info=error)
    return Problem(500, BROKEN, "internal_error")


def invalid(error: RequestValidationError) -> Problem:
    """Which part of a request is not of its form, and why."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if part != "body")
    told = first["msg"].removeprefix("Value error, ")
    return Problem(422, f"{place}: {told}" if place else told, "invalid_request")
