"""The words of a parsed sentence as they may stand in a question: nouns, names, what follows a verb."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from assistant.finding.select import stems_of
from assistant.language.places import PEOPLES
from assistant.language.units import CURRENCY, MONEY_WORD
from assistant.language.words import STOPWORDS, TITLES

if TYPE_CHECKING:
    from spacy.tokens import Token

_UNCOUNTED = frozenset(
    "second minute hour day week month year decade percent point metre meter kilometre kilometer mile tonne ton degree "
    "barrel half third quarter fifth tenth thousand million billion trillion".split()
)  # fmt: skip
"""Units and scales: how many of them is asked otherwise."""
_POINTING = frozenset(
    "the new old first second third fourth last next latest two three four five six seven eight nine ten".split()
)
_AMOUNTS = frozenset(
    "no most some any all each every many much several few fewer about more less almost nearly at part half".split()
)
_IN_PASSING = frozenset({"relcl", "appos", "advcl", "parataxis"})


def noun(head: Token, article: str, topic: frozenset[str]) -> str | None:
    """A noun with what belongs to it; None where it is no whole that stands alone, as "the court",
    unless the article's title or the question names it."""
    edge = head.left_edge
    if head.pos_ in ("PRON", "DET") or edge.tag_ == "CD" or edge.lower_ in _AMOUNTS:
        return None
    own = {c.lower_ for c in head.children if c.dep_ not in _IN_PASSING and not c.is_punct}
    is_bare = "the" in own and own <= _POINTING and head.pos_ == "NOUN"
    if is_bare and not stems_of(head.text) & topic:
        return None
    return phrase(head.subtree, head, article)


def phrase(tokens: Iterable[Token], head: Token, article: str) -> str | None:
    """The words around a head up to what is said in passing; None where that is no whole."""
    tokens = list(tokens)
    cut = {u.i for t in tokens if _is_in_passing(t) and t.i > head.i for u in t.subtree}
    end = next((n for n, t in enumerate(tokens) if t.i in cut or _is_break(t)), len(tokens))
    kept, behind = tokens[:end], tokens[end:]
    is_broken = bool(behind) and behind[0].text == "("  # "a memorandum (MOU) with Peru"
    if is_broken and behind[-1].i not in cut and not behind[-1].is_punct:
        return None
    if head not in kept or _is_torn(kept, frozenset()):
        return None
    return _in_sentence(kept, article)


def _in_sentence(tokens: Sequence[Token], article: str) -> str | None:
    """The words as they are written within a sentence; None where the capital that begins one
    may or may not be a name's."""
    first, text = tokens[0], joined(tokens)
    if first.i or any(c.isupper() for c in first.text[1:]) or not first.text[:1].isupper():
        return text
    small = text[:1].lower() + text[1:]
    if first.pos_ not in ("PROPN", "NOUN", "ADJ", "VERB"):
        return small
    capitals = [t.text[:1].isupper() for t in tokens[:3]]
    if first.lower_ in TITLES and capitals[1:2] == [True]:
        return text
    begun = re.escape(first.text)
    both = rf"{begun}\s+{re.escape(tokens[1].text)}" if len(tokens) > 1 else begun
    if _is_within(both, article) or _is_within(rf"{begun}['’]s", article):
        return text
    if first.tag_ in ("NNS", "VBG") or re.search(rf"\b{begun.lower()}\b", article):
        return small
    if len(capitals) == 3 and all(capitals):
        return None
    is_name = first.pos_ == "PROPN" or first.lower_ in PEOPLES or _is_within(begun, article)
    return text if is_name else None


def _is_within(pattern: str, article: str) -> bool:
    """Whether the article has the words where no sentence begins."""
    within = rf"(?:[a-z,]|\b[A-Z][a-z]+)\s{pattern}(?!\w)"
    return re.search(within, article) is not None


def rest_of(verb: Token, dropped: frozenset[int], in_times: frozenset[int]) -> str | None:
    """What follows the verb, without the words at `dropped`, up to what is said in passing; None
    where that is no whole, or holds words at `in_times`."""
    chain = {verb, *(c for c in verb.rights if c.dep_ == "xcomp")}
    if any(c.dep_ == "ccomp" for v in chain for c in v.rights):
        return None
    after = [t for t in verb.subtree if t.i > verb.i]
    stopped = {
        u.i
        for t in after
        if _is_in_passing(t) or (t.dep_ in ("cc", "conj") and t.head in chain) or is_because(t)
        for u in t.subtree
    }
    end = next((n for n, t in enumerate(after) if t.i in stopped or _is_break(t)), len(after))
    kept = [t for t in after[:end] if t.i not in dropped]
    if in_times & {t.i for t in kept} or (kept and kept[0].dep_ == "cc"):
        return None
    return None if _is_torn(kept, dropped) else joined(kept)


def _is_in_passing(token: Token) -> bool:
    return token.dep_ in _IN_PASSING


def _is_break(token: Token) -> bool:
    return token.is_punct and token.text not in ("-", "'", "’", "%")


def _is_torn(kept: Sequence[Token], dropped: Collection[int]) -> bool:
    """Whether one of several things named together was left out, or a preposition's noun was."""
    places = {t.i for t in kept}
    return any(
        (c.dep_ == "conj" and c.i not in places and c.i not in dropped)
        or (c.dep_ in ("pobj", "pcomp") and c.i not in places)
        for t in kept
        for c in t.children
    )


def is_to_do(token: Token) -> bool:
    return any(c.lower_ == "to" and c.dep_ == "aux" for c in token.lefts)


def is_because(token: Token) -> bool:
    if token.dep_ == "advcl":
        return any(c.dep_ == "mark" and c.lower_ == "because" for c in token.lefts)
    return token.dep_ == "prep" and token.lower_ == "because"


def is_quoted(token: Token) -> bool:
    return sum(t.text in ('"', "“", "”") for t in token.doc[: token.i]) % 2 == 1


def is_counted(token: Token) -> bool:
    """Whether one asks how many of it there are: of things, not of units."""
    return token.tag_ == "NNS" and token.lemma_.lower() not in _UNCOUNTED


def is_number(token: Token) -> bool:
    return token.tag_ == "CD" and token.lemma_.lower() not in _UNCOUNTED


def is_money(token: Token) -> bool:
    is_unit = re.fullmatch(MONEY_WORD, token.text, re.IGNORECASE) is not None
    return is_unit or any(re.fullmatch(CURRENCY, t.text) for t in token.lefts)


def is_topic(head: Token) -> bool:
    """Whether one can ask what was said about it: not about "no branch", "members"."""
    if head.pos_ not in ("NOUN", "PROPN") or is_quoted(head):
        return False
    first = head.left_edge
    if first == head and head.tag_ == "NNS" and not list(head.rights):
        return False
    return first.dep_ not in ("neg", "quantmod", "nummod")


def is_name(token: Token) -> bool:
    is_capital = token.text[:1].isupper() and token.pos_ in ("NOUN", "ADJ")
    return token.pos_ == "PROPN" or (token.i > 0 and is_capital)


def name_words(token: Token) -> list[Token]:
    """The capitalised words that end with a token; none where it is no name."""
    kept = [token] if is_name(token) else []
    for t in reversed([t for t in token.subtree if t.i < token.i and kept]):
        if not t.text[:1].isupper() or t.pos_ == "DET":
            break
        kept.insert(0, t)
    return kept


def speaker(token: Token, article: str) -> str:
    """Who speaks, without titles, a surname with the first name that the article gives it; "" for a
    capital that may only begin the sentence."""
    name = name_words(token)
    titles = [n for n, t in enumerate(name[:-1], 1) if t.lower_.strip(".") in TITLES]
    plain = name[titles[-1] :] if titles else name
    if plain[0].i == 0 and len(plain) > 2:
        return ""
    text = joined(plain)
    the = "the " if any(c.dep_ == "det" and c.lower_ == "the" for c in token.lefts) else ""
    if len(plain) > 1 or the:
        return the + text
    found = {m[1] for m in re.finditer(rf"\b([A-Z][\w’'-]+)\s+{re.escape(text)}\b", article)}
    known = [f for f in found if f.casefold() not in STOPWORDS | TITLES]
    return f"{known[0]} {text}" if len(known) == 1 else joined(name)


def joined(tokens: Sequence[Token]) -> str:
    """The words with the spaces that they have; one where others between them were left out."""
    parts = [t.text_with_ws if u.i == t.i + 1 else f"{t.text} " for t, u in pairwise(tokens)]
    return "".join([*parts, *(t.text for t in tokens[-1:])])
