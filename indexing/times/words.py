"""The words and patterns of English time expressions."""

from __future__ import annotations

import re

from indexing.times.calendar import DAYS, MONTHS, SHORT_DAYS, SHORT_MONTHS, listed

ONES = listed("one two three four five six seven eight nine")

TEENS = listed("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen")

TENS = listed("twenty thirty forty fifty sixty seventy eighty ninety")

NUMBERS = {
    word: value
    for words, first, step in ((ONES, 1, 1), (TEENS, 10, 1), (TENS, 20, 10))
    for value, word in zip(range(first, 100, step), words, strict=False)
} | {"a": 1, "an": 1, "a dozen": 12, "half a dozen": 6, "a hundred": 100, "one hundred": 100}

ORDINALS = dict(
    zip(
        listed("first second third fourth final 1st 2nd 3rd 4th"),
        (1, 2, 3, 4, 4, 1, 2, 3, 4),
        strict=True,
    )
)

THIRDS = {"early": 0, "beginning": 0, "start": 0, "mid": 1, "middle": 1}  # else the last

# Pieces of patterns. `SPACE`: white space, short, so that nothing reaches across blanked boilerplate.
SPACE = r"\s{1,3}"

MONTH = (
    r"(?:Jan(?:uary\b|\b\.?)|Feb(?:ruary\b|\b\.?)|Mar(?:ch\b|\b\.?)|Apr(?:il\b|\b\.?)|May\b"
    r"|Ju(?:ne\b|n\b\.?|ly\b|l\b\.?)|Aug(?:ust\b|\b\.?)|Sep(?:tember\b|t?\b\.?)|Oct(?:ober\b|\b\.?)"
    r"|Nov(?:ember\b|\b\.?)|Dec(?:ember\b|\b\.?))"
)

WEEKDAY = (
    r"(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b"
    r"|(?:Mon|Tues?|Wed|Thu(?:rs?)?|Fri|Sat|Sun)\b\.?)"
)

YEAR = r"(?:1[5-9]|20)\d\d(?![\d%]|,\d|\.\d)"

DAY = r"(?:3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)?(?![\w%]|:\d|[.,]\d{1,3}(?!\d))"

TO = rf"(?:\s?[-–—]\s?|{SPACE}(?:to|through){SPACE})"

COMMA_YEAR = rf"(?:(?:\s{{0,3}},\s{{0,3}}|{SPACE})(?P<y>{YEAR}))?"

NUMBER = (
    r"(?:\d{1,3}(?:,\d{3})+|\d{1,6}(?:\.\d+)?|half a dozen|a dozen|(?:a|one) hundred"
    r"|(?:a )?few|(?:a )?couple(?: of)?|several"
    rf"|(?:{'|'.join(TENS)})(?:[- ](?:{'|'.join(ONES)}))?|{'|'.join(TEENS + ONES)}|an?)"
)

UNIT = r"(?P<unit>hour|day|week|fortnight|month|quarter|year|decade)(?P<plural>s?)\b"

WORKING = rf"(?P<working>(?:business|working|trading|calendar|consecutive|full|straight){SPACE})?"

WORD = re.compile(r"[^\W_]+")

# What stands before an expression: "by", "within the", "for".
LEAD = re.compile(
    r"(?P<all>(?:(?<![\w-])(?P<lead>(?:no|not) later than|on or before|by|until|till|before"
    r"|due(?: on| by| in)?|deadline (?:of|is)|within|in|over|during|for|through|throughout|since"
    r"|from|after|of|on|between|around|every|each)\s{1,3})?(?P<the>the\s{1,3}|\(|an?\s{1,3})?)\Z",
    re.I,
)

FIRM = ("no later than", "not later than", "on or before", "due", "deadline")

LOOSE = ("by", "until", "till", "before")

YEAR_CUE = re.compile(
    r"(?:(?<![\w-])(?:in|since|by|of|until|till|from|during|before|after|through|throughout|year"
    r"|early|mid|late|around|between)\s{1,3}|(?<!\d)(?:19|20)\d\d\s{1,3}(?:to|and|through|or)\s{1,3}"
    r"|[(\[])\Z",
    re.I,
)

COUNTED = re.compile(  # what a number in front of it counts, so that it is no year
    r"\s{1,3}(?:square |cubic |metric |more |other )?(?:people|persons|tonnes?|tons?|miles?|km|men"
    r"|women|children|troops|soldiers|workers|jobs|employees|feet|meters|metres|kilometers"
    r"|kilometres|pounds|kg|percent|per cent|dollars|euros|votes|cases|deaths|homes|points|words"
    r"|seats|calories|degrees|members|students|patients|times|copies|units|acres|hectares)\b"
)

SPORT = re.compile(
    r"\b(?:touchdown|yards?|quarterback|goals?|scor\w+|points?|lead|led|game|coach|kick\w*"
    r"|interception|rebounds?|turnovers?|pass|halftime)\b",
    re.I,
)

STREET = re.compile(r"\s(?:Street|St\b|Road|Rd\b|Avenue|Ave\b|Lane|Drive|Square|Boulevard)")

NAMED_DAY = re.compile(  # names made with a weekday, before and after it
    r"(?:Black|Good|Super|Cyber|Ash|Palm|Easter|Bloody|Giving|Fat|Ruby|Shrove|Freaky|Joe|Bowl|Mail on|first|second|third|fourth|last)\s\Z"
)

AFTER_DAY = re.compile(
    r"s\b|\s(?:[Bb]est|Night (?:Live|Football|Lights)|Times|Mail|Telegraph|Mirror|Express|Post"
    r"|School|Addams)\b"
)

# The verb decides which way an undated "Friday" or "July 1" lies. Future words first: "scheduled"
# and "expected" end in -ed as well.
CUES = re.compile(
    r"\b(?:(?P<f>(?:will|won't|shall|would|should|must|to)(?:\s(?:not|also|then|soon|now|likely))?"
    r"\sbe(?:\s\w+(?:ed|en|n|ld|t|nt)\b)?|will|won't|shall|would|should|must|(?:prepar|approach|schedul|slat)\w*|(?:plan|expect)(?:s|ed|ing|ned|ning)?"
    r"|ahead of|possible|likely|forecast|set (?:to|for)|due|upcoming|next|going to|through|deadline|begins?|starts"
    r"|opens|runs|kicks off|launches|arrives|airs|tak(?:es|ing) effect|com(?:es|ing) into|coming"
    r"|hopes? to|aims? to|(?:is|are) to|gets underway|premieres|returns|wants? to|vows? to)"
    r"|(?P<p>said|says|told|was|were|had|did|met|won|lost|held|began|gave|got|went|came|saw|took|made"
    r"|sent|led|rose|fell|hit|spoke|left|found|kept|died|wrote|struck|became|ran|shot|put|drew|broke"
    r"|brought|beat|sold|bought|paid|grew|thought|knew|since|ago|earlier|follow\w+"
    r"|(?!need\b|speed\b|indeed\b|united\b)\w{2,}ed))\b",
    re.I,
)

AGES = re.compile(r"\b(?:aged?|ages)\s(?:\d{1,2}\s(?:months?\s)?(?:to|and|through)\s)?\Z", re.I)

RATE = re.compile(
    r"[-\s]olds?\b|\s(?:(?:to|through|or)\s\w+\s(?:months?|years?)\s)?(?:of\sage|old)\b"
    r"|\s(?:a|per)\s(?:day|week|month|year)"
)

FIRST_IN = re.compile(r"\b(?:time|first|most|[a-z]+est)\s+in\s+\Z", re.I)

ITS_REPORT = re.compile(
    r"(?:(?:the|this|its|their|that)\s)?(?:announcement|agreement|deal|statement|report|publication)\b",
    re.I,
)

BINDING = re.compile(  # without one of these, "within two days" tells of the past
    r"\b(?:will|would|must|shall|should|to|expect\w*|due|can|could|may|might|plan\w*|aim\w*|agree\w*"
    r"|commit\w*|requir\w*|deadline|order\w*|give\w*|gave|is|are)\b",
    re.I,
)


def compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.I)


MONTH_FIRST = compiled(
    rf"(?:(?P<w>{WEEKDAY}),?{SPACE})?(?P<m>{MONTH})\s{{0,3}}(?P<d>{DAY}|fourth\b)"
    rf"(?:{TO}(?:(?P<m2>{MONTH}){SPACE})?(?P<d2>{DAY}))?{COMMA_YEAR}"
)

DAY_FIRST = compiled(
    rf"(?:(?P<w>{WEEKDAY}),?{SPACE})?(?:the{SPACE})?(?P<d>{DAY}|fourth\b)(?:{TO}(?P<d2>{DAY}))?\.?{SPACE}"
    rf"(?:of{SPACE})?(?P<m>{MONTH}){COMMA_YEAR}"
)

ISO = compiled(r"(?P<y>\d{4})(?P<sep>[-/.])(?P<m>\d\d)(?P=sep)(?P<d>\d\d)(?:T[\d:.]+Z?|(?![\d/-]))")

NUMERIC = compiled(rf"(?P<a>\d{{1,2}})(?P<sep>[-/.])(?P<b>\d{{1,2}})(?P=sep)(?P<y>{YEAR})(?![/-])")

CURRENT = compiled(r"(?P<unit>year|month|week|quarter|decade)\b")

TIME_OF_DAY = rf"(?:{SPACE}(?:morning|afternoon|evening|night)\b)?"

WHICH = r"(?P<which>last|this (?:past|coming)|this|next|past|coming)"

# Each rule: the words that can open it, its pattern, its reader.
ANY_DAY = [d.lower() for d in (*DAYS, *SHORT_DAYS)]

ANY_MONTH = [m.lower() for m in (*MONTHS, *SHORT_MONTHS)]

COUNT_WORDS = [*ONES, *TEENS, *TENS, *listed("a an half few couple several #")]
