"""One turn of a conversation: a follow-up made whole, a question of several parts taken apart.

No model: a follow-up leans on the turn before it by a pronoun, an ellipsis ("And for Mexico?") or
a connective, and is completed from its words; the conversation itself is never quoted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from assistant.language.words import NAME_WORD, STOPWORDS, content_terms, words

MOST_PARTS = 4
_WH = r"(?:what|which|who|whom|whose|when|where|why|how)"
_AUX = (
    r"(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should|must|may)(?:n['’]t)?"
)

# --- follow-ups ------------------------------------------------------------------------------

_PERSONAL = re.compile(r"\b(?:he|him|she|his|her)\b", re.IGNORECASE)
_PLURAL = re.compile(r"\b(?:they|them|their|both|these|those)\b", re.IGNORECASE)
_NEUTRAL = re.compile(r"\b(?:it|its|that|this|the same)\b", re.IGNORECASE)
_POINTS_BACK = re.compile(
    r"\b(?:it|its|they|them|their|he|him|his|she|her|both|those|these|the same|then|ones?)\b"
    r"|\b(?:that|this)\b(?!\s+(?:the|a|an|[a-z]+s)\b)",
    re.IGNORECASE,
)
_SWAPS = re.compile(
    r"^\W*(?:(?:and|but|so|or|ok(?:ay)?|then)[\s,]+)*(?:what|how) about\s+(?P<new>.+?)\W*$|"
    r"^\W*(?:(?:and|but|or)[\s,]+)(?P<lead>(?:for|in|with|by|to|from|of|on|at|under)\s+)?(?P<bare>(?!" + _WH + r"\b|" + _AUX +
    r"\b)[\w.’'&$%-]+(?:\s+[\w.’'&$%-]+){0,4})\W*$|"
    r"^\W*(?P<also>(?:for|in|with)\s+[\w.’'&-]+(?:\s+[\w.’'&-]+){0,3})\W*$",
    re.IGNORECASE,
)  # fmt: skip
_CONTINUES = re.compile(r"^\W*(?:and|but|so|or|also)\b", re.IGNORECASE)
_NAME = re.compile(rf"{NAME_WORD}(?:\s+(?:(?:of|the|and|for|on|de)\s+)?{NAME_WORD})*")
_OPENING = re.compile(
    rf"^\W*(?:(?:and|but|so|please|tell me|do you know)[\s,]+)*"
    rf"(?P<asks>(?:(?:by|on|in|until|since|at|from|to|for)\s+)?{_WH}(?:\s+(?:much|many|long|soon|big|large|far|often))?)?"
    rf"(?P<rest>(?:\s*\b(?!{_AUX}\b)\w+){{0,3}}?\s*\b(?P<aux>{_AUX})\s+(?:there\s+)?|\s+\w+\s+|)",
    re.IGNORECASE,
)
# Where the subject of a question with "is" or "was" ends: at what is said of it.
_PREDICATE = re.compile(
    r"\s+(?:due|worth|made|held|built|sold|won|lost|written|taken|given|set|paid|about|at|by|from|into|to|in|on|when|"
    r"that|which|who|and|\w{3,}ed)\b.*\Z",
    re.IGNORECASE | re.DOTALL,
)
_DETERMINER = re.compile(
    r"\b(?:the|a|an|its|their|his|her|this|that|these|those)\s+", re.IGNORECASE
)
_PREPOSITION = re.compile(
    r"\s+(?:about|at|by|from|into|to|in|on|with|for|over|under|after|before|during|since|until)\b",
    re.IGNORECASE,
)
TURNS = 4
"""Turns of the conversation that are looked back on."""
LONGEST_TURN = 600


def made_whole(question: str, history: Sequence[tuple[str, str]]) -> str:
    """A follow-up completed from the turns before it, oldest first; any other question as it is."""
    if not history:
        return question
    history = [(" ".join(q[:LONGEST_TURN].split()), a) for q, a in history[-TURNS:]]
    asked, answer = history[-1]
    before = made_whole(asked, history[:-1])
    if swapped := _swapped(question, before):
        return swapped
    terms = content_terms(question)
    leans_back = bool(_POINTS_BACK.search(question)) and len(terms) <= 8
    continues = bool(_CONTINUES.search(question)) and len(terms) <= 2
    if not (leans_back or continues or not terms):
        return question
    subject = _subject(question, before, answer)
    if not subject:
        return f"{before} {question}"
    for pattern in (_PERSONAL, _PLURAL, _NEUTRAL):
        if m := pattern.search(question):
            owned = m.group().casefold() in ("his", "her", "its", "their")
            mark = "" if not owned else "’" if subject.endswith("s") else "’s"
            return f"{question[: m.start()]}{subject}{mark}{question[m.end() :]}"
    bare = question.strip(" ?!.")
    opening = _OPENING.match(before)
    if (
        not terms
        and opening
        and opening["asks"]
        and re.fullmatch(rf"(?:and\s+)?{_WH}(?:\s+\w+)?", bare, re.I)
    ):
        return f"{bare[:1].upper()}{bare[1:]}{before[opening.end('asks') :]}"  # "Why?"
    return f"{bare} {subject}?" if terms else f"{before} {question}"


def _swapped(question: str, before: str) -> str | None:
    """ "And for Mexico?" after "When is the EU plan due?": "When is the Mexico plan due?"."""
    m = _SWAPS.match(question)
    if m is None:
        return None
    new = _new(m)
    bare = re.sub(r"^(?:for|in|with|by|to|from|of|on|at|under|the)\s+", "", new, flags=re.I)
    if not content_terms(bare) or re.match(rf"{_WH}\b", bare, re.I):
        return None
    is_name = bare[:1].isupper() or bare.casefold() in _PLACE_LIKE
    subject = _subject("it", before, "")
    if re.match(r"the\s", new, re.I) and subject and subject in before:
        if is_name:  # "and the Japan plan?"
            return before.replace(subject, new, 1)
        return f"What about {new} of {subject}?"
    names = [n for n in _names(before) if n.casefold() not in bare.casefold()]
    if is_name and names:
        head, _, tail = before.rpartition(names[-1])
        head = re.sub(r"\b(with|to|by|from|of|in|for)\s+the\s+\Z", r"\1 ", head)
        return f"{head}{bare}{tail}"
    return f"{before.rstrip(' ?!.')} {new}?"


def _new(m: re.Match[str]) -> str:
    return (m["new"] or f"{m['lead'] or ''}{m['bare'] or ''}" or m["also"] or "").strip(" ?!.")


_PLACE_LIKE = frozenset(
    """mexico japan china canada brazil india germany france russia ukraine europe britain england brussels
    washington tokyo beijing london paris berlin australia eu uk us usa""".split()
)
"""Names that hurried people write small."""


def _names(text: str) -> list[str]:
    """The names in a question, without a capital that only begins it."""
    found = []
    for m in _NAME.finditer(text):
        parts = m.group().split()
        while parts and (parts[0].casefold().strip("’'s") in STOPWORDS or m.start() == 0):
            if parts[0].casefold() not in STOPWORDS:
                break
            del parts[0]
        if parts:
            found.append(" ".join(parts))
    return found


_ASKS_WHAT = re.compile(
    r"^\W*(?:(?:and|but|so)\s+)?(?:what|which|who|where)\b(?!\s+(?:does|do|did)\s+[^?]*\b(?:say|mean)\b)",
    re.IGNORECASE,
)
SHORT_ANSWER = 14
"""Words of an answer that is but the thing asked for."""


def _answered_with(before: str, answer: str) -> str:
    """The thing that the last answer named, where its question asked for one: "it" means that."""
    if not _ASKS_WHAT.match(before):
        return ""
    bold = re.search(r"\*\*([^*]{2,80})\*\*", answer)
    plain = re.sub(r"\*\*|\[\d+\]", "", answer).strip()
    said = plain.rstrip(" .!") if len(plain.split()) <= SHORT_ANSWER else bold[1] if bold else ""
    said = re.split(r"(?<=[a-z])\.\s|;|,\s(?=[A-Z][\w.]*\d|H\.R)", said)[0]
    if re.search(r"\b(?:is|are|was|were|has|have|had|will|said|says)\b", said):
        return ""  # a sentence, not a name
    named = re.match(r"(?:the|an?)\s+\w|[A-Z][\w.’'&-]+\s+[\w’'&-]+", said, re.IGNORECASE)
    return (
        said
        if named and re.search(r"[A-Z]", said) and not re.match(r"\W*\d|by\s|within\s", said, re.I)
        else ""
    )


def _subject(question: str, before: str, answer: str) -> str:
    """What a pronoun of the question stands for: a person or thing that the last answer named, or
    the matter asked of."""
    if _PERSONAL.search(question):
        people = [n for n in _names(before) if " " in n] or [
            n for n in _names(re.sub(r"\*\*|\[\d+\]", "", answer)) if " " in n
        ]
        if people:
            return people[0]
    if said := _answered_with(before, answer):
        return said
    opening = _OPENING.match(before)
    rest = before[opening.end() if opening else 0 :].strip(" ?!.")
    aux = (opening["aux"] or "").casefold() if opening else ""
    if aux in ("is", "are", "was", "were", ""):
        return _PREDICATE.sub("", rest) or rest
    # After "does", "will", "has": the subject, its verb, and perhaps an object, which "it" then means.
    found = [m for m in _DETERMINER.finditer(rest) if m.start() > 0]
    if found and not _PREPOSITION.search(rest[: found[0].start()]):
        return _PREPOSITION.split(rest[found[0].start() :], maxsplit=1)[0]
    phrase = _PREPOSITION.split(rest, maxsplit=1)[0].split()
    return " ".join(phrase[:-1] if len(phrase) > 1 else phrase)


# --- questions of several parts ----------------------------------------------------------------

_NEXT_QUESTION = re.compile(
    rf",?\s+(?:and|but|or|plus)(?:\s+also)?\s+(?=(?:(?:by|on|in|until|since|at|from|to|for)\s+)?{_WH}\s+\w|"
    rf"{_AUX}\s+(?:the|it|they|there|he|she|a|an|this|that|these|any|[A-Z]))",
)
_WHILE = re.compile(r",?\s+(?:while|whereas)\s+", re.IGNORECASE)
_SOURCE_NOUN = re.compile(
    r"\b(?:articles?|reports?|story|stories|piece|coverage|according to|as reported by|reported by|mentioned (?:in|by))\b",
    re.IGNORECASE,
)
_NEXT_SOURCE = re.compile(
    r",?\s+(?:and(?:\s+also)?|versus|than)\s+(?=(?:does\s+|did\s+)?(?:the|an?|another|one)\b)|,\s+(?=did\b|does\b|was\b|has\b|is\b|which\b|who\b|what\b)",
    re.IGNORECASE,
)
_ALSO_IS = re.compile(
    r",\s+(?:and\s+)?(?:who\s+|which\s+|that\s+)?(?:also\s+)?(?=(?:is|was|were|are|has|had|have|did|allegedly|known|accused|reported)\b)",
    re.IGNORECASE,
)
_LONG = 18
"""Words from which a question that describes one thing by several is taken apart."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The questions within a question, each standing on its own; `joint` ones are clauses of one,
    which only together describe what is asked for."""

    texts: tuple[str, ...]
    joint: bool = False
    focus: str = ""
    """What a follow-up puts in the place of something else: an answer must be about it."""


def read(question: str, history: Sequence[tuple[str, str]] = ()) -> Parts:
    """A question completed from `history` (turns oldest first) and taken apart."""
    question = _without_preamble(" ".join(question.split()))
    asked = [s.strip() for s in re.findall(r"[^?]+\?+|[^?]+$", question) if content_terms(s)]
    if len(asked) < 2 or not all(map(_is_question, asked)):
        asked = [s for s in _NEXT_QUESTION.split(question) if s]
    if len(asked) > 1 and all(len(words(s)) >= 2 for s in asked) and _is_question(asked[0]):
        done = list(history)
        for text in asked[:MOST_PARTS]:
            done.append((made_whole(text if text.endswith("?") else f"{text}?", done), ""))
        return Parts(tuple(text for text, _ in done[len(history) :]))
    whole = made_whole(question, history)
    clauses = _clauses(whole)
    swap = _SWAPS.match(question) if history and whole != question else None
    return Parts(clauses, joint=len(clauses) > 1, focus=_new(swap) if swap else "")


_PREAMBLE = re.compile(
    rf"^(?P<said>[^:?]{{2,60}}):\s+(?=(?:(?:by|on|in|at|for)\s+)?(?:{_WH}|{_AUX})\b)", re.I
)
_CHATTER = frozenset(
    """hey hi hello ok okay so well please quick quickly refresh remind help memory question questions one two
    another thing things something need want ask wondering curious first last file filing fact check checking now
    deadline desk sanity""".split()
)


def _without_preamble(question: str) -> str:
    """The question without what is only said before it: "Quick one before I file: when ...?"."""
    m = _PREAMBLE.match(question)
    if m and all(w in _CHATTER or w in STOPWORDS for w in words(m["said"])):
        return question[m.end() :]
    return question


def _clauses(question: str) -> tuple[str, ...]:
    if len(words(question)) < _LONG:
        return (question,)
    if len(_SOURCE_NOUN.findall(question)) > 1 or _WHILE.search(question):
        split = [c for s in _WHILE.split(question) for c in _NEXT_SOURCE.split(s)]
        kept = [c.strip(" ,?") for c in split if len(content_terms(c)) >= 3]
        if len(kept) > 1:
            return tuple(kept[:MOST_PARTS])
    head = re.match(rf"\W*(?:{_WH})(?:\s+\w+)?", question, re.IGNORECASE)
    kept = [c.strip(" ,?") for c in _ALSO_IS.split(question) if len(content_terms(c)) >= 2]
    if head is None or len(kept) < 2:
        return (question,)
    return (kept[0], *(f"{head.group()} {c}" for c in kept[1:]))[:MOST_PARTS]


def _is_question(text: str) -> bool:
    return bool(
        re.search(rf"^\W*(?:and |but |so |or |also )?(?:{_AUX}|(?:\w+ )?{_WH})\b", text, re.I)
    )
