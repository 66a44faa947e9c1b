"""Peoples, countries and the seats of their governments."""

from __future__ import annotations

from collections.abc import Collection

from assistant.language.words import words

PEOPLES = {
    people: country
    for line in (
        "american america,chinese china,japanese japan,mexican mexico,canadian canada,european europe,british britain,"
        "german germany,french france,italian italy,spanish spain,russian russia,ukrainian ukraine,indian india,"
        "australian australia,brazilian brazil,korean korea,israeli israel,palestinian palestine,iranian iran,"
        "iraqi iraq,turkish turkey,polish poland,dutch netherlands,swedish sweden,norwegian norway,danish denmark,"
        "finnish finland,swiss switzerland,austrian austria,greek greece,portuguese portugal,irish ireland,"
        "scottish scotland,welsh wales,egyptian egypt,nigerian nigeria,african africa,asian asia,argentine argentina,"
        "chilean chile,colombian colombia,venezuelan venezuela,cuban cuba,vietnamese vietnam,thai thailand,"
        "indonesian indonesia,malaysian malaysia,philippine philippines,pakistani pakistan,afghan afghanistan,"
        "syrian syria,saudi arabia,hungarian hungary,czech czechia,romanian romania"
    ).split(",")
    for people, country in [line.split()]
}
"""A people and its country stand for each other in a question."""

COUNTRIES = frozenset(PEOPLES.values()) - {"turkey"}

SEATS = {
    seat: tuple(meant.split("/"))
    for line in (
        "london uk/britain,canberra australia,brussels eu/european,washington us,beijing china,tokyo japan,ottawa canada,"
        "berlin germany,paris france,rome italy,madrid spain,moscow russia,kremlin russia,kyiv ukraine,delhi india,"
        "seoul korea,brasilia brazil,jerusalem israel,tehran iran,ankara turkey,warsaw poland,pentagon defense/defence,"
        "westminster parliament,downing minister,white-house administration/president,capitol-hill congress"
    ).split(",")
    for seat, meant in [line.split()]
}
"""A seat of government stands for its country or body, as papers write."""


def seats_of(text: str, terms: Collection[str]) -> list[tuple[str, tuple[str, ...]]]:
    """The terms of a text that are, or are part of, a seat of government, and what it stands for."""
    spoken = f" {' '.join(words(text))} "
    return [
        (term, meant)
        for seat, meant in SEATS.items()
        if f" {seat.replace('-', ' ')} " in spoken
        for term in seat.split("-")
        if term in terms
    ]
