"""Files of one JSON value a line, as sets, baselines and rated answers are kept."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from indexing.errors import SettingsError


class BadLine(SettingsError):
    """A file, or a line of it, that is not what it should be."""


def read(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """The objects of the file, each with the number of its line; empty lines are passed over.

    A line ends with a line feed alone: JSON may hold the other characters that end lines elsewhere.
    Raises BadLine naming the line.
    """
    try:
        data = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise BadLine(f"{path} cannot be read: {exc}") from exc
    rows = []
    for number, line in enumerate(data.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as exc:
            raise BadLine(f"{path}, line {number}: not valid JSON: {exc}") from exc
        if not isinstance(row, dict):
            raise BadLine(f"{path}, line {number}: not a JSON object")
        rows.append((number, row))
    return rows


def write(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Puts the rows in the place of the file, whole or not at all. Raises SettingsError."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("wb", dir=path.parent, delete=False) as beside:
            beside.write(text.encode())
        os.chmod(beside.name, 0o644)
        os.replace(beside.name, path)
    except (OSError, UnicodeEncodeError) as exc:
        raise SettingsError(f"{path} cannot be written: {exc}") from exc
