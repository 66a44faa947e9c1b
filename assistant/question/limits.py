"""Limits stated in a question's own words: whose articles it asks about, and from which days.

Patterns, no model. A limit hides articles, so a name or a time counts only where the words around
it tie it to reporting: "according to X", "the X article", "articles published before D". A time of
an event ("agreed before March") does not. The text loses only a phrase that opens or closes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fnmatch import fnmatchcase
from functools import lru_cache

from assistant.language.words import STOPWORDS, content_terms, words
from indexing.schema import Filters, SourceInfo
from indexing.times.calendar import describe
from indexing.times.expressions import parse_day


@dataclass(frozen=True, slots=True)
class Limits:
    """What a question limits itself to.

    `text` is the question without the words that only limit; `filters` those asked for narrowed by
    them; `said` the limits in words, to be shown ("published before 5 February 2026", "from The
    Verge"); `missing` the names of sources asked for that the corpus does not hold ("Reuters").
    """

    text: str
    filters: Filters
    said: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def limits(question: str, filters: Filters, sources: Sequence[SourceInfo], today: date) -> Limits:
    """Reads the limits of `question`; its times are counted from `today`."""
    text = " ".join(question.replace(_MARK, " ").split())
    held = frozenset(info.publisher for info in sources if info.publisher)
    masked, articles = _mask_articles(text, sources)
    masked, publishers = _mask_publishers(masked, held)
    ties = [m for pattern in (_ASIDE, _TIE) for m in pattern.finditer(masked)]
    asked = () if not ties or any(_is_negated(masked, m) for m in ties) else publishers
    filters, names = _by_source(filters, articles, asked)
    listed = " or ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
    said = [f"from {listed}"] if names else []
    cuts = [m.span() for m in ties if names and m.re is _ASIDE]
    times = list(_times(masked, today))
    if times and (len(times) > 1 or len({m.end() for m in ties}) < 2):  # else of one source only
        first, last = min(days[0] for days, _ in times), max(days[1] for days, _ in times)
        if first > date.min:
            filters = replace(filters, since=max(first, filters.since or first))
        if last < date.max:
            filters = replace(filters, until=min(last, filters.until or last))
        if (first, last) != (date.min, date.max):
            said.append(f"published {_told(first, last)}")
            cuts += [cut for _, cut in times if cut and len(times) == 1]
    rest = _without(text, cuts) if cuts else ""
    text = rest if content_terms(rest) else question
    return Limits(text, filters, tuple(said), _missing(masked, held))


def _without(text: str, cuts: Sequence[tuple[int, int]]) -> str:
    """The text without those of the phrases that open it, up to a comma, or close it."""
    for start, end in sorted(cuts, reverse=True):
        if start and (close := re.fullmatch(r"\s*([?.!]*)", text[end:])):
            text = text[:start].rstrip(" ,") + close[1]
        elif start == 0 and text[end:].startswith(","):
            text = text[end:].lstrip(", ")
    return text


# ---- sources ------------------------------------------------------------------------------------

# What is known as a source is masked by marks, so that the patterns need not know any name.
_MARK = "\x00"
_NAME = rf"[\"“‘']?(?:the\s+)?[\"“‘']?{_MARK}++[\"”’']?"
_G = rf"(?:both\s+)?{_NAME}(?:\s*(?:,|,?\s*\band\b|,?\s*\bor\b|&)\s*{_NAME})*+"
_END = r"(?!\w|['’]|-\w|\s+(?-i:[A-Z0-9])|\s+(?:and|or|&)\s+(?:the\s+)?(?-i:[A-Z]))"
_DET = r"\b(?:the|an?|another|this|that)"
_KIND = r"(?:(?:latest|recent|first|second|news)\s+)?"
_NOUN = r"(?:articles?|reports?|stor(?:y|ies)|pieces?|coverage)\b"
_BY = r"(?:(?:that|which)\s+)?(?:was\s+|were\s+)?(?:published\s+|written\s+)?(?:by|from|in)"
_TOLD = r"(?:reported|stated|described|mentioned|noted)"
_SAYS = r"(?:says?|said|writes?|wrote|claims?|mentions?|describes?|report(?:s|ed)?|differ|(?:dis)?agree)\b(?!\s+to\b)"
_ASIDE = re.compile(
    rf"(?i)\baccording\s+to\s+(?:{_DET}\s+)?{_G}(?:(?:['’]s?)?\s+{_NOUN})?{_END}|"
    rf"\bas\s+(?:first\s+)?{_TOLD}\s+(?:by|in)\s+{_G}{_END}|"
    rf"\bas\s+{_G}\s+(?:(?:has\s+|have\s+|first\s+)?{_SAYS}|(?:tells?|told|puts?|has)\s+it\b)"
)
_TIE = re.compile(
    rf"(?i)(?:{_DET}\s+{_KIND}|(?=[\"“‘']{_MARK}))(?:{_G})\s+{_KIND}{_NOUN}|{_G}['’]s?\s+{_KIND}{_NOUN}|"
    rf"\b{_NOUN}\s+{_BY}\s+{_G}{_END}|(?<!\bas\s)\b{_TOLD}\s+(?:by|in)\s+{_G}{_END}|"
    rf"\b(?:do|does|did|has|have|had)\s+{_G}\s+(?:also\s+|first\s+|both\s+)?{_SAYS}|"
    rf"(?:\A|[,.;?!]\s+|\b(?:why|when|how|if|but|because)\s+){_G}\s+(?:report(?:s|ed)?|says|said|wrote)\s+that\b"
)
_NOT = re.compile(
    r"(?i)\b(?:not|except|unlike|other than|apart from|instead of)(?:\s+\w+){0,3}\s*\Z"
)
_QUOTED = re.compile(r"“([^“”]+)”|\"([^\"]+)\"|‘([^‘’]+)’(?!\w)|(?<!\w)'([^']+)'(?!\w)")
_FILE = re.compile(r"(?<![\w/.-])\w[\w./#-]*(?:[_.]|-\w+-)[\w./#-]*\w")
_SITE = r"\.(?:com|org|net|co\.uk)"
_Named = dict[str, list[SourceInfo]]


def _is_negated(text: str, tie: re.Match[str]) -> bool:
    return bool(_NOT.search(text[max(0, tie.start() - 60) : tie.start()]))


@lru_cache(maxsize=8)
def _names(held: frozenset[str]) -> tuple[re.Pattern[str], Mapping[str, Mapping[str, str]]]:
    """A pattern for all that publishers are called, and by name, in small letters unless it is
    initials, the publishers that it means, each with the spelling that it shortens."""
    names: dict[str, dict[str, str]] = {}
    for publisher in sorted(held):
        for part in (publisher, re.split(r"\s+(?:[|–—-]\s|\()", publisher)[0]):
            name = re.sub(rf"\A\s*the\s+|{_SITE}\Z", "", part, flags=re.IGNORECASE)
            told = [word for word in re.findall(r"\w+", name) if word.lower() not in STOPWORDS]
            initials = "".join(word[0].upper() for word in told) if len(told) > 1 else ""
            is_news = len(told) == 2 and told[0].isupper() and told[1] == "News"  # "BBC News"
            for known in {name.lower(), initials, told[0] if is_news else ""} - {""}:
                names.setdefault(known, {}).setdefault(publisher, part)
    spelled = [re.escape(name) for name in sorted(names, key=len, reverse=True)]
    any_name = "|".join(f"(?-i:{name})" if name.isupper() else name for name in spelled) or "(?!)"
    pattern = rf"(?<![\w-])(?P<name>{any_name})(?:{_SITE})?(?![\w-])"
    return re.compile(pattern, re.IGNORECASE), names


def _mask_publishers(text: str, held: frozenset[str]) -> tuple[str, tuple[str, ...]]:
    """`text` with the names of publishers masked, and those publishers, in order."""
    pattern, names = _names(held)
    is_cased = any(c.isupper() for c in text[1:])
    found: dict[str, str] = {}

    def mask(m: re.Match[str]) -> str:
        known = names.get(m["name"].lower()) or names.get(m["name"], {})
        if m[0].islower() and m[0].isalpha():  # perhaps an ordinary word
            the = "the " if text[: m.start()].lower().endswith("the ") else ""
            is_own = any(part.lower() == the + m[0] for part in known.values())
            if not is_own or (is_cased and not the):
                return m[0]
        found.update(known)
        return _MARK * len(m[0])

    return pattern.sub(mask, text), tuple(found)


def _mask_articles(text: str, sources: Sequence[SourceInfo]) -> tuple[str, _Named]:
    """`text` with file names and quoted titles masked, and the articles that these mean."""
    named: _Named = {}
    for m in list(_QUOTED.finditer(text))[:9]:
        if len(title := words(m[0])) > 3:
            near = (i for i in sources if all(map(i.title.casefold().__contains__, title)))
            named[m[0]] = [i for i in near if words(i.title)[: len(title)] == title]
    for m in list(_FILE.finditer(text))[:9]:
        file = re.compile(rf"(?:.*/)?{re.escape(m[0])}(?:\.\w+)?(?:#.*)?", re.IGNORECASE)
        near = (i for i in sources if m[0].casefold() in i.source.casefold())
        named[m[0]] = [i for i in near if file.fullmatch(i.source)]
    for name, found in list(named.items()):
        if found and not _NOT.search(text.split(name)[0]):
            text = text.replace(name, _MARK * len(name))
        else:
            del named[name]
    return text, named


def _by_source(own: Filters, articles: _Named, asked: Sequence[str]) -> tuple[Filters, list[str]]:
    """The filters narrowed to one file, else to publishers, by their names; no names, no limit."""
    found = {info.source: info for named in articles.values() for info in named}
    homes = {info.publisher: None for info in found.values()}
    files = {source.split("#")[0] for source in found}
    all_named = dict.fromkeys([*asked, *(home for home in homes if home)])
    kept = [name for name in all_named if name in (own.publishers or all_named)]
    if len(files) == 1 and homes.keys() >= set(asked):
        glob = (own.source or "*").replace("[^", "[!")
        if not any(fnmatchcase(source, glob) for source in found) or (own.publishers and not kept):
            return own, []
        file = min(found) if len(found) == 1 else f"{files.pop()}#"
        escaped = re.sub(r"[\[*?]", r"[\g<0>]", file)
        return replace(own, source=escaped + "*" * (len(found) > 1)), list(articles)
    return (own, []) if None in homes or not kept else (replace(own, publishers=tuple(kept)), kept)


_PAPER = "chronicle gazette herald journal mail news observer post press telegraph times tribune"
_WELL_KNOWN = "reuters ap afp bloomberg bbc cnn cnbc npr guardian economist politico forbes wired verge techcrunch nyt wsj"
_CALLED = r"[\"“‘']?(?P<name>[A-Z][\w.&-]*(?:\s+(?:of\s+)?[A-Z][\w.&-]*){0,4})[\"”’']?"
_ASKED = re.compile(
    rf"(?i:\b{_NOUN}\s+{_BY}\s+)(?:the\s+)?{_CALLED}|"
    rf"(?i:{_DET}\s+{_KIND}){_CALLED.replace('name', 'its')}(?:['’]s?)?\s+(?i:{_KIND}{_NOUN})"
)


def _missing(masked: str, held: frozenset[str]) -> tuple[str, ...]:
    """Names that only a publisher has, asked for as sources, that can mean none that is held."""
    known = [[word for word in words(publisher) if word != "the"] for publisher in held]
    found: list[str] = []
    for m in [] if masked.isupper() else _ASKED.finditer(masked):
        name = (m["name"] or m["its"]).rstrip(".")
        told = [word for word in words(name) if word != "the"] or [""]
        is_paper = told[-1] in (_PAPER if told[1:] else _WELL_KNOWN).split()
        is_held = any(k and k[0][0] == told[0][:1] and told[-1] in k for k in known)  # "NY Times"
        if is_paper and not is_held and not _is_negated(masked, m):
            found.append(name)
    return tuple(dict.fromkeys(found))


# ---- times of publication -----------------------------------------------------------------------

# Any words that a time is made of; `parse_day` tells whether they make one.
_LAST = (
    r"(?:(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|"
    r"oct(?:ober)?|nov(?:ember)?|dec(?:ember)?|(?:mon|tues|wednes|thurs|fri|satur|sun)day|days?|weeks?|months?|"
    r"years?|ago|yesterday|today|\d{4}(?:-\d\d-\d\d)?|\d{1,2}(?:st|nd|rd|th)?)\b)"
)
_DAY = (
    rf"(?:(?:{_LAST}|the|of|last|past|this|early|mid|late|first|second|third|fourth|quarter|spring|summer|autumn|"
    rf"winter|one|two|three|four|five|six|seven)[,.]?\s+){{0,6}}{_LAST}(?![\w'’/-])"
)
_WHEN = (
    rf"(?:(?:between|from)\s+{_DAY}\s+(?:and|to|until|through)\s+{_DAY}|"
    rf"(?:(?:from\s+)?(?:earlier|later)\s+than|before|after|since|until|from|in|on|during)\s+{_DAY}(?:\s+onwards?)?|"
    rf"(?=(?:the\s+)?(?:last|past|this)\b|yesterday|today|\w+day\b){_DAY})"
)
_WHENS = rf"(?P<when>{_WHEN}(?:\s+(?:and|but)\s+{_WHEN})?)"
_PRINTED = r"(?:published|written|posted|dated|reported)\s+"
_TIMES = re.compile(
    rf"(?i)(?:(?P<lead>\b(?:in|from|among|according\s+to|going\s+(?:only\s+)?by)\s+)|(?<!\bto\s))"
    rf"(?P<det>(?:\b(?:the|an?|all|any|latest|recent|new|news|which|what|do|does|did|of)\s+|{_G}(?:['’]s?)?\s+)*)"
    rf"\b(?P<noun>articles?|stor(?:y|ies)|news|coverage|reports)\s+"
    rf"(?:(?:by|from|in)\s+{_G}\s+|(?:about|on|of|by)\s+(?:[\w'’{_MARK}-]+\s+){{1,6}}?(?={_PRINTED}))?"
    rf"(?:(?:that|which)\s+)?(?:(?:was|were)\s+)?(?P<printed>{_PRINTED})?{_WHENS}|"
    rf"(?:(?P<aside>\A|,\s*|\bas\s+(?:first\s+|{_G}\s+)?)|\b(?:what|anything)\s+(?:was|is|has\s+been)\s+)"
    rf"{_PRINTED}(?:(?:by|in)\s+{_G}\s+)?{_WHENS.replace('when', 'on')}"
)


def _times(masked: str, today: date) -> Iterator[tuple[tuple[date, date], tuple[int, int] | None]]:
    """Times tied to publishing: the days, and the phrase that could go."""
    for m in _TIMES.finditer(masked):
        own, when = m.groupdict(), (m["when"] or m["on"]).lower()
        for told, plain in (("earlier", "before"), ("later", "after")):
            when = re.sub(rf"\b(?:from\s+)?{told}\s+than\b", plain, when)
        if own["noun"] and not own["printed"]:
            is_tied = own["lead"] or own["det"] or own["noun"][0] in "aA" or m.start() == 0
            after = re.match(r"\s+([\w'’-]+)", masked[m.end() :])
            is_whole = not after or after[1].lower() in STOPWORDS or re.match(_SAYS, after[1])
            if not is_tied or not (is_whole or when.startswith(("be", "af", "since", "until"))):
                continue  # "dental coverage in 2025", "news on 4 May talks"
        days = [_days(part, today) for part in re.findall(_WHEN, when)]
        known = [day for day in days if day]
        if len(known) == len(days) and not _is_negated(masked, m):
            within = max(day[0] for day in known), min(day[1] for day in known)
            if within[0] <= within[1]:
                yield within, m.span() if own["lead"] or own["aside"] is not None else None


def _days(when: str, today: date) -> tuple[date, date] | None:
    """The first and last day that a time of publication leaves; open ends as in `parse_day`."""
    if m := re.fullmatch(r"(?:between|from) (.+?) (?:and|to|until|through) (.+)", when):
        month, year = re.findall(r"( [a-z]+)?( \d{4})?\Z", m[2])[0]
        is_bare = re.fullmatch(r"\d{1,2}\w{0,2}", m[1])  # "4 and 6 February 2026"
        opening = m[1] + (month if is_bare else "") + ("" if year in m[1] else year)
        a, b = parse_day(opening, today), parse_day(m[2], today)
        return (a[0], b[1]) if a and b and a[0] <= b[1] else None
    when = when if re.search(r" onwards?\Z", when) else when.removeprefix("from ")
    named = parse_day(when, today)
    if named and named[0] > today > date(2, 1, 1) and not re.search(r"\d{4}", when):
        return parse_day(when, today - timedelta(183))  # what is published lies in the past
    return named


def _told(first: date, last: date) -> str:
    """A span with its preposition: "before 4 May 2026", "in March 2026", "from 2 to 8 May 2026"."""
    if first == date.min:
        return f"before {describe(last + timedelta(1), last + timedelta(1), 'day')}"
    if last == date.max:
        return f"since {describe(first, first, 'day')}"
    is_whole = first.day == 1 and (last + timedelta(1)).day == 1
    is_year = is_whole and (first.month, last.month) == (1, 12)
    said = describe(first, last, "year" if is_year else "month" if is_whole else "day")
    return f"{'from' if ' to ' in said else 'in' if is_whole else 'on'} {said}"
