"""Each person's conversations are his own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from kept_conversations import message, new_id, person, reply, rows, shown

from assistant.keeping.conversations import NOBODY, Conversations
from assistant.keeping.tables import Element, Person, Step
from indexing.errors import NotTheirs


@dataclass
class Anns:
    """A conversation of Ann's, which is none of Ben's business."""

    ann: Person
    ben: Person
    step: Step
    element: Element
    feedback_id: str


@pytest.fixture
def anns(kept: Conversations) -> Anns:
    ann, ben = person(kept), person(kept)
    step = reply(new_id(), 1, "Hers?", "Hers.", metadata={"favorite": True})
    kept.put_step(step, ann.id)
    element = shown(step, props={"hers": True})
    kept.put_element(element, ann.id)
    return Anns(ann, ben, step, element, kept.put_feedback(step.id, 1, "Hers"))


def test_no_reader_sees_what_is_another_persons(kept: Conversations, anns: Anns) -> None:
    thread_id = anns.step.thread_id
    for by, sees in ((anns.ann.id, True), (anns.ben.id, False), (NOBODY, False)):
        assert bool(kept.thread(thread_id, by)) is sees
        assert bool(kept.element(thread_id, anns.element.id, by)) is sees
        assert bool(kept.threads(by).threads) is sees
        assert bool(kept.threads(by, search="hers").threads) is sees
        assert bool(kept.threads(by, value=1).threads) is sees
        assert bool(kept.favorites(by)) is sees
    theirs = message(new_id(), 1)
    kept.put_step(theirs, anns.ben.id)
    assert kept.element(theirs.thread_id, anns.element.id) is None


WRITES: dict[str, Callable[[Conversations, Anns, str], Any]] = {
    "name a thread": lambda k, a, by: k.put_thread(a.step.thread_id, name="Mine", by=by),
    "enter a thread": lambda k, a, by: k.put_thread(a.step.thread_id, by=by),
    "delete a thread": lambda k, a, by: k.delete_thread(a.step.thread_id, by),
    "add a step": lambda k, a, by: k.put_step(message(a.step.thread_id, 9), by),
    "change a step": lambda k, a, by: k.put_step(replace(a.step, output="x"), by),
    "move a step": lambda k, a, by: k.put_step(replace(a.step, thread_id=new_id()), by),
    "delete a step": lambda k, a, by: k.delete_step(a.step.id, by),
    "ask anew": lambda k, a, by: k.delete_after(a.step.thread_id, a.step.id, (), by),
    "add an element": lambda k, a, by: k.put_element(shown(a.step), by),
    "move an element": lambda k, a, by: k.put_element(replace(a.element, thread_id=new_id()), by),
    "delete an element": lambda k, a, by: k.delete_element(a.element.id, by),
    "rate": lambda k, a, by: k.put_feedback(a.step.id, 0, None, by),
    "take a rating back": lambda k, a, by: k.delete_feedback(a.feedback_id, by),
}


@pytest.mark.parametrize("write", WRITES)
def test_nobody_writes_to_another_persons_thread(
    kept: Conversations, anns: Anns, write: str
) -> None:
    before = kept.thread(anns.step.thread_id), rows(kept)
    for by in (anns.ben.id, NOBODY):
        with pytest.raises(NotTheirs):
            WRITES[write](kept, anns, by)
    assert (kept.thread(anns.step.thread_id), rows(kept)) == before


def test_a_thread_belongs_to_the_first_person_who_writes(kept: Conversations) -> None:
    ann, ben = person(kept), person(kept)
    step = message(new_id(), 1)
    kept.put_step(step, NOBODY)
    assert kept.owner_of(step.thread_id) is None
    assert kept.thread(step.thread_id, NOBODY)
    kept.put_thread(step.thread_id, by=ann.id)
    assert kept.owner_of(step.thread_id) == ann.identifier
    with pytest.raises(NotTheirs):
        kept.put_thread(step.thread_id, by=ben.id)
    kept.put_thread(step.thread_id, name="By one who has made sure")
    assert kept.owner_of(step.thread_id) == ann.identifier
    assert kept.owner_of(new_id()) is None
