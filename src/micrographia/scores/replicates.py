"""Two conditions seen through their replicates: what is kept of each, so that resampling need not go back to cells."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.stats import permutation_test

from micrographia.scores.blocks import block_p_value
from micrographia.scores.wells import LEAST_WELLS, well_p_value

Rows = NDArray[np.int64]


class Replicates(Protocol):
    """One column of cells, kept as replicates (wells, fields); ``rows`` are positions of replicates, repeats allowed.

    Attributes
    ----------
    treated : array of bool, ``(replicates,)``
        Whether a replicate is of the positive condition.
    """

    treated: NDArray[np.bool_]

    def mean(self, rows: Rows) -> float:
        """Mean of the replicates' means, in the column's units."""
        ...

    def deviation(self, rows: Rows) -> float:
        """Standard deviation of the replicates' cells about their common mean, in the column's units."""
        ...

    def difference(self, rows: Rows) -> float:
        """Mean of the positive condition minus that of the negative one, in the column's units."""
        ...

    def shift(self, rows: Rows) -> float:
        """The difference; on a circle as far as cells have a direction, in the column's units."""
        ...

    def cliff(self, rows: Rows) -> float:
        """Share of pairs in which the positive cell is the larger one, minus the share where it is smaller; -1..1."""
        ...

    def p_value(self, permutations: int, seed: int, blocks: NDArray[np.int64] | None = None) -> float:
        """Two-sided p-value of the shift, by permuting replicates, within blocks if any; NaN with too few."""
        ...


def effect(replicates: Replicates, rows: Rows) -> float:
    """Shift in standard deviations of a cell: of both conditions, whose variances count the same; NaN for none."""
    treated = replicates.treated[rows]
    sides = [replicates.deviation(rows[treated == side]) for side in (False, True)]
    pooled = np.sqrt(np.mean(np.square(sides)))
    return replicates.shift(rows) / pooled if pooled > 0 else np.nan


def enough(treated: NDArray[np.bool_]) -> bool:
    """Whether there are replicates enough for a p-value."""
    return min(treated.sum(), (~treated).sum()) >= LEAST_WELLS


def mean_of(means: NDArray, chosen: NDArray[np.bool_]) -> NDArray:
    """Mean over the replicates that each row ``(n, replicates)`` chooses: ``(n,)``."""
    return chosen @ means / chosen.sum(axis=1)


class OnLine:
    """Replicates of numbers.

    Parameters
    ----------
    cells
        Values, ``(n,)``, finite.
    wells
        Number of each cell's replicate, 0 and up, none left out.
    positive
        Whether a cell is of the positive condition.
    """

    def __init__(self, cells: NDArray, wells: NDArray[np.int64], positive: NDArray[np.bool_]):
        self.counts = np.bincount(wells)
        self.treated = np.bincount(wells, positive) > 0
        self.centre = cells.mean()  # squares of large numbers of little spread would lose it
        near = cells - self.centre
        # A constant's mean may differ from it by the last digit, which is no spread.
        near[np.abs(near) <= 1e-12 * abs(self.centre)] = 0.0
        self.sums = np.bincount(wells, near)
        self.squares = np.bincount(wells, near**2)
        self.means = self.sums / self.counts
        self.ahead = ahead(near, wells, self.treated, None)

    def mean(self, rows: Rows) -> float:
        """Mean of the replicates' means."""
        return float(self.centre + self.means[rows].mean())

    def deviation(self, rows: Rows) -> float:
        """Standard deviation of the replicates' cells (``n - 1``); NaN of one cell."""
        count, total = self.counts[rows].sum(), self.sums[rows].sum()
        if count < 2:
            return np.nan
        return float(np.sqrt(max(self.squares[rows].sum() - total**2 / count, 0.0) / (count - 1)))

    def difference(self, rows: Rows) -> float:
        """Mean of replicates' means of the positive condition minus the negative one's."""
        treated = self.treated[rows]
        means = self.means[rows]
        return float(means[treated].mean() - means[~treated].mean())

    def shift(self, rows: Rows) -> float:
        """The difference."""
        return self.difference(rows)

    def cliff(self, rows: Rows) -> float:
        """Cliff's delta, replicates counting the same: -1..1."""
        treated = self.treated[rows]
        return float(self.ahead[np.ix_(rows[treated], rows[~treated])].mean())

    def p_value(self, permutations: int, seed: int, blocks: NDArray[np.int64] | None = None) -> float:
        """Two-sided p-value of the difference; see `well_p_value` and `block_p_value`."""
        if blocks is not None and enough(self.treated):

            def difference(treated: NDArray[np.bool_]) -> NDArray[np.float64]:
                return mean_of(self.means, treated) - mean_of(self.means, ~treated)

            return block_p_value(difference, self.treated, blocks, permutations, seed)
        return well_p_value(self.means[~self.treated], self.means[self.treated], permutations, seed)


class OnCircle:
    """Replicates of angles: a mean is a direction, a difference the shorter way from one direction to the other.

    Angles without any common direction have one by chance, and a large difference to any other. A shift does not: it is
    how far unit vectors are moved across the direction midway between both, ``(R_n + R_p) sin(difference / 2)`` with
    the lengths R of the mean vectors. Where angles are close together it is the difference, and a deviation across the
    mean direction their standard deviation.

    Parameters
    ----------
    cells, wells, positive
        As of `OnLine`.
    period
        Of the angles, in their units.

    References
    ----------
    Mardia and Jupp, Directional statistics, 2000: mean direction and trigonometric moments.
    """

    def __init__(self, cells: NDArray, wells: NDArray[np.int64], positive: NDArray[np.bool_], period: float):
        self.period = period
        self.counts = np.bincount(wells)
        self.treated = np.bincount(wells, positive) > 0
        turned = 2 * np.pi * cells / period
        self.sums, self.twice = (
            np.bincount(wells, np.cos(angle)) + 1j * np.bincount(wells, np.sin(angle)) for angle in (turned, 2 * turned)
        )
        self.means = self.sums / self.counts
        self.radius = period / (2 * np.pi)
        self.ahead = ahead(cells, wells, self.treated, period)
        self.found = self.turn(self.means[~self.treated].mean(), self.means[self.treated].mean())

    def turn(self, negative: NDArray, positive: NDArray) -> NDArray[np.float64]:
        """Way from the direction of mean vectors to that of others, in -period/2..period/2."""
        return np.angle(positive * np.conj(negative)) * self.radius

    def mean(self, rows: Rows) -> float:
        """Direction of the mean of the replicates' mean vectors, 0..period."""
        return float(np.angle(self.means[rows].mean()) * self.radius % self.period)

    def deviation(self, rows: Rows) -> float:
        """Standard deviation of the cells' unit vectors across their mean direction."""
        along = np.exp(-2j * np.angle(self.sums[rows].sum()))
        second = (self.twice[rows].sum() * along).real / self.counts[rows].sum()
        return float(np.sqrt(max((1 - second) / 2, 0.0)) * self.radius)

    def difference(self, rows: Rows) -> float:
        """Way from the negative to the positive direction, as near to that of all replicates as whole turns allow."""
        way = self.turn(*self.vectors(rows))
        # Else draws on both sides of half a turn would give an interval of the whole circle.
        return float(way + self.period * np.round((self.found - way) / self.period))

    def vectors(self, rows: Rows) -> tuple[NDArray, NDArray]:
        """Mean vector of the negative and of the positive replicates, complex."""
        treated = self.treated[rows]
        return self.means[rows][~treated].mean(), self.means[rows][treated].mean()

    def shift(self, rows: Rows) -> float:
        """How far the cells' unit vectors are moved across the direction midway between both conditions."""
        lengths = sum(map(abs, self.vectors(rows)))
        return float(lengths * np.sin(self.difference(rows) / self.radius / 2) * self.radius)

    def cliff(self, rows: Rows) -> float:
        """Share of pairs in which the positive cell lies ahead by less than half a turn, minus the share behind."""
        treated = self.treated[rows]
        return float(self.ahead[np.ix_(rows[treated], rows[~treated])].mean())

    def p_value(self, permutations: int, seed: int, blocks: NDArray[np.int64] | None = None) -> float:
        """Two-sided p-value of the shift, by permuting replicates, within blocks if any."""
        negative, positive = np.flatnonzero(~self.treated), np.flatnonzero(self.treated)
        if not enough(self.treated):
            return np.nan

        def between(one: np.ndarray, other: np.ndarray) -> np.ndarray:
            return (np.abs(one) + np.abs(other)) * np.sin(self.turn(one, other) / self.radius / 2)

        if blocks is not None:
            return block_p_value(
                lambda treated: between(mean_of(self.means, ~treated), mean_of(self.means, treated)),
                self.treated,
                blocks,
                permutations,
                seed,
            )

        def shift(first: np.ndarray, second: np.ndarray, axis: int) -> np.ndarray:
            return between(self.means[first].mean(axis=axis), self.means[second].mean(axis=axis))

        generator = np.random.default_rng(seed)
        # scipy permutes numbers: here those of the replicates.
        found = permutation_test(
            (negative, positive), shift, vectorized=True, n_resamples=permutations, random_state=generator
        )
        return float(found.pvalue)


def ahead(
    cells: NDArray, wells: NDArray[np.int64], treated: NDArray[np.bool_], period: float | None
) -> NDArray[np.float64]:
    """Cliff's delta of each positive replicate (row) against each negative one (column), ``(replicates, replicates)``.

    Other entries are 0. On a circle the cell that is less than half a turn ahead is the larger one.
    """
    found = np.zeros((len(treated), len(treated)))
    of_positive = treated[wells]
    ours, numbers = cells[of_positive], wells[of_positive]
    if not len(ours):
        return found
    counts = np.bincount(numbers, minlength=len(treated))
    for column in np.flatnonzero(~treated):
        theirs = np.sort(cells[wells == column])
        if period is None:
            below = np.searchsorted(theirs, ours, "left") + np.searchsorted(theirs, ours, "right") - len(theirs)
        else:
            way = (ours[:, None] - theirs[None]) % period
            below = ((way > 0) & (way < period / 2)).sum(axis=1) - (way > period / 2).sum(axis=1)
        sums = np.bincount(numbers, below / len(theirs), minlength=len(treated))
        found[treated, column] = sums[treated] / counts[treated]
    return found
