"""The replies to what asks nothing of the articles' content (see `tasks`).

A greeting, "what can you do?", "which articles do you have?" or "what's new?" would otherwise be
searched for and found wanting. The replies that speak of articles cite them like any answer; the
others say only what Dateline knows of itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from assistant.answering.quotes import MOVED, citation, sure, uncited, verbatim
from assistant.checking.quotes import Verify
from assistant.finding.select import quotable
from assistant.language.marks import age, long_date, marks
from assistant.language.words import words
from assistant.question.foreign import languages
from assistant.question.tasks import Task
from assistant.schema import Answer, Citation, Claim
from indexing.schema import EVERYTHING, Filters, Sentence, SourceInfo
from indexing.store.view import View
from indexing.times.calendar import describe

LISTED = 12
"""Articles a list names; more are counted."""
NEWEST = 3
"""Articles of the newest day that are quoted."""
VOICES = 4
"""Articles a summary quotes."""
PROSE_WORDS = 6
"""From which a sentence is taken to tell something, not to head or sign it."""


def reply(
    task: Task,
    asked: str,
    view: View,
    as_of: date,
    verify: Verify,
    filters: Filters = EVERYTHING,
) -> Answer:
    """The reply to `asked`, which is no question on content; every quote in it is verified.

    What it says of articles, it says of those that `filters` leave.
    """
    infos = sorted(view.sources(filters), key=_newest_first)
    none = NO_ARTICLES if filters == EVERYTHING else NONE_LEFT
    desk = _Desk(asked, view, as_of, verify, infos)
    match task:
        case Task.QUESTION:
            raise ValueError("a question is answered from the articles, not at the desk")
        case Task.SOURCES | Task.NEWS | Task.SUMMARY if not infos:
            return desk.says(none)
        case Task.SOURCES:
            return desk.lists()
        case Task.NEWS:
            return desk.tells_news()
        case Task.SUMMARY:
            return desk.sums_up()
        case _:
            return desk.says(_sentence(task, asked, infos, none))


def _sentence(
    task: Literal[Task.GREETING, Task.HELP, Task.THANKS, Task.FAREWELL, Task.NOTHING, Task.FOREIGN],
    asked: str,
    infos: Sequence[SourceInfo],
    none: str,
) -> str:
    match task:
        case Task.GREETING:
            return f"Hello. {_offer(infos, none)}"
        case Task.HELP:
            return _help(infos, none)
        case Task.THANKS:
            return "You are welcome."
        case Task.FAREWELL:
            return "Goodbye, and come back with any question."
        case Task.NOTHING:
            return "Please ask a question in words, such as: What is the latest news?"
        case Task.FOREIGN:
            return _only_english(asked)


NO_ARTICLES = (
    "There are no articles in the index yet; run dateline index with your folder and ask again."
)
NONE_LEFT = "No article in the index is within the limits that were set."


def _newest_first(info: SourceInfo) -> tuple[int, str]:
    return (-info.published.toordinal() if info.published else 1, info.source)


def _offer(infos: Sequence[SourceInfo], none: str) -> str:
    """What there is to ask about, and one thing to ask."""
    if not infos:
        return f"I answer questions from news articles. {none}"
    dated = [info.published for info in infos if info.published]
    when = f"dated {describe(min(dated), max(dated), 'day')}" if dated else "undated"
    if dated and len(dated) < len(infos):
        when += f" ({len(infos) - len(dated)} without a date)"
    return (
        f"I answer questions from {_count(infos)}, {when}, and quote the sentences that an answer"
        f" rests on. You could ask: {_example(infos)}"
    )


def _help(infos: Sequence[SourceInfo], none: str) -> str:
    source = f"the {_count(infos)} in this index" if infos else "news articles"
    paragraphs = [
        f"I answer questions from {source} and from nothing else. Every answer quotes the articles'"
        " own sentences, each with its source down to the exact characters. When the articles do not"
        " say, I say so.",
        "Times such as “within 30 days” are worked out as calendar dates, counted from the article's"
        " own date, with whether they have passed.",
    ]
    if not infos:
        return "\n\n".join([*paragraphs, none])
    limits = [f"“according to {_unmarked(info.publisher)}”" for info in infos if info.publisher][:1]
    limits += [f"“since {info.published:%B %Y}”" for info in infos[:1] if info.published]
    if limits:
        paragraphs.append(f"A question may limit itself: {' or '.join(limits)}.")
    examples = (
        _example(infos),
        "When is the deadline?",
        "What is new?",
        "Which articles are there?",
    )
    return "\n\n".join([*paragraphs, "Examples:", *(f"- {example}" for example in examples)])


def _example(infos: Sequence[SourceInfo]) -> str:
    original = next((info for info in infos if info.voice == info.source), infos[0])
    return about(_unmarked(original.title))


def about(title: str) -> str:
    """A question that any article answers."""
    return f"What is reported in “{title}”?"


def _only_english(asked: str) -> str:
    told = languages(asked)
    looks = f"This looks like {told[0]}. " if len(told) == 1 else ""
    return f"{looks}I read questions in English only; please ask again in English."


def _count(infos: Sequence[SourceInfo]) -> str:
    return "1 article" if len(infos) == 1 else f"{len(infos):,} articles"


def _unmarked(text: str) -> str:
    """An article's words on one line, for a text of ours: none of them passes for a citation."""
    return verbatim(" ".join(text.split()))


@dataclass(frozen=True, slots=True)
class _Quote:
    """Characters of an article, at their place."""

    info: SourceInfo
    place: Sentence
    text: str

    def cited(self, number: int) -> Citation:
        return citation(number, self.info, self.place, self.text)


class _Desk:
    """One reply in the making: `infos` are the articles it may speak of, newest first."""

    def __init__(
        self, asked: str, view: View, as_of: date, verify: Verify, infos: Sequence[SourceInfo]
    ) -> None:
        self._asked = asked
        self._view = view
        self._as_of = as_of
        self._verify = verify
        self._infos = infos

    def says(self, text: str) -> Answer:
        """A reply that speaks of no article's content, and so cites none."""
        return uncited(self._asked, text)

    def lists(self, lead: str = "") -> Answer:
        """The newest articles, each a line that cites its title; undated ones come last."""
        listed = self._infos[:LISTED]
        shown = self._holding(map(self._title, listed))
        if not shown:
            return self.says(MOVED)
        numbers = tuple(range(1, len(shown) + 1))
        counted = self._counted(shown[0].info.published, len(listed) - len(shown))
        return self._answers(
            [
                Claim(f"{lead}{counted} {marks(numbers)}", numbers),
                *(Claim(f"{self._line(q.info)} [{n}]", (n,)) for n, q in enumerate(shown, 1)),
            ],
            shown,
        )

    def tells_news(self) -> Answer:
        """The openings of the articles of the newest day, led by that day and its age."""
        newest = self._infos[0].published
        if newest is None:
            return self.lists("No article has a date, so none can be called the newest. ")
        voices = _voices([info for info in self._infos if info.published == newest])
        shown = self._holding(map(self._opening, voices[:NEWEST]))
        if not shown:
            return self.says(MOVED)
        numbers = tuple(range(1, len(shown) + 1))
        some = f"; {len(shown)} of that day's {len(voices)}" if len(shown) < len(voices) else ""
        lead = f"**{long_date(newest)}** ({age(newest, self._as_of)}) is the newest article's date{some}."
        return self._answers([Claim(f"{lead} {marks(numbers)}", numbers), *_quoted(shown)], shown)

    def sums_up(self) -> Answer:
        """How the newest articles open, in their own words; copies have one opening."""
        shown = self._holding(map(self._opening, _voices(self._infos)[:VOICES]))
        return self._answers(_quoted(shown), shown) if shown else self.says(MOVED)

    def _counted(self, newest: date | None, missing: int) -> str:
        """How many articles there are, how many of them are listed, and the newest one's date."""
        count = _count(self._infos)
        if len(self._infos) == 1:
            text = f"**{count}**, {f'of {long_date(newest)}' if newest else 'undated'}"
        else:
            which = f"The {LISTED} newest of {count}" if len(self._infos) > LISTED else count
            dated = f"the newest of {long_date(newest)}" if newest else "none of them dated"
            text = f"**{which}**, {dated}"
        if missing:
            text += f"; {missing} left out, changed since the folder was indexed"
        return f"{text}."

    def _line(self, info: SourceInfo) -> str:
        day = long_date(info.published) if info.published else "no date"
        about = ", ".join(part for part in (info.publisher, day) if part)
        copied = f" (a copy of {self._original_of(info)})" if info.voice != info.source else ""
        return f"**{_unmarked(info.title)}**, {_unmarked(about + copied)}"

    def _original_of(self, info: SourceInfo) -> str:
        """The title of what `info` repeats, or its file where that tells nothing new."""
        titles = {other.source: other.title for other in self._infos}
        title = titles.get(info.voice, info.title)
        return info.voice if title == info.title else f"“{title}”"

    def _title(self, info: SourceInfo) -> _Quote | None:
        """The title where it stands in the article, else anywhere in its file, else a sentence."""
        if spaced := r"\s+".join(map(re.escape, info.title.split())):
            title = re.compile(rf"(?<!\w){spaced}(?!\w)")
            raw = self._view.text_of(info.source) or ""
            passages = [stored.passage for stored in self._view.passages_of(info.source)]
            for start, end in [*((p.start, p.end) for p in passages), (0, len(raw))]:
                if found := title.search(raw, start, end):
                    return _Quote(info, Sentence(*found.span()), found.group())
        return next(self._sentences(info), None)

    def _opening(self, info: SourceInfo) -> _Quote | None:
        """The first sentence that tells something, else the first that is not the title."""
        title = words(info.title)
        first = body = None
        for quote in self._sentences(info):
            said = words(quote.text)
            first = first or quote
            if not said or title[: len(said)] == said:
                continue
            body = body or quote
            if len(said) >= PROSE_WORDS and _ENDED.search(quote.text):
                return quote
        return body or first

    def _sentences(self, info: SourceInfo) -> Iterator[_Quote]:
        raw = self._view.text_of(info.source) or ""
        for stored in self._view.passages_of(info.source):
            for s in stored.passage.sentences:
                yield _Quote(info, *quotable(s, raw[s.start : s.end]))

    def _holding(self, quotes: Iterable[_Quote | None]) -> list[_Quote]:
        """Those that stand in their files as the files are now."""
        return [
            q
            for q in quotes
            if q and self._verify(q.info.source, q.place.start, q.place.end, q.text)
        ]

    def _answers(self, claims: Sequence[Claim], shown: Sequence[_Quote]) -> Answer:
        return sure(self._asked, claims, [q.cited(n) for n, q in enumerate(shown, 1)])


_ENDED = re.compile(r"[.!?…]['\"’”»)\]]*$")


def _voices(infos: Sequence[SourceInfo]) -> list[SourceInfo]:
    """One article for each voice, the original where it is among them."""
    kept: dict[str, SourceInfo] = {}
    for info in infos:
        if info.voice not in kept or info.source == info.voice:
            kept[info.voice] = info
    return list(kept.values())


def _quoted(shown: Sequence[_Quote]) -> list[Claim]:
    """The sentences as they stand; the same words are said once."""
    said: dict[tuple[str, ...], list[int]] = {}
    for number, quote in enumerate(shown, 1):
        said.setdefault(tuple(words(quote.text)) or (quote.text,), []).append(number)
    return [
        Claim(f"{verbatim(shown[numbers[0] - 1].text)} {marks(numbers)}", tuple(numbers))
        for numbers in said.values()
    ]
