"""What requests and answers hold, as pydantic models; the OpenAPI page is made from them."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from assistant.doors.forms import Answer
from indexing.schema import Filters

MOST_TURNS = 50
LONGEST = 4_000

Question = Annotated[str, Field(min_length=1, max_length=LONGEST)]


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("it is empty")
    return text


def _example(extra: Literal["forbid", "allow"] = "forbid", **fields: Any) -> ConfigDict:
    """The request that the OpenAPI page begins with."""
    return ConfigDict(extra=extra, json_schema_extra={"examples": [dict(fields)]})


class Given(BaseModel):
    """Base of requests: a field that is not known is refused, for it may be a slip of the pen."""

    model_config = ConfigDict(extra="forbid")


class Limits(Given):
    """Which articles may be used: `source` is a glob over sources, dates are of publication."""

    source: str | None = Field(default=None, max_length=1_000)
    since: date | None = Field(default=None)
    until: date | None = Field(default=None)

    @property
    def filters(self) -> Filters:
        return Filters(self.source or None, self.since, self.until)


class Ask(Limits):
    """A question. `history` holds earlier [question, answer] turns, oldest first; `as_of` is the day
    deadlines are measured against, today unless given; with `stream` the reply is server-sent events."""

    model_config = _example(question="What is the MOU deadline?", as_of="2026-02-20")

    question: Question
    history: list[tuple[str, str]] = Field(default_factory=list, max_length=MOST_TURNS)
    engine: str | None = Field(default=None, max_length=200)
    as_of: date | None = Field(default=None)
    max_quotes: int | None = Field(default=None, ge=1, le=10)
    stream: bool = False
    id: str | None = Field(default=None, max_length=200)

    _question = field_validator("question")(_not_blank)


class Search(Limits):
    """A query for passages, and how many."""

    model_config = _example(query="price floors", k=3)

    query: Question
    k: int = Field(default=10, ge=1, le=100)

    _query = field_validator("query")(_not_blank)


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

    model_config = _example(
        "allow",
        model="dateline",
        messages=[{"role": "user", "content": "What is the MOU deadline?"}],
    )

    model: str = Field(default="dateline", max_length=200)
    messages: list[Message] = Field(
        min_length=1,
        max_length=4 * MOST_TURNS,
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
