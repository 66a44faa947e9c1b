"""What one conversation of the page holds: its questions and answers, and the limits its reader set.

Nothing of Chainlit is needed here. A conversation is built again from its stored steps when it is
opened another time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

from assistant.doors.chat.words import count, say
from assistant.doors.show.json import from_json, to_json
from assistant.language.marks import short_date
from assistant.schema import Answer
from assistant.service import MOST_QUOTES
from indexing.errors import SettingsError
from indexing.schema import Filters

HISTORY_TURNS = 20
"""How many earlier questions and answers a follow-up is read against."""

History = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ReaderLimits:
    """What a reader lets answers rest on. None, or no sources, means as Dateline is set up."""

    engine: str | None = None
    sources: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    as_of: date | None = None
    max_quotes: int | None = None

    @property
    def filters(self) -> Filters:
        return Filters(since=self.since, until=self.until, sources=self.sources)

    def said(self) -> str:
        """The limits in words, empty where there are none: `2 sources, since 1 Feb 2026`."""
        parts = []
        if self.sources:
            parts.append(count("source", "sources", len(self.sources)))
        if self.since and self.until:
            since, until = short_date(self.since), short_date(self.until)
            parts.append(say("between", since=since, until=until))
        elif self.since:
            parts.append(say("since", day=short_date(self.since)))
        elif self.until:
            parts.append(say("until", day=short_date(self.until)))
        if self.as_of:
            parts.append(say("as_of", day=short_date(self.as_of)))
        if self.max_quotes:
            parts.append(
                say("one_quote") if self.max_quotes == 1 else say("quotes", count=self.max_quotes)
            )
        if self.engine:
            parts.append(self.engine)
        return ", ".join(parts)

    def to_json(self) -> dict[str, Any]:
        """What the page is given, and gives back to `limits_from`."""
        return {
            "engine": self.engine,
            "sources": list(self.sources),
            "since": self.since.isoformat() if self.since else None,
            "until": self.until.isoformat() if self.until else None,
            "asOf": self.as_of.isoformat() if self.as_of else None,
            "quotes": self.max_quotes,
        }


def limits_from(
    value: object, engines: Sequence[str], sources: Sequence[str], *, lenient: bool = False
) -> ReaderLimits:
    """The limits in the form of `ReaderLimits.to_json`.

    Raises SettingsError for what cannot be used; `lenient` leaves that out instead, for limits that
    were stored when there were other articles and engines.
    """
    if not isinstance(value, Mapping):
        value = {}
    try:
        read = ReaderLimits(
            engine=_engine(value.get("engine"), engines),
            sources=_sources(value.get("sources"), sources),
            since=_day(value.get("since")),
            until=_day(value.get("until")),
            as_of=_day(value.get("asOf")),
            max_quotes=_count(value.get("quotes")),
        )
        if read.since and read.until and read.since > read.until:
            raise SettingsError(say("bad_limits", problem=say("bad_order")))
        return read
    except SettingsError:
        if not lenient:
            raise
    kept = ReaderLimits()
    for name in value:
        try:
            kept = limits_from({**kept.to_json(), name: value[name]}, engines, sources)
        except SettingsError:
            continue
    return kept


def _refused(problem: str, **values: object) -> SettingsError:
    return SettingsError(say("bad_limits", problem=say(problem, **values)))


def _engine(value: object, engines: Sequence[str]) -> str | None:
    if value is None or value == engines[0]:
        return None
    if not isinstance(value, str) or value not in engines:
        raise _refused("no_such_engine", engine=str(value)[:100])
    return value


def _sources(value: object, known: Sequence[str]) -> tuple[str, ...]:
    names = value if isinstance(value, list) else []
    known_ones = frozenset(known)
    for name in names:
        if not isinstance(name, str) or name not in known_ones:
            raise _refused("no_such_source", source=str(name)[:100])
    return tuple(dict.fromkeys(names))


def _day(value: object) -> date | None:
    if value is None:
        return None
    try:
        return date.fromisoformat(value) if isinstance(value, str) else _not_a_day(value)
    except ValueError:
        return _not_a_day(value)


def _not_a_day(value: object) -> date:
    raise _refused("bad_day", value=str(value)[:20])


def _count(value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST_QUOTES:
        raise _refused("bad_count")
    return value


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and its answer, None where it never came; `within` says what it was limited to."""

    question: str
    answer: Answer | None
    asked: datetime
    within: str = ""


@dataclass(slots=True)
class Conversation:
    """The turns by the id of their question's message, oldest first, and the limits in force."""

    turns: dict[str, Turn] = field(default_factory=dict)
    limits: ReaderLimits = field(default_factory=ReaderLimits)

    def history(self) -> History:
        """What a follow-up is read against."""
        answered = [(t.question, t.answer.text) for t in self.turns.values() if t.answer]
        return answered[-HISTORY_TURNS:]

    def ask(self, id: str, question: str) -> bool:
        """Notes a question before its answer is there; whether it is an earlier one asked anew, and
        so the turns after it are gone."""
        known = list(self.turns)
        again = id in self.turns
        for later in known[known.index(id) :] if again else ():
            del self.turns[later]
        self.turns[id] = Turn(question, None, datetime.now(UTC))
        return again

    def answer(self, id: str, answer: Answer, within: str = "") -> None:
        self.turns[id] = replace(self.turns[id], answer=answer, within=within)

    @property
    def unanswered(self) -> str | None:
        """The id of the last question, where it has no answer."""
        if not self.turns:
            return None
        id, turn = list(self.turns.items())[-1]
        return id if turn.answer is None else None


def metadata_of(question_id: str, answer: Answer, limits: ReaderLimits) -> dict[str, Any]:
    """What is stored with the message of an answer."""
    return {
        "question_id": question_id,
        "answer": to_json(answer),
        "limits": limits.to_json(),
        "within": limits.said(),
    }


def resumed(
    steps: Sequence[Mapping[str, Any]], engines: Sequence[str], sources: Sequence[str]
) -> Conversation:
    """The conversation whose stored steps these are, oldest first; what cannot be read is left out."""
    conversation = Conversation()
    settled = set()  # messages of Dateline's that are no answer, such as an error
    for step in steps:
        if step.get("type") == "user_message" and step.get("output"):
            asked = _moment(step.get("createdAt"))
            conversation.turns[str(step["id"])] = Turn(str(step["output"]), None, asked)
        elif step.get("type") == "assistant_message":
            metadata = step.get("metadata")
            stored = metadata if isinstance(metadata, Mapping) else {}
            id = str(stored.get("question_id"))
            if step.get("isError") and conversation.turns:
                settled.add(list(conversation.turns)[-1])
            if id not in conversation.turns:
                continue
            settled.add(id)
            try:
                within = str(stored.get("within") or "")
                conversation.answer(id, from_json(stored["answer"]), within)
            except (KeyError, ValueError):
                continue
            conversation.limits = limits_from(stored.get("limits"), engines, sources, lenient=True)
    last = conversation.unanswered
    for id in [id for id, turn in conversation.turns.items() if turn.answer is None]:
        if id in settled or id != last:
            del conversation.turns[id]
    return conversation


def _moment(stored: object) -> datetime:
    try:
        return datetime.fromisoformat(str(stored)).astimezone(UTC)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
