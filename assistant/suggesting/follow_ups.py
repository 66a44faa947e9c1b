"""Questions to ask next, made from sentences that an answer has not quoted; questions to begin with.

Overgenerate and select (Heilman and Smith 2010, "Good question! Statistical ranking for question
generation"): `clauses` makes the questions that a sentence answers; the best of them are asked, and
kept only when Dateline answers them with that very sentence.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice

from assistant.finding.select import LEANS, coverage, is_same, quotable, stems_of
from assistant.finding.support import calibration
from assistant.language.words import content_terms
from assistant.question.understand import understand
from assistant.schema import Answer, Citation, Status
from assistant.suggesting.clauses import Made, Told, questions_of
from indexing.errors import DatelineError, SettingsError
from indexing.schema import SourceInfo
from indexing.store.view import StoredPassage, View

LONGEST = 90
"""Characters of a question."""
TRIED = 7
"""Questions that are asked to see whether they are answered, some 150 ms each on one core."""
READ = 30
"""Sentences that are parsed, some 5 ms each."""
SOURCES = 4
PASSAGES = 8
"""Articles, and passages of each, whose sentences are considered."""
FEWEST_WORDS, MOST_WORDS = 5, 38
"""Of a sentence that a question is made from."""
LONGEST_WORD = 22
"""Letters; a longer one is none."""
MARGIN = 0.08
"""How far above the threshold of an answer a question must be supported."""
SAME_MATTER = 0.6
"""Cosine similarity of the mean vectors of two articles, from which they tell of one matter."""
ALIKE = 0.6
"""Share of a question's words that another has, from which they ask the same."""
AGAIN = 1.2
"""Merit lost for each question of the same form that is already suggested."""
TO_COME = 0.6
OF_THE_WEEK = -2.0
"""Merit of asking for a day that is still ahead; for one that is but the news's own."""
ON_IT = 0.5
"""Share of a refused question's words, each weighed by its rarity, that a sentence must have."""
OPENING_READ = 24
"""Sentences of an article that questions to begin with may be made from, the first that can be."""
OPENING_TRIED = 3
"""Questions for each article that are asked to see whether they are answered."""
VOICES = 0.4
"""Merit of each further article that bears out the answer, up to MOST_VOICES."""
MOST_VOICES = 3
_MERITS = {
    "when": 3.0, "why": 3.0, "who": 2.8, "how much": 2.6, "share": 2.4, "how many": 2.4, "how long": 2.4,
    "plan": 2.2, "said": 2.0, "office": 1.6,
}  # fmt: skip
"""How welcome a form is."""

Ask = Callable[[str], Answer]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A question and the sentence it was made from. Of larger `merit` is tried sooner."""

    made: Made
    told: Told
    merit: float

    @property
    def question(self) -> str:
        return self.made.question


def warm() -> None:
    """Loads the parser, which takes some 1.6 s, so that the first suggestions need not wait for it.

    Does nothing where it is not installed: there are no suggestions then.
    """
    from assistant.language.parse import parse

    with suppress(SettingsError):
        parse("Ready.")


def suggested(
    answer: Answer,
    history: Sequence[tuple[str, str]],
    sentences: Iterable[Told],
    ask: Ask,
    most: int,
    cancelled: Callable[[], bool],
) -> list[str]:
    """At most `most` questions, best first, that `ask` answers with something new.

    `history` holds the turns before `answer`, oldest first. Once `cancelled` is true there are none;
    nor are there where the parser is not installed.
    """
    earlier = [question for question, _ in history]
    if answer.citations:  # what is like a refused question, and answered, is welcome
        earlier.append(answer.question)
    said = " ".join([answer.text, *(c.quote for c in answer.citations), *(a for _, a in history)])
    topic = _topic(answer)
    left: list[Candidate] = []
    try:
        for told in sentences:
            if cancelled():
                return []
            left += [
                c
                for c in _candidates(told, topic)
                if _is_fit(c.question, earlier)
                and (answer.citations or topic & stems_of(c.question))
                and not (c.made.value and _states(said, c.made.value))
            ]
    except SettingsError:
        return []
    kept: list[Candidate] = []
    for _ in range(TRIED):
        forms = [k.made.form for k in kept]
        left = [c for c in left if not any(_is_close(c, k) for k in kept)]
        if not left or len(kept) >= most or cancelled():
            break
        best = max(left, key=lambda c: (c.merit - AGAIN * forms.count(c.made.form), c.question))
        left.remove(best)
        if _is_answered(best, ask(best.question), said):
            kept.append(best)
    return [] if cancelled() else [k.question for k in kept]


def _topic(answer: Answer) -> frozenset[str]:
    """The stems of what was asked and quoted."""
    return stems_of(f"{answer.question} {' '.join(c.quote for c in answer.citations)}")


def _candidates(told: Told, topic: frozenset[str]) -> Iterator[Candidate]:
    for made in questions_of(told):
        stems = stems_of(made.question)
        merit = _MERITS[made.form] + len(topic & stems) / (1 + len(stems)) - 0.1 * told.far
        if made.form == "when":
            if told.is_fresh and not _is_telling(made.question.removeprefix("When")):
                continue
            merit += TO_COME if told.is_to_come else OF_THE_WEEK if told.is_fresh else 0
        yield Candidate(made, told, merit)


# --- to begin with ---------------------------------------------------------------------------------


def opening(
    view: View, articles: Sequence[SourceInfo], ask: Ask, cancelled: Callable[[], bool], most: int
) -> dict[str, str]:
    """A question by the source of each of `articles` that has a good one, of the first `most` that do:
    read without any other, and answered by the sentence it was made from. Earlier articles choose
    first, and later ones prefer another form.

    Once `cancelled` is true there are none; nor are there where the parser is not installed.
    """
    kept: dict[str, Candidate] = {}
    for info in articles:
        if len(kept) == most:
            break
        left: list[Candidate] = []
        with suppress(SettingsError):
            first = _first_sentences(view, info)
            topic = stems_of(" ".join([info.title, *(t.text for t in first[:1])]))
            for told in first:
                if cancelled():
                    return {}
                left += [c for c in _candidates(told, topic) if _is_opening(c.question, topic)]
        left = [c for c in left if not any(_is_close(c, k) for k in kept.values())]
        forms = [k.made.form for k in kept.values()]
        merits = {c: _opening_merit(c, forms) for c in left}
        answered: dict[Candidate, float] = {}
        for c in sorted(merits, key=lambda c: (-merits[c], c.question))[:OPENING_TRIED]:
            if cancelled():
                return {}
            reply = ask(c.question)
            if _is_answered(c, reply, ""):
                voices = len({cited.source for cited in reply.citations})
                answered[c] = merits[c] + reply.confidence + VOICES * min(voices - 1, MOST_VOICES)
        if answered:
            kept[info.source] = max(answered, key=lambda c: (answered[c], c.question))
    return {source: c.question for source, c in kept.items()}


def _first_sentences(view: View, info: SourceInfo) -> list[Told]:
    """The first OPENING_READ sentences of an article that questions may be made from."""
    stored = view.passages_of(info.source)[:PASSAGES]
    article = " ".join(s.passage.text for s in stored)
    told = (t for s in stored for t in _told(view, s, article, 0, [0], frozenset(), ""))
    fresh = {content_terms(t.text): t for t in told}
    # Nothing was asked before, so that "the dam" of the title is no known one either.
    return [replace(t, topic=frozenset()) for t in islice(fresh.values(), OPENING_READ)]


def _is_opening(question: str, topic: frozenset[str]) -> bool:
    """Whether it is on its article's matter, and can be read by who has not read the article."""
    fewest = 1 if _has_name(_OPENING.sub("", question)) else 2
    is_on_it = len(topic & stems_of(question)) >= fewest
    return is_on_it and not _KNOWN.search(question) and _is_fit(question, ())


_KNOWN = re.compile(
    r"\bthe (?=[a-z\d])(?!(?:\S+ ){1,3}of\b|\S+ (?:with|in|at|between|on|for|to) (?:the )?[A-Z])"
)
"""What only readers of the article know: "the controls", but not "the port of Lamarca"."""


def _opening_merit(candidate: Candidate, forms: Sequence[str]) -> float:
    again = AGAIN * forms.count(candidate.made.form)
    return candidate.merit - again - len(candidate.question) / LONGEST


class Openings:
    """The questions to begin with for the state of an index: made once for each, away from who asks
    for them. Safe to share between threads.

    `make` gives them, by source, for the index as it is; once the function it is given is true, it may
    stop.
    """

    def __init__(self, make: Callable[[Callable[[], bool]], dict[str, str]]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._making = threading.Lock()
        self._closed = threading.Event()
        self._made: tuple[int, dict[str, str]] | None = None
        self._thread: threading.Thread | None = None

    def known(self, generation: int) -> dict[str, str]:
        """At once: those of this state of the index; until they are made, none."""
        with self._lock:
            if self._made and self._made[0] == generation:
                return self._made[1]
            is_idle = self._thread is None or not self._thread.is_alive()
            if is_idle and not self._closed.is_set():
                self._thread = threading.Thread(target=self.make, args=(generation,), daemon=True)
                self._thread.start()
        return {}

    def make(self, generation: int) -> None:
        """Makes those of this state of the index, unless they are made; an index that cannot be read
        has none."""
        with self._making:
            if self._closed.is_set() or (self._made and self._made[0] == generation):
                return
            made: dict[str, str] = {}
            with suppress(DatelineError):
                made = self._make(self._closed.is_set)
            self._made = generation, made

    def close(self) -> None:
        """Makes no more; waits for what is being made to stop, at its next question."""
        self._closed.set()
        with self._making:
            pass


# --- the sentences to make them from ---------------------------------------------------------------


def unquoted(view: View, answer: Answer) -> list[Told]:
    """At most READ sentences that questions may be made from, nearest to the answer first: of the
    articles that it cites, or names as the closest, and of others it was chosen from on the same matter."""
    shown = answer.citations or answer.closest
    searched = {(p.source, p.start): n for n, p in enumerate(answer.passages)}
    sources = _on_the_matter(
        view,
        list(dict.fromkeys([*(c.source for c in shown), *(p.source for p in answer.passages)])),
    )
    topic = _topic(answer)
    told: list[Told] = []
    for rank, source in enumerate(sources):
        starts = [c.start for c in shown if c.source == source]
        starts = starts or [p.start for p in answer.passages if p.source == source]
        stored = sorted(
            view.passages_of(source), key=lambda s: min(abs(s.passage.start - at) for at in starts)
        )[:PASSAGES]
        article = " ".join(s.passage.text for s in stored)
        for s in stored:
            behind = searched.get((source, s.passage.start), len(searched)) / (1 + len(searched))
            told += _told(view, s, article, rank + behind, starts, topic, answer.question)
    if not answer.citations:
        told = _on_it(view, answer.question, told)
    quoted = [c.quote for c in answer.citations]
    fresh: dict[tuple[str, ...], Told] = {}
    for t in sorted(told, key=lambda t: (t.far, t.source, t.place.start)):
        if len(fresh) == READ:
            break
        if not any(is_same(t.text, quote) for quote in quoted):
            fresh.setdefault(content_terms(t.text), t)
    return list(fresh.values())


def _on_it(view: View, question: str, told: Sequence[Told]) -> list[Told]:
    """The sentences that have enough of the words that tell what a question is about."""
    asked = understand(question)
    weights = {term: view.rarity(term) for term in asked.terms}
    return [t for t in told if coverage(asked, stems_of(t.text), weights) >= ON_IT]


def _on_the_matter(view: View, sources: Sequence[str]) -> list[str]:
    """The first source, and those after it that are about the same."""
    if not sources:
        return []
    alike = view.likeness(sources[0], sources[1:])
    return [s for s in sources if alike.get(s, s == sources[0]) >= SAME_MATTER][:SOURCES]


def _told(
    view: View,
    stored: StoredPassage,
    article: str,
    far: float,
    starts: Sequence[int],
    topic: frozenset[str],
    asked: str,
) -> Iterator[Told]:
    passage, published = stored.passage, stored.info.published
    times = view.times_between(passage.source, passage.start, passage.end)
    named = stems_of(stored.info.title) | stems_of(asked)
    for whole in passage.sentences:
        start = whole.start - passage.start
        place, raw = quotable(whole, passage.text[start : start + whole.end - whole.start])
        text = " ".join(raw.split())
        if not _PLAIN.fullmatch(text) or LEANS.match(text) or _PERSONAL.search(text):
            continue
        if not FEWEST_WORDS <= len(text.split()) <= MOST_WORDS:
            continue
        own = tuple(t for t in times if place.start <= t.start and t.end <= place.end)
        ahead = [(t.last - published).days for t in own if t.last and published]
        is_to_come, is_fresh = any(d > 0 for d in ahead), any(-8 < d <= 0 for d in ahead)
        away = min(abs(place.start - at) for at in starts)
        near = len(topic & stems_of(text)) / (1 + len(topic))
        distance = far + min(away / 1000, 3) - 3 * near - is_to_come
        yield Told(passage.source, place, text, own, article, named, is_to_come, is_fresh, distance)


# Prose: no markup, no address, nothing that is not seen.
_PLAIN = re.compile(
    r"[A-Z“\"$€£](?:[^\W_]|[ .,;:'’‘\"“”$€£¥%&()–—-])*[^\W_](?:[%)]|['’]s)?[.”\"]{1,2}"
)
_PERSONAL = re.compile(r"\b(?:I|me|my|mine|we|us(?![A-Z])|our|you|your)\b")
_ADDRESS = re.compile(r"\w{2}\.\w{2}|\bwww\b", re.IGNORECASE)
_NOT_ALONE = re.compile(
    r"\b(?:it|its|itself|he|him|his|she|her|hers|they|them|their|themselves|this|that|these|those|there|here|such|both|"
    r"others?|another|former|latter|same|ones?|then|today|yesterday|tomorrow|ago|now|earlier|later|"
    r"the (?:two|three|four|five) \w+|meanwhile|separately|also|already|however|too|who|whom|which|whose|where|when|respectively)\b",
    re.IGNORECASE,
)
"""What points to other words of its article, or to its day; in a conversation, to what was said there."""


# --- whether a question will do --------------------------------------------------------------------


def _is_fit(question: str, earlier: Sequence[str]) -> bool:
    """Whether the question can be read by itself, and was not asked before."""
    rest = _OPENING.sub("", question)
    if len(question) > LONGEST or _NOT_ALONE.search(rest) or _ADDRESS.search(question):
        return False
    if not _QUESTION.fullmatch(question) or max(map(len, question.split())) > LONGEST_WORD:
        return False
    terms = content_terms(rest)
    fewest = 4 if question.startswith("How many") else 3
    if len(terms) < 2 or not (_has_name(rest) or len(terms) >= fewest):
        return False
    own = stems_of(question)
    return not any(len(own & stems_of(asked)) >= ALIKE * len(own) for asked in earlier)


_OPENING = re.compile(r"(?:When|Who|Why|How (?:many|much|long)|By what percentage|What)\b")
_QUESTION = re.compile(r"[A-Z](?:[^\W_]|[ .,'’$€£¥%&-])*\?")


def _is_telling(text: str) -> bool:
    """Whether a day of this week may be asked for: not when "a review" was opened."""
    return _has_name(text) and len(content_terms(text)) >= 4


def _has_name(text: str) -> bool:
    return re.search(r"\b[A-Z]", text) is not None


def _overlap(a: str, b: str) -> float:
    one, two = stems_of(a), stems_of(b)
    return len(one & two) / max(1, min(len(one), len(two)))


def _is_close(a: Candidate, b: Candidate) -> bool:
    return a.told == b.told or _overlap(a.question, b.question) >= ALIKE


def _states(text: str, value: str) -> bool:
    found = re.search(rf"(?<![\w.]){re.escape(value)}(?![\w]|[.,]\d)", text, re.IGNORECASE)
    return found is not None


def _is_answered(candidate: Candidate, reply: Answer, said: str) -> bool:
    """Whether the reply rests first of all on the sentence that the question was made from, or on one
    that says the same, and that has not been said."""
    if reply.status is not Status.ANSWERED or not reply.citations:
        return False
    if reply.confidence < calibration().threshold + MARGIN:
        return False
    told, made, first = candidate.told, candidate.made, reply.citations[0]
    if first.quote in said or not (_stands_in(told, first) or is_same(first.quote, told.text)):
        return False
    if made.form == "when":
        return bool(reply.dates) and reply.dates[0].phrase.casefold() == made.value.casefold()
    return not made.value or any(_states(bold, made.value) for bold in _BOLD.findall(reply.text))


_BOLD = re.compile(r"\*\*(.+?)\*\*")


def _stands_in(told: Told, c: Citation) -> bool:
    return c.source == told.source and c.start < told.place.end and told.place.start < c.end
