"""What README.md says is so."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from conftest import ROOT

from assistant.cli import main
from eval.cases import BRIEFS, load_set
from eval.gate import baselines_of, load_baselines, overall
from eval.report import figure
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
