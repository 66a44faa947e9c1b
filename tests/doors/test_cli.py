"""The command line keeps the promises other programs rely on: keys, exit codes, streams, order."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from copy import deepcopy
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from command_line import dateline
from repository import ROOT, write_files

from indexing.settings import Settings

DATED_5_FEB = {"menafn-mexico-eu-japan-partnerships.md", "nam-partners-and-congress.md"}

DATED_4_FEB = {"mining-com-action-plans.md"}

UNDATED = {"unknown-eu-japan-mexico-pacts.md", "unknown-eu-japan-partnership.md"}

ANSWER_KEYS = [
    *("id", "question", "status", "engine", "confidence", "answer", "citations", "dates"),
    *("agreement", "closest", "dropped", "notice", "model", "timings_ms"),
]

CITATION_KEYS = [
    *("number", "source", "title", "publisher", "published", "quote", "start", "end", "page"),
    "url",
]

DATE_KEYS = ["phrase", "anchor", "date", "rule", "days_from_as_of", "citations"]

DATED_QUESTION = "When is the review of the USMCA?"

MISSING_QUESTION = "Who won the 2019 cricket world cup?"

QUESTIONS = (
    DATED_QUESTION,
    MISSING_QUESTION,
    "How many days does the plan with Mexico take?",
    "Who is the US Trade Representative?",
    "Why are rare earth metals important?",
    "Which countries joined the United States in the partnership?",
)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "assistant.doors.cli", *map(str, arguments)]


def shell_environment(**more: str) -> dict[str, str]:
    """The environment of a user's shell: nothing of ours, output buffered as Python does."""
    ours = ("DATELINE_", "PYTHON")
    return {k: v for k, v in os.environ.items() if not k.startswith(ours)} | more


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every command runs in a folder without `.env`, and with no setting in the environment."""
    for name in list(os.environ):
        if name.startswith("DATELINE_"):
            monkeypatch.delenv(name)
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    monkeypatch.chdir(cwd)
    return cwd


@pytest.fixture
def unranked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the cross-encoder: for tests to which it does not matter what the answer is."""
    monkeypatch.setenv("DATELINE_RERANKER", "none")


def batch(folder: Path, *lines: object) -> Path:
    """A .jsonl file; what is a string is written as it stands."""
    path = folder / "batch.jsonl"
    written = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_text("".join(f"{line}\n" for line in written), "utf-8")
    return path


@pytest.mark.parametrize("name", ["", "index", "ask", "search", "sources", "doctor", "chat"])
def test_every_command_has_help(name: str) -> None:
    ran = dateline(*name.split(), "--help")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"usage: dateline {name}".rstrip())


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("", "COMMAND"),
        ("fly", "fly"),
        ("ask", "question"),
        ("ask Why? --batch questions.jsonl", "--batch"),
        ("ask Why? --as-of tomorrow", "tomorrow"),
        ("ask Why? --since 2026-13-01", "--since"),
        ("ask Why? --until 2026-02-30", "--until"),
        ("ask Why? --engine oracle", "oracle"),
        ("ask Why? --k 3", "--k"),
        ("ask --batch nowhere.jsonl", "nowhere.jsonl"),
        ("ask --batch .", "--batch"),
        ("search", "query"),
        ("search minerals --batch queries.jsonl", "--batch"),
        ("search minerals --k 0", "--k"),
        ("search minerals --k -1", "--k"),
        ("search minerals --k many", "many"),
        ("search minerals --k ²", "²"),
        ("search minerals --since yesterday", "yesterday"),
        ("index one two", "two"),
        ("sources --host 0.0.0.0", "--host"),
        ("chat --port abc", "abc"),
        ("chat --port 99999", "99999"),
    ],
)
def test_bad_usage_exits_with_2_and_names_what_is_wrong(
    briefs: Settings, arguments: str, named: str
) -> None:
    words = arguments.split()
    ran = dateline(*words, *(["--index", briefs.index] if words and words[0] != "fly" else []))
    assert (ran.code, ran.out) == (2, "")
    assert named in ran.err
    assert "Traceback" not in ran.err
    assert "should not have" not in ran.err


@pytest.mark.parametrize("question", ["", "  ", "\n"])
@pytest.mark.parametrize("name", ["ask", "search"])
def test_an_empty_question_is_bad_usage(briefs: Settings, name: str, question: str) -> None:
    ran = dateline(name, question, "--index", briefs.index)
    assert (ran.code, ran.out) == (2, "")
    assert "is empty" in ran.err


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DATELINE_PORT", "abc"),
        ("DATELINE_PORT", "70000"),
        ("DATELINE_PORT", ""),
        ("DATELINE_PORT", "²"),
        ("DATELINE_PASSAGE_CHARS", "0"),
        ("DATELINE_MAX_QUOTES", "0"),
        ("DATELINE_MAX_FILE_MB", "-1"),
        ("DATELINE_THREADS", "1.5"),
        ("DATELINE_INDEX", " "),
        ("DATELINE_ENGINE", "oracle"),
    ],
)
def test_a_setting_that_cannot_be_used_exits_with_2_and_is_named(
    briefs: Settings, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    index = [] if variable == "DATELINE_INDEX" else ["--index", briefs.index]
    ran = dateline("ask", "Why?", *index)
    assert (ran.code, ran.out) == (2, "")
    assert variable in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("arguments", ["ask Why?", "search minerals", "sources", "ask --batch -"])
def test_without_an_index_it_says_which_folder_and_what_to_run(arguments: str) -> None:
    ran = dateline(*arguments.split(), "--index", "no/such/index", stdin='{"question": "Why?"}\n')
    assert (ran.code, ran.out) == (1, "")
    assert "no/such/index" in ran.err
    assert "dateline index" in ran.err
    assert "Traceback" not in ran.err
    assert not Path("no").exists()


@pytest.mark.parametrize("name", ["index", "chat"])
def test_a_corpus_that_does_not_exist_is_named(name: str) -> None:
    where = ["no/such/corpus"] if name == "index" else ["--corpus", "no/such/corpus"]
    ran = dateline(name, *where, "--index", "index")
    assert (ran.code, ran.out) == (1, "")
    assert "no/such/corpus" in ran.err
    assert "Traceback" not in ran.err


def test_an_error_nobody_foresaw_is_one_sentence_and_a_traceback_only_when_asked_for(
    briefs: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("assistant.service.Assistant.stream", fail)
    ran = dateline("ask", "Why?", "--index", briefs.index)
    assert (ran.code, ran.out) == (1, "")
    assert "ZeroDivisionError: division by zero" in ran.err
    assert "Traceback" not in ran.err
    monkeypatch.setenv("DATELINE_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        dateline("ask", "Why?", "--index", briefs.index)


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


@pytest.mark.usefixtures("unranked")
def test_an_index_of_an_empty_folder_answers_that_it_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    index = tmp_path / "index"
    assert dateline("index", tmp_path / "corpus", "--index", index, "--json").code == 0
    ran = dateline("ask", "Why did the ferry sink?", "--index", index, "--json")
    assert ran.code == 0
    assert_is_an_answer(ran.json)
    assert ran.json["status"] == "not_in_corpus"
    assert ran.json["closest"] == []
    ran = dateline("search", "ferry", "--index", index, "--json")
    assert (ran.code, ran.json["retrieved"]) == (0, [])
    assert dateline("sources", "--index", index, "--json").json == []


def assert_is_an_answer(answer: dict[str, Any]) -> None:
    """All that the contract says of one answer."""
    assert list(answer) == ANSWER_KEYS
    assert answer["engine"] == "quotes"
    assert 0 <= answer["confidence"] <= 1
    assert answer["answer"].strip()
    numbers = [citation["number"] for citation in answer["citations"]]
    assert len(set(numbers)) == len(numbers)
    assert {int(n) for n in re.findall(r"\[(\d+)\]", answer["answer"])} == set(numbers)
    for citation in [*answer["citations"], *answer["closest"]]:
        assert_is_a_citation(citation)
    for when in answer["dates"]:
        assert list(when) == DATE_KEYS
        assert re.fullmatch(r"\d{4}(-\d\d(-\d\d)?)?", when["date"]), when
        assert when["anchor"] is None or date.fromisoformat(when["anchor"])
        assert isinstance(when["days_from_as_of"], int)
        assert when["rule"]
        assert when["citations"]
        assert set(when["citations"]) <= set(numbers)
    for value in answer["agreement"]:
        assert list(value) == ["value", "citations"]
        assert value["value"].strip()
        assert value["citations"]
        assert set(value["citations"]) <= set(numbers)
    assert answer["timings_ms"].keys() == {"retrieve", "answer", "verify"}
    assert all(ms >= 0 for ms in answer["timings_ms"].values())
    if answer["status"] == "answered":
        assert numbers
        assert answer["closest"] == []
    else:
        assert answer["status"] == "not_in_corpus"
        assert answer["citations"] == answer["dates"] == answer["agreement"] == []
        assert re.fullmatch(r"[A-Z][^\[\]*\n]+\.", answer["answer"]), "not a plain sentence"


def assert_is_a_citation(citation: dict[str, Any]) -> None:
    assert list(citation) == CITATION_KEYS
    assert citation["title"]
    assert citation["publisher"] is None or citation["publisher"].strip()
    assert citation["published"] is None or date.fromisoformat(citation["published"])
    assert citation["page"] is None
    text = (ROOT / "corpus" / citation["source"]).read_bytes().decode()
    assert citation["quote"].strip()
    assert text[citation["start"] : citation["end"]] == citation["quote"]


@pytest.fixture(scope="module")
def answers(briefs: Settings, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The answers to QUESTIONS, asked in one batch."""
    lines = ({"id": f"q{n}", "question": question} for n, question in enumerate(QUESTIONS))
    file = batch(tmp_path_factory.mktemp("questions"), *lines)
    ran = dateline("ask", "--batch", file, "--index", briefs.index, "--as-of", "2026-03-01")
    assert (ran.code, ran.err) == (0, "")
    return ran.jsonl


def test_a_batch_is_answered_in_its_order_with_its_ids(answers: list[Any]) -> None:
    assert [answer["id"] for answer in answers] == [f"q{n}" for n in range(len(QUESTIONS))]
    assert [answer["question"] for answer in answers] == list(QUESTIONS)


@pytest.mark.parametrize("n", range(len(QUESTIONS)), ids=lambda n: QUESTIONS[n])
def test_an_answer_has_the_promised_form(answers: list[Any], n: int) -> None:
    assert_is_an_answer(answers[n])


def test_some_questions_are_answered_and_some_are_not_in_the_articles(answers: list[Any]) -> None:
    found = {answer["question"]: answer for answer in answers}
    assert found[DATED_QUESTION]["status"] == "answered"
    assert found[DATED_QUESTION]["dates"]
    assert found[DATED_QUESTION]["agreement"]
    missing = found[MISSING_QUESTION]
    assert missing["status"] == "not_in_corpus"
    assert missing["closest"]
    assert missing["confidence"] < found[DATED_QUESTION]["confidence"]


def test_one_question_is_answered_as_in_a_batch(briefs: Settings, answers: list[Any]) -> None:
    ran = dateline(
        "ask", DATED_QUESTION, "--index", briefs.index, "--as-of", "2026-03-01", "--json"
    )
    assert (ran.code, ran.err) == (0, "")
    alone, in_batch = dict(ran.json), dict(answers[QUESTIONS.index(DATED_QUESTION)])
    assert alone["id"] is None
    for answer in (alone, in_batch):
        del answer["id"], answer["timings_ms"]
    assert alone == in_batch


@pytest.mark.parametrize("question", [DATED_QUESTION, MISSING_QUESTION])
def test_an_answer_for_people_names_its_sources(
    briefs: Settings, answers: list[Any], question: str
) -> None:
    told = dateline("ask", question, "--index", briefs.index, "--as-of", "2026-03-01")
    answer = answers[QUESTIONS.index(question)]
    assert (told.code, told.err) == (0, "")
    for citation in [*answer["citations"], *answer["closest"]]:
        assert f"{citation['source']}:{citation['start']}-{citation['end']}" in told.out
    assert "\x1b" not in told.out
    assert not told.out.startswith("{")


def test_as_of_moves_what_days_are_counted_from_and_nothing_else(
    briefs: Settings, answers: list[Any]
) -> None:
    first = deepcopy(answers[QUESTIONS.index(DATED_QUESTION)])
    later = dateline(
        "ask", DATED_QUESTION, "--index", briefs.index, "--as-of", "2026-03-11", "--json"
    ).json
    assert first["dates"]
    for one, other in zip(first.pop("dates"), later.pop("dates"), strict=True):
        assert one.pop("days_from_as_of") - other.pop("days_from_as_of") == 10
        assert one == other
    for answer in (first, later):
        del answer["id"], answer["timings_ms"]
        answer["answer"] = re.sub(r"\d+ days", "… days", answer["answer"])
    assert first == later


def test_days_are_counted_to_the_day_meant(answers: list[Any]) -> None:
    days = [when for answer in answers for when in answer["dates"] if len(when["date"]) == 10]
    assert days
    for when in days:
        distance = date.fromisoformat(when["date"]) - date(2026, 3, 1)
        assert when["days_from_as_of"] == distance.days


def test_days_are_counted_from_today_when_no_day_is_given(briefs: Settings) -> None:
    while True:
        today = date.today()
        dates = dateline("ask", DATED_QUESTION, "--index", briefs.index, "--json").json["dates"]
        if today == date.today():
            break
    day = next(when for when in dates if len(when["date"]) == 10)
    assert date.fromisoformat(day["date"]) == today + timedelta(days=day["days_from_as_of"])


FILTERS = [
    (("--source", "unknown-*"), UNDATED),
    (("--source", "mining-com-action-plans.md"), DATED_4_FEB),
    (("--since", "2026-02-05"), DATED_5_FEB),
    (("--until", "2026-02-04"), DATED_4_FEB),
    (("--since", "2026-02-04", "--until", "2026-02-05"), DATED_4_FEB | DATED_5_FEB),
    (("--since", "2026-02-04", "--source", "m*"), {"menafn-mexico-eu-japan-partnerships.md"} | DATED_4_FEB),
]  # fmt: skip


@pytest.mark.usefixtures("unranked")
@pytest.mark.parametrize(("filters", "allowed"), FILTERS, ids=lambda value: " ".join(sorted(value)))
def test_filters_restrict_what_is_found_cited_and_named_as_nearest(
    briefs: Settings, filters: Sequence[str], allowed: set[str]
) -> None:
    found = dateline(
        "search", "critical minerals", "--k", 40, *filters, "--index", briefs.index, "--json"
    )
    assert {hit["file"] for hit in found.json["retrieved"]} == allowed

    question = "What did Greer say about price floors for critical minerals?"
    answer = dateline("ask", question, *filters, "--index", briefs.index, "--json").json
    assert_is_an_answer(answer)
    named = [citation["source"] for citation in [*answer["citations"], *answer["closest"]]]
    assert named
    assert set(named) <= allowed


@pytest.mark.usefixtures("unranked")
def test_filters_that_leave_no_article_leave_no_answer(briefs: Settings) -> None:
    for filters in (("--source", "bbc/*"), ("--since", "2026-02-05", "--until", "2026-02-04")):
        ran = dateline("ask", DATED_QUESTION, *filters, "--index", briefs.index, "--json")
        assert ran.code == 0
        assert_is_an_answer(ran.json)
        assert ran.json["status"] == "not_in_corpus"
        assert ran.json["closest"] == []


@pytest.mark.usefixtures("unranked")
def test_a_line_that_cannot_be_answered_says_why_and_the_rest_go_on(
    briefs: Settings, tmp_path: Path
) -> None:
    question = "Who is the US Trade Representative?"
    wrong: list[tuple[object, object, str]] = [
        ('{"id": "cut", "question": ', None, "JSON"),
        ("not json", None, "JSON"),
        ('["a list"]', None, "object"),
        ("42", None, "object"),
        ({"id": "none"}, "none", "question"),
        ({"id": "empty", "question": ""}, "empty", "empty"),
        ({"id": "blank", "question": " \t"}, "blank", "empty"),
        ({"id": "number", "question": 7}, "number", "question"),
        ({"id": "null", "question": None}, "null", "question"),
        ({"id": "h1", "question": question, "history": 5}, "h1", "history"),
        ({"id": "h2", "question": question, "history": "before"}, "h2", "history"),
        ({"id": "h3", "question": question, "history": [["only a question"]]}, "h3", "history"),
        ({"id": "h4", "question": question, "history": ["ab"]}, "h4", "history"),
        ({"id": "h5", "question": question, "history": [["q", None]]}, "h5", "history"),
        ({"id": "h6", "question": question, "history": {"qa": 1}}, "h6", "history"),
    ]
    good = {"id": "ok", "question": question}
    lines = [good, *(line for line, _, _ in wrong), good]
    ran = dateline("ask", "--batch", batch(tmp_path, *lines), "--index", briefs.index)
    assert (ran.code, ran.err) == (0, "")
    first, *replies, last = ran.jsonl
    assert_is_an_answer(first)
    assert first["citations"] == last["citations"]
    for number, ((line, identity, reason), reply) in enumerate(
        zip(wrong, replies, strict=True), start=2
    ):
        assert reply["id"] == identity, line
        assert f"line {number}" in reply.get("error", ""), line
        assert reason in reply["error"], line
        assert "status" not in reply


@pytest.mark.usefixtures("unranked")
def test_half_a_surrogate_pair_in_a_question_does_not_stop_the_rest(
    briefs: Settings, tmp_path: Path
) -> None:
    lines = ('{"id": 1, "question": "What is \\ud800 ?"}', {"id": 2, "question": DATED_QUESTION})
    ran = dateline("ask", "--batch", batch(tmp_path, *lines), "--index", briefs.index)
    assert (ran.code, ran.err) == (0, "")
    assert [reply["id"] for reply in ran.jsonl] == [1, 2]
    assert_is_an_answer(ran.jsonl[1])


@pytest.mark.usefixtures("unranked")
@pytest.mark.parametrize("from_stdin", [False, True], ids=["file", "stdin"])
def test_a_line_that_is_not_utf8_does_not_stop_the_rest(
    briefs: Settings, tmp_path: Path, from_stdin: bool
) -> None:
    good = json.dumps({"id": "good", "question": DATED_QUESTION}).encode()
    data = b'{"id": "bad", "question": "Caf\xe9?"}\n' + good + b"\n"
    (tmp_path / "latin.jsonl").write_bytes(data)
    file = "-" if from_stdin else tmp_path / "latin.jsonl"
    ran = dateline("ask", "--batch", file, "--index", briefs.index, stdin=data)
    assert (ran.code, ran.err) == (0, "")
    bad, answer = ran.jsonl
    assert "UTF-8" in bad["error"]
    assert answer["id"] == "good"
    assert_is_an_answer(answer)


@pytest.mark.usefixtures("unranked")
def test_ids_are_echoed_whatever_they_are_and_other_fields_are_ignored(
    briefs: Settings, tmp_path: Path
) -> None:
    more = {"type": "x", "answer": "y", "as_of": 3, "filters": {"source": "none"}}
    ids = ["q1", 7, 0, 1.5, True, None, ["a", 1], {"n": 1}, "ü🙂"]
    asked = [{"id": identity, "question": DATED_QUESTION} | more for identity in ids[:2]]
    failing = [{"id": identity} | more for identity in ids[2:]]
    file = batch(tmp_path, *asked, *failing, {"question": DATED_QUESTION})
    ran = dateline("ask", "--batch", file, "--index", briefs.index)
    assert (ran.code, ran.err) == (0, "")
    assert [reply["id"] for reply in ran.jsonl] == [*ids, None]
    first, second, *failed, last = ran.jsonl
    assert all("error" in reply for reply in failed)
    for answer in (first, second, last):
        assert_is_an_answer(answer)
        assert answer["citations"] == first["citations"]


@pytest.mark.usefixtures("unranked")
@pytest.mark.parametrize("history", [[], None, [["What is the USMCA?", "A trade agreement. [1]"]]])
def test_a_history_may_be_given_or_not(
    briefs: Settings, tmp_path: Path, history: list[list[str]] | None
) -> None:
    line = {"id": 1, "question": "And when is the review of it?", "history": history}
    ran = dateline("ask", "--batch", batch(tmp_path, line), "--index", briefs.index)
    assert ran.code == 0
    assert_is_an_answer(ran.json)


@pytest.mark.usefixtures("unranked")
def test_questions_come_from_standard_input_and_blank_lines_are_passed_over(
    briefs: Settings,
) -> None:
    given = f'\n{{"id": 1, "question": "{DATED_QUESTION}"}}\r\n  \n{{"id": 2}}\n\n'
    given += json.dumps({"id": 3, "question": DATED_QUESTION})  # the last line has no end
    ran = dateline("ask", "--batch", "-", "--index", briefs.index, stdin=given)
    assert (ran.code, ran.err) == (0, "")
    first, second, third = ran.jsonl
    assert (first["id"], second["id"], third["id"]) == (1, 2, 3)
    assert "line 4" in second["error"]
    assert first["answer"] == third["answer"]


@pytest.mark.usefixtures("unranked")
def test_a_byte_order_mark_before_the_first_question_is_no_error(
    briefs: Settings, tmp_path: Path
) -> None:
    data = b"\xef\xbb\xbf" + json.dumps({"id": 1, "question": DATED_QUESTION}).encode()
    (tmp_path / "bom.jsonl").write_bytes(data)
    for file in (tmp_path / "bom.jsonl", "-"):
        ran = dateline("ask", "--batch", file, "--index", briefs.index, stdin=data)
        assert_is_an_answer(ran.json)


@pytest.mark.usefixtures("unranked")
@pytest.mark.parametrize("name", ["ask", "search"])
def test_a_batch_of_which_every_line_fails_has_failed(
    briefs: Settings, tmp_path: Path, name: str
) -> None:
    ran = dateline(name, "--batch", batch(tmp_path, "{", "}"), "--index", briefs.index)
    assert ran.code == 1
    assert all("error" in reply for reply in ran.jsonl)
    ran = dateline(name, "--batch", batch(tmp_path), "--index", briefs.index)
    assert (ran.code, ran.out) == (0, "")


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


def test_doctor_says_what_to_do_when_there_is_no_index_and_makes_none(elsewhere: Path) -> None:
    write_files(elsewhere / "corpus", {"a.txt": "The ferry sailed."})
    ran = dateline("doctor")
    assert ran.code == 0
    (line,) = [line for line in ran.out.splitlines() if "index:" in line]
    assert line.startswith("todo")
    assert ".dateline" in line
    assert "dateline index" in line
    assert [path.name for path in elsewhere.iterdir()] == ["corpus"]


def test_doctor_says_what_to_do_when_there_is_no_corpus() -> None:
    ran = dateline("doctor", "--json")
    found = {finding["check"]: finding for finding in ran.json}
    assert found["corpus"]["state"] != "ok"
    assert "DATELINE_CORPUS" in found["corpus"]["says"]
    assert found["index"]["state"] == "todo"


def test_doctor_finds_nothing_to_do_where_all_is_well(
    briefs: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATELINE_CORPUS", str(briefs.corpus))
    ran = dateline("doctor", "--index", briefs.index, "--json")
    assert ran.code == 0
    assert all(finding.keys() == {"check", "state", "says"} for finding in ran.json)
    assert {finding["state"] for finding in ran.json} == {"ok"}
    assert {"python", "sqlite", "embedder", "corpus", "index", "engine"} <= {
        finding["check"] for finding in ran.json
    }


def test_doctor_says_that_an_index_is_of_another_model(
    briefs: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATELINE_CORPUS", str(briefs.corpus))
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "catalog.sqlite").write_bytes(b"no database" * 500)
    ran = dateline("doctor", "--index", tmp_path / "index", "--json")
    (found,) = [finding for finding in ran.json if finding["check"] == "index"]
    assert found["state"] != "ok"
    assert "catalog.sqlite" in found["says"]


def test_settings_come_from_env_file_environment_and_options_the_last_word_with_the_latter(
    briefs: Settings, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file = elsewhere / ".env"
    env_file.write_text(f"# mine\nDATELINE_INDEX={briefs.index}\nOTHER=1\n")
    assert len(dateline("sources", "--json").json) == 5
    monkeypatch.setenv("DATELINE_INDEX", "from/environment")
    ran = dateline("sources", "--json")
    assert ran.code == 1
    assert "from/environment" in ran.err
    ran = dateline("sources", "--json", "--index", briefs.index)
    assert ran.code == 0
    monkeypatch.delenv("DATELINE_INDEX")
    env_file.write_text("DATELINE_PORT=abc\n")
    ran = dateline("sources", "--json", "--index", briefs.index)
    assert ran.code == 2
    assert "DATELINE_PORT" in ran.err


def test_an_env_file_that_cannot_be_read_is_named(briefs: Settings, elsewhere: Path) -> None:
    (elsewhere / ".env").write_bytes(b"DATELINE_INDEX=caf\xe9\n")
    ran = dateline("sources", "--index", briefs.index)
    assert ran.code == 2
    assert ".env" in ran.err
    assert "should not have" not in ran.err


def test_a_progress_bar_is_shown_on_a_terminal_alone_and_never_on_stdout(
    tmp_path: Path, elsewhere: Path
) -> None:
    corpus = write_files(tmp_path / "corpus", {"a.txt": "The ferry sailed."})
    arguments = command("index", corpus, "--index", tmp_path / "index", "--json")
    shown = {}
    for where in ("terminal", "pipe"):
        reading, writing = pty.openpty() if where == "terminal" else os.pipe()
        if where == "terminal":
            termios.tcsetwinsize(writing, (24, 80))
        done = subprocess.run(
            arguments, stdout=subprocess.PIPE, stderr=writing, env=shell_environment()
        )
        os.close(writing)
        shown[where] = b""
        try:
            while some := os.read(reading, 65536):
                shown[where] += some
        except OSError:  # how a terminal says that it has ended
            pass
        os.close(reading)
        assert done.returncode == 0, shown[where]
        assert len(done.stdout.splitlines()) == 1
        assert json.loads(done.stdout)["failed"] == []
    assert b"reading" in shown["terminal"]
    assert shown["pipe"] == b""


@pytest.mark.parametrize("arguments", [["--help"], ["sources"], ["search", "minerals", "--json"]])
def test_a_reader_that_has_gone_away_is_no_error(briefs: Settings, arguments: list[str]) -> None:
    index = [] if arguments == ["--help"] else ["--index", str(briefs.index)]
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            command(*arguments, *index),
            stdout=writing, stderr=subprocess.PIPE, env=shell_environment(),
        )  # fmt: skip
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_batch_whose_reader_goes_away_stops_quietly(briefs: Settings, tmp_path: Path) -> None:
    lines = ({"id": n, "question": "price floors"} for n in range(300))
    arguments = command(
        *("search", "--batch", batch(tmp_path, *lines), "--k", 5, "--index", briefs.index)
    )
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=shell_environment()
    ) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        assert json.loads(run.stdout.readline())["id"] == 0
        run.stdout.close()
        assert run.stderr.read() == b""
        assert run.wait() == 0


def test_an_interrupt_ends_with_130_and_one_line(briefs: Settings) -> None:
    with subprocess.Popen(
        command("search", "--batch", "-", "--index", briefs.index),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=shell_environment(PYTHONUNBUFFERED="1"),
    ) as run:  # fmt: skip
        assert run.stdin is not None
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdin.write(b'{"id": 1, "question": "price floors"}\n')
        run.stdin.flush()
        assert json.loads(run.stdout.readline())["id"] == 1
        time.sleep(0.1)  # it waits for the next line
        run.send_signal(signal.SIGINT)
        told = run.stderr.read().decode()
        assert run.wait() == 130
    assert told == "dateline: stopped\n"


def test_an_interrupt_anywhere_in_a_command_ends_with_130(
    briefs: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for place in ("service.open_assistant", "service.Assistant.stream"):
        with monkeypatch.context() as patch:
            patch.setattr(f"assistant.{place}", interrupt)
            for question in (["Why?"], ["--batch", "-"]):
                ran = dateline(
                    "ask", *question, "--index", briefs.index, stdin='{"question": "Why?"}\n'
                )
                assert (ran.code, ran.out) == (130, "")
                assert "Traceback" not in ran.err


def test_a_terminal_of_another_encoding_is_written_to_all_the_same(tmp_path: Path) -> None:
    index = tmp_path / "index"
    write_files(tmp_path / "corpus", {"ü.txt": "The “Zürich” ferry sailed to Łódź. 🙂"})
    assert dateline("index", tmp_path / "corpus", "--index", index).code == 0
    ascii_only = shell_environment(PYTHONIOENCODING="ascii")
    for options in ([], ["--json"]):
        done = subprocess.run(
            command("search", "Where did the Zürich ferry sail?", *options, "--index", index),
            capture_output=True, env=ascii_only,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, b"")
        if options:
            (hit,) = json.loads(done.stdout)["retrieved"]
            assert (hit["file"], hit["text"]) == ("ü.txt", "The “Zürich” ferry sailed to Łódź. 🙂")


def test_the_installed_program_is_this_command_line() -> None:
    program = Path(sys.executable).with_name("dateline")
    done = subprocess.run([program, "--help"], capture_output=True, env=shell_environment())
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"usage: dateline")
