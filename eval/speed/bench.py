"""Speed and retrieval beside the pipeline a user would otherwise build: `python -m eval.speed.bench`.

That pipeline is the LangChain + Chroma tutorial's: load, split by 1,000 characters with 200 of
overlap, embed with the same weights as ours, store in Chroma, `similarity_search`. Both are
measured in one run on one machine, by turns, each in a fresh process, so that memory and imports
are its own. What counts are the ratios; the figures themselves depend on the machine.

What verification costs an answer that a chat model writes has no counterpart there: it is held
against what it may cost, a sentence's verification against the time a model takes to write one.
The chat page and the HTTP API have none either: their answers to many at once are held against those
to one (see `eval.speed.chat_speed`, `eval.speed.api_speed`).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eval.speed import retrieval_table
from eval.speed.figures import (
    Allowed,
    Busy,
    Rounds,
    Row,
    against_allowed,
    alone_and_at_once,
    answer_rows,
    chat_rows,
    comparison,
    speed_rows,
    writing_rows,
)
from eval.speed.pipelines import Job, Measured
from eval.speed.retrieval_table import ROOT, Figure, dateline, environment, failure
from eval.speed.sets import GENERATED, SpeedSet, drawn_job, speed_set
from indexing.errors import DatelineError, SettingsError

QUICK_SETS = ("realtimeqa_news", "multihoprag_facts")
"""Sets measured for speed unless --sets says otherwise: one of long articles, one of short."""
ARTICLES, QUICK_ARTICLES = 200, 40
QUERIES, QUICK_QUERIES = 40, 15
MOST_ROUNDS = 3
ENOUGH_S = 45.0
"""A set is measured MOST_ROUNDS times, or until so many seconds have gone into it."""
COLD_STARTS, QUICK_COLD_STARTS = 5, 3
TUTORIAL = (
    "langchain_chroma",
    "langchain_community",
    "langchain_huggingface",
    "langchain_text_splitters",
)


@dataclass(frozen=True, slots=True)
class Finished:
    """A process that has ended well."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints; returns 0, 1 when a measurement failed, 2 for wrong arguments."""
    arguments = _parser().parse_args(argv)
    try:
        _bench(arguments)
    except SettingsError as exc:
        print(f"bench: {exc}", file=sys.stderr)
        return 2
    except DatelineError as exc:
        print(f"bench: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: stopped", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m eval.speed.bench", description=__doc__)
    parser.add_argument(
        "--shared",
        type=Path,
        metavar="DIR",
        default=ROOT.parent / "shared" / "bench",
        help="the folder of benchmark sets, scorer and baseline (default ../shared/bench)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        default=ROOT / "out" / "bench",
        help="where runs are kept and bench.json is written (default out/bench)",
    )
    parser.add_argument(
        "--sets",
        metavar="A,B",
        help=f"the sets to measure, 'all', or '{GENERATED}' for one made here (default: for speed"
        f" {' and '.join(QUICK_SETS)}, for retrieval all there are)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="one round over a small generated set; a minute or two"
    )
    for name, default, says in (
        ("--speed", True, "measure speed"),
        ("--writing", True, "measure what verification costs an answer that a chat model writes"),
        (
            "--chat",
            True,
            "measure how long readers of the chat page wait, one alone and 30 at once",
        ),
        (
            "--api",
            True,
            "measure how long programs wait for the HTTP API, one alone and 100 at once",
        ),
        ("--retrieval", None, "measure retrieval quality (default: yes, unless --quick)"),
    ):
        parser.add_argument(name, action=argparse.BooleanOptionalAction, default=default, help=says)
    return parser


def chosen_sets(
    asked: str | None, present: Sequence[str], quick: bool
) -> tuple[list[str], list[str]]:
    """The sets for speed and those for retrieval; `present` are the benchmarks at hand.

    Raises SettingsError for a name that is none of them.
    """
    if asked == "all":
        return list(present) or [GENERATED], list(present)
    if asked is not None:
        names = [name.strip() for name in asked.split(",") if name.strip()]
        unknown = [name for name in names if name not in {*present, GENERATED}]
        if unknown or not names:
            raise SettingsError(
                f"--sets: there is no set {', '.join(unknown) or 'named'};"
                f" there are: {', '.join([*present, GENERATED])}, or all"
            )
        return names, [name for name in names if name != GENERATED]
    usual = [name for name in QUICK_SETS if name in present]
    return [GENERATED] if quick or not usual else usual, list(present)


def _bench(arguments: argparse.Namespace) -> None:
    shared, out = arguments.shared.resolve(), arguments.out.resolve()
    quick = bool(arguments.quick)
    present = retrieval_table.sets_in(shared)
    for_speed, for_retrieval = chosen_sets(arguments.sets, present, quick)
    wants_retrieval = not quick if arguments.retrieval is None else bool(arguments.retrieval)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise SettingsError(f"--out {out} cannot be written: {exc}") from exc

    results: dict[str, Any] = {"machine": _machine()}
    print(" · ".join(f"{key} {value}" for key, value in results["machine"].items()), flush=True)
    if os.getloadavg()[0] > (os.cpu_count() or 1):
        print("This machine is busy with other things: of times, trust the CPU ones.", flush=True)
    if not present:
        print(f"There are no benchmark sets in {shared}; a generated one stands in.", flush=True)
    if arguments.speed:
        retrieval_table.require(TUTORIAL)
        results["speed"], results["cold start"] = _speed(for_speed, shared, quick)
    if arguments.writing:
        results["writing"] = _writing(quick)
    if arguments.chat:
        results["chat"] = _chat(quick)
    if arguments.api:
        results["api"] = _api(quick)
    if wants_retrieval and for_retrieval:
        figures = retrieval_table.measure(shared, for_retrieval, out, _say)
        print("\nRetrieval, shares x 100\n" + retrieval_table.shown(figures), flush=True)
        results["retrieval"] = _plain(figures)
    elif wants_retrieval:
        print(
            "\nRetrieval quality was not measured: it needs questions whose answers are marked in"
            " the articles, and a generated set has none. --shared names a folder of such sets."
        )
    (out / "bench.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    print(f"\nAll figures: {out / 'bench.json'}")


def _speed(names: Sequence[str], shared: Path, quick: bool) -> tuple[dict[str, Any], Any]:
    queries, rounds = (QUICK_QUERIES, 1) if quick else (QUERIES, MOST_ROUNDS)
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="dateline-bench-") as temporary:
        measured: list[tuple[SpeedSet, Path]] = []
        for name in names:
            work = Path(temporary) / name
            work.mkdir()
            of = speed_set(name, shared, work, QUICK_ARTICLES if quick else ARTICLES)
            found = measure_set(of, work, queries, rounds)
            ours, theirs = found["ours"], found["tutorial"]
            rows = speed_rows(of.characters, ours, theirs)
            print(
                f"\nSpeed on {name}: {of.articles} articles, {of.characters:,} characters;"
                f" {ours.measured[0].passages:,} passages of ours,"
                f" {theirs.measured[0].passages:,} of theirs;"
                f" rounds {len(ours.measured)}, queries of a kind"
                f" {len(ours.measured[0].search.wall_ms)} a round\n" + comparison(rows),
                flush=True,
            )
            results[name] = _plain(rows)
            measured.append((of, work))
        of, work = min(measured, key=lambda pair: pair[0].characters)
        rows = cold_rows(of, work, QUICK_COLD_STARTS if quick else COLD_STARTS)
        print(f"\nCold start on {of.name}\n" + comparison(rows), flush=True)
    print(
        "\nIndexing counts from before the imports to the index on disk. Passages differ in size:"
        " compare characters.\nOurs dates and cuts sentences besides, and checks every quote when"
        " asked; theirs ends at passages. ours/theirs below 1 is good for times and memory.",
        flush=True,
    )
    return results, _plain(rows)


def _writing(quick: bool) -> list[dict[str, Any]]:
    _say("verification of a model's sentences")
    corpus = str(ROOT / "corpus")
    times = times_of("eval.speed.writing_speed", "verification", quick, corpus)
    rows = writing_rows(times)
    print(
        f"\nVerification of what a chat model writes: {len(times['check'])} sentences checked,"
        f" {len(times['first'])} replies at a model's pace\n" + against_allowed(rows),
        flush=True,
    )
    return _plain(rows)


def _chat(quick: bool) -> list[dict[str, Any]]:
    times = server_times("eval.speed.chat_speed", "the chat page", quick)
    rows = chat_rows(times)
    print(
        f"\nThe chat page over corpus/: {len(times['alone_whole'])} questions in one conversation,"
        f" and {len(times['at_once_whole'])} in {times['conversations']} that begin at once\n"
        + alone_and_at_once(rows),
        flush=True,
    )
    return _plain(rows)


def _api(quick: bool) -> list[dict[str, Any]]:
    times = server_times("eval.speed.api_speed", "the HTTP API", quick)
    rows = answer_rows(times)
    print(
        f"\nThe HTTP API over corpus/: {len(times['alone_whole'])} questions one after the other, and"
        f" {len(times['at_once_whole'])} at once; the server held {times['memory_mb']:.0f} MB before"
        f" those, {times['most_mb']:.0f} MB at most\n" + alone_and_at_once(rows),
        flush=True,
    )
    memory = Busy("memory, MB", times["memory_mb"], times["most_mb"])
    return _plain([*rows, memory])


def _plain(
    rows: Sequence[Row] | Sequence[Figure] | Sequence[Allowed] | Sequence[Busy],
) -> list[dict[str, Any]]:
    return [asdict(row) for row in rows]


def _machine() -> dict[str, str]:
    """What the figures depend on. A load near the number of cores or above spoils them."""
    command = ["git", "describe", "--always", "--dirty"]
    try:
        commit = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()
    except OSError:  # no git here
        commit = ""
    return {
        "commit": commit or "unknown",
        "Python": sys.version.split()[0],
        "cores": str(os.cpu_count()),
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def _say(what: str) -> None:
    print(f"bench: {what}", file=sys.stderr, flush=True)


def measure_set(of: SpeedSet, work: Path, queries: int, most_rounds: int) -> dict[str, Rounds]:
    """Both pipelines by turns, changing who goes first; the last indexes stay in `work`."""
    rounds = {"ours": Rounds(), "tutorial": Rounds()}
    started = time.monotonic()
    for n in range(most_rounds):
        if n and time.monotonic() - started > ENOUGH_S:
            break
        for kind in sorted(rounds, reverse=bool(n % 2)):
            _say(f"{of.name}: round {n + 1}, {kind}")
            index = work / kind
            shutil.rmtree(index, ignore_errors=True)
            found, finished = run_worker(kind, drawn_job(of, index, queries), work)
            assert found is not None
            rounds[kind].measured.append(found)
            rounds[kind].peak_mb.append(finished.peak_mb)
    return rounds


def cold_rows(of: SpeedSet, work: Path, times: int) -> list[Row]:
    """One question to a fresh process over an index that is there: medians of `times` by turns."""
    asked = drawn_job(of, work / "tutorial", 1)
    command = dateline("ask", asked.search[0], "--index", work / "ours", "--json")
    found: dict[str, list[Finished]] = {"ours": [], "tutorial": []}
    for n in range(times + 1):  # the first of each warms the disk cache, and is not counted
        _say(f"{of.name}: cold start {n} of {times}")
        found["ours"].append(run_process("dateline ask", command, work))
        found["tutorial"].append(run_worker("the tutorial's start", asked, work)[1])

    def row(label: str, value: Callable[[Finished], float]) -> Row:
        ours, theirs = (statistics.median(map(value, found[kind][1:])) for kind in found)
        return Row(label, ours, theirs)

    return [
        row("one question, cold, wall s", lambda f: f.wall_s),
        row("one question, cold, CPU s", lambda f: f.cpu_s),
        row("one question, cold, peak memory, MB", lambda f: f.peak_mb),
    ]


def server_times(module: str, what: str, quick: bool) -> dict[str, Any]:
    """What `eval.speed.chat_speed` or `eval.speed.api_speed` measures, by the names of its fields."""
    _say(f"{what}, asked by one and by many at once")
    return times_of(module, what, quick)


def times_of(module: str, what: str, quick: bool, *arguments: str) -> dict[str, Any]:
    """What the `module` measures in a process of its own, by the names of its fields."""
    with tempfile.TemporaryDirectory(prefix="dateline-bench-") as temporary:
        out = Path(temporary) / "times.json"
        command = [sys.executable, "-m", module, *arguments, str(out)]
        run_process(f"measuring {what}", [*command, *(["--quick"] if quick else [])], ROOT)
        found: dict[str, Any] = json.loads(out.read_text("utf-8"))
        return found


def run_worker(kind: str, job: Job, folder: Path) -> tuple[Measured | None, Finished]:
    job_file, result_file = folder / "job.json", folder / "result.json"
    job_file.write_text(json.dumps(asdict(job)), "utf-8")
    start = "import sys; from eval.speed.pipelines import worker; worker(*sys.argv[1:])"
    command = [sys.executable, "-c", start, kind, str(job_file), str(result_file)]
    finished = run_process(f"measuring {kind}", command, folder)
    found = json.loads(result_file.read_text("utf-8"))
    return (Measured.from_json(found) if found else None), finished


def run_process(what: str, command: Sequence[str], folder: Path) -> Finished:
    """Runs the command in `folder` to its end; raises BenchFailed, naming `what`, when it fails.

    Linux hands a child the peak memory its parent had when it was started, so this process must
    stay small: nothing heavy is imported before the last speed is measured.
    """
    with tempfile.TemporaryFile() as printed:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=printed
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        wall_s = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            printed.seek(0)
            raise failure(what, process.returncode, printed.read().decode("utf-8", "replace"))
    unit = 1 if sys.platform == "darwin" else 1024  # bytes of ru_maxrss
    return Finished(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / 2**20)


if __name__ == "__main__":
    sys.exit(main())
