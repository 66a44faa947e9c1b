"""What the cross-encoder learns from: questions of SQuAD 2.0 and CLAP NQ with their paragraphs."""

from __future__ import annotations

import json
import math
import random
import re
import string
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assistant.language.words import STOPWORDS, content_terms, words
from indexing import chunk
from indexing.times.calendar import MONTHS

SEED = 13
_THING = re.compile(
    r"\b(?:[A-Z][A-Za-z’'-]*[a-z](?: (?:of )?[A-Z][A-Za-z’'-]*[a-z])*|[A-Z]{2,}|\d[\d,.]*(?:st|nd|rd|th|s)?)\b"
)
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


def _shape(thing: str) -> str:
    if thing in MONTHS:
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
