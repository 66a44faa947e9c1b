"""What a chat model is sent. The texts are files of `prompts/`; articles are data inside them.

Article text stands between two lines that hold a random word, on one line a sentence and without
that word, so that it can neither close its fence nor pass for a rule or a number of ours.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from datetime import date
from functools import cache
from pathlib import Path

from assistant.answering.models.names import Message
from assistant.finding.times import AS_WRITTEN
from assistant.language.marks import plain
from assistant.schema import Evidence
from indexing.schema import TimeExpression
from indexing.times.calendar import describe

FOLDER = Path(__file__).parent / "prompts"


@cache
def text_of(name: str) -> str:
    """The prompt file of that name, as it is."""
    return (FOLDER / f"{name}.md").read_text("utf-8").strip()


def answering(
    question: str, sentences: Sequence[Evidence], differences: Sequence[str], as_of: date
) -> list[Message]:
    """The messages that ask for an answer from sentences numbered 1, 2, 3..."""
    told = "".join(f"\nThe sentences differ: {difference}\n" for difference in differences)
    filled = _fenced(
        "question", sentences, as_of, today=describe(as_of, as_of, "day"), differences=told,
        question=_one_line(question),
    )  # fmt: skip
    return [("system", text_of("answer")), ("human", filled)]


def repairing(messages: Sequence[Message], sentence: str, reason: str) -> list[Message]:
    """The messages that ask for one sentence of the reply once more."""
    asked = text_of("repair").format(sentence=_one_line(sentence), reason=reason)
    return [*messages, ("ai", _one_line(sentence)), ("human", asked)]


def rewriting(question: str, history: Sequence[tuple[str, str]]) -> list[Message]:
    """The messages that ask for a follow-up as a question of its own."""
    turns = [f"Q: {_one_line(q)}\nA: {_one_line(a)[:TURN_CHARS]}" for q, a in history[-TURNS:]]
    asked = "\n".join([*turns, f"Last question: {_one_line(question)}"])
    return [("system", text_of("rewrite")), ("human", asked)]


def reranking(
    question: str, sentences: Sequence[Evidence], most: int, as_of: date
) -> list[Message]:
    """The messages that ask which sentences answer best."""
    filled = _fenced("rerank", sentences, as_of, question=_one_line(question), most=str(most))
    return [("human", filled)]


def searching(question: str) -> list[Message]:
    """The messages that ask for other words to search with."""
    return [("human", text_of("search").format(question=_one_line(question)))]


TURNS = 4
TURN_CHARS = 600


def _fenced(name: str, sentences: Sequence[Evidence], as_of: date, **values: str) -> str:
    told = "\n".join(_numbered(n, e, as_of) for n, e in enumerate(sentences, 1))
    word = secrets.token_hex(6)
    while word in told or word in values["question"]:
        word = secrets.token_hex(6)
    return text_of(name).format(
        fence=f"<<<SENTENCES {word}>>>", end=f"<<<END {word}>>>", sentences=told, **values
    )


def _numbered(number: int, e: Evidence, as_of: date) -> str:
    info = e.hit.info
    day = describe(info.published, info.published, "day") if info.published else "no date"
    about = f"({_data(info.publisher or 'publisher not named')}, {day}, “{_data(info.title)}”)"
    resolved = [_resolved(t, as_of) for t in e.times if t.rule != AS_WRITTEN and t.first and t.last]
    lines = [f"[{number}] {_data(e.text)} {about}", *(f"    {line}" for line in resolved)]
    return "\n".join(lines)


def _resolved(t: TimeExpression, as_of: date) -> str:
    """ "“within 30 days” is by 6 March 2026; that day passed 261 days ago"."""
    assert t.first is not None
    assert t.last is not None
    by = "by " if t.kind == "deadline" else ""
    said = f"“{_data(t.phrase)}” is {by}{describe(t.first, t.last, t.precision)}"
    days = (t.last - as_of).days
    if days < 0:
        return f"{said}; that day passed {-days:,} days ago"
    return f"{said}; that is today" if days == 0 else f"{said}; that is in {days:,} days"


_MARK = re.compile(r"\[(\s*\d[\d\s,–-]*)\]")


def _data(text: str) -> str:
    """Text of an article on one line, with nothing in it that looks like our numbers or fence."""
    return _MARK.sub(r"(\1)", plain(text)).replace("<<<", "‹‹‹").replace(">>>", "›››")


def _one_line(text: str) -> str:
    return plain(text).replace("<<<", "‹‹‹").replace(">>>", "›››")
