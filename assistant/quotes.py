"""The engine `quotes`: answer sentence selection. It says nothing but sentences of the articles.

The passages retrieved are taken apart into sentences, a cross-encoder reads each with the question,
and the few that answer best are given verbatim (Garg, Vu and Moschitti 2020, "TANDA", for the
task). A calibrated score of how well they support an answer decides whether one is given at all.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

from assistant.rerank import Reranker
from assistant.schema import Answer, AnswerDate, Citation, Claim, Evidence, Hit, Status
from assistant.understand import Question, Wanted, content_terms
from indexing.dates import iso
from indexing.schema import TimeExpression

ENGINE = "quotes"
CANDIDATES = 32
"""Sentences the cross-encoder reads for one question: some 7 ms each on one core."""
CLOSE = 2.5
"""Logits a sentence may lie behind the best and still be shown."""
CLOSEST = 3
"""Passages named when nothing answers."""
NOTHING = "The articles do not say."
MOVED = (
    "The files that may hold the answer have changed since they were indexed;"
    " run dateline index and ask again."
)

Verify = Callable[[str, int, int, str], bool]
"""Whether `quote` stands at `start:end` of `source`; see `verify`."""
Times = Callable[[str, int, int], Sequence[TimeExpression]]
"""The time expressions of `source` between `start` and `end`; see `View.times_between`."""


def select(question: Question, hits: Sequence[Hit], reranker: Reranker | None) -> list[Evidence]:
    """The sentences of the hits, best first; without a reranker, in the order of the hits."""
    candidates = _candidates(question, hits)
    if reranker is None:
        scores = [hit.fused for hit, _ in candidates]
    else:
        texts = [_in_context(hit, i) for hit, i in candidates]
        scores = [float(score) for score in reranker.scores(question.text, texts)]
    evidence = [
        Evidence(hit.passage.sentences[i], _sentence_text(hit, i), hit, score)
        for score, (hit, i) in zip(scores, candidates, strict=True)
    ]
    return sorted(evidence, key=lambda e: -e.relevance)


def _candidates(question: Question, hits: Sequence[Hit]) -> list[tuple[Hit, int]]:
    """At most CANDIDATES sentences: those of the first hits, and those with the question's words."""
    wanted = {stem(term) for term in question.terms}
    scored = []
    for rank, hit in enumerate(hits):
        for i in range(len(hit.passage.sentences)):
            terms = {stem(term) for term in content_terms(_sentence_text(hit, i))}
            if terms:
                overlap = len(wanted & terms) / max(1, len(wanted))
                scored.append((overlap + 1 / (1 + rank), rank, i, hit))
    scored.sort(key=lambda entry: (-entry[0], entry[1], entry[2]))
    kept = sorted(scored[:CANDIDATES], key=lambda entry: (entry[1], entry[2]))
    return [(hit, i) for _, _, i, hit in kept]


def _in_context(hit: Hit, i: int) -> str:
    """The sentence as the cross-encoder reads it: a headline says what a sentence leaves out."""
    return f"{hit.info.title}. {_sentence_text(hit, i)}"


def _sentence_text(hit: Hit, i: int) -> str:
    sentence, offset = hit.passage.sentences[i], hit.passage.start
    return hit.passage.text[sentence.start - offset : sentence.end - offset]


def stem(word: str) -> str:
    """A crude common form of a word: enough to count overlap, never shown."""
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


@dataclass(frozen=True, slots=True)
class Calibration:
    """Logistic regression from `signals` to the probability that the evidence answers."""

    weights: dict[str, float]
    intercept: float
    threshold: float

    def confidence(self, measured: dict[str, float]) -> float:
        total = self.intercept + sum(w * measured[name] for name, w in self.weights.items())
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))


@cache
def calibration() -> Calibration:
    """What `eval.calibrate` fitted on development questions."""
    fitted = json.loads((Path(__file__).parent / "calibration.json").read_text("utf-8"))
    return Calibration(fitted["weights"], fitted["intercept"], fitted["threshold"])


def signals(question: Question, evidence: Sequence[Evidence]) -> dict[str, float]:
    """What the support score is made of, from the best sentence and its passage.

    `relevance`: the reranker's logit; `coverage` and `names`: the share of the question's content
    words, and of its names and numbers, that stand there; `dense`: the best cosine similarity.
    """
    if not evidence:
        return {"relevance": -12.0, "coverage": 0.0, "names": 0.0, "dense": 0.0}
    best = evidence[0]
    info = best.hit.info
    near = f"{info.title} {info.publisher or ''} {best.hit.passage.text}"
    have = {stem(term) for term in content_terms(near)}
    names = [term for name in question.names for term in content_terms(name)]
    return {
        "relevance": best.relevance,
        "coverage": _share(question.terms, have),
        "names": _share(names, have),
        "dense": max((e.hit.dense or 0.0) for e in evidence[:5]),
    }


def _share(terms: Sequence[str], have: set[str]) -> float:
    return sum(stem(term) in have for term in terms) / len(terms) if terms else 1.0


def compose(
    question: Question,
    evidence: Sequence[Evidence],
    *,
    asked: str,
    as_of: date,
    max_quotes: int,
    verify: Verify,
    times: Times,
) -> Answer:
    """The answer these sentences give, every quote verified; `not_in_corpus` where they do not."""
    standing = [
        e
        for e in evidence
        if verify(e.hit.passage.source, e.sentence.start, e.sentence.end, e.text)
    ]
    fitted = calibration()
    confidence = fitted.confidence(signals(question, standing))
    if not standing or confidence < fitted.threshold:
        return Answer(
            question=asked,
            status=Status.NOT_IN_CORPUS,
            engine=ENGINE,
            confidence=confidence,
            text=MOVED if evidence and not standing else NOTHING,
            closest=tuple(_cited(n, e) for n, e in enumerate(_distinct(standing)[:CLOSEST], 1)),
        )
    near = [e for e in _distinct(standing) if e.relevance >= standing[0].relevance - CLOSE]
    chosen = near[:max_quotes]
    citations = tuple(_cited(n, e) for n, e in enumerate(chosen, 1))
    claims = tuple(Claim(f"{c.quote} [{c.number}]", (c.number,)) for c in citations)
    wants_time = question.wanted in (Wanted.DATE, Wanted.DURATION)
    return Answer(
        question=asked,
        status=Status.ANSWERED,
        engine=ENGINE,
        confidence=confidence,
        text="\n\n".join(claim.text for claim in claims),
        claims=claims,
        citations=citations,
        dates=_dates(citations, times, as_of) if wants_time else (),
    )


def _cited(number: int, e: Evidence) -> Citation:
    info = e.hit.info
    return Citation(
        number=number,
        source=info.source,
        title=info.title,
        publisher=info.publisher,
        published=info.published,
        quote=e.text,
        start=e.sentence.start,
        end=e.sentence.end,
        page=info.page_of(e.sentence.start),
        url=info.url,
    )


def _distinct(evidence: Sequence[Evidence]) -> list[Evidence]:
    """Without the copies: a voice says a sentence once."""
    kept: dict[tuple[str, tuple[str, ...]], Evidence] = {}
    for e in evidence:
        kept.setdefault((e.hit.info.voice, content_terms(e.text)), e)
    return list(kept.values())


def _dates(citations: Sequence[Citation], times: Times, as_of: date) -> tuple[AnswerDate, ...]:
    """The resolved time expressions of the sentences shown, each once with all that state it."""
    merged: dict[tuple[str, str], AnswerDate] = {}
    for citation in citations:
        for t in times(citation.source, citation.start, citation.end):
            if t.first is None or t.last is None:
                continue
            key = (t.phrase.casefold(), iso(t.first, t.precision))
            stated_by = merged[key].citations if key in merged else ()
            merged[key] = AnswerDate(
                phrase=t.phrase,
                anchor=t.anchor,
                date=key[1],
                rule=t.rule,
                days_from_as_of=(t.last - as_of).days,
                citations=tuple(dict.fromkeys((*stated_by, citation.number))),
            )
    return tuple(merged.values())
