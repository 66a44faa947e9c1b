"""The catalog: one SQLite file that holds the truth of an index.

Articles, passages, sentences, time expressions, the full-text index, the vectors, and the name of
the Chroma folder that is derived from them. Rows of a file are *staged* until one transaction makes
them *current*; readers see current rows only, each question from one snapshot.
"""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from indexing.errors import IndexMismatch, IndexMissing, IndexStorage, UnreadableFile
from indexing.reading.read import read_bytes
from indexing.schema import (
    EVERYTHING,
    Article,
    Failure,
    Filters,
    Passage,
    Sentence,
    SourceInfo,
    Span,
    TimeExpression,
)
from indexing.settings import Settings

T = TypeVar("T")

SCHEMA_VERSION = 1
FILE_NAME = "catalog.sqlite"

TEXT_VERSION = "2"
"""Raise it when reading, cleaning, dating or cutting gives other results: every file is then read
anew, and only texts that came out differently are embedded."""

_SCHEMA = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE file(
  id INTEGER PRIMARY KEY, path TEXT NOT NULL, fingerprint TEXT NOT NULL, current INTEGER NOT NULL,
  UNIQUE(path, current));
CREATE TABLE failure(
  file_id INTEGER NOT NULL REFERENCES file(id) ON DELETE CASCADE,
  source TEXT NOT NULL, error TEXT NOT NULL);
CREATE INDEX failure_file ON failure(file_id);
CREATE TABLE article(
  id INTEGER PRIMARY KEY, file_id INTEGER NOT NULL REFERENCES file(id) ON DELETE CASCADE,
  source TEXT NOT NULL, current INTEGER NOT NULL, title TEXT NOT NULL, publisher TEXT,
  published TEXT, published_from TEXT, language TEXT, url TEXT, encoding TEXT NOT NULL,
  raw TEXT NOT NULL, boilerplate TEXT NOT NULL, pages TEXT NOT NULL, passages INTEGER NOT NULL,
  signature BLOB NOT NULL, voice TEXT NOT NULL,
  UNIQUE(source, current));
CREATE INDEX article_file ON article(file_id);
CREATE TABLE passage(
  id INTEGER PRIMARY KEY, article_id INTEGER NOT NULL REFERENCES article(id) ON DELETE CASCADE,
  first INTEGER NOT NULL, last INTEGER NOT NULL, text TEXT NOT NULL,
  header TEXT NOT NULL, body TEXT NOT NULL, vector_key TEXT NOT NULL);
CREATE INDEX passage_article ON passage(article_id);
CREATE INDEX passage_vector ON passage(vector_key);
CREATE TABLE sentence(
  passage_id INTEGER NOT NULL REFERENCES passage(id) ON DELETE CASCADE,
  first INTEGER NOT NULL, last INTEGER NOT NULL,
  PRIMARY KEY(passage_id, first)) WITHOUT ROWID;
CREATE TABLE time_expression(
  passage_id INTEGER NOT NULL REFERENCES passage(id) ON DELETE CASCADE,
  first INTEGER NOT NULL, last INTEGER NOT NULL, phrase TEXT NOT NULL, kind TEXT NOT NULL,
  anchor TEXT, first_day TEXT, last_day TEXT, precision TEXT NOT NULL, rule TEXT NOT NULL,
  PRIMARY KEY(passage_id, first)) WITHOUT ROWID;
CREATE TABLE vector(key TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE VIRTUAL TABLE passage_text USING fts5(
  header, body, content='passage', content_rowid='id', tokenize='porter unicode61 remove_diacritics 2');
"""

_INFO = (
    "a.source, a.title, a.publisher, a.published, a.published_from, a.language, a.url, a.encoding,"
    " a.voice, a.passages, a.pages"
)


@dataclass(frozen=True, slots=True)
class PreparedPassage:
    """A passage as it is stored: `header` and `body` are searched by words, `body` is embedded."""

    passage: Passage
    header: str
    body: str
    vector_key: str
    times: tuple[TimeExpression, ...]


@dataclass(frozen=True, slots=True)
class PreparedArticle:
    """An article with its passages; `signature` is its MinHash (uint32 values as bytes)."""

    article: Article
    passages: tuple[PreparedPassage, ...]
    signature: bytes


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
        conditions.append(f"a.publisher IN ({_marks(filters.publishers)})")
        values.extend(filters.publishers)
    if filters.since is not None:
        conditions.append("a.published >= ?")
        values.append(filters.since.isoformat())
    if filters.until is not None:
        conditions.append("a.published <= ?")
        values.append(filters.until.isoformat())
    return " AND ".join(conditions), values


def processing(settings: Settings) -> str:
    """How texts are processed: indexes that differ in it hold other passages."""
    return f"{TEXT_VERSION}/{settings.passage_chars}"


def fingerprint(data: bytes, processed: str) -> str:
    """Equal when a file would be indexed alike: its bytes, and how texts are processed."""
    return hashlib.sha256(processed.encode() + b"\0" + data).hexdigest()


HEADER_WEIGHT = 0.5
"""What a word in an article's title, publisher or date counts, one in a passage counting 1."""


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turns a full disk or a missing permission into IndexStorage, in words."""
    try:
        yield
    except (sqlite3.OperationalError, OSError) as exc:
        text = str(exc)
        full = (
            "disk is full",
            "No space left",
            "File too large",
            "disk I/O error",
            "quota",
        )
        if any(word in text for word in full):
            raise IndexStorage(
                f"{path} cannot be written: the disk is full ({text}). Nothing indexed before is"
                " lost; make space and run the command again."
            ) from exc
        denied = ("readonly", "read-only", "Read-only", "Permission", "unable to open")
        is_denied = isinstance(exc, NotADirectoryError | FileExistsError | PermissionError)
        if is_denied or any(word in text for word in denied):
            raise IndexStorage(
                f"{path} cannot be written ({text}). Check the folder's permissions, or choose"
                " another with --index."
            ) from exc
        raise


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path,
        timeout=30,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    connection.execute("PRAGMA foreign_keys = ON")
    # Removed text must not stay readable in the file's free pages.
    connection.execute("PRAGMA secure_delete = ON")
    return connection


def _meta(connection: sqlite3.Connection) -> dict[str, str]:
    return dict(connection.execute("SELECT key, value FROM meta"))


def read_meta(index: Path) -> dict[str, str]:
    """What the index says of itself; IndexMissing where there is none, or none finished."""
    path = index / FILE_NAME
    if not path.is_file():
        raise IndexMissing(
            f"there is no index in {index}; run: dateline index CORPUS --index {index}"
        )
    connection = _connect(path)
    try:
        meta = _meta(connection)
    except sqlite3.DatabaseError as exc:
        raise IndexMissing(
            f"{path} is not a Dateline index ({exc}); move it away and run: dateline index"
        ) from exc
    finally:
        connection.close()
    if int(meta.get("generation", "0")) == 0:
        raise IndexMissing(f"the index in {index} was never finished; run: dateline index")
    return meta


def check_meta(
    meta: dict[str, str], index: Path, embedder: str, dimension: int, *, to_read: bool = True
) -> None:
    """Raises IndexMismatch unless an index that says `meta` of itself fits this program and model.

    A writer may meet texts processed otherwise: it processes them anew.
    """
    if meta.get("schema") != str(SCHEMA_VERSION):
        raise IndexMismatch(
            f"the index in {index} has format {meta.get('schema')}, this program wants"
            f" {SCHEMA_VERSION}; run: dateline index --rebuild"
        )
    if (meta.get("embedder"), meta.get("dimension")) != (embedder, str(dimension)):
        raise IndexMismatch(
            f"the index in {index} was built with the embedder {meta.get('embedder')!r}"
            f" ({meta.get('dimension')} dimensions), the settings say {embedder!r} ({dimension});"
            " run: dateline index --rebuild, or set DATELINE_EMBEDDER back"
        )
    text_version = meta.get("processing", "").partition("/")[0]
    if to_read and text_version != TEXT_VERSION:
        raise IndexMismatch(
            f"the index in {index} was cut by version {text_version} of this program's text"
            f" processing, this is {TEXT_VERSION}; run: dateline index"
        )


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
        meta = _meta(connection)
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

    def original(self, source: str, max_file_mb: int) -> Path | None:
        """The file of `source` as it was indexed; None where it has changed or gone, and for an
        article that is only a part of its file."""
        held = self.file_of(source)
        if held is None or held[0] != source:
            return None
        file = Path(self.meta["corpus"]) / source
        try:
            data = read_bytes(file, max_file_mb)
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
        for some in _slices(keys, 500):
            rows = self._connection.execute(
                "SELECT p.vector_key, p.id FROM passage p JOIN article a ON a.id = p.article_id"
                f" WHERE a.current = 1 AND p.vector_key IN ({_marks(some)}) ORDER BY p.id",
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
        for some in _slices(ids, 500):
            cut: dict[int, list[Sentence]] = {}
            for identity, first, last in self._connection.execute(
                "SELECT passage_id, first, last FROM sentence"
                f" WHERE passage_id IN ({_marks(some)}) ORDER BY passage_id, first",
                some,
            ):
                cut.setdefault(identity, []).append(Sentence(first, last))
            rows = self._connection.execute(
                f"SELECT p.id, p.first, p.last, p.text, p.header, p.body, {_INFO}"
                " FROM passage p JOIN article a ON a.id = p.article_id"
                f" WHERE a.current = 1 AND p.id IN ({_marks(some)})",
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
            f" WHERE a.current = 1 AND a.source IN ({_marks(sources)})",
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


def _marks(values: Sequence[Any]) -> str:
    return ",".join("?" * len(values))


def _slices(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for i in range(0, len(values), size):
        yield values[i : i + size]


class Catalog:
    """The reading side. Safe to share between threads: each view has a connection of its own."""

    def __init__(self, index: Path) -> None:
        self.path = index / FILE_NAME
        self._idle: SimpleQueue[sqlite3.Connection] = SimpleQueue()

    @contextmanager
    def view(self) -> Iterator[View]:
        """One snapshot of the index; writers do not wait for it nor it for them."""
        try:
            connection = self._idle.get_nowait()
        except Empty:
            if not self.path.is_file():
                raise IndexMissing(f"{self.path} has vanished; run: dateline index") from None
            connection = _connect(self.path)
            connection.execute("PRAGMA query_only = ON")
        try:
            connection.execute("BEGIN")
            try:
                yield View(connection)
            finally:
                connection.execute("COMMIT")
        except sqlite3.DatabaseError:
            connection.close()
            raise
        self._idle.put(connection)

    def close(self) -> None:
        while True:
            try:
                self._idle.get_nowait().close()
            except Empty:
                return


class CatalogWriter:
    """The writing side; its user holds the index's lock."""

    def __init__(self, index: Path, embedder: str, dimension: int) -> None:
        """Opens the catalog of `index`, creating it for the embedder of that name and dimension.

        Raises IndexMismatch when it exists for another, IndexStorage when it cannot be written.
        """
        path = index / FILE_NAME
        with storage_errors(path):
            self._connection = _connect(path)
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA synchronous = NORMAL")
                if not self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                    self._create(embedder, dimension)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as exc:
                raise IndexMismatch(
                    f"{path} is not a Dateline index ({exc}); move it away or run: dateline index"
                    " --rebuild"
                ) from exc
        check_meta(_meta(self._connection), index, embedder, dimension, to_read=False)

    def _create(self, embedder: str, dimension: int) -> None:
        with self._transaction():
            for statement in _SCHEMA.split(";\n"):
                if statement.strip():
                    self._connection.execute(statement)
            self._put_meta(
                {
                    "schema": str(SCHEMA_VERSION),
                    "embedder": embedder,
                    "dimension": str(dimension),
                    "generation": "0",
                    "chroma": "",
                    "unsettled": "0",
                }
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            # A full disk may have rolled it back already.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def close(self) -> None:
        # Moves what was written out of the write-ahead log, and with it what was removed.
        self._connection.execute("PRAGMA busy_timeout = 1000")
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()

    def meta(self, key: str) -> str:
        return _meta(self._connection).get(key, "")

    def set_meta(self, **values: str) -> None:
        with self._transaction():
            self._put_meta(values)

    def _put_meta(self, values: dict[str, str]) -> None:
        self._connection.executemany(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value",
            list(values.items()),
        )

    def files(self, *, current: bool) -> dict[str, str]:
        """The fingerprints of the current, or the staged, files by path."""
        rows = self._connection.execute(
            "SELECT path, fingerprint FROM file WHERE current = ?", (int(current),)
        )
        return dict(rows)

    def failures(self, paths: Iterable[str]) -> list[Failure]:
        """What was set aside when these current files were read."""
        wanted = set(paths)
        rows = self._connection.execute(
            "SELECT f.path, x.source, x.error FROM failure x JOIN file f ON f.id = x.file_id"
            " WHERE f.current = 1 ORDER BY f.path, x.rowid"
        )
        return [Failure(source, error) for path, source, error in rows if path in wanted]

    def unstage(self, paths: Iterable[str]) -> None:
        """Forgets staged files, such as an interrupted run left behind."""
        with self._transaction():
            self._connection.executemany(
                "DELETE FROM file WHERE path = ? AND current = 0",
                [(path,) for path in paths],
            )

    def stage(
        self,
        path: str,
        fingerprint: str,
        articles: Sequence[PreparedArticle],
        failures: Sequence[Failure],
    ) -> None:
        """Writes a file's articles beside the current ones, unseen by readers until `commit`."""
        with self._transaction():
            run = self._connection.execute
            run("DELETE FROM file WHERE path = ? AND current = 0", (path,))
            file_id = run("INSERT INTO file VALUES (NULL, ?, ?, 0)", (path, fingerprint)).lastrowid
            self._connection.executemany(
                "INSERT INTO failure VALUES (?, ?, ?)",
                [(file_id, f.source, f.error) for f in failures],
            )
            for prepared in articles:
                a = prepared.article
                article_id = run(
                    "INSERT INTO article VALUES (NULL, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        file_id,
                        a.source,
                        a.title,
                        a.publisher,
                        a.published.isoformat() if a.published else None,
                        a.published_from,
                        a.language,
                        a.url,
                        a.encoding,
                        a.raw,
                        json.dumps([(s.start, s.end) for s in a.boilerplate]),
                        json.dumps(a.pages),
                        len(prepared.passages),
                        prepared.signature,
                        a.source,
                    ),
                ).lastrowid
                for p in prepared.passages:
                    passage_id = run(
                        "INSERT INTO passage VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)",
                        (
                            article_id,
                            p.passage.start,
                            p.passage.end,
                            p.passage.text,
                            p.header,
                            p.body,
                            p.vector_key,
                        ),
                    ).lastrowid
                    self._connection.executemany(
                        "INSERT INTO sentence VALUES (?, ?, ?)",
                        [(passage_id, s.start, s.end) for s in p.passage.sentences],
                    )
                    self._connection.executemany(
                        "INSERT INTO time_expression VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        [
                            (
                                passage_id,
                                t.start,
                                t.end,
                                t.phrase,
                                t.kind,
                                _iso(t.anchor),
                                _iso(t.first),
                                _iso(t.last),
                                t.precision,
                                t.rule,
                            )
                            for t in p.times
                        ],
                    )

    def unembedded(self) -> list[tuple[str, str]]:
        """(vector key, body) of every text that has no vector yet, each once."""
        return self._connection.execute(
            "SELECT p.vector_key, p.body FROM passage p"
            " LEFT JOIN vector v ON v.key = p.vector_key WHERE v.key IS NULL GROUP BY p.vector_key"
        ).fetchall()

    def put_vectors(self, keys: Sequence[str], vectors: NDArray[np.float32]) -> None:
        with self._transaction():
            self._connection.executemany(
                "INSERT OR IGNORE INTO vector VALUES (?, ?)",
                [(key, row.tobytes()) for key, row in zip(keys, vectors, strict=True)],
            )

    def next_keys(self, removed: Sequence[str]) -> set[str]:
        """The vector keys that will be current once the staged files are and `removed` are gone."""
        with self._transaction():
            self._going(removed)
            rows = self._connection.execute(
                "SELECT DISTINCT p.vector_key FROM passage p JOIN article a ON a.id = p.article_id"
                " WHERE a.file_id NOT IN (SELECT id FROM going)"
            ).fetchall()
        return {str(row[0]) for row in rows}

    def current_keys(self) -> set[str]:
        rows = self._connection.execute(
            "SELECT DISTINCT p.vector_key FROM passage p JOIN article a ON a.id = p.article_id"
            " WHERE a.current = 1"
        )
        return {str(row[0]) for row in rows}

    def vectors(self, keys: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of these keys, shape (len(keys), dimension), in their order."""
        by_key: dict[str, bytes] = {}
        for some in _slices(keys, 500):
            by_key.update(
                self._connection.execute(
                    f"SELECT key, value FROM vector WHERE key IN ({_marks(some)})", some
                )
            )
        joined = b"".join(by_key[key] for key in keys)
        return np.frombuffer(joined, dtype=np.float32).reshape(len(keys), -1)

    def signatures(self, removed: Sequence[str]) -> list[tuple[str, str | None, bytes]]:
        """(source, day of publication, signature) of every article there will be after `commit`."""
        with self._transaction():
            self._going(removed)
            return self._connection.execute(
                "SELECT source, published, signature FROM article"
                " WHERE file_id NOT IN (SELECT id FROM going) ORDER BY source"
            ).fetchall()

    def _going(self, removed: Sequence[str]) -> None:
        """Fills the temporary table `going` with the current files to be replaced or removed."""
        run = self._connection.execute
        run("CREATE TEMP TABLE IF NOT EXISTS going(id INTEGER PRIMARY KEY)")
        run("DELETE FROM going")
        run(
            "INSERT INTO going SELECT id FROM file WHERE current = 1"
            " AND path IN (SELECT path FROM file WHERE current = 0)"
        )
        self._connection.executemany(
            "INSERT OR IGNORE INTO going SELECT id FROM file WHERE current = 1 AND path = ?",
            [(path,) for path in removed],
        )

    def commit(
        self, removed: Sequence[str], chroma: str, voices: dict[str, str], **meta: str
    ) -> None:
        """Makes the staged files current and drops those they replace, and `removed`: all or nothing.

        `voices` says which source each article repeats; `chroma` names the folder of the vectors.
        """
        with self._transaction():
            run = self._connection.execute
            self._going(removed)
            leaving = (
                "FROM passage p JOIN article a ON a.id = p.article_id"
                " WHERE a.file_id IN (SELECT id FROM going)"
            )
            any_leaving = run(f"SELECT EXISTS (SELECT 1 {leaving})").fetchone()[0]
            run(
                "INSERT INTO passage_text(passage_text, rowid, header, body)"
                f" SELECT 'delete', p.id, p.header, p.body {leaving}"
            )
            run("DELETE FROM file WHERE id IN (SELECT id FROM going)")
            run(
                "INSERT INTO passage_text(rowid, header, body) SELECT p.id, p.header, p.body"
                " FROM passage p JOIN article a ON a.id = p.article_id WHERE a.current = 0 ORDER BY p.id"
            )
            run("UPDATE article SET current = 1 WHERE current = 0")
            run("UPDATE file SET current = 1 WHERE current = 0")
            self._connection.executemany(
                "UPDATE article SET voice = ?1 WHERE source = ?2 AND voice <> ?1",
                [(voice, source) for source, voice in voices.items()],
            )
            run(
                "DELETE FROM vector WHERE NOT EXISTS"
                " (SELECT 1 FROM passage p WHERE p.vector_key = vector.key)"
            )
            if any_leaving:
                # Until its segments are merged, the full-text index keeps the words of removed rows.
                run("INSERT INTO passage_text(passage_text) VALUES ('optimize')")
            generation = int(self.meta("generation")) + 1
            self._put_meta({"generation": str(generation), "chroma": chroma, **meta})

    def count(self) -> tuple[int, int]:
        """How many articles and passages are current."""
        row = self._connection.execute(
            "SELECT count(*), coalesce(sum(passages), 0) FROM article WHERE current = 1"
        ).fetchone()
        return int(row[0]), int(row[1])


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
