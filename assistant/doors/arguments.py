"""Arguments and output that every command shares."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from indexing.sync import Progress


Run = Callable[[argparse.Namespace], int]
"""What a command does with its arguments; the exit code."""
NewCommand = Callable[[str, Run, str], argparse.ArgumentParser]
"""Makes a command of a name, what it does, and a line of help."""


def a_day(text: str) -> date:
    """An argument such as 2026-02-04."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2026-02-04") from None


def a_count(text: str) -> int:
    """An argument that is a whole number of 1 or more."""
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def print_json(value: Any) -> None:
    """On standard output, escaped where that is not Unicode."""
    is_unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    print(json.dumps(value, ensure_ascii=not is_unicode))


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A progress bar on standard error where that is a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    from tqdm import tqdm

    bar = tqdm(disable=None, leave=False, file=sys.stderr)

    def show(what: str, done: int, total: int) -> None:
        bar.set_description(what, refresh=False)
        bar.total, bar.n = total, done
        bar.refresh()

    try:
        yield show
    finally:
        bar.close()
