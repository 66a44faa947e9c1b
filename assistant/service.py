"""One `ask()` for every front door: understand, retrieve, rerank, answer, verify, cite.

The steps are LangChain runnables over a LangChain retriever; each question reads one snapshot of
the index, so that a run of `dateline index` beside it is seen whole or not at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assistant import quotes
from assistant.rerank import Reranker, open_reranker
from assistant.retrieve import Retriever, as_langchain
from assistant.schema import Answer, Claim, Evidence, Hit
from assistant.support import signals
from assistant.understand import Question, spelled_out, understand
from assistant.verify import QuoteVerifier
from indexing.catalog import Catalog, View, check_meta, read_meta
from indexing.clean import searchable
from indexing.embed import Embedder, open_embedder
from indexing.errors import CorpusError, SettingsError
from indexing.schema import EVERYTHING, Filters, Passage, SourceInfo
from indexing.settings import Settings
from indexing.vectors import VectorReader, VectorsUnavailable

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable

LONGEST_QUESTION = 4_000
"""Characters of a question that are read."""
PASSAGES = 12
"""Passages whose sentences are considered; the reranker reads sentences, not them."""


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
            near = self._vectors.nearest(self._view.chroma_folder, self._view.generation, vector, k)
        except VectorsUnavailable:
            return self._view.exact(vector, k)
        known = self._view.passages_of_vectors([key for key, _ in near])
        return [(identity, score) for key, score in near for identity in known.get(key, ())][:k]

    def lexical(self, match: str, k: int, filters: Filters) -> list[tuple[int, float]]:
        return self._view.lexical(match, k, filters)

    def passages(self, ids: Sequence[int]) -> dict[int, tuple[Passage, SourceInfo]]:
        found = self._view.passages(ids)
        return {identity: (stored.passage, stored.info) for identity, stored in found.items()}


@dataclass(frozen=True, slots=True)
class Examined:
    """A question as it was understood, the sentences found for it, and the signals of support."""

    question: Question
    evidence: list[Evidence]
    signals: dict[str, float]


class Assistant:
    """Answers questions from one index. Safe to share between threads."""

    def __init__(
        self,
        catalog: Catalog,
        vectors: VectorReader,
        embedder: Embedder,
        reranker: Reranker | None,
        settings: Settings,
    ) -> None:
        self._catalog = catalog
        self._vectors = vectors
        self._embedder = embedder
        self._reranker = reranker
        self._settings = settings
        self._verifier = QuoteVerifier(settings)

    def ask(
        self,
        question: str,
        history: Sequence[tuple[str, str]] = (),
        filters: Filters | None = None,
        as_of: date | None = None,
    ) -> Answer:
        """The answer to `question`; `history` holds earlier (question, answer) turns, oldest first.

        `as_of` is the day deadlines are measured against, today unless given.
        Raises SettingsError for an empty question, StoreError when the index cannot be read.
        """
        if not question.strip():
            raise SettingsError("the question is empty")
        question = question[:LONGEST_QUESTION]
        with self._catalog.view() as view:
            chain = self._chain(view, filters or Filters(), as_of or date.today())
            answer: Answer = chain.invoke({"asked": question, "history": tuple(history)})
        return answer

    def stream(
        self,
        question: str,
        history: Sequence[tuple[str, str]] = (),
        filters: Filters | None = None,
        as_of: date | None = None,
    ) -> Iterator[Claim | Answer]:
        """The verified claims as they are ready, then the whole answer."""
        answer = self.ask(question, history, filters, as_of)
        yield from answer.claims
        yield answer

    def examine(
        self,
        question: str,
        history: Sequence[tuple[str, str]] = (),
        filters: Filters | None = None,
    ) -> Examined:
        """What an answer to `question` would rest on, before it is decided whether to give one."""
        with self._catalog.view() as view:
            asked = understand(question[:LONGEST_QUESTION], history)
            retriever = self._retriever(view)
            asked, hits = _retrieved(asked, lambda text: retriever.search(text, PASSAGES, filters))
            evidence = quotes.select(asked, hits, self._reranker, view.times_between)
            return Examined(asked, evidence, signals(asked, evidence, view.rarity))

    def search(self, query: str, k: int = 10, filters: Filters | None = None) -> list[Hit]:
        """The `k` best passages for `query`, best first."""
        if not query.strip():
            raise SettingsError("the query is empty")
        with self._catalog.view() as view:
            retriever = self._retriever(view, self._reranker)
            return retriever.search(searchable(query[:LONGEST_QUESTION]), k, filters)

    def sources(self) -> list[SourceInfo]:
        """The articles of the index, sorted by source."""
        with self._catalog.view() as view:
            return view.sources()

    def source_text(self, source: str) -> str:
        """The characters that citations of `source` point into; CorpusError for an unknown one."""
        with self._catalog.view() as view:
            text = view.text_of(source)
        if text is None:
            raise CorpusError(f"there is no article {source!r} in the index")
        return text

    def starters(self, most: int = 4) -> list[str]:
        """Questions to begin with, one for each of the newest articles."""
        newest = sorted(
            self.sources(), key=lambda info: (info.published or date.min, info.source), reverse=True
        )
        titles = dict.fromkeys(info.title for info in newest if info.voice == info.source)
        return [f"What is reported in “{title}”?" for title in titles][:most]

    def close(self) -> None:
        self._vectors.close()
        self._catalog.close()

    def _retriever(self, view: View, reranker: Reranker | None = None) -> Retriever:
        return Retriever(Snapshot(view, self._vectors), self._embedder, reranker)

    def _chain(self, view: View, filters: Filters, as_of: date) -> Runnable[Any, Answer]:
        """The steps of one question: {"asked", "history"} in, an Answer out."""
        from langchain_core.runnables import RunnableLambda

        retriever = as_langchain(self._retriever(view), k=PASSAGES, filters=filters)
        laps = _Laps()

        def understood(state: dict[str, Any]) -> dict[str, Any]:
            return {**state, "question": understand(state["asked"], state["history"])}

        def retrieved(state: dict[str, Any]) -> dict[str, Any]:
            with laps.lap("retrieve"):
                question, hits = _retrieved(
                    state["question"],
                    lambda text: [found.metadata["hit"] for found in retriever.invoke(text)],
                )
            return {**state, "question": question, "hits": hits}

        def selected(state: dict[str, Any]) -> dict[str, Any]:
            with laps.lap("answer"):
                evidence = quotes.select(
                    state["question"], state["hits"], self._reranker, view.times_between
                )
            return {**state, "evidence": evidence}

        def composed(state: dict[str, Any]) -> Answer:
            with laps.lap("verify"):
                answer = quotes.compose(
                    state["question"],
                    state["evidence"],
                    asked=state["asked"],
                    as_of=as_of,
                    max_quotes=self._settings.max_quotes,
                    verify=partial(self._verifier.holds, view),
                    rarity=view.rarity,
                )
            return replace(answer, timings_ms=laps.ms)

        return (
            RunnableLambda(understood)
            | RunnableLambda(retrieved)
            | RunnableLambda(selected)
            | RunnableLambda(composed)
        )


def _retrieved(
    question: Question, search: Callable[[str], list[Hit]]
) -> tuple[Question, list[Hit]]:
    """The passages for a question; once more with its abbreviations as the first ones spell them."""
    hits = search(question.text)
    spelled = spelled_out(question, dict.fromkeys(hit.passage.text for hit in hits))
    return (question, hits) if spelled is question else (spelled, search(spelled.text))


class _Laps:
    """Milliseconds spent in the named steps."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}

    @contextmanager
    def lap(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.ms[name] = round((time.perf_counter() - started) * 1000, 1)


def open_assistant(settings: Settings) -> Assistant:
    """The assistant of the index at `settings.index`, with the models that `settings` name.

    Raises IndexMissing, IndexMismatch, SettingsError.
    """
    if settings.engine != quotes.ENGINE:
        raise SettingsError(
            f"DATELINE_ENGINE is {settings.engine!r}; the engine there is, is {quotes.ENGINE!r}"
        )
    meta = read_meta(settings.index)
    embedder = open_embedder(settings.embedder, settings.threads)
    check_meta(meta, settings.index, embedder.name, embedder.dimension)
    return Assistant(
        Catalog(settings.index),
        VectorReader(settings.index),
        embedder,
        open_reranker(settings.reranker, settings.threads),
        settings,
    )
