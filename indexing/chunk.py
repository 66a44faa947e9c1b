"""Cut an article into sentences and passages, computing positions while cutting.

The rules are our own because scraped news breaks those of prose: full stops without a space after
them ("industries.In a statement"), headings without a full stop, bullets, hard-wrapped mail. Each
character is looked at a bounded number of times, so a file of one 5 MB line takes seconds.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise

from indexing.schema import Passage, Sentence, Span
from indexing.times.calendar import SHORT_DAYS, SHORT_MONTHS

LONGEST_SENTENCE = 1000
"""A longer sentence is cut, at a clause or a space where there is one."""

_LINE = re.compile(r"[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")
_LINE_END = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_EMPTY_LINE = re.compile(r"(?:\r\n|[\n\r\v\f\x85\u2028\u2029])[^\S\r\n]*[\r\n\v\f\x85\u2028\u2029]")
_NOT_BLANK = re.compile(r"[^\s\ufeff]")
_WORD = re.compile(r"\S+")

_CLOSING = "\"'”’»›)]}」』）】》〉*_"
_OPENING = "\"'“‘«‹([{「『（【《〈¿¡*_"
_WIDE_STOPS = "。！？｡؟۔।॥։"
_STOP = re.compile(rf"[.!?…]+[{re.escape(_CLOSING)}]*|[{_WIDE_STOPS}]+[{re.escape(_CLOSING)}]*")
_BULLET = re.compile(r"(?:[-*+–—•·▪●■◦‣⁃►○✓]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])(?:\s|$)|[•▪●■◦‣⁃►]")
_URL = re.compile(r"(?:https?|ftp)://|www\.", re.IGNORECASE)
_JOINED_WORDS = re.compile(
    r"(?<![\w@/.])([a-z]{4,})([A-Z][a-z]{3,}|The|In|On|At|A|It|As|By|For|But|And)(?=[\s,])"
)


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_MONTHS = frozenset(map(str.lower, SHORT_MONTHS)) - {"may"}
_NEVER_LAST = _words("vs v viz cf ca approx e.g i.e eg ie fig figs eq pp")
"""Abbreviations that an example or a number follows: no sentence ends with them."""
_TITLES = _words(
    "mr mrs ms messrs dr prof rep reps sen sens gov gen col lt sgt capt cmdr adm maj pvt hon rev fr st mt ft "
    "pres supt h.r s.res h.res h.j.res"
)
"""The same, with a capital letter: a name follows."""
_BEFORE_NUMBER = _MONTHS | _words("no nos p s vol art sec ch para par dist hr tel")
"""Abbreviations while a number follows ("No. 5", "Feb. 4")."""
_SELDOM_LAST = (
    _MONTHS
    | frozenset(map(str.lower, SHORT_DAYS))
    | _words(
        "inc corp ltd co llc plc bros jr sr univ assn ala ariz ark calif colo conn del fla ga ill ind kan ky la mass "
        "md mich minn miss mo mont neb nev okla ore pa tenn tex va vt wash wis wyo dist dept ave blvd rd al"
    )
)
"""Abbreviations, with a capital letter, that end a sentence only before a word that opens one."""
_STARTERS = _words(
    "a after all although also among an and another any are as at because before both but by can despite did do "
    "does during each earlier even every finally first for from further given had has have he her here his how "
    "however i if in instead is it its last later like many meanwhile more most much my nearly neither no nor not "
    "now of officials on once one only or other others our over perhaps police previously see separately several "
    "she since so some still such that the their then there these they this those though through to today "
    "tomorrow under unlike until was we were what when where whether which while who why will with without yes "
    "yesterday yet you your"
)
"""Words that open sentences and seldom stand capitalised inside a name."""
_DOMAINS = _words(
    "com org net gov edu io co uk de eu int info biz tv ai ly me us js py ts ca fr jp in"
)


def sentences(text: str, boilerplate: Sequence[Span]) -> list[Sentence]:
    """The sentences of `text` in order: trimmed, without overlap, outside `boilerplate`.

    Together they cover every character that is neither white space (a byte-order mark counts as
    such) nor boilerplate. None is longer than LONGEST_SENTENCE.
    """
    found: list[Sentence] = []
    for start, end in _between(boilerplate, len(text)):
        for first, last in _paragraphs(text, start, end):
            for cut in _cuts(text, first, last):
                found.extend(_shortened(text, *cut))
    return found


def passages(
    source: str, raw: str, text: str, boilerplate: Sequence[Span], max_chars: int
) -> list[Passage]:
    """Consecutive whole sentences, up to `max_chars` each, that neither overlap nor enter boilerplate.

    A passage ends before a heading or at a paragraph's end where it can, and the last two of a
    run are balanced, so that no few words are left over. Only a single sentence may be longer than
    `max_chars`. `raw[start:end]` is the passage's text; `len(raw) == len(text)`.
    """
    cut: list[Passage] = []
    every = sentences(text, boilerplate)
    walls = [span.start for span in _merged(boilerplate)]
    for run in _runs(every, walls):
        breaks = _break_strengths(text, run)
        at = 0
        while at < len(run):
            after = _passage_end(run, breaks, at, max_chars)
            start, end = run[at].start, run[after - 1].end
            cut.append(Passage(source, start, end, raw[start:end], tuple(run[at:after])))
            at = after
    return cut


def _merged(spans: Sequence[Span]) -> list[Span]:
    merged: list[Span] = []
    for span in sorted(spans):
        if span.end <= span.start:
            continue
        if merged and span.start <= merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return merged


def _between(boilerplate: Sequence[Span], length: int) -> Iterator[tuple[int, int]]:
    at = 0
    for span in _merged(boilerplate):
        if span.start > at:
            yield at, min(span.start, length)
        at = max(at, span.end)
    if at < length:
        yield at, length


# Lines: which line breaks end a sentence?


def _paragraphs(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Trimmed runs of lines that are read as one: hard-wrapped lines are joined, others are not."""
    blocks = list(_blocks(text, start, end))
    wrapped = _is_hard_wrapped(text, blocks)
    for block in blocks:
        longest = max(last - first for first, last in block)
        first = block[0][0]
        for line, following in pairwise(block):
            if not _continues(text, line, following, longest, wrapped):
                yield first, line[1]
                first = following[0]
        yield first, block[-1][1]


def _blocks(text: str, start: int, end: int) -> Iterator[list[tuple[int, int]]]:
    """The trimmed lines of `text[start:end]`, grouped by the empty lines between them."""
    block: list[tuple[int, int]] = []
    lines_end = start
    for match in _LINE.finditer(text, start, end):
        line = _trimmed(text, match.start(), match.end())
        if block and (line is None or _has_empty_line(text, lines_end, match.start())):
            yield block
            block = []
        if line is not None:
            block.append(line)
        lines_end = match.end()
    if block:
        yield block


def _has_empty_line(text: str, start: int, end: int) -> bool:
    if end - start <= 1:
        return False
    return end - start > 2 or text[start:end] != "\r\n"


def _trimmed(text: str, start: int, end: int) -> tuple[int, int] | None:
    first = _NOT_BLANK.search(text, start, end)
    if first is None:
        return None
    while text[end - 1].isspace() or text[end - 1] == "\ufeff":
        end -= 1
    return first.start(), end


def _is_hard_wrapped(text: str, blocks: list[list[tuple[int, int]]]) -> bool:
    """Lines of prose width, of which many go on in lower case on the next line."""
    pairs = lower = 0
    for block in blocks:
        for (start, end), (following, _) in pairwise(block):
            if 30 <= end - start <= 130:
                pairs += 1
                lower += text[following].islower()
    return lower >= 2 and lower >= 0.3 * pairs


def _continues(
    text: str,
    line: tuple[int, int],
    following: tuple[int, int],
    longest: int,
    wrapped: bool,
) -> bool:
    start, end = line
    if _BULLET.match(text, following[0], following[1]) or _URL.match(text, following[0]):
        return False
    last = text[end - 1]
    if last in ":;":
        return False
    stop = last if last not in _CLOSING or end - start < 2 else text[end - 2]
    if not wrapped and (stop in ".!?…" or stop in _WIDE_STOPS):
        return False
    if _first_letter(text, *following).islower():
        return wrapped or end - start >= 30 or last == ","
    if not wrapped or end - start < 30:
        return False
    word = _WORD.match(text, following[0], min(following[1], following[0] + 130))
    return end - start + 1 + (len(word.group()) if word else 0) > longest


def _first_letter(text: str, start: int, end: int) -> str:
    """The first character that is no opening quote or bracket; "" when there is none nearby."""
    for at in range(start, min(end, start + 8)):
        if text[at] not in _OPENING:
            return text[at]
    return ""


# Stops: which of them end a sentence?


def _cuts(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The trimmed sentences of one paragraph."""
    ends: list[int] = []
    first, quotes, counted, glued = start, 0, start, 0
    for match in _STOP.finditer(text, start, end):
        stop, after = match.start(), match.end()
        quotes += text.count('"', counted, stop)
        counted = stop
        if after < end and not text[after].isspace() and quotes % 2 == 0:
            opened = text.find('"', stop, after)  # said."We will: the quote opens what follows
            after = opened if opened >= 0 else after
        if after >= end:
            break
        if _ends_sentence(text, first, stop, after, end):
            ends.append(after)
            glued += not text[after].isspace()
            first = after
    if glued:
        ends = sorted({*ends, *_joined_words(text, start, end)})
    at = start
    for cut in [*ends, end]:
        if (span := _trimmed(text, at, cut)) is not None:
            yield span
        at = cut


def _joined_words(text: str, start: int, end: int) -> Iterator[int]:
    """Places where a heading lost its line break ("action planSeparately, the"): looked for
    only where full stops lost their space, as names are written so too (easyJet)."""
    for match in _JOINED_WORDS.finditer(text, start, end):
        yield match.end(1)


def _ends_sentence(text: str, first: int, stop: int, after: int, end: int) -> bool:
    """Does the stop at `stop`, closed by quotes up to `after`, end the sentence begun at `first`?"""
    if text[stop] in _WIDE_STOPS:
        return True
    if not text[after].isspace():
        return _ends_glued(text, stop, after, end)
    following = _NOT_BLANK.search(text, after, end)
    if following is None:
        return False
    at = following.start()
    letter = _first_letter(text, at, end)
    if letter.islower() or text[at] in ",;:)]}%&/=|.!?…":
        return False
    if text[stop] != "." or after - stop > 1:
        return True
    before = text[
        max(first, stop - 24) : stop
    ].rstrip()  # tokenised text has a space before the stop
    if _opens_item(before, first, stop):
        return False
    parts = before.rsplit(None, 1)
    return not parts or _ends_after_word(parts[-1], text, at, end)


def _opens_item(before: str, first: int, stop: int) -> bool:
    """A number or letter alone at the start of a sentence: "1. First, ..."."""
    number = before.strip()
    return stop - first < 24 and (number.isdigit() and len(number) <= 3)


def _ends_after_word(word: str, text: str, at: int, end: int) -> bool:
    """Does "`word`." end a sentence when `text[at:]` follows?"""
    bare = word.lstrip(_OPENING)
    lower = bare.lower()
    tail = lower.rsplit("-", 1)[-1]  # Lt.-Gov.
    capital = bare[:1].isupper()
    if lower in _NEVER_LAST or (capital and tail in _TITLES):
        return False
    if text[at].isdigit() and lower in _BEFORE_NUMBER:
        return False
    initial = len(bare) == 1 and bare.isupper() and bare != "I"  # J. K. Rowling, but World War I.
    dotted = "." in bare and bare.replace(".", "").isalpha() and len(bare) <= 8  # U.S, p.m
    if initial or dotted or (capital and lower in _SELDOM_LAST):
        return _next_word(text, at, end).lower() in _STARTERS
    return True


def _next_word(text: str, at: int, end: int) -> str:
    while at < end and text[at] in _OPENING:
        at += 1
    word = _WORD.match(text, at, min(end, at + 24))
    return word.group().rstrip(",.:;!?'\"”’)") if word else ""


def _ends_glued(text: str, stop: int, after: int, end: int) -> bool:
    """The same where no space follows: "industries.In a statement", 'resilience.”Under these'."""
    here = text[after]
    if here in '“‘«"(•' and after + 1 < end:
        return _ends_glued_word(text, stop) and not text[after + 1].islower()
    if not here.isupper():
        return False
    if after - stop > 1 or text[stop] != ".":
        return _is_prose_around(text, stop, after, end)
    return _ends_glued_word(text, stop) and _is_prose_around(text, stop, after, end)


def _ends_glued_word(text: str, stop: int) -> bool:
    """Is what stands before the stop a whole word, and no abbreviation or initial?"""
    at = stop
    while at > 0 and stop - at < 24 and text[at - 1].isalnum():
        at -= 1
    word = text[at:stop]
    if not word:
        return stop > 0 and text[stop - 1] in "%" + _CLOSING
    if word.lower() in _NEVER_LAST or (word[0].isupper() and word.lower() in _TITLES):
        return False
    return len(word) > 1 or word.isdigit()


def _is_prose_around(text: str, stop: int, after: int, end: int) -> bool:
    """Not inside an address, a domain or a dotted name (will.I.am)."""
    right = _WORD.match(text, after, min(end, after + 60))
    following = right.group() if right else ""
    word = re.split(r"[^\w’']", following, maxsplit=1)[0]
    if word.lower() in _DOMAINS and word != "In" and word != "Me":
        return False
    if len(word) == 1 and following[1:2] == ".":
        return False
    if (
        len(word) > 1
        and not (word[1].islower() or word[1] in "’'")
        and stop
        and text[stop - 1].isupper()
    ):
        return False  # U.S.NATO
    left = text[max(0, stop - 60) : stop].rsplit(None, 1)
    before = left[-1] if left else ""
    return not ("@" in before + following or "://" in before or before.lower().startswith("www."))


# Length: a sentence that is too long is cut


def _shortened(text: str, start: int, end: int) -> Iterator[Sentence]:
    while end - start > LONGEST_SENTENCE:
        cut = _cut_point(text, start, start + LONGEST_SENTENCE)
        piece = _trimmed(text, start, cut)
        if piece is not None:
            yield Sentence(*piece)
        rest = _trimmed(text, cut, end)
        if rest is None:
            return
        start, end = rest
    yield Sentence(start, end)


_CLAUSE = re.compile(r"[,;:|–—]\s+|\s+")


def _cut_point(text: str, start: int, limit: int) -> int:
    """The last end of a clause, else the last space, in the second half; else `limit` itself."""
    half = start + LONGEST_SENTENCE // 2
    clause = space = -1
    for match in _CLAUSE.finditer(text, half, limit):
        space = match.end()
        if not match.group()[0].isspace():
            clause = match.end()
    if max(clause, space) > 0:
        return clause if clause > 0 else space
    cut = limit
    while cut > limit - 16 and (unicodedata.combining(text[cut]) or text[cut] in "\u200d\ufe0f"):
        cut -= 1
    return cut


# Passages


def _runs(every: Sequence[Sentence], walls: Sequence[int]) -> Iterator[list[Sentence]]:
    """Sentences between one piece of boilerplate and the next."""
    run: list[Sentence] = []
    wall = 0
    for sentence in every:
        crossed = False
        while wall < len(walls) and walls[wall] < sentence.start:
            wall += 1
            crossed = True
        if crossed and run:
            yield run
            run = []
        run.append(sentence)
    if run:
        yield run


_NONE, _LINE_BREAK, _PARAGRAPH, _AFTER_HEADING = 0, 1, 2, -1


def _break_strengths(text: str, run: Sequence[Sentence]) -> list[int]:
    """How good it is to end a passage after each sentence of `run`."""
    strengths: list[int] = []
    own_line = True
    for sentence, following in pairwise(run):
        gap = text[sentence.end : following.start]
        strength = _NONE
        if _LINE_END.search(gap):
            strength = _PARAGRAPH if _EMPTY_LINE.search(gap) else _LINE_BREAK
            if own_line and _is_heading(text, sentence):
                strength = _AFTER_HEADING
        own_line = strength != _NONE
        strengths.append(strength)
    strengths.append(_PARAGRAPH)
    return strengths


def _is_heading(text: str, sentence: Sentence) -> bool:
    if sentence.end - sentence.start > 120:
        return False
    last = text[sentence.end - 1]
    if last in _CLOSING and sentence.end - sentence.start > 1:
        last = text[sentence.end - 2]
    return last not in ".!?…;," and last not in _WIDE_STOPS


def _passage_end(run: Sequence[Sentence], breaks: Sequence[int], at: int, max_chars: int) -> int:
    """The index after the last sentence of the passage that begins with `run[at]`."""
    start = run[at].start
    fits = at + 1
    while fits < len(run) and run[fits].end - start <= max_chars:
        fits += 1
    if fits == len(run):
        return fits
    rest = run[-1].end - start
    target = rest / 2 if rest <= 2 * max_chars else max_chars
    best, best_cost = fits, float("inf")
    for end in range(fits, at, -1):
        size = run[end - 1].end - start
        if end < fits and size < max_chars * 0.4:
            break
        cost = abs(target - size) / max_chars - _WORTH[breaks[end - 1]]
        if rest - size > max_chars and rest <= 2 * max_chars:
            cost += 0.5  # the balance would fail: three passages instead of two
        if cost < best_cost:
            best, best_cost = end, cost
    return best


_WORTH = {_NONE: 0.0, _LINE_BREAK: 0.25, _PARAGRAPH: 0.3, _AFTER_HEADING: -0.5}
"""How much of `max_chars` may be left unused for the sake of a break of this kind."""
