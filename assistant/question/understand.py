"""What a question asks for: the kind of answer, the terms that must be supported, its limits.

No model: word lists and patterns for English questions, as in answer typing for factoid question
answering (Li and Roth 2002, "Learning question classifiers").
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

from assistant.language.places import COUNTRIES, PEOPLES, seats_of
from assistant.language.words import WORD, content_terms, is_slip, stem, words
from assistant.question.kind import kind_of
from assistant.question.question import Question, Wanted
from indexing.reading.clean import searchable


def is_telling(term: str) -> bool:
    """Whether a word names a matter, so that its absence from the articles says something."""
    return (
        len(term) > 3 and term not in _KIND_WORDS and term not in _EMPTY and not term.endswith("ly")
    )


_EMPTY = frozenset(
    """already ever still soon later going does doing done make makes made take takes took thing things stuff
    want wants need needs like tell exact actual currently today yesterday tomorrow week month passed settled
    anybody someone everyone people""".split()
)


def understand(text: str) -> Question:
    """Reads a question that stands on its own (see `turns.read` for follow-ups)."""
    text = _HEARSAY.sub(lambda m: m["said"], text, count=1)
    text = _STATUS.sub(lambda m: f"When is {m['what'] or m['other']}?", searchable(text), count=1)
    wanted, head = kind_of(text)
    if wanted is None and (righted := _kind_righted(text)):
        (wanted, head), text = kind_of(righted), righted
    about = _ABOUT.match(text) if wanted in (None, Wanted.LIST) else None
    subject = text[about.end() :].strip(" ?!.") if about else ""
    if content_terms(subject) and kind_of(subject)[0] is None:
        return _question(subject, Wanted.DESCRIPTION, is_topic=True)
    if wanted is Wanted.COMPARISON:
        stripped = _COMPARED.sub(" ", text).strip(" ?!.,")
        return _question(stripped if content_terms(stripped) else text, wanted, is_topic=True)
    if wanted is None:
        return _question(text, Wanted.DESCRIPTION, is_topic=not _ASKS.search(text))
    return _question(text, wanted, head)


def _kind_righted(text: str) -> str | None:
    """The text with a misspelt word that says what kind of answer is wanted put right, where that
    makes it say so."""
    for match in WORD.finditer(text):
        word = match.group().casefold()
        meant = next((k for k in _KINDS_SPELLED if is_slip(word, k)), None)
        if meant:
            righted = text[: match.start()] + meant + text[match.end() :]
            if kind_of(righted)[0] is not None:
                return righted
    return None


_KINDS_SPELLED = (
    "deadline deadlines timetable percentage proportion country countries company companies number"
    " minister reason purpose compare difference between where which"
).split()


def _question(text: str, wanted: Wanted, head: str = "", is_topic: bool = False) -> Question:
    terms = content_terms(text)
    named = _named(text, is_topic)
    if wanted is not Wanted.DESCRIPTION:
        asked = {word for word in words(head) if word not in named}
        asked -= set(words(text.replace(head, " ", 1)))  # said again, it is more than the kind
        terms = tuple(t for t in terms if t not in _KIND_WORDS and t not in asked) or terms
    also = tuple((t, frozenset([stem(PEOPLES[t])])) for t in terms if t in PEOPLES)
    also += tuple((t, frozenset([stem(p)])) for p, t in PEOPLES.items() if t in terms)
    also += tuple((t, frozenset([stem(m)])) for t, meant in seats_of(text, terms) for m in meant)
    return Question(text, wanted, terms, tuple(t for t in terms if t in named), also, is_topic)


def without(question: Question, words: Collection[str]) -> Question:
    """The question with these words, and those that speak of reporting, no longer to be supported."""
    dropped = {*words, *_REPORTING}
    terms = tuple(t for t in question.terms if t not in dropped) or question.terms
    return replace(question, terms=terms, names=tuple(t for t in question.names if t in terms))


_REPORTING = frozenset(
    "reported report reports coverage published news story stories dated written paper outlet".split()
)


def _named(text: str, is_topic: bool) -> frozenset[str]:
    """The words of a text that are written as names or numbers; the capital that begins a question
    is none."""
    if text.isupper() or text.istitle():
        text = text.lower()
    found = list(WORD.finditer(text))
    return frozenset(
        word
        for n, m in enumerate(found)
        if (m.group()[0].isdigit() and len(m.group()) > 1)
        or (m.group()[0].isupper() and (is_topic or (n and text[m.start() - 2] not in ".?!:")))
        or m.group().casefold() in COUNTRIES  # whoever types fast leaves the capital out
        for word in words(m.group())
    )


_ABOUT = re.compile(
    r"^\W*(?:(?:please|can you|could you|would you|i (?:want|need|would like)|i'd like)\s+(?:to (?:know|hear|read)\s+)?)*"
    r"(?:(?:briefly )?summari[sz]e|sum up|recap|(?:give|get|show) me (?:a |an |the )?(?:short |brief |quick )?"
    r"(?:summary|overview|recap|rundown|details?|news|latest|information|info)(?: (?:of|on|about|from))?|"
    r"(?:a |an )?(?:summary|overview) of|tell me (?:something |more |all |everything )?about|(?:information|info|details|news|background) (?:on|about)|"
    r"what (?:do|does|did) (?:you|we|the (?:articles?|sources?|reports?)) (?:know|say|report|have)(?: about| on)|"
    r"what (?:is|was|has been) (?:said|reported|known|written) (?:about|on)|explain|describe|"
    r"(?:what(?:'s| is|s) (?:the )?(?:new|latest|news)|(?:any|the|latest) (?:news|updates?|developments?)|latest)(?: (?:in|on|with|about|from|regarding))?|"
    r"what about|how about)\s+",
    re.IGNORECASE,
)
"""Asks for all there is on a subject, which is what comes after."""

_STATUS = re.compile(
    r"^\W*(?:(?:and|but|so)\s+)?(?:(?:has|have|is|are|was|were|did|does|do)\s+(?P<what>(?:the|its|their|that|this|an?)\s[^?]*?"
    r"(?:deadline|window|time limit|cut-?off|expiry|due date|period)\b(?:\s+(?:for|with|of|to|on|between)\s[^?]*?)?)\s+(?:already\s+|yet\s+|now\s+|not\s+)*(?:passed|pass|expired?|expire|"
    r"lapsed|over|up|run out|ran out|gone|still (?:open|running|ahead)|behind us|missed|been missed)\b[^?]*|"
    r"(?:is|are|was|were)\s+(?P<other>(?:the|its|their|that|this|an?)\s[^?]*?)\s+(?:still (?:ahead|to come|upcoming)|already (?:behind|over|past)|"
    r"coming up|over yet|in the (?:past|future)|overdue)\b[^?]*)\?*\s*$",
    re.IGNORECASE,
)
"""Whether a time has passed: what is asked for is that time, which the answer sets against today."""

_HEARSAY = re.compile(
    r"^\W*(?:(?:someone|somebody|people|they|a \w+|my \w+)\s+(?:told me|says?|said|claims?)|i (?:heard|read|was told)|apparently)\s+(?:that\s+)?"
    r"(?P<said>.+?)[\s,;-]+(?:is|was) (?:that|this|it) (?:right|true|correct|so)\b[\s?]*$",
    re.IGNORECASE,
)

_COMPARED = re.compile(
    r"\b(?:please )?(?:compare|contrast)(?: and contrast)?(?: (?:what )?(?:all )?(?:the |these |those )?(?:five |different |various )?(?:articles|sources|reports|papers|outlets)"
    r"(?: say)?)?(?: (?:on|about|regarding|with regard to))?|"
    r"\b(?:how|where|do|does|did|in what way)? ?(?:do |does |did )?(?:all )?(?:the |these |those |both |different )?(?:articles|sources|reports|papers|outlets) "
    r"(?:agree|disagree|differ|conflict|contradict)(?: (?:on|about|in|over|regarding|with regard to|each other))?|"
    r"\bwhat (?:is|are) the differences? between\b|\bdifferences? between\b|\bcompared? (?:to|with)\b",
    re.IGNORECASE,
)

_ASKS = re.compile(
    r"\?|\b(?:what|whats|which|who|whom|whose|when|where|why|how|is|are|was|were|do|does|did|has|have|had|can|"
    r"could|will|would|should|tell|explain|describe|summari[sz]e|give|show|list)\b",
    re.IGNORECASE,
)

_KIND_WORDS = frozenset(
    """deadline deadlines date dates day month year time due when amount cost price number share percentage
    percent proportion reason list name names person place much big large worth long soon high expensive far old many amounts total value size call called stand stands happen happened
    happening mean means supposed told take takes took taken place come comes came difference differ agree compare comparison""".split()
)
"""Words that say what kind of answer is wanted, and need not stand in it."""
