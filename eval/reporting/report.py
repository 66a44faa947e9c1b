"""A run in words, as JSON and as JUnit XML. `page` has it as a page with plots."""

from __future__ import annotations

import random
import textwrap
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import TYPE_CHECKING, Any

from assistant.language.marks import plain
from assistant.settings import QUOTES
from eval.gate import Change, Verdict, by_split, by_type, overall
from eval.metrics import BY_NAME, MEASURES
from eval.model_use import Did, Tally, tally
from eval.run import Result, Run
from eval.stats import Estimate, auroc, auroc_interval, calibration_error, reliability

if TYPE_CHECKING:
    from eval.judge import Judged

COLUMNS = ("right", "factual_accuracy", "calendar_date", "false_answer", "false_refusal")
"""The metrics given for each type of question on a terminal."""
SHOWN_CHARS = 400
"""How much of an answer is printed."""
MOST_REASONS = 8
"""Reasons printed, the most frequent ones; as JSON there are all."""


def latency(results: Sequence[Result]) -> dict[str, float]:
    """Milliseconds an answer took, at the median and at the 95th percentile; nothing of nothing."""
    taken = sorted(r.ms for r in results if r.ms)
    if not taken:
        return {}
    return {
        "p50": taken[len(taken) // 2],
        "p95": taken[min(len(taken) - 1, len(taken) * 95 // 100)],
    }


def confidence_of(results: Sequence[Result]) -> dict[str, Any]:
    """How well confidence tells questions with an answer from others, and how well it is calibrated."""
    ups = [r.confidence for r in results if r.answerable]
    downs = [r.confidence for r in results if not r.answerable]
    binned = reliability([r.confidence for r in results], [r.answerable for r in results])
    return {
        "auroc": auroc(ups, downs),
        "auroc_interval": auroc_interval(ups, downs),
        "calibration_error": calibration_error(binned),
        "bins": [asdict(b) for b in binned],
    }


def model_work(run: Run) -> Tally | None:
    """What the chat model of a run did; None where the engine is `quotes`."""
    if run.key.engine == QUOTES:
        return None
    return tally(run.key.engine, [result.model for result in run.results])


# On a terminal


def as_text(
    run: Run, verdict: Verdict | None = None, judged: Judged | None = None, *, wrong: bool = False
) -> str:
    """The figures, the gate's word and what flipped; with `wrong`, every wrong answer too."""
    figures = overall(run.results)
    parts = [_head(run), _types(run.results, figures), _metrics(run.results, figures)]
    if work := model_work(run):
        parts.append(_model(work))
    if judged:
        parts.append(_judged(judged))
    if wrong:
        parts.append("\n\n".join(_shown(r) for r in run.results if r.wrong) or "Nothing is wrong.")
    if verdict:
        parts.append(_verdict(verdict))
    return "\n\n".join(parts)


def _head(run: Run) -> str:
    splits = Counter(r.split for r in run.results)
    of = ", ".join(f"{n} {name}" for name, n in splits.items())
    said = ", ".join(f"{name} {value}" for name, value in run.key.settings.items())
    return (
        f"{plain(run.name)} version {run.version}: {counted(len(run.results), 'question')} ({of}) over"
        f" {counted(len(run.key.corpus), 'article')}, {run.seconds:.0f} s\n{plain(said)}"
    )


def counted(count: int, noun: str) -> str:
    """`1 question`, `2,000 questions`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def figure(found: Estimate | None) -> str:
    """`93.1 [88, 97]`: a share and its interval in hundredths, or `-`; no interval where all questions
    came out alike, as resampling them then tells nothing."""
    if found is None:
        return "-"
    if found.low == found.high:
        return f"{100 * found.mean:.1f}"
    return f"{100 * found.mean:.1f} [{100 * found.low:.0f}, {100 * found.high:.0f}]"


def _types(results: Sequence[Result], figures: Mapping[str, Estimate]) -> str:
    types, splits = Counter(r.type for r in results), Counter(r.split for r in results)
    groups = [(n, types[n], found) for n, found in by_type(results).items() if n != "all"]
    groups.append(("all", len(results), dict(figures)))
    if len(splits) > 1:
        groups += [(name, splits[name], found) for name, found in by_split(results).items()]
    rows: list[tuple[str, ...]] = [("", "n", *COLUMNS)]
    rows += [
        (plain(name), str(n), *(figure(found.get(c)) for c in COLUMNS)) for name, n, found in groups
    ]
    return _table(rows)


def _metrics(results: Sequence[Result], figures: Mapping[str, Estimate]) -> str:
    rows = [("metric", "n", "mean [95%]", "")]
    for measure in MEASURES:
        found = figures.get(measure.name)
        if found is None:
            continue
        shown = figure(found)
        if measure.unit:
            shown = f"{found.mean:.0f} [{found.low:.0f}, {found.high:.0f}]"
        less = "; less is better" if measure.less_is_better else ""
        rows.append((measure.name, str(found.n), shown, measure.says + less))
    told = confidence_of(results)
    if told["auroc"] is not None:
        low, high = told["auroc_interval"]
        shown = f"{100 * told['auroc']:.1f} [{100 * low:.0f}, {100 * high:.0f}]"
        says = "confidence tells questions with an answer from the others (AUROC)"
        rows.append(("confidence", str(len(results)), shown, says))
    if taken := latency(results):
        shown = f"{taken['p50']:.0f} / {taken['p95']:.0f}"
        rows.append(("latency", str(len(results)), shown, "milliseconds, p50 / p95"))
    return _table(rows)


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Columns to the right, the first and a last one of words to the left."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [f"{row[0]:<{widths[0]}}"]
        cells += [f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)]
        if rows[0][-1] == "":
            cells[-1] = row[-1]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _model(work: Tally) -> str:
    def reasons(found: Counter[str]) -> list[tuple[str, str]]:
        shown = found.most_common(MOST_REASONS)
        rest = found.total() - sum(n for _, n in shown)
        others = [("  for other reasons", str(rest))] if rest else []
        return [(f"  {plain(reason)}", str(n)) for reason, n in shown] + others

    told = f"{work.input_tokens:,} in, {work.output_tokens:,} out"
    if work.untold:
        told += f"; not told, or not all, for {counted(work.untold, 'answer')}"
    quoted = work.answers[Did.UNVERIFIED] + work.failures.total()
    rows = [
        (plain(work.model), ""),
        ("answers written by the model", str(work.answers[Did.WROTE])),
        ("quoted instead", str(quoted)),
        ("  nothing it wrote could be verified", str(work.answers[Did.UNVERIFIED])),
        *reasons(work.failures),
        ("declined by the model", str(work.answers[Did.DECLINED])),
        ("the model not asked to answer", str(work.not_asked)),
        ("sentences of its own shown", str(work.shown)),
        ("sentences left out", str(work.left_out.total())),
        *reasons(work.left_out),
        ("calls", f"{work.calls:,}"),
        ("tokens", told),
    ]
    return _table(rows)


def judged_figures(judged: Judged) -> dict[str, tuple[float, int]]:
    """Of every judged metric the mean and how many judgements it is of; failed ones are in neither."""
    names = dict.fromkeys(name for scores in judged.scores.values() for name in scores)
    values = {name: [s[name] for s in judged.scores.values() if name in s] for name in names}
    return {name: (fmean(held), len(held)) for name, held in values.items()}


def failure_counts(judged: Judged) -> dict[str, int]:
    """How many judgements failed, by kind."""
    return dict(Counter(failure.kind for failure in judged.failures))


def _judged(judged: Judged) -> str:
    rows = [("judged, advisory", "n", "mean")]
    rows += [
        (name, str(n), f"{100 * mean:.1f}") for name, (mean, n) in judged_figures(judged).items()
    ]
    failed = ", ".join(f"{n} {kind}" for kind, n in failure_counts(judged).items()) or "none"
    return f"{_table(rows)}\njudge {plain(judged.model)}; judgements that failed: {failed}"


def sample_as_text(run: Run, most: int, seed: int) -> str:
    """Answers drawn at random, warts and all: the same ones for the same seed."""
    chosen = random.Random(seed).sample(run.results, min(most, len(run.results)))
    return "\n\n".join(map(_shown, chosen))


def _shown(result: Result) -> str:
    after = [f"  after: {plain(q)} / {plain(a)}" for q, a in result.history]
    return "\n".join(
        [
            plain(f"{result.id} ({result.type}, {result.split}): {result.question}"),
            *after,
            f"  {plain('wrong: ' + '; '.join(result.wrong) if result.wrong else 'right')}",
            f"  expected: {plain(result.expected)}",
            f"  said: {_short(result.answer)}",
        ]
    )


def _short(answer: str) -> str:
    return textwrap.shorten(plain(answer), SHOWN_CHARS, placeholder=" …") or "nothing"


def changes_in_words(changes: Sequence[Change]) -> list[str]:
    """A line for every metric that moved."""
    return [
        f"{c.metric}: {shown(c.before)} -> {shown(c.now)} over {c.n} questions,"
        f" {c.worse} worse, {c.better} better"
        for c in changes
        for shown in [BY_NAME[c.metric].shown]
        if c.worse or c.better
    ]


def _verdict(verdict: Verdict) -> str:
    lines = []
    compared = verdict.comparison
    if compared:
        lines += [f"Compared with the baseline {compared.baseline}:"]
        lines += [f"  {line}" for line in changes_in_words(compared.changes)] or ["  no change"]
        for flip in compared.flips:
            turn = "right before, wrong now" if flip.is_worse else "wrong before, right now"
            lines += [
                "",
                plain(f"{flip.now.id} ({flip.now.type}): {flip.now.question}"),
                f"  {turn}{': ' + plain('; '.join(flip.now.wrong)) if flip.is_worse else ''}",
                f"  before: {_short(flip.before.answer)}",
                f"  now:    {_short(flip.now.answer)}",
            ]
        if compared.added:
            lines += ["", f"New, so not compared: {counted(len(compared.added), 'question')}"]
        lines.append("")
    lines += [f"FAILED {c.name}: {plain(c.says)}" for c in verdict.failures]
    passed = len(verdict.checks) - len(verdict.failures)
    lines.append(
        f"The gate is {'passed' if verdict.passed else 'NOT passed'}:"
        f" {passed} of {len(verdict.checks)} checks hold."
    )
    return "\n".join(lines)


# For programs


def as_json(
    run: Run, verdict: Verdict | None = None, judged: Judged | None = None
) -> dict[str, Any]:
    """All there is to know of a run."""
    work = model_work(run)
    return {
        "set": run.name,
        "version": run.version,
        "as_of": run.as_of.isoformat(),
        "key": run.key.digest,
        "corpus": dict(run.key.corpus),
        "settings": dict(run.key.settings),
        "seconds": run.seconds,
        "metrics": _estimates(overall(run.results)),
        "types": {name: _estimates(found) for name, found in by_type(run.results).items()},
        "splits": {name: _estimates(found) for name, found in by_split(run.results).items()},
        "confidence": confidence_of(run.results),
        "latency_ms": latency(run.results),
        "model": work.as_json() if work else None,
        "results": [asdict(result) for result in run.results],
        "gate": _gate_json(verdict) if verdict else None,
        "judged": {
            "model": judged.model,
            "metrics": {n: {"mean": m, "n": k} for n, (m, k) in judged_figures(judged).items()},
            "failures": [asdict(failure) for failure in judged.failures],
        }
        if judged
        else None,
    }


def _estimates(found: Mapping[str, Estimate]) -> dict[str, Any]:
    return {name: asdict(one) for name, one in found.items()}


def _gate_json(verdict: Verdict) -> dict[str, Any]:
    compared = verdict.comparison
    return {
        "passed": verdict.passed,
        "checks": [asdict(check) for check in verdict.checks],
        "baseline": compared.baseline if compared else None,
        "differences": list(compared.differences) if compared else [],
        "changes": [asdict(change) for change in compared.changes] if compared else [],
        "flips": [
            {
                "id": flip.now.id,
                "question": flip.now.question,
                "is_worse": flip.is_worse,
                "before": flip.before.answer,
                "now": flip.now.answer,
                "wrong": list(flip.now.wrong),
            }
            for flip in compared.flips
        ]
        if compared
        else [],
    }


def as_junit(run: Run, verdict: Verdict | None = None) -> str:
    """JUnit XML: a suite of the gate's checks, then one a type of question.

    A wrong answer is a failure, but beside a baseline only one that was right there: what was always
    wrong is a skipped test with its reason, or a build server would be red for ever.
    """
    compared = verdict.comparison if verdict else None
    flipped = {f.now.id: f for f in compared.flips if f.is_worse} if compared else {}
    root = ET.Element("testsuites", name="dateline eval")
    if verdict:
        suite = ET.SubElement(root, "testsuite", name=_xml(f"{run.name}: gate"))
        for check in verdict.checks:
            case = _testcase(suite, "gate", check.name, 0.0)
            if not check.passed:
                ET.SubElement(case, "failure", message=_xml(check.says))
        _count(suite)
    for name in dict.fromkeys(r.type for r in run.results):
        suite = ET.SubElement(root, "testsuite", name=_xml(f"{run.name}: {name}"))
        for result in (r for r in run.results if r.type == name):
            title = _xml(f"{result.id}: {result.question}")
            case = _testcase(suite, f"{run.name}.{name}", title, result.ms / 1000)
            if not result.wrong:
                continue
            reason = _xml("; ".join(result.wrong))
            if compared and compared.was_wrong(result):
                ET.SubElement(case, "skipped", message=f"still wrong: {reason}")
                continue
            failure = ET.SubElement(case, "failure", message=reason)
            said = f"said: {result.answer}"
            if result.id in flipped:
                said = f"before: {flipped[result.id].before.answer}\n\nnow: {result.answer}"
            failure.text = _xml(said)
        _count(suite)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _testcase(suite: ET.Element, group: str, name: str, seconds: float) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=_xml(group), name=name, time=f"{seconds:.3f}")


def _count(suite: ET.Element) -> None:
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))


def _xml(text: str) -> str:
    """Without the characters that XML 1.0 cannot hold."""
    return "".join(
        c
        for c in text
        if c in "\t\n\r" or "\x20" <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff"
    )
