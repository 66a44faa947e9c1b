"""The training of the passage reader: what it offers, how it scores, what it punishes."""

from __future__ import annotations

import random
from math import log

import numpy as np
import torch

from eval.training import reader, reader_measure, reader_model, reader_text
from eval.training.reader_data import (
    Asked,
    add_foreign,
    article_of,
    exchanged,
    made_relative,
    offered,
    short_span,
)

HARBOUR = (
    "The harbour board of Velling closed two berths on Monday. The repairs will cost 4 million kroner. "
    "Ferries go on from the northern quay.\n\nThe chair, Ada Quill, would not say who pays."
)
BRIDGE = "The bridge at Orm opens in May. It cost 9 million kroner to build."


def test_a_window_holds_the_evidence_whole_and_labels_it() -> None:
    articles = [article_of("a", "Berths closed", HARBOUR, "one")]
    asked = Asked("What do the repairs cost?", 0, {1}, answer="4 million kroner")
    asked.spans[1] = short_span(articles[0].sentences[1], asked.answer) or (0, 0)
    for seed in range(20):
        window = offered(asked, articles, random.Random(seed), more=0.0)[0]
        right = [s for s, label in zip(window.sentences, window.labels, strict=True) if label == 1]
        assert right == ["The repairs will cost 4 million kroner."]
        assert window.span is not None
        n, first, end = window.span
        assert window.sentences[n][first:end] == "4 million kroner"


def test_a_passage_of_another_article_that_states_the_answer_teaches_nothing() -> None:
    articles = [article_of("a", "Berths", HARBOUR, "one"), article_of("b", "Bridge", BRIDGE, "two")]
    asked = Asked("What does it cost in kroner?", 0, {1}, answer="9 million kroner")
    add_foreign(articles, [asked])
    assert asked.foreign == [(1, 0, 2)]
    seen = [
        w
        for seed in range(30)
        for w in offered(asked, articles, random.Random(seed), more=1.0)
        if w.title == "Bridge"
    ]
    assert seen
    assert all(w.labels == [0, -1] for w in seen)


def test_a_question_on_another_name_or_number_is_answered_by_nothing() -> None:
    articles = [article_of("a", "Berths closed", HARBOUR, "one")]
    asked = Asked("What do repairs in Velling cost?", 0, {1}, answer="4 million kroner")
    windows = offered(asked, articles, random.Random(1), more=0.0)
    assert exchanged(windows, ["Orm"], random.Random(1))
    assert windows[0].question == "What do repairs in Orm cost?"
    assert windows[0].labels == [0] * len(windows[0].sentences)
    assert not exchanged(windows, ["Orm"], random.Random(1)), "they tell of no Orm"


def test_a_day_that_is_counted_to_answers_as_one_that_is_named() -> None:
    text = "The board met. The berths must open by 4 May 2026, it said."
    articles = [article_of("a", "Berths", text, "one")]
    asked = Asked("When must the berths open?", 0, {1}, answer="4 May 2026", kind=0)
    asked.spans[1] = short_span(articles[0].sentences[1], asked.answer) or (0, 0)
    windows = offered(asked, articles, random.Random(1), more=0.0)
    assert made_relative(windows, random.Random(1))
    n, first, end = windows[0].span or (0, 0, 0)
    assert windows[0].labels[n] == 1
    assert "4 May" not in windows[0].sentences[n]
    assert windows[0].sentences[n][first:end].split()[-1] in ("days", "weeks", "months")


def test_yes_and_no_are_left_out_of_the_short_answer() -> None:
    assert short_span("It closed in May, the board said.", "Yes, in May") == (10, 16)
    assert short_span("It closed.", "no") is None


def test_sentences_are_scored_alike_with_and_without_torch() -> None:
    rng = np.random.default_rng(1)
    window = rng.normal(size=2).astype(np.float32)
    tokens = rng.normal(size=(2, 7, 4)).astype(np.float32)
    sentence = np.array([[-1, 0, 0, 1, 1, 1, -1], [-1, -1, 0, 0, 0, 0, -1]])
    one = reader_text.pooled(window, tokens, sentence)
    arrays = [torch.from_numpy(a) for a in (window, tokens, sentence)]
    two = reader_model.sentence_scores(*arrays, 2).numpy()
    np.testing.assert_allclose(one[0], two[0], rtol=1e-5)
    np.testing.assert_allclose(one[1], two[1, :1], rtol=1e-5)
    assert two[1, 1] < -9e3


def test_the_short_answer_does_not_end_before_it_starts() -> None:
    tokens = np.zeros((5, 4), dtype=np.float32)
    tokens[3, reader_text.START] = tokens[1, reader_text.END] = 5
    first, last = reader_text.best_span(tokens, np.array([1, 2, 3, 4]))
    assert first <= last


def test_windows_of_one_question_share_one_softmax_with_none() -> None:
    scores = torch.zeros(3, 2)
    labels = torch.tensor([[1, 0], [0, -1], [0, 0]])
    group = torch.tensor([0, 0, 1])
    loss = reader._listwise(scores, labels, group, 2)
    # one right of three sentences and "none"; then "none" of two sentences and "none"
    assert abs(float(loss) - (log(4) + log(3))) < 1e-5


def test_figures_of_a_model_that_is_always_right() -> None:
    trials = [
        reader_measure.Trial(Asked("q", 0, {1}, answer="May", spans={1: (0, 3)}), [(0, 0), (0, 1)]),
        reader_measure.Trial(Asked("q", 0, set()), [(0, 0), (0, 1)]),
    ]
    outcomes = [reader_measure.Outcome([0.0, 2.0], "in May"), reader_measure.Outcome([-1.0, -2.0])]
    found = reader_measure.figures(trials, outcomes)
    assert found["first"] == found["auroc"] == 1
    assert found["false_answers_at_10_refused"] == 0
    assert found["exact"] == 0
    assert abs(found["f1"] - 2 / 3) < 1e-9
