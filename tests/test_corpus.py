"""The corpus holds our own briefs: well formed, honest about what is unknown, and in our own words.

The five articles lie beside the repository only where Dateline is developed. The checks that
need them run over whichever are found: elsewhere, over none, and what is left of those tests
still holds the briefs to the rules that need no article.
"""

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from repository import ROOT

BRIEFS = sorted((ROOT / "corpus").glob("*.md"))
ARTICLES = sorted((ROOT.parent / "shared" / "articles").glob("*.txt"))

NOTE = "Dateline's own brief of that article; not its text."
LONGEST_OWN_RUN = 7  # words in a row that may also stand in an article, outside quotation marks
LONGEST_QUOTE = 11  # words

each_brief = pytest.mark.parametrize("brief", BRIEFS, ids=lambda path: path.stem)


def split(brief: Path) -> tuple[dict[str, Any], str]:
    """The front matter and the body of a brief."""
    _, front, body = brief.read_bytes().decode("utf-8").split("---\n", 2)
    return yaml.safe_load(front), body


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def runs(text: str, length: int) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[i : i + length]) for i in range(len(found) - length + 1)}


def quotes(body: str) -> list[str]:
    return body.split('"')[1::2]


def own_parts(brief: Path) -> list[str]:
    """What we wrote ourselves: the front matter's values and the text outside quotation marks."""
    meta, body = split(brief)
    return [*map(str, meta.values()), *body.split('"')[0::2]]


def test_there_are_five_briefs_and_nothing_else_in_the_corpus() -> None:
    assert len(BRIEFS) == 5
    assert sorted((ROOT / "corpus").iterdir()) == BRIEFS


@each_brief
def test_a_brief_says_what_it_is(brief: Path) -> None:
    meta, _ = split(brief)
    for key in ("title", "brief_of", "note", "language"):
        assert isinstance(meta[key], str), key
        assert meta[key].strip(), key
    assert meta["note"] == NOTE
    assert meta["language"] == "en"


@each_brief
def test_an_unknown_publisher_is_left_out_and_explained(brief: Path) -> None:
    meta, _ = split(brief)
    key = "publisher" if "publisher" in meta else "publisher_note"
    assert isinstance(meta[key], str)
    assert meta[key].strip()
    assert meta[key].lower() not in {"unknown", "none", "n/a"}


@each_brief
def test_a_publication_date_is_a_plain_date_and_where_it_comes_from_is_told(
    brief: Path,
) -> None:
    meta, _ = split(brief)
    assert meta["published_note"].strip()
    if "published" in meta:
        assert type(meta["published"]) is date


@each_brief
def test_a_brief_opens_with_its_title_as_its_only_main_headline(brief: Path) -> None:
    meta, body = split(brief)
    headlines = [line for line in body.splitlines() if line.startswith("# ")]
    assert headlines == [f"# {meta['title']}"]
    assert body.lstrip().startswith(headlines[0])


@each_brief
def test_a_brief_is_a_whole_account_and_not_a_long_one(brief: Path) -> None:
    _, body = split(brief)
    assert 150 <= len(body.split()) <= 500


@each_brief
def test_quotations_are_closed_and_short(brief: Path) -> None:
    _, body = split(brief)
    assert not re.search("[“”«»]", body), "straight quotation marks only"
    for paragraph in body.split("\n\n"):
        assert paragraph.count('"') % 2 == 0, paragraph
    for quote in quotes(body):
        assert 0 < len(words(quote)) <= LONGEST_QUOTE, quote


def test_no_two_briefs_share_a_title() -> None:
    titles = [split(brief)[0]["title"] for brief in BRIEFS]
    assert len(set(titles)) == len(titles)


@each_brief
def test_a_brief_is_in_our_own_words(brief: Path) -> None:
    parts = own_parts(brief)
    assert sum(len(words(part)) for part in parts) >= 150
    _, body = split(brief)
    shared = []
    for article in ARTICLES:
        text = article.read_bytes().decode("utf-8")
        known = runs(text, LONGEST_OWN_RUN + 1)
        shared += [run for part in parts for run in runs(part, LONGEST_OWN_RUN + 1) & known]
        shared += runs(body, LONGEST_QUOTE + 1) & runs(text, LONGEST_QUOTE + 1)
    assert [" ".join(run) for run in shared] == []


@each_brief
def test_quotations_are_exact_and_figures_are_an_articles_own(brief: Path) -> None:
    _, body = split(brief)
    assert quotes(body), "every brief quotes somebody"
    assert re.search(r"\d|[Ww]ednesday", body), "every brief says when"
    texts = [" " + " ".join(words(path.read_bytes().decode("utf-8"))) + " " for path in ARTICLES]
    if not texts:
        return  # the articles are not beside this checkout: nothing to compare with

    # A brief belongs to one article: the one that holds most of its quotations and figures.
    facts = [" ".join(words(quote)) for quote in quotes(body)]
    facts += [word for word in words(body) if re.search(r"\d", word)]
    missing = [[fact for fact in facts if f" {fact} " not in text] for text in texts]
    assert min(missing, key=len) == []
