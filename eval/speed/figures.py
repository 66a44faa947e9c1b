"""The figures that the bench prints: what they are compared with, and how they are told."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eval.speed.pipelines import Measured, Queries
from eval.speed.retrieval_table import table

LEVEL = 0.05
"""Ratios nearer to 1 than this are called level: they are noise."""
MOST_CHECK_MS = 30
"""What the check of a sentence may take."""


@dataclass(slots=True)
class Rounds:
    """The rounds of one pipeline on one set."""

    measured: list[Measured] = field(default_factory=list)
    peak_mb: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a comparison; None where a pipeline has no such figure."""

    label: str
    ours: float | None
    theirs: float | None
    more_is_better: bool = False


@dataclass(frozen=True, slots=True)
class Allowed:
    """A figure and the most it may be; None where nothing is said of that."""

    label: str
    value: float | None
    at_most: float | None = None


@dataclass(frozen=True, slots=True)
class Busy:
    """A figure of a server that is asked one question at a time, and many at once."""

    label: str
    alone: float | None
    at_once: float | None


def comparison(rows: Sequence[Row]) -> str:
    lines = []
    for row in rows:
        of = ratio(row.ours, row.theirs)
        shown = "-" if of is None else f"{of:.2f}x"
        lines.append(
            (
                row.label,
                number(row.ours),
                number(row.theirs),
                shown,
                verdict(of, row.more_is_better),
            )
        )
    return table(["", "ours", "tutorial", "ours/theirs", "ours is"], lines)


def speed_rows(characters: int, ours: Rounds, theirs: Rounds) -> list[Row]:
    """Medians over the rounds; latencies are taken over the queries of all rounds."""

    def median(rounds: Rounds, of: Callable[[Measured], float]) -> float:
        return statistics.median(map(of, rounds.measured))

    def both(label: str, of: Callable[[Measured], float], more: bool = False) -> Row:
        return Row(label, median(ours, of), median(theirs, of), more)

    def latencies(label: str, kind: Callable[[Measured], Queries]) -> list[Row]:
        return [
            Row(
                f"{label}, {name}",
                percentile([ms for m in ours.measured for ms in getattr(kind(m), clock)], share),
                percentile([ms for m in theirs.measured for ms in getattr(m.search, clock)], share),
            )
            for name, clock, share in (
                ("p50 ms", "wall_ms", 0.5),
                ("p95 ms", "wall_ms", 0.95),
                ("p50 CPU ms", "cpu_ms", 0.5),
            )
        ]

    return [
        both("indexing, s", lambda m: m.index_s),
        both("  characters/s", lambda m: characters / m.index_s, more=True),
        both("  characters/CPU s", lambda m: characters / m.index_cpu_s, more=True),
        both("  passages/s", lambda m: m.passages / m.index_s, more=True),
        both("  passages/CPU s", lambda m: m.passages / m.index_cpu_s, more=True),
        *latencies("search k=4", lambda m: m.search),
        *latencies("search k=10 (theirs k=4)", lambda m: m.search_10),
        *latencies("ask (theirs: search)", lambda m: m.ask),
        Row("peak memory, MB", statistics.median(ours.peak_mb), statistics.median(theirs.peak_mb)),
    ]


def writing_rows(times: Mapping[str, Sequence[float]]) -> list[Allowed]:
    """`times`: those of `eval.speed.writing_speed.WritingTimes`, in milliseconds."""
    pairs = zip(times["first"], times["sentence"], strict=True)
    shares = [first / sentence for first, sentence in pairs]
    return [
        Allowed("checking a sentence, p50 ms", percentile(times["check"], 0.5), MOST_CHECK_MS),
        Allowed("checking a sentence, p95 ms", percentile(times["check"], 0.95), MOST_CHECK_MS),
        Allowed("  p50 CPU ms", percentile(times["check_cpu"], 0.5), MOST_CHECK_MS),
        Allowed("  p95 CPU ms", percentile(times["check_cpu"], 0.95), MOST_CHECK_MS),
        Allowed("reading 10 sources beforehand, p50 ms", percentile(times["warm"], 0.5)),
        Allowed("a model writes a sentence in, p50 ms", percentile(times["sentence"], 0.5)),
        Allowed("  is shown after its end, p50 ms", percentile(times["first"], 0.5)),
        Allowed("  in sentences of the model, p50", percentile(shares, 0.5), 1),
        Allowed("  in sentences of the model, p95", percentile(shares, 0.95), 1),
    ]


def against_allowed(rows: Sequence[Allowed]) -> str:
    lines = []
    for row in rows:
        of = ratio(row.value, row.at_most)
        says = "" if of is None else "within" if of <= 1 else "over"
        share = "-" if of is None else f"{of:.2f}x"
        lines.append((row.label, number(row.value), number(row.at_most), share, says))
    return table(["", "is", "may be", "is/may be", "it is"], lines)


def chat_rows(times: Mapping[str, Any]) -> list[Busy]:
    """`times`: those of `eval.speed.chat_speed.ChatTimes`, in seconds."""
    return [*_waits(times, "first sentence in view", "first"), *answer_rows(times)]


def answer_rows(times: Mapping[str, Any]) -> list[Busy]:
    """`times`: those of `eval.speed.chat_speed.ChatTimes` or `eval.speed.api_speed.ApiTimes`, in seconds."""

    def a_second(who: str) -> float | None:
        return ratio(len(times[f"{who}_whole"]), times[f"{who}_s"])

    return [
        *_waits(times, "whole answer", "whole"),
        Busy("answers a second", a_second("alone"), a_second("at_once")),
    ]


def _waits(times: Mapping[str, Any], label: str, kind: str) -> list[Busy]:
    def row(name: str, share: float) -> Busy:
        alone, at_once = (percentile(times[f"{who}_{kind}"], share) for who in ("alone", "at_once"))
        return Busy(f"{label}, {name} s", alone, at_once)

    return [row("p50", 0.5), row("p95", 0.95)]


def alone_and_at_once(rows: Sequence[Busy]) -> str:
    lines = []
    for row in rows:
        of = ratio(row.at_once, row.alone)
        shown = "-" if of is None else f"{of:.2f}x"
        lines.append((row.label, number(row.alone), number(row.at_once), shown))
    return table(["", "alone", "at once", "at once/alone"], lines)


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value below which `share` (0 to 1) of the values lie, interpolated; None of none."""
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def ratio(ours: float | None, theirs: float | None) -> float | None:
    """ours/theirs, None where that has no value."""
    return None if ours is None or not theirs else ours / theirs


def verdict(of: float | None, more_is_better: bool) -> str:
    """Whether a ratio is good news."""
    if of is None:
        return ""
    if abs(of - 1) < LEVEL:
        return "level"
    return "ahead" if (of > 1) == more_is_better else "behind"


def number(value: float | None) -> str:
    """Three digits that matter, and no fraction from a hundred on."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
