"""The engine `quotes`: answer sentence selection. It says nothing but sentences of the articles.

The passages retrieved are taken apart into sentences, a cross-encoder reads each with the question,
and the few that answer best are given verbatim (Garg, Vu and Moschitti 2020, "TANDA", for the
task). A calibrated score of how well they support an answer decides whether one is given at all.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

from assistant.rerank import Reranker
from assistant.schema import (
    Agreement,
    Answer,
    AnswerDate,
    Citation,
    Claim,
    Evidence,
    Hit,
    Status,
)
from assistant.understand import Question, Wanted, content_terms, spelled_out, stem
from assistant.values import TIME_KINDS, has_value, values
from indexing.dates import describe, iso
from indexing.schema import Span, TimeExpression

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


def select(
    question: Question, hits: Sequence[Hit], reranker: Reranker | None, times: Times
) -> list[Evidence]:
    """The sentences of the hits, best first; without a reranker, in the order of the hits."""
    candidates = _candidates(question, hits)
    if reranker is None:
        scores = [hit.fused for hit, _ in candidates]
    else:
        asked = spelled_out(question.text, dict.fromkeys(hit.passage.text for hit in hits))
        texts = [_in_context(hit, i) for hit, i in candidates]
        scores = [float(score) for score in reranker.scores(asked, texts)]
    evidence = []
    for score, (hit, i) in zip(scores, candidates, strict=True):
        sentence, text = hit.passage.sentences[i], _sentence_text(hit, i)
        stated = tuple(times(hit.passage.source, sentence.start, sentence.end))
        wanting = not has_value(question, text, stated)
        evidence.append(
            Evidence(sentence, text, hit, score - calibration().wanting * wanting, stated)
        )
    return sorted(evidence, key=lambda e: -e.relevance)


def _candidates(question: Question, hits: Sequence[Hit]) -> list[tuple[Hit, int]]:
    """At most CANDIDATES sentences: those of the first hits, and those with the question's words."""
    wanted = question.stems
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


@dataclass(frozen=True, slots=True)
class Calibration:
    """Logistic regression from `signals` to the probability that the evidence answers."""

    weights: dict[str, float]
    intercept: float
    threshold: float
    wanting: float
    """Logits a sentence loses that holds no value of the kind asked for."""

    def confidence(self, measured: dict[str, float]) -> float:
        total = self.intercept + sum(w * measured[name] for name, w in self.weights.items())
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))


@cache
def calibration() -> Calibration:
    """What `eval.calibrate` fitted on development questions."""
    fitted = json.loads((Path(__file__).parent / "calibration.json").read_text("utf-8"))
    return Calibration(**fitted)


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
    dates = _dates(chosen, as_of) if question.wanted in TIME_KINDS else ()
    claims = [_quoted(question, e, n) for n, e in enumerate(chosen, 1)]
    if lead := _dated_lead(question, chosen, dates):
        claims.insert(0, lead)
    return Answer(
        question=asked,
        status=Status.ANSWERED,
        engine=ENGINE,
        confidence=confidence,
        text="\n\n".join(claim.text for claim in claims),
        claims=tuple(claims),
        citations=citations,
        dates=dates,
        agreement=_agreement(question, chosen),
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


def _quoted(question: Question, e: Evidence, number: int) -> Claim:
    """The sentence as it stands, the value asked for in bold, with its mark."""
    text, bold = e.text, _value(question, e)
    if bold is not None:
        text = f"{text[: bold.start]}**{text[bold.start : bold.end]}**{text[bold.end :]}"
    return Claim(f"{text} [{number}]", (number,))


def _value(question: Question, e: Evidence) -> Span | None:
    """Where the sentence states what the question asks for, counted from its own start."""
    if question.wanted in TIME_KINDS:
        t = _best_time(question, e)
        return Span(t.start - e.sentence.start, t.end - e.sentence.start) if t else None
    found = values(question, e.text, e.hit.passage.text)
    return Span(found[0].start, found[0].end) if found else None


# Time


_DEADLINE = re.compile(
    r"\b(?:deadlines?|due|by when|expir\w+|time ?(?:limit|frame|line)|how (?:soon|long))\b", re.I
)


def _best_time(question: Question, e: Evidence) -> TimeExpression | None:
    """The time expression of a sentence that a question about time asks for."""
    if question.wanted is Wanted.DURATION:
        preferred: tuple[str, ...] = ("duration", "deadline")
    elif _DEADLINE.search(question.text):
        preferred = ("deadline",)
    else:
        preferred = ("date", "period", "deadline")
    places = [m.start() for m in re.finditer(r"\w+", e.text) if stem(m.group()) in question.stems]

    def rank(t: TimeExpression) -> tuple[bool, bool, int]:
        at = t.start - e.sentence.start
        distance = min((abs(at - place) for place in places), default=0)
        return (t.kind not in preferred, t.first is None, distance)

    wanted = [t for t in e.times if t.kind != "duration" or question.wanted is Wanted.DURATION]
    return min(wanted, key=rank, default=None)


def _dated_lead(
    question: Question, chosen: Sequence[Evidence], dates: Sequence[AnswerDate]
) -> Claim | None:
    """The calendar date a question about time asks for, with the rule that gives it."""
    if question.wanted is not Wanted.DATE:
        return None
    best = [_best_time(question, e) for e in chosen]
    stated = [(n, t) for n, t in enumerate(best, 1) if t is not None]
    t = next((t for _, t in stated if t.first is not None), None)
    if t is None or t.first is None or t.last is None:
        if not stated:
            return None
        number, t = stated[0]
        return Claim(f"**{t.phrase}**, which cannot be dated: {t.rule}. [{number}]", (number,))
    day = describe(t.first, t.last, t.precision)
    when = next(d for d in dates if (d.phrase, d.date) == (t.phrase, iso(t.first, t.precision)))
    text = f"**{'By ' if t.kind == 'deadline' else ''}{day}**"
    if t.rule != AS_WRITTEN:
        text += f" (“{t.phrase}”: {t.rule})"
    if t.kind == "deadline" or when.days_from_as_of >= 0:
        text += _status(when.days_from_as_of)
    marks = "".join(f"[{n}]" for n in when.citations)
    return Claim(f"{text}. {marks}", when.citations)


AS_WRITTEN = "as written"


def _status(days: int) -> str:
    if days == 0:
        return "; that is today"
    unit = "day" if abs(days) == 1 else "days"
    return f"; that day passed {-days} {unit} ago" if days < 0 else f"; that is in {days} {unit}"


def _dates(chosen: Sequence[Evidence], as_of: date) -> tuple[AnswerDate, ...]:
    """The resolved time expressions of the sentences shown, each once with all that state it."""
    merged: dict[tuple[str, str], AnswerDate] = {}
    for number, e in enumerate(chosen, 1):
        for t in e.times:
            if t.first is None or t.last is None:
                continue
            key = (t.phrase.casefold(), iso(t.first, t.precision))
            known = merged.get(key)
            merged[key] = AnswerDate(
                phrase=known.phrase if known else t.phrase,
                anchor=t.anchor,
                date=key[1],
                rule=t.rule,
                days_from_as_of=(t.last - as_of).days,
                citations=tuple(dict.fromkeys((*(known.citations if known else ()), number))),
            )
    return tuple(merged.values())


# Agreement


def _agreement(question: Question, chosen: Sequence[Evidence]) -> tuple[Agreement, ...]:
    """The values for the question with those that state each; times by their words."""
    grouped: dict[str, tuple[str, list[int]]] = {}
    for number, e in enumerate(chosen, 1):
        if question.wanted in TIME_KINDS:
            t = _best_time(question, e)
            found = [(t.phrase.casefold(), t.phrase)] if t else []
        else:
            found = [
                (value.normal, value.text)
                for value in values(question, e.text, e.hit.passage.text)[:1]
            ]
        for normal, text in found:
            grouped.setdefault(normal, (text, []))[1].append(number)
    return tuple(Agreement(text, tuple(numbers)) for text, numbers in grouped.values())
