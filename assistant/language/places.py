"""Peoples, countries, the seats of their governments and the American states, kept in places.json."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

from assistant.language.words import words

_DATA = json.loads((Path(__file__).parent / "places.json").read_text("utf-8"))

PEOPLES: dict[str, str] = _DATA["peoples"]
"""A people and its country stand for each other in a question."""
PERSONS: dict[str, str] = _DATA["persons"]
"""One of a people, where the people is called otherwise, and the country."""
COUNTRIES = frozenset(PEOPLES.values()) - {"turkey"}
SEATS: dict[str, list[str]] = _DATA["seats"]
"""A seat of government stands for its country or body, as papers write."""
STATES: dict[str, str] = _DATA["states"]
"""American states by their letters."""
KEPT = 2048
"""Texts whose places are kept: a claim's are asked for by one check after another."""


def seats_of(text: str, terms: Collection[str]) -> list[tuple[str, list[str]]]:
    """The terms of a text that are, or are part of, a seat of government, and what it stands for."""
    spoken = f" {' '.join(words(text))} "
    return [
        (term, meant)
        for seat, meant in SEATS.items()
        if f" {seat} " in spoken
        for term in seat.split()
        if term in terms
    ]


_WRITTEN_OUT = (
    (
        "us",
        r"U\.\s?S\.(?:\s?A\.)?|USA?\b|United States(?: of America)?|Americans?\b|America\b|U\.S\b",
    ),
    ("eu", r"E\.\s?U\.|EU\b|European Union|European bloc|Europeans?\b|Europe\b"),
    ("uk", r"U\.\s?K\.|UK\b|United Kingdom|Britain\b|British\b|Britons?\b"),
    ("un", r"U\.\s?N\.|UN\b|United Nations"),
)
_COUNTRY_PATTERNS = [
    (name, re.compile(rf"(?<![\w.])(?:{pattern})(?:['’]s?)?(?!\w)")) for name, pattern in _WRITTEN_OUT
] + [
    (country, re.compile(rf"\b(?:{people}s?|{country})(?:['’]s?)?\b", re.IGNORECASE))
    for people, country in (*PEOPLES.items(), *PERSONS.items())
    if country not in ("america", "europe", "britain", "turkey", "arabia")
]  # fmt: skip
_SEAT_OF = {
    seat: {"america": "us", "european": "eu", "britain": "uk"}.get(m, m)
    for seat, meant in SEATS.items()
    for m in meant[:1]
}


@lru_cache(maxsize=KEPT)
def places(text: str) -> frozenset[str]:
    """The countries, unions and bodies a text names, by their people, letters or seat too."""
    found = {name for name, pattern in _COUNTRY_PATTERNS if pattern.search(text)}
    spoken = f" {' '.join(words(text))} "
    return frozenset(found | {meant for seat, meant in _SEAT_OF.items() if f" {seat} " in spoken})


def place_of(name: str) -> str | None:
    """The one that a name stands for; None for other names."""
    for known, pattern in _COUNTRY_PATTERNS:
        if pattern.fullmatch(name):
            return known
    return _SEAT_OF.get(" ".join(words(name)))
