"""Intervals hold what they should at the rate they state, over a thousand simulations each, and at the ends."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.product.intervals import Interval, difference_interval, mean_interval, share_interval

SIMULATIONS = 1_000
# A rate of 95 % is seen above the first in 999 of 1,000 repetitions of a thousand; intervals of few may hold more.
LEAST, MOST = 0.927, 0.985


def rate(simulate: Callable[[np.random.Generator], tuple[float, Interval]]) -> float:
    random = np.random.default_rng(4)
    found = [simulate(random) for _ in range(SIMULATIONS)]
    return sum(low <= truth <= high for truth, (low, high) in found) / SIMULATIONS


@pytest.mark.parametrize(("share", "of"), [(0.5, 40), (0.1, 60), (0.03, 400), (0.9, 25), (0.3, 2_000)])
def test_shares(share: float, of: int) -> None:
    held = rate(lambda random: (share, share_interval(int(random.binomial(of, share)), of)))
    assert LEAST <= held <= MOST


@pytest.mark.parametrize(("share", "before", "of"), [(0.2, 0.25, 150), (0.05, 0.02, 300), (0.6, 0.3, 50)])
def test_differences(share: float, before: float, of: int) -> None:
    def simulate(random: np.random.Generator) -> tuple[float, Interval]:
        counts = int(random.binomial(of, share)), int(random.binomial(2 * of, before))
        return share - before, difference_interval(counts[0], of, counts[1], 2 * of)

    assert LEAST <= rate(simulate) <= MOST


@pytest.mark.parametrize("people", [60, 400])
def test_means(people: int) -> None:
    chances = np.array([0.6, 0.2, 0.1, 0.1])
    values = np.array([1, 2, 3, 8])

    def simulate(random: np.random.Generator) -> tuple[float, Interval]:
        return float(values @ chances), mean_interval(values, random.multinomial(people, chances))

    assert 0.92 <= rate(simulate) <= MOST  # the bootstrap of a skewed mean holds slightly less than it states


def test_the_ends() -> None:
    assert list(share_interval(0, 100)) == pytest.approx([0, 0.0370], abs=1e-4)
    assert share_interval(100, 100)[1] == 1.0
    # The example of Wilson's interval in Newcombe, Statistics in Medicine 17 (1998) 857-872, table I: 81 of 263.
    assert list(share_interval(81, 263)) == pytest.approx([0.2553, 0.3662], abs=1e-4)
    # Method 10 there, page 876, table II: 56/70 - 48/80.
    assert list(difference_interval(56, 70, 48, 80)) == pytest.approx([0.0524, 0.3339], abs=1e-4)


def test_the_same_counts_give_the_same_interval() -> None:
    assert mean_interval([1, 2], [30, 40]) == mean_interval([1, 2], [30, 40])
    low, high = mean_interval([2], [30])
    assert low == high == 2
