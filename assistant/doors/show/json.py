"""Answers, passages, sources and reports as JSON, and answers back from it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, TypeVar

from assistant.schema import Agreement, Answer, AnswerDate, Citation, Dropped, Hit, ModelUse, Status
from indexing.schema import SourceInfo, SyncReport


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
