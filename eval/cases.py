"""Question sets: questions with the answers that are right, and where the corpus states them.

A set is a `.jsonl` file, or a folder with `questions.jsonl` and `corpus/`. Its first line may be a
header, `{"set": name, "version": n, "corpus": path, "as_of": date, "floors": {metric: least}}`, the
path relative to the file; every other line is a case. `eval/sets/README.md` describes the fields.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from eval import jsonl
from eval.jsonl import BadLine
from eval.wording import normal, written
from indexing.errors import SettingsError, UnreadableFile
from indexing.reading import read

BRIEFS = Path(__file__).parent / "sets" / "briefs.jsonl"
"""The project's own questions, over `corpus/`."""
CANDIDATE = "candidate"
"""The split of a case that nobody has given its right answer yet: kept with the set, never scored."""
LONGEST_ANSWER = 12
"""Words of an accepted answer of a public set that is looked for; longer ones are whole passages."""

Wordings = tuple[str, ...]
"""Ways of putting one fact, any of which will do."""


class BadSet(BadLine):
    """A question set, or one of its lines, that cannot be used as it is."""


@dataclass(frozen=True, slots=True)
class GoldSpan:
    """Characters that state the answer: `text` is `file[start:end]`, "" where the set leaves it out."""

    file: str
    start: int
    end: int
    text: str = ""

    def overlaps(self, file: str, start: int, end: int) -> bool:
        """Whether any of its characters are among those of `file` from `start` to `end`."""
        return self.file == file and start < self.end and self.start < end


@dataclass(frozen=True, slots=True)
class Case:
    """A question and what a right answer to it holds.

    `facts`: every one must be in the answer, in any of its wordings; `never`: none of these may.
    `other_side`: wordings of what a contradicting source says, to be shown as well. `calendar_date`:
    the one the answer must give, ISO 8601 in the precision known. `reference`: a right answer in
    words. `reason`: why the corpus does not answer. `note`: for whoever reads the set.
    """

    id: str
    question: str
    answerable: bool
    type: str = "all"
    split: str = "dev"
    form: str = ""
    history: tuple[tuple[str, str], ...] = ()
    facts: tuple[Wordings, ...] = ()
    never: Wordings = ()
    other_side: Wordings = ()
    calendar_date: str | None = None
    evidence: tuple[GoldSpan, ...] = ()
    reference: str = ""
    reason: str = ""
    note: str = ""

    @property
    def sources(self) -> tuple[str, ...]:
        """The files that state the answer."""
        return tuple(dict.fromkeys(span.file for span in self.evidence))


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """`cases` are those to be asked; `candidates` those that wait for their right answers.

    `as_of`: the day the questions are asked on, None for today. `floors`: the least a metric may be
    (the most, for one where less is better) in a gated run.
    """

    name: str
    version: int
    path: Path
    corpus: Path
    as_of: date | None = None
    floors: Mapping[str, float] = field(default_factory=dict)
    cases: tuple[Case, ...] = ()
    candidates: tuple[Case, ...] = ()


def load_set(path: Path, corpus: Path | None = None) -> QuestionSet:
    """The set at `path`; `corpus` stands in for the folder it names.

    Raises BadSet naming the line for one that cannot be used.
    """
    file = path / "questions.jsonl" if path.is_dir() else path
    header: dict[str, Any] = {}
    cases: list[Case] = []
    seen: set[str] = set()
    for number, row in _rows(file):
        where = f"{file}, line {number}"
        if number == 1 and "set" in row:
            header = row
            continue
        case = _case(row, where)
        if case.id in seen:
            raise BadSet(f"{where}: the id {case.id!r} stands twice")
        seen.add(case.id)
        cases.append(case)
    if not cases:
        raise BadSet(f"{file} holds no questions")
    where = f"{file}, line 1"
    return QuestionSet(
        name=_name(header, where, (path.resolve() if path.is_dir() else path.with_suffix("")).name),
        version=int(_number(header, "version", where) or 1),
        path=file,
        corpus=corpus or file.parent / (_text(header, "corpus", where) or "corpus"),
        as_of=_day(header, where),
        floors=_floors(header, where),
        cases=tuple(c for c in cases if c.split != CANDIDATE),
        candidates=tuple(c for c in cases if c.split == CANDIDATE),
    )


def _rows(file: Path) -> list[tuple[int, dict[str, Any]]]:
    if not file.is_file():
        raise BadSet(
            f"there is no question set {file}; give a .jsonl file, or a folder with questions.jsonl"
        )
    try:
        return jsonl.read(file)
    except BadLine as exc:
        raise BadSet(f"the question set {exc}") from exc


def _case(row: Mapping[str, Any], where: str) -> Case:
    answerable = row.get("answerable")
    if not isinstance(answerable, bool):
        raise BadSet(f'{where}: "answerable" must be true or false')
    question = _text(row, "question", where)
    if not question.strip():
        raise BadSet(f'{where}: no "question"')
    facts = tuple(_wordings(fact, "facts", where) for fact in _list(row, "facts", where))
    # The form of public sets: any one of `answers` is right.
    accepted = tuple(a for a in _strings(row, "answers", where) if a.split())
    short = tuple(a for a in accepted if len(a.split()) <= LONGEST_ANSWER and normal(a))
    never = _wordings(_list(row, "never", where), "never", where)
    if never and not answerable:
        raise BadSet(f'{where}: "never" of a question that must not be answered at all')
    return Case(
        id=_id(row, where),
        question=question,
        answerable=answerable,
        type=_text(row, "type", where) or "all",
        split=_text(row, "split", where) or "dev",
        form=_text(row, "form", where),
        history=read_turns(row, where),
        facts=facts or ((short,) if short else ()),
        never=never,
        other_side=_strings(row, "counterfactual_answers", where),
        calendar_date=_calendar_date(row, where),
        evidence=tuple(_span(span, where) for span in _list(row, "evidence", where)),
        reference=_text(row, "reference", where) or (accepted[0] if accepted else ""),
        reason=_text(row, "reason", where),
        note=_text(row, "note", where),
    )


def _id(row: Mapping[str, Any], where: str) -> str:
    value = row.get("id")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _text(row, "id", where) or where.rpartition(" ")[2]


def _text(row: Mapping[str, Any], name: str, where: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadSet(f'{where}: "{name}" must be words, not {_short(value)}')
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise BadSet(f'{where}: "{name}" holds half a character ({_short(value)})')
    return value


def _short(value: object) -> str:
    return repr(value)[:80]


def _list(row: Mapping[str, Any], name: str, where: str) -> list[Any]:
    value = row.get(name)
    if value is not None and not isinstance(value, list):
        raise BadSet(f'{where}: "{name}" must be a list, not {_short(value)}')
    return value or []


def _strings(row: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    return tuple(_text({name: v}, name, where) for v in _list(row, name, where))


def _wordings(values: object, name: str, where: str) -> Wordings:
    if not isinstance(values, list) or (name == "facts" and not values):
        raise BadSet(f'{where}: "{name}" must hold lists of wordings, not {_short(values)}')
    found = _strings({name: values}, name, where)
    if not all(map(normal, found)):
        raise BadSet(f'{where}: "{name}" has a wording without words')
    return found


def read_turns(row: Mapping[str, Any], where: str) -> tuple[tuple[str, str], ...]:
    """The `history` of a case or an answer, read at `where`. Raises BadSet."""
    return tuple(_turn(turn, where) for turn in _list(row, "history", where))


def _turn(turn: object, where: str) -> tuple[str, str]:
    if not isinstance(turn, list) or len(turn) != 2:
        raise BadSet(f'{where}: "history" must hold [question, answer], not {_short(turn)}')
    asked, answered = _strings({"history": turn}, "history", where)
    return asked, answered


def _span(span: object, where: str) -> GoldSpan:
    if not isinstance(span, dict) or not span.get("file"):
        raise BadSet(f'{where}: "evidence" must hold objects with file, start and end')
    for name in ("start", "end"):
        if type(span.get(name)) is not int:
            raise BadSet(f'{where}: "{name}" of "evidence" must be a whole number')
    file, text = _text(span, "file", where), _text(span, "text", where)
    return GoldSpan(file, span["start"], span["end"], text)


def _calendar_date(row: Mapping[str, Any], where: str) -> str | None:
    day = _text(row, "calendar_date", where)
    try:
        if day and not re.fullmatch(r"[0-9]{4}(-[0-9]{2}){0,2}", day):
            raise ValueError
        written(day or "2026")
    except ValueError:
        raise BadSet(
            f'{where}: "calendar_date" must be like 2026-03-06, 2026-03 or 2026, not {day!r}'
        ) from None
    return day or None


def _number(row: Mapping[str, Any], name: str, where: str) -> float | None:
    value = row.get(name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is not None and not (is_number and abs(value) < 1e9):  # neither infinite nor NaN
        raise BadSet(f'{where}: "{name}" must be a number, not {_short(value)}')
    return value


def _name(header: Mapping[str, Any], where: str, otherwise: str) -> str:
    """The set's name. Folders are called by it, so it must be a file name and nothing else."""
    name = _text(header, "set", where) or otherwise
    if not re.fullmatch(r"[\w][\w. -]{0,79}", name):
        raise BadSet(
            f"{where}: the set's name may have letters, digits, '.', '_', '-' and spaces, and begins"
            f" with a letter or digit, not {_short(name)}"
        )
    return name


def _day(row: Mapping[str, Any], where: str) -> date | None:
    text = _text(row, "as_of", where)
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise BadSet(f'{where}: "as_of" is no date such as 2026-11-22: {text!r}') from None


def chosen(cases: Sequence[Case], split: str | None, limit: int | None) -> list[Case]:
    """The cases of a split, at most `limit` of them, evenly spread over the set."""
    some = [case for case in cases if split in (None, case.split)]
    if not some:
        of = f" of the split {split!r}" if split else ", only candidates"
        raise BadSet(f"the set has no questions{of}")
    if limit is None or limit >= len(some):
        return some
    return [some[i * len(some) // limit] for i in range(limit)]


def _floors(header: Mapping[str, Any], where: str) -> dict[str, float]:
    found = header.get("floors") or {}
    if not isinstance(found, dict):
        raise BadSet(f'{where}: "floors" must be an object of metrics and numbers')
    floors = {name: _number(found, name, where) for name in found}
    return {name: floor for name, floor in floors.items() if floor is not None}


def case_to_json(case: Case) -> dict[str, Any]:
    """The line of a set that holds `case`, without its empty fields."""
    whole = {name: value for name, value in asdict(case).items() if value not in ((), "", None)}
    if "other_side" in whole:
        whole["counterfactual_answers"] = whole.pop("other_side")
    order = ("id", "split", "type", "form", "question", "history", "answerable")
    return {
        name: whole[name] for name in sorted(whole, key=lambda n: (n not in order, _at(order, n)))
    }


def _at(order: Sequence[str], name: str) -> int:
    return order.index(name) if name in order else 0


def texts_of(corpus: Path) -> dict[str, str]:
    """The characters of every article that can be read, by source; read from the files themselves.

    Raises CorpusError when there is no such folder.
    """
    texts: dict[str, str] = {}
    listed, _ = read.list_files(corpus)
    for path, file in listed:
        try:
            documents, _ = read.read_documents(path, read.read_bytes(file))
        except UnreadableFile:
            continue
        texts.update((document.source, document.raw) for document in documents)
    return texts


def fingerprints(texts: Mapping[str, str]) -> dict[str, str]:
    """A short hash of every article's characters."""
    return {
        source: hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        for source, text in sorted(texts.items())
    }


def check_spans(asked: Sequence[Case], texts: Mapping[str, str]) -> None:
    """Raises BadSet for the gold spans that are not, or no longer, what the corpus says."""
    wrong = []
    for case in asked:
        for span in case.evidence:
            text = texts.get(span.file)
            if text is None:
                wrong.append(f"{case.id}: the corpus has no {span.file}")
            elif not 0 <= span.start < span.end <= len(text):
                wrong.append(f"{case.id}: {span.file} has no characters {span.start} to {span.end}")
            elif span.text and text[span.start : span.end] != span.text:
                at = text.find(span.text)
                now = f"; they are now at {at}" if at >= 0 else ""
                wrong.append(
                    f"{case.id}: {span.file}[{span.start}:{span.end}] is not its gold text{now}"
                )
    if wrong:
        more = f"\n  and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise BadSet(
            "the set does not fit its corpus (mend the offsets, or give the corpus it was written"
            " for with --corpus):\n  " + "\n  ".join(wrong[:5]) + more
        )


def add_case(path: Path, case: Case, corpus: Path, as_of: date) -> None:
    """Appends `case` to the set at `path`, or puts it in the place of the candidate of its id.

    A set that is not there is begun, over `corpus` as of `as_of`. One process adds at a time.
    Raises BadSet for an id that is taken and for a case that could not be read again.
    """
    line = json.loads(json.dumps(case_to_json(case)))
    _case(line, "the new case")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{path.name}.lock"), timeout=30):
            jsonl.write(path, _with(path, line, case, corpus, as_of))
    except (OSError, Timeout) as exc:
        raise SettingsError(f"{path} cannot be written: {exc}") from exc


def _with(
    path: Path, line: dict[str, Any], case: Case, corpus: Path, as_of: date
) -> list[dict[str, Any]]:
    if not path.exists():
        folder = Path(os.path.relpath(corpus.resolve(), path.parent.resolve())).as_posix()
        name = re.sub(r"^[^\w]+|[^\w. -]+", "-", path.stem)[:80]
        header = {"set": name, "version": 1, "corpus": folder, "as_of": as_of.isoformat()}
        return [header, line]
    rows = []
    for number, row in _rows(path):
        if "answerable" in row and _id(row, f"{path}, line {number}") == case.id:
            if row.get("split") != CANDIDATE:
                raise BadSet(f"{path} already has a case {case.id!r}; give another --id")
            rows.append(line)
        else:
            rows.append(row)
    return rows if line in rows else [*rows, line]


def located(quote: str, texts: Mapping[str, str], source: str | None = None) -> GoldSpan:
    """The one place in the corpus where `quote` stands, in the article `source` where that is given.

    White space and the shape of quotation marks may differ. Raises BadSet where it stands nowhere, or
    in several places.
    """
    words = [re.escape(word) for word in quote.translate(_STRAIGHT).split()]
    if not words:
        raise BadSet("the quote is empty")
    pattern = re.compile(r"\s+".join(words))
    found = [
        GoldSpan(name, match.start(), match.end(), text[match.start() : match.end()])
        for name, text in texts.items()
        if source in (None, name)
        for match in pattern.finditer(text.translate(_STRAIGHT))
    ]
    if len(found) == 1:
        return found[0]
    if found:
        places = ", ".join(f"{span.file}:{span.start}" for span in found[:5])
        raise BadSet(f"the quote stands in {len(found)} places ({places}); quote more, or say --in")
    raise BadSet(f"no article{f' called {source}' if source else ''} has the words: {quote!r}")


_STRAIGHT = str.maketrans("“”„‘’‚\u00a0", "\"\"\"''' ")  # one character for one: offsets hold
