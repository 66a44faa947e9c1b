"""Answers as people and programs read them: Markdown, terminal text, JSON, and what the chat page draws.

Pure functions: no front door's library is imported here. Articles are data, so whatever comes from
one is neutralised for the medium it goes to: Markdown is escaped, control characters never reach
a terminal, and the page receives plain strings that it only ever shows as text.
"""

from __future__ import annotations

import math
import re
import textwrap
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, TypeVar

from assistant.schema import (
    Agreement,
    Answer,
    AnswerDate,
    Citation,
    Claim,
    Dropped,
    Hit,
    ModelUse,
    Status,
)
from indexing.schema import SourceInfo, SyncReport

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


def reduced_date(iso: str) -> str:
    """ISO 8601 of any precision in words: `6 March 2026`, `July 2025`, `2020`; else as it is."""
    try:
        if month := _MONTH.fullmatch(iso):
            return f"{date(int(month[1]), int(month[2]), 1):%B %Y}"
        return long_date(date.fromisoformat(iso)) if len(iso) == 10 else iso
    except ValueError:
        return iso


def distance_of(when: AnswerDate) -> str:
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


def as_markdown(answer: Answer, told: Sequence[Claim] = ()) -> str:
    """The whole answer in Markdown that holds no markup but ours: no link, image, heading or HTML.

    `told`: claims that its reader has seen already; paragraphs that hold nothing else are not repeated.
    """
    numbers = [c.number for c in answer.citations]
    blocks = [claim_as_markdown(_untold(answer.text, told), numbers)]
    if answer.closest:
        blocks.insert(0, f"**{NOT_FOUND}.**")
    blocks += [
        f"**{reduced_date(when.date)}**: {escape_markdown(_reckoning(when))} {_marks_as_markdown(when.citations)}".rstrip()
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
        about = f"{reduced_date(when.date)}: {plain(_reckoning(when))} {marks(when.citations)}"
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
        "url": citation.url,
    }


def hit_to_json(hit: Hit) -> dict[str, Any]:
    """A passage that was found, such as `dateline search --json` prints it."""
    return {
        "file": hit.passage.source,
        "start": hit.passage.start,
        "end": hit.passage.end,
        "score": round(hit.fused, 6),
        "text": hit.passage.text,
    }


def source_to_json(info: SourceInfo) -> dict[str, Any]:
    """An article of the index, such as `dateline sources --json` prints it."""
    return {
        "source": info.source,
        "title": info.title,
        "publisher": info.publisher,
        "published": info.published.isoformat() if info.published else None,
        "published_from": info.published_from,
        "language": info.language,
        "url": info.url,
        "passages": info.passages,
        "repeats": info.voice if info.voice != info.source else None,
    }


def has_words(info: SourceInfo, query: str) -> bool:
    """Whether each word of `query` stands in an article's title, publisher or source."""
    described = f"{info.title} {info.publisher or ''} {info.source}".casefold()
    return all(word in described for word in query.casefold().split())


def report_to_json(report: SyncReport) -> dict[str, Any]:
    """What a run of indexing did, such as `dateline index --json` prints it."""
    return {
        "added": report.added,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "failed": [{"source": f.source, "error": f.error} for f in report.failed],
        "passages": report.passages,
        "articles": report.articles,
        "embedded": report.embedded,
        "seconds": report.seconds,
    }


_T = TypeVar("_T")


def from_json(value: Any) -> Answer:
    """The answer that `to_json` was given, without its claims and passages, which JSON does not hold.

    Keys that the form got later may be missing. Raises ValueError for what is no such JSON; it names
    the key, and repeats nothing of what stands there.
    """
    if not isinstance(value, Mapping):
        raise ValueError("this is no answer in Dateline's JSON: it is not an object with keys")
    return Answer(
        question=_read(value, "question", _string),
        status=_read(value, "status", Status),
        engine=_read(value, "engine", _string),
        confidence=_read(value, "confidence", _share),
        text=_read(value, "answer", _string),
        citations=_read(value, "citations", lambda v: _each(v, citation_from_json)),
        dates=_read(value, "dates", lambda v: _each(v, _date_from_json)),
        agreement=_read(value, "agreement", lambda v: _each(v, _agreement_from_json)),
        closest=_read(value, "closest", lambda v: _each(v, citation_from_json)),
        dropped=_read({"dropped": [], **value}, "dropped", lambda v: _each(v, _dropped_from_json)),
        notice=_read({"notice": None, **value}, "notice", _optional_string) or "",
        model=_read({"model": None, **value}, "model", _model_from_json),
        timings_ms=_read(value, "timings_ms", _timings),
    )


def _read(value: Mapping[str, Any], key: str, reader: Callable[[Any], _T]) -> _T:
    try:
        return reader(value[key])
    except (KeyError, TypeError, ValueError, OverflowError):
        problem = f"{key!r} is missing or not of its form"
        raise ValueError(f"this is no answer in Dateline's JSON: {problem}") from None


def citation_from_json(value: Any) -> Citation:
    """The citation that `citation_to_json` was given. Raises ValueError for anything else."""
    try:
        published, page = value.get("published"), value.get("page")
        return Citation(
            number=_integer(value["number"]),
            source=_string(value["source"]),
            title=_string(value["title"]),
            publisher=_optional_string(value.get("publisher")),
            published=None if published is None else date.fromisoformat(_string(published)),
            quote=_string(value["quote"]),
            start=_integer(value["start"]),
            end=_integer(value["end"]),
            page=None if page is None else _integer(page),
            url=_optional_string(value.get("url")),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ValueError("this is no citation in Dateline's JSON") from None


def _date_from_json(value: Any) -> AnswerDate:
    anchor = value["anchor"]
    return AnswerDate(
        phrase=_string(value["phrase"]),
        anchor=None if anchor is None else date.fromisoformat(_string(anchor)),
        date=_string(value["date"]),
        rule=_string(value["rule"]),
        days_from_as_of=_whole(value["days_from_as_of"]),
        citations=_each(value["citations"], _integer),
    )


def _agreement_from_json(value: Any) -> Agreement:
    return Agreement(_string(value["value"]), _each(value["citations"], _integer))


def _dropped_from_json(value: Any) -> Dropped:
    return Dropped(_string(value["text"]), _string(value["reason"]))


def _model_from_json(value: Any) -> ModelUse | None:
    if value is None:
        return None
    tokens = (value["input_tokens"], value["output_tokens"])
    read, written = (None if count is None else _integer(count) for count in tokens)
    return ModelUse(_string(value["name"]), _integer(value["calls"]), read, written)


def _timings(value: Any) -> dict[str, float]:
    if not isinstance(value, Mapping):
        raise TypeError
    return {_string(step): _number(ms) for step, ms in value.items()}


def _each(value: Any, reader: Callable[[Any], _T]) -> tuple[_T, ...]:
    if not isinstance(value, list):
        raise TypeError
    return tuple(map(reader, value))


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


def _share(value: Any) -> float:
    share = _number(value)
    if not 0 <= share <= 1:
        raise ValueError
    return share


# The chat page


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
    about = [citation.title, citation.publisher, _day(citation)]
    return citation_to_json(citation) | {
        "url": citation.url if is_web_address(citation.url) else None,
        "label": f"{kind} {citation.number}: {', '.join(part for part in about if part)}",
        "day": short_date(citation.published),
    }


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
        "cut": _cut(right - left, len(raw)),
    }


def article_view(info: SourceInfo, raw: str, as_of: date) -> dict[str, Any]:
    """What `Source.jsx` draws of an article that is opened for itself: nothing is highlighted."""
    return {
        "title": info.title,
        "publisher": info.publisher or UNNAMED,
        "dated": _dated(info.published, as_of),
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
