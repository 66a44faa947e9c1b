"""Several indexes read as one give what one index of all their files gives."""

from __future__ import annotations

import inspect
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from fake_embedder import HashedWords
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from repository import ROOT, write_files

from assistant.settings import Settings
from indexing.schema import EVERYTHING, Filters
from indexing.store.catalog import Catalog
from indexing.store.joined import JoinedCatalog, JoinedView, Originals, untaken
from indexing.store.view import View
from indexing.store.writer import CatalogWriter
from indexing.sync import sync

EMBEDDER = HashedWords()
Files = Mapping[str, str | bytes]


def indexed(folder: Path, files: Files, embedder: HashedWords = EMBEDDER) -> Path:
    """The index of a folder with these files."""
    corpus, index = folder / "files", folder / "index"
    write_files(corpus, dict(files))
    own = replace(Settings(), corpus=corpus, index=index)
    sync(corpus, own, embedder=embedder, small=True)
    return index


@contextmanager
def joined(*indexes: Path, originals: Originals | None = None) -> Iterator[View]:
    main = Catalog(indexes[0])
    with JoinedCatalog(main, indexes[1:], originals or Originals()).view() as view:
        yield view
    main.close()


# ---- as one index ---------------------------------------------------------------------------------

QUERIES = (
    '"harbour"',
    '"the"',
    '"harbour" OR "ferry" OR "keeper" OR "nowhere"',
    '"million tonnes" OR "harbour" OR "say ""yes"""',
    '"february" OR "2026"',
)
SPANS = ((date(2026, 1, 1), date(2026, 12, 31)), (date(2026, 2, 4), date(2026, 2, 4)))


def filters_for(sources: list[str]) -> list[Filters]:
    return [
        EVERYTHING,
        Filters(source="*1*"),
        Filters(since=date(2026, 2, 5)),
        Filters(sources=tuple(sources[::2])),
        Filters(source="*[02]*", until=date(2026, 2, 10), sources=tuple(sources)),
        Filters(sources=("nothing.txt",)),
    ]


def seen(view: View) -> dict[str, Any]:
    """All that the methods of a view tell, its passages known by their place."""
    infos = view.sources()
    sources = [info.source for info in infos]
    stored = {name: view.passages_of(name) for name in sources}
    place = {p.id: (name, p.passage.start) for name, some in stored.items() for p in some}
    assert len(place) == sum(map(len, stored.values())), "two passages have one id"
    assert view.passages(list(place)) == {p.id: p for some in stored.values() for p in some}
    keyed = place.__getitem__

    def ranked(found: list[tuple[int, float]]) -> dict[tuple[str, int], Any]:
        scores = [score for _, score in found]
        assert scores == sorted(scores, reverse=True)
        return {keyed(i): pytest.approx(score, rel=1e-6, abs=1e-9) for i, score in found}

    told: dict[str, Any] = {
        "sources": [replace(info, voice="") for info in infos],
        "together": [i.source for i in view.together(view.main.sources())],
        "count": view.count(),
        "text_size": view.text_size(),
        "holds_file": [view.holds_file(s) for s in (*sources, "nothing.txt")],
        "signatures": [(path, name, sign) for path, name, _, sign in view.signatures()],
        "globbed": view.globbed(sources, "*1*"),
        "original": [p.read_bytes() if (p := view.original(s)) else None for s in sources],
        "lengths": {keyed(i): n for i, n in view.lengths(list(place)).items()},
        "likeness": {
            other: pytest.approx(near, abs=1e-5)
            for other, near in view.likeness(sources[0], sources).items()
        },
        "mean_vectors": sorted(view.mean_vectors(sources)),
        "home_of": [view.home_of(s)[0].text_of(view.home_of(s)[1]) for s in sources],
        "passages": [
            (p.passage, p.header, p.body, replace(p.info, voice=""))
            for name in sources
            for p in stored[name]
        ],
    }
    for name in (*sources, "nothing.txt"):
        told[f"text_of {name}"] = view.text_of(name)
        told[f"file_of {name}"] = view.file_of(name)
        told[f"boilerplate_of {name}"] = view.boilerplate_of(name)
        told[f"times_between {name}"] = view.times_between(name, 0, 10**9)
    for word in ("harbour", "the", "million tonnes", "nowhere", 'say "yes"'):
        told[f"rarity {word}"] = view.rarity(word)
        told[f"holding {word}"] = view.holding(word)
        told[f"bm25 {word}"] = {
            keyed(i): pytest.approx(score, rel=1e-6, abs=1e-9)
            for i, score in view.bm25(word, list(place)).items()
        }
    vector = EMBEDDER.embed_query("the harbour of the ferry")
    for i, filters in enumerate(filters_for(sources)):
        told[f"sources {i}"] = [info.source for info in view.sources(filters)]
        told[f"exact {i}"] = ranked(view.exact(vector, 99, filters))
        told[f"best {i}"] = [pytest.approx(s, abs=1e-6) for _, s in view.exact(vector, 3, filters)]
        for query in QUERIES:
            told[f"lexical {query} {i}"] = ranked(view.lexical(query, 99, filters))
            told[f"lexical {query} {i} best"] = [
                pytest.approx(score, rel=1e-6) for _, score in view.lexical(query, 3, filters)
            ]
        for first, last in SPANS:
            about = view.about(first, last, 99, filters)
            told[f"about {first} {last} {i}"] = [a[:2] for a in about]
            of = view.passages_about(first, last, 99, filters)
            assert of == [a[2] for a in about]
            told[f"passages_about {first} {last} {i}"] = sorted(map(keyed, of))
    return told


ONLY_OF_PARTS = {
    "main",  # the first of them
    "beside",  # all but it
    "passages_of_vectors",  # the keys are not to be had from a view: below
}


def test_no_method_of_a_view_is_forgotten(tmp_path: Path) -> None:
    with joined(indexed(tmp_path, {"a.txt": "The harbour of Skagen is open."})) as view:
        told = {key.split()[0] for key in seen(view)}
    public = {name for name, _ in inspect.getmembers(View) if not name.startswith("_")}
    assert public - ONLY_OF_PARTS == (told - {"best"}) | {"passages_of"}


PLACES = ("Skagen", "Genoa", "Essen")
sentences = st.builds(
    "{} of {} {} {}.".format,
    st.sampled_from(["The harbour", "A ferry", "The keeper", "The mayor"]),
    st.sampled_from(PLACES),
    st.sampled_from(["moved two million tonnes", "closes", "will say yes", "opened the harbour"]),
    st.sampled_from(["on 4 February 2026", "in March 2026", "today", "within 30 days", ""]),
)
articles = st.builds(
    "# {}\n\n{}{}\n".format,
    sentences,
    st.sampled_from(["", "Published: 2026-02-05\n\n", "Published: 2026-02-12\n\n"]),
    st.lists(sentences, min_size=1, max_size=25).map(" ".join),
)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(articles, st.integers(0, 2)), min_size=1, max_size=6))
def test_a_joined_view_equals_that_of_one_index(parts: list[tuple[str, int]]) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        files = {f"report {n}.md": text for n, (text, _) in enumerate(parts)}
        split = [
            {f"report {n}.md": text for n, (text, part) in enumerate(parts) if part == wanted}
            for wanted in range(3)
        ]
        indexes = [indexed(folder / str(n), some) for n, some in enumerate(split)]
        with joined(*indexes) as view, joined(indexed(folder / "one", files)) as one:
            assert len(view.sources()) == len(parts)
            mine, whole = seen(view), seen(one)
            for path in files:  # fingerprints tell how a file was read, not where
                assert mine[f"file_of {path}"] == whole[f"file_of {path}"]
            assert mine == whole
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("cut", [1, 3])
def test_our_briefs_in_two_indexes_read_as_in_one(cut: int, tmp_path: Path) -> None:
    files = {path.name: path.read_bytes() for path in sorted((ROOT / "corpus").iterdir())}
    names = sorted(files)
    first = indexed(tmp_path / "a", {name: files[name] for name in names[:cut]})
    second = indexed(tmp_path / "b", {name: files[name] for name in names[cut:]})
    with joined(first, second) as view, joined(indexed(tmp_path / "c", files)) as one:
        assert isinstance(view, JoinedView)
        assert seen(view) == seen(one)


def test_passages_are_found_by_their_vectors_in_every_index(tmp_path: Path) -> None:
    told = "The harbour of Skagen is open."
    a, b = (indexed(tmp_path / n, {f"{n}.txt": told}) for n in "ab")
    with joined(a, b) as view, joined(a) as alone:
        (key,) = (r[0] for r in alone._connection.execute("SELECT vector_key FROM passage"))
        (ids,) = view.passages_of_vectors([key, "unknown"]).values()
        assert [p.passage.source for p in view.passages(ids).values()] == ["a.txt", "b.txt"]
        vector = EMBEDDER.embed_query(told)
        (beside,) = view.beside(vector, 5)
        assert view.passages([beside[0]])[beside[0]].passage.source == "b.txt"
        assert beside[1] == pytest.approx(1.0, abs=1e-5)
        assert alone.beside(vector, 5) == []
        assert view.main.sources() == alone.sources()


# ---- names that clash -----------------------------------------------------------------------------


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    own = {"a.txt": "The keeper of Skagen is Ingrid Holm.", "a (2).txt": "Two ferries sank."}
    other = {"a.txt": "The keeper of Genoa is Luca Riva.", "b.txt": "The mayor is new."}
    third = {"a.txt": "The keeper of Essen is Jan Vogt."}
    indexes = [indexed(tmp_path / str(n), f) for n, f in enumerate((own, other, third))]
    with joined(*indexes) as view:
        texts = {info.source: view.text_of(info.source) for info in view.sources()}
        assert texts == {
            **own,
            "a (3).txt": other["a.txt"],
            "b.txt": other["b.txt"],
            "a (4).txt": third["a.txt"],
        }
        assert view.file_of("a (3).txt") is not None
        for name, text in texts.items():
            file = view.original(name)
            assert file is not None
            assert file.read_text() == text
            assert [p.passage.source for p in view.passages_of(name)] == [name]
            assert [i.source for i in view.sources(Filters(sources=(name,)))] == [name]
            escaped = name.replace("[", "[[]")
            found = view.lexical('"keeper" OR "ferries" OR "mayor"', 9, Filters(source=escaped))
            assert [view.passages([i])[i].info.source for i, _ in found] == [name]
        two = Filters(source="a*", sources=("a (3).txt", "b.txt"))
        assert [i.source for i in view.sources(two)] == ["a (3).txt"]
        assert view.exact(EMBEDDER.embed_query("keeper"), 9, Filters(source="*).pdf")) == []


def test_the_articles_of_a_clashing_file_stay_together(tmp_path: Path) -> None:
    lines = [json.dumps({"text": f"The keeper of {place} is new."}) for place in PLACES]
    one = indexed(tmp_path / "one", {"a.jsonl": lines[0]})
    many = indexed(tmp_path / "many", {"a.jsonl": "\n".join(lines)})
    with joined(one, many) as view:
        assert [info.source for info in view.sources()] == [
            *(f"a (2).jsonl#{n}" for n in (1, 2, 3)),
            "a.jsonl#1",
        ]
        assert "Essen" in (view.text_of("a (2).jsonl#3") or "")
        assert {path for path, *_ in view.signatures()} == {"a.jsonl", "a (2).jsonl"}


@given(st.text(st.characters(exclude_characters="./"), min_size=1, max_size=20), st.integers(0, 5))
def test_an_untaken_name_is_like_the_one_wanted(stem: str, taken: int) -> None:
    names: list[str] = []
    for _ in range(taken + 1):
        names.append(untaken(f"{stem}.pdf", names.__contains__))
    assert len(set(names)) == taken + 1
    assert names[0] == f"{stem}.pdf"
    assert all(name.endswith(".pdf") and name.startswith(stem) for name in names)


# ---- copies ---------------------------------------------------------------------------------------

WIRE = " ".join(f"Ship {n} passed the cape of Skagen in calm weather." for n in range(20))
OWN = " ".join(f"Lorry {n} drove through Essen at night without lights." for n in range(20))


def voices(view: View) -> dict[str, str]:
    told = {info.source: info.voice for info in view.sources()}
    assert told == {name: voice for _, name, voice, _ in view.signatures()}
    stored = [p.info for name in told for p in view.passages_of(name)]
    assert {info.source: info.voice for info in stored} == told
    return told


def test_a_copy_of_an_article_of_another_index_has_its_voice(tmp_path: Path) -> None:
    main = {"wire.txt": WIRE, "copied.txt": WIRE, "else.txt": "The mayor of Genoa is new."}
    dated = f"Published: 2020-01-01\n\n{WIRE}"  # however early: the main index comes first
    person = {"mine.txt": dated, "own.txt": OWN, "own too.txt": OWN}
    here = {"again.txt": WIRE + " The end.", "mine own.txt": OWN, "no words.txt": "… !"}
    indexes = [indexed(tmp_path / str(n), f) for n, f in enumerate((main, person, here))]
    with joined(*indexes) as view:
        assert voices(view) == {
            "wire.txt": "copied.txt",
            "copied.txt": "copied.txt",
            "else.txt": "else.txt",
            "mine.txt": "copied.txt",
            "again.txt": "copied.txt",
            "own.txt": "own too.txt",
            "own too.txt": "own too.txt",
            "mine own.txt": "own too.txt",
            "no words.txt": "no words.txt",
        }


def test_a_voice_follows_a_change_of_the_main_index(tmp_path: Path) -> None:
    beside = indexed(tmp_path / "b", {"copy.txt": WIRE})
    originals = Originals()
    for files, voice in (({"x.txt": OWN}, "copy.txt"), ({"x.txt": OWN, "y.txt": WIRE}, "y.txt")):
        with joined(indexed(tmp_path / "a", files), beside, originals=originals) as view:
            assert voices(view)["copy.txt"] == voice


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from([WIRE, OWN, "One."]), st.integers(0, 2)), max_size=6))
def test_every_voice_is_an_article_that_speaks_for_itself(parts: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        split = [{f"{n}.txt": t for n, (t, p) in enumerate(parts) if p == w} for w in range(3)]
        indexes = [indexed(Path(folder, str(n)), dict(files)) for n, files in enumerate(split)]
        told = voices(stack.enter_context(joined(*indexes)))
        assert all(told[voice] == voice for voice in told.values())
        assert len(set(told.values())) == len({text for text, _ in parts})


# ---- what is no index -----------------------------------------------------------------------------


def test_what_is_no_index_adds_nothing(tmp_path: Path) -> None:
    main = indexed(tmp_path / "main", {"a.txt": "The harbour of Skagen is open."})
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    CatalogWriter(unfinished, EMBEDDER.name, EMBEDDER.dimension).close()
    broken = tmp_path / "broken"
    write_files(broken, {"catalog.sqlite": b"no database" * 100})
    empty = write_files(tmp_path / "empty", {"catalog.sqlite": b""})
    other = indexed(tmp_path / "other", {"b.txt": "A ferry sank."}, HashedWords("another model"))
    with joined(main, tmp_path / "nowhere", unfinished, broken, empty, other) as view:
        assert type(view) is View
        assert [info.source for info in view.sources()] == ["a.txt"]


def test_an_index_may_come_change_and_go(tmp_path: Path) -> None:
    main = Catalog(indexed(tmp_path / "main", {"a.txt": "The harbour of Skagen is open."}))
    catalog = JoinedCatalog(main, [tmp_path / "b" / "index"], Originals())
    generations = set()

    def names() -> list[str]:
        with catalog.view() as view:
            generations.add(view.generation)
            return [info.source for info in view.sources()]

    assert names() == ["a.txt"]
    indexed(tmp_path / "b", {"b.txt": "A ferry sank."})
    assert names() == ["a.txt", "b.txt"]
    indexed(tmp_path / "b", {"b.txt": "A ferry sank.", "c.txt": "Another one."})
    assert names() == ["a.txt", "b.txt", "c.txt"]
    assert len(generations) == 3
    shutil.rmtree(tmp_path / "b")
    assert names() == ["a.txt"]
    main.close()


def test_thousands_of_sources_may_be_chosen(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {f"{n}.txt": f"Ship {n} sailed." for n in range(3)}
    chosen = tuple(f"{n}.txt" for n in range(1, 40_000))
    with joined(indexed(tmp_path, files)) as view:
        both = Filters(source="[01].txt", sources=chosen)
        assert [info.source for info in view.sources(both)] == ["1.txt"]
        assert len(view.lexical('"ship"', 9, Filters(sources=chosen))) == 2
        assert len(view.exact(EMBEDDER.embed_query("ship"), 9, Filters(sources=chosen))) == 2
