"""The page of an evaluation run: what it says, what it never runs, and how it opens in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from lxml import html
from playwright.sync_api import Browser, Page, expect

from eval.gate import Check, Verdict, judge_run
from eval.judge import Judged, JudgeFailure
from eval.reporting.page import as_html
from eval.run import Key, Result, Run

HOSTILE = (
    """<script>alert(1)</script><img src=https://evil.example/x onerror=alert(2)>'"><b>$x$ @0@"""
)
REVERSED, LONE = "\u202e", "\ud800"
PHONE = {"width": 390, "height": 844}


def right(id_: str, **fields: Any) -> Result:
    """A question that came out right; a `scores` among `fields` is added to its own."""
    answerable = fields.get("answerable", True)
    own = {"right": 1.0, "citation_exactness": 1.0}
    own |= {"factual_accuracy": 1.0, "false_refusal": 0.0} if answerable else {"false_answer": 0.0}
    whole: dict[str, Any] = {
        "type": "deadline",
        "split": "dev",
        "form": "plain",
        "question": f"When does {id_} end?",
        "history": (),
        "answerable": answerable,
        "gold": "",
        "expected": "On 6 March 2026.",
        "status": "answered" if answerable else "not_in_corpus",
        "answer": "**By 6 March 2026**. [1]\n\nIt ends then. [1]",
        "confidence": 0.9 if answerable else 0.1,
        "citations": (),
        "wrong": (),
        "ms": 120.0,
    }
    return Result(id=id_, **{**whole, **fields, "scores": own | fields.get("scores", {})})


def wrong(id_: str, **fields: Any) -> Result:
    scores = {"right": 0.0, "factual_accuracy": 0.0}
    return right(id_, **{"wrong": ("missing 6 March",), "scores": scores, **fields})


def run_of(*results: Result, **fields: Any) -> Run:
    key = Key("sample", {"a.md": "1", "b.md": "2"}, {"engine": "quotes", "max_quotes": "3"})
    whole: dict[str, Any] = {"key": key, "seconds": 12.3, **fields}
    return Run("sample", 4, date(2026, 11, 22), results=results, **whole)


MIXED = run_of(
    right("q1"),
    right("q2", type="date"),
    wrong("q3", type="date", history=(("What is it?", "A plan."),), answer="It does not end."),
    right("q4", type="off-topic", answerable=False),
)


def text_of(node: html.HtmlElement) -> str:
    """The words of an element, those of its parts apart."""
    return " ".join(" ".join(node.itertext()).split())


def section(page: str, id_: str) -> str:
    return text_of(html.fromstring(page).get_element_by_id(id_))


def test_the_page_holds_the_figures_of_the_run() -> None:
    tree = html.fromstring(as_html(MIXED))
    head = text_of(next(tree.iter("header")))
    for said in ("sample version 4", "22 November 2026", "Articles 2", "Engine quotes", "12 s"):
        assert said in head
    cards = {text_of(c.find("h3")): text_of(c) for c in tree.find_class("card")}
    assert "75.0% 25–100 · n 4" in cards["right"]
    assert "66.7%" in cards["factual accuracy"]
    assert "100.0% all alike · n 4" in cards["citation exactness"]
    assert "– no question of the set asks for it" in cards["calendar date"]
    assert "0.0% all alike · n 1" in cards["false answer"]
    assert "100.0%" in cards["AUROC of confidence"]
    rows = {text_of(r[0]): text_of(r) for r in tree.find_class("types")[0].iter("tr")}
    assert rows["date"].startswith("date 50.0% 0–100 · n 2")
    assert [svg.get("aria-label").split(".")[0] for svg in tree.iter("svg")] == [
        "Share right for each of 3 types, from 50",
        "Histogram of the time for an answer: p50 120 ms, p95 120 ms",
        "Confidence against share answerable; error 10",
    ]


def test_a_question_still_wrong_is_told_with_its_history_reason_and_answer() -> None:
    said = section(as_html(MIXED), "wrong")
    assert "1 of 4 questions" in said
    for part in ("q3", "Earlier: What is it?", "Answer: A plan.", "missing 6 March"):
        assert part in said
    assert said.endswith("confidence 90.0% It does not end.")
    assert "q1" not in said


def test_failing_checks_come_before_those_that_passed() -> None:
    checks = (Check("index in step", True, "in step"), Check("drop of both_sides", False, "fell"))
    page = as_html(MIXED, Verdict(checks, None))
    said = text_of(html.fromstring(page).find_class("gate")[0])
    assert "not passed: 1 of 2 checks failed" in said
    assert said.index("drop of both sides fell") < said.index("index in step")
    assert "FAILED" in text_of(next(html.fromstring(page).iter("header")))
    passed = as_html(MIXED, Verdict(checks[:1], None))
    assert text_of(html.fromstring(passed).find_class("word")[0]) == "PASSED"


def test_what_changed_is_told_worse_first_with_both_answers() -> None:
    before = run_of(
        wrong("q1", answer="Never."),
        right("q2", type="date"),
        right("q3", type="date", history=MIXED.results[2].history),
        MIXED.results[3],
    )
    tree = html.fromstring(as_html(MIXED, judge_run(MIXED, [before], {})))
    worse, better = map(text_of, tree.find_class("flip"))
    assert worse.startswith("▼ Worse")
    assert "What is wrong now missing 6 March" in worse
    assert worse.index("Before: answered, right By 6 March") < worse.index("Now: answered, wrong")
    assert better.startswith("▲ Better")
    assert "Before: answered, wrong Never." in better
    changes = text_of(tree.get_element_by_id("changes"))
    assert "1 question right before and wrong now, 1 wrong before and right now" in changes
    assert "factual accuracy 66.7% 66.7% no change on the whole 1 1 3" in changes
    assert "2 metrics" not in changes
    assert "Metrics, before and now" in text_of(tree.get_element_by_id("plots"))


def test_a_metric_where_less_is_better_is_worse_when_it_rises() -> None:
    refused = {"right": 0.0, "false_refusal": 1.0, "factual_accuracy": 0.0}
    now = run_of(*MIXED.results[1:], wrong("q1", scores=refused))
    tree = html.fromstring(as_html(now, judge_run(now, [MIXED], {})))
    cards = {text_of(c.find("h3")): text_of(c) for c in tree.find_class("card")}
    assert "▼ worse by 33.3 points" in cards["false refusal"]
    assert "▼ worse by 25.0 points" in cards["right"]


def test_judged_figures_are_advisory_and_their_failures_counted() -> None:
    failure = JudgeFailure("q2", "faithfulness", "timeout", "no reply in 60 s")
    judged = Judged(
        "judge-1", {"q1": {"faithfulness": 0.5}, "q3": {"faithfulness": 1.0}}, (failure,)
    )
    said = section(as_html(MIXED, None, judged), "judged")
    assert "Advisory" in said
    assert "faithfulness 75.0% 2" in said
    assert "1 judgement failed: 1 timeout" in said
    assert "judged" not in [s.get("id") for s in html.fromstring(as_html(MIXED)).iter("section")]


@pytest.mark.parametrize(
    "run",
    [
        run_of(right("q1")),
        run_of(wrong("q1", ms=0.0, status="failed", answer="")),
        run_of(right("q1"), right("q2")),
        run_of(right("q1", answerable=False)),
        run_of(right("q1", type="数 $\\frac$ " + "long " * 20), right("q2", answerable=False)),
    ],
    ids=["one", "failed", "all right", "unanswerable", "strange type"],
)
def test_any_run_has_a_page_with_headings_in_order(run: Run) -> None:
    page = as_html(run)
    assert "There is no baseline" in section(page, "changes")
    if not any(r.wrong for r in run.results):
        assert "Nothing is wrong" in section(page, "wrong")
    if len({r.answerable for r in run.results}) == 1:
        assert "There is no calibration curve" in section(page, "plots")
    compared = as_html(run, judge_run(run, [run], {}))
    assert "no question went from right to wrong or back" in section(compared, "changes")
    for whole in (page, compared):
        levels = [int(e.tag[1]) for e in html.fromstring(whole).iter("h1", "h2", "h3", "h4")]
        assert levels[0] == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))


def hostile_page() -> str:
    """A page with hostile words wherever a set, a corpus, an answer or a judge could put them."""
    words = HOSTILE + REVERSED + LONE
    fields: dict[str, Any] = {
        **dict.fromkeys(("type", "split", "form", "question", "expected", "answer"), words),
        "history": ((words, words),),
    }
    results = [
        wrong(words, wrong=(words,), status=words, **fields),
        right("other" + words, answerable=False, **fields),
    ]
    key = Key(words, {words: words}, {words: words, "engine": words})
    run = replace(run_of(*results, key=key, stale=(words,)), name=words)
    kept = replace(run, results=(right(words, **fields), right("gone" + words)))
    verdict = judge_run(run, [replace(kept, key=Key(words, {}, {"engine": words}))], {})
    judged = Judged(
        words,
        {words: {words: 1.0}},
        (JudgeFailure(words, words, words, words),),  # type: ignore[arg-type]
    )
    return as_html(run, verdict, judged)


def test_markup_in_questions_answers_and_names_stays_text() -> None:
    page = hostile_page()
    page.encode()  # a lone surrogate cannot be written
    assert REVERSED not in page
    tree = html.fromstring(page)
    assert len(list(tree.iter("script"))) == 1
    assert not list(tree.iter("img", "b", "iframe", "object", "form"))
    assert not [name for e in tree.iter() for name in e.attrib if name.startswith("on")]
    harmless = " ".join(HOSTILE.split())
    assert text_of(next(tree.iter("h1"))).startswith(harmless)
    for id_ in ("changes", "wrong", "all", "judged"):
        assert text_of(tree.get_element_by_id(id_)).count(harmless) >= 4
    label = HOSTILE[:19] + "…"
    assert [t.text_content() for t in tree.iter("text")].count(label) == 1


def test_the_page_refers_to_nothing_outside_itself() -> None:
    before = run_of(wrong("q1"), *MIXED.results[1:])
    for page in (as_html(MIXED, judge_run(MIXED, [before], {})), hostile_page()):
        tree = html.fromstring(page)
        refers = [
            value
            for element in tree.iter()
            for name, value in element.attrib.items()
            if name.rpartition(":")[2] in ("src", "srcset", "href", "action", "poster", "data")
        ]
        assert refers
        assert all(r.startswith("#") or r == "data:," for r in refers)
        styles = [e.text_content() for e in tree.iter("style")]
        styles += [
            v for e in tree.iter() for n, v in e.attrib.items() if n in ("style", "clip-path")
        ]
        assert not [s for s in styles if "@import" in s or re.search(r"url\((?!#)", s)]
        ids = [e.get("id") for e in tree.iter() if e.get("id")]
        assert len(ids) == len(set(ids))
        assert all(r[1:] in ids for r in refers if r.startswith("#"))


def test_plots_take_the_colours_and_the_font_of_the_page() -> None:
    before = run_of(wrong("q1"), *MIXED.results[1:])
    tree = html.fromstring(as_html(MIXED, judge_run(MIXED, [before], {})))
    drawn = [e.get("style", "") for e in tree.xpath("//svg//*")]
    assert not [style for style in drawn if "#" in style.replace("url(#", "")]
    assert not [style for style in drawn if "font-family" in style]
    for colour in ("ink", "muted", "line", "accent", "better", "paper"):
        assert [style for style in drawn if f"var(--{colour})" in style]


def test_a_run_always_has_the_same_page() -> None:
    assert as_html(MIXED) == as_html(MIXED)


# In a browser


@pytest.fixture
def phone(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """The hostile page as a file on a phone without a network; afterwards checks that it asked for
    nothing, broke no policy, ran nothing of an article and reported no error."""
    file = tmp_path / "page.html"
    file.write_text(hostile_page(), "utf-8")
    context = browser.new_context(viewport=PHONE, offline=True)  # type: ignore[arg-type]
    strange: list[str] = []
    page = context.new_page()
    page.on("request", lambda asked: strange.append(asked.url))
    page.on("dialog", lambda dialog: strange.append(dialog.message))
    page.on("pageerror", lambda error: strange.append(str(error)))
    page.on("console", lambda said: strange.append(said.text))
    page.goto(file.as_uri())
    yield page
    context.close()
    assert strange == [file.as_uri()]


def test_the_page_opens_from_a_file_on_a_phone_without_a_network(phone: Page) -> None:
    expect(phone.locator("h1")).to_be_visible()
    expect(phone.locator("figure svg").first).to_be_visible()
    for details in phone.locator("main > section > details, .gate details").all():
        details.evaluate("e => { e.open = true }")
    wide = phone.evaluate("document.documentElement.scrollWidth")
    assert wide == PHONE["width"]


def test_the_filter_leaves_the_questions_that_hold_its_words(phone: Page) -> None:
    phone.locator("#all > details > summary").click()
    rows = phone.locator("#all-questions tbody tr")
    expect(rows.filter(visible=True)).to_have_count(2)
    phone.locator("#all input").fill("OTHER right")
    expect(rows.filter(visible=True)).to_have_count(1)
    expect(phone.locator("#all output")).to_have_text("1 of 2")
    phone.locator("#wrong input").fill("no such word")
    expect(phone.locator("#wrong .case").filter(visible=True)).to_have_count(0)
    expect(phone.locator("#wrong .group").filter(visible=True)).to_have_count(0)


def test_without_its_script_the_page_is_whole_and_has_no_idle_filter(
    browser: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "page.html"
    file.write_text(as_html(MIXED), "utf-8")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    expect(page.locator("#wrong .case")).to_be_visible()
    expect(page.locator("input").filter(visible=True)).to_have_count(0)
    page.locator("#all > details > summary").click()
    expect(page.locator("#all-questions tbody tr").filter(visible=True)).to_have_count(4)
    context.close()
