"""A run as one page of HTML that needs nothing else: no network, no font, no file beside it.

Articles, questions and answers are data: the template escapes whatever it is given, the plots get
no text from outside, and the page's own policy lets a browser run one script, known by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from assistant.doors.show.parts import Line, lines
from assistant.language.marks import long_date, plain
from eval.gate import Change, Comparison, Verdict, by_split, by_type, overall
from eval.metrics import BY_NAME, MEASURES, percent
from eval.reporting.report import confidence_of, counted, failure_counts, judged_figures, latency
from eval.run import Result, Run
from eval.stats import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from eval.judge import Judged

HEADLINES = (
    "right",
    "factual_accuracy",
    "calendar_date",
    "citation_exactness",
    "false_answer",
    "false_refusal",
)
"""The metrics that get a card of their own."""
STATUSES = {"answered": "answered", "not_in_corpus": "refused", "failed": "failed"}


@dataclass(frozen=True, slots=True)
class Card:
    """A headline figure. `turn` is worse, better or "", and `moved` says against what."""

    name: str
    says: str
    value: str
    of: str
    turn: str = ""
    moved: str = ""


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing, and how to read it."""

    title: str
    svg: Markup
    says: str


def as_html(run: Run, verdict: Verdict | None = None, judged: Judged | None = None) -> str:
    """The figures, the gate's word, what changed, the plots, and every question with its answer."""
    results = run.results
    compared = verdict.comparison if verdict else None
    figures = overall(results)
    told = confidence_of(results)
    types = by_type(results)
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            run=run,
            verdict=verdict,
            compared=compared,
            moved=[c for c in compared.changes if c.worse or c.better] if compared else [],
            judged=judged,
            judged_figures=judged_figures(judged) if judged else {},
            failure_counts=failure_counts(judged) if judged else {},
            asked_on=long_date(run.as_of),
            splits=Counter(r.split for r in results),
            cards=_cards(figures, told, compared, len(results)),
            plots=_plots(results, types, told, compared),
            no_plots=_missing(results, told),
            measures=[m for m in MEASURES if m.name in figures],
            figures=figures,
            types=types,
            sums=_sums(results, figures),
            wrong={
                name: [r for r in results if r.type == name and r.wrong]
                for name in types
                if any(r.wrong for r in results if r.type == name)
            },
            counts=Counter(r.type for r in results),
        )
    )


# What the template shows


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        label=_label,
        figure=lambda value, name: BY_NAME[name].shown(value),
        interval=_interval,
        answer_lines=_answer_lines,
        turn=_turn,
        status=lambda word: STATUSES.get(word, word),
        digest=_digest,
        count=counted,
        percent=percent,
    )
    return environment


def _harmless(value: Any) -> Any:
    """Words without the characters that reverse what follows, or that no file can hold."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return " ".join(map(plain, value.split(" ")))


def _digest(script: str) -> str:
    """The name a Content-Security-Policy knows an inline script by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _label(name: str) -> str:
    return name.replace("_", " ")


def _interval(found: Estimate, name: str) -> str:
    """`88–97`; nothing where all questions came out alike, as resampling then tells nothing."""
    if found.low == found.high:
        return ""
    scale = 1 if BY_NAME[name].unit else 100
    return f"{scale * found.low:.0f}–{scale * found.high:.0f}"


def _answer_lines(text: str) -> tuple[Line, ...]:
    """An answer cut at its own marks; a kept run has no citations, so every number may be one."""
    return lines("\n".join(map(plain, text.splitlines())), range(1, 100))


def _turn(change: Change) -> str:
    measure = BY_NAME[change.metric]
    if change.now == change.before:
        return "no change on the whole"
    return "worse" if measure.is_worse(change.now, change.before) else "better"


def _sums(results: Sequence[Result], figures: dict[str, Estimate]) -> dict[str, Any]:
    """The rows below the types: each split where there are several, then all questions."""
    asked = Counter(r.split for r in results)
    splits = by_split(results) if len(asked) > 1 else {}
    rows = {f"split {name}": (asked[name], found) for name, found in splits.items()}
    return {**rows, "all": (len(results), figures)}


def _cards(
    figures: Mapping[str, Estimate],
    told: Mapping[str, Any],
    compared: Comparison | None,
    asked: int,
) -> list[Card]:
    changes = {c.metric: c for c in compared.changes} if compared else {}
    cards = []
    for name in HEADLINES:
        measure, found = BY_NAME[name], figures.get(name)
        says = measure.says + ("; less is better" if measure.less_is_better else "")
        if found is None:
            cards.append(Card(_label(name), says, "–", "no question of the set asks for it"))
            continue
        between = _interval(found, name)
        of = f"{between} · n {found.n}" if between else f"all alike · n {found.n}"
        turn, moved = "", ""
        if change := changes.get(name):
            points = 100 * (change.now - change.before)
            turn = _turn(change) if abs(points) >= 0.05 else ""
            moved = f"{turn} by {abs(points):.1f} points" if turn else "as in the baseline"
        cards.append(Card(_label(name), says, percent(found.mean), of, turn, moved))
    says = "how often an answerable question gets more confidence than an unanswerable one"
    if told["auroc"] is None:
        of = "it takes answerable and unanswerable questions"
        return [*cards, Card("AUROC of confidence", says, "–", of)]
    low, high = told["auroc_interval"]
    between = f"{100 * low:.0f}–{100 * high:.0f} · " if low != high else ""
    return [
        *cards,
        Card("AUROC of confidence", says, percent(told["auroc"]), f"{between}n {asked}"),
    ]


def _missing(results: Sequence[Result], told: Mapping[str, Any]) -> list[str]:
    """Why a plot that a reader may look for is not there."""
    said = []
    if told["auroc"] is None:
        said.append(
            "There is no calibration curve: it takes answerable and unanswerable questions."
        )
    if not latency(results):
        said.append("There is no latency: no times were kept with this run.")
    return said


# Plots

WIDTH = 400
"""Of every plot, in units that are pixels on a page of that width."""
ROW = 21
LABEL_CHARS = 20
INK, MUTED, LINE, ACCENT, WORSE, BETTER, PAPER = (f"#00000{i}" for i in range(1, 8))
"""Stand-ins that `_svg` turns into the page's own colours, which follow light and dark."""
COLOURS = ("ink", "muted", "line", "accent", "worse", "better", "paper")
SHARES = {0.0: "0%", 0.25: "25%", 0.5: "50%", 0.75: "75%", 1.0: "100%"}
CONFIDENCE_BARS = 20


def _plots(
    results: Sequence[Result],
    types: Mapping[str, Mapping[str, Estimate]],
    told: Mapping[str, Any],
    compared: Comparison | None,
) -> list[Plot]:
    _import_matplotlib()
    from matplotlib import rc_context, rcdefaults

    plots = []
    with rc_context():  # whatever the user's own matplotlibrc says
        rcdefaults()
        plots.append(_types_plot(types))
        if latency(results):
            plots.append(_latency_plot(results))
        if told["auroc"] is not None:
            plots.append(_calibration_plot(results, told))
        if compared and any(not BY_NAME[c.metric].unit for c in compared.changes):
            plots.append(_changes_plot(compared))
    return plots


def _import_matplotlib() -> None:
    """Imports it without the list of fonts that it would leave in the user's home folder."""
    with tempfile.TemporaryDirectory() as folder:
        own = os.environ.setdefault("MPLCONFIGDIR", folder) == folder
        try:
            import matplotlib.font_manager  # noqa: F401
        finally:
            if own:
                del os.environ["MPLCONFIGDIR"]


def _types_plot(types: Mapping[str, Mapping[str, Estimate]]) -> Plot:
    rows = sorted(types.items(), key=lambda row: row[1]["right"].mean)
    names = [_short(name) for name, _ in rows]
    left = 14 + 6.4 * max(map(len, names))
    figure, axes = _rows(len(rows), left, right=100)
    for y, (_, figures) in enumerate(rows):
        found = figures["right"]
        axes.plot([found.low, found.high], [y, y], color=ACCENT, lw=2, alpha=0.55)
        axes.plot([found.mean], [y], "o", ms=7, color=ACCENT, mec=PAPER, mew=1, clip_on=False)
        _row_text(axes, left, y, f"@{y}@", percent(found.mean), f"n {found.n}")
    worst, best = rows[0], rows[-1]
    alt = (
        f"Share right for each of {len(rows)} types, from {percent(worst[1]['right'].mean)}"
        f" ({plain(worst[0])}) to {percent(best[1]['right'].mean)} ({plain(best[0])})."
    )
    return Plot(
        "Right, by type of question",
        _svg(figure, "types", alt, names),
        "A dot is the share of a type's questions that came out right, lowest first; its line is"
        " the 95% interval. A dot without a line: all its questions came out alike. Where lines"
        " overlap widely, types cannot be told apart with so few questions.",
    )


def _latency_plot(results: Sequence[Result]) -> Plot:
    at = latency(results)
    scale, unit = (1000, "s") if at["p50"] >= 2000 else (1, "ms")
    digits = 1 if unit == "s" else 0
    taken = [r.ms / scale for r in results if r.ms]
    counts, edges = np.histogram(taken, bins=min(24, max(1, len(taken) // 3)))
    figure = _figure(210)
    axes = _axes(figure, left=30, right=14, top=12, bottom=40)
    axes.bar(
        edges[:-1], counts, np.diff(edges), align="edge", color=ACCENT, ec=PAPER, lw=1, alpha=0.75
    )
    most = int(counts.max())
    axes.set_ylim(0, most * 1.42)
    low, high = axes.get_xlim()
    for name, height in (("p50", 1.14), ("p95", 1.32)):
        x = at[name] / scale
        on_left = (x - low) / (high - low) > 0.3
        axes.plot([x, x], [0, most * height], color=INK, lw=1.2, ls=(0, (4, 3)))
        axes.annotate(
            f"{name} {x:.{digits}f} {unit}",
            (x, most * height),
            (-5 if on_left else 5, 0),
            textcoords="offset points",
            ha="right" if on_left else "left",
            va="top",
            color=INK,
            fontsize=11,
        )
    axes.set_yticks([0, most])
    axes.locator_params(axis="x", nbins=6)
    axes.set_xlabel(f"time for an answer, {unit}", color=MUTED, fontsize=11, labelpad=7)
    said = ", ".join(f"{name} {value / scale:.{digits}f} {unit}" for name, value in at.items())
    return Plot(
        "Time for an answer",
        _svg(figure, "latency", f"Histogram of the time for an answer: {said}."),
        f"Height: how many of the {counted(len(taken), 'question')} took so long, one at a time on"
        f" the machine of this run. Half took no more than p50, 95 in 100 no more than p95: {said}.",
    )


def _calibration_plot(results: Sequence[Result], told: Mapping[str, Any]) -> Plot:
    bins = told["bins"]
    figure = _figure(400)
    _draw_shares(_axes(figure, left=48, right=16, top=10, bottom=126), bins)
    below = _axes(figure, left=48, right=16, top=286, bottom=42)
    edges = np.linspace(0, 1, CONFIDENCE_BARS + 1)
    ups, _ = np.histogram([r.confidence for r in results if r.answerable], edges)
    downs, _ = np.histogram([r.confidence for r in results if not r.answerable], edges)
    wide = 1 / CONFIDENCE_BARS
    below.bar(edges[:-1], ups, wide, align="edge", color=ACCENT, ec=PAPER, lw=1, alpha=0.85)
    below.bar(
        edges[:-1], downs, wide, bottom=ups, align="edge", color=MUTED, ec=PAPER, lw=1, alpha=0.6
    )
    below.set_xlim(-0.03, 1.03)
    below.set_xticks(list(SHARES), labels=SHARES.values())
    below.set_yticks([0, int((ups + downs).max())])
    below.set_xlabel("confidence", color=MUTED, fontsize=11, labelpad=7)
    sizes = sorted({b["n"] for b in bins})
    each = f"{sizes[0]} to {sizes[-1]}" if len(sizes) > 1 else f"{sizes[0]}"
    off = percent(told["calibration_error"])
    return Plot(
        "Calibration of confidence",
        _svg(figure, "calibration", f"Confidence against share answerable; error {off}."),
        f"Above: questions in {len(bins)} groups of {each} by confidence (the number at a dot); a"
        " dot on the dashed line means that, of questions with confidence 70%, 70% have an answer"
        " in the articles. Above the line confidence is too low, below it too high; the expected"
        f" calibration error, the mean distance from the line, is {off}. Below: how many questions"
        " got which confidence, in the accent colour those with an answer, grey on top of them"
        " those without.",
    )


def _draw_shares(axes: Axes, bins: Sequence[Mapping[str, Any]]) -> None:
    """For each group of questions, the share answerable over the confidence."""
    axes.plot([0, 1], [0, 1], color=MUTED, lw=1, ls=(0, (4, 4)))
    xs, ys = [b["confidence"] for b in bins], [b["share"] for b in bins]
    axes.plot(xs, ys, color=ACCENT, lw=1.5, alpha=0.55)
    axes.plot(xs, ys, "o", ms=8, color=ACCENT, mec=PAPER, mew=1, clip_on=False)
    for x, y, n in zip(xs, ys, (b["n"] for b in bins), strict=True):
        over = y > x or y < 0.12
        axes.annotate(
            f"{n}",
            (x, y),
            (0, 8 if over else -8),
            textcoords="offset points",
            ha="center",
            va="bottom" if over else "top",
            color=MUTED,
            fontsize=10,
        )
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(-0.04, 1.08)
    axes.set_xticks(list(SHARES), labels=[])
    axes.set_yticks(list(SHARES), labels=SHARES.values())
    axes.grid(color=LINE, lw=1)
    axes.set_ylabel("share answerable", color=MUTED, fontsize=11)


def _changes_plot(compared: Comparison) -> Plot:
    rows = [c for c in compared.changes if not BY_NAME[c.metric].unit]
    names = [_label(c.metric) + " ↓" * BY_NAME[c.metric].less_is_better for c in rows]
    left = 14 + 6.4 * max(map(len, names))
    figure, axes = _rows(len(rows), left, right=112)
    looks = {"worse": ("v", WORSE), "better": ("^", BETTER)}
    for y, change in enumerate(rows):
        marker, colour = looks.get(_turn(change), ("o", MUTED))
        axes.plot([change.before, change.now], [y, y], color=colour, lw=2.5, alpha=0.6)
        axes.plot([change.before], [y], "o", ms=7, mfc=PAPER, mec=MUTED, mew=1.5, clip_on=False)
        axes.plot([change.now], [y], marker, ms=8, color=colour, mec=PAPER, mew=1, clip_on=False)
        now = percent(change.now)
        said = now if change.now == change.before else f"{percent(change.before)} → {now}"
        _row_text(axes, left, y, names[y], said)
    turns = Counter(map(_turn, rows))
    alt = f"{len(rows)} metrics before and now: {turns['worse']} worse, {turns['better']} better."
    return Plot(
        "Metrics, before and now",
        _svg(figure, "changes", alt),
        "Ring: the mean in the baseline; filled mark: now, over the questions asked in both. A red"
        " triangle down is worse, a green one up better, a grey dot unchanged; after a name, ↓"
        " says that less is better.",
    )


def _short(name: str) -> str:
    name = plain(name)
    return name if len(name) <= LABEL_CHARS else name[: LABEL_CHARS - 1] + "…"


def _figure(height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH / 72, height / 72))


def _axes(figure: Figure, left: float, right: float, top: float, bottom: float) -> Axes:
    """A plot with these margins, in units, and without the frame that says nothing."""
    height = figure.get_figheight() * 72
    place = (left / WIDTH, bottom / height)
    size = (1 - (left + right) / WIDTH, 1 - (top + bottom) / height)
    axes = figure.add_axes((*place, *size), facecolor="none")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(LINE)
    axes.tick_params(colors=MUTED, labelsize=11, length=0, pad=6)
    axes.set_axisbelow(True)
    return axes


def _rows(count: int, left: float, right: float) -> tuple[Figure, Axes]:
    """A plot of shares with a row for each thing, the first on top."""
    figure = _figure(ROW * count + 34)
    axes = _axes(figure, left, right, top=4, bottom=30)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(count - 0.4, -0.6)
    axes.set_xticks([0, 0.5, 1], labels=["0%", "50%", "100%"])
    axes.set_yticks([])
    axes.grid(axis="x", color=LINE, lw=1)
    return figure, axes


def _row_text(axes: Axes, left: float, y: float, name: str, value: str, more: str = "") -> None:
    across = axes.get_yaxis_transform()
    wide = WIDTH * axes.get_position().width
    own: dict[str, Any] = {"transform": across, "va": "center", "fontsize": 11.5}
    axes.text(-8 / wide, y, name, ha="right", color=INK, **own)
    axes.text(1 + 10 / wide, y, value, ha="left", color=INK, **own)
    axes.text(1 + 64 / wide, y, more, ha="left", color=MUTED, **own)


def _svg(figure: Figure, name: str, says: str, labels: Sequence[str] = ()) -> Markup:
    """The drawing as it stands in a page: the page's font and colours, `labels` for each `@0@`.

    Labels come last, escaped: matplotlib would take `$` for a formula and warns of scripts that its
    own font lacks.
    """
    from matplotlib import rc_context

    held = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(held, format="svg", transparent=True, metadata=nothing)
    height = round(figure.get_figheight() * 72)
    inside = held.getvalue().partition("<svg")[2].partition(">")[2]
    inside = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>|<!--.*?-->", "", inside, flags=re.DOTALL)
    inside = re.sub(r'(<g) id="[^"]*"', r"\1", inside).replace("xlink:href", "href")
    inside = re.sub(r" ?font-family: [^;\"]*;?", "", inside)
    inside = re.sub(r"#00000([1-7])\b", lambda m: f"var(--{COLOURS[int(m[1]) - 1]})", inside)
    inside = re.sub(r"@(\d+)@", lambda m: str(escape(labels[int(m[1])])), inside)
    opened = Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">').format(
        WIDTH, height, says
    )
    return opened + Markup(inside)
