"""Values of the kind a question asks for, found in a sentence: amounts, shares, counts, names.

The extraction half of factoid question answering. Times are not found here: they are resolved when
an article is indexed (`indexing.dates`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from assistant.understand import STOPWORDS, Question, Wanted, content_terms, words


@dataclass(frozen=True, slots=True)
class Value:
    """`text` stands at `start:end` of its sentence; values that mean the same share `normal`."""

    start: int
    end: int
    text: str
    normal: str


_SCALES = {
    "thousand": 1e3, "k": 1e3, "million": 1e6, "mn": 1e6, "m": 1e6, "billion": 1e9, "bn": 1e9,
    "b": 1e9, "trillion": 1e12, "tn": 1e12, "t": 1e12, "hundred": 1e2, "dozen": 12,
}  # fmt: skip
_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_NUMBER_WORDS = {word: n for n, word in enumerate(_SMALL)} | {
    word: 10 * n for n, word in enumerate(_TENS, 2)
}
_UNIT_WORD = "|".join(_SMALL[1:])
_TEN_WORD = "|".join(_TENS)
_WORDED = rf"(?:(?:{_TEN_WORD})(?:-(?:{_UNIT_WORD}))?|{_UNIT_WORD})"
_DIGITS = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_SCALE = r"(?:hundred|thousand|million|billion|trillion|dozen|bn|mn|tn|[kKmMbBtT](?![A-Za-z]))"
_CURRENCY = r"(?:US\$|C\$|A\$|HK\$|[$€£¥₹₩])"
_MONEY_WORD = (
    r"(?:dollars?|euros?|pounds?|yen|yuan|rupees?|pesos?|francs?|won|cents?|USD|EUR|GBP|JPY|CNY)"
)
_UNIT = (
    r"(?:(?:metric )?tonn?e?s?|tons|barrels?|kilograms?|kg|grams?|kilomet(?:er|re)s?|km|met(?:er|re)s?|miles?|"
    r"feet|foot|inches|acres?|hectares?|square (?:miles|kilomet(?:er|re)s|feet|met(?:er|re)s)|degrees?|"
    r"gigawatts?|megawatts?|GW|MW|kWh|lit(?:er|re)s?|gallons?|pounds?|ounces?|mph|km/h)\b"
)
_AMOUNT = re.compile(
    rf"(?P<currency>{_CURRENCY})\s?(?P<number>{_DIGITS})(?:[\s-]?(?P<scale>{_SCALE}))?|"
    rf"(?P<number2>{_DIGITS}|{_WORDED})(?:[\s-](?P<scale2>{_SCALE}))?[\s-](?P<unit>{_MONEY_WORD}\b|{_UNIT})",
    re.IGNORECASE,
)
_SHARE = re.compile(
    rf"(?P<number>{_DIGITS}|{_WORDED})[\s-]?(?:%|percent\b|per cent\b|percentage points?\b|pc\b)|"
    r"\b(?P<part>half|(?:one|two|three|a)[\s-](?:third|quarter|fifth|tenth)s?|(?:the |a )?(?:vast )?majority|most)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    rf"(?<![\w$€£¥.,/-])(?:(?P<digits>{_DIGITS})|(?P<word>{_WORDED}|dozens|hundreds|thousands))"
    rf"(?:[\s-](?P<scale>{_SCALE}))?(?![\w%]|[.,/]\d|-(?:day|week|month|year)|\s(?:percent|per cent))",
    re.IGNORECASE,
)
_NAME_WORD = r"(?:[A-Z][\w’'&.-]*[\w]|[A-Z]\.|[A-Z])"
_NAME = re.compile(
    rf"\b(?:{_NAME_WORD})(?:\s+(?:(?:of|the|and|for|de|van|von|al|bin|la|le|du)\s+)?{_NAME_WORD}){{0,6}}"
)
_MONTHS_AND_DAYS = frozenset(
    "january february march april may june july august september october november december jan feb mar apr "
    "jun jul aug sep sept oct nov dec monday tuesday wednesday thursday friday saturday sunday".split()
)
_PLACE_BEFORE = re.compile(
    r"(?:\b(?:in|at|near|from|to|outside|across|around|off|into|of)\s+(?:the\s+)?(?:[a-z]+ern\s+)?|,\s+)\Z",
    re.IGNORECASE,
)


def values(question: Question, sentence: str) -> list[Value]:
    """The values in `sentence` that could answer `question`, in order; none for kinds without."""
    match question.wanted:
        case Wanted.AMOUNT:
            return list(_amounts(sentence)) or list(_counts(sentence))
        case Wanted.SHARE:
            return list(_shares(sentence))
        case Wanted.COUNT:
            return _nearest_counted(question, sentence)
        case Wanted.PERSON:
            return [v for v in _names(question, sentence) if " " in v.text]
        case Wanted.PLACE:
            return [
                v for v in _names(question, sentence) if _PLACE_BEFORE.search(sentence[: v.start])
            ]
        case _:
            return []


def _number(text: str, scale: str | None) -> float:
    text = text.casefold().replace(",", "")
    if text in ("dozens", "hundreds", "thousands"):
        text, scale = "1", text.removesuffix("s")
    if text[0].isdigit():
        value = float(text)
    else:
        value = float(sum(_NUMBER_WORDS[part] for part in text.split("-")))
    return value * _SCALES[scale.casefold()] if scale else value


def _amounts(sentence: str) -> Iterator[Value]:
    for m in _AMOUNT.finditer(sentence):
        number = _number(m["number"] or m["number2"], m["scale"] or m["scale2"])
        unit = (m["currency"] or m["unit"]).casefold()
        if unit in ("$", "us$", "dollar", "dollars", "usd"):
            unit = "usd"
        yield Value(m.start(), m.end(), m.group(), f"{number:g} {unit.removesuffix('s')}")


def _shares(sentence: str) -> Iterator[Value]:
    for m in _SHARE.finditer(sentence):
        normal = f"{_number(m['number'], None):g}%" if m["number"] else m["part"].casefold()
        yield Value(m.start(), m.end(), m.group(), normal)


def _counts(sentence: str) -> Iterator[Value]:
    for m in _NUMBER.finditer(sentence):
        number = _number(m["digits"] or m["word"], m["scale"])
        is_year = (m["digits"] or "").isdigit() and 1500 <= number <= 2100 and not m["scale"]
        is_day = re.search(r"\b[A-Z][a-z]{2,8}\.?\s\Z", sentence[: m.start()])
        if is_year or (is_day and is_day.group().strip(" .").casefold() in _MONTHS_AND_DAYS):
            continue
        yield Value(m.start(), m.end(), m.group(), f"{number:g}")


def _nearest_counted(question: Question, sentence: str) -> list[Value]:
    """Numbers, those first that stand before a word of the question ("50 delegations")."""
    wanted = {term.rstrip("s") for term in question.terms}

    def counts_it(value: Value) -> bool:
        after = words(sentence[value.end : value.end + 60])[:5]
        return any(word.rstrip("s") in wanted for word in after)

    return sorted(_counts(sentence), key=lambda value: not counts_it(value))


def _names(question: Question, sentence: str) -> Iterator[Value]:
    """Names that the question does not say itself."""
    asked = {term.removesuffix("s") for term in content_terms(question.text)}
    for m in _NAME.finditer(sentence):
        start, end = m.span()
        first = m.group().split()[0]
        if first.casefold() in STOPWORDS:  # "The", "In" at the start of a sentence
            start += len(first)
            start += len(sentence[start:end]) - len(sentence[start:end].lstrip())
        name = sentence[start:end]
        own = [w for w in words(name) if w not in STOPWORDS]
        if not own or all(w.removesuffix("s") in asked or w in _MONTHS_AND_DAYS for w in own):
            continue
        yield Value(start, end, name, " ".join(own))


def has_value(question: Question, sentence: str, n_times: int) -> bool:
    """Whether the sentence holds a value of the kind asked for; True for kinds without values."""
    if question.wanted in (Wanted.DATE, Wanted.DURATION):
        return n_times > 0
    kinds: Sequence[Wanted] = (Wanted.AMOUNT, Wanted.SHARE, Wanted.COUNT, Wanted.PERSON, Wanted.PLACE)
    return question.wanted not in kinds or bool(values(question, sentence))
