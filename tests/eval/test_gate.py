"""When the gate fails, on runs made by hand, and on real answers with a fault put in."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from eval_runs import KEY, first_right, result, run
from repository import ROOT, write_files

import assistant.answering.quotes
import assistant.finding.find
import assistant.service
from assistant.finding.support import Calibration, calibration
from assistant.schema import Evidence, Hit
from assistant.settings import Settings
from eval.cases import BRIEFS, BadSet, QuestionSet, load_set
from eval.gate import (
    Verdict,
    baselines_of,
    by_type,
    compare,
    judge_run,
    keep,
    load_baselines,
    nearest,
    overall,
)
from eval.model_use import Did, Work
from eval.run import Key, Run, default_index, run_set, run_to_lines
from indexing.errors import IndexBusy, SettingsError
from indexing.schema import Filters
from indexing.store import tables
from indexing.sync import sync


def failures(verdict: Verdict) -> list[str]:
    return [check.name for check in verdict.failures]


def test_the_same_answers_pass() -> None:
    verdict = judge_run(first_right(20), [first_right(20)], {})
    assert verdict.passed
    assert verdict.comparison is not None
    assert not verdict.comparison.flips


def test_a_few_lost_questions_are_named_but_may_be_chance() -> None:
    verdict = judge_run(first_right(17), [first_right(20)], {})
    assert verdict.passed
    assert verdict.comparison is not None
    assert [f.now.id for f in verdict.comparison.flips if f.is_worse] == ["q17", "q18", "q19"]


def test_five_lost_questions_and_none_won_are_no_chance() -> None:
    verdict = judge_run(first_right(15), [first_right(20)], {})
    assert failures(verdict) == ["drop of right", "drop of factual_accuracy"]
    check = verdict.failures[0]
    assert "5 worse, 0 better (p = 0.0312)" in check.says


def test_better_answers_pass_and_are_told() -> None:
    verdict = judge_run(first_right(30), [first_right(10)], {})
    assert verdict.passed
    assert verdict.comparison is not None
    assert len(verdict.comparison.flips) == 20
    assert not any(flip.is_worse for flip in verdict.comparison.flips)


def test_lost_and_won_questions_are_weighed_against_each_other() -> None:
    before = run(*(result(n, n % 2 == 0) for n in range(30)))
    now = run(*(result(n, n % 2 == 1) for n in range(30)))
    assert judge_run(now, [before], {}).passed


def test_less_is_better_where_it_is() -> None:
    def answered(share: int) -> Run:
        scores = [{"false_answer": float(n < share)} for n in range(20)]
        return run(*(result(n, scores=s, answerable=False) for n, s in enumerate(scores)))

    assert failures(judge_run(answered(9), [answered(1)], {})) == ["drop of false_answer"]
    assert judge_run(answered(1), [answered(9)], {}).passed


def test_one_quote_that_is_not_its_file_is_one_too_many() -> None:
    def exact(value: float) -> Run:
        return run(*(result(n, scores={"citation_exactness": value if n else 1}) for n in range(2)))

    assert failures(judge_run(exact(0.5), [exact(1)], {})) == ["drop of citation_exactness"]


@pytest.mark.parametrize(
    ("floors", "failed"),
    [
        ({"factual_accuracy": 0.6}, []),
        ({"factual_accuracy": 0.7}, ["floor of factual_accuracy"]),
        ({"calendar_date": 0.1}, ["floor of calendar_date"]),  # no question asks for one
    ],
)
def test_a_floor_holds_whatever_the_baseline(floors: dict[str, float], failed: list[str]) -> None:
    now = first_right(20)
    assert failures(judge_run(now, [now], floors)) == failed
    with_own = replace(now, floors=floors)
    assert failures(judge_run(with_own, [now], {})) == failed
    alone = judge_run(with_own, [], {}, needs_baseline=False)
    assert failures(alone) == failed


def test_a_floor_given_replaces_the_sets_own_and_must_be_of_a_metric() -> None:
    now = replace(first_right(20), floors={"right": 0.9})
    assert judge_run(now, [now], {"right": 0.5}).passed
    with pytest.raises(SettingsError, match="no metric 'rihgt'"):
        judge_run(now, [now], {"rihgt": 0.5})
    for nonsense in (math.nan, math.inf, 90.0, -0.1):
        with pytest.raises(SettingsError, match="floor of right must be from 0 to 1"):
            judge_run(now, [now], {"right": nonsense})
    part = replace(first_right(20), is_part=True)
    assert judge_run(part, [part], {"calendar_date": 0.9}).passed


def test_where_less_is_better_a_floor_is_the_most() -> None:
    scores = [{"false_answer": float(n < 2)} for n in range(10)]
    now = run(*(result(n, scores=s) for n, s in enumerate(scores)))
    assert judge_run(now, [now], {"false_answer": 0.2}).passed
    verdict = judge_run(now, [now], {"false_answer": 0.1})
    assert "20.0% over 10 questions, at most 10.0% is wanted" in verdict.failures[0].says


def test_without_a_baseline_the_gate_fails_and_says_what_to_do() -> None:
    verdict = judge_run(first_right(20), [], {})
    assert failures(verdict) == ["baseline"]
    assert "--update-baseline" in verdict.failures[0].says


def test_another_corpus_or_index_is_told_and_compared_all_the_same() -> None:
    key = Key("made", {"a.txt": "2", "b.txt": "1"}, {"engine": "quotes", "passage_chars": "100"})
    verdict = judge_run(replace(first_right(10), key=key), [first_right(20)], {})
    assert failures(verdict)[0] == "baseline of this corpus and these settings"
    assert "drop of right" in failures(verdict)
    says = verdict.failures[0].says
    for said in ("passage_chars is 100, was 800", "b.txt added", "a.txt changed"):
        assert said in says


def test_the_nearest_baseline_is_compared_with() -> None:
    def keyed(**settings: str) -> Run:
        return replace(first_right(9), key=replace(KEY, settings={**KEY.settings, **settings}))

    other, same = keyed(reranker="none", passage_chars="100"), keyed()
    assert nearest(first_right(9), [other, same]) is same
    assert nearest(keyed(reranker="none", passage_chars="100"), [same, other]) is other
    foreign = replace(same, key=replace(KEY, set="another"))
    assert nearest(first_right(9), [foreign]) is None
    assert nearest(first_right(9), []) is None


MODEL = replace(KEY, settings={**KEY.settings, "engine": "openai:gpt-5"})


def test_no_run_is_compared_with_another_engines() -> None:
    model = replace(first_right(9), key=MODEL)
    assert nearest(model, [first_right(20)]) is None
    assert nearest(first_right(9), [model]) is None
    verdict = judge_run(model, [first_right(20)], {"right": 0.5})
    assert failures(verdict) == ["floor of right", "baseline"]
    assert "for this set and the engine openai:gpt-5" in verdict.failures[1].says
    assert judge_run(model, [first_right(20), replace(first_right(9), key=MODEL)], {}).passed


def test_a_model_that_often_failed_has_not_been_measured() -> None:
    def failing(share: int) -> Run:
        works = [
            Work(Did.FAILED, "It is down") if n < share else Work(Did.WROTE) for n in range(40)
        ]
        return run(*(result(n, model=work) for n, work in enumerate(works)), key=MODEL)

    assert judge_run(failing(2), [], {}, needs_baseline=False).passed
    (check,) = judge_run(failing(3), [], {}, needs_baseline=False).failures
    assert check.name == "the model's own answers"
    assert check.says == "it failed for 3 of the 40 answers it was to write; It is down"
    assert not check.compares


def test_an_index_that_is_not_in_step_and_questions_that_failed_fail_the_gate() -> None:
    now = first_right(20)
    assert failures(judge_run(replace(now, stale=("a.txt",)), [now], {})) == ["index in step"]
    broken = run(*now.results[1:], result(0, status="failed", answer="no index"))
    verdict = judge_run(broken, [now], {})
    assert failures(verdict) == ["every question asked"]
    assert "q0: no index" in verdict.failures[0].says


def test_a_question_asked_otherwise_is_new_not_worse() -> None:
    before = run(result(1), result(2), result(3))
    now = run(result(1), result(2, False, question="How few?"), result(4, False))
    compared = compare(now, before)
    assert not compared.flips
    assert (compared.added, compared.gone) == (("q2", "q4"), ("q3",))
    assert {c.n for c in compared.changes} == {1}


def test_questions_cannot_be_dropped_unseen_but_some_may_be_asked_alone() -> None:
    before, fewer = first_right(20), run(*first_right(20).results[:25])
    verdict = judge_run(fewer, [before], {})
    assert "questions new or asked otherwise: 0, gone: 5" in verdict.failures[0].says
    assert judge_run(replace(fewer, is_part=True), [before], {}).passed


def test_gold_cannot_be_weakened_unseen() -> None:
    before = first_right(20)
    now = run(*(replace(r, gold="another" if r.id == "q3" else r.gold) for r in before.results))
    verdict = judge_run(now, [before], {})
    assert "what is right is another now for: q3" in verdict.failures[0].says


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_of_so_few_questions_that_chance_explains_all_none_may_be_lost(count: int) -> None:
    before, now = first_right(count, of=count), first_right(count - 1, of=count)
    assert "drop of right" in failures(judge_run(now, [before], {}))
    assert judge_run(before, [before], {}).passed


def test_a_part_that_has_nothing_in_common_with_the_baseline_does_not_pass() -> None:
    now = replace(run(result(99)), is_part=True)
    assert failures(judge_run(now, [first_right(20)], {})) == ["comparison"]


def test_figures_are_given_in_all_and_by_type() -> None:
    results = first_right(15, of=20).results
    assert overall(results)["right"].mean == 0.75
    types = by_type(results)
    assert list(types) == ["date", "count"]
    assert types["date"]["right"].n == types["count"]["right"].n == 10


def test_a_kept_run_is_read_as_it_was_but_for_times_and_citations(tmp_path: Path) -> None:
    kept = run(result(1, history=(("Q?", "A."),), citations=({"number": 1},)), result(2, False))
    path = keep(tmp_path, kept)
    assert path.name == f"{KEY.digest}.jsonl"
    (read,) = load_baselines(tmp_path)
    assert read.key == KEY
    assert read.results == tuple(replace(r, ms=0.0, citations=()) for r in kept.results)
    assert keep(tmp_path, replace(kept, seconds=9.0)).read_bytes() == path.read_bytes()


def test_baselines_of_other_settings_stay_and_those_of_another_corpus_go(tmp_path: Path) -> None:
    keep(tmp_path, first_right(1))
    few = replace(KEY, settings={**KEY.settings, "max_quotes": "1"})
    keep(tmp_path, replace(first_right(2), key=few))
    keep(tmp_path, replace(first_right(2), key=MODEL))
    assert len(load_baselines(tmp_path)) == 3
    keep(tmp_path, replace(first_right(3), key=replace(KEY, corpus={"a.txt": "2"})))
    kept_for = sorted(kept.key.engine for kept in load_baselines(tmp_path))
    assert kept_for == ["openai:gpt-5", "quotes"]
    (tmp_path / f"{MODEL.digest}.jsonl").unlink()
    another = replace(first_right(3), name="other", key=replace(KEY, set="other"))
    keep(tmp_path, another)
    keep(tmp_path, replace(first_right(3), version=2))
    keep(tmp_path, replace(first_right(3), version=3))
    assert {(kept.name, kept.version) for kept in load_baselines(tmp_path)} == {
        ("made", 3),
        ("other", 1),
    }


LINES = "\n".join(json.dumps(line) for line in run_to_lines(first_right(1, of=1)))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "cannot be used"),
        ('{"format": 99}', "has format 99"),
        ('{"format": 1, "set": "made"}', "not a run of dateline eval"),
        ("", "not a run of dateline eval"),
        (LINES.replace('{"right": 1.0', '{"left": 1.0'), "without its verdict"),
        (LINES.replace('{"right": 1.0, "factual_accuracy": 1.0}', "null"), "not a run"),
        (LINES.replace('"answer": "Five."', '"answer": 5'), "'answer' is not words"),
        (LINES.replace('"corpus": {"a.txt": "1"}', '"corpus": null'), "not a run"),
    ],
)
def test_a_baseline_that_is_none_is_refused_by_name(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "x.jsonl").write_text(text, "utf-8")
    with pytest.raises(BadSet, match=r"x\.jsonl") as caught:
        load_baselines(tmp_path)
    assert reason in str(caught.value)


def test_baselines_lie_beside_the_set() -> None:
    assert baselines_of(load_set(BRIEFS)) == ROOT / "eval" / "baselines" / "briefs"
    own = QuestionSet("mine", 1, Path("/news/eval/questions.jsonl"), Path("/news"))
    assert baselines_of(own) == Path("/news/eval/baselines/mine")


def test_the_committed_baseline_is_of_the_committed_set() -> None:
    asked = load_set(BRIEFS)
    (kept,) = load_baselines(baselines_of(asked))
    assert [r.id for r in kept.results] == [c.id for c in asked.cases]
    assert [r.question for r in kept.results] == [c.question for c in asked.cases]
    assert kept.version == asked.version
    assert judge_run(replace(kept, floors=asked.floors), [kept], {}).passed


FAULTY = 36
"""Questions asked to see a fault: enough for it to be no chance, few enough to be asked often."""


@pytest.fixture(scope="module")
def asked() -> QuestionSet:
    """Questions of ours that are answered right, so that a fault has something to break."""
    whole = load_set(BRIEFS)
    (kept,) = load_baselines(baselines_of(whole))
    right = {r.id for r in kept.results if r.is_right}
    dated = [c for c in whole.cases if c.id in right and c.calendar_date]
    others = [c for c in whole.cases if c.id in right and not c.calendar_date]
    most = FAULTY - len(dated)
    spread = [others[i * len(others) // most] for i in range(most)]
    return replace(whole, cases=(*dated, *spread), floors={})


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return replace(Settings(), index=tmp_path_factory.mktemp("gate") / "index")


@pytest.fixture(scope="module")
def before(asked: QuestionSet, settings: Settings) -> Run:
    return run_set(asked, settings)


def part_of(asked: QuestionSet, settings: Settings, **named: bool) -> Run:
    """A run of every fourth question, which the gate compares with a whole one."""
    some = replace(asked, cases=asked.cases[::4])
    return replace(run_set(some, settings, **named), is_part=True)


def test_an_unchanged_system_passes_ten_times_out_of_ten(
    asked: QuestionSet, settings: Settings, before: Run
) -> None:
    for _ in range(10):
        verdict = judge_run(part_of(asked, settings, as_is=True), [before], {})
        assert verdict.passed, verdict.failures


def faulty(asked: QuestionSet, settings: Settings, before: Run) -> Verdict:
    verdict = judge_run(run_set(asked, settings, as_is=True), [before], {})
    assert not verdict.passed
    assert verdict.comparison is not None
    return verdict


def test_a_retriever_that_returns_the_wrong_source_fails_the_gate(
    asked: QuestionSet, settings: Settings, before: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = assistant.service.Retriever.search

    def wrong_source(self: object, query: str, k: int, filters: Filters) -> list[Hit]:
        hits = search(self, query, 30, filters)  # type: ignore[arg-type]
        named = {hit.passage.source for hit in hits[:3]}
        return [hit for hit in hits if hit.passage.source not in named][:k]

    monkeypatch.setattr(assistant.service.Retriever, "search", wrong_source)
    verdict = faulty(asked, settings, before)
    assert {"drop of right", "drop of factual_accuracy", "drop of context_hit"} <= {
        *failures(verdict)
    }
    worse = [flip for flip in verdict.comparison.flips if flip.is_worse]  # type: ignore[union-attr]
    assert all(flip.before.answer != flip.now.answer for flip in worse)


def test_offsets_one_character_off_fail_the_gate(
    asked: QuestionSet, settings: Settings, before: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    cite = assistant.answering.quotes._cited

    def shifted(number: int, evidence: Evidence) -> object:
        right = cite(number, evidence)
        return replace(right, start=right.start + 1, end=right.end + 1)

    monkeypatch.setattr(assistant.answering.quotes, "_cited", shifted)
    assert {"drop of right", "drop of citation_exactness"} <= {
        *failures(faulty(asked, settings, before))
    }


def test_dates_that_are_not_worked_out_fail_the_gate(
    asked: QuestionSet, settings: Settings, before: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assistant.answering.quotes, "answer_dates", lambda *_: ())
    monkeypatch.setattr(assistant.answering.quotes, "dated_lead", lambda *_, **__: None)
    assert {"drop of right", "drop of calendar_date"} <= {
        *failures(faulty(asked, settings, before))
    }


def test_answering_whatever_is_asked_fails_the_gate(
    asked: QuestionSet, settings: Settings, before: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = calibration()
    always = Calibration(fitted.weights, fitted.intercept, threshold=0.0, near=fitted.near)
    for module in (assistant.finding.find, assistant.answering.quotes):
        monkeypatch.setattr(module, "calibration", lambda: always)
    assert {"drop of right", "drop of false_answer"} <= {*failures(faulty(asked, settings, before))}


def test_passages_a_quarter_as_long_fail_the_gate_until_they_are_meant(
    asked: QuestionSet,
    settings: Settings,
    before: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tables, "PASSAGE_CHARS", 200)
    now = part_of(asked, replace(settings, index=tmp_path / "index"))
    verdict = judge_run(now, [before], {})
    assert "passage_chars is 200, was 800" in verdict.failures[0].says
    assert judge_run(now, [before, now], {}).passed


def test_a_stale_index_fails_the_gate(
    asked: QuestionSet, settings: Settings, before: Run, tmp_path: Path
) -> None:
    files = {p.name: p.read_bytes() for p in (ROOT / "corpus").iterdir()}
    corpus = write_files(tmp_path / "corpus", dict(files))
    index = replace(settings, index=tmp_path / "index")
    copied = replace(asked, corpus=corpus)
    assert judge_run(part_of(copied, index), [before], {}).passed
    changed = "mining-com-action-plans.md"
    text = files[changed].decode() + "\nA correction was added to this brief on Friday.\n"
    write_files(corpus, {**files, changed: text})
    stale = judge_run(part_of(copied, index, as_is=True), [before], {})
    assert "index in step" in failures(stale)
    assert changed in next(c.says for c in stale.failures if c.name == "index in step")
    in_step = judge_run(part_of(copied, index), [before], {})
    assert failures(in_step) == ["baseline of this corpus and these settings"]


def test_a_corpus_whose_gold_has_moved_is_refused_with_the_reason(
    asked: QuestionSet, settings: Settings, tmp_path: Path
) -> None:
    files = {p.name: p.read_bytes() for p in (ROOT / "corpus").iterdir()}
    name = "mining-com-action-plans.md"
    corpus = write_files(tmp_path / "corpus", {**files, name: b"\n" + files[name]})
    with pytest.raises(BadSet, match="they are now at"):
        run_set(replace(asked, corpus=corpus), replace(settings, index=tmp_path / "index"))


def test_an_index_that_changes_under_a_run_is_refused(
    asked: QuestionSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = replace(Settings(), index=tmp_path / "index")
    other = write_files(tmp_path / "other", {"a.txt": "Another article altogether."})
    ask = assistant.service.Assistant.ask

    def beside_another(self: object, question: str, *rest: object, **named: object) -> object:
        sync(other, one)
        return ask(self, question, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(assistant.service.Assistant, "ask", beside_another)
    with pytest.raises(IndexBusy, match="was changed while it was asked"):
        run_set(replace(asked, cases=asked.cases[:1]), one)


def test_sets_of_one_name_over_two_corpora_have_an_index_each() -> None:
    one = QuestionSet("mine", 1, Path("a.jsonl"), Path("/one"))
    other = replace(one, corpus=Path("/other"))
    assert default_index(one, Settings()) != default_index(other, Settings())


def test_a_question_that_fails_is_told_and_the_rest_go_on(
    asked: QuestionSet, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = assistant.service.Assistant.ask

    def sometimes(self: object, question: str, *rest: object, **named: object) -> object:
        if question == asked.cases[0].question:
            raise RuntimeError("a bug")
        return ask(self, question, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(assistant.service.Assistant, "ask", sometimes)
    found = run_set(replace(asked, cases=asked.cases[:3]), settings)
    assert [r.status for r in found.results] == ["failed", "answered", "answered"]
    assert found.results[0].wrong == ("failed: RuntimeError: a bug",)
    json.dumps([r.scores for r in found.results])
