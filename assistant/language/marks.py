"""Citation marks, days in words, and text without what steers a terminal."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import date


def long_date(day: date) -> str:
    """`5 February 2026`."""
    return f"{day.day} {day:%B %Y}"


def short_date(day: date | None) -> str:
    """`5 Feb 2026`, or `undated`."""
    return f"{day.day} {day:%b %Y}" if day else "undated"


def age(published: date | None, as_of: date) -> str:
    """How old an article is on `as_of`: `290 days ago`, `today`, `in 3 days`, `no date given`."""
    if published is None:
        return "no date given"
    days = (as_of - published).days
    if days == 0:
        return "today"
    return f"in {counted_days(-days)}" if days < 0 else f"{counted_days(days)} ago"


def counted_days(count: int) -> str:
    return "1 day" if count == 1 else f"{count:,} days"


def dated(published: date | None, as_of: date) -> str:
    """`5 February 2026, 290 days ago`, or `no date given`."""
    if published is None:
        return age(published, as_of)
    return f"{long_date(published)}, {age(published, as_of)}"


_MONTH = re.compile(r"(\d{4})-(\d{2})")


def reduced_date(iso: str) -> str:
    """ISO 8601 of any precision in words: `6 March 2026`, `July 2025`, `2020`; else as it is."""
    try:
        if month := _MONTH.fullmatch(iso):
            return f"{date(int(month[1]), int(month[2]), 1):%B %Y}"
        return long_date(date.fromisoformat(iso)) if len(iso) == 10 else iso
    except ValueError:
        return iso


_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

# Chainlit draws its cursor where a zero-width space stands; a byte-order mark shows as nothing.
_INVISIBLE = frozenset("\u200b\ufeff")


def plain(text: str) -> str:
    """`text` on one line, without the characters that steer a terminal or reverse what follows."""
    return " ".join("".join(c for c in text if c.isspace() or not _steers(c)).split())


def _steers(character: str) -> bool:
    return (
        unicodedata.category(character) in ("Cc", "Cs")
        or character in _BIDI_CONTROLS
        or character in _INVISIBLE
    )


def marks(numbers: Sequence[int]) -> str:
    """The marks of citations as they stand in an answer: "[1][2]"."""
    return "".join(f"[{number}]" for number in numbers)
