"""Answers as people and programs read them: Markdown, terminal text, JSON, and what the chat page draws.

Pure functions: no front door's library is imported here. Articles are data, so whatever comes from
one is neutralised for the medium it goes to: Markdown is escaped, control characters never reach
a terminal, and the page receives plain strings that it only ever shows as text.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import date

from assistant.doors.show.parts import (
    NEAREST,
    NOT_FOUND,
    UNNAMED,
    agreement_lead,
    day_of,
    lines,
    place_of,
    reckoning,
    untold,
)
from assistant.language.marks import dated, marks, plain, reduced_date
from assistant.schema import Answer, Citation, Claim

WINDOW_CHARS = 100_000
"""How much of an article is shown around a quote. A longer one is cut, and the panel says so."""


def as_text(
    answer: Answer, width: int = 80, as_of: date | None = None, told: Sequence[Claim] = ()
) -> str:
    """The answer for a terminal of `width` columns: text, dates, then the citations it rests on.

    With `as_of`, each citation says how old it was on that day. `told`: claims that its reader has
    seen already; paragraphs that hold nothing else are not repeated.
    """
    width = max(width, 20)
    blocks = []
    if answer.closest:
        blocks.append(f"{NOT_FOUND}.")
    blocks += text_as_text(untold(answer.text, told), [c.number for c in answer.citations], width)
    for when in answer.dates:
        about = f"{reduced_date(when.date)}: {plain(reckoning(when))} {marks(when.citations)}"
        blocks.append(_filled(about, width))
    if lead := agreement_lead(answer):
        values = (f"{plain(a.value)} {marks(a.citations)}".rstrip() for a in answer.agreement)
        blocks.append(_filled(f"{lead}: {'; '.join(values)}", width))
    blocks += [_citation_as_text(citation, width, as_of) for citation in answer.citations]
    if answer.closest:
        blocks.append(f"{NEAREST}:")
        blocks += [_citation_as_text(citation, width, as_of) for citation in answer.closest]
    return "\n\n".join(blocks)


def text_as_text(text: str, numbers: Sequence[int], width: int) -> list[str]:
    """The paragraphs of an answer or claim, filled to `width` columns."""
    blocks = []
    for line in lines(text, numbers):
        body = "".join(f"[{p.text}]" if p.kind == "mark" else _spaced(p.text) for p in line.pieces)
        blocks.append(_filled(body, width, "- " if line.is_item else ""))
    return blocks


def _spaced(text: str) -> str:
    before = " " if text[:1].isspace() else ""
    after = " " if text[-1:].isspace() and text.strip() else ""
    return f"{before}{plain(text)}{after}"


def _filled(text: str, width: int, bullet: str = "") -> str:
    return textwrap.fill(
        text.strip(),
        width,
        initial_indent=bullet,
        subsequent_indent=" " * len(bullet),
        break_on_hyphens=False,
    )


def _citation_as_text(citation: Citation, width: int, as_of: date | None) -> str:
    number = f"[{citation.number}] "
    day = dated(citation.published, as_of) if as_of else day_of(citation)
    rows = [
        _filled(plain(citation.title), width - len(number)),
        _filled(f"{plain(citation.publisher or UNNAMED)}, {day}", width - len(number)),
        plain(place_of(citation)),
        _filled(f"“{plain(citation.quote)}”", width - len(number)),
    ]
    return number + textwrap.indent("\n".join(rows), " " * len(number)).lstrip()
