"""Questions made from the clauses of a sentence that answers them.

Overgenerate (Heilman and Smith 2010, "Good question! Statistical ranking for question generation"): a
clause that tells a day, a number, a reason, a name, an intention or an opinion is turned into the
question it answers, by a few forms that come out grammatical. `follow_ups` chooses among them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistant.language.words import content_terms
from assistant.suggesting.phrases import (
    is_because,
    is_counted,
    is_money,
    is_name,
    is_number,
    is_quoted,
    is_to_do,
    is_topic,
    joined,
    name_words,
    noun,
    phrase,
    rest_of,
    speaker,
)
from indexing.schema import Sentence, TimeExpression

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token

TOPIC_WORDS = 4
"""The most in what somebody is asked to have spoken about."""


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence of an article that an answer did not quote, its white space made single.

    `article` is what was read of its article; `topic` are the stems of the article's title and of the
    question that was asked. `is_to_come`: it tells of a time after its article appeared, `is_fresh`: of
    one in the week before. `far` grows with its distance from what was quoted.
    """

    source: str
    place: Sentence
    text: str
    times: tuple[TimeExpression, ...]
    article: str
    topic: frozenset[str]
    is_to_come: bool
    is_fresh: bool
    far: float


@dataclass(frozen=True, slots=True)
class Made:
    """A question; `value` is what its answer must show in bold, "" where that is the whole sentence."""

    form: str
    question: str
    value: str = ""


def questions_of(told: Told) -> Iterator[Made]:
    """The questions that a sentence answers. Raises SettingsError where the parser is not installed."""
    from assistant.language.parse import parse

    for clause in _clauses(parse(told.text), told):
        for made in clause.questions():
            text = " ".join(made.question.split())
            if not any(_points(time.phrase, text) for time in told.times):
                yield Made(made.form, f"{text[:1].upper()}{text[1:]}?", made.value)


def _points(phrase: str, question: str) -> bool:
    """Whether the question says when, counted from its article's day: "last year"."""
    return not re.search(r"\d{4}", phrase) and phrase.casefold() in question.casefold()


def _clauses(doc: Doc, told: Told) -> Iterator[_Clause]:
    """The finite clauses, main ones and those that are said, each with a subject of its own."""
    for verb in doc:
        if verb.pos_ not in ("VERB", "AUX") or verb.dep_ not in ("ROOT", "ccomp"):
            continue
        subjects = [c for c in verb.lefts if c.dep_ in ("nsubj", "nsubjpass")]
        helpers = [c for c in verb.lefts if c.dep_ in ("aux", "auxpass")]
        finite = helpers[0].tag_ if helpers else verb.tag_
        limits = [c.lower_ for c in verb.children if c.dep_ in ("neg", "advmod", "preconj")]
        if (
            len(subjects) == 1
            and all(h.text.isalpha() for h in [*helpers, verb])
            and finite in ("VBD", "VBZ", "VBP", "MD")
            and not _LIMITING.intersection(limits)
            and not is_quoted(verb)
        ):
            yield _Clause(told, verb, subjects[0], tuple(helpers), "not" in limits)


_LIMITING = frozenset("only hardly barely scarcely even never nearly almost no n't n’t".split())
_WHEN = frozenset("on in by at during within from".split())
_SAYS = frozenset("say warn argue add note stress claim".split())
_DULL = _SAYS | {"report", "tell", "speak", "meet", "attend"}
"""When somebody did so this week, or what is not said, nobody asks."""
_PLANS = frozenset("plan intend aim hope want pledge promise agree threaten refuse".split())
_DOES = frozenset(
    "win lead found beat buy challenge host present announce launch sign organise organize discover spot".split()
)
_URGES = frozenset("urge ask order tell direct advise allow force persuade require".split())
_MEANT = frozenset("mean design intend expect require suppose".split())
_CHANGES = frozenset("rise fall grow drop increase decrease decline climb shrink jump slip".split())
_LASTS = frozenset("take last run serve".split())
_MAY = frozenset("may might could can".split())


@dataclass(frozen=True, slots=True)
class _Clause:
    """A finite verb with its subject; `helpers` are its auxiliaries, in order."""

    told: Told
    verb: Token
    subject: Token
    helpers: tuple[Token, ...]
    is_denied: bool

    def questions(self) -> Iterator[Made]:
        times = self._times()
        timed = frozenset(i for _, places in times for i in places)
        subject, rest = self._noun(self.subject), self._rest(timed)
        yield from self._offices()
        if not self.is_denied:
            yield from self._opinions()
            yield from self._counts(timed, subject)
        if subject is None or rest is None:
            return
        if any(map(is_because, self.verb.rights)):
            yield Made("why", self._turned("Why", subject, rest))
        if not self.is_denied:
            yield from self._when(times, subject, rest)
            yield from self._intentions(subject)
            yield from self._doers(rest)

    def _offices(self) -> Iterator[Made]:
        """ "Victor Amsel, Parcelo's general counsel, said", "Parcelo's counsel, Victor Amsel, said"."""
        for other in (c for c in self.subject.rights if c.dep_ == "appos"):
            for office, person in ((other, self.subject), (self.subject, other)):
                owners = [c for c in office.lefts if c.dep_ == "poss" and is_name(c)]
                name = joined(name_words(person))
                if owners and office.tag_ == "NN" and office.text.islower() and " " in name:
                    held = [t for t in office.subtree if owners[0].left_edge.i <= t.i <= office.i]
                    yield Made("office", f"Who is {joined(held)}", name)

    def _opinions(self) -> Iterator[Made]:
        """ "Holt said inflation had fallen": what did Holt say about inflation?"""
        heads = [self.subject, *(c for c in self.subject.rights if c.dep_ == "appos")]
        named = next(filter(is_name, heads), None)  # "the mediator, Elin Saar, said"
        by = speaker(named, self.told.article) if named and not self.helpers else ""
        for said in self.verb.children:
            if self.verb.lemma_ == "call" and said.dep_ == "dobj":
                topics = [said]
            elif self.verb.lemma_ in _SAYS | {"call"} and said.dep_ == "ccomp":
                topics = [c for c in said.lefts if c.dep_ in ("nsubj", "nsubjpass")]
            else:
                continue
            about = self._noun(topics[0]) if topics and is_topic(topics[0]) else None
            if by and about and len(about.split()) <= TOPIC_WORDS:
                yield Made("said", f"What did {by} say about {about}")

    def _counts(self, timed: frozenset[int], subject: str | None) -> Iterator[Made]:
        """How many, how much, what share: of the subject, or of the object."""
        for node in self.verb.children:
            is_subject = node == self.subject
            if not is_subject and node.dep_ not in ("dobj", "npadvmod"):
                continue
            form, opening, value = self._counted(node, is_subject)
            places = {t.i for t in node.subtree if form != "how much" or t.i <= node.i}
            rest = self._rest(timed | places)
            is_each = rest is not None and re.fullmatch(r"an? \w+", rest)  # "$14 a share"
            is_vague = form == "how much" and (is_each or (not rest and self.verb.lemma_ != "cost"))
            if not opening or rest is None or is_vague:
                continue  # "approved $40 million": for what?
            if is_subject:
                yield Made(form, self._following(opening, rest), value)
            elif subject is not None:
                yield Made(form, self._turned(opening, subject, rest), value)

    def _counted(self, node: Token, is_subject: bool) -> tuple[str, str, str]:
        """The form, the opening words ("" where there is no asking) and the value of an amount."""
        shares = [c for c in node.rights if c.dep_ == "prep" and c.lower_ == "of"]
        amount = [t for t in node.subtree if t.i <= node.i and is_number(t)]
        is_share = any(t.tag_ == "CD" for c in shares for t in c.subtree)
        is_held = any(c.dep_ in ("det", "poss", "conj") for c in node.children)
        if not amount or is_held or is_share or any(t.dep_ == "acl" for t in node.subtree):
            return "", "", ""  # "five of the nine": which is the answer?
        value = amount[0].text
        whole = phrase(shares[0].subtree, shares[0], self.told.article) if shares else None
        if node.lower_ in ("%", "percent"):
            value += "%" * (node.text == "%")
            if whole:
                return "share", f"What share {whole}", value
            is_change = not is_subject and self.verb.lemma_ in _CHANGES
            return "share", "By what percentage" * is_change, value
        if is_money(node):
            is_paid = not (is_subject or shares or node.dep_ == "npadvmod")
            return "how much", "How much" * is_paid, value
        numbers = [t for t in node.lefts if t.dep_ == "nummod" and t.like_num]
        if len(numbers) == 1 and is_counted(node):
            counted = [t for t in node.subtree if t.i > numbers[0].i]
            whole = phrase(counted, node, self.told.article)
        elif node.tag_ != "CD":
            whole = None
        return "how many", f"How many {whole}" if whole else "", value

    def _when(
        self, times: Sequence[tuple[TimeExpression, frozenset[int]]], subject: str, rest: str
    ) -> Iterator[Made]:
        helper = self.helpers[0].lemma_.lower() if self.helpers else ""
        for time, _ in times:
            if time.kind == "duration":
                lasts = self.verb.lemma_ in _LASTS or time.phrase.lower().startswith("for ")
                if lasts and (rest or self.helpers):
                    yield Made("how long", self._turned("How long", subject, rest))
            elif self.verb.lemma_ in _DULL and (self.told.is_fresh or not rest):
                continue
            elif time.first and helper != "have" and helper not in _MAY:
                asked = self._turned("When", subject, rest)
                if self.told.is_to_come:  # as it was said: "would"
                    asked = asked.replace("When would ", "When will ", 1)
                yield Made("when", asked, time.phrase)

    def _intentions(self, subject: str) -> Iterator[Made]:
        """ "Halden plans to notify", "The NAM urged Congress to act", "It is meant to help": to do what?"""
        is_passive = any(h.dep_ == "auxpass" for h in self.helpers)
        for child in self.verb.rights:
            if child.dep_ not in ("xcomp", "ccomp") or not is_to_do(child):
                continue
            others = [c for c in child.lefts if c.dep_ == "nsubj"]
            others += [c for c in self.verb.rights if c.dep_ == "dobj"]
            urged = self._noun(others[0]) if len(others) == 1 else None
            is_pointing = any(t.tag_ in ("PRP", "PRP$") for t in child.subtree)
            if self.verb.lemma_ in _URGES and urged and not self.helpers:
                yield Made("plan", f"{self._turned('What', subject, urged)} to do")
            elif (self.verb.lemma_ in _PLANS and not self.helpers and not is_pointing) or (
                self.verb.lemma_ in _MEANT and is_passive and not others and child.lemma_ != "be"
            ):
                yield Made("plan", f"{self._turned('What', subject, '')} to do")

    def _doers(self, rest: str) -> Iterator[Made]:
        name = joined(name_words(self.subject))
        is_telling = len(content_terms(rest)) > 2 or rest != rest.lower()
        has_object = any(c.dep_ == "dobj" for c in self.verb.rights)
        is_one = " " in name and not any(c.dep_ == "conj" for c in self.subject.children)
        if self.verb.lemma_ in _DOES and has_object and is_telling and is_one:
            yield Made("who", self._following("Who", rest), name)

    # --- its times ---

    def _times(self) -> list[tuple[TimeExpression, frozenset[int]]]:
        """The times said of the verb, each with the places of its words."""
        verbs = [self.verb, *(c for c in self.verb.rights if c.dep_ in ("xcomp", "acomp"))]
        objects = [c for v in verbs for c in v.rights if c.dep_ == "dobj"]
        found = []
        for time, span in self._time_words():
            node = self.verb.doc[span[0] : span[-1] + 1].root
            while node.dep_ in ("pobj", "nummod", "quantmod") and (
                node.head.lower_ in _WHEN | {"for", "of"}
            ):
                node = node.head.head if node.head.lower_ == "of" else node.head
            places = frozenset(t.i for t in node.subtree)
            before = self.verb.doc[min(places) - 1] if min(places) else None
            is_year = len(span) == 1 and self.verb.doc[span[0]].text.isdigit()
            if is_year and before is not None and before.dep_ == "pobj":
                continue  # "the overrun on flooding in 2019": of which is it said?
            is_phrase = node.pos_ == "ADP"
            is_said_of = node.head in verbs or (is_phrase and node.head in objects)
            is_said_when = not is_phrase or node.lower_ in _WHEN | {"for"}
            if is_said_of and is_said_when and len(places - set(span)) <= 3:
                found.append((time, places))
        return found

    def _time_words(self) -> Iterator[tuple[TimeExpression, range]]:
        """The places of the words of each time of the sentence; of "due on Friday", those of the day."""
        for time in self.told.times:
            words = " ".join(time.phrase.split())
            words = re.sub(r"^due\s+(?:(?:on|by)\s+)?", "", words, flags=re.IGNORECASE)
            at = self.told.text.find(words)
            span = self.verb.doc.char_span(at, at + len(words), alignment_mode="expand")
            if at >= 0 and span is not None and len(span):
                yield time, range(span.start, span.end)

    # --- its words ---

    def _turned(self, opening: str, subject: str, rest: str) -> str:
        """The clause as a question: opening, auxiliary, subject, verb, rest."""
        verbs = [self.verb.text]
        if self.helpers:
            first, *more = [h.text.lower() for h in self.helpers]
            verbs = [*more, *verbs]
        elif self.verb.lemma_ == "be":
            first, verbs = self.verb.text, []
        else:
            first = {"VBD": "did", "VBZ": "does"}.get(self.verb.tag_, "do")
            verbs = [self.verb.lemma_]
        return " ".join([opening, first, subject, *(["not"] * self.is_denied), *verbs, rest])

    def _following(self, opening: str, rest: str) -> str:
        """The clause as a question for its subject."""
        return " ".join([opening, *(h.text.lower() for h in self.helpers), self.verb.text, rest])

    def _noun(self, head: Token) -> str | None:
        return noun(head, self.told.article, self.told.topic)

    def _rest(self, dropped: frozenset[int]) -> str | None:
        in_times = frozenset(i for _, span in self._time_words() for i in span)
        return rest_of(self.verb, dropped, in_times)
