"""The catalog's tables, and whether an index on disk is one that this version can read."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from indexing.errors import IndexMismatch, IndexMissing, IndexStorage

T = TypeVar("T")

SCHEMA_VERSION = 1

FILE_NAME = "catalog.sqlite"

TEXT_VERSION = "2"
"""Raise it when reading, cleaning, dating or cutting gives other results: every file is then read
anew, and only texts that came out differently are embedded."""

PASSAGE_CHARS = 800
"""The size of the passages of an index: the bundled embedder reads some 1,000 of a text."""

SCHEMA = """
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


def processing() -> str:
    """How texts are processed: indexes that differ in it hold other passages."""
    return f"{TEXT_VERSION}/{PASSAGE_CHARS}"


def fingerprint(data: bytes, processed: str) -> str:
    """Equal when a file would be indexed alike: its bytes, and how texts are processed."""
    return hashlib.sha256(processed.encode() + b"\0" + data).hexdigest()


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


def connect(path: Path) -> sqlite3.Connection:
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


def meta_of(connection: sqlite3.Connection) -> dict[str, str]:
    return dict(connection.execute("SELECT key, value FROM meta"))


def read_meta(index: Path) -> dict[str, str]:
    """What the index says of itself; IndexMissing where there is none, or none finished."""
    path = index / FILE_NAME
    if not path.is_file():
        raise IndexMissing(
            f"there is no index in {index}; run: dateline index CORPUS --index {index}"
        )
    connection = connect(path)
    try:
        meta = meta_of(connection)
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
