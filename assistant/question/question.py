"""The nouns of a question."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from assistant.language.words import STOPWORDS, stem


class Wanted(StrEnum):
    """The kind of answer a question asks for."""

    DATE = "date"
    DURATION = "duration"
    AMOUNT = "amount"
    COUNT = "count"
    SHARE = "share"
    PERSON = "person"
    PLACE = "place"
    BODY = "body"
    YES_NO = "yes/no"
    REASON = "reason"
    LIST = "list"
    COMPARISON = "comparison"
    DESCRIPTION = "description"


@dataclass(frozen=True, slots=True)
class Question:
    """A question made whole.

    `text` stands on its own: a follow-up is completed from the history, and abbreviations may be
    spelled out at its end. `terms` are the words that evidence must support, lower case, in order,
    each once: its content words without those that only name the kind of answer; `names` are those of
    them written as names or numbers. `also` gives, for a term, other words that mean it. `is_topic`: it asks nothing, but names a subject. `focus`: words that the very
    sentence must have, or the one before it.
    """

    text: str
    wanted: Wanted
    terms: tuple[str, ...]
    names: tuple[str, ...] = ()
    also: tuple[tuple[str, frozenset[str]], ...] = ()
    is_topic: bool = False
    focus: tuple[str, ...] = ()

    @property
    def asks_deadline(self) -> bool:
        """Whether it asks for a time by which something is to happen."""
        return self.wanted is Wanted.DATE and bool(_DEADLINE.search(self.text))

    @property
    def asks_who_that_is(self) -> bool:
        """Whether it only names somebody: "Who is Jay Timmons?" wants no name for an answer."""
        is_named = self.wanted is Wanted.PERSON and set(self.terms) <= set(self.names)
        return is_named and bool(
            re.search(r"\bwho(?:'s|’s|\s+(?:is|was|are|were))\b", self.text, re.I)
        )

    @property
    def stems(self) -> frozenset[str]:
        """The common forms of `terms` and of what else means them, to compare with a text's."""
        own = frozenset(stem(term) for term in self.terms)
        return own.union(*(other for _, other in self.also))

    def is_supported(self, term: str, stems: Collection[str]) -> bool:
        """Whether a text with these word stems has `term`, all of its parts ("US-EU"), or all words
        that mean it."""
        if stem(term) in stems:
            return True
        if any(own == term and all(word in stems for word in other) for own, other in self.also):
            return True
        parts = re.split(r"[-–/&]", term)
        return len(parts) > 1 and all(p in STOPWORDS or self.is_supported(p, stems) for p in parts)


_DEADLINE = re.compile(
    r"\b(?:deadlines?|due|drop-dead|window|run out|time left|by when|by what|by which|expir\w+|time ?(?:limit|frame|line)|how soon)\b|"
    r"\bwhen (?:must|should|do|does|did|has|have|is|are) .*\b(?:must|have to|has to|need to|needs to|supposed to|to be)\b|\bwhen must\b",
    re.IGNORECASE,
)
