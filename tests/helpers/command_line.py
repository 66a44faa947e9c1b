"""The command line, in this process and as one of its own; and what is asked over corpus/."""

from __future__ import annotations

import io
import json
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import pytest

from assistant.doors.cli import main

DATED_5_FEB = {"menafn-mexico-eu-japan-partnerships.md", "nam-partners-and-congress.md"}
DATED_4_FEB = {"mining-com-action-plans.md"}
UNDATED = {"unknown-eu-japan-mexico-pacts.md", "unknown-eu-japan-partnership.md"}
DATED_QUESTION = "When is the review of the USMCA?"
MISSING_QUESTION = "Who won the 2019 cricket world cup?"


def dateline(*arguments: object, stdin: str | bytes | None = None) -> Ran:
    """Runs a command in this process, with streams such as a shell's pipes are."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    code: object
    with (
        pytest.MonkeyPatch.context() as patch,
        TemporaryFile() as given,
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        given.write(stdin.encode() if isinstance(stdin, str) else stdin or b"")
        given.seek(0)
        patch.setattr("sys.stdin", io.TextIOWrapper(given, encoding="utf-8"))
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as exc:  # argparse
            code = exc.code
    assert isinstance(code, int)
    for stream in (out, err):
        stream.flush()
    printed = (stream.buffer.getvalue().decode() for stream in (out, err))
    return Ran(code, *printed)


@dataclass(frozen=True)
class Ran:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its output as the one line of JSON it must be."""
        (line,) = self.out.splitlines()
        return json.loads(line)

    @property
    def jsonl(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "assistant.doors.cli", *map(str, arguments)]


def shell_environment(**more: str) -> dict[str, str]:
    """The environment of a user's shell: nothing of ours, output buffered as Python does."""
    ours = ("DATELINE_", "PYTHON")
    return {k: v for k, v in os.environ.items() if not k.startswith(ours)} | more


def batch(folder: Path, *lines: object) -> Path:
    """A .jsonl file; what is a string is written as it stands."""
    path = folder / "batch.jsonl"
    written = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_text("".join(f"{line}\n" for line in written), "utf-8")
    return path
