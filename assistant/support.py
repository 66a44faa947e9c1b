"""How well the evidence supports an answer: what decides between answering and saying it is not there.

Signals of the best sentence go into a logistic regression fitted by `eval.calibrate` on development
questions, those that their articles answer against those that they do not; `calibration.json`
holds its weights.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from assistant.schema import Evidence, Hit
from assistant.understand import Question, content_terms, stem
from assistant.values import TIME_KINDS, VALUE_KINDS, has_value

Rarity = Callable[[str], float]
"""Inverse document frequency of a word, 0 (in every passage) to 1 (in none)."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """`weights` and `intercept` of the regression over `signals`; `threshold` is the least
    confidence of an answer; `wanting` the logits a sentence loses that holds no value of the kind
    asked for."""

    weights: dict[str, float]
    intercept: float
    threshold: float
    wanting: float

    def confidence(self, measured: dict[str, float]) -> float:
        """The probability, 0 to 1, that evidence with these signals answers its question."""
        total = self.intercept + sum(w * measured[name] for name, w in self.weights.items())
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))


@cache
def calibration() -> Calibration:
    """What `eval.calibrate` fitted."""
    fitted = json.loads((Path(__file__).parent / "calibration.json").read_text("utf-8"))
    return Calibration(**fitted)


def signals(question: Question, evidence: Sequence[Evidence], rarity: Rarity) -> dict[str, float]:
    """What the support score is made of.

    relevance: the reranker's logit of the best sentence. margin: that over the third best. dense: the
    best cosine similarity. sentence, passage: the share of the question's content words that stand in
    the best sentence (or its headline), and in its passage, each word weighed by its rarity. missing:
    the rarity of the rarest content word that stands in neither. unnumbered: 1 when the question
    names a number that the passage does not. untyped: 1 when the question asks for a value of a kind
    that the sentence does not hold.
    """
    if not evidence:
        return dict.fromkeys(SIGNALS, 0.0) | {"relevance": -12.0, "missing": 1.0, "untyped": 1.0}
    best = evidence[0]
    near, far = supported(best)
    weights = {term: rarity(term) for term in question.terms}
    total = sum(weights.values()) or 1.0
    absent = [weights[term] for term in question.terms if not question.is_supported(term, far)]
    numbers = [term for term in question.terms if term[0].isdigit()]
    asks_value = question.wanted in VALUE_KINDS or question.wanted in TIME_KINDS
    typed = has_value(question, best.text, best.times, best.hit.info.published)
    return {
        "relevance": best.relevance,
        "margin": best.relevance - evidence[min(2, len(evidence) - 1)].relevance,
        "dense": max((e.hit.dense or 0.0) for e in evidence[:5]),
        "sentence": sum(weights[t] for t in question.terms if question.is_supported(t, near))
        / total,
        "passage": sum(weights[t] for t in question.terms if question.is_supported(t, far)) / total,
        "missing": max(absent, default=0.0),
        "unnumbered": float(any(not question.is_supported(term, far) for term in numbers)),
        "untyped": float(asks_value and not typed),
    }


SIGNALS = (
    "relevance", "margin", "dense", "sentence", "passage", "missing", "unnumbered", "untyped",
)  # fmt: skip


def supported(e: Evidence) -> tuple[frozenset[str], frozenset[str]]:
    """The stems of a sentence with its headline, and those of its passage with all known of it."""
    near = _stems(f"{e.hit.info.title} {e.text}")
    return near, near | _stems(f"{e.hit.passage.text} {_about(e.hit)}")


def _about(hit: Hit) -> str:
    day = hit.info.published
    return f"{hit.info.publisher or ''} {day.strftime('%d %B %Y') if day else ''}"


def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(term) for term in content_terms(text))
