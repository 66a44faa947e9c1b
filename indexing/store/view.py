"""One consistent reading of the catalog."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexing.errors import UnreadableFile
from indexing.reading.read import read_bytes
from indexing.schema import EVERYTHING, Filters, Passage, Sentence, SourceInfo, Span, TimeExpression
from indexing.store.tables import T, fingerprint, meta_of

_INFO = (
    "a.source, a.title, a.publisher, a.published, a.published_from, a.language, a.url, a.encoding,"
    " a.voice, a.passages, a.pages"
)


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage as readers get it."""

    id: int
    passage: Passage
    info: SourceInfo
    header: str
    body: str


def _where(filters: Filters) -> tuple[str, list[str]]:
    """`filters` as an SQL condition on `article AS a`, and its parameters."""
    conditions, values = ["a.current = 1"], []
    if filters.source is not None:
        conditions.append("a.source GLOB ?")
        values.append(filters.source)
    if filters.sources:  # one value: SQLite takes no more than some thousands
        conditions.append("a.source IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(filters.sources))
    if filters.publishers:
        conditions.append(f"a.publisher IN ({placeholders(filters.publishers)})")
        values.extend(filters.publishers)
    if filters.since is not None:
        conditions.append("a.published >= ?")
        values.append(filters.since.isoformat())
    if filters.until is not None:
        conditions.append("a.published <= ?")
        values.append(filters.until.isoformat())
    return " AND ".join(conditions), values


HEADER_WEIGHT = 0.5
"""What a word in an article's title, publisher or date counts, one in a passage counting 1."""


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _info(row: Sequence[Any]) -> SourceInfo:
    (
        source,
        title,
        publisher,
        published,
        came_from,
        language,
        url,
        encoding,
        voice,
        n,
        pages,
    ) = row
    return SourceInfo(
        source,
        title,
        publisher,
        _day(published),
        came_from,
        language,
        url,
        encoding,
        voice,
        n,
        tuple(json.loads(pages)),
    )


class View:
    """The index as it was at one moment: every method reads the same snapshot."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        meta = meta_of(connection)
        self.generation = int(meta["generation"])
        self.chroma_folder = meta["chroma"]
        self.meta = meta
        self._counted: tuple[int, int] | None = None
        self._texts: dict[str, str | None] = {}
        self._holding: dict[str, int] = {}

    @property
    def main(self) -> View:
        """The index whose vectors are in the folder of Chroma."""
        return self

    def home_of(self, source: str) -> tuple[View, str]:
        """The view of the one index that holds `source`, and what that calls it."""
        return self, source

    def together(self, articles: Sequence[SourceInfo]) -> list[SourceInfo]:
        """All articles, sorted by source, where those of `main` are known."""
        return list(articles)

    def beside(self, vector: NDArray[np.float32], k: int) -> list[tuple[int, float]]:
        """The `k` nearest of the passages that are not in the folder of Chroma."""
        return []

    def sources(self, filters: Filters = EVERYTHING) -> list[SourceInfo]:
        """The articles, sorted by source."""
        where, values = _where(filters)
        rows = self._connection.execute(
            f"SELECT {_INFO} FROM article a WHERE {where} ORDER BY a.source", values
        )
        return [_info(row) for row in rows]

    def text_of(self, source: str) -> str | None:
        """The characters that offsets of `source` point into; None for an unknown source."""
        if source not in self._texts:  # the sentences of one question share few articles
            row = self._connection.execute(
                "SELECT raw FROM article WHERE source = ? AND current = 1", (source,)
            ).fetchone()
            self._texts[source] = None if row is None else str(row[0])
        return self._texts[source]

    def file_of(self, source: str) -> tuple[str, str] | None:
        """The path, relative to the corpus, and the fingerprint of the file that holds `source`."""
        row = self._connection.execute(
            "SELECT f.path, f.fingerprint FROM file f JOIN article a ON a.file_id = f.id"
            " WHERE a.source = ? AND a.current = 1",
            (source,),
        ).fetchone()
        return None if row is None else (str(row[0]), str(row[1]))

    def original(self, source: str) -> Path | None:
        """The file of `source` as it was indexed; None where it has changed or gone, and for an
        article that is only a part of its file."""
        held = self.file_of(source)
        if held is None or held[0] != source:
            return None
        file = Path(self.meta["corpus"]) / source
        try:
            data = read_bytes(file)
        except UnreadableFile:
            return None
        return file if fingerprint(data, self.meta["processing"]) == held[1] else None

    def holds_file(self, path: str) -> bool:
        row = self._connection.execute(
            "SELECT EXISTS (SELECT 1 FROM file WHERE path = ? AND current = 1)", (path,)
        ).fetchone()
        return bool(row[0])

    def signatures(self) -> list[tuple[str, str, str, bytes]]:
        """(path of its file, source, voice, MinHash) of every article."""
        return self._connection.execute(
            "SELECT f.path, a.source, a.voice, a.signature FROM article a"
            " JOIN file f ON f.id = a.file_id WHERE a.current = 1 ORDER BY a.source"
        ).fetchall()

    def globbed(self, names: Iterable[str], glob: str) -> set[str]:
        """Those of `names` that a filter's `source` means."""
        rows = self._connection.execute(
            "SELECT value FROM json_each(?) WHERE value GLOB ?", (json.dumps([*names]), glob)
        )
        return {str(row[0]) for row in rows}

    def boilerplate_of(self, source: str) -> tuple[Span, ...]:
        """The spans of `source` that are not the article itself."""
        row = self._connection.execute(
            "SELECT boilerplate FROM article WHERE source = ? AND current = 1",
            (source,),
        ).fetchone()
        return tuple(Span(*pair) for pair in json.loads(row[0])) if row else ()

    def count(self) -> tuple[int, int]:
        """How many articles and passages are current."""
        if self._counted is None:
            row = self._connection.execute(
                "SELECT count(*), coalesce(sum(passages), 0) FROM article WHERE current = 1"
            ).fetchone()
            self._counted = int(row[0]), int(row[1])
        return self._counted

    def rarity(self, word: str) -> float:
        """The inverse document frequency of a word, 0 (in every passage) to 1 (in none)."""
        passages = self.count()[1]
        return 1 - math.log1p(self.holding(word)) / math.log1p(passages) if passages else 1.0

    def holding(self, phrase: str) -> int:
        """How many passages hold a word, or some words together."""
        if phrase not in self._holding:  # each step of a question asks for the same few words
            row = self._connection.execute(
                "SELECT count(*) FROM passage_text WHERE passage_text MATCH ?", (_quoted(phrase),)
            ).fetchone()
            self._holding[phrase] = int(row[0])
        return self._holding[phrase]

    def text_size(self) -> tuple[int, int]:
        """How many rows and tokens the full-text index has: what BM25 counts with."""
        row = self._connection.execute(
            "SELECT block FROM passage_text_data WHERE id = 1"  # FTS5's "averages record"
        ).fetchone()
        rows, *tokens = _varints(row[0]) or [0]
        return rows, sum(tokens)

    def lengths(self, ids: Sequence[int]) -> dict[int, int]:
        """The tokens of these passages and their headers."""
        rows = self._connection.execute(
            "SELECT id, sz FROM passage_text_docsize WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(ids),),
        )
        return {int(identity): sum(_varints(size)) for identity, size in rows}

    def bm25(self, phrase: str, ids: Sequence[int]) -> dict[int, float]:
        """What one phrase adds to the BM25 of those of these passages that hold it."""
        rows = self._connection.execute(
            # Unless told not to (+), SQLite asks FTS5 for each row by itself.
            f"SELECT rowid, bm25(passage_text, {HEADER_WEIGHT}, 1.0) FROM passage_text"
            " WHERE passage_text MATCH ? AND +rowid IN (SELECT value FROM json_each(?))",
            (_quoted(phrase), json.dumps(ids)),
        )
        return {int(identity): -float(score) for identity, score in rows}

    def lexical(
        self,
        match: str,
        k: int,
        filters: Filters = EVERYTHING,
    ) -> list[tuple[int, float]]:
        """The `k` best passage ids for an FTS5 expression, with BM25 (larger is better)."""
        where, values = _where(filters)
        rank = f"bm25(passage_text, {HEADER_WEIGHT}, 1.0)"
        if filters == EVERYTHING:  # the join costs half the time of the query
            rows = self._connection.execute(
                f"SELECT rowid, {rank} AS r FROM passage_text WHERE passage_text MATCH ?"
                " ORDER BY r LIMIT ?",
                (match, k),
            )
        else:
            rows = self._connection.execute(
                f"SELECT p.id, {rank} AS r FROM passage_text"
                " JOIN passage p ON p.id = passage_text.rowid JOIN article a ON a.id = p.article_id"
                f" WHERE passage_text MATCH ? AND {where} ORDER BY r LIMIT ?",
                (match, *values, k),
            )
        return [(int(rowid), -float(score)) for rowid, score in rows]

    def passages_of_vectors(self, keys: Sequence[str]) -> dict[str, list[int]]:
        """The current passages whose vectors have these keys; unknown keys are left out."""
        found: dict[str, list[int]] = {}
        for some in slices(keys, 500):
            rows = self._connection.execute(
                "SELECT p.vector_key, p.id FROM passage p JOIN article a ON a.id = p.article_id"
                f" WHERE a.current = 1 AND p.vector_key IN ({placeholders(some)}) ORDER BY p.id",
                some,
            )
            for key, identity in rows:
                found.setdefault(key, []).append(int(identity))
        return found

    def exact(
        self, vector: NDArray[np.float32], k: int, filters: Filters = EVERYTHING
    ) -> list[tuple[int, float]]:
        """The `k` nearest passages by a scan of every vector of the selection."""
        where, values = _where(filters)
        rows = self._connection.execute(
            "SELECT p.id, v.value FROM passage p JOIN article a ON a.id = p.article_id"
            f" JOIN vector v ON v.key = p.vector_key WHERE {where} ORDER BY p.id",
            values,
        )
        best: list[tuple[int, float]] = []
        while some := rows.fetchmany(20_000):
            matrix = np.frombuffer(b"".join(row[1] for row in some), dtype=np.float32)
            scores = matrix.reshape(len(some), -1) @ vector
            top = np.argsort(-scores, kind="stable")[:k]
            best += [(int(some[i][0]), float(scores[i])) for i in top]
        best.sort(key=lambda pair: -pair[1])
        return best[:k]

    def passages(self, ids: Sequence[int]) -> dict[int, StoredPassage]:
        """The passages with these ids, whole, with their sentences."""
        found: dict[int, StoredPassage] = {}
        for some in slices(ids, 500):
            cut: dict[int, list[Sentence]] = {}
            for identity, first, last in self._connection.execute(
                "SELECT passage_id, first, last FROM sentence"
                f" WHERE passage_id IN ({placeholders(some)}) ORDER BY passage_id, first",
                some,
            ):
                cut.setdefault(identity, []).append(Sentence(first, last))
            rows = self._connection.execute(
                f"SELECT p.id, p.first, p.last, p.text, p.header, p.body, {_INFO}"
                " FROM passage p JOIN article a ON a.id = p.article_id"
                f" WHERE a.current = 1 AND p.id IN ({placeholders(some)})",
                some,
            )
            for identity, first, last, text, header, body, *rest in rows:
                info = _info(rest)
                sentences = tuple(cut.get(identity, ()))
                passage = Passage(info.source, first, last, text, sentences)
                found[identity] = StoredPassage(identity, passage, info, header, body)
        return found

    def passages_of(self, source: str) -> list[StoredPassage]:
        """All passages of an article, in its order."""
        ids = [
            int(row[0])
            for row in self._connection.execute(
                "SELECT p.id FROM passage p JOIN article a ON a.id = p.article_id"
                " WHERE a.source = ? AND a.current = 1 ORDER BY p.first",
                (source,),
            )
        ]
        by_id = self.passages(ids)
        return [by_id[i] for i in ids]

    def passages_about(
        self, first: date, last: date, k: int, filters: Filters = EVERYTHING
    ) -> list[int]:
        """At most `k` ids of passages with a time within `first` to `last`, those that name single
        days and the newest articles first."""
        return [about[-1] for about in self.about(first, last, k, filters)]

    def about(
        self, first: date, last: date, k: int, filters: Filters = EVERYTHING
    ) -> list[tuple[bool, str, int]]:
        """The passages of `passages_about`: (whether one names a single day, the article's day of
        publication in ISO 8601 or "", its id)."""
        where, values = _where(filters)
        rows = self._connection.execute(
            "SELECT max(t.precision = 'day') AS exact, coalesce(a.published, ''), p.id"
            " FROM time_expression t"
            " JOIN passage p ON p.id = t.passage_id JOIN article a ON a.id = p.article_id"
            f" WHERE t.first_day >= ? AND t.last_day <= ? AND {where} GROUP BY p.id"
            " ORDER BY exact DESC, a.published DESC, p.id LIMIT ?",
            (first.isoformat(), last.isoformat(), *values, k),
        )
        return [(bool(exact), str(day), int(identity)) for exact, day, identity in rows]

    def likeness(self, source: str, others: Sequence[str]) -> dict[str, float]:
        """The cosine similarity of the mean passage vectors of an article and each of `others`."""
        unit = self.mean_vectors([source, *others])
        return {o: float(unit[o] @ unit[source]) for o in others if {o, source} <= unit.keys()}

    def mean_vectors(self, sources: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """The means of the passage vectors of these articles, each of length 1."""
        rows = self._connection.execute(
            "SELECT a.source, v.value FROM article a JOIN passage p ON p.article_id = a.id"
            " JOIN vector v ON v.key = p.vector_key"
            f" WHERE a.current = 1 AND a.source IN ({placeholders(sources)})",
            sources,
        )
        sums: dict[str, NDArray[np.float32]] = {}
        for name, value in rows:
            vector = np.frombuffer(value, dtype=np.float32)
            sums[name] = sums[name] + vector if name in sums else vector
        return {name: total / (np.linalg.norm(total) or 1.0) for name, total in sums.items()}

    def times_between(self, source: str, start: int, end: int) -> list[TimeExpression]:
        """The time expressions of `source` that stand within `start:end`, in its order."""
        rows = self._connection.execute(
            "SELECT t.first, t.last, phrase, kind, anchor, first_day, last_day, precision, rule"
            " FROM time_expression t JOIN passage p ON p.id = t.passage_id"
            " JOIN article a ON a.id = p.article_id"
            " WHERE a.source = ? AND a.current = 1 AND t.first >= ? AND t.last <= ?"
            " ORDER BY t.first",
            (source, start, end),
        )
        return [
            TimeExpression(
                first, last, phrase, kind, _day(anchor), _day(day), _day(last_day), precision, rule
            )
            for first, last, phrase, kind, anchor, day, last_day, precision, rule in rows
        ]


def _quoted(phrase: str) -> str:
    """A phrase as an FTS5 expression."""
    doubled = phrase.replace('"', '""')
    return f'"{doubled}"'


def _varints(data: bytes) -> list[int]:
    """The numbers in a record of FTS5: seven bits a byte, high ones first, the last byte below 128."""
    numbers, number = [], 0
    for byte in data:
        number = number << 7 | byte & 127
        if byte < 128:
            numbers.append(number)
            number = 0
    return numbers


def placeholders(values: Sequence[Any]) -> str:
    return ",".join("?" * len(values))


def slices(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for i in range(0, len(values), size):
        yield values[i : i + size]
