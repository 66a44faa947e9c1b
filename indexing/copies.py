"""Near-identical articles: ten copies of one wire story are one voice.

MinHash over word shingles (Broder 1997, "On the resemblance and containment of documents"), with
locality-sensitive banding to find the pairs worth comparing (Leskovec, Rajaraman and Ullman,
"Mining of Massive Datasets", section 3.4).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

PERMUTATIONS = 128
BAND_ROWS = 4
SHINGLE_WORDS = 5
SAME_VOICE = 0.7
"""Estimated Jaccard similarity of shingle sets from which two articles are copies."""

_random = np.random.default_rng(1997)
_MULTIPLIERS = _random.integers(1, 2**63, PERMUTATIONS, dtype=np.uint64) | np.uint64(1)
_SHIFTS = _random.integers(0, 2**63, PERMUTATIONS, dtype=np.uint64)
_WORD = re.compile(r"\w+")


def signature(text: str) -> bytes:
    """The MinHash of a text: `PERMUTATIONS` uint32 values as bytes; empty for a text without words."""
    words = [word.encode("utf-8", "replace") for word in _WORD.findall(text.casefold())]
    if not words:
        return b""
    last = max(1, len(words) - SHINGLE_WORDS + 1)
    hashes = np.array(
        [zlib.crc32(b" ".join(words[i : i + SHINGLE_WORDS])) for i in range(last)],
        dtype=np.uint64,
    )
    least = np.full(PERMUTATIONS, 2**32 - 1, dtype=np.uint64)
    for i in range(0, len(hashes), 4096):
        # Multiply-shift hashing: the high half of a product modulo 2**64.
        block = (hashes[i : i + 4096, None] * _MULTIPLIERS + _SHIFTS) >> np.uint64(32)
        np.minimum(least, block.min(axis=0), out=least)
    return least.astype(np.uint32).tobytes()


def similarity(a: bytes, b: bytes) -> float:
    """The estimated Jaccard similarity, 0 to 1, of two texts' shingle sets."""
    if not a or not b:
        return 0.0
    return float(np.mean(_values(a) == _values(b)))


def _values(sign: bytes) -> NDArray[np.uint32]:
    return np.frombuffer(sign, dtype=np.uint32)


def voices(articles: Sequence[tuple[str, str | None, bytes]]) -> dict[str, str]:
    """For each (source, ISO day of publication, signature): the source it repeats, or itself.

    Copies of copies share one voice: that of the earliest dated, then of the first by name.
    """
    parent = list(range(len(articles)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    seen: dict[tuple[int, bytes], int] = {}
    for i, (_, _, sign) in enumerate(articles):
        for band in range(0, len(sign), 4 * BAND_ROWS):
            other = seen.setdefault((band, sign[band : band + 4 * BAND_ROWS]), i)
            if root(other) != root(i) and similarity(articles[other][2], sign) >= SAME_VOICE:
                parent[root(i)] = root(other)
    groups: dict[int, list[int]] = {}
    for i in range(len(articles)):
        groups.setdefault(root(i), []).append(i)
    named: dict[str, str] = {}
    for members in groups.values():
        first = min(members, key=lambda i: (articles[i][1] or "9999", articles[i][0]))
        named.update((articles[i][0], articles[first][0]) for i in members)
    return named
