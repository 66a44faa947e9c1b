"""Answers that a reader called wrong, kept beside the index until somebody makes questions of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from assistant.schema import Answer
from assistant.show import to_json
from indexing.catalog import storage_errors

FILE_NAME = "reported.jsonl"
"""A line an answer, in the form of `dateline ask --json` with its history: what
`dateline eval add --from` reads."""


def keep(index: Path, answer: Answer, history: Sequence[tuple[str, str]]) -> Path:
    """Adds the answer to the file and returns its path. Raises IndexStorage where it cannot."""
    path = index / FILE_NAME
    line = {
        **to_json(answer),
        "history": [list(turn) for turn in history],
        "reported": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with storage_errors(index), path.open("a+b") as file:
        file.seek(0, 2)
        if file.tell():
            file.seek(-1, 2)
            if file.read(1) != b"\n":  # a report was cut off
                file.write(b"\n")
        file.write((json.dumps(line) + "\n").encode())
    return path
