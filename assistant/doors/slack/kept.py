"""Slack's threads among the kept conversations: what was answered in them, and who liked it.

Blocking: each method asks the database. A kept thread belongs to the member of Slack who began it;
others who rate an answer of it have a copy of their own, so that each vote stands by itself.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace

from assistant.doors.conversation import HISTORY_TURNS, ReaderLimits, metadata_of
from assistant.doors.show.json import from_json
from assistant.doors.show.markdown import as_markdown
from assistant.keeping.conversations import Conversations, now
from assistant.keeping.tables import Step, Whole
from assistant.schema import Answer
from indexing.errors import NotTheirs, StoreError

_IDS = uuid.uuid5(uuid.NAMESPACE_DNS, "slack.dateline")
PERSON = "slack:"
"""What the identifiers of Slack's members begin with; nobody of the page has such a one."""

History = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Place:
    """A thread of Slack, by the `ts` of the message that began it."""

    team: str
    channel: str
    root: str

    @property
    def id(self) -> str:
        """The id of the kept thread."""
        return _id(self.team, self.channel, self.root)

    def answer_id(self, ts: str) -> str:
        """The id of the step that answers the message `ts` of it."""
        return _id(self.id, ts, "answer")


@dataclass(frozen=True, slots=True)
class Told:
    """What a thread holds: (question, answer) pairs, oldest first, and the ids of the answers."""

    history: History
    answers: frozenset[str]


def identifier(team: str, user: str) -> str:
    """Who a member of Slack is among the people of the conversations."""
    return f"{PERSON}{team}:{user}"


class Kept:
    """Methods raise StoreError when the database fails."""

    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations

    def told(self, place: Place) -> Told | None:
        """None for a thread that nothing is kept of."""
        whole = self._whole(place)
        if whole is None:
            return None
        answers = [(step.id, answer) for step in whole.steps if (answer := _answer_of(step))]
        history = [(answer.question, answer.text) for _, answer in answers]
        return Told(history[-HISTORY_TURNS:], frozenset(id for id, _ in answers))

    def keep(
        self,
        place: Place,
        ts: str,
        asker: str,
        asked_at: str,
        answer: Answer,
        limits: ReaderLimits,
    ) -> str:
        """Keeps the answer to the message `ts`; the id of its step, which can be rated.

        Raises NotTheirs where somebody of the page has a conversation in this place.
        """
        question_id = _id(place.id, ts)
        question = Step(
            id=question_id,
            thread_id=place.id,
            type="user_message",
            name=asker,
            created_at=asked_at,
            output=answer.question,
        )
        reply = Step(
            id=place.answer_id(ts),
            thread_id=place.id,
            type="assistant_message",
            name="Dateline",
            created_at=now(),
            output=as_markdown(answer),
            metadata=metadata_of(question_id, answer, limits),
        )
        try:
            self._put(question, reply, self._person(asker))
        except NotTheirs:
            whole = self._whole(place)
            if whole is None or whole.thread.person_id is None:
                raise
            self._put(question, reply, whole.thread.person_id)
        return reply.id

    def rate(self, place: Place, step_id: str, voter: str, value: int) -> None:
        """Keeps a vote in the place of the voter's last: `value` 1 for good, 0 for bad.

        Raises StoreError for an answer that is not kept in this place.
        """
        whole = self._whole(place)
        ids = [step.id for step in whole.steps if _answer_of(step)] if whole else []
        if whole is None or step_id not in ids:
            raise StoreError("this answer is not kept, so it cannot be rated; ask again")
        person = self._person(voter)
        if whole.thread.identifier != voter:
            step_id = self._copy(whole, step_id, voter, person)
        self._conversations.put_feedback(step_id, value, by=person)

    def _copy(self, whole: Whole, step_id: str, voter: str, person: str) -> str:
        """A copy of the thread up to a step, for somebody else who rates it; the id of the step."""
        thread_id = _id(whole.thread.id, voter)
        if self._conversations.thread(thread_id) is None:
            self._conversations.put_thread(thread_id, name=whole.thread.name, by=person)
        for step in whole.steps:
            copied = replace(step, id=_id(step.id, voter), thread_id=thread_id)
            self._conversations.put_step(copied, by=person, is_new=True)
            if step.id == step_id:
                break
        return _id(step_id, voter)

    def _put(self, question: Step, reply: Step, by: str) -> None:
        if self._conversations.thread(question.thread_id) is None:
            self._conversations.put_thread(question.thread_id, name=question.output, by=by)
        self._conversations.put_step(question, by=by)
        self._conversations.put_step(reply, by=by)

    def _whole(self, place: Place) -> Whole | None:
        """The kept thread, where a member of Slack began it: anybody may choose an id on the page."""
        whole = self._conversations.thread(place.id)
        owner = whole.thread.identifier if whole else None
        return whole if owner and owner.startswith(PERSON) else None

    def _person(self, who: str) -> str:
        known = self._conversations.person(who)
        return (known or self._conversations.put_person(who, {})).id


def _answer_of(step: Step) -> Answer | None:
    if step.type != "assistant_message":
        return None
    try:
        return from_json(step.metadata.get("answer"))
    except ValueError:
        return None


def _id(*parts: str) -> str:
    return str(uuid.uuid5(_IDS, "\n".join(parts)))
