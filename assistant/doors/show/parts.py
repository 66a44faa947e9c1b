"""The parts of an answer that every form of it shows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from assistant.language.marks import counted_days, long_date
from assistant.schema import Agreement, Answer, AnswerDate, Citation, Claim

NOT_FOUND = "Not in the articles"

UNNAMED = "Publisher not named"

LEFT_OUT = "Left out of the model's draft"

NEAREST = "Nearest passages, which do not answer it"


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of an answer's text. For a `mark`, `text` is the number of a citation."""

    kind: Literal["text", "strong", "mark"]
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """A paragraph of an answer, or an item of a list."""

    is_item: bool
    pieces: tuple[Piece, ...]


_MARKS = re.compile(r"\*\*(?P<strong>[^\n]+?)\*\*|\[(?P<number>\d{1,4})\]")

_ITEM = re.compile(r"\s*[-*•]\s+")


def lines(text: str, numbers: Sequence[int]) -> tuple[Line, ...]:
    """`text` of an answer cut at its own marks: `**bold**`, `[n]` for `n` in `numbers`, `- ` items.

    Everything else is a piece of text, to be shown as it stands.
    """
    found = []
    for row in text.splitlines():
        item = _ITEM.match(row)
        pieces = tuple(_pieces(row[item.end() :] if item else row, frozenset(numbers)))
        if pieces:
            found.append(Line(item is not None, pieces))
    return tuple(found)


def _pieces(row: str, numbers: frozenset[int]) -> list[Piece]:
    pieces: list[Piece] = []
    seen = 0
    for match in _MARKS.finditer(row):
        if match["number"] and int(match["number"]) not in numbers:
            continue  # the article's own brackets
        pieces.append(Piece("text", row[seen : match.start()]))
        if match["number"]:
            pieces.append(Piece("mark", match["number"]))
        else:
            inside = _pieces(match["strong"], numbers)
            pieces += [Piece("strong", p.text) if p.kind == "text" else p for p in inside]
        seen = match.end()
    pieces.append(Piece("text", row[seen:]))
    return [p for p in pieces if p.text] if any(p.text.strip() for p in pieces) else []


def place_of(citation: Citation) -> str:
    page = f", page {citation.page}" if citation.page is not None else ""
    return f"{citation.source}:{citation.start}-{citation.end}{page}"


def reckoning(when: AnswerDate) -> str:
    """How a date was reached and where it lies:
    `“within 30 days” (4 February 2026 + 30 days), passed 261 days ago`.
    """
    return ", ".join(part for part in (rule_of(when), distance_of(when)) if part)


def rule_of(when: AnswerDate) -> str:
    """How a date was reached: `“within 30 days” (4 February 2026 + 30 days)`."""
    rule = when.rule
    if when.anchor:
        day = long_date(when.anchor)
        rule = re.sub(r"\banchor\b", day, rule)
        if day not in rule and when.anchor.isoformat() != when.date:
            rule = f"{rule}, counted from {day}".removeprefix(", ")
    phrase = f"“{when.phrase}”" if when.phrase else ""
    return " ".join(part for part in (phrase, f"({rule})" if rule else "") if part)


def agreement_lead(answer: Answer) -> str | None:
    """What opens the list of values; None where there is nothing to compare."""
    if len(answer.agreement) > 1:
        return "The articles differ"
    voices = {source for value in answer.agreement for source in _sources(value, answer)}
    return f"{len(voices)} articles agree" if len(voices) > 1 else None


def _sources(value: Agreement, answer: Answer) -> set[str]:
    return {c.source for c in answer.citations if c.number in value.citations}


def untold(text: str, told: Sequence[Claim]) -> str:
    """The paragraphs of a text that are more than claims told already."""
    rest = []
    for paragraph in text.split("\n\n"):
        left = paragraph
        for claim in told:
            left = left.replace(claim.text, "", 1)
        if left.strip():
            rest.append(paragraph)
    return "\n\n".join(rest)


def day_of(citation: Citation) -> str:
    return long_date(citation.published) if citation.published else "no date given"


def distance_of(when: AnswerDate) -> str:
    """`passed 261 days ago`, `15 days ahead` or `today`, from the as-of day."""
    if when.days_from_as_of == 0:
        return "today"
    if when.days_from_as_of < 0:
        return f"passed {counted_days(-when.days_from_as_of)} ago"
    return f"{counted_days(when.days_from_as_of)} ahead"
