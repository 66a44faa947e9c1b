"""The JSON of `assistant.doors.show.text` as pydantic models, from which schemas for other programs are made."""

from __future__ import annotations

import datetime
from typing import Literal

from pydantic import BaseModel, Field


class Citation(BaseModel):
    """A quote that stands at [start, end) of its source, in Unicode code points: checked when the
    answer was made."""

    number: int
    source: str
    title: str
    publisher: str | None
    published: datetime.date | None
    quote: str = Field(description="Word for word the text of `source` at [start:end].")
    start: int
    end: int
    page: int | None
    url: str | None


class When(BaseModel):
    """A date behind an answer and the rule that produced it; what has passed has negative days."""

    phrase: str
    anchor: datetime.date | None
    date: str = Field(description="ISO 8601, reduced to the precision known.")
    rule: str
    days_from_as_of: int = Field(description="Negative has passed.")
    citations: list[int]


class Value(BaseModel):
    """A value for the question and the citations that state it; several where sources differ."""

    value: str
    citations: list[int]


class LeftOut(BaseModel):
    """A sentence of a chat model that was not shown, and why."""

    text: str
    reason: str


class Use(BaseModel):
    """What a chat model did for an answer."""

    name: str
    calls: int
    input_tokens: int | None
    output_tokens: int | None


class Answer(BaseModel):
    """An answer. Every `[n]` in `answer` has its citation; where `status` is "not_in_corpus" there are
    none, and `closest` holds the nearest passages, which do not answer it."""

    id: str | None
    question: str
    status: Literal["answered", "not_in_corpus"] = Field(
        description='"not_in_corpus": the articles do not say, and `closest` holds the nearest '
        "passages instead of citations."
    )
    engine: str
    confidence: float = Field(ge=0, le=1)
    answer: str = Field(description="Its marks such as [1] are numbers of `citations`.")
    citations: list[Citation]
    dates: list[When]
    agreement: list[Value] = Field(description="Several values: the articles differ.")
    closest: list[Citation]
    dropped: list[LeftOut]
    notice: str | None
    model: Use | None
    timings_ms: dict[str, float]


class Found(BaseModel):
    """A passage, best first: characters [start, end) of its file, in Unicode code points."""

    file: str
    start: int
    end: int
    score: float
    text: str


class Retrieved(BaseModel):
    """What a search found, best first."""

    id: str | None
    retrieved: list[Found]


class Source(BaseModel):
    """An article of the index. `repeats` is the source it is a copy of, if any."""

    source: str
    title: str
    publisher: str | None
    published: datetime.date | None
    published_from: str | None
    language: str | None
    url: str | None
    passages: int
    repeats: str | None = Field(description="The source whose text this one repeats.")


class Sources(BaseModel):
    """Some of the articles, and how many there are."""

    sources: list[Source]
    total: int


class Article(Source):
    """An article with its characters [start, end) of `length`, those that citations point into."""

    text: str
    start: int
    end: int
    length: int
