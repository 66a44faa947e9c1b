"""Answers as Slack draws them: Block Kit blocks within Slack's limits, and text where no block is shown.

Pure functions: nothing of Slack's libraries is imported here. Articles, questions and models are
data: what comes from one pings nobody, is no link and formats nothing.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import quote

from assistant.doors.show.page import LEAD_CHARS, is_web_address
from assistant.doors.show.parts import (
    NEAREST,
    NOT_FOUND,
    UNNAMED,
    Line,
    Piece,
    agreement_lead,
    distance_of,
    lines,
    rule_of,
)
from assistant.language.marks import age, marks, plain, reduced_date, short_date
from assistant.schema import Answer, Citation, Claim

SECTION_CHARS = 3_000
MESSAGE_BLOCKS = 50
MESSAGE_CHARS = 12_000
"""The most in the blocks of one message: Slack refuses some thousands more, and does not say how many."""
FALLBACK_CHARS = 4_000
LINK_CHARS = 1_000
"""A longer address is not linked."""
LABEL_CHARS = 300
"""A longer title, or name of a publisher, is cut."""

RATE_UP, RATE_DOWN = "rate_up", "rate_down"
"""The `action_id` of the thumbs."""
SEARCHING = "Searching…"
STILL_WRITING = "Still writing…"

Block = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its blocks, and `text` for notifications and screen readers."""

    text: str
    blocks: tuple[Block, ...]


# Untrusted text

_FORMATS = re.compile(r"`|(?<![^\W_])[*_~]|[*_~](?![^\W_])")
# No character beside a mark is sure to stop Slack's parser, which splits words where others do not:
# a mark that could format is written with another character that looks the same.
_ALIKE = {"*": "\u2217", "_": "\u02cd", "~": "\u223c", "`": "\u02cb"}
_WORD_JOINER = "\u2060"
_PARSED = re.compile(
    r"(?i)(?<=http)(?=s?:)|(?<=www)(?=\.)|(?<=:)(?=//)"  # addresses
    r"|(?<=@)(?=\S)|(?<=#)(?=\w)"  # people, groups, channels
    r"|(?<=:)(?=[a-z0-9_+'-]+:)"  # emoji
)


def mrkdwn(text: str) -> str:
    """`text` so that Slack's mrkdwn shows it as it stands, on one line."""
    alike = _FORMATS.sub(lambda mark: _ALIKE[mark[0]], plain(text))
    escaped = html.escape(_PARSED.sub(_WORD_JOINER, alike), quote=False)
    # A line that begins so is a quotation, escaped or not.
    return _WORD_JOINER + escaped if escaped.startswith("&gt;") else escaped


def link(url: str | None, label: str) -> str:
    """`label` as a link where `url` may be one, else as text."""
    shown = mrkdwn(label).replace("|", "\u2223")
    if url is None or not is_web_address(url):
        return shown
    encoded = quote(url, safe="%/:?#[]@!$&'()*+,;=-._~", errors="replace").replace("&", "&amp;")
    return f"<{encoded}|{shown}>" if shown and len(encoded) <= LINK_CHARS else shown


def question_of(text: str, bot_user: str) -> str:
    """What somebody wrote in Slack, without the mention of `bot_user` and in the characters he saw."""
    unmentioned = text.replace(f"<@{bot_user}>", " ")
    seen = _SENT.sub(lambda sent: sent["label"] or sent["plain"] or "", unmentioned)
    return " ".join(html.unescape(seen).replace(_WORD_JOINER, "").split())


_SENT = re.compile(
    r"<(?:[@!][^>|]*|#[^>|]*|(?P<plain>[^>|@!#][^>|]*))(?:\|(?P<label>[^>]*))?>"
)  # <@U1>, <!date^1^x|5 May>, <#C1|name>, <https://example.org|a page>


# Messages


def answered(
    answer: Answer, as_of: date, step: str | None = None, asked: str = ""
) -> tuple[Message, ...]:
    """The whole answer, the direct answer first; more messages than one where Slack's limits want it.

    `as_of` is the day ages are counted to; `step` is what the thumbs rate, None for no thumbs; `asked`
    is what stands above it, as `asked_by` makes it.
    """
    blocks = _question(asked)
    if answer.closest:
        blocks.append(_header(NOT_FOUND))
    blocks += _sections(_body(answer.text, answer.citations, is_lead=bool(answer.citations)))
    blocks += _sections(_dates(answer))
    blocks += _sections(_agreement(answer))
    if answer.citations or answer.closest:
        blocks.append({"type": "divider"})
    if answer.closest:
        blocks.append(_section(f"_{NEAREST}:_"))
    for citation in answer.citations or answer.closest:
        blocks += _citation(citation, as_of)
    if step is not None:
        blocks.append(_thumbs(step))
    return tuple(map(_message, _split(blocks)))


def draft(claims: Sequence[Claim], asked: str = "") -> Message:
    """What is verified of an answer that is still being written: as much of it as one message holds."""
    blocks = _question(asked)
    numbers = {n for claim in claims for n in claim.citations}
    text = "\n\n".join(_marked(claim) for claim in claims)
    blocks += _sections(_runs(lines(text, sorted(numbers)), is_lead=True))
    (first, *_) = _split([*blocks, _context(STILL_WRITING)])
    return _message(first)


def said(text: str, asked: str = "") -> Message:
    """A sentence of Dateline's own, such as an error."""
    return _message(_question(asked) + _sections(map(mrkdwn, _cut(text))))


def asked_by(user: str, question: str) -> str:
    """The line above an answer to a command, which nobody else has seen: `<@U1> asked: ...`."""
    shown = next(iter(_cut(question)))
    who = f"<@{user}>" if re.fullmatch(r"[A-Z0-9]{2,30}", user) else "Somebody"
    return f"{who} asked: {mrkdwn(shown)}"


ASKED = re.compile(r"(?:<@[A-Z0-9]+>|Somebody) asked: (?P<question>[^\n]+)\n?")


def noted(blocks: Iterable[Mapping[str, Any]], is_up: bool) -> Message:
    """A message of these blocks after a vote."""
    kept = [dict(block) for block in blocks if block.get("block_id") != "noted"]
    thumb = "👍" if is_up else "👎"
    note = _context(f"{thumb} Noted, thank you. Vote again to change it.") | {"block_id": "noted"}
    return _message([*kept, note])


def _marked(claim: Claim) -> str:
    missing = marks([n for n in claim.citations if f"[{n}]" not in claim.text])
    return f"{claim.text} {missing}".rstrip()


def _question(asked: str) -> list[Block]:
    return [_section(asked)] if asked else []


def _body(text: str, citations: Sequence[Citation], *, is_lead: bool) -> Iterator[str]:
    return _runs(lines(text, [c.number for c in citations]), is_lead=is_lead)


def _dates(answer: Answer) -> Iterator[str]:
    for when in answer.dates:
        about = ", ".join(part for part in (rule_of(when), distance_of(when)) if part)
        day = Piece("strong", reduced_date(when.date))
        yield from _run(Line(False, (day, Piece("text", f": {about} "), *_marks(when.citations))))


def _agreement(answer: Answer) -> Iterator[str]:
    lead = agreement_lead(answer)
    if lead is None:
        return
    pieces = [Piece("strong", lead), Piece("text", ": ")]
    for i, value in enumerate(answer.agreement):
        pieces += [Piece("text", f"{'; ' if i else ''}{value.value} "), *_marks(value.citations)]
    yield from _run(Line(False, tuple(pieces)))


def _marks(numbers: Sequence[int]) -> list[Piece]:
    return [Piece("mark", str(number)) for number in numbers]


def _citation(citation: Citation, as_of: date) -> Iterator[Block]:
    """The quote, and under it where it is from: one block, unless it is longer than that."""
    number = Piece("mark", str(citation.number))
    rows = list(_run(Line(False, (number, Piece("text", f" “{citation.quote}”")))))
    publisher = citation.publisher or UNNAMED
    day = short_date(citation.published)
    about = [
        link(citation.url, _shortened(citation.title or citation.source)),
        mrkdwn(_shortened(publisher)),
        f"{day}, {age(citation.published, as_of)}" if citation.published else "no date given",
    ]
    page = [f"page {citation.page}"] if citation.page is not None else []
    yield from map(_section, _packed([*rows, ", ".join([*about, *page])], "\n"))


def _shortened(text: str) -> str:
    return text if len(text) <= LABEL_CHARS else text[: LABEL_CHARS - 1].rstrip() + "…"


# Text within the limits


def _size(text: str) -> int:
    """The length of a text as Slack's clients count it, in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _runs(lines: Iterable[Line], *, is_lead: bool) -> Iterator[str]:
    """The lines in mrkdwn, none longer than a section; the first in bold where it is the lead."""
    for i, line in enumerate(lines):
        yield from _run(_strong(line) if is_lead and i == 0 and not line.is_item else line)


def _strong(line: Line) -> Line:
    """The line in bold but for its marks, unless it is too long to stand out so."""
    if sum(len(p.text) for p in line.pieces) > LEAD_CHARS:
        return line
    pieces: list[Piece] = []
    for piece in line.pieces:
        if piece.kind != "mark" and pieces and pieces[-1].kind == "strong":
            pieces[-1] = Piece("strong", pieces[-1].text + piece.text)
        else:
            pieces.append(piece if piece.kind == "mark" else Piece("strong", piece.text))
    return Line(False, tuple(pieces))


def _run(line: Line) -> list[str]:
    """A line in mrkdwn; cut between sentences where it is longer than a section."""
    atoms: list[str] = ["• "] if line.is_item else []
    for i, piece in enumerate(line.pieces):
        if piece.kind == "mark":
            mark = f"[{piece.text}]"
            if atoms and _size(atoms[-1] + mark) <= SECTION_CHARS:
                atoms[-1] += mark  # it stays with its sentence
            else:
                atoms.append(mark)
            continue
        after = line.pieces[i + 1].text[:1] if i + 1 < len(line.pieces) else ""
        beside = (line.pieces[i - 1].text[-1:] if i else "") + after
        for sentence in _SENTENCE_END.split(piece.text):
            for part in _cut(sentence):
                atoms.append(_shown(part, piece.kind == "strong", beside))
    return [text for text in _packed(atoms, "") if text.strip()]


_SENTENCE_END = re.compile(r"(?<=[.!?…。！？])(?=\s)")


def _shown(text: str, is_strong: bool, beside: str) -> str:
    """A piece of text in mrkdwn, with the spaces at its ends; `beside`: the characters next to it."""
    body = mrkdwn(text)
    if not body:
        return " " if text else ""
    # Stars format at the ends of words alone.
    if is_strong and any(map(str.isalnum, body)) and not any(map(str.isalpha, beside)):
        body = f"*{body}*"
    return f"{' ' * text[:1].isspace()}{body}{' ' * text[-1:].isspace()}"


def _cut(text: str) -> Iterator[str]:
    """`text` in parts that each fit into a section, with room for a few marks: cut between words."""
    if _size(mrkdwn(text)) <= SECTION_CHARS - 200:
        yield text
        return
    middle = len(text) // 2
    at = max(text.rfind(" ", 1, middle), text.rfind("\n", 1, middle))
    at = at if at > middle // 2 else middle
    yield from _cut(text[:at])
    yield from _cut(text[at:])


def _packed(parts: Iterable[str], between: str) -> Iterator[str]:
    """The parts joined, as many as fit into a section together."""
    held: str | None = None
    for part in parts:
        joined = part if held is None else held + between + part
        if held is not None and _size(joined) > SECTION_CHARS:
            yield held
            held = part
        else:
            held = joined
    if held:
        yield held


# Blocks


def _sections(paragraphs: Iterable[str]) -> list[Block]:
    return [_section(text) for text in _packed((p.strip() for p in paragraphs), "\n\n") if text]


def _section(text: str) -> Block:
    return {"type": "section", "text": _text(text)}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [_text(text)]}


def _text(text: str) -> Block:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _header(text: str) -> Block:
    return {"type": "header", "text": {"type": "plain_text", "text": text, "emoji": False}}


def _thumbs(step: str) -> Block:
    def button(action: str, text: str, label: str) -> Block:
        shown = {"type": "plain_text", "text": text, "emoji": True}
        about = {"action_id": action, "value": step, "accessibility_label": label}
        return {"type": "button", "text": shown, **about}

    good = button(RATE_UP, "👍", "This answer is good")
    bad = button(RATE_DOWN, "👎", "This answer is bad")
    return {"type": "actions", "block_id": "rate", "elements": [good, bad]}


def _split(blocks: Iterable[Block]) -> list[list[Block]]:
    """The blocks of each message."""
    messages: list[list[Block]] = [[]]
    size = 0
    for block in blocks:
        length = sum(map(_size, _texts(block)))
        # One place is kept for the note of a vote.
        if len(messages[-1]) == MESSAGE_BLOCKS - 1 or (
            messages[-1] and size + length > MESSAGE_CHARS
        ):
            messages.append([])
            size = 0
        messages[-1].append(block)
        size += length
    return messages


def _texts(block: Mapping[str, Any]) -> list[str]:
    """The texts of a block that are to be read."""
    shown = [block.get("text"), *(block.get("elements") or ())]
    texts = (part.get("text") for part in shown if isinstance(part, Mapping))
    return [text for text in texts if isinstance(text, str)]


def _message(blocks: Sequence[Block]) -> Message:
    """A message of these blocks; its text is of as many of them, from the first, as it may hold."""
    text = ""
    for block in blocks:
        for shown in _texts(block):
            if _size(text) + 1 + _size(shown) <= FALLBACK_CHARS:
                text = f"{text}\n{shown}".lstrip("\n")
    return Message(text or "Dateline", tuple(blocks))
