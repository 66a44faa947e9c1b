"""The kind of answer that a question's wording asks for."""

from __future__ import annotations

import re

from assistant.question.question import Wanted

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


def kind_of(text: str) -> tuple[Wanted | None, str]:
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
