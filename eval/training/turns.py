"""Teach what a text is for, write it to `assistant/question/taught.npz`, and say how well it does.

    python -m eval.training.turns --data ../shared            # cross-validate, fit on all, write
    python -m eval.training.turns --data ../shared --measure  # cross-validate alone

It is taught with `taught/turns.jsonl`, texts of our own in `said.jsonl` beside this file, and
questions drawn from the taught articles. Measured is on `turns.jsonl`, split by the first question of
a conversation; how strongly the weights are held down is chosen within the training folds. Intents
on the news, the list or a summary of all articles, which have a reply of their own, are told from the
same on a topic by whether the text has words to search for.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from assistant.question import taught
from assistant.question.foreign import is_in_another_script
from assistant.question.tasks import LONGEST, SURE, TASK_OF, Task
from eval import jsonl

OURS = Path(__file__).with_name("said.jsonl")
DRAWN = 900
"""Questions of the taught articles, for most of what is asked is on their content."""
FOLDS, INNER_FOLDS = 5, 3
STRENGTHS = (5.0, 15.0, 45.0)
"""Inverse strengths of regularisation to choose from."""
WHOLE = {"catalog": "all-articles", "news": "all-news", "summary": "all-summary"}
Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Said:
    """A text and what it is for; `group` is what it must not be parted from."""

    text: str
    intent: str
    is_follow_up: bool
    group: str

    @property
    def task(self) -> str:
        return TASK_OF.get(self.intent, Task.QUESTION)


def turns(shared: Path) -> list[Said]:
    found = []
    for _, row in jsonl.read(shared / "taught" / "turns.jsonl"):
        intent, history = row["intent"], row["history"]
        if not row["about"]:
            intent = WHOLE.get(intent, intent)
        group = history[0][0] if history else row["text"].lower()
        found.append(Said(row["text"], intent, bool(history), group))
    return found


def others(shared: Path) -> list[Said]:
    """Our own texts, and questions drawn from the taught articles."""
    ours = [(row["text"], row["intent"]) for _, row in jsonl.read(OURS)]
    files = sorted((shared / "taught").glob("*.jsonl"))
    articles = [row for f in files if f.stem != "turns" for _, row in jsonl.read(f)]
    asked = [q["question"] for article in articles for q in article["questions"]]
    drawn = [(text, "question") for text in random.Random(0).sample(asked, DRAWN)]
    return [Said(text, intent, False, text.lower()) for text, intent in ours + drawn]


class Examples:
    """Texts as numbers. All but the strangeness of their words, which hangs on what else is taught,
    is reckoned once."""

    def __init__(self, said: Sequence[Said]) -> None:
        rows = [taught.features(s.text, s.is_follow_up, ()) for s in said]
        self.said = said
        self.intents = np.array([s.intent for s in said])
        self.groups = np.unique([s.group for s in said], return_inverse=True)[1]
        self._words = [taught.words_of(s.text) for s in said]
        self._width = len(taught.strangeness((), ()))
        self._fixed = sparse.csr_matrix(np.stack([row[: -self._width] for row in rows]))

    def counted(self, among: Iterable[int]) -> Counter[str]:
        """In how many texts that have a reply of their own each word is met."""
        replied = (n for n in among if self.said[n].intent in TASK_OF)
        return Counter(word for n in replied for word in self._words[n])

    def rows(self, which: Array, counted: Counter[str], own: bool) -> Any:
        """The features of these texts; where they are themselves among the `counted`, a word that
        only they have is strange."""
        strange = []
        for n in which:
            least = 1 + (own and self.said[n].intent in TASK_OF)
            known = [word for word in self._words[n] if counted[word] >= least]
            strange.append(taught.STRANGE_WEIGHT * taught.strangeness(self._words[n], known))
        return sparse.hstack([self._fixed[which], np.stack(strange)]).tocsr()


@dataclass(frozen=True, slots=True)
class Fitted:
    model: Any
    counted: Counter[str]


def fit(examples: Examples, which: Array, strength: float) -> Fitted:
    counted = examples.counted(which)
    model = LogisticRegression(C=strength, max_iter=200, tol=1e-3)
    rows = examples.rows(which, counted, own=True)
    return Fitted(model.fit(rows, examples.intents[which]), counted)


def chosen(examples: Examples, which: Array) -> float:
    """The strength that does best on parts of these examples that it was not fitted to."""
    right: Counter[float] = Counter()
    folds = GroupKFold(INNER_FOLDS, shuffle=True, random_state=1)
    for train, test in folds.split(which, groups=examples.groups[which]):
        for strength in STRENGTHS:
            fitted = fit(examples, which[train], strength)
            rows = examples.rows(which[test], fitted.counted, own=False)
            told = fitted.model.predict(rows)
            right[strength] += int((told == examples.intents[which[test]]).sum())
    return max(STRENGTHS, key=right.__getitem__)


def measure(examples: Examples, measured: int) -> None:
    """Prints how the first `measured` examples are told by models not fitted to them."""
    told, tasks, strengths = {}, {}, []
    everything = np.arange(len(examples.said))
    folds = GroupKFold(FOLDS, shuffle=True, random_state=0)
    for train, test in folds.split(everything, groups=examples.groups):
        strengths.append(chosen(examples, everything[train]))
        fitted = fit(examples, everything[train], strengths[-1])
        odds = fitted.model.predict_proba(examples.rows(test, fitted.counted, own=False))
        for n, row in zip(test, odds, strict=True):
            likely = dict(zip(fitted.model.classes_, row, strict=True))
            told[n] = max(likely, key=likely.__getitem__)
            best = max(TASK_OF, key=lambda intent: likely.get(intent, 0.0))
            tasks[n] = told_task(examples.said[n].text, best, likely.get(best, 0.0))
    shown = range(measured)
    right = np.mean([told[n] == examples.said[n].intent for n in shown])
    print(f"{measured} texts of turns.jsonl, strengths {strengths}: intents {right:.3f}")
    report([(examples.said[n], tasks[n]) for n in shown])


def told_task(text: str, intent: str, likely: float) -> str:
    """As `tasks.task_of` decides, but for what it tells by languages."""
    is_told = likely >= SURE and len(text) <= LONGEST and not is_in_another_script(text)
    return TASK_OF[intent] if is_told else Task.QUESTION


def report(told: Sequence[tuple[Said, str]]) -> None:
    kept = [(said.task, task) for said, task in told if said.intent != "other-language"]
    right = np.mean([gold == task for gold, task in kept])
    content = [task for gold, task in kept if gold == Task.QUESTION]
    replied = [task for gold, task in kept if gold != Task.QUESTION]
    desk = content.count(Task.QUESTION) + len(replied) - replied.count(Task.QUESTION)
    print(f"tasks {right:.3f}; desk or content {desk / len(kept):.3f}")
    print(f"content taken for the desk's {1 - content.count(Task.QUESTION) / len(content):.3f}")
    for name in dict.fromkeys(gold for gold, _ in kept):
        own = Counter(task for gold, task in kept if gold == name)
        print(f"  {name:10} {own[name]:5} of {own.total():5}", dict(own.most_common(4)))


def write(fitted: Fitted) -> None:
    """What ships: the weights in half precision, which tells the same."""
    np.savez_compressed(
        taught.MODEL,
        weights=fitted.model.coef_.T.astype(np.float16),
        bias=fitted.model.intercept_.astype(np.float32),
        classes=fitted.model.classes_.astype(str),
        known=np.array(sorted(fitted.counted)),
    )
    print(f"wrote {taught.MODEL}, {taught.MODEL.stat().st_size:,} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds taught/")
    parser.add_argument("--measure", action="store_true", help="write nothing")
    arguments = parser.parse_args()
    measured = turns(arguments.data)
    examples = Examples(measured + others(arguments.data))
    measure(examples, len(measured))
    if not arguments.measure:
        everything = np.arange(len(examples.said))
        write(fit(examples, everything, chosen(examples, everything)))


if __name__ == "__main__":
    main()
