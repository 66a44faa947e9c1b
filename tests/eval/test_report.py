"""A run in words, as JSON and as JUnit XML."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import dataclass, replace

from eval_runs import KEY, first_right, mixed, result, run

from eval.gate import judge_run
from eval.reporting import report
from eval.run import Run

HOSTILE = "Is \x1b[31mred\x07 <b>& bold</b>\u202e?"


@dataclass(frozen=True)
class Failure:
    case: str
    metric: str
    kind: str
    message: str


@dataclass(frozen=True)
class Judged:
    model: str
    scores: dict[str, dict[str, float]]
    failures: tuple[Failure, ...]


JUDGED = Judged(
    "openai:judge",
    {"q1": {"faithfulness": 1.0}, "q2": {"faithfulness": 0.5, "context_recall": 0.25}},
    (Failure("q3", "faithfulness", "timeout", "no answer in 60 s"),),
)


def test_a_report_gives_every_type_split_and_metric_with_its_interval() -> None:
    text = report.as_text(mixed())
    lines = [line.split("  ") for line in text.splitlines()]
    firsts = [line[0].strip() for line in lines]
    for name in ("count", "date", "near-miss", "all", "dev", "test", "right", "factual_accuracy"):
        assert name in firsts, name
    assert "66.7 [0, 100]" in text
    assert "100.0 [100, 100]  confidence tells" in text  # AUROC
    assert "5 / 5  milliseconds" in text
    assert "engine quotes" in text
    assert "calendar_date" not in firsts  # no question asks for one


def test_every_wrong_answer_is_printed_where_it_is_asked_for() -> None:
    text = report.as_text(mixed(), wrong=True)
    assert "q2 (date, dev): How many, 2?" in text
    assert "after: Before? / Yes." in text
    assert "wrong: missing five" in text
    assert "q1 (" not in text
    assert "Nothing is wrong." in report.as_text(run(result(1)), wrong=True)


def test_a_sample_is_the_same_for_the_same_seed() -> None:
    whole = first_right(20)
    one = report.sample_as_text(whole, 5, 7)
    assert one == report.sample_as_text(whole, 5, 7) != report.sample_as_text(whole, 5, 8)
    assert one.count("said: ") == 5
    assert report.sample_as_text(mixed(), 50, 0).count("said: ") == 3


def test_the_gates_word_names_what_flipped_with_both_answers() -> None:
    before, now = first_right(20), first_right(15)
    text = report.as_text(now, judge_run(now, [before], {}))
    assert "q15 (count): How many, 15?\n  right before, wrong now: missing five" in text
    assert "  before: Five.\n  now:    Six." in text
    assert "right: 66.7% -> 50.0% over 30 questions, 5 worse, 0 better" in text
    assert "FAILED drop of right" in text
    assert text.endswith("The gate is NOT passed: 3 of 5 checks hold.")
    same = report.as_text(before, judge_run(before, [before], {}))
    assert "no change" in same
    assert same.endswith("The gate is passed: 5 of 5 checks hold.")


def test_nothing_of_an_article_or_a_question_steers_the_terminal() -> None:
    wrong = result(1, False, question=HOSTILE, answer=HOSTILE, type="da\x1bte", expected=HOSTILE)
    before = run(replace(wrong, wrong=(), type="date"))
    now = run(wrong)
    text = report.as_text(now, judge_run(now, [before], {}), wrong=True)
    assert "red" in text
    assert not {"\x1b", "\x07", "\u202e"} & set(text)


def test_judgements_are_advisory_and_failed_ones_counted_apart() -> None:
    text = report.as_text(mixed(), judged=JUDGED)  # type: ignore[arg-type]
    assert "judged, advisory" in text
    assert report.judged_figures(JUDGED)["faithfulness"] == (0.75, 2)  # type: ignore[arg-type]
    assert "judgements that failed: 1 timeout" in text


def test_the_json_holds_every_result_and_the_gates_word() -> None:
    now = mixed()
    before = run(*(replace(r, scores={**r.scores, "right": 1.0}) for r in now.results))
    verdict = judge_run(now, [before], {})
    found = json.loads(json.dumps(report.as_json(now, verdict, JUDGED)))  # type: ignore[arg-type]
    assert [r["id"] for r in found["results"]] == ["q1", "q2", "q3"]
    assert found["metrics"]["right"]["mean"] == 2 / 3
    assert found["types"]["date"]["right"]["n"] == 1
    assert found["splits"]["test"]["right"]["mean"] == 1
    assert found["key"] == KEY.digest
    assert not found["gate"]["passed"]  # one of three is too many
    assert [flip["id"] for flip in found["gate"]["flips"]] == ["q2"]
    assert found["judged"]["failures"][0]["kind"] == "timeout"
    assert found["latency_ms"] == {"p50": 5.0, "p95": 5.0}
    alone = report.as_json(now)
    assert (alone["gate"], alone["judged"]) == (None, None)


def junit(now: Run, before: Run | None = None) -> ET.Element:
    verdict = judge_run(now, [before], {}) if before else None
    return ET.fromstring(report.as_junit(now, verdict))


def test_junit_fails_what_flipped_and_skips_what_was_always_wrong() -> None:
    root = junit(first_right(15), first_right(20))
    failed = [case.get("name") for case in root.iterfind(".//testcase[failure]")]
    assert failed[:2] == ["drop of right", "drop of factual_accuracy"]
    assert [name.partition(":")[0] for name in failed[2:] if name] == [
        *("q16", "q18", "q15", "q17", "q19")
    ]
    text = root.find(".//testcase[@name='q15: How many, 15?']/failure")
    assert text is not None
    assert text.text == "before: Five.\n\nnow: Six."
    assert len(root.findall(".//skipped")) == 10
    counts = [(s.get("tests"), s.get("failures"), s.get("skipped")) for s in root]
    assert counts == [("5", "2", "0"), ("15", "2", "5"), ("15", "3", "5")]


def test_without_a_baseline_junit_fails_whatever_is_wrong() -> None:
    root = junit(first_right(28))
    assert len(root.findall(".//testcase")) == 30
    assert len(root.findall(".//failure")) == 2
    assert not root.findall(".//skipped")


def test_junit_is_well_formed_whatever_an_article_says() -> None:
    root = junit(run(result(1, False, question=HOSTILE + "\x00\ud800", answer=HOSTILE)))
    (case,) = root.iterfind(".//testcase")
    assert "<b>& bold</b>" in (case.get("name") or "")
