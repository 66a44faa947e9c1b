"""Articles on the command line: indexed, searched and listed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from command_line import DATED_4_FEB, DATED_5_FEB, UNDATED, batch, dateline
from repository import ROOT, write_files

from assistant.settings import Settings


def test_index_reports_what_it_did_and_names_what_it_set_aside(tmp_path: Path) -> None:
    corpus, index = tmp_path / "corpus", tmp_path / "index"
    files: dict[str, str | bytes] = {
        "a.txt": "The ferry sailed.",
        "b.md": "# News\n\nThe bridge opened.",
        "bad.txt": b"",
    }
    write_files(corpus, files)

    def run() -> dict[str, Any]:
        ran = dateline("index", corpus, "--index", index, "--json")
        assert (ran.code, ran.err) == (0, "")
        report = ran.json
        (failure,) = report["failed"]
        assert failure.keys() == {"source", "error"}
        assert failure["source"] == "bad.txt"
        assert "empty" in failure["error"]
        assert isinstance(report["seconds"], float)
        promised = ("added", "changed", "unchanged", "removed", "passages")
        return {key: report[key] for key in promised}

    def counts(*numbers: int) -> dict[str, int]:
        names = ("added", "changed", "unchanged", "removed", "passages")
        return dict(zip(names, numbers, strict=True))

    assert run() == counts(2, 0, 0, 0, 2)
    assert run() == counts(0, 0, 2, 0, 2)
    write_files(corpus, {"a.txt": "The ferry sank.", "c.txt": "It rained.", "bad.txt": b""})
    assert run() == counts(1, 1, 0, 1, 2)


def test_index_for_people_counts_on_stdout_and_complains_on_stderr(tmp_path: Path) -> None:
    corpus = write_files(tmp_path / "corpus", {"a.txt": "The ferry sailed.", "bad.txt": b""})
    ran = dateline("index", corpus, "--index", tmp_path / "index")
    assert ran.code == 0
    assert ran.out.startswith("1 added, 0 changed, 0 unchanged, 0 removed, 1 failed")
    assert ran.err.strip().startswith("bad.txt: ")
    assert "bad.txt" not in ran.out


def test_index_fails_when_nothing_at_all_could_be_read(tmp_path: Path) -> None:
    corpus = write_files(tmp_path / "corpus", {"bad.txt": b""})
    ran = dateline("index", corpus, "--index", tmp_path / "index", "--json")
    assert ran.code == 1
    assert [failure["source"] for failure in ran.json["failed"]] == ["bad.txt"]


def assert_are_hits(hits: list[dict[str, Any]]) -> None:
    for hit in hits:
        assert list(hit) == ["file", "start", "end", "score", "text"]
        text = (ROOT / "corpus" / hit["file"]).read_bytes().decode()
        assert text[hit["start"] : hit["end"]] == hit["text"]
    scores = [hit["score"] for hit in hits]
    assert scores == sorted(scores, reverse=True)
    places = [(hit["file"], hit["start"]) for hit in hits]
    assert len(set(places)) == len(places)


def test_search_ranks_passages_of_the_files(briefs: Settings) -> None:
    ran = dateline("search", "price floors", "--index", briefs.index, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.json.keys() == {"id", "retrieved"}
    assert len(ran.json["retrieved"]) == 10
    assert_are_hits(ran.json["retrieved"])
    assert any("price floor" in hit["text"].lower() for hit in ran.json["retrieved"][:3])


@pytest.mark.usefixtures("unranked")
@pytest.mark.parametrize("k", [1, 3, 1000])
def test_search_gives_as_many_as_asked_for_where_there_are_so_many(
    briefs: Settings, k: int
) -> None:
    ran = dateline("search", "critical minerals", "--k", k, "--index", briefs.index, "--json")
    assert_are_hits(ran.json["retrieved"])
    if k < 10:
        assert len(ran.json["retrieved"]) == k
    else:
        assert 10 < len(ran.json["retrieved"]) <= k


@pytest.mark.usefixtures("unranked")
def test_search_for_people_prints_the_places(briefs: Settings) -> None:
    told = dateline("search", "price floors", "--k", 2, "--index", briefs.index)
    hits = dateline("search", "price floors", "--k", 2, "--index", briefs.index, "--json").json
    assert (told.code, told.err) == (0, "")
    for rank, hit in enumerate(hits["retrieved"], 1):
        assert f"{rank}. {hit['file']}:{hit['start']}-{hit['end']}" in told.out


@pytest.mark.usefixtures("unranked")
def test_search_in_a_batch_keeps_order_and_ids_and_goes_on_after_errors(
    briefs: Settings, tmp_path: Path
) -> None:
    lines = (
        {"id": "a", "question": "price floors", "answers": ["x"], "history": 5},
        "{",
        {"id": 2, "question": ""},
        {"id": 3},
        "",
        {"question": "rare earth magnets"},
    )
    ran = dateline("search", "--batch", batch(tmp_path, *lines), "--k", 2, "--index", briefs.index)
    assert (ran.code, ran.err) == (0, "")
    first, cut, empty, none, last = ran.jsonl
    assert [reply["id"] for reply in ran.jsonl] == ["a", None, 2, 3, None]
    for reply in (first, last):
        assert reply.keys() == {"id", "retrieved"}
        assert len(reply["retrieved"]) == 2
        assert_are_hits(reply["retrieved"])
    assert ("line 2" in cut["error"], "line 3" in empty["error"], "line 4" in none["error"]) == (
        True,
        True,
        True,
    )
    alone = dateline("search", "price floors", "--k", 2, "--index", briefs.index, "--json").json
    assert first["retrieved"] == alone["retrieved"]


def test_sources_lists_every_article_with_what_is_known_of_it(briefs: Settings) -> None:
    ran = dateline("sources", "--index", briefs.index, "--json")
    assert (ran.code, ran.err) == (0, "")
    listed = {entry["source"]: entry for entry in ran.json}
    assert listed.keys() == DATED_4_FEB | DATED_5_FEB | UNDATED
    assert {source for source, entry in listed.items() if not entry["published"]} == UNDATED
    nam = listed["nam-partners-and-congress.md"]
    assert nam["published"] == "2026-02-05"
    assert nam["publisher"] == "National Association of Manufacturers (NAM)"
    assert nam["title"].startswith("Manufacturers' Group")
    assert nam["passages"] > 0
    told = dateline("sources", "--index", briefs.index)
    assert told.code == 0
    for source in listed:
        assert source in told.out
