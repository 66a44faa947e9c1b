"""The engine `quotes`: it says nothing but sentences of the articles, the values they state, and
calendar arithmetic on their dates; where they do not answer, that, and why.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from assistant.answering import agree
from assistant.finding.find import Finding
from assistant.finding.select import Rarity, choose, distinct_of, is_same, known_of, with_opening
from assistant.finding.support import NOWHERE, calibration, together, unknown
from assistant.finding.times import Lead, answer_dates, dated_lead
from assistant.finding.values import NUMBER_KINDS, TIME_KINDS, value_of
from assistant.language.marks import marks
from assistant.question.question import Question, Wanted
from assistant.question.understand import is_telling
from assistant.schema import Answer, AnswerDate, Citation, Claim, Evidence, Status
from assistant.settings import QUOTES
from indexing.schema import Sentence, SourceInfo
from indexing.times.calendar import describe

ENGINE = QUOTES
CLOSEST = 3
"""Passages named when nothing answers."""
ALL_OF_THEM = 2
"""Quotes that a list or a comparison may have beyond the most of other answers."""
NEAREST_WORDS = 45
"""The longest sentence that is repeated as the nearest the articles come."""
NOTHING = "The articles do not say."
MOVED = (
    "The files that may hold the answer have changed since they were indexed;"
    " run dateline index and ask again."
)


def compose(
    findings: Sequence[Finding],
    *,
    asked: str,
    as_of: date,
    max_quotes: int,
    rarity: Rarity,
    joint: bool = False,
) -> Answer:
    """The answer that was found, each part in its turn; `not_in_corpus` where there is none.

    The confidence is `support.together`; `joint` ones, clauses of one question, stand or fall
    together by it, others each by its own.
    """
    confidence = together([f.confidence for f in findings], joint)
    answering = answering_of(findings, joint)
    if not answering:
        return _refusal(findings, asked, confidence, rarity)
    claims: list[Claim] = []
    cited: list[Evidence] = []
    for place, finding in enumerate(answering):
        if joint:
            most = max(1, max_quotes // len(answering) + (place < max_quotes % len(answering)))
        else:
            most = max(1, max_quotes - len(cited) - (len(answering) - 1 - place))
            if finding.question.wanted in (Wanted.LIST, Wanted.COMPARISON):
                most += ALL_OF_THEM
        fresh = [e for e in finding.evidence if not any(e.sentence == c.sentence for c in cited)]
        said, shown = _answered(
            finding.question, fresh or finding.evidence, most, as_of, len(cited)
        )
        claims += said
        cited += shown
    return Answer(
        question=asked,
        status=Status.ANSWERED,
        engine=ENGINE,
        confidence=confidence,
        text="\n\n".join(
            [*(claim.text for claim in claims), *remarks(findings, answering, cited, as_of)]
        ),
        claims=tuple(claims),
        citations=cited_as(cited),
        dates=dates_of(answering, cited, as_of),
        agreement=agree.agreement(answering[0].question, cited) if len(answering) == 1 else (),
    )


def answering_of(findings: Sequence[Finding], joint: bool) -> list[Finding]:
    """Those that answer their part of the question; none where the question is not answered."""
    confidence = together([f.confidence for f in findings], joint)
    if joint and confidence < calibration().threshold:
        return []
    return [f for f in findings if f.evidence and (joint or f.answers)]


def remarks(
    findings: Sequence[Finding],
    answering: Sequence[Finding],
    cited: Sequence[Evidence],
    as_of: date,
) -> list[str]:
    """What is said besides an answer: the parts that have none, words read as others, the age of the
    newest source where the present is asked for."""
    said = [
        f"The articles do not say: {f.question.text.rstrip(' ?.')}."
        for f in findings
        if not any(f is a for a in answering)
    ]
    said += [
        f"“{term}” is read as “{word}”."
        for f in answering
        for term, word in f.alike.items()
        if term not in f.question.terms
    ]
    if any(_NOW.search(f.question.text) for f in answering) and (age := _age(cited, as_of)):
        said.append(age)
    return said


def cited_as(cited: Sequence[Evidence]) -> tuple[Citation, ...]:
    """The citations of sentences, numbered 1, 2, 3..."""
    return tuple(_cited(n, e) for n, e in enumerate(cited, 1))


def dates_of(
    answering: Sequence[Finding], cited: Sequence[Evidence], as_of: date
) -> tuple[AnswerDate, ...]:
    """The calendar dates behind an answer, for questions about time."""
    asks = any(f.question.wanted in TIME_KINDS for f in answering)
    return answer_dates(cited, as_of) if asks else ()


def _answered(
    question: Question, evidence: Sequence[Evidence], most: int, as_of: date, before: int
) -> tuple[list[Claim], list[Evidence]]:
    """The claims for one question, and the sentences they cite, numbered from `before` + 1."""
    chosen = _opened(choose(question, evidence, most))
    backing = agree.backing(question, chosen, evidence, most - len(chosen))
    lead = dated_lead(question, [*chosen, *backing], as_of) or _direct(question, chosen, backing)
    # What the direct answer rests on is cited, and so numbered, first.
    first = list(lead.rests_on) if lead else []
    led = {id(e) for e in first}
    cited = first + [e for e in chosen if id(e) not in led]
    number = {id(e): n for n, e in enumerate(cited, before + 1)}
    only_back = {id(e) for e in backing}
    shown = [e for e in cited if id(e) not in only_back]
    claims = []
    if differing := agree.differing(question, cited, number):
        claims.append(differing)
        lead = lead if len(shown) < len(cited) else None
    if lead is not None:
        numbers = tuple(number[id(e)] for e in lead.rests_on)
        claims.append(Claim(f"{lead.text}. {marks(numbers)}", numbers))
    return [*claims, *_quoted(question, shown, number)], cited


def _opened(chosen: Sequence[Evidence]) -> list[Evidence]:
    """The sentences as they are quoted; what one leans on is not repeated where another quotes it."""
    quoted = {(e.hit.passage.source, e.sentence.start) for e in chosen}
    return [
        e if (e.hit.passage.source, longer.sentence.start) in quoted else longer
        for e, longer in ((e, opened(e)) for e in chosen)
    ]


def opened(e: Evidence) -> Evidence:
    """The sentence as it is quoted, with the one before it that it leans on."""
    sentence, text = with_opening(e)
    return e if sentence == e.sentence else replace(e, sentence=sentence, text=text)


def _direct(
    question: Question, chosen: Sequence[Evidence], backing: Sequence[Evidence]
) -> Lead | None:
    """The amount, share, count or duration asked for, and how many independent sources state it."""
    if question.wanted not in NUMBER_KINDS and question.wanted is not Wanted.DURATION:
        return None
    value = value_of(question, chosen[0]) if chosen else None
    if value is None:
        return None
    hedge = agree.hedge(question, chosen[0])
    rests_on = [
        e
        for e in (*chosen, *backing)
        if (other := value_of(question, e))
        and other.meaning == value.meaning
        and bool(agree.hedge(question, e)) == bool(hedge)  # "50" does not bear out "over 50"
    ]
    voices = len({e.hit.info.voice for e in rests_on})
    said = f", as {_COUNTS.get(voices, voices)} independent sources say" if voices > 1 else ""
    words = f"{hedge}{value.text}"
    return Lead(f"**{words[:1].upper()}{words[1:]}**{said}", tuple(rests_on))


def answer_of(asked: str, lead: str, shown: Sequence[Evidence]) -> Answer:
    """An answer that quotes `shown` under a line of ours."""
    numbers = tuple(range(1, len(shown) + 1))
    claims = [Claim(f"{lead} {marks(numbers)}", numbers)]
    claims += [Claim(f"{verbatim(e.text)} [{n}]", (n,)) for n, e in enumerate(shown, 1)]
    return sure(asked, claims, [_cited(n, e) for n, e in enumerate(shown, 1)])


def sure(asked: str, claims: Sequence[Claim], citations: Sequence[Citation]) -> Answer:
    """An answer that needs no weighing: it tells what stands in the articles."""
    return Answer(
        question=asked,
        status=Status.ANSWERED,
        engine=ENGINE,
        confidence=1.0,
        text="\n\n".join(claim.text for claim in claims),
        claims=tuple(claims),
        citations=tuple(citations),
    )


def uncited(asked: str, text: str) -> Answer:
    """A reply that speaks of no article's content, and so cites none."""
    return Answer(asked, Status.NOT_IN_CORPUS, ENGINE, 0.0, text)


_COUNTS = {2: "two", 3: "three", 4: "four", 5: "five"}
_NOW = re.compile(
    r"\b(?:now|current|currently|today|latest|still|yet|already|newest|recent|recently|so far|up to date|passed|expired)\b",
    re.IGNORECASE,
)


def _age(cited: Sequence[Evidence], as_of: date) -> str | None:
    """How old the newest source is, for questions about the present."""
    days = [e.hit.info.published for e in cited if e.hit.info.published]
    if not days or (age := (as_of - max(days)).days) <= 0:
        return None
    newest = describe(max(days), max(days), "day")
    return (
        f"The newest source cited is of {newest}, {age:,} {'day' if age == 1 else 'days'} before."
    )


def citation(number: int, info: SourceInfo, place: Sentence, text: str) -> Citation:
    """The citation of `text`, which stands at `place` of the article."""
    return Citation(
        number=number,
        source=info.source,
        title=info.title,
        publisher=info.publisher,
        published=info.published,
        quote=text,
        start=place.start,
        end=place.end,
        page=info.page_of(place.start),
        url=info.url,
    )


def _cited(number: int, e: Evidence) -> Citation:
    return citation(number, e.hit.info, e.sentence, e.text)


def _quoted(
    question: Question, shown: Sequence[Evidence], number: Mapping[int, int]
) -> list[Claim]:
    """The sentences as they stand, the value asked for in bold; the same words are said once."""
    said: list[list[Evidence]] = []
    for e in shown:
        alike = next((group for group in said if is_same(group[0].text, e.text)), None)
        if alike is None:
            said.append([e])
        else:
            alike.append(e)
    claims = []
    for group in said:
        e = group[0]
        # Which of a sentence's names a body is, its form does not tell.
        text, bold = e.text, None if question.wanted is Wanted.BODY else value_of(question, e)
        if bold is not None:
            text = f"{text[: bold.start]}**{text[bold.start : bold.end]}**{text[bold.end :]}"
        numbers = tuple(number[id(e)] for e in group)
        claims.append(Claim(f"{verbatim(text)} {marks(numbers)}", numbers))
    return claims


# An article's own "[3]" must not pass for a citation: a character without width sets it apart.
_FOOTNOTE = re.compile(r"\[(?=\d+\])")
_WORD_JOINER = "\u2060"


def verbatim(text: str) -> str:
    """An article's words as they may stand in an answer."""
    return _FOOTNOTE.sub(f"[{_WORD_JOINER}", text)


# --- when the articles do not say ----------------------------------------------------------------


def _refusal(
    findings: Sequence[Finding],
    asked: str,
    confidence: float,
    rarity: Rarity,
) -> Answer:
    evidence = sorted(
        (e for f in findings for e in f.evidence), key=lambda e: e.relevance, reverse=True
    )
    if not evidence and any(f.moved for f in findings):
        text = MOVED
    else:
        best = max(findings, key=lambda f: f.confidence)
        text = why_not(best.question, best.evidence, best.confidence, rarity)
        if missing := [name for f in findings for name in f.limits.missing]:
            text = f"The articles do not say: none of them is from {' or '.join(missing)}."
        elif best.limits.said:
            text += f" Only articles {' and '.join(best.limits.said)} were read."
        meant = [word for term, word in best.alike.items() if term in best.question.names]
        if meant:
            text += f" Did you mean “{meant[0]}”?"
    return Answer(
        question=asked,
        status=Status.NOT_IN_CORPUS,
        engine=ENGINE,
        confidence=confidence,
        text=text,
        closest=tuple(_cited(n, e) for n, e in enumerate(distinct_of(evidence)[:CLOSEST], 1)),
    )


def why_not(
    question: Question, evidence: Sequence[Evidence], confidence: float, rarity: Rarity
) -> str:
    """That the articles do not say, and which part of the question has no support in them."""
    if named := unknown(question, rarity):
        return f"The articles do not say: no article mentions {_listed(question, named)}."
    meant = {own for own, _ in question.also}
    nowhere = [
        t for t in question.terms if rarity(t) >= NOWHERE and is_telling(t) and t not in meant
    ]
    if nowhere and confidence < calibration().near:
        return f"The articles do not say: no article has the word {_listed(question, nowhere)}."
    if not evidence:
        return NOTHING
    if confidence >= calibration().near and len(evidence[0].text.split()) <= NEAREST_WORDS:
        info = evidence[0].hit.info
        day = f", {describe(info.published, info.published, 'day')}" if info.published else ""
        return (
            "The articles do not say this outright; the nearest they come is"
            f" “{verbatim(evidence[0].text)}” ({info.title}{day})."
        )
    stems = frozenset().union(*(known_of(e.hit) for e in evidence[:CLOSEST]))
    apart = sorted(
        (t for t in question.terms if is_telling(t) and not question.is_supported(t, stems)),
        key=lambda t: -rarity(t),
    )
    if apart:
        return f"The articles do not say: what comes nearest does not mention {_listed(question, apart[:2])}."
    return NOTHING


def _listed(question: Question, terms: Sequence[str]) -> str:
    """The terms as the question writes them."""
    shown = []
    for term in terms[:3]:
        m = re.search(rf"\b{re.escape(term)}\b", question.text, re.IGNORECASE)
        shown.append(f"“{m.group() if m else term}”")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"
