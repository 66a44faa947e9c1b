"""What `make bench` computes and prints. Nothing here looks at a clock."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from eval.speed import bench, figures, pipelines, retrieval_table, sets, writing_speed
from eval.speed.figures import Rounds, Row
from eval.speed.pipelines import Job, Measured, Queries
from eval.speed.retrieval_table import ROOT, BenchFailed, Figure, Mean
from eval.speed.writing_speed import PacedModel
from indexing.errors import SettingsError

pytestmark = pytest.mark.slow


def test_a_percentile_is_interpolated_between_the_values_around_it() -> None:
    assert figures.percentile([30.0, 10.0, 20.0], 0.5) == 20
    assert figures.percentile([10.0, 20.0], 0.95) == pytest.approx(19.5)
    assert figures.percentile([10.0], 0.95) == 10
    assert figures.percentile([], 0.5) is None


def test_a_ratio_needs_two_figures() -> None:
    assert figures.ratio(3, 2) == 1.5
    assert figures.ratio(None, 2) is None
    assert figures.ratio(3, None) is None
    assert figures.ratio(3, 0) is None


@pytest.mark.parametrize(
    ("of", "more_is_better", "says"),
    [
        (2.0, True, "ahead"),
        (2.0, False, "behind"),
        (0.5, True, "behind"),
        (0.5, False, "ahead"),
        (1.03, False, "level"),
        (None, False, ""),
    ],
)
def test_a_verdict_knows_what_is_good_news(
    of: float | None, more_is_better: bool, says: str
) -> None:
    assert figures.verdict(of, more_is_better) == says


def test_a_comparison_is_one_aligned_line_a_row() -> None:
    rows = [Row("characters/s", 24_000, 12_000, more_is_better=True), Row("ask, p50 ms", 8.0, None)]
    assert figures.comparison(rows).splitlines() == [
        "                ours  tutorial  ours/theirs  ours is",
        "------------  ------  --------  -----------  -------",
        "characters/s  24,000    12,000        2.00x    ahead",
        "ask, p50 ms        8         -            -",
    ]


def test_verification_is_held_against_what_it_may_cost() -> None:
    times = {
        "check": [10.0, 20.0, 90.0],
        "check_cpu": [5.0, 6.0, 7.0],
        "warm": [120.0],
        "first": [100.0, 300.0],
        "sentence": [200.0, 200.0],
    }
    rows = figures.writing_rows(times)
    shown = {
        line.split("  ")[0]: line.split() for line in figures.against_allowed(rows).splitlines()
    }
    assert shown["checking a sentence, p50 ms"][-4:] == ["20", "30", "0.67x", "within"]
    assert shown["checking a sentence, p95 ms"][-4:] == ["83", "30", "2.77x", "over"]
    assert shown["reading 10 sources beforehand, p50 ms"][-3:] == ["120", "-", "-"]
    by_label = {row.label.strip(): (row.value, row.at_most) for row in rows}
    assert by_label["is shown after its end, p50 ms"] == (200, None)
    assert by_label["in sentences of the model, p50"] == (1, 1)


def test_readers_at_once_are_held_against_one_alone() -> None:
    times = {
        "alone_first": [0.1, 0.2, 0.3],
        "alone_whole": [0.2, 0.3, 0.4],
        "alone_s": 1.5,
        "at_once_first": [1.0, 2.0, 3.0],
        "at_once_whole": [1.5, 2.4, 4.0],
        "at_once_s": 0.5,
        "conversations": 3,
    }
    rows = {row.label: (row.alone, row.at_once) for row in figures.chat_rows(times)}
    assert rows["first sentence in view, p50 s"] == (0.2, 2.0)
    assert rows["first sentence in view, p95 s"] == pytest.approx((0.29, 2.9))
    assert rows["whole answer, p50 s"] == (0.3, 2.4)
    assert rows["answers a second"] == (2, 6)
    shown = figures.alone_and_at_once(figures.chat_rows(times)).splitlines()
    assert shown[0].split() == ["alone", "at", "once", "at", "once/alone"]
    assert shown[2].split()[-3:] == ["0.2", "2", "10.00x"]


def test_a_paced_model_tells_when_its_first_sentence_was_written() -> None:
    text = "The plan runs for 60 days [2]. It was signed."
    model = PacedModel(text, first_chars=30, tokens_s=10_000)
    said: list[str] = []
    for piece in model.stream([]):
        said.append(piece)
        assert bool(model.ended) is (len("".join(said)) >= 30)
    assert "".join(said) == text
    assert len(said) > 10
    assert model.sentence_s == pytest.approx(10 / 10_000)


def test_verification_is_measured_on_the_drafts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, few in (("QUICK_FIRSTS", 2), ("QUICK_CHECKS", 4), ("QUICK_WARMED", 1)):
        monkeypatch.setattr(writing_speed, name, few)
    times = writing_speed.measure(ROOT / "corpus", is_quick=True, tokens_s=10_000)
    assert len(times.first) == len(times.sentence) == 2
    assert len(times.warm) == 1
    assert len(times.check) == len(times.check_cpu) in (3, 4)
    assert min(*times.first, *times.sentence, *times.warm, *times.check) > 0
    assert figures.writing_rows(asdict(times))


def test_speed_takes_medians_of_rounds_and_pools_the_latencies() -> None:
    ours, theirs = Rounds(), Rounds()
    for seconds, latency in ((2.0, 10.0), (4.0, 20.0), (100.0, 30.0)):
        queries = Queries((latency,), (latency / 2,))
        ours.measured.append(Measured(8, seconds, seconds, queries, queries, queries))
        ours.peak_mb.append(100 * seconds)
    theirs.measured.append(Measured(4, 8.0, 8.0, Queries((40.0,), (40.0,))))
    theirs.peak_mb.append(800)
    rows = {row.label: (row.ours, row.theirs) for row in figures.speed_rows(400, ours, theirs)}
    assert rows["indexing, s"] == (4, 8)
    assert rows["  characters/s"] == (100, 50)
    assert rows["  passages/CPU s"] == (2, 0.5)
    assert rows["search k=4, p50 ms"] == (20, 40)
    assert rows["ask (theirs: search), p50 ms"] == (20, 40)
    assert rows["ask (theirs: search), p50 CPU ms"] == (10, 40)
    assert rows["peak memory, MB"] == (400, 800)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_generated_corpus_is_the_same_each_time(tmp_path: Path) -> None:
    first = sets.generate(tmp_path / "a", 6)
    second = sets.generate(tmp_path / "b", 6)
    assert first == second
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    sets.generate(tmp_path / "c", 6, seed=1)
    assert contents(tmp_path / "a") != contents(tmp_path / "c")


def test_a_generated_article_holds_what_its_question_asks_for(tmp_path: Path) -> None:
    questions = sets.generate(tmp_path, 3)
    for question, text in zip(questions, sorted(contents(tmp_path).items()), strict=True):
        company = text[1].decode().split(" plans ")[0]
        assert company in question
        assert 2_000 < len(text[1]) < 5_000


def test_each_kind_of_query_has_questions_of_its_own(tmp_path: Path) -> None:
    of = sets.speed_set(sets.GENERATED, tmp_path, tmp_path, articles=10)
    job = sets.drawn_job(of, tmp_path / "index", queries=60)
    groups = [set(job.search), set(job.search_10), set(job.ask)]
    assert [len(group) for group in groups] == [3, 3, 3]
    assert len(set.union(*groups)) == 9
    assert job == sets.drawn_job(of, tmp_path / "index", queries=60)


def test_too_few_questions_are_refused_in_words(tmp_path: Path) -> None:
    of = sets.speed_set(sets.GENERATED, tmp_path, tmp_path, articles=2)
    with pytest.raises(BenchFailed, match="2 questions; 3 are the least"):
        sets.drawn_job(of, tmp_path / "index", queries=1)


def test_ours_is_measured_from_articles_to_answers(tmp_path: Path) -> None:
    of = sets.speed_set(sets.GENERATED, tmp_path, tmp_path, articles=5)
    found = pipelines.measure_ours(sets.drawn_job(of, tmp_path / "index", queries=1))
    assert found.passages >= 5
    assert min(found.index_s, found.index_cpu_s) > 0
    for queries in (found.search, found.search_10, found.ask):
        assert len(queries.wall_ms) == len(queries.cpu_ms) == 1


def test_a_worker_leaves_its_result_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(job: Job) -> Measured:
        return Measured(len(job.ask), 1.0, 2.0, Queries((3.0,), (4.0,)))

    monkeypatch.setitem(pipelines.WORKERS, "fake", measure)  # type: ignore[arg-type]
    job_file, result_file = tmp_path / "job.json", tmp_path / "result.json"
    job_file.write_text(json.dumps(asdict(Job("c", "i", ("a",), ("b",), ("c", "d")))))
    pipelines.worker("fake", str(job_file), str(result_file))
    found = Measured.from_json(json.loads(result_file.read_text()))
    assert (found.passages, list(found.search.cpu_ms)) == (2, [4.0])


def test_a_process_that_fails_is_named_with_its_last_words(tmp_path: Path) -> None:
    assert bench.run_process("nothing", [sys.executable, "-c", ""], tmp_path).peak_mb > 1
    command = [sys.executable, "-c", "raise SystemExit('out of luck')"]
    with pytest.raises(BenchFailed, match=r"the dice failed \(exit code 1\)(.|\n)*out of luck"):
        bench.run_process("the dice", command, tmp_path)


PRESENT = ["clapnq", "multihoprag_facts", "realtimeqa_news"]


@pytest.mark.parametrize(
    ("asked", "present", "quick", "speed", "retrieval"),
    [
        (None, PRESENT, False, ["realtimeqa_news", "multihoprag_facts"], PRESENT),
        (None, PRESENT, True, ["generated"], PRESENT),
        (None, ["clapnq"], False, ["generated"], ["clapnq"]),
        (None, [], False, ["generated"], []),
        ("all", PRESENT, False, PRESENT, PRESENT),
        ("all", [], False, ["generated"], []),
        ("clapnq, generated", PRESENT, False, ["clapnq", "generated"], ["clapnq"]),
    ],
)
def test_the_sets_are_those_asked_for_and_at_hand(
    asked: str | None, present: list[str], quick: bool, speed: list[str], retrieval: list[str]
) -> None:
    assert bench.chosen_sets(asked, present, quick) == (speed, retrieval)


def test_an_unknown_set_is_refused_with_those_there_are() -> None:
    with pytest.raises(SettingsError, match="no set nope; there are: clapnq, generated, or all"):
        bench.chosen_sets("nope", ["clapnq"], quick=False)


def test_wrong_arguments_end_with_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = bench.main(["--shared", str(tmp_path), "--out", str(tmp_path), "--sets", "nope"])
    assert code == 2
    assert "there is no set nope" in capsys.readouterr().err


def test_without_benchmarks_retrieval_is_left_out_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = [
        "--no-speed",
        "--no-writing",
        "--no-chat",
        "--no-api",
        "--shared",
        str(tmp_path / "none"),
        "--out",
        str(out),
    ]
    assert bench.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "There are no benchmark sets in" in printed
    assert "Retrieval quality was not measured" in printed
    assert (out / "bench.json").is_file()


def test_a_package_that_is_missing_is_named_with_what_to_do() -> None:
    retrieval_table.require(["json"])
    with pytest.raises(BenchFailed, match=r"needs no_such_package.*pip install"):
        retrieval_table.require(["json", "no_such_package"])


def test_only_folders_with_a_corpus_and_questions_are_sets(tmp_path: Path) -> None:
    for name in ("whole", "without_questions"):
        (tmp_path / name / "corpus").mkdir(parents=True)
    (tmp_path / "whole" / "questions.jsonl").write_text("")
    assert retrieval_table.sets_in(tmp_path) == ["whole"]
    assert retrieval_table.sets_in(tmp_path / "none") == []


class FakeScorer:
    """Scores a run by the number it holds, with intervals of 0.1 each way."""

    def evaluate(self, questions: Any, run: Any) -> tuple[Any, Any]:
        return run, {}

    def summary(self, run: Any) -> Any:
        value = run[0]["value"]
        shares = dict.fromkeys(("span_hit@4", "doc_hit@1"), value)
        return {
            metric: {"mean": v, "lo": v - 0.1, "hi": v + 0.1, "n": 7}
            for metric, v in {**shares, "chars@4": 1000 * value, "iou@4": 0.1}.items()
        }

    def paired(self, run: Any, base: Any) -> Any:
        ours, theirs = self.summary(run), self.summary(base)
        differences = {metric: ours[metric]["mean"] - theirs[metric]["mean"] for metric in ours}
        return {m: {"diff": d, "lo": d - 0.1, "hi": d + 0.1} for m, d in differences.items()}


def test_the_retrieval_table_marks_what_is_clearly_above_and_below() -> None:
    others = {"tutorial": [{"value": 0.5}], "RRF hybrid": [{"value": 0.75}]}
    figures = retrieval_table.score(FakeScorer(), "news", [{}], [{"value": 0.8}], others)
    assert [figure.metric for figure in figures] == ["span_hit@4", "doc_hit@1", "chars@4"]
    shown = " ".join(retrieval_table.shown(figures).split())
    assert (
        "news span_hit@4 7 80.0 [70.0, 90.0] 50.0 +30.0 [+20.0, +40.0] ▲"
        " 75.0 +5.0 [-5.0, +15.0] doc_hit@1"
    ) in shown
    assert "800 [800, 800]" in shown
    assert "Against the tutorial: of 2 figures (chars@4 aside) clearly above in 2" in shown
    assert "Against the RRF hybrid: of 2 figures (chars@4 aside) clearly above in 0" in shown


def test_a_difference_is_clear_when_its_interval_leaves_zero_out() -> None:
    assert retrieval_table.mark(Mean(0.2, 0.1, 0.3)) == "▲"
    assert retrieval_table.mark(Mean(-0.2, -0.3, -0.1)) == "▼"
    assert retrieval_table.mark(Mean(0.1, -0.1, 0.3)) == " "


def test_a_figure_another_pipeline_lacks_is_a_dash() -> None:
    figure = Figure("news", "doc_hit@1", 3, Mean(0.5, 0.4, 0.6), {}, {})
    assert retrieval_table.shown([figure]).splitlines()[2].split()[-2:] == ["-", "-"]
