"""Read: files in, `Document`s out. Nothing is judged here but whether a file can be read.

The characters of `.txt` and `.md` are those of `data.decode("utf-8")`: a byte-order mark stays
one character, `\\r\\n` stays two, so offsets are the file's own. For HTML, PDF, DOCX and JSON they
are those of the text found inside. Heavy libraries are imported where they are used, so that
a front door that only answers questions does not pay for them.
"""

from __future__ import annotations

import copy
import errno
import io
import json
import logging
import os
import re
import stat
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from indexing.errors import CorpusError, UnreadableFile
from indexing.reading.decode import BOM, decode
from indexing.schema import Document, Failure, Span

SUPPORTED = frozenset({".txt", ".md", ".html", ".htm", ".pdf", ".docx", ".json", ".jsonl"})

BYTES_PER_MB = 1_000_000
MAX_FILE_MB = 50
"""The largest file read as an article or a list of articles."""
_FRONT_MATTER_CHARS = 20_000
_PAGE_BREAK = "\n\n"
_DOCX_UNPACKED_MB = 1_000  # 20 times the default limit of a file: what a zip bomb exceeds

# Names that articles, feeds and scrapers give to the same things, without case, "_" and "-".
_METADATA_KEYS = {
    "title": ("title", "headline"),
    "publisher": ("publisher", "source", "site", "sitename"),
    "published": ("published", "date", "datepublished", "publishedat", "publishdate", "pubdate"),
    "url": ("url", "link"),
    "language": ("language", "lang"),
}
_TEXT_KEYS = ("text", "content", "body", "article", "articleBody")


# --- the folder -----------------------------------------------------------------------------


def list_files(corpus: Path) -> tuple[list[tuple[str, Path]], list[Failure]]:
    """Every file of a supported type under `corpus`, sorted by source, and what could not be listed.

    A source is the path relative to `corpus`, with "/". Names that begin with a dot are passed over.
    Links are followed, but each folder is listed once, real folders before links to them.
    Raises CorpusError when `corpus` is not a folder that can be listed.
    """
    if not corpus.is_dir():
        found = "is not a folder" if corpus.exists() else "does not exist"
        raise CorpusError(
            f"the corpus {str(corpus)!r} {found}; create it and put articles in it, "
            "or name another with DATELINE_CORPUS or on the command line"
        )
    listing = _Listing()
    try:
        listing.look_into("", corpus)
    except OSError as exc:
        reason = _reason(exc)
        raise CorpusError(f"the corpus {str(corpus)!r} cannot be listed: {reason}") from exc
    while listing.folders or listing.linked_folders:
        # Links wait until all real folders are listed, so that a file goes by its real name.
        prefix, folder = listing.folders.pop() if listing.folders else listing.linked_folders.pop(0)
        try:
            listing.look_into(prefix, folder)
        except OSError as exc:
            listing.fails(prefix.rstrip("/"), f"cannot list this folder: {_reason(exc)}")
    return sorted(listing.files), sorted(listing.failures, key=lambda failure: failure.source)


class _Listing:
    """What is found while folders are listed, and the folders that are still to be."""

    def __init__(self) -> None:
        self.files: list[tuple[str, Path]] = []
        self.failures: list[Failure] = []
        self.folders: list[tuple[str, Path]] = []
        self.linked_folders: list[tuple[str, Path]] = []
        self._listed: set[str] = set()

    def look_into(self, prefix: str, folder: Path) -> None:
        """Takes in what stands in `folder`, whose sources begin with `prefix`. Raises OSError."""
        real = os.path.realpath(folder)
        if real in self._listed:
            return
        self._listed.add(real)
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            if not entry.name.startswith("."):
                self._take(prefix + entry.name, entry, real)

    def fails(self, source: str, error: str) -> None:
        self.failures.append(Failure(source, error))

    def _take(self, source: str, entry: os.DirEntry[str], real: str) -> None:
        """`real`: the folder that the entry stands in, without links."""
        path = Path(entry.path)
        supported = path.suffix.lower() in SUPPORTED
        try:
            is_folder = stat.S_ISDIR(entry.stat().st_mode)
        except OSError as exc:  # a broken or looping link, or a file just deleted
            if supported or not path.suffix or exc.errno == errno.ELOOP:
                self.fails(_printable(source), _reason(exc, entry.is_symlink()))
            return
        if not (is_folder or supported):
            return
        if _printable(source) != source:
            self.fails(_printable(source), "the name is not valid UTF-8; rename it")
        elif not is_folder:
            self.files.append((source, path))
        elif not entry.is_symlink():
            self.folders.append((source + "/", path))
        elif Path(os.path.realpath(path)) in Path(real, "_").parents:
            self.fails(source, "a link to a folder above it: a loop, not followed")
        else:
            self.linked_folders.append((source + "/", path))


def read_bytes(path: Path) -> bytes:
    """The bytes of a regular file of at most MAX_FILE_MB; UnreadableFile otherwise."""
    try:
        status = path.stat()
        # Asked before opening: to open a named pipe is to wait for whoever writes to it.
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe, socket or device"
            raise UnreadableFile(f"not a regular file but {kind}")
        check_size(status.st_size)
        return path.read_bytes()
    except OSError as exc:
        raise UnreadableFile(_reason(exc, path.is_symlink())) from exc


def check_size(size: int) -> None:
    """Raises UnreadableFile for a file of `size` bytes where that is more than MAX_FILE_MB."""
    if size > MAX_FILE_MB * BYTES_PER_MB:
        shown = f"{size / BYTES_PER_MB:.1f} MB"
        raise UnreadableFile(f"too large: {shown}, the limit is {MAX_FILE_MB} MB; split it")


def _reason(exc: OSError, is_link: bool = False) -> str:
    match exc.errno:
        case errno.ENOENT if is_link:
            return "a broken link: what it points to does not exist"
        case errno.ENOENT:
            return "the file does not exist any more"
        case errno.EACCES | errno.EPERM:
            return "permission denied; make it readable for the user that runs Dateline"
        case errno.ELOOP:
            return "a link that leads back to itself"
        case _:
            return exc.strerror or str(exc)


def _printable(name: str) -> str:
    """`name` with bytes that are not UTF-8 written as `\\xNN`: such names cannot be stored."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


# --- one file -------------------------------------------------------------------------------


def read_documents(source: str, data: bytes) -> tuple[list[Document], list[Failure]]:
    """The articles in the file `source` with the bytes `data`, and the parts set aside.

    One article a file; for `.jsonl` and a `.json` list one an object, with the source
    "file.jsonl#LINE" or "file.json#POSITION", both counted from 1. Raises UnreadableFile when
    nothing of the file can be read.
    """
    suffix = os.path.splitext(source)[1].lower()
    match suffix:
        case ".txt" | ".md":
            return [_read_text(source, data, suffix)], []
        case ".html" | ".htm":
            return [_read_html(source, data)], []
        case ".pdf":
            return [_read_pdf(source, data)], []
        case ".docx":
            return [_read_docx(source, data)], []
        case ".json" | ".jsonl":
            return _read_json(source, data, suffix)
    known = " ".join(sorted(SUPPORTED))
    raise UnreadableFile(f"files of type {suffix!r} are not read; those that are: {known}")


def _storable(text: str) -> str:
    """`text` without what SQLite cannot hold: halves of surrogate pairs and NUL."""
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _metadata(fields: Mapping[Any, Any]) -> tuple[tuple[str, str], ...]:
    """What `fields` says under any of the usual names, as strings; blank and nested values left out."""
    given = {re.sub("[-_ ]", "", str(key)).lower(): value for key, value in fields.items()}
    found = []
    for name, aliases in _METADATA_KEYS.items():
        for alias in aliases:
            value = given.get(alias)
            if isinstance(value, dict):  # {"publisher": {"name": ...}}, as in schema.org and feeds
                value = value.get("name")
            if isinstance(value, str | int) and str(value).strip():
                found.append((name, _storable(str(value).strip())))
                break
    return tuple(found)


# --- text and Markdown ----------------------------------------------------------------------

_FRONT_MATTER = re.compile(
    r"\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE
)
_FIRST_HEADING = re.compile(r"^ {0,3}#[ \t]+([^\r\n]*[^\r\n#\s])", re.MULTILINE)


def _read_text(source: str, data: bytes, suffix: str) -> Document:
    raw, encoding = decode(data)
    metadata, body = _front_matter(raw)
    if not raw[body:].strip():
        raise UnreadableFile("there is front matter but no text below it")
    # A byte-order mark stays in `raw`, where offsets count it, but opens no sentence.
    body = body or int(raw.startswith(BOM))
    markup = [Span(0, body)] if body else []
    if suffix == ".md":
        syntax = _markdown_markup(raw, body)
        heading = _FIRST_HEADING.search(raw[body:])
        if heading and "title" not in dict(metadata):
            first, last = (body + offset for offset in heading.span(1))
            marked = {
                n for span in syntax for n in range(max(first, span.start), min(last, span.end))
            }
            title = "".join(raw[n] for n in range(first, last) if n not in marked).strip()
            metadata = (*_metadata({"title": title}), *metadata)
        markup += syntax
    return Document(source, raw, encoding, suffix[1:], tuple(markup), metadata)


def _front_matter(raw: str) -> tuple[tuple[tuple[str, str], ...], int]:
    """The metadata of YAML front matter and where the text below it starts; ((), 0) without it."""
    found = _FRONT_MATTER.match(raw, 0, _FRONT_MATTER_CHARS)
    if not found:
        return (), 0
    import yaml

    try:
        # BaseLoader: scalars stay the strings they are, where others make "No" false and
        # stumble over a day that the calendar does not have.
        fields = yaml.load(found[1], Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError):
        fields = _plain_fields(found[1])
    return (_metadata(fields), found.end()) if isinstance(fields, dict) else ((), 0)


def _plain_fields(block: str) -> dict[str, str] | None:
    """`key: value` lines that YAML refuses, such as a title with a colon in it; None for other text."""
    lines = [line.partition(":") for line in block.splitlines() if line.strip()]
    if not all(colon and re.fullmatch(r"[A-Za-z_][\w-]*", key) for key, colon, _ in lines):
        return None
    return {key: value.strip().strip("\"'") for key, _, value in lines}


# Markdown syntax that a reader of the rendered page does not see. What a pattern's groups hold is
# marked, or all of it where it has none. Marked characters become NUL, which no text holds, before the
# next pattern looks: neither space nor letter, they join no two words. Repeats are bounded or stop at
# their own first letter, so that none takes more than linear time.
_MARKDOWN = [
    re.compile(pattern, re.MULTILINE)
    for pattern in (
        r"^ {0,3}(?:`{3,}|~{3,})[^\n`]*$",  # fences of code
        r"^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,}|={3,}[ \t]*)(?=\r?$)",  # rules
        r"^[ \t]*(?:>[ \t]?)+",  # block quotes
        r"^[ \t\0]*#{1,6}(?=[ \t])",  # headings
        r"^[ \t\0]*[-*+][ \t]+(?:\[[ xX]\][ \t])?",  # bullets, tick boxes
        r"</?[A-Za-z][A-Za-z0-9-]*(?:\s+[\w:-]+(?:=(?:\"[^\"<>]*\"|'[^'<>]*'|[^\s<>\"']+))?)*\s*/?>",
        r"(?<!\\)!\[[^\[\]\n]{0,500}\]\([^()\n]{0,2000}\)",  # images
        r"(?<!\\)(\[)[^\[\]\n]{1,500}(\]\((?:[^()\n]|\([^()\n]{0,200}\)){0,2000}\))",  # links
        r"(?<![`\\])(`{1,2})(?![`\s])[^`\n]{1,1000}(\1)(?!`)",  # code, not ``quotation'''
        # Stars and underscores hug what they stress: "2 * 3", "2*3" and "snake_case" are left alone.
        *(r"(?<![\w*\\])(\*{1,3})(?![\s*])[^*\n]{1,1000}(?<![\s\\])(\1)(?!\*)",) * 3,  # nested
        r"(?<![\w\\])(_{1,2})(?![\s_])[^_\n]{1,1000}(?<![\s\\])(\1)(?!\w)",
        r"\\(?=[\\`*_{}\[\]()#+.!|<>~-])",  # escapes
    )
]


def _markdown_markup(raw: str, start: int) -> list[Span]:
    """Where Markdown and HTML syntax stands in `raw` from `start` on: sorted, disjoint."""
    marked = "".join(_without_comments_and_tables(raw[start:]))
    for pattern in _MARKDOWN:
        pieces, done = [], 0
        for match in pattern.finditer(marked):
            for group in range(1, pattern.groups + 1) if pattern.groups else (0,):
                first, last = match.span(group)
                pieces += [marked[done:first], re.sub(r"[^\r\n]", "\0", marked[first:last])]
                done = last
        marked = "".join((*pieces, marked[done:]))
    return [Span(start + m.start(), start + m.end()) for m in re.finditer(r"\0+", marked)]


def _without_comments_and_tables(text: str) -> Iterator[str]:
    """The lines of `text`, HTML comments and the lines of tables turned to NUL."""
    done = 0
    pieces = []
    # Not by pattern: a lazy one would search to the end from every "<!--" that nothing closes.
    while (first := text.find("<!--", done)) >= 0 and (last := text.find("-->", first)) >= 0:
        pieces += [text[done:first], re.sub(r"[^\r\n]", "\0", text[first : last + 3])]
        done = last + 3
    lines = "".join((*pieces, text[done:])).splitlines(keepends=True)
    in_table = False
    for here, below in zip(lines, [*lines[1:], ""], strict=True):
        # A table is its row of dashes, the row above and the rows below: elsewhere "|" is text.
        is_dashes = _is_dashes(here)
        in_table = "|" in here and (in_table or is_dashes or _is_dashes(below))
        if is_dashes:
            yield re.sub(r"[^\r\n]", "\0", here)
        else:
            yield here.replace("|", "\0") if in_table else here


def _is_dashes(line: str) -> bool:
    return "|" in line and "--" in line and not line.strip("|:- \t\r\n")


# --- HTML, PDF, Word ------------------------------------------------------------------------


def _read_html(source: str, data: bytes) -> Document:
    declared = re.search(rb"""(?:charset|encoding)\s*=\s*["']?([\w-]+)""", data[:4096])
    name = declared[1].decode().lower() if declared else None
    # Browsers read the first two as windows-1252 (WHATWG Encoding, section 4.2).
    html, encoding = decode(data, "cp1252" if name in ("iso-8859-1", "ascii") else name)
    if not re.search(r"<html\b", html[:4096], re.IGNORECASE):
        html = (
            f"<html><body>{html}</body></html>"  # a fragment, for which trafilatura returns nothing
        )

    import trafilatura

    for library in ("trafilatura", "htmldate"):
        logging.getLogger(library).setLevel(logging.CRITICAL)  # what goes wrong is told below
    try:
        tree = trafilatura.load_html(html)
        stated = {} if tree is None else {"date": _stated_date(tree), "lang": tree.get("lang")}
        page: Any = trafilatura.bare_extraction(tree, include_comments=False, with_metadata=True)
    except (
        Exception
    ) as exc:  # the parsers raise many kinds on broken pages, none of them documented
        raise UnreadableFile(f"the page cannot be parsed: {exc}") from exc
    text = _storable(page.text or "") if page else ""
    # Without a sentence it is a menu, a log-in form or a page that a script would have filled.
    if not re.search(r"\w[^\n]{60}|\w[.!?…。！？।؟][\"”’»)]?[ ]*$", text, re.MULTILINE):
        raise UnreadableFile("no article text in this page")
    fields = stated | {"title": page.title, "site": page.sitename, "url": page.url}
    return Document(source, text, encoding, "html", metadata=_metadata(fields))


def _stated_date(tree: Any) -> str | None:
    """The publication date that the page's markup or address states, "YYYY-MM-DD".

    htmldate sees only what is meant for machines: given the whole page it would also take dates out
    of footers and sentences.
    """
    from htmldate import find_date
    from lxml.html import builder  # type: ignore[import-untyped]  # it has no stubs

    stated = tree.xpath("//meta | //link[@rel='canonical'] | //script[@type='application/ld+json']")
    times = tree.xpath(
        "//time[@datetime][not(ancestor::aside or ancestor::footer or ancestor::nav)]"
    )
    page = builder.HTML(
        builder.HEAD(*(copy.deepcopy(element) for element in stated)),
        builder.BODY(*(builder.TIME(datetime=element.get("datetime")) for element in times[:1])),
    )
    address = tree.xpath("string(//link[@rel='canonical']/@href)") or None
    return find_date(page, url=address, extensive_search=False, original_date=True)


def _read_pdf(source: str, data: bytes) -> Document:
    import pypdf

    if not data.strip():
        raise UnreadableFile("the file is empty")
    if not data[:1024].lstrip().startswith(b"%PDF-"):
        raise UnreadableFile("not a PDF: its first bytes are not %PDF-")
    if b"%%EOF" not in data:
        raise UnreadableFile("the PDF is cut short: its end mark is missing; copy it again")
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it warns of each oddity it survives
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableFile("the PDF is encrypted with a password; save it without one")
        texts = [_storable(page.extract_text()) for page in reader.pages]
        title = (reader.metadata and reader.metadata.title) or ""
    except UnreadableFile:
        raise
    except (
        Exception
    ) as exc:  # on broken files pypdf also lets KeyError, TypeError and others through
        raise UnreadableFile(f"the PDF is damaged: {exc}") from exc
    if not any(text.strip() for text in texts):
        raise UnreadableFile("the PDF has no text layer (a scan?); run OCR on it first")
    pages = [0]
    for text in texts[:-1]:
        pages.append(pages[-1] + len(text) + len(_PAGE_BREAK))
    # Programs write the name of the file they made it from, or a default, where the title belongs.
    if re.search(r"^(untitled|microsoft word)|\.\w{2,4}$", title.strip(), re.IGNORECASE):
        title = ""
    raw = _PAGE_BREAK.join(texts)
    return Document(source, raw, "pdf", "pdf", (), _metadata({"title": title}), tuple(pages))


def _read_docx(source: str, data: bytes) -> Document:
    import docx

    if not data.strip():
        raise UnreadableFile("the file is empty")
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise UnreadableFile("an old or encrypted Word file; save it as .docx without a password")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked_mb = sum(entry.file_size for entry in archive.infolist()) / BYTES_PER_MB
        if unpacked_mb > _DOCX_UNPACKED_MB:
            raise UnreadableFile(f"refused: it would unpack to {unpacked_mb:,.0f} MB")
        word_file = docx.Document(io.BytesIO(data))
        raw = _storable("\n".join(_paragraphs(word_file)))
        title = word_file.core_properties.title
    except UnreadableFile:
        raise
    except Exception as exc:  # zipfile, lxml and python-docx each raise their own on broken files
        raise UnreadableFile(f"not a Word file that can be read: {exc}") from exc
    if not raw.strip():
        raise UnreadableFile("the Word file holds no text")
    return Document(source, raw, "docx", "docx", (), _metadata({"title": title}))


def _paragraphs(container: Any) -> Iterator[str]:
    """The texts of paragraphs and table cells, in the order of the document."""
    for block in container.iter_inner_content():
        if not hasattr(block, "rows"):
            yield block.text
            continue
        seen = set()
        for row in block.rows:
            for cell in row.cells:
                if cell._tc not in seen:  # a merged cell is listed once for each place it covers
                    seen.add(cell._tc)
                    yield from _paragraphs(cell)


# --- JSON -----------------------------------------------------------------------------------


def _read_json(source: str, data: bytes, suffix: str) -> tuple[list[Document], list[Failure]]:
    content, encoding = decode(data)
    content = content.removeprefix(BOM)
    parts: list[tuple[str, str, str | Any]]  # (source, what to call it, its JSON or its value)
    if suffix == ".jsonl":
        # Not splitlines(): U+2028 and its like may stand inside a string.
        lines = enumerate(content.split("\n"), start=1)
        parts = [(f"{source}#{n}", f"line {n}", line) for n, line in lines if line.strip()]
        parse = True
    else:
        value = _parsed(content, "the file")
        if not isinstance(value, list):
            return [_article(source, "the file", value, encoding, "json")], []
        if not value:
            raise UnreadableFile("the list in the file is empty")
        parts = [(f"{source}#{n}", f"item {n}", item) for n, item in enumerate(value, start=1)]
        parse = False
    documents, failures = [], []
    for part_source, name, part in parts:
        try:
            value = _parsed(part, name) if parse else part
            documents.append(_article(part_source, name, value, encoding, suffix[1:]))
        except UnreadableFile as exc:
            failures.append(Failure(part_source, str(exc)))
    return documents, failures


def _parsed(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError as exc:
        raise UnreadableFile(f"{name} is nested too deeply") from exc
    except ValueError as exc:
        raise UnreadableFile(f"{name} is not valid JSON: {exc}") from exc


def _article(source: str, name: str, value: Any, encoding: str, suffix: str) -> Document:
    if not isinstance(value, dict):
        raise UnreadableFile(f"{name} is not a JSON object but {type(value).__name__}")
    for key in _TEXT_KEYS:
        if isinstance(text := value.get(key), str) and text.strip():
            return Document(source, _storable(text), encoding, suffix, metadata=_metadata(value))
    raise UnreadableFile(f"{name} has no text: looked for {', '.join(_TEXT_KEYS)}")
