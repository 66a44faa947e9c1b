"""Offsets are the truth: from the bytes of a file to the quote in an answer, whatever is in the file.

Files on disk go through `sync` into a catalog; what the catalog, `search` and `ask` then give is
compared with the characters of the files as they are read here, by other means.
"""

from __future__ import annotations

import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import docx
import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from reportlab.pdfgen.canvas import Canvas
from repository import ARTICLES, ROOT, write_files

from assistant.schema import Answer, Status
from assistant.service import Assistant, open_assistant
from assistant.settings import Settings
from indexing.embed import Vectors
from indexing.errors import UnreadableFile
from indexing.reading.read import read_documents
from indexing.schema import Document, Filters, Span
from indexing.store.catalog import Catalog
from indexing.store.view import StoredPassage, View
from indexing.store.writer import PreparedPassage
from indexing.sync import prepare, sync

# What must hold


def blank(text: str) -> bool:
    return not text.replace("\ufeff", "").strip()


def check_passages(
    text: str,
    passages: Sequence[StoredPassage | PreparedPassage],
    boilerplate: Sequence[Span],
    markup: Sequence[Span] = (),
) -> None:
    """The passages are slices of `text`, in order and disjoint, made of whole sentences; outside
    sentences, boilerplate and markup there is only white space, and no passage enters boilerplate."""
    left_out = [*boilerplate, *markup]
    seen = 0
    for passage in (stored.passage for stored in passages):
        assert seen <= passage.start < passage.end <= len(text)
        assert text[passage.start : passage.end] == passage.text
        assert passage.sentences
        assert passage.sentences[0].start == passage.start
        assert passage.sentences[-1].end == passage.end
        for span in boilerplate:
            assert span.end <= passage.start or passage.end <= span.start
        for sentence in passage.sentences:
            assert seen <= sentence.start < sentence.end <= passage.end
            assert not blank(text[sentence.start])
            assert not blank(text[sentence.end - 1])
            assert blank(without(text, seen, sentence.start, left_out))
            seen = sentence.end
    assert blank(without(text, seen, len(text), left_out))


def without(text: str, start: int, end: int, spans: Iterable[Span]) -> str:
    """`text[start:end]` without the characters in `spans`."""
    kept = list(text[start:end])
    for span in spans:
        for at in range(max(start, span.start), min(end, span.end)):
            kept[at - start] = ""
    return "".join(kept)


def check_times(text: str, passages: Sequence[PreparedPassage]) -> None:
    """Every time expression stands where it says, inside one sentence of its passage."""
    for prepared in passages:
        for found in prepared.times:
            assert text[found.start : found.end] == found.phrase
            assert any(
                s.start <= found.start < found.end <= s.end for s in prepared.passage.sentences
            )
            assert (found.first is None) == (found.last is None)
            assert found.first is None or found.last is None or found.first <= found.last


def check_answer(answer: Answer, texts: dict[str, str]) -> None:
    """Every quote stands at its place in its file, and every mark has its citation."""
    for citation in (*answer.citations, *answer.closest):
        assert not blank(citation.quote)
        assert texts[citation.source][citation.start : citation.end] == citation.quote
    numbers = [citation.number for citation in answer.citations]
    assert len(set(numbers)) == len(numbers)
    assert {int(n) for n in re.findall(r"\[(\d+)\]", answer.text)} == set(numbers)
    assert all(claim.citations and set(claim.citations) <= set(numbers) for claim in answer.claims)
    assert (answer.status is Status.ANSWERED) == bool(numbers)
    assert (answer.status is Status.ANSWERED) == bool(answer.claims)
    assert not (answer.citations and answer.closest)


def check_found(assistant: Assistant, source: str, texts: dict[str, str], asked: str) -> None:
    """`search` and `ask`, limited to `source`, give its characters and no others."""
    only = Filters(source=source)
    hits = assistant.search(asked, 50, only)
    assert hits, "an article with passages is found in itself"
    for hit in hits:
        passage = hit.passage
        assert passage.source == source
        assert texts[source][passage.start : passage.end] == passage.text
        for sentence in passage.sentences:
            assert passage.start <= sentence.start < sentence.end <= passage.end
    assert len({hit.passage.start for hit in hits}) == len(hits)
    answer = assistant.ask(f"What is said about {asked}?", filters=only)
    check_answer(answer, texts)
    cited = {citation.source for citation in (*answer.citations, *answer.closest)}
    assert cited <= {source}


# Awkward articles

SENTENCE = "The harbour board approved the new ferry line on Wednesday, after a long debate. "
LONG_WORD = "Donaudampfschifffahrtsgesellschaft" * 60

TEXTS: dict[str, str] = {
    "one.txt": "a",
    "mark.txt": "?",
    "bom.txt": "\ufeffThe ferry sailed. It sank within 30 days.",
    "crlf.txt": "Title\r\n\r\nThe ferry sailed.\r\nIt sank.\r\n\r\n\r\nIt was raised on May 4.\r\n",
    "cr.txt": "Title\rThe ferry sailed on Monday.\rIt sank.\r",
    "bom-crlf.md": "\ufeff---\r\ntitle: A ferry\r\npublished: 2025-03-04\r\n---\r\n# A *ferry*\r\n\r\nIt **sank** on Tuesday.\r\n",
    "emoji.txt": "😀 The ferry 🚢 sailed. 👍🏽👩\u200d👩\u200d👧\u200d👦 Everyone was happy! 🇲🇽🇯🇵 It sank.",
    "accents.txt": "À Zürich, l’été fut très chaud. Où étiez-vous le 4 février 2026 ? Ça va. Żółć!",
    "combining.txt": "Cafe\u0301 Ole\u0301 opened. Z\u0351\u036b\u0343a\u0363lgo \u0301\u0301 came. It closed.",
    "rtl.txt": "שלום עולם. מה שלומך? نعم، هذا صحيح. هل أنت بخير؟ \u202eabc\u202c end.",
    "cjk.txt": "美国宣布与日本合作。「再见。」我走了！該計畫將於30天內完成。",
    "same.txt": "The same line again.\n" * 300,
    "same-line.txt": "The same sentence again. " * 300,
    "glued.txt": "They left the industries.In a statement, she agreed.“We go.”Then planSeparately, it ended.",
    "stops.txt": "... !!! ??? ,,, ;;; --- ()[]{} «» “” … . . .",
    "footnotes.txt": "The mill closed in 2019.[1] Its owner[2] left for Bergen [42]. See [1], [2] and [3].",
    "marks.txt": "The **mill** closed_in_ 2019 `x` <b>now</b>. | a | b | *It* [burnt](http://a.example) down.",
    "control.txt": "The mill\x1b[31m closed\x07 in 2019.\x0bIt burnt.\x0cThen\x1c it\x85 fell.\u2028It is\u2029 gone. "
    + SENTENCE,
    "invisible.txt": "The\u200b mill\u00ad closed\u2060 in\u00a0 2019.\ufeff It\u3000burnt.\u200d",
    "long-word.txt": f"The {LONG_WORD} sailed. It sank.",
    "long-sentence.txt": "The mill, which burnt, and then " * 150 + "closed.",
    "quotes.txt": 'She said: "It\'s \\"over\\" AND done" NEAR(x) OR col:umn* ^1 -- \'; DROP TABLE passage;',
    "furniture.txt": f"News\nNews\n\nShare this article\n{SENTENCE}Read more\n\n{SENTENCE}\nAdvertisement\n{SENTENCE}\n\nRelated articles\nA fire in Bergen\nAdd a comment\n© 2026 The Paper. All rights reserved.",
    "dates.txt": "Feb. 4, 2026 - It starts on Wednesday, within 30 days, by March 6 or last July. At 5 p.m. in 1999/2000.",
    "bullets.md": "# List\n\n- one **thing**\n- another\n\n1. First\n2. Second\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n> Quoted.\n",
}
ENCODED: dict[str, tuple[str, str]] = {
    "latin.txt": ("cp1252", "The café in Besançon — “Chez Élodie” — closed for the été. Ça coûte 5 €."),
    "utf16.txt": ("utf-16-le", "\ufeffThe ferry 🚢 to Łódź sailed.\r\nIt sank on Tuesday."),
    "utf16-be.txt": ("utf-16-be", "\ufeffThe ferry to Łódź sailed. It sank."),
    "cyrillic.txt": ("cp1251", "Паром вышел из порта в среду. Он затонул через два дня у берега. " * 3),
}  # fmt: skip
EMPTY = {"empty.txt": "", "spaces.txt": " \t\r\n ", "bom-only.txt": "\ufeff"}

PAGES = ("The Vexholm ferry sank on Monday.", "Captain Quill was rescued on Tuesday, 4 March 2025.")


def pdf() -> bytes:
    made = io.BytesIO()
    canvas = Canvas(made)
    for page in PAGES:
        canvas.drawString(72, 720, page)
        canvas.showPage()
    canvas.save()
    return made.getvalue()


def word() -> bytes:
    document, made = docx.Document(), io.BytesIO()
    document.add_heading("A mill closed")
    document.add_paragraph("The mill at Brambleford closed after a fire. It will not reopen.")
    document.add_table(1, 2).rows[0].cells[1].text = "Two hundred people worked there."
    document.save(made)
    return made.getvalue()


FORMATS: dict[str, bytes | str] = {
    "page.md": "---\ntitle: 'A *mill*'\npublished: 2025-03-04\n---\n\n# A mill\n\nIt **closed** on Tuesday, [they said](http://a.example). It `burnt`.\n",
    "page.html": f"<html><head><title>Ferry</title></head><body><nav>Home</nav><article><h1>Ferry</h1><p>{SENTENCE}</p><p>Caf&eacute; owners were <b>glad</b>. It sails in May.</p></article></body></html>",
    "report.pdf": pdf(),
    "memo.docx": word(),
    "one.json": json.dumps({"title": "Mill", "text": "The mill closed.\r\nIt burnt 🔥 on Monday."}),
    "wire.jsonl": "\n".join(
        json.dumps({"title": f"Wire {n}", "text": f"Ship {n} sailed. Port {n} was shut."})
        for n in (1, 2, 3)
    ),
}
FORMAT_SOURCES = [name for name in FORMATS if name != "wire.jsonl"]
FORMAT_SOURCES += [f"wire.jsonl#{n}" for n in (1, 2, 3)]
BRIEFS = {f"briefs/{path.name}": path for path in sorted((ROOT / "corpus").glob("*.md"))}
SCRAPED = {f"scraped/{path.name}": path for path in sorted(ARTICLES.glob("*.txt"))}
"""The five articles where they are at hand; our briefs of them always are."""


@dataclass
class Indexed:
    """All of the above in one index, and the characters of the files by source."""

    assistant: Assistant
    view: View
    corpus: Path
    failed: dict[str, str]

    def file_text(self, source: str) -> str:
        """The file's own characters, in the encoding the catalog recorded."""
        (info,) = [info for info in self.assistant.sources() if info.source == source]
        return (self.corpus / source).read_bytes().decode(info.encoding)

    def document(self, source: str) -> Document:
        path = source.partition("#")[0]
        documents, _ = read_documents(path, (self.corpus / path).read_bytes())
        (found,) = [document for document in documents if document.source == source]
        return found


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Indexed]:
    folder = tmp_path_factory.mktemp("invariants")
    written: dict[str, str | bytes] = {**TEXTS, **EMPTY, **FORMATS}
    written |= {name: text.encode(encoding) for name, (encoding, text) in ENCODED.items()}
    written |= {name: path.read_bytes() for name, path in (BRIEFS | SCRAPED).items()}
    corpus = write_files(folder / "corpus", written)
    built = replace(Settings(), corpus=corpus, index=folder / "index")
    report = sync(corpus, built)
    assistant, catalog = open_assistant(built), Catalog(built.index)
    with catalog.view() as view:
        failed = {failure.source: failure.error for failure in report.failed}
        yield Indexed(assistant, view, corpus, failed)
    catalog.close()
    assistant.close()


def test_only_what_holds_no_text_is_set_aside(indexed: Indexed) -> None:
    assert indexed.failed.keys() == EMPTY.keys()
    wanted = [*TEXTS, *ENCODED, *FORMAT_SOURCES, *BRIEFS, *SCRAPED]
    assert [info.source for info in indexed.assistant.sources()] == sorted(wanted)
    assert BRIEFS


@pytest.mark.parametrize("source", [*TEXTS, *ENCODED, *BRIEFS, *SCRAPED])
def test_the_catalog_holds_the_very_characters_of_a_text_file(
    indexed: Indexed, source: str
) -> None:
    text = indexed.file_text(source)
    assert indexed.assistant.source_text(source) == text
    if source in ENCODED:
        assert text == ENCODED[source][1]
    else:
        assert text == (indexed.corpus / source).read_bytes().decode("utf-8")


@pytest.mark.parametrize("source", [*TEXTS, *ENCODED, *FORMAT_SOURCES, *BRIEFS, *SCRAPED])
def test_passages_are_slices_of_their_file_and_leave_nothing_out(
    indexed: Indexed, source: str
) -> None:
    passages, boilerplate = indexed.view.passages_of(source), indexed.view.boilerplate_of(source)
    document = indexed.document(source)
    text = indexed.assistant.source_text(source)
    assert text == document.raw
    assert passages
    if source.endswith(".txt"):
        # Nothing but a byte-order mark is markup in a plain text.
        text = indexed.file_text(source)
        check_passages(text, passages, boilerplate)
    else:
        check_passages(text, passages, boilerplate, document.markup)


@pytest.mark.parametrize("source", [*TEXTS, *ENCODED, *FORMAT_SOURCES, *BRIEFS, *SCRAPED])
def test_what_is_found_and_cited_stands_in_its_file(indexed: Indexed, source: str) -> None:
    in_a_text_file = "#" not in source and source.endswith((".txt", ".md"))
    text = indexed.file_text(source) if in_a_text_file else indexed.assistant.source_text(source)
    begins = indexed.view.passages_of(source)[0].passage.text[:120]
    check_found(indexed.assistant, source, {source: text}, begins)


def test_questions_to_the_whole_index_are_answered_from_its_files(indexed: Indexed) -> None:
    texts = {s.source: indexed.assistant.source_text(s.source) for s in indexed.assistant.sources()}
    for question in (
        "When did the mill close?",
        "What happened to the ferry?",
        "Who was rescued?",
        "What is the 60-day plan with Mexico?",
        "?",
        "😀",
        "\ufeff\u202e\u0301",
        "AND OR NOT NEAR( \" * ' ; --",
        "ferry " * 2000,
    ):
        check_answer(indexed.assistant.ask(question), texts)
        for hit in indexed.assistant.search(question, 5):
            passage = hit.passage
            assert texts[passage.source][passage.start : passage.end] == passage.text


def test_a_citation_of_a_pdf_names_the_page(indexed: Indexed) -> None:
    for number, page in enumerate(PAGES, 1):
        answer = indexed.assistant.ask(page, filters=Filters(source="report.pdf"))
        cited = [c for c in (*answer.citations, *answer.closest) if c.quote in page]
        assert cited
        assert {citation.page for citation in cited} == {number}


# Any text

fragments = st.sampled_from(
    [
        *"aB9 .?!\n\r\t\"'”“()•-…。؟é😀\ufeff[]*_#|<>\u0301\u202e\u200d\u2028",
        *("\r\n", "\n\n", "Mr.", "U.S.", "The ", "word ", "x" * 300, "---\n", "title: a\n"),
        *("Share this article\n", "Read more", "\nAdvertisement\n", "Add a comment\n", "News\n"),
        *("on Wednesday", "within 30 days ", "by Feb. 4, 2026", "last July. ", "[1] ", "**"),
        SENTENCE,
        SENTENCE + "Then it ended.In a statement",
    ]
)
letters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
texts = st.one_of(st.text(letters, max_size=300), st.lists(fragments, max_size=60).map("".join))
ENCODINGS = ("utf-8", "utf-8", "utf-16-le", "utf-16-be")


def encoded(text: str, encoding: str) -> bytes:
    """UTF-16 with the mark that tells it from other bytes."""
    return (text if encoding == "utf-8" else "\ufeff" + text).encode(encoding)


@given(texts, st.sampled_from(ENCODINGS), st.sampled_from([".txt", ".md"]))
@hypothesis_settings(deadline=None, max_examples=150)
def test_any_text_is_prepared_without_moving_or_losing_a_character(
    text: str, encoding: str, suffix: str
) -> None:
    data = encoded(text, encoding)
    try:
        ((document,), failures) = read_documents(f"a{suffix}", data)
    except UnreadableFile:
        return
    assert failures == []
    raw = data.decode(document.encoding)
    assert document.raw == raw
    prepared = prepare(document, "model")
    article = prepared.article
    assert len(article.text) == len(raw)
    assert all(kept in (character, " ") for character, kept in zip(raw, article.text, strict=True))
    check_passages(raw, prepared.passages, article.boilerplate, document.markup)
    check_times(raw, prepared.passages)
    assert article.title.strip()


class HashingEmbedder:
    """Hashes words into a unit vector: repeatable, and it ranks."""

    name, dimension = "hashing@1", 64

    def embed_query(self, text: str) -> Vectors:
        vector = np.full(self.dimension, 0.01, dtype=np.float32)
        for written in text.lower().split():
            vector[zlib.crc32(written.encode()) % self.dimension] += 1
        unit: Vectors = vector / np.linalg.norm(vector)
        return unit

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        return np.stack([self.embed_query(text) for text in texts])


@given(st.lists(st.tuples(texts, st.sampled_from(ENCODINGS)), min_size=1, max_size=6))
@hypothesis_settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.too_slow])
def test_any_files_are_cited_by_their_own_characters(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    files: dict[str, str | bytes] = {
        f"{n}.txt": encoded(text, encoding) for n, (text, encoding) in enumerate(drawn)
    }
    corpus = write_files(folder / "corpus", files)
    built = replace(Settings(), corpus=corpus, index=folder / "index", reranker="none")
    with pytest.MonkeyPatch.context() as patch:
        for place in ("indexing.sync", "assistant.service"):
            patch.setattr(f"{place}.open_embedder", lambda name, threads: HashingEmbedder())
        report = sync(corpus, built)
        assistant, catalog = open_assistant(built), Catalog(built.index)
    try:
        listed = {info.source: info for info in assistant.sources()}
        assert listed.keys() | {failure.source for failure in report.failed} == files.keys()
        assert len(listed) + len(report.failed) == len(files)
        with catalog.view() as view:
            for source, info in listed.items():
                text = (corpus / source).read_bytes().decode(info.encoding)
                assert view.text_of(source) == text
                passages = view.passages_of(source)
                document = read_documents(source, (corpus / source).read_bytes())[0][0]
                check_passages(text, passages, view.boilerplate_of(source), document.markup)
                if passages:
                    check_found(assistant, source, {source: text}, passages[0].passage.text[:80])
    finally:
        catalog.close()
        assistant.close()


# A line of five million characters


@pytest.mark.parametrize("unit", ["x", "word ", SENTENCE], ids=["one word", "words", "sentences"])
def test_a_single_line_of_5_mb_is_prepared(unit: str) -> None:
    """Up to embedding, which takes its time by the number of passages whatever the lines are. What
    is not linear meets the test's time-out."""
    data = (unit * (5_000_000 // len(unit))).encode()
    ((document,), _) = read_documents("a.txt", data)
    prepared = prepare(document, "model")
    seen = 0
    for passage in (stored.passage for stored in prepared.passages):
        assert seen <= passage.start
        assert blank(document.raw[seen : passage.start])
        assert document.raw[passage.start : passage.end] == passage.text
        seen = passage.end
    assert blank(document.raw[seen:])
