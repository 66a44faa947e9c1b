"""Runs of the evaluation, made up."""

from __future__ import annotations

from datetime import date

from eval.run import Key, Result, Run

KEY = Key("made", {"a.txt": "1"}, {"engine": "quotes", "passage_chars": "800"})


def result(number: int, is_right: bool = True, **changes: object) -> Result:
    values: dict[str, object] = {
        "id": f"q{number}", "type": "count" if number % 2 else "date", "split": "dev", "form": "",
        "question": f"How many, {number}?", "history": (), "answerable": True, "expected": "Five.", "gold": "",
        "status": "answered", "answer": "Five." if is_right else "Six.", "confidence": 0.9,
        "citations": (), "scores": {"right": float(is_right), "factual_accuracy": float(is_right)},
        "wrong": () if is_right else ("missing five",), "ms": 5.0,
    }  # fmt: skip
    if "scores" in changes:
        changes["scores"] = {"right": float(is_right), **changes["scores"]}  # type: ignore[dict-item]
    return Result(**(values | changes))  # type: ignore[arg-type]


def run(*results: Result, **changes: object) -> Run:
    values: dict[str, object] = {
        "name": "made", "version": 1, "as_of": date(2026, 11, 22), "key": KEY, "results": results,
    }  # fmt: skip
    return Run(**(values | changes))  # type: ignore[arg-type]


def first_right(count: int, of: int = 30) -> Run:
    return run(*(result(n, n < count) for n in range(of)))


def mixed() -> Run:
    return run(
        result(1, confidence=0.9),
        result(2, False, confidence=0.4, history=(("Before?", "Yes."),)),
        result(3, answerable=False, type="near-miss", confidence=0.1, split="test",
               status="not_in_corpus", scores={"right": 1.0, "false_answer": 0.0}),
    )  # fmt: skip
