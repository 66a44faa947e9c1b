"""Does a claim follow from what it cites? A cross-encoder reads both at once."""

from __future__ import annotations

import math
from typing import Protocol

from indexing.embed import load
from indexing.errors import SettingsError

NONE = "none"


class Entailment(Protocol):
    """Judges whether a claim follows from a text."""

    @property
    def name(self) -> str: ...

    def follows(self, premise: str, claim: str) -> bool: ...


def open_entailment(name: str, threads: int) -> Entailment | None:
    """The model called `name`: "none" (None), or a sentence-transformers CrossEncoder trained for
    natural language inference, by name or folder.

    Raises SettingsError when there is no such model, or none of its labels is entailment.
    """
    return None if name == NONE else CrossEncoderEntailment(name, threads)


class CrossEncoderEntailment:
    """A claim follows where entailment is the likeliest of the model's labels."""

    def __init__(self, name: str, threads: int) -> None:
        self.name = name
        choices = f"{NONE!r}, the folder of a sentence-transformers CrossEncoder"
        self._model = load("CrossEncoder", name, threads, "DATELINE_ENTAILMENT", choices)
        labels = getattr(self._model.config, "id2label", None) or {}
        wanted = [int(n) for n, label in labels.items() if "entail" in str(label).lower()]
        wanted = [n for n in wanted if "not" not in str(labels[n]).lower()]
        if len(wanted) != 1:
            raise SettingsError(
                f"DATELINE_ENTAILMENT is {name!r}, whose labels are {sorted(map(str, labels.values()))}; "
                "it must be a model for natural language inference, with the label entailment"
            )
        self._entails = wanted[0]

    def follows(self, premise: str, claim: str) -> bool:
        logits = [float(x) for x in self._model.predict([(premise, claim)])[0]]
        return not any(math.isnan(x) for x in logits) and logits[self._entails] == max(logits)
