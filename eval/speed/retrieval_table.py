"""Retrieval quality on public benchmarks, beside the pipelines a user would otherwise build.

The benchmarks, their scorer and the plain LangChain + Chroma pipeline are outside this repository,
in a folder that `--shared` names; the metrics are defined in its `score_retrieval.py`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexing.errors import DatelineError

ROOT = Path(__file__).parents[2]
SCORER = "score_retrieval.py"
BASELINE = "baseline_langchain.py"
BASELINE_RUNS = {"dense": "tutorial", "hybrid": "RRF hybrid"}
"""Runs that the baseline script writes, and what they are called here."""
METRICS = ("span_hit@4", "doc_all@10", "doc_hit@1", "both_sides@4", "chars@4")
"""`both_sides@4` is there for sets of contradicting sources only."""
K = 10

Say = Callable[[str], None]


class BenchFailed(DatelineError):
    """A measurement could not be made."""


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over questions, or of their paired differences, with its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric on one set. `others` and `ours_minus` are keyed by a pipeline's name."""

    set_name: str
    metric: str
    questions: int
    ours: Mean
    others: Mapping[str, Mean]
    ours_minus: Mapping[str, Mean]


def environment() -> dict[str, str]:
    """What every process of a benchmark is started with: this checkout, no network, no telemetry.

    Byte-code caches are on, as in an ordinary installation: without them each start would compile
    torch's sources anew.
    """
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {
        **{k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"},
        "PYTHONPATH": path,
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "ANONYMIZED_TELEMETRY": "False",
        "LANGSMITH_TRACING": "false",
        "TOKENIZERS_PARALLELISM": "false",
    }


def dateline(*arguments: str | Path) -> list[str]:
    """The command line that runs `dateline` with these arguments."""
    return [sys.executable, "-m", "assistant.doors.cli", *map(str, arguments)]


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lines of aligned columns: the first to the left, the others to the right."""
    lines = [list(header), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def sets_in(shared: Path) -> list[str]:
    """The names of the benchmark sets in `shared`: folders with a corpus and questions."""
    if not shared.is_dir():
        return []
    return sorted(
        folder.name
        for folder in shared.iterdir()
        if (folder / "corpus").is_dir() and (folder / "questions.jsonl").is_file()
    )


def read_questions(file: Path) -> list[dict[str, Any]]:
    try:
        lines = file.read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines if line.strip()]
    except (OSError, ValueError) as exc:
        raise BenchFailed(f"the questions in {file} cannot be read: {exc}") from exc


def missing_packages(names: Sequence[str]) -> list[str]:
    return [name for name in names if importlib.util.find_spec(name) is None]


def require(packages: Sequence[str]) -> None:
    """Raises BenchFailed, saying what to do, when one of the packages is not installed."""
    missing = missing_packages(packages)
    if missing:
        raise BenchFailed(
            f"the pipeline to compare with needs {', '.join(missing)}, not installed here;"
            " run pip install -c constraints.txt -e '.[bench]'"
        )


def measure(shared: Path, names: Sequence[str], out: Path, say: Say) -> list[Figure]:
    """The metrics of each named set: ours, and the other pipelines', over the same questions.

    What takes minutes is kept under `out`: the other pipelines' runs until corpus, questions or
    script change, our index until the code in `indexing/` changes. Raises BenchFailed.
    """
    require(("bm25s", "langchain_chroma", "langchain_community", "langchain_huggingface"))
    scorer = _load(shared / SCORER)
    figures: list[Figure] = []
    for name in names:
        folder = out / "retrieval" / name
        folder.mkdir(parents=True, exist_ok=True)
        others = _run_others(shared / name, shared / BASELINE, folder / "baseline", say)
        ours = _run_ours(shared / name, folder, say)
        questions = read_questions(shared / name / "questions.jsonl")
        figures += score(scorer, name, questions, ours, others)
    return figures


def score(
    scorer: Any,
    name: str,
    questions: Sequence[Mapping[str, Any]],
    ours: Sequence[Mapping[str, Any]],
    others: Mapping[str, Sequence[Mapping[str, Any]]],
) -> list[Figure]:
    """One figure for each metric that the set has; `ours` and `others` are ranked passages."""
    per_question, _ = scorer.evaluate(questions, ours)
    if not per_question:
        return []
    mine = scorer.summary(per_question)
    theirs: dict[str, Any] = {}
    differences: dict[str, Any] = {}
    for other, run in others.items():
        base, _ = scorer.evaluate(questions, run)
        theirs[other] = scorer.summary(base)
        differences[other] = scorer.paired(per_question, base)
    return [
        Figure(
            name,
            metric,
            int(mine[metric]["n"]),
            _mean(mine[metric], "mean"),
            {other: _mean(theirs[other][metric], "mean") for other in others},
            {
                other: _mean(differences[other][metric], "diff")
                for other in others
                if metric in differences[other]
            },
        )
        for metric in METRICS
        if metric in mine
    ]


def _mean(found: Mapping[str, float], value: str) -> Mean:
    return Mean(found[value], found["lo"], found["hi"])


def mark(difference: Mean) -> str:
    """▲ where ours is clearly above, ▼ where clearly below: the interval leaves zero out."""
    return "▲" if difference.low > 0 else "▼" if difference.high < 0 else " "


def shown(figures: Sequence[Figure]) -> str:
    """The figures as one table, shares times 100, and a line that sums it up."""
    names = list(BASELINE_RUNS.values())
    header = ["set", "metric", "n", "ours [95%]"]
    for name in names:
        header += [name, "ours minus it [95%]"]
    rows: list[list[str]] = []
    last = ""
    for figure in figures:
        name = figure.set_name if figure.set_name != last else ""
        last = figure.set_name
        row = [name, figure.metric, str(figure.questions), _with_interval(figure.ours, figure)]
        for other in names:
            difference = figure.ours_minus.get(other)
            row.append(_number(figure.others[other].value, figure) if difference else "-")
            row.append(
                f"{_with_interval(difference, figure, '+')} {mark(difference)}"
                if difference
                else "-  "
            )
        rows.append(row)
    legend = (
        "▲ ours is clearly above, ▼ clearly below: the 95% interval of the paired difference"
        " leaves zero out.\nchars@4 is the mean number of characters handed over: fewer is cheaper."
    )
    return "\n".join([table(header, rows), "", legend, *(_tally(figures, n) for n in names)])


def _tally(figures: Sequence[Figure], other: str) -> str:
    marks = [
        mark(figure.ours_minus[other])
        for figure in figures
        if other in figure.ours_minus and figure.metric != "chars@4"
    ]
    return (
        f"Against the {other}: of {len(marks)} figures (chars@4 aside) clearly above in"
        f" {marks.count('▲')}, clearly below in {marks.count('▼')}."
    )


def _number(value: float, figure: Figure, sign: str = "") -> str:
    if figure.metric.startswith("chars"):
        return f"{value:{sign}.0f}"
    return f"{100 * value:{sign}.1f}"


def _with_interval(mean: Mean, figure: Figure, sign: str = "") -> str:
    value, low, high = (_number(v, figure, sign) for v in (mean.value, mean.low, mean.high))
    return f"{value} [{low}, {high}]"


def _load(script: Path) -> Any:
    """The scorer as a module. It is somebody else's, and is loaded from where it lies."""
    spec = importlib.util.spec_from_file_location("score_retrieval", script)
    if spec is None or spec.loader is None or not script.is_file():
        raise BenchFailed(f"there is no scorer {script}; --shared names the folder that has one")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _run_ours(benchmark: Path, folder: Path, say: Say) -> list[dict[str, Any]]:
    """`dateline index` and `dateline search --batch`, as a user would run them."""
    index = folder / f"index-{_digest(_files(ROOT / 'indexing'))[:12]}"
    for old in folder.glob("index-*"):
        if old != index:
            shutil.rmtree(old, ignore_errors=True)
    questions = benchmark / "questions.jsonl"
    indexing = f"{benchmark.name}: dateline index"
    say(indexing)
    _finish(indexing, dateline("index", benchmark / "corpus", "--index", index, "--json"), folder)
    searching = f"{benchmark.name}: dateline search"
    say(searching)
    search = dateline("search", "--batch", questions, "--k", str(K), "--index", index, "--json")
    lines = _finish(searching, search, folder)
    run = [json.loads(line) for line in lines.splitlines()]
    failed = [line for line in run if "error" in line]
    if failed:
        say(f"{benchmark.name}: {len(failed)} questions failed, such as: {failed[0]['error']}")
    for line in run:
        for passage in line.get("retrieved", ()):
            del passage["text"]  # the scorer needs the offsets only, and the texts are not ours
    kept = "".join(json.dumps(line) + "\n" for line in run)
    (folder / "ours.jsonl").write_text(kept, "utf-8")
    return run


def _run_others(
    benchmark: Path, script: Path, folder: Path, say: Say
) -> dict[str, list[dict[str, Any]]]:
    if not script.is_file():
        raise BenchFailed(f"there is no {script}; --shared names the folder that has it")
    made_from = _digest([script, benchmark / "questions.jsonl", *_files(benchmark / "corpus")])
    receipt = folder / "made_from.txt"
    if not receipt.is_file() or receipt.read_text("utf-8") != made_from:
        what = f"{benchmark.name}: the tutorial and the hybrid"
        say(f"{what} (some minutes; kept in {folder})")
        folder.mkdir(parents=True, exist_ok=True)
        receipt.unlink(missing_ok=True)
        command = [sys.executable, script, benchmark, "--out", folder, "--k", K]
        _finish(what, list(map(str, command)), folder)
        receipt.write_text(made_from, "utf-8")
    return {
        called: read_questions(folder / f"{run}.jsonl") for run, called in BASELINE_RUNS.items()
    }


def _finish(what: str, command: Sequence[str], folder: Path) -> str:
    """Runs the command in `folder`, where no `.env` is; returns what it printed."""
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, encoding="utf-8"
    )
    if done.returncode:
        raise failure(what, done.returncode, done.stderr)
    return done.stdout


def failure(what: str, code: int, stderr: str) -> BenchFailed:
    """What to raise when the process that was doing `what` ended with `code`."""
    last = "\n".join(stderr.strip().splitlines()[-5:])
    return BenchFailed(f"{what} failed (exit code {code}); its last words:\n{last}")


def _files(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    )


def _digest(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        digest.update(f"{file.name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()
