"""The bodies of the API's requests and replies, as pydantic models; the OpenAPI page is made from them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from assistant.doors import requests
from assistant.doors.forms import Answer


def _example(**fields: Any) -> dict[str, Any]:
    """The request that the OpenAPI page begins with."""
    return {"examples": [fields]}


class AskBody(requests.Ask):
    """A question; with `stream` the reply is server-sent events. `id` comes back with the answer."""

    model_config = ConfigDict(
        json_schema_extra=_example(question="What is the MOU deadline?", as_of="2026-02-20")
    )

    stream: bool = False
    id: str | None = Field(default=None, max_length=200)


class SearchBody(requests.Search):
    """A query for passages, and how many."""

    model_config = ConfigDict(json_schema_extra=_example(query="price floors", k=3))


class Failed(BaseModel):
    """A file that was set aside, and why."""

    source: str
    error: str


class Report(BaseModel):
    """What a run of indexing did; `passages` and `articles` are the totals afterwards."""

    added: int
    changed: int
    unchanged: int
    removed: int
    failed: list[Failed]
    passages: int
    articles: int
    embedded: int
    seconds: float


class Trouble(BaseModel):
    """Why a request was not answered."""

    message: str
    type: str
    param: str | None
    code: str


class Refusal(BaseModel):
    """Every error has this form."""

    error: Trouble


class Part(BaseModel):
    """A part of a message's content; only text is read."""

    type: str
    text: str | None = None


class Message(BaseModel):
    """A message in OpenAI's form."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "\n".join(part.text or "" for part in self.content if part.type == "text")
        return self.content or ""


class StreamOptions(BaseModel):
    include_usage: bool = False


class Completion(BaseModel):
    """A chat completion in OpenAI's form. The last message is the question, those before it are the
    conversation; what steers a model's sampling is not heeded, for every sentence is verified."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra=_example(
            model="dateline",
            messages=[{"role": "user", "content": "What is the MOU deadline?"}],
        ),
    )

    model: str = Field(default="dateline", max_length=requests.LONGEST_ENGINE)
    messages: list[Message] = Field(
        min_length=1,
        max_length=4 * requests.MOST_TURNS,
    )
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: int | None = Field(default=None, ge=1, le=1)


class Completed(BaseModel):
    """OpenAI's form, with the whole answer under `dateline` and the citations in the message too."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[dict[str, Any]]
    usage: dict[str, int]
    dateline: Answer


class Models(BaseModel):
    """The engines on offer, in OpenAI's form."""

    object: Literal["list"]
    data: list[dict[str, Any]]


class Ready(BaseModel):
    """Whether questions can be answered, and what of it was looked at."""

    status: Literal["ready", "not ready"]
    checks: dict[str, str]
