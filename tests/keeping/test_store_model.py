"""The store of conversations behaves as a model of it does, whatever is done to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from kept_conversations import ids, message, new_id, person

from assistant.keeping.conversations import Conversations
from indexing.errors import NotTheirs, StoreError


@dataclass
class ModelThread:
    owner: int
    begun: int
    name: str = ""
    steps: dict[int, tuple[int, str, int | None]] = field(default_factory=dict)  # by number
    parents: dict[int, int] = field(default_factory=dict)
    active: int = -1


who, which, number = st.integers(0, 1), st.integers(0, 2), st.integers(0, 4)
words = st.text("aAéÉ%_\\", max_size=4)
operation = st.one_of(
    st.tuples(st.just("say"), who, which, number, st.integers(0, 6), words, number),
    st.tuples(st.just("name"), who, which, words.filter(str.strip)),
    st.tuples(st.just("rate"), who, which, number, st.integers(0, 1)),
    st.tuples(st.just("take back"), who, which, number),
    st.tuples(st.just("ask anew"), who, which, number),
    st.tuples(st.just("delete"), who, which),
)


class Model:
    """The simplest thing that behaves as the store must."""

    def __init__(self) -> None:
        self.threads: dict[int, ModelThread] = {}
        self.deleted: set[int] = set()
        self.begun = 0

    def enter(self, by: int, at_: int) -> ModelThread | None:
        if at_ in self.deleted:
            return None
        if at_ not in self.threads:
            self.begun += 1
            self.threads[at_] = ModelThread(by, self.begun)
        return self.threads[at_]

    def apply(self, kind: str, by: int, at_: int, *more: Any) -> None:
        """Raises PermissionError where the store must raise NotTheirs."""
        known = self.threads.get(at_)
        if kind in ("take back", "rate") and (known is None or more[0] not in known.steps):
            return
        if known and known.owner != by:
            raise PermissionError
        if kind == "delete":
            if known:
                del self.threads[at_]
                self.deleted.add(at_)
            return
        if kind == "ask anew":
            if known and more[0] in known.steps:
                place = (known.steps[more[0]][0], more[0])
                known.steps = {n: s for n, s in known.steps.items() if (s[0], n) <= place}
            return
        thread = self.enter(by, at_)
        if thread is None:
            return
        if kind == "name":
            thread.name = more[0].strip()
        elif kind == "rate":
            second, text, _ = thread.steps[more[0]]
            thread.steps[more[0]] = (second, text, more[1])
        elif kind == "say":
            n, second, text, parent = more
            first, _, value = thread.steps.get(n, (second, "", None))
            thread.steps[n] = (first, text, value)
            thread.parents[n] = parent
            thread.active = max(thread.active, second)
        elif kind == "take back":
            gone, reached = set(), {more[0]}
            while reached - gone:
                gone |= reached
                reached = {n for n in thread.steps if thread.parents[n] in gone} | gone
            thread.steps = {n: s for n, s in thread.steps.items() if n not in gone}

    def listed(self, by: int) -> list[int]:
        def place(number: int) -> tuple[int, int]:
            thread = self.threads[number]
            # Without a step its time is the clock's, which is long before those of steps.
            return (thread.active, number if thread.active >= 0 else thread.begun)

        mine = [number for number, thread in self.threads.items() if thread.owner == by]
        return sorted(mine, key=place, reverse=True)


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(operations=st.lists(operation, max_size=25), searched=words.filter(str.strip))
def test_the_store_behaves_as_its_model(
    shared: Conversations, operations: list[tuple[Any, ...]], searched: str
) -> None:
    run = new_id()
    both = [person(shared), person(shared)]
    model = Model()

    def thread_id(at_: int) -> str:
        return f"{run}-{at_}"

    def step_id(at_: int, n: int) -> str:
        return f"{run}-{at_}-{n}"

    def apply(kind: str, by: int, at_: int, *more: Any) -> None:
        id_, me = thread_id(at_), both[by].id
        if kind == "say":
            n, second, text, parent = more
            said = {"id": step_id(at_, n), "parent_id": step_id(at_, parent)}
            shared.put_step(message(id_, second, text, **said), me)
        elif kind == "name":
            shared.put_thread(id_, name=more[0], by=me)
        elif kind == "rate":
            try:
                shared.put_feedback(step_id(at_, more[0]), more[1], by=me)
            except NotTheirs:
                raise
            except StoreError:
                assert more[0] not in getattr(model.threads.get(at_), "steps", {})
        elif kind == "take back":
            shared.delete_step(step_id(at_, more[0]), me)
        elif kind == "ask anew":
            shared.delete_after(id_, step_id(at_, more[0]), by=me)
        else:
            shared.delete_thread(id_, me)

    for step in operations:
        try:
            model.apply(*step)
        except PermissionError:
            with pytest.raises(NotTheirs):
                apply(*step)
        else:
            apply(*step)

    for by, me in enumerate(both):
        listed = model.listed(by)
        assert ids(shared, me.id) == [thread_id(at_) for at_ in listed]
        for at_ in listed:
            thread = model.threads[at_]
            whole = shared.thread(thread_id(at_), me.id)
            assert whole
            assert (whole.thread.name or "") == thread.name
            in_order = sorted(thread.steps, key=lambda n: (thread.steps[n][0], n))
            assert [(s.id, s.output) for s in whole.steps] == [
                (step_id(at_, n), thread.steps[n][1]) for n in in_order
            ]
            assert {s: f.value for s, f in whole.feedback.items()} == {
                step_id(at_, n): v for n, (_, _, v) in thread.steps.items() if v is not None
            }

        def holds(thread: ModelThread) -> bool:
            texts = [thread.name, *(text for _, text, _ in thread.steps.values())]
            return any(searched.strip().casefold() in text.casefold() for text in texts)

        expected = [thread_id(at_) for at_ in listed if holds(model.threads[at_])]
        assert ids(shared, me.id, search=searched) == expected
    for at_ in model.deleted:
        assert shared.thread(thread_id(at_)) is None
