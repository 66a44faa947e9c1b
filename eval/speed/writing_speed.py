"""How long verification keeps a chat model's sentences: for `eval.speed.bench`, in a process of its own.

Two figures: what it takes to check a sentence whose sources are warm, as they are in use; and how
long after a model has ended its first sentence that sentence is shown, beside the time the model
took to write it. The model here only keeps pace: it says drafts of `eval/sets/drafts`, whose
sentences hold, at `TOKENS_S`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path

from assistant.answering.engines import SENTENCES
from assistant.answering.generate import Writer, Written, read_marks
from assistant.answering.models.call import ChatModel, Usage, never
from assistant.answering.models.names import Message
from assistant.checking.check import ClaimVerifier
from assistant.checking.reading import Cited
from assistant.schema import Evidence
from assistant.settings import Settings
from eval.training.drafts import AS_OF, FOLDER, Draft, evidence_of, indexed, load_drafts
from indexing.embed import open_embedder
from indexing.settings import BUNDLED

TOKENS_S = 40
"""Tokens a second: a quick hosted model writes more, a model on one's own machine fewer."""
TOKEN_CHARS = 6
WARMED, QUICK_WARMED = 12, 3
"""Lots of `SENTENCES` sentences that are read and embedded."""
FIRSTS, QUICK_FIRSTS = 25, 5
"""Replies of which the first sentence is awaited."""
CHECKS, QUICK_CHECKS = 400, 40


@dataclass(slots=True)
class WritingTimes:
    """Milliseconds, one a measurement: `check` of a sentence, on the clock and of the processor;
    `warm` of ten sources; `first` from the end of a model's first sentence to its being shown, and
    `sentence` that the model took to write it."""

    check: list[float] = field(default_factory=list)
    check_cpu: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    sentence: list[float] = field(default_factory=list)


class PacedModel(ChatModel):
    """Says one text, a token every 1/`tokens_s` s from when it is first read, however late its
    pieces are taken. `ended` is when the first sentence, of so many characters, was written."""

    def __init__(self, text: str, first_chars: int, tokens_s: float) -> None:
        self.name = "paced"
        self.ended = self.sentence_s = 0.0
        self.was_asked_again = False
        self._tokens = re.findall(rf"\s*(?:\w{{1,{TOKEN_CHARS}}}|[^\w\s])", text)
        self._first_chars = first_chars
        self._pause = 1 / tokens_s

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int | None = None,
        cancelled: Callable[[], bool] = never,
        spent: Callable[[Usage], None] | None = None,
    ) -> Generator[str, None, None]:
        due = started = time.perf_counter()
        said = 0
        for token in self._tokens:
            due += self._pause
            time.sleep(max(0.0, due - time.perf_counter()))
            said += len(token)
            if not self.ended and said >= self._first_chars:
                self.ended, self.sentence_s = due, due - started
            yield token

    def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int | None = None,
        cancelled: Callable[[], bool] = never,
        spent: Callable[[Usage], None] | None = None,
    ) -> str:
        self.was_asked_again = True
        return "DROP"


def measure(corpus: Path, *, is_quick: bool = False, tokens_s: float = TOKENS_S) -> WritingTimes:
    """Measures over the drafts, whose articles are indexed first."""
    threads = Settings.from_env(os.environ).threads
    verifier = ClaimVerifier(open_embedder(BUNDLED, threads))
    drafts = [d for path in sorted(FOLDER.glob("*.jsonl")) for d in load_drafts(path)]
    # Those for each figure are others, so that none profits from what another has left in a cache.
    firsts = QUICK_FIRSTS if is_quick else FIRSTS
    sound = [draft for draft in drafts if draft.sound]
    for_first = sound[:: max(1, len(sound) // (2 * firsts))]
    for_check = [draft for draft in drafts if draft not in for_first]
    times = WritingTimes()
    with indexed(corpus) as view:
        found = {draft.id: evidence_of(draft, view) for draft in drafts}
        verifier.warm([Cited(found[drafts[0].id][0])])  # loads the parser and the weights
        verifier.check(drafts[0].text, [Cited(found[drafts[0].id][0])], AS_OF)
        rest = list({e.text: e for draft in for_check for e in found[draft.id]}.values())
        lots = [rest[n : n + SENTENCES] for n in range(0, len(rest) - SENTENCES, SENTENCES)]
        for lot in lots[: QUICK_WARMED if is_quick else WARMED]:
            cited = [Cited(e) for e in lot]
            started = time.perf_counter()
            verifier.warm(cited)
            times.warm.append(_ms_since(started))
        shown = (_first(draft, found[draft.id], rest, verifier, tokens_s) for draft in for_first)
        for first, sentence in islice((pair for pair in shown if pair), firsts):
            times.first.append(first)
            times.sentence.append(sentence)
        most = QUICK_CHECKS if is_quick else CHECKS
        for draft in for_check[:: -(-len(for_check) // most)]:
            _check(draft, [Cited(e) for e in found[draft.id]], verifier, times)
    return times


def _check(
    draft: Draft, sources: Sequence[Cited], verifier: ClaimVerifier, times: WritingTimes
) -> None:
    said, numbers = read_marks(draft.text)
    cited = [sources[n - 1] for n in numbers]
    verifier.warm(cited)
    started, cpu_started = time.perf_counter(), time.process_time()
    verifier.check(said, cited, AS_OF)
    times.check.append(_ms_since(started))
    times.check_cpu.append((time.process_time() - cpu_started) * 1000)


def _first(
    draft: Draft,
    own: Sequence[Evidence],
    others: Sequence[Evidence],
    verifier: ClaimVerifier,
    tokens_s: float,
) -> tuple[float, float] | None:
    """Milliseconds from a sentence's end to its being shown, and those it took to write; None where
    it is not shown as it was written."""
    sentences = [*own, *(e for e in others if e not in own)][:SENTENCES]
    text = draft.text.strip()
    model = PacedModel(f"{text} The articles say more of it {text}", len(text), tokens_s)
    claims = Writer(model, verifier).write(draft.question, sentences, (), AS_OF, never, Written())
    claim = next(iter(claims), None)
    now = time.perf_counter()
    if claim is None or model.was_asked_again:
        return None
    return (now - model.ended) * 1000, model.sentence_s * 1000


def _ms_since(started: float) -> float:
    return (time.perf_counter() - started) * 1000


def main() -> None:
    """Measures, and writes the times to a file, because libraries write on standard output."""
    parser = argparse.ArgumentParser(prog="python -m eval.speed.writing_speed", description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    times = measure(arguments.corpus, is_quick=arguments.quick)
    arguments.out.write_text(json.dumps(asdict(times)), "utf-8")


if __name__ == "__main__":
    main()
