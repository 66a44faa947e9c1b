"""A real small model as the engine: what is shown is verified, and when it dies the answer is quoted.

SmolLM2-135M is too small to answer from sentences, so no test looks at what it says.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from small_model import SmallModel, serving

from assistant.answering import quotes
from assistant.answering.generate import read_marks
from assistant.answering.models import call
from assistant.answering.models.call import ChatModel, Usage, open_chat_model
from assistant.checking.check import ClaimVerifier
from assistant.checking.reading import Cited
from assistant.schema import Answer, Claim, Evidence, Status
from assistant.service import Assistant, open_assistant
from assistant.settings import Settings
from eval.model_use import own_claims
from indexing.embed import open_embedder
from indexing.settings import BUNDLED

AS_OF = date(2026, 11, 22)
QUESTION = "When is the MOU deadline?"
QUESTIONS = (
    QUESTION,
    "Compare the time allowed for the EU memorandum with the time allowed for the Mexico plan.",
    "Does the USMCA expire on July 1?",
)


@pytest.fixture(scope="module")
def small() -> Iterator[SmallModel]:
    with serving() as model:
        yield model


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture(autouse=True)
def short_replies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call, "RETRIES", 0)
    monkeypatch.setattr(call, "LONGEST_REPLY", 64)


def settings_for(briefs: Settings, small: SmallModel) -> Settings:
    """Time for a reply on a machine that is busy."""
    return replace(
        briefs,
        engine=small.engine,
        model=small.engine,
        model_timeout_s=50,
        threads=1,
    )


@pytest.fixture
def open_with(briefs: Settings) -> Iterator[Callable[[SmallModel], Assistant]]:
    opened: list[Assistant] = []

    def open_(small: SmallModel) -> Assistant:
        opened.append(open_assistant(settings_for(briefs, small)))
        return opened[-1]

    yield open_
    for assistant in opened:
        assistant.close()


@pytest.fixture(scope="module")
def verifier() -> ClaimVerifier:
    return ClaimVerifier(open_embedder(BUNDLED, 1))


def evidence_of(assistant: Assistant, question: str) -> dict[tuple[str, int, int], Evidence]:
    """The sentences found for a question, by their places."""
    found = [quotes.opened(e) for part in assistant.examine(question).evidence for e in part]
    return {(e.hit.info.source, e.sentence.start, e.sentence.end): e for e in found}


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_a_real_model_is_let_say_holds_against_its_citations(
    briefs: Settings,
    small: SmallModel,
    open_with: Callable[[SmallModel], Assistant],
    verifier: ClaimVerifier,
    question: str,
) -> None:
    assistant = open_with(small)
    *claims, answer = assistant.stream(question, as_of=AS_OF)
    assert isinstance(answer, Answer)
    assert all(isinstance(claim, Claim) for claim in claims)
    assert answer.model is not None
    assert answer.model.calls
    for citation in answer.citations:
        raw = (briefs.corpus / citation.source).read_bytes().decode("utf-8")
        assert raw[citation.start : citation.end] == citation.quote != ""
    if answer.engine == "quotes":
        assert answer.notice.endswith("so the articles are quoted instead.")
        assert answer.text.endswith(answer.notice)
        quoted = assistant.ask(question, as_of=AS_OF, engine="quotes")
        assert (answer.claims, answer.citations) == (quoted.claims, quoted.citations)
        return
    if answer.status is Status.NOT_IN_CORPUS:
        assert answer.closest
        return
    assert list(answer.claims) == claims
    found = evidence_of(assistant, question)
    for claim in own_claims(answer):
        cited = [c for c in answer.citations if c.number in claim.citations]
        assert cited
        sentences = [Cited(found[c.source, c.start, c.end]) for c in cited]
        assert verifier.check(read_marks(claim.text)[0], sentences, AS_OF).reason == "", claim


def test_a_real_models_reply_arrives_piece_by_piece(briefs: Settings, small: SmallModel) -> None:
    spent: list[Usage] = []
    model = open_chat_model(small.engine, settings_for(briefs, small))
    asked = [("human", "Count from one to twenty in words.")]
    pieces = list(model.stream(asked, max_tokens=24, spent=spent.append))
    (usage,) = spent
    assert usage.input_tokens
    assert usage.output_tokens
    assert usage.output_tokens <= 24
    assert len(pieces) >= usage.output_tokens / 2 > 2  # a token each, but for halves of letters
    assert "".join(pieces).strip()


def test_who_stops_reading_is_not_kept_waiting_for_the_rest(
    briefs: Settings, small: SmallModel
) -> None:
    spent: list[Usage] = []
    model = open_chat_model(small.engine, settings_for(briefs, small))
    endless = [("human", "Write a very long story about a harbour.")]
    pieces = model.stream(endless, max_tokens=3000, spent=spent.append)
    assert next(pieces)
    pieces.close()
    assert spent[0].calls == 1
    assert model.complete([("human", "Say yes.")], max_tokens=4)  # its one place is free again


def test_a_model_that_is_killed_in_mid_answer_gives_way_to_quotes(
    open_with: Callable[[SmallModel], Assistant], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, said = ChatModel.stream, list[str]()
    with serving() as small:

        def killed(self: ChatModel, *given: Any, **named: Any) -> Generator[str, None, None]:
            for piece in stream(self, *given, **named):
                if not said:
                    small.kill()
                said.append(piece)
                yield piece

        assistant = open_with(small)
        quoted = assistant.ask(QUESTION, as_of=AS_OF, engine="quotes")
        monkeypatch.setattr(ChatModel, "stream", killed)
        *claims, answer = assistant.stream(QUESTION, as_of=AS_OF)
        assert said
        check_quoted(answer, quoted)
        assert "stopped in mid-answer" in answer.notice
        assert claims[-len(quoted.claims) :] == list(quoted.claims)
        after = assistant.ask(QUESTION, as_of=AS_OF)
        check_quoted(after, quoted)
        assert "cannot be reached" in after.notice


def check_quoted(answer: object, quoted: Answer) -> None:
    """That an answer is the quoted one, and says why."""
    assert isinstance(answer, Answer)
    assert (answer.engine, answer.status) == ("quotes", Status.ANSWERED)
    assert answer.text == f"{quoted.text}\n\n{answer.notice}"
    assert (answer.claims, answer.citations) == (quoted.claims, quoted.citations)
    assert answer.model is not None
