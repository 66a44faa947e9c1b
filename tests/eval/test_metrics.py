"""What answers are measured by, over answers made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fakes import answered, cited, missing
from ragas import EvaluationDataset

from assistant.schema import AnswerDate
from eval.cases import Case, GoldSpan
from eval.metrics import BY_NAME, MEASURES, Reply, Scorer, Scores, dataset, what_is_wrong
from eval.wording import holds, leads, unmarked, written
from indexing.schema import Passage

RAW = "The plan is due within 30 days. Work starts in May."
GOLD = GoldSpan("a.txt", 0, 31, RAW[:31])
PASSAGE = Passage("a.txt", 0, len(RAW), RAW, ())
OTHER = Passage("b.txt", 0, 9, "Not this.", ())
CASE = Case(
    id="q1",
    question="When is the plan due?",
    answerable=True,
    type="deadline",
    facts=(("30 days", "thirty days"), ("plan",)),
    calendar_date="2026-03-06",
    evidence=(GOLD,),
    reference="Within 30 days, by 6 March 2026.",
)
DATE = AnswerDate("within 30 days", None, "2026-03-06", "", 1, (1,))
ANSWER = answered(
    "The plan is due **within 30 days** [1], by 6 March 2026 [1].",
    cited(RAW, RAW[:31]),
    dates=(DATE,),
    passages=(PASSAGE, OTHER),
)
REPLY = Reply(CASE, ANSWER, {"a.txt": RAW, "b.txt": "Not this."}, gold=(PASSAGE,), ms=5.0)
UNANSWERABLE = Case("q2", "Who pays?", False, type="near-miss")


class Letters:
    """An embedder by which texts are alike that have the same letters."""

    name, dimension = "letters", 26

    def embed_query(self, text: str) -> np.ndarray:
        counts = np.array([text.casefold().count(chr(97 + i)) for i in range(26)], np.float32)
        return counts / (np.linalg.norm(counts) or 1)


def scored(reply: Reply = REPLY, most: int = 3) -> Scores:
    scores = Scorer(Letters(), most).scores([reply])[0]  # type: ignore[arg-type]
    assert (scores["right"] == 1) == (not what_is_wrong(reply, scores))
    return scores


def reply(case: Case = CASE, **changes: object) -> Reply:
    return replace(REPLY, case=case, answer=replace(ANSWER, **changes))  # type: ignore[arg-type]


def test_a_complete_answer_is_right_by_every_metric() -> None:
    scores = scored()
    assert scores.pop("answer_words") == 11
    assert 0.9 < scores.pop("semantic_similarity") <= 1
    assert scores.pop("context_precision") == 0.5
    assert scores.pop("false_refusal") == 0
    assert set(scores) == {
        *("right", "factual_accuracy", "calendar_date", "citation_exactness", "citation_support"),
        *("evidence_recall", "context_hit", "context_recall", "quote_recall", "quote_precision"),
        "string_presence",
    }
    assert set(scores.values()) == {1.0}


def test_every_fact_must_be_there_as_whole_words() -> None:
    wrong = reply(text="It is due within 130 days [1], by 6 March 2026: the planned day.")
    scores = scored(wrong)
    assert (scores["factual_accuracy"], scores["string_presence"]) == (0, 0)
    assert what_is_wrong(wrong, scores) == ["missing 30 days | thirty days", "missing plan"]
    half = scored(reply(text="Within thirty days [1], by 6 March 2026."))
    assert (half["factual_accuracy"], half["string_presence"]) == (0, 0.5)


def test_what_must_never_be_said_makes_an_answer_wrong() -> None:
    case = replace(CASE, never=("6 March",))
    scores = scored(reply(case))
    assert (scores["factual_accuracy"], scores["right"]) == (0, 0)
    assert what_is_wrong(reply(case), scores) == ["says 6 March"]
    alone = replace(case, facts=(), calendar_date=None)
    assert scored(reply(alone))["right"] == 0
    assert scored(replace(reply(alone), answer=missing()))["factual_accuracy"] == 0


@pytest.mark.parametrize(
    ("given", "text", "value"),
    [
        ("2026-03-06", "The plan: 30 days, by 6 March 2026 [1].", 1),
        ("2026-03", "The plan: 30 days, by 6 March 2026 [1].", 1),
        ("2026-03-07", "The plan: 30 days, by 6 March 2026 [1].", 0),
        ("2026-03-06", "The plan: 30 days, by 16 March 2026 [1].", 0),
        ("2026-03-06", "The plan: within 30 days [1].", 0),
    ],
)
def test_a_calendar_date_must_be_given_and_written(given: str, text: str, value: int) -> None:
    scores = scored(reply(dates=(replace(DATE, date=given),), text=text))
    assert scores["calendar_date"] == scores["right"] == value


def test_a_month_need_not_be_written_and_no_date_need_not_be_right() -> None:
    month = replace(CASE, calendar_date="2025-07", facts=())
    given = (replace(DATE, date="2025-07-31"),)
    assert scored(reply(month, dates=given, text="Last July [1]."))["calendar_date"] == 1
    assert scored(reply(month, dates=()))["calendar_date"] == 0
    assert "calendar_date" not in scored(reply(replace(CASE, calendar_date=None), dates=()))


def test_a_quote_one_character_off_is_not_exact() -> None:
    moved = replace(ANSWER.citations[0], start=1, end=32)
    elsewhere = replace(ANSWER.citations[0], source="c.txt")
    for wrong in (moved, elsewhere):
        scores = scored(reply(citations=(ANSWER.citations[0], wrong)))
        assert (scores["citation_exactness"], scores["right"]) == (0.5, 0)
    assert scored(reply(citations=(moved,)))["citation_support"] == pytest.approx(30 / 31)


def test_support_is_how_much_of_the_best_gold_span_is_cited() -> None:
    two = replace(CASE, evidence=(GOLD, GoldSpan("b.txt", 0, 9, "Not this.")))
    part = replace(ANSWER.citations[0], start=0, end=10, quote=RAW[:10])
    scores = scored(reply(two, citations=(part,)))
    assert scores["citation_support"] == pytest.approx(10 / 31)
    assert scores["evidence_recall"] == 0.5
    apart = replace(ANSWER.citations[0], start=31, end=51, quote=RAW[31:])
    assert scored(reply(citations=(apart,)))["citation_support"] == 0
    assert scored(reply(citations=(apart,)))["evidence_recall"] == 0


def test_sources_that_agree_are_counted_as_far_as_an_answer_may_quote() -> None:
    spans = tuple(GoldSpan(f"{name}.txt", 0, 31, RAW[:31]) for name in "abcd")
    case = replace(CASE, evidence=spans)
    texts = {f"{name}.txt": RAW for name in "abcd"}
    one = replace(reply(case), texts=texts)
    assert scored(one)["source_agreement"] == pytest.approx(1 / 3)
    assert scored(one, most=1)["source_agreement"] == 1
    both = cited(RAW, RAW[:31], number=2, source="b.txt")
    two = replace(reply(case, citations=(*ANSWER.citations, both)), texts=texts)
    assert scored(two)["source_agreement"] == pytest.approx(2 / 3)
    assert "source_agreement" not in scored()


def test_contradicting_sources_must_both_be_shown() -> None:
    case = replace(CASE, other_side=("60 days",))
    assert scored(reply(case))["both_sides"] == scored(reply(case))["right"] == 0
    told = "The plan: 30 days [1], by 6 March 2026, or 60 days [1]."
    assert scored(reply(case, text=told))["both_sides"] == 1


def test_a_refusal_is_right_only_where_the_corpus_does_not_say() -> None:
    refused = replace(missing(), text="No article says that the plan has 30 days.")
    scores = scored(replace(REPLY, answer=replace(refused, passages=(OTHER,))))
    assert {n: v for n, v in scores.items() if v} == {"false_refusal": 1}
    assert scored(replace(REPLY, case=UNANSWERABLE, answer=refused)) == {
        "right": 1,
        "false_answer": 0,
    }
    said = scored(replace(REPLY, case=UNANSWERABLE))
    assert (said["right"], said["false_answer"]) == (0, 1)


def test_a_question_that_failed_and_an_answer_without_a_citation_are_wrong() -> None:
    for case in (CASE, UNANSWERABLE):
        failed = Reply(case, None, {}, (PASSAGE,), error="the index is gone")
        assert scored(failed)["right"] == 0
        assert what_is_wrong(failed, scored(failed)) == ["failed: the index is gone"]
    bare = reply(citations=())
    assert scored(bare)["right"] == 0
    assert what_is_wrong(bare, scored(bare)) == ["answered without a citation"]


def test_retrieval_is_measured_by_passages_however_they_were_cut() -> None:
    first = [PASSAGE, OTHER]
    five = [Passage("b.txt", n, n + 1, "x", ()) for n in range(4)]
    assert scored(reply(passages=tuple(first)))["context_hit"] == 1
    late = scored(reply(passages=(*five, PASSAGE)))
    assert (late["context_hit"], late["context_recall"], late["context_precision"]) == (0, 0, 0)
    # What the catalog answers, not the search, says nothing of retrieval.
    assert "context_hit" not in scored(reply(passages=()))
    nothing = scored(replace(REPLY, answer=replace(missing(), passages=())))
    assert (nothing["context_hit"], nothing["context_recall"]) == (0, 0)


def test_the_direct_answer_is_what_is_bold() -> None:
    case = replace(CASE, facts=(("within 30 days",),))
    assert scored(reply(case))["exact_match"] == 1
    assert scored(reply(case, text="Within 30 days [1], by 6 March 2026."))["exact_match"] == 0
    late = "**Within 90 days**, or **within 30 days** [1], by 6 March 2026."
    assert scored(reply(case, text=late))["exact_match"] == 0
    assert scored(replace(reply(case), answer=missing()))["exact_match"] == 0
    assert leads("**a** and **b c**") == ["a", "b c"]


@pytest.mark.parametrize(
    ("text", "wording"),
    [
        ("signed by the U.S. and Mexico", "the US"),
        ("about 90% of it", "90 percent"),
        ("Act (H.R. 4090)", "HR 4090"),
        ("a 60-day plan", "60 day"),
        ("China’s mines", "China's"),
    ],
)
def test_a_wording_is_found_whatever_its_punctuation(text: str, wording: str) -> None:
    assert holds(text, wording)


def test_a_wording_without_words_is_nowhere() -> None:
    assert not holds("a text. ...", "...")
    assert unmarked("It is **so** [1][2], or [1, 2] so.") == "It is so, or so."
    assert [written(iso) for iso in ("2026-03-06", "2025-07", "2020")] == [
        "6 March 2026",
        "July 2025",
        "2020",
    ]


def test_replies_become_samples_of_ragas_in_their_order() -> None:
    samples = dataset([REPLY, replace(REPLY, case=UNANSWERABLE)])
    assert isinstance(samples, EvaluationDataset)
    first = samples.samples[0]
    assert first.user_input == CASE.question
    assert first.retrieved_context_ids == ["a.txt:0-51", "b.txt:0-9"]
    assert first.reference_context_ids == ["a.txt:0-51"]
    assert first.retrieved_contexts == first.reference_contexts == [RAW[:31]]
    assert samples.samples[1].user_input == UNANSWERABLE.question


def test_every_metric_that_is_scored_is_in_the_table_and_the_reverse() -> None:
    case = replace(
        CASE,
        other_side=("60 days",),
        evidence=(GOLD, GoldSpan("b.txt", 0, 9, "Not this.")),
        facts=(("30 days",),),
    )
    found = set(scored(reply(case))) | set(scored(replace(REPLY, case=UNANSWERABLE)))
    assert found == set(BY_NAME)
    assert len(BY_NAME) == len(MEASURES)


def test_nothing_is_measured_of_a_model_where_there_is_none() -> None:
    assert "semantic_similarity" not in Scorer().scores([REPLY])[0]
