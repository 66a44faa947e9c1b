"""Indexing keeps an index in step with a folder, whatever happens to either."""

from __future__ import annotations

import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from repository import ROOT, write_files

from assistant.service import Assistant
from assistant.settings import Settings
from indexing.embed import open_embedder
from indexing.errors import (
    CorpusError,
    IndexBusy,
    IndexMismatch,
    IndexMissing,
    IndexStorage,
)
from indexing.store import vectors
from indexing.store.catalog import Catalog
from indexing.store.tables import FILE_NAME
from indexing.sync import sync

TOWNS = "Avila Bergen Cadiz Dover Essen Fargo Genoa Hobart Izmir Jena Kazan Lagos Minsk".split()


def story(n: int, version: int = 1) -> str:
    town = TOWNS[n % len(TOWNS)]
    return (
        f"# Harbour report {n} from {town}\n\nPublished: 2025-03-{1 + n % 28:02}\n\n"
        f"The harbour of {town} handled {1000 * version + n} ships in edition {version}. "
        f"Officer number {n} of {town} signed the report on Tuesday.\n"
    )


def stories(numbers: range, version: int = 1) -> dict[str, str | bytes]:
    return {f"s{n:03}.md": story(n, version) for n in numbers}


def counts(report: object) -> tuple[int, int, int, int]:
    return tuple(getattr(report, n) for n in ("added", "changed", "unchanged", "removed"))  # type: ignore[return-value]


def state(settings: Settings) -> dict[str, object]:
    """All that readers can see of an index, whatever its row numbers."""
    catalog = Catalog(settings.index)
    with catalog.view() as view:
        articles = {}
        keys: set[str] = set()
        for info in view.sources():
            stored = view.passages_of(info.source)
            articles[info.source] = (
                info,
                view.text_of(info.source),
                [(p.passage, p.header, p.body) for p in stored],
                view.times_between(info.source, 0, 10**9),
            )
        connection = view._connection
        keys = {row[0] for row in connection.execute("SELECT key FROM vector")}
        words = connection.execute("SELECT count(*) FROM passage_text").fetchone()[0]
        in_chroma = vectors.keys_of(settings.index / view.chroma_folder)
    catalog.close()
    return {"articles": articles, "vectors": keys, "words": words, "chroma": in_chroma}


def folders(settings: Settings) -> list[str]:
    return sorted(path.name for path in settings.index.glob("chroma-*"))


def test_a_run_adds_changes_removes_and_then_finds_nothing_to_do(settings: Settings) -> None:
    write_files(settings.corpus, stories(range(4)))
    assert counts(sync(settings.corpus, settings)) == (4, 0, 0, 0)
    assert counts(sync(settings.corpus, settings)) == (0, 0, 4, 0)
    write_files(settings.corpus, {**stories(range(1, 5)), "s002.md": story(2, 2)})
    report = sync(settings.corpus, settings)
    assert counts(report) == (1, 1, 2, 1)
    assert report.articles == 4
    assert len(folders(settings)) == 1


def test_an_index_reached_by_changes_equals_one_built_at_once(
    settings: Settings, tmp_path: Path
) -> None:
    for step in (stories(range(6)), stories(range(3, 9), 2), stories(range(5), 3)):
        write_files(settings.corpus, step)
        sync(settings.corpus, settings)
    anew = replace(settings, index=tmp_path / "anew")
    sync(settings.corpus, anew)
    assert state(settings) == state(anew)


def test_the_same_text_is_embedded_once_whatever_its_file_is_called(settings: Settings) -> None:
    write_files(settings.corpus, {"a.md": story(1), "b.md": story(2)})
    assert sync(settings.corpus, settings).embedded == 2
    write_files(settings.corpus, {"renamed.md": story(1), "b.md": story(2), "c/copy.md": story(2)})
    report = sync(settings.corpus, settings)
    assert (counts(report), report.embedded) == ((2, 0, 1, 1), 0)


def test_five_thousand_unchanged_files_embed_nothing_and_one_change_embeds_one(
    settings: Settings,
) -> None:
    files: dict[str, str | bytes] = {f"{n}.txt": f"Ship {n} sailed." for n in range(5000)}
    write_files(settings.corpus, files)
    assert sync(settings.corpus, settings).added == 5000
    chroma = folders(settings)
    again = sync(settings.corpus, settings)
    assert (counts(again), again.embedded) == ((0, 0, 5000, 0), 0)
    (settings.corpus / "777.txt").write_text("Ship 777 sank.")
    once = sync(settings.corpus, settings)
    assert (counts(once), once.embedded) == ((0, 1, 4999, 0), 1)
    assert folders(settings) == chroma, "a small change rewrote every vector"
    (settings.corpus / "778.txt").unlink()
    gone = sync(settings.corpus, settings)
    assert (counts(gone), gone.embedded) == ((0, 0, 4999, 1), 0)
    held = state(settings)
    assert held["chroma"] == held["vectors"]


def test_a_removed_article_leaves_no_trace(
    settings: Settings, opened: Callable[[], Assistant]
) -> None:
    secret = "The zanzibarine treaty was signed in Quillmouth by Ottoline Vexley."
    write_files(settings.corpus, {**stories(range(3)), "secret.txt": secret})
    sync(settings.corpus, settings)
    assistant = opened()
    assert any(h.passage.source == "secret.txt" for h in assistant.search("zanzibarine treaty"))
    (settings.corpus / "secret.txt").unlink()
    sync(settings.corpus, settings)
    assert not any(h.passage.source == "secret.txt" for h in assistant.search("zanzibarine treaty"))
    for path in settings.index.rglob("*"):
        if path.is_file():
            held = path.read_bytes().lower()
            for word in (b"zanzibarin", b"quillmouth", b"vexley", b"secret.txt"):
                assert word not in held, path.name


def test_a_file_that_becomes_unreadable_keeps_what_was_indexed(settings: Settings) -> None:
    write_files(settings.corpus, stories(range(3)))
    sync(settings.corpus, settings)
    before = state(settings)
    (settings.corpus / "s001.md").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    report = sync(settings.corpus, settings)
    assert [f.source for f in report.failed] == ["s001.md"]
    assert "kept" in report.failed[0].error
    assert state(settings) == before


def test_a_bad_line_is_named_on_every_run_and_the_others_are_indexed(settings: Settings) -> None:
    lines = '{"title": "A", "text": "The bridge opened."}\n{"title": \n{"text": "It rained."}\n'
    write_files(settings.corpus, {"wire.jsonl": lines})
    for _ in range(2):
        report = sync(settings.corpus, settings)
        assert [f.source for f in report.failed] == ["wire.jsonl#2"]
        assert report.articles == 2


def test_a_corpus_that_does_not_exist_is_refused_and_the_index_kept(settings: Settings) -> None:
    write_files(settings.corpus, stories(range(2)))
    sync(settings.corpus, settings)
    before = state(settings)
    with pytest.raises(CorpusError, match="elsewhere"):
        sync(settings.corpus / "elsewhere", settings)
    assert state(settings) == before


def test_a_second_writer_is_turned_away_and_the_lock_dies_with_its_owner(
    settings: Settings,
) -> None:
    write_files(settings.corpus, stories(range(2)))
    settings.index.mkdir()
    owner = subprocess.Popen(
        [
            sys.executable, "-c",
            "import sys, time, filelock; lock = filelock.FileLock(sys.argv[1]); lock.acquire();"
            "print('held', flush=True); time.sleep(600)",
            settings.index / "write.lock",
        ],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert owner.stdout is not None
        owner.stdout.readline()
        with pytest.raises(IndexBusy, match="another process"):
            sync(settings.corpus, settings)
    finally:
        owner.kill()
        owner.communicate()
    assert sync(settings.corpus, settings).added == 2


def test_an_index_of_another_model_is_refused_for_writing_and_reading(
    settings: Settings, opened: Callable[[], Assistant]
) -> None:
    write_files(settings.corpus, stories(range(2)))
    sync(settings.corpus, settings)
    with sqlite3.connect(settings.index / FILE_NAME) as connection:
        connection.execute("UPDATE meta SET value = 'other@1234' WHERE key = 'embedder'")
    connection.close()
    with pytest.raises(IndexMismatch, match=r"other@1234.*--rebuild"):
        sync(settings.corpus, settings)
    with pytest.raises(IndexMismatch, match="other@1234"):
        opened()
    assert sync(settings.corpus, settings, rebuild=True).added == 2
    opened()


def test_what_is_no_index_is_said_to_be_none(
    settings: Settings, opened: Callable[[], Assistant]
) -> None:
    with pytest.raises(IndexMissing, match="dateline index"):
        opened()
    settings.index.mkdir()
    (settings.index / FILE_NAME).write_bytes(b"not a database, though long enough to be one" * 99)
    with pytest.raises(IndexMissing, match="not a Dateline index"):
        opened()
    write_files(settings.corpus, stories(range(1)))
    with pytest.raises(IndexMismatch, match="not a Dateline index"):
        sync(settings.corpus, settings)


def test_answers_go_on_when_the_vector_store_is_broken_and_the_next_run_mends_it(
    settings: Settings, opened: Callable[[], Assistant]
) -> None:
    write_files(settings.corpus, stories(range(5)))
    sync(settings.corpus, settings)
    before = state(settings)
    whole = [h.passage for h in opened().search("Which harbour handled ships?")]
    for path in (settings.index / folders(settings)[0]).rglob("*"):
        if path.is_file():
            path.write_bytes(b"\0" * 100)
    assert [h.passage for h in opened().search("Which harbour handled ships?")] == whole
    shutil.rmtree(settings.index / folders(settings)[0])
    assert [h.passage for h in opened().search("Which harbour handled ships?")] == whole
    assert counts(sync(settings.corpus, settings)) == (0, 0, 5, 0)
    assert state(settings) == before


def test_a_reader_sees_a_run_of_another_process_with_its_next_question(
    settings: Settings, opened: Callable[[], Assistant]
) -> None:
    write_files(settings.corpus, stories(range(3)))
    sync(settings.corpus, settings)
    assistant = opened()
    assert "handled 1001 ships" in assistant.search("Bergen ships")[0].passage.text
    write_files(settings.corpus, stories(range(3), 2))
    subprocess.run(INDEX_COMMAND(settings), check=True, cwd=ROOT, capture_output=True)
    assert "handled 2001 ships" in assistant.search("Bergen ships")[0].passage.text


def INDEX_COMMAND(settings: Settings) -> list[str | Path]:
    command = [sys.executable, "-m", "assistant.doors.cli", "index", settings.corpus]
    return [*command, "--index", settings.index, "--json"]


def test_copies_of_a_story_share_a_voice(settings: Settings) -> None:
    text = " ".join(f"Sentence {n} tells of the quarry near {TOWNS[n]}." for n in range(13))
    write_files(
        settings.corpus,
        {
            "b.md": f"---\npublished: 2025-01-02\n---\n{text}",
            "a.md": f"---\npublished: 2025-01-03\n---\n{text} More on this later.",
            "c.md": story(1),
        },
    )
    sync(settings.corpus, settings)
    voices = {name: entry[0].voice for name, entry in state(settings)["articles"].items()}  # type: ignore[attr-defined]
    assert voices == {"a.md": "b.md", "b.md": "b.md", "c.md": "c.md"}


# A full disk


def test_a_full_disk_is_reported_and_what_was_indexed_stays(settings: Settings) -> None:
    write_files(settings.corpus, stories(range(3)))
    sync(settings.corpus, settings)
    before = state(settings)
    write_files(settings.corpus, stories(range(200), 2))
    # Files may not grow past 300 kB in that process: what a full disk looks like from inside.
    limited = "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
    limited += "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000));"
    limited += "from assistant.doors.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", limited, "index", settings.corpus, "--index", settings.index],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 1
    assert "disk is full" in done.stderr
    assert "Traceback" not in done.stderr
    assert state(settings)["articles"] == before["articles"]
    assert sync(settings.corpus, settings).changed == 3


# Killed at any moment

WORKER = """
import sys, time
from dataclasses import replace
from pathlib import Path
from assistant.settings import Settings
from indexing.sync import sync
import chromadb
print("ready", flush=True)
started = time.monotonic()
settings = replace(Settings(), index=Path(sys.argv[2]))
sync(Path(sys.argv[1]), settings)
print(time.monotonic() - started, flush=True)
"""


def start_run(settings: Settings) -> subprocess.Popen[str]:
    run = subprocess.Popen(
        [sys.executable, "-c", WORKER, settings.corpus, settings.index],
        stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    assert run.stdout is not None
    assert run.stdout.readline() == "ready\n"
    return run


def test_a_run_killed_at_any_moment_leaves_the_old_view_or_the_new_and_the_next_run_heals(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = stories(range(60)), {**stories(range(30, 90)), **stories(range(15, 45), 2)}
    ends = {}
    for name, files in (("old", old), ("new", new)):
        built = replace(settings, index=tmp_path / name)
        write_files(settings.corpus, files)
        sync(settings.corpus, built)
        ends[name] = state(built)
    run = start_run(replace(settings, index=tmp_path / "timed"))
    assert run.stdout is not None
    whole_run_s = float(run.stdout.readline())
    run.communicate()

    rng = random.Random(25)
    views: list[str] = []
    for _ in range(25):
        shutil.rmtree(settings.index, ignore_errors=True)
        shutil.copytree(tmp_path / "old", settings.index)
        run = start_run(settings)
        time.sleep(rng.uniform(0, whole_run_s))
        run.send_signal(signal.SIGKILL)
        run.communicate()
        seen = state_of_reader(settings)
        views.append(next(name for name in ends if ends[name]["articles"] == seen))
        sync(settings.corpus, settings)
        assert state(settings) == ends["new"]
    assert "old" in views


def state_of_reader(settings: Settings) -> object:
    """What a reader sees, having asked by meaning and by words for every article it lists."""
    from assistant.service import open_assistant

    held = state(settings)["articles"]
    assert isinstance(held, dict)
    assistant = open_assistant(settings)
    try:
        for source in random.Random(len(held)).sample(sorted(held), 5):
            info, text, _, _ = held[source]
            hits = assistant.search(info.title, 5)
            assert source in [h.passage.source for h in hits]
            for h in hits:
                text = held[h.passage.source][1]
                assert text[h.passage.start : h.passage.end] == h.passage.text
    finally:
        assistant.close()
    return held


def test_a_run_killed_while_it_changes_the_vectors_in_place_is_healed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexing.sync.IN_PLACE_FROM", 10)
    write_files(settings.corpus, stories(range(40)))
    sync(settings.corpus, settings)
    write_files(settings.corpus, {**stories(range(40)), "s005.md": story(5, 2)})

    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    for moment in ("indexing.sync.vectors.remove", "indexing.sync.CatalogWriter.commit"):
        with monkeypatch.context() as patch:
            patch.setattr(moment, die)
            with pytest.raises(Killed):
                sync(settings.corpus, settings)
        state_of_reader(settings)
    sync(settings.corpus, settings)
    healed = state(settings)
    assert healed["chroma"] == healed["vectors"]
    assert len(folders(settings)) == 1


def test_vectors_in_chroma_are_those_of_the_catalog(settings: Settings) -> None:
    write_files(settings.corpus, stories(range(8)))
    sync(settings.corpus, settings)
    embedder = open_embedder(settings.embedder, settings.threads)
    query = embedder.embed_query("officer of Dover")
    catalog = Catalog(settings.index)
    reader = vectors.VectorReader(settings.index)
    with catalog.view() as view:
        near = reader.nearest(view.chroma_folder, view.generation, query, 8)
        known = view.passages_of_vectors([key for key, _ in near])
        exact = view.exact(query, 8)
    reader.close()
    catalog.close()
    assert [known[key][0] for key, _ in near] == [identity for identity, _ in exact]
    np.testing.assert_allclose([s for _, s in near], [s for _, s in exact], atol=1e-5)


def test_an_index_folder_that_cannot_be_made_is_reported(settings: Settings) -> None:
    write_files(settings.corpus, stories(range(1)))
    settings.index.write_text("a file, not a folder")
    with pytest.raises(IndexStorage, match="--index"):
        sync(settings.corpus, replace(settings, index=settings.index / "below"))
