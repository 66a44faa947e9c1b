"""Answers as people and programs read them: Markdown, terminal text, JSON, and what the chat page draws.

Pure functions: no front door's library is imported here. Articles are data, so whatever comes from
one is neutralised for the medium it goes to: Markdown is escaped, control characters never reach
a terminal, and the page receives plain strings that it only ever shows as text.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from assistant.schema import Agreement, Answer, AnswerDate, Citation, Claim

NOT_FOUND = "Not in the articles"
UNNAMED = "Publisher not named"
LEFT_OUT = "Left out of the model's draft"
NEAREST = "Nearest passages, which do not answer it"
WINDOW_CHARS = 100_000
"""How much of an article is shown around a quote. A longer one is cut, and the panel says so."""


# Dates


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
    return f"in {_days(-days)}" if days < 0 else f"{_days(days)} ago"


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count:,} days"


def _dated(published: date | None, as_of: date) -> str:
    """`5 February 2026, 290 days ago`, or `no date given`."""
    if published is None:
        return age(published, as_of)
    return f"{long_date(published)}, {age(published, as_of)}"


_MONTH = re.compile(r"(\d{4})-(\d{2})")


def _reduced_date(iso: str) -> str:
    """ISO 8601 of any precision in words: `6 March 2026`, `July 2025`, `2020`; else as it is."""
    if month := _MONTH.fullmatch(iso):
        return f"{date(int(month[1]), int(month[2]), 1):%B %Y}" if 1 <= int(month[2]) <= 12 else iso
    try:
        return long_date(date.fromisoformat(iso)) if len(iso) == 10 else iso
    except ValueError:
        return iso


def _distance(when: AnswerDate) -> str:
    """`passed 261 days ago`, `15 days ahead` or `today`, from the as-of day."""
    if when.days_from_as_of == 0:
        return "today"
    if when.days_from_as_of < 0:
        return f"passed {_days(-when.days_from_as_of)} ago"
    return f"{_days(when.days_from_as_of)} ahead"


# Untrusted text

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


# The answer's own marks


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


def marks(numbers: Sequence[int]) -> str:
    """The marks of citations as they stand in an answer: "[1][2]"."""
    return "".join(f"[{number}]" for number in numbers)


# Markdown


def as_markdown(answer: Answer) -> str:
    """The whole answer in Markdown that holds no markup but ours: no link, image, heading or HTML."""
    numbers = [c.number for c in answer.citations]
    blocks = [claim_as_markdown(answer.text, numbers)]
    if answer.closest:
        blocks.insert(0, f"**{NOT_FOUND}.**")
    blocks += [
        f"**{_reduced_date(when.date)}**: {escape_markdown(_reckoning(when))} {_marks_as_markdown(when.citations)}".rstrip()
        for when in answer.dates
    ]
    if lead := _agreement_lead(answer):
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
    parts = [citation.publisher or "", short_date(citation.published), _place(citation)]
    about = ", ".join(escape_markdown(part) for part in parts if part)
    title = escape_markdown(citation.title)
    return f"- {_mark_as_markdown(citation.number)} {title}, {about}: “{escape_markdown(citation.quote)}”"


def _place(citation: Citation) -> str:
    page = f", page {citation.page}" if citation.page is not None else ""
    return f"{citation.source}:{citation.start}-{citation.end}{page}"


def _reckoning(when: AnswerDate) -> str:
    """How a date was reached and where it lies:
    `“within 30 days” (4 February 2026 + 30 days), passed 261 days ago`.
    """
    rule = when.rule
    if when.anchor:
        day = long_date(when.anchor)
        rule = re.sub(r"\banchor\b", day, rule)
        if day not in rule and when.anchor.isoformat() != when.date:
            rule = f"{rule}, counted from {day}".removeprefix(", ")
    phrase = f"“{when.phrase}”" if when.phrase else ""
    said = " ".join(part for part in (phrase, f"({rule})" if rule else "") if part)
    return ", ".join(part for part in (said, _distance(when)) if part)


def _agreement_lead(answer: Answer) -> str | None:
    """What opens the list of values; None where there is nothing to compare."""
    if len(answer.agreement) > 1:
        return "The articles differ"
    voices = {source for value in answer.agreement for source in _sources(value, answer)}
    return f"{len(voices)} articles agree" if len(voices) > 1 else None


def _sources(value: Agreement, answer: Answer) -> set[str]:
    return {c.source for c in answer.citations if c.number in value.citations}


def dropped_as_markdown(answer: Answer) -> str:
    """What was left out of a model's draft and why, in Markdown: text of ours around text of its,
    which can be neither link nor markup."""
    return "\n".join(
        f"- {escape_markdown(d.text)}\n\n    *Left out: {escape_markdown(d.reason)}*"
        for d in answer.dropped
    )


# Terminal


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
    blocks += text_as_text(_untold(answer.text, told), [c.number for c in answer.citations], width)
    for when in answer.dates:
        about = f"{_reduced_date(when.date)}: {plain(_reckoning(when))} {marks(when.citations)}"
        blocks.append(_filled(about, width))
    if lead := _agreement_lead(answer):
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


def _untold(text: str, told: Sequence[Claim]) -> str:
    """The paragraphs of a text that are more than claims told already."""
    rest = []
    for paragraph in text.split("\n\n"):
        left = paragraph
        for claim in told:
            left = left.replace(claim.text, "", 1)
        if left.strip():
            rest.append(paragraph)
    return "\n\n".join(rest)


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
    day = _dated(citation.published, as_of) if as_of else _day(citation)
    rows = [
        _filled(plain(citation.title), width - len(number)),
        _filled(f"{plain(citation.publisher or UNNAMED)}, {day}", width - len(number)),
        plain(_place(citation)),
        _filled(f"“{plain(citation.quote)}”", width - len(number)),
    ]
    return number + textwrap.indent("\n".join(rows), " " * len(number)).lstrip()


def _day(citation: Citation) -> str:
    return long_date(citation.published) if citation.published else "no date given"


# JSON


def to_json(answer: Answer, id: str | None = None) -> dict[str, Any]:
    """The answer in the form other programs rely on, such as `dateline ask --json`."""
    return {
        "id": id,
        "question": answer.question,
        "status": str(answer.status),
        "engine": answer.engine,
        "confidence": answer.confidence,
        "answer": answer.text,
        "citations": [citation_to_json(c) for c in answer.citations],
        "dates": [
            {
                "phrase": when.phrase,
                "anchor": when.anchor.isoformat() if when.anchor else None,
                "date": when.date,
                "rule": when.rule,
                "days_from_as_of": when.days_from_as_of,
                "citations": list(when.citations),
            }
            for when in answer.dates
        ],
        "agreement": [{"value": a.value, "citations": list(a.citations)} for a in answer.agreement],
        "closest": [citation_to_json(c) for c in answer.closest],
        "dropped": [{"text": d.text, "reason": d.reason} for d in answer.dropped],
        "notice": answer.notice or None,
        "model": {
            "name": answer.model.name,
            "calls": answer.model.calls,
            "input_tokens": answer.model.input_tokens,
            "output_tokens": answer.model.output_tokens,
        }
        if answer.model
        else None,
        "timings_ms": dict(answer.timings_ms),
    }


def citation_to_json(citation: Citation) -> dict[str, Any]:
    """A citation, or one of the nearest passages, in the same form."""
    return {
        "number": citation.number,
        "source": citation.source,
        "title": citation.title,
        "publisher": citation.publisher,
        "published": citation.published.isoformat() if citation.published else None,
        "quote": citation.quote,
        "start": citation.start,
        "end": citation.end,
        "page": citation.page,
    }


# The chat page


def to_view(answer: Answer) -> dict[str, Any]:
    """What `Answer.jsx` draws: strings and numbers only, shown as text, and JSON throughout."""
    return {
        "status": str(answer.status),
        "notFound": NOT_FOUND,
        "nearest": NEAREST,
        "lines": [
            {
                "isItem": line.is_item,
                "pieces": [{"kind": p.kind, "text": p.text} for p in line.pieces],
            }
            for line in lines(answer.text, [c.number for c in answer.citations])
        ],
        "dates": [
            {
                "date": _reduced_date(when.date),
                "reckoning": _reckoning(when),
                "citations": list(when.citations),
            }
            for when in answer.dates
        ],
        "agreement": {
            "lead": _agreement_lead(answer),
            "values": [
                {"value": a.value, "citations": list(a.citations)} for a in answer.agreement
            ],
        },
        "citations": [_citation_view(c, "Citation") for c in answer.citations],
        "closest": [_citation_view(c, "Nearest passage") for c in answer.closest],
        "plain": as_text(answer, 100),
    }


def _citation_view(citation: Citation, kind: str) -> dict[str, Any]:
    about = [citation.title, citation.publisher, _day(citation)]
    return citation_to_json(citation) | {
        "url": citation.url,
        "chip": f"{citation.publisher or citation.title}, {short_date(citation.published)}",
        "label": f"{kind} {citation.number}: {', '.join(part for part in about if part)}",
        "day": short_date(citation.published),
    }


def citation_from_view(view: Any) -> Citation | None:
    """The citation a chip stands for, as the page sends it back; None if it is not one.

    A chip carries all that opening it needs, so it still works after the server was restarted.
    """
    if not isinstance(view, dict):
        return None
    try:
        published = view.get("published")
        return Citation(
            number=_integer(view["number"]),
            source=_string(view["source"]),
            title=_string(view["title"]),
            publisher=_optional_string(view.get("publisher")),
            published=date.fromisoformat(_string(published)) if published is not None else None,
            quote=_string(view["quote"]),
            start=_integer(view["start"]),
            end=_integer(view["end"]),
            page=_integer(view["page"]) if view.get("page") is not None else None,
            url=_optional_string(view.get("url")),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _optional_string(value: Any) -> str | None:
    return None if value is None else _string(value)


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(value)
    return value


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
        "number": citation.number,
        "title": citation.title,
        "publisher": citation.publisher or UNNAMED,
        "dated": _dated(citation.published, as_of),
        "source": citation.source,
        "page": citation.page,
        "url": citation.url if is_web_address(citation.url) else None,
        "stands": stands,
        "before": raw[left:first],
        "quote": raw[first:last],
        "after": raw[last:right],
        "cut": (
            f"Shown: {right - left:,} of the article's {len(raw):,} characters, around the quote."
            if right - left < len(raw)
            else None
        ),
    }


_WEB_ADDRESS = re.compile(r"(?i)https?://[^\s\x00-\x1f\"'<>\\]+")


def is_web_address(url: str | None) -> bool:
    """Whether `url` may be offered as a link: http or https, and nothing a browser would rewrite."""
    return url is not None and _WEB_ADDRESS.fullmatch(url) is not None
