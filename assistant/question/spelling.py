"""A question's words as the articles spell them: slips of the pen, abbreviations."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from assistant.language.places import seats_of
from assistant.language.words import (
    SHORTEST_SLIP,
    SMALL_WORDS,
    STOPWORDS,
    WORD,
    content_terms,
    stem,
    words,
)
from assistant.question.question import Question
from assistant.question.understand import understand

_SMALL_WORDS = SMALL_WORDS | {"&"}

_CAPITALS = re.compile(r"\b[A-Z][A-Z&]{1,6}s?\b")

SLIP = 0.82
"""Normalised Damerau-Levenshtein similarity (1 is equal) from which an unknown word is a misspelt one."""


def respelled(
    question: Question, texts: Iterable[str], is_known: Callable[[str], bool]
) -> tuple[Question, dict[str, str]]:
    """The question with words that the index does not know as the likeliest of `texts` spells them,
    and what would be put for what. A name is put only where two of its letters have changed places:
    with another letter it may be another's."""
    doubtful = [
        t for t in question.terms if len(t) >= SHORTEST_SLIP and t.isalpha() and not is_known(t)
    ]
    if not doubtful:
        return question, {}
    from rapidfuzz import process
    from rapidfuzz.distance import DamerauLevenshtein

    spelled = {m.group().casefold(): m.group() for text in texts for m in WORD.finditer(text)}
    alike: dict[str, str] = {}
    for term in doubtful:
        found = process.extractOne(
            term,
            [w for w in spelled if w[0] == term[0] and w not in STOPWORDS],
            scorer=DamerauLevenshtein.normalized_similarity,
            score_cutoff=SLIP,
        )
        if found and stem(found[0]) != stem(term):
            alike[term] = spelled[found[0]]
    text = question.text
    for term, word in alike.items():
        if term not in question.names or sorted(term) == sorted(word.casefold()):
            text = re.sub(rf"\b{re.escape(term)}\b", word, text, flags=re.IGNORECASE)
    if text == question.text:
        return question, alike
    read = understand(text)
    return replace(
        read, is_topic=question.is_topic, wanted=question.wanted, focus=question.focus
    ), alike


def spelled_out(question: Question, texts: Iterable[str]) -> Question:
    """The question with its abbreviations spelled out, and its long names abbreviated, as in `texts`.

    "What is the MOU deadline?" gains "memorandum of understanding" where that stands in a text, for
    a cross-encoder and a full-text index know only words they can see.
    """
    own = [match.group() for match in WORD.finditer(question.text)]
    short = [
        w for w in own if w.casefold() not in STOPWORDS and (_CAPITALS.fullmatch(w) or len(w) == 3)
    ]
    folded = question.text.casefold()
    texts = list(texts)
    said = {word for text in texts for word in words(text)}
    added: dict[str, str] = {
        t: next((m for m in meant if m in said), meant[0])
        for t, meant in seats_of(question.text, question.terms)
    }
    for text in texts:
        tokens = [match.group() for match in WORD.finditer(text)]
        for abbreviation in short:
            phrase = _defined(abbreviation, text) or acronym_of(
                abbreviation.removesuffix("s"), tokens
            )
            if phrase and phrase.casefold() not in folded:
                added.setdefault(abbreviation, phrase)
        for capitals in set(_CAPITALS.findall(text)):
            if capitals.casefold() not in folded and len(capitals) >= 3:
                phrase = acronym_of(capitals, own)
                if phrase:
                    added.setdefault(phrase, capitals)
    if not added:
        return question
    meant = tuple(
        (term, frozenset(stem(word) for word in content_terms(meaning)))
        for said, meaning in added.items()
        for term in content_terms(said)
    )
    spelled = ", ".join(dict.fromkeys(added.values()))
    return replace(question, text=f"{question.text} ({spelled})", also=question.also + meant)


def acronym_of(abbreviation: str, tokens: Sequence[str]) -> str | None:
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


def _defined(abbreviation: str, text: str) -> str | None:
    """The words that a text sets before "(ABBREVIATION)" and whose letters it takes in turn
    (Schwartz and Hearst 2003, "A simple algorithm for identifying abbreviation definitions")."""
    m = re.search(
        rf"((?:[\w.'’&-]+\s+){{1,{len(abbreviation) + 3}}})\(\s*{re.escape(abbreviation)}\s*\)",
        text,
    )
    if m is None:
        return None
    before = m[1].split()
    for first in range(len(before) - 1, -1, -1):
        phrase = " ".join(before[first:])
        if phrase[0].casefold() != abbreviation[0].casefold():
            continue
        letters = iter(phrase.casefold())
        if all(c in letters for c in abbreviation.casefold()):
            return phrase
    return None
