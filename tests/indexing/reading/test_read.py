from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import docx
import pypdf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reportlab.pdfgen.canvas import Canvas

from indexing.errors import CorpusError, UnreadableFile
from indexing.reading.read import BYTES_PER_MB, MAX_FILE_MB, list_files, read_bytes, read_documents
from indexing.schema import Document

PROSE = "The harbour board approved the new ferry line on Tuesday, after a long debate. "


def read(source: str, data: bytes | str) -> Document:
    documents, failures = read_documents(source, data.encode() if isinstance(data, str) else data)
    assert not failures
    (document,) = documents
    assert_markup_is_sound(document)
    return document


def refusal(source: str, data: bytes | str) -> str:
    with pytest.raises(UnreadableFile) as caught:
        read_documents(source, data.encode() if isinstance(data, str) else data)
    return str(caught.value)


def assert_markup_is_sound(document: Document) -> None:
    seen = 0
    for span in document.markup:
        assert seen <= span.start < span.end <= len(document.raw)
        seen = span.end


def without_markup(document: Document) -> str:
    kept, done = "", 0
    for span in document.markup:
        kept += document.raw[done : span.start]
        done = span.end
    return kept + document.raw[done:]


def pdf(*pages: str, title: str = "", password: str = "") -> bytes:
    made = io.BytesIO()
    canvas = Canvas(made)
    canvas.setTitle(title)
    for page in pages:
        for n, line in enumerate(page.splitlines()):
            canvas.drawString(72, 720 - 14 * n, line)
        canvas.showPage()
    canvas.save()
    if not password:
        return made.getvalue()
    locked = io.BytesIO()
    writer = pypdf.PdfWriter(clone_from=made)
    writer.encrypt(password, algorithm="AES-256")
    writer.write(locked)
    return locked.getvalue()


# --- the folder -----------------------------------------------------------------------------


def test_files_are_listed_in_the_order_of_their_sources(tmp_path: Path) -> None:
    for name in ("b.txt", "a.MD", "deep/er/c.html", "notes.xyz", ".hidden.txt", ".git/x.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text")
    files, failures = list_files(tmp_path)
    assert [source for source, _ in files] == ["a.MD", "b.txt", "deep/er/c.html"]
    assert all(path == tmp_path / source for source, path in files)
    assert failures == []


def test_a_corpus_that_is_not_a_folder_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path, found in ((tmp_path / "no", "does not exist"), (tmp_path / "file", "not a folder")):
        with pytest.raises(CorpusError, match=f"{found}.*DATELINE_CORPUS"):
            list_files(path)


def test_link_loops_end_and_are_reported(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.txt").write_text("text")
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    (tmp_path / "self.txt").symlink_to(tmp_path / "self.txt")
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nothing")
    (tmp_path / "gone").symlink_to(tmp_path / "nothing")
    (tmp_path / "gone.xyz").symlink_to(tmp_path / "nothing")
    files, failures = list_files(tmp_path)
    assert [source for source, _ in files] == ["sub/a.txt"]
    reasons = {failure.source: failure.error for failure in failures}
    assert reasons.keys() == {"sub/up", "self.txt", "gone.txt", "gone"}
    assert "loop" in reasons["sub/up"]
    assert "back to itself" in reasons["self.txt"]
    assert "broken link" in reasons["gone.txt"]


def test_linked_files_and_folders_outside_are_read(tmp_path: Path) -> None:
    outside, corpus = tmp_path / "outside", tmp_path / "corpus"
    outside.mkdir()
    corpus.mkdir()
    (outside / "a.txt").write_text("text")
    (corpus / "folder").symlink_to(outside)
    (corpus / "again").symlink_to(outside)
    (corpus / "file.txt").symlink_to(outside / "a.txt")
    files, failures = list_files(corpus)
    assert [source for source, _ in files] == ["again/a.txt", "file.txt"]
    assert failures == []


def test_a_folder_linked_within_the_corpus_goes_by_its_real_name(tmp_path: Path) -> None:
    (tmp_path / "z").mkdir()
    (tmp_path / "z" / "a.txt").write_text("text")
    (tmp_path / "a").symlink_to(tmp_path / "z")
    assert [source for source, _ in list_files(tmp_path)[0]] == ["z/a.txt"]


def test_links_between_folders_do_not_multiply(tmp_path: Path) -> None:
    for n in range(12):
        (tmp_path / f"d{n}").mkdir()
        (tmp_path / f"d{n}" / "a.txt").write_text("text")
        for m in range(12):
            (tmp_path / f"d{n}" / f"to{m}").symlink_to(tmp_path / f"d{m}")
    files, failures = list_files(tmp_path)
    assert len(files) == 12
    assert len(failures) == 12  # each folder's link to itself


def test_a_folder_that_cannot_be_listed_is_reported_and_the_rest_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "a.txt").write_text("text")
    scandir = os.scandir

    def refusing(path: Path) -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    files, failures = list_files(tmp_path)
    assert [source for source, _ in files] == ["a.txt"]
    assert [failure.source for failure in failures] == ["closed"]
    assert "permission denied" in failures[0].error


def test_a_name_that_is_not_utf8_is_reported(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")).write_text("text")
    files, (failure,) = list_files(tmp_path)
    assert files == []
    assert failure.source == "caf\\xe9.txt"
    assert "UTF-8" in failure.error


# --- bytes ----------------------------------------------------------------------------------


def test_a_file_that_cannot_be_read_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "folder.txt").mkdir()
    (tmp_path / "broken.txt").symlink_to(tmp_path / "nothing")
    big = tmp_path / "big.txt"
    with big.open("wb") as file:
        file.truncate(200_000_000)  # a hole: takes no room on the disk
    for name, reason in {
        "pipe.txt": "not a regular file but a pipe",
        "folder.txt": "a folder",
        "missing.txt": "does not exist",
        "broken.txt": "broken link",
        "big.txt": r"200\.0 MB, the limit is 50 MB; split it",
    }.items():
        with pytest.raises(UnreadableFile, match=reason):
            read_bytes(tmp_path / name)

    def denied(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", denied)
    (tmp_path / "secret.txt").write_text("text")
    with pytest.raises(UnreadableFile, match="permission denied"):
        read_bytes(tmp_path / "secret.txt")


def test_a_file_of_the_size_of_the_limit_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"x" * MAX_FILE_MB * BYTES_PER_MB)
    assert len(read_bytes(tmp_path / "a.txt")) == 50_000_000


# --- decoding -------------------------------------------------------------------------------


@given(
    st.text(
        st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\r\n\t🇫🇷é‏ש"), min_size=1
    )
)
def test_utf8_is_decoded_to_the_very_characters_of_the_file(text: str) -> None:
    data = ("\ufeffWord " + text).encode()
    for source in ("a.txt", "a.md"):
        document = read(source, data)
        assert document.raw == data.decode("utf-8")
        assert document.encoding == "utf-8"


def test_a_byte_order_mark_and_carriage_returns_keep_their_places() -> None:
    raw = read("a.txt", b"\xef\xbb\xbfOne.\r\nTwo.\r\n").raw
    assert raw == "\ufeffOne.\r\nTwo.\r\n"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-16", "The board met. Été 🚢"),
        ("utf-16-be", "\ufeffThe board met. Été"),
        ("utf-16-le", "The board met, and no mark says how."),
        ("utf-32", "The board met. Été 🚢"),
        ("cp1252", "The board’s “long debate” ended – at last – in a café."),
        ("cp1251", "Совет порта одобрил новую паромную линию во вторник после долгих споров."),
        ("shift_jis", "港の委員会は火曜日に新しい航路を承認したと発表した。"),
    ],
)
def test_other_encodings_are_decoded_and_recorded(encoding: str, text: str) -> None:
    document = read("a.txt", text.encode(encoding))
    assert document.raw.lstrip("\ufeff") == text.lstrip("\ufeff")
    assert document.encoding != "utf-8"
    # The mark counts: what is recorded decodes the file to the same characters.
    assert document.raw == text.encode(encoding).decode(document.encoding)


def test_damaged_utf8_is_refused_with_the_place_of_the_damage() -> None:
    data = ("Le café “fermé” a rouvert. " * 5).encode()
    assert f"0xff at offset {len(data)}" in refusal("a.txt", data + b"\xff and more")
    assert "damaged UTF-8" in refusal("a.txt", data[: data.rindex("”".encode()) + 1])
    assert "UTF-16-LE" in refusal("a.txt", b"\xff\xfeA\x00\x00\xd8B\x00")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b" \r\n\t ", "empty"),
        (b"\xef\xbb\xbf\n", "empty"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "PNG image"),
        (b"PK\x03\x04abc", "ZIP"),
        (b"\x7fELF\x02\x01", "ELF"),
        (b"%PDF-1.7\ntext", "rename it to .pdf"),
        (bytes(range(256)) * 4, "binary"),
        (b"word \x00 word", "binary"),
        (b"\x01\x02\x03\x04 few words", "binary"),
    ],
)
def test_what_is_empty_or_binary_is_refused(data: bytes, reason: str) -> None:
    for source in ("a.txt", "a.md", "a.html", "a.json", "a.jsonl"):
        assert reason in refusal(source, data)


@given(st.binary(max_size=300), st.sampled_from(["txt", "md", "json", "jsonl", "docx", "pdf"]))
def test_any_bytes_are_read_or_refused(data: bytes, suffix: str) -> None:
    try:
        documents, _ = read_documents(f"a.{suffix}", data)
    except UnreadableFile:
        return
    for document in documents:
        document.raw.encode("utf-8")  # no half of a surrogate pair
        assert "\x00" not in document.raw


def test_an_unknown_type_is_refused_with_the_known_ones() -> None:
    assert ".docx" in refusal("a.xyz", "text")


# --- front matter and Markdown --------------------------------------------------------------


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_front_matter_is_metadata_and_markup(mark: str, newline: str) -> None:
    lines = [
        "---",
        "Title: No",
        "site: Port Gazette",
        "date: 2026-02-30",
        "lang: en",
        "tags: [a]",
        "---",
    ]
    text = mark + newline.join([*lines, PROSE])
    for source in ("a.txt", "a.md"):
        document = read(source, text)
        assert dict(document.metadata) == {
            "title": "No",
            "publisher": "Port Gazette",
            "published": "2026-02-30",
            "language": "en",
        }
        assert without_markup(document) == PROSE


@pytest.mark.parametrize(
    "head",
    ["---\nA line of prose.\n---\n", "---\ntitle: A\n", "---\n---\n", "---\n" + "[" * 9000 + "\n---\n"],
)  # fmt: skip
def test_what_only_looks_like_front_matter_is_text(head: str) -> None:
    document = read("a.txt", head + PROSE)
    assert document.metadata == ()
    assert document.markup == ()


def test_front_matter_without_a_text_is_refused() -> None:
    assert "no text below" in refusal("a.md", "---\ntitle: A\n---\n \n")


def test_markdown_syntax_is_marked_and_words_are_not() -> None:
    text = (
        "\ufeff# The *new* line\n\nA **bold**, _soft_ and `coded` word, [a link](http://x.org/a_(b)) "
        "and ![a picture](p.png)end.\n\n- one\n* two\n> three\n\n<!-- a\nnote --><b>four</b>\n\n"
        "| a | b |\n|---|---|\n| 1 | 2 |\n\n***\n```\nfive\n```\nGo \\*six\\*."
    )
    document = read("a.md", text)
    assert " ".join(without_markup(document).split()) == (
        "The new line A bold, soft and coded word, a link and end. "
        "one two three four a b 1 2 five Go *six*."
    )
    assert dict(document.metadata) == {"title": "The new line"}


def test_signs_that_are_not_syntax_are_kept() -> None:
    text = "So 2 * 3 * 4, 2*3*4, snake_case_name, a < b > c, # 5, note [1], x | y, -5 and f***.\n"
    assert read("a.md", text).markup == ()
    assert read("a.txt", "# A **text** file\n").markup == ()


def test_the_title_of_front_matter_wins_over_the_heading() -> None:
    assert dict(read("a.md", f"---\ntitle: A\n---\n# B\n{PROSE}").metadata)["title"] == "A"


@given(st.text(alphabet="*_`[]()!<>#-|\\ \n\r\ta1", min_size=1, max_size=80))
def test_any_markdown_has_sound_markup(text: str) -> None:
    document = read("a.md", "Word" + text)
    assert document.raw == "Word" + text
    assert without_markup(document).startswith("Word")


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "piece", ["[", "<!--", "*a ", "**a ", "[a](", "`a ", "<a b", "![a](x", "> ", "- ", "[a](()"]
)
def test_markdown_without_an_end_takes_no_time(piece: str) -> None:
    read("a.md", "x" + piece * (500_000 // len(piece)))


# --- HTML -----------------------------------------------------------------------------------

PAGE = f"""<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html><html lang="en-GB"><head>
<title>Ferry line approved - Port Gazette</title>
<meta property="og:site_name" content="Port Gazette">
<link rel="canonical" href="https://gazette.example/ferry">
<meta property="article:published_time" content="2026-02-05T10:00:00Z"></head>
<body><nav><a href="/">Home</a></nav><article><h1>Ferry line approved</h1><p>{PROSE * 3}</p>
<p>It was first proposed on 3 March 2021. {PROSE * 3}</p></article>
<footer>Copyright 2019. Updated 1 January 2020.</footer></body></html>"""


def test_the_text_of_a_page_is_its_article() -> None:
    document = read("a.html", PAGE)
    assert PROSE.strip() in document.raw
    assert "Home" not in document.raw
    assert "Copyright" not in document.raw
    assert dict(document.metadata) == {
        "title": "Ferry line approved",
        "publisher": "Port Gazette",
        "published": "2026-02-05",
        "url": "https://gazette.example/ferry",
        "language": "en-GB",
    }


@pytest.mark.parametrize(
    ("stated", "published"),
    [
        ("", None),  # never guessed from sentences and footers
        ('<time datetime="2026-02-03">3 Feb</time>', "2026-02-03"),
        (
            '<script type="application/ld+json">{"datePublished":"2026-02-01"}</script>',
            "2026-02-01",
        ),
        ('<link rel="canonical" href="https://x.example/2026/01/31/ferry">', "2026-01-31"),
    ],
)
def test_a_page_is_dated_by_what_its_markup_states(stated: str, published: str | None) -> None:
    bare = re.sub('<link rel="canonical".*?>|<meta property="article.*?>', "", PAGE)
    document = read("a.htm", bare.replace("<h1>", stated + "<h1>"))
    assert dict(document.metadata).get("published") == published


def test_a_page_in_its_declared_encoding_is_decoded() -> None:
    page = PAGE.replace("utf-8", "windows-1250").replace("harbour", "příliš")
    assert "příliš" in read("a.html", page.encode("cp1250")).raw


def test_broken_and_partial_pages_are_read() -> None:
    assert "ferry" in read("a.html", f"<div><p>{PROSE}<b>and <i>more</p></table>").raw
    assert "ferry" in read("a.html", PROSE).raw


@pytest.mark.parametrize(
    "page",
    [
        "<html></html>",
        "<html><body><script>f()</script></body></html>",
        "<nav><a href=a>Home</a><a href=b>World</a></nav>",
        "<" * 5000,
    ],
)
def test_a_page_without_an_article_is_refused(page: str) -> None:
    assert "no article" in refusal("a.html", page)


# --- PDF and Word ---------------------------------------------------------------------------


def test_the_pages_of_a_pdf_are_known() -> None:
    document = read("a.pdf", pdf("First page.", "", "Third page.", title="Ferry line"))
    assert len(document.pages) == 3
    assert document.raw[document.pages[0] :].startswith("First page.")
    assert document.raw[document.pages[2] :].startswith("Third page.")
    assert dict(document.metadata) == {"title": "Ferry line"}  # no date: it is that of the file


def test_a_file_name_in_the_title_of_a_pdf_is_no_title() -> None:
    for title in ("untitled", "Microsoft Word - ferry.doc", "ferry.indd"):
        assert read("a.pdf", pdf("Text.", title=title)).metadata == ()


def test_a_pdf_that_cannot_be_read_says_why() -> None:
    whole = pdf("Some text.")
    assert "no text layer" in refusal("a.pdf", pdf(""))
    assert "password" in refusal("a.pdf", pdf("Secret.", password="key"))
    assert "cut short" in refusal("a.pdf", whole[: len(whole) // 2])
    assert "not a PDF" in refusal("a.pdf", "plain text")
    assert "damaged" in refusal("a.pdf", b"%PDF-1.4\nrubbish\n%%EOF")
    assert "empty" in refusal("a.pdf", b"")


def test_a_pdf_locked_only_against_changes_is_read() -> None:
    locked = io.BytesIO()
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf("Open text.")))
    writer.encrypt(user_password="", owner_password="key", algorithm="AES-256")
    writer.write(locked)
    assert "Open text." in read("a.pdf", locked.getvalue()).raw


def test_a_word_file_is_read_in_its_order() -> None:
    word = docx.Document()
    word.core_properties.title = "Ferry line"
    word.add_paragraph("Before.")
    table = word.add_table(2, 2)
    table.cell(0, 0).merge(table.cell(0, 1)).text = "Wide"
    table.cell(1, 0).text, table.cell(1, 1).text = "Left", "Right"
    word.add_paragraph("After.")
    made = io.BytesIO()
    word.save(made)
    document = read("a.docx", made.getvalue())
    assert document.raw.split() == ["Before.", "Wide", "Left", "Right", "After."]
    assert dict(document.metadata) == {"title": "Ferry line"}


def test_a_word_file_that_cannot_be_read_says_why() -> None:
    made = io.BytesIO()
    docx.Document().save(made)
    assert "no text" in refusal("a.docx", made.getvalue())
    assert "not a Word file" in refusal("a.docx", made.getvalue()[:2000])
    assert "not a Word file" in refusal("a.docx", "plain text")
    assert "old or encrypted" in refusal("a.docx", b"\xd0\xcf\x11\xe0rest")
    assert "empty" in refusal("a.docx", b"")


def test_a_zip_bomb_is_refused_before_it_unpacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexing.reading.read._DOCX_UNPACKED_MB", 1)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b" " * 2_000_000)
    assert "unpack to 2 MB" in refusal("a.docx", made.getvalue())


# --- JSON -----------------------------------------------------------------------------------


def test_an_article_in_json_is_its_text() -> None:
    article = {
        "headline": "Ferry line",
        "source": {"id": None, "name": "Port Gazette"},
        "publish_date": "5 Feb 2026",
        "link": "https://gazette.example/ferry",
        "text": " ",
        "articleBody": "One.\r\nTwo “é”.",
    }
    document = read("a.json", "\ufeff" + json.dumps(article))
    assert document.source == "a.json"
    assert document.raw == article["articleBody"]
    assert dict(document.metadata) == {
        "title": "Ferry line",
        "publisher": "Port Gazette",
        "published": "5 Feb 2026",
        "url": "https://gazette.example/ferry",
    }


def test_each_line_is_an_article_and_a_bad_one_does_not_stop_the_rest() -> None:
    lines = [
        '{"text": "One\u2028still."}',
        "",
        "{bad",
        '{"title": "no text"}',
        "7",
        "[" * 100_000,
        '{"body": "Six."}',
    ]
    documents, failures = read_documents("f.jsonl", "\r\n".join(lines).encode())
    assert [(d.source, d.raw) for d in documents] == [
        ("f.jsonl#1", "One\u2028still."),
        ("f.jsonl#7", "Six."),
    ]
    reasons = {failure.source: failure.error for failure in failures}
    assert "line 3 is not valid JSON: " in reasons["f.jsonl#3"]
    assert "line 4 has no text" in reasons["f.jsonl#4"]
    assert "line 5 is not a JSON object" in reasons["f.jsonl#5"]
    assert "line 6 is nested too deeply" in reasons["f.jsonl#6"]


def test_the_items_of_a_list_are_counted_from_one() -> None:
    documents, failures = read_documents("f.json", b'[{"text": "One."}, 2, {"content": "Three."}]')
    assert [d.source for d in documents] == ["f.json#1", "f.json#3"]
    assert [f.source for f in failures] == ["f.json#2"]


@pytest.mark.parametrize(
    "text", ["{", "[]", "7", '{"title": "A"}', "[" * 100_000, '{"text": 1' + "0" * 5000 + "}"]
)
def test_json_without_an_article_is_refused(text: str) -> None:
    assert "the file" in refusal("a.json", text)


def test_half_a_surrogate_pair_never_gets_into_a_text() -> None:
    document = read("a.json", r'{"text": "A\ud83dB \ud83d\udea2 \u0000.", "title": "\udc00"}')
    assert document.raw == "A\ufffdB 🚢 \ufffd."
    assert document.metadata == (("title", "\ufffd"),)


def test_to_import_read_loads_no_heavy_library() -> None:
    code = "import sys, indexing.reading.read; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    heavy = {"trafilatura", "pypdf", "docx", "charset_normalizer", "yaml", "lxml"}
    assert not heavy & set(loaded.stdout.split())


def test_front_matter_that_yaml_refuses_is_read_line_by_line() -> None:
    raw = "---\ntitle: Ports: a year on\npublisher: The Gazette\n---\nThe port reopened."
    (document,), _ = read_documents("a.md", raw.encode())
    assert dict(document.metadata)["title"] == "Ports: a year on"
    assert dict(document.metadata)["publisher"] == "The Gazette"
