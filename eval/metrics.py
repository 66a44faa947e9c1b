"""What an answer is measured by: Ragas' metrics that need no model, and our own made with its decorators.

Each metric is a number for one question, 0 to 1 unless it says otherwise, and applies to some
questions only. `right`, the verdict on a question, takes the ones together that no reader forgives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import eval.offline_ragas  # noqa: F401  # isort: skip
from ragas import EvaluationDataset, SingleTurnSample
from ragas.embeddings import BaseRagasEmbedding
from ragas.metrics import numeric_metric
from ragas.metrics._context_precision import (
    IDBasedContextPrecision,
    NonLLMContextPrecisionWithReference,
)
from ragas.metrics._context_recall import IDBasedContextRecall, NonLLMContextRecall
from ragas.metrics.collections import ExactMatch, SemanticSimilarity, StringPresence

from assistant.schema import Answer, Citation, Status
from assistant.settings import QUOTES
from eval.cases import Case, GoldSpan, Wordings
from eval.wording import holds, leads, normal, unmarked, written
from indexing.embed import Embedder
from indexing.schema import Passage

RETRIEVED = 4
"""Passages of a question that count as retrieved, as in the field's recall@4."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A question as it was answered. `answer` is None where asking failed, for the reason `error`.

    `gold` are the passages of the index that hold gold spans; `texts` the characters of the cited
    files, read from the files themselves; `ms` what the answer took.
    """

    case: Case
    answer: Answer | None
    texts: Mapping[str, str]
    gold: tuple[Passage, ...] = ()
    ms: float = 0.0
    error: str = ""

    @property
    def is_answered(self) -> bool:
        return self.answer is not None and self.answer.status is Status.ANSWERED

    @property
    def text(self) -> str:
        """The answer without its bold, its citation marks and the notice on what a model failed at."""
        if self.answer is None:
            return ""
        return unmarked(self.answer.text.removesuffix(self.answer.notice).rstrip())

    @property
    def citations(self) -> tuple[Citation, ...]:
        return self.answer.citations if self.answer else ()


# Our own metrics


@numeric_metric(name="factual_accuracy")
def factual_accuracy(response: str, facts: list[Any], never: list[Any]) -> float:
    """1 where every fact is in the response, in a wording of its own, and nothing of `never` is."""
    said = all(any(holds(response, wording) for wording in fact) for fact in facts)
    return float(said and not any(holds(response, wording) for wording in never))


@numeric_metric(name="calendar_date")
def calendar_date(response: str, given: list[Any], wanted: str) -> float:
    """1 where the date is among those given and, being a day, is written out in the response."""
    is_given = any(iso.startswith(wanted) or wanted.startswith(iso) for iso in given)
    is_said = len(wanted) < len("2026-03-06") or holds(response, written(wanted))
    return float(is_given and is_said)


@numeric_metric(name="citation_exactness")
def citation_exactness(quotes: list[Any], slices: list[Any]) -> float:
    """The share of quotes that are their files' characters at the offsets given."""
    same = [quote == cut != "" for quote, cut in zip(quotes, slices, strict=True)]
    return sum(map(bool, same)) / len(same)


@numeric_metric(name="citation_support")
def citation_support(cited: list[Any], gold: list[Any]) -> float:
    """The largest share of a gold span's characters that lies within the cited spans.

    Spans are (file, start, end). Gold spans are ways to the same answer, so the best one counts.
    """
    return max(
        len({i for file, start, end in cited if file == source for i in range(start, end)} & whole)
        / len(whole)
        for source, first, last in gold
        for whole in [set(range(first, last))]
    )


@numeric_metric(name="evidence_recall")
def evidence_recall(cited: list[Any], gold: list[Any]) -> float:
    """The share of gold spans (file, start, end) that a cited span overlaps."""
    found = [
        any(file == source and start < last and first < end for file, start, end in cited)
        for source, first, last in gold
    ]
    return sum(found) / len(found)


@numeric_metric(name="source_agreement")
def source_agreement(cited_files: list[Any], gold_files: list[Any], most: int) -> float:
    """The share of the sources stating the answer that are cited, of as many as there is room for."""
    return min(1.0, len(set(cited_files) & set(gold_files)) / min(len(gold_files), most))


@numeric_metric(name="both_sides")
def both_sides(response: str, one: list[Any], other: list[Any]) -> float:
    """1 where the response shows what either of two contradicting sources says."""
    return float(all(any(holds(response, w) for w in side) for side in (one, other)))


@numeric_metric(name="false_answer")
def false_answer(is_answered: bool) -> float:
    """1 where a question the corpus does not answer was answered."""
    return float(is_answered)


@numeric_metric(name="false_refusal")
def false_refusal(is_answered: bool) -> float:
    """1 where a question the corpus answers was not."""
    return float(not is_answered)


@numeric_metric(name="context_hit")
def context_hit(retrieved_ids: list[Any], gold_ids: list[Any]) -> float:
    """1 where a passage that states the answer is among those retrieved: hit@k."""
    return float(bool(set(retrieved_ids) & set(gold_ids)))


@numeric_metric(name="answer_words", allowed_values=(0.0, 1e6))
def answer_words(response: str) -> float:
    """Words of the response, citation marks left out."""
    return float(len(response.split()))


@numeric_metric(name="right")
def right(wrong: list[Any]) -> float:
    """1 where nothing is wrong with a reply (see `what_is_wrong`)."""
    return float(not wrong)


class LocalEmbedding(BaseRagasEmbedding):
    """The index's own embedder as Ragas takes one: nothing is downloaded."""

    def __init__(self, embedder: Embedder) -> None:
        super().__init__()
        self._embedder = embedder

    def embed_text(self, text: str, **_: Any) -> list[float]:
        return [float(x) for x in self._embedder.embed_query(text)]

    async def aembed_text(self, text: str, **_: Any) -> list[float]:
        return self.embed_text(text)


# From a reply to the samples of Ragas


def sample(reply: Reply) -> SingleTurnSample:
    """A reply in Ragas' form; contexts are the cited sentences, ids those of whole passages.

    Gold spans are sentences as quotes are, so Ragas' comparison of whole strings fits them; passages
    are compared by id, and both their ids come from the same index, so they survive re-chunking.
    """
    answer, case = reply.answer, reply.case
    retrieved = answer.passages[:RETRIEVED] if answer else ()
    gold = [_text_of(span, reply.texts) for span in case.evidence]
    return SingleTurnSample(
        user_input=case.question,
        response=reply.text,
        reference=case.reference or " ".join(gold),
        retrieved_contexts=[c.quote for c in reply.citations],
        reference_contexts=gold,
        retrieved_context_ids=[_id(p) for p in retrieved],
        reference_context_ids=[_id(p) for p in reply.gold],
        query_style=case.form or None,
    )


def dataset(replies: Sequence[Reply]) -> EvaluationDataset:
    """The replies as Ragas' `EvaluationDataset`, in their order."""
    return EvaluationDataset(samples=[sample(reply) for reply in replies])


def _text_of(span: GoldSpan, texts: Mapping[str, str]) -> str:
    return span.text or texts.get(span.file, "")[span.start : span.end]


def _id(passage: Passage) -> str:
    return f"{passage.source}:{passage.start}-{passage.end}"


# The table of metrics


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric and how it is read. `less_is_better` turns its comparisons round; `gated` ones fail
    a gated run when they get worse."""

    name: str
    says: str
    gated: bool = False
    less_is_better: bool = False
    unit: str = ""

    def is_worse(self, now: float, before: float) -> bool:
        return now > before if self.less_is_better else now < before

    def shown(self, value: float) -> str:
        """`93.1%`, or a number of its unit."""
        return f"{value:.0f} {self.unit}" if self.unit else percent(value)


def percent(share: float) -> str:
    return f"{100 * share:.1f}%"


MEASURES: tuple[Measure, ...] = (
    Measure(
        "right", "answered or refused as it should be; facts, dates and quotes in order", gated=True
    ),
    Measure("factual_accuracy", "every fact in the answer, none that must not be", gated=True),
    Measure("calendar_date", "the right calendar date given and written out", gated=True),
    Measure("citation_exactness", "quotes that are their file's characters", gated=True),
    Measure("citation_support", "a gold span's characters within the cited ones", gated=True),
    Measure("false_answer", "unanswerable questions answered", gated=True, less_is_better=True),
    Measure("false_refusal", "answerable questions refused", gated=True, less_is_better=True),
    Measure("context_hit", f"a gold passage among the first {RETRIEVED}", gated=True),
    Measure("source_agreement", "sources stating the answer that are cited", gated=True),
    Measure("both_sides", "both of two contradicting sources shown", gated=True),
    Measure("evidence_recall", "gold spans that a citation touches"),
    Measure("context_recall", f"Ragas: gold passages among the first {RETRIEVED}, by id"),
    Measure(
        "context_precision", f"Ragas: of the first {RETRIEVED} passages those with gold, by id"
    ),
    Measure("quote_recall", "Ragas: gold sentences like a quoted one (Levenshtein)"),
    Measure(
        "quote_precision",
        "Ragas: quotes like a gold sentence, early ones counting more",
        gated=True,
    ),
    Measure("string_presence", "Ragas: the share of facts that stand in the answer"),
    Measure("exact_match", "Ragas: what is first in bold is an accepted answer and no more"),
    Measure("semantic_similarity", "Ragas: cosine of answer and reference, bundled model"),
    Measure("answer_words", "words of an answer", less_is_better=True, unit="words"),
)
BY_NAME = {measure.name: measure for measure in MEASURES}

VALUE_TYPES = frozenset("deadline date duration amount count share person body place law".split())
"""Types of question whose direct answer is a value, to be said in bold."""

Scores = dict[str, float]


class Scorer:
    """Measures replies. `most` is how many sentences an answer may quote; without `embedder`
    there is no `semantic_similarity`."""

    def __init__(self, embedder: Embedder | None = None, most: int = 3) -> None:
        self._most = most
        self._presence, self._match = StringPresence(), ExactMatch()
        self._similarity = (
            SemanticSimilarity(embeddings=LocalEmbedding(embedder)) if embedder else None
        )
        self._by_sample: dict[str, Any] = {
            "context_recall": IDBasedContextRecall(),
            "context_precision": IDBasedContextPrecision(),
            "quote_recall": NonLLMContextRecall(),
            "quote_precision": NonLLMContextPrecisionWithReference(),
        }

    def scores(self, replies: Sequence[Reply]) -> list[Scores]:
        """Of every reply the metrics that apply to it, in the order of MEASURES."""

        async def all_of_them() -> list[Scores]:
            samples = [one for one in dataset(replies) if isinstance(one, SingleTurnSample)]
            pairs = zip(replies, samples, strict=True)
            return [await self._scores(reply, one) for reply, one in pairs]

        return asyncio.run(all_of_them())

    async def _scores(self, reply: Reply, one: SingleTurnSample) -> Scores:
        found = await (
            self._of_answerable(reply, one) if reply.case.answerable else _of_other(reply)
        )
        if reply.citations:
            found["citation_exactness"] = await _value(
                citation_exactness,
                quotes=[c.quote for c in reply.citations],
                slices=[reply.texts.get(c.source, "")[c.start : c.end] for c in reply.citations],
            )
        if reply.is_answered:
            found["answer_words"] = await _value(answer_words, response=reply.text)
        found["right"] = await _value(right, wrong=what_is_wrong(reply, found))
        return {name: found[name] for name in BY_NAME if name in found}

    async def _of_answerable(self, reply: Reply, one: SingleTurnSample) -> Scores:
        case, answered = reply.case, reply.is_answered
        response = reply.text if answered else ""  # what a refusal happens to name is no answer
        cited = [(c.source, c.start, c.end) for c in reply.citations]
        gold = [(s.file, s.start, s.end) for s in case.evidence]
        found = {"false_refusal": await _value(false_refusal, is_answered=answered)}
        if case.facts or case.never:
            found["factual_accuracy"] = await _value(
                factual_accuracy,
                response=response,
                facts=[list(fact) for fact in case.facts],
                never=list(case.never),
            )
            if not answered:
                found["factual_accuracy"] = 0.0
        if case.facts:
            found["string_presence"] = await self._share_present(case.facts, response)
        if case.calendar_date:
            given = [d.date for d in reply.answer.dates] if answered and reply.answer else []
            found["calendar_date"] = await _value(
                calendar_date, response=response, given=given, wanted=case.calendar_date
            )
        if case.other_side and case.facts:
            found["both_sides"] = await _value(
                both_sides,
                response=response,
                one=list(case.facts[0]),
                other=list(case.other_side),
            )
        if gold:
            found["citation_support"] = await _value(citation_support, cited=cited, gold=gold)
            found["evidence_recall"] = await _value(evidence_recall, cited=cited, gold=gold)
        if len(case.sources) > 1:
            found["source_agreement"] = await _value(
                source_agreement,
                cited_files=[file for file, _, _ in cited],
                gold_files=list(case.sources),
                most=self._most,
            )
        is_quoted = reply.answer is not None and reply.answer.engine == QUOTES  # prose has no bold
        if case.type in VALUE_TYPES and len(case.facts) == 1 and reply.answer and is_quoted:
            said = leads(reply.answer.text)[:1] if answered else []
            found["exact_match"] = await self._match_of(case.facts[0], said)
        return found | await self._of_sample(reply, one)

    async def _of_sample(self, reply: Reply, one: SingleTurnSample) -> Scores:
        """The metrics of Ragas' own that take a whole sample."""
        found = Scores()
        searched = reply.answer is None or reply.answer.passages or not reply.is_answered
        if reply.gold and searched:
            found["context_hit"] = await _value(
                context_hit,
                retrieved_ids=one.retrieved_context_ids,
                gold_ids=one.reference_context_ids,
            )
        for name, metric in self._by_sample.items():
            by_id = name.startswith("context")
            if not (reply.gold and searched if by_id else one.reference_contexts):
                continue
            had = one.retrieved_context_ids if by_id else one.retrieved_contexts
            # Ragas' own give no number, or fail, where nothing was retrieved; the precision divides
            # by a little more than the count.
            found[name] = round(float(await metric.single_turn_ascore(one)), 9) if had else 0.0
        if self._similarity and one.reference and reply.is_answered:
            found["semantic_similarity"] = await _value(
                self._similarity, reference=one.reference, response=one.response
            )
        return found

    async def _share_present(self, facts: Sequence[Wordings], response: str) -> float:
        text = f" {normal(response)} "
        present = [
            max(
                [await _value(self._presence, reference=f" {normal(w)} ", response=text) for w in f]
            )
            for f in facts
        ]
        return sum(present) / len(present)

    async def _match_of(self, wordings: Wordings, said: Sequence[str]) -> float:
        pairs = [(normal(w), normal(lead)) for w in wordings for lead in said]
        return max([await _value(self._match, reference=w, response=s) for w, s in pairs] or [0.0])


async def _of_other(reply: Reply) -> Scores:
    return {"false_answer": await _value(false_answer, is_answered=reply.is_answered)}


async def _value(metric: Any, **inputs: Any) -> float:
    """A Ragas metric's value. Raises ValueError with Ragas' reason where it has none."""
    result = await metric.ascore(**inputs)
    if result.value is None:
        raise ValueError(f"{metric.name}: {result.reason}")
    return float(result.value)


def what_is_wrong(reply: Reply, scores: Mapping[str, float]) -> list[str]:
    """Why a reply is not right, in words; nothing for one that is."""
    case = reply.case
    if reply.error:
        return [f"failed: {reply.error}"]
    wrong = []
    if scores.get("false_answer"):
        wrong.append("answered, though the corpus does not say")
    if scores.get("false_refusal"):
        wrong.append("refused, though the corpus says")
    elif not scores.get("factual_accuracy", 1.0):
        missing = [f for f in case.facts if not any(holds(reply.text, w) for w in f)]
        wrong += [f"missing {' | '.join(fact)}" for fact in missing]
        wrong += [f"says {w}" for w in case.never if holds(reply.text, w)]
    if case.calendar_date and not scores.get("calendar_date", 1.0):
        wrong.append(f"no date {written(case.calendar_date)}")
    if scores.get("citation_exactness", 1.0) < 1:
        wrong.append("a quote is not its file's characters")
    if scores.get("both_sides") == 0 and not scores.get("false_refusal"):
        wrong.append("only one of two contradicting sources shown")
    if reply.is_answered and not reply.citations:
        wrong.append("answered without a citation")
    return wrong
