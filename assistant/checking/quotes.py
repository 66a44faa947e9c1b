"""Every quote is compared with its source before it is shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from indexing.errors import UnreadableFile
from indexing.reading import read
from indexing.store.tables import fingerprint
from indexing.store.view import View

Verify = Callable[[str, int, int, str], bool]
"""Whether `quote` stands at `start:end` of `source`: `QuoteVerifier.holds` over one view."""


class QuoteVerifier:
    """Whether a quote stands at its place in its file as the file is now.

    The catalog's text is compared always. Where the corpus folder is at hand, the file must also be
    the one that was indexed: the same bytes, or, changed elsewhere, the same characters at that
    place. A file that has gone cannot be cited.
    """

    def __init__(self) -> None:
        self._fingerprints: dict[tuple[str, int, int], str] = {}

    def holds(self, view: View, source: str, start: int, end: int, quote: str) -> bool:
        text = view.text_of(source)
        if text is None or not quote.strip() or text[start:end] != quote:
            return False
        corpus = Path(view.meta["corpus"])
        if not corpus.is_dir():  # an index may travel without its corpus
            return True
        held = view.file_of(source)
        assert held is not None
        path, indexed_as = held
        return self._fingerprint_of(
            corpus / path, view.meta["processing"]
        ) == indexed_as or self._reads(corpus / path, path, source, start, end, quote)

    def _fingerprint_of(self, file: Path, processed: str) -> str | None:
        try:
            stat = file.stat()
            key = (str(file), stat.st_mtime_ns, stat.st_size)
            if key not in self._fingerprints:
                data = read.read_bytes(file)
                self._fingerprints[key] = fingerprint(data, processed)
            return self._fingerprints[key]
        except (OSError, UnreadableFile):
            return None

    def _reads(self, file: Path, path: str, source: str, start: int, end: int, quote: str) -> bool:
        try:
            documents, _ = read.read_documents(path, read.read_bytes(file))
        except UnreadableFile:
            return False
        return any(d.source == source and d.raw[start:end] == quote for d in documents)
