"""How well a cross-encoder selects answer sentences, and knows what is none, on the benchmarks."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.language.words import content_terms
from eval.training.reranker_data import SEED, Asked, Bm25, clapnq_split, holds, lines
from eval.training.reranker_model import OnnxScorer, bundled_folder
from indexing import chunk
from indexing.reading import clean, read

TESTS = ("realtimeqa_news", "squad2", "rgb_conflict", "dragonball_finance")
"""Neither trained on nor used to choose."""
CHOOSE_BY = ("clapnq", "multihoprag_facts")
CANDIDATES = 20
PASSAGES = 6


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence where it stands; `text` is the sentence, `shown` what the model reads."""

    file: str
    start: int
    end: int
    text: str
    shown: str


@dataclass(frozen=True, slots=True)
class Trial:
    """A question of a benchmark with the sentences to choose from."""

    id: str
    question: str
    answerable: bool
    answers: tuple[str, ...]
    evidence: tuple[tuple[str, int, int], ...]
    candidates: tuple[Candidate, ...]


class Corpus:
    """A benchmark's documents, cut as the product cuts them, with BM25 over their passages."""

    def __init__(self, folder: Path) -> None:
        self.passages: list[list[Candidate]] = []
        for path in sorted(folder.iterdir()):
            documents, _ = read.read_documents(path.name, path.read_bytes())
            for document in documents:
                text, boilerplate = clean.clean(document)
                metadata = dict(document.metadata)
                first = next((line for line in text.splitlines() if line.strip()), "")
                title = " ".join((metadata.get("title") or first).split())[:160]
                for p in chunk.passages(path.name, document.raw, text, boilerplate, 600):
                    cut = [(s.start, s.end, document.raw[s.start : s.end]) for s in p.sentences]
                    self.passages.append(
                        [Candidate(path.name, a, b, t, f"{title}. {t}") for a, b, t in cut]
                    )
        self._index = Bm25([" ".join(c.shown for c in p) for p in self.passages])

    def open(self, question: str) -> tuple[Candidate, ...]:
        """At most CANDIDATES sentences of the PASSAGES best passages, as `assistant.answering.quotes`."""
        wanted = set(content_terms(question))
        scored = []
        for rank, n in enumerate(self._index.best(question, PASSAGES)):
            for i, c in enumerate(self.passages[n]):
                shared = len(wanted & set(content_terms(c.text))) / max(1, len(wanted))
                scored.append((-shared - 1 / (1 + rank), rank, i, c))
        return tuple(entry[3] for entry in sorted(scored, key=lambda e: e[:3])[:CANDIDATES])

    def within(self, file: str, start: int, end: int) -> tuple[Candidate, ...]:
        """The sentences of one paragraph."""
        return tuple(
            c
            for p in self.passages
            for c in p
            if c.file == file and c.start < end and start < c.end
        )


def trials(folder: Path, limit: int, names: Sequence[str]) -> Iterator[tuple[str, list[Trial]]]:
    """Questions with sentences of what BM25 finds, and of the gold paragraph where one is known."""
    for name in names:
        corpus = Corpus(folder / name / "corpus")
        questions = lines(folder / name / "questions.jsonl")
        if name == "clapnq":
            seen = {asked.question for asked in clapnq_split(folder)[0]}
            questions = [q for q in questions if q["question"] not in seen]
        if name == "multihoprag_facts":
            questions = [q for q in questions if q["type"] in ("inference_query", "null_query")]
        order = random.Random(SEED).sample(range(len(questions)), len(questions))
        questions = [questions[n] for n in order]
        if name in ("squad2", "clapnq"):
            cut = [_trial(q, corpus.within(*_context(q))) for q in questions]
            yield f"{name}, its paragraph", cut
        yield name, [_trial(q, corpus.open(q["question"])) for q in questions[:limit]]


def _context(q: dict[str, Any]) -> tuple[str, int, int]:
    return q["context"]["file"], q["context"]["start"], q["context"]["end"]


def _trial(q: dict[str, Any], candidates: tuple[Candidate, ...]) -> Trial:
    evidence = [*q["evidence"], *q.get("conflict_evidence", ())]
    answers = [*q["answers"], *q.get("counterfactual_answers", ())]
    return Trial(
        id=q["id"],
        question=q["question"],
        answerable=q["answerable"],
        answers=tuple(a for a in answers if len(a.split()) <= 12),
        evidence=tuple((e["file"], e["start"], e["end"]) for e in evidence),
        candidates=candidates,
    )


def auroc(
    positive: Sequence[float] | NDArray[Any], negative: Sequence[float] | NDArray[Any]
) -> float | None:
    """The chance that an answerable question's best logit is above an unanswerable one's."""
    if not len(positive) or not len(negative):
        return None
    one, two = np.asarray(positive)[:, None], np.asarray(negative)[None, :]
    return float((one > two).mean() + 0.5 * (one == two).mean())


def measured(scorer: OnnxScorer, cut: Sequence[Trial]) -> dict[str, Any]:
    """`first`: the best sentence holds an answer or overlaps evidence; `evidence`: overlaps it;
    both over answerable questions, those whose sentence was never offered included."""
    first, exact, offered = [], [], []
    best: dict[bool, list[float]] = {True: [], False: []}
    began, read_texts = time.process_time(), 0
    for trial in cut:
        if not trial.candidates:
            continue
        scores = scorer.scores(trial.question, [c.shown for c in trial.candidates])
        read_texts += len(scores)
        best[trial.answerable].append(float(scores.max()))
        if not trial.answerable:
            continue
        hits = [_overlaps(c, trial.evidence) for c in trial.candidates]
        fits = [
            h or holds(c.text, trial.answers) for h, c in zip(hits, trial.candidates, strict=True)
        ]
        top = int(scores.argmax())
        first.append(fits[top])
        exact.append(hits[top])
        offered.append(any(fits))
    quantiles = {
        str(answerable).lower(): np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95])
        .round(2)
        .tolist()
        for answerable, values in best.items()
        if values
    }
    return {
        "n": len(best[True]) + len(best[False]),
        "answerable": len(best[True]),
        "offered": _mean(offered),
        "first": _mean(first),
        "evidence": _mean(exact),
        "auroc": auroc(best[True], best[False]),
        "best_logit_5_25_50_75_95": quantiles,
        "cpu_ms_per_text": 1000 * (time.process_time() - began) / max(1, read_texts),
        "right": first,
        "best": best,
    }


def auroc_change(one: dict[str, Any], two: dict[str, Any], times: int = 1_000) -> list[float]:
    """The bootstrap 95% interval of what the second model's AUROC is above the first's."""
    rng = np.random.default_rng(SEED)
    scores = {a: np.array([one["best"][a], two["best"][a]]) for a in (True, False)}
    changes = []
    for _ in range(times):
        drawn = {a: s[:, rng.integers(0, s.shape[1], s.shape[1])] for a, s in scores.items()}
        before, after = (auroc(drawn[True][n], drawn[False][n]) for n in (0, 1))
        changes.append((after or 0.0) - (before or 0.0))
    return [round(float(q), 3) for q in np.quantile(changes, [0.025, 0.975])]


def _overlaps(c: Candidate, evidence: Sequence[tuple[str, int, int]]) -> bool:
    return any(c.file == f and c.start < end and start < c.end for f, start, end in evidence)


def _mean(values: Sequence[bool]) -> float | None:
    return sum(values) / len(values) if values else None


def selection(folder: Path, validation: Sequence[Asked]) -> list[tuple[str, list[Trial]]]:
    """What the average is chosen by: an article held back, and the two sets of other kinds."""
    held = []
    for n, asked in enumerate(validation):
        cut = tuple(
            Candidate("", i, i + 1, s, f"{asked.title}. {s}") for i, s in enumerate(asked.sentences)
        )
        spans = tuple(("", i, i + 1) for i in sorted(asked.right))
        held.append(Trial(str(n), asked.question, bool(asked.right), (), spans, cut))
    others = [entry for entry in trials(folder, 80, CHOOSE_BY) if entry[0] != "clapnq"]
    return [("squad2_train, one article", held[::2]), *others]


def evaluate(
    folder: Path, model: Path, limit: int, threads: int, against: Path | None = None
) -> dict[str, Any]:
    """The model `against` (the bundled one) and `model` on every set, printed as they come."""
    against = against or bundled_folder() / "model.onnx"
    old, new = OnnxScorer(str(against), threads), OnnxScorer(str(model), threads)
    report: dict[str, Any] = {}
    for name, cut in trials(folder, limit, (*TESTS, *CHOOSE_BY)):
        one, two = measured(old, cut), measured(new, cut)
        won = sum(b and not a for a, b in zip(one["right"], two["right"], strict=True))
        lost = sum(a and not b for a, b in zip(one["right"], two["right"], strict=True))
        print(
            f"{name}: {two['n']} questions, {two['answerable']} answerable, {won} won, {lost} lost"
        )
        for label, row in (("before", one), ("model", two)):
            print("  ", label, line(row), row["best_logit_5_25_50_75_95"], flush=True)
        change = auroc_change(one, two) if two["auroc"] is not None else None
        print("   change of auroc, 95%:", change, flush=True)
        report[name] = {
            "auroc_change": change,
            "before": _kept(one),
            "model": _kept(two),
            "won": won,
            "lost": lost,
        }
    return report


def line(row: dict[str, Any]) -> str:
    shown = ("offered", "first", "evidence", "auroc", "cpu_ms_per_text")
    return ", ".join(f"{k} {row[k]:.3f}" for k in shown if row[k] is not None)


def _kept(row: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in row.items() if k not in ("right", "best")}
