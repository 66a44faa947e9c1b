"""Publishers: where a text states its own, and what only looks like it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from indexing.reading.clean import clean
from indexing.reading.publisher import publisher
from indexing.reading.read import read_documents
from indexing.schema import Document, Span
from indexing.sync import prepare

BODY = (
    "The harbour of Oststrand reopened on Tuesday after four weeks of repairs to its northern quay.\n"
    "Ferries will run every two hours until the autumn, the port authority told reporters.\n"
)


def document(raw: str, **metadata: str) -> Document:
    return Document("a.txt", raw, "utf-8", "txt", metadata=tuple(metadata.items()))


def found(raw: str, **metadata: str) -> str | None:
    made = document(raw, **metadata)
    return publisher(made, clean(made)[0])


def test_metadata_come_first_and_as_they_stand() -> None:
    raw = f"Quay reopened\n\nThe Harbour Post, 2026-02-05\n\n{BODY}"
    assert found(raw, publisher=" Association of\nPorts (AOP) ") == "Association of Ports (AOP)"
    assert found(raw, publisher="  ") == "The Harbour Post"
    assert found(raw) == "The Harbour Post"


def test_front_matter_is_no_header_line() -> None:
    raw = f"---\nby: x\n---\n{BODY}"
    marked = Document("a.md", raw, "utf-8", "md", (Span(0, 14),))
    assert publisher(marked, clean(marked)[0]) is None


HEADERS = [
    ("QuayCrunch, 2026-02-05 | By Ida Lund | technology", "QuayCrunch"),
    ("Ferry Affairs, 2026-02-05 | By Ida Lund | travel", "Ferry Affairs"),
    ("Polyquay, 2026-02-05", "Polyquay"),
    ("USA TODAY, 2026-02-05", "USA TODAY"),
    ("The Harbour Post - Life and Style, 2026-02-05", "The Harbour Post - Life and Style"),
    ("Qnbc | World Harbour Leader, 2026-02-05 | By Ida Lund | news", "Qnbc | World Harbour Leader"),
    ("HarbourSports.com, 2026-02-05", "HarbourSports.com"),
    ("Quay Science: The Best Articles, 2026-02-05", "Quay Science: The Best Articles"),
    ("The Harbour Post | 5 February 2026", "The Harbour Post"),
    ("Oststrand Gazette - Feb. 5, 2026", "Oststrand Gazette"),
    ("Reuters · 5 Feb 2026 | By Ida Lund", "Reuters"),
    ("World | Oststrand Gazette | 5 Feb 2026", "Oststrand Gazette"),
    ("Oststrand Gazette | Politics, 5 Feb 2026", "Oststrand Gazette"),
    ("By Ida Lund | The Harbour Post | 5 Feb 2026", "The Harbour Post"),
    ("Ida Lund, The Harbour Post - 5 Feb 2026", "The Harbour Post"),
    ("The Harbour Post | Thursday, 5 Feb 2026", "The Harbour Post"),
    ("Harbour Watchers | 5 Feb 2026", "Harbour Watchers"),
    ("Harbour Watchers, 5 Feb 2026", "Harbour Watchers"),
    ("The Harbour Post, 5/2/2026", None),  # which is the month?
    ("The Harbour Post, 25/2/2026", "The Harbour Post"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "name"), HEADERS)
def test_a_header_line_names_the_publisher_before_the_date(line: str, name: str | None) -> None:
    assert found(f"Quay reopened\n\n{line}\n\n{BODY}") == name


@pytest.mark.parametrize(
    "line",
    [
        "By Ida Lund, 5 February 2026",
        "By Ida Lund | 5 Feb 2026 10:12 GMT",
        "Published: 5 February 2026",
        "Published by Ida Lund, 5 February 2026",
        "Updated - 5 February 2026",
        "Thursday, 5 February 2026",
        "Oststrand, 5 February 2026",
        "OSTSTRAND, 5 February 2026",
        "New York, 5 February 2026",
        "The Hague, 5 February 2026",
        "Portland, Oregon, Feb. 5, 2026",
        "Geneva / New York, 5 February 2026",
        "Politics | 5 February 2026",
        "World News - 5 February 2026",
        "Press Release - 5 February 2026",
        "Page 4 | 5 February 2026",
        "Ida Lund · 5 Feb 2026 · 4 min read",
        "Ida Lund, Staff Writer | 5 Feb 2026",
        "Ida Lund, PhD | 5 Feb 2026",
        "Ida McLund, 5 Feb 2026 | ida@lund.example",
        "Ida Lund | Per Holm | 5 Feb 2026",
        "Ida Lund, 5 Feb 2026 | By Ida Lund",
        "# The Harbour Post | 5 February 2026",
        "The Harbour Post said on Thursday, 5 February 2026, that it would close.",
        "OSTSTRAND, Feb. 5, 2026 - The harbour of Oststrand reopened after four weeks of repairs.",
        "The Harbour Post",
    ],
)
def test_a_line_with_a_date_may_name_none(line: str) -> None:
    assert found(f"Quay reopened\n\n{line}\n\n{BODY}") is None


@pytest.mark.parametrize("line", ["By", "By Per Holm and", "Staff reporter", "ida@lund.example"])
def test_beside_an_author_line_a_name_is_taken_for_an_author(line: str) -> None:
    assert found(f"Quay reopened\n{line}\nIda Lund, 5 Feb 2026\n{BODY}") is None
    assert found(f"Quay reopened\nIda Lund, 5 Feb 2026\n{line}\n{BODY}") is None


def test_a_header_line_below_the_tenth_is_not_read() -> None:
    assert found(BODY * 5 + "The Harbour Post, 2026-02-05\n" + BODY) is None


REOPENED = "The harbour of Oststrand reopened on Tuesday after repairs."


@pytest.mark.parametrize(
    ("opening", "name"),
    [
        ("(Reuters) - ", "Reuters"),
        ("(CNN) ", "CNN"),
        ("(CNN)", "CNN"),
        ("(AP) — ", "AP"),
        ("(MENAFN) ", "MENAFN"),
        ("(MENAFN- Harbour Ideas) ", "MENAFN"),
        ("(Oststrand News Service) - ", "Oststrand News Service"),
        ("(WQAY) -- ", "WQAY"),
        ("WASHINGTON, Feb. 4 (Reuters) - ", "Reuters"),
        ("WASHINGTON, Feb. 4, 2026 (Harbour Affairs) -- ", "Harbour Affairs"),
        ("OSTSTRAND, Feb. 4, 2026 /PRNewswire/ -- ", "PRNewswire"),
        ("London (CNN Business) ", "CNN Business"),
        ("NEW DELHI (PTI) — ", "PTI"),
        ("TAMPA, Fla. (WQAY) — ", "WQAY"),
        ("NEW QUAY (WNQY) — ", "WNQY"),
        ("Hong Kong (CNN) — ", "CNN"),
    ],
)
def test_a_dateline_names_its_agency_and_not_its_place(opening: str, name: str) -> None:
    assert found(f"Quay reopened\n\n{opening}{REOPENED}\n{BODY}") == name


@pytest.mark.parametrize(
    "opening",
    [
        "(UPDATE) - ",
        "(Corrects day in paragraph 2) - ",
        "(QUAY) ",
        "(QUAY) - ",
        "(NASDAQ: QUAY) - ",
        "(AP Photo) ",
        "(a) ",
        "(Left) - ",
        "World Health Organization (WHO) - ",
        "British Broadcasting Corporation (BBC) - ",
        "Oststrand Quay Holding (QUAY) - ",
        "Rep. Ida Lund (R-Texas) - ",
        "A ship was seen by divers (Reuters) - ",
        "OSTSTRAND — ",
    ],
)
def test_other_brackets_at_the_beginning_name_none(opening: str) -> None:
    assert found(f"Quay reopened\n\n{opening}{REOPENED}\n{BODY}") is None


def test_an_agency_within_the_prose_is_not_the_publisher() -> None:
    assert (
        found(f"{BODY}He had told it earlier (Reuters) - and again on Monday to others.\n") is None
    )
    assert found(f"{BODY * 5}(Reuters) - {REOPENED}\n") is None


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("Originally published by The Harbour Post", "The Harbour Post"),
        ("Originally published on harbour.example.com.", "harbour.example.com"),
        ("This article was originally published in Quay Affairs.", "Quay Affairs"),
        ("This story first appeared on Quay Affairs. Read the original article.", "Quay Affairs"),
        ("This article is republished from Quay Affairs under a licence.", "Quay Affairs"),
        ("The post Quay reopened appeared first on Harbour.com.", "Harbour.com"),
        ("Read the full article at Harbour.com", "Harbour.com"),
        ("Read the full original article at https://www.harbour.example/a/b", "harbour.example"),
        ("Continue reading at U.S. Harbours & World Quays", "U.S. Harbours & World Quays"),
        ("Continue the full story", None),
        ("Weiter zum vollständigen Artikel bei Harbour.com", "Harbour.com"),
        ("Zum Originalartikel bei Hafenbote", "Hafenbote"),
        ("Ursprünglich erschienen in Der Hafenbote.", "Der Hafenbote"),
        ("Lire l'article complet sur Le Quai", "Le Quai"),
        ("Lire la suite sur LeQuai.fr", "LeQuai.fr"),
        ("Article initialement publié sur Le Quai", "Le Quai"),
        ("Leer el artículo completo en El Muelle", "El Muelle"),
        ("Publicado originalmente en El Muelle", "El Muelle"),
        ("Source: Harbour.com", "Harbour.com"),
        ("Source: Oststrand Gazette", "Oststrand Gazette"),
        ("Source : Le Quai", "Le Quai"),
        ("Quelle: Hafenbote", "Hafenbote"),
        ("Fuente: El Muelle", "El Muelle"),
    ],
)
@pytest.mark.parametrize("form", [f"Quay\n\n{BODY}\n%s", f"Quay\n\n{BODY[:-1]}%s", f"%s\n\n{BODY}"])
def test_a_pointer_names_where_the_article_is_from(line: str, name: str | None, form: str) -> None:
    assert found(form % line) == name


def test_a_pointer_ends_a_long_line() -> None:
    long = BODY.replace("\n", "") * 40
    assert found(f"{long}Weiter zum vollständigen Artikel bei Harbour.com") == "Harbour.com"
    assert found(f"{long}Weiter zum vollständigen Artikel bei Harbour.com {long}") is None


@pytest.mark.parametrize(
    "line",
    [
        "Originally published on 5 February 2026",
        "Originally published in March 2025.",
        "Originally published in English.",
        "The novel was originally published in Harbour Tales.",
        "Her poems were first published by Quay Books.",
        "Read more on Climate Change",
        "Read the full report at census.example",
        "Continue reading on page 4",
        "Read the full story on Page A4",
        "Read the full article at our website",
        "Publié dans Actualités",
        "Source: Bureau of Labor Statistics",
        "Source: company filings, 2025",
        "Image source: Harbour Pictures",
        "Photo source: Reuters",
        "Sources: Harbour firm in talks to buy Quay firm",
    ],
)
def test_a_line_may_point_elsewhere(line: str) -> None:
    assert found(f"Quay reopened\n\n{BODY}\n{line}") is None
    assert found(f"{line}\n\n{BODY}") is None


def test_several_sources_are_those_of_figures() -> None:
    assert found(f"{BODY}Source: Quay Times\n{BODY}Source: Harbour Post\n") is None
    assert found(f"{BODY}Source: Quaymetrics\n{BODY}") is None


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("© 2026 Oststrand Quays", "Oststrand Quays"),
        ("© 2026 Harbour Affairs. All rights reserved.", "Harbour Affairs"),
        ("Copyright 2026 The Harbour Post. All rights reserved.", "The Harbour Post"),
        ("Copyright © 2024-2026 Harbour Affairs, Inc.", "Harbour Affairs"),
        ("(c) 2026 harbour.example | Terms", "harbour.example"),
        ("Copyright 2026 by Harbour Affairs", "Harbour Affairs"),
        ("© 2026 Getty Images", None),
        ("© 2026 All rights reserved", None),
        ("© Harbour Affairs", None),
        ("Photo © 2026 Ida Lund", None),
        ("© 2026 Harbour Affairs. © 2026 Quay Affairs.", None),
        ("The Copyright 2026 Act was passed by Parliament.", None),
    ],
)
def test_a_copyright_line_names_its_holder(line: str, name: str | None) -> None:
    assert found(f"Quay reopened\n\n{BODY}\n{line}") == name


def test_the_first_rule_that_finds_a_name_decides() -> None:
    parts = [
        "The Harbour Post, 2026-02-05\n",
        f"(Reuters) - {REOPENED}\n{BODY}",
        "Originally published by Quay Affairs\n",
        "© 2026 Harbour Holdings\n",
    ]
    names = [found("".join(parts[n:])) for n in range(4)]
    assert names == ["The Harbour Post", "Reuters", "Quay Affairs", "Harbour Holdings"]


def test_neither_prose_nor_the_files_name_is_asked() -> None:
    raw = f"The Harbour Post reported it first.\n{BODY}https://harbour.example/a\n"
    assert publisher(Document("reuters-quay.txt", raw, "utf-8", "txt"), raw) is None


def test_an_article_is_prepared_with_its_publisher(tmp_path: Path) -> None:
    raw = f"# Quay reopened\n\nQuayCrunch, 2026-02-05 | By Ida Lund | news\n\n{BODY}"
    (read,), _ = read_documents("a.md", raw.encode())
    assert prepare(read, "m").article.publisher == "QuayCrunch"


PIECES = [
    *(line for line, _ in HEADERS),
    *("(Reuters) - ", "(CNN) ", "NEW DELHI, Feb. 4 (PTI) — ", "© 2026 ", "Copyright 2026 by "),
    *("Originally published by ", "Source: ", "Lire la suite sur ", "The post A appeared first on "),
    *(BODY, "\n", "\r\n", "\u2028", "\ufeff", " ", "\xa0", "# ", ". ", "| ", "By ", "Quay Times", "a.b.com"),
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=20), max_size=12).map("".join))
@example("\ud800© 2026 \ud800")
def test_a_name_stands_in_the_document(raw: str) -> None:
    made = document(raw)
    name = publisher(made, clean(made)[0])
    if name is not None:
        assert 2 <= len(name) <= 60
        assert name in " ".join(raw.split())


@given(st.text(max_size=200), st.text(max_size=200), st.lists(st.tuples(st.integers(0, 250), st.integers(0, 50)), max_size=4))  # fmt: skip
def test_nothing_raises(raw: str, text: str, marked: list[tuple[int, int]]) -> None:
    spans = tuple(Span(start, start + n) for start, n in marked)
    publisher(Document("a.md", raw, "utf-8", "md", spans, (("publisher", ""),)), text)


@pytest.mark.parametrize(
    "piece",
    ["word ", "A", "A ", "A.", ". ", "(", "A (", "© 2026 ", "the post A ", "Source: ", "a-", "| ", "\n", "A, ",
     "5 Feb 2026, ", "read the full full ", "A of the "],
)  # fmt: skip
def test_a_long_text_is_read_in_linear_time(piece: str) -> None:
    """In well under 3 s; what is not linear meets the test's time-out."""
    raw = piece * (20_000_000 // len(piece))
    publisher(document(raw), raw)
