"""A conversation as a file to keep: Markdown, or a page of HTML that needs nothing beside it.

Pure functions; Chainlit is not imported here. Questions, articles and models' drafts are data: in
Markdown they are escaped line by line, and the page's template escapes whatever it is given.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from assistant.doors.chat.words import words
from assistant.doors.show.markdown import claim_as_markdown, dropped_as_markdown, escape_markdown
from assistant.doors.show.page import is_web_address
from assistant.doors.show.parts import (
    LEFT_OUT,
    NEAREST,
    NOT_FOUND,
    UNNAMED,
    agreement_lead,
    distance_of,
    lines,
    rule_of,
)
from assistant.language.marks import long_date, marks, plain, reduced_date, short_date
from assistant.schema import Agreement, Answer, AnswerDate, Citation, Status
from assistant.settings import QUOTES


@dataclass(frozen=True, slots=True)
class Words:
    """What a file says in words of ours, those of the page's "export" section and of every answer.
    `{}` is filled in."""

    language: str
    kind: str
    untitled: str
    no_question: str
    contents: str
    empty: str
    answered: str
    not_found: str
    unanswered: str
    never_came: str
    asked: str
    quoted: str
    written: str
    read: str
    limited: str
    note: str
    dates: str
    counted: str
    value: str
    stated_by: str
    sources: str
    nearest: str
    left_out: str
    left_out_for: str
    unnamed: str
    undated: str
    page: str
    mark: str
    back: str
    exported: str
    verified: str


WORDS = Words(
    **words()["export"],
    not_found=NOT_FOUND,
    nearest=NEAREST,
    left_out=LEFT_OUT,
    unnamed=UNNAMED,
)
LONGEST_NAME = 80
UNREADABLE_NAME = "conversation"


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and what became of it. `answer` is None where none came; `within` says what it was
    limited to, empty for nothing."""

    question: str
    answer: Answer | None
    asked: datetime
    within: str = ""


def file_name(title: str, suffix: str) -> str:
    """A name for the file of a conversation that every operating system takes: letters of ASCII,
    digits and hyphens, then `suffix` (such as `.md`), 80 characters at most."""
    letters = unicodedata.normalize("NFKD", re.sub(r"['’]", "", title))
    parts = re.findall(r"[A-Za-z0-9]+", letters.encode("ascii", "ignore").decode())
    stem = "-".join(parts)[: LONGEST_NAME - len(suffix)].strip("-")
    if not stem:
        return UNREADABLE_NAME + suffix
    if re.fullmatch(r"(?i)con|prn|aux|nul|(com|lpt)\d", stem):  # names of devices on Windows
        stem = f"{UNREADABLE_NAME}-{stem}"
    return stem + suffix


# What both forms say


def _moment(when: datetime) -> str:
    """`22 November 2026, 14:05 UTC`."""
    return f"{long_date(when.date())}, {when:%H:%M} {when.tzname() or ''}".rstrip()


def _text(answer: Answer) -> str:
    """The answer's text without the notice that ends it, which is shown apart."""
    return answer.text.removesuffix(answer.notice).rstrip()


def _status(turn: Turn) -> str:
    if turn.answer is None:
        return WORDS.unanswered
    return WORDS.answered if turn.answer.status is Status.ANSWERED else WORDS.not_found


def _writer(answer: Answer) -> str:
    """Who wrote it; "" where nobody had to."""
    if answer.status is Status.ANSWERED:
        return WORDS.quoted if answer.engine == QUOTES else WORDS.written.format(answer.engine)
    return "" if answer.engine == QUOTES else WORDS.read.format(answer.engine)


def _day(published: date | None) -> str:
    return long_date(published) if published else WORDS.undated


def _span(citation: Citation) -> str:
    return f":{citation.start}-{citation.end}"


def _stating(value: Agreement, answer: Answer) -> list[Citation]:
    return [c for c in answer.citations if c.number in value.citations]


def _name(citation: Citation) -> str:
    return citation.publisher or citation.title


def _short_name(citation: Citation) -> str:
    """`A paper, 5 Feb 2026`."""
    return f"{_name(citation)}, {short_date(citation.published)}"


def _link(citation: Citation) -> str | None:
    """The article's address, where it may be a link and reads as what it is."""
    url = citation.url
    return url if url and is_web_address(url) and plain(url) == url else None


def _paragraphs(quote: str) -> list[list[str]]:
    """The lines of a quote, cut at empty ones."""
    parts = re.split(r"\n\s*\n", "\n".join(map(plain, quote.splitlines())))
    return [lines for part in parts if (lines := [line for line in part.split("\n") if line])]


# Markdown


def as_markdown(title: str, turns: Sequence[Turn], exported: datetime) -> str:
    """The conversation in Markdown (CommonMark with tables) whose only markup and links are ours."""
    blocks = [f"# {_as_heading(title) or WORDS.untitled}"]
    for turn in turns:
        blocks += _turn_as_markdown(turn)
    if not turns:
        blocks.append(WORDS.empty)
    blocks += ["---", f"{WORDS.exported.format(_moment(exported))} {WORDS.verified}"]
    return "\n\n".join(blocks) + "\n"


def _as_heading(text: str) -> str:
    # Number signs after a space would close the heading and be lost.
    return re.sub(r"(?<= )(#+)$", r"\\\1", escape_markdown(text))


def _turn_as_markdown(turn: Turn) -> list[str]:
    about = [f"**{_status(turn)}**", WORDS.asked.format(_moment(turn.asked))]
    if turn.answer and (writer := _writer(turn.answer)):
        about.append(escape_markdown(writer))
    blocks = [f"## {_as_heading(turn.question) or WORDS.no_question}", " · ".join(about)]
    if turn.within:
        blocks.append(WORDS.limited.format(escape_markdown(turn.within)))
    if turn.answer is None:
        return [*blocks, WORDS.never_came]
    return [block for block in [*blocks, *_answer_as_markdown(turn.answer)] if block]


def _answer_as_markdown(answer: Answer) -> list[str]:
    blocks = [claim_as_markdown(_text(answer), [c.number for c in answer.citations])]
    if answer.notice:
        blocks.append(f"**{WORDS.note}:** {escape_markdown(answer.notice)}")
    if answer.dates:
        dates = "\n".join(map(_date_as_markdown, answer.dates))
        blocks += [f"### {WORDS.dates}", dates, WORDS.counted]
    if lead := agreement_lead(answer):
        blocks += [f"### {lead}", _agreement_as_markdown(answer)]
    if answer.citations:
        blocks.append(f"### {WORDS.sources}")
        blocks += map(_citation_as_markdown, answer.citations)
    if answer.closest:
        blocks.append(f"### {WORDS.nearest}")
        blocks += map(_citation_as_markdown, answer.closest)
    if answer.dropped:
        blocks += [f"### {WORDS.left_out}", dropped_as_markdown(answer)]
    return blocks


def _marks(numbers: Sequence[int]) -> str:
    return escape_markdown(marks(numbers))


def _date_as_markdown(when: AnswerDate) -> str:
    day = escape_markdown(reduced_date(when.date))
    told = ", ".join(part for part in (rule_of(when), distance_of(when)) if part)
    return f"- **{day}**: {escape_markdown(told)} {_marks(when.citations)}".rstrip()


def _agreement_as_markdown(answer: Answer) -> str:
    rows = [f"| {WORDS.value} | {WORDS.stated_by} |", "| --- | --- |"]
    for value in answer.agreement:
        stating = "; ".join(
            f"{_marks([c.number])} {escape_markdown(_short_name(c))}"
            for c in _stating(value, answer)
        )
        rows.append(f"| {escape_markdown(value.value)} | {stating} |")
    return "\n".join(rows)


def _citation_as_markdown(citation: Citation) -> str:
    title = escape_markdown(citation.title) or escape_markdown(citation.source)
    about = [
        f"{_marks([citation.number])} **{title}**",
        escape_markdown(citation.publisher or WORDS.unnamed),
        _day(citation.published),
        escape_markdown(citation.source + _span(citation)),
    ]
    if citation.page is not None:
        about.append(WORDS.page.format(citation.page))
    if link := _link(citation):
        about.append(f"<{link}>")
    quote = "\n>\n".join(
        "\n".join(f"> {escape_markdown(line)}" for line in lines)
        for lines in _paragraphs(citation.quote)
    )
    return f"{' · '.join(about)}\n\n{quote}".rstrip()


# HTML


@dataclass(frozen=True, slots=True)
class Run:
    """A run of an answer's text as the page shows it. `is_first`: the first mark of its citation,
    where its source leads back to."""

    kind: str
    text: str
    is_first: bool


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, or the items of a list."""

    is_list: bool
    lines: tuple[tuple[Run, ...], ...]


def as_html(title: str, turns: Sequence[Turn], exported: datetime) -> str:
    """The conversation as one page of HTML: no script, nothing loaded, light or dark, printable."""
    template = _environment().get_template("export.html.j2")
    return template.render(title=title, turns=turns, exported=exported)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["words"] = WORDS
    environment.filters.update(
        agreement_lead=agreement_lead,
        blocks=_blocks,
        by_number=_by_number,
        day=_day,
        distance=distance_of,
        link=_link,
        moment=_moment,
        name=_name,
        paragraphs=_paragraphs,
        plain=plain,
        reduced_date=reduced_date,
        rule=rule_of,
        short_date=short_date,
        short_name=_short_name,
        span=_span,
        status=_status,
        writer=_writer,
    )
    environment.tests["marked"] = _is_marked
    return environment


def _harmless(value: Any) -> Any:
    """Words without the characters that reverse what follows, or that no file can hold."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return re.sub(r"\S+", lambda run: plain(run[0]), re.sub(r"[^\S\xa0]", " ", value))


def _blocks(answer: Answer) -> list[Block]:
    """The answer's text as the page shows it; a mark stays on the line of the word before it."""
    blocks: list[Block] = []
    seen: set[str] = set()
    for line in lines(_text(answer), [c.number for c in answer.citations]):
        runs = []
        for piece, after in zip(line.pieces, (*line.pieces[1:], None), strict=True):
            is_marked = piece.kind == "text" and after is not None and after.kind == "mark"
            text = re.sub(r"\s+$", "\u00a0", piece.text) if is_marked else piece.text
            number = piece.kind == "mark" and str(int(piece.text))
            runs.append(Run(piece.kind, number or text, bool(number) and number not in seen))
            seen |= {number} if number else set()
        if line.is_item and blocks and blocks[-1].is_list:
            blocks[-1] = Block(True, (*blocks[-1].lines, tuple(runs)))
        else:
            blocks.append(Block(line.is_item, (tuple(runs),)))
    return blocks


def _is_marked(citation: Citation, blocks: Sequence[Block]) -> bool:
    runs = (run for block in blocks for line in block.lines for run in line)
    return any(run.is_first and run.text == str(citation.number) for run in runs)


def _by_number(answer: Answer) -> Mapping[int, Citation]:
    return {citation.number: citation for citation in answer.citations}
