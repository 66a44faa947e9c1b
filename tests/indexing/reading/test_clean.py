from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexing.reading.clean import clean
from indexing.reading.read import read_documents
from indexing.schema import Document, Span

FIRST = "The harbour board approved the new ferry line on Tuesday, after a long debate."
LAST = "Work on the quay will begin in March, the board said."


def document(raw: str, markup: tuple[Span, ...] = ()) -> Document:
    return Document("a.txt", raw, "utf-8", "txt", markup)


def blanked(raw: str) -> list[str]:
    """The lines and ends of lines that are boilerplate, in order."""
    text, boilerplate = clean(document(raw))
    assert len(text) == len(raw)
    return [
        part.strip()
        for s in boilerplate
        for part in raw[s.start : s.end].splitlines()
        if part.strip()
    ]


def page(*, above: str = "", below: str = "", between: str = "") -> str:
    return f"{above}\n\nFerry line approved by the board\n\n{FIRST}\n\n{between}\n\n{LAST}\n\n{below}\n"


# --- what is taken out ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "Add Comment",
        "Leave a reply",
        "12 comments",
        "View More",
        "Read more »",
        "Continue reading on port.example",
        "SUBSCRIBE NOW!",
        "Subscribe to our daily newsletter and never miss a story.",
        "Sign up for our weekly alerts",
        "Get the latest news delivered to your inbox.",
        "Discover more stories!",
        "Share this article",
        "Follow us on social media",
        "Related articles",
        "You may also like",
        "Advertisement",
        "Skip to main content",
        "This website uses cookies to improve your experience. Accept?",
        "© 2026 Port Gazette. All rights reserved.",
        "Facebook | Twitter | Print | Share",
        "Home > News > Harbour",
        "Photo: Ana Ruiz/Port Gazette",
        "(Image credit: Ana Ruiz / Port Gazette)",
        "PORTGAZ0502202600001234ID99",
        "2026-02-04 Harbour Corporation Aktie",
        "HRBR 41.20 +0.35 (+0.9%)",
        "Read also: Fishermen ask for a second quay",
        "Weiter zum vollständigen Artikel bei hafen.example",
        "Lire la suite sur port.example",
        "Seguir leyendo",
        "Continua a leggere",
        "Leia mais",
        "Lees verder",
        "Läs mer",
        "Czytaj więcej",
        "Читать далее",
        "Devamını oku",
        "続きを読む",
        "阅读全文",
        "기사 전문 보기",
        "اقرأ المزيد",
    ],
)  # fmt: skip
def test_a_line_of_furniture_is_taken_out_wherever_it_stands(line: str) -> None:
    for raw in (page(above=line), page(between=line), page(below=line)):
        assert blanked(raw) == [line]


@pytest.mark.parametrize("join", ["", " "])
@pytest.mark.parametrize(
    "link",
    ["Read more", "Add Comment", "Zum vollständigen Artikel bei hafen.example", "Lire la suite…"],
)
def test_a_link_glued_to_the_last_sentence_is_taken_off(join: str, link: str) -> None:
    raw = f"{FIRST}{LAST}{join}{link}\n"
    text, (span,) = clean(document(raw))
    assert raw[span.start : span.end] == link
    assert text.strip() == FIRST + LAST


def test_several_links_glued_to_a_sentence_are_all_taken_off() -> None:
    assert (
        clean(document(f"{FIRST} {LAST}Read more.Share this article"))[0].strip()
        == f"{FIRST} {LAST}"
    )


def test_an_advertisement_glued_between_sentences_is_taken_out() -> None:
    assert blanked(f"{FIRST}Advertisement{LAST}") == ["Advertisement"]


def test_a_disclaimer_and_all_that_follows_it_is_taken_out() -> None:
    tail = """\
General Disclaimer:

This page is provided "as is". The publisher accepts no liability for the accuracy of what it holds.

Tell your friends
NetNews

Sign up today

No thanks

By subscribing to this list, you
agree to our terms"""
    assert blanked(page(below=tail)) == [line for line in tail.splitlines() if line]


def test_headlines_of_other_stories_below_the_article_go_with_their_heading() -> None:
    links = "Most read\nMayor opens the fish market\nStorm closes the northern pier for a week"
    assert blanked(page(below=links)) == links.splitlines()


def test_words_that_may_be_headings_go_only_beside_furniture() -> None:
    assert blanked(page(below="Share this article\nFacebook\nE-mail\nPrint"))[1:] == [
        "Facebook",
        "E-mail",
        "Print",
    ]
    shared = ["E-mail", "Facebook", "Share this article", "Print"]
    assert blanked(page(between="\n".join(shared))) == shared
    assert blanked(page(between="Facebook")) == []
    assert blanked(page(between="Comments")) == []


def test_a_section_name_set_twice_above_the_headline_is_taken_out() -> None:
    assert blanked(page(above="Port Stories\n\nPort Stories")) == ["Port Stories", "Port Stories"]


# --- what is kept ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "(GAZETTE) The board met on Tuesday.",
        "PORT CITY, Feb. 4 (Gazette) - The board met.",
        "By Ana Ruiz",
        "Published 4 February 2026",
        "Who pays for the quay",
        "Facebook and the ferry",
        "The company asked users to sign up for its newsletter before March.",
        "Readers can subscribe to our rival for 5 euros, the paper said.",
        "Add comment fields to the form, the clerk was told.",
        "He read more than 400 letters.",
        "She declined to comment.",
        '"No comment."',
        '"Read more."',
        "The board will share this with the mayor.",
        "Sharing is hard.",
        "  • The line opens in May",
        "- Fares: 3 euros",
        "Photo: the quay as it was in 1950, before the storm took its northern end away.",
        "Copyright law was amended in 2026.",
        "Sponsored by the state, hackers attack the port",
        "Images by satellite show the damage",
        "PORT 3-1 CITY",
        "ABC123",
        "2026-02-04",
        "Share price of the port falls",
        "The accuracy, reliability and copyright liability of such tools are in doubt.",
        "Weiter zum nächsten Hafen fuhr das Schiff am Mittwoch.",
        "Correction: An earlier version misspelt the name of the quay.",
    ],
)
def test_a_line_of_the_article_is_kept_wherever_it_stands(line: str) -> None:
    for raw in (page(above=line), page(between=line), page(below=line), f"{FIRST} {line}"):
        assert blanked(raw) == []


def test_a_headline_is_kept_even_when_it_is_set_twice() -> None:
    for headline in ("Ferry approved", "Ferry line approved by the harbour board"):
        assert blanked(f"{headline}\n{headline}\n{FIRST}\n") == []


def test_fragments_at_the_end_are_kept_when_no_furniture_precedes_them() -> None:
    assert blanked(page(below="Fares\nAdults three euros\nChildren one euro")) == []
    assert blanked(page(below="Advertisement\nAdults three euros")) == ["Advertisement"]


def test_of_a_list_without_sentences_only_the_links_are_taken_out() -> None:
    raw = "Ferry approved\nRead more\nFish market opens\nRead more\nPier closed\n"
    assert blanked(raw) == ["Read more", "Read more"]


def test_an_article_about_disclaimers_keeps_its_text() -> None:
    prose = "Courts have long weighed how far liability reaches when the accuracy of a chart is in doubt."
    assert blanked(page(between=f"Disclaimer\n\n{prose}")) == []


def test_a_text_that_is_all_furniture_is_left_as_it_is() -> None:
    raw = "Subscribe now\nRead more\n"
    assert clean(document(raw)) == (raw, ())


# --- what always holds ----------------------------------------------------------------------

LINES = st.sampled_from(
    [FIRST, LAST, "Read more", "Facebook", "Legal notice", "", "  ", "• Point one", "Sign up today", "é🚢 ‏שלום",
     f"{FIRST}View more", "Port", "AB12345678901234CD", "a" * 400, "\ufeff", "\u2028", "x|y|Share"]
)  # fmt: skip


@given(
    st.lists(LINES | st.text(max_size=40), max_size=14),
    st.sampled_from(["\n", "\r\n", "\r", "\n\n"]),
    st.lists(st.integers(0, 200), max_size=6, unique=True),
)
def test_cleaning_only_ever_blanks_and_says_where(
    lines: list[str], newline: str, cuts: list[int]
) -> None:
    raw = newline.join(lines)
    edges = sorted(min(cut, len(raw)) for cut in cuts)
    markup = tuple(Span(a, b) for a, b in zip(edges[::2], edges[1::2], strict=False) if a < b)
    text, boilerplate = clean(document(raw, markup))
    assert len(text) == len(raw)
    seen = 0
    for span in boilerplate:
        assert seen <= span.start < span.end <= len(raw)
        seen = span.end
    out = {n for span in (*markup, *boilerplate) for n in range(span.start, span.end)}
    for n, (was, now) in enumerate(zip(raw, text, strict=True)):
        assert now == (" " if n in out and was not in "\r\n" else was)


def test_markup_is_blanked_and_furniture_inside_it_found() -> None:
    read, _ = read_documents(
        "a.md", f"# Ferry line\n\n{FIRST}\n\n- [Read more](http://x.example)\n".encode()
    )
    text, (span,) = clean(read[0])
    assert read[0].raw[span.start : span.end] == "Read more"
    assert text.split() == ["Ferry", "line", *FIRST.split()]


@pytest.mark.parametrize(
    "raw",
    [
        (FIRST + LAST) * 37_000,
        "." * 5_000_000,
        "x" + " " * 5_000_000 + "x",
        "a" * 5_000_000,
        f"{FIRST}\nWho pays\n" * 50_000,
        ("Subscribe to our " * 17 + "\n") * 17_000,
    ],
    ids=["prose", "dots", "spaces", "one word", "lines", "near misses"],
)
def test_five_million_characters_are_cleaned(raw: str) -> None:
    """In some 2 s on an idle core; what is not linear meets the test's time-out."""
    text, _ = clean(document(raw))
    assert len(text) == len(raw)
