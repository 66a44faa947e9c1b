"""When: the times that an answer's sentences state, as calendar dates with the rule behind each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from assistant.schema import AnswerDate, Claim, Evidence
from assistant.understand import Question, Wanted, content_terms, stem
from indexing.dates import describe, iso
from indexing.schema import TimeExpression

AS_WRITTEN = "as written"


def best_time(question: Question, e: Evidence) -> TimeExpression | None:
    """The time expression of a sentence that a question about time asks for, None without one."""
    if question.wanted is Wanted.DURATION:
        preferred: tuple[str, ...] = ("duration", "deadline")
    elif question.asks_deadline:
        preferred = ("deadline",)
    else:
        preferred = ("date", "period", "deadline")
    places = [m.start() for m in re.finditer(r"\w+", e.text) if stem(m.group()) in question.stems]

    def rank(t: TimeExpression) -> tuple[bool, bool, int]:
        at = t.start - e.sentence.start
        distance = min((abs(at - place) for place in places), default=0)
        return (t.kind not in preferred, t.first is None, distance)

    wanted = [t for t in e.times if t.kind != "duration" or question.wanted is Wanted.DURATION]
    return min(wanted, key=rank, default=None)


def answer_dates(evidence: Sequence[Evidence], as_of: date) -> tuple[AnswerDate, ...]:
    """The resolved time expressions of sentences cited as 1, 2, 3..., each with all that state it."""
    merged: dict[tuple[str, str], AnswerDate] = {}
    for number, e in enumerate(evidence, 1):
        for t in e.times:
            if t.first is None or t.last is None:
                continue
            key = (t.phrase.casefold(), iso(t.first, t.precision))
            known = merged.get(key)
            merged[key] = AnswerDate(
                phrase=known.phrase if known else t.phrase,
                anchor=t.anchor,
                date=key[1],
                rule=t.rule,
                days_from_as_of=(t.last - as_of).days,
                citations=tuple(dict.fromkeys((*(known.citations if known else ()), number))),
            )
    return tuple(merged.values())


def dated_claim(question: Question, evidence: Sequence[Evidence], as_of: date) -> Claim | None:
    """The calendar date a question asks for, in a sentence of ours; None for other questions.

    A time that no date can be given is said to be so, with the reason.
    """
    if question.wanted is not Wanted.DATE:
        return None
    stated = [(n, t) for n, e in enumerate(evidence, 1) if (t := best_time(question, e))]
    if not stated:
        return None
    number, first = stated[0]
    alike = [t for _, t in stated if content_terms(t.phrase) == content_terms(first.phrase)]
    t = next((t for t in alike if t.first is not None), first)
    if t.first is None or t.last is None:
        return Claim(f"**{t.phrase}**, which cannot be dated: {t.rule}. [{number}]", (number,))
    key = (t.phrase.casefold(), iso(t.first, t.precision))
    day = next(d for d in answer_dates(evidence, as_of) if (d.phrase.casefold(), d.date) == key)
    is_deadline = t.kind == "deadline"
    text = f"**{'By ' if is_deadline else ''}{describe(t.first, t.last, t.precision)}**"
    if t.rule != AS_WRITTEN:
        text += f" (“{day.phrase}”: {t.rule})"
    if is_deadline or day.days_from_as_of >= 0:
        text += _status(day.days_from_as_of)
    return Claim(f"{text}. {''.join(f'[{n}]' for n in day.citations)}", day.citations)


def _status(days: int) -> str:
    if days == 0:
        return "; that is today"
    unit = "day" if abs(days) == 1 else "days"
    return (
        f"; that day passed {-days:,} {unit} ago" if days < 0 else f"; that is in {days:,} {unit}"
    )
