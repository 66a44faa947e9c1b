"""What a text wants of the assistant, as a small taught model tells it.

Multinomial logistic regression over the bundled embedder's vector of the text, hashed n-grams of its
words and letters (Weinberger et al. 2009, "Feature hashing for large scale multitask learning"), and
a few facts of its form. `eval.training.turns` fits it and says how well it does on what it was not
fitted to.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from indexing.embed import open_embedder
from indexing.errors import SettingsError
from indexing.settings import BUNDLED

Floats = NDArray[np.float32]

MODEL = Path(__file__).with_name("taught.npz")
PLACES = 4096
"""Places that n-grams are hashed to, of words and of letters each."""
MOST_WORDS = 60
VECTOR_WEIGHT, STRANGE_WEIGHT = 2.0, 2.0
"""What the embedder's vector and the strange words count, beside n-grams of length 1."""

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_TOKEN = re.compile(rf"{_WORD.pattern}|[?!.,:;#\[\]<>{{}}/$€£%]")
_POINTING = re.compile(
    r"\b(?:it|its|they|them|their|he|him|his|she|her|that|this|those|these|there|ones?|then|same|other|else)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Taught:
    """The fitted model: `weights` of float32, shape (features, classes), `bias` one a class; `known`
    are the words that small talk and questions about the assistant were taught with."""

    classes: tuple[str, ...]
    weights: Floats
    bias: Floats
    known: frozenset[str]

    def likely(self, text: str, is_follow_up: bool = False) -> Mapping[str, float]:
        """How likely (0 to 1) each class is; the sum is 1."""
        row = features(text, is_follow_up, self.known)
        logits = row @ self.weights + self.bias
        odds = np.exp(logits - logits.max())
        return dict(zip(self.classes, (odds / odds.sum()).tolist(), strict=True))


@cache
def intents() -> Taught:
    """The model of what a text is for. Raises SettingsError where its file is not whole."""
    try:
        with MODEL.open("rb") as opened, np.load(opened) as file:
            weights, bias = (file[name].astype(np.float32) for name in ("weights", "bias"))
            classes, known = (tuple(map(str, file[name])) for name in ("classes", "known"))
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as exc:
        raise _damaged(str(exc)) from exc
    shape = (len(features("", False, ())), len(classes))
    if weights.shape != shape or bias.shape != shape[1:]:
        raise _damaged(f"weights of shape {weights.shape}, expected {shape}")
    return Taught(classes, weights, bias, frozenset(known))


def _damaged(what: str) -> SettingsError:
    return SettingsError(
        f"the model of what a text is for, {MODEL.name}, cannot be used ({what}); reinstall dateline,"
        " or make it anew: python -m eval.training.turns"
    )


def features(text: str, is_follow_up: bool, known: Collection[str]) -> Floats:
    """What a text is told by: float32, shape (features,)."""
    parts = (
        _hashed(_word_grams(text)),
        _hashed(_letter_grams(text)),
        VECTOR_WEIGHT * open_embedder(BUNDLED, threads=1).embed_query(text),
        np.array(_form(text, is_follow_up), np.float32),
        STRANGE_WEIGHT * strangeness(words_of(text), known),
    )
    return np.concatenate(parts, dtype=np.float32)


def words_of(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower()))


def strangeness(words: Collection[str], known: Collection[str]) -> Floats:
    """How many of the words are none of the `known`: what has a topic of its own has such words."""
    strange = sum(word not in known for word in words)
    share = strange / max(1, len(words))
    return np.array([strange > 0, strange > 1, share, min(strange, 6) / 6], np.float32)


def _word_grams(text: str) -> Iterator[str]:
    tokens = ["^", *_TOKEN.findall(text.lower())[:MOST_WORDS], "$"]
    for n in (1, 2, 3):
        for start in range(len(tokens) - n + 1):
            yield "w" + " ".join(tokens[start : start + n])


def _letter_grams(text: str) -> Iterator[str]:
    for word in _WORD.findall(text.lower())[:MOST_WORDS]:
        edged = f"<{word}>"
        for n in (2, 3, 4):
            for start in range(len(edged) - n + 1):
                yield "c" + edged[start : start + n]


def _hashed(grams: Iterable[str]) -> Floats:
    """The square roots of how often each place is met, scaled to length 1."""
    row = np.zeros(PLACES, np.float32)
    for place, times in Counter(zlib.crc32(g.encode()) % PLACES for g in grams).items():
        row[place] = np.sqrt(times)
    return row / (np.linalg.norm(row) or 1)


def _form(text: str, is_follow_up: bool) -> list[float]:
    length = len(text.split())
    points = bool(_POINTING.search(text))
    letters = [c for c in text if c.isalpha()]
    return [
        is_follow_up,
        is_follow_up and points,
        not is_follow_up and points,
        min(length, 12) / 12,
        length <= 2,
        length <= 4,
        length > 15,
        len(text) > 120,
        "\n" in text,
        text.strip().endswith("?"),
        any(c.isdigit() for c in text),
        bool(re.search(r"[a-z,] [A-Z][a-z]", text)),
        sum(ord(c) > 0x24F for c in letters) / max(1, len(letters)),
        not text.isascii(),
        text.islower(),
    ]
