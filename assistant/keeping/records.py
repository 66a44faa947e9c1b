"""Small files of JSON that several processes read and change, and that only their owner may read."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from indexing.errors import IndexStorage, SettingsError


class Record:
    """A JSON object in a file: read again once it has changed, and replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, ...] | None = None
        self._value: dict[str, Any] = {}

    def read(self) -> dict[str, Any]:
        """What it holds, {} where there is none. Raises IndexStorage where it cannot be read."""
        try:
            at = self._path.stat()
            seen = at.st_mtime_ns, at.st_size, at.st_ino
            if seen != self._seen:
                value = json.loads(self._path.read_text("utf-8"))
                if not isinstance(value, dict):
                    raise ValueError("it is not a JSON object")
                self._value, self._seen = value, seen
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as exc:
            raise IndexStorage(
                f"{self._path} cannot be read ({exc}); restore it from a copy, or remove it"
            ) from exc
        return self._value

    @contextmanager
    def changing(self) -> Iterator[dict[str, Any]]:
        """What it holds, to be changed, and kept unless the change raises."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self._path.with_suffix(".lock"), mode=0o600):
                value = json.loads(json.dumps(self.read()))
                yield value
                os.replace(written(self._path, json.dumps(value, indent=1)), self._path)
        except OSError as exc:
            raise IndexStorage(f"{self._path} cannot be written: {exc}") from exc


LONGEST_NAME = 64


class Named:
    """Records by the names that people gave them, in `folder`/`command`.json.

    `command` is the one of `dateline` that lists and changes them, `noun` what each is, and `taken`
    what to do about a `{name}` that there is already. Every method raises IndexStorage where the file
    cannot be read or written, and SettingsError for a name that will not do.
    """

    def __init__(self, folder: Path, command: str, noun: str, taken: str) -> None:
        self._record = Record(folder / f"{command}.json")
        self._command, self._noun, self._taken = command, noun, taken

    def all(self) -> dict[str, dict[str, Any]]:
        """The records by their names, sorted."""
        return dict(sorted(self._record.read().items()))

    def get(self, name: str) -> dict[str, Any] | None:
        return self._record.read().get(name)

    def add(self, name: str, record: dict[str, Any]) -> None:
        if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
            raise SettingsError(
                f"a name has 1 to {LONGEST_NAME} characters that can be printed, got {name!r}"
            )
        with self._record.changing() as kept:
            if name in kept:
                raise SettingsError(
                    f"there is a {self._noun} {name!r} already; {self._taken.format(name=name)}"
                )
            kept[name] = record

    def change(self, name: str, record: dict[str, Any]) -> None:
        """Puts what `record` holds in the place of that."""
        with self._record.changing() as kept:
            self._known(kept, name).update(record)

    def remove(self, name: str) -> dict[str, Any]:
        """What was kept under that name."""
        with self._record.changing() as kept:
            removed = self._known(kept, name)
            del kept[name]
        return removed

    def _known(self, kept: dict[str, Any], name: str) -> dict[str, Any]:
        if name not in kept:
            raise SettingsError(
                f"there is no {self._noun} {name!r}; see `dateline {self._command} list`"
            )
        known: dict[str, Any] = kept[name]
        return known


def written(path: Path, text: str) -> Path:
    """A new file beside `path` that only its owner may read, with `text` in it, on the disk."""
    handle, made = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mode 0600
    with open(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return Path(made)
