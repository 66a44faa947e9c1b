"""What a claim states exactly must stand in what it cites: quotations, quantities, dates, names."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from assistant.checking import facts
from assistant.checking.reading import Cited, Reading, lemma_of
from assistant.language.places import STATES, place_of, places
from assistant.language.quantities import Quantity
from assistant.language.words import PARTICLES, SMALL_WORDS, words
from indexing.schema import TimeExpression
from indexing.times.calendar import DAYS, MONTHS, describe

if TYPE_CHECKING:
    from spacy.tokens import Token

_MARKUP = re.compile(
    r"https?:|www\.|!\[|\]\(|\]\[|<[a-z/!][^>]*>?|\bjavascript:|\bdata:\w+/|`|\S@\w+\.\w+|\{|\}|\|",
    re.IGNORECASE,
)
_HIDDEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ue000-\uf8ff]"
)
LONGEST_CLAIM = 700


def markup(claim: Reading, cited: Sequence[Cited], as_of: date) -> str | None:
    """A claim is plain prose: no link, image, markup or hidden character."""
    if len(claim.text) > LONGEST_CLAIM:
        return f"it is longer than {LONGEST_CLAIM} characters"
    if _MARKUP.search(claim.text) or _HIDDEN.search(claim.text):
        return "it holds a link, markup or hidden characters"
    return None


_OF_ITSELF = re.compile(
    r"\b(?:the|this|my|your|these) (?:(?:numbered|following|given|above) )?(?:answers?|questions?(?! of\b)|sentences?)\b|\bI (?:am|can|do|have|will)\b",
    re.IGNORECASE,
)


def sentence(claim: Reading, cited: Sequence[Cited], as_of: date) -> str | None:
    """A claim is a whole statement, and not about the answer itself."""
    is_whole = any(t.tag_ in ("VBD", "VBZ", "VBP", "VBN", "MD") for t in claim.doc)
    if not is_whole or claim.text.endswith((":", "?")):
        return "it is no statement"
    if _OF_ITSELF.search(claim.text):
        return "it speaks of the answer, not of what the sentences say"
    return None


def quotations(claim: Reading, cited: Sequence[Cited], as_of: date) -> str | None:
    """What stands in quotation marks is the sources', word by word."""
    for quotation in facts.quotations(claim.text):
        if not any(facts.is_quoted_from(quotation, c.text) for c in cited):
            return f"the words “{quotation}” are not in what it cites"
    return None


# --- quantities ----------------------------------------------------------------------------------

_ELAPSED = re.compile(
    r"\b(?:ago|passed|left|remain\w*|since|later|earlier|more|away|expired|in)\b", re.I
)
_COMPARES = re.compile(
    r"\b(?:\w+er than|more|less|fewer|longer|shorter|twice|double[ds]?|triple[ds]?|half|difference|differ\w*|total|"
    r"altogether|combined|together|gap|apart|sum|by|up|down|r[io]se\w*|rising|f[ae]ll\w*|gr[eo]w\w*|increase\w*|"
    r"decrease\w*|margin)\b",
    re.IGNORECASE,
)
_PARTIES = frozenset(
    "country nation side party partner government state economy report article source outlet publication account "
    "company firm bank team rider man woman people body capital power leader minister".split()
)


def numbers(claim: Reading, cited: Sequence[Cited], as_of: date) -> str | None:
    """Each quantity is a source's, with its "more than" or "up to", or follows by arithmetic."""
    stated = [q for c in cited for q in c.quantities]
    counted = {rate for c in cited for rate in (*facts.rates(c.text), *c.lemmas)}
    if other := facts.rates(claim.text) - counted:
        return f"“a {min(other)}” is not in what it cites"
    is_limit = bool(_LIMIT.search(claim.text))
    for q in claim.quantities:
        if q.is_year and _is_known_year(int(q.value), cited):
            continue
        if any(s.is_of_order(q) for s in stated):
            continue
        same = [s for s in stated if q.is_same(s)]
        if any(facts.keeps_bound(s, q) for s in same) or (same and is_limit and not q.bound):
            continue
        if same:
            source = next(c for c in cited if same[0] in c.quantities)
            said = source.text[: same[0].end].split()[-5:]
            return f"“{q.text}” is not as its source has it (“… {' '.join(said)}”)"
        if not _is_derived(q, claim, cited, stated, as_of):
            return f"“{q.text}” is not in what it cites"
    return None


_LIMIT = re.compile(
    r"\b(?:thresholds?|limit(?:s|ed)?|ceilings?|floors?|minimum|maximum|cap(?:s|ped)?)\b",
    re.IGNORECASE,
)


def _is_known_year(year: int, cited: Sequence[Cited]) -> bool:
    return any(
        first.year <= year <= last.year and last.year - first.year < 2
        for c in cited
        for first, last, _ in c.days
    )


def _is_derived(  # noqa: C901 - rules in their order: the first that fits decides
    q: Quantity, claim: Reading, cited: Sequence[Cited], stated: Sequence[Quantity], as_of: date
) -> bool:
    """Whether a number follows from what is cited: days since or until a date there, a count of what
    the claim itself lists, "the two countries", a difference or ratio that a comparison states."""
    if q.unit == "day" and _ELAPSED.search(claim.text):
        ends = [last for c in cited for _, last, _ in c.days]
        if any(abs((end - as_of).days) == q.value for end in ends):
            return True
    if q.unit == "month" and _ELAPSED.search(claim.text):
        return any(_is_months(last, as_of, q) for c in cited for _, last, _ in c.days)
    if q.unit == "" and q.bound == "":
        if any(len(t.conjuncts) + 1 == q.value for t in claim.doc if t.conjuncts):
            return True
        if q.value == 2 and any(_BOTH.search(c.text) for c in cited):
            return True
        if q.value <= MOST_PARTIES and _counted(claim, q) in _PARTIES:
            named = {p for c in cited for p in c.places | places(c.frame)}
            named |= {name for c in cited for name in names_of(c)}
            return len(named) >= q.value or len(cited) == q.value
    alike = [s.value for s in stated if s.unit == q.unit or (not q.unit and s.is_money)]
    if _COMPARES.search(claim.text) and any(
        q.value in (a - b, a + b) for a in alike for b in alike if a != b
    ):
        return True
    shares = [s.value / 100 for s in stated if s.unit == "%"]
    if any(math.isclose(q.value, a * share) for a in alike for share in shares):
        return True  # "half of the 14-euro fare, that is 7 euros"
    counts = [(s.value, s.unit) for s in stated if s.value > 0]
    ratios = [a / b for a, x in counts for b, y in counts if x == y and a != b]
    if q.unit == "%":
        return any(_is_about(float(100 * ratio), q) for ratio in ratios)
    return q.unit == "" and bool(_COMPARES.search(claim.text)) and q.value in ratios


def _is_months(day: date, as_of: date, q: Quantity) -> bool:
    """Whether that many months lie between a day and now: "more than four months ago"."""
    first, last = sorted((day, as_of))
    full = 12 * (last.year - first.year) + last.month - first.month - (last.day < first.day)
    return q.value == full + (q.bound == "short") or (q.bound == "about" and q.value == full + 1)


_BOTH = re.compile(r"\b(?:both|pair|couple|duo|twins?)\b", re.IGNORECASE)
MOST_PARTIES = 5


def _counted(claim: Reading, q: Quantity) -> str:
    """The lemma of what a number counts: "two countries", "two of the reports"."""
    span = claim.doc.char_span(q.start, q.end, alignment_mode="expand")
    if span is None:
        return ""
    root = span.root
    for child in root.children:
        if child.dep_ == "prep" and child.text.casefold() == "of":
            return next((lemma_of(o) for o in child.children if o.dep_ == "pobj"), "")
    return lemma_of(root.head)


def _is_about(percent: float, q: Quantity) -> bool:
    """Whether a share that was worked out is the one a claim rounds to."""
    low, high = {
        "": (-1.0, 1.0), "about": (-3.0, 3.0), "min": (0.0, 10.0), "max": (-10.0, 0.0),
        "short": (-10.0, 0.0),
    }[q.bound]  # fmt: skip
    return low <= percent - q.value <= high


# --- calendar dates ------------------------------------------------------------------------------

_YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d\b")
_OF_A_REPORT = re.compile(
    r"\b(?:report(?:s|ed|ing)?|publish\w*|article|dated|wrote|writes|edition|according|coverage|story|piece|account|as of|at the time)\b",
    re.IGNORECASE,
)
_AS_OF = re.compile(r"\b(?:as of|today|now|currently)\b", re.IGNORECASE)
_DUE = re.compile(
    r"\b(?:by|until|till|before|no later than|due(?: on)?|deadline\w*(?:\s+\w+){0,4}|ends? on|expir\w+(?: on)?)\s+"
    r"(?:the\s+)?\Z",
    re.IGNORECASE,
)


def dates(claim: Reading, cited: Sequence[Cited], as_of: date) -> str | None:
    """Each date is one that the sources state, as we resolved it, or coarser; a deadline's is a
    deadline's."""
    phrases = {t.phrase.casefold() for c in cited for t in c.stated_times}
    days = [day for c in cited for day in c.days]
    for t in claim.times:
        if facts.is_counted(t) or t.phrase.casefold() in phrases or _is_as_written(t, cited):
            continue
        if t.precision == "year" and any(facts.known_to(_bare(t.phrase), [c.text]) for c in cited):
            continue  # "in 2019", "a 2019 survey"
        meant = [
            (r.first, r.last)
            for r in (*(reread(claim, t, c.published) for c in cited), t)
            if r.first and r.last
        ]
        if not meant:
            if any(facts.known_to(t.phrase, [c.text]) for c in cited):
                continue
            return f"“{t.phrase}” is not in what it cites"
        is_due = t.kind == "deadline" or bool(_DUE.search(claim.text[: t.start]))
        kinds = {kind for _, _, kind in days}
        if is_due and "deadline" in kinds:
            kinds = {"deadline"}
        allowed = [(a, b) for a, b, kind in days if kind in kinds]
        allowed += [(day, day) for day in _counted_on(claim, cited)]
        if _OF_A_REPORT.search(claim.text):
            allowed += [(c.published, c.published) for c in cited if c.published]
        if _AS_OF.search(claim.text):
            allowed.append((as_of, as_of))
        if not any(first <= a and b <= last for a, b in allowed for first, last in meant):
            told = sorted({describe(a, b, "day") for a, b in allowed})
            hint = f"; what it cites gives {', '.join(told[:3])}" if told else ""
            return f"the date “{t.phrase}” is not in what it cites{hint}"
    return None


def _bare(phrase: str) -> str:
    return phrase.split()[-1]


def _is_as_written(t: TimeExpression, cited: Sequence[Cited]) -> bool:
    """Whether a day and month stand in a source as the claim has them ("Feb. 4", "4 February"); a
    year that the claim adds must be known."""
    day = facts.month_and_day(t.phrase)
    if day is None:
        return False
    same = [o for c in cited for o in c.stated_times if facts.month_and_day(o.phrase) == day]
    return bool(same) and not _YEAR.search(t.phrase)


def reread(claim: Reading, t: TimeExpression, published: date | None) -> TimeExpression:
    """A time of a claim as an article of that day would mean it."""
    again = facts.times_of(claim.text, published)
    return next((r for r in again if r.start == t.start), t)


def _counted_on(claim: Reading, cited: Sequence[Cited]) -> Iterator[date]:
    """The days that lie a cited length of time after a cited day: of the same sentence, or where the
    claim names that length."""
    lengths = {q.value for c in cited for q in c.quantities if q.unit == "day"}
    named = {q.value for q in claim.quantities if q.unit == "day"} & lengths
    for c in cited:
        own = {q.value for q in c.quantities if q.unit == "day"}
        for first, last, _ in c.days:
            if first == last:
                yield from (first + timedelta(days=int(length)) for length in named | own)


_ENDS = frozenset("pass expire lapse elapse end".split())
_AHEAD = re.compile(
    r"\b(?:still (?:ahead|to come|open|running|within|lies)|lies ahead|is ahead|yet to (?:come|pass|expire|run out|arrive|be reached)|"
    r"not (?:yet )?(?:passed|expired|run out|arrived)|(?:hasn|has not|haven)['’]?t? (?:yet )?(?:passed|expired|run out|arrived)|"
    r"remains open|upcoming|days? (?:left|remain\w*)|days? (?:away|from now)|still has (?:\w+ )?(?:time|until)|time left)\b",
    re.IGNORECASE,
)


def status(claim: Reading, cited: Sequence[Cited], as_of: date) -> str | None:
    """Whether a day has passed is arithmetic of ours, and a claim must agree with it."""
    ahead = bool(_AHEAD.search(claim.text)) and not any(_AHEAD.search(c.text) for c in cited)
    held = {lemma for c in cited for lemma in c.lemmas}
    over = not ahead and any(_says_it_is_over(t) and lemma_of(t) not in held for t in claim.doc)
    if not (ahead or over):
        return None
    known = {last for c in cited for _, last, kind in c.days if kind != "anchor"}
    counted = set(_counted_on(claim, cited))
    named = {
        r.last
        for t in claim.times
        for r in (*(reread(claim, t, c.published) for c in cited), t)
        if r.last
    }
    due = {last for c in cited for _, last, kind in c.days if kind == "deadline"}
    ends = sorted(counted - known or named & known or due)
    if not ends:
        return "when that is, what it cites does not tell" if ahead else None
    if over and ends[0] >= as_of:
        return f"{describe(ends[0], ends[0], 'day')} has not passed"
    if ahead and ends[-1] < as_of:
        return f"{describe(ends[-1], ends[-1], 'day')} has passed"
    return None


def _says_it_is_over(token: Token) -> bool:
    if lemma_of(token) in ("over", "overdue", "past") and token.i:
        return token.head.pos_ == "AUX" and token.nbor(-1).pos_ in ("AUX", "ADV")
    has_run_out = lemma_of(token) == "run" and any(c.lower_ == "out" for c in token.children)
    return (
        (lemma_of(token) in _ENDS or has_run_out)
        and token.tag_ in ("VBD", "VBN")
        and not any(child.dep_ in ("dobj", "auxpass", "neg", "agent") for child in token.children)
    )


# --- names ---------------------------------------------------------------------------------------

_NO_NAMES = frozenset(map(str.casefold, (*MONTHS, *DAYS))) | frozenset(
    "yes no both mr mrs ms dr i eur usd gbp jpy cny".split()
)
_SMALL = SMALL_WORDS | PARTICLES


def names(claim: Reading, cited: Sequence[Cited], as_of: date) -> str | None:
    """Each name stands in a cited sentence, or in the title or publisher of its article; a fuller
    form of one ("Jamieson" for "Greer") in the passage around."""
    texts = [text for c in cited for text in (c.text, _about(c))]
    held = {word for text in texts for word in _pieces(text)}
    known = {place for text in texts for place in places(text)}
    for name in names_of(claim):
        if place_of(name) in known or any(facts.stands_for(name, text) for text in texts):
            continue
        for word in _pieces(name):
            if {word, f"{word}s", word.removesuffix("s")} & held or word in _SMALL | _NO_NAMES:
                continue
            spelled = {place_of(word.capitalize()), place_of(word.upper())} - {None}
            if spelled & known or _goes_with(word, name, cited, held):
                continue
            return f"the name “{name}” is not in what it cites"
    return None


def _has_first_name(word: str, c: Cited) -> bool:
    return any(
        t.lower_ == word and t.i and t.nbor(-1).dep_ == "compound" and is_name(t.nbor(-1))
        for t in c.doc
    )


SELF_CONTAINED = 2
"""Names of a sentence from which it needs none of its article's title."""


def _about(c: Cited) -> str:
    """Where names may come from besides the sentence: its publisher, and its article's title where
    the sentence itself names hardly anybody."""
    is_whole = len(names_of(c)) >= SELF_CONTAINED and not _POINTS_BACK.search(c.text)
    said = c.publisher if is_whole else c.frame
    return f"{said} {' '.join(_of_congress(c.text))}"


_POINTS_BACK = re.compile(
    r"\b(?:both|the two|the three)\s+(?:\w+\s+)?(?:companies|countries|parties|sides|firms|banks|airlines|clubs|teams|"
    r"governments|partners|nations|cities|states|sisters|brothers|men|women|leaders|ministers)\b",
    re.IGNORECASE,
)
_IN_CONGRESS = re.compile(r"\b(?P<party>[RDI])-(?P<state>[A-Z]{2})\b")
_PARTY = {"R": "Republican", "D": "Democrat Democratic", "I": "Independent"}


def _of_congress(text: str) -> Iterator[str]:
    """ "R-MN" spelled out: party and state."""
    for m in _IN_CONGRESS.finditer(text):
        yield f"{_PARTY[m['party']]} {STATES.get(m['state'], '')}"


def _pieces(text: str) -> list[str]:
    return [part for word in words(text) for part in re.split(r"[-–/&.]", word) if part]


def names_of(claim: Reading) -> list[str]:
    """The runs of words written as names; the capital that opens a sentence is none unless the
    parser takes the word for a name."""
    found: list[list[Token]] = []
    for token in claim.doc:
        if not is_name(token):
            continue
        last = found[-1][-1].i if found else -9
        if last == token.i - 1 or (last == token.i - 2 and token.nbor(-1).text == "-"):
            found[-1].append(token)
        else:
            found.append([token])
    return [claim.doc[run[0].i : run[-1].i + 1].text for run in found]


def is_name(token: Token) -> bool:
    text = token.text
    if not text[:1].isupper() or text.casefold() in _NO_NAMES or "$" in text:
        return False
    if token.is_sent_start or (token.i and token.nbor(-1).text in (":", "“", '"', "‘", "—")):
        return token.pos_ == "PROPN" or (text.isupper() and len(text) > 1)
    return True


def _goes_with(word: str, name: str, cited: Sequence[Cited], held: set[str]) -> bool:
    """Whether the passage a sentence is from has the word before another one of the name, which stands
    in the sentence with no other name before it: "Jamieson" of "Greer", but no other "Department"."""
    others = [
        w
        for w in words(name)
        if w != word and w in held and not any(_has_first_name(w, c) for c in cited)
    ]
    return any(
        re.search(rf"\b{re.escape(word)}\s+(?:[\w.]+\s+)?{re.escape(other)}\b", c.passage, re.I)
        for other in others
        for c in cited
    )
