"""Question sets as tests: `pytest --dateline-eval [--dateline-set PATH]`, or the fixture `dateline_eval`.

Each question is a test. Beside a baseline, one that was wrong there is an expected failure, and the
gate is a test of its own; without one every wrong answer fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from eval.gate import Verdict
    from eval.run import Result, Run
    from eval.stats import Estimate


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("dateline", "questions with known answers")
    group.addoption(
        "--dateline-eval", action="store_true", help="ask the questions of a set, a test each"
    )
    group.addoption(
        "--dateline-set",
        metavar="PATH",
        help="the set: a .jsonl file, or a folder with questions.jsonl (default: Dateline's own)",
    )
    group.addoption("--dateline-corpus", metavar="DIR", help="the articles (default: the set's)")
    group.addoption("--dateline-index", metavar="DIR", help="where the index is kept between runs")


@dataclass(frozen=True)
class Evaluation:
    """A set as it was answered; `verdict` is None where there is nothing to hold it against."""

    run: Run
    verdict: Verdict | None

    @cached_property
    def figures(self) -> Mapping[str, Estimate]:
        """Every metric's mean, with its interval."""
        from eval.gate import overall

        return overall(self.run.results)

    def assert_passed(self) -> None:
        """Fails with what the gate found wrong, and where there is nothing to hold the run against."""
        if self.verdict is None:
            raise AssertionError("the set has neither a baseline nor floors to be held against")
        if not self.verdict.passed:
            raise AssertionError("\n".join(f"{c.name}: {c.says}" for c in self.verdict.failures))


def _evaluate(
    path: Path,
    index: Path,
    corpus: Path | None = None,
    baseline: Path | None = None,
    floors: Mapping[str, float] | None = None,
) -> Evaluation:
    from assistant.settings import QUOTES, Settings
    from eval.cases import load_set
    from eval.gate import baselines_of, judge_run, load_baselines
    from eval.run import run_set
    from indexing.settings import environment

    asked = load_set(path, corpus)
    settings = Settings.from_env(environment(), engine=QUOTES, corpus=asked.corpus, index=index)
    run = run_set(asked, settings)
    kept = load_baselines(baseline or baselines_of(asked))
    if not (kept or run.floors or floors):
        return Evaluation(run, None)
    verdict = judge_run(run, kept, floors or {}, needs_baseline=bool(kept))
    return Evaluation(run, verdict)


@pytest.fixture(scope="session")
def dateline_eval(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Evaluation]:
    """Asks the questions of a set: `dateline_eval(path, corpus=, baseline=, floors=)` -> Evaluation.

    `baseline` is the folder it is kept in, `floors` the least each metric named may be.
    """

    def evaluate(
        path: str | Path,
        *,
        corpus: str | Path | None = None,
        baseline: str | Path | None = None,
        floors: Mapping[str, float] | None = None,
    ) -> Evaluation:
        return _evaluate(
            Path(path),
            tmp_path_factory.mktemp("dateline"),
            Path(corpus) if corpus else None,
            Path(baseline) if baseline else None,
            floors,
        )

    return evaluate


def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    if config.getoption("--dateline-eval"):
        from eval.cases import BRIEFS, BadSet, load_set

        path = Path(config.getoption("--dateline-set") or BRIEFS)
        corpus = config.getoption("--dateline-corpus")
        try:
            asked = load_set(path, Path(corpus) if corpus else None)
        except BadSet as exc:
            raise pytest.UsageError(str(exc)) from exc
        questions = _Questions.from_parent(session, name=asked.name, path=asked.path)
        questions.asked = asked
        items.extend(questions.collect())


class _Questions(pytest.File):
    """A set. It is run when the first of its tests is."""

    asked: Any

    def collect(self) -> Iterator[pytest.Item]:
        for case in self.asked.cases:
            yield _Question.from_parent(self, name=f"{case.id}: {case.question}", case=case.id)
        yield _Gate.from_parent(self, name="gate")

    @cached_property
    def _outcome(self) -> Evaluation | str:
        """The evaluation, or why there is none: made once, whichever it is."""
        from indexing.errors import DatelineError

        index = self.config.getoption("--dateline-index")
        folder = Path(index) if index else self._temporary()
        try:
            return _evaluate(self.path, folder, self.asked.corpus)
        except DatelineError as exc:
            return str(exc)

    @property
    def evaluation(self) -> Evaluation:
        if isinstance(self._outcome, str):
            raise _Wrong(self._outcome)
        return self._outcome

    def _temporary(self) -> Path:
        import tempfile

        folder = tempfile.TemporaryDirectory(prefix="dateline-")
        self.config.add_cleanup(folder.cleanup)
        return Path(folder.name)


class _Wrong(Exception):
    """A wrong answer, or a gate that fails: said in words, without a stack trace."""


class _Item(pytest.Item):
    parent: _Questions

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, _Wrong):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, self.name


class _Question(_Item):
    def __init__(self, *, case: str, **named: Any) -> None:
        super().__init__(**named)
        self._case = case

    def runtest(self) -> None:
        evaluation = self.parent.evaluation
        result = next(r for r in evaluation.run.results if r.id == self._case)
        if not result.wrong:
            return
        compared = evaluation.verdict.comparison if evaluation.verdict else None
        if compared and compared.was_wrong(result):
            pytest.xfail("; ".join(result.wrong))
        raise _Wrong(_said(result))


class _Gate(_Item):
    def runtest(self) -> None:
        if self.parent.evaluation.verdict is None:
            pytest.skip("the set has neither a baseline nor floors to be held against")
        try:
            self.parent.evaluation.assert_passed()
        except AssertionError as exc:
            raise _Wrong(str(exc)) from exc


def _said(result: Result) -> str:
    return f"{'; '.join(result.wrong)}\n\nexpected: {result.expected}\n\nsaid: {result.answer or 'nothing'}"
