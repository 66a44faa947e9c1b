"""What a rule reads and what it makes of it."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date

from indexing.times.words import CUES, FIRM, LOOSE


@dataclass(frozen=True, slots=True)
class Reading:
    """What one rule made of one match; `first` is None when it could not be resolved."""

    end: int
    kind: str
    first: date | None
    last: date | None
    precision: str
    rule: str
    anchor: date | None = None
    takes: str = ""  # what of the words before belongs to the phrase: "the", "lead" or nothing
    count: tuple[int, int, str, str] | None = (
        None  # a deadline still to be counted: n, n, unit, words
    )


@dataclass(slots=True)
class Scene:
    """A sentence being read: what its rules may ask about."""

    text: str
    low: int
    high: int
    published: date | None
    lead: str = ""  # the preposition before the match, "part" inside "early ...", "" for none
    the: str = ""
    at: int = 0
    cues: list[tuple[int, int, str]] | None = field(default=None)

    def tense(self) -> str:
        """ "f" when the nearest verb or cue looks ahead, "p" when back, "" when nothing tells."""
        if self.cues is None:
            found = CUES.finditer(self.text, self.low, min(self.high, self.low + 2000))
            self.cues = [(m.start(), m.end(), m.lastgroup or "") for m in found]
        ahead = self.lead.startswith((*LOOSE, *FIRM, "through"))
        around = self.text[max(self.low, self.at - 60) : min(self.high, self.at + 60)]
        if ahead and not re.search(r"\bhad\b", around):  # "by Friday, 200 had fled"
            return "f"
        near, best = "", 400.0
        middle = bisect_left(self.cues, (self.at, 0, ""))
        for first, last, cue in self.cues[max(0, middle - 4) : middle + 4]:
            before = first < self.at
            if (self.at - last if before else first - self.at) > best:
                continue
            gap = self.text[last : self.at] if before else self.text[self.at : first]
            # Verbs mostly stand before their time; a comma, a quotation mark or "that" parts clauses.
            parted = 40 * min(2, len(re.findall(r'[,;:"”“—]', gap))) + 80 * (" that " in gap)
            distance = len(gap) * (1 if before else 1.5) + parted
            if distance < best:
                near, best = cue, distance
        return near


Reader = Callable[[re.Match[str], Scene], Reading | None]


def chosen(choices: Sequence[tuple[date, date]], near: date, tense: str) -> tuple[date, date, str]:
    """Of one expression in several years, the one meant: by tense, else the nearest."""
    if tense == "f" and (ahead := [c for c in choices if c[1] >= near]):
        return *min(ahead), "the next one from publication on"
    if tense == "p" and (behind := [c for c in choices if c[0] <= near]):
        return *max(behind), "the last one up to publication"
    first, last = min(choices, key=lambda c: (abs((c[0] - near).days + (c[1] - near).days), c))
    return first, last, "the nearest one to publication"


def unresolved(end: int, kind: str, why: str, takes: str = "") -> Reading:
    return Reading(end, kind, None, None, "", why, takes=takes)
