"""Teach the passage reader, export it to one int8 ONNX file, measure it on files left out.

    python -m eval.training.reader --data ../shared --out DIR --minutes 70    # train, export, measure
    python -m eval.training.reader --data ../shared --out DIR --resume [--minutes 60]
    python -m eval.training.reader --data ../shared --out DIR --evaluate [--against MODEL.onnx ...]
    python -m eval.training.reader --data ../shared --out DIR --speed

Loss, for the windows offered for a question together: a softmax over their sentences and "none of
them", one-hot or, where several are right, over their sum (Cao et al. 2007, "ListNet"; Rajpurkar, Jia
and Liang 2018, for "none"); a binary cross-entropy of each sentence against "none", which makes
scores of different questions comparable; start and end of the short answer (Devlin et al. 2019); on
the side, the kind of the question. The embeddings and the lowest layers are frozen. `--resume` goes
on where a run broke off; with `--minutes` it begins another fall of the learning rate. Minutes on
a CPU are those the training was given, not those that passed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from eval.training import reader_data, reader_measure, reader_model, reader_text
from eval.training.reader_data import Article, Asked
from eval.training.reader_model import PassageReader
from eval.training.reader_text import Read
from eval.training.reranker_model import dequantised

VALIDATION_ARTICLE = "squad2_train 1973 oil crisis"
"""Kept back by `eval.training.train_reranker` to choose with; kept back here as well."""
FROZEN_LAYERS = 4
BATCH_PIECES = 2_048
LEARNING_RATE = 6e-5
HEADS_RATE = 6e-4
MORE = 0.5
"""How often a second window is offered."""
OTHERS = 0.3
"""Share of the questions of squad2_train and clapnq that go into an epoch."""
EXCHANGED = 0.08
"""Share of the questions that are asked of another name or number than the windows tell of."""
RELATIVE = 0.6
"""Of those that ask for a day the window names, the share where it counts to it instead."""
ALONE, SPAN, KIND = 0.3, 0.3, 0.2
"""What the other losses count beside the softmax."""
SAVE_EVERY = 600.0
Group = list[Read]


@dataclass
class Progress:
    """Where a training stands."""

    epoch: int = 0
    batch: int = 0
    """Of the epoch, the next one."""
    steps: int = 0
    pieces: int = 0
    seconds: float = 0.0
    """Of work in all runs; `spent` of `planned` are those of the present one."""
    spent: float = 0.0
    planned: float = 0.0


# --- data ----------------------------------------------------------------------------------------


def sources(shared: Path, held: Sequence[str]) -> list[tuple[list[Article], list[Asked]]]:
    """Taught articles but those of the files `held`, squad2_train, clapnq."""
    folder = shared / "taught"
    files = sorted(p.stem for p in folder.glob("*.jsonl") if p.stem not in ("turns", *held))
    found = [reader_data.taught(folder, files), reader_data.squad(shared / "bench")]
    found.append(reader_data.clapnq(shared / "bench"))
    articles, every = found[1]
    kept = [a for a in every if articles[a.article].group.lower() != VALIDATION_ARTICLE]
    found[1] = (articles, kept)
    for articles, every in found:
        reader_data.add_foreign(articles, every)
    print([(len(articles), len(every)) for articles, every in found], "articles, questions")
    return found


def epoch_of(
    found: Sequence[tuple[list[Article], list[Asked]]],
    encoder: reader_text.Encoder,
    epoch: int,
) -> list[list[Group]]:
    """The batches of an epoch: the same whenever they are made."""
    rng = random.Random(reader_data.SEED + epoch)
    groups: list[Group] = []
    for n, (articles, every) in enumerate(found):
        names = reader_data.names_of(every)
        drawn = every if n == 0 else rng.sample(every, round(OTHERS * len(every)))
        for asked in drawn:
            windows = reader_data.offered(asked, articles, rng, MORE)
            if rng.random() < RELATIVE:
                reader_data.made_relative(windows, rng)
            if rng.random() < EXCHANGED:
                reader_data.exchanged(windows, names, rng)
            question = reader_data.as_typed(windows[0].question, rng)
            for window in windows:
                window.question = question
            groups.append([encoder.read(window) for window in windows])
    groups.sort(key=lambda g: max(len(r.ids) for r in g) + rng.random() * 24)
    batches: list[list[Group]] = []
    size = BATCH_PIECES + 1
    for g in groups:
        own = sum(len(r.ids) for r in g)
        if size + own > BATCH_PIECES:
            batches.append([])
            size = 0
        batches[-1].append(g)
        size += own
    rng.shuffle(batches)
    return batches


# --- losses --------------------------------------------------------------------------------------


def losses(model: PassageReader, batch: Sequence[Group], device: str) -> dict[str, Tensor]:
    """Each loss a question, on average."""
    reads = [r for g in batch for r in g]
    ids, types, mask, sentence = torch.from_numpy(reader_text.padded(reads)).to(device)
    most = max(len(r.window.sentences) for r in reads)
    labels = torch.full((len(reads), most), -1)
    for row, r in enumerate(reads):
        labels[row, : len(r.window.labels)] = torch.tensor(r.window.labels)
    labels = labels.to(device)
    window, tokens, kind = model(ids, types, mask)
    scores = reader_model.sentence_scores(window, tokens, sentence, most)
    labels = labels.masked_fill(scores < -9e3, -1)
    group = torch.tensor([n for n, g in enumerate(batch) for _ in g], device=device)
    alone = functional.binary_cross_entropy_with_logits(
        scores, (labels == 1).float(), weight=(labels >= 0).float(), reduction="sum"
    )
    return {
        "list": _listwise(scores, labels, group, len(batch)) / len(batch),
        "alone": alone / len(batch),
        "span": _spans(tokens, sentence, reads) / len(batch),
        "kind": _kinds(reader_model.question_kind(kind, types, mask), batch, device),
    }


def _listwise(scores: Tensor, labels: Tensor, group: Tensor, groups: int) -> Tensor:
    """-log of the share of what is right: right sentences, or "none of them" at 0."""
    lists = []
    for n in range(groups):
        own, said = scores[group == n].flatten(), labels[group == n].flatten()
        everything = functional.pad(own[said >= 0], (1, 0))  # "none of them" has the score 0
        right = own[said == 1] if (said == 1).any() else everything[:1]
        lists.append(torch.logsumexp(everything, 0) - torch.logsumexp(right, 0))
    return torch.stack(lists).sum()


def _spans(tokens: Tensor, sentence: Tensor, reads: Sequence[Read]) -> Tensor:
    rows = [n for n, r in enumerate(reads) if r.start >= 0]
    if not rows:
        return tokens.sum() * 0
    logits = tokens[rows].masked_fill(sentence[rows][:, :, None] < 0, -1e4)
    loss = tokens.new_zeros(())
    for part, marked in (
        (reader_text.START, [reads[n].start for n in rows]),
        (reader_text.END, [reads[n].end for n in rows]),
    ):
        target = torch.tensor(marked, device=tokens.device)
        loss = loss + 0.5 * functional.cross_entropy(logits[:, :, part], target, reduction="sum")
    return loss


def _kinds(kind: Tensor, batch: Sequence[Group], device: str) -> Tensor:
    target = []
    for g in batch:  # of a question's windows the first is its own
        target += [g[0].window.kind, *[-1] * (len(g) - 1)]
    if max(target) < 0:
        return kind.sum() * 0
    return functional.cross_entropy(kind, torch.tensor(target, device=device), ignore_index=-1)


# --- training ------------------------------------------------------------------------------------


class Trainer:
    """The model, its optimiser, and where they stand; `save` and `load` keep all of it."""

    def __init__(self, start: Path, out: Path, device: str, rate: float, dropout: float) -> None:
        import onnx

        self.out, self.device, self.rate = out, device, rate
        self.graph = onnx.load(str(start))
        torch.manual_seed(reader_data.SEED)
        self.model = PassageReader(dequantised(self.graph, attention="sdpa")).to(device)
        bert = self.model.encoder.bert
        for part in (bert.embeddings, *bert.encoder.layer[:FROZEN_LAYERS]):
            part.requires_grad_(False)
        for layer in bert.encoder.layer[FROZEN_LAYERS:]:
            layer.attention.output.dropout.p = layer.output.dropout.p = dropout
        heads = [*self.model.tokens.parameters(), *self.model.kind.parameters()]
        body = [p for p in self.model.encoder.parameters() if p.requires_grad]
        self.trained = heads + body
        self.optimiser = torch.optim.AdamW(
            [
                {"params": heads, "top": HEADS_RATE * rate / LEARNING_RATE},
                {"params": body, "top": rate},
            ],
            lr=rate,
            weight_decay=0.01,
        )
        self.progress = Progress()

    @property
    def checkpoint(self) -> Path:
        return self.out / "checkpoint.pt"

    def save(self) -> None:
        """Written beside, then moved: a training killed while it writes loses nothing."""
        state = {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "progress": asdict(self.progress),
        }
        beside = self.checkpoint.with_suffix(".part")
        torch.save(state, beside)
        beside.replace(self.checkpoint)

    def load(self, file: Path | None = None) -> None:
        """Goes on from a checkpoint."""
        state = torch.load(file or self.checkpoint, weights_only=True, map_location=self.device)
        self.model.load_state_dict(state["model"])
        tops = [part["top"] for part in self.optimiser.param_groups]
        self.optimiser.load_state_dict(state["optimiser"])
        for part, top in zip(self.optimiser.param_groups, tops, strict=True):
            part["top"] = top  # as given now, not as then
        self.progress = Progress(**state["progress"])

    def factor(self) -> float:
        """Of the learning rate: up within 3%, level to 40%, then down to nothing."""
        done = self.progress.spent / self.progress.planned
        return min(1.0, done / 0.03 + 0.02, (1 - done) / 0.6 + 1e-3)

    def step(self, batch: Sequence[Group]) -> dict[str, float]:
        """One step of the optimiser."""
        for part in self.optimiser.param_groups:
            part["lr"] = part["top"] * self.factor()
        fast = self.device != "cpu"
        with torch.autocast(self.device.split(":")[0], torch.bfloat16, enabled=fast):
            found = losses(self.model, batch, self.device)
        total = found["list"] + ALONE * found["alone"] + SPAN * found["span"] + KIND * found["kind"]
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimiser.step()
        return {name: float(loss.detach()) for name, loss in found.items()}

    def learn(self, found: Sequence[tuple[list[Article], list[Asked]]]) -> None:
        """Trains until the planned time is spent, saving as it goes."""
        encoder, saved = reader_text.Encoder(), time.monotonic()
        mean: dict[str, float] = {}
        self.model.train()
        for batch in self._batches(found, encoder):
            began = self._clock()
            for name, loss in self.step(batch).items():
                mean[name] = 0.97 * mean.get(name, loss) + 0.03 * loss
            took = self._clock() - began
            p = self.progress
            p.steps, p.batch = p.steps + 1, p.batch + 1
            p.seconds, p.spent = p.seconds + took, p.spent + took
            p.pieces += sum(len(r.ids) for g in batch for r in g)
            if p.steps % 25 == 0:
                self._log(mean)
            if time.monotonic() - saved > SAVE_EVERY:
                saved = time.monotonic()
                self.save()
        self.model.eval()
        self.save()

    def _clock(self) -> float:
        """Seconds of work: on a CPU that others use as well, waiting must not lower the rate."""
        if self.device == "cpu":
            return time.process_time() / torch.get_num_threads()
        return time.monotonic()

    def _batches(
        self, found: Sequence[tuple[list[Article], list[Asked]]], encoder: reader_text.Encoder
    ) -> Iterator[list[Group]]:
        while True:
            batches = epoch_of(found, encoder, self.progress.epoch)
            print(f"epoch {self.progress.epoch}: {len(batches)} batches", flush=True)
            while self.progress.batch < len(batches):
                if self.progress.spent >= self.progress.planned:
                    return
                yield batches[self.progress.batch]
            self.progress.epoch += 1
            self.progress.batch = 0

    def _log(self, mean: dict[str, float]) -> None:
        p = self.progress
        row = {**asdict(p), "rate": p.pieces / max(1.0, p.seconds), **mean}
        with (self.out / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps({k: round(v, 4) for k, v in row.items()}) + "\n")
        print(
            f"{p.spent / p.planned:4.0%} step {p.steps} epoch {p.epoch}",
            " ".join(f"{k} {v:.3f}" for k, v in mean.items()),
            f"{row['rate']:.0f} pieces/s",
            flush=True,
        )

    def export(self, file: Path) -> None:
        """One int8 file."""
        data = reader_model.exported(self.graph, self.model.eval()).SerializeToString()
        file.write_bytes(data)
        print(f"{file}: {len(data):,} bytes")


class TorchModel(reader_measure.PassageModel):
    """The reader before int8."""

    def __init__(self, model: PassageReader, device: str) -> None:
        self._model, self._device = model.eval(), device
        self._encoder, self._batch = reader_text.Encoder(), 8

    def forward(self, arrays: Any) -> list[Any]:
        """As the exported file."""
        with torch.inference_mode():
            ids, types, mask = torch.from_numpy(arrays[:3]).to(self._device)
            return [x.float().cpu().numpy() for x in self._model(ids, types, mask)]


def speed(passages: Path, sentences: Path, shared: Path, held: Sequence[str]) -> None:
    """Milliseconds of one core: a passage of some 170 pieces, and a sentence with its headline."""
    made = reader_measure.prepared(shared / "taught", held, 60)
    encoder = reader_text.Encoder()
    for name, file, whole in (("passages", passages, True), ("sentences", sentences, False)):
        model = reader_text.session(str(file), 1)
        reads = []
        for trial in made.trials:
            article = made.articles[trial.asked.article]
            for first, end in article.passages:
                runs = [(first, end)] if whole else [(n, n + 1) for n in range(first, end)]
                for a, b in runs:
                    window = reader_data.Window(
                        trial.asked.question, article.title, article.sentences[a:b], [], None, -1
                    )
                    reads.append(encoder.read(window))
        reads.sort(key=lambda r: len(r.ids))
        if whole:
            reads = [r for r in reads if 150 <= len(r.ids) <= 190]
        began, pieces = time.process_time(), sum(len(r.ids) for r in reads)
        for at in range(0, len(reads), 4 if whole else 14):
            reader_measure._run(model, reader_text.padded(reads[at : at + (4 if whole else 14)]))
        spent = time.process_time() - began
        each, held_in = 1000 * spent / len(reads), np.mean([len(r.window.sentences) for r in reads])
        print(
            f"{name}: {len(reads)} texts of {pieces / len(reads):.0f} pieces and {held_in:.1f} sentences, "
            f"{each:.1f} ms each, {each / held_in:.1f} ms a sentence, {pieces / spent:.0f} pieces/s"
        )


def evaluate(given: argparse.Namespace, trainer: Trainer | None) -> None:
    """The reader, before int8 too where a trainer is given, and the models named beside it."""
    models: list[tuple[str, reader_measure.Model, Path | None]] = []
    if trainer:
        models.append(("reader, float32", TorchModel(trainer.model, given.device), None))
    if (file := given.out / "reader.onnx").is_file():
        model = reader_measure.PassageModel(file)
        models.append(("reader, int8", model, reader_measure.kept(given.out, file)))
    for other in given.against:
        keep = reader_measure.kept(given.out, other)
        models.append((str(other), reader_measure.SentenceModel(other), keep))
    reader_measure.compare(given.data, models, given.held, given.limit)


def arguments() -> argparse.Namespace:
    """What was given."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of taught/ and bench/")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint, log, files made")
    parser.add_argument("--start", type=Path, help="weights to begin from (taught/start)")
    parser.add_argument("--minutes", type=float, help="of training")
    parser.add_argument("--resume", action="store_true", help="from the checkpoint in --out")
    parser.add_argument("--evaluate", action="store_true")
    parser.add_argument("--float32", action="store_true", help="measure before int8 as well")
    parser.add_argument("--against", type=Path, nargs="*", default=[], metavar="MODEL.onnx")
    parser.add_argument("--speed", action="store_true", help="passages against single sentences")
    parser.add_argument("--export", action="store_true", help="write reader.onnx again")
    parser.add_argument(
        "--held", nargs="*", default=list(reader_measure.HELD), help="taught files left out"
    )
    parser.add_argument("--limit", type=int, default=0, help="questions to measure on (0: all)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rate", type=float, default=LEARNING_RATE)
    parser.add_argument("--dropout", type=float, default=0.0)
    return parser.parse_args()


def main() -> None:
    # Threads that wait by spinning starve one another on a machine that is shared.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    given = arguments()
    torch.set_num_threads(given.threads)
    given.out.mkdir(parents=True, exist_ok=True)
    start = given.start or given.data / "taught" / "start" / "reranker.onnx"
    trainer = None
    if given.minutes or given.resume or given.export or given.float32:
        trainer = Trainer(start, given.out, given.device, given.rate, given.dropout)
        if given.resume or not given.minutes:
            trainer.load()
    if trainer and (given.minutes or given.resume):
        if given.minutes:
            trainer.progress.planned, trainer.progress.spent = 60 * given.minutes, 0.0
        trainer.learn(sources(given.data, given.held))
    if trainer:
        trainer.export(given.out / "reader.onnx")
    if given.evaluate:
        evaluate(given, trainer if given.float32 else None)
    if given.speed:
        speed(given.out / "reader.onnx", start, given.data, given.held)


if __name__ == "__main__":
    main()
