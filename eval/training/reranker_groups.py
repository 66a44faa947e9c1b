"""The groups the cross-encoder learns from: a question as people may type it, with sentences that
answer it and sentences that do not, some of them made to mislead."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assistant.language.words import STOPWORDS, words
from eval.training.reranker_data import Asked
from eval.training.reranker_model import padded
from indexing.times.calendar import MONTHS

BATCH_PIECES = 4_096
Pair = tuple[str, str, float, float]
"""A question, a text, whether it answers (1 or 0), and how far that is believed."""
Offer = tuple[str, str, str, str, float, float]
"""The same with the text in parts: question, title, sentence before, sentence, label, belief."""


class Batch(NamedTuple):
    """Whole groups, and where each stands among the rows."""

    inputs: NDArray[np.int64]
    """Ids, types and mask, shape (3, rows, longest)."""
    groups: list[slice]
    labels: NDArray[np.float32]
    weights: NDArray[np.float32]


def batches(every: Sequence[Asked], tokenizer: Any, rng: random.Random) -> Iterator[Batch]:
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
        yield Batch(padded(encodings), slices, right, believed)


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
    return _introduced(asked, offered, rng)


def _introduced(asked: Asked, offered: Sequence[Offer], rng: random.Random) -> list[Pair]:
    """The offers with the title, the sentence before, both, a headline or nothing before them."""
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
        others = [m for m in MONTHS if not _stands(m, paragraph)]
    elif shape == "year" and rng.random() < 0.5:
        near = [str(int(thing) + by) for by in (-10, -3, -2, -1, 1, 2, 3, 10)]
        others = [year for year in near if not _stands(year, paragraph)]
    else:
        alike = {t: len(known[t] & known[thing]) / len(known[t] | known[thing]) for t in others}
        others = sorted(others, key=lambda t: -alike[t])[:5]
    return (thing, rng.choice(others)) if others else None


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


def _stands(thing: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(thing)}(?!\w)", text, re.IGNORECASE) is not None


def put(text: str, thing: str, other: str) -> str:
    return re.sub(rf"(?<!\w){re.escape(thing)}(?!\w)", lambda _: other, text, flags=re.IGNORECASE)


_HELPS = "is are was were do does did has have had can could would should will must".split()
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
