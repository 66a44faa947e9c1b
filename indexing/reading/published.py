"""When an article appeared: its header, its dateline, the stamp on its page."""

from __future__ import annotations

import re
from datetime import date

from indexing.schema import Document
from indexing.times.calendar import day_or_none, month_of, number_of_day
from indexing.times.words import DAY_FIRST, ISO, MONTH_FIRST, NUMERIC, WORD, compiled

_CLOCK = r"(?:\d{1,2}[:.]\d\d(?:\s?[ap]\.?m\.?)?(?:\s[A-Z]{2,4}\b)?,?\s+)?"

_STAMP = compiled(
    r"(?:^|[|·•–—]|\s-)\W{0,5}(?:(?:first|last|originally|date)\s)?(?P<word>published|posted|publication date"
    r"|(?:released|issued|dated)(?=\s?:)|date|updated|modified|ver[öo]ffentlicht|publi[ée]|publicado"
    r"|pubblicato|datum|stand)(?:\s(?:on|at|am|le|el|il|em))?\s?[:|–—-]?\s*" + _CLOCK
)

_HEADER_WORD = re.compile(r"[A-Z0-9|&·•–—:/(-]|(?:by|of|the|and|for|de)\b")

_AFTER_STAMP = re.compile(
    r"\s*$|[\s,]*[|·•–—/(-]|,?\s*(?:at\s+)?\d{1,2}[:.]\d\d|,?\s+by\b|[T\s]\d\d:", re.I
)

_WIRE = re.compile(r"\s*(?=[A-Z0-9]{10,60}\s*$)[A-Z]{2,}(?P<digits>\d{8})[A-Z0-9]*\s*")

_DATELINE = re.compile(r"\s*[A-Z][\w.,'’/ -]{1,60}?[,\s]\s*(?=(?:[A-Z][a-z]|[A-Z]{3}|\d))")

_AFTER_DATELINE = re.compile(r"\s*(?:[(/][\w ./-]{2,40}[)/])?\s*(?:[–—]|--|-\s)")

_COPYRIGHT = compiled(r"(?:©|\(c\)|copyright)\s{0,2}(?:©\s?)?(?P<y>20\d\d)\b")

_FOREIGN = re.compile(
    r"\d{1,2}\.?\s(?:de\s)?[^\W\d]{3,12}\.?\s(?:de\s)?\d{4}|\d{4}年\d{1,2}月\d{1,2}日"
)

_LINES = 40  # stamps stand at the head or the foot of a page; so many lines of each are looked at


def _written_day(
    text: str, at: int, language: str = "", year: int | None = None
) -> tuple[date, int] | None:
    """The full date that starts at `at`, and where it ends. `year` completes "Feb. 4"."""
    for pattern in (ISO, MONTH_FIRST, DAY_FIRST, NUMERIC):
        if not (m := pattern.match(text, at)):
            continue
        if pattern in (MONTH_FIRST, DAY_FIRST):
            in_year = int(m["y"]) if m["y"] else year
            day = (
                day_or_none(in_year, month_of(m["m"]), number_of_day(m["d"]))
                if in_year and not m["d2"]
                else None
            )
        elif pattern is ISO:
            day = day_or_none(int(m["y"]), int(m["m"]), int(m["d"]))
        else:
            day = _numeric_in(m, language)
        if day and 1800 <= day.year <= 2100:
            return day, m.end()
    return None


def _numeric_in(m: re.Match[str], language: str) -> date | None:
    """4/2/2026 read as the language writes it; plain "en" does not say which."""
    y, a, b = int(m["y"]), int(m["a"]), int(m["b"])
    day_first, month_first = day_or_none(y, b, a), day_or_none(y, a, b) if m["sep"] != "." else None
    if not (day_first and month_first) or day_first == month_first:
        return day_first or month_first
    tag = language.lower().replace("_", "-")
    if tag in ("en-us", "en-ph"):
        return month_first
    return day_first if tag and tag not in ("en", "eng", "english") else None


def _other_language(value: str, language: str) -> date | None:
    """ "4 février 2026": left to dateparser, whose import is slow and seldom needed."""
    if not (m := _FOREIGN.search(value)):
        return None
    import dateparser

    languages = [language[:2].lower()] if language[:2].isalpha() and len(language) > 1 else None
    settings = {"STRICT_PARSING": True, "REQUIRE_PARTS": ["day", "month", "year"]}
    for choice in (languages, None) if languages else (None,):
        try:
            found = dateparser.parse(m.group(), languages=choice, settings=settings)
        except (ValueError, OverflowError):  # a language it does not know
            continue
        if found and 1800 <= found.year <= 2100:
            return found.date()
    return None


def _in_value(value: str, language: str) -> date | None:
    """The day a metadata value states, whatever its format; None when it states none or two."""
    value = value.strip()
    if re.fullmatch(r"\d{8}", value):
        return _digits_day(value)
    for m in WORD.finditer(value[:100]):
        if found := _written_day(value, m.start(), language):
            return found[0]
    return _other_language(value[:100], language)


def _digits_day(digits: str) -> date | None:
    """20260205, else 05022026 (wire services put the day first), else 02152026."""
    for y, m, d in ((slice(0, 4), slice(4, 6), slice(6, 8)), (slice(4, 8), slice(2, 4), slice(0, 2)),
                    (slice(4, 8), slice(0, 2), slice(2, 4))):  # fmt: skip
        day = day_or_none(int(digits[y]), int(digits[m]), int(digits[d]))
        if day and 1990 <= day.year <= 2100:
            return day
    return None


def _stamp(document: Document, language: str) -> date | None:
    """The date of a line that is about the article: "Published: ...", a header, a wire code."""
    lines = [(line[:201], heading) for line, heading in visible_lines(document)]
    by_rank: dict[int, date] = {}
    feet: set[date] = set()
    for number, (line, heading) in enumerate(lines):
        wire = _WIRE.fullmatch(line)
        if wire and (day := _digits_day(wire["digits"])):
            by_rank.setdefault(4, day)
        edge = number < _LINES or number >= len(lines) - _LINES
        if not edge or heading or len(line) > 200:
            continue
        for m in _STAMP.finditer(line):
            found = _written_day(line, m.end(), language)
            if found is None and (day := _other_language(line[m.end() : m.end() + 40], language)):
                found = day, m.end() + 20
            rest = line[found[1] :] if found else ""
            if not found or len(rest) > 60 or rest.endswith((".", "!", "?", ",")):
                continue
            if number >= _LINES:
                feet.add(found[0])
            else:
                late = m["word"].lower() in ("updated", "modified", "stand")
                by_rank.setdefault(2 if late else 0, found[0])
        if number < 10 and len(line) <= 120 and (header := header_date(line, language)):
            by_rank.setdefault(1, header[1])
    if len(feet) == 1:  # with several, they date the related stories listed there
        by_rank.setdefault(3, feet.pop())
    return by_rank[min(by_rank)] if by_rank else None


def header_date(line: str, language: str) -> tuple[str, date] | None:
    """The date of "USA TODAY, 2015-09-04" or "By Jane Doe | 5 Feb 2026 10:12 GMT", and what stands
    before it; prose has none."""
    for word in WORD.finditer(line):
        if not (found := _written_day(line, word.start(), language)):
            continue
        before = re.sub(rf"{_CLOCK}\Z", "", line[: word.start()], flags=re.I).rstrip()
        names = before.split()
        apart = not names or (len(names) <= 12 and before[-1] in ",|·•–—:-")
        prose = line.endswith((".", "!", "?")) and _AFTER_DATELINE.match(line, found[1])
        if prose or not (apart and all(map(_HEADER_WORD.match, names))):
            return None
        return (before, found[0]) if _AFTER_STAMP.match(line[found[1] :]) else None
    return None


def visible_lines(document: Document) -> list[tuple[str, bool]]:
    """The lines of the raw text that hold more than markup, and whether each is a heading."""
    lines: list[tuple[str, bool]] = []
    at = 0
    for line in _without_markup(document).splitlines(keepends=True):
        heading = document.raw[at : at + len(line)].lstrip(" \t\ufeff\r\n").startswith("#")
        at += len(line)
        if line.strip():
            lines.append((line.rstrip(), heading))
    return lines


def _without_markup(document: Document) -> str:
    """`raw` with its markup (front matter above all) blanked."""
    raw = document.raw
    pieces, at = [], 0
    for span in sorted(document.markup):
        if span.start >= at:
            pieces += [raw[at : span.start], re.sub(r"[^\r\n]", " ", raw[span.start : span.end])]
            at = span.end
    return "".join(pieces) + raw[at:]


def _from_dateline(document: Document, text: str) -> date | None:
    """ "BRUSSELS, Feb. 4, 2026 (Reuters) -"; without a year, only if a copyright line has one."""
    years = {int(m["y"]) for m in _COPYRIGHT.finditer(document.raw)}
    year = years.pop() if len(years) == 1 else None
    opening = [line for line in text[:20_000].splitlines() if line.strip()][:8]
    for line in opening:
        for m in re.finditer(_DATELINE, line[:160]):
            for word in WORD.finditer(line, m.end(), 100):
                found = _written_day(line, word.start(), "", year)
                if found and _AFTER_DATELINE.match(line, found[1]):
                    return found[0]
    return None


def publication(document: Document, text: str) -> tuple[date | None, str | None]:
    """The day the article appeared and where that is stated; (None, None) when nothing states it.

    Where: "front matter" or "metadata" (the file's own fields), else "stamp" (a line of its own in
    the raw text, boilerplate included), else "dateline" (the opening of `text`). Files' names and
    times are never asked, nor are dates inside prose. Years outside 1800 to 2100 are not believed.
    """
    metadata = dict(document.metadata)
    language = metadata.get("language", "")
    if day := _in_value(metadata.get("published", ""), language):
        plain = document.format.lower().lstrip(".") in ("md", "txt", "markdown", "text")
        return day, "front matter" if plain else "metadata"
    if day := _stamp(document, language):
        return day, "stamp"
    if day := _from_dateline(document, text):
        return day, "dateline"
    return None, None
