"""What a question asks for: the kind of answer, the terms that must be supported, its limits.

No model: word lists and patterns for English questions, as in answer typing for factoid question
answering (Li and Roth 2002, "Learning question classifiers").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from indexing.reading.clean import searchable


class Wanted(StrEnum):
    """The kind of answer a question asks for."""

    DATE = "date"
    DURATION = "duration"
    AMOUNT = "amount"
    COUNT = "count"
    SHARE = "share"
    PERSON = "person"
    PLACE = "place"
    BODY = "body"
    YES_NO = "yes/no"
    REASON = "reason"
    LIST = "list"
    COMPARISON = "comparison"
    DESCRIPTION = "description"


@dataclass(frozen=True, slots=True)
class Question:
    """A question made whole.

    `text` stands on its own: a follow-up is completed from the history, and abbreviations may be
    spelled out at its end. `terms` are the words that evidence must support, lower case, in order,
    each once: its content words without those that only name the kind of answer; `names` are those of
    them written as names or numbers. `also` gives, for a term, other words that mean it. `is_topic`: it asks nothing, but names a subject. `focus`: words that the very
    sentence must have, or the one before it.
    """

    text: str
    wanted: Wanted
    terms: tuple[str, ...]
    names: tuple[str, ...] = ()
    also: tuple[tuple[str, frozenset[str]], ...] = ()
    is_topic: bool = False
    focus: tuple[str, ...] = ()

    @property
    def asks_deadline(self) -> bool:
        """Whether it asks for a time by which something is to happen."""
        return self.wanted is Wanted.DATE and bool(_DEADLINE.search(self.text))

    @property
    def asks_who_that_is(self) -> bool:
        """Whether it only names somebody: "Who is Jay Timmons?" wants no name for an answer."""
        is_named = self.wanted is Wanted.PERSON and set(self.terms) <= set(self.names)
        return is_named and bool(
            re.search(r"\bwho(?:'s|’s|\s+(?:is|was|are|were))\b", self.text, re.I)
        )

    @property
    def stems(self) -> frozenset[str]:
        """The common forms of `terms` and of what else means them, to compare with a text's."""
        own = frozenset(stem(term) for term in self.terms)
        return own.union(*(other for _, other in self.also))

    def is_supported(self, term: str, stems: Collection[str]) -> bool:
        """Whether a text with these word stems has `term`, all of its parts ("US-EU"), or all words
        that mean it."""
        if stem(term) in stems:
            return True
        if any(own == term and all(word in stems for word in other) for own, other in self.also):
            return True
        parts = re.split(r"[-–/&]", term)
        return len(parts) > 1 and all(p in STOPWORDS or self.is_supported(p, stems) for p in parts)


_BODIES = (
    "compan(?:y|ies)|firms?|agenc(?:y|ies)|bod(?:y|ies)|organi[sz]ations?|institutions?|institutes?|groups?|part(?:y|ies)|"
    "teams?|clubs?|universit(?:y|ies)|colleges?|banks?|courts?|ministr(?:y|ies)|departments?|offices?|chambers?|committees?|"
    "commissions?|unions?|associations?|alliances?|newspapers?|publications?|publishers?|outlets?|magazines?|airlines?|"
    "bands?|brands?|manufacturers?|retailers?|laws?|acts?|bills?|treat(?:y|ies)|shows?|films?|movies?|series|books?|songs?|"
    "albums?|games?|awards?|platforms?|products?|models?|events?|forums?|museums?|parks?|rivers?|mountains?|mines?"
)
_QUALITIES = (
    "revenues?|profits?|incomes?|sales|earnings|turnover|salar(?:y|ies)|worth|fees?|fines?|amounts?|costs?|prices?|"
    "values?|size|budgets?|sums?|total|spending|investments?|weight|height|length|depth|distance|speed|temperature|"
    "capacity|debts?|valuation"
)
_GAP = (
    r"(?:(?:is|are|was|were|'s)\s+)?(?:(?:the|its|their|his|her|a|an)\s+)?"
    r"(?:(?!(?:of|for|in|on|to|with|by|from|about|that|which|who)\b)[\w.'’&-]+\s+){0,4}?"
)
# Read where an interrogative stands, the first that fits.
_AT: tuple[tuple[Wanted, str], ...] = (
    (Wanted.DURATION, r"how long\b(?!\s+(?:is|are|was|were)\s+the\s+\w*(?:river|bridge|wall|road|tunnel|coast))|(?:for )?how (?:many|much) (?:more )?(?:seconds|minutes|hours|days|weeks|months|years|time)\b"),
    (Wanted.DATE, r"when(?:'s)?\b|how (?:soon|recently|old)\b|(?:by |on |in |until |since )?(?:what|which|what's|whats) " + _GAP +
        r"(?:dates?|days?|deadlines?|months?|years?|centur(?:y|ies)|decades?|weekdays?|due date|time ?(?:limit|line|frame))\b(?!\s+(?:of|in) (?:the )?(?:age|life))"),
    (Wanted.SHARE, r"how much of\b|how (?:large|big|small) a (?:share|part|proportion)\b|(?:what|which|what's|whats) " + _GAP + r"(?:share|percentage|percent|per cent|proportion|fraction|rate)\b"),
    (Wanted.COUNT, r"how many\b|(?:what|which|what's|whats) " + _GAP + r"number of\b|(?:what|which) (?:is|was) the (?:population|count|tally|death toll)\b"),
    (Wanted.AMOUNT, r"how (?:long|much|big|large|high|expensive|tall|far|deep|heavy|fast|wide|costly)\b|(?:what|which|what's|whats) " + _GAP + rf"(?:{_QUALITIES})\b"),
    (Wanted.PERSON, r"who(?:m|se|'s|s)?\b|(?:what|which) (?:person|people|official|minister|president|senator|author|actor|actress|player|singer|leader|king|queen|scientist|individual|politician|man|woman)s?\b"),
    (Wanted.PLACE, r"where(?:'s)?\b|(?:in |at |from |to )?(?:what|which) (?:two |three |four |other )?(?:cit(?:y|ies)|countr(?:y|ies)|states?|places?|locations?|towns?|regions?|nations?|provinces?|continents?|islands?|count(?:y|ies)|venue)\b"),
    (Wanted.BODY, rf"(?:what|which) (?!(?:the|an?|its|their|this|that)\b)(?:[\w-]+ ){{0,2}}?(?:{_BODIES})\b"),
    (Wanted.REASON, r"why\b|how come\b|(?:what|which) (?:is|was|are|were) (?:the |his |her |their |its |[\w.'’-]+ )?(?:stated |main |given )?(?:reason|cause|purpose|aim|goal|objective|motive)s?\b|what (?:caused|led to|prompted)\b"),
    (Wanted.LIST, r"(?:what|which) (?:are|were) (?:the|all|some)\b|which \w+s\b"),
)  # fmt: skip
_AT_COMPILED = tuple((wanted, re.compile(pattern, re.IGNORECASE)) for wanted, pattern in _AT)
_INTERROGATIVE = re.compile(
    r"(?:\b(?:by|on|in|until|since|at|from|to|for)\s+)?"
    r"\b(?P<word>what|whats|what's|which|who|whom|whose|who's|whos|when|when's|where|where's|why|how)\b",
    re.IGNORECASE,
)
# "the minister who resigned", "the year when": a word before, that no question follows.
_BEFORE_A_QUESTION = re.compile(
    r"(?:^|[,;:.?!(\"“—–-]|\b(?:and|or|but|so|then|is|are|was|were|do|does|did|tell|me|know|say|says|said|ask|asks|asked|"
    r"explain|show|find|out|see|wonder|wondering|sure|remember|by|on|in|until|since|at|from|to|for|of|about|with|into|"
    r"also|please|hi|hello|hey|ok|well|idea|question|exactly|just|roughly|approximately|us|list))\s*\Z",
    re.IGNORECASE,
)
_WHOLE: tuple[tuple[Wanted, str], ...] = (
    (Wanted.COMPARISON, r"\b(?:compare|comparison|contrast|versus|vs)\b|\bdiffer(?:s|ed|ence|ences|ently)?\b|"
        r"\b(?:articles|sources|reports|papers|outlets|they all|both) (?:agree|disagree|conflict|contradict)\b|\b(?:agree|disagree) (?:on|about|over)\b"),
)  # fmt: skip
_REST: tuple[tuple[Wanted, str], ...] = (
    (Wanted.DATE, r"\b(?:deadlines?|due (?:date|by|on)|expiry|drop-dead|expir(?:es?|ed|ation))\b|\b(?:date|year|month|day) (?:of|by|on|in|when|that)\b|"
        r"\b(?:still ahead|already behind|run out|ran out|time left|still time|overdue|lapsed?)\b"),
    (Wanted.LIST, r"^\W*(?:please )?(?:list|name|enumerate)\b"),
    (Wanted.YES_NO, r"^\W*(?:(?:and|but|so|or) )?(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should|must|may)\b"),
)  # fmt: skip
_WHOLE_COMPILED = tuple((wanted, re.compile(pattern, re.IGNORECASE)) for wanted, pattern in _WHOLE)
_REST_COMPILED = tuple((wanted, re.compile(pattern, re.IGNORECASE)) for wanted, pattern in _REST)


def _kind(text: str) -> tuple[Wanted | None, str]:
    """The kind of answer a text asks for, None where it does not say, and the words that say it."""
    for wanted, pattern in _WHOLE_COMPILED:
        if m := pattern.search(text):
            return wanted, m.group()
    found = list(_INTERROGATIVE.finditer(text))
    last = found[-1] if found and not _REST_COMPILED[-1][1].search(text) else None
    asked = next((m for m in found if _BEFORE_A_QUESTION.search(text[: m.start()])), last)
    if asked is not None:
        places = (asked.start(), asked.start("word"))
        for wanted, pattern in _AT_COMPILED:
            for place in places:
                if m := pattern.match(text, place):
                    return wanted, m.group()
    for wanted, pattern in _REST_COMPILED if asked is None else _REST_COMPILED[:1]:
        if m := pattern.search(text):
            return wanted, m.group()
    return None, ""


STOPWORDS = frozenset(
    """a about according after again all also am an and any anything are aren't as at be because been before
    being between both but by can cannot could did didn't do does doesn't doing don't down during each else
    ever every few for from further get gets give given gives had has have having he her here hers herself
    him himself his how however i if in into is isn't it it's its itself just let me more most much must my
    myself no nor not of off on once one only or other our ours ourselves out over own please said same say
    says she should so some such tell than that that's the their theirs them themselves then there there's
    these they thing this those through to too under until up upon us very was wasn't we were what what's
    when where which while who whom whose why will with within without would you your yours yourself
    many exactly whether anyone someone explain describe know article articles source sources""".split()
)
_DEADLINE = re.compile(
    r"\b(?:deadlines?|due|drop-dead|window|run out|time left|by when|by what|by which|expir\w+|time ?(?:limit|frame|line)|how soon)\b|"
    r"\bwhen (?:must|should|do|does|did|has|have|is|are) .*\b(?:must|have to|has to|need to|needs to|supposed to|to be)\b|\bwhen must\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+(?:[.'’&-][^\W_]+)*")
_DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")


def words(text: str) -> list[str]:
    """The words of a text, lower case, possessive endings dropped, in order."""
    found = (match.group().casefold().replace("’", "'") for match in _WORD.finditer(text))
    return [_undotted(word.removesuffix("'s")) for word in found]


def _undotted(word: str) -> str:
    """ "u.k" as "uk"; other words as they are."""
    return word.replace(".", "") if _DOTTED.fullmatch(word) else word


def stem(word: str) -> str:
    """A crude common form of a word: enough to count overlap, never shown."""
    word = word.casefold()
    if word.endswith(("ies", "ied")) and len(word) > 4:
        return f"{word[:-3]}y"
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and not word.endswith("ss") and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            if len(ending) > 1 and len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            break
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


def content_terms(text: str) -> tuple[str, ...]:
    """The words that carry meaning, lower case, each once, in order."""
    return tuple(dict.fromkeys(word for word in words(text) if word not in STOPWORDS))


def is_telling(term: str) -> bool:
    """Whether a word names a matter, so that its absence from the articles says something."""
    return (
        len(term) > 3 and term not in _KIND_WORDS and term not in _EMPTY and not term.endswith("ly")
    )


_EMPTY = frozenset(
    """already ever still soon later going does doing done make makes made take takes took thing things stuff
    want wants need needs like tell exact actual currently today yesterday tomorrow week month passed settled
    anybody someone everyone people""".split()
)


def understand(text: str) -> Question:
    """Reads a question that stands on its own (see `turns.read` for follow-ups)."""
    text = _HEARSAY.sub(lambda m: m["said"], text, count=1)
    text = _STATUS.sub(lambda m: f"When is {m['what'] or m['other']}?", searchable(text), count=1)
    wanted, head = _kind(text)
    if wanted is None and (righted := _kind_righted(text)):
        (wanted, head), text = _kind(righted), righted
    about = _ABOUT.match(text) if wanted in (None, Wanted.LIST) else None
    subject = text[about.end() :].strip(" ?!.") if about else ""
    if content_terms(subject) and _kind(subject)[0] is None:
        return _question(subject, Wanted.DESCRIPTION, is_topic=True)
    if wanted is Wanted.COMPARISON:
        stripped = _COMPARED.sub(" ", text).strip(" ?!.,")
        return _question(stripped if content_terms(stripped) else text, wanted, is_topic=True)
    if wanted is None:
        return _question(text, Wanted.DESCRIPTION, is_topic=not _ASKS.search(text))
    return _question(text, wanted, head)


def _kind_righted(text: str) -> str | None:
    """The text with a misspelt word that says what kind of answer is wanted put right, where that
    makes it say so."""
    for match in _WORD.finditer(text):
        word = match.group().casefold()
        meant = next((k for k in _KINDS_SPELLED if is_slip(word, k)), None)
        if meant:
            righted = text[: match.start()] + meant + text[match.end() :]
            if _kind(righted)[0] is not None:
                return righted
    return None


_KINDS_SPELLED = (
    "deadline deadlines timetable percentage proportion country countries company companies number"
    " minister reason purpose compare difference between where which"
).split()


def is_slip(word: str, meant: str) -> bool:
    """Whether `word` is `meant` with two neighbouring letters changed about, or one letter wrong,
    missing or too many; not where they are forms of one word."""
    from rapidfuzz.distance import OSA

    return (
        min(len(word), len(meant)) >= SHORTEST_SLIP
        and word[0] == meant[0]
        and stem(word) != stem(meant)
        and OSA.distance(word, meant) == 1
    )


def _question(text: str, wanted: Wanted, head: str = "", is_topic: bool = False) -> Question:
    terms = content_terms(text)
    named = _named(text, is_topic)
    if wanted is not Wanted.DESCRIPTION:
        asked = {word for word in words(head) if word not in named}
        asked -= set(words(text.replace(head, " ", 1)))  # said again, it is more than the kind
        terms = tuple(t for t in terms if t not in _KIND_WORDS and t not in asked) or terms
    also = tuple((t, frozenset([stem(PEOPLES[t])])) for t in terms if t in PEOPLES)
    also += tuple((t, frozenset([stem(p)])) for p, t in PEOPLES.items() if t in terms)
    also += tuple((t, frozenset([stem(m)])) for t, meant in _seats(text, terms) for m in meant)
    return Question(text, wanted, terms, tuple(t for t in terms if t in named), also, is_topic)


def without(question: Question, words: Collection[str]) -> Question:
    """The question with these words, and those that speak of reporting, no longer to be supported."""
    dropped = {*words, *_REPORTING}
    terms = tuple(t for t in question.terms if t not in dropped) or question.terms
    return replace(question, terms=terms, names=tuple(t for t in question.names if t in terms))


_REPORTING = frozenset(
    "reported report reports coverage published news story stories dated written paper outlet".split()
)


def _named(text: str, is_topic: bool) -> frozenset[str]:
    """The words of a text that are written as names or numbers; the capital that begins a question
    is none."""
    if text.isupper() or text.istitle():
        text = text.lower()
    found = list(_WORD.finditer(text))
    return frozenset(
        word
        for n, m in enumerate(found)
        if (m.group()[0].isdigit() and len(m.group()) > 1)
        or (m.group()[0].isupper() and (is_topic or (n and text[m.start() - 2] not in ".?!:")))
        or m.group().casefold() in _COUNTRIES  # whoever types fast leaves the capital out
        for word in words(m.group())
    )


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
_COUNTRIES = frozenset(PEOPLES.values()) - {"turkey"}

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


def _seats(text: str, terms: Collection[str]) -> list[tuple[str, tuple[str, ...]]]:
    """The terms of a text that are, or are part of, a seat of government, and what it stands for."""
    spoken = f" {' '.join(words(text))} "
    return [
        (term, meant)
        for seat, meant in SEATS.items()
        if f" {seat.replace('-', ' ')} " in spoken
        for term in seat.split("-")
        if term in terms
    ]


_ABOUT = re.compile(
    r"^\W*(?:(?:please|can you|could you|would you|i (?:want|need|would like)|i'd like)\s+(?:to (?:know|hear|read)\s+)?)*"
    r"(?:(?:briefly )?summari[sz]e|sum up|recap|(?:give|get|show) me (?:a |an |the )?(?:short |brief |quick )?"
    r"(?:summary|overview|recap|rundown|details?|news|latest|information|info)(?: (?:of|on|about|from))?|"
    r"(?:a |an )?(?:summary|overview) of|tell me (?:something |more |all |everything )?about|(?:information|info|details|news|background) (?:on|about)|"
    r"what (?:do|does|did) (?:you|we|the (?:articles?|sources?|reports?)) (?:know|say|report|have)(?: about| on)|"
    r"what (?:is|was|has been) (?:said|reported|known|written) (?:about|on)|explain|describe|"
    r"(?:what(?:'s| is|s) (?:the )?(?:new|latest|news)|(?:any|the|latest) (?:news|updates?|developments?)|latest)(?: (?:in|on|with|about|from|regarding))?|"
    r"what about|how about)\s+",
    re.IGNORECASE,
)
"""Asks for all there is on a subject, which is what comes after."""
_STATUS = re.compile(
    r"^\W*(?:(?:and|but|so)\s+)?(?:(?:has|have|is|are|was|were|did|does|do)\s+(?P<what>(?:the|its|their|that|this|an?)\s[^?]*?"
    r"(?:deadline|window|time limit|cut-?off|expiry|due date|period)\b(?:\s+(?:for|with|of|to|on|between)\s[^?]*?)?)\s+(?:already\s+|yet\s+|now\s+|not\s+)*(?:passed|pass|expired?|expire|"
    r"lapsed|over|up|run out|ran out|gone|still (?:open|running|ahead)|behind us|missed|been missed)\b[^?]*|"
    r"(?:is|are|was|were)\s+(?P<other>(?:the|its|their|that|this|an?)\s[^?]*?)\s+(?:still (?:ahead|to come|upcoming)|already (?:behind|over|past)|"
    r"coming up|over yet|in the (?:past|future)|overdue)\b[^?]*)\?*\s*$",
    re.IGNORECASE,
)
"""Whether a time has passed: what is asked for is that time, which the answer sets against today."""
_HEARSAY = re.compile(
    r"^\W*(?:(?:someone|somebody|people|they|a \w+|my \w+)\s+(?:told me|says?|said|claims?)|i (?:heard|read|was told)|apparently)\s+(?:that\s+)?"
    r"(?P<said>.+?)[\s,;-]+(?:is|was) (?:that|this|it) (?:right|true|correct|so)\b[\s?]*$",
    re.IGNORECASE,
)
_COMPARED = re.compile(
    r"\b(?:please )?(?:compare|contrast)(?: and contrast)?(?: (?:what )?(?:all )?(?:the |these |those )?(?:five |different |various )?(?:articles|sources|reports|papers|outlets)"
    r"(?: say)?)?(?: (?:on|about|regarding|with regard to))?|"
    r"\b(?:how|where|do|does|did|in what way)? ?(?:do |does |did )?(?:all )?(?:the |these |those |both |different )?(?:articles|sources|reports|papers|outlets) "
    r"(?:agree|disagree|differ|conflict|contradict)(?: (?:on|about|in|over|regarding|with regard to|each other))?|"
    r"\bwhat (?:is|are) the differences? between\b|\bdifferences? between\b|\bcompared? (?:to|with)\b",
    re.IGNORECASE,
)


_ASKS = re.compile(
    r"\?|\b(?:what|whats|which|who|whom|whose|when|where|why|how|is|are|was|were|do|does|did|has|have|had|can|"
    r"could|will|would|should|tell|explain|describe|summari[sz]e|give|show|list)\b",
    re.IGNORECASE,
)


_KIND_WORDS = frozenset(
    """deadline deadlines date dates day month year time due when amount cost price number share percentage
    percent proportion reason list name names person place much big large worth long soon high expensive far old many amounts total value size call called stand stands happen happened
    happening mean means supposed told take takes took taken place come comes came difference differ agree compare comparison""".split()
)
"""Words that say what kind of answer is wanted, and need not stand in it."""


_SMALL_WORDS = frozenset("of the and for on in to a an at by with &".split())
_CAPITALS = re.compile(r"\b[A-Z][A-Z&]{1,6}s?\b")


SLIP = 0.82
"""Normalised Damerau-Levenshtein similarity (1 is equal) from which an unknown word is a misspelt one."""
SHORTEST_SLIP = 5


def respelled(
    question: Question, texts: Iterable[str], is_known: Callable[[str], bool]
) -> tuple[Question, dict[str, str]]:
    """The question with words that the index does not know as the likeliest of `texts` spells them,
    and what would be put for what. A name is put only where two of its letters have changed places:
    with another letter it may be another's."""
    doubtful = [
        t for t in question.terms if len(t) >= SHORTEST_SLIP and t.isalpha() and not is_known(t)
    ]
    if not doubtful:
        return question, {}
    from rapidfuzz import process
    from rapidfuzz.distance import DamerauLevenshtein

    spelled = {m.group().casefold(): m.group() for text in texts for m in _WORD.finditer(text)}
    alike: dict[str, str] = {}
    for term in doubtful:
        found = process.extractOne(
            term,
            [w for w in spelled if w[0] == term[0] and w not in STOPWORDS],
            scorer=DamerauLevenshtein.normalized_similarity,
            score_cutoff=SLIP,
        )
        if found and stem(found[0]) != stem(term):
            alike[term] = spelled[found[0]]
    text = question.text
    for term, word in alike.items():
        if term not in question.names or sorted(term) == sorted(word.casefold()):
            text = re.sub(rf"\b{re.escape(term)}\b", word, text, flags=re.IGNORECASE)
    if text == question.text:
        return question, alike
    read = understand(text)
    return replace(
        read, is_topic=question.is_topic, wanted=question.wanted, focus=question.focus
    ), alike


def spelled_out(question: Question, texts: Iterable[str]) -> Question:
    """The question with its abbreviations spelled out, and its long names abbreviated, as in `texts`.

    "What is the MOU deadline?" gains "memorandum of understanding" where that stands in a text, for
    a cross-encoder and a full-text index know only words they can see.
    """
    own = [match.group() for match in _WORD.finditer(question.text)]
    short = [
        w for w in own if w.casefold() not in STOPWORDS and (_CAPITALS.fullmatch(w) or len(w) == 3)
    ]
    folded = question.text.casefold()
    texts = list(texts)
    said = {word for text in texts for word in words(text)}
    added: dict[str, str] = {
        t: next((m for m in meant if m in said), meant[0])
        for t, meant in _seats(question.text, question.terms)
    }
    for text in texts:
        tokens = [match.group() for match in _WORD.finditer(text)]
        for abbreviation in short:
            phrase = _defined(abbreviation, text) or acronym_of(
                abbreviation.removesuffix("s"), tokens
            )
            if phrase and phrase.casefold() not in folded:
                added.setdefault(abbreviation, phrase)
        for capitals in set(_CAPITALS.findall(text)):
            if capitals.casefold() not in folded and len(capitals) >= 3:
                phrase = acronym_of(capitals, own)
                if phrase:
                    added.setdefault(phrase, capitals)
    if not added:
        return question
    meant = tuple(
        (term, frozenset(stem(word) for word in content_terms(meaning)))
        for said, meaning in added.items()
        for term in content_terms(said)
    )
    spelled = ", ".join(dict.fromkeys(added.values()))
    return replace(question, text=f"{question.text} ({spelled})", also=question.also + meant)


def acronym_of(abbreviation: str, tokens: Sequence[str]) -> str | None:
    """The first run of words whose initials spell `abbreviation`; small words may be passed over."""
    letters = abbreviation.casefold().replace("&", "")
    for i, token in enumerate(tokens):
        if token[0].casefold() != letters[0] or token.casefold() in _SMALL_WORDS or len(token) < 3:
            continue
        at, j = 1, i + 1
        while at < len(letters) and j < len(tokens):
            word = tokens[j].casefold()
            if word[0] == letters[at] and len(word) > 1:
                at += 1
            elif word not in _SMALL_WORDS:
                break
            j += 1
        if at == len(letters) and j - i >= 2:
            return " ".join(tokens[i:j])
    return None


def _defined(abbreviation: str, text: str) -> str | None:
    """The words that a text sets before "(ABBREVIATION)" and whose letters it takes in turn
    (Schwartz and Hearst 2003, "A simple algorithm for identifying abbreviation definitions")."""
    m = re.search(
        rf"((?:[\w.'’&-]+\s+){{1,{len(abbreviation) + 3}}})\(\s*{re.escape(abbreviation)}\s*\)",
        text,
    )
    if m is None:
        return None
    before = m[1].split()
    for first in range(len(before) - 1, -1, -1):
        phrase = " ".join(before[first:])
        if phrase[0].casefold() != abbreviation[0].casefold():
            continue
        letters = iter(phrase.casefold())
        if all(c in letters for c in abbreviation.casefold()):
            return phrase
    return None
