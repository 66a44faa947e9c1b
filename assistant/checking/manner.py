"""How a claim puts it must not go against what it cites: all or some, so or not so, plan or deed,
and why."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.checking.reading import (
    Cited,
    Reading,
    has_family,
    is_content,
    is_family,
    lemma_of,
    phrase_of,
    shared,
)

if TYPE_CHECKING:
    from spacy.tokens import Token

# --- all or some ---------------------------------------------------------------------------------

_ALIKE = [
    frozenset(group.split())
    for group in (
        "all every each entire entirely whole wholly fully completely any both total everyone everything full complete "
        "throughout across whatever whichever",
        "always ever constantly invariably continually permanent permanently forever lasting indefinitely indefinite",
        "only solely exclusively sole exclusive alone just merely single",
        "unanimous unanimously all every",
        "guarantee ensure assure secure",
        "immediately instantly immediate once prompt promptly",
        "worldwide globally global world international everywhere",
        "mandatory compulsory obligatory must require binding obligation oblige",
        "first initial initially begin start earliest unprecedented debut",
        "final finally last ultimate",
        "most majority largest biggest chiefly mainly mostly primarily generally typically usually normally commonly "
        "largely widely often typical usual normal common wide broad large",
        "unprecedented never first",
    )
]
_GOES_FAR = frozenset(
    """all every each entire entirely always never only solely exclusively sole unanimous unanimously guarantee
    guaranteed immediately instantly worldwide globally everywhere mandatory compulsory permanent permanently
    generally typically usually normally commonly mostly largely widely
    forever indefinitely everyone everything wholly completely fully unprecedented any anyone anything anywhere
    whatever""".split()
)
_NO_SUPERLATIVES = frozenset("least best last".split())


def strength(claim: Reading, cited: Sequence[Cited], as_of: date) -> str | None:
    """“All”, “only”, “never” and superlatives need the like in a cited sentence."""
    held = frozenset().union(*(c.said for c in cited))
    if dropped := _some_dropped(claim, cited):
        return f"its source says it only of “{dropped}”"
    for token in claim.doc:
        if _goes_far(token, claim, cited) and not _has_like(token, held, cited):
            return f"“{token.text}” goes further than what it cites"
    return None


def _is_rate(noun: Token, cited: Sequence[Cited]) -> bool:
    """Whether a source says "a share" or "per share" where a claim says "each share"."""
    pattern = re.compile(rf"\b(?:an?|per)\s+{re.escape(noun.text)}\b", re.IGNORECASE)
    return any(pattern.search(c.text) for c in cited)


def _goes_far(token: Token, claim: Reading, cited: Sequence[Cited]) -> bool:
    said = token.text.casefold()
    after = token.nbor(1) if token.i + 1 < len(claim.doc) else None
    if token.i and token.nbor(-1).lower_ in ("not", "n't", "n’t"):
        return False  # "not all", "not entirely"
    if said == "most":
        return token.dep_ in ("advmod", "amod") and after is not None and after.text != "likely"
    if said == "first":
        return token.dep_ == "amod"
    if token.tag_ in ("JJS", "RBS") and said not in _NO_SUPERLATIVES:
        return not (token.i and token.nbor(-1).text.casefold() == "at")
    if said not in _GOES_FAR:
        return False
    if said == "all":  # "all three" is a number; "all of them", after a list, means what it lists
        is_of_list = _is_list(claim) and token.dep_ not in ("det", "predet")
        return not (after is not None and after.like_num) and not is_of_list
    if said in ("each", "every"):
        return not _is_list(claim) and not (
            after is not None and after.pos_ == "NOUN" and _is_rate(after, cited)
        )
    if (
        said == "only"
        and after is not None
        and (after.like_num or after.lower_ in ("half", "about", "a"))
    ):
        return False
    if said.startswith("any"):
        return not _negations(claim) and not re.search(r"\b(?:if|whether)\b", claim.text)
    return not (said == "only" and _negations(claim))


_THREE = re.compile(r"[\w”’\"-]+, [^,;:.]{2,60},? (?:and|or) \S")


_SOME = frozenset("some several certain many most few part".split())


def _some_dropped(claim: Reading, cited: Sequence[Cited]) -> str:
    """ "some clinics" of a source that a claim makes "clinics"; empty where it does not."""
    for c in cited:
        for noun in c.doc:
            limit = next(
                (d for d in noun.children if d.lower_ in _SOME and d.dep_ in ("det", "amod")), None
            )
            if (
                limit is None
                or noun.tag_ != "NNS"
                or (limit.i + 1 < len(c.doc) and limit.nbor(1).like_num)
            ):
                continue
            bare = [t for t in claim.doc if t.tag_ == "NNS" and lemma_of(t) == lemma_of(noun)]
            if (
                bare
                and not any(_is_limited(t) for t in bare)
                and noun.dep_ in ("nsubj", "nsubjpass")
            ):
                return c.doc[limit.i : noun.i + 1].text
    return ""


def _is_limited(noun: Token) -> bool:
    """Whether a plural is not said of all there are."""
    before = {d.lower_ for d in noun.children}
    is_part = noun.dep_ == "pobj" and noun.head.lower_ == "of"  # "a number of"
    return (
        bool(before & (_SOME | {"a", "these", "those", "other", "both"}))
        or is_part
        or any(d.like_num for d in noun.children)
    )


def _is_list(claim: Reading) -> bool:
    return any(len(t.conjuncts) >= 2 for t in claim.doc) or bool(_THREE.search(claim.text))


def _has_like(token: Token, held: frozenset[str], cited: Sequence[Cited]) -> bool:
    said, lemma = token.text.casefold(), lemma_of(token)
    like = {said, lemma}.union(*(group for group in _ALIKE if said in group or lemma in group))
    if like & held or has_family(lemma, held):
        return True
    return said in ("never", "only", "all") and any(_negations(c) for c in cited)


# --- so or not so --------------------------------------------------------------------------------

_NOT = frozenset(
    "not n't n’t never no none neither nor without nobody nothing nowhere cannot hardly scarcely".split()
)
_DENIES = frozenset(
    """fail refuse decline reject deny lack halt stop prevent block avoid bar ban prohibit exclude omit oppose
    cancel suspend scrap drop withdraw miss abandon unable unlikely unclear unknown undecided unresolved pending
    instead rather short absent absence yet remain still resist dismiss forbid exempt
    only until except unlawful illegal impossible incomplete nonbinding invalid inactive insufficient
    inadequate disagree disapprove disallow discontinue skip leave away""".split()
)
_NEGATIVE = re.compile(r"(?:un|non-?)[a-z]{4,}")
_LOOKS_NEGATIVE = frozenset(
    "union unit unite united university universe universal understand understanding under unless until unity undertake unveil unlock".split()
)


_ENDS = frozenset("pass expire lapse elapse".split())


def _negations(reading: Reading) -> list[Token]:
    """The words of negation, without those of "no more than", "not only" and an opening "No,"."""
    found = []
    for token in reading.doc:
        said = token.text.casefold()
        is_yet_to = (
            said == "yet" and token.i + 1 < len(reading.doc) and token.nbor(1).lower_ == "to"
        )
        if said not in _NOT and not is_yet_to:
            continue
        after = reading.doc[token.i + 1 : token.i + 3].text.casefold()
        if said in ("no", "not") and re.match(
            r"(?:more|less|fewer|later) than|only|just|longer than", after
        ):
            continue
        if lemma_of(token.head) in _ENDS and not any(
            c.dep_ in ("dobj", "auxpass") for c in token.head.children
        ):
            continue  # that a day has not passed is arithmetic
        if token.i == 0 and said == "no" and (len(reading.doc) < 2 or reading.doc[1].is_punct):
            continue
        found.append(token)
    return found


def _negated(reading: Reading) -> set[str]:
    """The lemmas of what is negated: the verb, what it says of its subject, or the noun."""
    found = set()
    for token in _negations(reading):
        if token.dep_ == "prep":
            continue  # "without argument" is no denial of the verb
        head = token.head
        found.add(lemma_of(head))
        if head.pos_ == "AUX" or lemma_of(head) == "be":
            found |= {lemma_of(c) for c in head.children if c.dep_ in ("acomp", "attr")}
        if head.pos_ in ("NOUN", "PROPN") and head.dep_ in ("nsubj", "nsubjpass", "dobj", "attr"):
            found.add(lemma_of(head.head))
    return found - {"be", "have", "do", ""}


_KEEPS_FROM = re.compile(
    r"\b(?:keep|keeps|kept|keeping)\b.*\bfrom\b|\bfree (?:of|from)\b|\bspared?\b", re.I
)


def _denies(reading: Reading) -> bool:
    return bool(_KEEPS_FROM.search(reading.text)) or any(
        lemma in _DENIES or (_NEGATIVE.fullmatch(lemma) and lemma not in _LOOKS_NEGATIVE)
        for lemma in reading.lemmas
    )


def polarity(  # noqa: C901 - rules in their order: the first that fits decides
    claim: Reading, cited: Sequence[Cited], as_of: date
) -> str | None:
    """What a claim denies a source denies, and the reverse."""
    mine, theirs = _negated(claim), {lemma for c in cited for lemma in _negated(c)}
    if _negations(claim):
        if all(
            t.lower_ == "without" and any(t.lower_ in c.said for c in cited)
            for t in _negations(claim)
        ):
            return None
        if not any(_denies(c) or any(_bears_on(t, claim) for t in _negations(c)) for c in cited):
            return "it denies what its source does not deny"
        heads = {lemma_of(t.head): t.head for t in _negations(claim) if t.dep_ == "neg"}
        denied = heads.keys() & mine
        for lemma in denied - theirs:
            if not has_family(lemma, theirs) and any(
                _asserts(c, lemma, _standing(heads[lemma]) == "planned") or _affirms(c, lemma)
                for c in cited
            ):
                return f"its source says that it is so (“{lemma}”)"
        return None
    plain = {lemma_of(t) for t in claim.doc if t.pos_ in ("VERB", "ADJ", "NOUN")}
    denies = _denies(claim)
    for lemma in theirs & plain:
        if (not denies or lemma in _DENIES) and not any(_asserts(c, lemma) for c in cited):
            return f"its source says that it is not so (“{lemma}”)"
    if denies:
        return None
    if len(cited) == 1 and _is_denial(cited[0]):
        return "its source says that it is not so"
    own = {lemma_of(t) for t in claim.content}
    for c in cited:
        for token in _negations(c):
            inside = {lemma_of(t) for t in token.head.subtree if is_content(t)}
            if token.dep_ == "det" and len(shared(inside, own)) >= 2:  # "no access to the raw data"
                return f"its source says that it is not so (“{token.text} {token.head.text}”)"
    return None


def _bears_on(negation: Token, claim: Reading) -> bool:
    """Whether what a word negates has to do with a claim."""
    head = negation.head
    scope = (
        [t for a in (head, head.head) for t in a.subtree]
        if negation.dep_ != "prep"
        else list(negation.subtree)
    )
    return bool(
        shared({lemma_of(t) for t in scope if is_content(t)}, {lemma_of(t) for t in claim.content})
    )


def _asserts(reading: Reading, lemma: str, is_planned: bool = True) -> bool:
    """Whether a text has a verb or adjective of that lemma where nothing negates it; one that is only
    planned counts where `is_planned`."""
    denied = {t.head.i for t in _negations(reading) if t.dep_ != "prep"}
    return any(
        lemma_of(t) == lemma
        and t.i not in denied
        and t.head.i not in denied
        and (is_planned or _standing(t) != "planned")
        for t in reading.doc
        if t.pos_ in ("VERB", "ADJ")
    )


def _affirms(reading: Reading, lemma: str) -> bool:
    """Whether a sentence of a text that denies nothing has a noun of the same family."""
    for sentence in reading.doc.sents:
        own = Reading(sentence.text)
        is_plain = not _negations(own) and not _denies(own)
        if is_plain and any(t.pos_ == "NOUN" and is_family(lemma_of(t), lemma) for t in own.doc):
            return True
    return False


def _is_denial(reading: Reading) -> bool:
    """Whether all a text says is that something is not so: one clause, its verb negated."""
    negated = [t.head for t in _negations(reading) if t.dep_ == "neg"]
    clauses = [
        t for t in reading.doc if t.pos_ in ("VERB", "AUX") and t.dep_ not in ("aux", "auxpass")
    ]
    return bool(negated) and negated[0].dep_ == "ROOT" and len(clauses) == 1


@cache
def _opposites() -> list[tuple[frozenset[str], frozenset[str]]]:
    return _pairs("opposites.txt")


@cache
def _opposite_moves() -> list[tuple[frozenset[str], frozenset[str]]]:
    return [*_opposites(), *_pairs("opposite_moves.txt")]


def _pairs(name: str) -> list[tuple[frozenset[str], frozenset[str]]]:
    lines = (Path(__file__).parent / name).read_text("utf-8").splitlines()
    pairs = [line.split() for line in lines if line and not line.startswith("#")]
    return [(frozenset(one.split("/")), frozenset(other.split("/"))) for one, other in pairs]


def opposites(claim: Reading, cited: Sequence[Cited], as_of: date) -> str | None:
    """No word of a claim is the opposite of one that its sources have in its place."""
    if _negations(claim) or any(_negations(c) for c in cited):
        return None  # "did not rise" and "fell" may well be the same
    moves = [move for c in cited for move in _moves(c)]
    for verb, thing in _moves(claim):
        done = [other for other, same in moves if is_family(thing, same)]
        against = [other for other in done if _are_opposite(verb, other)]
        if against and len(against) == len(done):
            return f"“{verb}” is the opposite of its source's “{against[0]}” ({thing})"
    theirs = frozenset().union(*(c.said for c in cited))
    for pair in _opposites():
        for mine, contrary in (pair, pair[::-1]):
            said, source = claim.said & mine, theirs & contrary
            if not said or not source or claim.said & contrary or theirs & mine:
                continue
            if not any(has_family(word, theirs) for word in said):
                return f"“{min(said)}” is the opposite of its source's “{min(source)}”"
    return None


def _moves(reading: Reading) -> list[tuple[str, str]]:
    """Verbs, with what each acts on, or with what does it where it acts on nothing."""
    found = []
    for verb in reading.doc:
        if verb.pos_ != "VERB":
            continue
        objects = [c for c in verb.children if c.dep_ in ("dobj", "nsubjpass")]
        found += [
            (phrase_of(verb), lemma_of(c))
            for c in objects or [c for c in verb.children if c.dep_ == "nsubj"]
        ]
    return found


def _are_opposite(one: str, other: str) -> bool:
    return any((one in a and other in b) or (one in b and other in a) for a, b in _opposite_moves())


# --- plan or deed --------------------------------------------------------------------------------

_PLANS = frozenset(
    """plan intend aim seek propose want hope expect agree pledge commit vow promise consider try prepare threaten
    offer ask urge call need schedule slate likely attempt wish mean envisage envision explore discuss negotiate
    recommend request require target due ready eager undertake resolve decide forecast project mull weigh""".split()
)
_AGREED = frozenset(
    "agree pledge commit vow promise decide resolve undertake approve order urge ask call request demand recommend".split()
)
"""Plans that are deeds themselves once made."""
_AGREES = frozenset(
    "strike seal reach press push lobby appeal tell demand negotiate clinch secure enter sign set".split()
)
"""What else agreeing and asking are called."""
_CARRIES_ON = frozenset(
    "begin start continue manage help use fail force go come have get cause lead allow enable let".split()
)
SAYS = frozenset(
    """say tell report state note add announce declare explain describe call claim warn argue believe think know show
    mean be have do become remain include cover see concern involve mention reveal indicate suggest accord cite stress
    point confirm write respond reply express acknowledge insist complain""".split()
)


def _standing(token: Token) -> str:  # noqa: C901 - rules in their order: the first that fits decides
    """Of a verb: "done", "planned", or "" where its form does not tell."""
    children = list(token.children)
    if any(c.dep_ == "aux" and c.tag_ == "MD" for c in children):
        return "planned"
    own = [c for c in children if c.dep_ in ("aux", "auxpass", "nsubj", "nsubjpass")]
    if token.dep_ == "conj" and token.head.pos_ == "VERB" and not own:
        above = _standing(token.head)
        if token.tag_ == token.head.tag_ or above == "planned":
            return above
    if any(c.dep_ == "aux" and c.text.casefold() == "to" for c in children):
        head = token.head
        if lemma_of(head) == "have" and head.i != token.i - 2:
            return "planned"  # "had until Friday to answer"
        if lemma_of(head) in _CARRIES_ON:
            return _standing(head) if head.pos_ == "VERB" else ""
        is_purpose = token.dep_ == "advcl" and lemma_of(head) not in _PLANS
        return "" if is_purpose else "planned"  # a purpose: "met to discuss"
    if token.tag_ == "VBG" and token.dep_ in ("xcomp", "pcomp", "dobj", "pobj"):
        governors = {lemma_of(token.head), lemma_of(token.head.head)}
        return "planned" if governors & _PLANS else ""
    said = {c.text.casefold() for c in children if c.dep_ in ("aux", "auxpass")}
    if token.tag_ == "VBD" or "did" in said:
        return "done"
    if token.tag_ == "VBG" and "been" in said and lemma_of(token) not in _PLANS | {"go"}:
        return "done"
    if token.tag_ == "VBN":
        if said & {"was", "were", "been", "had", "has", "have", "'ve", "’ve"}:
            return "done"
        return "done" if not said and token.dep_ in ("acl", "amod") else ""
    return ""


def _verbs(reading: Reading) -> Iterator[Token]:
    return (t for t in reading.doc if t.pos_ == "VERB")


def _told(verb: Token) -> str:
    """The standing of what a verb of a source speaks of: a plan, unless agreeing on it is the deed."""
    if lemma_of(verb) in _AGREED and _standing(verb) == "done":
        return "done"
    return "planned" if lemma_of(verb) in _PLANS else _standing(verb)


def modality(  # noqa: C901 - rules in their order: the first that fits decides
    claim: Reading, cited: Sequence[Cited], as_of: date
) -> str | None:
    """What a source only plans is not told as done, nor the reverse."""
    theirs = [v for c in cited for v in _verbs(c) if lemma_of(v) not in SAYS]
    told = {_told(v) for v in theirs}
    is_denied = any(_negations(c) for c in cited)
    if (m := _OUTSTANDING.search(claim.text)) and _only(told, "done") and not is_denied:
        return f"it tells as planned (“{m.group()}”) what its source says was done"
    for verb in _verbs(claim):
        standing, lemma = _standing(verb), lemma_of(verb)
        if not standing or lemma in SAYS:
            continue
        if any(t.head in (verb, verb.head) for t in _negations(claim)):
            continue  # "did not order it to be sold"
        if lemma in _STATE or phrase_of(verb) == "run-out" or _takes_time(verb):
            continue
        if any(
            lemma_of(c) in _INTENTIONS for c in verb.children if c.dep_ in ("dobj", "nsubjpass")
        ):
            continue
        says_much = lemma not in _SAY_LITTLE
        alike = {_standing(v) for v in theirs if says_much and is_family(lemma_of(v), lemma)}
        if standing == "done" and lemma not in _PLANS:
            deeds = (
                told
                if lemma in _AGREES
                else {_told(v) for v in theirs if lemma_of(v) not in _AGREED}
            )
            if alike == {"planned"} or (not alike and _is_main(verb) and _only(deeds, "planned")):
                return f"it tells as done (“{verb.text}”) what its source only plans"
        elif standing == "planned" and not _is_open(verb):
            is_root = verb.head.dep_ == "ROOT" or verb.dep_ == "ROOT"
            if alike == {"done"} or (not alike and is_root and _only(told, "done")):
                return f"it tells as planned (“{verb.text}”) what its source says was done"
    return None


def _is_main(verb: Token) -> bool:
    """Whether a verb is the sentence's own, or what somebody says in it."""
    return verb.dep_ == "ROOT" or (
        verb.dep_ in ("ccomp", "conj") and verb.head.dep_ == "ROOT" and lemma_of(verb.head) in SAYS
    )


_OUTSTANDING = re.compile(
    r"\b(?:still (?:has|have|had|needs?|needed) to|yet to|remains? to be|is to be|are to be)\b",
    re.IGNORECASE,
)
_STATE = frozenset("date schedule set base name list number belong stand lie amount total".split())
_INTENTIONS = frozenset(
    "forecast outlook estimate projection target plan expectation goal guidance offer proposal intention".split()
)
_SAY_LITTLE = frozenset("give take make get have go come put hold run keep".split())
"""Verbs whose meaning is in what they are said of: another use of one tells nothing."""


def _takes_time(verb: Token) -> bool:
    """Whether what a verb acts on is a length of time: "gave themselves 30 days"."""
    return any(c.dep_ == "dobj" and c.ent_type_ in ("DATE", "TIME") for c in verb.children)


def _only(told: set[str], standing: str) -> bool:
    return told - {""} == {standing}


def _is_open(verb: Token) -> bool:
    """Whether a verb's form alone is that of a plan: "had to pay", "helped to end", a purpose."""
    has_must = any(
        lemma_of(c) in ("must", "should", "can", "could") for c in verb.children if c.tag_ == "MD"
    )
    if verb.dep_ == "acl" and verb.head.pos_ == "VERB":
        return False  # "plans to sign", which the parser may take for a noun
    return (
        verb.dep_ in ("advcl", "acl", "relcl", "pcomp")
        or lemma_of(verb.head) in _CARRIES_ON
        or (lemma_of(verb.head) in _PLANS and _standing(verb.head) == "done")
        or has_must
    )


# --- why -----------------------------------------------------------------------------------------

_CLEAR_CAUSE = re.compile(
    r"\b(?:because|due to|owing to|thanks to|as a result|result(?:s|ed|ing)? in|led to|leads? to|leading to|"
    r"caus(?:es?|ed|ing)|prompt(?:s|ed|ing)|trigger(?:s|ed|ing)|therefore|consequently|which is why|in response to|"
    r"in retaliation|driven by|sparked|on the back of|in the wake of|on account of|spurred|buoyed by|fuel(?:l?ed|s))\b",
    re.IGNORECASE,
)
_ANY_CAUSE = re.compile(
    _CLEAR_CAUSE.pattern
    + r"|\b(?:forc(?:ed|ing)|blam(?:ed|ing)|so that|after|following|amid|since|reasons?|as|why|"
    r"given|explain\w*|attribut\w+|costs?|drove|drives?|pushed|over|argu(?:es?|ed|ing))\b",
    re.IGNORECASE,
)


def causes(claim: Reading, cited: Sequence[Cited], as_of: date) -> str | None:
    """A claim that names a cause needs a source that names one, in the very sentence."""
    for m in _CLEAR_CAUSE.finditer(claim.text):
        if m.group().casefold() == "due to" and _is_expected(claim, m.end()):
            continue
        if not any(_ANY_CAUSE.search(c.text) for c in cited) and not _is_told(claim, m, cited):
            return f"“{m.group()}”: what it cites names no such cause"
    return None


def _is_told(claim: Reading, m: re.Match[str], cited: Sequence[Cited]) -> bool:
    """Whether it is a verb whose object a source has too: "caused alarm", of what "raised alarm"."""
    held = frozenset().union(*(c.lemmas for c in cited))
    verb = next((t for t in claim.doc if t.idx == m.start() and t.pos_ == "VERB"), None)
    return verb is not None and any(lemma_of(c) in held for c in verb.children if c.dep_ == "dobj")


def _is_expected(claim: Reading, at: int) -> bool:
    """Whether "due to" is followed by a verb: "due to expire"."""
    token = next((t for t in claim.doc if t.idx >= at and not t.is_space), None)
    return token is not None and (
        token.tag_ == "VB"
        or (
            token.tag_ == "NN"
            and token.dep_ == "pobj"
            and not list(token.children)
            and bool(_IS_DUE.search(claim.text[:at]))
        )
    )


_IS_DUE = re.compile(r"\b(?:is|are|was|were|be) due to\s*\Z", re.IGNORECASE)
