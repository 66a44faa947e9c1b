"""One settings object, read once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from indexing.errors import SettingsError

BUNDLED = "bundled"
"""The name of the models whose weights the installed packages carry."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Every value a user can set; each is also `DATELINE_<NAME>` and a line of `.env`.

    `embedder` and `reranker` are "bundled" or a sentence-transformers model by name or folder;
    `reranker` may be "none". `engine` is "quotes". `max_file_mb` is the largest
    file read as an article.
    """

    corpus: Path = Path("corpus")
    index: Path = Path(".dateline")
    host: str = "127.0.0.1"
    port: int = 8000
    embedder: str = BUNDLED
    reranker: str = BUNDLED
    engine: str = "quotes"
    passage_chars: int = 800
    max_quotes: int = 3
    max_file_mb: int = 50
    threads: int = 2

    @classmethod
    def from_env(cls, env: Mapping[str, str], **overrides: Any) -> Settings:
        """The settings in `env` (names `DATELINE_*`); `overrides` that are not None win.

        Raises SettingsError naming the variable for a value that cannot be used.
        """
        known = {f"DATELINE_{f.name.upper()}": f.name for f in fields(cls)}
        values: dict[str, Any] = {}
        for variable, name in known.items():
            if variable in env:
                values[name] = _parsed(variable, env[variable], getattr(cls(), name))
        values.update((name, value) for name, value in overrides.items() if value is not None)
        settings = replace(cls(), **values)
        _check(settings)
        return settings


def _parsed(variable: str, value: str, default: Any) -> Any:
    if isinstance(default, int):
        if not re.fullmatch(r"\s*[0-9]{1,9}\s*", value):
            raise SettingsError(f"{variable} must be a whole number, got {value!r}")
        return int(value)
    if not value.strip():
        raise SettingsError(f"{variable} is empty; give it a value or remove the line")
    return Path(value) if isinstance(default, Path) else value.strip()


_LEAST = {
    "passage_chars": 100,
    "max_quotes": 1,
    "max_file_mb": 1,
    "threads": 1,
    "port": 0,
}


def _check(settings: Settings) -> None:
    for name, least in _LEAST.items():
        if getattr(settings, name) < least:
            variable = f"DATELINE_{name.upper()}"
            raise SettingsError(
                f"{variable} must be {least} or more, got {getattr(settings, name)}"
            )
    if settings.port > 65535:
        raise SettingsError(f"DATELINE_PORT must be 65535 or less, got {settings.port}")
