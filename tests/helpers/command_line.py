"""The command line as a process."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Any

import pytest

from assistant.doors.cli import main


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
