"""The signals that say how well what was found supports an answer."""

from __future__ import annotations

import pytest
from fakes import info

from assistant.finding.support import signals
from assistant.question.understand import understand
from assistant.schema import Evidence, Hit
from indexing.schema import Passage, Sentence


def evidence(text: str) -> Evidence:
    sentence = Sentence(0, len(text))
    hit = Hit(Passage("a.txt", 0, len(text), text, (sentence,)), info("a.txt"), 0.5, 2.0, 0.5)
    return Evidence(sentence, text, hit, relevance=1.0, logit=1.0)


@pytest.mark.parametrize(
    ("question", "sentence", "named"),
    [
        ("Who presented the plan with Greer?", "Jamieson Greer presented the plan.", 1.0),
        ("Who presented the plan?", "The plan was presented yesterday.", 0.0),
        ("Who presented the plan with Greer?", "Greer presented the plan.", 0.0),
        ("Where was the plan presented?", "The plan was presented in Lyon.", 1.0),
        ("Where was the plan presented?", "Lyon saw the plan presented.", 0.5),
        ("Who is Jamieson Greer?", "Jamieson Greer is a lawyer.", 1.0),
        ("When was the plan presented?", "The plan was presented.", 1.0),
    ],
)
def test_a_name_that_is_asked_for_should_be_there(
    question: str, sentence: str, named: float
) -> None:
    found = signals(understand(question), [evidence(sentence)], lambda word: 0.5)
    assert found["named"] == named
