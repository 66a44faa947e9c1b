"""Stand-ins for tests that need an `Assistant` and no models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from assistant.schema import Answer, Citation, Claim, Evidence, Hit, Status
from indexing.errors import CorpusError
from indexing.schema import Passage, Sentence, SourceInfo
from indexing.times.expressions import time_expressions


def info(source: str, title: str = "A title", published: date | None = None) -> SourceInfo:
    return SourceInfo(
        source=source,
        title=title,
        publisher=None,
        published=published,
        published_from=None,
        language="en",
        url=None,
        encoding="utf-8",
        voice=source,
        passages=1,
    )


def cited(raw: str, quote: str, number: int = 1, source: str = "a.txt", **more: object) -> Citation:
    """The citation of the first `quote` in `raw`."""
    start = raw.index(quote)
    values: dict[str, object] = {
        "number": number,
        "source": source,
        "title": "A title",
        "publisher": "A paper",
        "published": date(2026, 2, 5),
        "quote": quote,
        "start": start,
        "end": start + len(quote),
        "page": None,
    }
    return Citation(**(values | more))  # type: ignore[arg-type]


def answered(text: str, *citations: Citation, **more: object) -> Answer:
    claims = (Claim(text, tuple(c.number for c in citations)),)
    values: dict[str, object] = {"claims": claims, "citations": citations}
    return Answer("A question?", Status.ANSWERED, "quotes", 0.9, text, **(values | more))  # type: ignore[arg-type]


def missing(*closest: Citation) -> Answer:
    text = "The articles do not say."
    return Answer("A question?", Status.NOT_IN_CORPUS, "quotes", 0.1, text, closest=closest)


@dataclass
class ScriptedAssistant:
    """Answers each question with the answer, or the error, written down for it."""

    articles: Mapping[str, str]
    answers: Mapping[str, Answer | Exception]
    questions: Sequence[str] = ()
    offered: Sequence[str] = ("quotes",)
    next_questions: Sequence[str] = ()
    embedder: None = None
    asked: list[tuple[str, list[tuple[str, str]]]] = field(default_factory=list)

    def stream(
        self,
        question: str,
        history: Sequence[tuple[str, str]] = (),
        **_: object,
    ) -> Iterator[Claim | Answer]:
        self.asked.append((question, list(history)))
        answer = self.answers[question]
        if isinstance(answer, Exception):
            raise answer
        yield from answer.claims
        yield answer

    def engines(self) -> list[str]:
        return list(self.offered)

    def check_index(self) -> None:
        pass

    def search(self, query: str, k: int = 10, filters: object = None) -> list[Hit]:
        return []

    def sources(self) -> list[SourceInfo]:
        return [info(source) for source in self.articles]

    def source(self, source: str) -> SourceInfo:
        self.source_text(source)
        return info(source)

    def source_text(self, source: str) -> str:
        if source not in self.articles:
            raise CorpusError(f"there is no article {source!r} in the index")
        return self.articles[source]

    def starters(self) -> list[str]:
        return list(self.questions)

    def follow_ups(self, answer: Answer, history: object = (), **_: object) -> list[str]:
        return list(self.next_questions)

    def warm(self) -> None:
        pass

    def close(self) -> None:
        pass

    def original(self, source: str) -> Path | None:
        return None

    def joined(self, *indexes: Path) -> ScriptedAssistant:
        return self


def evidence(text: str, published: date | None = None, title: str = "A title") -> Evidence:
    """A sentence that is an article's whole text, its times resolved."""
    sentence = Sentence(0, len(text))
    (times,) = time_expressions(text, [sentence], published)
    passage = Passage("a.txt", 0, len(text), text, (sentence,))
    hit = Hit(passage, info("a.txt", title, published), None, None, 0.0)
    return Evidence(sentence, text, hit, 0.0, 0.0, times=times)
