"""The command line says how it is used, where its settings come from and what is wrong with them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from command_line import dateline, shell_environment
from repository import write_files

from assistant.settings import Settings


@pytest.mark.parametrize("name", ["", "index", "ask", "search", "sources", "doctor", "chat"])
def test_every_command_has_help(name: str) -> None:
    ran = dateline(*name.split(), "--help")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"usage: dateline {name}".rstrip())


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("", "COMMAND"),
        ("fly", "fly"),
        ("ask", "question"),
        ("ask Why? --batch questions.jsonl", "--batch"),
        ("ask Why? --as-of tomorrow", "tomorrow"),
        ("ask Why? --since 2026-13-01", "--since"),
        ("ask Why? --until 2026-02-30", "--until"),
        ("ask Why? --engine oracle", "oracle"),
        ("ask Why? --k 3", "--k"),
        ("ask --batch nowhere.jsonl", "nowhere.jsonl"),
        ("ask --batch .", "--batch"),
        ("search", "query"),
        ("search minerals --batch queries.jsonl", "--batch"),
        ("search minerals --k 0", "--k"),
        ("search minerals --k -1", "--k"),
        ("search minerals --k many", "many"),
        ("search minerals --k ²", "²"),
        ("search minerals --since yesterday", "yesterday"),
        ("index one two", "two"),
        ("sources --host 0.0.0.0", "--host"),
        ("chat --port abc", "abc"),
        ("chat --port 99999", "99999"),
    ],
)
def test_bad_usage_exits_with_2_and_names_what_is_wrong(
    briefs: Settings, arguments: str, named: str
) -> None:
    words = arguments.split()
    ran = dateline(*words, *(["--index", briefs.index] if words and words[0] != "fly" else []))
    assert (ran.code, ran.out) == (2, "")
    assert named in ran.err
    assert "Traceback" not in ran.err
    assert "should not have" not in ran.err


@pytest.mark.parametrize("question", ["", "  ", "\n"])
@pytest.mark.parametrize("name", ["ask", "search"])
def test_an_empty_question_is_bad_usage(briefs: Settings, name: str, question: str) -> None:
    ran = dateline(name, question, "--index", briefs.index)
    assert (ran.code, ran.out) == (2, "")
    assert "is empty" in ran.err


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DATELINE_PORT", "abc"),
        ("DATELINE_PORT", "70000"),
        ("DATELINE_PORT", ""),
        ("DATELINE_PORT", "²"),
        ("DATELINE_THREADS", "0"),
        ("DATELINE_THREADS", "-1"),
        ("DATELINE_MODEL_TIMEOUT_S", "0"),
        ("DATELINE_THREADS", "1.5"),
        ("DATELINE_INDEX", " "),
        ("DATELINE_ENGINE", "oracle"),
    ],
)
def test_a_setting_that_cannot_be_used_exits_with_2_and_is_named(
    briefs: Settings, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    index = [] if variable == "DATELINE_INDEX" else ["--index", briefs.index]
    ran = dateline("ask", "Why?", *index)
    assert (ran.code, ran.out) == (2, "")
    assert variable in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("arguments", ["ask Why?", "search minerals", "sources", "ask --batch -"])
def test_without_an_index_it_says_which_folder_and_what_to_run(arguments: str) -> None:
    ran = dateline(*arguments.split(), "--index", "no/such/index", stdin='{"question": "Why?"}\n')
    assert (ran.code, ran.out) == (1, "")
    assert "no/such/index" in ran.err
    assert "dateline index" in ran.err
    assert "Traceback" not in ran.err
    assert not Path("no").exists()


@pytest.mark.parametrize("name", ["index", "chat"])
def test_a_corpus_that_does_not_exist_is_named(name: str) -> None:
    where = ["no/such/corpus"] if name == "index" else ["--corpus", "no/such/corpus"]
    ran = dateline(name, *where, "--index", "index")
    assert (ran.code, ran.out) == (1, "")
    assert "no/such/corpus" in ran.err
    assert "Traceback" not in ran.err


def test_an_error_nobody_foresaw_is_one_sentence_and_a_traceback_only_when_asked_for(
    briefs: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("assistant.service.Assistant.stream", fail)
    ran = dateline("ask", "Why?", "--index", briefs.index)
    assert (ran.code, ran.out) == (1, "")
    assert "ZeroDivisionError: division by zero" in ran.err
    assert "Traceback" not in ran.err
    monkeypatch.setenv("DATELINE_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        dateline("ask", "Why?", "--index", briefs.index)


def test_doctor_says_what_to_do_when_there_is_no_index_and_makes_none(elsewhere: Path) -> None:
    write_files(elsewhere / "corpus", {"a.txt": "The ferry sailed."})
    ran = dateline("doctor")
    assert ran.code == 0
    (line,) = [line for line in ran.out.splitlines() if "index:" in line]
    assert line.startswith("todo")
    assert ".dateline" in line
    assert "dateline index" in line
    assert [path.name for path in elsewhere.iterdir()] == ["corpus"]


def test_doctor_says_what_to_do_when_there_is_no_corpus() -> None:
    ran = dateline("doctor", "--json")
    found = {finding["check"]: finding for finding in ran.json}
    assert found["corpus"]["state"] != "ok"
    assert "DATELINE_CORPUS" in found["corpus"]["says"]
    assert found["index"]["state"] == "todo"


def test_doctor_names_the_variables_that_are_no_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATELINE_MODEL_RETRIES", "3")
    found = {finding["check"]: finding for finding in dateline("doctor", "--json").json}
    assert found["settings"]["state"] == "todo"
    assert "DATELINE_MODEL_RETRIES" in found["settings"]["says"]


def test_doctor_finds_nothing_to_do_where_all_is_well(
    briefs: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATELINE_CORPUS", str(briefs.corpus))
    ran = dateline("doctor", "--index", briefs.index, "--json")
    assert ran.code == 0
    assert all(finding.keys() == {"check", "state", "says"} for finding in ran.json)
    assert {finding["state"] for finding in ran.json} == {"ok"}
    assert {"python", "sqlite", "embedder", "corpus", "index", "engine"} <= {
        finding["check"] for finding in ran.json
    }


def test_doctor_says_that_an_index_is_of_another_model(
    briefs: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATELINE_CORPUS", str(briefs.corpus))
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "catalog.sqlite").write_bytes(b"no database" * 500)
    ran = dateline("doctor", "--index", tmp_path / "index", "--json")
    (found,) = [finding for finding in ran.json if finding["check"] == "index"]
    assert found["state"] != "ok"
    assert "catalog.sqlite" in found["says"]


def test_settings_come_from_env_file_environment_and_options_the_last_word_with_the_latter(
    briefs: Settings, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file = elsewhere / ".env"
    env_file.write_text(f"# mine\nDATELINE_INDEX={briefs.index}\nOTHER=1\n")
    assert len(dateline("sources", "--json").json) == 5
    monkeypatch.setenv("DATELINE_INDEX", "from/environment")
    ran = dateline("sources", "--json")
    assert ran.code == 1
    assert "from/environment" in ran.err
    ran = dateline("sources", "--json", "--index", briefs.index)
    assert ran.code == 0
    monkeypatch.delenv("DATELINE_INDEX")
    env_file.write_text("DATELINE_PORT=abc\n")
    ran = dateline("sources", "--json", "--index", briefs.index)
    assert ran.code == 2
    assert "DATELINE_PORT" in ran.err


def test_an_env_file_that_cannot_be_read_is_named(briefs: Settings, elsewhere: Path) -> None:
    (elsewhere / ".env").write_bytes(b"DATELINE_INDEX=caf\xe9\n")
    ran = dateline("sources", "--index", briefs.index)
    assert ran.code == 2
    assert ".env" in ran.err
    assert "should not have" not in ran.err


def test_the_installed_program_is_this_command_line() -> None:
    program = Path(sys.executable).with_name("dateline")
    done = subprocess.run([program, "--help"], capture_output=True, env=shell_environment())
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"usage: dateline")
