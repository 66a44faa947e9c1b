"""Answers on the command line have the promised form, in their order, whatever else was asked."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from copy import deepcopy
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from command_line import (
    DATED_4_FEB,
    DATED_5_FEB,
    DATED_QUESTION,
    MISSING_QUESTION,
    UNDATED,
    batch,
    dateline,
)
from repository import ROOT

from assistant.settings import Settings

ANSWER_KEYS = [
    *("id", "question", "status", "engine", "confidence", "answer", "citations", "dates"),
    *("agreement", "closest", "dropped", "notice", "model", "timings_ms"),
]

CITATION_KEYS = [
    *("number", "source", "title", "publisher", "published", "quote", "start", "end", "page"),
    "url",
]

DATE_KEYS = ["phrase", "anchor", "date", "rule", "days_from_as_of", "citations"]

QUESTIONS = (
    DATED_QUESTION,
    MISSING_QUESTION,
    "How many days does the plan with Mexico take?",
    "Who is the US Trade Representative?",
    "Why are rare earth metals important?",
    "Which countries joined the United States in the partnership?",
)


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
