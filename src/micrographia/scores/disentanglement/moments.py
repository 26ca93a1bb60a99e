"""Moments of large tables: covariances and standardised columns."""

import numpy as np
import pandas as pd

from micrographia.scores.tables import finite_column

ROWS_AT_ONCE = 65_536


def covariance(codes: pd.DataFrame) -> pd.DataFrame:
    """Covariance of the columns (divided by n), in double precision without a copy of the table in it.

    Raises
    ------
    ValueError
        If a value is infinite or missing.

    Examples
    --------
    >>> covariance(pd.DataFrame({"z0": [0.0, 2.0], "z1": [1.0, -3.0]}))
         z0   z1
    z0  1.0 -2.0
    z1 -2.0  4.0
    """
    centre = np.array([finite_column(codes, latent).mean() for latent in codes])
    total = np.zeros((codes.shape[1], codes.shape[1]))
    for start in range(0, len(codes), ROWS_AT_ONCE):
        block = codes.iloc[start : start + ROWS_AT_ONCE].to_numpy(dtype=np.float64) - centre
        total += block.T @ block
    return pd.DataFrame(total / len(codes), index=codes.columns, columns=codes.columns)


def standardised(values: np.ndarray) -> np.ndarray:
    """Values with mean 0 and variance 1; zeros where they are constant."""
    if values.min() == values.max():
        return np.zeros(len(values))
    centred = values - values.mean()
    return centred / centred.std()
