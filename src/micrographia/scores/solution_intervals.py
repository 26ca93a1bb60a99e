"""Intervals from several solutions for one image: calibrated on cells with known truth, and how often they cover it.

The spread of the solutions of a search is no posterior: it says where the search ends, not how sure one can be. A
factor on the spread, found on other cells whose truth is known, makes it an interval (split conformal prediction).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import norm


@dataclass(frozen=True)
class SolutionIntervals:
    """Rule that makes intervals of solutions: their median, plus and minus a factor times their deviation.

    Attributes
    ----------
    nominal : float
        Share of the cells whose truth the interval should cover, in 0..1.
    factor : float
        On the standard deviation of a cell's solutions.
    floor : float
        Least deviation, in the measurement's unit: solutions that all agree are not certain.
    calibrated : bool
        Whether the factor was found on cells with known truth.
    """

    nominal: float
    factor: float
    floor: float = 0.0
    calibrated: bool = False

    def __call__(self, solutions: ArrayLike) -> pd.DataFrame:
        """Columns ``median``, ``low``, ``high`` of cells ``(n, K)``; NaN where fewer than two solutions are finite."""
        median, deviation = median_and_deviation(solutions)
        half = self.factor * np.maximum(deviation, self.floor)
        return pd.DataFrame({"median": median, "low": median - half, "high": median + half})


def uncalibrated(nominal: float = 0.9) -> SolutionIntervals:
    """The spread at its face value, as if solutions were draws of a normal posterior.

    Examples
    --------
    >>> round(uncalibrated(0.95).factor, 2)
    1.96
    """
    return SolutionIntervals(check_share(nominal), float(norm.ppf((1 + nominal) / 2)))


def calibrate(truth: ArrayLike, solutions: ArrayLike, nominal: float = 0.9) -> SolutionIntervals:
    """The rule that covers the truth of a calibration set's cells as often as it should.

    Parameters
    ----------
    truth
        True value of each cell, ``(n,)``; the cells must not be among those reported on.
    solutions
        Measurement of each of its K solutions, ``(n, K)``; NaN where one could not be measured.
    nominal
        Share of new cells whose truth should be covered. The guarantee is on average over cells drawn alike.

    Raises
    ------
    ValueError
        If the cells are too few for this share, of which ``1 / (1 - nominal)`` at least are needed.
    """
    check_share(nominal)
    truth = np.asarray(truth, float)
    median, deviation = median_and_deviation(solutions)
    usable = np.isfinite(truth) & np.isfinite(deviation)
    count = int(usable.sum())
    rank = int(np.ceil((count + 1) * nominal))
    if rank > count:
        raise ValueError(f"{count} measured cells are too few to calibrate a coverage of {nominal:g}")
    spread = deviation[usable]
    # A tenth of the usual spread: where all solutions agree, an error would count as infinitely many deviations.
    floor = 0.1 * float(np.median(spread))
    error = np.abs(truth - median)[usable]
    if floor == 0:
        floor = float(np.mean(error)) or 1.0
    scores = np.sort(error / np.maximum(spread, floor))
    return SolutionIntervals(nominal, float(scores[rank - 1]), floor, calibrated=True)


def coverage(truth: ArrayLike, intervals: pd.DataFrame) -> float:
    """Share of the cells with an interval whose truth lies within, both ends included; NaN without any.

    Examples
    --------
    >>> coverage([1.0, 5.0, 3.0], pd.DataFrame({"low": [0, 0, np.nan], "high": [2, 2, np.nan]}))
    0.5
    """
    truth = np.asarray(truth, float)
    low, high = intervals["low"].to_numpy(float), intervals["high"].to_numpy(float)
    known = np.isfinite(truth) & np.isfinite(low) & np.isfinite(high)
    return float(((low <= truth) & (truth <= high))[known].mean()) if known.any() else np.nan


def median_and_deviation(solutions: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Median and standard deviation of each cell's finite solutions, ``(n,)``; NaN where these are fewer than two."""
    values = np.asarray(solutions, float)
    if values.ndim != 2:
        raise ValueError(f"expected solutions of shape (cells, K), got the shape {values.shape}")
    values = np.where(np.isfinite(values), values, np.nan)
    enough = np.isfinite(values).sum(axis=1) >= 2
    median, deviation = (np.full(len(values), np.nan) for _ in range(2))
    median[enough] = np.nanmedian(values[enough], axis=1)
    deviation[enough] = np.nanstd(values[enough], axis=1, ddof=1)
    return median, deviation


def check_share(nominal: float) -> float:
    """A share between 0 and 1, else a ValueError."""
    if not 0 < nominal < 1:
        raise ValueError(f"a coverage lies between 0 and 1, got {nominal}")
    return nominal
