"""Where sources agree and where they differ: the values they state for one question.

A value is compared by what it means ("$12B" is "$12 billion"; "30 days" is not assumed to be "a
month"), a copy of an article is no second voice, and two sentences count as being about the same
thing only if both answer well or one repeats the other with a name or number changed.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from datetime import date

from assistant.finding.select import changed, is_twin
from assistant.finding.times import best_time
from assistant.finding.values import NUMBER_KINDS, TIME_KINDS, value_of
from assistant.language.marks import marks
from assistant.question.question import Question
from assistant.schema import Agreement, Claim, Evidence
from indexing.times.calendar import describe

SAME_MATTER = 2.0
"""Logits behind the best within which another voice's value is for the same question."""
COVERED = 0.75
"""Share of the question's words that a sentence must have for that."""


_HEDGE = re.compile(
    r"\b(?:(?:just |slightly |well |far |much )?(?:(?:more|fewer|less|greater|higher|lower) than|over|under|above|below)|"
    r"no (?:more|fewer|less) than|at (?:least|most)|up to|between|as (?:many|much|few|little) as|close to|an? (?:estimated|average of)|"
    r"about|around|some|roughly|approximately|nearly|almost)\s+$",
    re.IGNORECASE,
)


def hedge(question: Question, e: Evidence) -> str:
    """The words before the value that say how exact it is, empty for none: "more than " 50 is not 50."""
    value = value_of(question, e)
    found = _HEDGE.search(e.text[: value.start]) if value else None
    return found.group().lower() if found else ""


def backing(
    question: Question, chosen: Sequence[Evidence], evidence: Sequence[Evidence], room: int
) -> list[Evidence]:
    """At most `room` further sentences, each of another voice, that state the value of the first."""
    first = chosen[0] if chosen else None
    value = value_of(question, first) if first else None
    if first is None or value is None or question.wanted not in TIME_KINDS | NUMBER_KINDS:
        return []
    voices = {e.hit.info.voice for e in chosen}
    found: list[Evidence] = []
    for e in evidence:
        if len(found) == room or e.relevance < first.relevance - 2 * SAME_MATTER:
            break
        other = value_of(question, e)
        if e.hit.info.voice not in voices and other and other.meaning == value.meaning:
            found.append(e)
            voices.add(e.hit.info.voice)
    return found


def agreement(question: Question, cited: Sequence[Evidence]) -> tuple[Agreement, ...]:
    """The values that sentences cited as 1, 2, 3... state for the same matter, the newest first."""
    if not cited:
        return ()
    grouped: dict[str, tuple[str, list[int]]] = {}
    best = max(e.relevance for e in cited)
    is_compared = question.wanted in TIME_KINDS | NUMBER_KINDS
    for number, e in enumerate(cited if is_compared else (), 1):
        value = value_of(question, e)
        if value is None:
            continue
        is_known = value.meaning in grouped
        if is_known or not grouped or (_is_on_it(e, best, cited) and _is_like(question, e, cited)):
            grouped.setdefault(value.meaning, (value.text, []))[1].append(number)
    if not grouped:
        for a, b, (one, two) in differences(cited):
            grouped.setdefault(one.casefold(), (one, []))[1].append(a)
            grouped.setdefault(two.casefold(), (two, []))[1].append(b)
    kept = [Agreement(text, tuple(dict.fromkeys(numbers))) for text, numbers in grouped.values()]
    return tuple(sorted(kept, key=lambda a: _newest(a, cited), reverse=True))


def _is_on_it(e: Evidence, best: float, cited: Sequence[Evidence]) -> bool:
    """Whether another value is one for the same question: the sentence has most of its words, or
    tells what another cited one tells."""
    is_full = e.covers >= COVERED and e.relevance > best - SAME_MATTER
    return is_full or any(is_twin(e, other) for other in cited)


def _is_like(question: Question, e: Evidence, cited: Sequence[Evidence]) -> bool:
    """Whether a time is of the kind of the first one stated: a deadline is no announcement's day."""
    if question.wanted not in TIME_KINDS:
        return True
    kinds = [t.kind for other in cited if (t := best_time(question, other))]
    own = best_time(question, e)
    return own is None or own.kind == kinds[0]


def _newest(value: Agreement, cited: Sequence[Evidence]) -> date:
    return max(cited[n - 1].hit.info.published or date.min for n in value.citations)


def differences(cited: Sequence[Evidence]) -> list[tuple[int, int, tuple[str, str]]]:
    """The pairs of citations that tell one thing with a name or number changed, and what differs."""
    found = []
    for a, one in enumerate(cited, 1):
        for b, two in enumerate(cited[a:], a + 1):
            if is_twin(one, two) and (pair := difference(one.text, two.text)):
                found.append((a, b, pair))
    return found


_TOKEN = re.compile(r"\$?[\w’'-]+(?:[.,]\d+)*%?")


def difference(a: str, b: str) -> tuple[str, str] | None:
    """The first words in which two like sentences differ by a name or number; None without any."""
    one, two = list(_TOKEN.finditer(a)), list(_TOKEN.finditer(b))
    folded = [[m.group().casefold() for m in tokens] for tokens in (one, two)]
    for tag, i, j, k, m in difflib.SequenceMatcher(
        None, folded[0], folded[1], autojunk=False
    ).get_opcodes():
        if tag == "replace":
            left = a[one[i].start() : one[j - 1].end()]
            right = b[two[k].start() : two[m - 1].end()]
            if changed(left, right) and len(left.split()) <= 6 and len(right.split()) <= 6:
                return left, right
    return None


def differing(
    question: Question, cited: Sequence[Evidence], number: Mapping[int, int]
) -> Claim | None:
    """ "The sources differ: **90%** (4 February 2026) [1]; **60%** [2]."; None where they do not."""
    values = agreement(question, cited)
    voices = {cited[n - 1].hit.info.voice for value in values for n in value.citations}
    if len(values) < 2 or len(voices) < 2:
        return None
    said, numbers = [], []
    for value in values:
        own = [cited[n - 1] for n in value.citations]
        days = [e.hit.info.published for e in own if e.hit.info.published]
        when = f" ({describe(max(days), max(days), 'day')})" if days else ""
        cites = [number[id(e)] for e in own]
        said.append(f"**{value.value}**{when} {marks(cites)}")
        numbers += cites
    return Claim(f"The sources differ: {'; '.join(said)}", tuple(numbers))
