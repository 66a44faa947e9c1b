"""Answers and articles as the chat page's elements want them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from assistant.doors.show.json import citation_to_json
from assistant.doors.show.parts import (
    NEAREST,
    NOT_FOUND,
    UNNAMED,
    Line,
    day_of,
    distance_of,
    lines,
    rule_of,
)
from assistant.doors.show.text import WINDOW_CHARS, as_text
from assistant.language.marks import dated, long_date, reduced_date, short_date
from assistant.schema import Answer, AnswerDate, Citation
from indexing.schema import SourceInfo

LEAD_CHARS = 320
"""The longest first paragraph that is set in bold as the direct answer."""


def to_view(answer: Answer, as_of: date, voices: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What `Answer.jsx` draws: strings and numbers only, shown as text, and JSON throughout.

    `as_of` is the day the answer's dates were measured against. `voices` names the source each source
    repeats, so that copies are not counted as independent.
    """
    shown = lines(answer.text, [c.number for c in answer.citations])
    return {
        "status": str(answer.status),
        "notFound": NOT_FOUND,
        "nearest": NEAREST,
        "asOf": long_date(as_of),
        "lines": [
            {
                "isItem": line.is_item,
                "isLead": i == 0 and bool(answer.citations) and _is_lead(line),
                "pieces": [{"kind": p.kind, "text": p.text} for p in line.pieces],
            }
            for i, line in enumerate(shown)
        ],
        "dates": [
            {
                "date": reduced_date(when.date),
                "rule": rule_of(when),
                "distance": distance_of(when),
                "lies": _lies(when),
                "citations": list(when.citations),
            }
            for when in answer.dates
        ],
        "agreement": _agreement_view(answer, voices or {}),
        "citations": [_citation_view(c, "Citation") for c in answer.citations],
        "closest": [_citation_view(c, "Nearest passage") for c in answer.closest],
        "plain": as_text(answer, 100),
    }


def _is_lead(line: Line) -> bool:
    return not line.is_item and sum(len(p.text) for p in line.pieces) <= LEAD_CHARS


def _lies(when: AnswerDate) -> str:
    """`past`, `now` or `future`."""
    days = when.days_from_as_of
    return "now" if days == 0 else "past" if days < 0 else "future"


def _agreement_view(answer: Answer, voices: Mapping[str, str]) -> dict[str, Any]:
    """Whether independent sources state one value (`agree`), several (`differ`), or a single source
    speaks (`one`); "" where there is nothing to say of it. `count` is of independent sources."""
    by_number = {c.number: voices.get(c.source, c.source) for c in answer.citations}
    stating = {by_number[n] for a in answer.agreement for n in a.citations if n in by_number}
    if len(answer.agreement) > 1:
        kind = "differ"
    elif len(stating) > 1:
        kind = "agree"
    else:
        kind = "one" if len(set(by_number.values())) == 1 else ""
    return {
        "kind": kind,
        "count": len(stating),
        "values": [{"value": a.value, "citations": list(a.citations)} for a in answer.agreement],
    }


def _citation_view(citation: Citation, kind: str) -> dict[str, Any]:
    about = [citation.title, citation.publisher, day_of(citation)]
    return citation_to_json(citation) | {
        "url": citation.url if is_web_address(citation.url) else None,
        "label": f"{kind} {citation.number}: {', '.join(part for part in about if part)}",
        "day": short_date(citation.published),
    }


def source_view(citation: Citation, raw: str, as_of: date) -> dict[str, Any]:
    """What `Source.jsx` draws: the article around the quote, cut into before, quote and after.

    The cuts are made here because offsets count code points and JavaScript counts UTF-16 units.
    Where the quote does not stand at its place (the article changed), nothing is highlighted.
    """
    stands = raw[citation.start : citation.end] == citation.quote and bool(citation.quote)
    first, last = (citation.start, citation.end) if stands else (0, 0)
    margin = (max(0, WINDOW_CHARS - (last - first)) + 1) // 2
    # What one side does not need, the other may use.
    left = max(0, first - margin - max(0, margin - (len(raw) - last)))
    right = min(len(raw), last + margin + max(0, margin - first))
    return {
        "title": citation.title,
        "publisher": citation.publisher or UNNAMED,
        "dated": dated(citation.published, as_of),
        "source": citation.source,
        "page": citation.page,
        "url": citation.url if is_web_address(citation.url) else None,
        "stands": stands,
        "before": raw[left:first],
        "quote": raw[first:last],
        "after": raw[last:right],
        "cut": _cut(right - left, len(raw)),
    }


def article_view(info: SourceInfo, raw: str, as_of: date) -> dict[str, Any]:
    """What `Source.jsx` draws of an article that is opened for itself: nothing is highlighted."""
    return {
        "title": info.title,
        "publisher": info.publisher or UNNAMED,
        "dated": dated(info.published, as_of),
        "source": info.source,
        "page": None,
        "url": info.url if is_web_address(info.url) else None,
        "stands": None,
        "before": raw[:WINDOW_CHARS],
        "quote": "",
        "after": "",
        "cut": _cut(min(WINDOW_CHARS, len(raw)), len(raw)),
    }


def _cut(shown: int, whole: int) -> dict[str, str] | None:
    return {"shown": f"{shown:,}", "total": f"{whole:,}"} if shown < whole else None


_WEB_ADDRESS = re.compile(r"(?i)https?://[^\s\x00-\x1f\"'<>\\]+")


def is_web_address(url: str | None) -> bool:
    """Whether `url` may be offered as a link: http or https, and nothing a browser would rewrite."""
    return url is not None and _WEB_ADDRESS.fullmatch(url) is not None
