"""Words of English: which carry meaning, which belong to names, and their stems."""

from __future__ import annotations

import re

from indexing.times.calendar import DAYS
from indexing.times.words import ANY_MONTH

_FUNCTION_WORDS = frozenset(
    """
    a about all also am an and any are as at be been being both but by can could did do does
    doing each for from had has have having he her here hers him his how i if in into is it its
    just me more most must my no nor not of on only or other our over own please same she should
    so some such tell than that the their them then there these they this those to too under us
    very was we were what when where which who whom whose why will with would you your
    """.split()
)
STOPWORDS = _FUNCTION_WORDS | frozenset(
    """
    according after again anyone anything aren't article articles because before between cannot
    describe didn't doesn't don't down during else ever every exactly explain few further get
    gets give given gives herself himself however isn't it's itself know let many much myself
    off once one ours ourselves out said say says someone source sources that's theirs
    themselves there's thing through until up upon wasn't what's whether while within without
    yours yourself
    """.split()
)
"""Words that say nothing of what a sentence or question is about."""
QUERY_STOPWORDS = _FUNCTION_WORDS | frozenset(
    """
    done may might onto s shall t
    """.split()
)
"""Words that a search leaves out."""

SMALL_WORDS = frozenset("of the and for on in to a an at by with".split())
"""Words within a name that stay small."""
PARTICLES = frozenset("de du la le van von al bin".split())
"""The same, of people's names."""
TITLES = frozenset(
    "mr mrs ms dr prof professor president vice prime minister secretary senator sen rep representative "
    "congressman congresswoman governor gov mayor chief ceo chairman chairwoman chair director general judge "
    "justice king queen prince princess pope sir lord lady commissioner ambassador spokesman spokeswoman "
    "captain coach".split()
)
"""What stands before a person's name and is no part of it."""
CALENDAR_WORDS = frozenset([*ANY_MONTH, *(day.lower() for day in DAYS)])
"""Months, their abbreviations and days of the week: capitals that make no name."""

NAME_WORD = r"(?:[A-Z][\w’'&.-]*\w|[A-Z]\.|[A-Z])"
"""A word written as a name's: "Ada", "AT&T", "J."."""

WORD = re.compile(r"[^\W_]+(?:[.'’&-][^\W_]+)*")

_DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")


def words(text: str) -> list[str]:
    """The words of a text, lower case, possessive endings dropped, in order."""
    found = (match.group().casefold().replace("’", "'") for match in WORD.finditer(text))
    return [_undotted(word.removesuffix("'s")) for word in found]


def _undotted(word: str) -> str:
    """ "u.k" as "uk"; other words as they are."""
    return word.replace(".", "") if _DOTTED.fullmatch(word) else word


def stem(word: str) -> str:
    """A crude common form of a word: enough to count overlap, never shown."""
    word = word.casefold()
    if word.endswith(("ies", "ied")) and len(word) > 4:
        return f"{word[:-3]}y"
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and not word.endswith("ss") and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            if len(ending) > 1 and len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            break
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


def content_terms(text: str) -> tuple[str, ...]:
    """The words that carry meaning, lower case, each once, in order."""
    return tuple(dict.fromkeys(word for word in words(text) if word not in STOPWORDS))


def is_slip(word: str, meant: str) -> bool:
    """Whether `word` is `meant` with two neighbouring letters changed about, or one letter wrong,
    missing or too many; not where they are forms of one word."""
    from rapidfuzz.distance import OSA

    return (
        min(len(word), len(meant)) >= SHORTEST_SLIP
        and word[0] == meant[0]
        and stem(word) != stem(meant)
        and OSA.distance(word, meant) == 1
    )


SHORTEST_SLIP = 5
