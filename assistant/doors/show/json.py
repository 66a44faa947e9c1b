"""Answers, passages, sources and reports as JSON, and answers back from it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

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


def from_json(value: Any) -> Answer:
    """The answer that `to_json` was given, without its claims and passages, which JSON does not hold.

    Keys that the form got later may be missing. Raises ValueError for what is no such JSON; it names
    the key, and repeats nothing of what stands there.
    """
    from pydantic import ValidationError

    from assistant.doors import forms  # a tenth of a second, which `ask --json` need not wait

    try:
        read = forms.Answer.model_validate(value)
    except ValidationError as exc:
        key = exc.errors()[0]["loc"][:1]
        problem = f"{key[0]!r} is missing or not of its form" if key else "it has no keys"
        raise ValueError(f"this is no answer in Dateline's JSON: {problem}") from None
    return Answer(
        question=read.question,
        status=Status(read.status),
        engine=read.engine,
        confidence=read.confidence,
        text=read.answer,
        citations=tuple(Citation(**_fields(c)) for c in read.citations),
        dates=tuple(AnswerDate(**_fields(d)) for d in read.dates),
        agreement=tuple(Agreement(**_fields(a)) for a in read.agreement),
        closest=tuple(Citation(**_fields(c)) for c in read.closest),
        dropped=tuple(Dropped(**_fields(d)) for d in read.dropped),
        notice=read.notice or "",
        model=ModelUse(**_fields(read.model)) if read.model else None,
        timings_ms=read.timings_ms,
    )


def citation_from_json(value: Any) -> Citation:
    """The citation that `citation_to_json` was given. Raises ValueError for anything else."""
    from pydantic import ValidationError

    from assistant.doors import forms

    try:
        return Citation(**_fields(forms.Citation.model_validate(value)))
    except ValidationError:
        raise ValueError("this is no citation in Dateline's JSON") from None


def _fields(form: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """What a pydantic form holds, by the names that the noun has for it too."""
    return {name: tuple(held) if isinstance(held, list) else held for name, held in form}
