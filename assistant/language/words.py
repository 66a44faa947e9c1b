"""Words of English: which carry meaning, and their stems."""

from __future__ import annotations

import re

STOPWORDS = frozenset(
    """a about according after again all also am an and any anything are aren't as at be because been before
    being between both but by can cannot could did didn't do does doesn't doing don't down during each else
    ever every few for from further get gets give given gives had has have having he her here hers herself
    him himself his how however i if in into is isn't it it's its itself just let me more most much must my
    myself no nor not of off on once one only or other our ours ourselves out over own please said same say
    says she should so some such tell than that that's the their theirs them themselves then there there's
    these they thing this those through to too under until up upon us very was wasn't we were what what's
    when where which while who whom whose why will with within without would you your yours yourself
    many exactly whether anyone someone explain describe know article articles source sources""".split()
)

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
