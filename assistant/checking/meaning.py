"""How near a claim is to what it cites: the part of a verdict that words alone do not settle.

By the bundled sentence embeddings: each cited sentence must be about what the claim is about, and
no part of the claim may consist of words foreign to all of them. By an entailment model, where
there is one: the claim must follow from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from assistant.checking.reading import Cited, Reading, has_family, is_content, lemma_of, shared
from assistant.checking.stated import is_name
from assistant.language.places import place_of

if TYPE_CHECKING:
    from spacy.tokens import Token

    from assistant.checking.entail import Entailment
    from indexing.embed import Embedder

RELATED = 0.25
"""Cosine similarity of a claim to each of several sentences it cites, at least."""
SAYS_IT = 0.6
"""That from which one of them need not add anything to the others."""
NEAR = 0.2
"""The same to all of them as one text."""
ALIKE = 0.65
"""Cosine similarity from which a word may stand for another of a source."""
HALF = 0.5
NEARLY_ALL = 0.8
KEPT = 8192
"""Vectors of texts that are kept."""
_OF_ANSWERS = frozenset(
    """time date deadline period window day report article source text account piece story past behind limit figure
    number amount sum total term place part case question answer matter today present reader publication coverage
    datum information detail mean follow refer describe mention speak write put count give long ago late early
    yes note addition moreover respectively latter former both""".split()
)
"""Words with which answers speak of what sources say."""
_PARTS = frozenset("relcl acl advcl conj prep pcomp appos ccomp".split())


class Meaning:
    """Compares claims with what they cite; safe to share between threads."""

    def __init__(self, embedder: Embedder, entailment: Entailment | None) -> None:
        self._embedder = embedder
        self._entailment = entailment
        self._vectors: dict[str, NDArray[np.float32]] = {}

    def _embedded(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """One unit vector a text, those not met before in one batch."""
        known = self._vectors if len(self._vectors) <= KEPT else {}
        if missing := [text for text in dict.fromkeys(texts) if text not in known]:
            fresh = dict(zip(missing, self._embedder.embed_documents(missing), strict=True))
            self._vectors = known = {**known, **fresh}
        return [known[text] for text in texts]

    def learn(self, texts: Sequence[str]) -> None:
        """Embeds texts that will be compared."""
        self._embedded(texts)

    def nearest(self, claim: str, sentences: Sequence[Cited]) -> list[Cited]:
        """The sentences, the most like a claim first."""
        own, *theirs = self._embedded([claim, *(c.text for c in sentences)])
        order = sorted(range(len(sentences)), key=lambda n: -float(own @ theirs[n]))
        return [sentences[n] for n in order]

    def tells(self, sentence: Cited, claim: Reading) -> bool:
        """Whether a sentence has nearly all the words of a claim, and is about the same."""
        own, whole = self._embedded([claim.text, sentence.text])
        return float(own @ whole) >= SAYS_IT and _covered(claim, [sentence]) >= NEARLY_ALL

    def against(self, claim: Reading, cited: Sequence[Cited]) -> str | None:
        """Why a claim does not say what its sources say, None where it may."""
        texts = [c.text for c in cited]
        own, whole, *each = self._embedded([claim.text, " ".join(texts), *texts])
        if len(cited) > 1:
            for c, vector in zip(cited, each, strict=True):
                near = float(own @ vector)
                is_near = near >= SAYS_IT or (near >= RELATED and _adds(c, claim, cited))
                if not is_near and not _dates_it(c, cited):
                    return f"“{_opening(c.text)}” does not bear on it"
        if float(own @ whole) < NEAR and _covered(claim, cited) < HALF:
            return "what it cites speaks of something else"
        if foreign := self._foreign(claim, cited):
            return f"“{foreign}” is not in what it cites"
        if self._entailment is not None and not self._entailment.follows(
            " ".join(c.text for c in cited), claim.text
        ):
            return "it does not follow from what it cites"
        return None

    def _foreign(self, claim: Reading, cited: Sequence[Cited]) -> str | None:
        """A part of the claim (a clause, a phrase) that has several words of its own, all foreign."""
        lemmas = frozenset().union(*(c.said for c in cited))
        named = {t.i for t in claim.doc if is_name(t) or t.like_num}
        dated = [(t.start, t.end) for t in claim.times]
        for head in claim.doc:
            if head.dep_ not in _PARTS:
                continue
            inside = sorted(head.subtree, key=lambda t: t.i)
            own = [t for t in inside if is_content(t) and lemma_of(t) not in _OF_ANSWERS]
            if len(own) < 2 or any(t.i in named for t in inside):
                continue  # names and numbers are checked as such
            if any(start <= t.idx < end for t in inside for start, end in dated):
                continue
            if not self._any_known(own, lemmas, cited):
                return claim.doc[inside[0].i : inside[-1].i + 1].text
        return None

    def _any_known(
        self, own: Sequence[Token], lemmas: frozenset[str], cited: Sequence[Cited]
    ) -> bool:
        if any(has_family(lemma_of(t), lemmas) or place_of(t.text) for t in own):
            return True
        theirs = [lemma for c in cited for lemma in words_of(c)]
        vectors = self._embedded([*(lemma_of(t) for t in own), *theirs])
        mine, others = np.array(vectors[: len(own)]), np.array(vectors[len(own) :])
        return bool(theirs) and float((mine @ others.T).max()) >= ALIKE


def words_of(c: Cited) -> list[str]:
    """The lemmas of a sentence that a claim's words may stand for."""
    return [lemma_of(t) for t in c.content if t.pos_ != "PROPN"]


def _dates_it(c: Cited, cited: Sequence[Cited]) -> bool:
    """Whether a sentence gives the day from which a deadline of another is counted."""
    anchors = {first for other in cited for first, _, kind in other.days if kind == "anchor"}
    return any(first in anchors for first, _, kind in c.days if kind != "anchor")


def _covered(claim: Reading, cited: Sequence[Cited]) -> float:
    """The share of a claim's content words that its sources have."""
    own = {lemma_of(t) for t in claim.content}
    return len(shared(own, frozenset().union(*(c.lemmas for c in cited)))) / max(1, len(own))


def _adds(c: Cited, claim: Reading, cited: Sequence[Cited]) -> bool:
    """Whether a claim has something from a sentence that no other one cited has."""
    own = {lemma_of(t) for t in claim.content}
    others = [other for other in cited if other is not c]
    elsewhere = frozenset().union(*(other.lemmas for other in others))
    if any(not has_family(lemma, elsewhere) for lemma in shared(own, c.lemmas)):
        return True
    if (claim.places & c.places) - {p for other in others for p in other.places}:
        return True
    return any(
        any(q.is_same(s) for s in c.quantities)
        and not any(q.is_same(s) for other in others for s in other.quantities)
        for q in claim.quantities
    )


def _opening(text: str) -> str:
    words = text.split()
    return " ".join(words[:8]) + (" …" if len(words) > 8 else "")
