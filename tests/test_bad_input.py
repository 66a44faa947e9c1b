"""One folder with everything that can be wrong with a file in it, and two articles that are fine."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pypdf
import pytest
from reportlab.pdfgen.canvas import Canvas
from repository import write_files

from assistant.doors.cli import main

FERRY = "The Vexholm ferry sank on 4 March 2025. Captain Ottoline Quill was rescued."
MILL = (
    '{"title": "Mill", "text": "The mill at Brambleford closed after a fire in the boiler room."}'
)


def pdf(password: str = "") -> bytes:
    made = io.BytesIO()
    canvas = Canvas(made)
    canvas.drawString(72, 720, "The harbour board approved the new ferry line on Tuesday.")
    canvas.save()
    if not password:
        return made.getvalue()
    locked = io.BytesIO()
    writer = pypdf.PdfWriter(clone_from=made)
    writer.encrypt(password, algorithm="AES-256")
    writer.write(locked)
    return locked.getvalue()


BAD: dict[str, tuple[bytes, str]] = {
    "blank.md": (b"\xef\xbb\xbf \r\n\t\n", "empty"),
    "broken.json": (b'{"text": "It rained', "not valid JSON"),
    "cut.pdf": (pdf()[:-300], "cut short"),
    "damaged.txt": (b"The ferry sailed \xe2\x28\xa1 at noon. " + "Café. ".encode() * 20, "UTF-8"),
    "empty.txt": (b"", "empty"),
    "front.md": (b"---\ntitle: Nothing follows\n---\n", "no text"),
    "locked.pdf": (pdf("secret"), "password"),
    "noise.txt": (bytes(range(256)) * 40, "binary"),
    "picture.txt": (b"\x89PNG\r\n\x1a\n" + bytes(500), "PNG"),
    "textless.json": (b'{"title": "No text"}', "no text"),
    "word.docx": (b"not a Word file", "Word"),
}
"""Name, content, and what the message must say."""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("DATELINE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """The folder; one file of it is as large as no article is, though it takes no room."""
    corpus = write_files(
        tmp_path / "corpus",
        {
            **{name: content for name, (content, _) in BAD.items()},
            "good.txt": FERRY,
            "wire.jsonl": f'{MILL}\n{{"title": "cut off", "text": \n\n[1, 2]\n{{"text": ""}}\n',
            "deep/er/good.html": "<p>The Oakmere bridge opened after nine years of delays.</p>",
        },
    )
    with (corpus / "huge.txt").open("wb") as huge:
        huge.truncate(200_000_000)
    (corpus / "loop").symlink_to(corpus)
    (corpus / "deep" / "up").symlink_to(corpus / "deep")
    (corpus / "itself.txt").symlink_to(corpus / "itself.txt")
    (corpus / "dangling.txt").symlink_to(corpus / "nowhere")
    os.mkfifo(corpus / "pipe.txt")
    (corpus / "folder.txt").mkdir()
    return corpus


OTHERS = {
    "dangling.txt": "broken link",
    "deep/up": "loop",
    "huge.txt": "200.0 MB, the limit is 50 MB",
    "itself.txt": "back to itself",
    "loop": "loop",
    "pipe.txt": "not a regular file",
    "wire.jsonl#2": "line 2 is not valid JSON",
    "wire.jsonl#4": "line 4 is not a JSON object",
    "wire.jsonl#5": "line 5 has no text",
}


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_every_bad_file_is_named_with_what_is_wrong_and_the_good_ones_are_answered_from(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = tmp_path / "index"

    def indexed() -> dict[str, Any]:
        code, out, err = run(capsys, "index", corpus, "--index", index, "--json")
        assert (code, err) == (0, "")
        report: dict[str, Any] = json.loads(out)
        return report

    report = indexed()
    wanted = {name: says for name, (_, says) in BAD.items()} | OTHERS
    errors = {failure["source"]: failure["error"] for failure in report["failed"]}
    assert len(errors) == len(report["failed"]), "a file is named twice"
    assert errors.keys() == wanted.keys()
    for source, says in wanted.items():
        assert says.lower() in errors[source].lower(), source
        assert "\n" not in errors[source]
        assert len(errors[source]) < 300, source
    assert (report["added"], report["articles"]) == (3, 3)

    again = indexed()
    assert again["failed"] == report["failed"]
    numbers = [again[key] for key in ("added", "changed", "unchanged", "removed", "embedded")]
    assert numbers == [0, 0, 3, 0, 0]
    assert again["passages"] == report["passages"]

    for question, source, words in (
        ("When did the Vexholm ferry sink?", "good.txt", "sank on 4 March 2025"),
        ("Why did the mill at Brambleford close?", "wire.jsonl#1", "fire in the boiler room"),
        ("What happened to the Oakmere bridge?", "deep/er/good.html", "nine years of delays"),
    ):
        code, out, err = run(capsys, "ask", question, "--index", index, "--json")
        assert (code, err) == (0, "")
        answer = json.loads(out)
        assert answer["status"] == "answered", question
        assert answer["citations"][0]["source"] == source
        assert words in answer["citations"][0]["quote"]


def test_a_bad_file_that_is_mended_is_indexed_and_no_longer_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = write_files(tmp_path / "corpus", {"a.txt": FERRY, "b.pdf": pdf("secret")})
    arguments = ("index", corpus, "--index", tmp_path / "index", "--json")
    assert [f["source"] for f in json.loads(run(capsys, *arguments)[1])["failed"]] == ["b.pdf"]
    (corpus / "b.pdf").write_bytes(pdf())
    report = json.loads(run(capsys, *arguments)[1])
    assert (report["added"], report["unchanged"], report["failed"]) == (1, 1, [])


def test_a_file_that_is_too_large_is_read_once_it_is_smaller(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = write_files(tmp_path / "corpus", {"big.txt": FERRY, "a.txt": FERRY})
    os.truncate(corpus / "big.txt", 50_000_001)  # a hole: takes no room on the disk
    arguments = ("index", corpus, "--index", tmp_path / "index", "--json")
    (failure,) = json.loads(run(capsys, *arguments)[1])["failed"]
    assert failure["source"] == "big.txt"
    assert "the limit is 50 MB; split it" in failure["error"]
    write_files(corpus, {"big.txt": FERRY, "a.txt": FERRY})
    report = json.loads(run(capsys, *arguments)[1])
    assert (report["added"], report["unchanged"], report["failed"]) == (1, 1, [])


@pytest.mark.parametrize(
    ("path", "says"), [("nowhere", "does not exist"), ("a file.txt", "is not a folder")]
)
def test_a_corpus_that_is_no_folder_is_an_error_that_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], path: str, says: str
) -> None:
    (tmp_path / "a file.txt").write_text(FERRY)
    code, out, err = run(capsys, "index", tmp_path / path, "--index", tmp_path / "index", "--json")
    assert (code, out) == (1, "")
    assert says in err
    assert path in err
    assert "DATELINE_CORPUS" in err
    assert "Traceback" not in err
    assert not (tmp_path / "index").exists()
