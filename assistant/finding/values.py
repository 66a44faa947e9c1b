"""Values of the kind a question asks for, found in a sentence: amounts, shares, counts, names.

The extraction half of factoid question answering. Times are not found here: they are resolved when
an article is indexed (`indexing.times`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from assistant.finding.times import best_time
from assistant.language.quantities import Quantity, numbers_of, quantities
from assistant.language.units import PERIODS
from assistant.language.words import (
    CALENDAR_WORDS,
    NAME_WORD,
    PARTICLES,
    STOPWORDS,
    TITLES,
    content_terms,
    stem,
    words,
)
from assistant.question.question import Question, Wanted
from assistant.schema import Evidence
from indexing.schema import TimeExpression
from indexing.times.words import ONES, TEENS, TENS

TIME_KINDS = frozenset({Wanted.DATE, Wanted.DURATION})
NUMBER_KINDS = frozenset({Wanted.AMOUNT, Wanted.SHARE, Wanted.COUNT})
NAME_KINDS = frozenset({Wanted.PERSON, Wanted.PLACE, Wanted.BODY})


@dataclass(frozen=True, slots=True)
class Value:
    """`text` stands at `start:end` of its sentence; values that mean the same share `meaning`."""

    start: int
    end: int
    text: str
    meaning: str


_NO_AMOUNT = frozenset({"", "%", "point", "label", "ordinal", "clock"}) | PERIODS
_NO_COUNT = frozenset({"%", "point", "label", "ordinal", "clock"})
_MOST = re.compile(r"\b(?:(?:the |a )?(?:vast )?majority|most)\b", re.IGNORECASE)
_NAME = re.compile(
    rf"\b(?:{NAME_WORD})(?:\s+(?:(?:of|the|and|for|{'|'.join(sorted(PARTICLES))})\s+)?{NAME_WORD}){{0,6}}"
)
_WORDS = re.compile(r"\w+")
_IN_BEFORE = re.compile(r"\b(?:in|at|near|outside|across)\s+(?:the\s+)?\Z", re.IGNORECASE)
_PLACE_BEFORE = re.compile(
    r"\b(?:in|at|near|from|to|outside|across|around|off|into)\s+(?:the\s+)?(?:[a-z]+ern\s+)?\Z",
    re.IGNORECASE,
)


def values(question: Question, sentence: str, around: str = "") -> list[Value]:
    """The values in `sentence` that could answer `question`, likeliest first; none for other kinds.

    `around` is the text the sentence stands in: a word that it also writes small is no name.
    """
    match question.wanted:
        case Wanted.AMOUNT:
            found = list(_amounts(sentence))
        case Wanted.SHARE:
            found = list(_shares(sentence))
        case Wanted.COUNT:
            found = [v for v in _counts(sentence) if _counts_it(question, sentence, v)]
        case Wanted.PERSON if not question.asks_who_that_is:
            found = [
                v
                for v in _names(question, sentence, around)
                if " " in v.text and not _IN_BEFORE.search(sentence[: v.start])
            ]
        case Wanted.PLACE:
            found = [
                v
                for v in _names(question, sentence, around)
                if _PLACE_BEFORE.search(sentence[: v.start])
            ]
        case Wanted.BODY:
            found = list(_names(question, sentence, around))
        case _:
            found = []
    places = [m.start() for m in _WORDS.finditer(sentence) if stem(m.group()) in question.stems]
    return sorted(found, key=lambda v: min((abs(v.start - place) for place in places), default=0))


def value_of(question: Question, e: Evidence) -> Value | None:
    """What a sentence states for the question: a time, or a value of the kind asked for; else None."""
    if question.wanted in TIME_KINDS:
        t = best_time(question, e)
        if t is None:
            return None
        start = t.start - e.sentence.start
        return Value(start, start + len(t.phrase), t.phrase, _meant(t))
    found = values(question, e.text, e.hit.passage.text)
    return found[0] if found else None


_BEFORE_A_TIME = re.compile(r"^(?:for|within|in|on|by|about|around|the|a|an)\s+", re.IGNORECASE)


def _meant(t: TimeExpression) -> str:
    """What a time means: its days where it has any, else its number and unit."""
    if t.first and t.last:
        return f"{t.first}/{t.last}"
    phrase = _BEFORE_A_TIME.sub("", t.phrase.casefold().replace("-", " "))
    numbers = numbers_of(phrase)
    unit = [stem(word) for word in words(phrase) if not numbers_of(word)]
    return " ".join([*sorted(numbers), *unit])


def _amounts(sentence: str) -> Iterator[Value]:
    return (_in_full(sentence, q) for q in _apart(sentence) if q.unit not in _NO_AMOUNT)


def _shares(sentence: str) -> Iterator[Value]:
    yield from (_in_full(sentence, q) for q in _apart(sentence) if q.unit in ("%", "point"))
    for m in _MOST.finditer(sentence):
        yield Value(m.start(), m.end(), m.group(), m.group().casefold())


def _counts(sentence: str) -> Iterator[Value]:
    for q in _apart(sentence):
        is_of_time = not q.unit or q.unit in PERIODS
        is_label = is_of_time and sentence.startswith("-", q.numeral.end)  # "a 60-day lease"
        is_count = q.unit not in _NO_COUNT and q.start == q.numeral.start
        if is_count and not is_label and not q.is_year:
            end = (q.through or q).numeral.end
            meaning = f"{q.number} to {q.through.number}" if q.through else f"{q.number}"
            yield Value(q.start, end, sentence[q.start : end], meaning)


def _apart(sentence: str) -> Iterator[Quantity]:
    """The quantities of a sentence, a range as one."""
    end = 0
    for q in quantities(sentence):
        if q.start >= end:
            yield q
            end = (q.through or q).end


def _in_full(sentence: str, q: Quantity) -> Value:
    end = (q.through or q).end
    return Value(q.start, end, sentence[q.start : end], q.meaning)


_COUNTED = re.compile(r"(?:how many|number of)((?:\s+[\w’'-]+){1,4})", re.IGNORECASE)


def _counts_it(question: Question, sentence: str, value: Value) -> bool:
    """Whether the number counts what the question counts: "50 delegations", "11 new frameworks"."""
    asked = _COUNTED.search(question.text)
    if asked is None:
        return False
    counted = {stem(term) for term in content_terms(asked[1])[:3]}
    after = re.split(r"[,;:.()]|\d", sentence[value.end : value.end + 80])[0]
    return any(stem(word) in counted for word in words(after)[:5])


def _names(question: Question, sentence: str, around: str) -> Iterator[Value]:
    """Names, without titles, that the question does not say itself."""
    small = set(re.findall(r"\b[a-z]{2,}\b", around or sentence))
    for m in _NAME.finditer(sentence):
        parts = [(p.start(), p.group()) for p in re.finditer(r"\S+", m.group())]
        while parts and _is_no_name(parts[0][1], small):
            del parts[0]
        while parts and _is_no_name(parts[-1][1], small):
            del parts[-1]
        if not parts:
            continue
        start = m.start() + parts[0][0]
        name = sentence[start : m.start() + parts[-1][0] + len(parts[-1][1])]
        name = re.sub(r"(?:['’]s|[.,'’])\Z", "", name)
        own = words(name)
        if not all(stem(word) in question.stems for word in own):
            yield Value(start, start + len(name), name, " ".join(own))


def _is_no_name(word: str, small: set[str]) -> bool:
    bare = word.casefold().strip(".,'’")
    return bare in STOPWORDS | TITLES | CALENDAR_WORDS or bare in small


_YEAR_OR_DAY = re.compile(
    r"\b(?:[1-9]\d{2,3}s?|\d{1,2}(?:st|nd|rd|th)[\s-]centur(?:y|ies)|centur(?:y|ies)|"
    + "|".join(sorted(CALENDAR_WORDS))
    + r")\b",
    re.IGNORECASE,
)
_LASTING = re.compile(
    r"\b(?:seconds?|minutes?|hours?|days?|weeks?|months?|years?|decades?|centur(?:y|ies)|until|since|permanent\w*|"
    r"indefinite\w*|for ever|forever)\b",
    re.IGNORECASE,
)
_QUANTITY = re.compile(rf"\d|\b(?:{'|'.join((*ONES, *TEENS, *TENS))}|dozens?|hundreds?|thousands?|millions?|billions?|several|"
    r"few|many|none|no|free|half|twice|double|triple|majority|most|all)\b", re.IGNORECASE)  # fmt: skip


def has_value(
    question: Question, sentence: str, times: Sequence[TimeExpression], published: date | None
) -> bool:
    """Whether the sentence may hold a value of the kind asked for; True for kinds without values.

    `times` are its time expressions, `published` is its article's day. A deadline is a time to
    come: what was past when the article appeared is none.
    """
    match question.wanted:
        case Wanted.DATE if question.asks_deadline:
            return any(
                t.kind == "deadline"
                or (t.last is not None and (not published or t.last > published))
                for t in times
            )
        case Wanted.DATE:
            return bool(times) or bool(_YEAR_OR_DAY.search(sentence))
        case Wanted.DURATION:
            return bool(times) or bool(_LASTING.search(sentence))
        case Wanted.AMOUNT | Wanted.SHARE | Wanted.COUNT:
            return bool(_QUANTITY.search(sentence))
        case kind if kind in NAME_KINDS:
            return next(_names(question, sentence, ""), None) is not None
        case _:
            return True
