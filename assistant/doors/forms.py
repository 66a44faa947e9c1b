"""The JSON of `assistant.doors.show.json` as pydantic models: schemas for other programs are made from
them, and answers that were kept are read back by them."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

NO_DAY = "no_day"
"""The type of the error for what is no day."""


def _day(given: object) -> object:
    try:
        if isinstance(given, str) and len(given) == len("2026-02-04"):
            return date.fromisoformat(given)
    except ValueError:
        pass
    if given is None or type(given) is date:
        return given
    raise PydanticCustomError(
        NO_DAY, "it must be a day such as 2026-02-04, got {given}", {"given": repr(given)[:100]}
    )


Day = Annotated[date | None, BeforeValidator(_day)]
Count = Annotated[int, Field(ge=0)]


class Form(BaseModel):
    """Nothing passes for what it is not, such as "3" for a number."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class Citation(Form):
    """A quote that stands at [start, end) of its source, in Unicode code points: checked when the
    answer was made."""

    number: Count
    source: str
    title: str
    publisher: str | None
    published: Day
    quote: str = Field(description="Word for word the text of `source` at [start:end].")
    start: Count
    end: Count
    page: Count | None
    url: str | None

    @model_validator(mode="before")
    @classmethod
    def _of_before(cls, given: Any) -> Any:
        """Those that were kept may lack what not every article has."""
        optional = dict.fromkeys(("publisher", "published", "page", "url"))
        return optional | given if isinstance(given, dict) else given


class When(Form):
    """A date behind an answer and the rule that produced it; what has passed has negative days."""

    phrase: str
    anchor: Day
    date: str = Field(description="ISO 8601, reduced to the precision known.")
    rule: str
    days_from_as_of: int = Field(description="Negative has passed.")
    citations: list[Count]


class Value(Form):
    """A value for the question and the citations that state it; several where sources differ."""

    value: str
    citations: list[Count]


class LeftOut(Form):
    """A sentence of a chat model that was not shown, and why."""

    text: str
    reason: str


class Use(Form):
    """What a chat model did for an answer."""

    name: str
    calls: Count
    input_tokens: Count | None
    output_tokens: Count | None


class Answer(Form):
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

    @model_validator(mode="before")
    @classmethod
    def _of_before(cls, given: Any) -> Any:
        """Those that were kept before the form got these keys lack them."""
        later: dict[str, Any] = {"id": None, "dropped": [], "notice": None, "model": None}
        return later | given if isinstance(given, dict) else given


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
    published: Day
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
