"""When: the times that an answer's sentences state, as calendar dates with the rule behind each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from assistant.language.words import content_terms, stem
from assistant.question.question import Question, Wanted
from assistant.schema import AnswerDate, Evidence
from indexing.schema import TimeExpression
from indexing.times.calendar import describe, iso

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

    lasting = question.wanted is Wanted.DURATION
    wanted = [t for t in e.times if (t.kind in preferred if lasting else t.kind != "duration")]
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


@dataclass(frozen=True, slots=True)
class Lead:
    """A direct answer in words of ours, without its marks, and the sentences it rests on."""

    text: str
    rests_on: tuple[Evidence, ...]


def dated_lead(question: Question, evidence: Sequence[Evidence], as_of: date) -> Lead | None:
    """The calendar date a question asks for, and where it lies from `as_of`; None for other questions.

    A time that no date can be given is said to be so, with the reason.
    """
    if question.wanted is not Wanted.DATE:
        return None
    stated = [(e, t) for e in evidence if (t := best_time(question, e))]
    if not stated:
        return None
    if question.asks_deadline:  # a sentence that sets one, before one that only has a date
        stated.sort(key=lambda pair: pair[1].kind != "deadline")
    first = stated[0][1]
    alike = [(e, t) for e, t in stated if content_terms(t.phrase) == content_terms(first.phrase)]
    dated = [(e, t) for e, t in alike if t.first is not None]
    own = [(e, t) for e, t in dated if e.hit.info.published]  # the article's own date tells best
    e, t = (own or dated or stated)[0]
    if t.first is None or t.last is None:
        return Lead(f"**{t.phrase}**, which cannot be dated: {t.rule}", (e,))
    day = iso(t.first, t.precision)
    rests_on = [e]
    for other, said in stated:
        if other is not e and said.first and iso(said.first, said.precision) == day:
            rests_on.append(other)
    told = e.hit.info.published
    to_come = t.anchor is not None or (told is not None and t.last >= told)  # not "until 1978"
    is_deadline = t.kind == "deadline" and (question.asks_deadline or to_come)
    text = f"**{'By ' if is_deadline else ''}{describe(t.first, t.last, t.precision)}**"
    if t.rule != AS_WRITTEN:
        text += f" (“{t.phrase}”: {t.rule})"
    days = (t.last - as_of).days
    is_near = t.precision in ("day", "month")
    if is_near and (is_deadline or question.asks_deadline or days >= 0):
        text += _status(days)
    return Lead(text, tuple(rests_on))


def _status(days: int) -> str:
    if days == 0:
        return "; that is today"
    unit = "day" if abs(days) == 1 else "days"
    return (
        f"; that day passed {-days:,} {unit} ago" if days < 0 else f"; that is in {days:,} {unit}"
    )
