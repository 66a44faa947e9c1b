"""Dateline in other people's programs: what `assistant` gives, alone and in LangChain's chains."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from langchain_core.documents import Document
from langchain_core.language_models import FakeListChatModel
from langchain_core.load import dumps
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnableLambda, RunnablePassthrough
from repository import ROOT

import assistant as dateline
from assistant import Answer, Assistant, open_assistant
from assistant.settings import Settings
from indexing.errors import IndexMissing, SettingsError
from indexing.schema import Filters

DATED_QUESTION = "When is the review of the USMCA?"
MISSING_QUESTION = "Who won the 2019 cricket world cup?"
NAM = "nam-partners-and-congress.md"
METADATA = ["source", "start", "end", "title", "publisher", "published", "url", "score"]


@pytest.fixture(scope="module")
def briefed(briefs: Settings) -> Iterator[Assistant]:
    with open_assistant(briefs) as opened:
        yield opened


# Its names


def test_the_package_gives_its_names_and_no_others() -> None:
    assert dateline.__all__ == ["Answer", "Assistant", "open_assistant"]
    assert set(dateline.__all__) <= set(dir(dateline))
    from assistant import schema, service

    assert dateline.Answer is schema.Answer
    assert dateline.Assistant is service.Assistant
    assert dateline.open_assistant is service.open_assistant
    with pytest.raises(AttributeError, match="no attribute 'Retriever'"):
        _ = dateline.Retriever  # type: ignore[attr-defined]


def test_to_import_it_loads_nothing_that_is_not_asked_for() -> None:
    program = "import sys, assistant; print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    loaded = {name for name in ran.stdout.split() if name.startswith(("assistant", "indexing"))}
    assert loaded == {"assistant"}
    assert not {"numpy", "langchain_core", "pydantic"} & set(ran.stdout.split())


# How it is opened


def test_it_is_opened_as_the_command_line_opens_it(
    briefs: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("DATELINE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(IndexMissing):
        open_assistant()
    lines = ("ENGINE=quotes", "MODEL=ollama:small", f"INDEX={briefs.index}")
    (tmp_path / ".env").write_text("".join(f"DATELINE_{line}\n" for line in lines))
    with open_assistant() as opened:
        assert opened.engines() == ["quotes", "ollama:small"]
    monkeypatch.setenv("DATELINE_INDEX", str(tmp_path / "none"))
    with pytest.raises(IndexMissing):
        open_assistant()
    with open_assistant(index=str(briefs.index), model="ollama:other") as opened:
        assert opened.engines() == ["quotes", "ollama:other"]


def test_settings_may_be_given_whole_and_changed(briefs: Settings, tmp_path: Path) -> None:
    elsewhere = replace(briefs, index=tmp_path / "none")
    with pytest.raises(IndexMissing):
        open_assistant(elsewhere)
    with open_assistant(elsewhere, index=briefs.index) as opened:
        assert len(opened.sources()) == 5
    with pytest.raises(SettingsError, match="there is no setting 'indx'"):
        open_assistant(briefs, indx="x")
    with pytest.raises(SettingsError, match="must be 1 or more"):
        open_assistant(briefs, threads=0)
    with pytest.raises(SettingsError, match="oracle"):
        open_assistant(briefs, engine="oracle")


# As a retriever


def test_the_retriever_gives_what_search_finds(briefed: Assistant) -> None:
    retriever = briefed.as_retriever(k=3)
    assert isinstance(retriever, BaseRetriever)
    documents = retriever.invoke("rare earths")
    hits = briefed.search("rare earths", k=3)
    assert len(documents) == 3
    for document, hit in zip(documents, hits, strict=True):
        about = document.metadata
        assert list(about) == METADATA
        assert document.page_content == hit.passage.text
        text = briefed.source_text(about["source"])
        assert text[about["start"] : about["end"]] == document.page_content
        assert about["published"] is None or date.fromisoformat(about["published"])
        assert "not_implemented" not in dumps(document)
        assert json.loads(json.dumps(about)) == about
    assert asyncio.run(retriever.ainvoke("rare earths")) == documents
    assert retriever.batch(["rare earths"] * 3) == [documents] * 3


def test_the_retriever_keeps_to_its_filters(briefed: Assistant) -> None:
    retriever = briefed.as_retriever(k=50, filters=Filters(source="nam*"))
    assert {d.metadata["source"] for d in retriever.invoke("minerals")} == {NAM}


def test_the_retriever_serves_in_a_chain(briefed: Assistant) -> None:
    def together(documents: list[Document]) -> str:
        return "\n\n".join(f"{d.metadata['source']}: {d.page_content}" for d in documents)

    prompts = []

    def keep(prompt: object) -> object:
        prompts.append(str(prompt))
        return prompt

    chain = (
        {
            "context": briefed.as_retriever(k=2) | RunnableLambda(together),
            "question": RunnablePassthrough(),
        }
        | ChatPromptTemplate.from_template("From this:\n{context}\nanswer: {question}")
        | RunnableLambda(keep)
        | FakeListChatModel(responses=["On July 1."])
        | StrOutputParser()
    )
    assert chain.invoke(DATED_QUESTION) == "On July 1."
    (prompt,) = prompts
    assert DATED_QUESTION in prompt
    assert "July 1" in prompt
    assert ".md: " in prompt


# As a runnable


def test_the_runnable_answers_a_question(briefed: Assistant) -> None:
    asks = briefed.as_runnable()
    assert isinstance(asks, Runnable)
    answer = asks.invoke(DATED_QUESTION)
    assert isinstance(answer, Answer)
    assert answer.text == briefed.ask(DATED_QUESTION).text
    assert asks.invoke({"question": DATED_QUESTION}).text == answer.text
    assert asyncio.run(asks.ainvoke(DATED_QUESTION)).text == answer.text


def test_the_runnable_heeds_what_comes_with_a_question(briefed: Assistant) -> None:
    asks = briefed.as_runnable()
    only = asks.invoke({"question": "What is welcomed?", "filters": Filters(source=NAM)})
    assert {c.source for c in (*only.citations, *only.closest)} == {NAM}
    history = [("Who is the US Trade Representative?", "Jamieson Greer is. [1]")]
    follow_up = {"question": "When did he say it?", "history": history}
    assert asks.invoke(follow_up).text == briefed.ask(**follow_up).text
    day = date(2026, 2, 10)
    dated = asks.invoke({"question": DATED_QUESTION, "as_of": day, "max_quotes": 1})
    assert dated.dates[0].days_from_as_of == (date(2026, 7, 1) - day).days


def test_the_runnable_answers_several_at_once(briefed: Assistant) -> None:
    asks = briefed.as_runnable()
    questions = [DATED_QUESTION, MISSING_QUESTION] * 4
    expected = ["answered", "not_in_corpus"] * 4
    assert [str(answer.status) for answer in asks.batch(questions)] == expected
    answers = asyncio.run(asks.abatch(questions))
    assert [str(answer.status) for answer in answers] == expected


def test_the_runnable_serves_in_a_chain(briefed: Assistant) -> None:
    chain = briefed.as_runnable() | RunnableLambda(lambda answer: answer.citations[0].quote)
    assert "July 1" in chain.invoke(DATED_QUESTION)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("  ", "the question is empty"),
        ({"history": []}, 'has no "question"'),
        ({"question": "x", "colour": "red"}, "and not 'colour'"),
    ],
)
def test_the_runnable_says_what_it_cannot_use(briefed: Assistant, asked: object, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        briefed.as_runnable().invoke(asked)  # type: ignore[arg-type]
