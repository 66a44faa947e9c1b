"""Asks questions with known facts and says which answers hold them.

    python -m eval.facts [--set eval/sets/articles.jsonl] [--corpus ../shared/articles]
        [--split test] [--as-of 2026-11-22] [--worst] [--sample N --seed S] [--index DIR]

Each line of the set is a question: `kind`, `answerable`, `facts` (every one must be in the answer,
in any of its accepted wordings), `date` (the calendar date that the answer must give) and
`evidence` (the characters that state the facts). The corpus is indexed first; nothing in it is
changed.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from assistant.schema import Answer, Status
from assistant.service import open_assistant
from indexing.settings import Settings
from indexing.sync import sync

SET = Path(__file__).parent / "sets" / "articles.jsonl"
CORPUS = Path(__file__).parents[2] / "shared" / "articles"
AS_OF = date(2026, 11, 22)
QUOTES = 3
"""Quotes enough for an answer that neither lists nor compares."""
MANY_QUOTES = ("list", "comparison")
"""The kinds that may take more."""


@dataclass(frozen=True, slots=True)
class Case:
    """A question and what its answer must hold; `evidence` is (file, start, end)."""

    id: str
    split: str
    kind: str
    question: str
    answerable: bool
    history: tuple[tuple[str, str], ...] = ()
    facts: tuple[tuple[str, ...], ...] = ()
    date: str | None = None
    evidence: tuple[tuple[str, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """What became of a case. `dated` is None where no calendar date is asked for."""

    case: Case
    answered: bool
    text: str
    missing: tuple[tuple[str, ...], ...]
    dated: bool | None
    citations: int
    exact: int
    hit: bool

    @property
    def is_right(self) -> bool:
        if not self.case.answerable:
            return not self.answered
        kept = self.answered and self.exact == self.citations
        return kept and not self.missing and self.dated is not False


def load(path: Path) -> list[Case]:
    """The cases of a set, in its order."""
    cases = []
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        case = Case(
            id=row["id"],
            split=row["split"],
            kind=row["kind"],
            question=row["question"],
            answerable=row["answerable"],
            history=tuple((q, a) for q, a in row.get("history", ())),
            facts=tuple(tuple(fact) for fact in row.get("facts", ())),
            date=row.get("date"),
            evidence=tuple((e["file"], e["start"], e["end"]) for e in row.get("evidence", ())),
        )
        cases.append(case)
    return cases


def normal(text: str) -> str:
    """Lower-cased words without punctuation and articles; "U.S." is "us", "90%" is "90 percent"."""
    joined = re.sub(r"\b([^\W\d_])\.", r"\1", text.casefold()).replace("%", " percent ")
    return " ".join(w for w in re.findall(r"[^\W_]+", joined) if w not in ("a", "an", "the"))


def holds(text: str, wording: str) -> bool:
    return f" {normal(wording)} " in f" {normal(text)} "


def plain(text: str) -> str:
    """An answer's text without its bold and citation marks."""
    return re.sub(r"\s*\[\d+(?:, ?\d+)*\]", "", text.replace("**", ""))


def written(iso: str) -> str:
    """2026-03-06 as "6 March 2026", 2025-07 as "July 2025", 2025 as it is."""
    full = date.fromisoformat(iso + "0000-01-01"[len(iso) :])
    return {10: f"{full.day} {full:%B %Y}", 7: f"{full:%B %Y}"}.get(len(iso), iso)


def score(case: Case, answer: Answer, texts: Mapping[str, str]) -> Score:
    """Scores an answer; `texts` holds the decoded characters of every file."""
    text = plain(answer.text)
    dated = None
    if case.date:
        given = [d.date for d in answer.dates]
        dated = any(g.startswith(case.date) or case.date.startswith(g) for g in given)
        dated = dated and (len(case.date) < 10 or holds(text, written(case.date)))
    return Score(
        case=case,
        answered=answer.status is Status.ANSWERED,
        text=text,
        missing=tuple(f for f in case.facts if not any(holds(text, wording) for wording in f)),
        dated=dated,
        citations=len(answer.citations),
        exact=sum(
            c.quote == texts.get(c.source, "")[c.start : c.end] != "" for c in answer.citations
        ),
        hit=any(
            c.source == file and c.start < end and start < c.end
            for c in answer.citations
            for file, start, end in case.evidence
        ),
    )


def ask(cases: Sequence[Case], corpus: Path, index: Path, as_of: date) -> list[Score]:
    """Indexes `corpus` under `index` and scores the answer to every question."""
    settings = replace(Settings(), corpus=corpus, index=index)
    sync(settings.corpus, settings)
    sources = {file for case in cases for file, _, _ in case.evidence}
    sources |= {p.relative_to(corpus).as_posix() for p in corpus.rglob("*.txt")}
    texts = {name: (corpus / name).read_bytes().decode("utf-8") for name in sources}
    assistant = open_assistant(settings)
    try:
        return [
            score(case, assistant.ask(case.question, case.history, as_of=as_of), texts)
            for case in cases
        ]
    finally:
        assistant.close()


def report(scores: Sequence[Score]) -> str:
    """A line a kind and one in all; every figure is a count of those it could be true of."""
    heads = ("facts", "dates", "exact", "<=3 quotes", "evidence", "false answers", "false refusals")
    lines = [f"{'kind':14} {'n':>4} " + " ".join(f"{h:>14}" for h in heads) + f" {'words':>6}"]
    kinds = list(dict.fromkeys(s.case.kind for s in scores))
    for name in [*kinds, "all"]:
        own = [s for s in scores if name in (s.case.kind, "all")]
        answerable = [s for s in own if s.case.answerable]
        others = [s for s in own if not s.case.answerable]
        answered = [s for s in own if s.answered]
        short = [s for s in answered if s.case.kind not in MANY_QUOTES]
        figures = (
            _share([not s.missing for s in answerable]),
            _share([s.dated for s in answerable if s.dated is not None]),
            f"{sum(s.exact for s in own)}/{sum(s.citations for s in own)}",
            _share([s.citations <= QUOTES for s in short]),
            _share([s.hit for s in answerable]),
            _share([s.answered for s in others]),
            _share([not s.answered for s in answerable]),
        )
        words = statistics.median([len(s.text.split()) for s in answered]) if answered else 0
        line = " ".join(f"{f:>14}" for f in figures)
        lines.append(f"{name:14} {len(own):4} {line} {words:6.0f}")
    return "\n".join(lines)


def _share(outcomes: Sequence[bool]) -> str:
    return f"{sum(outcomes)}/{len(outcomes)}" if outcomes else "-"


def shown(one: Score) -> str:
    """A question, what is wrong with its answer, and the answer in full."""
    case = one.case
    turns = "".join(f"  after: {q} / {a}\n" for q, a in case.history)
    wrong = [f"missing {' | '.join(fact)}" for fact in one.missing]
    wrong += [f"no date {case.date}"] if one.dated is False else []
    wrong += [f"{one.citations - one.exact} inexact"] if one.exact < one.citations else []
    wrong += ["false answer"] if one.answered and not case.answerable else []
    wrong += ["false refusal"] if case.answerable and not one.answered else []
    verdict = "; ".join(wrong) or "right"
    return f"{case.id} {case.kind}: {case.question}\n{turns}  {verdict}\n  {one.text}\n"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--set", type=Path, default=SET, help="the questions")
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="the articles they are about")
    parser.add_argument("--split", choices=("test", "dev"), help="only these questions")
    parser.add_argument("--as-of", type=date.fromisoformat, default=AS_OF, help="the day of asking")
    parser.add_argument("--index", type=Path, help="where the index is kept between runs")
    parser.add_argument("--worst", action="store_true", help="print every wrong answer")
    parser.add_argument("--sample", type=int, default=0, help="print so many answers at random")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    arguments = parser.parse_args(argv)
    cases = [c for c in load(arguments.set) if arguments.split in (None, c.split)]
    with tempfile.TemporaryDirectory() as temporary:
        index = arguments.index or Path(temporary)
        scores = ask(cases, arguments.corpus, index, arguments.as_of)
    if arguments.worst:
        print(*(shown(s) for s in scores if not s.is_right), sep="\n")
    if arguments.sample:
        chosen = random.Random(arguments.seed).sample(scores, min(arguments.sample, len(scores)))
        print(*(shown(s) for s in chosen), sep="\n")
    print(report(scores))
    return 0


if __name__ == "__main__":
    sys.exit(main())
