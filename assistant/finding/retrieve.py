"""From a question to ranked passages: by meaning and by words, fused, then read by a cross-encoder.

1. The nearest passages by cosine similarity, and the best by BM25 over SQLite's full-text index.
2. Both scores are added (a convex combination: Bruch, Gai and Ingber 2023, arXiv:2210.11934, who
   find it better than reciprocal ranks; so did our development questions).
3. A passage beside a good one gains a little: an answer is often the sentence after the one that
   has the question's words.
4. Of the best passages, the cross-encoder reads the few sentences with most of the question's
   words, which costs a third of reading them whole and ranks better.
5. Each further passage of one voice (an article and its copies) loses a little, so that several
   articles are heard.

The weights were set on one half of seven public benchmarks' development questions; they lie on a
plateau: none of them matters to the second digit.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from assistant.finding.rerank import Reranker
from assistant.language.words import QUERY_STOPWORDS, stem
from assistant.schema import Hit
from indexing.schema import Filters, Passage, SourceInfo

if TYPE_CHECKING:
    from langchain_core.callbacks import CallbackManagerForRetrieverRun
    from langchain_core.documents import Document
    from langchain_core.retrievers import BaseRetriever

POOL = 100
"""Passages asked of each of the two indexes."""
CONSIDERED = 80
"""Of these, the best by fused score that are looked at more closely."""
READ = 10
"""Passages the cross-encoder reads from."""
WINDOW_CHARS = 300
"""The most it reads of one passage: some 10 ms on one core."""

LEXICAL_SHARE = 0.4
"""Of the fused score; the rest is cosine similarity."""
NEIGHBOUR_SHARE = 0.2
"""Of the better neighbour's fused score, given to a passage."""
LOGIT_WEIGHT = 0.7 / 14
"""Of the cross-encoder's logits, which run from some -9 to 5."""
REPETITION = 0.06
"""Lost for each passage of the same voice that is ranked before."""
ADJACENT_CHARS = 200
"""The most that may stand between neighbours: a picture's caption, a newsletter box."""

LONGEST_MATCH = 64
"""Terms of a full-text query; a longer question is a document, and its first words do."""

_WORD = re.compile(r"[^\W_]+")
_COMPOUND = re.compile(r"[^\W_]+(?:[.'’&/-]{1,2}[^\W_]+)+")
_DOTTED = re.compile(r"\b(?:[A-Za-z]\.){2,}")
_CAPITALS = re.compile(r"\b[A-Z]{2,3}\b")
_QUOTED = re.compile(r"[\"“”«»]([^\"“”«»]{3,80})[\"“”«»]")


class Embeds(Protocol):
    """The part of `indexing.embed.Embedder` a question needs."""

    def embed_query(self, text: str) -> NDArray[np.float32]: ...


class Index(Protocol):
    """What `Retriever` reads. Passages are known by number."""

    def dense(
        self, vector: NDArray[np.float32], k: int, filters: Filters
    ) -> list[tuple[int, float]]:
        """The `k` nearest passages and their cosine similarities, nearest first."""
        ...

    def lexical(self, match: str, k: int, filters: Filters) -> list[tuple[int, float]]:
        """The `k` best passages for an FTS5 expression and their BM25, larger is better."""
        ...

    def passages(self, ids: Sequence[int]) -> Mapping[int, tuple[Passage, SourceInfo]]:
        """The passages with these numbers; numbers no longer known are left out."""
        ...


def query_terms(question: str) -> tuple[str, ...]:
    """The words that carry meaning, lower case, each once, in order; all words if none does.

    "US", "WHO" and "IT" in capitals are names.
    """
    shouted = question.isupper()
    parts = {part for whole in _COMPOUND.findall(question) for part in _WORD.findall(whole)}
    words = [w for w in _WORD.findall(question) if len(w) > 1 or w not in parts]
    kept = [
        w
        for w in words
        if w.lower() not in QUERY_STOPWORDS or (w.isupper() and len(w) > 1 and not shouted)
    ]
    return tuple(dict.fromkeys(word.lower() for word in kept or words))


def match_expression(question: str) -> str:
    """The question as an FTS5 expression: any of its words; "" when it has none.

    What is written as one ("U.S.-Mexico", "60-day") or stands in quotation marks counts once more
    where it stands together. Abbreviations are found with and without full stops.
    """
    phrases = [*_COMPOUND.findall(question), *_QUOTED.findall(question)]
    together = [" ".join(_WORD.findall(phrase.lower())) for phrase in phrases]
    dotted = [_joined(whole) for whole in _DOTTED.findall(question)]
    capitals = [] if question.isupper() else _CAPITALS.findall(question)
    spelled = [" ".join(word.lower()) for word in capitals]
    wanted = dict.fromkeys([*query_terms(question), *dotted, *together, *spelled])
    return " OR ".join(f'"{phrase}"' for phrase in [p for p in wanted if p][:LONGEST_MATCH])


def _joined(dotted: str) -> str:
    return dotted.replace(".", "").lower()


def fuse(dense: Mapping[int, float], lexical: Mapping[int, float]) -> dict[int, float]:
    """Cosine and BM25 (as a share of the best) added by their weights.

    A passage that only words found gets the lowest cosine listed: its own is no higher.
    """
    lowest = min(dense.values(), default=0.0)
    best = max(lexical.values(), default=0.0) or 1.0
    return {
        passage: (1 - LEXICAL_SHARE) * dense.get(passage, lowest)
        + LEXICAL_SHARE * max(0.0, lexical.get(passage, 0.0)) / best
        for passage in dense.keys() | lexical.keys()
    }


def with_neighbours(
    scores: Mapping[int, float], passages: Mapping[int, Passage]
) -> dict[int, float]:
    """The scores of `passages`, each raised by a share of its better neighbour's."""
    raised = {passage: scores[passage] for passage in passages}
    in_order = sorted(passages, key=lambda n: (passages[n].source, passages[n].start))
    gains: dict[int, float] = {}
    for left, right in pairwise(in_order):
        a, b = passages[left], passages[right]
        if a.source == b.source and b.start - a.end <= ADJACENT_CHARS:
            gains[left] = max(gains.get(left, 0.0), scores[right])
            gains[right] = max(gains.get(right, 0.0), scores[left])
    for passage, gain in gains.items():
        raised[passage] += NEIGHBOUR_SHARE * gain
    return raised


def windows(question: str, passages: Sequence[Passage]) -> list[str]:
    """Of each passage the consecutive sentences, up to WINDOW_CHARS, that say most of `question`.

    A word counts by how few of the passages have it; of equals the shorter run is taken.
    """
    wanted = _stems(question)
    cut = [[_sentence(passage, i) for i in range(len(passage.sentences))] for passage in passages]
    found = [[_stems(sentence) & wanted for sentence in sentences] for sentences in cut]
    having = Counter(stem for stems in found for stem in frozenset[str]().union(*stems))
    rarity = {
        stem: math.log(1 + (len(passages) + 0.5) / (having[stem] + 0.5)) for stem in sorted(wanted)
    }
    return [
        _best_run(sentences, stems, rarity) for sentences, stems in zip(cut, found, strict=True)
    ]


def _best_run(
    sentences: Sequence[str], stems: Sequence[Collection[str]], rarity: Mapping[str, float]
) -> str:
    best, first, last = -math.inf, 0, 1
    for i in range(len(sentences)):
        seen: set[str] = set()
        worth, chars = 0.0, -1
        for j in range(i, len(sentences)):
            chars += len(sentences[j]) + 1
            if j > i and chars > WINDOW_CHARS:
                break
            new = [stem for stem in stems[j] if stem not in seen]
            seen.update(new)
            worth += sum(rarity[stem] for stem in new)
            if worth - chars / 1000 > best:
                best, first, last = worth - chars / 1000, i, j + 1
    return " ".join(sentences[first:last])


def _sentence(passage: Passage, i: int) -> str:
    sentence = passage.sentences[i]
    return " ".join(
        passage.text[sentence.start - passage.start : sentence.end - passage.start].split()
    )


def _stems(text: str) -> frozenset[str]:
    return frozenset(
        stem(word)
        for word in (found.lower() for found in _WORD.findall(text))
        if word not in QUERY_STOPWORDS
    )


class Retriever:
    """Searches one index. Safe to share between threads when its parts are.

    `Hit.fused` is the score hits are ranked by, after the cross-encoder and the loss for
    repetition; it is made to rank the passages of one question, not to compare questions.
    """

    def __init__(self, index: Index, embedder: Embeds, reranker: Reranker | None) -> None:
        self._index = index
        self._embedder = embedder
        self._reranker = reranker

    def search(self, question: str, k: int, filters: Filters | None = None) -> list[Hit]:
        """The `k` best passages, best first; fewer when the index holds fewer."""
        filters = filters or Filters()
        pool = max(POOL, k)
        vector = self._embedder.embed_query(question)
        dense = dict(self._index.dense(vector, pool, filters))
        match = match_expression(question)
        lexical = dict(self._index.lexical(match, pool, filters)) if match else {}
        scores = fuse(dense, lexical)
        best = sorted(scores, key=lambda n: (-scores[n], n))[: max(CONSIDERED, k)]
        known = self._index.passages(best)
        scores = with_neighbours(scores, {n: known[n][0] for n in best if n in known})
        scores = self._reread(question, scores, known)
        ranked = _spread(scores, {n: known[n][1].voice for n in scores}, k)
        # What lies behind the sixth digit hangs on how many cores a vector was reckoned with.
        return [
            Hit(*known[n], dense.get(n), lexical.get(n), round(score, 6)) for n, score in ranked
        ]

    def _reread(
        self,
        question: str,
        scores: Mapping[int, float],
        known: Mapping[int, tuple[Passage, SourceInfo]],
    ) -> dict[int, float]:
        """The scores with what the cross-encoder says; what it did not read ranks like its last."""
        best = sorted(scores, key=lambda n: (-scores[n], n))[:READ]
        if self._reranker is None or not best:
            return dict(scores)
        texts = windows(question, [known[n][0] for n in best])
        logits = [float(logit) for logit in self._reranker.scores(question, texts)]
        read = dict(zip(best, logits, strict=True))
        return {n: score + LOGIT_WEIGHT * read.get(n, min(logits)) for n, score in scores.items()}


def _spread(
    scores: Mapping[int, float], voices: Mapping[int, str], k: int
) -> list[tuple[int, float]]:
    """The `k` best, each losing REPETITION for every passage of its voice before it."""
    left = dict(scores)
    heard: Counter[str] = Counter()
    ranked: list[tuple[int, float]] = []
    while left and len(ranked) < k:
        best = max(left, key=lambda n: (left[n] - REPETITION * heard[voices[n]], -n))
        ranked.append((best, left.pop(best) - REPETITION * heard[voices[best]]))
        heard[voices[best]] += 1
    return ranked


def as_langchain(search: Callable[[str], list[Hit]], with_hit: bool = False) -> BaseRetriever:
    """`search` as a LangChain retriever, for chains of other people's and our own.

    A document's text is the passage's; its metadata are `source`, `start`, `end`, `title`,
    `publisher`, `published` (ISO 8601 or None), `url` and `score`: plain values, which can be stored.
    `with_hit` adds the `hit` itself.
    """
    from langchain_core.retrievers import BaseRetriever

    class PassageRetriever(BaseRetriever):
        def _get_relevant_documents(
            self, query: str, *, run_manager: CallbackManagerForRetrieverRun
        ) -> list[Document]:
            return [_document(hit, with_hit) for hit in search(query)]

    return PassageRetriever()


def _document(hit: Hit, with_hit: bool) -> Document:
    from langchain_core.documents import Document

    published = hit.info.published
    document = Document(
        page_content=hit.passage.text,
        metadata={
            "source": hit.passage.source,
            "start": hit.passage.start,
            "end": hit.passage.end,
            "title": hit.info.title,
            "publisher": hit.info.publisher,
            "published": published.isoformat() if published else None,
            "url": hit.info.url,
            "score": float(hit.fused),
        },
    )
    if with_hit:
        document.metadata["hit"] = hit
    return document
