"""Several indexes read as one: the main one, and small ones beside it that hold what people added.

Everything is answered as if all articles were in one index: words are as rare, and BM25 counts with
the same numbers, as there. The main index comes first: a file of another that has the name of one
before it is shown as "name (2)", and an article that repeats one before it has that one's voice.
"""

from __future__ import annotations

import math
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexing.copies import PERMUTATIONS, SAME_VOICE
from indexing.errors import IndexMismatch, IndexMissing
from indexing.schema import EVERYTHING, Filters, SourceInfo, Span, TimeExpression
from indexing.store.catalog import Catalog
from indexing.store.tables import check_meta, read_meta
from indexing.store.view import StoredPassage, View

ID_BITS = 48
"""A passage's id is its own index's, with that index's place above these bits."""
CANDIDATES = 3
"""How many times as many passages as asked for each index gives to be counted anew by BM25."""
K1, B = 1.2, 0.75
"""The parameters of SQLite's bm25()."""

_PHRASE = re.compile(r'"((?:[^"]|"")*)"')


def untaken(path: str, is_taken: Callable[[str], bool]) -> str:
    """`path`, or where that is taken the first of "name (2).txt", "name (3).txt"... that is not."""
    stem, suffix = os.path.splitext(path)
    free, n = path, 1
    while is_taken(free):
        n += 1
        free = f"{stem} ({n}){suffix}"
    return free


class Signatures:
    """The MinHashes of some articles, each with its voice. Safe to share between threads."""

    def __init__(self, articles: Iterable[tuple[str, bytes]]) -> None:
        signed = [(voice, signature) for voice, signature in articles if signature]
        self._voices = [voice for voice, _ in signed]
        joined = b"".join(signature for _, signature in signed)
        self._matrix = np.frombuffer(joined, np.uint32).reshape(-1, PERMUTATIONS)
        self._found: dict[bytes, str | None] = {}

    def voice_of(self, signature: bytes) -> str | None:
        """The voice of the article that a text with this signature repeats; None if it does not."""
        if signature not in self._found:
            voice = None
            if signature and self._voices:
                alike = (self._matrix == np.frombuffer(signature, np.uint32)).mean(axis=1)
                best = int(alike.argmax())
                voice = self._voices[best] if alike[best] >= SAME_VOICE else None
            self._found[signature] = voice
        return self._found[signature]


class Originals:
    """The signatures of the main index, read once for each state of it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: tuple[int, Signatures] | None = None

    def of(self, view: View) -> Signatures:
        with self._lock:
            if self._known is None or self._known[0] != view.generation:
                read = Signatures((voice, sign) for _, _, voice, sign in view.signatures())
                self._known = view.generation, read
            return self._known[1]


@dataclass(frozen=True, slots=True)
class _Part:
    """One of the indexes: `names` are its sources as they are shown, `voices` the voices shown, by
    its own sources. Of the main index both are empty, and everything is shown as it is."""

    view: View
    base: int
    names: Mapping[str, str]
    voices: Mapping[str, str]

    def shown(self, info: SourceInfo) -> SourceInfo:
        if info.source not in self.names:
            return info
        return replace(info, source=self.names[info.source], voice=self.voices[info.source])

    def stored(self, passage: StoredPassage) -> StoredPassage:
        info = self.shown(passage.info)
        return replace(
            passage,
            id=passage.id + self.base,
            info=info,
            passage=replace(passage.passage, source=info.source),
        )

    def within(self, filters: Filters) -> Filters | None:
        """The filters in its own names; None where they leave nothing of it."""
        if filters.source is None and not filters.sources:
            return filters
        if all(own == shown for own, shown in self.names.items()):
            return filters
        left = self.view.globbed(self.names.values(), filters.source or "*")
        if filters.sources:
            left &= set(filters.sources)
        own = tuple(name for name, shown in self.names.items() if shown in left)
        return replace(filters, source=None, sources=own) if own else None


class JoinedView(View):
    """Several views as one, the main one first; all were taken at about the same moment."""

    def __init__(self, views: Sequence[View], originals: Originals) -> None:
        main, *others = views
        self.meta = main.meta
        self.chroma_folder = main.chroma_folder
        self.generation = hash(tuple(view.generation for view in views))
        self._holding = {}
        self._parts = [_Part(main, 0, {}, {})]
        self._homes: dict[str, tuple[_Part, str]] = {}
        paths: set[str] = set()
        heard = [originals.of(main)]
        for place, view in enumerate(others, 1):
            articles = view.signatures()
            renamed: dict[str, str] = {}
            for path in dict.fromkeys(path for path, _, _, _ in articles):
                renamed[path] = untaken(path, lambda p: p in paths or main.holds_file(p))
                paths.add(renamed[path])
            names = {own: renamed[path] + own[len(path) :] for path, own, _, _ in articles}
            repeats = {own: _first(heard, signature) for _, own, _, signature in articles}
            voices = {
                own: repeats[own] or repeats.get(voice) or names[voice]
                for _, own, voice, _ in articles
            }
            heard.append(Signatures((voices[own], signature) for _, own, _, signature in articles))
            part = _Part(view, place << ID_BITS, names, voices)
            self._parts.append(part)
            self._homes.update((shown, (part, own)) for own, shown in names.items())

    @property
    def main(self) -> View:
        return self._parts[0].view

    def _home(self, source: str) -> tuple[_Part, str]:
        return self._homes.get(source, (self._parts[0], source))

    def home_of(self, source: str) -> tuple[View, str]:
        part, own = self._home(source)
        return part.view, own

    def _by_part(self, ids: Sequence[int]) -> Iterator[tuple[_Part, list[int]]]:
        for place, part in enumerate(self._parts):
            yield part, [i - part.base for i in ids if i >> ID_BITS == place]

    def _within(self, filters: Filters) -> Iterator[tuple[_Part, Filters]]:
        for part in self._parts:
            own = part.within(filters)
            if own is not None:
                yield part, own

    # ---- articles ---------------------------------------------------------------------------

    def sources(self, filters: Filters = EVERYTHING) -> list[SourceInfo]:
        return _sorted(
            part.shown(info)
            for part, within in self._within(filters)
            for info in part.view.sources(within)
        )

    def together(self, articles: Sequence[SourceInfo]) -> list[SourceInfo]:
        others = (part.shown(info) for part in self._parts[1:] for info in part.view.sources())
        return _sorted([*articles, *others])

    def text_of(self, source: str) -> str | None:
        view, own = self.home_of(source)
        return view.text_of(own)

    def file_of(self, source: str) -> tuple[str, str] | None:
        view, own = self.home_of(source)
        return view.file_of(own)

    def original(self, source: str) -> Path | None:
        view, own = self.home_of(source)
        return view.original(own)

    def holds_file(self, path: str) -> bool:
        return any(part.view.holds_file(path) for part in self._parts)

    def signatures(self) -> list[tuple[str, str, str, bytes]]:
        signed = []
        for part in self._parts:
            for path, own, voice, signature in part.view.signatures():
                shown = part.names.get(own, own)
                named = shown.removesuffix(own[len(path) :])
                signed.append((named, shown, part.voices.get(own, voice), signature))
        return sorted(signed, key=lambda article: article[1])

    def globbed(self, names: Iterable[str], glob: str) -> set[str]:
        return self.main.globbed(names, glob)

    def boilerplate_of(self, source: str) -> tuple[Span, ...]:
        view, own = self.home_of(source)
        return view.boilerplate_of(own)

    def count(self) -> tuple[int, int]:
        counts = [part.view.count() for part in self._parts]
        return sum(articles for articles, _ in counts), sum(passages for _, passages in counts)

    def mean_vectors(self, sources: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        found: dict[str, NDArray[np.float32]] = {}
        for part in self._parts:
            own = {
                name: source for source in sources for p, name in [self._home(source)] if p is part
            }
            means = part.view.mean_vectors(list(own)) if own else {}
            found.update((own[name], mean) for name, mean in means.items())
        return found

    def times_between(self, source: str, start: int, end: int) -> list[TimeExpression]:
        view, own = self.home_of(source)
        return view.times_between(own, start, end)

    # ---- passages ---------------------------------------------------------------------------

    def passages(self, ids: Sequence[int]) -> dict[int, StoredPassage]:
        return {
            own + part.base: part.stored(passage)
            for part, some in self._by_part(ids)
            for own, passage in part.view.passages(some).items()
        }

    def passages_of(self, source: str) -> list[StoredPassage]:
        part, own = self._home(source)
        return [part.stored(passage) for passage in part.view.passages_of(own)]

    def passages_of_vectors(self, keys: Sequence[str]) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for part in self._parts:
            for key, ids in part.view.passages_of_vectors(keys).items():
                found.setdefault(key, []).extend(i + part.base for i in ids)
        return found

    def about(
        self, first: date, last: date, k: int, filters: Filters = EVERYTHING
    ) -> list[tuple[bool, str, int]]:
        found = [
            (exact, day, i + part.base)
            for part, within in self._within(filters)
            for exact, day, i in part.view.about(first, last, k, within)
        ]
        found.sort(key=lambda about: about[2])
        found.sort(key=lambda about: about[:2], reverse=True)
        return found[:k]

    def exact(
        self, vector: NDArray[np.float32], k: int, filters: Filters = EVERYTHING
    ) -> list[tuple[int, float]]:
        return _nearest(self._within(filters), vector, k)

    def beside(self, vector: NDArray[np.float32], k: int) -> list[tuple[int, float]]:
        return _nearest(((part, EVERYTHING) for part in self._parts[1:]), vector, k)

    # ---- words ------------------------------------------------------------------------------

    def holding(self, phrase: str) -> int:
        if phrase not in self._holding:
            self._holding[phrase] = sum(part.view.holding(phrase) for part in self._parts)
        return self._holding[phrase]

    def text_size(self) -> tuple[int, int]:
        sizes = [part.view.text_size() for part in self._parts]
        return sum(rows for rows, _ in sizes), sum(tokens for _, tokens in sizes)

    def lengths(self, ids: Sequence[int]) -> dict[int, int]:
        return {
            own + part.base: length
            for part, some in self._by_part(ids)
            for own, length in part.view.lengths(some).items()
        }

    def lexical(self, match: str, k: int, filters: Filters = EVERYTHING) -> list[tuple[int, float]]:
        """The `k` best passage ids for phrases with OR between them, with the BM25 that they would
        have in one index.

        BM25 counts with the rows that hold a phrase and the mean length of all rows, so what two
        indexes give cannot be compared. Each gives its best by its own; of each phrase's part in
        them, how often it occurs follows, and with that BM25 is counted anew for all together.
        """
        chosen = [
            identity + part.base
            for part, within in self._within(filters)
            for identity, _ in part.view.lexical(match, CANDIDATES * k, within)
        ]
        phrases = [found.replace('""', '"') for found in _PHRASE.findall(match)]
        scores = dict.fromkeys(chosen, 0.0)
        for phrase in phrases:
            for identity, score in self.bm25(phrase, chosen).items():
                scores[identity] += score
        return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))[:k]

    def bm25(self, phrase: str, ids: Sequence[int]) -> dict[int, float]:
        rows, tokens = self.text_size()
        worth = _worth(rows, self.holding(phrase))
        scores = {}
        for part, some in self._by_part(ids):
            lengths = part.view.lengths(some)
            own_rows, own_tokens = part.view.text_size()
            own_worth = _worth(own_rows, part.view.holding(phrase))
            for identity, score in part.view.bm25(phrase, some).items():
                share = score / own_worth  # times (K1 + 1) / (times + _damping)
                length = lengths[identity]
                times = share * _damping(length, own_tokens / own_rows) / (K1 + 1 - share)
                share = times * (K1 + 1) / (times + _damping(length, tokens / rows))
                scores[identity + part.base] = worth * share
        return scores


def _worth(rows: int, holding: int) -> float:
    """The inverse document frequency as bm25() has it, which is never 0 or less."""
    return max(math.log((rows - holding + 0.5) / (holding + 0.5)), 1e-6)


def _damping(length: int, mean: float) -> float:
    return K1 * (1 - B + B * length / mean)


def _first(heard: Iterable[Signatures], signature: bytes) -> str | None:
    return next((voice for known in heard if (voice := known.voice_of(signature))), None)


def _sorted(articles: Iterable[SourceInfo]) -> list[SourceInfo]:
    return sorted(articles, key=lambda info: info.source)


def _nearest(
    parts: Iterable[tuple[_Part, Filters]], vector: NDArray[np.float32], k: int
) -> list[tuple[int, float]]:
    found = [
        (identity + part.base, score)
        for part, within in parts
        for identity, score in part.view.exact(vector, k, within)
    ]
    return sorted(found, key=lambda pair: -pair[1])[:k]


@contextmanager
def opened(index: Path, embedder: str | None = None, dimension: int = 0) -> Iterator[View | None]:
    """One snapshot of an index, which is closed afterwards; None where there is none (yet), or none
    that fits this program and the `embedder` of that name."""
    try:
        meta = read_meta(index)
        if embedder is not None:
            check_meta(meta, index, embedder, dimension)
    except (IndexMissing, IndexMismatch):
        yield None
        return
    catalog = Catalog(index)
    try:
        with catalog.view() as view:
            yield view
    finally:
        catalog.close()


class JoinedCatalog:
    """The reading side of a main index and of others beside it, which are opened for each view: they
    come and go. Safe to share between threads."""

    def __init__(self, main: Catalog, indexes: Sequence[Path], originals: Originals) -> None:
        self._main = main
        self._indexes = tuple(indexes)
        self._originals = originals

    @contextmanager
    def view(self) -> Iterator[View]:
        """One snapshot of all of them; the main one's own view where there are no others."""
        with ExitStack() as stack:
            main = stack.enter_context(self._main.view())
            made_with = main.meta["embedder"], int(main.meta["dimension"])
            found = [stack.enter_context(opened(index, *made_with)) for index in self._indexes]
            others = [view for view in found if view is not None]
            yield JoinedView([main, *others], self._originals) if others else main
