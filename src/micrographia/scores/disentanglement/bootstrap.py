"""Confidence intervals of any score, by drawing its samples again with replacement."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

CONFIDENCE = 0.95


def bootstrap_intervals(
    estimates: Mapping[str, float],
    statistic: Callable[..., Mapping[str, float]],
    sizes: int | tuple[int, ...],
    n_bootstrap: int,
    seed: int,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> pd.DataFrame | None:
    """Intervals of 95 % around scores, from the spread of the same scores on resampled data.

    Quantiles of the resampled scores' deviations from their own mean are put around the estimate. Plain percentile
    intervals would be shifted: a resample repeats samples, which biases plug-in information and nearest ranks upwards.

    Parameters
    ----------
    estimates
        Name and value of each score on the data as they are.
    statistic
        The same scores from indices of samples: one array of indices for each group.
    sizes
        Number of samples of each group; groups (training and held-out samples, votes, pairs of a factor) are resampled
        separately, so that no sample of one group enters another.
    n_bootstrap
        Number of resamples; 0 for no interval.
    seed
        Of the resamples.
    bounds
        Least and largest value that the scores can take; intervals are cut there.

    Returns
    -------
    DataFrame with one row per score and the columns ``low`` and ``high``, or None if ``n_bootstrap`` is 0. Bias of a
    score itself (few samples, bins) is not in the interval.

    Raises
    ------
    ValueError
        If ``n_bootstrap`` is negative, or 1, of which there is no spread.

    References
    ----------
    Efron & Tibshirani, An introduction to the bootstrap, 1993, chapters 12 and 13.

    Examples
    --------
    >>> values = np.random.default_rng(0).random(400)
    >>> mean = lambda rows: {"score": values[rows].mean()}
    >>> bootstrap_intervals({"score": values.mean()}, mean, 400, n_bootstrap=200, seed=0).round(2)
           low  high
    score  0.5  0.56
    """
    if n_bootstrap < 0 or n_bootstrap == 1:
        raise ValueError(f"n_bootstrap is 0 or a number of resamples of 2 and more, got {n_bootstrap}")
    if n_bootstrap == 0:
        return None
    generator = np.random.default_rng(seed)
    groups = (sizes,) if isinstance(sizes, int) else sizes
    drawn = pd.DataFrame(
        [statistic(*(generator.integers(0, size, size) for size in groups)) for _ in range(n_bootstrap)]
    )[list(estimates)]
    centre = pd.Series(estimates, dtype=float)
    deviations = drawn - drawn.mean()
    tail = (1 - CONFIDENCE) / 2
    low, high = (centre + deviations.quantile(share) for share in (tail, 1 - tail))
    return pd.DataFrame({"low": low, "high": high}).clip(*bounds)
