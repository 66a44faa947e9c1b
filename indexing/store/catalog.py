"""The catalog: one SQLite file that holds the truth of an index.

Articles, passages, sentences, time expressions, the full-text index, the vectors, and the name of
the Chroma folder that is derived from them. Rows of a file are *staged* until one transaction makes
them *current*; readers see current rows only, each question from one snapshot.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue

from indexing.errors import IndexMissing
from indexing.store.tables import FILE_NAME, connect
from indexing.store.view import View


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
            connection = connect(self.path)
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
