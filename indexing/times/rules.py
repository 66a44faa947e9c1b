"""The rules of time expressions: which patterns are tried where, and which match wins.

The grammar is our own: a table of rules (`RULES`), each a pattern and a function that reads its
match. The words of a text are walked once; a word that can open a time expression ("feb", "last",
"60") tries its few rules at its own place and the longest match wins. Prepositions are looked up
backwards, so "by March 6", "before July" and "due Friday" need no rules of their own.

Conventions, each also stated in the `rule` of what it resolved: weeks run Monday to Sunday, seasons
are northern and meteorological, "early", "mid" and "late" are thirds, a weekday without a year is
the latest one up to publication unless its verb looks ahead, and "within 30 days" counts from the
event that the article reports, not from its publication.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from indexing.times.calendar import NO_CALENDAR, SEASONS, describe, listed, months_on, unit_around
from indexing.times.readers import (
    FISCAL,
    NO_DATE,
    read_counted,
    read_day_word,
    read_fiscal_year,
    read_iso_day,
    read_month,
    read_month_day,
    read_numeric_day,
    read_past_or_next,
    read_quarter,
    read_season_of,
    read_this_unit,
    read_vague,
    read_weekday,
    read_weekend,
    read_year,
)
from indexing.times.scene import Reader, Reading, Scene, unresolved
from indexing.times.words import (
    ANY_DAY,
    ANY_MONTH,
    COUNT_WORDS,
    CURRENT,
    DAY_FIRST,
    FIRM,
    ISO,
    LEAD,
    LOOSE,
    MONTH,
    MONTH_FIRST,
    NUMBER,
    NUMERIC,
    ORDINALS,
    SPACE,
    THIRDS,
    TIME_OF_DAY,
    UNIT,
    WEEKDAY,
    WHICH,
    WORD,
    WORKING,
    YEAR,
    compiled,
)


def read_part(m: re.Match[str], scene: Scene) -> Reading | None:
    """ "early 2027", "mid-March", "later this year", "the end of next month", "early Thursday"."""
    part = m["part"].lower()
    outer, scene.lead = scene.lead, "part"
    if m["the"] and (unit := CURRENT.match(scene.text, m.end(), scene.high)):
        if scene.published is None:
            return unresolved(unit.end(), "period", NO_DATE, "the")
        span = unit_around(scene.published, unit["unit"].lower())
        inner: Reading | None = Reading(unit.end(), "period", *span, "counted from publication")
    else:
        scene.the = m["the"] or ""
        inner = longest(scene, m.end(), WORD.match(scene.text, m.end(), scene.high))
    if inner is None or inner.kind in ("duration", "deadline") or inner.rule == FISCAL:
        return None
    if inner.first is None or inner.last is None or inner.first == inner.last:
        return replace(inner, takes="the")
    first, last, precision = _third(part, inner.first, inner.last, inner.precision, scene.published)
    if part == "end" and (outer in LOOSE or outer.startswith(FIRM)):
        first, precision = last, "day"
    whole = describe(inner.first, inner.last, inner.precision)
    rule = f"the {('first', 'middle', 'last')[THIRDS.get(part, 2)]} third of {whole}"
    if precision == "day" and first == last:
        rule = f"the last day of {whole}"
    elif part in ("earlier", "later"):
        rule = f"{whole}, {'up to' if part == 'earlier' else 'from'} publication"
    return replace(inner, first=first, last=last, precision=precision, rule=rule, takes="the")


def _third(
    part: str, first: date, last: date, precision: str, published: date | None
) -> tuple[date, date, str]:
    """The third of a period that `part` names; "earlier" and "later" are cut at publication."""
    if part in ("earlier", "later"):
        if published and first <= published <= last:
            return (
                (first, published, precision) if part == "earlier" else (published, last, precision)
            )
        return first, last, precision
    third = THIRDS.get(part, 2)
    days = (last - first).days + 1
    if days <= 7:
        return first, last, precision
    if days <= 31:
        ends = (first, first + timedelta(10), first + timedelta(20), last + timedelta(1))
        return ends[third], ends[third + 1] - timedelta(1), "day"
    months = (last.year - first.year) * 12 + last.month - first.month + 1
    starts = [months_on(first, months * i // 3) for i in range(3)]
    end = last if third == 2 else starts[third + 1] - timedelta(1)
    return starts[third], end, "month"


RULES: tuple[tuple[Sequence[str], re.Pattern[str], Reader], ...] = (
    (["#"], ISO, read_iso_day),
    (["#"], NUMERIC, read_numeric_day),
    ([*ANY_DAY, *ANY_MONTH], MONTH_FIRST, read_month_day),
    ([*ANY_DAY, "#", "fourth"], DAY_FIRST, read_month_day),
    (ANY_MONTH, compiled(rf"(?P<m>{MONTH})(?:,?{SPACE}(?:of{SPACE})?(?P<y>{YEAR}))?"), read_month),
    (
        ["#"],
        compiled(
            r"(?P<y>(?:1[5-9]|20)\d\d)(?:(?P<s>s)\b|[-–](?P<to>\d{4}|\d\d)(?![\w-])|(?![\w%/-]|[.,]\d))"
        ),
        read_year,
    ),
    (
        ["q1", "q2", "q3", "q4", *ORDINALS, "#"],
        compiled(
            rf"(?:Q(?P<q>[1-4])|(?P<o>{'|'.join(ORDINALS)})[- ](?:quarter|(?P<half>half))\b)(?:(?:{SPACE}of)?"
            rf"(?:{SPACE}the)?(?P<fiscal>{SPACE}fiscal(?:{SPACE}year)?)?,?{SPACE}(?P<y>{YEAR})"
            rf"|{SPACE}of{SPACE}(?P<rel>this|last|next|the){SPACE}year\b)?"
        ),
        read_quarter,
    ),
    (["fiscal"], compiled(rf"fiscal{SPACE}(?:years?{SPACE})?{YEAR}"), read_fiscal_year),
    (
        list(SEASONS),
        compiled(rf"(?P<season>{'|'.join(SEASONS)}){SPACE}(?:of{SPACE})?(?P<y>{YEAR})"),
        read_season_of,
    ),
    (
        [*ANY_DAY, *listed("last this next past coming")],
        compiled(
            rf"(?:{WHICH}{SPACE})?(?P<w>{WEEKDAY}){TIME_OF_DAY}(?:{SPACE}(?:of{SPACE})?(?P<week>last|this|next){SPACE}week\b)?"
        ),
        read_weekday,
    ),
    (
        listed("today tonight yesterday tomorrow last this"),
        compiled(
            rf"(?P<word>today|tonight|(?:yesterday|tomorrow){TIME_OF_DAY}|last{SPACE}night"
            rf"|this{SPACE}(?:morning|afternoon|evening))\b"
        ),
        read_day_word,
    ),
    (
        listed("last this next past coming"),
        compiled(
            rf"{WHICH}{SPACE}(?P<unit>week|weekend|month|quarter|year|decade|{'|'.join(SEASONS)}|{MONTH})(?!\w)"
        ),
        read_this_unit,
    ),
    (
        listed("last past next coming recent upcoming"),
        compiled(
            rf"(?P<which>last|past|next|coming|recent|upcoming){SPACE}(?:(?P<n>{NUMBER}){SPACE})?{WORKING}{UNIT}"
        ),
        read_past_or_next,
    ),
    (
        COUNT_WORDS,
        compiled(
            rf"(?:(?P<n0>{NUMBER})(?:\s?[-–]\s?|{SPACE}(?:to|or){SPACE}))?(?P<n>{NUMBER})(?P<gap>-|{SPACE}){WORKING}{UNIT}"
            rf"(?P<tail>{SPACE}(?:ago|from{SPACE}now)\b)?"
        ),
        read_counted,
    ),
    (
        listed("hours days weeks months years decades"),
        compiled(rf"(?:hours|days|weeks|months|years|decades)\b(?P<tail>{SPACE}ago\b)?"),
        read_vague,
    ),
    (["weekend"], compiled(r"weekend\b"), read_weekend),
    (
        listed("early earlier mid middle late later end beginning start"),
        compiled(
            rf"(?P<part>earlier|early|later|late|mid|(?:end|beginning|start|middle)(?={SPACE}of\b))"
            rf"(?:-|{SPACE})(?:(?:in|of){SPACE})?(?P<the>the{SPACE})?"
        ),
        read_part,
    ),
)

OPENERS: dict[str, list[tuple[re.Pattern[str], Reader]]] = {}

for _words, _pattern, _reader in RULES:
    for _word in _words:
        OPENERS.setdefault(_word, []).append((_pattern, _reader))
_DIGIT = OPENERS.pop("#")


def _opened_by(opener: str) -> list[tuple[re.Pattern[str], Reader]]:
    """The rules for expressions that begin with the word `opener`."""
    return _DIGIT if "0" <= opener[0] <= "9" else OPENERS.get(opener.lower(), [])


def longest(scene: Scene, start: int, word: re.Match[str] | None) -> Reading | None:
    """The longest expression that starts at `start`; `word` is the word that stands there."""
    if word is None or not (rules := _opened_by(opener := word.group())):
        return None
    before = scene.text[max(scene.low, start - 2) : start]
    if before[-1:] in ("$", "€", "£", "#", "@", "/", "_", "-", "'", "’") and scene.lead != "part":
        return None
    if before[:1].isdigit() and before[1:] in (".", ",", ":") and opener[0].isdigit():
        return None  # inside 2,036 or 10:30
    best: Reading | None = None
    for pattern, reader in rules:
        match = pattern.match(scene.text, start, scene.high)
        if match is None or (best and match.end() < best.end):
            continue
        if scene.lead != "part":
            lead = LEAD.search(scene.text[max(scene.low, start - 28) : start])
            scene.lead = re.sub(r"\s+", " ", ((lead and lead["lead"]) or "").lower())
            scene.the = ((lead and lead["the"]) or "").lower()
        scene.at = start
        kept = scene.lead
        try:
            reading = reader(match, scene)
        except (OverflowError, ValueError):  # arithmetic left the years 1 to 9999
            reading = unresolved(match.end(), "period", NO_CALENDAR)
        scene.lead = kept
        if reading and (best is None or reading.end > best.end):
            best = reading
    return best
