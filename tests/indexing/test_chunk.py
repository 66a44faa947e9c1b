"""Sentences and passages: every character accounted for, cut where a reader would cut."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from indexing.chunk import LONGEST_SENTENCE, passages, sentences
from indexing.schema import Sentence, Span


def cut(text: str, *boilerplate: Span) -> list[str]:
    return [text[s.start : s.end] for s in sentences(text, boilerplate)]


def blank(text: str) -> bool:
    return not text.replace("\ufeff", "").strip()


AWKWARD = (
    "",
    "a",
    ".",
    "...",
    "\ufeff",
    "\ufeffOne.\r\nTwo.\r\n\r\nThree",
    "😀 Ok. 👍🏽👩\u200d👩\u200d👧 Yes!",
    "Cafe\u0301 à Paris. Été.",
    "שלום עולם. מה שלומך؟ نعم.",
    "The same line again.\n" * 300,
    "no stops\nat all\n" * 50,
    "industries.In a statement.“We said.”Then",
    '."' * 40,
    "word" * 700,
    "\x1c\x85\u2028 . \v\f",
)
fragments = st.sampled_from(
    [
        *"aB9 .?!\n\r\t\"'”“()•-…。؟é😀\ufeff",
        "\r\n",
        "\n\n",
        "Mr.",
        "U.S.",
        "The ",
        "word ",
        "x" * 300,
    ]
)
texts = st.one_of(st.text(max_size=400), st.lists(fragments, max_size=120).map("".join))
spans = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 60)), max_size=4)


def within(text: str, drawn: list[tuple[int, int]]) -> list[Span]:
    return [Span(min(at, len(text)), min(at + size, len(text))) for at, size in drawn]


def blanked(text: str, boilerplate: list[Span]) -> str:
    letters = list(text)
    for span in boilerplate:
        for at in range(span.start, span.end):
            letters[at] = letters[at] if letters[at] in "\r\n" else " "
    return "".join(letters)


def check_sentences(raw: str, boilerplate: list[Span]) -> None:
    text = blanked(raw, boilerplate)
    seen = 0
    for s in sentences(text, boilerplate):
        assert seen <= s.start < s.end <= len(text)
        assert blank(text[seen : s.start])
        assert not blank(text[s.start])
        assert not blank(text[s.end - 1])
        assert s.end - s.start <= LONGEST_SENTENCE
        assert not any(
            s.start < span.end and span.start < s.end
            for span in boilerplate
            if span.start < span.end
        )
        seen = s.end
    assert blank(text[seen:])


def check_passages(raw: str, boilerplate: list[Span], max_chars: int) -> None:
    text = blanked(raw, boilerplate)
    cuts = passages("a.txt", raw, text, boilerplate, max_chars)
    inside: list[Sentence] = []
    for p in cuts:
        assert p.text == raw[p.start : p.end]
        assert (p.start, p.end) == (p.sentences[0].start, p.sentences[-1].end)
        assert p.end - p.start <= max_chars or len(p.sentences) == 1
        assert not any(
            p.start < span.end and span.start < p.end
            for span in boilerplate
            if span.start < span.end
        )
        inside.extend(p.sentences)
    assert inside == sentences(text, boilerplate)


@given(texts, spans)
def test_sentences_cover_every_character_outside_boilerplate_once_and_in_order(
    text: str, drawn: list[tuple[int, int]]
) -> None:
    check_sentences(text, within(text, drawn))


@given(texts, spans, st.integers(1, 700))
@example("The same line again.\n" * 300, [], 600)
def test_passages_are_whole_sentences_and_slices_of_the_file(
    text: str, drawn: list[tuple[int, int]], max_chars: int
) -> None:
    check_passages(text, within(text, drawn), max_chars)


@pytest.mark.parametrize("text", AWKWARD, ids=lambda text: repr(text[:12]))
def test_awkward_texts_keep_the_rules(text: str) -> None:
    third = len(text) // 3
    for boilerplate in ([], [Span(third, 2 * third)], [Span(0, len(text))]):
        check_sentences(text, boilerplate)
        check_passages(text, boilerplate, 120)


@pytest.mark.parametrize(
    "text",
    [
        "Rep. Ana Ruiz met Mr. Smith of Acme Inc. and Dr. No at 5 p.m. Wednesday.",
        "The House passed H.R. 4090 on Feb. 4 by No. 5 on its list.",
        "U.S. Trade Representative Lee said U.S.-Mexico trade, worth $12B, grew 3.5 percent.",
        "J. K. Rowling and George W. Bush, e.g. in Washington, D.C., saw version 2.1.0 of it.",
        "See https://example.com/Foo.Bar?x=1.Y or mail Ana.Ruiz@Example.Com today.",
        "He said it was … well … over, i.e. done vs. undone.",
        "“Really?” she asked (and why not?) before leaving.",
        "Lt.-Gov. Jones visited Ft. Worth, St. Louis and Mt. Rainier.",
        "Booking.com bought Node.js and will.I.am for $1.5 billion.",
    ],
)
def test_a_stop_inside_a_sentence_does_not_end_it(text: str) -> None:
    assert cut(text) == [text]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "high-tech industries.In a statement",
            ["high-tech industries.", "In a statement"],
        ),
        (
            "“build resilience.”Under these plans",
            ["“build resilience.”", "Under these plans"],
        ),
        (
            '"build resilience."Under these plans',
            ['"build resilience."', "Under these plans"],
        ),
        (
            'he said."We will go." They left.',
            ["he said.", '"We will go."', "They left."],
        ),
        (
            "she said.Mexico pact planSeparately, it",
            ["she said.", "Mexico pact plan", "Separately, it"],
        ),
        ("done in 2025.The rule", ["done in 2025.", "The rule"]),
        ("It left the U.S. The rest stayed.", ["It left the U.S.", "The rest stayed."]),
        (
            "They met at 5 p.m. However, few came.",
            ["They met at 5 p.m.", "However, few came."],
        ),
        (
            "Good (see above.) Bad? Ugly! “Yes.” No.",
            ["Good (see above.)", "Bad?", "Ugly!", "“Yes.”", "No."],
        ),
        (
            "It rose… Then it fell... It rests.",
            ["It rose…", "Then it fell...", "It rests."],
        ),
        ("你好。「再见。」我走了", ["你好。", "「再见。」", "我走了"]),
        ("هل أنت بخير؟ نعم.", ["هل أنت بخير؟", "نعم."]),
        (
            "It was World War I . Developed later .",
            ["It was World War I .", "Developed later ."],
        ),
        ("1. First of all\n2. Then this", ["1. First of all", "2. Then this"]),
        ("• one thing\n• another thing", ["• one thing", "• another thing"]),
        (
            "Heading Here\nA long line of prose follows it.",
            ["Heading Here", "A long line of prose follows it."],
        ),
        ("First part\n\nsecond part", ["First part", "second part"]),
        ("He fell ill. Doctors came.", ["He fell ill.", "Doctors came."]),
        ("She loves art. Museums do too.", ["She loves art.", "Museums do too."]),
        ("no stop at all", ["no stop at all"]),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, wanted: list[str]) -> None:
    assert cut(text) == wanted


def test_hard_wrapped_lines_are_one_paragraph() -> None:
    text = (
        "The council met in the town hall on Tuesday to talk about the bridge that\n"
        "was closed in the spring, and heard from three engineers and from Mayor\n"
        "Jones, who said that repairs would take until the end of the coming\n"
        "year. Nobody objected.\n\nCosts\n\nThe bill is large."
    )
    first, second, *rest = cut(text)
    assert first.endswith("the coming\nyear.")
    assert [second, *rest] == ["Nobody objected.", "Costs", "The bill is large."]


def test_no_sentence_crosses_boilerplate() -> None:
    text = "It began here" + " " * 10 + "and ended there."
    assert cut(text, Span(13, 23)) == ["It began here", "and ended there."]


def test_a_passage_ends_before_a_heading_and_not_after_it() -> None:
    prose = "This sentence is some forty characters long. "
    text = f"{prose * 6}\n\nA heading\n\n{prose * 6}"
    first, second = passages("a.txt", text, text, [], 400)
    assert second.text.startswith("A heading")
    assert "heading" not in first.text


def test_the_last_two_passages_are_balanced() -> None:
    text = "This sentence is some forty characters long. " * 10
    sizes = [p.end - p.start for p in passages("a.txt", text, text, [], 400)]
    assert len(sizes) == 2
    assert min(sizes) >= 0.6 * max(sizes)


@pytest.mark.parametrize(
    "unit", ["The quick brown fox jumps over it. ", "word ", "x", "\ufeff ", "a. B "]
)
def test_a_single_line_of_5_mb_is_cut(unit: str) -> None:
    """In 3 s on an idle core; what is not linear meets the test's time-out."""
    text = unit * (5_000_000 // len(unit))
    cuts = passages("a.txt", text, text, [], 600)
    assert all(p.end - p.start <= LONGEST_SENTENCE for p in cuts)
