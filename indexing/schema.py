"""The nouns of the document side.

Offsets are the truth: `start` and `end` count Unicode code points of an article's
decoded file (for HTML, PDF and DOCX, of the text extracted from it), end exclusive.
A byte-order mark counts as one character.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open range of characters, `0 <= start <= end`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Document:
    """One article as `read` delivers it: the decoded characters and what the format says of them.

    `raw` is `path.read_bytes()` decoded, untouched, or the text extracted from HTML, PDF or DOCX.
    `markup` marks characters of `raw` that are not prose: front matter, Markdown syntax, JSON
    structure. `metadata` holds what the format itself states, keys `title`, `publisher`,
    `published` (any date format), `url`, `language`, each optional. `pages` holds the offset in
    `raw` at which each page starts (PDF only, else empty).
    """

    source: str
    raw: str
    encoding: str
    format: str
    markup: tuple[Span, ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()
    pages: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known of an article, without its text.

    `published_from` says where the date came from: "front matter", "metadata", "stamp",
    "dateline", "text", or None when the date is unknown. `voice` names the source whose text this one
    repeats (itself for an original): near-identical articles share a voice.
    """

    source: str
    title: str
    publisher: str | None
    published: date | None
    published_from: str | None
    language: str | None
    url: str | None
    encoding: str
    voice: str
    passages: int
    pages: tuple[int, ...] = ()

    def page_of(self, start: int) -> int | None:
        """The page, counted from 1, on which the character at `start` stands; None without pages."""
        if not self.pages:
            return None
        return max(1, sum(first <= start for first in self.pages))


@dataclass(frozen=True, slots=True)
class Article:
    """An article ready to be cut: `len(text) == len(raw)`, and cleaning only ever blanked.

    `text` is `raw` with markup and boilerplate replaced by spaces (line breaks stay).
    `boilerplate` marks what a reader would not call the article; no passage enters it.
    """

    source: str
    raw: str
    text: str
    boilerplate: tuple[Span, ...]
    title: str
    publisher: str | None
    published: date | None
    published_from: str | None
    language: str | None
    url: str | None
    encoding: str
    pages: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Filters:
    """Which articles may be used. `source` is a glob over sources, `sources` are whole ones, all of
    them where it is empty; `publishers` are names as the articles give them; dates are of
    publication, both ends included, and leave out articles whose date is unknown."""

    source: str | None = None
    since: date | None = None
    until: date | None = None
    publishers: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


EVERYTHING = Filters()


@dataclass(frozen=True, slots=True)
class TimeExpression:
    """A time expression of a sentence, resolved against its article's own dates.

    `phrase` stands at `raw[start:end]`. `first` and `last` are the first and last day meant (equal
    for a single day), both None when it cannot be resolved. `kind` is "date" (a day), "period" (a
    month, quarter, year, "last July"), "deadline" ("within 30 days", "by March 6", "due Friday") or
    "duration" ("60-day", "for two years": no position in time of its own).
    `anchor` is the day it was counted from. `rule` says how, in words: "anchor + 30 days",
    "the Wednesday before publication", or, unresolved, why not ("the article has no date").
    `precision` is "day", "month", "quarter", "year" or "".
    """

    start: int
    end: int
    phrase: str
    kind: str
    anchor: date | None
    first: date | None
    last: date | None
    precision: str
    rule: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """The unit that is quoted: `raw[start:end]`, without surrounding white space."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Passage:
    """Consecutive whole sentences of one article: `raw[start:end] == text`."""

    source: str
    start: int
    end: int
    text: str
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that was set aside, and why, in words for its owner."""

    source: str
    error: str


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What one run of indexing did; the JSON contract of `dateline index`.

    `added`, `changed`, `unchanged` and `removed` count files; `passages` and `articles` are the
    totals of the index afterwards (a .jsonl file holds many articles); `embedded` counts the texts
    embedded in this run.
    """

    added: int
    changed: int
    unchanged: int
    removed: int
    failed: tuple[Failure, ...]
    passages: int
    articles: int
    embedded: int
    seconds: float
