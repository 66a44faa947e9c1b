"""The taught model of what a text is for: what it gives, and what it says of a file that is not whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.question import taught
from assistant.question.tasks import TASK_OF
from indexing.errors import SettingsError


@given(st.text(max_size=200), st.booleans())
def test_the_odds_of_all_intents_make_one(text: str, is_follow_up: bool) -> None:
    likely = taught.intents().likely(text, is_follow_up)
    assert sum(likely.values()) == pytest.approx(1)
    assert set(TASK_OF) <= likely.keys()


@pytest.fixture
def damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(taught, "MODEL", tmp_path / "taught.npz")
    taught.intents.cache_clear()
    yield tmp_path / "taught.npz"
    taught.intents.cache_clear()


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 and no more"])
def test_a_file_that_is_not_whole_says_what_to_do(damaged: Path, content: bytes | None) -> None:
    if content is not None:
        damaged.write_bytes(content)
    with pytest.raises(SettingsError, match=r"taught\.npz.*reinstall"):
        taught.intents()


def test_a_file_of_other_features_is_refused(damaged: Path) -> None:
    classes = np.array(["greeting", "question"])
    np.savez(damaged, weights=np.ones((3, 2)), bias=np.ones(2), classes=classes, known=classes)
    with pytest.raises(SettingsError, match=r"shape \(3, 2\)"):
        taught.intents()


def test_words_are_strange_that_the_model_was_not_taught_with() -> None:
    known = taught.words_of("thank you for all")
    assert not taught.strangeness(taught.words_of("thank you all"), known).any()
    assert taught.strangeness(taught.words_of("thank you note"), known)[0] == 1
