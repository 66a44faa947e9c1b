"""`dateline eval` and the pytest plugin, as their users run them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from ragas import EvaluationDataset
from repository import ROOT
from scripted_judge import scripted_judge

from assistant.doors.cli import main
from eval.cases import load_set
from indexing.store import tables

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
        "id": "m4", "type": "count", "question": "How many delegations came to the ministerial?",
        "answerable": True, "facts": [["ninety"]],
    },
]  # fmt: skip


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A set of a user's own over a copy of the briefs, in the working directory."""
    shutil.copytree(ROOT / "corpus", tmp_path / "corpus")
    head = {"set": "own", "version": 1, "corpus": "corpus", "as_of": "2026-11-22"}
    lines = [json.dumps(line) for line in (head, *QUESTIONS)]
    (tmp_path / "own.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    for name in ("DATELINE_INDEX", "DATELINE_CORPUS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def evaluate(*arguments: str) -> int:
    return main(["eval", "--set", "own.jsonl", *arguments])


def test_figures_are_printed_and_nothing_fails_without_a_gate(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate("--wrong", "--sample", "2") == 0
    out = capsys.readouterr().out
    assert "own version 1: 4 questions (4 dev) over 5 articles" in out
    assert "75.0 [25, 100]" in out
    assert "m4 (count, dev): How many delegations came to the ministerial?" in out
    assert out.count("said: ") == 3
    assert len(list((own / ".dateline" / "eval").glob("own-*/catalog.sqlite"))) == 1


def test_a_gate_without_a_baseline_fails_and_one_with_it_passes(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate("--gate") == 1
    assert "keep this run as one with --update-baseline" in capsys.readouterr().out
    assert evaluate("--update-baseline", "--floor", "right=0.9") == 1
    assert "not kept as the baseline: floor of right" in capsys.readouterr().err
    assert evaluate("--update-baseline") == 0
    assert list((own / "baselines" / "own").glob("*.jsonl"))
    assert evaluate("--gate") == 0
    assert evaluate("--gate", "--floor", "right=0.9") == 1
    assert "floor of right: 75.0% over 4 questions" in capsys.readouterr().out


def test_the_gate_names_the_setting_that_changed(
    own: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert evaluate("--update-baseline") == 0
    monkeypatch.setattr(tables, "PASSAGE_CHARS", 200)
    assert evaluate("--gate") == 1
    assert "passage_chars is 200, was 800" in capsys.readouterr().out


def test_updating_a_baseline_prints_what_differs_from_the_one_before(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate("--update-baseline") == 0
    text = (own / "own.jsonl").read_text("utf-8")
    (own / "own.jsonl").write_text(text.replace("ninety", "more than 50"), "utf-8")
    capsys.readouterr()
    assert evaluate("--update-baseline") == 0
    out = capsys.readouterr().out
    assert "m4 (count): How many delegations came to the ministerial?" in out
    assert "wrong before, right now" in out


def test_json_junit_and_page_are_written(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = [
        "--junit",
        "out/junit.xml",
        "--html",
        "out/report.html",
        "--dataset",
        "out/ragas.jsonl",
    ]
    assert evaluate("--json", *written) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["metrics"]["right"]["mean"] == 0.75
    assert len(ET.parse(own / "out" / "junit.xml").findall(".//testcase")) == 4
    assert "ministerial" in (own / "out" / "report.html").read_text("utf-8")
    samples = EvaluationDataset.from_jsonl(str(own / "out" / "ragas.jsonl"))
    assert [sample.user_input for sample in samples] == [q["question"] for q in QUESTIONS]


def test_a_model_may_judge_as_well(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = (own / "own.jsonl").read_text("utf-8").splitlines()
    known = {**json.loads(lines[1]), "reference": "Within 30 days, by 6 March 2026."}
    (own / "own.jsonl").write_text(f"{lines[0]}\n{json.dumps(known)}\n", "utf-8")
    with scripted_judge() as judge:
        assert evaluate("--judge", "openai:judge", "--judge-url", judge.url) == 0
    out = capsys.readouterr().out
    assert "judged, advisory" in out
    for metric in ("faithfulness", "factual_correctness", "answer_relevancy", "context_recall"):
        assert metric in out, metric
    assert "judgements that failed: none" in out
    assert evaluate("--judge", "nobody:judge") == 2
    assert "nobody:judge" in capsys.readouterr().err


def test_some_questions_can_be_asked_but_not_kept_as_a_baseline(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate("--limit", "2") == 0
    assert "2 questions" in capsys.readouterr().out
    assert evaluate("--limit", "2", "--update-baseline") == 2
    assert "leave out --split and --limit" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--split", "test"], 2, "no questions of the split 'test'"),
        (["--corpus", "nowhere"], 1, "nowhere"),
        (["--as-is"], 1, "there is no index"),
        (["--floor", "rihgt=1", "--gate"], 2, "no metric 'rihgt'"),
        (["--engine", "magic"], 2, "magic"),
        (["--html", "own.jsonl/x.html"], 2, "cannot be written"),
        (["--junit", "corpus"], 2, "cannot be written"),
        (["--floor", "right=nan"], 2, "must be from 0 to 1"),
    ],
)
def test_what_cannot_be_done_is_said_in_words(
    own: Path, arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(*arguments) == code
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err


def test_a_set_that_is_not_there_is_said_to_be(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", "--set", "none.jsonl"]) == 2
    assert "there is no question set none.jsonl" in capsys.readouterr().err


def test_bad_usage_is_told_apart(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--floor", "right"], ["--limit", "0"], ["--split", "all"]):
        with pytest.raises(SystemExit) as left:
            evaluate(*arguments)
        assert left.value.code == 2
    assert "is not like factual_accuracy=0.9" in capsys.readouterr().err


def test_what_is_not_installed_is_said_to_be(
    own: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ragas", None)
    assert evaluate() == 2
    assert "make install-dev" in capsys.readouterr().err


# Adding cases


def add(*arguments: str) -> int:
    return main(["eval", "add", "--set", "new/set.jsonl", *arguments])


def test_a_case_is_made_from_a_question_and_a_quote(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quote = "The action plan with Mexico is to be implemented within 60 days."
    assert add("How long has Mexico?", "--quote", quote, "--fact", "60 days | 60-day") == 0
    assert add("Who pays?", "--unanswerable", "No article says.", "--split", "test") == 0
    assert "new/set.jsonl: c001 (dev) How long has Mexico?" in capsys.readouterr().out
    asked = load_set(Path("new/set.jsonl"))
    assert asked.corpus.resolve() == own / "corpus"
    first, second = asked.cases
    assert first.facts == (("60 days", "60-day"),)
    (span,) = first.evidence
    text = Path("corpus", span.file).read_bytes().decode()
    assert text[span.start : span.end] == span.text == quote
    assert (second.id, second.split, second.reason) == ("c002", "test", "No article says.")
    assert main(["eval", "--set", "new/set.jsonl"]) == 0
    assert "2 questions (1 dev, 1 test)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["Who?"], 2, "--quote"),
        ([], 2, "give a question"),
        (["Who?", "--quote", "no such words"], 2, "no article has the words"),
        (["Who?", "--quote", "critical minerals"], 2, "places"),
        (["Who?", "--unanswerable", "Not said.", "--calendar-date", "May"], 2, "calendar_date"),
        (["Who?", "--unanswerable", "Not said.", "--never", "x"], 2, "must not be answered"),
        (["Who?", "--from", "own.jsonl"], 2, "and not both"),
        (["--from", "none.jsonl"], 2, "cannot be read"),
    ],
)
def test_a_case_that_cannot_be_made_is_refused(
    own: Path, arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert add(*arguments) == code
    assert said in capsys.readouterr().err
    assert not Path("new").exists()


def test_answers_become_candidates_and_candidates_cases(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["index", "corpus"]) == 0
    capsys.readouterr()
    assert main(["ask", "How long has Mexico?", "--json"]) == 0
    Path("answers.jsonl").write_text(capsys.readouterr().out, "utf-8")
    with Path("answers.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"question": "Who?", "history": 5}\n{"answer": "To nothing."}\n')
    assert add("--from", "answers.jsonl") == 0
    err = capsys.readouterr().err
    assert "line 2" in err
    assert "line 3" in err
    assert add("--from", "answers.jsonl") == 0  # once is enough
    assert add("Who pays?", "--unanswerable", "Not said.") == 0
    whole = load_set(Path("new/set.jsonl"))
    assert [c.question for c in whole.candidates] == ["How long has Mexico?"]
    assert whole.candidates[0].note.startswith("was answered: ")
    capsys.readouterr()
    assert main(["eval", "--set", "new/set.jsonl", "--corpus", "corpus"]) == 0
    out = capsys.readouterr().out
    assert "1 question (1 dev) over 5 articles" in out
    assert "1 candidate; see: dateline eval add" in out
    quote = "The action plan with Mexico is to be implemented within 60 days."
    assert add("--id", whole.candidates[0].id, "--quote", quote, "--fact", "60 days") == 0
    done = load_set(Path("new/set.jsonl"))
    assert not done.candidates
    assert "How long has Mexico?" in [c.question for c in done.cases]


# pytest


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *arguments],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip


def test_pytest_asks_each_question_as_a_test(own: Path) -> None:
    done = run_pytest(own, "--dateline-eval", "--dateline-set", "own.jsonl")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 3 passed, 1 skipped" in done.stdout  # the gate has nothing to hold to
    assert "m4: How many delegations came to the ministerial?" in done.stdout
    assert "missing ninety" in done.stdout
    assert "Traceback" not in done.stdout


def test_beside_a_baseline_what_was_always_wrong_is_expected(own: Path) -> None:
    assert evaluate("--update-baseline") == 0
    done = run_pytest(own, "--dateline-eval", "--dateline-set", "own.jsonl")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed, 1 xfailed" in done.stdout


def test_the_fixture_gives_figures_and_the_gates_word(own: Path) -> None:
    (own / "test_answers.py").write_text(
        "import pytest\n\n"
        "def test_answers(dateline_eval):\n"
        "    found = dateline_eval('own.jsonl', floors={'right': 0.7})\n"
        "    assert found.figures['right'].mean == 0.75\n"
        "    found.assert_passed()\n"
        "    with pytest.raises(AssertionError, match='floor of right'):\n"
        "        dateline_eval('own.jsonl', floors={'right': 0.9}).assert_passed()\n",
        "utf-8",
    )
    done = run_pytest(own)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_a_run_that_cannot_be_made_is_tried_once_and_told_in_words(own: Path) -> None:
    text = (own / "own.jsonl").read_text("utf-8")
    (own / "own.jsonl").write_text(text.replace('"corpus": "corpus"', '"corpus": "gone"'), "utf-8")
    done = run_pytest(own, "--dateline-eval", "--dateline-set", "own.jsonl")
    assert "5 failed" in done.stdout
    assert "gone" in done.stdout
    assert "Traceback" not in done.stdout
    assert "raise " not in done.stdout


def test_pytest_says_what_is_wrong_with_a_set(own: Path) -> None:
    done = run_pytest(own, "--dateline-eval", "--dateline-set", "none.jsonl")
    assert done.returncode == 4
    assert "there is no question set none.jsonl" in done.stdout + done.stderr
