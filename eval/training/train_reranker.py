"""Make the bundled cross-encoder an answer-sentence selector that also knows what is no answer.

    python -m eval.training.train_reranker --data ../shared/bench --out DIR [--minutes 20]
    python -m eval.training.train_reranker --data ../shared/bench --evaluate MODEL.onnx [--report FILE.json]

The int8 weights of ms-marco-MiniLM-L-12-v2 are dequantised into a BERT that can be trained, and put
back into the same ONNX graph, so what comes out is a drop-in: same inputs, output, size and speed.
Two losses share the one logit: a softmax over the sentences offered for a question (Cao et al. 2007,
"ListNet", with one-hot relevance), and a cross-entropy of each sentence alone, which makes logits of
different questions comparable and so says whether anything answers (Rajpurkar, Jia and Liang 2018,
for near-misses written to mislead). Into the softmax of an answered question also go pairs that
differ little from the right one and answer nothing: a question that people wrote to mislead, with the
same sentence, or the question (or the sentence) with a name, number, year or month exchanged for
another of the article, a word for its opposite, a "not" put in or left out (after Gardner et al. 2020,
"contrast sets"). Texts come with the title, the sentence before, both, or neither: the last sentence
is the one judged. The weights of the last part of the training are averaged, and the result with the
bundled weights or those it began from, which keeps what fine-tuning on an encyclopedia would forget about news
(Wortsman et al. 2022, "WiSE-FT").

Trained on: the paragraphs of `squad2_train` whose articles have no question in `squad2` and two
thirds of `clapnq`. Never on `realtimeqa_news`, `rgb_conflict`, `dragonball_finance`, `squad2`, and
not on `multihoprag_facts`, whose licence covers the database but not the news it quotes.
Runs with one seed differ a little: the schedule follows the clock, so that it fits any machine.
What it learns from is in `reranker_data` and `reranker_groups`, the weights' way from ONNX and back in
`reranker_model`, and the figures in `reranker_measure`.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import os
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eval.training.reranker_data import (
    SEED,
    Asked,
    clapnq_split,
    lines,
    plain,
    retrieve_negatives,
    squad,
)
from eval.training.reranker_groups import Batch, batches
from eval.training.reranker_measure import Trial, evaluate, line, measured, selection
from eval.training.reranker_model import (
    OnnxScorer,
    averaged,
    bundled_folder,
    dequantised,
    requantised,
)

MAX_PIECES = 160
LEARNING_RATE = 3e-5
FROZEN_LAYERS = 4
KEPT = (0.0, 0.25, 0.5)
"""Shares of the original weights tried in the average; the selection questions choose."""
KEPT_BEGUN = (0.25, 0.4)
"""Shares of the weights of an earlier run, where it went on from one."""
VALIDATION_ARTICLE = "1973_oil_crisis.md"
DROPOUT = 0.1
"""Of what the trained layers add; none within attention, where it costs most."""
TAIL = 0.7
"""The weights kept are the mean of those after this share of the training."""


def learn(
    bert: Any, every: Sequence[Asked], minutes: float, checkpoint: Path, seed: int = SEED
) -> None:
    """Trains `bert` in place for `minutes`, over and over the questions, each time varied."""
    import torch
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(bundled_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_PIECES, strategy="longest_first")
    tuning = _Tuning(bert)
    rng = random.Random(seed)
    began, step, pairs, mean_loss, saved = time.monotonic(), 0, 0, 0.0, 0.0
    for epoch in range(1_000):
        for batch in batches(every, tokenizer, rng):
            done = (time.monotonic() - began) / (60 * minutes)
            if done >= 1:
                tuning.end()
                print(f"{step} steps, {pairs} pairs, {epoch} whole epochs")
                return
            loss = tuning.step(batch, done)
            step, pairs = step + 1, pairs + len(batch.labels)
            mean_loss += (loss - mean_loss) / min(step, 50)
            if step % 20 == 0:
                rate = pairs / (time.monotonic() - began)
                print(f"{done:4.0%} step {step} loss {mean_loss:.3f} {rate:.0f}/s", flush=True)
            if time.monotonic() - saved > 240:
                saved = time.monotonic()
                torch.save(bert.state_dict(), checkpoint)


class _Tuning:
    """The upper layers of a BERT while they are trained, and the mean of their last weights."""

    def __init__(self, bert: Any) -> None:
        import torch

        for part in (bert.bert.embeddings, *bert.bert.encoder.layer[:FROZEN_LAYERS]):
            part.requires_grad_(False)
        for layer in bert.bert.encoder.layer[FROZEN_LAYERS:]:
            layer.attention.output.dropout.p = layer.output.dropout.p = DROPOUT
        self._bert = bert
        self._trained = [p for p in bert.parameters() if p.requires_grad]
        self._optimiser = torch.optim.AdamW(self._trained, lr=LEARNING_RATE, weight_decay=0.01)
        self._tail: list[Any] = []
        self._counted = 0
        bert.train()

    def step(self, batch: Batch, done: float) -> float:
        """One step; `done` is the share of the training behind it. The loss before it."""
        import torch

        for settings in self._optimiser.param_groups:
            settings["lr"] = LEARNING_RATE * min(1.0, done / 0.05) * (1 - done) + 1e-7
        ids, types, mask = batch.inputs
        with torch.autocast("cpu", torch.bfloat16):
            logits = self._bert(
                input_ids=torch.from_numpy(ids),
                attention_mask=torch.from_numpy(mask),
                token_type_ids=torch.from_numpy(types),
            ).logits[:, 0]
        loss = _loss(logits.float(), batch)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._trained, 1.0)
        self._optimiser.step()
        if done >= TAIL:
            self._counted += 1
            self._tail = self._tail or [p.detach().clone() for p in self._trained]
            for mean, p in zip(self._tail, self._trained, strict=True):
                mean.lerp_(p.detach(), 1 / self._counted)
        return float(loss.detach())

    def end(self) -> None:
        """Gives the model the mean weights."""
        import torch

        self._bert.eval()
        with torch.no_grad():
            for weight, mean in zip(self._trained, self._tail, strict=False):
                weight.copy_(mean)


def _loss(logits: Any, batch: Batch) -> Any:
    """Of each sentence alone, and of each group that holds an answer as a list."""
    import torch
    from torch.nn import functional

    target, weight = torch.from_numpy(batch.labels), torch.from_numpy(batch.weights)
    alone = functional.binary_cross_entropy_with_logits(
        logits, target, weight=weight, reduction="sum"
    )
    lists = []
    for part in batch.groups:
        right = target[part] > 0
        if right.any():
            sure = logits[part] + torch.log(right + (1 - right.float()) * 2 * weight[part])
            lists.append(torch.logsumexp(sure, 0) - torch.logsumexp(logits[part][right], 0))
    loss = alone / weight.sum()
    return loss + torch.stack(lists).sum() / len(batch.groups) if lists else loss


def train(folder: Path, out: Path, minutes: float, threads: int, weights: Path | None) -> None:
    """Trains, from `weights` of an earlier run if there are any, averages, quantises and reports."""
    import onnx
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(SEED)
    out.mkdir(parents=True, exist_ok=True)
    measured_on = {
        plain(q["context"]["file"]) for q in lines(folder / "squad2" / "questions.jsonl")
    }
    articles = squad(folder, {name.lower() for name in measured_on})
    validation = articles.pop(VALIDATION_ARTICLE)
    every = [a for asked in articles.values() for a in asked] + clapnq_split(folder)[0]
    print(f"{len(every)} questions of {len(articles)} articles and clapnq")
    bundled = onnx.load(str(bundled_folder() / "model.onnx"))
    original = dequantised(bundled)
    tuned = copy.deepcopy(original)
    if weights:
        tuned.load_state_dict(torch.load(weights, weights_only=True))
    begun = copy.deepcopy(tuned)
    if minutes > 0:
        retrieve_negatives(every)
        learn(tuned, every, minutes, out / "checkpoint.pt", SEED + bool(weights))
        torch.save(tuned.state_dict(), out / "tuned.pt")
    sets = selection(folder, validation)
    best = -1.0
    mixes = [("as it came", original, 1.0)]
    mixes += [(f"{kept:.0%} of the bundled kept", original, kept) for kept in KEPT]
    if weights and minutes > 0:
        mixes += [(f"{kept:.0%} of {weights} kept", begun, kept) for kept in KEPT_BEGUN]
    for label, other, kept in mixes:
        mixed = averaged(other, tuned, kept)
        data = requantised(bundled, mixed.eval()).SerializeToString()
        rows = [(name, measured(OnnxScorer(data, threads), cut)) for name, cut in sets]
        score = float(np.mean([r["first"] + r["auroc"] for _, r in rows]) / 2)
        print(label, f"{score:.4f}")
        for name, row in rows:
            print("  ", name, line(row), flush=True)
        if kept < 1 and score > best:
            best = score
            (out / "reranker.onnx").write_bytes(data)
            (out / "checked.txt").write_text(
                f"{label}; int8 against float32: {_rounding(mixed, data, sets[0][1])}\n"
            )
    data = (out / "reranker.onnx").read_bytes()
    print((out / "checked.txt").read_text(), len(data), hashlib.sha256(data).hexdigest())


def _rounding(bert: Any, data: bytes, cut: Sequence[Trial]) -> str:
    """How far int8 moves the logits."""
    import torch

    scorer = OnnxScorer(data)
    moved: list[float] = []
    for trial in cut[:80]:
        texts = [c.shown for c in trial.candidates]
        ids, types, mask = scorer.inputs(trial.question, texts)
        with torch.no_grad():
            exact = bert(
                input_ids=torch.from_numpy(ids),
                attention_mask=torch.from_numpy(mask),
                token_type_ids=torch.from_numpy(types),
            ).logits[:, 0]
        moved += np.abs(scorer.scores(trial.question, texts) - exact.numpy()).tolist()
    return f"mean {np.mean(moved):.3f}, largest {np.max(moved):.3f} over {len(moved)} texts"


def main() -> None:
    # Threads that wait by spinning starve one another on a machine that is shared; torch reads these.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of benchmarks")
    parser.add_argument("--out", type=Path, help="train, and write reranker.onnx here")
    parser.add_argument("--minutes", type=float, default=20, help="of training")
    parser.add_argument(
        "--weights",
        type=Path,
        help="tuned.pt of an earlier run, to go on from (--minutes 0: only to choose and quantise)",
    )
    parser.add_argument("--evaluate", type=Path, metavar="MODEL.onnx")
    parser.add_argument(
        "--against", type=Path, metavar="MODEL.onnx", help="compare with this, not the bundled one"
    )
    parser.add_argument("--report", type=Path, help="write the evaluation's figures here")
    parser.add_argument("--limit", type=int, default=250, help="questions of a set, open retrieval")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    if given.out:
        train(given.data, given.out, given.minutes, given.threads, given.weights)
    if given.evaluate:
        report = evaluate(given.data, given.evaluate, given.limit, given.threads, given.against)
        if given.report:
            given.report.write_text(json.dumps(report, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
