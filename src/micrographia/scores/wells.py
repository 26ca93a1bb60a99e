"""Wells as replicates: controls that are compared, intervals by resampling wells, p-values by permuting them.

Cells of a well share their medium, their staining and their place on the plate: a thousand cells of one well are one
replicate.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import permutation_test

LEAST_WELLS = 3
"""Wells of a condition below which no interval and no p-value is given."""


@dataclass(frozen=True)
class Comparison:
    """Which rows are the negative control and which the positive one, and what is a replicate.

    Attributes
    ----------
    condition : str
        Column of the condition.
    negative, positive
        Its values in the two controls; rows of other conditions are not looked at.
    well : str
        Column that names the wells, unique over plates.
    """

    condition: str = "condition"
    negative: Any = "control"
    positive: Any = "treated"
    well: str = "well"

    def rows(self, table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
        """Rows of the two controls in which no column is missing.

        Raises
        ------
        ValueError
            If a column does not exist, or a control has no such row.
        """
        if missing := [name for name in (self.condition, self.well, *columns) if name not in table]:
            raise ValueError(f"the table has no column {missing[0]!r}")
        chosen = table[table[self.condition].isin([self.negative, self.positive])].dropna(subset=list(columns))
        for value in (self.negative, self.positive):
            if not (chosen[self.condition] == value).any():
                raise ValueError(f"no row with {self.condition}={value!r} was measured")
        return chosen

    def is_positive(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        """Which rows are of the positive control."""
        return (table[self.condition] == self.positive).to_numpy(bool)

    def wells(self, table: pd.DataFrame) -> NDArray[np.int64]:
        """Number of each row's well; wells of one name in two conditions are two."""
        groups = table.groupby([self.condition, self.well], observed=True, sort=False)
        return groups.ngroup().to_numpy().astype(np.int64)


Statistic = Callable[[NDArray[np.int64], NDArray[np.int64]], float]
"""Number of drawn rows: their positions in the table, and the number of the drawn well of each, 0 and up."""


def bootstrap_wells(
    table: pd.DataFrame,
    statistics: Mapping[str, Statistic],
    comparison: Comparison | None = None,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Percentile intervals of statistics when whole wells are drawn with replacement, within each condition.

    Parameters
    ----------
    table
        One row per cell, with the columns of the condition and of the well; every condition in it is resampled.
    statistics
        Functions of the drawn rows and their wells; a well that was drawn twice has two numbers there.
    resamples, level, seed
        Number of draws, share that the interval covers, and seed of the draws.

    Returns
    -------
    DataFrame
        One row per statistic: ``value`` (of the table itself), ``low``, ``high``. Without ends if a condition has fewer
        than `LEAST_WELLS` wells. Draws whose statistic is not finite are left out; if these are more than a tenth,
        there are no ends either.
    """
    names = comparison or Comparison()
    wells, conditions = names.wells(table), pd.factorize(table[names.condition])[0]
    rows = np.arange(len(table))
    values = {name: float(statistic(rows, wells)) for name, statistic in statistics.items()}
    result = pd.DataFrame({"value": values, "low": np.nan, "high": np.nan}).rename_axis("score")
    members = [np.flatnonzero(wells == well) for well in range(wells.max() + 1)]
    condition_of = np.array([conditions[group[0]] for group in members])
    groups = [np.flatnonzero(condition_of == condition) for condition in np.unique(condition_of)]
    if min(map(len, groups)) < LEAST_WELLS:
        return result
    generator = np.random.default_rng(seed)
    draws: dict[str, list[float]] = {name: [] for name in statistics}
    for _ in range(resamples):
        drawn = [members[well] for group in groups for well in generator.choice(group, len(group))]
        positions, numbers = np.concatenate(drawn), np.repeat(np.arange(len(drawn)), [len(one) for one in drawn])
        for name, statistic in statistics.items():
            draws[name].append(statistic(positions, numbers))
    for name, drawn_values in draws.items():
        finite = np.array(drawn_values)[np.isfinite(drawn_values)]
        if len(finite) >= 0.9 * resamples:
            result.loc[name, ["low", "high"]] = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return result


def well_means(
    values: NDArray, positive: NDArray[np.bool_], rows: NDArray[np.int64], wells: NDArray[np.int64]
) -> tuple[NDArray, NDArray]:
    """Mean value of each drawn well of the negative and of the positive control."""
    counts = np.bincount(wells)
    means = np.bincount(wells, values[rows]) / counts
    treated = np.bincount(wells, positive[rows]) > 0
    return means[~treated], means[treated]


def well_p_value(negative: ArrayLike, positive: ArrayLike, permutations: int = 9999, seed: int = 0) -> float:
    """Two-sided p-value of the difference of well means, by permuting wells: exact where these are few.

    Returns
    -------
    float
        NaN with fewer than `LEAST_WELLS` wells of a control. Three wells against three cannot get below 0.1.

    Examples
    --------
    >>> round(well_p_value([1, 2, 3, 4], [11, 12, 13, 14]), 4)
    0.0286
    """
    negative, positive = np.asarray(negative, float), np.asarray(positive, float)
    if min(len(negative), len(positive)) < LEAST_WELLS:
        return np.nan

    def difference(first: np.ndarray, second: np.ndarray, axis: int) -> np.ndarray:
        return first.mean(axis=axis) - second.mean(axis=axis)

    result = permutation_test(
        (negative, positive),
        difference,
        vectorized=True,
        n_resamples=permutations,
        random_state=np.random.default_rng(seed),
    )
    return float(result.pvalue)
