"""What may be asked over HTTP and with tools, and what is refused."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from assistant.doors.requests import MOST_PASSAGES, MOST_TURNS, Ask, Search
from assistant.service import LONGEST_QUESTION, MOST_QUOTES
from indexing.schema import Filters


def test_what_is_within_the_limits_is_taken() -> None:
    turn = ["Who?", "She. [1]"]
    asked = Ask.model_validate(
        {
            "question": "x" * LONGEST_QUESTION,
            "history": [turn] * MOST_TURNS,
            "max_quotes": MOST_QUOTES,
            "source": "bbc/*",
            "since": "2026-02-04",
        }
    )
    assert asked.turns == [("Who?", "She. [1]")] * MOST_TURNS
    assert asked.filters == Filters("bbc/*", date(2026, 2, 4), None)
    assert Search.model_validate({"query": "x", "k": MOST_PASSAGES}).k == MOST_PASSAGES


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("question", " \n"),
        ("question", "x" * (LONGEST_QUESTION + 1)),
        ("question", 7),
        ("history", [["Who?", "She."]] * (MOST_TURNS + 1)),
        ("history", [["Who?"]]),
        ("max_quotes", 0),
        ("max_quotes", MOST_QUOTES + 1),
        ("max_quotes", "3"),
        ("max_quotes", True),
        ("as_of", 0),
        ("as_of", "20260204"),
        ("as_of", "2026-02-30"),
        ("since", "2026-02-04T00:00:00"),
        ("qestion", "Who?"),
    ],
)
def test_what_is_not_is_refused_by_its_name(name: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        Ask.model_validate({"question": "Who?", name: value})
    assert {error["loc"][0] for error in caught.value.errors()} == {name}


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()))
def test_only_a_number_within_its_limits_says_how_many_passages(k: Any) -> None:
    is_one = type(k) is int and 1 <= k <= MOST_PASSAGES
    try:
        assert Search.model_validate({"query": "x", "k": k}).k == k
    except ValidationError:
        assert not is_one
    else:
        assert is_one
