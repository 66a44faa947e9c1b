"""Which days the sentences of an article speak of, and the day that somebody typed."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta

from indexing.schema import Sentence, TimeExpression
from indexing.times.calendar import DAYS, MONTHS, NO_CALENDAR, day_in_words, shifted
from indexing.times.readers import NO_DATE, OTHER_EVENT
from indexing.times.rules import OPENERS, longest
from indexing.times.scene import Reading, Scene, unresolved
from indexing.times.words import FIRM, ITS_REPORT, LEAD, LOOSE, MONTH, SPACE, WORD, compiled


def _in_sentence(scene: Scene) -> Iterator[tuple[int, Reading]]:
    """The sentence's expressions as (start of the phrase, reading), in order, disjoint."""
    free = scene.low
    for word in WORD.finditer(scene.text, scene.low, scene.high):
        start = word.start()
        if start < free:
            continue
        opener = word.group()
        if not ("0" <= opener[0] <= "9" or opener.lower() in OPENERS):
            continue
        scene.lead = scene.the = ""
        reading = longest(scene, start, word)
        if reading is None:
            continue
        lead = LEAD.search(scene.text[max(free, start - 28) : start])
        reading = _as_deadline(
            reading, re.sub(r"\s+", " ", ((lead and lead["lead"]) or "").lower()), scene
        )
        if lead and reading.takes == "lead" and lead["lead"]:
            start -= len(lead["all"])
        elif lead and reading.takes == "the" and (lead["the"] or "").lower().startswith("the"):
            start -= len(lead["the"])
        free = reading.end
        yield start, reading


def _as_deadline(reading: Reading, lead: str, scene: Scene) -> Reading:
    """A date or period becomes a deadline after "by", "until", "before" (unless past) or "due"."""
    if reading.kind not in ("date", "period"):
        return reading
    past = reading.last and scene.published and reading.last < scene.published
    if lead.startswith(FIRM) or (lead in LOOSE and not past):
        rule = f"before it begins; {reading.rule}" if lead == "before" else reading.rule
        return replace(reading, kind="deadline", rule=rule, takes="lead")
    return reading


def _deadline(
    scene: Scene, at: int, reading: Reading, days: list[tuple[int, date]], event: date | None
) -> Reading:
    """Counts "within 30 days" from the day it runs from, named in the rule.

    That is the day its own words name ("within 30 days of 3 May"), else the nearest day that the
    sentence names and that is not ahead, else the article's event day, else publication.
    """
    low, high, unit, words = reading.count or (0, 0, "day", "")
    tail = re.compile(rf"{SPACE}(?P<of>of|after|from|following){SPACE}").match(
        scene.text, reading.end, scene.high
    )
    anchor = event or scene.published
    near = bisect_left(days, (at, date.min))
    days = days[max(0, near - 4) : near + 4]  # keeps a sentence of a thousand dates linear
    named = [day for start, day in days if tail and 0 <= start - tail.end() <= 4]
    if named:
        anchor = named[0]
    elif tail and tail["of"].lower() != "from" and not ITS_REPORT.match(scene.text, tail.end()):
        return unresolved(reading.end, "deadline", OTHER_EVENT, "lead")
    elif behind := [
        (abs(s - at), d) for s, d in days if not scene.published or d <= scene.published
    ]:
        anchor = min(behind)[1]
    if anchor is None:
        return unresolved(reading.end, "deadline", NO_DATE, "lead")
    try:
        first, last = shifted(anchor, low, unit), shifted(anchor, high, unit)
    except OverflowError:
        return unresolved(reading.end, "deadline", NO_CALENDAR, "lead")
    rule = f"{words} after {day_in_words(anchor)}"
    if unit == "working day":
        rule += ", Monday to Friday, holidays not considered"
    elif unit == "hour":
        rule += ", rounded up to whole days"
    return replace(reading, first=first, last=last, precision="day", anchor=anchor, rule=rule)


def time_expressions(
    text: str, sentences: Sequence[Sentence], published: date | None
) -> list[tuple[TimeExpression, ...]]:
    """Each sentence's time expressions, resolved, by start; one tuple a sentence, in their order.

    `text[start:end] == phrase`. Expressions never overlap. "within 30 days" runs from the event of
    the report: the first day named in the article that lies at most a week before `published`.
    """
    found: list[tuple[TimeExpression, ...]] = []
    event: date | None = None
    for sentence in sentences:
        scene = Scene(text, sentence.start, sentence.end, published)
        readings = list(_in_sentence(scene))
        days = [
            (start, r.first)
            for start, r in readings
            if r.kind == "date" and r.first and r.first == r.last and r.count is None
        ]
        if event is None and published:
            # A written date that is publication's own is a stamp, and tells nothing of the event.
            news = (
                r.first
                for _, r in readings
                if r.kind == "date" and r.first and r.first == r.last
                and 0 <= (published - r.first).days <= 7 and (r.first != published or r.anchor)
            )  # fmt: skip
            event = next(news, None)
        row = []
        for start, r in readings:
            if r.count is not None:
                r = _deadline(scene, start, r, days, event)
            row.append(
                TimeExpression(
                    start,
                    r.end,
                    text[start : r.end],
                    r.kind,
                    r.anchor,
                    r.first,
                    r.last,
                    r.precision,
                    r.rule,
                )
            )
        found.append(tuple(row))
    return found


_LOWER_NAMES = re.compile(rf"\b(?:{'|'.join([*MONTHS, *DAYS])})\b", re.I)

_LIMIT = compiled(
    r"\b(?P<open>before|until|till|by|up to|no later than|after|since|from|between)\s+(?:the\s+)?\Z"
)


def parse_day(phrase: str, today: date) -> tuple[date, date] | None:
    """The first and last day that a question's words mean, or None when they name no time.

    Same grammar as the articles', counted from `today`, in small letters too: "4 february",
    "last week", "2026". Words that open a range give one: "before March" ends the day before and
    starts with `date.min`, "by" and "until" include their day, "after", "since" and "from" run to
    `date.max` ("after" starts the day after), "between A and B" and "from A to B" are both ends.
    """
    phrase = _LOWER_NAMES.sub(lambda m: m.group().title(), phrase[:500])
    bare = re.fullmatch(r"\s*(?:the\s+year\s+)?(\d{4})\s*[?.]?\s*", phrase)
    if bare and 1500 <= int(bare[1]) <= 2100:
        return date(int(bare[1]), 1, 1), date(int(bare[1]), 12, 31)
    if re.fullmatch(rf"\s*{MONTH}\s*[?.]?\s*", phrase, re.I):
        phrase = f"in {phrase.strip()}"
    named = [
        t
        for t in time_expressions(phrase, [Sentence(0, len(phrase))], today)[0]
        if t.first and t.last
    ]
    if not named:
        return None
    first, last = named[0].first or today, named[0].last or today
    inside = re.match(
        r"(?:before|until|till|by|no later than|within|for)\s+", named[0].phrase, re.I
    )
    limit = _LIMIT.search(phrase[: named[0].start + (inside.end() if inside else 0)])
    opens = limit["open"].lower() if limit else ""
    if opens in ("between", "from") and len(named) > 1 and named[1].last and named[1].last >= first:
        return first, named[1].last
    if opens == "before":
        return date.min, first - timedelta(first > date.min)
    if opens in ("until", "till", "by", "up to", "no later than"):
        return date.min, last
    if opens == "after":
        return last + timedelta(last < date.max), date.max
    return (first, date.max) if opens in ("since", "from") else (first, last)
