"""Clients of the HTTP API, and servers of it that answer by a script."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families
from repository import HELPERS
from running import Running, running

SCRIPTED = str(HELPERS / "scripted_server.py")
DEADLINE = "What is the MOU deadline?"
PATIENCE_S = 60


def client(server: Running, **headers: str) -> httpx.Client:
    return httpx.Client(base_url=server.url, headers=headers, trust_env=False, timeout=PATIENCE_S)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def events(text: str) -> list[tuple[str, Any]]:
    """The server-sent events of a body: their names and data."""
    found = re.findall(r"event: (\w+)\ndata: (.*)\n\n", text)
    return [(name, json.loads(data)) for name, data in found]


def until(holds: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@contextmanager
def scripted_server(
    folder: Path, constants: Sequence[str] = (), **variables: str
) -> Iterator[Running]:
    (folder / "cwd").mkdir(exist_ok=True)
    (folder / "corpus").mkdir(exist_ok=True)
    variables = {"DATELINE_CORPUS": str(folder / "corpus"), **variables}
    index = str(folder / "index")
    with running([SCRIPTED, index], folder / "cwd", constants, **variables) as started:
        yield started


def let_go(folder: Path) -> None:
    """Lets "Slow?" have its answer."""
    (folder / "index" / "gate").touch()


def without_times(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "timings_ms"}


def figure(api: httpx.Client, name: str, **labels: str) -> float:
    """A figure of `/metrics`, 0 where it is not there yet."""
    for family in text_string_to_metric_families(api.get("/metrics").text):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return float(sample.value)
    return 0
