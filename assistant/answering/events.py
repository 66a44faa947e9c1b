"""What happened on a day: the sentences whose times, as resolved when they were indexed, lie there."""

from __future__ import annotations

import re
from datetime import date

from assistant.answering.quotes import answer_of, uncited
from assistant.checking.quotes import Verify
from assistant.finding.select import is_same, sentences_of
from assistant.language.words import content_terms
from assistant.schema import Answer, Evidence, Hit
from indexing.schema import EVERYTHING, Filters
from indexing.store.view import View
from indexing.times.calendar import SEASONS, describe
from indexing.times.expressions import parse_day
from indexing.times.words import ANY_DAY, ANY_MONTH, ONES, ORDINALS

PASSAGES = 60
"""Passages looked through for one day or span."""

_ASKS = re.compile(
    r"\W*(?:(?:and|so|tell me|do you know)\s+)*what(?:['’]s|\s+(?:else|all|is|was|will|has|had|is there|was there))*\s+"
    r"(?:been\s+|be\s+|was\s+|is\s+|to\s+)*(?:happen(?:ed|s|ing)?|took place|takes? place|going on|announced|planned|scheduled|due|"
    r"occurred|done|reported to happen)\s+(?P<when>.+?)\W*",
    re.IGNORECASE,
)
_TO_COME = re.compile(
    r"\b(?:will|planned|scheduled|due|happens|takes? place|next|tomorrow|coming)\b", re.I
)
_TIME_WORDS = frozenset([*ANY_MONTH, *ANY_DAY, *ORDINALS, *ONES, "ten", *SEASONS]) | frozenset(
    """yesterday today tomorrow last next this past coming week weeks month months year years day days weekend
    quarter early late mid earlier later beginning middle end since before after ago morning evening night""".split()
)


def asked_time(question: str, today: date) -> tuple[date, date, str] | None:
    """The first and last day of "what happened on 4 February?", and its words; None where a question
    asks for more than a time."""
    m = _ASKS.fullmatch(question)
    if m is None:
        return None
    when = re.sub(r"^for\s+", "in ", m["when"])
    rest = [t for t in content_terms(when) if t not in _TIME_WORDS and not re.match(r"\d", t)]
    days = parse_day(when, today) if not rest else None
    if days and days[0] > today and not _TO_COME.search(question) and not re.search(r"\d{4}", when):
        days = parse_day(when, date(today.year - 1, 12, 31))
    return (*days, when) if days else None


def happened(
    question: str,
    view: View,
    as_of: date,
    most: int,
    verify: Verify,
    filters: Filters = EVERYTHING,
) -> Answer | None:
    """What the articles say of the time a question asks for; None for any other question.

    A weekday or "yesterday" that the articles say nothing of, counted from `as_of`, is counted from
    the newest article: that is the day its reader means.
    """
    asked = asked_time(question, as_of)
    if asked is None:
        return None
    first, last, when = asked
    found = _sentences(view, first, last, filters, most, verify)
    counted = ""
    newest = max((i.published for i in view.sources(filters) if i.published), default=None)
    again = parse_day(when, newest) if newest and not found else None
    if again and (found := _sentences(view, *again, filters, most, verify)):
        (first, last), counted = again, f" (“{when}”, counted from the newest article)"
    day = _described(first, last)
    if not found:
        said = f"; the newest article is of {_described(newest, newest)}" if newest else ""
        text = f"The articles do not say: none of them speaks of {day}{said}."
        return uncited(question, text)
    return answer_of(question, f"**{day}**{counted}:", found)


def _described(first: date, last: date) -> str:
    if first == date.min:
        return f"the time until {describe(last, last, 'day')}"
    if last == date.max:
        return f"the time from {describe(first, first, 'day')}"
    is_year = (first.month, first.day, last.month, last.day) == (1, 1, 12, 31)
    return describe(first, last, "year" if is_year else "day")


def _sentences(
    view: View,
    first: date,
    last: date,
    filters: Filters,
    most: int,
    verify: Verify,
) -> list[Evidence]:
    """At most `most` sentences with a time in the span, each saying something else, every voice heard
    before one is heard again."""
    found: list[tuple[int, Evidence]] = []
    heard: dict[str, int] = {}
    ids = view.passages_about(first, last, PASSAGES, filters)
    stored = view.passages(ids)
    for identity in ids:
        passage, info = stored[identity].passage, stored[identity].info
        hit = Hit(passage, info, None, None, 0.0)
        for place, text, times in sentences_of(hit, view.times_between):
            if not any(t.first and t.last and first <= t.first and t.last <= last for t in times):
                continue
            if not verify(info.source, place.start, place.end, text):
                continue
            if any(is_same(text, e.text) for _, e in found):
                continue
            turn = heard[info.voice] = heard.get(info.voice, 0) + 1
            found.append((turn, Evidence(place, text, hit, 0.0, 0.0, times=times)))
    found.sort(key=lambda entry: entry[0])
    return [e for _, e in found[:most]]
