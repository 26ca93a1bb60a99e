"""Quality of an assay's read-out: how well it separates control from treated, and how true super-resolution keeps it.

Wells are the replicates: every interval resamples them, every test permutes them, and under three wells a condition
there is neither.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from micrographia.scores.wells import Comparison, Statistic, bootstrap_wells, well_means, well_p_value


def z_prime(negative: ArrayLike, positive: ArrayLike) -> float:
    """Z'-factor ``1 - 3 (s_p + s_n) / |m_p - m_n|`` of the controls' well means (Zhang, Chung and Oldenburg, 1999).

    Returns
    -------
    float
        At most 1; above 0.5 an excellent assay, below 0 the controls overlap. NaN with fewer than two wells of one.

    Examples
    --------
    >>> z_prime([0, 1, 2], [20, 21, 22])
    0.7
    """
    negative, positive = np.asarray(negative, float), np.asarray(positive, float)
    if min(len(negative), len(positive)) < 2:
        return np.nan
    distance = abs(positive.mean() - negative.mean())
    spread = 3 * (positive.std(ddof=1) + negative.std(ddof=1))
    return float(1 - spread / distance) if distance > 0 else -np.inf


def ssmd(negative: ArrayLike, positive: ArrayLike) -> float:
    """Strictly standardised mean difference ``(m_p - m_n) / sqrt(s_p^2 + s_n^2)`` of well means (Zhang, 2007).

    Returns
    -------
    float
        Beyond 3 or -3 a strong control. NaN with fewer than two wells of one; infinite without spread.

    Examples
    --------
    >>> round(ssmd([0, 1, 2], [10, 11, 12]), 3)
    7.071
    """
    negative, positive = np.asarray(negative, float), np.asarray(positive, float)
    if min(len(negative), len(positive)) < 2:
        return np.nan
    difference = float(positive.mean() - negative.mean())
    spread = float(np.hypot(positive.std(ddof=1), negative.std(ddof=1)))
    return difference / spread if spread > 0 else float(np.copysign(np.inf, difference)) if difference else np.nan


def auc(negative: ArrayLike, positive: ArrayLike) -> float:
    """Probability that a treated cell is measured above one of the control; 0.5 by chance, 0 if always below.

    Examples
    --------
    >>> auc([1, 2, 3], [2, 4])
    0.75
    """
    negative, positive = np.asarray(negative, float), np.asarray(positive, float)
    ranks = rankdata(np.concatenate([negative, positive]))[len(negative) :]
    # Mann and Whitney's statistic, ties counting half.
    return float((ranks.mean() - (len(positive) + 1) / 2) / len(negative))


def assay_quality(
    table: pd.DataFrame,
    column: str,
    comparison: Comparison | None = None,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """How well a measured column separates the negative from the positive control.

    Parameters
    ----------
    table
        One row per cell: the column, the condition and the well. Rows where the column is NaN are left out.
    column
        Name of the measurement.
    comparison
        Names of the columns and of the controls; None is ``condition`` control against treated, by ``well``.
    resamples, level, seed
        Of the intervals: see `bootstrap_wells`.

    Returns
    -------
    DataFrame
        One row per score, ``z_prime`` and ``ssmd`` of well means, ``auc`` of cells: ``value``, ``low``, ``high``,
        ``p_value`` (of the difference of well means; the same for all), and how many wells and cells of each control
        were measured.

    Raises
    ------
    ValueError
        If a column is missing, or a control was not measured at all.
    """
    names = comparison or Comparison()
    table = names.rows(table, [column])
    values, positive = table[column].to_numpy(float), names.is_positive(table)
    statistics: dict[str, Statistic] = {
        "z_prime": lambda rows, wells: z_prime(*well_means(values, positive, rows, wells)),
        "ssmd": lambda rows, wells: ssmd(*well_means(values, positive, rows, wells)),
        "auc": lambda rows, wells: auc(values[rows][~positive[rows]], values[rows][positive[rows]]),
    }
    means = well_means(values, positive, np.arange(len(table)), names.wells(table))
    return bootstrap_wells(table, statistics, names, resamples, level, seed).assign(
        p_value=well_p_value(*means, seed=seed),
        wells_negative=len(means[0]),
        wells_positive=len(means[1]),
        cells_negative=int((~positive).sum()),
        cells_positive=int(positive.sum()),
    )


def transfer_accuracy(
    train: pd.DataFrame,
    test: pd.DataFrame,
    columns: Sequence[str],
    comparison: Comparison | None = None,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Accuracy of a support vector machine that tells the controls apart, trained on one table, tested on another.

    Trained on measurements of high-resolution images and tested on super-resolved ones, it says whether the latter can
    stand in for the former. The wells of the two tables should differ, else cells of the training are tested on.

    Parameters
    ----------
    train, test
        One row per cell, with the measured columns, the condition and the well; rows with NaN are left out.
    columns
        Measurements the machine sees, standardised on the training rows.
    comparison, resamples, level, seed
        As in `assay_quality`. Only test wells are resampled; the machine is trained once.

    Returns
    -------
    DataFrame
        Rows ``accuracy`` and ``balanced_accuracy`` (mean recall of the two controls), columns ``value``, ``low``,
        ``high``.
    """
    names = comparison or Comparison()
    known, unknown = names.rows(train, columns), names.rows(test, columns)
    # Controls may be unequal in number: each counts the same.
    machine = make_pipeline(StandardScaler(), SVC(class_weight="balanced"))
    machine.fit(known[list(columns)].to_numpy(float), names.is_positive(known))
    truth = names.is_positive(unknown)
    hit = truth == machine.predict(unknown[list(columns)].to_numpy(float))

    def balanced(rows: NDArray[np.int64], wells: NDArray[np.int64]) -> float:
        return float(np.mean([hit[rows][truth[rows] == side].mean() for side in (False, True)]))

    statistics: dict[str, Statistic] = {
        "accuracy": lambda rows, wells: float(hit[rows].mean()),
        "balanced_accuracy": balanced,
    }
    return bootstrap_wells(unknown, statistics, names, resamples, level, seed)


def agreement(
    table: pd.DataFrame,
    measured: str,
    reference: str,
    comparison: Comparison | None = None,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """How a measured column follows a reference of the same cells: super-resolved against high resolution, or truth.

    Parameters
    ----------
    table
        One row per cell with both columns, the condition and the well; rows with NaN in either are left out.
    comparison
        Names of the columns of condition and well; here all conditions are looked at.

    Returns
    -------
    DataFrame
        Rows ``pearson``, ``spearman`` (NaN if a column is constant), ``mae`` (mean absolute error) and ``bias`` (mean
        of measured minus reference), columns ``value``, ``low``, ``high`` and ``cells``.

    Raises
    ------
    ValueError
        If fewer than two cells have both values.
    """
    names = comparison or Comparison()
    rows = table.dropna(subset=[measured, reference])
    if len(rows) < 2:
        raise ValueError(f"fewer than two cells have both {measured!r} and {reference!r}")
    found, true = rows[measured].to_numpy(float), rows[reference].to_numpy(float)
    statistics: dict[str, Statistic] = {
        "pearson": lambda drawn, wells: correlation(found[drawn], true[drawn]),
        "spearman": lambda drawn, wells: correlation(rankdata(found[drawn]), rankdata(true[drawn])),
        "mae": lambda drawn, wells: float(np.abs(found[drawn] - true[drawn]).mean()),
        "bias": lambda drawn, wells: float((found[drawn] - true[drawn]).mean()),
    }
    return bootstrap_wells(rows, statistics, names, resamples, level, seed).assign(cells=len(rows))


def correlation(first: ArrayLike, second: ArrayLike) -> float:
    """Pearson's correlation; NaN if one side is constant."""
    first, second = np.asarray(first, float), np.asarray(second, float)
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return np.nan
    return float(np.corrcoef(first, second)[0, 1])
