"""`dateline eval`: asks the questions of a set, says how good the answers are, and may fail for it.

Imports what it needs when it runs: the parser is built for `--help` too.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.doors.arguments import NewCommand, a_count, a_day, print_json, progress_bar
from assistant.language.marks import plain
from indexing.errors import SettingsError

if TYPE_CHECKING:
    from assistant.settings import Settings
    from eval.cases import Case, QuestionSet
    from eval.gate import Verdict
    from eval.judge import Judged
    from eval.run import Run

JUDGE_TIMEOUT_S = 60


def add_command(new_command: NewCommand) -> None:
    """Adds `dateline eval` to the commands."""
    parser = new_command("eval", _evaluate, "measure the answers to questions with known answers")
    parser.add_argument(
        "--set", type=Path, metavar="PATH",
        help="the questions: a .jsonl file, or a folder with questions.jsonl and corpus/ (default: ours over corpus/)",
    )  # fmt: skip
    parser.add_argument(
        "--corpus", type=Path, help="the articles they are about (default: the set's)"
    )
    parser.add_argument(
        "--as-is", action="store_true", help="use the index as it is, in step or not"
    )
    parser.add_argument("--split", choices=("dev", "test"), help="only these questions")
    parser.add_argument(
        "--limit", type=a_count, metavar="N", help="at most N questions, evenly spread"
    )
    parser.add_argument(
        "--as-of", type=a_day, metavar="DATE", help="ask as on this day (default: the set's)"
    )
    parser.add_argument(
        "--max-quotes", type=a_count, metavar="N", help="quote N sentences at most (default 3)"
    )
    parser.add_argument(
        "--engine", metavar="quotes|MODEL",
        help="what answers: quotes (the default, whatever DATELINE_ENGINE says), or a chat model as provider:model[@URL]",
    )  # fmt: skip
    _add_gate(parser.add_argument_group("the gate"))
    _add_judge(parser.add_argument_group("a model as judge (advisory)"))
    _add_output(parser.add_argument_group("what is printed and written"))
    _add_adding(parser.add_subparsers(dest="action", metavar="add", title="adding cases"))


def _add_gate(gate: Any) -> None:
    gate.add_argument(
        "--gate", action="store_true", help="exit with 1 if answers got worse than the baseline's"
    )
    gate.add_argument(
        "--baseline", type=Path, metavar="DIR", help="where the baselines of the set are kept"
    )
    gate.add_argument(
        "--update-baseline",
        action="store_true",
        help="keep this run as the baseline, and say what differs",
    )
    gate.add_argument(
        "--floor", action="append", default=[], metavar="METRIC=X", type=_floor,
        help="the least a metric's mean may be, 0 to 1 (the most, where less is better)",
    )  # fmt: skip


def _add_judge(judged: Any) -> None:
    judged.add_argument(
        "--judge", metavar="PROVIDER:MODEL", help="let a chat model judge the answers as well"
    )
    judged.add_argument(
        "--judge-url",
        metavar="URL",
        help="the address of its server, such as http://127.0.0.1:8080/v1",
    )
    judged.add_argument(
        "--judge-timeout",
        type=a_count,
        default=JUDGE_TIMEOUT_S,
        metavar="S",
        help="seconds a judgement may take (default 60)",
    )


def _add_output(shown: Any) -> None:
    shown.add_argument("--json", action="store_true", help="print all of it as JSON")
    shown.add_argument("--wrong", action="store_true", help="print every wrong answer")
    shown.add_argument("--sample", type=a_count, metavar="N", help="print N answers at random")
    shown.add_argument("--seed", type=int, default=0, help="of the sample")
    shown.add_argument("--html", type=Path, metavar="FILE", help="write a page with plots")
    shown.add_argument(
        "--dataset", type=Path, metavar="FILE", help="write Ragas' EvaluationDataset, a .jsonl"
    )
    shown.add_argument("--junit", type=Path, metavar="FILE", help="write JUnit XML")


def _add_adding(actions: Any) -> None:
    says = "add a question to a set, its gold found in the corpus; or candidates from answers"
    add = actions.add_parser("add", help=says, description=says)
    add.set_defaults(run=_add)
    add.add_argument("question", nargs="?", help="the question")
    add.add_argument(
        "--set",
        type=Path,
        required=True,
        metavar="FILE",
        dest="target",
        help="the .jsonl file, begun where there is none",
    )
    add.add_argument("--corpus", type=Path, help="the articles (default: the set's, or corpus)")
    _add_gold(add)
    add.add_argument(
        "--after",
        nargs=2,
        action="append",
        default=[],
        metavar=("QUESTION", "ANSWER"),
        help="an earlier turn of the conversation; may be given again",
    )
    add.add_argument("--type", default="all", help="the kind of question, for the report")
    add.add_argument(
        "--split",
        choices=("dev", "test"),
        default="dev",
        help="tuned on, or reported (default dev)",
    )
    add.add_argument(
        "--id",
        help="its name in the set (default: the next number); that of a candidate gives it its answer",
    )
    add.add_argument(
        "--from",
        dest="answers",
        type=Path,
        metavar="FILE",
        help="answers as dateline ask --json or dateline feedback --json prints them: each becomes a candidate",
    )


def _add_gold(add: argparse.ArgumentParser) -> None:
    """What is right, and where it stands."""
    add.add_argument(
        "--quote",
        action="append",
        default=[],
        metavar="TEXT",
        help="words of an article that state the answer; may be given again",
    )
    add.add_argument(
        "--in",
        dest="source",
        metavar="SOURCE",
        help="the article the quotes are in, where several have the words",
    )
    add.add_argument(
        "--fact",
        action="append",
        default=[],
        metavar="A|B",
        help="wordings of a fact the answer must hold, any of which will do; may be given again",
    )
    add.add_argument(
        "--never",
        action="append",
        default=[],
        metavar="TEXT",
        help="what the answer must not say; may be given again",
    )
    add.add_argument(
        "--calendar-date",
        metavar="DATE",
        help="the calendar date the answer must give: 2026-03-06, 2026-03 or 2026",
    )
    add.add_argument("--reference", default="", metavar="TEXT", help="a right answer in words")
    add.add_argument(
        "--unanswerable", metavar="REASON", help="the corpus does not answer, for this reason"
    )


def _floor(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not like factual_accuracy=0.9") from None


def _evaluate(arguments: argparse.Namespace) -> int:
    if (arguments.split or arguments.limit) and arguments.update_baseline:
        raise SettingsError("a baseline is of the whole set: leave out --split and --limit")
    for target in (arguments.html, arguments.junit, arguments.dataset):
        if target:
            _check_target(target)
    asked, settings = _asked(arguments)
    from eval.gate import baselines_of, judge_run, load_baselines
    from eval.reporting import report

    kept_in = arguments.baseline or baselines_of(asked)
    # A floor is held whether the gate is asked for or not; a baseline that is replaced is compared
    # with first, to say what changes.
    is_gated = arguments.gate or arguments.update_baseline or arguments.floor
    baselines = load_baselines(kept_in) if is_gated else []
    run = _run(asked, settings, arguments)
    judged = _judged(run, settings, arguments)
    verdict = None
    if is_gated:
        needed = arguments.gate and not arguments.update_baseline
        verdict = judge_run(run, baselines, dict(arguments.floor), needs_baseline=needed)
    if arguments.json:
        print_json(report.as_json(run, verdict, judged))
    else:
        print(report.as_text(run, verdict, judged, wrong=arguments.wrong))
        if arguments.sample:
            print(f"\n{report.sample_as_text(run, arguments.sample, arguments.seed)}")
        if asked.candidates:
            waiting = report.counted(len(asked.candidates), "candidate")
            print(
                f"\nto be given an answer in {asked.path}: {waiting}; see: dateline eval add --help"
            )
    _write_files(run, verdict, judged, arguments)
    if arguments.update_baseline and verdict:
        return _keep(run, verdict, kept_in)
    return 1 if verdict and not verdict.passed else 0


def _write_files(
    run: Run, verdict: Verdict | None, judged: Judged | None, arguments: argparse.Namespace
) -> None:
    if arguments.html:
        from eval.reporting.page import as_html

        _write(arguments.html, as_html(run, verdict, judged))
    if arguments.junit:
        from eval.reporting.report import as_junit

        _write(arguments.junit, as_junit(run, verdict))
    if arguments.dataset:
        from eval.jsonl import write
        from eval.metrics import dataset

        write(arguments.dataset, dataset(run.replies).to_list())


def _keep(run: Run, verdict: Verdict, folder: Path) -> int:
    """Keeps a run as the baseline, but none that no comparison could excuse."""
    from eval.gate import keep

    broken = [check.name for check in verdict.failures if not check.compares]
    if broken:
        print(f"not kept as the baseline: {', '.join(broken)}", file=sys.stderr)
        return 1
    print(f"kept as the baseline: {keep(folder, run)}", file=sys.stderr)
    return 0


def _asked(arguments: argparse.Namespace) -> tuple[QuestionSet, Settings]:
    try:
        import ragas  # noqa: F401
    except ImportError as exc:
        raise SettingsError(
            f"dateline eval needs packages that are not installed ({exc}); run: make install-dev,"
            " or pip install -c constraints.txt -e '.[eval]'"
        ) from exc
    from eval.cases import BRIEFS, load_set
    from eval.gate import check_floors
    from eval.run import default_index

    asked = load_set(arguments.set or BRIEFS, arguments.corpus)
    check_floors({**asked.floors, **dict(arguments.floor)})
    if arguments.as_of:
        asked = replace(asked, as_of=arguments.as_of)
    from assistant.settings import QUOTES, Settings
    from indexing.settings import environment

    engine = arguments.engine or QUOTES
    settings = Settings.from_env(environment(), engine=engine, corpus=asked.corpus)
    index = arguments.index or default_index(asked, settings)
    return asked, replace(settings, index=index)


def _run(asked: QuestionSet, settings: Settings, arguments: argparse.Namespace) -> Run:
    from eval.run import run_set

    with progress_bar() as progress:
        return run_set(
            asked,
            settings,
            as_is=arguments.as_is,
            split=arguments.split,
            limit=arguments.limit,
            max_quotes=arguments.max_quotes,
            progress=progress,
        )


def _judged(run: Run, settings: Settings, arguments: argparse.Namespace) -> Judged | None:
    if not arguments.judge:
        return None
    from eval.judge import judge
    from indexing.embed import open_embedder

    with progress_bar() as progress:
        return judge(
            run.replies,
            arguments.judge,
            url=arguments.judge_url,
            timeout_s=float(arguments.judge_timeout),
            embedder=open_embedder(settings.embedder, settings.threads),
            progress=progress,
        )


def _check_target(path: Path) -> None:
    """Raises SettingsError for a file that could not be written once the questions are asked."""
    existing = next(p for p in (path, *path.absolute().parents) if p.exists())
    is_wrong = path.is_dir() or (existing != path and not existing.is_dir())
    if is_wrong or not os.access(existing, os.W_OK):
        raise SettingsError(f"{path} cannot be written; give another file")


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="\n")
    except OSError as exc:
        raise SettingsError(f"{path} cannot be written: {exc}") from exc


# Adding cases


def _add(arguments: argparse.Namespace) -> int:
    from eval.cases import add_case, load_set

    target: Path = arguments.target
    whole = load_set(target) if target.exists() else None
    known = (*whole.cases, *whole.candidates) if whole else ()
    corpus = arguments.corpus or (whole.corpus if whole and whole.corpus.is_dir() else None)
    from assistant.settings import Settings
    from indexing.settings import environment

    corpus = corpus or Settings.from_env(environment()).corpus
    if arguments.answers and (arguments.question or arguments.quote):
        raise SettingsError("give a question with its quotes, or --from FILE, and not both")
    if arguments.answers:
        cases = _candidates(arguments.answers, known)
    else:
        cases = [_written(arguments, known, corpus)]
    for case in cases:
        add_case(target, case, corpus, date.today())
        print(f"{target}: {case.id} ({case.split}) {plain(case.question)}")
    return 0


def _written(arguments: argparse.Namespace, known: Sequence[Case], corpus: Path) -> Case:
    """The case that the arguments describe; a candidate of that id lends its question and history."""
    from eval.cases import Case, located, texts_of

    candidate = next((c for c in known if c.id == arguments.id), None)
    question = arguments.question or (candidate.question if candidate else None)
    if not question:
        raise SettingsError("give a question, or the --id of a candidate, or --from FILE")
    answerable = arguments.unanswerable is None
    if answerable != bool(arguments.quote):
        raise SettingsError(
            "give what states the answer with --quote, or why nothing does with --unanswerable"
        )
    texts = texts_of(corpus) if answerable else {}
    return Case(
        id=arguments.id or _next_id(known),
        question=question,
        answerable=answerable,
        type=arguments.type,
        split=arguments.split,
        history=tuple((q, a) for q, a in arguments.after)
        or (candidate.history if candidate else ()),
        facts=tuple(tuple(w.strip() for w in fact.split("|")) for fact in arguments.fact),
        never=tuple(arguments.never),
        calendar_date=arguments.calendar_date,
        evidence=tuple(located(quote, texts, arguments.source) for quote in arguments.quote),
        reference=arguments.reference,
        reason=arguments.unanswerable or "",
    )


def _candidates(answers: Path, known: Sequence[Case]) -> list[Case]:
    """A candidate for every answer in the file; one whose question is in the set is left out, and a
    line that is no answer is told and passed over."""
    from eval import jsonl
    from eval.cases import CANDIDATE, Case, read_turns

    asked = {(c.question, c.history) for c in known}
    found: list[Case] = []
    for number, answer in jsonl.read(answers):
        where = f"{answers}, line {number}"
        question = answer.get("question")
        try:
            history = read_turns(answer, where)
        except SettingsError as exc:
            print(f"left out: {exc}", file=sys.stderr)
            continue
        if not isinstance(question, str) or not question.strip():
            print(f"left out: {where}: no answer with a question", file=sys.stderr)
            continue
        if (question, history) in asked:
            continue
        asked.add((question, history))
        case = Case(
            id=_next_id([*known, *found]),
            question=question,
            answerable=True,
            type="candidate",
            split=CANDIDATE,
            history=history,
            note=f"was answered: {answer.get('answer', '')}",
        )
        found.append(case)
    return found


def _next_id(known: Sequence[Case]) -> str:
    taken = {case.id for case in known}
    return next(name for n in range(1, 10**6) if (name := f"c{n:03}") not in taken)
