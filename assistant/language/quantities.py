"""Quantities as articles write them, read exactly: "$12bn", "half a million", "a dozen", "30 days".

A number is read in digits, in words and in both ("2.5 million", "twenty-five thousand", "two and a
half million"), then what it counts: money, a share, a length of time, a measure, or things.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from assistant.language.numerals import AND_A_HALF, Numeral, Text, numerals
from assistant.language.units import (
    CURRENCIES,
    CURRENCY,
    PERIODS,
    Unit,
    currency_before,
    point_after,
    unit_after,
)
from indexing.schema import Span
from indexing.times.words import MONTH

KEPT = 4096
"""Texts whose quantities are kept: one sentence is asked for them by several steps."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number at `start:end` of a text, its unit and currency included.

    `numeral` is where the number's own words stand, `number` what they say, exactly, and `value`
    what that is in the unit: 7 days for 1 week. `unit` is a currency ("usd"), "%", "point" (of a
    percentage), "second", "hour", "day" (weeks are 7), "month" (years are 12), a measure, "ordinal",
    "clock" (minutes of the day), "label" (the 301 of "Section 301"), or "" for a count. `bound` is ""
    for exactly, "min", "max", "short" (almost) or "about". `is_vague`: of "dozens" and "hundreds of
    thousands", of which `value` is the order. `through`: the other end of the range that it opens, as 60 days of "30
    to 60 days"."""

    start: int
    end: int
    text: str
    value: Fraction
    unit: str
    bound: str
    number: Fraction
    numeral: Span
    is_vague: bool = False
    through: Quantity | None = None

    @property
    def is_money(self) -> bool:
        return self.unit in CURRENCIES

    @property
    def is_year(self) -> bool:
        """Whether it may be a year of the calendar: four digits that count nothing."""
        is_plain = self.text.isdigit() and len(self.text) == 4
        return not self.unit and is_plain and 1500 <= self.number <= 2100

    @property
    def is_bare_one(self) -> bool:
        """Of "one of them", "the one"."""
        return not self.unit and self.text.casefold() == "one" and self.number == 1

    @property
    def meaning(self) -> str:
        """What it says in one form: "12000000000 usd", "25/2 %", "30 day"."""
        vague = "about " if self.is_vague else ""
        ends = f"{self.value} to {self.through.value}" if self.through else f"{self.value}"
        return f"{vague}{ends} {self.unit}".strip()

    def is_same(self, other: Quantity) -> bool:
        """Whether both are the same amount; a currency that one of them leaves out is the other's."""
        units = {self.counted, other.counted}
        if self.is_vague != other.is_vague:
            return False
        if units == {"", "ordinal"}:
            return self.value == other.value > FEW  # "the 37th week"
        if "" in units and units & PERIODS:  # "52 minutes instead of 95"
            return self.number == other.number
        is_equal = self.value == other.value or _is_rounded(self, other)
        return is_equal and self._is_like(other)

    def is_of_order(self, vague: Quantity) -> bool:
        """Whether this amount may be called so: 350 "hundreds", $40 million "millions of dollars"."""
        is_some = 2 * vague.value <= self.value < MANY * vague.value
        return vague.is_vague and not self.is_vague and is_some and self._is_like(vague)

    def _is_like(self, other: Quantity) -> bool:
        units = {self.counted, other.counted}
        return len(units) == 1 or units in _ALIKE or ("" in units and bool(units & _LEFT_OUT))

    @property
    def counted(self) -> str:
        """The unit, where a number that is a label is no other than one that counts."""
        return "" if self.unit == "label" else self.unit


FEW = 10
MANY = 100
_LEFT_OUT = CURRENCIES | {"kilometre", "metre", "ton", "megawatt", "gigawatt", "degree"}
_ALIKE = [{"clock", "second"}]  # "15:00", which may be minutes and seconds, and "3 p.m."


def _is_rounded(a: Quantity, b: Quantity) -> bool:
    """Whether one is a share such as a third, to which the other comes with one decimal."""
    return a.unit == b.unit == "%" and any(
        (1000 * x).denominator > 1 and round(x, 1) == y
        for x, y in ((a.value, b.value), (b.value, a.value))
    )


@lru_cache(maxsize=KEPT)
def quantities(text: str) -> tuple[Quantity, ...]:
    """The quantities of a text, in its order, none within another. The days and years of calendar
    dates are among them, as labels and counts."""
    t = Text(text)
    found: list[Quantity] = []
    for numeral in _scaled_alike(t, list(numerals(t))):
        q = _in_full(t, numeral)
        if not found or found[-1].end <= q.start:
            found.append(q)
    return tuple(_of_ranges(text, _taken_together(text, found)))


@lru_cache(maxsize=KEPT)
def numbers_of(text: str) -> frozenset[str]:
    """The numbers of a text, worded or in digits, each with its currency: {"12", "5000000 usd"}; what
    is no quantity, a version or a date in figures, as it is written."""
    apart = {m.group() for m in Text(text).tokens if m["apart"]}
    return frozenset(apart).union(
        f"{q.number} {q.unit if q.is_money else ''}".strip() for q in quantities(text)
    )


# --- what they count ------------------------------------------------------------------------------

_TIME_OF_DAY = re.compile(r"\s?(?P<half>[ap])\.?m\b\.?", re.IGNORECASE)
_OLD = re.compile(r"[\s-]old\b", re.IGNORECASE)
_OF = re.compile(r"\s{1,2}of\b", re.IGNORECASE)


def _in_full(t: Text, n: Numeral) -> Quantity:
    """The number with its unit or currency, and the words that bound it."""
    text, start, end = t.text, t.start(n.first), t.end(n.next - 1)
    numeral, number, name, factor = Span(start, end), n.value, "", Fraction(1)
    unit = None if n.is_part or n.is_ordinal else _unit_of(t, n)
    if n.is_part:
        number, name = 100 * number, "%"
    elif n.is_ordinal:
        name = "ordinal"
    elif m := _TIME_OF_DAY.match(text, end):
        name, end = "clock", m.end()
        number = _minutes(t, n, m["half"].casefold() == "p")
    elif unit is not None:
        start, end = min(start, unit.start), max(end, unit.end)
        if unit.name not in CURRENCIES and (more := AND_A_HALF.match(text, end)):
            number, end = number + Fraction(1, 2), more.end()
        name, factor = _counted_in(unit, number, _OLD.match(text, end) is not None)
    elif t.tokens[n.first]["clock"]:
        name = "second"
    elif _is_label(t, n):
        name = "label"
    bound = "" if n.is_ordinal else _bound(text, start, end)
    if text[end : end + 1] == "+" and not n.is_ordinal:
        bound, end = "min", end + 1
    said = text[start:end]
    return Quantity(start, end, said, number * factor, name, bound, number, numeral, n.is_vague)


def _counted_in(unit: Unit, number: Fraction, is_old: bool) -> tuple[str, Fraction]:
    """What the number is counted in, and how many of that one is: of an age nothing, of 48 hours days."""
    if unit.name == "month" and is_old:
        return "", Fraction(1)
    if unit.name == "hour" and number and number % 24 == 0:
        return "day", Fraction(1, 24)
    return unit.name, unit.factor


def _unit_of(t: Text, n: Numeral) -> Unit | None:
    """The currency before the number, else the unit after it."""
    start, end = t.start(n.first), t.end(n.next - 1)
    if found := currency_before(t.text, start):
        return found
    if n.is_vague and (of := _OF.match(t.text, end)):
        end = of.end()  # "millions of dollars"
    found = unit_after(t.text, end, n.value)
    if found is None and t.word(n.next - 1) in ("a", "one", "half", "quarter"):
        return point_after(t.text, end)
    return found


def _minutes(t: Text, n: Numeral, is_after_noon: bool) -> Fraction:
    """Of a time of day, since midnight."""
    hours, minutes = divmod(n.value, 60) if t.tokens[n.first]["clock"] else (n.value, Fraction(0))
    return 60 * (hours % 12 + 12 * is_after_noon) + minutes


_LABEL_BEFORE = re.compile(
    r"(?:\b(?:Sections?|Articles?|Chapters?|Title|Rule|Resolution|Bill|Act|Flight|Route|Highway|Channel|Class|"
    r"Level|Phase|Round|Group|Room|Page|Figure|Table|Order|Proposition|Interstate|Gate|Box|Apollo|No\.|Nos\.|"
    r"H\.\s?R\.|Res\.|Sec\.|Art\.)\s|[^\W\d_]-)\Z"
)
_MONTH_BEFORE = re.compile(rf"\b{MONTH}\s{{1,3}}\Z")
_MONTH_AFTER = re.compile(rf"\s{{1,3}}(?:of\s)?{MONTH}")


def _is_label(t: Text, n: Numeral) -> bool:
    """Whether figures name a thing or a day and count nothing: "Section 301", "5G", "4 February"."""
    if not t.tokens[n.first]["digits"] or n.scale > 1 or n.next > n.first + 1:
        return False
    start, end = t.start(n.first), t.end(n.first)
    before = t.text[max(0, start - 20) : start]
    is_day = n.value <= 31 and (_MONTH_BEFORE.search(before) or _MONTH_AFTER.match(t.text, end))
    return bool(is_day) or t.gap(n.first) == "" or bool(_LABEL_BEFORE.search(before))


# --- the words before and after -------------------------------------------------------------------

_AT_LEAST = re.compile(
    r"(?:\b(?<!no )(?<!not )(?:more|greater|longer|larger|bigger|higher|older|later) than|\b(?:over|at least|above|exceed\w*|(?:no|not) (?:fewer|less) than|"
    r"upwards? of|in excess of|a minimum of|topp\w+|surpass\w*))\s+(?:a\s+)?\Z",
    re.IGNORECASE,
)
_AT_MOST = re.compile(
    r"(?:\b(?<!no )(?<!not )(?:less|fewer|shorter|smaller|lower|younger) than|\b(?:up to|at most|under|below|(?:no|not) more than|a maximum of|"
    r"as (?:many|much) as))\s+(?:a\s+)?\Z",
    re.IGNORECASE,
)
_SHORT_OF = re.compile(
    r"\b(?:nearly|almost|close to|just under|approaching)\s+(?:the\s+|a\s+)?\Z", re.IGNORECASE
)
_ROUGHLY = re.compile(
    r"(?:\b(?:about|around|roughly|some|approximately|an estimated|estimated|circa)\s+(?:the\s+|a\s+)?|~\s?)\Z",
    re.IGNORECASE,
)
_OR_MORE = re.compile(r"\s*(?:\w+\s+)?or (?:more|longer|above)\b", re.IGNORECASE)
_OR_LESS = re.compile(r"\s*(?:\w+\s+)?or (?:less|fewer|under)\b", re.IGNORECASE)


def _bound(text: str, start: int, end: int) -> str:
    before, after = text[max(0, start - 40) : start], text[end : end + 24]
    if _AT_LEAST.search(before) or _OR_MORE.match(after):
        return "min"
    if _AT_MOST.search(before) or _OR_LESS.match(after):
        return "max"
    if _SHORT_OF.search(before):
        return "short"
    return "about" if _ROUGHLY.search(before) else ""


# --- two numbers that belong together -------------------------------------------------------------

_TO = re.compile(rf"\s{{0,2}}(?P<link>to|and|or|-|–|—)\s{{0,2}}(?:{CURRENCY})?", re.IGNORECASE)
_BETWEEN = re.compile(rf"\b(?P<word>between|from)\s{{1,2}}(?:{CURRENCY})?\Z", re.IGNORECASE)
_OUT_OF = re.compile(r"\s(?:\w+\s)?(?:in|out of)(?:\severy)?\s", re.IGNORECASE)


def _link(text: str, start: int, low: int, high: int) -> str:
    """What joins numbers of which one starts at `start` and ends at `low`, and the other starts at
    `high`: "between", "from", "to", "or", "-", "and"; "" where nothing does."""
    m = _TO.fullmatch(text, low, high) if high - low <= 12 else None
    if m is None:
        return ""
    before = _BETWEEN.search(text[max(0, start - 12) : start])
    return (before["word"] if before else m["link"]).casefold()


def _scaled_alike(t: Text, found: list[Numeral]) -> list[Numeral]:
    """Both ends of a range in the scale that is said once: "between 3 and 5 million"."""
    for n, (a, b) in enumerate(pairwise(found)):
        is_plain = a.scale == 1 and not (a.is_part or a.is_ordinal) and a.value < 1000
        if not (is_plain and b.scale > 1 and a.value < b.value / b.scale) or b.is_vague:
            continue
        start, low, high = t.start(a.first), t.end(a.next - 1), t.start(b.first)
        if _link(t.text, start, low, high) not in ("", "and"):
            found[n] = replace(a, value=a.value * b.scale, scale=b.scale)
    return found


def _of_ranges(text: str, found: list[Quantity]) -> list[Quantity]:
    """Two numbers with the unit, or the currency, that is said once: "30 to 60 days", "$3-5 million"."""
    for n in range(len(found) - 1):
        a, b = found[n], found[n + 1]
        link = _link(text, a.start, a.end, b.start)
        if not link:
            continue
        is_measured = b.unit not in ("", "ordinal", "label", "clock") and b.start == b.numeral.start
        if not a.unit and is_measured and not a.is_year and b.number:
            found[n] = replace(a, unit=b.unit, value=a.number * b.value / b.number)
        elif a.start < a.numeral.start and not b.unit and link not in ("and", "to"):
            found[n + 1] = replace(b, unit=a.unit)
    for n in range(len(found) - 2, -1, -1):
        a, b = found[n], found[n + 1]
        if _link(text, a.start, a.end, b.start) not in ("", "and", "from") and _is_range(a, b):
            found[n] = replace(a, through=b)
    return found


def _is_range(a: Quantity, b: Quantity) -> bool:
    is_counted = a.unit not in ("label", "ordinal", "clock") and not (a.is_year or a.is_bare_one)
    return a.unit == b.unit and a.value < b.value and is_counted


def _taken_together(text: str, found: list[Quantity]) -> list[Quantity]:
    """Two numbers that say one thing as one: "nine in ten", "1 minute 9 seconds"."""
    kept: list[Quantity] = []
    for q in found:
        both = _both(text, kept[-1], q) if kept else None
        if both is None:
            kept.append(q)
        else:
            kept[-1] = both
    return kept


def _both(text: str, a: Quantity, b: Quantity) -> Quantity | None:
    start, end = a.start, b.end
    between = text[a.end : b.start] if b.start - a.end <= 40 else "?"
    said = replace(a, end=end, text=text[start:end], numeral=Span(start, end))
    if a.unit == b.unit == "second" and a.value == 60 * a.number and b.value == b.number < 60:
        is_one = between.strip().casefold() in ("", "and")
        seconds = a.value + b.value
        return replace(said, value=seconds, number=seconds) if is_one else None
    is_few = not (a.unit or b.unit) and 0 < a.number < b.number <= 1000 and not b.is_vague
    is_whole = a.number.denominator == b.number.denominator == 1 and text[end : end + 1] != "-"
    if is_few and is_whole and _OUT_OF.fullmatch(between):
        share = 100 * a.number / b.number
        return replace(said, value=share, number=share, unit="%")
    return None
