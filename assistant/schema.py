"""The nouns of the question side. Offsets are those of `indexing.schema`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from indexing.schema import Passage, Sentence, SourceInfo, TimeExpression


class Status(StrEnum):
    """What became of a question. That the articles do not say is a result, not an error."""

    ANSWERED = "answered"
    NOT_IN_CORPUS = "not_in_corpus"


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage with its scores, best first where hits are listed.

    `dense` is cosine similarity (-1 to 1), None when the passage was not among the nearest.
    `lexical` is BM25 (0 and more, unbounded), None likewise. `fused` is the score hits are ranked
    by: larger is better, and comparable between questions only when it says so in `retrieve`.
    """

    passage: Passage
    info: SourceInfo
    dense: float | None
    lexical: float | None
    fused: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence of a passage, with what supports it as an answer.

    `logit` is the reranker's (unbounded; about -11 to 11), or stands for the hit's fused score where
    no reranker is used; `relevance`, on the same scale, is what sentences are ranked by. `context` is
    the reranker's logit of the sentence with its neighbours, None where that was not read. `covers` is
    the share of the question's words, weighed by rarity, in the sentence. `times` are the sentence's
    time expressions.
    """

    sentence: Sentence
    text: str
    hit: Hit
    relevance: float
    logit: float
    covers: float = 0.0
    context: float | None = None
    times: tuple[TimeExpression, ...] = ()


@dataclass(frozen=True, slots=True)
class Citation:
    """`quote` stands at `start:end` of `source`: verified when the answer was made."""

    number: int
    source: str
    title: str
    publisher: str | None
    published: date | None
    quote: str
    start: int
    end: int
    page: int | None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of an answer and the numbers of the citations it rests on, at least one."""

    text: str
    citations: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AnswerDate:
    """A date behind an answer, with the rule that produced it.

    `date` is ISO 8601, reduced to the precision known ("2026-03-06", "2025-07", "2020").
    `days_from_as_of` counts from the as-of day to the last day meant: negative has passed.
    """

    phrase: str
    anchor: date | None
    date: str
    rule: str
    days_from_as_of: int
    citations: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Agreement:
    """A value for the question and the citations that state it."""

    value: str
    citations: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Dropped:
    """A sentence of a chat model's reply that was left out, and why."""

    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class ModelUse:
    """What a chat model did for an answer: calls and tokens, None where its server does not say."""

    name: str
    calls: int
    input_tokens: int | None
    output_tokens: int | None


@dataclass(frozen=True, slots=True)
class Answer:
    """The reply to one question.

    `answered` has at least one citation, and every `[n]` in `text` has its citation and the
    reverse; `not_in_corpus` has none, and `closest` holds the nearest passages instead.
    `confidence` (0 to 1) is the same calibrated support score for both. `passages` are those its
    sentences were chosen from, best first: empty where the catalog answered, not the search. They
    are for measuring retrieval, and not part of the JSON. `engine` is what wrote the answer: where a
    chat model was asked and failed it is "quotes", `notice` says why, and `model` tells its cost.
    """

    question: str
    status: Status
    engine: str
    confidence: float
    text: str
    claims: tuple[Claim, ...] = ()
    citations: tuple[Citation, ...] = ()
    dates: tuple[AnswerDate, ...] = ()
    agreement: tuple[Agreement, ...] = ()
    closest: tuple[Citation, ...] = ()
    passages: tuple[Passage, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    notice: str = ""
    model: ModelUse | None = None
    timings_ms: dict[str, float] = field(default_factory=dict)
