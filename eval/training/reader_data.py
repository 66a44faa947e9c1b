"""What the passage reader learns from: articles cut into sentences, questions, windows of sentences.

A *window* is a run of whole sentences of one article, read at once with the question and the
article's headline, some 170 word pieces in all. Sources: the taught articles (ours, see
`shared/taught/README.md`), the paragraphs of SQuAD 2.0 (Rajpurkar, Jia and Liang 2018) whose articles
have no question in the benchmark, and two thirds of CLAP NQ (Rosenthal et al. 2024).
"""

from __future__ import annotations

import json
import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from indexing import chunk

SEED = 13
PASSAGE_CHARACTERS = 600
"""As the product cuts its passages."""
KINDS = (
    "deadline date duration amount count share person place body law reason manner list comparison "
    "yes/no quotation status description definition consequence"
).split()


@dataclass
class Article:
    """An article, or a paragraph that stands for one."""

    name: str
    title: str
    sentences: list[str]
    passages: list[tuple[int, int]]
    """As the product would cut it: first sentence, end."""
    group: str
    """The file or work it comes from."""
    pair: str | None = None


@dataclass
class Asked:
    """A question of an article, with what is known of each of its sentences."""

    question: str
    article: int
    right: set[int]
    tempting: set[int] = field(default_factory=set)
    unsure: set[int] = field(default_factory=set)
    """Sentences that may answer though nobody marked them: they teach nothing."""
    answer: str = ""
    spans: dict[int, tuple[int, int]] = field(default_factory=dict)
    """By right sentence, the characters of the short answer."""
    kind: int = -1
    told: list[set[str]] = field(default_factory=list)
    """The words of each piece of evidence."""
    foreign: list[tuple[int, int, int]] = field(default_factory=list)
    """Passages of other articles that a search would offer: article, first sentence, end."""


@dataclass
class Window:
    """A window offered for a question, with the label of each sentence: 1, 0, or -1 for unsure."""

    question: str
    title: str
    sentences: list[str]
    labels: list[int]
    span: tuple[int, int, int] | None
    """Sentence (counted in the window), first character, end."""
    kind: int


def lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def words(text: str) -> list[str]:
    """Lower-case words and numbers, for counting."""
    return re.findall(r"\w+(?:[.,]\d+)*", text.lower())


def article_of(name: str, title: str, text: str, group: str, pair: str | None = None) -> Article:
    """An article cut as the product cuts it."""
    cut = chunk.sentences(text, ())
    place = {s.start: n for n, s in enumerate(cut)}
    found = chunk.passages(name, text, text, (), PASSAGE_CHARACTERS)
    passages = [(place[p.sentences[0].start], place[p.sentences[-1].start] + 1) for p in found]
    return Article(name, title, [text[s.start : s.end] for s in cut], passages, group, pair)


def _standing(text: str, wanted: Sequence[str]) -> set[int]:
    """The sentences of a text that most of any of the wanted strings stands in, or that do in one."""
    cut = chunk.sentences(text, ())
    found = set()
    for w in wanted:
        at = text.find(w)
        for n, s in enumerate(cut):
            common = min(s.end, at + len(w)) - max(s.start, at)
            if at >= 0 and common > 0.5 * min(len(w), s.end - s.start):
                found.add(n)
    return found


def short_span(sentence: str, answer: str) -> tuple[int, int] | None:
    """Where a sentence states the short answer; without the "yes, " or "no: " before it."""
    bare = re.sub(r"^(?:yes|no)[,;:.]?\s+", "", answer.strip(), flags=re.IGNORECASE).strip(' ."')
    if not bare:
        return None
    match = re.search(rf"(?<!\w){re.escape(bare)}(?!\w)", sentence, re.IGNORECASE)
    return match.span() if match else None


def taught(folder: Path, files: Sequence[str]) -> tuple[list[Article], list[Asked]]:
    """The articles of the files named, with their questions."""
    articles: list[Article] = []
    every: list[Asked] = []
    for name in files:
        for row in lines(folder / f"{name}.jsonl"):
            text = row["text"]
            article = article_of(row["id"], row["title"], text, name, row.get("pair"))
            for q in row["questions"]:
                every.append(_taught_question(q, text, article, len(articles)))
            articles.append(article)
    return articles, every


def _taught_question(q: dict[str, Any], text: str, article: Article, n: int) -> Asked:
    kind = KINDS.index(q["kind"]) if q["kind"] in KINDS else -1
    if not q["answerable"]:
        return Asked(q["question"], n, set(), _standing(text, [q["misleads"]]), kind=kind)
    asked = Asked(q["question"], n, _standing(text, q["evidence"]), answer=q["answer"], kind=kind)
    for i in asked.right:
        if span := short_span(article.sentences[i], q["answer"]):
            asked.spans[i] = span
    asked.unsure = _also(article.sentences, asked)
    return asked


def _also(sentences: Sequence[str], asked: Asked) -> set[int]:
    """Sentences not marked as evidence that state the answer in the same words."""
    if len(asked.answer) < 4:
        return set()
    others = set(range(len(sentences))) - asked.right
    return {i for i in others if short_span(sentences[i], asked.answer)}


def plain(name: str) -> str:
    """A file's name as a title: case, hyphens and underscores say nothing."""
    return " ".join(re.sub(r"\.(md|txt)$", "", name).replace("_", " ").replace("-", " ").split())


def squad(folder: Path) -> tuple[list[Article], list[Asked]]:
    """The paragraphs of squad2_train whose article has no question in the benchmark squad2."""
    taken = {plain(q["context"]["file"]).lower() for q in lines(folder / "squad2/questions.jsonl")}
    articles: list[Article] = []
    every: list[Asked] = []
    for n, row in enumerate(lines(folder / "squad2_train" / "paragraphs.jsonl")):
        title = plain(row["article"])
        if title.lower() in taken or row["also_in_dev"]:
            continue
        text = row["context"]
        article = article_of(f"squad {n}", title.capitalize(), text, f"squad2_train {title}")
        cut = chunk.sentences(text, ())
        for q in row["questions"]:
            every.append(_squad_question(q, cut, article, len(articles)))
        articles.append(article)
    return articles, every


def _squad_question(q: dict[str, Any], cut: Sequence[Any], article: Article, n: int) -> Asked:
    spans = q.get("answers") or q.get("plausible") or []
    votes = Counter(
        i
        for span in spans
        for i, s in enumerate(cut)
        if s.start < span["start"] + len(span["text"]) and span["start"] < s.end
    )
    marked = {i for i, _ in votes.most_common(1)}
    if not q["answerable"]:
        return Asked(q["question"].strip(), n, set(), marked)
    asked = Asked(q["question"].strip(), n, marked, answer=min((s["text"] for s in spans), key=len))
    for i in marked:
        if span := short_span(article.sentences[i], asked.answer):
            asked.spans[i] = span
    asked.unsure = _also(article.sentences, asked)
    return asked


def clapnq(folder: Path) -> tuple[list[Article], list[Asked]]:
    """Two thirds of clapnq, drawn as `eval.training.train_reranker` draws them; the rest is to measure on.

    An annotator selects some of the sentences that help, so the others of a passage are unsure.
    """
    articles: list[Article] = []
    every: list[Asked] = []
    for n, q in enumerate(lines(folder / "clapnq" / "questions.jsonl")):
        source = (folder / "clapnq" / "corpus" / q["context"]["file"]).read_bytes().decode("utf-8")
        text = source[q["context"]["start"] : q["context"]["end"]]
        evidence = [e["text"] for e in q["evidence"] if e["file"] == q["context"]["file"]]
        right = _standing(text, evidence)
        if q["answerable"] and not right:
            continue
        title = source.split("\n", 1)[0].removeprefix("# ").strip()
        article = article_of(f"clapnq {n}", title, text, f"clapnq {title}")
        others = set(range(len(article.sentences))) - right
        every.append(Asked(q["question"], len(every), right, unsure=others if right else set()))
        articles.append(article)
    order = list(range(len(every)))
    random.Random(SEED).shuffle(order)
    kept = sorted(order[: 2 * len(order) // 3])
    return [articles[k] for k in kept], [
        Asked(every[k].question, i, every[k].right, unsure=every[k].unsure)
        for i, k in enumerate(kept)
    ]


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

    def rarity(self, word: str) -> float:
        """Inverse document frequency."""
        held = len(self._postings.get(word, ()))
        return math.log(1 + (self._size - held + 0.5) / (held + 0.5))

    def best(self, query: str, k: int) -> list[int]:
        """The places of the `k` best texts, best first."""
        found: dict[int, float] = defaultdict(float)
        for word in set(words(query)):
            for n, part in self._postings.get(word, ()):
                found[n] += self.rarity(word) * part
        return sorted(found, key=lambda n: (-found[n], n))[:k]


def add_foreign(articles: Sequence[Article], every: Sequence[Asked], most: int = 6) -> None:
    """Gives each question the passages of other articles that BM25 puts first.

    Where nothing answers in a paragraph, another of the same work might, so those are left out; nor
    is a passage taken that states the answer, or (nothing being answered) one of the other outlet.
    """
    places = [(a, *p) for a, article in enumerate(articles) for p in article.passages]
    texts = [f"{articles[a].title} {' '.join(articles[a].sentences[i:j])}" for a, i, j in places]
    index = Bm25(texts)
    for asked in every:
        own = articles[asked.article]
        asked.told = [set(words(own.sentences[i])) for i in asked.right]
        for n in index.best(asked.question, most + 6):
            other = articles[places[n][0]]
            same = other.pair is not None and other.pair == own.pair
            kin = other.group == own.group and not own.pair and " " in own.group
            if other is own or ((same or kin) and not asked.right):
                continue
            if asked.answer and short_span(texts[n], asked.answer) and (same or kin):
                continue
            asked.foreign.append(places[n])
        del asked.foreign[most:]


# --- windows -----------------------------------------------------------------------------------


def _around(article: Article, n: int, rng: random.Random) -> tuple[int, int]:
    """A run of sentences that holds the `n`th: the product's passage, or one cut elsewhere."""
    if rng.random() < 0.5:
        return next(p for p in article.passages if p[0] <= n < p[1])
    left = rng.randrange(420, 680) - len(article.sentences[n])
    i, j = n, n + 1
    while True:
        before = i > 0 and len(article.sentences[i - 1]) <= left
        after = j < len(article.sentences) and len(article.sentences[j]) <= left
        if not before and not after:
            return i, j
        if before and (not after or rng.random() < 0.5):
            i -= 1
            left -= len(article.sentences[i])
        else:
            left -= len(article.sentences[j])
            j += 1


def _may_answer(sentence: str, asked: Asked) -> bool:
    """Whether another article's sentence states the answer or tells much of what the evidence tells."""
    if len(asked.answer) > 3 and short_span(sentence, asked.answer):
        return True
    said = set(words(sentence))
    return any(len(said & told) > 0.45 * min(len(said), len(told)) for told in asked.told)


def _window(article: Article, asked: Asked, run: tuple[int, int], own: bool, title: str) -> Window:
    labels, span = [0] * (run[1] - run[0]), None
    if own:
        for i in range(*run):
            labels[i - run[0]] = 1 if i in asked.right else -1 if i in asked.unsure else 0
            if i in asked.spans and span is None:
                span = (i - run[0], *asked.spans[i])
    elif asked.right:
        for i in range(*run):
            if _may_answer(article.sentences[i], asked):
                labels[i - run[0]] = -1
    return Window(asked.question, title, article.sentences[slice(*run)], labels, span, asked.kind)


def offered(
    asked: Asked, articles: Sequence[Article], rng: random.Random, more: float
) -> list[Window]:
    """The windows offered for a question this time: the telling one, and sometimes another.

    `more` is the chance of the other: elsewhere in the same article, or in another article.
    """
    article = articles[asked.article]
    marked = sorted(asked.right or asked.tempting)
    n = rng.choice(marked) if marked else rng.randrange(len(article.sentences))
    title = article.title if rng.random() < 0.92 else ""
    run = _around(article, n, rng)
    found = [_window(article, asked, run, True, title)]
    if rng.random() >= more:
        return found
    elsewhere = [p for p in article.passages if p[1] <= run[0] or p[0] >= run[1]]
    if elsewhere and (not asked.foreign or rng.random() < 0.45):
        found.append(_window(article, asked, rng.choice(elsewhere), True, title))
    elif asked.foreign:
        other, *bounds = asked.foreign[min(int(rng.expovariate(0.7)), len(asked.foreign) - 1)]
        there = articles[other]
        found.append(_window(there, asked, (bounds[0], bounds[1]), False, there.title))
    return found


_NAME = re.compile(r"(?<=\s)[A-Z][\w-]*[a-z](?:\s+[A-Z][\w-]*[a-z])*|(?<=\s)\d+(?:[.,]\d+)*")


def names_of(every: Sequence[Asked]) -> list[str]:
    """The names and numbers of the questions, each once."""
    return sorted({name for asked in every for name in _NAME.findall(asked.question)})


def exchanged(windows: Sequence[Window], names: Sequence[str], rng: random.Random) -> bool:
    """Asks of another thing than the windows tell of: one name or number of the question that they
    hold is made another, by a word or a digit where it has several. Then nothing answers."""
    question = windows[0].question
    told = " ".join([text for w in windows for text in (w.title, *w.sentences)])
    found = [m for m in _NAME.finditer(question) if m.group() in told]
    if not found:
        return False
    match = rng.choice(found)
    other = _another(match.group(), names, rng)
    if other in told:
        return False
    for window in windows:
        window.question = question[: match.start()] + other + question[match.end() :]
        window.labels, window.span = [0] * len(window.labels), None
    return True


def _another(name: str, names: Sequence[str], rng: random.Random) -> str:
    if name[0].isdigit():
        at = rng.choice([n for n, c in enumerate(name) if c.isdigit()])
        digit = rng.choice([d for d in "123456789" if d != name[at]])
        return name[:at] + digit + name[at + 1 :]
    parts = name.split()
    drawn = rng.choice([n for n in names if not n[0].isdigit()]).split()
    if len(parts) == 1 or rng.random() < 0.4:
        return " ".join(drawn)
    at = rng.randrange(len(parts))
    return " ".join([*parts[:at], drawn[-1], *parts[at + 1 :]])


_MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_DAY = re.compile(
    rf"\b(?:by|before|until|on)\s+(?:\d{{1,2}}\s+{_MONTH}(?:\s+\d{{4}})?|{_MONTH}\s+\d{{1,2}}(?:,\s*\d{{4}})?)\b"
)
_WHEN = {KINDS.index("deadline"), KINDS.index("date")}


def made_relative(windows: Sequence[Window], rng: random.Random) -> bool:
    """Counts the day that answers from another ("within 30 days") instead of naming it: that answers
    too, and articles say it as often."""
    for window in windows:
        if window.kind not in _WHEN or window.span is None:
            continue
        n, first, end = window.span
        text = window.sentences[n]
        for match in _DAY.finditer(text):
            if match.start() <= end and first <= match.end():
                said = _some_time_on(rng)
                window.sentences = list(window.sentences)
                window.sentences[n] = text[: match.start()] + said + text[match.end() :]
                window.span = (n, match.start(), match.start() + len(said))
                return True
    return False


def _some_time_on(rng: random.Random) -> str:
    units = rng.choice(("days", "days", "weeks", "months"))
    count = rng.choice((2, 3, 10, 14, 15, 30, 45, 60, 90) if units == "days" else (2, 3, 4, 6, 8))
    return f"{rng.choice(('within', 'within', 'in', 'no later than'))} {count} {units}"


def as_typed(question: str, rng: random.Random) -> str:
    """Sometimes without its mark, in lower case, or as key words; as people type."""
    if rng.random() < 0.12:
        question = question.rstrip("?")
    if rng.random() < 0.04:
        small = "a an the is are was were do does did of to in for on at by has have had be been"
        kept = [w for w in question.rstrip("?").split() if w.lower() not in small.split()]
        question = " ".join(kept) if len(kept) > 2 else question
    return question
