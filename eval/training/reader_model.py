"""The passage reader: one encoder that reads question, headline and passage, and its heads.

As extractive readers for SQuAD 2.0 (Devlin et al. 2019, section 4.3; Rajpurkar, Jia and Liang 2018),
but what is scored is whole sentences. From each token of a sentence come a value and a gate; a
sentence's score is the mean of the values of its tokens, weighed by a softmax of their gates. From
[CLS] comes what speaks for the window as a whole, so that `sentence + window` is the log odds that
this sentence answers against that nothing does, comparable between windows and questions. Further
heads: start and end of the short answer, and, from the pieces of the question, its kind. The encoder
is that of the bundled reranker (MiniLM-L12-H384, Wang et al. 2020), and the head of [CLS] begins as
the reranker's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from eval.training.reader_data import KINDS
from eval.training.reader_text import GATE, MAX_PIECES, VALUE
from eval.training.reranker_model import requantised

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


# --- torch to int8 ONNX -----------------------------------------------------------------


def exported(model: Any, reader: PassageReader) -> Any:
    """The reranker's graph with the reader's weights, int8, and its heads: outputs `window` (n, 1),
    `tokens` (n, pieces, 4) and `kind` (n, pieces, kinds)."""
    quantised = requantised(model, reader.encoder)
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
