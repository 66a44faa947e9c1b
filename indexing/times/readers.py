"""Readers of time expressions: each makes of a match of its pattern the days that are meant."""

from __future__ import annotations

import re
from datetime import date, timedelta

from indexing.times.calendar import (
    DAYS,
    MONTHS,
    SEASONS,
    day_or_none,
    describe,
    month_of,
    months_on,
    number_of_day,
    season_span,
    shifted,
    unit_around,
    weekday_of,
)
from indexing.times.scene import Reading, Scene, chosen, unresolved
from indexing.times.words import (
    AFTER_DAY,
    AGES,
    BINDING,
    COUNTED,
    FIRST_IN,
    MONTH_FIRST,
    NAMED_DAY,
    NUMBERS,
    ORDINALS,
    RATE,
    SPORT,
    STREET,
    YEAR_CUE,
)

# Why something stays unresolved.
NO_DATE = "the article has no date"

_VAGUE = "no exact time is stated"

_LENGTH = "a length of time"

FISCAL = "a fiscal year need not be a calendar year"

_AMBIGUOUS = "day and month cannot be told apart"

OTHER_EVENT = "counted from an event that is not dated here"


def read_iso_day(m: re.Match[str], scene: Scene) -> Reading | None:
    day = day_or_none(int(m["y"]), int(m["m"]), int(m["d"]))
    return Reading(m.end(), "date", day, day, "day", "as written") if day else None


def read_numeric_day(m: re.Match[str], scene: Scene) -> Reading | None:
    """4/2/2026: two readings unless one is impossible; dots are never used for month first."""
    year, a, b = int(m["y"]), int(m["a"]), int(m["b"])
    readings = {
        d for d in (day_or_none(year, b, a), m["sep"] != "." and day_or_none(year, a, b)) if d
    }
    if not readings:
        return None
    if len(readings) > 1:
        return unresolved(m.end(), "date", _AMBIGUOUS)
    day = readings.pop()
    return Reading(m.end(), "date", day, day, "day", "as written")


def read_month_day(m: re.Match[str], scene: Scene) -> Reading | None:
    """ "Feb. 4", "4 February 2026", "Wednesday, Feb. 4", "March 3-5"."""
    words = m.groupdict()
    if not words["y"] and (m["m"][0].islower() or STREET.match(scene.text, m.end())):
        return None
    if scene.lead == "in" and m.re is MONTH_FIRST and not words["y"] and not words["w"]:
        return None  # "in June 20 people": nobody writes "in June 20" of a day
    month, first = month_of(m["m"]), number_of_day(m["d"])
    month_2 = month_of(words["m2"]) if words.get("m2") else month
    last = number_of_day(words["d2"]) if words["d2"] else first

    def in_year(year: int) -> tuple[date, date] | None:
        a, b = day_or_none(year, month, first), day_or_none(year + (month_2 < month), month_2, last)
        return (a, b) if a and b and a <= b else None

    if words["y"]:
        span = in_year(int(words["y"]))
        return Reading(m.end(), "date", *span, "day", "as written") if span else None
    if scene.published is None:
        return unresolved(m.end(), "date", NO_DATE) if in_year(2024) else None
    year = scene.published.year
    choices = [s for y in range(max(1, year - 4), year + 5) if (s := in_year(y))]
    weekday = weekday_of(words["w"]) if words["w"] else None
    choices = [s for s in choices if s[0].weekday() == weekday] or choices
    if not choices:
        return None
    tense = "" if weekday is not None else scene.tense()
    a, b, why = chosen(choices, scene.published, tense)
    nearest = chosen(choices, scene.published, "")
    if (
        abs((a - scene.published).days) > 330
    ):  # tense is a guess; eleven months off, the nearest is not
        a, b, why = nearest
    return Reading(m.end(), "date", a, b, "day", why, scene.published)


def read_month(m: re.Match[str], scene: Scene) -> Reading | None:
    """ "February 2026", "in October"; a bare "May" or "April" needs a preposition to be a month."""
    word, month = m["m"].rstrip("."), month_of(m["m"])
    after = scene.text[m.end() : m.end() + 2]
    if m["y"]:
        span = unit_around(date(int(m["y"]), month, 1), "month")
        return Reading(m.end(), "period", *span, "as written")
    firm = scene.lead in ("in", "since", "until", "till", "before", "during", "through", "part")
    if m["m"][0].islower() or after[:1] == "-":
        return None
    if after[:1].isspace() and after[1:2].isupper() and not firm:
        return None  # "April Ryan", "by June Smith"
    tense = scene.tense() if firm else ""  # a headline's "September slump" is the near one
    named = len(word) < 4 or word in ("March", "April", "June", "August")
    if named and not (firm or scene.lead in ("by", "from", "between", "after")):
        return None
    if scene.published is None:
        return unresolved(m.end(), "period", NO_DATE)
    year = scene.published.year
    choices = [
        unit_around(date(y, month, 1), "month")[:2]
        for y in (year - 1, year, year + 1)
        if 1 <= y < 9999
    ]
    first, last, why = chosen(choices, scene.published, tense)
    return Reading(m.end(), "period", first, last, "month", why, scene.published)


def read_year(m: re.Match[str], scene: Scene) -> Reading | None:
    """A bare number is a year only where words say so: "in 2036", "(2019)", "from 2016 to 2020"."""
    first = int(m["y"])
    if m["s"]:
        return Reading(
            m.end(), "period", date(first, 1, 1), date(first + 9, 12, 31), "year", "as written", takes="the"
        ) if first % 10 == 0 else None  # fmt: skip
    cue = YEAR_CUE.search(scene.text[max(scene.low, m.start() - 16) : m.start()])
    if (scene.lead != "part" and not cue) or COUNTED.match(scene.text, m.end()):
        return None
    if first < 1900 and scene.lead not in ("in", "since", "part"):
        return None
    last = first
    if m["to"]:
        last = int(m["to"]) if len(m["to"]) == 4 else first // 100 * 100 + int(m["to"])
    if not first <= last <= 2100:
        return None
    return Reading(m.end(), "period", date(first, 1, 1), date(last, 12, 31), "year", "as written")


def read_quarter(m: re.Match[str], scene: Scene) -> Reading | None:
    """ "Q3 2025", "the third quarter of 2025", "second quarter", "the first half of 2026"."""
    number = int(m["q"]) if m["q"] else ORDINALS[m["o"].lower()]
    months = 6 if m["half"] else 3
    before = scene.text[max(scene.low, m.start() - 8) : m.start()].lower()
    if months == 6 and (number > 2 or not (m["y"] or m["rel"])):
        return None
    if not (m["y"] or m["rel"]):
        if (
            m["q"]
            and scene.lead not in ("in", "for", "of", "by", "since", "during")
            and not scene.the
        ):
            return None  # a car, perhaps
        if SPORT.search(scene.text, scene.low, min(scene.high, scene.low + 2000)):
            return None
    if m["fiscal"] or before.endswith("fiscal "):
        return unresolved(m.end(), "period", FISCAL, "the")

    def in_year(year: int) -> tuple[date, date]:
        first = date(year, (number - 1) * months + 1, 1)
        return first, months_on(first, months) - timedelta(1)

    precision = "quarter" if months == 3 else "month"
    if m["y"]:
        return Reading(
            m.end(), "period", *in_year(int(m["y"])), precision, "as written", takes="the"
        )
    if scene.published is None:
        return unresolved(m.end(), "period", NO_DATE, "the")
    year = scene.published.year
    if m["rel"]:
        year += {"last": -1, "next": 1}.get(m["rel"].lower(), 0)
        span, why = in_year(year), f"of the year {year}"
    else:
        first, last, why = chosen(
            [in_year(y) for y in (year - 1, year, year + 1) if 1 < y < 9999],
            scene.published,
            scene.tense(),
        )
        span = first, last
    return Reading(m.end(), "period", *span, precision, why, scene.published, "the")


def read_fiscal_year(m: re.Match[str], scene: Scene) -> Reading | None:
    return unresolved(m.end(), "period", FISCAL)


def read_season_of(m: re.Match[str], scene: Scene) -> Reading | None:
    name = m["season"].lower()
    if name == "winter":
        return unresolved(m.end(), "period", "a winter belongs to two years")
    span = season_span(int(m["y"]), name)
    return Reading(m.end(), "period", *span, "month", "northern meteorological season")


def read_weekday(m: re.Match[str], scene: Scene) -> Reading | None:
    """ "Wednesday", "next Friday", "last Monday night", "Friday of next week"."""
    which = (m["which"] or "").lower()
    if m["w"][0].islower() or len(m["w"].rstrip(".")) < 6 or scene.lead in ("every", "each"):
        return None  # "sun", "wed"; short forms count only beside a date
    if (
        which == "past"
        or AFTER_DAY.match(scene.text, m.end("w"))
        or (NAMED_DAY.search(scene.text[max(scene.low, m.start() - 8) : m.start()]))
    ):
        return None
    if scene.published is None:
        return unresolved(m.end(), "date", NO_DATE)
    day, near = weekday_of(m["w"]), scene.published
    coming = near + timedelta((day - near.weekday()) % 7)
    latest = near - timedelta((near.weekday() - day) % 7)
    name = DAYS[day]
    if m["week"]:
        shift = {"last": -7, "this": 0, "next": 7}[m["week"].lower()]
        found = near + timedelta(day - near.weekday() + shift)
        why = f"the {name} of {m['week'].lower()} week"
    elif which.endswith(("last", "past")):
        found, why = (
            latest if latest < near else near - timedelta(7),
            f"the {name} before publication",
        )
    elif which.endswith(("next", "coming")):
        found, why = (
            coming if coming > near else near + timedelta(7),
            f"the {name} after publication",
        )
    elif latest == near:
        found, why = near, "the day of publication"
    elif (tense := scene.tense()) == "f":
        found, why = coming, f"the {name} after publication"
    elif which == "this" and not tense:
        found, why = (
            near + timedelta(day - near.weekday()),
            f"the {name} of the week of publication",
        )
    else:
        found, why = latest, f"the {name} before publication"
    return Reading(m.end(), "date", found, found, "day", why, near)


def read_day_word(m: re.Match[str], scene: Scene) -> Reading | None:
    """ "today", "yesterday morning", "last night"; capitals inside a sentence are a name."""
    word = m["word"].lower()
    before = scene.text[max(scene.low, m.start() - 2) : m.start()]
    if m["word"][1:2].isupper() or (m["word"][0].isupper() and before[:1].isalpha()):
        return None  # "USA TODAY", "the Tonight Show"
    if scene.published is None:
        return unresolved(m.end(), "date", NO_DATE)
    shift = {"yesterday": -1, "tomorrow": 1, "last": -1}.get(word.split()[0], 0)
    why = {
        -1: "the day before publication",
        0: "the day of publication",
        1: "the day after publication",
    }
    day = scene.published + timedelta(shift)
    return Reading(m.end(), "date", day, day, "day", why[shift], scene.published)


def read_this_unit(m: re.Match[str], scene: Scene) -> Reading | None:
    """ "this week", "last July", "next year", "last summer", "over the weekend"."""
    which, unit, near = m["which"].lower(), m["unit"].lower(), scene.published
    if which == "past" and unit not in ("week", "weekend", "month", "quarter", "year", "decade"):
        return None  # "delayed past May"
    if m["unit"][:1].islower() and unit[:3].title() in {n[:3] for n in MONTHS} and unit != "month":
        return None  # "this may", "last march"
    counted = unit in ("week", "month", "quarter", "year", "decade")
    if (counted and scene.the and which != "this") or re.match(
        r"\s(?:of|in) ", scene.text[m.end() : m.end() + 4]
    ):
        return None  # "the last year" is counted back, "the last week of May" is not ours
    if near is None:
        return unresolved(m.end(), "period", NO_DATE)
    step = {"last": -1, "past": -1, "next": 1, "coming": 1}.get(which.split()[-1], 0)
    if counted:
        span = unit_around(shifted(near, step, unit), unit)
        if unit in ("week", "quarter", "decade"):
            why = (
                "the {} before publication's",
                "the {} of publication",
                "the {} after publication's",
            )
            return Reading(m.end(), "period", *span, why[step + 1].format(unit), near)
        why_year = describe(*span)
        return Reading(m.end(), "period", *span, f"counted from publication: {why_year}", near)
    if unit == "weekend":
        back = step == 0 and near.weekday() < 5 and scene.tense() == "p"
        saturday = near + timedelta(5 - near.weekday() + 7 * (step - back))
        rule = "the Saturday and Sunday meant"
        return Reading(m.end(), "period", saturday, saturday + timedelta(1), "day", rule, near)
    span_2, why_2 = _recurring(unit, step, near)
    return Reading(m.end(), "period", *span_2, "month", why_2, near)


def _recurring(unit: str, step: int, near: date) -> tuple[tuple[date, date], str]:
    """The month or season `unit` before, around or after `near`, for a `step` of -1, 0 or 1, and by
    which rule."""
    choices: list[tuple[date, date]] = []
    for year in range(max(1, near.year - 2), min(9998, near.year + 2) + 1):
        if unit in SEASONS:
            choices.append(season_span(year, unit))
        else:
            choices.append(unit_around(date(year, month_of(unit), 1), "month")[:2])
    if step < 0:
        return max(c for c in choices if c[1] < near), "the last one before publication"
    if step > 0:
        return min(c for c in choices if c[0] > near), "the next one after publication"
    same = [c for c in choices if c[0] <= near <= c[1]] or [
        c for c in choices if c[0].year == near.year
    ]
    return same[0], "the one of the year of publication"


def read_weekend(m: re.Match[str], scene: Scene) -> Reading | None:
    """ "over the weekend"."""
    if scene.lead != "over" or scene.published is None:
        return unresolved(m.end(), "period", NO_DATE, "lead") if scene.lead == "over" else None
    near = scene.published
    ahead = scene.tense() == "f" or near.weekday() > 4
    saturday = near + timedelta(5 - near.weekday() - (0 if ahead else 7))
    rule = "the Saturday and Sunday meant"
    return Reading(m.end(), "period", saturday, saturday + timedelta(1), "day", rule, near, "lead")


def _count(word: str | None) -> float | None:
    """What a number word says; None when it is vague ("a few")."""
    if word is None:
        return None
    word = word.lower().replace(",", "")
    if word[0].isdigit():
        return float(word)
    if word in NUMBERS:
        return NUMBERS[word]
    tens, _, ones = word.replace("-", " ").partition(" ")
    return NUMBERS[tens] + NUMBERS[ones] if tens in NUMBERS and ones in NUMBERS else None


def read_past_or_next(m: re.Match[str], scene: Scene) -> Reading | None:
    """ "the past year", "in the next 60 days", "the coming weeks", "recent years"."""
    which, unit = m["which"].lower(), m["unit"].lower()
    n = _count(m["n"])
    if not m["n"]:
        if not m["plural"]:
            if (
                not scene.the.startswith("the")
                or unit in ("day", "hour")
                or which in ("recent", "latest")
            ):
                return None
            n = 1
        elif which in ("last", "next", "past"):
            return None
    if re.match(r"\sof\s", scene.text[m.end() : m.end() + 4]):
        return None  # "the last two weeks of May"
    if n is None or n != int(n):
        return unresolved(
            m.end(), "period", _VAGUE, "lead" if scene.lead in ("in", "over") else "the"
        )
    return _spanned(
        m, scene, int(n), _unit(m), 1 if which in ("next", "coming", "upcoming") else -1
    )


def _unit(m: re.Match[str]) -> str:
    working = (m["working"] or "").strip().lower() in ("business", "working", "trading")
    return "working day" if working and m["unit"].lower() == "day" else m["unit"].lower()


def _spanned(m: re.Match[str], scene: Scene, n: int, unit: str, way: int) -> Reading:
    near = scene.published
    if way > 0 and scene.lead in ("within", "in", "by"):
        return Reading(
            m.end(), "deadline", None, None, "", "", takes="lead", count=(n, n, unit, f"{n} {unit}{'s' * (n != 1)}")
        )  # fmt: skip
    if near is None:
        return unresolved(m.end(), "period", NO_DATE, "the")
    first, last = sorted((near, shifted(near, way * n, unit)))
    precision = "month" if unit in ("month", "quarter", "year", "decade") else "day"
    rule = f"{n} {unit}{'s' * (n != 1)} {'up to' if way < 0 else 'from'} publication"
    return Reading(m.end(), "period", first, last, precision, rule, near, "the")


def read_counted(m: re.Match[str], scene: Scene) -> Reading | None:
    """ "two days ago", "within 30 days", "in two weeks", "60-day", "for two years"."""
    word, unit, lead = m["n"].lower(), _unit(m), scene.lead
    tail = (m["tail"] or "").strip().lower()
    before = scene.text[max(scene.low, m.start() - 24) : m.start()]
    named = m["gap"] == "-" and (m["unit"][0].isupper() or word in ("a", "an", "few", "several"))
    if named or RATE.match(scene.text, m.end()) or AGES.search(before):
        return None  # "Two-Day Delivery", "30 hours a week", "children ages 6 months to 5 years"
    n = _count(word)
    single = word in ("a", "an", "one") and m["gap"] != "-"
    if tail in ("ago", "from now"):
        return _ago(m, scene, n, unit, -1 if tail == "ago" else 1)
    if lead == "within":
        if n is None or n != int(n):
            return unresolved(m.end(), "deadline", _VAGUE, "lead")
        binding = BINDING.search(scene.text, scene.low, min(scene.high, scene.low + 2000))
        if binding or scene.tense() != "p":
            low = _count(m["n0"]) or n
            words = f"{f'{int(low)} to ' if m['n0'] else ''}{int(n)} {unit}{'s' * (n != 1)}"
            return Reading(
                m.end(), "deadline", None, None, "", "", takes="lead", count=(int(low), int(n), unit, words)
            )  # fmt: skip
        return unresolved(m.end(), "duration", _LENGTH, "lead")
    point = lead == "in" and m["gap"] != "-" and not scene.the and n and not m["n0"]
    if point and not FIRST_IN.search(before) and scene.tense() == "f":
        return _ago(m, scene, n, unit, 1, "lead")
    if (single and lead not in ("for", "in", "after", "over", "during")) or unit == "quarter":
        return None  # "once a week", "one day", "three quarters"
    return unresolved(
        m.end(), "duration", _LENGTH, "lead" if lead == "for" and not scene.the else ""
    )


def _ago(
    m: re.Match[str], scene: Scene, n: float | None, unit: str, way: int, takes: str = ""
) -> Reading:
    """A point `n` units off publication, as fine as its unit: two years ago is a year."""
    kind = "date" if unit in ("hour", "day", "working day") else "period"
    if n is None or n != int(n):
        return unresolved(m.end(), kind, _VAGUE, takes)
    if scene.published is None:
        return unresolved(m.end(), kind, NO_DATE, takes)
    day = shifted(scene.published, way * int(n), unit)
    grain = {"working day": "day", "quarter": "month", "decade": "year"}.get(unit, unit)
    rule = f"{int(n)} {unit}{'s' * (n != 1)} {'before' if way < 0 else 'after'} publication"
    return Reading(m.end(), kind, *unit_around(day, grain), rule, scene.published, takes)


def read_vague(m: re.Match[str], scene: Scene) -> Reading | None:
    """ "weeks ago", "within hours"."""
    if m["tail"]:
        return unresolved(m.end(), "period", _VAGUE)
    return unresolved(m.end(), "deadline", _VAGUE, "lead") if scene.lead == "within" else None
