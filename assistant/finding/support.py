"""How well the evidence supports an answer: what decides between answering and saying it is not there.

Signals of the best sentence go into a logistic regression fitted by `eval.training.calibrate` on development
questions, those that their articles answer against those that they do not; `calibration.json`
holds its weights.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from assistant.finding.select import AGAIN, Rarity, coverage, known_of
from assistant.finding.values import NAME_KINDS, NUMBER_KINDS, TIME_KINDS, has_value, value_of
from assistant.question.question import Question
from assistant.schema import Evidence


@dataclass(frozen=True, slots=True)
class Calibration:
    """`weights` and `intercept` of the regression over `signals`; `threshold` is the least
    confidence of an answer, `near` that of a near miss."""

    weights: dict[str, float]
    intercept: float
    threshold: float
    near: float

    def confidence(self, measured: dict[str, float]) -> float:
        """The probability, 0 to 1, that evidence with these signals answers its question."""
        total = self.intercept + sum(w * measured[name] for name, w in self.weights.items())
        return measured["known"] / (1 + math.exp(-max(-30.0, min(30.0, total))))


@cache
def calibration() -> Calibration:
    """What `eval.training.calibrate` fitted."""
    fitted = json.loads((Path(__file__).parent / "calibration.json").read_text("utf-8"))
    return Calibration(**fitted)


SIGNALS = ("relevance", "context", "topical", "passage", "names", "value", "named")
OFF_TOPIC = 0.4
"""Cosine similarity above which a passage is on the question's topic; how far says nothing more."""
UNKNOWN = 0.25
"""What is left of the confidence where a name of the question stands in no article: what is said of
others is no answer."""
ON_TOPIC = 0.3
"""The share of a topic's words from which a passage is on it."""
NOWHERE = 0.999
"""The rarity of a word from which no passage has it."""


def signals(question: Question, evidence: Sequence[Evidence], rarity: Rarity) -> dict[str, float]:
    """What the support score is made of; each speaks for an answer.

    relevance: the reranker's logit of the best sentence. context: the highest of the best few read
    with the sentences around them. passage: the share of the question's content
    words that stand in the best sentence's passage, or in what is known of its article, each word
    weighed by its rarity. names: that share of its names and numbers alone. value: 1
    unless a number or time is asked for and the best sentence has none, or none that is clearly of
    the kind (0.5). named: likewise, where a person, place or body is asked for, for a name that the
    question does not say itself. known: what is left of the confidence, less than
    1 where a name or number of the question stands in no passage at all. topical: the best cosine similarity, or
    `passage` as a share of OFF_TOPIC where that is more (a question that is little but a name is near
    to nothing), up to OFF_TOPIC.
    """
    if not evidence:
        return dict.fromkeys(SIGNALS, 0.0) | {"relevance": -12.0, "context": -12.0, "known": 1.0}
    best = evidence[0]
    stems = known_of(best.hit)
    passage = coverage(question, stems, {term: rarity(term) for term in question.terms})
    names = {term: rarity(term) for term in question.names}
    dense = max((e.hit.dense or 0.0) for e in evidence[:5])
    return {
        "relevance": best.logit,
        "context": max(e.logit if e.context is None else e.context for e in evidence[:AGAIN]),
        "topical": min(OFF_TOPIC, max(dense, OFF_TOPIC * passage)),
        "passage": passage,
        "names": coverage(question, stems, names) if names else 1.0,
        "value": _value(question, best),
        "named": _named(question, best),
        "known": UNKNOWN if unknown(question, rarity) else 1.0,
    }


def _value(question: Question, e: Evidence) -> float:
    if question.wanted not in NUMBER_KINDS | TIME_KINDS:
        return 1.0
    if not has_value(question, e.text, e.times, e.hit.info.published):
        return 0.0
    is_stated = e.times if question.wanted in TIME_KINDS else value_of(question, e)
    return 1.0 if is_stated else 0.5


def _named(question: Question, e: Evidence) -> float:
    if question.wanted not in NAME_KINDS or question.asks_who_that_is:
        return 1.0
    if value_of(question, e) is not None:
        return 1.0
    return 0.5 if has_value(question, e.text, e.times, e.hit.info.published) else 0.0


CLAUSES = 0.8
"""The exponent of the mean of clauses' confidences: each holds only part of what the question tells,
so each is found less surely than the whole."""


def together(confidences: Sequence[float], joint: bool) -> float:
    """The confidence of a question from its parts'; `joint` parts are clauses of one question."""
    mean = sum(confidences) / len(confidences)
    return mean**CLAUSES if joint else mean


def support(question: Question, evidence: Sequence[Evidence], rarity: Rarity) -> float:
    """How well the evidence supports an answer, 0 to 1. A bare topic has no answer to be right or
    wrong: it is supported as far as the articles have its words."""
    measured = signals(question, evidence, rarity)
    if question.is_topic:
        held = min(0.99, measured["passage"])
        return measured["known"] * (held if held >= ON_TOPIC else held * UNKNOWN)
    return calibration().confidence(measured)


def unknown(question: Question, rarity: Rarity) -> list[str]:
    """The names and numbers of the question that stand in no passage of the index."""
    return [
        term
        for term in question.names
        if len(term) >= SHORTEST_NAME
        and rarity(term) >= NOWHERE
        and not any(own == term for own, _ in question.also)
        and (_MEASURE.fullmatch(term) or not any(rarity(part) < NOWHERE for part in _parts(term)))
    ]


SHORTEST_NAME = 4
"""Letters of a name; a shorter one is an abbreviation that the articles may spell out."""
_MEASURE = re.compile(r"\d+-[a-z]+")


def _parts(term: str) -> list[str]:
    """Of a compound ("prize-winning") the words; of another term itself."""
    return [part for part in re.split(r"[^\w]", term) if len(part) > 1]
