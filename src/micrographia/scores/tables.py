"""Codes and factors as named tables: what every score does to its arguments first."""

from collections.abc import Hashable

import numpy as np
import pandas as pd

Table = pd.DataFrame | np.ndarray

MOST_CLASSES = 256  # distinct numbers above which a factor is a measurement, whole numbers or not


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
    return values


def codes_and_factors(codes: Table, factors: Table) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both arguments as named tables whose rows describe the same samples.

    Raises
    ------
    ValueError
        If the tables differ in length or, both being DataFrames, in their index.
    """
    latents, truth = named_table(codes, "z"), named_table(factors, "factor")
    if len(latents) != len(truth):
        raise ValueError(f"{len(latents)} rows of codes, but {len(truth)} rows of factors")
    if isinstance(codes, pd.DataFrame) and isinstance(factors, pd.DataFrame) and not codes.index.equals(factors.index):
        raise ValueError("the rows of codes and factors bear different indices")
    return latents, truth


def finite_column(table: pd.DataFrame, column: Hashable) -> np.ndarray:
    """One column in floating point.

    Raises
    ------
    ValueError
        If a value is infinite or missing.
    """
    values = table[column].to_numpy(dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"column {column!r} holds infinite or missing values")
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

    A numeric factor is continuous, and cut into ``bins`` equal-width parts, if it has more than ``bins`` distinct
    values that are not all whole numbers, or more than `MOST_CLASSES` of any kind.

    Raises
    ------
    ValueError
        If a value is missing or infinite, or there are fewer than one ``bins``.
    """
    require_least(1, bins=bins)
    return {column: discrete_values(factors, column, bins) for column in factors}


def discrete_values(factors: pd.DataFrame, column: Hashable, bins: int) -> np.ndarray:
    """One factor as integers: see `factor_values`."""
    codes, distinct = pd.factorize(factors[column])
    if (codes < 0).any():
        raise ValueError(f"factor {column!r} has missing values")
    if not pd.api.types.is_numeric_dtype(factors[column]) or pd.api.types.is_bool_dtype(factors[column]):
        return codes
    finite_column(factors, column)
    # Whole numbers are classes in a floating-point array, too, which a table of mixed columns easily becomes.
    if len(distinct) > MOST_CLASSES or (len(distinct) > bins and (distinct % 1 != 0).any()):
        return np.unique(equal_width_bins(finite_column(factors, column), bins), return_inverse=True)[1]
    return codes
