"""Retrieval over a small index in memory that keeps the contract of the real one."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from assistant.finding import retrieve
from assistant.finding.retrieve import (
    Retriever,
    as_langchain,
    fuse,
    match_expression,
    query_terms,
    windows,
    with_neighbours,
)
from indexing.chunk import passages
from indexing.schema import Filters, Passage, SourceInfo


class WordVectors:
    """Hashes words into a unit vector: repeatable, and it ranks."""

    def embed_query(self, text: str) -> NDArray[np.float32]:
        vector = np.full(64, 1e-3, dtype=np.float32)
        for word in re.findall(r"\w+", text.lower()):
            vector[blake2b(word.encode(), digest_size=1).digest()[0] % 64] += 1
        unit: NDArray[np.float32] = vector / np.linalg.norm(vector)
        return unit


class Overlap:
    """A reranker that counts the words shared, as logits, and remembers what it read."""

    name = "overlap"

    def __init__(self) -> None:
        self.read: list[str] = []

    def scores(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        self.read.extend(texts)
        wanted = set(query_terms(question))
        shared = [len(wanted & set(query_terms(text))) / len(wanted) for text in texts]
        return np.array([22 * share - 11 for share in shared], dtype=np.float32)


@dataclass
class MemoryIndex:
    """`retrieve.Index` over FTS5 in memory; vectors by WordVectors."""

    known: dict[int, tuple[Passage, SourceInfo]] = field(default_factory=dict)
    vectors: dict[int, NDArray[np.float32]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.db = sqlite3.connect(":memory:")
        self.db.execute(
            "CREATE VIRTUAL TABLE passage_text USING fts5(header, body,"
            " tokenize='porter unicode61 remove_diacritics 2')"
        )

    def add(
        self,
        source: str,
        text: str,
        published: date | None = None,
        voice: str | None = None,
        max_chars: int = 200,
    ) -> None:
        for passage in passages(source, text, text, (), max_chars):
            number = len(self.known) + 1
            info = SourceInfo(
                source, f"About {source}", "The Paper", published, None, "en", None, "utf-8",
                voice or source, 1,
            )  # fmt: skip
            self.known[number] = (passage, info)
            self.vectors[number] = WordVectors().embed_query(passage.text)
            self.db.execute(
                "INSERT INTO passage_text(rowid, header, body) VALUES (?, ?, ?)",
                (number, info.title, passage.text),
            )

    def _allowed(self, number: int, filters: Filters) -> bool:
        published = self.known[number][1].published
        since = filters.since is None or (published is not None and published >= filters.since)
        return since and filters.source in (None, self.known[number][1].source)

    def dense(
        self, vector: NDArray[np.float32], k: int, filters: Filters
    ) -> list[tuple[int, float]]:
        near = [
            (n, float(v @ vector)) for n, v in self.vectors.items() if self._allowed(n, filters)
        ]
        return sorted(near, key=lambda pair: -pair[1])[:k]

    def lexical(self, match: str, k: int, filters: Filters) -> list[tuple[int, float]]:
        rows = self.db.execute(
            "SELECT rowid, -bm25(passage_text, 0.5, 1.0) FROM passage_text"
            " WHERE passage_text MATCH ? ORDER BY 2 DESC",
            (match,),
        )
        return [(n, score) for n, score in rows if self._allowed(n, filters)][:k]

    def passages(self, ids: Sequence[int]) -> Mapping[int, tuple[Passage, SourceInfo]]:
        return {n: self.known[n] for n in ids if n in self.known}


BRIDGE = (
    "The old bridge over the river was closed in March. Engineers had found cracks in two piers. "
    "Repairs will cost 4 million euros and take until autumn."
)
SCHOOL = "The school in the valley opens a new library. Pupils chose the books themselves."
MARKET = "Farmers sell apples on the market square. The market closes at noon on Saturdays."


@pytest.fixture
def index() -> MemoryIndex:
    filled = MemoryIndex()
    filled.add("bridge.txt", BRIDGE, date(2026, 3, 2))
    filled.add("school.txt", SCHOOL, date(2025, 9, 1))
    filled.add("market.txt", MARKET)
    return filled


@pytest.fixture
def retriever(index: MemoryIndex) -> Retriever:
    return Retriever(index, WordVectors(), Overlap())


def test_the_passage_that_answers_comes_first(retriever: Retriever) -> None:
    hits = retriever.search("What will the repairs of the bridge cost?", 3)
    assert hits[0].passage.source == "bridge.txt"
    assert "4 million" in hits[0].passage.text
    assert hits[0].info.publisher == "The Paper"


def test_hits_come_best_first_each_once_and_at_most_k(retriever: Retriever) -> None:
    for k in (1, 2, 50):
        hits = retriever.search("market apples library", k)
        assert len(hits) <= k
        assert [h.fused for h in hits] == sorted((h.fused for h in hits), reverse=True)
        assert len({(h.passage.source, h.passage.start) for h in hits}) == len(hits)


def test_scores_say_what_each_index_found(retriever: Retriever) -> None:
    first, *rest = retriever.search("apples", 10)
    assert first.passage.source == "market.txt"
    assert first.lexical is not None
    assert first.lexical > 0
    assert first.dense is not None
    assert -1 <= first.dense <= 1.001
    assert all(hit.lexical is None for hit in rest if "apples" not in hit.passage.text.lower())


def test_filters_hold(retriever: Retriever) -> None:
    found = retriever.search("bridge school market", 10, Filters(source="school.txt"))
    assert {hit.passage.source for hit in found} == {"school.txt"}
    found = retriever.search("bridge school market", 10, Filters(since=date(2026, 1, 1)))
    assert {hit.passage.source for hit in found} == {"bridge.txt"}


def test_without_a_reranker_the_fused_order_holds(index: MemoryIndex) -> None:
    hits = Retriever(index, WordVectors(), None).search("new library in the school", 2)
    assert hits[0].passage.source == "school.txt"


def test_an_empty_index_has_no_hits() -> None:
    assert Retriever(MemoryIndex(), WordVectors(), Overlap()).search("anything", 5) == []


def test_passages_that_have_gone_since_are_left_out(index: MemoryIndex) -> None:
    for number in [n for n, (p, _) in index.known.items() if p.source == "bridge.txt"]:
        del index.known[number]
        index.vectors[number] = WordVectors().embed_query("bridge repairs")
    index._allowed = lambda number, filters: True  # type: ignore[method-assign]
    hits = Retriever(index, WordVectors(), Overlap()).search("bridge repairs", 10)
    assert {hit.passage.source for hit in hits} == {"school.txt", "market.txt"}


def test_another_article_is_heard_before_the_copy_of_one() -> None:
    index = MemoryIndex()
    index.add("a.txt", "The minister resigned on Monday over the tunnel contract.", voice="a.txt")
    for copy in ("b.txt", "c.txt", "d.txt"):
        index.add(copy, "The minister resigned on Monday over the tunnel contract.", voice="a.txt")
    index.add("other.txt", "On Monday the tunnel contract cost a minister her post: she resigned.")
    hits = Retriever(index, WordVectors(), Overlap()).search("minister resigned tunnel contract", 5)
    assert [hit.info.voice for hit in hits].index("other.txt") <= 2


def test_the_reranker_reads_few_and_short_texts() -> None:
    index = MemoryIndex()
    for n in range(60):
        index.add(f"{n}.txt", f"Report {n} says that the harvest was good. " * 30, max_chars=800)
    reranker = Overlap()
    Retriever(index, WordVectors(), reranker).search("How was the harvest?", 10)
    assert 0 < len(reranker.read) <= retrieve.READ
    assert all(len(text) <= retrieve.WINDOW_CHARS for text in reranker.read)


def test_the_window_is_where_the_question_is_answered() -> None:
    filler = "Nothing of note was said about that. " * 12
    text = f"{filler}The dam near Altdorf holds 30 million litres. {filler}"
    cut = passages("a.txt", text, text, (), 2000)
    assert windows("How much does the Altdorf dam hold?", cut) == [
        "The dam near Altdorf holds 30 million litres."
    ]


def test_a_neighbour_of_a_good_passage_gains() -> None:
    text = "One sentence stands here. " * 20
    cut = dict(enumerate(passages("a.txt", text, text, (), 120)))
    scores = {n: 1.0 if n == 1 else 0.1 for n in cut}
    raised = with_neighbours(scores, cut)
    assert raised[0] == raised[2] > raised[3]
    elsewhere = {n: replace(p, source=f"{n}.txt") for n, p in cut.items()}
    assert with_neighbours(scores, elsewhere) == scores


def test_what_only_words_found_ranks_below_what_both_found() -> None:
    fused = fuse({1: 0.8, 2: 0.5}, {1: 4.0, 3: 4.0})
    assert fused[1] > fused[3] > fused[2]
    assert fuse({}, {}) == {}


def test_terms_are_the_words_that_carry_meaning() -> None:
    assert query_terms("What is the cost of the BRIDGE, and of the bridge?") == ("cost", "bridge")
    assert query_terms("Who is it?") == ("who", "is", "it")
    assert query_terms("?!") == ()


def test_what_is_written_as_one_counts_where_it_stands_together() -> None:
    match = match_expression('Is H.R. 4090 in the 60-day U.S.-Mexico plan called "price floor"?')
    for phrase in ('"h r"', '"4090"', '"60 day"', '"u s mexico"', '"price floor"', '"mexico"'):
        assert phrase in match.split(" OR ")


def test_abbreviations_are_found_with_and_without_full_stops() -> None:
    assert '"us"' in match_expression("Who leads the U.S. delegation?").split(" OR ")
    match = match_expression("Who leads the US delegation?").split(" OR ")
    assert {'"us"', '"u s"'} <= set(match)
    assert query_terms("Tell us of it") == ("tell", "us", "of", "it")
    assert query_terms("WHAT DID US TROOPS DO") == ("troops",)


@given(st.text(max_size=300))
@example("")
@example('" OR NEAR(a b) AND * ^ : { } - col:x "')
@example("\ufeff\x00\r\n")
@example("שלום 你好 🙂 e\u0301té \x85")
@example("why " * 2000)
def test_any_question_is_a_valid_expression_and_can_be_searched(question: str) -> None:
    index = MemoryIndex()
    index.add("a.txt", BRIDGE)
    if match := match_expression(question):
        index.lexical(match, 10, Filters())
        assert match.count(" OR ") < retrieve.LONGEST_MATCH
    hits = Retriever(index, WordVectors(), None).search(question, 10)
    assert {hit.passage.source for hit in hits} == {"a.txt"}


@given(st.text(max_size=400), st.lists(st.text(max_size=600), max_size=5))
@example("same line", ["same line again.\n" * 300, "", "no space.At all", "x" * 5000])
def test_a_window_is_words_of_its_passage(question: str, texts: list[str]) -> None:
    cut = [p for text in texts for p in passages("a.txt", text, text, (), 600)]
    read = windows(question, cut)
    assert len(read) == len(cut)
    for window, passage in zip(read, cut, strict=True):
        assert window
        assert window in " ".join(passage.text.split()) or len(passage.sentences) > 1
        assert set(window.split()) <= {
            word
            for s in passage.sentences
            for word in passage.text[s.start - passage.start : s.end - passage.start].split()
        }


def test_langchain_documents_carry_their_place(retriever: Retriever) -> None:
    documents = as_langchain(partial(retriever.search, k=2), with_hit=True).invoke(
        "When was the bridge closed?"
    )
    found = documents[0].metadata
    assert (found["source"], found["publisher"], found["published"]) == (
        "bridge.txt",
        "The Paper",
        "2026-03-02",
    )
    assert BRIDGE[found["start"] : found["end"]] == documents[0].page_content
    assert found["score"] == found["hit"].fused
    assert len(documents) == 2
