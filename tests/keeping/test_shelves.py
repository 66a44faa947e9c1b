"""Articles that people add are asked together with the index, by those who added them alone."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import signal
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from fake_embedder import HashedWords
from hypothesis import given
from hypothesis import strategies as st
from reportlab.pdfgen.canvas import Canvas
from repository import HELPERS, ROOT, write_files

from assistant.keeping import shelves as shelves_module
from assistant.keeping.shelves import NAME_BYTES, Shelf, Shelves, file_name
from assistant.schema import Answer, Status
from assistant.service import Assistant, open_assistant
from assistant.settings import Settings
from indexing.errors import CorpusError, DatelineError, IndexStorage, SettingsError, UnreadableFile
from indexing.reading import read
from indexing.reading.read import SUPPORTED
from indexing.schema import Filters
from indexing.store.writer import CatalogWriter

AS_OF = date(2026, 11, 22)
KEEPER = "The lighthouse keeper of Skagen is Ingrid Holm."
HARBOUR = f"""# The harbour of Skagen reopens

Published: 2026-02-05

{KEEPER} The harbour reopens on 9 March 2026, after repairs worth $12 million.
"""
WHO = "Who is the lighthouse keeper of Skagen?"
MOU = "What is the MOU deadline?"


@pytest.fixture(scope="module")
def main(briefs: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """An index of our briefs of this module's own."""
    index = tmp_path_factory.mktemp("main") / "index"
    shutil.copytree(briefs.index, index)
    return replace(briefs, index=index)


@pytest.fixture(scope="module")
def assistant(main: Settings) -> Iterator[Assistant]:
    opened = open_assistant(main)
    yield opened
    opened.close()


@pytest.fixture
def shelves(main: Settings, assistant: Assistant) -> Iterator[Shelves]:
    yield Shelves(main, assistant)
    shutil.rmtree(main.index / "shelves", ignore_errors=True)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """One that costs nothing to add to."""
    return Shelf(tmp_path / "shelf", Settings(), HashedWords())


def names(shelf: Shelf) -> list[str]:
    return [info.source for info in shelf.sources()]


def files_of(shelf: Shelf) -> list[str]:
    return sorted(path.name for path in (shelf.index.parent / "files").iterdir())


def cited(answer: Answer) -> set[str]:
    return {citation.source for citation in answer.citations}


def pdf_of(*pages: str) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, invariant=1)
    for text in pages:
        canvas.drawString(72, 720, text)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


# ---- answers ----------------------------------------------------------------------------------------


def test_an_added_article_is_quoted_at_its_place_and_by_its_conversation_alone(
    shelves: Shelves, assistant: Assistant
) -> None:
    (info,) = shelves.of_conversation("ours").add("skagen.md", HARBOUR.encode())
    assert (info.source, info.published) == ("skagen.md", date(2026, 2, 5))
    together = shelves.assistant(conversation="ours", person="me")
    answer = together.ask(WHO, as_of=AS_OF)
    assert answer.status is Status.ANSWERED
    (citation,) = answer.citations
    assert (citation.source, citation.quote) == ("skagen.md", KEEPER)
    assert HARBOUR[citation.start : citation.end] == KEEPER
    assert together.source_text("skagen.md") == HARBOUR
    strangers = (
        assistant,
        shelves.assistant(conversation="theirs", person="ours"),
        shelves.assistant(person="me"),
    )
    for stranger in strangers:
        assert stranger.ask(WHO, as_of=AS_OF).status is Status.NOT_IN_CORPUS
        assert all(h.passage.source != "skagen.md" for h in stranger.search("Skagen", 99))
        assert all(info.source != "skagen.md" for info in stranger.sources())
        with pytest.raises(CorpusError, match="no article"):
            stranger.source_text("skagen.md")


def test_what_a_person_keeps_is_asked_in_all_of_his_conversations(shelves: Shelves) -> None:
    here = shelves.of_conversation("first")
    here.add("skagen.md", HARBOUR.encode())
    (moved,) = here.move("skagen.md", shelves.of_person("me"))
    assert moved.source == "skagen.md"
    assert (names(here), files_of(here)) == ([], [])
    for conversation in ("first", "second"):
        answer = shelves.assistant(conversation, "me").ask(WHO, as_of=AS_OF)
        assert cited(answer) == {"skagen.md"}
        hidden = shelves.assistant(conversation, "you").ask(WHO, as_of=AS_OF)
        assert hidden.status is Status.NOT_IN_CORPUS


def test_one_answer_may_rest_on_the_index_and_on_both_shelves(shelves: Shelves) -> None:
    shelves.of_person("me").add("skagen.md", HARBOUR.encode())
    shelves.of_conversation("ours").add("ferry.txt", b"The ferry to Anholt leaves at nine.")
    together = shelves.assistant("ours", "me")
    question = f"{WHO} {MOU} When does the ferry to Anholt leave?"
    answer = together.ask(question, as_of=AS_OF, max_quotes=6)
    assert {"skagen.md", "ferry.txt"} < cited(answer)
    assert "By 6 March 2026" in answer.text
    for citation in answer.citations:
        text = together.source_text(citation.source)
        assert text[citation.start : citation.end] == citation.quote
    listed = together.ask("Which articles do you have?", as_of=AS_OF)
    assert {"skagen.md", "ferry.txt"} < cited(listed)
    happened = together.ask("What happens on 9 March 2026?", as_of=AS_OF)
    assert cited(happened) == {"skagen.md"}


def test_sources_agree_across_indexes_and_a_copy_is_no_second_voice(
    shelves: Shelves, assistant: Assistant
) -> None:
    (alone,) = assistant.ask(MOU, as_of=AS_OF, max_quotes=6).agreement
    brief = "mining-com-action-plans.md"
    copy = shelves.of_conversation("copy")
    copy.add("copy.md", (ROOT / "corpus" / brief).read_bytes())
    together = shelves.assistant("copy")
    assert [i.voice for i in together.sources() if i.source == "copy.md"] == [brief]
    answer = together.ask(MOU, as_of=AS_OF, max_quotes=6)
    assert answer.agreement == (alone,)
    assert len(cited(answer) & {brief, "copy.md"}) == 1
    own = (
        "# Brussels and Washington near a pact\n\nPublished: 2026-02-04\n\nDiplomats in Brussels said"
        " the memorandum of understanding on critical minerals is expected within 30 days.\n"
    )
    shelves.of_conversation("own").add("diplomats.md", own.encode())
    backed = shelves.assistant("own").ask(MOU, as_of=AS_OF, max_quotes=6)
    (value,) = backed.agreement
    assert value.value == alone.value == "within 30 days"
    assert len(value.citations) == len(alone.citations) + 1
    assert "diplomats.md" in cited(backed)


def test_a_question_is_limited_to_the_chosen_sources(shelves: Shelves) -> None:
    shelves.of_conversation("ours").add("skagen.md", HARBOUR.encode())
    together = shelves.assistant("ours")
    chosen = Filters(sources=("skagen.md", "nam-partners-and-congress.md"))
    assert cited(together.ask(WHO, filters=chosen, as_of=AS_OF)) == {"skagen.md"}
    other = replace(chosen, source="nam-*")
    assert together.ask(WHO, filters=other, as_of=AS_OF).status is Status.NOT_IN_CORPUS
    found = together.search("critical minerals harbour", 50, chosen)
    assert {hit.passage.source for hit in found} == set(chosen.sources)
    many = Filters(sources=("skagen.md", *(f"{n}.txt" for n in range(5_000))))
    for question in (WHO, "What is new?", "What happens on 9 March 2026?"):
        assert cited(together.ask(question, filters=many, as_of=AS_OF)) == {"skagen.md"}
    elsewhere = f"According to mining-com-action-plans.md, {MOU}"
    left_out = together.ask(elsewhere, filters=many, as_of=AS_OF)
    assert cited(left_out) <= {"skagen.md"}


def test_a_question_may_ask_for_fewer_or_more_quotes(assistant: Assistant) -> None:
    question = "What do the articles say about price floors?"
    quoted = {n: len(assistant.ask(question, max_quotes=n).citations) for n in (1, 3, 10)}
    assert quoted[1] == 1
    assert quoted[1] < quoted[3] <= 3 < quoted[10] <= 10
    assert len(assistant.ask(question).citations) == quoted[3]
    for wrong in (0, 11):
        with pytest.raises(SettingsError, match="max_quotes must be 1 to 10"):
            assistant.ask(question, max_quotes=wrong)


def test_a_joined_assistant_leaves_the_main_one_open(shelves: Shelves, main: Settings) -> None:
    with_one = open_assistant(main)
    shelves.of_conversation("ours").add("skagen.md", HARBOUR.encode())
    joined = with_one.joined(shelves.of_conversation("ours").index)
    twice = joined.joined(main.index / "nowhere")
    assert cited(twice.ask(WHO)) == {"skagen.md"}
    joined.close()
    with_one.joined().close()
    assert with_one.ask(MOU, as_of=AS_OF).status is Status.ANSWERED
    assert cited(joined.ask(WHO)) == {"skagen.md"}
    with_one.close()


# ---- the main index ---------------------------------------------------------------------------------


def contents(index: Path) -> dict[str, str]:
    """A digest of every file of an index; SQLite's own notes on who reads it are no part of it."""
    return {
        path.relative_to(index).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in index.rglob("*")
        if path.is_file()
        and "shelves" not in path.parts
        and path.suffix[-4:] not in ("-shm", "-wal")
    }


def test_the_main_index_is_never_written(
    shelves: Shelves, main: Settings, assistant: Assistant
) -> None:
    before, told = contents(main.index), assistant.ask(MOU, as_of=AS_OF).text
    assert any("chroma" in path for path in before)
    here = shelves.of_conversation("ours")
    here.add("skagen.md", HARBOUR.encode())
    here.add("mining-com-action-plans.md", HARBOUR.encode())
    shelves.assistant("ours", "me").ask(WHO)
    here.move("skagen.md", shelves.of_person("me"))
    shelves.forget("ours")
    assert contents(main.index) == before
    assert assistant.ask(MOU, as_of=AS_OF).text == told


def test_forgetting_a_conversation_deletes_what_was_added_to_it(
    shelves: Shelves, main: Settings
) -> None:
    shelves.of_conversation("ours/../x").add("skagen.md", HARBOUR.encode())
    shelves.of_person("ours/../x").add("kept.md", HARBOUR.encode())
    together = shelves.assistant("ours/../x")
    shelves.forget("ours/../x")
    shelves.forget("never there")
    assert together.ask(WHO).status is Status.NOT_IN_CORPUS
    assert names(shelves.of_conversation("ours/../x")) == []
    left = [path for path in (main.index / "shelves").rglob("*") if path.is_file()]
    assert {path.relative_to(main.index).parts[:2] for path in left} == {("shelves", "people")}
    assert not any("ours" in str(path.relative_to(main.index)) for path in left)
    folders = list((main.index / "shelves" / "people").iterdir())
    assert all(path.stat().st_mode & 0o077 == 0 for path in folders)


def test_the_original_of_a_source_is_the_file_as_it_was_indexed(
    shelves: Shelves, assistant: Assistant
) -> None:
    here = shelves.of_conversation("ours")
    pdf = pdf_of("The first page is about ferries.", KEEPER)
    here.add("report.pdf", pdf)
    here.add("many.jsonl", json.dumps({"text": "The ferry sank."}).encode())
    together = shelves.assistant("ours")
    (citation,) = together.ask(WHO).citations
    assert citation.page == 2
    file = together.original("report.pdf")
    assert file is not None
    assert file == here.original("report.pdf")
    assert file.read_bytes() == pdf
    assert together.original("many.jsonl#1") is None
    assert together.original("nothing.pdf") is here.original("nothing.pdf") is None
    brief = "mining-com-action-plans.md"
    assert assistant.original(brief) == together.original(brief) == ROOT / "corpus" / brief
    assert assistant.original("report.pdf") is None
    file.write_bytes(pdf + b"%")
    assert together.original("report.pdf") is None
    file.unlink()
    assert together.original("report.pdf") is None


# ---- a shelf ----------------------------------------------------------------------------------------


def test_a_shelf_holds_what_was_added_until_it_is_removed(shelf: Shelf, tmp_path: Path) -> None:
    assert names(shelf) == []
    upload = write_files(tmp_path / "sent", {"x": HARBOUR}) / "x"
    (one,) = shelf.add("skagen.md", upload)
    many = shelf.add("many.jsonl", "\n".join(json.dumps({"text": t}) for t in "ab").encode())
    assert [info.source for info in many] == ["many.jsonl#1", "many.jsonl#2"]
    assert upload.read_text() == shelf.text("skagen.md") == HARBOUR
    assert shelf.sources() == [*many, one]
    shelf.remove("many.jsonl#1")
    assert (names(shelf), files_of(shelf)) == (["skagen.md"], ["skagen.md"])
    for action in (shelf.text, shelf.remove):
        with pytest.raises(CorpusError, match=r"many\.jsonl#2"):
            action("many.jsonl#2")
    other = Shelf(tmp_path / "other", Settings(), HashedWords())
    with pytest.raises(CorpusError, match="nothing"):
        shelf.move("nothing.md", other)
    assert not list(shelf.index.glob("chroma*"))


def test_a_name_that_is_taken_is_counted_up(shelf: Shelf) -> None:
    taken = {"Report.md", "report (2).md", "all.jsonl#7", "folder/free.md"}
    wanted = ["report.md", "report.md", "ALL.jsonl", "free.md", "free.md"]
    text = json.dumps({"text": HARBOUR}).encode()
    found = [shelf.add(name, text, taken)[0].source for name in wanted]
    assert found == ["report (3).md", "report (4).md", "ALL (2).jsonl#1", "free.md", "free (2).md"]


@pytest.mark.parametrize(
    ("given_name", "stored"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\Users\\me\\report.PDF", "report.PDF"),
        ("/.hidden.md", "hidden.md"),
        (".md", "article.md"),
        ("..\\..", None),
        ("new\nline\t\u202etxt.exe.md", "new line txt.exe.md"),
        ("a\x00b.txt", "ab.txt"),
        (" . .txt", "article.txt"),
        ("...txt.txt", "txt.txt"),
        (".part.txt", "part.txt"),
        ("cafe\u0301.md", "café.md"),
        ("x" * 500 + ".docx", "x" * (NAME_BYTES - 5) + ".docx"),
        ("漢" * 500 + ".json", "漢" * ((NAME_BYTES - 5) // 3) + ".json"),
        ("\u200b.html", "article.html"),
        ("*?[a].txt", "*?[a].txt"),
        ("program.exe", None),
        ("no suffix", None),
        ("", None),
    ],
)
def test_a_hostile_name_is_made_harmless(given_name: str, stored: str | None, shelf: Shelf) -> None:
    content = json.dumps({"text": HARBOUR}).encode()
    if stored is None:
        with pytest.raises(UnreadableFile, match=r"not of a type that is read.*\.txt"):
            shelf.add(given_name, content)
        return
    assert file_name(given_name) == stored
    if Path(stored).suffix.lower() not in (".pdf", ".docx"):
        (info,) = shelf.add(given_name, content)
        assert info.source == stored
        assert files_of(shelf) == [stored]


@given(st.text(max_size=300), st.sampled_from(sorted(SUPPORTED)))
def test_a_file_name_is_short_visible_and_in_no_folder(given_name: str, suffix: str) -> None:
    try:
        name = file_name(given_name + suffix)
    except UnreadableFile:
        return
    assert name == file_name(name)
    assert len(name.encode()) <= NAME_BYTES
    assert Path(name).name == name
    assert not name.startswith(".")
    assert Path(name).suffix == suffix
    assert not any(unicodedata.category(c)[0] == "C" for c in name)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("broken.pdf", b"%PDF-1.7 and no more", "cut short"),
        ("damaged.pdf", b"%PDF-1.4\nnothing more\n%%EOF\n", "the PDF is damaged"),
        ("picture.pdf", pdf_of(""), "no text layer"),
        ("empty.txt", b"", "the file is empty"),
        ("program.txt", b"\x7fELF\x00\x00", "binary"),
        ("list.json", b"[]", "the list in the file is empty"),
        ("word.docx", b"PK\x03\x04 but no zip", "Word"),
        ("large.txt", b"word " * 200_001, "too large: 1.0 MB, the limit is 1 MB"),
        ("silent.md", b"<!-- to do -->\n", "no sentence in it"),
    ],
)
@pytest.mark.parametrize("by_path", [False, True])
def test_what_cannot_be_read_is_refused_in_words_and_nothing_is_lost(
    name: str,
    content: bytes,
    why: str,
    by_path: bool,
    shelf: Shelf,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(read, "MAX_FILE_MB", 1)
    shelf.add("skagen.md", HARBOUR.encode())
    sent = tmp_path / "sent"
    sent.write_bytes(content)
    with pytest.raises(UnreadableFile, match=why) as told:
        shelf.add(name, sent if by_path else content)
    assert str(told.value).startswith(f"{name} cannot be read: ")
    assert (names(shelf), files_of(shelf)) == (["skagen.md"], ["skagen.md"])
    assert shelf.text("skagen.md") == HARBOUR


def test_a_full_shelf_takes_no_more(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelves_module, "MOST_FILES", 2)
    for n in (1, 2):
        shelf.add(f"{n}.txt", b"A ferry sank.")
    with pytest.raises(CorpusError, match=r"3\.txt was not added: there are 2 files"):
        shelf.add("3.txt", b"A ferry sank.")
    shelf.remove("1.txt")
    shelf.add("3.txt", b"A ferry sank.")
    assert files_of(shelf) == ["2.txt", "3.txt"]


def test_a_move_to_a_full_shelf_moves_nothing(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Shelf(tmp_path / "full", Settings(), HashedWords())
    full.add("1.txt", b"A ferry sank.")
    shelf.add("skagen.md", HARBOUR.encode())
    monkeypatch.setattr(shelves_module, "MOST_FILES", 1)
    with pytest.raises(CorpusError, match="remove one first"):
        shelf.move("skagen.md", full)
    assert (names(shelf), names(full)) == (["skagen.md"], ["1.txt"])


def test_progress_is_told_from_reading_to_storing(shelf: Shelf) -> None:
    told: list[tuple[str, int, int]] = []
    text = "\n\n".join(f"{HARBOUR} Number {n}." for n in range(200))
    shelf.add("long.txt", text.encode(), progress=lambda *step: told.append(step))
    assert list(dict.fromkeys(what for what, _, _ in told)) == ["reading", "embedding", "storing"]
    embedding = [(done, total) for what, done, total in told if what == "embedding"]
    assert len(embedding) > 2
    assert embedding == sorted(embedding)
    assert embedding[-1][0] == embedding[-1][1]


def test_additions_at_once_wait_for_one_another(tmp_path: Path) -> None:
    folder, turns = tmp_path / "shelf", range(6)
    start = threading.Barrier(len(turns))
    added: list[str] = []

    def add(n: int) -> None:
        own = Shelf(folder, Settings(), HashedWords())
        start.wait()
        added.extend(info.source for info in own.add("report.txt", f"Ship {n} sank.".encode()))

    threads = [threading.Thread(target=add, args=(n,)) for n in turns]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shelf = Shelf(folder, Settings(), HashedWords())
    expected = sorted(["report.txt", *(f"report ({n}).txt" for n in range(2, 7))])
    assert sorted(added) == names(shelf) == files_of(shelf) == expected
    assert {shelf.text(name) for name in expected} == {f"Ship {n} sank." for n in turns}


class Failing(HashedWords):
    """Embeds nothing."""

    def embed_documents(self, texts: object) -> None:  # type: ignore[override]
        raise OSError(28, "No space left on device")


def test_an_addition_that_fails_leaves_nothing(shelf: Shelf, tmp_path: Path) -> None:
    failing = Shelf(tmp_path / "shelf", Settings(), Failing())
    with pytest.raises(IndexStorage, match="disk is full"):
        failing.add("first.md", HARBOUR.encode())
    assert (names(shelf), files_of(shelf)) == ([], [])
    shelf.add("second.md", b"A ferry sank.")
    with pytest.raises(IndexStorage):
        failing.add("third.md", HARBOUR.encode())
    assert (names(shelf), files_of(shelf)) == (["second.md"], ["second.md"])
    shelf.add("fourth.md", b"Another one.")
    assert names(shelf) == ["fourth.md", "second.md"]


KILLED = """
import sys, time
from pathlib import Path
from fake_embedder import HashedWords
from assistant.keeping.shelves import Shelf
from assistant.settings import Settings

class Stuck(HashedWords):
    def embed_documents(self, texts):
        print("embedding", flush=True)
        time.sleep(600)

Shelf(Path(sys.argv[1]), Settings(), Stuck()).add("killed.txt", b"The keeper was killed.")
"""


@pytest.mark.parametrize("before", [[], ["before.txt"]])
def test_a_shelf_survives_a_kill_in_the_middle_of_an_addition(
    before: list[str], shelf: Shelf, tmp_path: Path
) -> None:
    for name in before:
        shelf.add(name, HARBOUR.encode())
    adding = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "shelf")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{HELPERS}", "PATH": ""},
    )
    with adding:
        assert adding.stdout is not None
        assert adding.stdout.readline() == "embedding\n"
        assert names(shelf) == before
        shelf.heal()  # while it is written: nothing is waited for
        adding.send_signal(signal.SIGKILL)
    assert names(shelf) == before
    (tmp_path / "shelf" / "files" / ".1.part").write_bytes(b"cut off")
    shelf.add("after.txt", b"A ferry sank.")
    assert names(shelf) == ["after.txt", *before, "killed.txt"]
    assert files_of(shelf) == ["after.txt", *before, "killed.txt"]
    shelf.remove("killed.txt")
    assert names(shelf) == ["after.txt", *before]


def test_a_shelf_of_another_embedder_is_embedded_again(tmp_path: Path) -> None:
    folder = tmp_path / "shelf"
    Shelf(folder, Settings(), HashedWords()).add("skagen.md", HARBOUR.encode())
    anew = HashedWords("another")
    shelf = Shelf(folder, Settings(), anew)
    shelf.heal()
    assert (names(shelf), anew.embedded) == (["skagen.md"], 1)
    shelf.heal()
    assert anew.embedded == 1
    third = Shelf(folder, Settings(), HashedWords("third"))
    third.add("ferry.txt", b"A ferry sank.")
    assert names(third) == ["ferry.txt", "skagen.md"]


def test_a_shelf_that_was_cut_off_at_first_is_healed_when_it_is_asked(
    shelves: Shelves, main: Settings, assistant: Assistant
) -> None:
    here = shelves.of_conversation("ours")
    write_files(here.index.parent / "files", {"skagen.md": HARBOUR, "broken.pdf": b"%PDF-"})
    here.index.mkdir()
    embedder = assistant.embedder
    CatalogWriter(here.index, embedder.name, embedder.dimension).close()
    assert names(here) == []
    assert cited(shelves.assistant("ours").ask(WHO)) == {"skagen.md"}


def test_a_shelf_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    shelf = Shelf(blocked / "shelf", Settings(), HashedWords())
    with pytest.raises(DatelineError, match="cannot be written"):
        shelf.add("skagen.md", HARBOUR.encode())
    assert names(shelf) == []
