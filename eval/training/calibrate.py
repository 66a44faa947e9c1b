"""Fits the support score of `assistant.finding.support` on development questions.

    python -m eval.training.calibrate ../shared/bench/squad2 ../shared/bench/clapnq ... [--work DIR]
        eval/sets/articles.jsonl

Every question set (`eval.cases`) counts alike, and in each the questions its articles answer count
as much as those they do not. Of the answerable ones only those whose evidence was found are used:
the score says whether what was found answers, and a wrong sentence does not. Half of the questions
fit, the other half are reported.
Writes `assistant/finding/calibration.json`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assistant.finding import support
from assistant.service import Assistant, open_assistant
from assistant.settings import Settings
from eval.cases import Case, chosen, load_set
from eval.stats import auroc
from eval.wording import holds
from indexing.sync import sync

FALSE_REFUSALS = 0.05
"""The share of questions that could be answered which may be refused, to have fewer false answers."""
SHOWN = 3
"""Sentences among which the evidence must be for a question to count as found."""


@dataclass(frozen=True, slots=True)
class Row:
    """One question: its signals, and whether they support an answer; `found` is None without one."""

    set: str
    id: str
    answerable: bool
    found: bool
    signals: tuple[dict[str, float], ...]
    """Of each part of the question; only those of one part are fitted to."""
    joint: bool

    @property
    def is_for_fitting(self) -> bool:
        return len(self.signals) == 1 and zlib.crc32(self.id.encode()) % 2 == 0

    def confidence(self, fitted: support.Calibration) -> float:
        """Of the question, from its parts'."""
        return support.together([fitted.confidence(s) for s in self.signals], self.joint)


def measure(name: str, work: Path, most: int) -> list[Row]:
    """Indexes the corpus of the set at `name` under `work` and examines at most `most` of its questions.

    Questions of a split called "test" are left alone.
    """
    asked = load_set(Path(name))
    settings = replace(Settings(), corpus=asked.corpus, index=work / asked.name)
    sync(settings.corpus, settings)
    assistant = open_assistant(settings)
    try:
        cases = chosen([case for case in asked.cases if case.split != "test"], None, most)
        return [_row(assistant, asked.name, case) for case in cases]
    finally:
        assistant.close()


def _row(assistant: Assistant, name: str, case: Case) -> Row:
    examined = assistant.examine(case.question, case.history)
    shown = [e for found in examined.evidence for e in found[:SHOWN]]
    found = any(
        span.overlaps(e.hit.passage.source, e.sentence.start, e.sentence.end)
        for e in shown
        for span in case.evidence
    )
    if not case.evidence:
        found = any(holds(e.text, w) for e in shown for fact in case.facts for w in fact)
    return Row(name, case.id, case.answerable, found, examined.signals, examined.joint)


def fit(rows: Sequence[Row]) -> support.Calibration:
    """Logistic regression with weights of 0 or more, and the threshold that FALSE_REFUSALS allows."""
    from scipy.optimize import minimize

    used = [r for r in rows if r.found or not r.answerable]
    features = np.array([[r.signals[0][name] for name in support.SIGNALS] for r in used])
    labels = np.array([r.answerable for r in used])
    counts: dict[tuple[str, bool], int] = {}
    for r in used:
        counts[r.set, r.answerable] = counts.get((r.set, r.answerable), 0) + 1
    weights = np.array([1 / counts[r.set, r.answerable] for r in used])
    weights /= weights.sum()
    spread = features.std(axis=0) + 1e-9
    scaled, sides = features / spread, np.where(labels, 1.0, -1.0)

    def loss(parameters: NDArray[np.float64]) -> float:
        margins = sides * (scaled @ parameters[:-1] + parameters[-1])
        penalty = 3e-3 * float(parameters[:-1] @ parameters[:-1])
        return float(weights @ np.logaddexp(0.0, -margins)) + penalty

    # More support never counts against an answer, whatever a small set suggests.
    bounds = [(0, None)] * len(support.SIGNALS) + [(None, None)]
    best = minimize(loss, np.zeros(len(bounds)), bounds=bounds).x
    fitted = support.Calibration(
        weights={
            name: round(float(weight), 4)
            for name, weight in zip(support.SIGNALS, best[:-1] / spread, strict=True)
        },
        intercept=round(float(best[-1]), 4),
        threshold=0.5,
        near=0.5,
    )
    answerable = [r for r in rows if r.answerable]
    confidences = np.array([r.confidence(fitted) for r in answerable])
    threshold = _threshold(confidences, [r.set for r in answerable])
    return replace(fitted, threshold=threshold, near=round(threshold / 2, 2))


def _threshold(confidences: NDArray[np.float64], sets: Sequence[str]) -> float:
    """The highest at which at most FALSE_REFUSALS of the questions with these confidences, every one
    of which can be answered, are refused, on average over the sets."""

    def refused(threshold: float) -> float:
        shares = [
            np.mean([c < threshold for c, s in zip(confidences, sets, strict=True) if s == name])
            for name in set(sets)
        ]
        return float(np.mean(shares))

    thresholds = np.linspace(0.05, 0.95, 91)
    return round(float(max(t for t in thresholds if refused(t) <= FALSE_REFUSALS)), 2)


def report(rows: Sequence[Row], fitted: support.Calibration) -> str:
    """A line a set: AUROC, false answers, false refusals, evidence found, on `rows`."""
    lines = [
        f"{'set':20} {'n':>5} {'AUROC':>6} {'false answers':>14} {'false refusals':>15} {'found':>6}"
    ]
    for name in sorted({r.set for r in rows}):
        own = [r for r in rows if r.set == name]
        score = np.array([r.confidence(fitted) for r in own])
        answerable = np.array([r.answerable for r in own])
        found = np.array([r.found for r in own])
        known = auroc(list(score[answerable]), list(score[~answerable]))
        area = float("nan") if known is None else known
        answered = score >= fitted.threshold
        wrong = answered[~answerable].mean() if (~answerable).any() else float("nan")
        lines.append(
            f"{name:20} {len(own):5} {area:6.3f} {wrong:14.3f}"
            f" {1 - answered[answerable].mean():15.3f} {found[answerable].mean():6.3f}"
        )
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument(
        "sets", nargs="+", help="question sets: files, or folders with questions.jsonl"
    )
    parser.add_argument("--work", type=Path, help="where the indexes are kept between runs")
    parser.add_argument("--most", type=int, default=10**6, help="questions of a set")
    parser.add_argument("--dry-run", action="store_true", help="report without writing")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.work or Path(temporary)
        rows = [row for name in arguments.sets for row in measure(name, work, arguments.most)]
    if arguments.work:
        kept = arguments.work / "signals.jsonl"
        kept.write_text("".join(json.dumps(asdict(row)) + "\n" for row in rows), "utf-8")
    fitted = fit([r for r in rows if r.is_for_fitting])
    print(report([r for r in rows if not r.is_for_fitting], fitted))
    if not arguments.dry_run:
        target = Path(support.__file__).parent / "calibration.json"
        target.write_text(json.dumps(asdict(fitted), indent=1) + "\n", "utf-8")
        print(f"wrote {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
