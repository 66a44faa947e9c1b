"""Asks the questions of a set and keeps what came of each: `run_set`."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from assistant.answering.models.call import LONGEST_REPLY
from assistant.answering.models.names import ModelName
from assistant.doors.show.json import citation_to_json
from assistant.service import QUOTED, Assistant, open_assistant
from assistant.settings import QUOTES, Settings
from eval.cases import (
    BadSet,
    Case,
    QuestionSet,
    check_spans,
    chosen,
    fingerprints,
    texts_of,
)
from eval.metrics import Reply, Scorer, Scores, what_is_wrong
from eval.model_use import Work, work_of
from indexing.embed import open_embedder
from indexing.errors import CorpusError, DatelineError, IndexBusy
from indexing.schema import Passage
from indexing.store.catalog import Catalog
from indexing.store.tables import read_meta
from indexing.store.view import View
from indexing.sync import sync

FORMAT = 1
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Key:
    """What must be alike for two runs to be compared question by question without a second thought.

    `corpus` has a hash for every article; `settings` what the index and the answers depend on.
    """

    set: str
    corpus: Mapping[str, str]
    settings: Mapping[str, str]

    @property
    def engine(self) -> str:
        """What answered: `quotes`, or a chat model as provider:model."""
        return self.settings.get("engine", QUOTES)

    @property
    def digest(self) -> str:
        """A short name that differs whenever any of it does."""
        text = json.dumps([self.set, dict(self.corpus), dict(self.settings)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def differences(self, other: Key) -> list[str]:
        """In words, what of `other` is not so here."""
        said = [f"the set is {self.set}, was {other.set}"] if self.set != other.set else []
        said += [
            f"{name} is {self.settings.get(name, 'not set')}, was {other.settings.get(name, 'not set')}"
            for name in sorted({*self.settings, *other.settings})
            if self.settings.get(name) != other.settings.get(name)
        ]
        for what, sources in (
            ("added", set(self.corpus) - set(other.corpus)),
            ("removed", set(other.corpus) - set(self.corpus)),
            (
                "changed",
                {s for s in self.corpus if other.corpus.get(s, self.corpus[s]) != self.corpus[s]},
            ),
        ):
            if sources:
                said.append(f"corpus: {_named(sorted(sources))} {what}")
        return said


def _named(sources: Sequence[str], most: int = 3) -> str:
    more = f" and {len(sources) - most} more" if len(sources) > most else ""
    return ", ".join(sources[:most]) + more


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one question; all of it can be written as JSON. `gold` differs where what is
    right differs; `model` is what a chat model did, None where none was asked to write the answer."""

    id: str
    type: str
    split: str
    form: str
    question: str
    history: tuple[tuple[str, str], ...]
    answerable: bool
    expected: str
    gold: str
    status: str
    answer: str
    confidence: float
    citations: tuple[Mapping[str, Any], ...]
    scores: Scores
    wrong: tuple[str, ...]
    ms: float
    model: Work | None = None

    @property
    def is_right(self) -> bool:
        return self.scores["right"] == 1


@dataclass(frozen=True, slots=True)
class Run:
    """A set as it was answered. `stale` names what of the corpus the index does not hold as it is;
    `is_part`: only some of the set's questions were asked."""

    name: str
    version: int
    as_of: date
    key: Key
    results: tuple[Result, ...]
    replies: tuple[Reply, ...] = ()
    stale: tuple[str, ...] = ()
    floors: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    is_part: bool = False


def run_set(
    asked: QuestionSet,
    settings: Settings,
    *,
    as_is: bool = False,
    split: str | None = None,
    limit: int | None = None,
    max_quotes: int | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Run:
    """Brings the index at `settings.index` in step with the set's corpus and asks the questions.

    `as_is` leaves the index as it was built: what of the corpus it lacks is then told, not mended.
    `split` and `limit` choose some of the questions; `limit` takes them from the whole length of
    the set. An answer quotes `max_quotes` sentences at most, QUOTED where None. A question that fails is kept as wrong, with the reason.
    Raises BadSet, CorpusError, SettingsError, StoreError.
    """
    started = time.perf_counter()
    cases = chosen(asked.cases, split, limit)
    settings = replace(settings, corpus=asked.corpus)
    texts = texts_of(asked.corpus)
    if not texts:
        raise CorpusError(f"{asked.corpus} holds no article that can be read")
    check_spans(cases, texts)
    if not as_is:
        sync(asked.corpus, settings, progress=progress)
    day, most = asked.as_of or date.today(), max_quotes or QUOTED
    replies, stale = _replies(cases, texts, settings, day, most, progress)
    progress("measuring", 0, 1)
    scorer = Scorer(open_embedder(settings.embedder, settings.threads), most)
    return Run(
        name=asked.name,
        version=asked.version,
        as_of=day,
        key=Key(asked.name, fingerprints(texts), _settings(settings, day, most)),
        results=tuple(map(_result, replies, scorer.scores(replies))),
        replies=tuple(replies),
        stale=tuple(stale),
        floors=asked.floors,
        seconds=round(time.perf_counter() - started, 1),
        is_part=len(cases) < len(asked.cases),
    )


def _replies(
    cases: Sequence[Case],
    texts: Mapping[str, str],
    settings: Settings,
    day: date,
    most: int,
    progress: Progress,
) -> tuple[list[Reply], list[str]]:
    """The replies to the cases, and what of the corpus the index does not hold as it is."""
    catalog = Catalog(settings.index)
    assistant = open_assistant(settings)
    try:
        with catalog.view() as view:
            stale, generation = _stale(view, texts), view.generation
            replies = []
            for done, case in enumerate(cases):
                progress("asking", done, len(cases))
                replies.append(_reply(assistant, view, case, texts, day, most))
        with catalog.view() as view:
            if view.generation != generation:
                raise IndexBusy(
                    f"the index {settings.index} was changed while it was asked, so the figures"
                    " would be of two; run it again"
                )
    finally:
        assistant.close()
        catalog.close()
    return replies, stale


def _settings(settings: Settings, as_of: date, most: int) -> dict[str, str]:
    meta = read_meta(settings.index)
    said = {
        "embedder": meta["embedder"],
        "text processing": meta["processing"].partition("/")[0],
        "passage_chars": meta["processing"].rpartition("/")[2],
        "reranker": settings.reranker,
        "engine": QUOTES,
        "max_quotes": str(most),
        "as_of": as_of.isoformat(),
    }
    if settings.engine == QUOTES:
        return said
    # Without its URL, which may hold a password, and is not what an answer depends on.
    model = {"engine": str(ModelName.parse(settings.engine))}
    asked_of_it = {
        "model_tokens": str(LONGEST_REPLY),
        "model_helps": ",".join(sorted(settings.helps)),
        "entailment": settings.entailment,
    }
    return said | model | asked_of_it


def _stale(view: View, texts: Mapping[str, str]) -> list[str]:
    indexed = {info.source: view.text_of(info.source) for info in view.sources()}
    return sorted(s for s in {*indexed, *texts} if indexed.get(s) != texts.get(s))


def _reply(
    assistant: Assistant,
    view: View,
    case: Case,
    texts: Mapping[str, str],
    as_of: date,
    most: int,
) -> Reply:
    gold = _passages(view, case)
    started = time.perf_counter()
    try:
        answer = assistant.ask(case.question, case.history, as_of=as_of, max_quotes=most)
    except Exception as exc:  # noqa: BLE001 - one question must not stop the others
        said = str(exc) if isinstance(exc, DatelineError) else f"{type(exc).__name__}: {exc}"
        return Reply(case, None, texts, gold, error=said)
    return Reply(case, answer, texts, gold, round((time.perf_counter() - started) * 1000, 1))


def _passages(view: View, case: Case) -> tuple[Passage, ...]:
    """The passages of the index that overlap a gold span."""
    return tuple(
        stored.passage
        for source in case.sources
        for stored in view.passages_of(source)
        if any(
            span.overlaps(source, stored.passage.start, stored.passage.end)
            for span in case.evidence
        )
    )


def _result(reply: Reply, scores: Scores) -> Result:
    case, answer = reply.case, reply.answer
    expected = case.reference or " / ".join(" | ".join(fact) for fact in case.facts)
    return Result(
        id=case.id,
        type=case.type,
        split=case.split,
        form=case.form,
        question=case.question,
        history=case.history,
        answerable=case.answerable,
        expected=expected if case.answerable else f"No answer. {case.reason}".strip(),
        gold=_gold(case),
        status=str(answer.status) if answer else "failed",
        answer=answer.text if answer else reply.error,
        confidence=answer.confidence if answer else 0.0,
        citations=tuple(citation_to_json(c) for c in reply.citations),
        scores=scores,
        wrong=tuple(what_is_wrong(reply, scores)),
        ms=reply.ms,
        model=work_of(answer) if answer else None,
    )


def _gold(case: Case) -> str:
    """A short hash of what makes an answer right."""
    parts = [case.answerable, case.facts, case.never, case.other_side, case.calendar_date]
    parts.append([(s.file, s.text or (s.start, s.end)) for s in case.evidence])
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def run_to_lines(run: Run) -> list[dict[str, Any]]:
    """A run as it is kept: what it is a run of, then a line for each result.

    Without times, citations and what a model did, which are not compared: two runs that answer alike
    are kept alike.
    """
    head = {
        "format": FORMAT,
        "set": run.name,
        "version": run.version,
        "as_of": run.as_of.isoformat(),
        "corpus": dict(run.key.corpus),
        "settings": dict(run.key.settings),
    }
    rows = [asdict(replace(r, citations=(), ms=0.0)) for r in run.results]
    for row in rows:
        del row["model"]
    return [head, *rows]


def run_from_lines(lines: Sequence[Mapping[str, Any]]) -> Run:
    """Raises BadSet for what `run_to_lines` of this version did not write."""
    try:
        head, *rows = lines
        if head["format"] != FORMAT:
            raise BadSet(f"it has format {head['format']}, this program reads {FORMAT}")
        name, version, day = head["set"], int(head["version"]), date.fromisoformat(head["as_of"])
        key = Key(name, _words_by_name(head["corpus"]), _words_by_name(head["settings"]))
        return Run(name, version, day, key, tuple(map(_kept_result, rows)))
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise BadSet(f"it is not a run of dateline eval ({type(exc).__name__}: {exc})") from exc


def _kept_result(row: Mapping[str, Any]) -> Result:
    read = Result(
        **{
            **row,
            "history": tuple((str(q), str(a)) for q, a in row["history"]),
            "citations": tuple(row["citations"]),
            "scores": {str(name): float(value) for name, value in row["scores"].items()},
            "wrong": tuple(map(str, row["wrong"])),
        }
    )
    for name in ("id", "type", "split", "question", "expected", "gold", "status", "answer"):
        if not isinstance(getattr(read, name), str):
            raise TypeError(f"{name!r} is not words")
    if "right" not in read.scores or not math.isfinite(float(read.confidence)):
        raise ValueError("a result without its verdict or confidence")
    return read


def _words_by_name(found: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in found.items()}


def default_index(asked: QuestionSet, settings: Settings) -> Path:
    """Where a set's own index is kept, apart from the one that people ask and from that of another
    set of its name."""
    where = hashlib.sha256(str(asked.corpus.resolve()).encode()).hexdigest()[:8]
    return settings.index / "eval" / f"{asked.name}-{where}"
