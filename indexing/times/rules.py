"""When an article appeared, and which days its sentences speak of.

The grammar is our own: a table of rules (`_RULES`), each a pattern and a function that reads its
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
from bisect import bisect_left
from calendar import monthrange
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from indexing.schema import Document, Sentence, TimeExpression


def _listed(line: str) -> list[str]:
    return line.split()


_MONTHS = _listed(
    "January February March April May June July August September October November December"
)
_DAYS = _listed("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
_ONES = _listed("one two three four five six seven eight nine")
_TEENS = _listed("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen")
_TENS = _listed("twenty thirty forty fifty sixty seventy eighty ninety")
_NUMBERS = {
    word: value
    for words, first, step in ((_ONES, 1, 1), (_TEENS, 10, 1), (_TENS, 20, 10))
    for value, word in zip(range(first, 100, step), words, strict=False)
} | {"a": 1, "an": 1, "a dozen": 12, "half a dozen": 6, "a hundred": 100, "one hundred": 100}
_ORDINALS = dict(
    zip(
        _listed("first second third fourth final 1st 2nd 3rd 4th"),
        (1, 2, 3, 4, 4, 1, 2, 3, 4),
        strict=True,
    )
)
_SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}  # its first month

_THIRDS = {"early": 0, "beginning": 0, "start": 0, "mid": 1, "middle": 1}  # else the last

# Why something stays unresolved.
_NO_DATE = "the article has no date"
_VAGUE = "no exact time is stated"
_LENGTH = "a length of time"
_FISCAL = "a fiscal year need not be a calendar year"
_AMBIGUOUS = "day and month cannot be told apart"
_NO_CALENDAR = "outside the calendar"
_OTHER_EVENT = "counted from an event that is not dated here"

# Pieces of patterns. `_S`: white space, short, so that nothing reaches across blanked boilerplate.
_S = r"\s{1,3}"
_M = (
    r"(?:Jan(?:uary\b|\b\.?)|Feb(?:ruary\b|\b\.?)|Mar(?:ch\b|\b\.?)|Apr(?:il\b|\b\.?)|May\b"
    r"|Ju(?:ne\b|n\b\.?|ly\b|l\b\.?)|Aug(?:ust\b|\b\.?)|Sep(?:tember\b|t?\b\.?)|Oct(?:ober\b|\b\.?)"
    r"|Nov(?:ember\b|\b\.?)|Dec(?:ember\b|\b\.?))"
)
_W = (
    r"(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b"
    r"|(?:Mon|Tues?|Wed|Thu(?:rs?)?|Fri|Sat|Sun)\b\.?)"
)
_Y = r"(?:1[5-9]|20)\d\d(?![\d%]|,\d|\.\d)"
_D = r"(?:3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)?(?![\w%]|:\d|[.,]\d{1,3}(?!\d))"
_TO = rf"(?:\s?[-–—]\s?|{_S}(?:to|through){_S})"
_COMMA_YEAR = rf"(?:(?:\s{{0,3}},\s{{0,3}}|{_S})(?P<y>{_Y}))?"
_N = (
    r"(?:\d{1,3}(?:,\d{3})+|\d{1,6}(?:\.\d+)?|half a dozen|a dozen|(?:a|one) hundred"
    r"|(?:a )?few|(?:a )?couple(?: of)?|several"
    rf"|(?:{'|'.join(_TENS)})(?:[- ](?:{'|'.join(_ONES)}))?|{'|'.join(_TEENS + _ONES)}|an?)"
)
_U = r"(?P<unit>hour|day|week|fortnight|month|quarter|year|decade)(?P<plural>s?)\b"
_WORKING = rf"(?P<working>(?:business|working|trading|calendar|consecutive|full|straight){_S})?"

_WORD = re.compile(r"[^\W_]+")
# What stands before an expression: "by", "within the", "for".
_LEAD = re.compile(
    r"(?P<all>(?:(?<![\w-])(?P<lead>(?:no|not) later than|on or before|by|until|till|before"
    r"|due(?: on| by| in)?|deadline (?:of|is)|within|in|over|during|for|through|throughout|since"
    r"|from|after|of|on|between|around|every|each)\s{1,3})?(?P<the>the\s{1,3}|\(|an?\s{1,3})?)\Z",
    re.I,
)
_FIRM = ("no later than", "not later than", "on or before", "due", "deadline")
_LOOSE = ("by", "until", "till", "before")
_YEAR_CUE = re.compile(
    r"(?:(?<![\w-])(?:in|since|by|of|until|till|from|during|before|after|through|throughout|year"
    r"|early|mid|late|around|between)\s{1,3}|(?<!\d)(?:19|20)\d\d\s{1,3}(?:to|and|through|or)\s{1,3}"
    r"|[(\[])\Z",
    re.I,
)
_COUNTED = re.compile(  # what a number in front of it counts, so that it is no year
    r"\s{1,3}(?:square |cubic |metric |more |other )?(?:people|persons|tonnes?|tons?|miles?|km|men"
    r"|women|children|troops|soldiers|workers|jobs|employees|feet|meters|metres|kilometers"
    r"|kilometres|pounds|kg|percent|per cent|dollars|euros|votes|cases|deaths|homes|points|words"
    r"|seats|calories|degrees|members|students|patients|times|copies|units|acres|hectares)\b"
)
_SPORT = re.compile(
    r"\b(?:touchdown|yards?|quarterback|goals?|scor\w+|points?|lead|led|game|coach|kick\w*"
    r"|interception|rebounds?|turnovers?|pass|halftime)\b",
    re.I,
)
_STREET = re.compile(r"\s(?:Street|St\b|Road|Rd\b|Avenue|Ave\b|Lane|Drive|Square|Boulevard)")
_NAMED_DAY = re.compile(  # names made with a weekday, before and after it
    r"(?:Black|Good|Super|Cyber|Ash|Palm|Easter|Bloody|Giving|Fat|Ruby|Shrove|Freaky|Joe|Bowl|Mail on|first|second|third|fourth|last)\s\Z"
)
_AFTER_DAY = re.compile(
    r"s\b|\s(?:[Bb]est|Night (?:Live|Football|Lights)|Times|Mail|Telegraph|Mirror|Express|Post"
    r"|School|Addams)\b"
)
# The verb decides which way an undated "Friday" or "July 1" lies. Future words first: "scheduled"
# and "expected" end in -ed as well.
_CUES = re.compile(
    r"\b(?:(?P<f>(?:will|won't|shall|would|should|must|to)(?:\s(?:not|also|then|soon|now|likely))?"
    r"\sbe(?:\s\w+(?:ed|en|n|ld|t|nt)\b)?|will|won't|shall|would|should|must|(?:prepar|approach|schedul|slat)\w*|(?:plan|expect)(?:s|ed|ing|ned|ning)?"
    r"|ahead of|possible|likely|forecast|set (?:to|for)|due|upcoming|next|going to|through|deadline|begins?|starts"
    r"|opens|runs|kicks off|launches|arrives|airs|tak(?:es|ing) effect|com(?:es|ing) into|coming"
    r"|hopes? to|aims? to|(?:is|are) to|gets underway|premieres|returns|wants? to|vows? to)"
    r"|(?P<p>said|says|told|was|were|had|did|met|won|lost|held|began|gave|got|went|came|saw|took|made"
    r"|sent|led|rose|fell|hit|spoke|left|found|kept|died|wrote|struck|became|ran|shot|put|drew|broke"
    r"|brought|beat|sold|bought|paid|grew|thought|knew|since|ago|earlier|follow\w+"
    r"|(?!need\b|speed\b|indeed\b|united\b)\w{2,}ed))\b",
    re.I,
)
_AGES = re.compile(r"\b(?:aged?|ages)\s(?:\d{1,2}\s(?:months?\s)?(?:to|and|through)\s)?\Z", re.I)
_RATE = re.compile(
    r"[-\s]olds?\b|\s(?:(?:to|through|or)\s\w+\s(?:months?|years?)\s)?(?:of\sage|old)\b"
    r"|\s(?:a|per)\s(?:day|week|month|year)"
)
_FIRST_IN = re.compile(r"\b(?:time|first|most|[a-z]+est)\s+in\s+\Z", re.I)
_ITS_REPORT = re.compile(
    r"(?:(?:the|this|its|their|that)\s)?(?:announcement|agreement|deal|statement|report|publication)\b",
    re.I,
)
_BINDING = re.compile(  # without one of these, "within two days" tells of the past
    r"\b(?:will|would|must|shall|should|to|expect\w*|due|can|could|may|might|plan\w*|aim\w*|agree\w*"
    r"|commit\w*|requir\w*|deadline|order\w*|give\w*|gave|is|are)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class _Reading:
    """What one rule made of one match; `first` is None when it could not be resolved."""

    end: int
    kind: str
    first: date | None
    last: date | None
    precision: str
    rule: str
    anchor: date | None = None
    takes: str = ""  # what of the words before belongs to the phrase: "the", "lead" or nothing
    count: tuple[int, int, str, str] | None = (
        None  # a deadline still to be counted: n, n, unit, words
    )


@dataclass(slots=True)
class _Scene:
    """A sentence being read: what its rules may ask about."""

    text: str
    low: int
    high: int
    published: date | None
    lead: str = ""  # the preposition before the match, "part" inside "early ...", "" for none
    the: str = ""
    at: int = 0
    cues: list[tuple[int, int, str]] | None = field(default=None)

    def tense(self) -> str:
        """ "f" when the nearest verb or cue looks ahead, "p" when back, "" when nothing tells."""
        if self.cues is None:
            found = _CUES.finditer(self.text, self.low, min(self.high, self.low + 2000))
            self.cues = [(m.start(), m.end(), m.lastgroup or "") for m in found]
        ahead = self.lead.startswith((*_LOOSE, *_FIRM, "through"))
        around = self.text[max(self.low, self.at - 60) : min(self.high, self.at + 60)]
        if ahead and not re.search(r"\bhad\b", around):  # "by Friday, 200 had fled"
            return "f"
        near, best = "", 400.0
        middle = bisect_left(self.cues, (self.at, 0, ""))
        for first, last, cue in self.cues[max(0, middle - 4) : middle + 4]:
            before = first < self.at
            if (self.at - last if before else first - self.at) > best:
                continue
            gap = self.text[last : self.at] if before else self.text[self.at : first]
            # Verbs mostly stand before their time; a comma, a quotation mark or "that" parts clauses.
            parted = 40 * min(2, len(re.findall(r'[,;:"”“—]', gap))) + 80 * (" that " in gap)
            distance = len(gap) * (1 if before else 1.5) + parted
            if distance < best:
                near, best = cue, distance
        return near


_Reader = Callable[[re.Match[str], _Scene], _Reading | None]


# ---- calendar -----------------------------------------------------------------------------------


def _day(year: int, month: int, day: int) -> date | None:
    """That day, or None where the calendar has none."""
    if 1 <= year <= 9999 and 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]:
        return date(year, month, day)
    return None


def _month_of(word: str) -> int:
    return [name[:3] for name in _MONTHS].index(word[:3].title()) + 1


def _months_on(day: date, months: int) -> date:
    """The same day of another month, or that month's last: 31 January + 1 month is 28 February."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise OverflowError(_NO_CALENDAR)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _shift(day: date, n: int, unit: str) -> date:
    """`n` units on (back when negative). Raises OverflowError outside the years 1 to 9999."""
    if unit == "working day":
        if day.weekday() > 4:  # counting starts at the Friday before, or back from the Monday after
            day += timedelta(4 - day.weekday() if n > 0 else 7 - day.weekday())
        weeks, rest = divmod(abs(n), 5)
        step = 1 if n > 0 else -1
        day += timedelta(weeks * 7 * step)
        while rest:
            day += timedelta(step)
            rest -= day.weekday() < 5
        return day
    if unit == "hour":
        return day + timedelta(-(-abs(n) // 24) * (1 if n > 0 else -1))
    if unit in ("day", "week", "fortnight"):
        return day + timedelta(n * {"day": 1, "week": 7, "fortnight": 14}[unit])
    return _months_on(day, n * {"month": 1, "quarter": 3, "year": 12, "decade": 120}[unit])


def _around(day: date, unit: str) -> tuple[date, date, str]:
    """The calendar unit that holds `day`: first, last, precision."""
    if unit in ("hour", "day"):
        return day, day, "day"
    if unit in ("week", "fortnight"):
        monday = day - timedelta(day.weekday())
        return monday, monday + timedelta(6), "day"
    if unit == "decade":
        return date(day.year // 10 * 10 or 1, 1, 1), date(day.year // 10 * 10 + 9, 12, 31), "year"
    months = {"month": 1, "quarter": 3, "year": 12}[unit]
    first = date(day.year, (day.month - 1) // months * months + 1, 1)
    last = date(
        day.year, first.month + months - 1, monthrange(day.year, first.month + months - 1)[1]
    )
    return first, last, unit


def _season(year: int, name: str) -> tuple[date, date]:
    """The season that begins in `year`."""
    first = date(year, _SEASONS[name], 1)
    return first, _months_on(first, 3) - timedelta(1)


def _name(day: date) -> str:
    return f"{_DAYS[day.weekday()]}, {day.day} {_MONTHS[day.month - 1]} {day.year}"


def _choose(choices: Sequence[tuple[date, date]], near: date, tense: str) -> tuple[date, date, str]:
    """Of one expression in several years, the one meant: by tense, else the nearest."""
    if tense == "f" and (ahead := [c for c in choices if c[1] >= near]):
        return *min(ahead), "the next one from publication on"
    if tense == "p" and (behind := [c for c in choices if c[0] <= near]):
        return *max(behind), "the last one up to publication"
    first, last = min(choices, key=lambda c: (abs((c[0] - near).days + (c[1] - near).days), c))
    return first, last, "the nearest one to publication"


# ---- rules --------------------------------------------------------------------------------------


def _unresolved(end: int, kind: str, why: str, takes: str = "") -> _Reading:
    return _Reading(end, kind, None, None, "", why, takes=takes)


def _iso_day(m: re.Match[str], scene: _Scene) -> _Reading | None:
    day = _day(int(m["y"]), int(m["m"]), int(m["d"]))
    return _Reading(m.end(), "date", day, day, "day", "as written") if day else None


def _numeric_day(m: re.Match[str], scene: _Scene) -> _Reading | None:
    """4/2/2026: two readings unless one is impossible; dots are never used for month first."""
    year, a, b = int(m["y"]), int(m["a"]), int(m["b"])
    readings = {d for d in (_day(year, b, a), m["sep"] != "." and _day(year, a, b)) if d}
    if not readings:
        return None
    if len(readings) > 1:
        return _unresolved(m.end(), "date", _AMBIGUOUS)
    day = readings.pop()
    return _Reading(m.end(), "date", day, day, "day", "as written")


def _month_day(m: re.Match[str], scene: _Scene) -> _Reading | None:
    """ "Feb. 4", "4 February 2026", "Wednesday, Feb. 4", "March 3-5"."""
    words = m.groupdict()
    if not words["y"] and (m["m"][0].islower() or _STREET.match(scene.text, m.end())):
        return None
    if scene.lead == "in" and m.re is _MONTH_FIRST and not words["y"] and not words["w"]:
        return None  # "in June 20 people": nobody writes "in June 20" of a day
    month, first = _month_of(m["m"]), _number_of_day(m["d"])
    month_2 = _month_of(words["m2"]) if words.get("m2") else month
    last = _number_of_day(words["d2"]) if words["d2"] else first

    def in_year(year: int) -> tuple[date, date] | None:
        a, b = _day(year, month, first), _day(year + (month_2 < month), month_2, last)
        return (a, b) if a and b and a <= b else None

    if words["y"]:
        span = in_year(int(words["y"]))
        return _Reading(m.end(), "date", *span, "day", "as written") if span else None
    if scene.published is None:
        return _unresolved(m.end(), "date", _NO_DATE) if in_year(2024) else None
    year = scene.published.year
    choices = [s for y in range(max(1, year - 4), year + 5) if (s := in_year(y))]
    weekday = _weekday_of(words["w"]) if words["w"] else None
    choices = [s for s in choices if s[0].weekday() == weekday] or choices
    if not choices:
        return None
    tense = "" if weekday is not None else scene.tense()
    a, b, why = _choose(choices, scene.published, tense)
    nearest = _choose(choices, scene.published, "")
    if (
        abs((a - scene.published).days) > 330
    ):  # tense is a guess; eleven months off, the nearest is not
        a, b, why = nearest
    return _Reading(m.end(), "date", a, b, "day", why, scene.published)


def _number_of_day(word: str) -> int:
    return 4 if word.lower() == "fourth" else int(re.sub(r"\D", "", word))


def _weekday_of(word: str) -> int:
    return [name[:3] for name in _DAYS].index(word[:3].title())


def _month(m: re.Match[str], scene: _Scene) -> _Reading | None:
    """ "February 2026", "in October"; a bare "May" or "April" needs a preposition to be a month."""
    word, month = m["m"].rstrip("."), _month_of(m["m"])
    after = scene.text[m.end() : m.end() + 2]
    if m["y"]:
        span = _around(date(int(m["y"]), month, 1), "month")
        return _Reading(m.end(), "period", *span, "as written")
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
        return _unresolved(m.end(), "period", _NO_DATE)
    year = scene.published.year
    choices = [
        _around(date(y, month, 1), "month")[:2] for y in (year - 1, year, year + 1) if 1 <= y < 9999
    ]
    first, last, why = _choose(choices, scene.published, tense)
    return _Reading(m.end(), "period", first, last, "month", why, scene.published)


def _year(m: re.Match[str], scene: _Scene) -> _Reading | None:
    """A bare number is a year only where words say so: "in 2036", "(2019)", "from 2016 to 2020"."""
    first = int(m["y"])
    if m["s"]:
        return _Reading(
            m.end(), "period", date(first, 1, 1), date(first + 9, 12, 31), "year", "as written", takes="the"
        ) if first % 10 == 0 else None  # fmt: skip
    cue = _YEAR_CUE.search(scene.text[max(scene.low, m.start() - 16) : m.start()])
    if (scene.lead != "part" and not cue) or _COUNTED.match(scene.text, m.end()):
        return None
    if first < 1900 and scene.lead not in ("in", "since", "part"):
        return None
    last = first
    if m["to"]:
        last = int(m["to"]) if len(m["to"]) == 4 else first // 100 * 100 + int(m["to"])
    if not first <= last <= 2100:
        return None
    return _Reading(m.end(), "period", date(first, 1, 1), date(last, 12, 31), "year", "as written")


def _quarter(m: re.Match[str], scene: _Scene) -> _Reading | None:
    """ "Q3 2025", "the third quarter of 2025", "second quarter", "the first half of 2026"."""
    number = int(m["q"]) if m["q"] else _ORDINALS[m["o"].lower()]
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
        if _SPORT.search(scene.text, scene.low, min(scene.high, scene.low + 2000)):
            return None
    if m["fiscal"] or before.endswith("fiscal "):
        return _unresolved(m.end(), "period", _FISCAL, "the")

    def in_year(year: int) -> tuple[date, date]:
        first = date(year, (number - 1) * months + 1, 1)
        return first, _months_on(first, months) - timedelta(1)

    precision = "quarter" if months == 3 else "month"
    if m["y"]:
        return _Reading(
            m.end(), "period", *in_year(int(m["y"])), precision, "as written", takes="the"
        )
    if scene.published is None:
        return _unresolved(m.end(), "period", _NO_DATE, "the")
    year = scene.published.year
    if m["rel"]:
        year += {"last": -1, "next": 1}.get(m["rel"].lower(), 0)
        span, why = in_year(year), f"of the year {year}"
    else:
        first, last, why = _choose(
            [in_year(y) for y in (year - 1, year, year + 1) if 1 < y < 9999],
            scene.published,
            scene.tense(),
        )
        span = first, last
    return _Reading(m.end(), "period", *span, precision, why, scene.published, "the")


def _fiscal_year(m: re.Match[str], scene: _Scene) -> _Reading | None:
    return _unresolved(m.end(), "period", _FISCAL)


def _season_of(m: re.Match[str], scene: _Scene) -> _Reading | None:
    name = m["season"].lower()
    if name == "winter":
        return _unresolved(m.end(), "period", "a winter belongs to two years")
    span = _season(int(m["y"]), name)
    return _Reading(m.end(), "period", *span, "month", "northern meteorological season")


def _weekday(m: re.Match[str], scene: _Scene) -> _Reading | None:
    """ "Wednesday", "next Friday", "last Monday night", "Friday of next week"."""
    which = (m["which"] or "").lower()
    if m["w"][0].islower() or len(m["w"].rstrip(".")) < 6 or scene.lead in ("every", "each"):
        return None  # "sun", "wed"; short forms count only beside a date
    if (
        which == "past"
        or _AFTER_DAY.match(scene.text, m.end("w"))
        or (_NAMED_DAY.search(scene.text[max(scene.low, m.start() - 8) : m.start()]))
    ):
        return None
    if scene.published is None:
        return _unresolved(m.end(), "date", _NO_DATE)
    day, near = _weekday_of(m["w"]), scene.published
    coming = near + timedelta((day - near.weekday()) % 7)
    latest = near - timedelta((near.weekday() - day) % 7)
    name = _DAYS[day]
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
    return _Reading(m.end(), "date", found, found, "day", why, near)


def _day_word(m: re.Match[str], scene: _Scene) -> _Reading | None:
    """ "today", "yesterday morning", "last night"; capitals inside a sentence are a name."""
    word = m["word"].lower()
    before = scene.text[max(scene.low, m.start() - 2) : m.start()]
    if m["word"][1:2].isupper() or (m["word"][0].isupper() and before[:1].isalpha()):
        return None  # "USA TODAY", "the Tonight Show"
    if scene.published is None:
        return _unresolved(m.end(), "date", _NO_DATE)
    shift = {"yesterday": -1, "tomorrow": 1, "last": -1}.get(word.split()[0], 0)
    why = {
        -1: "the day before publication",
        0: "the day of publication",
        1: "the day after publication",
    }
    day = scene.published + timedelta(shift)
    return _Reading(m.end(), "date", day, day, "day", why[shift], scene.published)


def _this_unit(m: re.Match[str], scene: _Scene) -> _Reading | None:
    """ "this week", "last July", "next year", "last summer", "over the weekend"."""
    which, unit, near = m["which"].lower(), m["unit"].lower(), scene.published
    if which == "past" and unit not in ("week", "weekend", "month", "quarter", "year", "decade"):
        return None  # "delayed past May"
    if m["unit"][:1].islower() and unit[:3].title() in {n[:3] for n in _MONTHS} and unit != "month":
        return None  # "this may", "last march"
    counted = unit in ("week", "month", "quarter", "year", "decade")
    if (counted and scene.the and which != "this") or re.match(
        r"\s(?:of|in) ", scene.text[m.end() : m.end() + 4]
    ):
        return None  # "the last year" is counted back, "the last week of May" is not ours
    if near is None:
        return _unresolved(m.end(), "period", _NO_DATE)
    step = {"last": -1, "past": -1, "next": 1, "coming": 1}.get(which.split()[-1], 0)
    if counted:
        span = _around(_shift(near, step, unit), unit)
        if unit in ("week", "quarter", "decade"):
            why = (
                "the {} before publication's",
                "the {} of publication",
                "the {} after publication's",
            )
            return _Reading(m.end(), "period", *span, why[step + 1].format(unit), near)
        why_year = describe(*span)
        return _Reading(m.end(), "period", *span, f"counted from publication: {why_year}", near)
    if unit == "weekend":
        back = step == 0 and near.weekday() < 5 and scene.tense() == "p"
        saturday = near + timedelta(5 - near.weekday() + 7 * (step - back))
        rule = "the Saturday and Sunday meant"
        return _Reading(m.end(), "period", saturday, saturday + timedelta(1), "day", rule, near)
    choices: list[tuple[date, date]] = []
    for year in range(max(1, near.year - 2), min(9998, near.year + 2) + 1):
        if unit in _SEASONS:
            choices.append(_season(year, unit))
        else:
            choices.append(_around(date(year, _month_of(unit), 1), "month")[:2])
    if step < 0:
        span_2, why_2 = max(c for c in choices if c[1] < near), "the last one before publication"
    elif step > 0:
        span_2, why_2 = min(c for c in choices if c[0] > near), "the next one after publication"
    else:
        same = [c for c in choices if c[0] <= near <= c[1]] or [
            c for c in choices if c[0].year == near.year
        ]
        span_2, why_2 = same[0], "the one of the year of publication"
    return _Reading(m.end(), "period", *span_2, "month", why_2, near)


def _weekend(m: re.Match[str], scene: _Scene) -> _Reading | None:
    """ "over the weekend"."""
    if scene.lead != "over" or scene.published is None:
        return _unresolved(m.end(), "period", _NO_DATE, "lead") if scene.lead == "over" else None
    near = scene.published
    ahead = scene.tense() == "f" or near.weekday() > 4
    saturday = near + timedelta(5 - near.weekday() - (0 if ahead else 7))
    rule = "the Saturday and Sunday meant"
    return _Reading(m.end(), "period", saturday, saturday + timedelta(1), "day", rule, near, "lead")


def _count(word: str | None) -> float | None:
    """What a number word says; None when it is vague ("a few")."""
    if word is None:
        return None
    word = word.lower().replace(",", "")
    if word[0].isdigit():
        return float(word)
    if word in _NUMBERS:
        return _NUMBERS[word]
    tens, _, ones = word.replace("-", " ").partition(" ")
    return _NUMBERS[tens] + _NUMBERS[ones] if tens in _NUMBERS and ones in _NUMBERS else None


def _past_or_next(m: re.Match[str], scene: _Scene) -> _Reading | None:
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
        return _unresolved(
            m.end(), "period", _VAGUE, "lead" if scene.lead in ("in", "over") else "the"
        )
    return _spanned(
        m, scene, int(n), _unit(m), 1 if which in ("next", "coming", "upcoming") else -1
    )


def _unit(m: re.Match[str]) -> str:
    working = (m["working"] or "").strip().lower() in ("business", "working", "trading")
    return "working day" if working and m["unit"].lower() == "day" else m["unit"].lower()


def _spanned(m: re.Match[str], scene: _Scene, n: int, unit: str, way: int) -> _Reading:
    near = scene.published
    if way > 0 and scene.lead in ("within", "in", "by"):
        return _Reading(
            m.end(), "deadline", None, None, "", "", takes="lead", count=(n, n, unit, f"{n} {unit}{'s' * (n != 1)}")
        )  # fmt: skip
    if near is None:
        return _unresolved(m.end(), "period", _NO_DATE, "the")
    first, last = sorted((near, _shift(near, way * n, unit)))
    precision = "month" if unit in ("month", "quarter", "year", "decade") else "day"
    rule = f"{n} {unit}{'s' * (n != 1)} {'up to' if way < 0 else 'from'} publication"
    return _Reading(m.end(), "period", first, last, precision, rule, near, "the")


def _counted(m: re.Match[str], scene: _Scene) -> _Reading | None:
    """ "two days ago", "within 30 days", "in two weeks", "60-day", "for two years"."""
    word, unit, lead = m["n"].lower(), _unit(m), scene.lead
    tail = (m["tail"] or "").strip().lower()
    before = scene.text[max(scene.low, m.start() - 24) : m.start()]
    named = m["gap"] == "-" and (m["unit"][0].isupper() or word in ("a", "an", "few", "several"))
    if named or _RATE.match(scene.text, m.end()) or _AGES.search(before):
        return None  # "Two-Day Delivery", "30 hours a week", "children ages 6 months to 5 years"
    n = _count(word)
    single = word in ("a", "an", "one") and m["gap"] != "-"
    if tail in ("ago", "from now"):
        return _ago(m, scene, n, unit, -1 if tail == "ago" else 1)
    if lead == "within":
        if n is None or n != int(n):
            return _unresolved(m.end(), "deadline", _VAGUE, "lead")
        binding = _BINDING.search(scene.text, scene.low, min(scene.high, scene.low + 2000))
        if binding or scene.tense() != "p":
            low = _count(m["n0"]) or n
            words = f"{f'{int(low)} to ' if m['n0'] else ''}{int(n)} {unit}{'s' * (n != 1)}"
            return _Reading(
                m.end(), "deadline", None, None, "", "", takes="lead", count=(int(low), int(n), unit, words)
            )  # fmt: skip
        return _unresolved(m.end(), "duration", _LENGTH, "lead")
    point = lead == "in" and m["gap"] != "-" and not scene.the and n and not m["n0"]
    if point and not _FIRST_IN.search(before) and scene.tense() == "f":
        return _ago(m, scene, n, unit, 1, "lead")
    if (single and lead not in ("for", "in", "after", "over", "during")) or unit == "quarter":
        return None  # "once a week", "one day", "three quarters"
    return _unresolved(
        m.end(), "duration", _LENGTH, "lead" if lead == "for" and not scene.the else ""
    )


def _ago(
    m: re.Match[str], scene: _Scene, n: float | None, unit: str, way: int, takes: str = ""
) -> _Reading:
    """A point `n` units off publication, as fine as its unit: two years ago is a year."""
    kind = "date" if unit in ("hour", "day", "working day") else "period"
    if n is None or n != int(n):
        return _unresolved(m.end(), kind, _VAGUE, takes)
    if scene.published is None:
        return _unresolved(m.end(), kind, _NO_DATE, takes)
    day = _shift(scene.published, way * int(n), unit)
    grain = {"working day": "day", "quarter": "month", "decade": "year"}.get(unit, unit)
    rule = f"{int(n)} {unit}{'s' * (n != 1)} {'before' if way < 0 else 'after'} publication"
    return _Reading(m.end(), kind, *_around(day, grain), rule, scene.published, takes)


def _vague(m: re.Match[str], scene: _Scene) -> _Reading | None:
    """ "weeks ago", "within hours"."""
    if m["tail"]:
        return _unresolved(m.end(), "period", _VAGUE)
    return _unresolved(m.end(), "deadline", _VAGUE, "lead") if scene.lead == "within" else None


def _part(m: re.Match[str], scene: _Scene) -> _Reading | None:
    """ "early 2027", "mid-March", "later this year", "the end of next month", "early Thursday"."""
    part = m["part"].lower()
    outer, scene.lead = scene.lead, "part"
    if m["the"] and (unit := _CURRENT.match(scene.text, m.end(), scene.high)):
        if scene.published is None:
            return _unresolved(unit.end(), "period", _NO_DATE, "the")
        span = _around(scene.published, unit["unit"].lower())
        inner: _Reading | None = _Reading(unit.end(), "period", *span, "counted from publication")
    else:
        scene.the = m["the"] or ""
        inner = _longest(scene, m.end(), _WORD.match(scene.text, m.end(), scene.high))
    if inner is None or inner.kind in ("duration", "deadline") or inner.rule == _FISCAL:
        return None
    if inner.first is None or inner.last is None or inner.first == inner.last:
        return replace(inner, takes="the")
    first, last, precision = _third(part, inner.first, inner.last, inner.precision, scene.published)
    if part == "end" and (outer in _LOOSE or outer.startswith(_FIRM)):
        first, precision = last, "day"
    whole = describe(inner.first, inner.last, inner.precision)
    rule = f"the {('first', 'middle', 'last')[_THIRDS.get(part, 2)]} third of {whole}"
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
    third = _THIRDS.get(part, 2)
    days = (last - first).days + 1
    if days <= 7:
        return first, last, precision
    if days <= 31:
        ends = (first, first + timedelta(10), first + timedelta(20), last + timedelta(1))
        return ends[third], ends[third + 1] - timedelta(1), "day"
    months = (last.year - first.year) * 12 + last.month - first.month + 1
    starts = [_months_on(first, months * i // 3) for i in range(3)]
    end = last if third == 2 else starts[third + 1] - timedelta(1)
    return starts[third], end, "month"


def _rule(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.I)


_MONTH_FIRST = _rule(
    rf"(?:(?P<w>{_W}),?{_S})?(?P<m>{_M})\s{{0,3}}(?P<d>{_D}|fourth\b)"
    rf"(?:{_TO}(?:(?P<m2>{_M}){_S})?(?P<d2>{_D}))?{_COMMA_YEAR}"
)
_DAY_FIRST = _rule(
    rf"(?:(?P<w>{_W}),?{_S})?(?:the{_S})?(?P<d>{_D}|fourth\b)(?:{_TO}(?P<d2>{_D}))?\.?{_S}"
    rf"(?:of{_S})?(?P<m>{_M}){_COMMA_YEAR}"
)
_ISO = _rule(r"(?P<y>\d{4})(?P<sep>[-/.])(?P<m>\d\d)(?P=sep)(?P<d>\d\d)(?:T[\d:.]+Z?|(?![\d/-]))")
_NUMERIC = _rule(rf"(?P<a>\d{{1,2}})(?P<sep>[-/.])(?P<b>\d{{1,2}})(?P=sep)(?P<y>{_Y})(?![/-])")
_CURRENT = _rule(r"(?P<unit>year|month|week|quarter|decade)\b")
_TIME_OF_DAY = rf"(?:{_S}(?:morning|afternoon|evening|night)\b)?"
_WHICH = r"(?P<which>last|this (?:past|coming)|this|next|past|coming)"

# Each rule: the words that can open it, its pattern, its reader.
_ANY_DAY = [d.lower() for d in _DAYS] + _listed("mon tue tues wed thu thur thurs fri sat sun")
_ANY_MONTH = [m.lower() for m in _MONTHS] + [m[:3].lower() for m in _MONTHS] + ["sept"]
_COUNT_WORDS = [*_ONES, *_TEENS, *_TENS, *_listed("a an half few couple several #")]
_RULES: tuple[tuple[Sequence[str], re.Pattern[str], _Reader], ...] = (
    (["#"], _ISO, _iso_day),
    (["#"], _NUMERIC, _numeric_day),
    ([*_ANY_DAY, *_ANY_MONTH], _MONTH_FIRST, _month_day),
    ([*_ANY_DAY, "#", "fourth"], _DAY_FIRST, _month_day),
    (_ANY_MONTH, _rule(rf"(?P<m>{_M})(?:,?{_S}(?:of{_S})?(?P<y>{_Y}))?"), _month),
    (
        ["#"],
        _rule(
            r"(?P<y>(?:1[5-9]|20)\d\d)(?:(?P<s>s)\b|[-–](?P<to>\d{4}|\d\d)(?![\w-])|(?![\w%/-]|[.,]\d))"
        ),
        _year,
    ),
    (
        ["q1", "q2", "q3", "q4", *_ORDINALS, "#"],
        _rule(
            rf"(?:Q(?P<q>[1-4])|(?P<o>{'|'.join(_ORDINALS)})[- ](?:quarter|(?P<half>half))\b)(?:(?:{_S}of)?"
            rf"(?:{_S}the)?(?P<fiscal>{_S}fiscal(?:{_S}year)?)?,?{_S}(?P<y>{_Y})"
            rf"|{_S}of{_S}(?P<rel>this|last|next|the){_S}year\b)?"
        ),
        _quarter,
    ),
    (["fiscal"], _rule(rf"fiscal{_S}(?:years?{_S})?{_Y}"), _fiscal_year),
    (
        list(_SEASONS),
        _rule(rf"(?P<season>{'|'.join(_SEASONS)}){_S}(?:of{_S})?(?P<y>{_Y})"),
        _season_of,
    ),
    (
        [*_ANY_DAY, *_listed("last this next past coming")],
        _rule(
            rf"(?:{_WHICH}{_S})?(?P<w>{_W}){_TIME_OF_DAY}(?:{_S}(?:of{_S})?(?P<week>last|this|next){_S}week\b)?"
        ),
        _weekday,
    ),
    (
        _listed("today tonight yesterday tomorrow last this"),
        _rule(
            rf"(?P<word>today|tonight|(?:yesterday|tomorrow){_TIME_OF_DAY}|last{_S}night"
            rf"|this{_S}(?:morning|afternoon|evening))\b"
        ),
        _day_word,
    ),
    (
        _listed("last this next past coming"),
        _rule(
            rf"{_WHICH}{_S}(?P<unit>week|weekend|month|quarter|year|decade|{'|'.join(_SEASONS)}|{_M})(?!\w)"
        ),
        _this_unit,
    ),
    (
        _listed("last past next coming recent upcoming"),
        _rule(
            rf"(?P<which>last|past|next|coming|recent|upcoming){_S}(?:(?P<n>{_N}){_S})?{_WORKING}{_U}"
        ),
        _past_or_next,
    ),
    (
        _COUNT_WORDS,
        _rule(
            rf"(?:(?P<n0>{_N})(?:\s?[-–]\s?|{_S}(?:to|or){_S}))?(?P<n>{_N})(?P<gap>-|{_S}){_WORKING}{_U}"
            rf"(?P<tail>{_S}(?:ago|from{_S}now)\b)?"
        ),
        _counted,
    ),
    (
        _listed("hours days weeks months years decades"),
        _rule(rf"(?:hours|days|weeks|months|years|decades)\b(?P<tail>{_S}ago\b)?"),
        _vague,
    ),
    (["weekend"], _rule(r"weekend\b"), _weekend),
    (
        _listed("early earlier mid middle late later end beginning start"),
        _rule(
            rf"(?P<part>earlier|early|later|late|mid|(?:end|beginning|start|middle)(?={_S}of\b))"
            rf"(?:-|{_S})(?:(?:in|of){_S})?(?P<the>the{_S})?"
        ),
        _part,
    ),
)
_OPENERS: dict[str, list[tuple[re.Pattern[str], _Reader]]] = {}
for _words, _pattern, _reader in _RULES:
    for _word in _words:
        _OPENERS.setdefault(_word, []).append((_pattern, _reader))
_DIGIT = _OPENERS.pop("#")


# ---- reading a text -----------------------------------------------------------------------------


def _longest(scene: _Scene, start: int, word: re.Match[str] | None) -> _Reading | None:
    """The longest expression that starts at `start`; `word` is the word that stands there."""
    if word is None:
        return None
    opener = word.group()
    if "0" <= opener[0] <= "9":
        rules = _DIGIT
    elif (found := _OPENERS.get(opener.lower())) is not None:
        rules = found
    else:
        return None
    before = scene.text[max(scene.low, start - 2) : start]
    if before[-1:] in ("$", "€", "£", "#", "@", "/", "_", "-", "'", "’") and scene.lead != "part":
        return None
    if before[:1].isdigit() and before[1:] in (".", ",", ":") and opener[0].isdigit():
        return None  # inside 2,036 or 10:30
    best: _Reading | None = None
    for pattern, reader in rules:
        match = pattern.match(scene.text, start, scene.high)
        if match is None or (best and match.end() < best.end):
            continue
        if scene.lead != "part":
            lead = _LEAD.search(scene.text[max(scene.low, start - 28) : start])
            scene.lead = re.sub(r"\s+", " ", ((lead and lead["lead"]) or "").lower())
            scene.the = ((lead and lead["the"]) or "").lower()
        scene.at = start
        kept = scene.lead
        try:
            reading = reader(match, scene)
        except (OverflowError, ValueError):  # arithmetic left the years 1 to 9999
            reading = _unresolved(match.end(), "period", _NO_CALENDAR)
        scene.lead = kept
        if reading and (best is None or reading.end > best.end):
            best = reading
    return best


def _in_sentence(scene: _Scene) -> Iterator[tuple[int, _Reading]]:
    """The sentence's expressions as (start of the phrase, reading), in order, disjoint."""
    free = scene.low
    for word in _WORD.finditer(scene.text, scene.low, scene.high):
        start = word.start()
        if start < free:
            continue
        opener = word.group()
        if not ("0" <= opener[0] <= "9" or opener.lower() in _OPENERS):
            continue
        scene.lead = scene.the = ""
        reading = _longest(scene, start, word)
        if reading is None:
            continue
        lead = _LEAD.search(scene.text[max(free, start - 28) : start])
        reading = _as_deadline(
            reading, re.sub(r"\s+", " ", ((lead and lead["lead"]) or "").lower()), scene
        )
        if lead and reading.takes == "lead" and lead["lead"]:
            start -= len(lead["all"])
        elif lead and reading.takes == "the" and (lead["the"] or "").lower().startswith("the"):
            start -= len(lead["the"])
        free = reading.end
        yield start, reading


def _as_deadline(reading: _Reading, lead: str, scene: _Scene) -> _Reading:
    """A date or period becomes a deadline after "by", "until", "before" (unless past) or "due"."""
    if reading.kind not in ("date", "period"):
        return reading
    past = reading.last and scene.published and reading.last < scene.published
    if lead.startswith(_FIRM) or (lead in _LOOSE and not past):
        rule = f"before it begins; {reading.rule}" if lead == "before" else reading.rule
        return replace(reading, kind="deadline", rule=rule, takes="lead")
    return reading


def _deadline(
    scene: _Scene, at: int, reading: _Reading, days: list[tuple[int, date]], event: date | None
) -> _Reading:
    """Counts "within 30 days" from the day it runs from, named in the rule.

    That is the day its own words name ("within 30 days of 3 May"), else the nearest day that the
    sentence names and that is not ahead, else the article's event day, else publication.
    """
    low, high, unit, words = reading.count or (0, 0, "day", "")
    tail = re.compile(rf"{_S}(?P<of>of|after|from|following){_S}").match(
        scene.text, reading.end, scene.high
    )
    anchor = event or scene.published
    near = bisect_left(days, (at, date.min))
    days = days[max(0, near - 4) : near + 4]  # keeps a sentence of a thousand dates linear
    named = [day for start, day in days if tail and 0 <= start - tail.end() <= 4]
    if named:
        anchor = named[0]
    elif tail and tail["of"].lower() != "from" and not _ITS_REPORT.match(scene.text, tail.end()):
        return _unresolved(reading.end, "deadline", _OTHER_EVENT, "lead")
    elif behind := [
        (abs(s - at), d) for s, d in days if not scene.published or d <= scene.published
    ]:
        anchor = min(behind)[1]
    if anchor is None:
        return _unresolved(reading.end, "deadline", _NO_DATE, "lead")
    try:
        first, last = _shift(anchor, low, unit), _shift(anchor, high, unit)
    except OverflowError:
        return _unresolved(reading.end, "deadline", _NO_CALENDAR, "lead")
    rule = f"{words} after {_name(anchor)}"
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
        scene = _Scene(text, sentence.start, sentence.end, published)
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


# ---- publication --------------------------------------------------------------------------------

_CLOCK = r"(?:\d{1,2}[:.]\d\d(?:\s?[ap]\.?m\.?)?(?:\s[A-Z]{2,4}\b)?,?\s+)?"
_STAMP = _rule(
    r"(?:^|[|·•–—]|\s-)\W{0,5}(?:(?:first|last|originally|date)\s)?(?P<word>published|posted|publication date"
    r"|(?:released|issued|dated)(?=\s?:)|date|updated|modified|ver[öo]ffentlicht|publi[ée]|publicado"
    r"|pubblicato|datum|stand)(?:\s(?:on|at|am|le|el|il|em))?\s?[:|–—-]?\s*" + _CLOCK
)
_HEADER_WORD = re.compile(r"[A-Z0-9|&·•–—:/(-]|(?:by|of|the|and|for|de)\b")
_AFTER_STAMP = re.compile(
    r"\s*$|[\s,]*[|·•–—/(-]|,?\s*(?:at\s+)?\d{1,2}[:.]\d\d|,?\s+by\b|[T\s]\d\d:", re.I
)
_WIRE = re.compile(r"\s*(?=[A-Z0-9]{10,60}\s*$)[A-Z]{2,}(?P<digits>\d{8})[A-Z0-9]*\s*")
_DATELINE = re.compile(r"\s*[A-Z][\w.,'’/ -]{1,60}?[,\s]\s*(?=(?:[A-Z][a-z]|[A-Z]{3}|\d))")
_AFTER_DATELINE = re.compile(r"\s*(?:[(/][\w ./-]{2,40}[)/])?\s*(?:[–—]|--|-\s)")
_COPYRIGHT = _rule(r"(?:©|\(c\)|copyright)\s{0,2}(?:©\s?)?(?P<y>20\d\d)\b")
_FOREIGN = re.compile(
    r"\d{1,2}\.?\s(?:de\s)?[^\W\d]{3,12}\.?\s(?:de\s)?\d{4}|\d{4}年\d{1,2}月\d{1,2}日"
)
_LINES = 40  # stamps stand at the head or the foot of a page; so many lines of each are looked at


def _written_day(
    text: str, at: int, language: str = "", year: int | None = None
) -> tuple[date, int] | None:
    """The full date that starts at `at`, and where it ends. `year` completes "Feb. 4"."""
    for pattern in (_ISO, _MONTH_FIRST, _DAY_FIRST, _NUMERIC):
        if not (m := pattern.match(text, at)):
            continue
        if pattern in (_MONTH_FIRST, _DAY_FIRST):
            in_year = int(m["y"]) if m["y"] else year
            day = (
                _day(in_year, _month_of(m["m"]), _number_of_day(m["d"]))
                if in_year and not m["d2"]
                else None
            )
        elif pattern is _ISO:
            day = _day(int(m["y"]), int(m["m"]), int(m["d"]))
        else:
            day = _numeric_in(m, language)
        if day and 1800 <= day.year <= 2100:
            return day, m.end()
    return None


def _numeric_in(m: re.Match[str], language: str) -> date | None:
    """4/2/2026 read as the language writes it; plain "en" does not say which."""
    y, a, b = int(m["y"]), int(m["a"]), int(m["b"])
    day_first, month_first = _day(y, b, a), _day(y, a, b) if m["sep"] != "." else None
    if not (day_first and month_first) or day_first == month_first:
        return day_first or month_first
    tag = language.lower().replace("_", "-")
    if tag in ("en-us", "en-ph"):
        return month_first
    return day_first if tag and tag not in ("en", "eng", "english") else None


def _other_language(value: str, language: str) -> date | None:
    """ "4 février 2026": left to dateparser, whose import is slow and seldom needed."""
    if not (m := _FOREIGN.search(value)):
        return None
    import dateparser

    languages = [language[:2].lower()] if language[:2].isalpha() and len(language) > 1 else None
    settings = {"STRICT_PARSING": True, "REQUIRE_PARTS": ["day", "month", "year"]}
    for choice in (languages, None) if languages else (None,):
        try:
            found = dateparser.parse(m.group(), languages=choice, settings=settings)
        except (ValueError, OverflowError):  # a language it does not know
            continue
        if found and 1800 <= found.year <= 2100:
            return found.date()
    return None


def _in_value(value: str, language: str) -> date | None:
    """The day a metadata value states, whatever its format; None when it states none or two."""
    value = value.strip()
    if re.fullmatch(r"\d{8}", value):
        return _digits_day(value)
    for m in _WORD.finditer(value[:100]):
        if found := _written_day(value, m.start(), language):
            return found[0]
    return _other_language(value[:100], language)


def _digits_day(digits: str) -> date | None:
    """20260205, else 05022026 (wire services put the day first), else 02152026."""
    for y, m, d in ((slice(0, 4), slice(4, 6), slice(6, 8)), (slice(4, 8), slice(2, 4), slice(0, 2)),
                    (slice(4, 8), slice(0, 2), slice(2, 4))):  # fmt: skip
        day = _day(int(digits[y]), int(digits[m]), int(digits[d]))
        if day and 1990 <= day.year <= 2100:
            return day
    return None


def _stamp(document: Document, language: str) -> date | None:
    """The date of a line that is about the article: "Published: ...", a header, a wire code."""
    lines = [(line[:201], heading) for line, heading in visible_lines(document)]
    by_rank: dict[int, date] = {}
    feet: set[date] = set()
    for number, (line, heading) in enumerate(lines):
        wire = _WIRE.fullmatch(line)
        if wire and (day := _digits_day(wire["digits"])):
            by_rank.setdefault(4, day)
        edge = number < _LINES or number >= len(lines) - _LINES
        if not edge or heading or len(line) > 200:
            continue
        for m in _STAMP.finditer(line):
            found = _written_day(line, m.end(), language)
            if found is None and (day := _other_language(line[m.end() : m.end() + 40], language)):
                found = day, m.end() + 20
            rest = line[found[1] :] if found else ""
            if not found or len(rest) > 60 or rest.endswith((".", "!", "?", ",")):
                continue
            if number >= _LINES:
                feet.add(found[0])
            else:
                late = m["word"].lower() in ("updated", "modified", "stand")
                by_rank.setdefault(2 if late else 0, found[0])
        if number < 10 and len(line) <= 120 and (header := header_date(line, language)):
            by_rank.setdefault(1, header[1])
    if len(feet) == 1:  # with several, they date the related stories listed there
        by_rank.setdefault(3, feet.pop())
    return by_rank[min(by_rank)] if by_rank else None


def header_date(line: str, language: str) -> tuple[str, date] | None:
    """The date of "USA TODAY, 2015-09-04" or "By Jane Doe | 5 Feb 2026 10:12 GMT", and what stands
    before it; prose has none."""
    for word in _WORD.finditer(line):
        if not (found := _written_day(line, word.start(), language)):
            continue
        before = re.sub(rf"{_CLOCK}\Z", "", line[: word.start()], flags=re.I).rstrip()
        names = before.split()
        apart = not names or (len(names) <= 12 and before[-1] in ",|·•–—:-")
        prose = line.endswith((".", "!", "?")) and _AFTER_DATELINE.match(line, found[1])
        if prose or not (apart and all(map(_HEADER_WORD.match, names))):
            return None
        return (before, found[0]) if _AFTER_STAMP.match(line[found[1] :]) else None
    return None


def visible_lines(document: Document) -> list[tuple[str, bool]]:
    """The lines of the raw text that hold more than markup, and whether each is a heading."""
    lines: list[tuple[str, bool]] = []
    at = 0
    for line in _without_markup(document).splitlines(keepends=True):
        heading = document.raw[at : at + len(line)].lstrip(" \t\ufeff\r\n").startswith("#")
        at += len(line)
        if line.strip():
            lines.append((line.rstrip(), heading))
    return lines


def _without_markup(document: Document) -> str:
    """`raw` with its markup (front matter above all) blanked."""
    raw = document.raw
    pieces, at = [], 0
    for span in sorted(document.markup):
        if span.start >= at:
            pieces += [raw[at : span.start], re.sub(r"[^\r\n]", " ", raw[span.start : span.end])]
            at = span.end
    return "".join(pieces) + raw[at:]


def _from_dateline(document: Document, text: str) -> date | None:
    """ "BRUSSELS, Feb. 4, 2026 (Reuters) -"; without a year, only if a copyright line has one."""
    years = {int(m["y"]) for m in _COPYRIGHT.finditer(document.raw)}
    year = years.pop() if len(years) == 1 else None
    opening = [line for line in text[:20_000].splitlines() if line.strip()][:8]
    for line in opening:
        for m in re.finditer(_DATELINE, line[:160]):
            for word in _WORD.finditer(line, m.end(), 100):
                found = _written_day(line, word.start(), "", year)
                if found and _AFTER_DATELINE.match(line, found[1]):
                    return found[0]
    return None


def published(document: Document, text: str) -> tuple[date | None, str | None]:
    """The day the article appeared and where that is stated; (None, None) when nothing states it.

    Where: "front matter" or "metadata" (the file's own fields), else "stamp" (a line of its own in
    the raw text, boilerplate included), else "dateline" (the opening of `text`). Files' names and
    times are never asked, nor are dates inside prose. Years outside 1800 to 2100 are not believed.
    """
    metadata = dict(document.metadata)
    language = metadata.get("language", "")
    if day := _in_value(metadata.get("published", ""), language):
        plain = document.format.lower().lstrip(".") in ("md", "txt", "markdown", "text")
        return day, "front matter" if plain else "metadata"
    if day := _stamp(document, language):
        return day, "stamp"
    if day := _from_dateline(document, text):
        return day, "dateline"
    return None, None


# ---- for the question side ----------------------------------------------------------------------

_LOWER_NAMES = re.compile(rf"\b(?:{'|'.join([*_MONTHS, *_DAYS])})\b", re.I)
_LIMIT = _rule(
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
    if re.fullmatch(rf"\s*{_M}\s*[?.]?\s*", phrase, re.I):
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


def describe(first: date, last: date, precision: str) -> str:
    """The span in words: "6 March 2026", "July 2025", "the third quarter of 2025", "2020",
    "the 1990s", and otherwise its ends: "2 to 8 February 2026", "March to May 2026"."""
    if precision == "year":
        if first.year % 10 == 0 and last.year == first.year + 9:
            return f"the {first.year}s"
        return f"{first.year}" if first.year == last.year else f"{first.year} to {last.year}"
    if precision == "quarter" and _around(first, "quarter")[:2] == (first, last):
        return f"the {('first', 'second', 'third', 'fourth')[first.month // 3]} quarter of {first.year}"
    ends = []
    for day in (first, last):
        parts = [] if precision in ("month", "quarter") else [str(day.day)]
        ends.append([*parts, _MONTHS[day.month - 1], str(day.year)])
    if ends[0] == ends[1]:
        return " ".join(ends[0])
    opening = list(ends[0])
    for part in ends[1][::-1]:  # what both ends share is said once
        if opening[-1] != part or len(opening) == 1:
            break
        opening.pop()
    return f"{' '.join(opening)} to {' '.join(ends[1])}"


def iso(first: date, precision: str) -> str:
    """ISO 8601: "2026-03-06", reduced for a month "2025-07" and a year "2020"; a quarter, for which
    ISO has no form, is the interval of its months, "2025-07/2025-09"."""
    if precision == "year":
        return f"{first.year:04}"
    if precision == "month":
        return f"{first:%Y-%m}"
    if precision == "quarter":
        return f"{first:%Y-%m}/{_months_on(first, 2):%Y-%m}"
    return first.isoformat()
