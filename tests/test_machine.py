"""What the tests need of a machine is looked for, and what it lacks is said."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import machine
import psycopg
import pytest
from postgres import postgres_server
from repository import ROOT

NEEDS_A_BROWSER = (
    "tests/eval/test_page.py::test_without_its_script_the_page_is_whole_and_has_no_idle_filter"
)


@pytest.fixture(autouse=True)
def nothing_is_known() -> None:
    machine.browser.cache_clear()
    machine.postgres.cache_clear()


def program(folder: Path, name: str, code: int) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\nexit {code}\n")
    path.chmod(0o755)
    return path


def test_the_first_chromium_that_runs_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "chromium", 1)
    chrome = program(tmp_path, "google-chrome", 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.browser() == str(chrome)


@pytest.mark.slow
@pytest.mark.skipif(not find_spec(machine.POSTGRES_WHEEL), reason="the wheel is not installed")
def test_without_the_systems_server_that_of_the_wheel_is_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine, "SYSTEM_POSTGRES", Path("/nowhere"))
    monkeypatch.setenv("PATH", "/nowhere")
    with postgres_server() as server, psycopg.connect(server.new_database()) as connection:
        assert connection.execute("SELECT lower('A')").fetchone() == ("a",)


@pytest.mark.slow
@pytest.mark.parametrize(("ci", "code", "outcome"), [("", 0, "1 skipped"), ("true", 1, "1 error")])
def test_a_browser_that_cannot_be_had_is_said_with_what_it_kept_from_running(
    ci: str, code: int, outcome: str, tmp_path: Path
) -> None:
    hidden = {"PATH": str(tmp_path), "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path), "CI": ci}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", NEEDS_A_BROWSER]
    ran = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, **hidden}
    )
    assert ran.returncode == code
    before, after = ran.stdout.split("collected 1 item")
    assert machine.NO_BROWSER in before
    assert f"1 tests did not run: {machine.NO_BROWSER}" in after
    assert outcome in after
