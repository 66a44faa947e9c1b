"""Figures over questions: means with intervals, paired tests, how well confidence is calibrated."""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2_000
EXACT_UP_TO = 16
"""Differing pairs up to which every sign is tried; more are drawn at random."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over `n` questions with its 95% interval."""

    mean: float
    low: float
    high: float
    n: int


def estimate(values: Sequence[float], seed: int = 0) -> Estimate:
    """The mean with its percentile bootstrap interval (Efron 1979), questions being resampled.

    Raises ValueError for no values.
    """
    if not values:
        raise ValueError("no values")
    held = np.asarray(values, dtype=float)
    mean = float(held.mean())
    if (held == held[0]).all():
        return Estimate(mean, mean, mean, len(held))
    drawn = np.random.default_rng(seed).integers(0, len(held), (RESAMPLES, len(held)))
    low, high = np.quantile(held[drawn].mean(axis=1), (0.025, 0.975))
    return Estimate(mean, float(low), float(high), len(held))


def drop_p_value(worse_by: Sequence[float], seed: int = 0) -> float:
    """The chance of so large a mean drop, or a larger, if a change were as likely up as down.

    `worse_by`: for every question how much worse it is than before, negative for better. The paired
    sign-flip permutation test, one-sided (Fisher 1935); for outcomes of 0 or 1 it is McNemar's
    exact test. Ties say nothing and are left out.
    """
    moved = np.asarray([d for d in worse_by if d], dtype=float)
    if not len(moved):
        return 1.0
    seen = float(moved.sum())
    if len(moved) <= EXACT_UP_TO:
        every = np.arange(2 ** len(moved))[:, None] >> np.arange(len(moved))[None, :]
        sums = np.where(every & 1, 1.0, -1.0) @ np.abs(moved)
        return float((sums >= seen - 1e-9).mean())
    signs = np.random.default_rng(seed).choice((-1.0, 1.0), (20_000, len(moved)))
    as_large = int((signs @ np.abs(moved) >= seen - 1e-9).sum())
    return (as_large + 1) / (len(signs) + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for their number (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    least = 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = least
    return adjusted


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float | None:
    """The chance that a positive scores above a negative, ties counting half; None without either."""
    if not positive or not negative:
        return None
    ups = np.asarray(positive)[:, None] - np.asarray(negative)[None, :]
    return float((ups > 0).mean() + 0.5 * (ups == 0).mean())


def auroc_interval(
    positive: Sequence[float], negative: Sequence[float], seed: int = 0
) -> tuple[float, float] | None:
    """Its 95% bootstrap interval, either side resampled by itself."""
    if not positive or not negative:
        return None
    chance = random.Random(seed)
    areas = []
    for _ in range(300):
        ups = chance.choices(positive, k=len(positive))
        downs = chance.choices(negative, k=len(negative))
        areas.append(auroc(ups, downs) or 0.0)
    low, *_, high = statistics.quantiles(areas, n=40)
    return low, high


@dataclass(frozen=True, slots=True)
class Bin:
    """Questions of like confidence: their mean confidence, and the share of them that is answerable."""

    confidence: float
    share: float
    n: int


def reliability(confidences: Sequence[float], outcomes: Sequence[bool], bins: int = 8) -> list[Bin]:
    """Questions in `bins` groups of equal size by confidence, least first."""
    order = np.argsort(np.asarray(confidences), kind="stable")
    groups = [group for group in np.array_split(order, bins) if len(group)]
    held, right = np.asarray(confidences), np.asarray(outcomes, dtype=float)
    return [Bin(float(held[g].mean()), float(right[g].mean()), len(g)) for g in groups]


def calibration_error(binned: Sequence[Bin]) -> float:
    """The expected calibration error: how far confidence is from the share, on average."""
    whole = sum(b.n for b in binned)
    return sum(b.n * abs(b.confidence - b.share) for b in binned) / whole if whole else 0.0
