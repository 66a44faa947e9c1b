"""Texts as the checks of a claim read them, each aspect computed when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

from assistant.checking import facts
from assistant.language.parse import parse
from assistant.language.places import places
from assistant.language.quantities import Quantity, quantities
from assistant.language.words import stem
from assistant.schema import Evidence
from indexing.schema import TimeExpression

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token


class Reading:
    """A text, as if it stood in an article published on that day."""

    def __init__(self, text: str, published: date | None = None) -> None:
        self.text = text
        self.published = published

    @cached_property
    def doc(self) -> Doc:
        return parse(self.text)

    @cached_property
    def times(self) -> tuple[TimeExpression, ...]:
        return facts.times_of(self.text, self.published)

    @cached_property
    def quantities(self) -> list[Quantity]:
        """Without the numbers of calendar dates, and without "the one"."""
        dated = [(t.start, t.end) for t in self.times if not facts.is_counted(t)]
        return [
            q
            for q in quantities(self.text)
            if not q.is_bare_one
            and not any(start < q.end and q.start < end for start, end in dated)
        ]

    @cached_property
    def lemmas(self) -> frozenset[str]:
        """Of all words, small ones too."""
        return frozenset(lemma_of(t) for t in self.doc if t.text[:1].isalnum())

    @cached_property
    def said(self) -> frozenset[str]:
        """All words in both forms: as they stand, in small letters, and their lemmas; verbs with a
        particle also as "scale-back"."""
        with_particle = (phrase_of(t) for t in self.doc if t.pos_ == "VERB")
        return self.lemmas.union((t.text.casefold() for t in self.doc), with_particle)

    @cached_property
    def content(self) -> list[Token]:
        return [t for t in self.doc if is_content(t)]

    @cached_property
    def places(self) -> frozenset[str]:
        return places(self.text)


class Cited(Reading):
    """A cited sentence, with what is known of its article."""

    def __init__(self, e: Evidence) -> None:
        super().__init__(e.text, e.hit.info.published)
        info = e.hit.info
        self.publisher = info.publisher or ""
        self.frame = f"{info.title}. {self.publisher}"
        self.passage = e.hit.passage.text
        self.stated_times = e.times

    @cached_property
    def days(self) -> list[tuple[date, date, str]]:
        """The first and last days of the times it states, and their kinds; "anchor" for the day a
        deadline is counted from."""
        found = []
        for t in self.stated_times:
            if t.first and t.last:
                found.append((t.first, t.last, t.kind))
            if t.anchor and t.kind == "deadline":
                found.append((t.anchor, t.anchor, "anchor"))
        return found


Check = Callable[[Reading, Sequence[Cited], date], str | None]
"""The reason why a claim, as of a day, does not stand; None where this check finds none."""


def lemma_of(token: Token) -> str:
    return token.lemma_.casefold()


def phrase_of(verb: Token) -> str:
    """A verb's lemma, with its particle where it has one: "scale-back"."""
    particles = [
        c.text.casefold()
        for c in verb.children
        if c.dep_ == "prt" or c.text.casefold() in _PARTICLES
    ]
    return "-".join([lemma_of(verb), *particles[:1]])


_PARTICLES = frozenset("back down up away out".split())
_LIGHT = frozenset(
    """be have do say tell report state note add accord make take get give go come put set use include
    also as well such other another one thing way there here then now today currently according""".split()
)


def is_content(token: Token) -> bool:
    """Whether a word carries meaning of its own."""
    return (
        token.pos_ in ("NOUN", "VERB", "ADJ", "ADV", "PROPN")
        and (not token.is_stop or token.text.isupper())  # "US" is no pronoun
        and lemma_of(token) not in _LIGHT
        and token.text[:1].isalnum()
    )


_TURNS = frozenset("un non in im ir il dis mis anti counter de re over under".split())
"""Prefixes that make another word of one."""


def is_family(a: str, b: str) -> bool:
    """Whether two lemmas are of one word family ("negotiate", "negotiation"), by their common head."""
    if a == b or stem(a) == stem(b):
        return True
    head = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        head += 1
    shorter, longer = sorted((len(a), len(b)))
    if shorter >= 5 and (a.endswith(b) or b.endswith(a)):
        return max(a, b, key=len)[: longer - shorter].strip("-") not in _TURNS  # "earthquake"
    return head >= 4 and head >= shorter - 2 and longer - head <= 6


def has_family(lemma: str, lemmas: Iterable[str]) -> bool:
    return any(is_family(lemma, other) for other in lemmas)


def shared(own: Iterable[str], others: Iterable[str]) -> set[str]:
    """Those lemmas that have one of their family among the others."""
    others = list(others)
    return {lemma for lemma in own if has_family(lemma, others)}
