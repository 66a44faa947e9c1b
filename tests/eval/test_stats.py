"""Intervals, paired tests and calibration, against what is known of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from eval import stats

SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=60)


@given(SHARES)
def test_an_interval_holds_its_mean_and_stays_within_what_was_seen(values: list[float]) -> None:
    found = stats.estimate(values)
    assert found.n == len(values)
    assert found.mean == pytest.approx(sum(values) / len(values))
    near = 1e-9
    assert min(values) - near <= found.low <= found.high <= max(values) + near


def test_an_interval_is_about_as_wide_as_theory_has_it() -> None:
    found = stats.estimate([1.0] * 80 + [0.0] * 20)
    assert found.low == pytest.approx(0.8 - 1.96 * 0.04, abs=0.015)
    assert found.high == pytest.approx(0.8 + 1.96 * 0.04, abs=0.015)
    assert found == stats.estimate([1.0] * 80 + [0.0] * 20)


def test_there_is_no_mean_of_nothing() -> None:
    with pytest.raises(ValueError, match="no values"):
        stats.estimate([])


@given(st.integers(0, 16), st.integers(0, 16), st.integers(0, 20))
def test_of_outcomes_the_test_is_mcnemars(worse: int, better: int, same: int) -> None:
    if not 0 < worse + better <= stats.EXACT_UP_TO:
        return
    p = stats.drop_p_value([1.0] * worse + [-1.0] * better + [0.0] * same)
    exact = scipy_stats.binomtest(worse, worse + better, 0.5, alternative="greater").pvalue
    assert p == pytest.approx(exact)


def test_drawn_signs_come_near_the_exact_test() -> None:
    drops = [1.0] * 14 + [-1.0] * 6
    exact = scipy_stats.binomtest(14, 20, 0.5, alternative="greater").pvalue
    assert stats.drop_p_value(drops) == pytest.approx(exact, abs=0.01)


def test_no_change_is_no_drop() -> None:
    assert stats.drop_p_value([]) == stats.drop_p_value([0.0] * 50) == 1
    assert stats.drop_p_value([-1.0] * 9) == 1
    assert stats.drop_p_value([1.0] * 40) < 0.001


def test_holms_adjustment() -> None:
    assert stats.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert stats.holm([]) == []
    assert stats.holm([0.9, 0.8]) == [1, 1]


@given(st.lists(st.floats(0, 1), max_size=12), st.lists(st.floats(0, 1), max_size=12))
def test_auroc_is_the_share_of_pairs_in_order(ups: list[float], downs: list[float]) -> None:
    area = stats.auroc(ups, downs)
    if not ups or not downs:
        assert area is None
        assert stats.auroc_interval(ups, downs) is None
        return
    pairs = [(u > d) + 0.5 * (u == d) for u in ups for d in downs]
    assert area == pytest.approx(sum(pairs) / len(pairs))
    low, high = stats.auroc_interval(ups, downs) or (2, -1)
    assert -1e-9 <= low <= high <= 1 + 1e-9


def test_reliability_parts_questions_by_confidence() -> None:
    binned = stats.reliability([0.9, 0.1, 0.2, 0.8], [True, False, True, True], bins=2)
    assert [(b.n, b.share) for b in binned] == [(2, 0.5), (2, 1.0)]
    assert [b.confidence for b in binned] == pytest.approx([0.15, 0.85])
    assert stats.calibration_error(binned) == pytest.approx((2 * 0.35 + 2 * 0.15) / 4)
    assert stats.reliability([], []) == []
    assert stats.calibration_error([]) == 0
