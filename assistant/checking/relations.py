"""Who did what to whom, who said it, and what a number belongs to, in a claim as in what it cites."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from assistant.checking import facts
from assistant.checking.manner import SAYS
from assistant.checking.reading import Cited, Reading, has_family, is_family, lemma_of, shared
from assistant.checking.stated import is_name, reread
from assistant.language.places import place_of, places
from assistant.language.quantities import Quantity
from indexing.schema import TimeExpression

if TYPE_CHECKING:
    from spacy.tokens import Span, Token


@dataclass(frozen=True, slots=True)
class Relation:
    """A verb's lemma with the parties before it (who did it) and after it (to, with or from whom);
    `is_direct`: who did it is its own subject, not one taken from the verb above."""

    verb: str
    doers: frozenset[str]
    others: frozenset[str]
    is_direct: bool


def relations(reading: Reading) -> list[Relation]:
    """The relations that a text states between the parties it names, passives turned round."""
    return [r for t in reading.doc if _is_verb(t) if (r := _relation(t))]


def _is_verb(token: Token) -> bool:
    """Also of a word that only its subject and object show to be one."""
    if token.pos_ in ("VERB", "AUX"):
        return True
    return {"nsubj", "dobj"} <= {c.dep_ for c in token.children}


def _relation(verb: Token) -> Relation | None:
    doers: set[str] = set()
    others: set[str] = set()
    has_perfect = any(c.dep_ == "aux" and lemma_of(c) == "have" for c in verb.children)
    is_passive = any(c.dep_ in ("nsubjpass", "auxpass") for c in verb.children)
    is_passive |= verb.tag_ == "VBN" and not has_perfect
    if verb.tag_ == "VBN" and verb.dep_ == "acl":  # "signed by": what it is said of comes before
        is_passive = True
        others |= _parties(verb.head)
    subjects = [c for c in verb.children if c.dep_ in ("nsubj", "nsubjpass")]
    is_direct = bool(subjects)
    above = verb
    while (
        not subjects
        and above.dep_ in ("conj", "xcomp", "advcl")
        and above.head.pos_ in ("VERB", "AUX")
    ):
        above = above.head
        objects = [c for c in above.children if c.dep_ == "dobj"] if verb.dep_ == "xcomp" else []
        subjects = objects or [c for c in above.children if c.dep_ in ("nsubj", "nsubjpass")]
    subjects = [_meant(subject) for subject in subjects]
    for subject in subjects:
        is_relative = verb.dep_ == "relcl" and subject.tag_ in ("WP", "WDT")
        (others if is_passive else doers).update(_parties(verb.head if is_relative else subject))
    for child in verb.children:
        if child.dep_ == "agent":
            is_direct = True
            doers.update(*(_parties(c) for c in child.children))
        elif child.dep_ in ("dobj", "dative", "attr", "oprd"):
            others |= _parties(child)
            others.update(
                *(_parties(o) for p in child.children if p.dep_ == "prep" for o in p.children)
            )
        elif child.dep_ == "prep":
            others.update(*(_parties(c) for c in child.children if c.dep_ == "pobj"))
    if not doers | others:
        return None
    return Relation(_common(verb), frozenset(doers), frozenset(others), is_direct)


_SAME = {
    "purchase": "buy", "acquire": "buy", "take-over": "buy", "buy-out": "buy", "snap-up": "buy",
    "defeat": "beat", "turn-down": "reject", "hand": "give",
}  # fmt: skip


def _stands_alone(token: Token) -> bool:
    """Whether a singular noun without article opens a sentence: the parser knows few companies."""
    return token.is_sent_start is True and token.tag_ == "NN" and token.dep_ == "nsubj"


def _common(verb: Token) -> str:
    """A verb's lemma, or that of the commonest verb for the same."""
    with_particle = "-".join(
        [lemma_of(verb), *(c.lower_ for c in verb.children if c.dep_ == "prt")]
    )
    return _SAME.get(with_particle) or _SAME.get(lemma_of(verb), lemma_of(verb))


def _meant(subject: Token) -> Token:
    """The subject of the clause above for a pronoun: "it lost money after it sold"."""
    if subject.lower_ not in ("it", "he", "she", "they"):
        return subject
    for above in subject.head.ancestors:
        for other in above.children:
            if other.dep_ in ("nsubj", "nsubjpass") and other.pos_ in ("NOUN", "PROPN"):
                return other
    return subject


_BODIES = frozenset(
    """board government council parliament court committee ministry union chief head leader president team office
    chair chairman chairwoman secretary minister member spokesman spokeswoman manager director shareholder owner
    mayor governor army police company bank""".split()
)
_WITHIN_A_NAME = frozenset("compound flat amod nmod conj appos poss".split())


def _parties(head: Token) -> set[str]:
    """The names of a noun phrase's head and of what is joined to it, places in their common form."""
    found, open_ = set(), [head]
    while open_:
        token = open_.pop()
        if is_name(token) or _stands_alone(token):
            found.add(place_of(token.text) or token.text.casefold())
        skipped = {"appos", "poss"} if is_name(token) else set()
        open_ += [c for c in token.children if c.dep_ in _WITHIN_A_NAME - skipped]
        if lemma_of(token) in _BODIES:  # "the board of Banco Arenal"
            open_ += [o for c in token.children if c.lower_ == "of" for o in c.children]
    if {"united", "states"} <= found:
        found = found - {"united", "states"} | {"us"}
    if {"european", "union"} <= found or {"eu", "union"} <= found:
        found = found - {"european", "union"} | {"eu"}
    return found


_CONVERSE = frozenset(
    "sell lose receive get obtain suffer face owe hear learn inherit follow trail accept win buy give lead beat lend borrow teach hire".split()
)
_MUTUAL = frozenset(
    "join meet marry agree sign conclude negotiate cooperate partner work talk ally compete merge share trade".split()
)
"""Verbs with which the parties may change places: because another verb says the same from the other
side, or because both do it."""


def _all_names(reading: Reading) -> set[str]:
    """Every name of a text, places in their common form."""
    found = {place_of(t.text) or t.text.casefold() for t in reading.doc if is_name(t)}
    return found | reading.places


_SIDES = [
    (frozenset(one.split("/")), frozenset(other.split("/")))
    for one, other in (
        ("buy/purchase/acquire", "sell/divest"),
        ("win/beat/defeat", "lose"),
        ("lend", "borrow"),
        ("give/award/grant/pay/send/hand", "receive/get/obtain"),
        ("lead", "follow/trail"),
        ("employ/hire", "work"),
    )
]
"""Verbs that tell the same of its two sides."""


def _other_side(verb: str) -> frozenset[str]:
    return frozenset().union(
        *(
            theirs
            for one, other in _SIDES
            for own, theirs in ((one, other), (other, one))
            if verb in own
        )
    )


def roles(claim: Reading, cited: Sequence[Cited], as_of: date) -> str | None:
    """Who did it in a claim is not who it was done to in its sources."""
    theirs = [r for c in cited for r in relations(c)]
    named = frozenset(name for c in cited for name in _all_names(c))
    for mine in relations(claim):
        if not mine.doers or mine.verb in ("be", "have"):
            continue
        other_side = _other_side(mine.verb)
        if any(r.verb in other_side and r.doers & mine.doers for r in theirs):
            return f"who did what (“{mine.verb}”) is not as its source has it"
        alike = [r for r in theirs if is_family(r.verb, mine.verb)]
        if any(r.doers & mine.doers for r in alike):
            continue
        for r in alike or theirs:
            if (
                not alike
                and {r.verb, mine.verb} & (_CONVERSE | _MUTUAL)
                and mine.verb not in _TAKES
            ):
                continue
            is_object = (
                alike and not r.doers and mine.doers <= r.others and not mine.others & r.others
            )
            if is_object and mine.verb not in _MUTUAL:
                return f"who did what (“{mine.verb}”) is not as its source has it"
            is_turned = r.doers and not mine.doers & r.doers and (mine.doers & r.others or alike)
            is_another = (
                bool(alike and r.doers)
                and mine.is_direct
                and r.is_direct
                and mine.verb not in SAYS
                and not mine.doers & r.doers
                and mine.doers <= named
            )
            if is_another or (
                is_turned and (mine.others & r.doers or (alike and mine.doers & r.others))
            ):
                return f"who did what (“{mine.verb}”) is not as its source has it"
    return None


_TAKES = frozenset(
    "acquire purchase take seize capture defeat relieve succeed replace overtake sue accuse".split()
)


def speakers(claim: Reading, cited: Sequence[Cited], as_of: date) -> str | None:
    """Whoever a claim lets speak by name is not another than the source lets speak."""
    theirs = [name for c in cited for name in _speaking(c)]
    if not theirs:
        return None
    for mine in _speaking(claim):
        if not any(mine & other for other in theirs) and not _is_of_frame(mine, cited):
            return f"it is not {' '.join(sorted(mine)).title()} who says so in what it cites"
    return None


def _speaking(reading: Reading) -> list[frozenset[str]]:
    """The names of those who say something, each with what stands beside it."""
    found = []
    for verb in reading.doc:
        if lemma_of(verb) not in SAYS - {"be", "have", "do"} or verb.pos_ != "VERB":
            continue
        for subject in verb.children:
            if subject.dep_ == "nsubj" and is_name(subject):
                beside = [c for c in subject.children if c.dep_ == "appos" and is_name(c)]
                found.append(frozenset().union(*map(_parties, (subject, *beside))))
    return found


def _is_of_frame(names: frozenset[str], cited: Sequence[Cited]) -> bool:
    """Whether names are a publisher's: "MENAFN reported that Greer said"."""
    return any(name in c.frame.casefold() for name in names for c in cited)


# --- what a number belongs to --------------------------------------------------------------------

_CUT = re.compile(
    r"[;:—–,]|\b(?:and|while|whereas|but|plus|with|compared|versus|against|than)\b", re.I
)


def belongs(claim: Reading, cited: Sequence[Cited], as_of: date) -> str | None:
    """A number is told of what its source tells it of, not of what has another number there."""
    for q in claim.quantities:
        own = _around(claim, q, claim.quantities)
        right = [_around(c, s, c.quantities) for c in cited for s in c.quantities if q.is_same(s)]
        if not own or not right:
            continue
        others = [
            (s, _around(c, s, c.quantities))
            for c in cited
            for s in c.quantities
            if s.counted == q.counted != "ordinal" and not q.is_same(s) and not _is_of(c, s)
        ]
        fits = max((own.shared(around) for around in right), key=len)
        of_names = any(own.names & around.names for around in right)
        for s, around in others:
            if own.names & around.names and not of_names and all(r.names for r in right):
                return f"“{q.text}” is not said of {' '.join(sorted(own.names & around.names)).title()}"
            is_told = any(s.is_same(other) for other in claim.quantities)
            if not is_told and len(own.shared(around) - fits) >= 2 + bool(fits):
                return f"“{q.text}” belongs to something else in what it cites"
    return None


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """The content lemmas next to a quantity, and those of them that are names."""

    lemmas: frozenset[str]
    names: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.lemmas)

    def shared(self, other: _Surroundings) -> set[str]:
        return shared(self.lemmas, other.lemmas)


def _is_of(reading: Reading, q: Quantity) -> bool:
    """Whether a number is the whole of which another is a part: "four of the 14 ministries"."""
    return bool(
        re.search(
            r"\d\s+of\s+(?:the\s+|its\s+|their\s+)?\Z|\w\s+of\s+(?:the|its|their)\s+\Z",
            reading.text[: q.start],
        )
    )


def dated(claim: Reading, cited: Sequence[Cited], as_of: date) -> str | None:
    """A day is told of whom its source tells it of, not of whom another day is told there."""
    for t in claim.times:
        if facts.is_counted(t):
            continue
        own = _around(claim, t, claim.times)
        right: list[_Surroundings] = []
        wrong: list[_Surroundings] = []
        for c in cited:
            meant = reread(claim, t, c.published)
            for o in c.times:
                is_same = _is_same_time(meant, o)
                (right if is_same else wrong).append(_around(c, o, c.times))
        if not right or not all(r.names for r in right) or any(own.names & r.names for r in right):
            continue
        for around in wrong:
            if others := own.names & around.names:
                return f"“{t.phrase}” is not said of {' '.join(sorted(others)).title()}"
    return None


def _is_same_time(claimed: TimeExpression, stated: TimeExpression) -> bool:
    if claimed.phrase.casefold() == stated.phrase.casefold():
        return True
    if not (claimed.first and claimed.last and stated.first and stated.last):
        return False
    return claimed.first <= stated.first and stated.last <= claimed.last


def _around(
    reading: Reading,
    q: Quantity | TimeExpression,
    points: Sequence[Quantity | TimeExpression],
) -> _Surroundings:
    """What stands next to a quantity or time: up to the cut that parts it from another one."""
    low, high = next(
        (
            (t.start_char, t.end_char)
            for t in reading.doc.sents
            if t.start_char <= q.start < t.end_char
        ),
        (0, len(reading.text)),
    )
    for other in points:
        if other.end <= q.start:
            cuts = [m.end() for m in _CUT.finditer(reading.text, other.end, q.start)]
            low = max(low, cuts[-1] if cuts else (other.end + q.start) // 2)
        elif other.start >= q.end:
            cuts = [m.start() for m in _CUT.finditer(reading.text, q.end, other.start)]
            high = min(high, cuts[0] if cuts else (q.end + other.start) // 2)
    near = [
        t
        for t in reading.content
        if low <= t.idx < high and not q.start <= t.idx < q.end and not t.like_num
    ]
    names = frozenset(place_of(t.text) or t.text.casefold() for t in near if is_name(t))
    return _Surroundings(frozenset(map(lemma_of, near)), names)


def _counted_noun(counted: Span | None) -> set[str]:
    if counted is None:
        return set()
    is_modifier = counted.root.dep_ in ("nummod", "quantmod", "compound", "amod")
    return {lemma_of(t) for t in (counted.root, *([counted.root.head] if is_modifier else []))}


_FEW = 3


def supplied(claim: Reading, cited: Sequence[Cited], as_of: date) -> str | None:
    """Of several sources, one that gives a number alone must share more with the claim than what is
    counted."""
    if len(cited) < 2:
        return None
    for q in claim.quantities:
        givers = [c for c in cited if any(q.is_same(s) for s in c.quantities)]
        if len(givers) != 1:
            continue
        if not q.counted and q.value <= _FEW:
            continue  # "the two sides"
        counted = claim.doc.char_span(q.start, q.end, alignment_mode="expand")
        noun = set() if q.is_money else _counted_noun(counted)
        own = {lemma_of(t) for t in claim.content} - noun
        theirs = {lemma_of(t) for t in givers[0].content} - noun
        if not shared(own, theirs) and not claim.places & givers[0].places:
            return f"“{q.text}” belongs to something else in what it cites"
    return None


# --- what people are ------------------------------------------------------------------------------


def descriptions(claim: Reading, cited: Sequence[Cited], as_of: date) -> str | None:
    """What a claim calls somebody ("expedition leader Arai") is not what the passage calls another."""
    for token in claim.doc:
        if not is_name(token) or token.dep_ == "compound":
            continue
        for word in token.children:
            is_title = word.dep_ in ("compound", "appos") and word.pos_ == "NOUN"
            if is_title and not is_name(word) and _is_of_another(lemma_of(word), token.text, cited):
                return f"“{word.text}” is not said of {token.text} in what it cites"
    return None


def _is_of_another(title: str, name: str, cited: Sequence[Cited]) -> bool:
    """Whether passages have a title, but in no sentence that has the name."""
    sentences = [part for c in cited for part in (*_SENTENCE_END.split(c.passage), c.text)]
    having = [
        s for s in sentences if has_family(title, (w.casefold() for w in re.findall(r"\w+", s)))
    ]
    return bool(having) and not any(name in sentence for sentence in having)


_SENTENCE_END = re.compile(r"(?<=[.!?][\s\"”’])\s*(?=[A-Z“\"])")


# --- facts of several sources ---------------------------------------------------------------------

_COMPARES = frozenset(
    "compare exceed outnumber differ contrast match equal top surpass agree put join".split()
)
_LEANS = re.compile(
    r"\W*(?:it|its|he|his|she|her|they|their|this|that|these|those|both|(?:the|one) [a-z]+)\b",
    re.IGNORECASE,
)
"""A sentence that begins so speaks of something that another one names."""
_BETWEEN = frozenset("than as with compared against versus unlike like besides".split())


def joined(claim: Reading, cited: Sequence[Cited], as_of: date) -> str | None:
    """Where several sentences are cited, what one verb brings together stands together in one."""
    if len(cited) < 2:
        return None
    known = [c.said | frozenset(re.findall(r"\w+", c.frame.casefold())) for c in cited]
    held_places = [c.places | places(c.frame) for c in cited]
    leans = [bool(_LEANS.match(c.text)) for c in cited]
    every = range(len(cited))
    for verb in claim.doc:
        if verb.pos_ != "VERB" or lemma_of(verb) in SAYS | _COMPARES:
            continue
        holders = [
            {n for n in every if leans[n] or _is_there(phrase, known[n], held_places[n])}
            for phrase in _arguments(verb)
        ]
        holders += [
            {n for n in every if leans[n] or _has_time(t, claim, cited[n])}
            for t in _times(verb, claim)
        ]
        told = [held for held in holders if held]
        if len(told) >= 2 and not set.intersection(*told):
            return f"no sentence it cites says this of “{verb.text}”"
    return None


def _arguments(verb: Token) -> list[Token]:
    """The heads of a verb's subject, object and prepositional phrases."""
    subjects = [c for c in verb.children if c.dep_ in ("nsubj", "nsubjpass")]
    above = verb
    while (
        not subjects
        and above.dep_ in ("conj", "xcomp", "advcl", "pcomp", "prep")
        and above.head is not above
    ):
        above = above.head
        subjects = [c for c in above.children if c.dep_ in ("nsubj", "nsubjpass")]
    if verb.dep_ in ("relcl", "acl"):
        subjects = [verb.head, *(s for s in subjects if s.tag_ not in ("WP", "WDT"))]
    objects = [c for c in verb.children if c.dep_ in ("dobj", "attr", "dative")]
    objects += [t for c in objects for t in c.conjuncts]
    after = [
        o
        for c in (*verb.children, *(p for t in objects for p in t.children))
        if c.dep_ in ("prep", "agent") and c.lower_ not in _BETWEEN
        for o in c.children
        if o.dep_ == "pobj"
    ]
    return [
        t
        for t in (*subjects, *objects, *after)
        if t.pos_ in ("NOUN", "PROPN") and t.ent_type_ != "DATE"
    ]


def _times(verb: Token, claim: Reading) -> list[TimeExpression]:
    """The times at which a claim says that it was done: next to the verb, not inside a noun phrase."""
    near = [
        t
        for c in verb.children
        if c.dep_ in ("prep", "npadvmod", "advmod")
        for t in (c, *c.children)
    ]
    return [
        t
        for t in claim.times
        if not facts.is_counted(t) and any(t.start <= token.idx < t.end for token in near)
    ]


def _has_time(t: TimeExpression, claim: Reading, c: Cited) -> bool:
    meant = reread(claim, t, c.published)
    return any(_is_same_time(meant, o) for o in c.stated_times) or (
        c.published is not None
        and meant.first is not None
        and meant.last is not None
        and meant.first <= c.published <= meant.last
    )


def _is_there(head: Token, said: frozenset[str], there: frozenset[str]) -> bool:
    if is_name(head):
        place = place_of(head.text)
        return place in there if place else head.lower_ in said
    return has_family(lemma_of(head), said)
