"""What a sentence states that can be compared exactly: quantities, calendar dates, names, quotations.

Each is put in one form, so that "$12B" is "12 billion dollars", "thirty days" is a "30-day" window,
and the Americans are the United States.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from functools import lru_cache

from assistant.language.numerals import LASTS
from assistant.language.quantities import Quantity, quantities
from assistant.language.words import SMALL_WORDS, words
from indexing.schema import Sentence, TimeExpression
from indexing.times.expressions import time_expressions

KEPT = 2048
"""Texts whose times and places are kept: a claim's are asked for by one check after another."""

# --- quantities ----------------------------------------------------------------------------------

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
        elif not LASTS.search(text[: m.start()]):
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


def stands_for(name: str, text: str) -> bool:
    """Whether a text has a run of words whose initials spell the name, or the name is a run of words
    whose initials the text has ("USTR", "U.S. Trade Representative")."""
    if re.fullmatch(r"[A-Z][A-Z&]{1,6}s?", name):
        return _spells(name.removesuffix("s"), text)
    return any(_spells(capitals, name) for capitals in re.findall(r"\b[A-Z]{3,6}\b", text))


def _spells(acronym: str, text: str) -> bool:
    letters = acronym.replace("&", "").casefold()
    tokens = [t.casefold() for t in re.findall(r"[A-Z](?=\.)|[^\W\d_]{2,}", text)]
    for i in range(len(tokens)):
        at = 0
        for token in tokens[i:]:
            if token[0] == letters[at]:
                at += 1
            elif token not in SMALL_WORDS or at == 0:
                break
            if at == len(letters):
                return True
    return False


def known_to(text: str, sources: Sequence[str]) -> bool:
    """Whether every word of `text` stands in one of the sources."""
    held = {word for source in sources for word in words(source)}
    return all(word in held for word in words(text))
