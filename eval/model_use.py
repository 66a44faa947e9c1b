"""What a chat model did for the answers of a run: how many it wrote, what of them was shown, the cost."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from assistant.schema import Answer, Claim, Status
from assistant.settings import QUOTES


class Did(StrEnum):
    """What a chat model did for an answer."""

    WROTE = "wrote it"
    DECLINED = "found no answer in the sentences it was given"
    UNVERIFIED = "wrote nothing that could be verified, so the articles are quoted"
    FAILED = "failed, so the articles are quoted"
    READ = "helped to read the question, and was not asked to answer it"


@dataclass(frozen=True, slots=True)
class Work:
    """What a chat model did for one answer. `why` it was not shown, in words; `left_out` has a reason
    for each sentence left out; tokens are None where its server did not say."""

    did: Did
    why: str = ""
    shown: int = 0
    left_out: tuple[str, ...] = ()
    calls: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None


@dataclass(slots=True)
class Tally:
    """`Work` of all answers of a run. `untold`: those whose tokens no server told, or not all."""

    model: str
    answers: Counter[Did] = field(default_factory=Counter)
    not_asked: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    shown: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    untold: int = 0

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.model,
            "written": self.answers[Did.WROTE],
            "quoted_instead": {
                "nothing verified": self.answers[Did.UNVERIFIED],
                **dict(self.failures.most_common()),
            },
            "declined": self.answers[Did.DECLINED],
            "not_asked": self.not_asked,
            "sentences_shown": self.shown,
            "sentences_left_out": self.left_out.total(),
            "left_out_because": dict(self.left_out.most_common()),
            "calls": self.calls,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "answers_with_tokens_untold": self.untold,
        }


def work_of(answer: Answer) -> Work | None:
    """What a chat model did for an answer; None where none was called for it."""
    use = answer.model
    if use is None:
        return None
    why = answer.notice.removesuffix(", so the articles are quoted instead.")
    if answer.engine != QUOTES:
        did = Did.WROTE if answer.status is Status.ANSWERED else Did.DECLINED
        why = ""
    else:
        unverified = why.startswith("Nothing that")
        did = Did.READ if not why else Did.UNVERIFIED if unverified else Did.FAILED
    return Work(
        did,
        why,
        len(own_claims(answer)),
        tuple(dropped.reason for dropped in answer.dropped),
        use.calls,
        use.input_tokens,
        use.output_tokens,
    )


def own_claims(answer: Answer) -> Sequence[Claim]:
    """The claims that a chat model wrote, without those that Dateline adds: the former are the first
    paragraph of its answer, the latter a paragraph each."""
    if answer.engine == QUOTES or answer.status is not Status.ANSWERED:
        return ()
    prose = answer.text.partition("\n\n")[0]
    own: list[Claim] = []
    for claim in answer.claims:
        if not prose.startswith(" ".join(c.text for c in [*own, claim])):
            break
        own.append(claim)
    return own


def tally(model: str, works: Iterable[Work | None]) -> Tally:
    """The work of a run taken together; None for an answer that no model was called for."""
    found = Tally(model)
    for work in works:
        if work is None:
            found.not_asked += 1
            continue
        if work.did is Did.READ:
            found.not_asked += 1
        else:
            found.answers[work.did] += 1
        if work.did is Did.FAILED:
            found.failures[work.why] += 1
        found.shown += work.shown
        found.left_out.update(map(kind_of, work.left_out))
        found.calls += work.calls
        found.input_tokens += work.input_tokens or 0
        found.output_tokens += work.output_tokens or 0
        found.untold += None in (work.input_tokens, work.output_tokens)
    return found


def kind_of(reason: str) -> str:
    """A reason without what it says of one sentence: "“…” is not in what it cites"."""
    return re.sub(r"[“\"][^”\"]*[”\"]", "“…”", re.sub(r"\[\d+\]", "[n]", reason))
