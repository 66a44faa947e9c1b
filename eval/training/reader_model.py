"""The passage reader: one encoder that reads question, headline and passage, and its heads.

As extractive readers for SQuAD 2.0 (Devlin et al. 2019, section 4.3; Rajpurkar, Jia and Liang 2018),
but what is scored is whole sentences. From each token of a sentence come a value and a gate; a
sentence's score is the mean of the values of its tokens, weighed by a softmax of their gates. From
[CLS] comes what speaks for the window as a whole, so that `sentence + window` is the log odds that
this sentence answers against that nothing does, comparable between windows and questions. Further
heads: start and end of the short answer, and, from the pieces of the question, its kind. The encoder
is that of the bundled reranker (MiniLM-L12-H384, Wang et al. 2020), and the head of [CLS] begins as
the reranker's.

`dequantised` and `requantised` are those of `eval.train_reranker`, adapted.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from eval.training.reader_data import KINDS
from eval.training.reader_text import GATE, MAX_PIECES, VALUE

# --- the model ---------------------------------------------------------------------------------


class PassageReader(nn.Module):
    """See the module. `forward` gives (windows,), (windows, pieces, 4) and (windows, pieces, kinds)."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder
        width = encoder.config.hidden_size
        self.tokens = nn.Linear(width, 4)
        self.kind = nn.Linear(width, len(KINDS))
        for head in (self.tokens, self.kind):
            nn.init.normal_(head.weight, std=0.02)
            nn.init.zeros_(head.bias)
        nn.init.zeros_(self.tokens.weight[GATE])

    def forward(self, ids: Tensor, types: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        bert = self.encoder.bert
        states = bert(input_ids=ids, token_type_ids=types, attention_mask=mask)
        window = self.encoder.classifier(states.pooler_output)[:, 0]
        return window, self.tokens(states.last_hidden_state), self.kind(states.last_hidden_state)


def sentence_scores(window: Tensor, tokens: Tensor, sentence: Tensor, most: int) -> Tensor:
    """The log odds of each sentence: (windows, most). Those that are not there get -1e4."""
    member = sentence[:, :, None] == torch.arange(most, device=sentence.device)
    gates = tokens[:, :, GATE, None].masked_fill(~member, -1e4)
    weights = torch.softmax(gates, 1) * member
    scores = (weights * tokens[:, :, VALUE, None]).sum(1) + window[:, None]
    return scores.masked_fill(~member.any(1), -1e4)


def question_kind(kind: Tensor, types: Tensor, mask: Tensor) -> Tensor:
    """What the pieces of the question say of its kind, on average: (windows, kinds)."""
    asked = ((types == 0) & (mask == 1)).float()[:, :, None]
    return (kind * asked).sum(1) / asked.sum(1)


# --- int8 ONNX to torch and back -----------------------------------------------------------------


def _weight_places(graph: Any) -> dict[str, str]:
    """The torch name of every matrix that the graph multiplies by, to its name in the graph."""
    places = {}
    for node in graph.node:
        if node.op_type == "MatMulInteger":  # "/bert/encoder/layer.0/.../query/MatMul_quant"
            module = node.name.strip("/").rsplit("/", 1)[0].replace("/", ".")
            places[f"{module}.weight"] = node.input[1].removesuffix("_quantized")
    return places


def dequantised(model: Any, attention: str = "sdpa") -> Any:
    """The ONNX reranker as a transformers BERT; its logits differ by what int8 rounds away."""
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
        name = f"bert.embeddings.{table}_embeddings.weight"
        state[name] = floats(name)
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


def requantised(model: Any, reader: PassageReader) -> Any:
    """The reranker's graph with the reader's weights, int8 with one scale for each output, and its
    heads: outputs `window` (n, 1), `tokens` (n, pieces, 4) and `kind` (n, pieces, kinds)."""
    from onnx import numpy_helper

    quantised = copy.deepcopy(model)
    places = _weight_places(quantised.graph)
    new: dict[str, NDArray[Any]] = {}
    for name, tensor in reader.encoder.state_dict().items():
        values = tensor.detach().float().cpu().numpy()
        if name in places:
            weight = values.T
            scale = np.maximum(np.abs(weight).max(axis=0), 1e-8) / 127
            new[f"{places[name]}_quantized"] = (
                np.rint(weight / scale).clip(-127, 127).astype(np.int8)
            )
            new[f"{places[name]}_scale"] = scale.astype(np.float32)
            new[f"{places[name]}_zero_point"] = np.zeros(len(scale), dtype=np.int8)
        elif "embeddings.weight" not in name:
            new[name] = values  # biases and norms; the embeddings were frozen
    for tensor in quantised.graph.initializer:
        if tensor.name in new:
            tensor.CopyFrom(numpy_helper.from_array(new.pop(tensor.name), tensor.name))
    if new:
        raise SystemExit(f"no place in the graph for {sorted(new)[:3]}")
    _add_heads(quantised.graph, reader)
    _shorten(quantised.graph)
    return quantised


def _add_heads(graph: Any, reader: PassageReader) -> None:
    """The heads of tokens and kind, float32: they are small."""
    from onnx import TensorProto, helper, numpy_helper

    states = next(n.input[0] for n in graph.node if n.name == "/bert/pooler/Gather")
    heads: list[tuple[str, nn.Linear, str, list[str | int | None]]] = [
        ("tokens", reader.tokens, states, ["batch_size", "sequence_length", 4]),
        ("kind", reader.kind, states, ["batch_size", "sequence_length", len(KINDS)]),
    ]
    for name, head, source, shape in heads:
        for part, values in (("weight", head.weight.T), ("bias", head.bias)):
            array = np.ascontiguousarray(values.detach().float().cpu().numpy())
            graph.initializer.append(numpy_helper.from_array(array, f"{name}.{part}"))
        graph.node.append(helper.make_node("MatMul", [source, f"{name}.weight"], [f"{name}_"]))
        graph.node.append(helper.make_node("Add", [f"{name}_", f"{name}.bias"], [name]))
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    for node in graph.node:
        node.output[:] = ["window" if o == "logits" else o for o in node.output]
    graph.output[0].name = "window"


def _shorten(graph: Any) -> None:
    """Half of the positions, which are never read, and the long names within go: 0.4 MB."""
    from onnx import numpy_helper

    kept = {value.name for value in (*graph.input, *graph.output)}
    kept |= {tensor.name for tensor in graph.initializer}
    short: dict[str, str] = {"": ""}
    for n, name in enumerate(o for node in graph.node for o in node.output):
        short[name] = name if name in kept else f"t{n}"
    for node in graph.node:
        node.name = ""
        node.input[:] = [short.get(name, name) for name in node.input]
        node.output[:] = [short[name] for name in node.output]
    del graph.value_info[:]
    for tensor in graph.initializer:
        if tensor.name == "bert.embeddings.position_embeddings.weight_quantized":
            array = numpy_helper.to_array(tensor)[:MAX_PIECES]
            tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array), tensor.name))
