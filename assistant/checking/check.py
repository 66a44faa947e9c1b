"""One verdict on a claim: the exact checks in turn, then how near its meaning is."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from assistant.checking import manner, relations, stated
from assistant.checking.meaning import Meaning, words_of
from assistant.checking.reading import Check, Cited, Reading

if TYPE_CHECKING:
    from assistant.checking.entail import Entailment
    from indexing.embed import Embedder

CHECKS: dict[str, Check] = {
    "markup": stated.markup,
    "sentence": stated.sentence,
    "quotation": stated.quotations,
    "number": stated.numbers,
    "date": stated.dates,
    "status": stated.status,
    "name": stated.names,
    "strength": manner.strength,
    "polarity": manner.polarity,
    "opposite": manner.opposites,
    "modality": manner.modality,
    "cause": manner.causes,
    "speaker": relations.speakers,
    "role": relations.roles,
    "description": relations.descriptions,
    "number's matter": relations.belongs,
    "date's matter": relations.dated,
    "number's source": relations.supplied,
    "joined": relations.joined,
}
"""In the order in which they are asked; the first that fails tells."""


NEAREST = 3
"""Sentences that a claim without marks is compared with."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`check` names the check that failed, "" for none; `reason` says in words why a claim may not be
    shown, for its reader and for the model that may mend it."""

    check: str = ""
    reason: str = ""

    @property
    def holds(self) -> bool:
        return not self.check


class ClaimVerifier:
    """Whether a claim says what the sentences it cites say. Safe to share between threads."""

    def __init__(self, embedder: Embedder, entailment: Entailment | None = None) -> None:
        self._meaning = Meaning(embedder, entailment)
        self._warming = threading.Lock()

    def check(self, claim: str, cited: Sequence[Cited], as_of: date) -> Verdict:
        """The verdict on `claim`, one sentence without its marks, as of a day."""
        if not cited:
            return Verdict("mark", "it cites nothing")
        published = next((c.published for c in cited if c.published), None)
        reading = Reading(claim, published)
        for name, check in CHECKS.items():
            if reason := check(reading, cited, as_of):
                return Verdict(name, reason)
        if reason := self._meaning.against(reading, cited):
            return Verdict("meaning", reason)
        return Verdict()

    def source_of(self, claim: str, sentences: Sequence[Cited], as_of: date) -> Cited | None:
        """The sentence that a claim without marks rests on: one that says it nearly word for word."""
        for near in self._meaning.nearest(claim, sentences)[:NEAREST]:
            is_told = self._meaning.tells(near, Reading(claim, near.published))
            if is_told and self.check(claim, [near], as_of).holds:
                return near
        return None

    def warm(self, sentences: Sequence[Cited]) -> None:
        """Parses and embeds sentences before the first claim that cites them is there; those of one
        answer at a time, for what is not ready is made when it is needed."""
        if not self._warming.acquire(blocking=False):
            return
        try:
            for sentence in sentences:
                _ = sentence.said, sentence.quantities, sentence.places
            words = [word for sentence in sentences for word in words_of(sentence)]
            self._meaning.learn([*(c.text for c in sentences), *words])
        finally:
            self._warming.release()
