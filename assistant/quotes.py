"""The engine `quotes`: answer sentence selection. It says nothing but sentences of the articles.

The passages retrieved are taken apart into sentences, a cross-encoder reads each with the question,
and the few that answer best are given verbatim (Garg, Vu and Moschitti 2020, "TANDA", for the
task). A calibrated score of how well they support an answer decides whether one is given at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date

from assistant.dates import answer_dates, best_time, dated_claim
from assistant.rerank import Reranker
from assistant.schema import Agreement, Answer, Citation, Claim, Evidence, Hit, Status
from assistant.support import Rarity, calibration, support
from assistant.understand import Question, content_terms, stem
from assistant.values import TIME_KINDS, has_value, values
from indexing.schema import Sentence, Span, TimeExpression

ENGINE = "quotes"
CANDIDATES = 24
"""Sentences the cross-encoder reads for one question: some 7 ms each on one core."""
CLOSE = 1.5
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
        texts = [in_context(hit, i) for hit, i in candidates]
        scores = [float(score) for score in reranker.scores(question.text, texts)]
    evidence = []
    for score, (hit, i) in zip(scores, candidates, strict=True):
        sentence, text = _quotable(hit.passage.sentences[i], _sentence_text(hit, i))
        stated = tuple(times(hit.passage.source, sentence.start, sentence.end))
        wanting = not has_value(question, text, stated, hit.info.published)
        evidence.append(
            Evidence(sentence, text, hit, score - calibration().wanting * wanting, stated)
        )
    return sorted(evidence, key=lambda e: -e.relevance)


def _candidates(question: Question, hits: Sequence[Hit]) -> list[tuple[Hit, int]]:
    """At most CANDIDATES sentences: those of the first hits, and those with the question's words."""
    scored = []
    for rank, hit in enumerate(hits):
        for i in range(len(hit.passage.sentences)):
            terms = {stem(term) for term in content_terms(_sentence_text(hit, i))}
            if terms:
                overlap = len(question.stems & terms) / max(1, len(question.stems))
                scored.append((overlap + 1 / (1 + rank), rank, i, hit))
    scored.sort(key=lambda entry: (-entry[0], entry[1], entry[2]))
    kept = sorted(scored[:CANDIDATES], key=lambda entry: (entry[1], entry[2]))
    return [(hit, i) for _, _, i, hit in kept]


def in_context(hit: Hit, i: int) -> str:
    """The sentence as the cross-encoder reads it: a headline says what a sentence leaves out."""
    return f"{hit.info.title}. {_sentence_text(hit, i)}"


_BULLET = re.compile(r"(?:[•▪●■◦‣►]\s*|[-*+>#]+\s+)+(?=\S)")


def _quotable(sentence: Sentence, text: str) -> tuple[Sentence, str]:
    """A sentence without the bullet before it."""
    bullet = _BULLET.match(text)
    cut = bullet.end() if bullet else 0
    return Sentence(sentence.start + cut, sentence.end), text[cut:]


def _sentence_text(hit: Hit, i: int) -> str:
    sentence, offset = hit.passage.sentences[i], hit.passage.start
    return hit.passage.text[sentence.start - offset : sentence.end - offset]


def compose(
    question: Question,
    evidence: Sequence[Evidence],
    *,
    asked: str,
    as_of: date,
    max_quotes: int,
    verify: Verify,
    rarity: Rarity,
) -> Answer:
    """The answer these sentences give, every quote verified; `not_in_corpus` where they do not."""
    standing = [
        e
        for e in evidence
        if verify(e.hit.passage.source, e.sentence.start, e.sentence.end, e.text)
    ]
    confidence = support(question, standing, rarity)
    if not standing or confidence < calibration().threshold:
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
    lead = dated_claim(question, chosen, as_of)
    if lead is not None:
        # What the calendar date rests on is cited, and so numbered, first.
        first = [e for n, e in enumerate(chosen, 1) if n in lead.citations]
        chosen = first + [e for n, e in enumerate(chosen, 1) if n not in lead.citations]
        lead = dated_claim(question, chosen, as_of)
    claims = [*([lead] if lead else []), *_quoted(question, chosen)]
    return Answer(
        question=asked,
        status=Status.ANSWERED,
        engine=ENGINE,
        confidence=confidence,
        text="\n\n".join(claim.text for claim in claims),
        claims=tuple(claims),
        citations=tuple(_cited(n, e) for n, e in enumerate(chosen, 1)),
        dates=answer_dates(chosen, as_of) if question.wanted in TIME_KINDS else (),
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


def _quoted(question: Question, chosen: Sequence[Evidence]) -> list[Claim]:
    """The sentences as they stand, the value asked for in bold; the same words are said once."""
    said: list[tuple[frozenset[str], list[int]]] = []
    for number, e in enumerate(chosen, 1):
        terms = frozenset(content_terms(e.text))
        alike = next((numbers for other, numbers in said if _same(terms, other)), None)
        if alike is None:
            said.append((terms, [number]))
        else:
            alike.append(number)
    claims = []
    for _, numbers in said:
        e = chosen[numbers[0] - 1]
        text, bold = e.text, _value(question, e)
        if bold is not None:
            text = f"{text[: bold.start]}**{text[bold.start : bold.end]}**{text[bold.end :]}"
        text = _FOOTNOTE.sub(f"[{_WORD_JOINER}", text)
        claims.append(Claim(f"{text} {''.join(f'[{n}]' for n in numbers)}", tuple(numbers)))
    return claims


# An article's own "[3]" must not pass for a citation: a character without width sets it apart.
_FOOTNOTE = re.compile(r"\[(?=\d+\])")
_WORD_JOINER = "\u2060"

SAME_WORDS = 0.85
"""Of the shorter sentence's content words, from which two sentences say the same."""


def _same(a: frozenset[str], b: frozenset[str]) -> bool:
    return len(a & b) >= SAME_WORDS * max(1, min(len(a), len(b)))


def _value(question: Question, e: Evidence) -> Span | None:
    """Where the sentence states what the question asks for, counted from its own start."""
    if question.wanted in TIME_KINDS:
        t = best_time(question, e)
        return Span(t.start - e.sentence.start, t.end - e.sentence.start) if t else None
    found = values(question, e.text, e.hit.passage.text)
    return Span(found[0].start, found[0].end) if found else None


def _agreement(question: Question, chosen: Sequence[Evidence]) -> tuple[Agreement, ...]:
    """The values for the question with the citations that state each; times by their words."""
    grouped: dict[str, tuple[str, list[int]]] = {}
    for number, e in enumerate(chosen, 1):
        if question.wanted in TIME_KINDS:
            t = best_time(question, e)
            found = [(t.phrase.casefold(), t.phrase)] if t else []
        else:
            found = [
                (value.normal, value.text)
                for value in values(question, e.text, e.hit.passage.text)[:1]
            ]
        for normal, text in found:
            grouped.setdefault(normal, (text, []))[1].append(number)
    return tuple(Agreement(text, tuple(numbers)) for text, numbers in grouped.values())
