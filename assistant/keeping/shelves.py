"""Articles that people add on the chat page: shelves beside the index, asked together with it.

A shelf is a folder: the files as they came, and a small index of them. Each conversation has one, and
each person has one for all of his conversations; nobody's is read for anybody else. The main index is
never written.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import unicodedata
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Generic, Protocol, Self, TypeVar

from filelock import FileLock, Timeout

from assistant.settings import Settings
from indexing.embed import Embedder
from indexing.errors import CorpusError, IndexBusy, IndexMismatch, UnreadableFile
from indexing.reading import read
from indexing.schema import SourceInfo, SyncReport
from indexing.store.joined import opened, untaken
from indexing.store.tables import storage_errors
from indexing.store.view import View
from indexing.sync import Progress, sync


class Joinable(Protocol):
    """What a shelf needs of an assistant: its embedder, and one that answers from shelves as well."""

    @property
    def embedder(self) -> Embedder: ...

    def joined(self, *indexes: Path) -> Self: ...


J = TypeVar("J", bound=Joinable)

MOST_FILES = 50
"""Files on one shelf."""
NAME_BYTES = 180
"""Of a file's name in UTF-8; file systems take 255."""
WAIT_S = 600
"""The longest wait for another addition to the same shelf."""
FOLDER = "shelves"

_NO_TEXT = "there is no sentence in it that could be quoted"
_PART = ".part"


def quiet(what: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


def file_name(given: str) -> str:
    """The name a file is stored under: `given` without folders, control and invisible characters and
    dots in front, no longer than NAME_BYTES, its suffix kept. Raises UnreadableFile for a type of
    file that is not read."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", given))[-1]
    kept = "".join(" " if c.isspace() else c for c in last if c.isspace() or _is_shown(c))
    stem, dot, ending = " ".join(kept.split()).rpartition(".")
    stem, suffix = stem.lstrip(". "), dot + ending
    if suffix.lower() not in read.SUPPORTED:
        known = ", ".join(sorted(read.SUPPORTED))
        raise UnreadableFile(f"{given[:100]!r} is not of a type that is read; those are: {known}")
    room = NAME_BYTES - len(suffix)
    return (stem.encode()[:room].decode(errors="ignore").rstrip(" .") or "article") + suffix


def _is_shown(character: str) -> bool:
    return unicodedata.category(character)[0] != "C"


class Shelf:
    """The files and the index of one conversation or one person. Safe to share between threads and
    processes: additions wait for one another."""

    def __init__(self, folder: Path, settings: Settings, embedder: Embedder) -> None:
        self._folder = folder
        self._files = folder / "files"
        self._settings = settings
        self._embedder = embedder

    @property
    def index(self) -> Path:
        """Where its index is, once it holds an article."""
        return self._folder / "index"

    def sources(self) -> list[SourceInfo]:
        """Its articles, sorted by source."""
        with opened(self.index) as view:
            return view.sources() if view else []

    def text(self, source: str) -> str:
        """The characters that citations of `source` point into; CorpusError for an unknown one."""
        with opened(self.index) as view:
            text = view.text_of(source) if view else None
        if text is None:
            raise _unknown(source)
        return text

    def original(self, source: str) -> Path | None:
        """The file of `source` as it was added; None where there is none such, or it has changed, and
        for an article that is only a part of its file."""
        with opened(self.index) as view:
            return view.original(source) if view else None

    def add(
        self,
        name: str,
        content: bytes | Path,
        taken: Collection[str] = (),
        progress: Progress = quiet,
    ) -> list[SourceInfo]:
        """Stores a file, its bytes or where they are, and returns its articles, ready to be asked.

        It goes by `name`, or by one like it where that is one of the sources `taken`. Raises
        UnreadableFile, saying why, where no article can be read from it, CorpusError for a full
        shelf, IndexStorage and IndexBusy: then nothing has changed.
        """
        wanted = file_name(name)
        data = self._read(content, wanted)
        with self._locked():
            return self._add(wanted, data, taken, progress)

    def remove(self, source: str) -> None:
        """Takes the file of `source` off the shelf. Raises CorpusError where there is none."""
        with self._locked():
            self._remove(self._path_of(source))

    def move(
        self,
        source: str,
        other: Shelf,
        taken: Collection[str] = (),
        progress: Progress = quiet,
    ) -> list[SourceInfo]:
        """Puts the file of `source` on another shelf, and returns its articles there; see `add`.

        `taken` must not name the file itself, or it gets another name.
        """
        with ExitStack() as stack:
            for shelf in sorted((self, other), key=lambda shelf: shelf._folder):
                stack.enter_context(shelf._locked())
            path = self._path_of(source)
            moved = other._add(path.name, self._read(path, path.name), taken, progress)
            self._remove(path)
            return moved

    def clear(self) -> None:
        """Deletes the shelf with all that is on it."""
        if self._folder.is_dir():
            with self._locked(), storage_errors(self._folder):
                shutil.rmtree(self._folder)

    def heal(self) -> None:
        """Makes the index again where there are files, and it is not finished or of another embedder
        or version: what an interruption or a change of settings leaves."""
        if self._names():
            embedder = self._embedder
            with opened(self.index, embedder.name, embedder.dimension) as view:
                is_sound = view is not None
            if not is_sound:
                # Whoever writes it now heals it as well; a question does not wait for that.
                with suppress(IndexBusy), self._locked(wait_s=0):
                    self._bring_in_step()

    def _add(
        self, wanted: str, data: bytes, taken: Collection[str], progress: Progress
    ) -> list[SourceInfo]:
        present = self._names()
        if len(present) >= MOST_FILES:
            raise CorpusError(
                f"{wanted} was not added: there are {len(present)} files already, the most there may"
                " be; remove one first"
            )
        # "a.jsonl#3" is an article of the file "a.jsonl".
        files = {part for source in taken for part in (source, source.rpartition("#")[0])}
        used = {name.casefold() for name in (*present, *files)}
        path = self._files / untaken(wanted, lambda free: free.casefold() in used)
        try:
            self._write(path, data)
            report = self._bring_in_step(progress)
            with opened(self.index) as view:
                found = _of_file(path.name, view) if view else []
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        if any(info.passages for info in found):
            return found
        self._remove(path)
        why = [failure.error for failure in report.failed if failure.source == path.name]
        raise UnreadableFile(f"{wanted} cannot be read: {(why or [_NO_TEXT])[0]}")

    def _remove(self, path: Path) -> None:
        with storage_errors(path):
            path.unlink(missing_ok=True)
        self._bring_in_step()

    def _read(self, content: bytes | Path, name: str) -> bytes:
        try:
            if isinstance(content, Path):
                return read.read_bytes(content)
            read.check_size(len(content))
        except UnreadableFile as exc:
            raise UnreadableFile(f"{name} cannot be read: {exc}") from exc
        return content

    def _write(self, path: Path, data: bytes) -> None:
        """The whole file or none; what an interrupted run left of another is cleared away."""
        with storage_errors(path):
            self._files.mkdir(exist_ok=True)
            for left in self._files.glob(f".*{_PART}"):
                left.unlink()
            part = self._files / f".{os.getpid()}{_PART}"  # passed over by `list_files`
            part.write_bytes(data)
            part.replace(path)

    def _names(self) -> list[str]:
        """The files on the shelf."""
        if not self._files.is_dir():
            return []
        return [name for name in os.listdir(self._files) if not name.startswith(".")]

    def _path_of(self, source: str) -> Path:
        with opened(self.index) as view:
            held = view.file_of(source) if view else None
        if held is None:
            raise _unknown(source)
        return self._files / held[0]

    def _bring_in_step(self, progress: Progress = quiet) -> SyncReport:
        run = partial(
            sync,
            self._files,
            replace(self._settings, corpus=self._files, index=self.index),
            progress=progress,
            embedder=self._embedder,
            small=True,
        )
        try:
            return run()
        except IndexMismatch:  # the settings have changed; the files are all here
            return run(rebuild=True)

    @contextmanager
    def _locked(self, wait_s: float = WAIT_S) -> Iterator[None]:
        with storage_errors(self._folder):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = FileLock(self._folder / "files.lock")
            try:
                lock.acquire(timeout=wait_s)
            except Timeout as exc:
                raise IndexBusy(
                    "another article is still being added here; try again in some minutes"
                ) from exc
        try:
            yield
        finally:
            lock.release()


def _of_file(name: str, view: View) -> list[SourceInfo]:
    sources = {source for path, source, _, _ in view.signatures() if path == name}
    return [info for info in view.sources() if info.source in sources]


def _unknown(source: str) -> CorpusError:
    return CorpusError(f"no file {source!r} was added here")


class Shelves(Generic[J]):
    """The shelves beside the index of an assistant."""

    def __init__(self, settings: Settings, assistant: J) -> None:
        self._settings = settings
        self._assistant = assistant

    def of_conversation(self, identifier: str) -> Shelf:
        return self._shelf("conversations", identifier)

    def of_person(self, identifier: str) -> Shelf:
        return self._shelf("people", identifier)

    def assistant(self, conversation: str | None = None, person: str | None = None) -> J:
        """Answers from the index together with what is on these two shelves, and nobody else's."""
        shelves = [self.of_person(person)] if person is not None else []
        shelves += [self.of_conversation(conversation)] if conversation is not None else []
        for shelf in shelves:
            shelf.heal()
        return self._assistant.joined(*(shelf.index for shelf in shelves))

    def forget(self, conversation: str) -> None:
        """Deletes what was added to a conversation."""
        self.of_conversation(conversation).clear()

    def _shelf(self, kind: str, identifier: str) -> Shelf:
        key = hashlib.sha256(identifier.encode("utf-8", "surrogatepass")).hexdigest()
        folder = self._settings.index / FOLDER / kind / key
        return Shelf(folder, self._settings, self._assistant.embedder)
