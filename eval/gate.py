"""Whether answers got worse: a run against the least it must reach, and against a kept run.

A metric fails on its floor, or where it dropped by more than chance would have it: the paired
sign-flip test over the questions of both runs. `right`, the verdict on a whole question, is tested
alone at ALPHA; the other gated metrics share ALPHA between them (Holm 1979).

Each engine has baselines of its own, and no run is held against another engine's. The floors of a
set hold for all engines: they say what a reader may expect of an answer, whatever wrote it, and
what a chat model's answer falls back to is the one of `quotes`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assistant.settings import QUOTES
from eval import jsonl
from eval.cases import BRIEFS, BadSet, QuestionSet
from eval.jsonl import BadLine
from eval.metrics import BY_NAME, MEASURES
from eval.model_use import tally
from eval.run import Result, Run, run_from_lines, run_to_lines
from eval.stats import Estimate, drop_p_value, estimate, holm
from indexing.errors import SettingsError

ALPHA = 0.05
VERDICT = "right"
OURS = BRIEFS.parents[1] / "baselines"
EXACT = ("citation_exactness",)
"""Metrics of which one lost question is one too many: they do not depend on judgement or luck."""

MOST_FAILED = 0.05
"""The share of its answers for which a chat model may fail: now and then a server does."""


@dataclass(frozen=True, slots=True)
class Change:
    """A metric in two runs, over the questions it applies to in both. `p` is that of the drop."""

    metric: str
    before: float
    now: float
    n: int
    worse: int
    better: int
    p: float


@dataclass(frozen=True, slots=True)
class Flip:
    """A question that was right and is not, or the reverse."""

    before: Result
    now: Result

    @property
    def is_worse(self) -> bool:
        return self.before.is_right and not self.now.is_right


@dataclass(frozen=True, slots=True)
class Comparison:
    """A run beside its baseline. `differences` says, in words, in what their keys differ."""

    baseline: str
    changes: tuple[Change, ...]
    flips: tuple[Flip, ...]
    differences: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    def was_wrong(self, result: Result) -> bool:
        """Whether a result that is wrong now was so in the baseline."""
        flipped = {flip.now.id for flip in self.flips}
        return result.id not in flipped and result.id not in self.added


@dataclass(frozen=True, slots=True)
class Check:
    """One thing the gate looked at, and what it found in words. `compares`: it holds the run against
    another, not against what any run must be."""

    name: str
    passed: bool
    says: str
    compares: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's word on a run."""

    checks: tuple[Check, ...]
    comparison: Comparison | None

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def failures(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if not check.passed)


def baselines_of(asked: QuestionSet) -> Path:
    """The folder where the baselines of a set are kept, beside it; of our own, `eval/baselines`."""
    folder = asked.path.resolve().parent
    return (OURS if folder == BRIEFS.parent else folder / "baselines") / asked.name


def load_baselines(folder: Path) -> list[Run]:
    """The kept runs in a folder, one for each key; none where nothing was kept.

    Raises BadSet for a file that is something else.
    """
    runs = []
    for path in sorted(folder.glob("*.jsonl")):
        try:
            runs.append(run_from_lines([row for _, row in jsonl.read(path)]))
        except BadLine as exc:
            raise BadSet(
                f"the baseline {path} cannot be used: {exc}; mend it, or remove it and keep a new"
                " one with --update-baseline"
            ) from exc
    return runs


def keep(folder: Path, run: Run) -> Path:
    """Makes `run` the baseline of its key, and drops its engine's of the set's other corpora or
    versions.

    Returns the file, which is replaced whole or not at all. Raises SettingsError, BadSet.
    """
    others = load_baselines(folder)
    path = folder / f"{run.key.digest}.jsonl"
    jsonl.write(path, run_to_lines(run))
    for other in others:
        is_past = other.key.corpus != run.key.corpus or other.version != run.version
        if _is_alike(other, run) and is_past and other.key.digest != run.key.digest:
            (folder / f"{other.key.digest}.jsonl").unlink(missing_ok=True)
    return path


def nearest(run: Run, baselines: Sequence[Run]) -> Run | None:
    """The baseline of the run's own key, else the one of its set and engine whose key differs in
    least."""
    own = [kept for kept in baselines if _is_alike(kept, run)]
    return min(own, key=lambda kept: len(run.key.differences(kept.key)), default=None)


def _is_alike(one: Run, other: Run) -> bool:
    """Whether two runs are of one set and one engine."""
    return (one.key.set, one.key.engine) == (other.key.set, other.key.engine)


def compare(run: Run, baseline: Run) -> Comparison:
    """Question by question, over those that both runs asked alike."""
    before = {result.id: result for result in baseline.results}
    now = {result.id: result for result in run.results}
    both = [i for i in now if i in before and _is_same(before[i], now[i])]
    changes = []
    for measure in MEASURES:
        pairs = [
            (before[i].scores[measure.name], now[i].scores[measure.name])
            for i in both
            if measure.name in before[i].scores and measure.name in now[i].scores
        ]
        if not pairs:
            continue
        sign = 1 if measure.less_is_better else -1
        drops = [sign * (after - earlier) for earlier, after in pairs]
        changes.append(
            Change(
                measure.name,
                before=sum(b for b, _ in pairs) / len(pairs),
                now=sum(a for _, a in pairs) / len(pairs),
                n=len(pairs),
                worse=sum(d > 0 for d in drops),
                better=sum(d < 0 for d in drops),
                p=drop_p_value(drops),
            )
        )
    flips = [Flip(before[i], now[i]) for i in both if before[i].is_right != now[i].is_right]
    differences = list(run.key.differences(baseline.key))
    if baseline.version != run.version:
        differences.append(f"the set has version {run.version}, was {baseline.version}")
    added = [i for i in now if i not in both]
    gone = [i for i in before if i not in now and not run.is_part]
    if gone or (added and not run.is_part):
        differences.append(f"questions new or asked otherwise: {len(added)}, gone: {len(gone)}")
    regraded = [i for i in both if before[i].gold != now[i].gold]
    if regraded:
        differences.append(f"what is right is another now for: {', '.join(regraded[:5])}")
    return Comparison(
        baseline=baseline.key.digest,
        changes=tuple(changes),
        flips=tuple(sorted(flips, key=lambda flip: not flip.is_worse)),
        differences=tuple(differences),
        added=tuple(added),
        gone=tuple(gone),
    )


def _is_same(one: Result, other: Result) -> bool:
    return (one.question, one.history, one.answerable) == (
        other.question,
        other.history,
        other.answerable,
    )


def judge_run(
    run: Run,
    baselines: Sequence[Run],
    floors: Mapping[str, float],
    *,
    needs_baseline: bool = True,
) -> Verdict:
    """The gate. `floors` are the least a metric's mean may be, or the most where less is better.

    Without a baseline it fails, unless none is needed: then the floors alone are held.
    Raises SettingsError for a floor of a metric that does not exist.
    """
    wanted = {**run.floors, **floors}
    check_floors(wanted)
    checks = [*_floor_checks(run, wanted), *_whole_checks(run)]
    if run.key.engine != QUOTES:
        checks.append(_model_check(run))
    kept = nearest(run, baselines)
    if kept is None:
        if needs_baseline:
            says = (
                f"there is none for this set and the engine {run.key.engine}; keep this run as one"
                " with --update-baseline"
            )
            checks.append(Check("baseline", False, says, compares=True))
        return Verdict(tuple(checks), None)
    comparison = compare(run, kept)
    checks.append(_key_check(comparison))
    if not comparison.changes:
        says = "no question of the baseline was asked"
        checks.append(Check("comparison", False, says, compares=True))
    checks += _drop_checks(comparison)
    return Verdict(tuple(checks), comparison)


def _whole_checks(run: Run) -> list[Check]:
    """Whether all was asked, of the corpus as it is."""
    failed = [result for result in run.results if result.status == "failed"]
    said = f"{failed[0].id}: {failed[0].answer}" if failed else ""
    return [
        Check(
            "index in step",
            not run.stale,
            f"it does not hold the corpus as it is: {', '.join(run.stale[:5])}; run without --as-is,"
            " or bring that index in step first"
            if run.stale
            else "the index holds the corpus as it is",
        ),
        Check(
            "every question asked",
            not failed,
            f"{len(failed)} questions failed; {said}" if failed else "no question failed",
        ),
    ]


def _model_check(run: Run) -> Check:
    """Whether it was the model that answered. One that is down is a run of `quotes`."""
    found = tally(run.key.engine, [result.model for result in run.results])
    failed, asked = found.failures.total(), found.answers.total()
    says = f"it failed for {failed} of the {asked} answers it was to write"
    if failed:
        says += f"; {found.failures.most_common(1)[0][0]}"
    return Check("the model's own answers", failed <= MOST_FAILED * asked, says)


def check_floors(floors: Mapping[str, float]) -> None:
    """Raises SettingsError for a floor of a metric that does not exist, or that cannot be one."""
    for name, floor in floors.items():
        if name not in BY_NAME:
            known = ", ".join(BY_NAME)
            raise SettingsError(
                f"there is no metric {name!r} to set a floor for; there are: {known}"
            )
        if not math.isfinite(floor) or floor < 0 or (floor > 1 and not BY_NAME[name].unit):
            raise SettingsError(f"the floor of {name} must be from 0 to 1, got {floor:g}")


def _floor_checks(run: Run, floors: Mapping[str, float]) -> list[Check]:
    checks = []
    figures = overall(run.results)
    for name, floor in floors.items():
        measure, found = BY_NAME[name], figures.get(name)
        if found is not None:
            bound = "at most" if measure.less_is_better else "at least"
            says = (
                f"{measure.shown(found.mean)} over {found.n} questions,"
                f" {bound} {measure.shown(floor)} is wanted"
            )
            held = not measure.is_worse(found.mean, floor)
        elif run.is_part:
            continue
        else:
            says, held = "no question is measured by it, so the floor holds nothing", False
        checks.append(Check(f"floor of {name}", held, says))
    return checks


def _key_check(comparison: Comparison) -> Check:
    says = (
        "this is not what the baseline was made with, which is compared with all the same; if it is"
        f" meant, keep it with --update-baseline: {'; '.join(comparison.differences)}"
        if comparison.differences
        else "corpus, index settings and engine are the baseline's"
    )
    name = "baseline of this corpus and these settings"
    return Check(name, not comparison.differences, says, compares=True)


def _drop_checks(comparison: Comparison) -> list[Check]:
    gated = [c for c in comparison.changes if BY_NAME[c.metric].gated]
    rest = [c for c in gated if c.metric != VERDICT]
    adjusted = dict(zip((c.metric for c in rest), holm([c.p for c in rest]), strict=True))
    checks = []
    for change in gated:
        p, shown = adjusted.get(change.metric, change.p), BY_NAME[change.metric].shown
        too_few = 0.5**change.n >= ALPHA  # for chance to be told from anything
        lost = change.worse > (0 if change.metric in EXACT else change.better) and (
            too_few or change.metric in EXACT
        )
        says = (
            f"{shown(change.before)} before, {shown(change.now)} now over {change.n} questions:"
            f" {change.worse} worse, {change.better} better (p = {p:.3g})"
        )
        checks.append(
            Check(f"drop of {change.metric}", p >= ALPHA and not lost, says, compares=True)
        )
    return checks


# Figures of one run


def overall(results: Sequence[Result]) -> dict[str, Estimate]:
    """Every metric's mean and interval, over the results it applies to."""
    found = {}
    for measure in MEASURES:
        values = [r.scores[measure.name] for r in results if measure.name in r.scores]
        if values:
            found[measure.name] = estimate(values)
    return found


def by_type(results: Sequence[Result]) -> dict[str, dict[str, Estimate]]:
    """`overall` of the questions of each type, in the order of the set."""
    return {
        name: overall([r for r in results if r.type == name])
        for name in dict.fromkeys(r.type for r in results)
    }


def by_split(results: Sequence[Result]) -> dict[str, dict[str, Estimate]]:
    """`overall` of the questions of each split, in the order of the set."""
    return {
        name: overall([r for r in results if r.split == name])
        for name in dict.fromkeys(r.split for r in results)
    }
