"""What README.md says is so."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from repository import ROOT
from running import Running

from assistant.doors.cli import main
from eval.cases import BRIEFS, load_set
from eval.gate import baselines_of, load_baselines, overall
from eval.reporting.report import figure
from indexing.settings import Settings

README = (ROOT / "README.md").read_text("utf-8")


def test_the_answer_it_shows_is_the_answer_given(
    briefs: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = re.search(r"```\n\$ dateline ask \"(.+?)\" --as-of (\S+)\n(.*?)```", README, re.DOTALL)
    assert shown
    question, as_of, output = shown.groups()
    assert main(["ask", question, "--as-of", as_of, "--index", str(briefs.index)]) == 0
    assert capsys.readouterr().out.split() == output.split()


def test_its_figures_are_those_of_the_baseline() -> None:
    asked = load_set(BRIEFS)
    (kept,) = load_baselines(baselines_of(asked))
    rows = re.findall(r"^\| `([a-z_]+)` \| ([^|]+) \| ([^|]+) \|$", README, re.MULTILINE)
    assert len(rows) >= 6
    for name, *shown in rows:
        for split, told in zip(("dev", "test"), shown, strict=True):
            of_split = [result for result in kept.results if result.split == split]
            assert told == figure(overall(of_split)[name]), (name, split)


def test_its_table_of_settings_is_complete_and_its_defaults_are_right() -> None:
    rows = re.findall(r"^\| (`DATELINE_.+?) \| (.+?) \|", README, re.MULTILINE)
    told = {}
    for names, defaults in rows:
        shown = re.findall(r"`(.*?)`", defaults)
        told.update(zip(re.findall(r"`(.+?)`", names), shown, strict=True))
    settings = Settings()
    switches = {True: "on", False: "off"}
    assert told == {
        f"DATELINE_{f.name.upper()}": switches[value] if isinstance(value, bool) else str(value)
        for f in fields(settings)
        for value in [getattr(settings, f.name)]
    }


def test_the_commands_it_lists_exist(capsys: pytest.CaptureFixture[str]) -> None:
    for command in set(re.findall(r"^dateline (\w+)", README, re.MULTILINE)):
        with pytest.raises(SystemExit) as exit_:
            main([command, "--help"])
        assert exit_.value.code == 0
    capsys.readouterr()
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in set(re.findall(r"\bmake (\w+)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_files_it_links_to_are_there() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        if not link.startswith("http"):
            assert (ROOT / Path(link)).is_file(), link


def run(command: list[str], tmp_path: Path, **variables: str) -> str:
    env = {k: v for k, v in os.environ.items() if not k.startswith("DATELINE_")} | variables
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_its_python_runs_as_it_stands(briefs: Settings, dateline: Running, tmp_path: Path) -> None:
    client, assistant = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    said = run([sys.executable, "-c", assistant], tmp_path, DATELINE_INDEX=str(briefs.index))
    assert said.splitlines()[-1] == "answered not_in_corpus"
    code = client.replace("http://127.0.0.1:8000", dateline.url)
    assert "6 March 2026" in run([sys.executable, "-c", code], tmp_path, NO_PROXY="*")


def test_its_call_of_the_api_works_as_it_stands(dateline: Running, tmp_path: Path) -> None:
    (line,) = re.findall(r"^curl .+$", README, re.MULTILINE)
    command = shlex.split(line.replace("http://127.0.0.1:8000", dateline.url))
    said = json.loads(run([*command, "-sS", "--noproxy", "*"], tmp_path))
    assert said["status"] == "answered"
