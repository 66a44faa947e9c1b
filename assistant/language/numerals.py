"""Numbers in a text, read exactly: in figures, in words and in both, "2.5 million", "a dozen".

One walk over the words, which never looks more than a few of them ahead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from assistant.language.units import (
    PERIODS,
    SCALES,
    SHORT_SCALES,
    currency_before,
    point_after,
    unit_after,
)
from indexing.times.words import ONES, TEENS, TENS

# --- words and figures ----------------------------------------------------------------------------

_TOKEN = re.compile(
    r"(?P<apart>(?<![\w.,:])\+?\d++(?P<by>[-./])\d++(?:(?P=by)\d++)++)"  # a date, version, telephone
    r"|(?P<clock>(?<![\w:.])\d{1,3}+(?::[0-5]?\d){1,2}+(?=[ap]m\b|[^\w:]|\Z))"
    r"|(?:(?<![\w.,:])|(?<=USD)|(?<=EUR)|(?<=GBP)|(?<=Rs))"
    r"(?P<digits>\d{1,3}+(?:[,\u00a0\u2009\u202f]\d{3})++(?!\d)(?:\.\d++)?|\d++(?:\.\d++)?)"
    r"(?P<part>[½⅓⅔¼¾⅛⅜⅝⅞]?)"
    r"|(?P<alone>[½⅓⅔¼¾⅛⅜⅝⅞])"
    r"|(?P<word>[^\W\d_]+)"
)
_VULGAR = {
    sign: Fraction(*parts)
    for sign, parts in zip(
        "½⅓⅔¼¾⅛⅜⅝⅞",
        ((1, 2), (1, 3), (2, 3), (1, 4), (3, 4), (1, 8), (3, 8), (5, 8), (7, 8)),
        strict=True,
    )
}
LONGEST = 40
"""Characters of a number in figures; what is longer is no quantity."""
_GROUPING = str.maketrans("", "", ",\u00a0\u2009\u202f")


class Text:
    """A text as tokens: words and numbers in figures."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(_TOKEN.finditer(text))

    def word(self, i: int) -> str:
        """The token in small letters; "" outside the text."""
        return self.tokens[i].group().casefold() if 0 <= i < len(self.tokens) else ""

    def start(self, i: int) -> int:
        return self.tokens[i].start()

    def end(self, i: int) -> int:
        return self.tokens[i].end()

    def gap(self, i: int) -> str | None:
        """What stands between token `i` and the next, None where that is not a little white space, a
        hyphen or nothing."""
        if not 0 <= i < len(self.tokens) - 1:
            return None
        start, end = self.end(i), self.start(i + 1)
        gap = self.text[start:end] if end - start <= 3 else "?"
        return gap if gap in ("-", "\u2011") or not gap.strip() else None

    def after(self, i: int) -> str:
        """The word that follows token `i`; "" where something else parts them."""
        return self.word(i + 1) if self.gap(i) is not None else ""


# --- numbers --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Numeral:
    """A number from token `first` up to token `next`. `scale` is the thousands and millions it was
    said in; `is_part`: a part of something, as "half" is."""

    first: int
    next: int
    value: Fraction
    scale: int = 1
    is_part: bool = False
    is_vague: bool = False
    is_ordinal: bool = False


_SMALL = {"zero": 0} | {word: n for n, word in enumerate((*ONES, *TEENS), 1)}
_TENS = {word: n for n, word in zip(range(20, 100, 10), TENS, strict=True)}
_PARTS = {
    "half": 2, "third": 3, "quarter": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8,
    "ninth": 9, "tenth": 10,
}  # fmt: skip
_MANY = {f"{word}s": scale for word, scale in SCALES.items()} | {"tens": 10}
_SOME = frozenset("few several many".split())
_PERIOD_BEFORE = frozenset("past last next previous first coming consecutive straight".split())
_ONE_OF_TWO = frozenset("first second third fourth latter other".split())
_ORDINALS = {
    word: n
    for n, word in enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
        "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth".split(),
        1,
    )
}


def numerals(t: Text) -> Iterator[Numeral]:
    """The numbers of a text, in order, none within another."""
    i = 0
    while i < len(t.tokens):
        found = (
            _part(t, i) or _ordinal(t, i) or _figures(t, i) or _vague(t, i) or _worded(t, i)
            or _article(t, i)
        )  # fmt: skip
        if found is not None:
            yield found
        i = found.next if found else i + 1


def _part(t: Text, i: int) -> Numeral | None:
    """ "Half", "two-thirds", "half a million", "a quarter of a billion", "half an hour"."""
    found = _fraction(t, i)
    if found is None:
        return None
    value, j = found
    direct = t.word(j - 1) in ("half", "quarter")  # "half-dozen", "quarter mile"
    k = j + (t.after(j - 1) == "of")
    if t.after(k - 1) in ("a", "an", "one"):
        k, direct = k + 1, True
    elif k > j:
        direct = False
    if direct:
        scale, end = _scale(t, k)
        if scale > 1:
            return Numeral(i, end, value * scale, scale)
        if _is_of_a_unit(t, t.end(k - 1), value):
            return Numeral(i, k, value)
    if t.gap(j - 1) == "-" or t.word(i - 1) in _ONE_OF_TWO:  # "half-time", "the second half"
        return None
    return Numeral(i, j, value, is_part=True)


def _is_of_a_unit(t: Text, end: int, value: Fraction) -> bool:
    return bool(unit_after(t.text, end, value) or point_after(t.text, end))


def _fraction(t: Text, i: int) -> tuple[Fraction, int] | None:
    """ "Half", "a third", "three quarters", and the token after it."""
    word = t.word(i)
    if word == "half" or (word == "quarter" and t.gap(i) == "-"):
        return Fraction(1, _PARTS[word]), i + 1
    many = 1 if word in ("a", "an") else _SMALL.get(word, int(word) if _is_short(word) else 0)
    name = t.after(i)
    part = _PARTS.get(name.removesuffix("s"), 0)
    is_plural = name.endswith("s") or t.gap(i) == "-"
    if not 0 < many <= 10 or not part or (many > 1 and not is_plural):
        return None
    if part == 4 and (many > 3 or t.word(i - 1) in _PERIOD_BEFORE):
        return None  # "the past three quarters"
    return Fraction(many, part), i + 2


def _ordinal(t: Text, i: int) -> Numeral | None:
    """ "21st", "third", "twenty-first"; not "first", which seldom counts."""
    word = t.word(i)
    if _is_figures(t, i) and t.gap(i) == "" and t.word(i + 1) in ("st", "nd", "rd", "th"):
        return Numeral(i, i + 2, Fraction(word.translate(_GROUPING)), is_ordinal=True)
    one = _ORDINALS.get(t.after(i), 10) if word in _TENS else 10
    if one < 10:
        return Numeral(i, i + 2, Fraction(_TENS[word] + one), is_ordinal=True)
    if word == "first" or word not in _ORDINALS:
        return None
    return Numeral(i, i + 1, Fraction(_ORDINALS[word]), is_ordinal=True)


def _is_short(word: str) -> bool:
    return len(word) <= 2 and word.isdecimal()


def _is_figures(t: Text, i: int) -> bool:
    return bool(t.tokens[i]["digits"]) and len(t.word(i)) <= LONGEST


def _figures(t: Text, i: int) -> Numeral | None:
    """ "1,200", "2.5 million", "12bn", "2½", "2 and a half million"."""
    m = t.tokens[i]
    if m["clock"]:
        value = Fraction(0)
        for part in m["clock"].split(":"):
            value = 60 * value + int(part)
        return Numeral(i, i + 1, value)
    if not (m["digits"] or m["alone"]) or len(m.group()) > LONGEST:
        return None
    value = Fraction((m["digits"] or "0").translate(_GROUPING))
    value += _VULGAR.get(m["part"] or m["alone"], 0)
    more, j = _and_a_part(t, i + 1)
    scale, end = _scale(t, j, is_figures=True)
    is_part = value < 1 and bool(m["alone"]) and scale == 1
    return Numeral(i, end, (value + more) * scale, scale, is_part)


def _worded(t: Text, i: int) -> Numeral | None:
    """ "Twenty-five thousand", "a hundred and five", "two and a half million", "two dozen"."""
    found = _scaled(t, i)
    if found is None:
        return None
    total, scale, j = found
    last = scale
    while last >= 1000 and (more := _rest(t, j, last)):
        total, last, j = total + more[0], more[1], more[2]
    part, k = _and_a_part(t, j)
    if part:
        total, j = total + part * last, k
        if last == 1:
            scale, j = _scale(t, j)
            total *= scale
    return Numeral(i, j, Fraction(total), scale)


def _scaled(t: Text, i: int) -> tuple[Fraction, int, int] | None:
    found = _below_thousand(t, i)
    if found is None:
        return None
    scale, j = _scale(t, found[1])
    return Fraction(found[0] * scale), scale, j


def _rest(t: Text, j: int, last: int) -> tuple[Fraction, int, int] | None:
    """What goes on from token `j` with a number of thousands or more, as "and fifty" does."""
    has_and = t.after(j - 1) == "and"
    k = j + has_and
    more = _scaled(t, k) if t.gap(k - 1) is not None else None
    if more is None or more[0] == 0 or more[1] >= last or t.word(k) == "a":
        return None
    is_small = more[0] < 100
    if (has_and and not is_small) or (is_small and not has_and and t.gap(more[2] - 1) == "-"):
        return None  # "a thousand two-day passes"
    return more


def _below_thousand(t: Text, i: int) -> tuple[int, int] | None:
    """The value of "a hundred and five", "twenty-five" or "nine", and the token after it."""
    is_one = t.word(i) == "a" and t.after(i) in SCALES
    found = (1, i + 1) if is_one else _below_hundred(t, i)
    if found is None or t.after(found[1] - 1) != "hundred":
        return found
    value, j = 100 * found[0], found[1] + 1
    k = j + (t.after(j - 1) == "and")
    rest = _below_hundred(t, k) if t.gap(k - 1) is not None else None
    if rest and rest[0] and t.after(rest[1] - 1) != "hundred":
        return value + rest[0], rest[1]
    return value, j


def _below_hundred(t: Text, i: int) -> tuple[int, int] | None:
    word = t.word(i)
    if word not in _TENS:
        return (_SMALL[word], i + 1) if word in _SMALL else None
    one = _SMALL.get(t.after(i), 0)
    return (_TENS[word] + one, i + 2) if 0 < one < 10 else (_TENS[word], i + 1)


def _scale(t: Text, j: int, is_figures: bool = False) -> tuple[int, int]:
    """The scale words at token `j`, as a factor, and the token after them: "thousand million"."""
    factor = 1
    while (gap := t.gap(j - 1)) is not None:
        word = t.word(j)
        scale = SCALES.get(word.removesuffix("s") if is_figures else word, 0)
        if is_figures and factor == 1 and not scale and gap != "-":
            is_near = gap == "" or len(word) > 1 or currency_before(t.text, t.start(j - 1))
            scale = SHORT_SCALES.get(word, 0) if is_near else 0
        if scale <= factor:
            break
        factor, j = factor * scale, j + 1
    return factor, j


def _and_a_part(t: Text, j: int) -> tuple[Fraction, int]:
    """ "And a half", "and three quarters" at token `j`, with the token after it; 0 for none."""
    if t.after(j - 1) == "and" and t.gap(j) is not None:
        found = _fraction(t, j + 1)
        is_part = found is not None and found[0].denominator in (2, 4)
        if found and is_part and t.word(j + 1) != "half" and t.after(found[1] - 1) != "of":
            return found
    return Fraction(0), j


def _vague(t: Text, i: int) -> Numeral | None:
    """ "Dozens", "hundreds of thousands", "several hundred"; and "a couple of"."""
    first, j = i, i + (t.word(i) == "a" and t.gap(i) is not None)
    word = t.word(j)
    if word == "couple":
        k = j + 1 + (t.after(j) == "of")
        scale, end = _scale(t, k)
        is_counted = k > j + 1 or scale > 1  # not the couple that married
        return Numeral(first, end, Fraction(2 * scale), scale) if is_counted else None
    if word in _SOME:
        scale, end = _scale(t, j + 1)
        is_many = scale == 1 and t.after(j) in _MANY
        return _vague(t, j + 1) if is_many else _order(first, end, scale)
    if j > i or word not in _MANY or (word == "tens" and t.word(i + 2) not in _MANY):
        return None
    value, k = _MANY[word], i + 1
    while t.after(k - 1) == "of" and t.after(k) in _MANY:
        value, k = value * _MANY[t.word(k + 1)], k + 2
    return _order(i, k, value)


def _order(first: int, end: int, scale: int) -> Numeral | None:
    return Numeral(first, end, Fraction(scale), scale, is_vague=True) if scale > 1 else None


def _article(t: Text, i: int) -> Numeral | None:
    """The "a" of "within a week"; what else an article stands before is not counted."""
    if t.word(i) not in ("a", "an") or t.gap(i) is None:
        return None
    unit = unit_after(t.text, t.end(i), Fraction(1))
    if unit is None or unit.name not in PERIODS:
        return None
    before = t.text[max(0, t.start(i) - 24) : t.start(i)]
    lasts = LASTS.search(before) or AND_A_HALF.match(t.text, unit.end)
    return Numeral(i, i + 1, Fraction(1)) if lasts else None


LASTS = re.compile(
    r"\b(?:within|in|for|after|over|lasts?|lasting|least|about|almost|nearly|half)\s{1,3}\Z",
    re.IGNORECASE,
)
AND_A_HALF = re.compile(r"\s{1,2}and\s{1,2}a\s{1,2}half\b(?!-)", re.IGNORECASE)
