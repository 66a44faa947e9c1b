"""From passages to the sentences that answer: ranked, and the few that are shown chosen.

Answer sentence selection (Garg, Vu and Moschitti 2020, "TANDA", for the task): a cross-encoder reads
each sentence with the question; the question's own words and the kind of value asked for add to it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from assistant.finding.rerank import Reranker
from assistant.finding.values import TIME_KINDS, has_value, value_of
from assistant.language.quantities import numbers_of
from assistant.language.words import STOPWORDS, content_terms, stem, words
from assistant.question.question import Question, Wanted
from assistant.schema import Evidence, Hit
from indexing.schema import Sentence, TimeExpression

CANDIDATES = 14
"""Sentences the cross-encoder reads for one question, some 8 ms each on one core. Of the answers it
finds among forty, it misses one in a hundred."""
AGAIN = 3
"""Of the best, those read once more in their context."""
WANTING = 2.5
"""Logits a sentence loses that holds no value of the kind asked for."""
SENTENCE = 1.0
PASSAGE = 1.0
"""Logits for all of the question's words in the sentence, and in its passage."""
ON_TOPIC = 6.0
"""Instead of SENTENCE where only a topic is named: what is on it is told by its words."""
ENOUGH = 0.98
"""Of the probability that some sentence read answers: what the shown ones must hold together."""
FAR = 8.0
FAR_FROM_ALL = 4.5
"""Logits behind the best from which a sentence is not shown, whatever is missing; fewer where all
there is on a matter is asked for."""
NEW_VALUE = 1.0
TWIN_GAIN = 3.0
"""Logits for stating another value than those shown, and for doing so in the words of one of them:
where sources differ, both are to be seen."""
WORDS = 110
"""Words of the quotes together, from which nothing is added."""
OPENING_WORDS = 45
"""The most that a sentence and the one before it may hold to be quoted together."""
TWINS = 0.7
"""Share of words two sentences have in common that tell one thing with one thing changed."""

Rarity = Callable[[str], float]
"""Inverse document frequency of a word, 0 (in every passage) to 1 (in none)."""
Times = Callable[[str, int, int], Sequence[TimeExpression]]
"""The time expressions of `source` between `start` and `end`; see `View.times_between`."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A sentence before it is read: `promise` is what its words alone say of it."""

    hit: Hit
    i: int
    sentence: Sentence
    text: str
    times: tuple[TimeExpression, ...]
    in_sentence: float
    wanting: bool
    promise: float


def select(
    question: Question,
    hits: Sequence[Hit],
    reranker: Reranker | None,
    times: Times,
    rarity: Rarity,
    most: int = CANDIDATES,
) -> list[Evidence]:
    """The sentences of the hits, best first; at most `most` of them, the most promising, are read."""
    weights = {term: rarity(term) for term in question.terms}
    candidates = [c for hit in hits for c in _of(question, hit, times, weights)]
    candidates.sort(key=lambda c: -c.promise)
    del candidates[most:]
    if reranker is None:
        scores = [10 * c.promise for c in candidates]
    else:
        texts = [in_context(c.hit, c.i) for c in candidates]
        scores = [float(score) for score in reranker.scores(question.text, texts)]
    in_passage = {id(hit): coverage(question, known_of(hit), weights) for hit in hits}
    own = ON_TOPIC if question.is_topic else SENTENCE
    evidence = [
        Evidence(
            sentence=c.sentence,
            text=c.text,
            hit=c.hit,
            relevance=score
            + own * c.in_sentence
            + PASSAGE * in_passage[id(c.hit)]
            - WANTING * c.wanting,
            logit=score,
            covers=c.in_sentence,
            times=c.times,
        )
        for score, c in zip(scores, candidates, strict=True)
    ]
    evidence.sort(key=lambda e: -e.relevance)
    return evidence if reranker is None else _with_context(question, evidence, reranker)


def _with_context(
    question: Question, evidence: list[Evidence], reranker: Reranker
) -> list[Evidence]:
    """The best sentences read once more, with the ones around them: whether anything answers is told
    better so, though not which sentence does."""
    first = evidence[:AGAIN]
    read = reranker.scores(question.text, [_around(e) for e in first])
    again = [replace(e, context=float(score)) for e, score in zip(first, read, strict=True)]
    return again + evidence[AGAIN:]


def _around(e: Evidence) -> str:
    passage = e.hit.passage
    i = place_of(e)
    start = passage.sentences[max(0, i - 1)].start
    end = passage.sentences[min(len(passage.sentences) - 1, i + 1)].end
    return f"{e.hit.info.title}. {passage.text[start - passage.start : end - passage.start]}"


def place_of(e: Evidence) -> int:
    """Which sentence of its passage the evidence is."""
    sentences = e.hit.passage.sentences
    return next((n for n, s in enumerate(sentences) if s.start <= e.sentence.start < s.end), 0)


def _of(
    question: Question, hit: Hit, times: Times, weights: dict[str, float]
) -> Iterator[_Candidate]:
    """The sentences of a passage, with what their words say of them."""
    passage = hit.passage
    title = stems_of(hit.info.title)
    header = stems_of(f"{hit.info.publisher or ''} {hit.info.published or ''}")
    # A sentence of these words alone tells nothing: a byline, the title of what is asked about.
    # But a title that is the very topic may be what is sought.
    is_asked = question.is_topic != (title <= question.stems)
    said = header | (title if is_asked and len(passage.sentences) > 1 else frozenset())
    before: frozenset[str] = frozenset()
    for i, (sentence, text, own) in enumerate(sentences_of(hit, times)):
        stems = stems_of(text)
        is_on_it = not question.focus or any(
            question.is_supported(t, stems | before) for t in question.focus
        )
        if stems - said and is_on_it:
            in_sentence = coverage(question, stems, weights)
            in_context = coverage(question, stems | title | before, weights)
            wanting = not has_value(question, text, own, hit.info.published)
            promise = in_sentence + 0.5 * in_context + 2 * hit.fused - 0.4 * wanting
            yield _Candidate(hit, i, sentence, text, own, in_sentence, wanting, promise)
        before = stems


def sentences_of(
    hit: Hit, times: Times
) -> Iterator[tuple[Sentence, str, tuple[TimeExpression, ...]]]:
    """The sentences of a passage as they may be quoted, with their text and their times."""
    passage = hit.passage
    stated = times(passage.source, passage.start, passage.end)
    for i, whole in enumerate(passage.sentences):
        sentence, text = quotable(whole, _sentence_text(hit, i))
        own = tuple(t for t in stated if sentence.start <= t.start and t.end <= sentence.end)
        yield sentence, text, own


def in_context(hit: Hit, i: int) -> str:
    """The sentence as the cross-encoder reads it: a headline says what a sentence leaves out, and so
    does the sentence before one that leans on it."""
    text = _sentence_text(hit, i)
    before = f"{_sentence_text(hit, i - 1)} " if i and LEANS.match(text) else ""
    return f"{hit.info.title}. {before}{text}"


_BULLET = re.compile(r"(?:[•▪●■◦‣►]\s*|[-*+>#]+\s+)+(?=\S)")


def quotable(sentence: Sentence, text: str) -> tuple[Sentence, str]:
    """A sentence without the bullet before it."""
    bullet = _BULLET.match(text)
    cut = bullet.end() if bullet else 0
    return Sentence(sentence.start + cut, sentence.end), text[cut:]


def _sentence_text(hit: Hit, i: int) -> str:
    sentence, offset = hit.passage.sentences[i], hit.passage.start
    return hit.passage.text[sentence.start - offset : sentence.end - offset]


def stems_of(text: str) -> frozenset[str]:
    return frozenset(stem(term) for term in content_terms(text))


def known_of(hit: Hit) -> frozenset[str]:
    """The stems of a passage and of all that is known of its article."""
    info = hit.info
    day = info.published.strftime("%d %B %Y") if info.published else ""
    return stems_of(f"{info.title} {info.publisher or ''} {day} {hit.passage.text}")


def coverage(question: Question, stems: frozenset[str], weights: dict[str, float]) -> float:
    """The share of the question's words, each weighed by its rarity, that a text has; 0 to 1."""
    total = sum(w + COMMON for w in weights.values())
    held = sum(w + COMMON for term, w in weights.items() if question.is_supported(term, stems))
    return held / total if total else 0.0


COMMON = 0.05
"""What a word counts that stands in every passage: on the one matter of a small corpus, all may."""


# --- the few that are shown --------------------------------------------------------------------


def choose(question: Question, evidence: Sequence[Evidence], most: int) -> list[Evidence]:
    """The shortest set of sentences, at most `most`, that likely holds the answer, best first.

    Each sentence's probability is its share of exp(relevance) (a softmax); sentences are added until
    they hold ENOUGH of it, one that states another value sooner. A comparison hears every voice.
    """
    distinct = distinct_of(evidence)
    if not distinct:
        return []
    best = distinct[0].relevance
    hears_all = question.wanted in (Wanted.COMPARISON, Wanted.LIST)
    far = FAR_FROM_ALL if hears_all or question.is_topic else FAR
    near = [e for e in distinct if e.relevance > best - far]
    mass = sum(math.exp(e.relevance - best) for e in distinct)
    values = {id(e): _told(question, e) for e in near}
    chosen = [near[0]]
    held = 1 / mass
    left = near[1:]
    while left and len(chosen) < most:
        shown = {values[id(c)] for c in chosen} | {None}  # no value is not a new one
        voices = {c.hit.info.voice for c in chosen}
        twins = {id(e) for e in left if any(is_twin(e, c) for c in chosen)}

        def worth(
            e: Evidence,
            shown: set[str | None] = shown,
            voices: set[str] = voices,
            twins: set[int] = twins,
        ) -> float:
            if id(e) in twins:
                return e.relevance + TWIN_GAIN
            is_new = values[id(e)] not in shown
            unheard = question.wanted is Wanted.COMPARISON and e.hit.info.voice not in voices
            return e.relevance + NEW_VALUE * is_new + 3 * unheard

        pick = max(left, key=worth)
        left.remove(pick)
        if any(is_same(pick.text, c.text) for c in chosen):
            continue
        said = sum(len(c.text.split()) for c in chosen)
        long = said + len(pick.text.split()) > WORDS
        if id(pick) not in twins and not hears_all and (held >= ENOUGH or long):
            continue
        chosen.append(pick)
        held += math.exp(pick.relevance - best) / mass
    return chosen


def _told(question: Question, e: Evidence) -> str | None:
    """What a sentence states for the question; of times all that it has, for each may be news."""
    if question.wanted in TIME_KINDS:
        return " ".join(t.phrase.casefold() for t in e.times) or None
    value = value_of(question, e)
    return value.meaning if value else None


def distinct_of(evidence: Sequence[Evidence]) -> list[Evidence]:
    """Without the copies: a voice says a sentence once."""
    kept: dict[tuple[str, tuple[str, ...]], Evidence] = {}
    for e in evidence:
        kept.setdefault((e.hit.info.voice, content_terms(e.text)), e)
    return list(kept.values())


SAME_WORDS = 0.85
"""Of the shorter sentence's content words, from which two sentences say the same."""


def is_same(a: str, b: str) -> bool:
    """Whether two sentences say the same: nearly the same words, the same numbers, and no name or
    negation changed."""
    one, two = set(content_terms(a)), set(content_terms(b))
    if len(one & two) < SAME_WORDS * max(1, min(len(one), len(two))):
        return False
    return numbers_of(a) == numbers_of(b) and _is_denied(a) == _is_denied(b) and not changed(a, b)


_DENIAL = re.compile(
    r"\b(?:not|no|never|none|neither|nor|without|cannot)\b|n['’]t\b", re.IGNORECASE
)


def _is_denied(text: str) -> bool:
    return bool(_DENIAL.search(text))


def is_twin(a: Evidence, b: Evidence) -> bool:
    """Whether two articles tell one thing in nearly the same words, but for a name or number."""
    if a.hit.passage.source == b.hit.passage.source:
        return False
    one, two = content_terms(a.text), content_terms(b.text)
    common = len(set(one) & set(two))
    return common >= TWINS * max(1, min(len(one), len(two))) and changed(a.text, b.text)


_NAME_WORD = re.compile(r"\b[A-Z][\w’'-]*")


def changed(a: str, b: str) -> bool:
    """Whether each of two texts has a name or number that the other has not."""
    return bool(_marked(a) - _every(b)) and bool(_marked(b) - _every(a))


def _marked(text: str) -> set[str]:
    names = {w for m in _NAME_WORD.finditer(text) for w in words(m.group())}
    return (names - STOPWORDS - _OPENERS) | numbers_of(text)


_OPENERS = frozenset(
    "meanwhile however separately additionally earlier later overall yesterday today nevertheless".split()
)


def _every(text: str) -> set[str]:
    return set(words(text)) | numbers_of(text)


LEANS = re.compile(
    r"\W*(?:(?:but|and|however|then|also|yet|so|still|meanwhile|instead|therefore|thus)\b[,\s]*)?"
    r"(?:it|its|he|she|they|his|her|their|this|that|these|those|both|such|here|there|one|the latter|the former|"
    r"the (?:bloc|deal|agreement|pact|company|firm|group|plan|bill|law|act|move|country|nation|organi[sz]ation|"
    r"agency|bank|minister|president|team|court|report|study|accord|treaty|project|program(?:me)?|measure|initiative))\b",
    re.IGNORECASE,
)


def with_opening(e: Evidence) -> tuple[Sentence, str]:
    """The sentence to quote, with the one before it where it leans on that: "It", "the bloc"."""
    passage = e.hit.passage
    place = place_of(e)
    if place == 0 or not LEANS.match(e.text):
        return e.sentence, e.text
    both = Sentence(passage.sentences[place - 1].start, e.sentence.end)
    sentence, text = quotable(
        both, passage.text[both.start - passage.start : both.end - passage.start]
    )
    if len(text.split()) > OPENING_WORDS or "\n\n" in text:
        return e.sentence, e.text
    return sentence, text
