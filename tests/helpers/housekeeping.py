"""What a run of the tests tells of itself, and which of its tests are slow."""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
from collections.abc import Iterator
from typing import Any

import machine
import pytest

SLOW = {"browser", "postgres", "dateline", "scripted", "briefs"}
"""Fixtures that start a program beside the tests, or read corpus/ with the real models."""
LACKS = (machine.NO_BROWSER, machine.NO_POSTGRES)
_peaks = pytest.StashKey[dict[str, float]]()


@pytest.fixture(scope="module", autouse=True)
def memory_is_given_back() -> Iterator[None]:
    """What a module opened is freed before the next one begins; glibc would keep it."""
    yield
    gc.collect()
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "malloc_trim"):
        library.malloc_trim(0)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_peaks] = {}


@pytest.hookimpl(tryfirst=True)  # before those of other marks are left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        uses = {*getattr(item, "fixturenames", ()), *_parameters(item)} & SLOW
        for marker in (*(uses & {"browser", "postgres"}), *(["slow"] if uses else [])):
            item.add_marker(marker)


def _parameters(item: pytest.Item) -> set[str]:
    """The texts an item is called with: a parameter may name the database it asks for."""
    given = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return {value for value in given if isinstance(value, str)}


def pytest_report_header() -> list[str]:
    return machine.missing()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    peaks = config.stash[_peaks] or {"": _peak_gb()}
    shown = ", ".join(f"{name} {peak:.1f} GB".strip() for name, peak in sorted(peaks.items()))
    terminalreporter.write_line(f"peak memory: {shown}")
    for lack in LACKS:
        if kept := sum(_is_for_want_of(lack, report) for report in _reports(terminalreporter)):
            terminalreporter.write_line(f"{kept} tests did not run: {lack}", yellow=True)


def _reports(terminalreporter: pytest.TerminalReporter) -> list[Any]:
    return [
        report for kind in ("skipped", "error") for report in terminalreporter.stats.get(kind, ())
    ]


def _is_for_want_of(lack: str, report: Any) -> bool:
    return lack in str(report.longrepr)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["peak"] = _peak_gb()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    if output := getattr(node, "workeroutput", None):
        node.config.stash[_peaks][node.gateway.id] = output["peak"]


def _peak_gb() -> float:
    unit = 2**30 if sys.platform == "darwin" else 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
