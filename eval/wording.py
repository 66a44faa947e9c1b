"""Whether a text says something, whatever its punctuation and case."""

from __future__ import annotations

import re
from datetime import date

from assistant.language.marks import long_date


def normal(text: str) -> str:
    """Lower-cased words without punctuation and articles; "U.S." is "us", "90%" is "90 percent".

    As SQuAD's evaluation does (Rajpurkar et al. 2016), but for abbreviations and the percent sign.
    """
    joined = re.sub(r"\b([^\W\d_])\.", r"\1", text.casefold()).replace("%", " percent ")
    return " ".join(w for w in re.findall(r"[^\W_]+", joined) if w not in ("a", "an", "the"))


def holds(text: str, wording: str) -> bool:
    """Whether the words of `wording` stand in `text`, whole and in a row."""
    words = normal(wording)
    return bool(words) and f" {words} " in f" {normal(text)} "


def unmarked(text: str) -> str:
    """An answer without its bold and its citation marks."""
    return re.sub(r"\s*\[\d+(?:, ?\d+)*\]", "", text.replace("**", ""))


def leads(text: str) -> list[str]:
    """What an answer says in bold: its direct answers."""
    return re.findall(r"\*\*(.+?)\*\*", text)


def written(iso: str) -> str:
    """2026-03-06 as "6 March 2026", 2025-07 as "July 2025", 2025 as it is."""
    full = date.fromisoformat(iso + "0000-01-01"[len(iso) :])
    return {10: long_date(full), 7: f"{full:%B %Y}"}.get(len(iso), iso)
