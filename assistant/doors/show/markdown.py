"""Answers as Markdown, with nothing of an article's or a model's taken for markup."""

from __future__ import annotations

import re
from collections.abc import Sequence

from assistant.doors.show.parts import (
    NEAREST,
    NOT_FOUND,
    Piece,
    agreement_lead,
    lines,
    place_of,
    reckoning,
    untold,
)
from assistant.language.marks import plain, reduced_date, short_date
from assistant.schema import Answer, Citation, Claim

_MARKDOWN_ANYWHERE = re.compile(r"[\\`*_\[\]<>|~]|:(?=[A-Za-z:{\[])|&(?=[#A-Za-z])")

_MARKDOWN_AT_START = re.compile(r"^(\d{0,9})([-+=#.)])")

# GFM makes links of bare addresses after escapes are resolved, so only a character between
# their parts stops it; the word joiner has no width and breaks no line.
_BARE_ADDRESS = re.compile(r"(?i)(?<=http)(?=s?:)|(?<=www)(?=\.)|(?=@)")

_WORD_JOINER = "\u2060"


def escape_markdown(text: str) -> str:
    """`text` so that CommonMark, GFM and Chainlit's directives show it as it stands, on one line."""
    unlinked = _BARE_ADDRESS.sub(_WORD_JOINER, plain(text))
    escaped = _MARKDOWN_ANYWHERE.sub(r"\\\g<0>", unlinked)
    return _MARKDOWN_AT_START.sub(r"\1\\\2", escaped)


def as_markdown(answer: Answer, told: Sequence[Claim] = ()) -> str:
    """The whole answer in Markdown that holds no markup but ours: no link, image, heading or HTML.

    `told`: claims that its reader has seen already; paragraphs that hold nothing else are not repeated.
    """
    numbers = [c.number for c in answer.citations]
    blocks = [claim_as_markdown(untold(answer.text, told), numbers)]
    if answer.closest:
        blocks.insert(0, f"**{NOT_FOUND}.**")
    blocks += [
        f"**{reduced_date(when.date)}**: {escape_markdown(reckoning(when))} {_marks_as_markdown(when.citations)}".rstrip()
        for when in answer.dates
    ]
    if lead := agreement_lead(answer):
        values = (
            f"{escape_markdown(a.value)} {_marks_as_markdown(a.citations)}".rstrip()
            for a in answer.agreement
        )
        blocks.append(f"{lead}: {'; '.join(values)}")
    if answer.citations:
        blocks.append("\n".join(_citation_as_markdown(c) for c in answer.citations))
    if answer.closest:
        nearest = "\n".join(_citation_as_markdown(c) for c in answer.closest)
        blocks.append(f"{NEAREST}:\n\n{nearest}")
    return "\n\n".join(block for block in blocks if block)


def claim_as_markdown(text: str, numbers: Sequence[int]) -> str:
    """The text of an answer or claim, its own marks kept and all else escaped."""
    shown = []
    for line in lines(text, numbers):
        body = "".join(_piece_as_markdown(piece) for piece in line.pieces).strip()
        shown.append(f"- {body}" if line.is_item else body)
    return "\n\n".join(shown)


def _piece_as_markdown(piece: Piece) -> str:
    if piece.kind == "mark":
        return _mark_as_markdown(piece.text)
    escaped = escape_markdown(piece.text)
    if piece.kind == "strong":
        return f"**{escaped}**"
    before = " " if piece.text[:1].isspace() else ""
    after = " " if piece.text[-1:].isspace() and escaped else ""
    return f"{before}{escaped}{after}"


def _mark_as_markdown(number: int | str) -> str:
    # Escaped, since what follows it may be an article's own "(http://...)" or ": http://...".
    return f"\\[{number}\\]"


def _marks_as_markdown(numbers: Sequence[int]) -> str:
    return "".join(map(_mark_as_markdown, numbers))


def _citation_as_markdown(citation: Citation) -> str:
    parts = [citation.publisher or "", short_date(citation.published), place_of(citation)]
    about = ", ".join(escape_markdown(part) for part in parts if part)
    title = escape_markdown(citation.title)
    return f"- {_mark_as_markdown(citation.number)} {title}, {about}: “{escape_markdown(citation.quote)}”"


def dropped_as_markdown(answer: Answer) -> str:
    """What was left out of a model's draft and why, in Markdown: text of ours around text of its,
    which can be neither link nor markup."""
    return "\n".join(
        f"- {escape_markdown(d.text)}\n\n    *Left out: {escape_markdown(d.reason)}*"
        for d in answer.dropped
    )
