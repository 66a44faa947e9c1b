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
    with storage_errors(index), path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
    return path
