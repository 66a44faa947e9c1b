"""Who published an article, where its file or its text states it.

Only places where publishers are stated are read: metadata, a header line with the date, the agency
of a dateline, a line that points at the original, a copyright line. A place, a person, a section or
a source of figures can stand in each of them, so every rule asks for a sign beside the name itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from indexing.reading.published import header_date, visible_lines
from indexing.schema import Document
from indexing.times.words import MONTH, WEEKDAY, compiled

_CHARS = 60
_HEAD = 10
_FOOT = 12
_WINDOW = 300  # of a line, at either end: a scraper may have set the whole article on one


def _listed(words: str) -> frozenset[str]:
    return frozenset(" ".join(entry.split()) for entry in words.split(","))


# Without case. These are believed where an unknown name could be a place, a section or a ticker.
_KNOWN = _listed(
    """aap, abc, abc news, accesswire, afp, al jazeera, anadolu, ani, ansa, ap, associated press, axios,
    barron's, bbc, belga, bernama, bloomberg, business wire, buzzfeed, canadian press, cbc, cbs, cnbc,
    cnet, cnn, ctk, dpa, deutsche welle, efe, ein presswire, engadget, espn, euronews, financial times,
    forbes, fortune, globe newswire, globenewswire, huffpost, ians, interfax, itar-tass, kyodo, lusa,
    mashable, menafn, msnbc, nbc, newsfile, newsweek, nhk, npr, ntb, pbs, politico, pr newswire,
    prensa latina, prnewswire, pti, reuters, ritzau, spiegel, tass, techcrunch, the conversation, upi,
    usa today, vox, wired, wsj, xinhua, yonhap"""
)
_DESK = re.compile(r"(?:AFP|AP|BBC|Bloomberg|CNN|NBC|NPR|Reuters)(?:\s\w+){1,2}")  # "CNN Business"
_NEWS = re.compile(
    r"\b(?:news(?:wires?|week|papers?|day|max|nation|hour)?|times|post|press(?:e|wire)?|herald|tribune|gazette"
    r"|journal|daily|guardian|independent|telegraph|observer|chronicle|mail|mirror|today|weekly|magazine|radio|tv"
    r"|television|broadcasting|network|wire|media|insider|dispatch|courier|bulletin|globe|digest|zeitung|nachrichten"
    r"|rundfunk|monde|figaro|echos|país|mundo|vanguardia|corriere|repubblica)\b",
    re.I,
)
_DOMAIN = re.compile(
    r"(?:https?://)?(?:www\.)?(?P<host>(?:[\w-]{1,60}\.){1,4}[A-Za-z]{2,12})(?:/\S{0,200})?(?=[\s.,;)\]|]|$)"
)
_CALL_SIGN = re.compile(
    r"(?!WHO|WTO|WWF|WWE|WMO|WADA|WIPO|KGB|KKK|KPMG)[KW][A-Z]{2,3}(?:[- ](?:TV|AM|FM|\d{1,2}))?"
)
_MIXED = re.compile(
    r"\b(?!Ma?c[A-Z]|(?:De|Di|Du|La|Le|Van|Von|Fitz|O|Jo|Ja|Da|Ra|Ke)[A-Z])[A-Z]\w*[a-z][A-Z]"
)

_CAPITAL = "A-ZÀ-ÖØ-ÞĀĂĄĆČĎĐĒĖĘĚĢĪĮĶĻŁŃŅŇŌŐŒŘŚŞŠŤŪŮŰŲŹŻŽΑ-ΩА-Я0-9"
_TOKEN = rf"(?:(?:[A-Z]\.){{1,4}}|[{_CAPITAL}][\w&'’+-]*(?:[./]\w+)*)"
_JOINER = r"(?:&|\+|of|the|and|for|de|del|des|du|der|die|das|la|le|los|y|et|und|e)"
_NAME = rf"{_TOKEN}(?:\s{{1,3}}(?:{_JOINER}\s{{1,3}}){{0,2}}{_TOKEN}){{0,5}}"
_A_NAME = re.compile(_NAME)

_SECTIONS = _listed(
    """admin, africa, americas, analysis, article, arts, asia, blog, blog post, blogs, business, climate, column,
    comment, commentary, culture, economy, editor, editorial, editorials, education, energy,
    entertainment, environment, europe, events, exclusive, explainer, feature, features, finance,
    food, guest, guest post, health, home, india, industry, insights, international, interview, law, life,
    lifestyle, live, local, markets, middle east, money, movies, music, national, newsletter,
    news, news analysis, news brief, news feature, news in brief, newsroom, obituaries, op-ed, opinion, podcast, podcasts, politics, press, products, real estate, report,
    reporter, research, review, reviews, science, society, speech, speeches, sport, sports, staff,
    staff reporter, staff writer, statement, statements, stories, story, style, tech, technology,
    television, the hague, today, top stories, travel, tv, uk, uncategorized, update, us, u.s., video, videos,
    weather, world"""
)
_NOT_FIRST = re.compile(
    r"(?:(?:by|published|updated|posted|from|date|dated|last|first|written|modified|created|issued|released|edited"
    r"|reviewed|authors?|photo\w*|images?|picture|source|copyright|on|at|as|in|to|for|page \w?\d+|issue|vol|volume|no|nr"
    r"|version|accessed|retrieved|deadline|effective|figure|table|chart|chapter|part|section|appendix|signed"
    r"|breaking|latest|correction|corrected|corrects|correcting|clarification|updates?|adds|advisory|embargoed"
    r"|top|left|right|above|below|video|watch|listen|read|click|here|our|this|that|these|my|your|its?|their|an?"
    r"|question|answer|note|disclosure|annual|fiscal|quarter|q[1-4]|draft|final|all|illustration|getty|shutterstock"
    r"|istock\w*|alamy|unsplash|pixabay|ph\.?d"
    r"|(?:press|news|media) (?:release|conference|statement|briefing|office|note|kit|advisory|contact|alert)s?)\b"
    r"|(?:english|spanish|french|german|italian|chinese|google play|app store|youtube|facebook|twitter|instagram"
    r"|linkedin|whatsapp|telegram|reddit|x)\Z)",
    re.I,
)
_PHOTO = re.compile(r"\b(?:photos?|images?|pool|file|handout|getty|shutterstock)\b", re.I)
_CALENDAR = compiled(rf"\b(?:{MONTH}|{WEEKDAY})\.?")
_PLACE = re.compile(
    r"(?:New (?:York|Delhi|Orleans|Haven|Jersey)|San|Santa|St\.?|Saint|Los|Las|El|Port|Cape|Fort|Hong Kong|Tel Aviv"
    r"|Buenos Aires|Kuala Lumpur|Rio|São|Sao|Abu Dhabi|Addis Ababa|Mexico City|Guatemala City|Panama City"
    r"|Vatican City|United Nations|Washington|Ho Chi|Phnom Penh|Sri|South|North|East|West)\b"
)


_ARTICLES = ("The ", "Der ", "Die ", "Le ", "Les ", "El ", "La ")


def _branded(name: str) -> bool:
    """Whether the words alone show that this is no place, person or section."""
    if name.casefold() in _SECTIONS:
        return False
    return (
        name.casefold() in _KNOWN
        or (name.startswith(_ARTICLES) and not _PLACE.match(name))
        or bool(_NEWS.search(name) or _MIXED.search(name) or _DOMAIN.fullmatch(name))
    )


def _agency(name: str) -> bool:
    """Whether brackets round the name alone show that it is a news agency's."""
    if name.casefold() in _KNOWN or _DESK.fullmatch(name):
        return True
    return " " in name and bool(_NEWS.search(name))


def _tidy(name: str) -> str | None:
    """The name on one line without the punctuation round it; None when it can be no publisher's."""
    name = " ".join(name.split()).strip(" ,;:|·•–—-\"'“”*_")
    if not re.search(r"(?:[A-Z]\.){2,}\Z", name):
        name = name.rstrip(". ")
    letters = sum(map(str.isalpha, name))
    if letters < 2 or len(name) > _CHARS or _NOT_FIRST.match(name) or _PHOTO.search(name):
        return None
    dated = all(_CALENDAR.fullmatch(word) or word.isdigit() for word in name.split())
    return None if dated else name


# ---- a header line ------------------------------------------------------------------------------

_PARTED = re.compile(r"\s*[|·•]\s*|,\s+|\s[–—/-]\s")
_BY = re.compile(
    rf"[|·•,–—/(-]\s{{0,3}}(?i:by):?\s{{1,3}}(?P<who>[{_CAPITAL}]\w*(?:[ .'’-]{{1,2}}\w+){{0,4}})"
)
_AUTHOR = re.compile(
    r"(?i:^\W*(?:by|authors?|written|words|story|reporting|von|par|por|di)\b)|\w@\w|(?:^|\s)@\w"
    r"|(?i:\b(?:reporter|correspondent|writer|contributor|columnist|journalist|editor|min(?:ute)? read)\b)"
)


def _is_section(name: str) -> bool:
    words = re.sub(r"(?i)\s(?:and|&)\s|\snews\Z|\Alatest\s|\Abreaking\s", "|", name).split("|")
    return all(word.casefold() in _SECTIONS for word in words if word)


def _from_header(lines: Sequence[tuple[str, bool]], language: str) -> str | None:
    """ "USA TODAY, 2015-09-04", "TechCrunch | 26 September 2023 | By Jane Doe"."""
    head = lines[:_HEAD]
    for number, (line, heading) in enumerate(head):
        if heading or len(line) > 120 or not (found := header_date(line, language)):
            continue
        before, rest = found[0], line[len(found[0]) :]
        if not before or before[-1] not in ",|·•–—-" or re.search(r"\d\s{0,3}\(|\d\s/[A-Z]", rest):
            continue
        around = [head[n][0] for n in (number - 1, number + 1) if 0 <= n < len(head)]
        name = _whole(before[:-1]) if before[-1] == "," else _apart(before)
        if name and (_branded(name) or _no_author(name, before, rest, number, around)):
            return name
    return None


def _apart(before: str) -> str | None:
    """The one part of "World | By Jane Doe | The Gazette |" that is neither section nor author."""
    parts = [part for part in _PARTED.split(before) if part.strip(" ,|·•–—-")]
    names = {name for part in parts if (name := _tidy(part)) and not _is_section(name)}
    if len(parts) > 1:  # "Politics | Jane Doe": what is left need not be the publisher
        names = {name for name in names if _branded(name)}
    return names.pop() if len(names) == 1 else None


def _whole(before: str) -> str | None:
    """What a comma sets off from the date is one name, bars and all, unless its parts tell more."""
    parts = [part.strip() for part in before.split("|")]
    foreign = any(_is_section(part) or re.match(r"(?i)by\b", part) for part in parts)
    later = not _branded(parts[0]) and any(map(_branded, parts[1:]))
    if (
        "," in before
        or " / " in before
        or _CALENDAR.search(before[-10:])
        or (len(parts) > 1 and (foreign or later))
    ):
        return _apart(before)
    name = _tidy(before)
    return name if name and not _is_section(name) else None


def _no_author(name: str, before: str, rest: str, number: int, around: Sequence[str]) -> bool:
    """Whether a name that could be a person's or a place's is neither, from what stands by it."""
    if by := _BY.search(rest):
        return by["who"].casefold() not in name.casefold()
    if number == 0 or _AUTHOR.search(rest) or any(map(_AUTHOR.search, around)):
        return False
    iso = re.match(r"\W*\d{4}-\d", rest)
    if before[-1] == "," and not iso:
        return " " in name and not name.isupper() and not _PLACE.match(name)
    return bool(iso) or not ((name.isupper() and len(name) > 4) or _PLACE.match(name))


# ---- a dateline ---------------------------------------------------------------------------------

_BRACKETED = re.compile(
    rf"\W{{0,3}}(?:(?P<place>[{_CAPITAL}][^()/\n]{{1,80}}?)\s{{0,3}})?"
    r"(?:\((?P<a>[^()\n]{2,60})\)|/(?P<b>[A-Z][\w -]{1,40})/)\s{0,3}(?P<dash>--|[–—-](?=\s|\Z))?"
)
_DASH_INSIDE = re.compile(r"\s[–—-]+|[–—-]+\s")
_A_DAY = re.compile(rf"\b{MONTH}\s{{1,2}}\d{{1,2}}\b|\b\d{{1,2}}\s{{1,2}}{MONTH}")


def _from_dateline(text: str) -> str | None:
    """ "BRUSSELS, Feb. 4 (Reuters) -", "(MENAFN) The ...": the agency, which is not the place."""
    opening = [line for line in text[:20_000].splitlines() if line.strip()][:8]
    for line in opening:
        m = _BRACKETED.match(line[:_WINDOW])
        if not m or len(line) - m.end() < 40:
            continue
        inside = _DASH_INSIDE.split(m["a"] or m["b"])[0].strip()
        name = _tidy(inside) if _A_NAME.fullmatch(inside) else None
        if not name or not re.match(rf"\W{{0,4}}[{_CAPITAL}]", line[m.end() :]):
            continue
        place = m["place"]
        if place is None:
            # Without an agency's look or a dash, brackets hold a ticker or "(UPDATE)".
            if _agency(name) or (m["dash"] and (_branded(name) or _CALL_SIGN.fullmatch(name))):
                return name
        elif _is_place(place, name, bool(m["dash"])):
            return name
    return None


def _is_place(place: str, name: str, dash: bool) -> bool:
    """Whether `place` opens a dateline by `name`: "World Health Organization (WHO) -" opens none."""
    words = place.split()
    if len(words) > 10 or not all(re.match(rf"[{_CAPITAL}(/·•|–—-]|{_JOINER}\b", w) for w in words):
        return False
    initials = "".join(w[0] for w in words if w[0].isupper())
    if len(initials) > 1 and initials.endswith(name.upper()):
        return False
    if dash and (_A_DAY.search(place) or re.match(r"[A-Z][A-Z .'-]{2,30},", place)):
        return True
    return _agency(name) or (dash and bool(_CALL_SIGN.fullmatch(name)))


# ---- a line that points at the original ---------------------------------------------------------

_ITEM = r"(?:article|story|post|piece|column|op-ed|commentary|essay|interview|content|blog post)"
_BEFORE_NAME = rf"""
(?:(?:this|the|a version of this)\s(?:\w+\s)?{_ITEM}\s)?(?:(?:was|is|has\sbeen|had\sbeen)\s)?(?:originally|first)\s(?:published|posted|appeared)\s(?:by|on|in|at)
(?:(?:this|the)\s{_ITEM}\s)?(?:(?:is|was|has\sbeen)\s)?(?:republished|reprinted|syndicated)\s(?:with\spermission\s)?from
the\spost\s[^\n]{{1,200}}\s(?:appeared|was\spublished)\sfirst\son|the\spost\s[^\n]{{1,200}}\sfirst\sappeared\son
(?:read|continue\sreading|view|see)\s(?:the\s|this\s)?(?:(?:full|original|whole|entire|complete|rest\sof\s(?:the|this))\s)+(?:{_ITEM}\s)?(?:here\s)?(?:at|on|in)
continue\sreading\s(?:(?:the|this)\s(?:\w+\s)?{_ITEM}\s)?(?:at|on)|read\smore\sat
(?:weiter\s)?zum\s(?:vollständigen|ganzen|kompletten|original(?:en)?-?)\s?(?:artikel|beitrag)\s(?:bei|auf|in|von)
lesen\ssie\sden\s(?:vollständigen|ganzen|kompletten|originalen?)\s(?:artikel|beitrag)\s(?:bei|auf|in)
weiter\s?lesen\s(?:bei|auf)|(?:(?:dieser|der)\s(?:artikel|beitrag)\s(?:ist|wurde|erschien)\s)?(?:ursprünglich|zuerst)\s(?:veröffentlicht|erschienen)\s(?:bei|auf|in|im)
lire\s(?:la\ssuite|l['’](?:article(?:\s(?:complet|original|entier|intégral|en\sentier))?|intégralité(?:\sde\sl['’]article)?))\s(?:sur|dans)
(?:(?:cet\s)?article\s)?(?:(?:initialement|originellement|d['’]abord)\spublié|publié\s(?:initialement|à\sl['’]origine|d['’]abord))\s(?:sur|dans|par)
(?:leer|lea|lee|ver)\s(?:el|la)\s(?:artículo|noticia|nota)\s(?:complet[oa]|original)\s(?:en|de)|seguir\sleyendo\sen
(?:(?:este|el)\sartículo\s(?:fue\s)?)?publicado\s(?:originalmente|por\sprimera\svez)\s(?:en|por)
"""
_POINTER = re.compile(
    r"(?:^|(?<=[.!?…”\"»)\]]))[\s>»›→•*|(\[–—-]{0,6}(?i:"
    + "|".join(line for line in _BEFORE_NAME.split("\n") if line)
    + r")\s{0,3}[:：]?\s{1,3}(?=(?P<rest>[^\s][^\n]{0,200}))"
)
_SOURCE = re.compile(
    r"(?:^|(?<=[.!?…”\"»)\]]))[\s>»›→•*|(\[–—-]{0,6}(?i:source|quelle|fuente|fonte|bron)\s?[:：]\s{0,3}(?=(?P<rest>[^\s][^\n]{0,200}))"
)
_ENDS = re.compile(r"[\s.!)»”\"’\]→›>*_]*(?:\Z|(?i:,?\s(?:under|with permission|and is re)))")
_ENDS_SENTENCE = re.compile(rf"\s?[.!]\s{{1,3}}[{_CAPITAL}]")
_DATA = re.compile(
    r"\b(?:bureau|department|ministry|survey|census|statistics|institute|universit\w+|compan\w+|reports?|filings?"
    r"|data|bank|fund|office|administration|commission|organi[sz]ation|association|foundation|agency|authority"
    r"|authors?|wikipedia|investing|factset|statista|factbook)\b",
    re.I,
)


def _named(rest: str) -> str | None:
    """The domain or name that `rest` consists of; the sentence may go on only as pointers do."""
    if domain := _DOMAIN.match(rest):
        return domain["host"] if _ENDS.match(rest, domain.end()) else None
    name = _A_NAME.match(rest.lstrip("\"'“”«„*_ "))
    if not name:
        return None
    after = name.string[name.end() :]
    return _tidy(name[0]) if _ENDS.match(after) or _ENDS_SENTENCE.match(after) else None


def _end(line: str) -> str:
    """A line as a pointer may stand in it; "~" keeps the place of a cut from passing for a start."""
    return line if len(line) <= _WINDOW else "~" + line[-_WINDOW:]


def _from_pointer(lines: Sequence[tuple[str, bool]]) -> str | None:
    """ "Originally published by The Gazette", "Read the full article at example.com"."""
    edges = [_end(line) for line, _ in [*lines[-_FOOT:][::-1], *lines[:5]]]
    for line in edges:
        for m in _POINTER.finditer(line):
            if name := _named(m["rest"]):
                return name
    sources = {m["rest"] for line in edges for m in _SOURCE.finditer(line)}
    # Several, or one inside the article, say where figures come from.
    if len(sources) != 1 or not lines:
        return None
    name = _named(rest := sources.pop())
    last = any(line.endswith(rest) for line in (lines[-1][0], lines[0][0]))
    if name and (_branded(name) or last) and not _DATA.search(name):
        return name
    return None


# ---- a copyright line ---------------------------------------------------------------------------

_COPYRIGHT = re.compile(
    r"(?:^|(?<=[.!?…”\"»)\]|]))[\s|•*–—-]{0,6}(?:(?i:copyright)\s{0,2}(?:©|\([cC]\)|&copy;)?|©|\([cC]\))\s{0,3}(?i:copyright\s)?"
    r"(?:20\d\d|19\d\d)(?:\s?[–—-]\s?(?:20)?\d\d)?,?\s{1,3}(?i:by\s)?(?=(?P<rest>[^\s][^\n]{0,200}))"
)
_RIGHTS = re.compile(
    r"(?i)\W(?:all rights|alle rechte|tous droits|todos los derechos|tutti i diritti)\b"
)
_ENDS_COPYRIGHT = re.compile(r"(?i)\s*(?:[.,;|·•)–—-]|\Z|(?:and|or)\b)")


def _from_copyright(lines: Sequence[tuple[str, bool]]) -> str | None:
    """ "© 2026 The Gazette. All rights reserved."; two holders do not say who published."""
    names: set[str | None] = set()
    for line, _ in [*lines[:_HEAD], *lines[max(_HEAD, len(lines) - 40) :]]:
        for m in _COPYRIGHT.finditer(_end(line)):
            holder = _RIGHTS.split(m["rest"])[0]
            if domain := _DOMAIN.match(holder):
                names.add(domain["host"])
            elif (name := _A_NAME.match(holder)) and _ENDS_COPYRIGHT.match(holder, name.end()):
                names.add(_tidy(name[0]))
    names.discard(None)
    return names.pop() if len(names) == 1 else None


def publisher(document: Document, text: str) -> str | None:
    """The publisher that the file states; None when none is stated. `text` is the cleaned text.

    What metadata says is believed as it stands. The raw text, boilerplate included, is asked for
    the rest, as cleaning takes most such lines out; a dateline stands in `text`. Prose, addresses
    and files' names are never asked.
    """
    metadata = dict(document.metadata)
    if stated := " ".join(metadata.get("publisher", "").split()):
        return stated
    lines = visible_lines(document)
    return (
        _from_header(lines, metadata.get("language", ""))
        or _from_dateline(text)
        or _from_pointer(lines)
        or _from_copyright(lines)
    )
