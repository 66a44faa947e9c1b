"""What indexing is told, and how every layer's settings are read: once, from the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Self

from indexing.errors import SettingsError

BUNDLED = "bundled"
"""The name of the models whose weights the installed packages carry."""


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """What a user can set of the corpus and its index; each is also `DATELINE_<NAME>` and a line of
    `.env`. The layers above add theirs in classes of their own.

    `embedder` is "bundled" or a sentence-transformers model by name or folder, `threads` how many
    processor threads the models use.
    """

    LEAST: ClassVar[Mapping[str, int]] = {"threads": 1}
    """The least that numbers may be."""
    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    corpus: Path = Path("corpus")
    index: Path = Path(".dateline")
    embedder: str = BUNDLED
    threads: int = 2

    @classmethod
    def from_env(cls, env: Mapping[str, str], **overrides: Any) -> Self:
        """The settings in `env` (names `DATELINE_*`); `overrides` that are not None win.

        Raises SettingsError naming the variable for a value that cannot be used.
        """
        known = {f"DATELINE_{f.name.upper()}": f.name for f in fields(cls)}
        values: dict[str, Any] = {}
        for variable, name in known.items():
            if variable in env:
                values[name] = _parsed(variable, env[variable], getattr(cls(), name))
        values.update((name, value) for name, value in overrides.items() if value is not None)
        settings = replace(cls(), **values).completed(values.keys())
        settings.check()
        return settings

    def completed(self, given: Collection[str]) -> Self:
        """With what follows for settings that are not among the `given`."""
        return self

    def check(self) -> None:
        """Raises SettingsError naming the variable for a value that cannot be used."""
        for name, least in self.LEAST.items():
            if getattr(self, name) < least:
                raise SettingsError(
                    f"DATELINE_{name.upper()} must be {least} or more, got {getattr(self, name)}"
                )
        for name, choices in self.CHOICES.items():
            if getattr(self, name) not in choices:
                raise SettingsError(
                    f"DATELINE_{name.upper()} must be {' or '.join(choices)}, "
                    f"got {getattr(self, name)!r}"
                )


_SWITCH = {"on": True, "off": False}


def _parsed(variable: str, value: str, default: Any) -> Any:
    if isinstance(default, bool):
        if value.strip().lower() not in _SWITCH:
            raise SettingsError(f"{variable} must be on or off, got {value!r}")
        return _SWITCH[value.strip().lower()]
    if isinstance(default, int):
        if not re.fullmatch(r"\s*[0-9]{1,9}\s*", value):
            raise SettingsError(f"{variable} must be a whole number, got {value!r}")
        return int(value)
    if not value.strip():
        raise SettingsError(f"{variable} is empty; give it a value or remove the line")
    return Path(value) if isinstance(default, Path) else value.strip()


def environment() -> dict[str, str]:
    """The process's environment over the lines of `.env` in the working directory, where there is one."""
    found: dict[str, str] = {}
    if Path(".env").is_file():
        from dotenv import dotenv_values

        try:
            read = dotenv_values(".env")
        except (OSError, UnicodeDecodeError) as exc:
            raise SettingsError(f"the file .env cannot be read: {exc}") from exc
        found = {key: value for key, value in read.items() if value is not None}
    return {**found, **os.environ}
