"""Chat models as engines: opened once a name, asked to write, and to help with reading a question."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from assistant.answering import generate, prompt
from assistant.answering.models.call import ChatModel, Usage, open_chat_model
from assistant.answering.models.names import Message
from assistant.checking.check import ClaimVerifier
from assistant.checking.entail import open_entailment
from assistant.finding.find import Finding
from assistant.language.words import STOPWORDS, stem, words
from assistant.schema import Answer, Claim, Evidence, ModelUse
from assistant.settings import QUOTES, RERANK, REWRITE, AnswerSettings
from indexing.embed import Embedder, open_embedder
from indexing.errors import ModelError, SettingsError
from indexing.settings import BUNDLED

SENTENCES = 10
"""Sentences a model is given to answer from."""

SHORT_REPLY = 120
"""Tokens of a reply that is a question or a list of numbers."""

LONGEST_REWRITE = 300

OTHER_WORDS = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """A question read and searched for: the answer of the engine `quotes`, and what it rests on, for
    a model to write another from. `answering` is empty where there is nothing to write."""

    answer: Answer
    findings: tuple[Finding, ...] = ()
    answering: tuple[Finding, ...] = ()


@dataclass
class Call:
    """One question put to a model; `usage` is what that has cost so far."""

    model: ChatModel
    cancelled: Callable[[], bool]
    settings: AnswerSettings
    usage: Usage = field(default_factory=Usage)

    def spend(self, usage: Usage) -> None:
        self.usage = self.usage + usage

    @property
    def use(self) -> ModelUse | None:
        """What was used of the model so far; None for nothing."""
        used = self.usage
        if not used.calls:
            return None
        return ModelUse(self.model.name, used.calls, used.input_tokens, used.output_tokens)

    def _asked(self, messages: Sequence[Message]) -> str:
        """A short reply; nothing where the model fails, for then the question is read without it."""
        try:
            return self.model.complete(
                messages, max_tokens=SHORT_REPLY, cancelled=self.cancelled, spent=self.spend
            )
        except ModelError:
            return ""

    def whole(self, question: str, history: Sequence[tuple[str, str]]) -> str | None:
        """A follow-up as the model makes it whole; None where it is none, may not, or adds to it."""
        if not history or REWRITE not in self.settings.helps:
            return None
        reply = self._asked(prompt.rewriting(question, history)).strip()
        said = reply.splitlines()[0].strip(' "“”*') if reply else ""
        known = {
            stem(word)
            for text in (question, *(t for turn in history for t in turn))
            for word in words(text)
        }
        fresh = [w for w in words(said) if w not in STOPWORDS and stem(w) not in known]
        is_question = 0 < len(said) <= LONGEST_REWRITE and not fresh and said.endswith("?")
        return said if is_question else None

    def other_words(self, question: str) -> list[str]:
        """The question in other words, to search with; none that bring in a number of their own."""
        reply = self._asked(prompt.searching(question))
        lines = [re.sub(r"^\W*(?:\d[.)]\s*)?", "", line).strip() for line in reply.splitlines()]
        numbers = set(re.findall(r"\d+", question))
        return [
            line
            for line in dict.fromkeys(lines)
            if line and len(line) <= LONGEST_REWRITE and set(re.findall(r"\d+", line)) <= numbers
        ][:OTHER_WORDS]

    def ranked(self, question: str, sentences: list[Evidence], as_of: date) -> list[Evidence]:
        """The sentences, those first that the model names first."""
        reply = self._asked(prompt.reranking(question, sentences, SENTENCES, as_of))
        named = [int(n) for n in re.findall(r"\d+", reply)]
        first = [sentences[n - 1] for n in dict.fromkeys(named) if 0 < n <= len(sentences)]
        return first + [e for e in sentences if e not in first]


def shown_name(engine: str) -> str:
    """The name of an engine without the address where it is served."""
    return re.split("@https?://", engine)[0]


class Engines:
    """The chat models in use, each opened when it is first asked. Safe to share between threads."""

    def __init__(self, settings: AnswerSettings, embedder: Embedder) -> None:
        self._settings = settings
        self._embedder = embedder
        self._models: dict[str, ChatModel] = {}
        self._verifier: ClaimVerifier | None = None
        self._lock = threading.Lock()

    def call(self, engine: str, cancelled: Callable[[], bool]) -> Call | None:
        """A call of that engine, named as the settings have it or as it is shown; None for `quotes`,
        which needs none.

        Raises SettingsError where the model cannot be used: an unknown provider, no package, no key.
        """
        if engine == QUOTES:
            return None
        own = (self._settings.engine, *self._settings.models)
        engine = next((known for known in own if shown_name(known) == engine), engine)
        if ":" not in engine:
            raise SettingsError(
                f"DATELINE_ENGINE (or --engine) is {engine!r}; it must be {QUOTES}, or a chat model"
                " as provider:model, such as ollama:llama3.2"
            )
        with self._lock:
            if engine not in self._models:
                self._models[engine] = open_chat_model(engine, self._settings)
            return Call(self._models[engine], cancelled, self._settings)

    def written(self, call: Call, asked: Asked, as_of: date) -> Iterator[Claim | Answer]:
        """The model's claims as they are verified, then the whole answer."""
        started = time.perf_counter()
        question = (
            asked.answering[0].question.text if len(asked.answering) == 1 else asked.answer.question
        )
        may_rank = RERANK in self._settings.helps
        most = 2 * SENTENCES if may_rank else SENTENCES
        sentences = generate.sentences_for(asked.answer, asked.answering, most)
        if may_rank:
            sentences = call.ranked(question, sentences, as_of)[:SENTENCES]
        written = generate.Written(usage=call.usage)
        failure = ""
        try:
            writer = generate.Writer(call.model, self._claims())
            differences = generate.differences_of(asked.answer, sentences)
            yield from writer.write(
                question, sentences, differences, as_of, call.cancelled, written
            )
        except ModelError as exc:
            failure = str(exc)
        for item in generate.compose(
            written, asked.answer, asked.findings, asked.answering, as_of, call.model.name, failure
        ):
            if isinstance(item, Answer):
                spent = round((time.perf_counter() - started) * 1000, 1)
                item = replace(item, timings_ms={**item.timings_ms, "model": spent})
            yield item

    def _claims(self) -> ClaimVerifier:
        with self._lock:
            if self._verifier is None:
                threads = self._settings.threads
                # What is near enough was measured with the bundled model, whatever the index uses.
                is_bundled = self._settings.embedder == BUNDLED
                embedder = self._embedder if is_bundled else open_embedder(BUNDLED, threads)
                entailment = open_entailment(self._settings.entailment, threads)
                self._verifier = ClaimVerifier(embedder, entailment)
            return self._verifier
