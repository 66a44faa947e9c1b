"""What a sentence states that can be compared exactly: quantities, calendar dates, names, quotations.

Each is put in one form, so that "$12B" is "12 billion dollars", "thirty days" is a "30-day" window,
and the Americans are the United States.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from itertools import pairwise

from assistant.language.numerals import CURRENCY, DIGITS, MONEY_WORD, SCALE, WORDED, value_of_number
from assistant.language.places import PEOPLES, SEATS
from assistant.language.words import words
from indexing.schema import Sentence, TimeExpression
from indexing.times.expressions import time_expressions

KEPT = 2048
"""Texts whose times and places are kept: a claim's are asked for by one check after another."""

# --- quantities ----------------------------------------------------------------------------------

_TIME_UNIT = r"(?:seconds?|minutes?|hours?|days?|weeks?|fortnights?|months?|quarters?|years?|decades?|centur(?:y|ies))"
_PERCENT = r"(?:%|percentage[\s-]points?\b|percent\b|per cent\b|pc\b)"
_QUANTITY = re.compile(
    rf"(?P<currency>{CURRENCY})?(?<![\w.,:])(?!\d+(?:st|nd|rd|th)\b)"
    rf"(?P<number>{DIGITS}|{WORDED}\b|(?:dozens|hundreds|thousands)\b|an?(?=\s+(?:hundred|thousand|million|billion|dozen|{_TIME_UNIT})\b)|half(?=\s+(?:a|an)\s+{_TIME_UNIT}))"
    rf"(?:[\s-]?(?P<scale>{SCALE})\b)?"
    rf"(?:(?:\s+(?:a|an|of))?[\s-]*(?P<unit>{_PERCENT}|{MONEY_WORD}\b|(?:(?:business|working|calendar|consecutive)\s+)?{_TIME_UNIT}\b|"
    r"(?:square\s+)?(?:acres?|hectares?|yards?|feet|foot|inch(?:es)?)\b|square\s+(?:miles?|kilomet(?:er|re)s?|met(?:er|re)s?)\b|"
    r"barrels?\b|gallons?\b|lit(?:er|re)s?\b|kilograms?\b|kg\b|grams?\b|ounces?\b|knots?\b|mph\b|km/h\b|kWh\b|"
    r"tonn?e?s?\b|nautical miles?\b|pence\b|penny\b|kilomet(?:er|re)s?\b|km\b|miles?\b|met(?:er|re)s?\b|(?:mega|giga)watts?\b|MW\b|GW\b|degrees?\b))?"
    r"(?P<plus>\+)?",
    re.IGNORECASE,
)
_SMALL_NUMBER = r"(?:one|two|three|four|five|six|seven|eight|nine|ten|\d{1,3})"
_FRACTION = re.compile(
    rf"\b(?P<half>half)\b(?!\s+(?:a|an)\s)|"
    rf"\b(?P<many>{_SMALL_NUMBER}|an?)[\s-](?P<part>third|quarter|fifth|sixth|seventh|eighth|ninth|tenth)s?\b|"
    rf"\b(?P<few>{_SMALL_NUMBER})(?:\s+\w+)?\s+(?:in|out of)(?:\s+every)?\s+(?P<all>{_SMALL_NUMBER})\b(?!\s*[-%])",
    re.IGNORECASE,
)
_PARTS = "third quarter fifth sixth seventh eighth ninth tenth".split()
_OF_A_POINT = re.compile(
    rf"\b(?:(?P<half>half)|(?P<many>{_SMALL_NUMBER}|an?)[\s-](?P<part>quarter|third|tenth)s?)\s+(?:of\s+)?an?\s+(?:percentage\s+)?point\b",
    re.IGNORECASE,
)
_AND_A_HALF = re.compile(
    rf"\b(?P<n>an?|{WORDED}|\d+)\s+(?:(?P<unit1>{_TIME_UNIT})\s+and\s+a\s+half|and\s+a\s+half\s+(?P<unit2>{_TIME_UNIT}))\b",
    re.IGNORECASE,
)
_ORDINAL = re.compile(
    r"\b(?:(?P<digits>\d{1,3})(?:st|nd|rd|th)|(?P<word>second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth))\b(?!s)",
    re.IGNORECASE,
)
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth".split()
_MONEY = {
    "$": "usd", "us$": "usd", "dollar": "usd", "usd": "usd", "€": "eur", "euro": "eur", "eur": "eur",
    "£": "gbp", "pound": "gbp", "gbp": "gbp", "¥": "jpy", "yen": "jpy", "jpy": "jpy",
}  # fmt: skip
_CENTS = {"pence": "gbp", "penny": "gbp", "cent": "usd", "cents": "usd"}
_MEASURES = {
    "km": "kilometre", "kilometer": "kilometre", "meter": "metre", "tonne": "ton", "mw": "megawatt",
    "gw": "gigawatt",
}  # fmt: skip
_LEFT_OUT = [{"", unit} for unit in {*_MONEY.values(), *_MEASURES.values(), "degree"}]
_DAYS = {"day": 1.0, "week": 7.0, "fortnight": 14.0}
_MONTHS = {"month": 1.0, "quarter": 3.0, "year": 12.0, "decade": 120.0, "century": 1200.0}

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


_FEW = 10
_OF_TIME = {"second", "hour", "day", "month"}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number at `start:end` of a text. `unit` is "usd", "%", "day" (weeks are 7), "month" (years
    are 12), "ordinal", a measure, or "" for a count. `bound` is "" for exactly, "min", "max",
    "short" (almost), "about". `number` is what stands there, `value` what that is in the unit: 7 days
    for 1 week."""

    start: int
    end: int
    text: str
    value: float
    unit: str
    bound: str
    number: float

    @property
    def is_money(self) -> bool:
        return self.unit in _MONEY.values()

    def is_same(self, other: Quantity) -> bool:
        """Whether both are the same amount; a currency that one of them leaves out is the other's."""
        units = {self.unit, other.unit}
        if units == {"", "ordinal"}:
            return math.isclose(self.value, other.value) and self.value > _FEW  # "the 37th week"
        if "" in units and units & _OF_TIME:  # "52 minutes instead of 95"
            return math.isclose(self.number, other.number)
        is_like = self.unit == other.unit or units in _LEFT_OUT
        return is_like and math.isclose(self.value, other.value)


def quantities(text: str) -> list[Quantity]:
    """The quantities of a text, in its order; calendar dates are none (see `times_of`)."""
    found = sorted(_quantities(text), key=lambda q: q.start)
    for n, (q, after) in enumerate(pairwise(found)):  # "30 to 60 days"
        if not q.unit and after.unit and _TO.fullmatch(text, q.end, after.start):
            factor = after.value / after.number if after.number else 1.0
            found[n] = replace(q, unit=after.unit, value=q.number * factor)
    return found


_CLOCK = re.compile(
    r"(?<![\w:.])(?P<minutes>\d{1,3})(?::|\s(?:minutes?|min)(?:\s(?:and\s)?))(?P<seconds>[0-5]?\d)(?:\s(?:seconds?|s)\b)?(?![\w:])"
)
"""A time in a race, or of day: minutes and seconds, or hours and minutes."""
_OLD = re.compile(r"[\s-]old\b", re.IGNORECASE)
_PERIODS = frozenset("second hour day month".split())
_LASTS = re.compile(
    r"\b(?:within|in|for|after|over|lasts?|lasting|least|about|almost|nearly|half)\s+\Z",
    re.IGNORECASE,
)
_TO = re.compile(r"\s*(?:to|and|or|-|–|—)\s*")


def _quantities(text: str) -> Iterator[Quantity]:
    whole = text

    def found(m: re.Match[str], number: float, unit: str, factor: float = 1.0) -> Quantity:
        bound = _bound(whole, m.start(), m.end())
        return Quantity(m.start(), m.end(), m.group().strip(), number * factor, unit, bound, number)

    for m in _CLOCK.finditer(text):
        yield found(m, 60.0 * int(m["minutes"]) + int(m["seconds"]), "second")
    text = _blanked(text, _CLOCK)
    for m in _AND_A_HALF.finditer(text):
        yield found(m, _count(m["n"]) + 0.5, *_unit(None, m["unit1"] or m["unit2"]))
    text = _blanked(text, _AND_A_HALF)
    for m in _OF_A_POINT.finditer(text):
        part = 2 if m["half"] else {"quarter": 4, "third": 3, "tenth": 10}[m["part"].casefold()]
        yield found(m, _count(m["many"] or "a") / part, "point")
    text = _blanked(text, _OF_A_POINT)
    for m in _FRACTION.finditer(text):
        if (share := _share(m)) is not None:
            yield found(m, round(share * 100, 1), "%")
    for m in _QUANTITY.finditer(_blanked(text, _FRACTION)):
        raw = m["number"].casefold()
        number = _count(raw) * (value_of_number("1", m["scale"]) if m["scale"] else 1.0)
        unit, factor = _unit(m["currency"], m["unit"])
        if unit == "month" and _OLD.match(text, m.end()):
            unit, factor = "", 1.0  # an age
        if raw in ("a", "an") and unit in _PERIODS and not _LASTS.search(text[: m.start()]):
            continue  # "a year earlier", "twice a day"
        if unit == "hour" and number % 24 == 0:
            unit, factor = "day", 1 / 24
        if raw == "one" and not unit and not m["scale"]:
            continue  # "one of them", "the one"
        q = found(m, number, unit, factor)
        yield replace(q, bound="min") if m["plus"] else q
    for m in _ORDINAL.finditer(text):
        ordinal = int(m["digits"]) if m["digits"] else _ORDINALS.index(m["word"].casefold()) + 1
        yield replace(found(m, ordinal, "ordinal"), bound="")


def _count(raw: str) -> float:
    """The value of a number in digits or words, "a" and "half" among them."""
    raw = raw.casefold()
    return 0.5 if raw == "half" else 1.0 if raw in ("a", "an") else value_of_number(raw, None)


def _blanked(text: str, pattern: re.Pattern[str]) -> str:
    return pattern.sub(lambda m: " " * len(m.group()), text)


def _share(m: re.Match[str]) -> float | None:
    if m["half"]:
        return 0.5
    if m["part"]:
        return _count(m["many"]) / (_PARTS.index(m["part"].casefold()) + 3)
    few, of_all = value_of_number(m["few"], None), value_of_number(m["all"], None)
    return few / of_all if 0 < few < of_all <= 1000 else None


def _unit(currency: str | None, unit: str | None) -> tuple[str, float]:
    if currency:
        return _MONEY.get(currency.casefold(), currency.casefold()), 1.0
    if not unit:
        return "", 1.0
    if unit.casefold().startswith(("nautical", "square")):
        return unit.casefold().removesuffix("s"), 1.0
    if "point" in unit.casefold():
        return "point", 1.0
    unit = unit.casefold().split()[-1]
    if unit in _CENTS:
        return _CENTS[unit], 0.01
    if unit.startswith(("%", "per", "pc", "cent")) and not unit.startswith("centur"):
        return "%", 1.0
    single = "century" if unit.startswith("centur") else unit.removesuffix("s")
    if single == "minute":
        return "second", 60.0
    if single in _DAYS:
        return "day", _DAYS[single]
    if single in _MONTHS:
        return "month", _MONTHS[single]
    return _MONEY.get(single) or _MEASURES.get(single, single), 1.0


def _bound(text: str, start: int, end: int) -> str:
    before, after = text[max(0, start - 40) : start], text[end : end + 24]
    if _AT_LEAST.search(before) or _OR_MORE.match(after):
        return "min"
    if _AT_MOST.search(before) or _OR_LESS.match(after):
        return "max"
    if _SHORT_OF.search(before):
        return "short"
    return "about" if _ROUGHLY.search(before) else ""


_BOUNDS_KEPT = {
    # of a source -> what a claim may make of it
    "": {"", "about"},
    "about": {"", "about"},
    "min": {"min"},
    "max": {"max"},
    "short": {"short", "about"},
}


def keeps_bound(source: Quantity, claim: Quantity) -> bool:
    """Whether the claim leaves "more than", "up to" and the like as the source has them."""
    return claim.bound in _BOUNDS_KEPT[source.bound]


_RATE = re.compile(
    r"\b(?:an?|per|each|every)\s+(?P<period>second|minute|hour|day|week|month|quarter|year|night)\b(?!\s+(?:earlier|ago|later|before|after|and))|"
    r"\b(?P<ly>hourly|daily|weekly|monthly|quarterly|yearly|annual(?:ly)?)\b",
    re.IGNORECASE,
)
_LY = {"daily": "day", "yearly": "year", "annual": "year", "annually": "year"}


def rates(text: str) -> set[str]:
    """The periods by which a text counts: "a day", "monthly"."""
    found = set()
    for m in _RATE.finditer(text):
        if m["ly"]:
            found.add(_LY.get(m["ly"].casefold(), m["ly"].casefold().removesuffix("ly")))
        elif not _LASTS.search(text[: m.start()]):
            found.add(m["period"].casefold())
    return found


# --- times ---------------------------------------------------------------------------------------


@lru_cache(maxsize=KEPT)
def times_of(text: str, published: date | None) -> tuple[TimeExpression, ...]:
    """The time expressions of a text, read as if it stood in an article of that day."""
    (found,) = time_expressions(text, [Sentence(0, len(text))], published)
    return found


_MONTH_DAY = re.compile(
    r"(?:(?P<d1>\d{1,2})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<m1>[A-Z][a-z]{2,8})\b\.?|(?P<m2>[A-Z][a-z]{2,8})\.?\s+(?P<d2>\d{1,2})(?:st|nd|rd|th)?\b)"
)


def month_and_day(phrase: str) -> tuple[str, int] | None:
    """Of "Feb. 4", "4 February" and the like ("feb", 4): what they say without a year."""
    m = _MONTH_DAY.search(phrase)
    return ((m["m1"] or m["m2"])[:3].casefold(), int(m["d1"] or m["d2"])) if m else None


def is_counted(t: TimeExpression) -> bool:
    """Whether a time is a number of units ("within 30 days"): then it is a quantity too."""
    return any(q.unit in ("day", "month", "hour", "minute", "second") for q in quantities(t.phrase))


# --- quotations ----------------------------------------------------------------------------------

_QUOTED = re.compile(
    r"“([^“”]{2,})”|\"([^\"]{2,})\"|(?<!\w)[‘']([^‘’'\"]{2,}?(?:['’]\w[^‘’'\"]*?)*)['’](?!\w)"
)
_LOOSE = re.compile(r"[\s…]+")


def quotations(text: str) -> list[str]:
    """What stands between quotation marks."""
    return [next(filter(None, m.groups())) for m in _QUOTED.finditer(text)]


def is_quoted_from(quotation: str, text: str) -> bool:
    """Whether the words stand so in `text`: letter by letter but for case at the start, quotation
    marks, white space and the punctuation at the end."""
    wanted = _evened(quotation).strip(" .,;:!?")
    return bool(wanted) and wanted in _evened(text)


def _evened(text: str) -> str:
    text = text.replace("’", "'").replace("‘", "'").replace("“", '"').replace("”", '"')
    text = re.sub(r"[‐-―]", "-", text)
    return _LOOSE.sub(" ", text).casefold()


# --- names ---------------------------------------------------------------------------------------

_WRITTEN_OUT = (
    (
        "us",
        r"U\.\s?S\.(?:\s?A\.)?|USA?\b|United States(?: of America)?|Americans?\b|America\b|U\.S\b",
    ),
    ("eu", r"E\.\s?U\.|EU\b|European Union|European bloc|Europeans?\b|Europe\b"),
    ("uk", r"U\.\s?K\.|UK\b|United Kingdom|Britain\b|British\b|Britons?\b"),
    ("un", r"U\.\s?N\.|UN\b|United Nations"),
)
_BY_BIRTH = [
    (person, country)
    for person, country in (
        pair.split()
        for pair in (
            "dane denmark,swede sweden,finn finland,pole poland,turk turkey,spaniard spain,scot scotland,"
            "frenchman france,frenchwoman france,dutchman netherlands,dutchwoman netherlands,irishman ireland,"
            "irishwoman ireland,welshman wales,filipino philippines,iranian iran"
        ).split(",")
    )
]
_COUNTRY_PATTERNS = [
    (name, re.compile(rf"(?<![\w.])(?:{pattern})(?:['’]s?)?(?!\w)")) for name, pattern in _WRITTEN_OUT
] + [
    (country, re.compile(rf"\b(?:{people}s?|{country})(?:['’]s?)?\b", re.IGNORECASE))
    for people, country in (*PEOPLES.items(), *_BY_BIRTH)
    if country not in ("america", "europe", "britain", "turkey", "arabia")
]  # fmt: skip
_SEAT_OF = {
    seat.replace("-", " "): {"america": "us", "european": "eu", "britain": "uk"}.get(m, m)
    for seat, meant in SEATS.items()
    for m in meant[:1]
}


@lru_cache(maxsize=KEPT)
def places(text: str) -> frozenset[str]:
    """The countries, unions and bodies a text names, by their people, letters or seat too."""
    found = {name for name, pattern in _COUNTRY_PATTERNS if pattern.search(text)}
    spoken = f" {' '.join(words(text))} "
    return frozenset(found | {meant for seat, meant in _SEAT_OF.items() if f" {seat} " in spoken})


def place_of(name: str) -> str | None:
    """The one that a name stands for; None for other names."""
    for known, pattern in _COUNTRY_PATTERNS:
        if pattern.fullmatch(name):
            return known
    return _SEAT_OF.get(" ".join(words(name)))


def stands_for(name: str, text: str) -> bool:
    """Whether a text has a run of words whose initials spell the name, or the name is a run of words
    whose initials the text has ("USTR", "U.S. Trade Representative")."""
    if re.fullmatch(r"[A-Z][A-Z&]{1,6}s?", name):
        return _spells(name.removesuffix("s"), text)
    return any(_spells(capitals, name) for capitals in re.findall(r"\b[A-Z]{3,6}\b", text))


_PASSED_OVER = frozenset("of and the for on in to a an".split())


def _spells(acronym: str, text: str) -> bool:
    letters = acronym.replace("&", "").casefold()
    tokens = [t.casefold() for t in re.findall(r"[A-Z](?=\.)|[^\W\d_]{2,}", text)]
    for i in range(len(tokens)):
        at = 0
        for token in tokens[i:]:
            if token[0] == letters[at]:
                at += 1
            elif token not in _PASSED_OVER or at == 0:
                break
            if at == len(letters):
                return True
    return False


def known_to(text: str, sources: Sequence[str]) -> bool:
    """Whether every word of `text` stands in one of the sources."""
    held = {word for source in sources for word in words(source)}
    return all(word in held for word in words(text))
