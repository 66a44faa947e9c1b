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

from assistant.schema import Evidence
from assistant.understand import Question, content_terms, stem

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


SIGNALS = ("relevance", "topical", "passage")
OFF_TOPIC = 0.4
"""Cosine similarity above which a passage is on the question's topic; how far says nothing more."""


def signals(question: Question, evidence: Sequence[Evidence], rarity: Rarity) -> dict[str, float]:
    """What the support score is made of; each speaks for an answer.

    relevance: the reranker's logit of the best sentence. passage: the share of the question's content
    words that stand in the best sentence's passage, or in what is known of its article, each word
    weighed by its rarity. topical: the best cosine similarity, or that share of OFF_TOPIC where it is
    more (a question that is little but a name is near to nothing), up to OFF_TOPIC.
    """
    if not evidence:
        return {"relevance": -12.0, "topical": 0.0, "passage": 0.0}
    best = evidence[0]
    have = supported(best)
    weights = {term: rarity(term) for term in question.terms}
    held = sum(weights[term] for term in question.terms if question.is_supported(term, have))
    passage = held / (sum(weights.values()) or 1.0)
    dense = max((e.hit.dense or 0.0) for e in evidence[:5])
    return {
        "relevance": best.relevance,
        "topical": min(OFF_TOPIC, max(dense, OFF_TOPIC * passage)),
        "passage": passage,
    }


def support(question: Question, evidence: Sequence[Evidence], rarity: Rarity) -> float:
    """How well the evidence supports an answer, 0 to 1. A bare topic has no answer to be right or
    wrong: it is supported as far as the articles have its words."""
    measured = signals(question, evidence, rarity)
    if question.is_topic:
        return min(0.99, measured["passage"])
    return calibration().confidence(measured)


def supported(e: Evidence) -> frozenset[str]:
    """The stems of a sentence's passage and of all that is known of its article."""
    info = e.hit.info
    day = info.published.strftime("%d %B %Y") if info.published else ""
    about = f"{info.title} {info.publisher or ''} {day}"
    return frozenset(stem(term) for term in content_terms(f"{about} {e.hit.passage.text}"))
