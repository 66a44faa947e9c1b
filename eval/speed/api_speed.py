"""How long programs wait for the HTTP API: one that asks a question at a time, and 100 at once.

Run as `python -m eval.speed.api_speed OUT`; `eval.speed.bench` does.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from eval.cases import BRIEFS, load_set
from eval.speed.retrieval_table import BenchFailed
from eval.speed.serving import write_times

AT_ONCE = 100
ALONE = 30
QUICK_ALONE = 10
PATIENCE_S = 300.0


@dataclass(slots=True)
class ApiTimes:
    """Seconds, one an answer: asked one after the other, and `AT_ONCE` of them at once. `alone_s` and
    `at_once_s` are what those answers took together; `memory_mb` is what the server held in memory
    before them, `most_mb` the most it ever held (resident, in MB)."""

    alone_whole: list[float] = field(default_factory=list)
    at_once_whole: list[float] = field(default_factory=list)
    alone_s: float = 0.0
    at_once_s: float = 0.0
    memory_mb: float = 0.0
    most_mb: float = 0.0


async def ask(client: httpx.AsyncClient, question: str) -> float:
    """Seconds until the answer was there. Raises BenchFailed where there was none."""
    asked = time.perf_counter()
    got = await client.post("/api/ask", json={"question": question})
    if got.status_code != 200:
        raise BenchFailed(f"the API said {got.status_code} to {question!r}: {got.text[:200]}")
    return time.perf_counter() - asked


async def ask_all(url: str, questions: Sequence[str], at_once: int) -> list[float]:
    """Seconds for each answer, `at_once` of them asked at a time."""
    limits = httpx.Limits(max_connections=at_once)
    turn = asyncio.Semaphore(at_once)
    async with httpx.AsyncClient(
        base_url=url, trust_env=False, timeout=PATIENCE_S, limits=limits
    ) as client:

        async def one(question: str) -> float:
            async with turn:
                return await ask(client, question)

        return await asyncio.gather(*map(one, questions))


def memory_mb(pid: int) -> tuple[float, float]:
    """What a process holds in memory now, and the most it held (Linux: proc(5)); 0 elsewhere."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0, 0.0
    found = {
        name: int(value) / 1000 for name, value in re.findall(r"(VmRSS|VmHWM):\s+(\d+)", status)
    }
    return found.get("VmRSS", 0.0), found.get("VmHWM", 0.0)


def measure(url: str, pid: int, *, is_quick: bool = False) -> ApiTimes:
    """Measures the API at `url`, which serves `corpus/` from the process `pid`."""
    questions = [case.question for case in load_set(BRIEFS).cases if not case.history]
    warm_up, *rest = questions
    alone = rest[: QUICK_ALONE if is_quick else ALONE]
    together = rest[ALONE : ALONE + AT_ONCE]
    assert len(together) == AT_ONCE
    asyncio.run(ask_all(url, [warm_up], 1))
    started = time.perf_counter()
    one = asyncio.run(ask_all(url, alone, 1))
    between = time.perf_counter()
    before, _ = memory_mb(pid)
    many = asyncio.run(ask_all(url, together, AT_ONCE))
    ended = time.perf_counter()
    _, most = memory_mb(pid)
    return ApiTimes(one, many, between - started, ended - between, before, most)


if __name__ == "__main__":
    write_times(
        "eval.speed.api_speed", __doc__, lambda at, quick: measure(at.url, at.pid, is_quick=quick)
    )
