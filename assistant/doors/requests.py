"""What programs may ask, as pydantic models: over HTTP and as tools alike, within the same limits.

They are read strictly: "3" is no number and 1 no switch, so that a slip is said and not guessed at.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from assistant.doors.forms import Day
from assistant.service import LONGEST_QUESTION, MOST_QUOTES
from indexing.schema import Filters

MOST_TURNS = 50
"""Earlier turns that come with a question."""
MOST_PASSAGES = 100
"""Passages that one search finds."""
MOST_SOURCES = 1_000
"""Articles that are listed at once."""
LONGEST_ENGINE = 200

BLANK = "blank"
"""The type of the error for words that are none."""


def _not_blank(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError(BLANK, "it is empty")
    return text


Words = Annotated[str, Field(min_length=1, max_length=LONGEST_QUESTION), AfterValidator(_not_blank)]
Turn = Annotated[list[str], Field(min_length=2, max_length=2)]


class Request(BaseModel):
    """Base of requests: a field that is not known is refused, for it may be a slip of the pen."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Within(Request):
    """Which articles may be used."""

    since: Day = Field(
        default=None,
        description="Only articles published on this day or later, such as 2026-02-04.",
    )
    until: Day = Field(
        default=None,
        description="Only articles published on this day or earlier, such as 2026-02-28.",
    )
    source: str | None = Field(
        default=None,
        max_length=1_000,
        description="Only sources that match this glob, such as 'bbc/*'.",
    )

    @property
    def filters(self) -> Filters:
        return Filters(self.source or None, self.since, self.until)


class Ask(Within):
    """A question."""

    question: Words = Field(description="The question, in words, as a person would ask it.")
    history: list[Turn] = Field(
        default_factory=list,
        max_length=MOST_TURNS,
        description="Earlier turns as [question, answer], oldest first, where the question is a "
        "follow-up such as 'And when does it end?'.",
    )
    as_of: Day = Field(
        default=None, description="The day that deadlines are measured against; today unless given."
    )
    engine: str | None = Field(
        default=None,
        max_length=LONGEST_ENGINE,
        description="What writes the answer: 'quotes', or a chat model that Dateline is set up "
        "with. Leave it out for the usual one.",
    )
    max_quotes: int | None = Field(
        default=None,
        ge=1,
        le=MOST_QUOTES,
        description="The most sentences to quote; leave it out for the usual.",
    )

    @property
    def turns(self) -> list[tuple[str, str]]:
        return [(question, answer) for question, answer in self.history]


class Search(Within):
    """A query for passages, and how many."""

    query: Words = Field(description="A question or a few words.")
    k: int = Field(default=10, ge=1, le=MOST_PASSAGES, description="How many passages.")
