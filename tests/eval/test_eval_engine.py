"""`dateline eval --engine MODEL`: what is told of answers that a chat model wrote."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from drafts import SOUND, Messages, number_of
from eval_runs import mixed
from fakes import answered, cited, missing
from repository import ROOT
from scripted_model import Script, ScriptedModel, serving

from assistant.answering.models import call
from assistant.doors.cli import main
from assistant.schema import Claim, Dropped, ModelUse
from eval.cases import Case
from eval.gate import load_baselines
from eval.metrics import Reply, Scorer
from eval.model_use import Did, Work, kind_of, own_claims, tally, work_of
from eval.reporting import report

pytestmark = pytest.mark.slow

QUESTIONS = [
    {
        "id": "m1", "type": "deadline", "question": "What is the MOU deadline?", "answerable": True,
        "facts": [["30 days"]], "calendar_date": "2026-03-06",
    },
    {"id": "m2", "type": "off-topic", "question": "Who won the cup final?", "answerable": False},
    {
        "id": "m3", "type": "count", "question": "How large is the new critical mineral reserve?",
        "answerable": True, "facts": [["$12 billion"]],
    },
    {
        "id": "m4", "type": "deadline", "question": "How long has Mexico for the action plan?",
        "answerable": True, "facts": [["60 days"]],
    },
]  # fmt: skip
PARIS = "It will be signed in Paris [{mou}]."


def reply(messages: Messages) -> str | Script:
    """One answer with a sentence that holds and one that does not; one of which nothing holds; one
    declined."""
    if len(messages) > 2:
        return "DROP"
    asked = messages[-1]["content"]
    if "How large" in asked:
        return "The reserve is worth $90 billion [1]."
    if "Mexico for the" in asked:
        return "NO ANSWER"
    mou = str(number_of(messages, "memorandum of understanding"))
    return f"{SOUND} {PARIS}".replace("{mou}", mou)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A set over the briefs, in the working directory; what the environment sets is not in force."""
    head = {"set": "own", "version": 1, "corpus": str(ROOT / "corpus"), "as_of": "2026-11-22"}
    lines = [json.dumps(line) for line in (head, *QUESTIONS)]
    (tmp_path / "own.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    for name in ("INDEX", "CORPUS", "MODEL", "ENGINE"):
        monkeypatch.delenv(f"DATELINE_{name}", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setattr(call, "RETRIES", 0)
    return tmp_path


def evaluate(*arguments: str) -> int:
    return main(["eval", "--set", "own.jsonl", *arguments])


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    with serving(reply) as server:
        yield server


def with_password(server: ScriptedModel) -> str:
    return f"openai:scripted@http://reader:hush@{server.host}/v1"


def test_what_a_model_wrote_quoted_declined_and_cost_is_told(
    own: Path, model: ScriptedModel, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate("--json", "--engine", with_password(model)) == 0
    out = capsys.readouterr().out
    assert "hush" not in out
    found = json.loads(out)
    assert found["settings"]["engine"] == "openai:scripted"
    told = found["model"]
    assert told["name"] == "openai:scripted"
    assert (told["written"], told["declined"], told["not_asked"]) == (1, 1, 1)
    assert told["quoted_instead"] == {"nothing verified": 1}
    assert (told["sentences_shown"], told["sentences_left_out"]) == (1, 2)
    assert sum(told["left_out_because"].values()) == 2
    assert told["calls"] == len(model.requests) == 5
    assert told["input_tokens"] > told["output_tokens"] > 0
    assert [r["model"] and r["model"]["did"] for r in found["results"]] == [
        Did.WROTE, None, Did.UNVERIFIED, Did.DECLINED,
    ]  # fmt: skip


def test_answers_of_a_model_are_measured_as_others_are(
    own: Path, model: ScriptedModel, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate("--json", "--engine", f"openai:scripted@{model.url}") == 0
    found = {r["id"]: r for r in json.loads(capsys.readouterr().out)["results"]}
    written = found["m1"]
    assert written["wrong"] == []
    assert written["answer"].startswith("The memorandum of understanding was expected")
    assert written["citations"]
    assert written["scores"]["calendar_date"] == written["scores"]["citation_exactness"] == 1
    assert "exact_match" not in written["scores"]
    assert found["m3"]["wrong"] == []  # by the quotes that stand in for it
    assert found["m4"]["wrong"] == ["refused, though the corpus says"]


def test_the_same_is_told_in_words(
    own: Path, model: ScriptedModel, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate("--engine", with_password(model)) == 0
    out = capsys.readouterr().out
    assert "hush" not in out
    assert model.host not in out
    assert "engine openai:scripted" in out
    lines = [re.split(r"\s{2,}", line.strip()) for line in out.splitlines()]
    for row in (
        ["answers written by the model", "1"],
        ["quoted instead", "1"],
        ["declined by the model", "1"],
        ["sentences of its own shown", "1"],
        ["sentences left out", "2"],
        ["calls", "5"],
    ):
        assert row in lines, row


def test_a_model_has_a_baseline_of_its_own_beside_that_of_quotes(
    own: Path, model: ScriptedModel, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = ("--engine", with_password(model))
    assert evaluate("--update-baseline") == 0
    assert evaluate("--gate", *engine) == 1
    out = capsys.readouterr().out
    assert "there is none for this set and the engine openai:scripted" in out
    assert "Compared with" not in out
    assert evaluate("--update-baseline", *engine) == 0
    kept = load_baselines(own / "baselines" / "own")
    assert sorted(run.key.engine for run in kept) == ["openai:scripted", "quotes"]
    texts = [p.read_text("utf-8") for p in (own / "baselines" / "own").glob("*.jsonl")]
    assert not any("hush" in text or model.host in text for text in texts)
    capsys.readouterr()
    assert evaluate("--gate", *engine) == 0
    assert evaluate("--gate") == 0


def test_other_rights_of_the_model_are_another_setting(
    own: Path,
    model: ScriptedModel,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = ("--engine", f"openai:scripted@{model.url}")
    assert evaluate("--update-baseline", *engine) == 0
    monkeypatch.setenv("DATELINE_MODEL_HELPS", "rewrite,rerank")
    assert evaluate("--gate", *engine) == 1
    assert "model_helps is rerank,rewrite, was rewrite" in capsys.readouterr().out


def test_a_model_that_is_down_is_no_baseline(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(reply) as server:
        url = server.url
    assert evaluate("--update-baseline", "--engine", f"openai:scripted@{url}") == 1
    told = capsys.readouterr()
    assert "not kept as the baseline: the model's own answers" in told.err
    assert "it failed for 3 of the 3 answers it was to write" in told.out
    assert re.search(r"cannot be reached at 127\.0\.0\.1:\d+; is its server running\? +3", told.out)


def test_a_model_is_asked_only_where_it_is_named(
    own: Path,
    model: ScriptedModel,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATELINE_MODEL", f"openai:scripted@{model.url}")
    monkeypatch.setenv("DATELINE_ENGINE", f"openai:scripted@{model.url}")
    assert evaluate("--limit", "1") == 0
    assert model.requests == []
    assert "engine quotes" in capsys.readouterr().out


# What a model did for one answer

RAW = "The bridge opened on 5 May. It cost ten million."
USE = ModelUse("openai:scripted", 2, 100, None)
TOLD = "Nothing that openai:scripted wrote could be verified, so the articles are quoted instead."


def written(*claims: str, ours: tuple[str, ...] = (), **more: object) -> Any:
    text = "\n\n".join([" ".join(claims), *ours])
    values: dict[str, object] = {
        "engine": "openai:scripted",
        "claims": tuple(Claim(c, (1,)) for c in (*claims, *ours)),
        "model": USE,
    }
    return replace(answered(text, cited(RAW, "It cost ten million.")), **(values | more))  # type: ignore[arg-type]


def test_claims_that_dateline_adds_are_not_the_models() -> None:
    answer = written(
        "It opened. [1]", "It cost ten million. [1]", ours=("**By 6 March 2026**. [1]",)
    )
    assert [c.text for c in own_claims(answer)] == ["It opened. [1]", "It cost ten million. [1]"]
    assert own_claims(replace(answer, engine="quotes")) == ()


def test_an_answer_tells_what_its_model_did() -> None:
    left_out = (Dropped("It will be signed in Paris.", "“Paris” is not in what it cites"),)
    answer = written("It opened. [1]", dropped=left_out)
    assert work_of(answer) == Work(
        Did.WROTE, "", 1, ("“Paris” is not in what it cites",), calls=2, input_tokens=100
    )
    quoted = replace(answer, engine="quotes", notice=TOLD)
    assert work_of(quoted) == Work(
        Did.UNVERIFIED,
        "Nothing that openai:scripted wrote could be verified",
        0,
        ("“Paris” is not in what it cites",),
        calls=2,
        input_tokens=100,
    )
    failed = work_of(replace(quoted, notice="It fell silent, so the articles are quoted instead."))
    assert failed is not None
    assert (failed.did, failed.why) == (Did.FAILED, "It fell silent")
    declined = work_of(replace(missing(), engine="openai:scripted", model=USE))
    assert declined is not None
    assert declined.did is Did.DECLINED
    assert work_of(missing()) is None


def test_work_is_summed_by_kinds_of_reasons() -> None:
    found = tally(
        "openai:scripted",
        [
            None,
            Work(Did.WROTE, shown=2, left_out=("“Paris” is not in what it cites",), calls=2, input_tokens=10, output_tokens=5),
            Work(Did.UNVERIFIED, left_out=("“Rome” is not in what it cites", "there is no sentence [12]"), calls=1),
            Work(Did.FAILED, "It is down", calls=1),
        ],
    )  # fmt: skip
    assert found.left_out == Counter(
        {"“…” is not in what it cites": 2, "there is no sentence [n]": 1}
    )
    assert (found.not_asked, found.shown, found.calls, found.untold) == (1, 2, 4, 2)
    assert (found.input_tokens, found.output_tokens) == (10, 5)
    assert found.failures == Counter({"It is down": 1})
    assert json.loads(json.dumps(found.as_json()))["quoted_instead"] == {
        "nothing verified": 1,
        "It is down": 1,
    }
    assert kind_of("it cites nothing") == "it cites nothing"


def test_quotes_have_no_figures_of_a_model() -> None:
    assert report.as_json(mixed())["model"] is None
    assert "answers written by the model" not in report.as_text(mixed())


def test_a_notice_is_not_measured_as_an_answer() -> None:
    case = Case("q1", "How long?", True, facts=(("60 s",),), never=("ten million",))
    notice = "It took longer than 60 s over ten million, so the articles are quoted instead."
    answer = replace(answered(f"Two years. [1]\n\n{notice}", cited(RAW, RAW)), notice=notice)
    (scores,) = Scorer().scores([Reply(case, answer, {"a.txt": RAW})])
    assert scores["answer_words"] == 2
    assert scores["factual_accuracy"] == 0
    assert Reply(case, answer, {"a.txt": RAW}).text == "Two years."


def test_a_model_that_only_helped_to_read_a_question_has_not_failed() -> None:
    refused = replace(missing(), model=ModelUse("openai:m", 1, 20, 5))
    work = work_of(refused)
    assert work is not None
    assert work.did is Did.READ
    found = tally("openai:m", [work])
    assert (found.not_asked, found.calls, found.failures.total()) == (1, 1, 0)
