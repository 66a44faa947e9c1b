"""A running `dateline chat` to be measured."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eval.speed.retrieval_table import ROOT, BenchFailed, dateline, environment, failure


@dataclass(frozen=True, slots=True)
class Served:
    """A running `dateline chat`: its address and its process."""

    url: str
    pid: int


@contextmanager
def served(folder: Path) -> Iterator[Served]:
    """`dateline chat` over `corpus/`, its index in `folder`, until it is stopped."""
    command = dateline("chat", "--corpus", ROOT / "corpus", "--index", folder, "--port", "0")
    with (
        tempfile.TemporaryFile("w+") as printed,
        subprocess.Popen(
            command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=printed, text=True
        ) as server,
    ):
        assert server.stdout is not None
        try:
            for line in server.stdout:
                if at := re.search(r"Dateline is at (\S+)", line):
                    yield Served(at[1], server.pid)
                    return
            printed.seek(0)
            raise failure("dateline chat", server.wait(), printed.read())
        finally:
            server.terminate()


def write_times(program: str, about: str | None, measured: Callable[[Served, bool], Any]) -> None:
    """Measures a server of its own, and writes the times to the file that the command line names:
    libraries write on standard output."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=about)
    parser.add_argument("out", type=Path)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="dateline-bench-") as temporary,
            served(Path(temporary)) as server,
        ):
            times = measured(server, arguments.quick)
    except BenchFailed as exc:
        sys.exit(str(exc))
    arguments.out.write_text(json.dumps(asdict(times)), "utf-8")
