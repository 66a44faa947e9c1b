"""Judged metrics, against a scripted judge that faults to order and against a real small model."""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import answered, cited, missing
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from pydantic import BaseModel
from repository import HELPERS
from scripted_judge import PROMPTS, Fault, scripted_judge
from small_model import NAME, serving
from unplugged import Unplugged

from eval.cases import Case
from eval.judge import GIVE_UP_AFTER, METRICS, ChatJudge, Judged, Unjudged, judge
from eval.metrics import RETRIEVED, Reply
from indexing.embed import open_embedder
from indexing.errors import SettingsError
from indexing.schema import Passage
from indexing.settings import BUNDLED

RAW = "The bridge opened on 5 May. It cost ten million."
QUOTE = "The bridge opened on 5 May."
CASE = Case("q1", "When did the bridge open?", True, reference=QUOTE)
ANSWER = answered("**The bridge opened on 5 May.** [1]", cited(RAW, QUOTE))
REPLY = Reply(CASE, ANSWER, {"a.txt": RAW})
WRONG = replace(ANSWER, text="The bridge opened on 9 June. [1]")
EMBEDDER = open_embedder(BUNDLED, 1)


def judged(url: str, *replies: Reply, **options: Any) -> Judged:
    options = {"embedder": EMBEDDER, "timeout_s": 20.0, **options}
    result = judge(replies or (REPLY,), "openai:scripted", url=url, **options)
    scored = [(case, metric) for case, found in result.scores.items() for metric in found]
    failed = [(failure.case, failure.metric) for failure in result.failures]
    assert len({*scored, *failed}) == len(scored) + len(failed)
    assert all(0 <= score <= 1 for found in result.scores.values() for score in found.values())
    assert all("\n" not in f.message and f.message for f in result.failures)
    return result


def many(count: int) -> Sequence[Reply]:
    return [replace(REPLY, case=replace(CASE, id=f"q{n}")) for n in range(count)]


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def test_every_metric_gives_a_right_answer_its_best_number() -> None:
    steps: list[tuple[str, int, int]] = []
    with scripted_judge() as server:
        server.question = CASE.question
        result = judged(server.url, progress=lambda *step: steps.append(step))
    assert result.model == "openai:scripted"
    assert result.failures == ()
    assert result.scores == {"q1": dict.fromkeys(METRICS, pytest.approx(1.0))}
    assert steps == [("judging", n, 4) for n in (1, 2, 3, 4)]


def test_each_metric_weighs_what_it_is_named_for() -> None:
    passage = Passage("a.txt", 0, len(RAW), RAW, ())
    with scripted_judge() as server:
        wrong = judged(server.url, replace(REPLY, answer=replace(WRONG, passages=(passage,))))
        unfound = replace(CASE, reference="The bridge opened at noon.")
        not_found = judged(server.url, replace(REPLY, case=unfound))
        server.question = "What is for lunch on Mondays?"
        beside = judged(server.url)
    assert wrong.scores["q1"]["faithfulness"] == wrong.scores["q1"]["factual_correctness"] == 0
    assert wrong.scores["q1"]["context_recall"] == 1
    assert not_found.scores["q1"]["faithfulness"] == 1
    assert not_found.scores["q1"]["context_recall"] == 0
    assert beside.scores["q1"]["answer_relevancy"] < 0.5


def test_the_judge_reads_the_retrieved_passages_or_else_the_quotes_and_no_marks() -> None:
    passages = [Passage("a.txt", n, n + 1, f"Passage {n}.", ()) for n in range(RETRIEVED + 1)]
    with scripted_judge() as server:
        judged(server.url, replace(REPLY, answer=replace(ANSWER, passages=tuple(passages))))
        judged(server.url, REPLY)
    of_passages, of_quotes = [g for schema, g in server.given if schema == "ContextRecallOutput"]
    answer = next(g for schema, g in server.given if schema == "StatementGeneratorOutput")
    assert of_passages["context"] == "\n".join(p.text for p in passages[:RETRIEVED])
    assert of_quotes["context"] == QUOTE
    assert answer == {"question": CASE.question, "answer": QUOTE}


def test_only_answers_are_judged_and_only_by_what_can_be_known_of_them() -> None:
    replies = [
        Reply(replace(CASE, id="refused"), missing(), {}),
        Reply(replace(CASE, id="failed"), None, {}, error="broken"),
        replace(REPLY, case=replace(CASE, id="no reference", reference="")),
        replace(REPLY, case=Case("unanswerable", "Who paid?", False)),
    ]
    with scripted_judge() as server:
        result = judged(server.url, *replies)
    assert result.scores == {"unanswerable": {"faithfulness": 1.0}}
    assert result.failures == ()


def test_two_judgings_in_one_process_lose_no_request() -> None:
    with scripted_judge() as server:
        first = judged(server.url)
        asked = len(server.requests)
        assert judged(server.url) == first
    assert len(server.requests) == 2 * asked
    assert first.failures == ()


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("slow", "timeout"),
        ("malformed", "malformed"),
        ("wrong schema", "malformed"),
        ("not a verdict", "malformed"),
        ("no JSON at all", "malformed"),
        ("empty", "no number"),
        ("refusal", "refusal"),
        ("filtered", "refusal"),
        ("cut off", "cut off"),
        ("too long", "error"),
        ("HTTP 401", "unreachable"),
        ("HTTP 500", "unreachable"),
    ],
)
def test_a_fault_fails_its_judgement_under_its_kind_and_no_other(fault: Fault, kind: str) -> None:
    with scripted_judge(everything=fault) as server:
        result = judged(server.url, timeout_s=0.5 if fault == "slow" else 20.0)
    assert result.scores == {}
    assert [(f.metric, f.kind) for f in result.failures] == [(m, kind) for m in METRICS]


@pytest.mark.parametrize("metric", METRICS)
def test_a_metric_that_fails_leaves_the_others_as_they_were(metric: str) -> None:
    with scripted_judge() as server:
        well = judged(server.url).scores["q1"]
    with scripted_judge(**{metric: "malformed"}) as server:
        result = judged(server.url)
    assert [(f.case, f.metric, f.kind) for f in result.failures] == [("q1", metric, "malformed")]
    assert result.scores == {"q1": {m: score for m, score in well.items() if m != metric}}


def test_a_judgement_that_is_not_a_number_is_a_failure() -> None:
    class Nowhere:
        name, dimension = "nowhere", 2

        def embed_query(self, text: str) -> np.ndarray:
            return np.array([np.nan, np.nan], np.float32)

    with scripted_judge() as server:
        result = judged(server.url, embedder=Nowhere())
    assert [(f.metric, f.kind) for f in result.failures] == [("answer_relevancy", "no number")]
    assert set(result.scores["q1"]) == METRICS.keys() - {"answer_relevancy"}


def test_a_server_that_is_not_there_makes_every_judgement_unreachable() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # and does not listen
        result = judged(f"http://127.0.0.1:{free.getsockname()[1]}/v1", *many(3))
    assert result.scores == {}
    assert Counter(f.kind for f in result.failures) == {"unreachable": 12}


@pytest.mark.parametrize("fault", ["HTTP 401", "slow"])
def test_a_judge_that_never_replies_is_soon_not_asked_any_more(fault: Fault) -> None:
    with scripted_judge(everything=fault) as server:
        result = judged(server.url, *many(2), at_once=1, timeout_s=0.5 if fault == "slow" else 20)
    assert len(server.requests) <= GIVE_UP_AFTER
    assert len(result.failures) == 8
    assert all(
        f.kind == "unreachable" and f.message.startswith("not asked")
        for f in result.failures[GIVE_UP_AFTER:]
    )


def test_a_judge_that_replies_now_and_then_is_asked_to_the_end() -> None:
    faults: dict[str, Fault] = {m: "HTTP 401" for m in METRICS if m != "answer_relevancy"}
    with scripted_judge(**faults) as server:
        result = judged(server.url, *many(6), at_once=1)
    assert all(set(found) == {"answer_relevancy"} for found in result.scores.values())
    assert len(result.scores) == 6
    assert not [f for f in result.failures if f.message.startswith("not asked")]


def test_only_the_metrics_asked_for_are_judged() -> None:
    with scripted_judge() as server:
        assert set(judged(server.url, metrics=["context_recall"]).scores["q1"]) == {
            "context_recall"
        }
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        ("gpt-4.1", {}, "provider:model"),
        ("openai:", {}, "provider:model"),
        ("nobody:gpt", {}, "Unsupported provider='nobody'"),
        ("baseten:some-model", {}, "pip install langchain-baseten"),
        ("openai:gpt-4.1", {}, "OPENAI_API_KEY"),
        ("openai:gpt-4.1", {"url": "localhost:8080"}, "http://"),
        ("openai:gpt-4.1", {"url": "http://127.0.0.1:1", "metrics": ["truth"]}, "'truth'"),
    ],
)
def test_a_judge_that_cannot_be_used_is_said_to_be_so_before_anything_is_asked(
    model: str, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(SettingsError, match=said) as raised:
        judge([REPLY], model, embedder=EMBEDDER, **options)
    assert "\n" not in str(raised.value)


def test_the_key_is_sent_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted_judge() as server:
        judged(server.url)
        assert set(server.keys) == {"Bearer none"}
        server.keys.clear()
        monkeypatch.setenv("OPENAI_API_KEY", "a-key")
        judged(server.url)
        assert set(server.keys) == {"Bearer a-key"}


def test_a_request_names_the_model_the_schema_and_its_limits() -> None:
    with scripted_judge() as server:
        judged(server.url, max_tokens=77)
    assert set(server.paths) == {"/v1/chat/completions"}
    schemas = {r["response_format"]["json_schema"]["name"] for r in server.requests}
    assert schemas == {*PROMPTS, "NLIStatementOutput"}
    for request in server.requests:
        assert request["model"] == "scripted"
        assert request["temperature"] == 0
        assert request["max_completion_tokens"] == 77
        assert request["response_format"]["type"] == "json_schema"


@pytest.mark.parametrize(
    ("metadata", "kind"),
    [
        ({"stop_reason": "max_tokens"}, "cut off"),  # Anthropic
        ({"stop_reason": "refusal"}, "refusal"),
        ({"done_reason": "length"}, "cut off"),  # Ollama
        ({"finish_reason": "SAFETY"}, "refusal"),  # Google
        ({"stop_reason": "end_turn"}, "malformed"),
    ],
)
def test_other_providers_words_for_an_end_are_understood(
    metadata: dict[str, str], kind: str
) -> None:
    class Truth(BaseModel):
        verdict: int

    class Chat:
        def with_structured_output(self, *_: object, **__: object) -> RunnableLambda[str, Any]:
            raw = AIMessage("", response_metadata=metadata)
            return RunnableLambda(lambda _: {"raw": raw, "parsed": None, "parsing_error": None})

    with pytest.raises(Unjudged) as raised:
        ChatJudge(Chat()).generate("Is it?", Truth)  # type: ignore[arg-type]
    assert raised.value.kind == kind


def test_nothing_goes_anywhere_but_to_the_judge_even_where_tracing_is_on(tmp_path: Path) -> None:
    machine = Unplugged(tmp_path)
    machine.environment |= {
        "PYTHONPATH": os.pathsep.join(
            [machine.environment["PYTHONPATH"], str(HELPERS), str(Path(__file__).parent)]
        ),
        "LANGSMITH_TRACING": "true",
        "LANGSMITH_API_KEY": "a-key",
    }
    script = "import sys, test_judge as t; print(t.judged(sys.argv[1]).failures)"
    with scripted_judge() as server:
        assert machine.run("-c", script, server.url) == "()\n"
        assert server.requests
    machine.assert_nothing_left()
    assert [path for path in machine.home.rglob("*") if path.is_file()] == []


@pytest.fixture
def small_model() -> Iterator[str]:
    with serving() as model:
        yield model.url


def test_a_real_model_ends_every_judgement_in_a_number_or_a_counted_failure(
    small_model: str,
) -> None:
    """What it says is not looked at: a model this small cannot judge, only follow the protocol."""
    result = judge(
        [REPLY],
        f"openai:{NAME}",
        url=small_model,
        embedder=EMBEDDER,
        at_once=1,
        max_tokens=128,
    )
    numbers = result.scores.get("q1", {})
    assert {*numbers, *(f.metric for f in result.failures)} == METRICS.keys()
    assert len(numbers) + len(result.failures) == len(METRICS)
    assert all(0 <= number <= 1 for number in numbers.values())
    kinds = {failure.kind for failure in result.failures}
    assert kinds <= {"timeout", "malformed", "cut off", "no number"}, result.failures
