"""What the articles hold on a question: one reading of the index, searched, its sentences ranked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from assistant.finding.rerank import Reranker
from assistant.finding.select import CANDIDATES, Rarity, select
from assistant.finding.support import NOWHERE, calibration
from assistant.finding.undated import dated_by_others
from assistant.finding.values import TIME_KINDS
from assistant.language.words import content_terms
from assistant.question.limits import Limits, limits
from assistant.question.question import Question
from assistant.question.spelling import respelled, spelled_out
from assistant.question.turns import Parts
from assistant.question.understand import understand, without
from assistant.schema import Evidence, Hit
from indexing.schema import EVERYTHING, Filters, Passage, SourceInfo
from indexing.store.vectors import VectorReader, VectorsUnavailable
from indexing.store.view import View

PASSAGES = 12
"""Passages whose sentences are considered; the reranker reads sentences, not them."""
LEAST_CANDIDATES = 8
"""Sentences read for each part of a question of several."""

Search = Callable[[str, int, Filters], list[Hit]]


class Snapshot:
    """One view of the index as `retrieve.Index`: passages by meaning and by words."""

    def __init__(self, view: View, vectors: VectorReader) -> None:
        self._view = view
        self._vectors = vectors

    def dense(
        self, vector: NDArray[np.float32], k: int, filters: Filters
    ) -> list[tuple[int, float]]:
        """(passage id, cosine) of the nearest, from Chroma; by a scan where it cannot answer."""
        if filters != EVERYTHING:
            return self._view.exact(vector, k, filters)
        try:
            main = self._view.main
            near = self._vectors.nearest(main.chroma_folder, main.generation, vector, k)
        except VectorsUnavailable:
            return self._view.exact(vector, k)
        known = main.passages_of_vectors([key for key, _ in near])
        found = [(identity, score) for key, score in near for identity in known.get(key, ())]
        if beside := self._view.beside(vector, k):
            found = sorted(found + beside, key=lambda pair: -pair[1])
        return found[:k]

    def lexical(self, match: str, k: int, filters: Filters) -> list[tuple[int, float]]:
        return self._view.lexical(match, k, filters)

    def passages(self, ids: Sequence[int]) -> dict[int, tuple[Passage, SourceInfo]]:
        found = self._view.passages(ids)
        return {identity: (stored.passage, stored.info) for identity, stored in found.items()}


class KnownArticles:
    """The articles that a question may name; those of the main index are read once for each state
    of it."""

    def __init__(self) -> None:
        self._known: dict[int, list[SourceInfo]] = {}

    def of(self, view: View, filters: Filters) -> list[SourceInfo]:
        if filters.sources:
            return view.sources(Filters(sources=filters.sources))
        generation = view.main.generation
        articles = self._known.get(generation)
        if articles is None:
            articles = view.main.sources()
            self._known.clear()
            self._known[generation] = articles
        return view.together(articles)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found for a question, or for one part of it.

    `evidence` holds its sentences, best first, and `passages` those they are from; `alike` gives, for
    words of the question that no article has, what the articles have instead: read in their place,
    or, for a name, only suggested. Once it is weighed, `evidence` holds only sentences whose quotes
    stand in their files, `moved` says that there were others, and `confidence` (0 to 1) is the
    calibrated support of the rest.
    """

    question: Question
    evidence: tuple[Evidence, ...]
    limits: Limits
    passages: tuple[Passage, ...] = ()
    alike: Mapping[str, str] = field(default_factory=dict)
    confidence: float = 0.0
    moved: bool = False

    @property
    def answers(self) -> bool:
        return bool(self.evidence) and self.confidence >= calibration().threshold


@dataclass(frozen=True, slots=True)
class Finder:
    """Finds sentences in one view of the index, within `filters`; times in words are counted from
    `as_of`, and `articles` are those a question may name."""

    view: View
    search: Search
    reranker: Reranker | None
    articles: Sequence[SourceInfo]
    filters: Filters
    as_of: date

    def find(self, text: str, parts: Parts) -> Finding:
        """One of the parts of a question as understood, and the sentences found for it."""
        limited = limits(text, self.filters, self.articles, self.as_of)
        question, hits, alike = self._retrieved(_asked(limited, parts), limited.filters)
        most = max(CANDIDATES // len(parts.texts), LEAST_CANDIDATES)
        rarity = self.view.rarity
        evidence = select(question, hits, self.reranker, self.view.times_between, rarity, most)
        if question.wanted in TIME_KINDS:
            evidence = dated_by_others(self.view, evidence, [hit.info for hit in hits])
        passages = tuple(hit.passage for hit in hits)
        return Finding(question, tuple(evidence), limited, passages, alike)

    def _retrieved(
        self, question: Question, filters: Filters
    ) -> tuple[Question, list[Hit], dict[str, str]]:
        """The passages for a question; once more as the first ones spell its words and
        abbreviations."""
        hits = self.search(question.text, PASSAGES, filters)
        texts = list(dict.fromkeys(hit.passage.text for hit in hits))
        read, alike = respelled(question, texts, _known_to(self.view.rarity))
        read = spelled_out(read, texts)
        if read is question:
            return question, hits, alike
        return read, self.search(read.text, PASSAGES, filters), alike


def _asked(limited: Limits, parts: Parts) -> Question:
    """What one part of a question asks, apart from its limits."""
    asked = understand(limited.text)
    if limited.said:  # what only limits need not stand in an answer
        asked = without(asked, content_terms(" ".join(limited.said)))
    if parts.joint:  # a clause names no topic of its own
        asked = replace(asked, is_topic=False)
    if parts.focus:
        asked = replace(asked, focus=content_terms(parts.focus))
    return asked


def _known_to(rarity: Rarity) -> Callable[[str], bool]:
    return lambda word: rarity(word) < NOWHERE
