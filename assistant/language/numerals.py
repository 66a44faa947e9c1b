"""Numbers as articles write them: "$12B", "12 billion dollars", "thirty", "a dozen"."""

from __future__ import annotations

import re

SCALES = {
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
WORDED = rf"(?:(?:{_TEN_WORD})(?:-(?:{_UNIT_WORD}))?|{_UNIT_WORD})"
DIGITS = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
SCALE = r"(?:hundred|thousand|million|billion|trillion|dozen|bn|mn|tn|[kKmMbBtT](?![A-Za-z]))"
CURRENCY = r"(?:US\$|C\$|A\$|HK\$|[$€£¥₹₩])"
MONEY_WORD = (
    r"(?:dollars?|euros?|pounds?|yen|yuan|rupees?|pesos?|francs?|won|cents?|USD|EUR|GBP|JPY|CNY)"
)


def value_of_number(text: str, scale: str | None) -> float:
    """The value of "12", "1,200.5", "thirty-five" or "dozens", times its scale word."""
    text = text.casefold().replace(",", "")
    if text in ("dozens", "hundreds", "thousands"):
        text, scale = "1", text.removesuffix("s")
    if text[0].isdigit():
        value = float(text)
    else:
        value = float(sum(_NUMBER_WORDS[part] for part in text.split("-")))
    return value * SCALES[scale.casefold()] if scale else value


_NUMERAL = re.compile(
    rf"(?P<currency>{CURRENCY})?(?<![\w.,])(?P<number>{DIGITS}|{WORDED}\b)(?:[\s-]?(?P<scale>{SCALE})\b)?",
    re.IGNORECASE,
)


def numbers_of(text: str) -> frozenset[str]:
    """The numbers of a text, worded or in digits, with the currency before them."""
    return frozenset(
        f"{m['currency'] or ''}{value_of_number(m['number'], m['scale']):g}"
        for m in _NUMERAL.finditer(text)
    )
