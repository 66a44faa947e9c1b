"""What README.md, CONTRIBUTING.md, docs/ and the other papers say is so.

Their fenced blocks are of a language: `sh` for commands, `console` for a command with its output,
`python`, `json`, `yaml`, `dotenv` for a file of settings, `text` for the rest.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import yaml
from command_line import dateline as run_dateline
from markdown_it import MarkdownIt
from repository import ROOT
from running import Running

from assistant.doors.cli import _parser, main
from assistant.settings import Settings, unknown
from eval.cases import BRIEFS, load_set
from eval.gate import baselines_of, load_baselines, overall
from eval.reporting.report import figure

PAPERS = (
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md"),
    *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")),
    *("eval/sets/README.md", "eval/sets/drafts/README.md"),
    "assistant/finding/models/MODEL_CARD.md",
)
LONGEST_README = 150
TEXT = {path: (ROOT / path).read_text("utf-8") for path in PAPERS}
MARKDOWN = MarkdownIt("commonmark").enable("table")


def a_paper_each(paths: tuple[str, ...]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("paper", paths)


def blocks(paper: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    tokens = MARKDOWN.parse(TEXT[paper])
    return [t.content for t in tokens if t.type == "fence" and t.info.strip() == language]


def having(language: str) -> tuple[str, ...]:
    return tuple(paper for paper in PAPERS if blocks(paper, language))


def test_readme_can_be_read_in_one_go() -> None:
    assert len(TEXT["README.md"].splitlines()) <= LONGEST_README


@a_paper_each(PAPERS)
def test_every_block_is_of_a_language_that_is_checked(paper: str) -> None:
    languages = {t.info.strip() for t in MARKDOWN.parse(TEXT[paper]) if t.type == "fence"}
    assert languages <= {"sh", "console", "python", "json", "yaml", "dotenv", "text"}


# Links and names


def anchors(paper: str) -> set[str]:
    """The anchors that GitHub gives the headings."""
    tokens = MARKDOWN.parse(TEXT[paper])
    headings = [after.content for t, after in pairwise(tokens) if t.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(paper: str) -> Iterator[str]:
    for token in MARKDOWN.parse(TEXT[paper]):
        for part in token.children or ():
            for name in ("href", "src"):
                if name in part.attrs:
                    yield str(part.attrs[name])
        if token.type == "html_block":
            yield from re.findall(r"(?:src|href)=\"(.+?)\"", token.content)


@a_paper_each(tuple(paper for paper in PAPERS if list(links(paper))))
def test_its_links_lead_somewhere(paper: str) -> None:
    for link in links(paper):
        parts = urlsplit(link)
        if parts.scheme:
            assert parts.scheme == "https", link
            assert "." in parts.netloc, link
            continue
        target = (ROOT / paper).parent / parts.path if parts.path else ROOT / paper
        assert target.exists(), link
        if parts.fragment:
            assert parts.fragment in anchors(target.resolve().relative_to(ROOT).as_posix()), link


@a_paper_each(PAPERS)
def test_the_files_and_modules_it_names_are_there(paper: str) -> None:
    """Wherever a path or module of ours stands as code, and in commands."""
    code = "\n".join(re.findall(r"`+([^`]+)`+", TEXT[paper]) + blocks(paper, "sh"))
    for name in re.findall(r"(?<![\w/.-])(?:assistant|indexing|eval|tests|docs)/[\w./-]*", code):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"(?<![\w/.-])(?:eval|indexing|tests)(?:\.[a-z]\w+)+(?!\w|\()", code):
        assert (ROOT / name.replace(".", "/")).with_suffix(".py").exists(), name


@a_paper_each([paper for paper in PAPERS if paper != "CHANGELOG.md"])
def test_the_settings_it_names_are_there(paper: str) -> None:
    """Of all but the changelog, which tells of those that went."""
    assert unknown(dict.fromkeys(re.findall(r"\bDATELINE_[A-Z_]+\b", TEXT[paper]), "")) == []


def test_the_table_of_settings_is_complete_and_its_defaults_are_right() -> None:
    page = TEXT["docs/configuration.md"]
    told = {}
    for names, defaults in re.findall(r"^\| (`DATELINE_.+?) \| (.+?) \|", page, re.MULTILINE):
        shown = re.findall(r"`(.*?)`", defaults)
        told.update(zip(re.findall(r"`(.+?)`", names), shown, strict=True))
    settings = Settings()
    switches = {True: "on", False: "off"}
    assert told == {
        f"DATELINE_{f.name.upper()}": switches[value] if isinstance(value, bool) else str(value)
        for f in fields(settings)
        for value in [getattr(settings, f.name)]
    }


@a_paper_each(having("dotenv"))
def test_its_lines_of_settings_can_be_used(paper: str) -> None:
    for block in blocks(paper, "dotenv"):
        lines = dict(line.split("=", 1) for line in block.splitlines())
        Settings.from_env(lines)


# Commands


@dataclass
class Shell:
    """What a reader's shell knows after the lines so far."""

    folder: Path
    exported: dict[str, str] = field(default_factory=dict)


def commands(block: str) -> Iterator[tuple[dict[str, str], list[str]]]:
    """The variables and the words of each line; of a pipe, those of its last command."""
    for line in block.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if "|" in words:
            words = words[len(words) - words[::-1].index("|") :]
        given = {}
        while words and (found := re.fullmatch(r"([A-Z_]+)=(.*)", words[0])):
            given[found[1]] = found[2]
            words = words[1:]
        if words:
            yield given, words


def makes(target: str) -> bool:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    return bool(re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE))


def check_pip(words: list[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for extra in re.findall(r"(?:\.|dateline)\[(.+?)\]", " ".join(words)):
        assert set(extra.split(",")) <= set(project["optional-dependencies"]), extra
    for constraints in re.findall(r"-c (\S+)", " ".join(words)):
        assert (ROOT / constraints).is_file(), constraints


def check_module(words: list[str]) -> None:
    """`python -m MODULE --option ...`, by its `--help`; of pytest only the paths."""
    assert words[0] == "-m"
    if words[1] == "pytest":
        assert all((ROOT / path).exists() for path in words[2:])
        return
    command = [sys.executable, "-m", words[1], "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert {word for word in words if word.startswith("--")} <= set(re.findall(r"--[a-z-]+", told))


def is_run(words: list[str], variables: Mapping[str, str]) -> bool:
    """Whether a command of `dateline` is run here: not where it would serve, call a chat model or ask
    the whole evaluation set."""
    if words[0] in ("chat", "slack", "mcp"):
        return False
    if any("MODEL" in name for name in variables) or {"--engine", "--judge"} & set(words):
        return False
    return words[0] != "eval" or "add" in words or "my.jsonl" in words


def check_dateline(words: list[str], given: Mapping[str, str], shell: Shell) -> None:
    """Runs a command in the shell's folder where that is cheap, else has its arguments parsed."""
    into = words[words.index(">") + 1] if ">" in words else None
    words = words[: words.index(">")] if into else words
    variables = {**shell.exported, **given}
    Settings.from_env(variables)
    if not is_run(words, variables):
        assert callable(_parser(words).parse_args(words).run)
        return
    asked = json.dumps({"id": "q1", "question": "What is the MOU deadline?"})
    stdin = asked if "--batch" in words else "a long password\n"
    ran = run_dateline(*words, stdin=stdin)
    assert ran.code == 0, (words, ran.err)
    if into:
        (shell.folder / into).write_text(ran.out, "utf-8")


def check(given: dict[str, str], words: list[str], shell: Shell) -> None:
    program, *rest = words
    match Path(program).name:
        case "dateline":
            check_dateline(rest, given, shell)
        case "make":
            assert all(makes(word) for word in rest if "=" not in word), words
        case "python":
            check_module(rest)
        case "pip":
            check_pip(rest)
        case "export":
            shell.exported.update(word.split("=", 1) for word in rest)
        case "pytest":
            assert rest == ["--dateline-eval"]
        case "curl":
            pass  # see below
        case _:
            pytest.fail(f"nothing checks {shlex.join(words)}")


@a_paper_each(having("sh"))
def test_its_commands_work(
    paper: str, briefs: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder with an index of corpus/, one after the other."""
    shutil.copytree(ROOT / "corpus", tmp_path / "corpus")
    shutil.copytree(briefs.index, tmp_path / ".dateline")
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("DATELINE_")]:
        monkeypatch.delenv(name)
    shell = Shell(tmp_path)
    for block in blocks(paper, "sh"):
        for given, words in commands(block):
            check(given, words, shell)


@a_paper_each(PAPERS)
def test_the_commands_in_its_text_exist(paper: str) -> None:
    """Of those in running text, such as `dateline feedback --rating down --json`."""
    known = subcommands()
    for line in re.findall(r"`((?:dateline|make) [^`]+)`", TEXT[paper]):
        program, *words = shlex.split(line)
        if program == "make":
            assert makes(words[0]), line
            continue
        assert words[0] in known, line
        options = {word for word in words if re.fullmatch(r"--[a-z-]+", word)}
        assert options <= known[words[0]], line


def subcommands() -> dict[str, set[str]]:
    """The options of each command."""
    parser = _parser([])
    (actions,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return {name: set(sub._option_string_actions) for name, sub in actions.choices.items()}


def test_the_command_line_page_has_every_command_and_says_which_print_json() -> None:
    page = TEXT["docs/command-line.md"]
    known = subcommands()
    assert set(re.findall(r"^dateline (\w+)", page, re.MULTILINE)) == set(known)
    told = re.search(r"all but (.+?) take `--json`", page)
    assert told
    without = {name for name, options in known.items() if "--json" not in options}
    assert set(re.findall(r"`(\w+)`", told[1])) == without


# What is shown


def test_the_answer_it_shows_is_the_answer_given(
    briefs: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    (shown,) = blocks("README.md", "console")
    command, output = shown.split("\n", 1)
    prompt, program, *words = shlex.split(command)
    assert (prompt, program) == ("$", "dateline")
    assert main([*words, "--index", str(briefs.index)]) == 0
    assert capsys.readouterr().out.split() == output.split()


def test_its_figures_are_those_of_the_baseline() -> None:
    asked = load_set(BRIEFS)
    (kept,) = load_baselines(baselines_of(asked))
    page = TEXT["docs/quality-and-speed.md"]
    rows = re.findall(r"^\| `([a-z_]+)` \| ([^|]+) \| ([^|]+) \|$", page, re.MULTILINE)
    assert len(rows) >= 6
    for name, *shown in rows:
        for split, told in zip(("dev", "test"), shown, strict=True):
            of_split = [result for result in kept.results if result.split == split]
            assert told == figure(overall(of_split)[name]), (name, split)


def run(command: list[str], tmp_path: Path, **variables: str) -> str:
    env = {k: v for k, v in os.environ.items() if not k.startswith("DATELINE_")} | variables
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_its_python_runs_as_it_stands(briefs: Settings, tmp_path: Path) -> None:
    (code,) = blocks("docs/python.md", "python")
    said = run([sys.executable, "-c", code], tmp_path, DATELINE_INDEX=str(briefs.index))
    assert said.splitlines()[-1] == "answered not_in_corpus"


def test_its_calls_of_the_api_work_as_they_stand(dateline: Running, tmp_path: Path) -> None:
    (code,) = blocks("docs/http.md", "python")
    code = code.replace("http://127.0.0.1:8000", dateline.url)
    assert "6 March 2026" in run([sys.executable, "-c", code], tmp_path, NO_PROXY="*")
    (line,) = re.findall(r"^curl .+$", TEXT["docs/http.md"], re.MULTILINE)
    command = shlex.split(line.replace("http://127.0.0.1:8000", dateline.url))
    said = json.loads(run([*command, "-sS", "--noproxy", "*"], tmp_path))
    assert said["status"] == "answered"


def test_the_routes_it_lists_are_those_served(dateline: Running) -> None:
    served = httpx.get(f"{dateline.url}/api/openapi.json", trust_env=False).json()["paths"]
    listed = set(re.findall(r"`(GET|POST) (/[^`]*)`", TEXT["docs/http.md"]))
    routes = {(method.upper(), path) for path, methods in served.items() for method in methods}
    assert listed - routes == {("GET", "/healthz")}, (
        "which is the page's own, and up, or no test ran"
    )
    assert not routes - listed


def test_other_python_stands_nowhere() -> None:
    assert having("python") == ("docs/http.md", "docs/python.md")


@a_paper_each((*having("json"), *having("yaml")))
def test_its_data_can_be_read(paper: str) -> None:
    for block in blocks(paper, "json"):
        for server in json.loads(block)["mcpServers"].values():
            arguments = server.get("args")
            if arguments:
                assert callable(_parser(arguments).parse_args(arguments).run)
                Settings.from_env(server["env"])
    for block in blocks(paper, "yaml"):
        (front, *_) = yaml.safe_load_all(block)
        assert {"title", "publisher", "published"} <= front.keys()


def test_the_build_server_runs_what_contributors_are_told(tmp_path: Path) -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))
    ran = [step.get("run") for job in workflow["jobs"].values() for step in job["steps"]]
    assert ".ci/run" in ran
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    told = set(re.findall(r"^make (\w+)$", script.read_text("utf-8"), re.MULTILINE))
    assert told == {"test", "eval"}
