"""An answer written by a chat model: held back sentence by sentence until each is verified.

What the model writes is cut into sentences as it arrives. A sentence that says what it cites is
passed on at once; one that does not is sent back once with the reason, and left out if it does no
better. The model's marks are numbers of the prompt; the answer's count the sentences it cites.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date

from assistant.answering import agree, prompt, quotes
from assistant.answering.models.call import ChatModel, Usage
from assistant.answering.models.names import Message
from assistant.checking.check import ClaimVerifier, Verdict
from assistant.checking.reading import Cited
from assistant.finding.find import Finding
from assistant.finding.select import LEANS, distinct_of
from assistant.language.marks import marks, plain
from assistant.question.question import Wanted
from assistant.schema import Answer, Claim, Dropped, Evidence, ModelUse, Status
from indexing.chunk import sentences as sentences_of
from indexing.errors import DatelineError, ModelError

MOST_SENTENCES = 8
"""Sentences of a reply that are read; what comes after is left out."""
MOST_REPAIRS = 3
SHORT = 8
"""Words of a heading, at most."""
LONGEST_SENTENCE = 900
"""Characters of a sentence that is still held; one that does not end is left out."""
SHOWN_OF_DROPPED = 400
NO_ANSWER = re.compile(r"\W*NO[ _-]?ANSWER\b", re.IGNORECASE)
DROP = re.compile(r"\W*DROP\b")


@dataclass
class Written:
    """What came of a model's reply: the claims that hold, the sentences they cite as 1, 2, 3..., what
    was left out, and what the calls cost. `declined`: the model found no answer in the sentences."""

    claims: list[Claim] = field(default_factory=list)
    cited: list[Evidence] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    declined: bool = False

    def number_of(self, e: Evidence) -> int:
        """The number under which the answer cites a sentence."""
        if e not in self.cited:
            self.cited.append(e)
        return self.cited.index(e) + 1


class Writer:
    """Writes answers with one chat model."""

    def __init__(self, model: ChatModel, verifier: ClaimVerifier) -> None:
        self._model = model
        self._verifier = verifier

    def write(
        self,
        question: str,
        sentences: Sequence[Evidence],
        differences: Sequence[str],
        as_of: date,
        cancelled: Callable[[], bool],
        written: Written,
    ) -> Iterator[Claim]:
        """The claims that hold, each as soon as it does; `written` is filled on the way.

        Raises ModelError when the model fails; what `written` then holds is verified all the same.
        """
        messages = prompt.answering(question, sentences, differences, as_of)
        cited = [Cited(e) for e in sentences]
        session = _Session(
            self._model, self._verifier, messages, sentences, cited, as_of, cancelled, written
        )
        pieces = self._model.stream(messages, cancelled=cancelled, spent=session.spend)
        # Beside the model's own reading of the prompt, which takes longer.
        threading.Thread(target=self._warm, args=(cited,), daemon=True).start()
        try:
            yield from session.read(pieces)
        finally:
            pieces.close()

    def _warm(self, cited: Sequence[Cited]) -> None:
        with suppress(DatelineError):  # the first check meets it again, and tells
            self._verifier.warm(cited)


@dataclass
class _Session:
    """One reply being read."""

    model: ChatModel
    verifier: ClaimVerifier
    messages: list[Message]
    sentences: Sequence[Evidence]
    cited: Sequence[Cited]
    as_of: date
    cancelled: Callable[[], bool]
    written: Written
    repairs: int = 0

    def spend(self, usage: Usage) -> None:
        self.written.usage = self.written.usage + usage

    def read(self, pieces: Iterable[str]) -> Iterator[Claim]:
        seen: set[str] = set()
        left_out = False
        for number, sentence in enumerate(held(pieces)):
            if self.cancelled():
                return
            if number == 0 and NO_ANSWER.match(sentence):
                self.written.declined = True
                return
            if number >= MOST_SENTENCES:
                self._drop(sentence, "the reply is longer than was asked for")
                return
            said = read_marks(sentence)[0].casefold()
            if said in seen or not any(c.isalnum() for c in said):
                continue  # small models repeat themselves
            seen.add(said)
            if left_out and LEANS.match(sentence):
                self._drop(sentence, "it leans on a sentence that was left out")
                continue
            claim = self._verified(sentence)
            left_out = claim is None
            if claim is not None:
                self.written.claims.append(claim)
                yield claim

    def _verified(self, sentence: str) -> Claim | None:
        claim, verdict = self._judge(sentence)
        if claim is not None or self.cancelled():
            return claim
        if self.repairs < MOST_REPAIRS and verdict.check != "length":
            self.repairs += 1
            asked = prompt.repairing(self.messages, sentence, verdict.reason)
            try:
                reply = self.model.complete(asked, cancelled=self.cancelled, spent=self.spend)
            except ModelError:
                reply = ""
            mended = next(held([reply]), "")
            if mended and not DROP.match(mended) and not NO_ANSWER.match(mended):
                claim, _ = self._judge(mended)
        if claim is None:
            self._drop(sentence, verdict.reason)
        return claim

    def _judge(self, sentence: str) -> tuple[Claim | None, Verdict]:
        if len(sentence) > LONGEST_SENTENCE:
            return None, Verdict("length", f"it is longer than {LONGEST_SENTENCE} characters")
        said, numbers = read_marks(sentence)
        if unknown := [n for n in numbers if not 1 <= n <= len(self.sentences)]:
            return None, Verdict("mark", f"there is no sentence [{unknown[0]}]")
        if numbers:
            verdict = self.verifier.check(said, [self.cited[n - 1] for n in numbers], self.as_of)
            return (self._claim(said, numbers), verdict) if verdict.holds else (None, verdict)
        if (source := self.verifier.source_of(said, self.cited, self.as_of)) is not None:
            return self._claim(said, [self.cited.index(source) + 1]), Verdict()
        return None, Verdict("mark", "it cites nothing")

    def _claim(self, said: str, numbers: Sequence[int]) -> Claim:
        own = tuple(self.written.number_of(self.sentences[n - 1]) for n in numbers)
        return Claim(f"{said} {marks(own)}", own)

    def _drop(self, sentence: str, reason: str) -> None:
        self.written.dropped.append(Dropped(plain(sentence)[:SHOWN_OF_DROPPED], reason))


# --- sentences of a stream -----------------------------------------------------------------------

_MARK = re.compile(r"[\[【]\s*(\d{1,3}(?:\s*[,;–-]\s*\d{1,3})*)\s*[\]】]")
_MARKS_NEXT = re.compile(rf"\s*(?:{_MARK.pattern}[\s,;]*)+[.!?]?")
_MARK_BEGUN = re.compile(r"\s*(?:[\[【][\d\s,;–-]*)?")
_DECORATION = re.compile(r"^\s*(?:[-*•#>]+|\d{1,2}[.)])\s+|\*\*|__")


def held(pieces: Iterable[str]) -> Iterator[str]:
    """The sentences of a reply, each as soon as it is whole: when the next one has begun, so that
    marks after its full stop are known to be its own; or at the end of a line."""
    buffer = ""
    for piece in pieces:
        buffer += piece
        while (end := _end_of_first(buffer)) is not None:
            if sentence := buffer[:end].strip():
                yield sentence
            buffer = buffer[end:]
        if len(buffer) > 2 * LONGEST_SENTENCE:
            yield buffer.strip()
            return
    while buffer.strip():
        end = _end_of_first(buffer) or len(buffer)
        if sentence := buffer[:end].strip():
            yield sentence
        buffer = buffer[end:]


def _end_of_first(buffer: str) -> int | None:
    """Where the first sentence of a text ends that may go on; None where that is not yet known."""
    line, newline, _ = buffer.partition("\n")
    if newline and not line.strip():
        return len(line) + 1
    found = sentences_of(line, ())
    if len(found) > 1:
        end = found[0].end
        if m := _MARKS_NEXT.match(line, end):
            end = m.end()
        if newline or not _MARK_BEGUN.fullmatch(line, end):
            return end
        return None
    if newline:
        return len(line) + 1
    if len(found) == 1 and (m := _MARKS_NEXT.match(line, found[0].end)):
        return None if _MARK_BEGUN.fullmatch(line, m.end()) else m.end()
    return None


def read_marks(sentence: str) -> tuple[str, list[int]]:
    """A sentence without decoration and marks, and the numbers of its marks."""
    numbers: list[int] = []
    for m in _MARK.finditer(sentence):
        for part in re.split(r"\s*[,;]\s*", m[1]):
            ends = [int(n) for n in re.findall(r"\d+", part)]
            numbers += range(ends[0], min(ends[-1], ends[0] + 9) + 1)
    said = re.sub(rf"\s*{_MARK.pattern}", "", sentence)
    said = " ".join(_DECORATION.sub("", said).split())
    return re.sub(r"\s+([.,;:!?])", r"\1", said), list(dict.fromkeys(numbers))


# --- the whole answer ----------------------------------------------------------------------------


def compose(
    written: Written,
    drafted: Answer,
    findings: Sequence[Finding],
    answering: Sequence[Finding],
    as_of: date,
    engine: str,
    failure: str,
) -> Iterator[Claim | Answer]:
    """What follows the model's claims: claims of ours that its text lacks, then the answer.

    `drafted` is the answer of the engine `quotes`: it stands where the model failed, for the reason
    in `failure`, or where none of its sentences holds. The calendar date asked for and values that
    differ are ours to tell, so they are added where the model does not state them.
    """
    usage = written.usage
    use = ModelUse(engine, usage.calls, usage.input_tokens, usage.output_tokens)
    if written.declined and not written.claims and not failure:
        yield replace(_declined(drafted, engine), dropped=tuple(written.dropped), model=use)
        return
    if failure or not written.claims:
        why = failure or f"nothing that {engine} wrote could be verified"
        notice = f"{why[:1].upper()}{why[1:]}, so the articles are quoted instead."
        yield from drafted.claims
        yield replace(
            drafted,
            text=f"{drafted.text}\n\n{notice}",
            dropped=tuple(written.dropped),
            notice=notice,
            model=use,
        )
        return
    ours = list(_ours(written, drafted, answering, as_of))
    yield from ours
    notice = _left_out(len(written.dropped))
    cited = written.cited
    said = [" ".join(c.text for c in written.claims), *(c.text for c in ours)]
    said += quotes.remarks(findings, answering, cited, as_of)
    yield replace(
        drafted,
        engine=engine,
        text="\n\n".join([*said, notice] if notice else said),
        claims=(*written.claims, *ours),
        citations=quotes.cited_as(cited),
        dates=quotes.dates_of(answering, cited, as_of),
        agreement=agree.agreement(answering[0].question, cited) if len(answering) == 1 else (),
        dropped=tuple(written.dropped),
        notice=notice,
        model=use,
    )


def _declined(drafted: Answer, engine: str) -> Answer:
    return replace(
        drafted,
        status=Status.NOT_IN_CORPUS,
        engine=engine,
        text=f"{quotes.NOTHING[:-1]}, as {engine} reads them.",
        claims=(),
        citations=(),
        dates=(),
        agreement=(),
        closest=drafted.citations[: quotes.CLOSEST],
    )


def _left_out(count: int) -> str:
    if not count:
        return ""
    if count == 1:
        return "A sentence of the model's draft was left out: what it cites does not say it."
    return (
        f"{count} sentences of the model's draft were left out: what they cite does not say them."
    )


def _ours(
    written: Written, drafted: Answer, answering: Sequence[Finding], as_of: date
) -> Iterator[Claim]:
    """The calendar date asked for, and values that differ, where the model does not tell them."""
    if len(answering) != 1:
        return
    question = answering[0].question
    text = " ".join(claim.text for claim in written.claims)
    quoted = quoted_by(drafted, answering)
    for claim in drafted.claims if question.wanted is Wanted.DATE else ():
        bold = re.match(r"\*\*(?:By )?(.+?)\*\*", claim.text)
        told = [quoted[n] for n in claim.citations if n in quoted]
        if bold and told and bold[1].casefold() not in text.casefold():
            numbers = tuple(written.number_of(e) for e in told)
            yield Claim(f"{_MARK.sub('', claim.text).strip()} {marks(numbers)}", numbers)
    values = [a.value for a in drafted.agreement]
    if len(values) > 1 and not all(value in text for value in values):
        number = {id(e): written.number_of(e) for e in quoted.values()}
        if differing := agree.differing(question, list(quoted.values()), number):
            yield differing


def quoted_by(drafted: Answer, findings: Sequence[Finding]) -> dict[int, Evidence]:
    """The sentences that an answer cites, by the numbers of its citations."""
    found = {
        (e.hit.info.source, e.sentence.start, e.sentence.end): e
        for f in findings
        for e in map(quotes.opened, f.evidence)
    }
    places = {c.number: (c.source, c.start, c.end) for c in drafted.citations}
    return {number: found[place] for number, place in places.items() if place in found}


def sentences_for(drafted: Answer, findings: Sequence[Finding], most: int) -> list[Evidence]:
    """What a model is given: the sentences that `quotes` cites, then the best of the others."""
    first = quoted_by(drafted, findings).values()
    others = sorted((e for f in findings for e in f.evidence), key=lambda e: -e.relevance)
    told = [e for e in map(quotes.opened, others) if not _is_heading(e)]
    return distinct_of([*first, *told])[:most]


def _is_heading(e: Evidence) -> bool:
    """Whether a sentence is none: a few words without a stop at their end."""
    return len(e.text.split()) <= SHORT and not re.search(r"[.!?…][\"'”’)\]]*\Z", e.text)


def differences_of(drafted: Answer, sentences: Sequence[Evidence]) -> list[str]:
    """The values in which sentences differ, by their numbers in the prompt."""
    if len(drafted.agreement) < 2:
        return []
    number = {
        (e.hit.info.source, e.sentence.start, e.sentence.end): n for n, e in enumerate(sentences, 1)
    }
    told = []
    for value in drafted.agreement:
        cited = [drafted.citations[n - 1] for n in value.citations]
        numbers = [number[p] for c in cited if (p := (c.source, c.start, c.end)) in number]
        told.append(f"{value.value} {marks(numbers)}")
    return ["; ".join(told)]
