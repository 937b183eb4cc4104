"""How sure a number is: intervals of shares, of means and of differences, at 95 %.

What is measured does not belong here; that is `scoring` and the models.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
import numpy.typing as npt

Z = 1.959963984540054  # of the normal distribution, for 95 % on both sides
_REPLICATES = 2_000
Interval = tuple[float, float]


def share_interval(count: int, of: int) -> Interval:
    """Give Wilson's score interval of a share.

    Args:
        count: how many.
        of: of how many; more than 0.

    Returns:
        The lowest and highest share. Wilson, JASA 22 (1927) 209-212; it keeps its rate at shares near 0 and 1, where
        the usual one does not (Brown, Cai, DasGupta, Statistical Science 16 (2001) 101-133).
    """
    share, square = count / of, Z * Z / of
    middle = (share + square / 2) / (1 + square)
    half = Z * sqrt(share * (1 - share) / of + square / (4 * of)) / (1 + square)
    return (0.0 if count == 0 else middle - half), (1.0 if count == of else middle + half)


def difference_interval(count: int, of: int, count_before: int, of_before: int) -> Interval:
    """Give Newcombe's interval of the difference of two shares, this one less the one before.

    Returns:
        The lowest and highest difference. Method 10 of Newcombe, Statistics in Medicine 17 (1998) 873-890: Wilson's
        intervals of both, squared and added. It holds for people who are others; of the same people it is wider than
        it need be.
    """
    share, before = count / of, count_before / of_before
    low, high = share_interval(count, of)
    low_before, high_before = share_interval(count_before, of_before)
    difference = share - before
    return (
        difference - sqrt((share - low) ** 2 + (high_before - before) ** 2),
        difference + sqrt((high - share) ** 2 + (before - low_before) ** 2),
    )


def mean_interval(values: npt.ArrayLike, counts: npt.ArrayLike, seed: int = 0) -> Interval:
    """Give the bootstrap interval of a mean: drawn anew many times, its percentiles.

    Args:
        values: the values there are.
        counts: how many people have each; one at least has.
        seed: of the draws; the same one gives the same interval.

    Returns:
        The lowest and highest mean. The percentile bootstrap, Efron and Tibshirani, An Introduction to the Bootstrap
        (1993), chapter 13. People are drawn by how many have a value, so that it costs the same for any number of them.
    """
    told, many = np.asarray(values, dtype=float), np.asarray(counts, dtype=np.int64)
    people = int(many.sum())
    drawn = np.random.default_rng(seed).multinomial(people, many / people, size=_REPLICATES)
    low, high = np.percentile(drawn @ told / people, (2.5, 97.5))
    return float(low), float(high)
