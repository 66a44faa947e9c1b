"""Chroma: one collection of vectors in a folder, derived from the catalog and rebuildable from it.

Chroma holds ids and vectors, no text. Its files cannot be trusted after a crash, or under another
process's writes (a reader keeps answering from the index it opened), so nothing here is believed
without the catalog: a reader that meets an error falls back to an exact scan, and a folder that a
crash may have touched is rebuilt beside and swapped.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from chromadb.api.models.Collection import Collection

COLLECTION = "passages"
BATCH = 2_000
"""Rows per write; Chroma refuses more than some 5,000."""


class VectorsUnavailable(Exception):
    """Chroma cannot answer from this folder now; ask the catalog instead."""


def _client(folder: Path) -> Any:
    import chromadb
    from chromadb.config import Settings

    return chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))


@contextmanager
def _open(folder: Path, *, create: bool = False) -> Iterator[Collection]:
    client = _client(folder)
    try:
        if create:
            yield client.create_collection(
                COLLECTION,
                # Chroma's default distance is squared L2, its default embedder a download.
                configuration={
                    "hnsw": {
                        "space": "cosine",
                        "ef_construction": 200,
                        "ef_search": 200,
                    }
                },
                embedding_function=None,
            )
        else:
            yield client.get_collection(COLLECTION, embedding_function=None)
    finally:
        client.close()


def build(
    folder: Path,
    keys: Sequence[str],
    vectors: Callable[[Sequence[str]], NDArray[np.float32]],
) -> None:
    """Writes a new folder with these keys; `vectors` fetches those of some keys, in their order."""
    shutil.rmtree(folder, ignore_errors=True)
    with _open(folder, create=True) as collection:
        _add(collection, keys, vectors)


def _add(
    collection: Collection,
    keys: Sequence[str],
    vectors: Callable[[Sequence[str]], NDArray[np.float32]],
) -> None:
    for i in range(0, len(keys), BATCH):
        some = list(keys[i : i + BATCH])
        collection.add(ids=some, embeddings=vectors(some))


def update(
    folder: Path,
    keys: Sequence[str],
    vectors: Callable[[Sequence[str]], NDArray[np.float32]],
) -> None:
    """Adds those of `keys` that the folder lacks; removes nothing."""
    with _open(folder) as collection:
        present = set(collection.get(ids=list(keys), include=[])["ids"]) if keys else set()
        _add(collection, [key for key in keys if key not in present], vectors)


def remove(folder: Path, keys: Sequence[str]) -> None:
    with _open(folder) as collection:
        for i in range(0, len(keys), BATCH):
            collection.delete(ids=list(keys[i : i + BATCH]))


def keys_of(folder: Path) -> set[str] | None:
    """Every key in the folder, or None when Chroma cannot read it."""
    try:
        with _open(folder) as collection:
            found: set[str] = set()
            while page := collection.get(include=[], limit=50_000, offset=len(found))["ids"]:
                found.update(page)
            if found:  # a broken HNSW file shows only when it is searched
                one = collection.get(ids=[next(iter(found))], include=["embeddings"])["embeddings"]
                collection.query(query_embeddings=np.asarray(one), n_results=1, include=[])
            return found
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001 - a panic of Chroma's Rust core is no Exception
        return None


class VectorReader:
    """Searches the folder the catalog names, reopened whenever the catalog's generation changes."""

    def __init__(self, index: Path) -> None:
        self._index = index
        self._lock = threading.Lock()
        self._opened: tuple[str, int] | None = None
        self._client: Any = None
        self._collection: Any = None

    def nearest(
        self, folder: str, generation: int, vector: NDArray[np.float32], k: int
    ) -> list[tuple[str, float]]:
        """(key, cosine similarity) of the `k` nearest vectors, nearest first.

        Raises VectorsUnavailable when the folder is gone or unsound.
        """
        with self._lock:
            try:
                if self._opened != (folder, generation):
                    self._reopen(folder, generation)
                found = self._collection.query(
                    query_embeddings=[vector], n_results=k, include=["distances"]
                )
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as exc:  # as in keys_of
                self._close()
                raise VectorsUnavailable(str(exc)) from exc
        return [
            (key, 1.0 - float(distance))
            for key, distance in zip(found["ids"][0], found["distances"][0], strict=True)
        ]

    def _reopen(self, folder: str, generation: int) -> None:
        self._close()
        path = self._index / folder
        # Opening a missing folder would create it.
        if not folder or not (path / "chroma.sqlite3").is_file():
            raise VectorsUnavailable(f"{path} is missing")
        self._client = _client(path)
        self._collection = self._client.get_collection(COLLECTION, embedding_function=None)
        self._opened = (folder, generation)

    def _close(self) -> None:
        client, self._client, self._collection, self._opened = (
            self._client,
            None,
            None,
            None,
        )
        if client is not None:
            with suppress(Exception):  # it is being given up anyway
                client.close()

    def close(self) -> None:
        with self._lock:
            self._close()
