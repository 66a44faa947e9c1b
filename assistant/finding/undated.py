"""When an article bears no date: its times are read by the dates of articles that tell the same story.

Nothing is guessed: several dated articles close in content must lie within days of one another, and
a time is given a date only where counting from each of theirs gives the same one. The rule says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from assistant.schema import Evidence
from indexing.schema import Sentence, SourceInfo, TimeExpression
from indexing.store.view import View
from indexing.times.calendar import describe
from indexing.times.expressions import time_expressions

SAME_STORY = 0.8
"""Cosine similarity of two articles' mean passage vectors from which they tell the same story."""
FEWEST = 2
"""Dated articles that must agree."""
APART = 10
"""Days that their dates may lie apart."""


def dated_by_others(
    view: View, evidence: Sequence[Evidence], articles: Sequence[SourceInfo]
) -> list[Evidence]:
    """The evidence, with the times of undated articles resolved where others of `articles` allow it."""
    found: dict[str, dict[int, TimeExpression]] = {}
    known = {info.source: info for info in articles}
    dated = [info for info in known.values() if info.published and info.source == info.voice]
    resolved = []
    for e in evidence:
        info = e.hit.info
        if (
            info.published is None
            and any(t.first is None for t in e.times)
            and len(dated) >= FEWEST
        ):
            if info.source not in found:
                found[info.source] = _read_again(view, info, dated)
            again = found[info.source]
            times = tuple(again.get(t.start, t) if t.first is None else t for t in e.times)
            e = replace(e, times=times)
        resolved.append(e)
    return resolved


def _read_again(
    view: View, info: SourceInfo, dated: Sequence[SourceInfo]
) -> dict[int, TimeExpression]:
    """The times of an undated article, by their place, that all of its kin date alike."""
    alike = view.likeness(info.source, [other.source for other in dated])
    kin = [
        other
        for other in dated
        if alike.get(other.source, 0.0) >= SAME_STORY and other.voice != info.voice
    ]
    days = sorted({other.published for other in kin if other.published})
    if len(kin) < FEWEST or (days[-1] - days[0]).days > APART:
        return {}
    text = view.text_of(info.source) or ""
    sentences = [s for stored in view.passages_of(info.source) for s in stored.passage.sentences]
    readings = [_by_place(text, sentences, day) for day in days]
    said = f"its article is undated, and read with others on the same matter ({describe(days[0], days[-1], 'day')})"
    agreed = {}
    for start, t in readings[0].items():
        others = [r.get(start) for r in readings]
        if t.first and all(o and (o.first, o.last) == (t.first, t.last) for o in others):
            agreed[start] = replace(t, rule=f"{t.rule}; {said}")
    return agreed


def _by_place(text: str, sentences: Sequence[Sentence], day: date) -> dict[int, TimeExpression]:
    return {t.start: t for row in time_expressions(text, sentences, day) for t in row}
