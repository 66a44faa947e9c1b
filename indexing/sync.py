"""Brings an index in step with a folder: adds, replaces, removes; embeds only what is new.

The order makes a crash harmless. New articles are staged in the catalog, unseen; their vectors are
written to the catalog, then to Chroma; one transaction makes all of it current; only then is what
was replaced cleared away. A run that finds an interrupted one's staged files and vectors uses them.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from textwrap import shorten

from filelock import FileLock, Timeout

from indexing import chunk, copies
from indexing.embed import Embedder, open_embedder
from indexing.errors import IndexBusy, UnreadableFile
from indexing.reading import clean, publisher, read
from indexing.reading.published import publication
from indexing.schema import Article, Document, Failure, Passage, SyncReport
from indexing.settings import IndexSettings
from indexing.store import tables, vectors
from indexing.store.tables import FILE_NAME, fingerprint, processing, storage_errors
from indexing.store.writer import CatalogWriter, PreparedArticle, PreparedPassage
from indexing.times.expressions import time_expressions

EMBED_BATCH = 512
FEW = 32
"""Texts embedded at a time where there are no more than EMBED_BATCH and a reader waits."""
IN_PLACE_FROM = 1_000
"""Vectors below which Chroma's folder is always built anew: that takes under a second."""
IN_PLACE_SHARE = 0.05
"""The largest share of the vectors that may change in the current folder."""

Progress = Callable[[str, int, int], None]
"""Told (what is being done, how many are done, of how many)."""


def prepare(document: Document, model: str) -> PreparedArticle:
    """Cleans, dates and cuts one article; `model` names the embedder its vector keys are for."""
    text, boilerplate = clean.clean(document)
    metadata = dict(document.metadata)
    published, published_from = publication(document, text)
    cut = chunk.passages(document.source, document.raw, text, boilerplate, tables.PASSAGE_CHARS)
    article = Article(
        source=document.source,
        raw=document.raw,
        text=text,
        boilerplate=boilerplate,
        title=_title(metadata, text, cut),
        publisher=publisher.publisher(document, text),
        published=published,
        published_from=published_from,
        language=metadata.get("language"),
        url=metadata.get("url"),
        encoding=document.encoding,
        pages=document.pages,
    )
    sentences = [sentence for passage in cut for sentence in passage.sentences]
    times = iter(time_expressions(text, sentences, published))
    header = _header(article)
    prepared = []
    for passage in cut:
        body = clean.searchable(text[passage.start : passage.end])
        key = hashlib.sha256("\0".join((model, body)).encode()).hexdigest()[:32]
        found = tuple(t for _ in passage.sentences for t in next(times))
        prepared.append(PreparedPassage(passage, header, body, key, found))
    return PreparedArticle(article, tuple(prepared), copies.signature(text))


TITLE_CHARS = 160


def _title(metadata: dict[str, str], text: str, cut: Sequence[Passage]) -> str:
    """The stated title, else the text's first line where it reads like one, else how it begins."""
    stated = " ".join(metadata.get("title", "").split())
    if stated:
        return stated
    lines = (" ".join(line.replace("\ufeff", " ").split()) for line in text.splitlines())
    first = next((line for line in lines if line), "")
    if 0 < len(first) <= TITLE_CHARS and first[-1] not in ".,;:":
        return first
    begins = cut[0].sentences[0] if cut else None
    return shorten(text[begins.start : begins.end], 90, placeholder="…") if begins else "Untitled"


def _header(article: Article) -> str:
    """What a passage does not say of itself but a question may name: title, publisher, date."""
    day = article.published.strftime("%d %B %Y").lstrip("0") if article.published else None
    return " | ".join(part for part in (article.title, article.publisher, day) if part)


def sync(
    corpus: Path,
    settings: IndexSettings,
    *,
    rebuild: bool = False,
    progress: Progress = lambda what, done, total: None,
    embedder: Embedder | None = None,
    small: bool = False,
) -> SyncReport:
    """Brings the index at `settings.index` in step with `corpus` and says what changed.

    A file that cannot be read is set aside with its reason; if an earlier version of it is
    indexed, that version stays. `rebuild` starts from nothing. `embedder` is the one that the
    settings name, where it is open already. A `small` index has no folder of Chroma: it is scanned.
    Raises CorpusError (no such folder), IndexBusy, IndexMismatch, IndexStorage, SettingsError.
    """
    started = time.monotonic()
    listed, failures = read.list_files(corpus)
    index = settings.index
    with storage_errors(index):
        index.mkdir(parents=True, exist_ok=True)
        lock = FileLock(index / "write.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as exc:
            raise IndexBusy(
                f"another process is writing the index {index}; wait for it to end, or choose"
                " another folder with --index"
            ) from exc
        try:
            if rebuild:
                _clear(index)
            embedder = embedder or open_embedder(settings.embedder, settings.threads)
            catalog = CatalogWriter(index, embedder.name, embedder.dimension)
            try:
                run = _Run(corpus, settings, catalog, embedder, progress, started, small)
                return run.bring_in_step(listed, failures)
            finally:
                catalog.close()
        finally:
            lock.release()


def _clear(index: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        (index / (FILE_NAME + suffix)).unlink(missing_ok=True)
    _remove_folders(index, keep="")


def _remove_folders(index: Path, keep: str) -> None:
    for folder in index.glob("chroma-*"):
        if folder.name != keep:
            shutil.rmtree(folder, ignore_errors=True)


class _Run:
    """One run of `sync`, with the lock held."""

    def __init__(
        self,
        corpus: Path,
        settings: IndexSettings,
        catalog: CatalogWriter,
        embedder: Embedder,
        progress: Progress,
        started: float,
        small: bool,
    ) -> None:
        self._corpus = corpus
        self._settings = settings
        self._processing = processing()
        self._catalog = catalog
        self._embedder = embedder
        self._progress = progress
        self._started = started
        self._small = small

    def bring_in_step(
        self, listed: Sequence[tuple[str, Path]], failures: Sequence[Failure]
    ) -> SyncReport:
        current = self._catalog.files(current=True)
        failed = list(failures)
        unchanged, staged, kept = self._stage_changes(listed, current, failed)
        removed = sorted(
            set(current) - set(unchanged) - set(staged) - kept - _under(failures, current)
        )
        embedded = self._embed()
        if staged or removed or not self._settled():
            self._commit(removed)
        failed += self._catalog.failures([*unchanged, *staged])
        articles, passages = self._catalog.count()
        return SyncReport(
            added=sum(path not in current for path in staged),
            changed=sum(path in current for path in staged),
            unchanged=len(unchanged),
            removed=len(removed),
            failed=tuple(failed),
            passages=passages,
            articles=articles,
            embedded=embedded,
            seconds=round(time.monotonic() - self._started, 3),
        )

    def _stage_changes(
        self,
        listed: Sequence[tuple[str, Path]],
        current: dict[str, str],
        failed: list[Failure],
    ) -> tuple[list[str], list[str], set[str]]:
        """Stages new and changed files; returns (unchanged, staged, unreadable but kept) paths."""
        unchanged, staged = [], []
        kept: set[str] = set()
        waiting = self._catalog.files(current=False)
        self._catalog.unstage(set(waiting) - {path for path, _ in listed})
        for done, (path, file) in enumerate(listed):
            self._progress("reading", done, len(listed))
            try:
                data = read.read_bytes(file)
                mark = fingerprint(data, self._processing)
                if current.get(path) == mark:
                    if path in waiting:
                        self._catalog.unstage([path])
                    unchanged.append(path)
                    continue
                if waiting.get(path) != mark:
                    documents, bad = read.read_documents(path, data)
                    prepared = [prepare(document, self._embedder.name) for document in documents]
                    self._catalog.stage(path, mark, prepared, bad)
                staged.append(path)
            except UnreadableFile as exc:
                if path in waiting:
                    self._catalog.unstage([path])
                reason = str(exc)
                if path in current:
                    kept.add(path)
                    reason += "; what was indexed of it before is kept"
                failed.append(Failure(path, reason))
        self._progress("reading", len(listed), len(listed))
        return unchanged, staged, kept

    def _embed(self) -> int:
        """Embeds what has no vector yet; each batch is kept even if the run is killed."""
        waiting = self._catalog.unembedded()
        size = FEW if self._small and len(waiting) <= EMBED_BATCH else EMBED_BATCH
        for i in range(0, len(waiting), size):
            self._progress("embedding", i, len(waiting))
            some = waiting[i : i + size]
            self._catalog.put_vectors(
                [key for key, _ in some],
                self._embedder.embed_documents([body for _, body in some]),
            )
        if waiting:
            self._progress("embedding", len(waiting), len(waiting))
        return len(waiting)

    def _settled(self) -> bool:
        """Whether Chroma's folder is there and no run was interrupted while writing into it."""
        if self._small:
            return self._catalog.meta("generation") != "0"
        chroma = self._catalog.meta("chroma")
        return (
            self._catalog.meta("unsettled") == "0"
            and bool(chroma)
            and (self._settings.index / chroma / "chroma.sqlite3").is_file()
        )

    def _commit(self, removed: Sequence[str]) -> None:
        """Vectors into Chroma, then one transaction, then the clearing up."""
        index, catalog = self._settings.index, self._catalog
        current, following = catalog.current_keys(), catalog.next_keys(removed)
        fresh, stale = sorted(following - current), sorted(current - following)
        chroma = catalog.meta("chroma")
        in_place = (
            not self._small
            and self._settled()
            and len(following) >= IN_PLACE_FROM
            and len(fresh) + len(stale) <= IN_PLACE_SHARE * len(following)
        )
        self._progress("storing", 0, 1)
        if in_place:
            catalog.set_meta(unsettled="1")
            vectors.update(index / chroma, fresh, catalog.vectors)
        elif self._small:
            chroma = ""
        else:
            chroma = f"chroma-{int(catalog.meta('generation')) + 1:06d}"
            vectors.build(index / chroma, sorted(following), catalog.vectors)
        catalog.commit(
            removed,
            chroma,
            copies.voices(catalog.signatures(removed)),
            unsettled=catalog.meta("unsettled") if in_place else "0",
            processing=self._processing,
            corpus=str(self._corpus.resolve()),
        )
        if in_place:
            vectors.remove(index / chroma, stale)
            catalog.set_meta(unsettled="0")
        _remove_folders(index, keep=chroma)
        self._progress("storing", 1, 1)


def _under(failures: Iterable[Failure], paths: Iterable[str]) -> set[str]:
    """The paths that are, or lie under, something that could not be listed."""
    unlisted = [failure.source.rstrip("/") for failure in failures]
    return {
        path
        for path in paths
        if any(path == source or path.startswith(source + "/") for source in unlisted)
    }
