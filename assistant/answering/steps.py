"""The way of a question, step by step: desk, understand, find, weigh, compose.

Each step takes what is known so far and gives what is known after it; at the boundary they are
LangChain runnables.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from assistant.answering import quotes
from assistant.answering.desk import reply
from assistant.answering.engines import Asked, Call
from assistant.answering.events import happened
from assistant.checking.quotes import Verify
from assistant.finding.find import Finder, Finding
from assistant.finding.support import calibration, support
from assistant.question import turns
from assistant.question.tasks import Task, task_of
from indexing.reading.clean import searchable

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable

P = ParamSpec("P")
T = TypeVar("T")


UNREAD = turns.Parts(())


@dataclass(frozen=True, slots=True)
class State:
    """What is known of a question on its way: `asked` as it was typed, `text` as it can be searched
    for, `history` the turns before it, oldest first; its `parts` once it is understood, and a finding
    for each of them once it is searched for."""

    asked: str
    text: str
    history: tuple[tuple[str, str], ...]
    parts: turns.Parts = UNREAD
    findings: tuple[Finding, ...] = ()


class Laps:
    """Milliseconds spent in the named steps."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}

    @contextmanager
    def lap(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        spent = (time.perf_counter() - started) * 1000
        self.ms[name] = round(self.ms.get(name, 0.0) + spent, 1)

    def timed(self, name: str, work: Callable[P, T]) -> Callable[P, T]:
        def lapped(*arguments: P.args, **named: P.kwargs) -> T:
            with self.lap(name):
                return work(*arguments, **named)

        return lapped


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps for one question over one view of the index.

    `holds` says whether a quote stands in its file. `call` is the chat model that helps to read the
    question, if any, and `searches_again` whether it may be searched for in other words too;
    `most_quotes` is how many sentences may be quoted. `laps` is shared with what the finder searches with.
    """

    finder: Finder
    holds: Verify
    call: Call | None
    searches_again: bool
    most_quotes: int
    laps: Laps = field(default_factory=Laps)

    def chain(self) -> Runnable[State, Asked]:
        """All steps as one runnable: a question in, what is to be said out."""
        from langchain_core.runnables import RunnableLambda

        answered = (
            RunnableLambda(self.understand)
            | RunnableLambda(self.find)
            | RunnableLambda(self.weigh)
            | RunnableLambda(self.compose)
        )
        return RunnableLambda(lambda state: self.at_the_desk(state) or answered.invoke(state))

    def at_the_desk(self, state: State) -> Asked | None:
        """The reply to what is no question on content, or asks for a day and nothing else."""
        view, filters, as_of = self.finder.view, self.finder.filters, self.finder.as_of
        if (task := task_of(state.text, bool(state.history))) is not Task.QUESTION:
            return Asked(reply(task, state.asked, view, as_of, self.holds, filters))
        day = happened(state.text, view, as_of, self.most_quotes, self.holds, filters)
        return Asked(day) if day else None

    def understand(self, state: State) -> State:
        """The question made whole, by the model where it may, and taken apart."""
        whole = self.call.whole(state.text, state.history) if self.call else None
        if whole is not None:
            return replace(state, parts=turns.read(searchable(whole), ()))
        return replace(state, parts=turns.read(state.text, state.history))

    def find(self, state: State) -> State:
        """The sentences found for each part."""
        with self.laps.lap("answer"):
            found = [self.finder.find(text, state.parts) for text in state.parts.texts]
        return replace(state, findings=tuple(found))

    def weigh(self, state: State) -> State:
        """How well what was found is supported; where it lacks support, and a model may help, what
        other words for the question find."""
        with self.laps.lap("verify"):
            findings = tuple(map(self._weighed, state.findings))
        if self.call and self.searches_again and len(findings) == 1:
            with self.laps.lap("answer"):
                findings = (self._searched_again(self.call, findings[0]),)
        return replace(state, findings=findings)

    def compose(self, state: State) -> Asked:
        """The answer of the engine `quotes`, with what a model may write another from."""
        joint, ms = state.parts.joint, self.laps.ms
        with self.laps.lap("verify"):
            answer = quotes.compose(
                state.findings,
                asked=state.asked,
                as_of=self.finder.as_of,
                max_quotes=self.most_quotes,
                rarity=self.finder.view.rarity,
                joint=joint,
            )
        ms["answer"] = round(ms["answer"] - ms.get("retrieve", 0.0), 1)
        ranks = zip_longest(*(finding.passages for finding in state.findings))
        passages = dict.fromkeys(p for rank in ranks for p in rank if p is not None)
        answer = replace(answer, passages=tuple(passages), timings_ms=ms)
        answering = tuple(quotes.answering_of(state.findings, joint))
        return Asked(answer, state.findings, answering)

    def _weighed(self, found: Finding) -> Finding:
        """What was found, without the sentences that no longer stand in their files."""
        standing = tuple(
            e
            for e in found.evidence
            if self.holds(e.hit.passage.source, e.sentence.start, e.sentence.end, e.text)
        )
        rarity = self.finder.view.rarity
        return replace(
            found,
            evidence=standing,
            confidence=0.0 if found.limits.missing else support(found.question, standing, rarity),
            moved=len(standing) < len(found.evidence),
        )

    def _searched_again(self, call: Call, finding: Finding) -> Finding:
        """The finding, or a better supported one that the same question in other words has found."""
        if finding.answers or finding.limits.missing:
            return finding
        best = finding
        for other in call.other_words(finding.question.text):
            parts = turns.read(searchable(other), ())
            again = self._weighed(self.finder.find(parts.texts[0], parts))
            # Of other words alone anything can be asked: the question's own must bear them out.
            own = support(finding.question, again.evidence, self.finder.view.rarity)
            if again.confidence > best.confidence and own >= calibration().near / 2:
                best = replace(again, passages=finding.passages)
        return best if best.answers else finding
