"""Codes and factors as named tables: what every score does to its arguments first."""

from collections.abc import Hashable

import numpy as np
import pandas as pd

Table = pd.DataFrame | np.ndarray

MOST_CLASSES = 256  # distinct numbers above which a factor is a measurement, whole numbers or not
REPEATS = 10  # samples per distinct value, on average, from which numbers that are not whole are classes


class NotFiniteError(ValueError):
    """A code or a factor is infinite or missing."""


def require_least(least: int, **settings: float) -> None:
    """Refuse settings below the least that means something.

    Raises
    ------
    ValueError
        If one is.

    Examples
    --------
    >>> require_least(1, bins=20)
    >>> require_least(1, bins=0)
    Traceback (most recent call last):
    ValueError: bins=0: expected 1 or more
    """
    for name, value in settings.items():
        if not value >= least:
            raise ValueError(f"{name}={value}: expected {least} or more")


def named_table(values: Table, prefix: str) -> pd.DataFrame:
    """A table as it is; an array of shape ``(n, columns)`` with the columns ``prefix0``, ``prefix1``, ...

    Numbers that are kept as objects, as in an array beside texts, become numbers.

    Raises
    ------
    ValueError
        If there are no rows or no columns, or a name occurs twice.
    """
    if not isinstance(values, pd.DataFrame):
        values = np.asarray(values)
        if values.ndim != 2:
            raise ValueError(f"expected a table of shape (samples, columns), got the shape {values.shape}")
        # No score changes its arguments: a million codes need not be copied.
        values = pd.DataFrame(values, columns=[f"{prefix}{column}" for column in range(values.shape[1])], copy=False)
    if values.empty:
        raise ValueError(f"expected a table with rows and columns, got the shape {values.shape}")
    if not values.columns.is_unique:
        raise ValueError(f"column {values.columns[values.columns.duplicated()][0]!r} occurs twice")
    return values.infer_objects() if any(pd.api.types.is_object_dtype(kind) for kind in values.dtypes) else values


def codes_and_factors(codes: Table, factors: Table) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both arguments as named tables of one index, whose rows describe the same samples.

    Raises
    ------
    ValueError
        If the tables differ in length or, both being DataFrames, in their index.
    """
    latents, truth = named_table(codes, "z"), named_table(factors, "factor")
    if len(latents) != len(truth):
        raise ValueError(f"{len(latents)} rows of codes, but {len(truth)} rows of factors")
    if not isinstance(factors, pd.DataFrame):
        return latents, truth.set_axis(latents.index)
    if not isinstance(codes, pd.DataFrame):
        return latents.set_axis(truth.index), truth
    if not latents.index.equals(truth.index):
        raise ValueError("the rows of codes and factors bear different indices")
    return latents, truth


def finite_column(table: pd.DataFrame, column: Hashable) -> np.ndarray:
    """One column in floating point.

    Raises
    ------
    NotFiniteError
        If a value is infinite or missing.
    """
    values = table[column].to_numpy(dtype=np.float64)
    if not np.isfinite(values).all():
        raise NotFiniteError(f"column {column!r} holds infinite or missing values")
    return values


def equal_width_bins(values: np.ndarray, bins: int) -> np.ndarray:
    """Bin of each value when the range from minimum to maximum is cut into equal parts.

    Parameters
    ----------
    values
        Finite numbers, shape ``(n,)``.
    bins
        Number of parts; the last one includes the maximum.

    Returns
    -------
    ndarray of shape ``(n,)``, integers in 0..bins-1; all 0 where the values are constant.

    Examples
    --------
    >>> equal_width_bins(np.array([0.0, 0.24, 0.25, 1.0]), bins=4)
    array([0, 0, 1, 3])
    """
    require_least(1, bins=bins)
    low, high = values.min(), values.max()
    if low == high:
        return np.zeros(len(values), dtype=np.intp)
    return np.minimum(((values - low) / (high - low) * bins).astype(np.intp), bins - 1)


def factor_values(factors: pd.DataFrame, bins: int) -> dict[Hashable, np.ndarray]:
    """Each factor as integers 0, 1, ...: one per distinct value.

    A numeric factor is continuous, and cut into ``bins`` equal-width parts, if it has more than `MOST_CLASSES` distinct
    values, or more than ``bins`` that are not all whole numbers and occur fewer than `REPEATS` times on average: 40
    angles of many images each are classes, in radians as well as numbered.

    Raises
    ------
    ValueError
        If a value is missing or infinite, texts hardly repeat, or there are fewer than one ``bins``.
    """
    require_least(1, bins=bins)
    return {column: discrete_values(factors, column, bins) for column in factors}


def discrete_values(factors: pd.DataFrame, column: Hashable, bins: int) -> np.ndarray:
    """One factor as integers: see `factor_values`."""
    codes, distinct = pd.factorize(factors[column])
    if (codes < 0).any():
        raise NotFiniteError(f"factor {column!r} has missing values")
    rare = len(distinct) > bins and len(distinct) * REPEATS > len(codes)
    if not pd.api.types.is_numeric_dtype(factors[column]) or pd.api.types.is_bool_dtype(factors[column]):
        if rare and len(distinct) > MOST_CLASSES:
            raise ValueError(f"factor {column!r} holds {len(distinct)} texts for {len(codes)} samples: no classes")
        return codes
    values = finite_column(factors, column)
    # Whole numbers are classes in a floating-point array, too, which a table of mixed columns easily becomes.
    if len(distinct) > MOST_CLASSES or (rare and (distinct % 1 != 0).any()):
        return np.unique(equal_width_bins(values, bins), return_inverse=True)[1]
    return codes
