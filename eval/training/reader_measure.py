"""How well a reader finds the sentence that answers, and knows when none does, on files left out.

    python -m eval.training.reader_measure --data ../shared --passages READER.onnx
        --sentences RERANKER.onnx ... [--keep DIR] [--limit 120]

The protocol, one for readers of passages and of single sentences: a question is offered the sentences
of its own article and the best of those that BM25 finds in all taught articles. *First*: of the
answerable questions, those whose best sentence is evidence. *AUROC*: answerable against unanswerable
by the best score. *False answers*: unanswerable questions answered at the threshold that refuses a
tenth of the answerable. Exact match and F1 of the short answer as SQuAD's (Rajpurkar et al. 2016),
over questions whose answer stands word for word in its evidence, the sentence being chosen too.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import string
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from eval.training.reader_data import KINDS, SEED, Article, Asked, Bm25, Window, taught, words
from eval.training.reader_text import Encoder, Read, best_span, padded, pooled, session

BM25_PASSAGES = 6
BM25_SENTENCES = 12
REFUSED = 0.1
Place = tuple[int, int]
"""An article and a sentence of it."""


@dataclass
class Trial:
    """A question with the sentences it is offered."""

    asked: Asked
    offered: list[Place]


@dataclass
class Outcome:
    """What a model says of one question."""

    scores: list[float]
    """Of each sentence offered."""
    answer: str = ""
    """The short answer within the best sentence, where the model gives one."""
    kind: int = -1


@dataclass
class Taught:
    """All taught articles, and the questions of the files to measure on."""

    articles: list[Article]
    trials: list[Trial] = field(default_factory=list)


def prepared(folder: Path, held: Sequence[str], limit: int = 0) -> Taught:
    """The questions of the files `held`, each with its own article's sentences and BM25's."""
    files = sorted(p.stem for p in folder.glob("*.jsonl") if p.stem != "turns")
    articles, every = taught(folder, files)
    places = [(a, *p) for a, article in enumerate(articles) for p in article.passages]
    index = Bm25([f"{articles[a].title} {_text(articles[a], i, j)}" for a, i, j in places])
    made = Taught(articles)
    asked_of = [asked for asked in every if articles[asked.article].group in held]
    random.Random(SEED).shuffle(asked_of)  # so that the first of them are a sample
    del asked_of[limit or len(asked_of) :]
    for asked in asked_of:
        own = [(asked.article, n) for n in range(len(articles[asked.article].sentences))]
        found = [p for p in _found(asked, articles, index, places) if p not in own]
        made.trials.append(Trial(asked, own + found))
    return made


def _text(article: Article, first: int, end: int) -> str:
    return " ".join(article.sentences[first:end])


def _found(
    asked: Asked,
    articles: Sequence[Article],
    index: Bm25,
    places: Sequence[tuple[int, int, int]],
) -> list[Place]:
    """At most BM25_SENTENCES of BM25's best passages, by rank and words shared, rare ones more."""
    wanted = {w: index.rarity(w) for w in set(words(asked.question))}
    total = sum(wanted.values()) or 1.0
    scored = []
    for rank, n in enumerate(index.best(asked.question, BM25_PASSAGES)):
        a, first, end = places[n]
        for i in range(first, end):
            said = set(words(articles[a].sentences[i]))
            shared = sum(r for w, r in wanted.items() if w in said) / total
            scored.append((-shared - 1 / (1 + rank), a, i))
    return [(a, i) for _, a, i in sorted(scored)[:BM25_SENTENCES]]


class Model(Protocol):
    """Scores the sentences of a trial."""

    def outcome(self, trial: Trial, articles: Sequence[Article]) -> Outcome: ...


class SentenceModel:
    """A cross-encoder of one sentence at a time: "headline. sentence", as the model card has it."""

    def __init__(self, file: Path, threads: int = 1) -> None:
        self._session = session(str(file), threads)
        self._encoder = Encoder()

    def outcome(self, trial: Trial, articles: Sequence[Article]) -> Outcome:
        """Batches of eight of like length."""
        reads = [
            self._encoder.read(
                Window(
                    trial.asked.question,
                    articles[a].title,
                    [articles[a].sentences[n]],
                    [0],
                    None,
                    -1,
                )
            )
            for a, n in trial.offered
        ]
        scores = np.empty(len(reads), dtype=np.float32)
        order = sorted(range(len(reads)), key=lambda n: len(reads[n].ids))
        for at in range(0, len(order), 8):
            batch = order[at : at + 8]
            scores[batch] = _run(self._session, padded([reads[n] for n in batch]))[0][:, 0]
        return Outcome([float(s) for s in scores])


class PassageModel:
    """The passage reader, exported: it reads the passages that hold the sentences offered."""

    def __init__(self, file: Path, threads: int = 1, batch: int = 4) -> None:
        self._session = session(str(file), threads)
        self._encoder = Encoder()
        self._batch = batch

    def forward(self, arrays: NDArray[np.int64]) -> list[NDArray[Any]]:
        """Scores of windows, heads of tokens, heads of kinds (a piece each)."""
        window, tokens, kind = _run(self._session, arrays)
        return [window[:, 0], tokens, kind]

    def outcome(self, trial: Trial, articles: Sequence[Article]) -> Outcome:
        """Of each sentence offered the score in its passage; the answer from the best one."""
        runs = _passages(trial, articles)
        reads = [
            self._encoder.read(_whole(trial.asked, articles[a], first, end))
            for a, first, end in runs
        ]
        found: dict[Place, tuple[float, int]] = {}
        details: dict[int, tuple[NDArray[Any], NDArray[Any], NDArray[np.int64]]] = {}
        order = sorted(range(len(reads)), key=lambda n: len(reads[n].ids))
        for at in range(0, len(order), self._batch):
            batch = order[at : at + self._batch]
            arrays = padded([reads[n] for n in batch])
            window, tokens, kind = self.forward(arrays)
            each = pooled(window, tokens, arrays[3])
            for row, (n, of_sentences) in enumerate(zip(batch, each, strict=True)):
                a, first, _ = runs[n]
                asked = (arrays[1, row] == 0) & (arrays[2, row] == 1)
                details[n] = (tokens[row], kind[row][asked].mean(0), arrays[3, row])
                for i, score in enumerate(of_sentences):
                    found[(a, first + i)] = (float(score), n)
        scores = [found.get(place, (-1e4, 0))[0] for place in trial.offered]
        best = trial.offered[int(np.argmax(scores))]
        n = found[best][1]
        text = _answer(reads[n], details[n][0], details[n][2], best[1] - runs[n][1])
        return Outcome(scores, text, int(details[n][1].argmax()))


def _run(session_: Any, arrays: NDArray[np.int64]) -> list[NDArray[Any]]:
    names = ("input_ids", "token_type_ids", "attention_mask")
    outputs: list[NDArray[Any]] = session_.run(None, dict(zip(names, arrays[:3], strict=True)))
    return outputs


def _passages(trial: Trial, articles: Sequence[Article]) -> list[tuple[int, int, int]]:
    wanted: dict[tuple[int, int, int], None] = {}
    for a, n in trial.offered:
        first, end = next(p for p in articles[a].passages if p[0] <= n < p[1])
        wanted[(a, first, end)] = None
    return list(wanted)


def _whole(asked: Asked, article: Article, first: int, end: int) -> Window:
    sentences = article.sentences[first:end]
    return Window(asked.question, article.title, sentences, [0] * len(sentences), None, -1)


def _answer(read: Read, tokens: NDArray[Any], sentence: NDArray[np.int64], n: int) -> str:
    places = np.flatnonzero(sentence == n)
    first, last = best_span(tokens, places)
    return read.window.sentences[n][read.offsets[first][0] : read.offsets[last][1]]


# --- figures -----------------------------------------------------------------------------------


def folded(text: str) -> list[str]:
    """As SQuAD compares answers: small letters, no punctuation, no articles."""
    kept = "".join(c for c in text.lower() if c not in string.punctuation + "“”‘’")
    return [w for w in kept.split() if w not in ("a", "an", "the")]


def token_f1(one: str, two: str) -> float:
    """F1 of the words two answers share."""
    a, b = folded(one), folded(two)
    common = sum((Counter(a) & Counter(b)).values())
    return 2 * common / (len(a) + len(b)) if common else float(a == b)


def auroc(positive: NDArray[Any], negative: NDArray[Any]) -> float:
    """The chance that a positive lies above a negative."""
    return float(
        (positive[:, None] > negative).mean() + 0.5 * (positive[:, None] == negative).mean()
    )


def figures(trials: Sequence[Trial], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """See the module."""
    best: dict[bool, list[float]] = {True: [], False: []}
    first: list[bool] = []
    exact, f1, kinds = [], [], []
    for trial, outcome in zip(trials, outcomes, strict=True):
        top = int(np.argmax(outcome.scores))
        best[bool(trial.asked.right)].append(outcome.scores[top])
        kinds.append(outcome.kind == trial.asked.kind)
        if not trial.asked.right:
            continue
        a, n = trial.offered[top]
        first.append(a == trial.asked.article and n in trial.asked.right)
        if trial.asked.spans:
            gold = re.sub(r"^(?:yes|no)[,;:.]?\s+", "", trial.asked.answer, flags=re.IGNORECASE)
            exact.append(folded(gold) == folded(outcome.answer))
            f1.append(token_f1(gold, outcome.answer))
    yes, no = np.array(best[True]), np.array(best[False])
    threshold = float(np.quantile(yes, REFUSED))
    return {
        "questions": len(outcomes),
        "answerable": len(yes),
        "first": float(np.mean(first)),
        "auroc": auroc(yes, no),
        "auroc_95": _interval(yes, no),
        "false_answers_at_10_refused": float((no >= threshold).mean()),
        "answered_rightly_at_10_refused": float(np.mean(np.array(first) & (yes >= threshold))),
        "exact": float(np.mean(exact)),
        "f1": float(np.mean(f1)),
        "spans": len(exact),
        "kind": float(np.mean(kinds)),
    }


def _interval(yes: NDArray[Any], no: NDArray[Any]) -> list[float]:
    rng = np.random.default_rng(13)
    drawn = [auroc(rng.choice(yes, len(yes)), rng.choice(no, len(no))) for _ in range(300)]
    return [round(float(q), 3) for q in np.quantile(drawn, [0.025, 0.975])]


def by_kind(trials: Sequence[Trial], outcomes: Sequence[Outcome]) -> dict[str, tuple[int, float]]:
    """*First* by kind of question, with how many there are."""
    hits: dict[str, list[bool]] = defaultdict(list)
    for trial, outcome in zip(trials, outcomes, strict=True):
        if trial.asked.right:
            a, n = trial.offered[int(np.argmax(outcome.scores))]
            right = a == trial.asked.article and n in trial.asked.right
            hits[KINDS[trial.asked.kind] if trial.asked.kind >= 0 else "?"].append(right)
    return {k: (len(v), round(float(np.mean(v)), 2)) for k, v in sorted(hits.items())}


def measured(name: str, model: Model, made: Taught, keep: Path | None = None) -> dict[str, Any]:
    """The figures of a model, printed. What it says of each question goes to the file `keep`, and
    what stands there already is not asked again: a measuring that broke off goes on."""
    known = _known(keep) if keep else {}
    outcomes, began, fresh = [], time.process_time(), 0
    for trial in made.trials:
        key = json.dumps([made.articles[trial.asked.article].name, trial.asked.question])
        if key not in known:
            known[key] = model.outcome(trial, made.articles)
            fresh += 1
            if keep:
                with keep.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([key, asdict(known[key])]) + "\n")
        outcomes.append(known[key])
    found = figures(made.trials, outcomes)
    if fresh:
        found["cpu_ms_per_question"] = 1000 * (time.process_time() - began) / fresh
    shown = {k: round(v, 3) if isinstance(v, float) else v for k, v in found.items()}
    print(name, json.dumps(shown), flush=True)
    print("  first by kind", json.dumps(by_kind(made.trials, outcomes)), flush=True)
    return found


def _known(keep: Path) -> dict[str, Outcome]:
    if not keep.is_file():
        return {}
    rows = [json.loads(line) for line in keep.read_text("utf-8").splitlines()]
    return {key: Outcome(**said) for key, said in rows}


HELD = ("science-health-technology",)
"""The one taught file that the weights in `taught/start` have not seen."""


def compare(
    data: Path,
    models: Sequence[tuple[str, Model, Path | None]],
    held: Sequence[str],
    limit: int,
) -> None:
    """Every model by the same protocol, each printed as it comes."""
    made = prepared(data / "taught", held, limit)
    right = sum(bool(t.asked.right) for t in made.trials)
    offered = float(np.mean([len(t.offered) for t in made.trials]))
    print(f"{held}: {len(made.trials)} questions, {right} answerable, {offered:.1f} sentences")
    for name, model, keep in models:
        measured(name, model, made, keep)


def kept(folder: Path | None, model: Path) -> Path | None:
    """Where the scores of a model are kept; another file is another model, whatever its name."""
    if folder is None:
        return None
    return folder / f"scores.{hashlib.sha256(model.read_bytes()).hexdigest()[:8]}.jsonl"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of taught/")
    parser.add_argument("--passages", type=Path, nargs="*", default=[], metavar="READER.onnx")
    parser.add_argument("--sentences", type=Path, nargs="*", default=[], metavar="RERANKER.onnx")
    parser.add_argument("--keep", type=Path, help="a folder for what each model says")
    parser.add_argument("--held", nargs="*", default=list(HELD), help="taught files to ask")
    parser.add_argument("--limit", type=int, default=0, help="questions (0: all)")
    given = parser.parse_args()
    models: list[tuple[str, Model, Path | None]] = []
    for files, kind in ((given.passages, PassageModel), (given.sentences, SentenceModel)):
        models += [(str(file), kind(file), kept(given.keep, file)) for file in files]
    compare(given.data, models, given.held, given.limit)


if __name__ == "__main__":
    main()
