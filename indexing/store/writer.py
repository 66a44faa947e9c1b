"""The one writer of the catalog: articles in and out in one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexing.errors import IndexMismatch
from indexing.schema import Article, Failure, Passage, TimeExpression
from indexing.store.tables import (
    FILE_NAME,
    SCHEMA,
    SCHEMA_VERSION,
    check_meta,
    connect,
    meta_of,
    storage_errors,
)
from indexing.store.view import placeholders, slices


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


class CatalogWriter:
    """The writing side; its user holds the index's lock."""

    def __init__(self, index: Path, embedder: str, dimension: int) -> None:
        """Opens the catalog of `index`, creating it for the embedder of that name and dimension.

        Raises IndexMismatch when it exists for another, IndexStorage when it cannot be written.
        """
        path = index / FILE_NAME
        with storage_errors(path):
            self._connection = connect(path)
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
        check_meta(meta_of(self._connection), index, embedder, dimension, to_read=False)

    def _create(self, embedder: str, dimension: int) -> None:
        with self._transaction():
            for statement in SCHEMA.split(";\n"):
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
        return meta_of(self._connection).get(key, "")

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
                self._put_article(file_id, prepared)

    def _put_article(self, file_id: int | None, prepared: PreparedArticle) -> None:
        a = prepared.article
        article_id = self._connection.execute(
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
        for passage in prepared.passages:
            self._put_passage(article_id, passage)

    def _put_passage(self, article_id: int | None, prepared: PreparedPassage) -> None:
        p = prepared.passage
        passage_id = self._connection.execute(
            "INSERT INTO passage VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)",
            (
                article_id,
                p.start,
                p.end,
                p.text,
                prepared.header,
                prepared.body,
                prepared.vector_key,
            ),
        ).lastrowid
        self._connection.executemany(
            "INSERT INTO sentence VALUES (?, ?, ?)",
            [(passage_id, s.start, s.end) for s in p.sentences],
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
                for t in prepared.times
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
        for some in slices(keys, 500):
            by_key.update(
                self._connection.execute(
                    f"SELECT key, value FROM vector WHERE key IN ({placeholders(some)})", some
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
