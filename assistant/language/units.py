"""What numbers count in English articles: scales, currencies, shares, lengths of time, measures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

SCALES = {
    "dozen": 12, "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9,
    "trillion": 10**12,
}  # fmt: skip
SHORT_SCALES = {
    "mn": 10**6, "mln": 10**6, "bn": 10**9, "bln": 10**9, "tn": 10**12,
    "k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12,
}  # fmt: skip
"""Written after figures; those of one letter only against them, or after an amount of money."""

CURRENCY = r"(?:US\$|CA?\$|AU?\$|HK\$|NZ\$|S\$|R\$|[$€£¥₹₩])"
MONEY_WORD = (
    r"(?:dollars?|euros?|pounds?|yen|yuan|renminbi|rupees?|pesos?|francs?|won|cents?|pence|penny"
    r"|USD|EUR|GBP|JPY|CNY|CHF|INR|CAD|AUD)"
)
_MONEY = {
    "$": "usd", "us$": "usd", "dollar": "usd", "€": "eur", "euro": "eur", "£": "gbp", "pound": "gbp",
    "¥": "jpy", "yen": "jpy", "yuan": "cny", "renminbi": "cny", "₹": "inr", "rs": "inr", "rupee": "inr",
    "₩": "krw", "won": "krw", "c$": "cad", "ca$": "cad", "a$": "aud", "au$": "aud", "hk$": "hkd",
    "nz$": "nzd", "s$": "sgd", "r$": "brl", "peso": "peso", "franc": "franc",
}  # fmt: skip
_DOLLARS = {
    "canadian": "cad", "australian": "aud", "hong kong": "hkd", "new zealand": "nzd", "singapore": "sgd",
}  # fmt: skip
_CODES = "usd eur gbp jpy cny chf inr cad aud".split()
CURRENCIES = frozenset(_MONEY.values()) | frozenset(_CODES)
_CENTS = {"cent": "usd", "pence": "gbp", "penny": "gbp"}

PERIODS = frozenset({"second", "hour", "day", "month"})
"""The units that lengths of time come to."""
_LENGTHS = {
    "second": ("second", 1), "minute": ("second", 60), "hour": ("hour", 1), "day": ("day", 1),
    "week": ("day", 7), "fortnight": ("day", 14), "month": ("month", 1), "quarter": ("month", 3),
    "year": ("month", 12), "decade": ("month", 120), "century": ("month", 1200),
}  # fmt: skip
_SAME_MEASURE = {
    "km": "kilometre", "kilometer": "kilometre", "meter": "metre", "liter": "litre", "tonne": "ton",
    "mw": "megawatt", "gw": "gigawatt", "kg": "kilogram", "feet": "foot", "inche": "inch",
}  # fmt: skip

_TIME_UNIT = (
    r"(?:seconds?|minutes?|hours?|days?|weeks?|fortnights?|months?|quarters?|years?|decades?"
    r"|century|centuries)"
)
_MEASURE = (
    r"(?:acres?|hectares?|yards?|feet|foot|inch(?:es)?|barrels?|gallons?|lit(?:er|re)s?|kilograms?|kg"
    r"|grams?|ounces?|knots?|mph|km/h|kWh|tonn?e?s?|kilomet(?:er|re)s?|km|miles?|met(?:er|re)s?"
    r"|(?:mega|giga)watts?|MW|GW|degrees?|(?:mega|giga|tera)bits?(?:[\s-]per[\s-]second)?)"
)
_AREA = r"(?:acres?|yards?|feet|foot|inch(?:es)?|miles?|kilomet(?:er|re)s?|met(?:er|re)s?)"
_UNIT_AFTER = re.compile(
    r"[\s-]{0,2}(?:"
    r"(?P<percent>%|(?:percent|per\scent|pc)\b)"
    r"|(?P<basis>basis\spoints?\b)|(?P<point>percentage[\s-]points?\b)"
    rf"|(?:(?P<whose>US|U\.S\.|American|British|{'|'.join(_DOLLARS)})\s)?(?P<money>{MONEY_WORD}\b|[€£$](?!\s?\d))"
    rf"|(?:(?:business|working|calendar|consecutive)\s)?(?P<time>{_TIME_UNIT})\b"
    rf"|(?P<wide>square|nautical)\s(?P<area>{_AREA})\b|(?:metric\s)?(?P<measure>{_MEASURE})\b"
    r")",
    re.IGNORECASE,
)
_POINT_AFTER = re.compile(r"[\s-]{0,2}(?:percentage[\s-])?points?\b", re.IGNORECASE)
_BEFORE = re.compile(
    rf"(?P<money>(?<![\w$]){CURRENCY}|(?<![^\W\d_])(?:{'|'.join(_CODES)}|Rs\.?))\s?\Z",
    re.IGNORECASE,
)
MOST_WON = 100
"""Below it, "won" after a number is the verb."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What a number counts: `name` as of `Quantity.unit`, each one worth `factor` of it; written at
    `start:end` of the text."""

    name: str
    factor: Fraction
    start: int
    end: int


def currency_before(text: str, start: int) -> Unit | None:
    """The currency whose sign or code stands just before `start`."""
    low = max(0, start - 6)
    m = _BEFORE.search(text[low:start])
    if m is None:
        return None
    return Unit(_currency(m["money"].rstrip(".")), Fraction(1), low + m.start(), start)


def unit_after(text: str, end: int, number: Fraction) -> Unit | None:
    """The unit that follows a number which ends there."""
    m = _UNIT_AFTER.match(text, end)
    if m is None:
        return None
    name, factor = _named(m)
    if name == "krw" and number < MOST_WON:
        return None
    return Unit(name, Fraction(factor), m.start(), m.end())


def point_after(text: str, end: int) -> Unit | None:
    """The point, of a percentage, that a fraction such as "a quarter" is one of."""
    m = _POINT_AFTER.match(text, end)
    return Unit("point", Fraction(1), m.start(), m.end()) if m else None


def _named(m: re.Match[str]) -> tuple[str, int | Fraction]:
    if m["percent"]:
        return "%", 1
    if m["basis"]:
        return "point", Fraction(1, 100)
    if m["point"]:
        return "point", 1
    if m["money"]:
        single = m["money"].casefold().removesuffix("s")
        if single in _CENTS:
            return _CENTS[single], Fraction(1, 100)
        of = " ".join((m["whose"] or "").casefold().split())
        return (_DOLLARS.get(of, "usd") if single == "dollar" else _currency(single)), 1
    if m["time"]:
        single = m["time"].casefold()
        return _LENGTHS["century" if single.startswith("centur") else single.removesuffix("s")]
    single = re.split(r"[\s-]", (m["area"] or m["measure"]).casefold())[0].removesuffix("s")
    single = _SAME_MEASURE.get(single, single)
    return (f"{m['wide'].casefold()} {single}" if m["wide"] else single), 1


def _currency(sign: str) -> str:
    return _MONEY.get(sign.casefold(), sign.casefold())
