"""What a question asks for: the kind of answer, the terms that must be supported, its limits.

No model: word lists and patterns for English questions, as in answer typing for factoid question
answering (Li and Roth 2002, "Learning question classifiers").
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from indexing.clean import searchable


class Wanted(StrEnum):
    """The kind of answer a question asks for."""

    DATE = "date"
    DURATION = "duration"
    AMOUNT = "amount"
    COUNT = "count"
    SHARE = "share"
    PERSON = "person"
    PLACE = "place"
    YES_NO = "yes/no"
    REASON = "reason"
    LIST = "list"
    COMPARISON = "comparison"
    DESCRIPTION = "description"


@dataclass(frozen=True, slots=True)
class Question:
    """A question made whole.

    `text` stands on its own: a follow-up is completed from the history, and abbreviations may be
    spelled out at its end. `terms` are the words that evidence must support, lower case, in order,
    each once: its content words without those that only name the kind of answer. `also` gives, for a
    term, other words that mean it. `is_topic`: it asks nothing, but names a subject.
    """

    text: str
    wanted: Wanted
    terms: tuple[str, ...]
    also: tuple[tuple[str, frozenset[str]], ...] = ()
    is_topic: bool = False

    @property
    def asks_deadline(self) -> bool:
        """Whether it asks for a time by which something is to happen."""
        return self.wanted is Wanted.DATE and bool(_DEADLINE.search(self.text))

    @property
    def stems(self) -> frozenset[str]:
        """The common forms of `terms` and of what else means them, to compare with a text's."""
        own = frozenset(stem(term) for term in self.terms)
        return own.union(*(other for _, other in self.also))

    def is_supported(self, term: str, stems: Collection[str]) -> bool:
        """Whether a text with these word stems has `term`, or all words that mean it."""
        return stem(term) in stems or any(
            own == term and all(word in stems for word in other) for own, other in self.also
        )


_PATTERNS: tuple[tuple[Wanted, str], ...] = (
    (Wanted.COMPARISON, r"\b(?:compare|comparison|differ(?:s|ence|ences)?|versus|vs\.?|contrast)\b"),
    (Wanted.DURATION, r"\bhow long\b|\bfor how (?:many|much) (?:days|weeks|months|years|time)\b"),
    (
        Wanted.DATE,
        r"\bwhen\b|\b(?:what|which|whats|what's) (?:is |was |are |were )?(?:the )?(?:[\w-]+ ){0,3}?"
        r"(?:date|day|deadline|month|year|due date|time ?(?:limit|line|frame))\b|\bdeadlines?\b|"
        r"\bdue (?:date|by|on)\b|\bby when\b|\bhow (?:soon|recently|old)\b|\bexpir(?:e|es|y|ation)\b",
    ),
    (Wanted.SHARE, r"\b(?:what|which) (?:share|percentage|percent|proportion|fraction)\b|\bhow much of\b"),
    (
        Wanted.AMOUNT,
        r"\bhow much\b|\b(?:what|which) (?:is |was )?(?:the )?(?:amount|cost|price|value|size|budget|sum|total)\b|"
        r"\bhow (?:big|large|high|expensive|tall|far|deep|heavy|fast)\b",
    ),
    (Wanted.COUNT, r"\bhow many\b|\b(?:what|which) (?:is |was )?the number of\b"),
    (Wanted.PERSON, r"\bwho(?:m|se)?\b|\bwhich (?:person|official|minister|president|senator|author)\b"),
    (Wanted.PLACE, r"\bwhere\b|\b(?:what|which) (?:city|country|state|place|location|town|region)\b"),
    (Wanted.REASON, r"\bwhy\b|\bwhat (?:is|was|are|were) the (?:reason|cause|purpose|aim|goal)s?\b"),
    (Wanted.LIST, r"\b(?:list|name|enumerate)\b|\b(?:what|which) (?:are|were) (?:the|all|some)\b|\bwhich \w+s\b"),
    (
        Wanted.YES_NO,
        r"^\W*(?:(?:and|but|so|or) )?(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should|must|may)\b",
    ),
)  # fmt: skip
_COMPILED = tuple((wanted, re.compile(pattern, re.IGNORECASE)) for wanted, pattern in _PATTERNS)

STOPWORDS = frozenset(
    """a about according after again all also am an and any anything are aren't as at be because been before
    being between both but by can cannot could did didn't do does doesn't doing don't down during each else
    ever every few for from further get gets give given gives had has have having he her here hers herself
    him himself his how however i if in into is isn't it it's its itself just let me more most much must my
    myself no nor not of off on once one only or other our ours ourselves out over own please said same say
    says she should so some such tell than that that's the their theirs them themselves then there there's
    these they thing this those through to too under until up upon us very was wasn't we were what what's
    when where which while who whom whose why will with within without would you your yours yourself
    many exactly anyone someone explain describe know article articles source sources""".split()
)
_DEADLINE = re.compile(
    r"\b(?:deadlines?|due|by when|by what|expir\w+|time ?(?:limit|frame|line)|how soon)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+(?:[.'’&-][^\W_]+)*")
_DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")
_POINTS_BACK = re.compile(
    r"\b(?:it|its|they|them|their|he|him|his|she|her|that|this|those|these|the same|there|then|one)\b",
    re.IGNORECASE,
)
_CONTINUES = re.compile(
    r"^\W*(?:and|but|so|or|also|what about|how about|what else|why|when|where|who)\b",
    re.IGNORECASE,
)


def words(text: str) -> list[str]:
    """The words of a text, lower case, possessive endings dropped, in order."""
    found = (match.group().casefold().replace("’", "'") for match in _WORD.finditer(text))
    return [_undotted(word.removesuffix("'s")) for word in found]


def _undotted(word: str) -> str:
    """ "u.k" as "uk"; other words as they are."""
    return word.replace(".", "") if _DOTTED.fullmatch(word) else word


def stem(word: str) -> str:
    """A crude common form of a word: enough to count overlap, never shown."""
    word = word.casefold()
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and not word.endswith("ss") and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def content_terms(text: str) -> tuple[str, ...]:
    """The words that carry meaning, lower case, each once, in order."""
    return tuple(dict.fromkeys(word for word in words(text) if word not in STOPWORDS))


def understand(question: str, history: Sequence[tuple[str, str]] = ()) -> Question:
    """Reads a question; `history` holds earlier (question, answer) turns, oldest first."""
    own = searchable(question)
    text = _made_whole(own, history)
    wanted = next((w for w, pattern in _COMPILED if pattern.search(own)), None)
    if wanted is None and text != own:
        wanted = next((w for w, pattern in _COMPILED if pattern.search(text)), None)
    terms = content_terms(text)
    if wanted is None:
        is_topic = text == own and not _ASKS.search(own)
        return Question(text, Wanted.DESCRIPTION, terms, is_topic=is_topic)
    return Question(text, wanted, tuple(t for t in terms if t not in _KIND_WORDS) or terms)


_ASKS = re.compile(
    r"\?|\b(?:what|whats|which|who|whom|whose|when|where|why|how|is|are|was|were|do|does|did|has|have|had|can|"
    r"could|will|would|should|tell|explain|describe|summari[sz]e|give|show|list)\b",
    re.IGNORECASE,
)


_KIND_WORDS = frozenset(
    """deadline deadlines date dates day month year time due when amount cost price number share percentage
    percent proportion reason list name names person place much big large long soon happen happened
    happening mean means difference differ agree compare comparison""".split()
)
"""Words that say what kind of answer is wanted, and need not stand in it."""


def _made_whole(question: str, history: Sequence[tuple[str, str]]) -> str:
    """A follow-up with the question it follows set before it; any other question as it is."""
    if not history:
        return question
    terms = content_terms(question)
    leans_back = bool(_POINTS_BACK.search(question)) and len(terms) <= 6
    continues = bool(_CONTINUES.search(question)) and len(terms) <= 2
    if not (leans_back or continues or not terms):
        return question
    return f"{_made_whole(history[-1][0], history[:-1])} {question}"


_SMALL_WORDS = frozenset("of the and for on in to a an at by with &".split())
_CAPITALS = re.compile(r"\b[A-Z][A-Z&]{1,6}s?\b")


def spelled_out(question: Question, texts: Iterable[str]) -> Question:
    """The question with its abbreviations spelled out, and its long names abbreviated, as in `texts`.

    "What is the MOU deadline?" gains "memorandum of understanding" where that stands in a text, for
    a cross-encoder and a full-text index know only words they can see.
    """
    own = [match.group() for match in _WORD.finditer(question.text)]
    short = [
        w for w in own if w.casefold() not in STOPWORDS and (_CAPITALS.fullmatch(w) or len(w) == 3)
    ]
    folded = question.text.casefold()
    added: dict[str, str] = {}
    for text in texts:
        tokens = [match.group() for match in _WORD.finditer(text)]
        for abbreviation in short:
            phrase = _phrase_for(abbreviation.removesuffix("s"), tokens)
            if phrase and phrase.casefold() not in folded:
                added.setdefault(abbreviation, phrase)
        for capitals in set(_CAPITALS.findall(text)):
            if capitals.casefold() not in folded and len(capitals) >= 3:
                phrase = _phrase_for(capitals, own)
                if phrase:
                    added.setdefault(phrase, capitals)
    if not added:
        return question
    also = tuple(
        (term, frozenset(stem(word) for word in content_terms(meaning)))
        for said, meaning in added.items()
        for term in content_terms(said)
    )
    spelled = ", ".join(dict.fromkeys(added.values()))
    return replace(question, text=f"{question.text} ({spelled})", also=also)


def _phrase_for(abbreviation: str, tokens: Sequence[str]) -> str | None:
    """The first run of words whose initials spell `abbreviation`; small words may be passed over."""
    letters = abbreviation.casefold().replace("&", "")
    for i, token in enumerate(tokens):
        if token[0].casefold() != letters[0] or token.casefold() in _SMALL_WORDS or len(token) < 3:
            continue
        at, j = 1, i + 1
        while at < len(letters) and j < len(tokens):
            word = tokens[j].casefold()
            if word[0] == letters[at] and len(word) > 1:
                at += 1
            elif word not in _SMALL_WORDS:
                break
            j += 1
        if at == len(letters) and j - i >= 2:
            return " ".join(tokens[i:j])
    return None
