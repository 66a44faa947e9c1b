"""Question sets: what is read, what is refused, and that gold spans are what the corpus says."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from repository import ARTICLES, ROOT

from eval import jsonl
from eval.cases import (
    BRIEFS,
    CANDIDATE,
    BadSet,
    Case,
    GoldSpan,
    add_case,
    case_to_json,
    check_spans,
    chosen,
    fingerprints,
    load_set,
    located,
    texts_of,
)
from eval.wording import holds, normal, written

ANSWERABLE = {
    *("deadline", "date", "duration", "amount", "count", "share", "person", "body", "place", "law"),
    *("reason", "yes/no", "list", "comparison", "agreement", "difference", "source-limit"),
    *("time-limit", "follow-up", "two-in-one", "topic"),
}
UNANSWERABLE = {"near-miss", "false-premise", "unreported", "off-topic"}
SETS = [BRIEFS, BRIEFS.with_name("articles.jsonl")]


def write_set(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    return path


def row(**fields: object) -> dict[str, object]:
    return {"id": "q1", "question": "When?", "answerable": True, **fields}


# Our own sets


@pytest.mark.parametrize("path", SETS, ids=lambda path: path.stem)
def test_a_set_of_ours_is_well_formed(path: Path) -> None:
    asked = load_set(path)
    assert asked.as_of is not None
    assert len({(c.question.casefold(), c.history) for c in asked.cases}) == len(asked.cases)
    assert 3 * sum(not c.answerable for c in asked.cases) >= len(asked.cases)
    for case in asked.cases:
        assert case.split in ("dev", "test"), case.id
        assert case.type in (ANSWERABLE if case.answerable else UNANSWERABLE), case.id
        assert case.question.strip() == case.question != "", case.id
        assert bool(case.facts) is bool(case.evidence) is case.answerable, case.id
        assert (case.type == "follow-up") <= bool(case.history), case.id
        for wording in [w for fact in case.facts for w in fact]:
            assert 0 < len(normal(wording).split()) <= 8, case.id
        if case.calendar_date:
            assert case.answerable, case.id
            assert written(case.calendar_date), case.id


@pytest.mark.parametrize("path", SETS, ids=lambda path: path.stem)
def test_every_gold_span_is_what_its_file_says_and_holds_the_facts(path: Path) -> None:
    asked = load_set(path)
    if not asked.corpus.exists():
        assert asked.corpus.resolve() == ARTICLES.resolve()  # scraped articles are not ours to ship
        return
    texts = texts_of(asked.corpus)
    check_spans(asked.cases, texts)
    for case in asked.cases:
        said = " / ".join(texts[s.file][s.start : s.end] for s in case.evidence)
        for fact in case.facts:
            assert any(holds(said, wording) for wording in fact), (case.id, fact)
        for span in case.evidence:
            text = texts[span.file][span.start : span.end]
            assert text == text.strip() != "", case.id


def test_the_set_over_the_briefs_is_as_large_and_as_various_as_it_should_be() -> None:
    asked = load_set(BRIEFS)
    assert asked.corpus.resolve() == ROOT / "corpus"
    assert len(asked.cases) >= 150
    types = Counter(case.type for case in asked.cases)
    assert sum(n for name, n in types.items() if name in UNANSWERABLE) >= 50
    assert set(types) == ANSWERABLE | UNANSWERABLE
    forms = Counter(case.form for case in asked.cases)
    assert min(forms[form] for form in ("paraphrase", "typo", "lower-case", "keywords")) >= 10
    deadlines = [c for c in asked.cases if ("30 days" in str(c.facts))]
    assert len({c.question for c in deadlines}) >= 12
    for case in asked.cases:
        assert all(span.text for span in case.evidence), case.id
        assert case.reference if case.answerable else case.reason, case.id


# Reading


def test_a_header_says_what_the_set_is(tmp_path: Path) -> None:
    head = {
        "set": "mine", "version": 3, "corpus": "../news", "as_of": "2026-11-22",
        "floors": {"right": 0.5},
    }  # fmt: skip
    asked = load_set(write_set(tmp_path / "q.jsonl", head, row()))
    assert (asked.name, asked.version, asked.floors) == ("mine", 3, {"right": 0.5})
    assert asked.corpus == tmp_path / "../news"
    assert str(asked.as_of) == "2026-11-22"


def test_a_public_set_needs_no_header_and_gives_its_answers_as_wordings(tmp_path: Path) -> None:
    long = " ".join(["word"] * 30)
    write_set(
        tmp_path / "questions.jsonl",
        row(answers=["30 days", "a month", long], date="2022/06/16", week="20220617"),
        row(id="q2", answers=[long], counterfactual_answers=["60 days"], type="conflict"),
    )
    asked = load_set(tmp_path)
    assert asked.name == tmp_path.name
    assert asked.corpus == tmp_path / "corpus"
    first, second = asked.cases
    assert first.facts == (("30 days", "a month"),)
    assert first.calendar_date is None
    assert (second.facts, second.reference) == ((), long)
    assert (second.other_side, second.type) == (("60 days",), "conflict")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not valid JSON"),
        ("[]", "not a JSON object"),
        ('{"question": "Q?"}', '"answerable" must be true or false'),
        ('{"question": " ", "answerable": true}', 'no "question"'),
        ('{"question": 3, "answerable": true}', '"question" must be words'),
        ('{"question": "\\ud800", "answerable": true}', "half a character"),
        ('{"question": "Q?", "answerable": true, "history": ["Q"]}', '"history" must hold'),
        (
            '{"question": "Q?", "answerable": true, "history": [["Q", 1]]}',
            '"history" must be words',
        ),
        (
            '{"question": "Q?", "answerable": true, "evidence": [{"file": "a"}]}',
            "must be a whole number",
        ),
        (
            '{"question": "Q?", "answerable": true, "evidence": [{"file": "a", "start": 1.5, "end": 2}]}',
            "must be a whole number",
        ),
        ('{"question": "Q?", "answerable": true, "evidence": 5}', "must be a list"),
        ('{"question": "Q?", "answerable": true, "facts": [[]]}', "lists of wordings"),
        ('{"question": "Q?", "answerable": true, "facts": ["30 days"]}', "lists of wordings"),
        ('{"question": "Q?", "answerable": true, "facts": [["..."]]}', "without words"),
        ('{"question": "Q?", "answerable": true, "never": "Senate"}', "must be a list"),
        ('{"question": "Q?", "answerable": true, "answers": 5}', "must be a list"),
        ('{"question": "Q?", "answerable": true, "calendar_date": "6 March"}', "2026-03-06"),
        ('{"question": "Q?", "answerable": true, "calendar_date": "2026-02-30"}', "2026-03-06"),
        ('{"question": "Q?", "answerable": false, "never": ["x"]}', "must not be answered at all"),
        ('{"id": "q1", "question": "Q?", "answerable": true}', "stands twice"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_with_its_reason(
    tmp_path: Path, line: str, reason: str
) -> None:
    path = write_set(tmp_path / "q.jsonl", {"set": "s"}, row())
    path.write_text(path.read_text("utf-8") + line + "\n", "utf-8")
    with pytest.raises(BadSet, match="line 3") as caught:
        load_set(path)
    assert reason in str(caught.value)


def test_a_set_that_is_not_there_or_empty_or_dated_wrong_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(BadSet, match="there is no question set"):
        load_set(tmp_path / "none.jsonl")
    with pytest.raises(BadSet, match="there is no question set"):
        load_set(tmp_path)
    with pytest.raises(BadSet, match="holds no questions"):
        load_set(write_set(tmp_path / "empty.jsonl", {"set": "s"}))
    with pytest.raises(BadSet, match='"right" must be a number'):
        load_set(write_set(tmp_path / "f.jsonl", {"set": "s", "floors": {"right": "high"}}, row()))
    for header in ({"set": ".."}, {"set": "a/b"}, {"set": "/tmp/x"}, {"set": "x" * 99}):
        with pytest.raises(BadSet, match="the set's name may have"):
            load_set(write_set(tmp_path / "name.jsonl", header, row()))
    with pytest.raises(BadSet, match='"version" must be a number'):
        load_set(write_set(tmp_path / "v.jsonl", {"set": "s", "version": float("nan")}, row()))
    with pytest.raises(BadSet, match='"as_of" is no date'):
        load_set(write_set(tmp_path / "dated.jsonl", {"set": "s", "as_of": "today"}, row()))


def test_candidates_are_kept_apart(tmp_path: Path) -> None:
    path = write_set(tmp_path / "q.jsonl", row(), row(id="q2", question="Who?", split=CANDIDATE))
    asked = load_set(path)
    assert [c.id for c in asked.cases] == ["q1"]
    assert [c.id for c in asked.candidates] == ["q2"]


def test_some_questions_are_spread_over_the_whole_set() -> None:
    cases = [Case(str(n), "Q?", True, split="dev" if n % 2 else "test") for n in range(20)]
    assert [c.id for c in chosen(cases, None, 4)] == ["0", "5", "10", "15"]
    assert [c.id for c in chosen(cases, "dev", 100)] == [str(n) for n in range(1, 20, 2)]
    with pytest.raises(BadSet, match="no questions of the split"):
        chosen(cases[:1], "dev", None)


# Gold spans


def test_gold_that_moved_is_told_with_its_new_place() -> None:
    case = Case("q1", "When?", True, evidence=(GoldSpan("a.txt", 0, 7, "In May."),))
    check_spans([case], {"a.txt": "In May. Then"})
    with pytest.raises(BadSet, match=r"q1: a\.txt\[0:7\] is not its gold text; they are now at 6"):
        check_spans([case], {"a.txt": "Then. In May."})
    with pytest.raises(BadSet, match=r"the corpus has no a\.txt"):
        check_spans([case], {"b.txt": ""})
    with pytest.raises(BadSet, match="has no characters 0 to 7"):
        check_spans([case], {"a.txt": "In"})


def test_a_quote_is_found_whatever_its_spaces_and_marks() -> None:
    texts = {"a.txt": "He said “in  May”,\nthen left. Yes.", "b.txt": "Yes."}
    span = located('said "in May", then', texts)
    assert span == GoldSpan("a.txt", 3, 23, "said “in  May”,\nthen")
    assert located("Yes.", texts, "b.txt").file == "b.txt"
    with pytest.raises(BadSet, match="stands in 2 places"):
        located("Yes.", texts)
    with pytest.raises(BadSet, match="no article has the words"):
        located("No.", texts)
    with pytest.raises(BadSet, match="empty"):
        located("  ", texts)


def test_articles_are_told_apart_by_what_they_say() -> None:
    one, other = fingerprints({"a": "x", "b": "y"}), fingerprints({"b": "y", "a": "z"})
    assert one["a"] != other["a"]
    assert one["b"] == other["b"]


# Writing

WORDS = st.text(st.characters(codec="utf-8"), min_size=1).filter(normal)


@given(
    st.builds(
        Case,
        id=WORDS,
        question=WORDS,
        answerable=st.just(True),
        type=WORDS,
        history=st.lists(st.tuples(WORDS, WORDS), max_size=2).map(tuple),
        facts=st.lists(st.lists(WORDS, min_size=1, max_size=2).map(tuple), max_size=2).map(tuple),
        never=st.lists(WORDS, max_size=2).map(tuple),
        calendar_date=st.sampled_from([None, "2026-03-06", "2025-07", "2020"]),
        evidence=st.lists(
            st.builds(GoldSpan, WORDS, st.integers(0, 9), st.integers(10, 20), WORDS), max_size=2
        ).map(tuple),
        reference=WORDS,
    )
)
def test_a_case_is_read_as_it_was_written(case: Case) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "set.jsonl")
        jsonl.write(path, [case_to_json(case)])
        assert (load_set(path).cases or load_set(path).candidates) == (case,)


def test_a_case_is_appended_and_takes_the_place_of_its_candidate(tmp_path: Path) -> None:
    path = tmp_path / "new" / "set.jsonl"

    def add(case: Case) -> None:
        add_case(path, case, tmp_path / "news", date(2026, 2, 5))

    add(Case("1", "When?", True, split=CANDIDATE, note="was answered: never"))
    add(Case("q2", "Who?\u2028", False, reason="not said"))
    add(Case("1", "When?", True, facts=(("May",),)))
    asked = load_set(path)
    assert [(c.id, c.facts) for c in asked.cases] == [("1", (("May",),)), ("q2", ())]
    assert (asked.name, asked.as_of) == ("set", date(2026, 2, 5))
    assert asked.corpus.resolve() == (tmp_path / "news").resolve()
    assert not asked.candidates
    with pytest.raises(BadSet, match="already has a case 'q2'"):
        add(Case("q2", "Why?", False))
    with pytest.raises(BadSet, match="without words"):
        add(Case("q3", "Why?", True, facts=(("...",),)))
    assert len(load_set(path).cases) == 2


def test_an_id_that_is_a_number_is_the_same_in_words(tmp_path: Path) -> None:
    path = write_set(tmp_path / "q.jsonl", row(id=7))
    with pytest.raises(BadSet, match="already has a case '7'"):
        add_case(path, Case("7", "Why?", False), tmp_path, date(2026, 2, 5))
    assert [c.id for c in load_set(path).cases] == ["7"]


def test_cases_added_at_once_are_all_kept(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"

    def add(number: int) -> None:
        add_case(path, Case(f"q{number}", "Why?", False), tmp_path, date(2026, 2, 5))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(24)))
    assert {c.id for c in load_set(path).cases} == {f"q{n}" for n in range(24)}
