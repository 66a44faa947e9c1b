"""Evidence made of plain sentences."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from fakes import info

from assistant.schema import Evidence, Hit
from indexing.chunk import passages
from indexing.schema import TimeExpression
from indexing.times.expressions import time_expressions

PUBLISHED = date(2026, 3, 2)


def evidence_of(
    text: str,
    source: str = "a.txt",
    relevance: float = 0.0,
    voice: str | None = None,
    published: date | None = PUBLISHED,
    n: int = 0,
) -> Evidence:
    """The `n`th sentence of an article that holds `text` alone."""
    hit = hit_of(text, source, voice)
    hit = replace(hit, info=replace(hit.info, published=published))
    sentence = hit.passage.sentences[n]
    said = text[sentence.start : sentence.end]
    return Evidence(sentence, said, hit, relevance, relevance, covers=1.0, times=times_of(hit, n))


def hit_of(text: str, source: str = "a.txt", voice: str | None = None, fused: float = 0.0) -> Hit:
    """A hit whose one passage is `text`, which stands alone in its article."""
    (passage,) = passages(source, text, text, (), 10_000)
    article = replace(info(source, "A title", PUBLISHED), voice=voice or source)
    return Hit(passage, article, None, None, fused)


def times_of(hit: Hit, n: int) -> tuple[TimeExpression, ...]:
    passage = hit.passage
    return time_expressions(passage.text, passage.sentences, hit.info.published)[n]
