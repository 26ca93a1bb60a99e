"""Permutation of replicates within blocks: what a plate does to all of its wells then tells nothing of a condition."""

from collections.abc import Callable
from itertools import combinations, product
from math import comb, prod

import numpy as np
from numpy.typing import NDArray

CLOSE = 1e-12  # share of the largest statistic, below which two count as equal


def arrangements(treated: NDArray[np.bool_], blocks: NDArray[np.int64]) -> int:
    """Ways to say which replicates are of the positive condition that keep their number in each block.

    Examples
    --------
    >>> arrangements(np.array([0, 0, 1, 1, 0, 1], bool), np.array([0, 0, 0, 0, 1, 1]))
    12
    """
    return prod(comb(len(inside), int(inside.sum())) for inside in parted(treated, blocks))


def block_p_value(
    statistic: Callable[[NDArray[np.bool_]], NDArray[np.float64]],
    treated: NDArray[np.bool_],
    blocks: NDArray[np.int64],
    permutations: int = 9999,
    seed: int = 0,
) -> float:
    """Two-sided p-value of a statistic by permuting replicates within blocks: exact where the ways are few.

    Twice the smaller tail: where a block holds more of one condition, statistics of permuted replicates lie about the
    blocks' own difference and not about 0.

    Parameters
    ----------
    statistic
        Of conditions ``(n, replicates)``, a number for each row.
    treated
        Whether a replicate is of the positive condition, ``(replicates,)``.
    blocks
        Number of each replicate's block.
    permutations
        Most that are tried.

    Returns
    -------
    float
        NaN where no block holds both conditions.

    References
    ----------
    Good, Permutation, parametric and bootstrap tests of hypotheses, 2005, on blocks; Phipson and Smyth, Permutation
    p-values should never be zero, 2010.

    Examples
    --------
    >>> wells, plates = np.array([1.0, 2, 11, 12, 21, 22]), np.repeat([0, 1, 2], 2)
    >>> second = np.array([0, 1, 0, 1, 0, 1], bool)
    >>> block_p_value(lambda chosen: chosen @ wells, second, plates)
    0.25
    """
    if (ways := arrangements(treated, blocks)) == 1:
        return np.nan
    exact = ways <= permutations
    tried = every(treated, blocks) if exact else drawn(treated, blocks, permutations, seed)
    found, own = statistic(tried), float(statistic(treated[None])[0])
    slack = CLOSE * np.abs(found).max()
    tails = (found <= own + slack).sum(), (found >= own - slack).sum()
    further = 0 if exact else 1  # the conditions as they are
    return float(min(1.0, 2 * (min(tails) + further) / (len(found) + further)))


def every(treated: NDArray[np.bool_], blocks: NDArray[np.int64]) -> NDArray[np.bool_]:
    """All arrangements, ``(ways, replicates)``."""
    places = [np.flatnonzero(blocks == block) for block in np.unique(blocks)]
    chosen = [combinations(own.tolist(), int(treated[own].sum())) for own in places]
    ways = [[place for part in one for place in part] for one in product(*chosen)]
    found = np.zeros((len(ways), len(treated)), bool)
    np.put_along_axis(found, np.array(ways), True, axis=1)
    return found


def drawn(treated: NDArray[np.bool_], blocks: NDArray[np.int64], count: int, seed: int) -> NDArray[np.bool_]:
    """So many arrangements at random, ``(count, replicates)``."""
    generator = np.random.default_rng(seed)
    found = np.tile(treated, (count, 1))
    for block in np.unique(blocks):
        own = blocks == block
        found[:, own] = generator.permuted(found[:, own], axis=1)
    return found


def parted(treated: NDArray[np.bool_], blocks: NDArray[np.int64]) -> list[NDArray[np.bool_]]:
    """Conditions of the replicates of each block."""
    return [treated[blocks == block] for block in np.unique(blocks)]
