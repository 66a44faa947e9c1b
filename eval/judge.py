"""Replies judged by a chat model: Ragas' faithfulness, factual correctness, answer relevancy and
context recall (Es et al. 2024, EACL, "RAGAS"; `ragas.metrics.collections`).

Advisory: a model's judgement is not repeatable as the gate's metrics are. The model is any that
LangChain knows, named `provider:model`; nothing is sent anywhere but to it.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from json import JSONDecodeError
from typing import Any, Literal, TypeVar

import openai
from langchain.chat_models import init_chat_model
from langchain_core.exceptions import (
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
    ModelRateLimitError,
    OutputParserException,
)
from langchain_core.language_models import BaseChatModel
from langsmith import tracing_context
from pydantic import BaseModel, SecretStr, ValidationError

import eval.offline_ragas  # noqa: F401  # isort: skip
from ragas.llms.base import InstructorBaseRagasLLM
from ragas.metrics.collections import (
    AnswerRelevancy,
    ContextRecall,
    FactualCorrectness,
    Faithfulness,
)

from assistant.schema import Citation
from eval.metrics import RETRIEVED, LocalEmbedding, Reply
from indexing.embed import Embedder
from indexing.errors import SettingsError
from indexing.schema import Passage

METRICS: Mapping[str, tuple[str, ...]] = {
    "faithfulness": ("user_input", "response", "retrieved_contexts"),
    "factual_correctness": ("response", "reference"),
    "answer_relevancy": ("user_input", "response"),
    "context_recall": ("user_input", "retrieved_contexts", "reference"),
}
"""The judged metrics, each a number from 0 to 1, and what each is computed from."""

MAX_TOKENS = 2048
"""Of one reply of the model: room for some thirty verdicts with their reasons."""
RETRIES = 2
"""Further requests where one met no connection, HTTP 429 or 5xx; within the judgement's time."""
GIVE_UP_AFTER = 5
"""Judgements in a row without one reply of the model, after which it is not asked any more."""
MOST_SAID = 300
"""Characters of a failure's message."""
TOO_LONG = "the reply ran into its limit of tokens"

Kind = Literal["timeout", "unreachable", "malformed", "refusal", "cut off", "no number", "error"]
"""Why a judgement failed: no reply in time; no connection, or a server that serves nobody (HTTP
401, 403, 404, 429, 5xx); not the schema asked for; the model refused; it ran into its token limit;
nothing to compute a number from; any other error, such as of a prompt that is too long."""

_REFUSED = {"content_filter", "refusal", "safety"}
_CUT_OFF = {"length", "max_tokens"}
_UNREACHABLE = (
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
    ModelRateLimitError,
    OSError,
)

Schema = TypeVar("Schema", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class JudgeFailure:
    """A judgement without a number: of which case and metric, and why, in one line."""

    case: str
    metric: str
    kind: Kind
    message: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What the judge `model` gave: `scores` by case id and metric, 0 to 1, in the replies' order.

    Every judgement that was wanted is either in `scores` or one of `failures`, never both.
    """

    model: str
    scores: Mapping[str, Mapping[str, float]]
    failures: tuple[JudgeFailure, ...]


class Unjudged(Exception):
    """A reply of the judge that cannot be used."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind: Kind = kind


class ChatJudge(InstructorBaseRagasLLM):
    """A LangChain chat model as the metrics of Ragas take one.

    `unanswered` counts judgements since the model last replied; the caller adds to it. `options`
    are those of the model's `with_structured_output`.
    """

    def __init__(self, chat: BaseChatModel, **options: Any) -> None:
        self._chat = chat
        self._options = options
        self.unanswered = 0

    def generate(self, prompt: str, response_model: type[Schema]) -> Schema:
        return asyncio.run(self.agenerate(prompt, response_model))

    async def agenerate(self, prompt: str, response_model: type[Schema]) -> Schema:
        """The model's reply to `prompt`. Raises Unjudged, or what the provider's package raises."""
        structured = self._chat.with_structured_output(
            response_model, include_raw=True, **self._options
        )
        reply: Any = await structured.ainvoke(prompt)
        self.unanswered = 0
        raw, parsed = reply["raw"], reply["parsed"]
        metadata = raw.response_metadata
        ended = {
            str(metadata.get(name)).lower()
            for name in ("finish_reason", "stop_reason", "done_reason")
        }
        if raw.additional_kwargs.get("refusal") or ended & _REFUSED:
            raise Unjudged("refusal", raw.additional_kwargs.get("refusal") or raw.text or "refused")
        if ended & _CUT_OFF:
            raise Unjudged("cut off", TOO_LONG)
        if not isinstance(parsed, response_model):
            raise Unjudged("malformed", f"not what was asked for: {raw.text!r}")
        _check(parsed)
        return parsed


def _check(reply: BaseModel) -> None:
    """Raises Unjudged for replies of the right form that Ragas would make a wrong number of.

    Of an empty list or question it makes 0; verdicts, the only numbers, it adds up as they are.
    """
    values = reply.model_dump()
    if any(value in ("", []) for value in values.values()):
        raise Unjudged("no number", "the reply holds nothing to judge")
    parts = [values, *(p for v in values.values() if isinstance(v, list) for p in v)]
    for part in parts:
        for name, value in part.items() if isinstance(part, dict) else ():
            if isinstance(value, int) and value not in (0, 1):
                raise Unjudged("malformed", f'"{name}" must be 0 or 1, is {value}')


def judge(
    replies: Sequence[Reply],
    model: str,
    *,
    embedder: Embedder,
    url: str | None = None,
    timeout_s: float = 60.0,
    at_once: int = 4,
    max_tokens: int = MAX_TOKENS,
    metrics: Sequence[str] = tuple(METRICS),
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Judged:
    """Has `model`, such as "openai:gpt-4.1" or "ollama:llama3", judge the replies.

    Judged are answers: of answerable questions with a reference by every metric of `metrics`, of
    unanswerable ones by faithfulness alone. `url`: where the model is served, instead of its
    provider's own address. `timeout_s`: seconds for one metric of one reply, in which the model is
    asked one to four questions; `at_once` (1 or more) of these run together. `max_tokens`: of one
    reply of the model. `embedder` compares questions for the answer relevancy. Runs its own event
    loop, so not to be called from one.
    Raises SettingsError when the model, its package, its key, `url` or a metric is not usable.
    """
    for unknown in set(metrics) - set(METRICS):
        raise SettingsError(
            f"there is no judged metric {unknown!r}; choose of {', '.join(METRICS)}"
        )
    asked = [
        (reply, metric) for reply in replies for metric in _metrics_of(reply) if metric in metrics
    ]

    slots = asyncio.Semaphore(at_once)
    done = 0

    async def one(llm: ChatJudge, scorer: Any, reply: Reply, metric: str) -> float | JudgeFailure:
        nonlocal done
        async with slots:
            score = await _score(llm, scorer, reply, metric, timeout_s)
        done += 1
        progress("judging", done, len(asked))
        return score

    async def all_of_them() -> list[float | JudgeFailure]:
        # LangChain keeps a client for later, whose connections die with this event loop.
        async with openai.DefaultAsyncHttpxClient() as http:
            llm = _open(model, url, timeout_s, max_tokens, http)
            scorers = _scorers(llm, embedder)
            return await asyncio.gather(*(one(llm, scorers[m], reply, m) for reply, m in asked))

    with tracing_context(enabled=False):
        return _judged(model, asked, asyncio.run(all_of_them()))


def _judged(
    model: str, asked: Sequence[tuple[Reply, str]], outcomes: Sequence[float | JudgeFailure]
) -> Judged:
    scores: dict[str, dict[str, float]] = {}
    for (reply, metric), outcome in zip(asked, outcomes, strict=True):
        if isinstance(outcome, float):
            scores.setdefault(reply.case.id, {})[metric] = outcome
    return Judged(model, scores, tuple(o for o in outcomes if isinstance(o, JudgeFailure)))


def _metrics_of(reply: Reply) -> tuple[str, ...]:
    if not reply.is_answered:
        return ()
    if not reply.case.answerable:
        return ("faithfulness",)
    return tuple(METRICS) if reply.case.reference else ()


def _inputs(reply: Reply) -> dict[str, Any]:
    read = reply.answer.passages if reply.answer else ()
    held = [p for p in read[RETRIEVED:] if any(_holds(p, c) for c in reply.citations)]
    passages = [*read[:RETRIEVED], *held]
    return {
        "user_input": reply.case.question,
        "response": reply.text,
        "reference": reply.case.reference,
        "retrieved_contexts": [p.text for p in passages] or [c.quote for c in reply.citations],
    }


def _holds(passage: Passage, citation: Citation) -> bool:
    return (
        passage.source == citation.source
        and passage.start <= citation.start
        and citation.end <= passage.end
    )


def _scorers(llm: ChatJudge, embedder: Embedder) -> dict[str, Any]:
    return {
        "faithfulness": Faithfulness(llm=llm),
        "factual_correctness": FactualCorrectness(llm=llm),
        "answer_relevancy": AnswerRelevancy(llm=llm, embeddings=LocalEmbedding(embedder)),
        "context_recall": ContextRecall(llm=llm),
    }


async def _score(
    llm: ChatJudge, scorer: Any, reply: Reply, metric: str, timeout_s: float
) -> float | JudgeFailure:
    def failure(kind: Kind, message: str) -> JudgeFailure:
        said = " ".join(message.split())[:MOST_SAID]
        return JudgeFailure(reply.case.id, metric, kind, said or kind)

    if llm.unanswered >= GIVE_UP_AFTER:
        return failure(
            "unreachable", f"not asked: {GIVE_UP_AFTER} judgements in a row had no reply"
        )
    inputs = _inputs(reply)
    try:
        async with asyncio.timeout(timeout_s):
            result = await scorer.ascore(**{name: inputs[name] for name in METRICS[metric]})
    except Exception as exc:  # noqa: BLE001 - one judgement must not stop the others
        kind, why = _why(exc)
        llm.unanswered = llm.unanswered + 1 if kind in ("timeout", "unreachable") else 0
        return failure(kind, f"no judgement within {timeout_s:g} s" if kind == "timeout" else why)
    value = float(result.value)
    if math.isnan(value):
        return failure("no number", "Ragas found nothing to compute a number from")
    return min(1.0, max(0.0, value))  # the answer relevancy is a cosine


def _why(exc: Exception) -> tuple[Kind, str]:
    """The kind of failure that `exc` is, and what to say of it."""
    name, said = type(exc).__name__, str(exc)
    if isinstance(exc, Unjudged):
        return exc.kind, said
    if isinstance(exc, openai.LengthFinishReasonError):
        return "cut off", TOO_LONG
    if isinstance(exc, openai.ContentFilterFinishReasonError):
        return "refusal", "held back by the provider's content filter"
    if isinstance(exc, ValidationError):
        return "malformed", f"{exc.title}: {exc.errors()[0]['msg']}"
    if isinstance(exc, OutputParserException | JSONDecodeError):
        return "malformed", f"{name}: {said}"
    # Not every provider's package raises LangChain's errors.
    if "Timeout" in name:
        return "timeout", said
    if isinstance(exc, _UNREACHABLE) or "Connect" in name:
        return "unreachable", said
    return "error", f"{name}: {said}"


def _open(
    model: str,
    url: str | None,
    timeout_s: float,
    max_tokens: int,
    http: openai.DefaultAsyncHttpxClient,
) -> ChatJudge:
    """The judge that `model` names. Raises SettingsError."""
    provider, _, name = model.partition(":")
    provider = provider.lower()
    if not provider or not name:
        raise SettingsError(
            f"the judge must be provider:model, such as openai:gpt-4.1 or ollama:llama3, got {model!r}"
        )
    if url is not None and not url.startswith(("http://", "https://")):
        raise SettingsError(f"the judge's address must begin with http:// or https://, got {url!r}")
    options: dict[str, Any] = {"max_tokens": max_tokens}
    how: dict[str, Any] = {}
    if url is not None:
        options["base_url"] = url
    if provider == "openai":
        how["method"] = "json_schema"  # which a server such as llama.cpp's can hold a model to
        options |= {"http_async_client": http, "http_socket_options": ()}
        if url is not None and not os.environ.get("OPENAI_API_KEY"):
            options["api_key"] = "none"
    elif provider == "ollama":
        options["num_predict"] = options.pop("max_tokens")
    try:
        chat = init_chat_model(
            name,
            model_provider=provider,
            temperature=0,
            timeout=timeout_s,
            max_retries=RETRIES,
            **options,
        )
    except Exception as exc:  # each provider's package has its own
        said = str(exc).strip().partition("\n")[0].rstrip(".")
        raise SettingsError(
            f"the judge {model!r} cannot be used: {said}; name a provider that LangChain knows, with"
            " its package installed and its key in the environment"
        ) from exc
    for attribute, variable in chat.lc_secrets.items():
        key = getattr(chat, attribute, None)
        if url is None and isinstance(key, SecretStr) and not key.get_secret_value():
            raise SettingsError(f"the judge {model!r} needs a key: set {variable}")
    return ChatJudge(chat, **how)
