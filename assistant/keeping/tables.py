"""The nouns of kept conversations. Times are in UTC, such as 2026-02-04T09:30:00.000000Z."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Person:
    id: str
    identifier: str
    created_at: str
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a person said of an answer: `value` is 1 for liked, 0 for disliked."""

    id: str
    step_id: str
    value: int
    comment: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A message or a part of the work done for one. `created_at` None is now, or as it was."""

    id: str
    thread_id: str
    type: str
    name: str = ""
    parent_id: str | None = None
    created_at: str | None = None
    input: str = ""
    output: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    is_error: bool = False
    streaming: bool = False
    start: str | None = None
    end: str | None = None
    tags: list[str] | None = None
    generation: dict[str, Any] | None = None
    show_input: bool | str | None = None
    language: str | None = None
    command: str | None = None
    modes: dict[str, str] | None = None
    wait_for_answer: bool | None = None
    default_open: bool | None = None
    auto_collapse: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """What is shown beside the message `step_id`: of a file its name alone, not its content."""

    id: str
    thread_id: str
    step_id: str
    type: str
    name: str
    display: str
    mime: str | None = None
    url: str | None = None
    props: dict[str, Any] | None = None
    size: str | None = None
    language: str | None = None
    page: int | None = None
    auto_play: bool | None = None
    player_config: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A conversation. `active_at` is the time of its latest step; `identifier` its owner's."""

    id: str
    name: str | None
    person_id: str | None
    identifier: str | None
    created_at: str
    active_at: str
    metadata: dict[str, Any]
    tags: list[str] | None


@dataclass(frozen=True, slots=True)
class Page:
    """Threads, newest activity first; `after` is the cursor of the next page, None on the last."""

    threads: tuple[Thread, ...]
    after: str | None


@dataclass(frozen=True, slots=True)
class Whole:
    """A thread with its steps and elements, each in order, and feedback by step."""

    thread: Thread
    steps: tuple[Step, ...]
    elements: tuple[Element, ...]
    feedback: Mapping[str, Feedback]


@dataclass(frozen=True, slots=True)
class Rated:
    """An answer that somebody rated, with the turns before it; not who it was."""

    answer: dict[str, Any]
    history: tuple[tuple[str, str], ...]
    value: int
    comment: str | None
    rated_at: str
