"""An embedder that hashes words: repeatable, it ranks, and it costs nothing."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class HashedWords:
    """Texts with the same words have the same vector; words are told apart by one of 32 places."""

    dimension = 32

    def __init__(self, name: str = "hashed words") -> None:
        self.name = name
        self.embedded = 0

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.embedded += len(texts)
        return np.stack([self.embed_query(text) for text in texts])

    def embed_query(self, text: str) -> NDArray[np.float32]:
        vector = np.ones(self.dimension, dtype=np.float32)
        for word in re.findall(r"\w+", text.casefold()):
            vector[zlib.crc32(word.encode()) % self.dimension] += 1
        unit: NDArray[np.float32] = (vector / np.linalg.norm(vector)).astype(np.float32)
        return unit
