"""Which columns differ between two conditions: by how much, how surely over replicates, corrected for many tests."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, norm, t

from micrographia.scores.blocks import arrangements
from micrographia.scores.replicates import OnCircle, OnLine, Replicates, effect, enough
from micrographia.scores.wells import Comparison, Statistic, bootstrap_wells

SIGNIFICANT = 0.05
"""Share of false discoveries among the columns that count as significant."""
MEASURES = ("difference", "effect", "cliff")
ENDS = {"": "value", "_low": "low", "_high": "high"}  # of their columns


@dataclass(frozen=True)
class Differences:
    """Settings of the table.

    Attributes
    ----------
    resamples : int
        Bootstrap resamples of replicates behind each interval.
    level : float
        Share of such intervals that should hold the truth, in 0..1.
    permutations : int
        Most permutations of replicates behind a p-value; exact where there are fewer.
    seed : int
        Of both.
    """

    resamples: int = 1000
    level: float = 0.95
    permutations: int = 9999
    seed: int = 0

    def table(
        self,
        values: pd.DataFrame,
        known: pd.DataFrame,
        comparison: Comparison | None = None,
        periods: Mapping[str, float] | None = None,
        block: str | None = None,
    ) -> pd.DataFrame:
        """Each column in both conditions.

        Parameters
        ----------
        values
            A row per cell, ``(n, columns)``; NaN where a column was not measured, which leaves out that cell there.
        known
            The same rows: the columns of the condition and of the replicates. A replicate is of one condition.
        comparison
            The conditions, and as ``well`` the column of the replicates; None is ``condition`` control against treated,
            by ``well``.
        periods
            Period of each column that is an angle, in its units.
        block
            Column of what is known, such as the plate, within whose values replicates are permuted; None permutes them
            over all. A replicate lies in one.

        Returns
        -------
        DataFrame with a row per column, under ``column``:

        ``mean_negative``, ``mean_positive``, ``difference``
            Means of the replicates' means and their difference, in the column's units; of angles directions, 0..period,
            and the shorter way between them, which is large by chance where they have no common direction.
        ``effect``
            The difference in standard deviations of a cell: over the root of the mean of both conditions' variances of
            cells. It says how far a cell is moved among cells, and does not grow with their number nor shrink with
            that of the wells. Of angles see `OnCircle`: small where they have no direction.
        ``cliff``
            Cliff's delta, -1..1: how much oftener a cell of the positive condition has the larger value than the
            smaller one, of all pairs of cells, replicates counting the same; 2 AUC - 1. It needs no mean.
        ``..._low``, ``..._high``
            Ends of the intervals of these three: whole replicates are drawn with replacement in each condition, and
            percentiles taken that are wide enough for so few (`expanded`).
        ``p``, ``q``
            Of the difference (of angles the shift: see `OnCircle`), by permuting replicates (`block_p_value`),
            two-sided; corrected for all columns (Benjamini and Hochberg).
        ``p_least``
            The least p that so many replicates can give.
        ``cells_...``, ``replicates_...``
            How many of ``negative`` and of ``positive`` have a value; ``missing``: cells of both that have none.

        NaN where a condition has no value. No interval and no p with fewer than `LEAST_WELLS` replicates in one; no
        effect and no p where all cells are equal.

        Raises
        ------
        ValueError
            If rows differ, a column does not exist, a condition has no row, or a replicate lies in two blocks.

        References
        ----------
        Cliff, Dominance statistics: ordinal analyses to answer ordinal questions, 1993; Benjamini and Hochberg,
        Controlling the false discovery rate, 1995; Hesterberg, What teachers should know about the bootstrap, 2015.

        Examples
        --------
        >>> known = pd.DataFrame({"condition": ["control"] * 40 + ["treated"] * 40, "well": np.repeat(range(8), 10)})
        >>> cells = pd.DataFrame({"area": np.tile([1.0, 3.0], 40)})
        >>> cells.loc[40:, "area"] += 2
        >>> found = Differences().table(cells, known).iloc[0]
        >>> [round(float(found[name]), 2) for name in ("difference", "effect", "cliff", "p", "p_least")]
        [2.0, 1.97, 0.75, 0.03, 0.03]
        """
        names = comparison or Comparison()
        if len(values) != len(known) or not values.index.equals(known.index):
            raise ValueError(f"{len(values)} rows of values and {len(known)} of conditions, which are not the same")
        places = pd.Series(np.arange(len(known)), known.index)
        rows = names.rows(known.assign(place=places.to_numpy()), ["place"])
        cells = values.iloc[rows["place"].to_numpy()]
        wells, positive = names.wells(rows), names.is_positive(rows)
        blocks = None if block is None else pd.factorize(rows[block])[0].astype(np.int64)
        if blocks is not None and (pd.Series(blocks).groupby(wells).nunique() > 1).any():
            raise ValueError(f"a replicate lies in more than one {block!r}")
        of = periods or {}
        table = pd.DataFrame(
            [
                {
                    "column": column,
                    **self.of_column(cells[column].to_numpy(float), wells, positive, of.get(str(column)), blocks),
                }
                for column in values
            ]
        )
        tested = table["p"].notna()
        table["q"] = np.nan
        if tested.any():
            table.loc[tested, "q"] = false_discovery_control(table.loc[tested, "p"])
        return table

    def of_column(
        self,
        cells: NDArray,
        wells: NDArray[np.int64],
        positive: NDArray[np.bool_],
        period: float | None,
        blocks: NDArray[np.int64] | None,
    ) -> dict[str, float]:
        """The row of one column."""
        there = np.isfinite(cells)
        numbers = np.unique(wells[there], return_inverse=True)[1]
        sides = {"negative": there & ~positive, "positive": there & positive}
        counts = {side: len(np.unique(wells[chosen])) for side, chosen in sides.items()}
        fewest = min(counts.values())
        row: dict[str, float] = {f"cells_{side}": int(chosen.sum()) for side, chosen in sides.items()}
        row |= {f"replicates_{side}": count for side, count in counts.items()}
        row["missing"] = int((~there).sum())
        if not fewest:
            ends = [name + end for name in MEASURES for end in ("", "_low", "_high")]
            return row | dict.fromkeys(["mean_negative", "mean_positive", *ends, "p", "p_least"], np.nan)
        kept: Replicates
        if period is None:
            kept = OnLine(cells[there], numbers, positive[there])
        else:
            kept = OnCircle(cells[there], numbers, positive[there], period)
        for side, is_positive in (("negative", False), ("positive", True)):
            row[f"mean_{side}"] = kept.mean(np.flatnonzero(kept.treated == is_positive))
        statistics: dict[str, Statistic] = {
            "difference": lambda drawn, _: kept.difference(drawn),
            "effect": lambda drawn, _: effect(kept, drawn),
            "cliff": lambda drawn, _: kept.cliff(drawn),
        }
        # A row per replicate in place of its cells: a draw of replicates is then a draw of rows.
        replicates = pd.DataFrame({"condition": kept.treated, "well": np.arange(len(kept.treated))})
        level = expanded(self.level, fewest)
        found = bootstrap_wells(replicates, statistics, Comparison(), self.resamples, level, self.seed)
        for name in MEASURES:
            row |= {name + end: float(found[kind][name]) for end, kind in ENDS.items()}
        inside = None if blocks is None else blocks[there][np.unique(numbers, return_index=True)[1]]
        varies = np.ptp(cells[there]) > 0
        row["p"] = kept.p_value(self.permutations, self.seed, inside) if varies else np.nan
        row["p_least"] = least_p(kept.treated, inside, self.permutations)
        return row


def least_p(treated: NDArray[np.bool_], blocks: NDArray[np.int64] | None, permutations: int) -> float:
    """The least two-sided p that replicates can give; NaN with too few, or where no block holds both conditions.

    Examples
    --------
    >>> conditions, plates = np.array([0, 1] * 6, bool), np.repeat(range(6), 2)
    >>> [round(least_p(conditions, blocks, 9999), 4) for blocks in (None, plates)]
    [0.0022, 0.0312]
    """
    within = np.zeros(len(treated), np.int64) if blocks is None else blocks
    ways = arrangements(treated, within)
    return 2 / min(ways, permutations + 1) if enough(treated) and ways > 1 else np.nan


def expanded(level: float, replicates: int) -> float:
    """Level of a percentile interval whose coverage is ``level`` with few replicates, of normal means.

    Percentiles of resampled means are too narrow by the root of ``(n - 1) / n``, and know nothing of the uncertainty of
    the spread itself, for which Student's t makes room (Hesterberg 2015, section 4.3).

    Parameters
    ----------
    level
        In 0..1.
    replicates
        Of the condition with fewer.

    Examples
    --------
    >>> round(expanded(0.95, 100), 3), round(expanded(0.95, 5), 3)
    (0.954, 0.998)
    """
    if replicates < 2:
        return level
    wide = np.sqrt(replicates / (replicates - 1)) * t.ppf((1 + level) / 2, replicates - 1)
    return float(2 * norm.cdf(wide) - 1)


def significant(table: pd.DataFrame) -> pd.Series:
    """Which rows of a table of `Differences` are significant; none where there is no p-value."""
    return (table["q"] < SIGNIFICANT).rename("significant")


def leading(table: pd.DataFrame, most: int) -> pd.DataFrame:
    """The rows that differ most by the size of their effect: of the significant ones, of all if there are none.

    Examples
    --------
    >>> found = pd.DataFrame({"column": ["z0", "z1", "z2"], "effect": [0.1, -2.0, 1.0], "q": [0.01, 0.5, 0.01]})
    >>> leading(found, 2)["column"].tolist()
    ['z2', 'z0']
    """
    sure = table[significant(table)]
    chosen = (sure if len(sure) else table).dropna(subset=["effect"])
    return chosen.loc[chosen["effect"].abs().sort_values(ascending=False, kind="stable").index].head(most)
