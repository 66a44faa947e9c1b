"""Every command of these tests runs in an empty folder, with no setting in the environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every command runs in a folder without `.env`, and with no setting in the environment."""
    for name in list(os.environ):
        if name.startswith("DATELINE_"):
            monkeypatch.delenv(name)
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    monkeypatch.chdir(cwd)
    return cwd


@pytest.fixture
def unranked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the cross-encoder: for tests to which it does not matter what the answer is."""
    monkeypatch.setenv("DATELINE_RERANKER", "none")
