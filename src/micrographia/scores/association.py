"""How much each latent tells of each factor: mutual information between binned codes and factor values."""

import numpy as np
import pandas as pd
from scipy.special import xlogy

from micrographia.scores.tables import Table, codes_and_factors, equal_width_bins, factor_values, finite_column


def entropy_of_counts(counts: np.ndarray) -> float:
    """Plug-in entropy, in nats, of a distribution given by counts.

    Examples
    --------
    >>> bool(np.isclose(entropy_of_counts(np.array([5, 5, 0])), np.log(2)))
    True
    """
    total = counts.sum()
    return float(np.log(total) - xlogy(counts, counts).sum() / total)


def factor_entropies(factors: Table, bins: int = 20) -> pd.Series:
    """Entropy of each factor in nats; 0 where it is constant."""
    _, factors = codes_and_factors(factors, factors)
    return pd.Series(
        {name: entropy_of_counts(np.bincount(values)) for name, values in factor_values(factors, bins).items()}
    )


def mutual_information(codes: Table, factors: Table, bins: int = 20) -> pd.DataFrame:
    """Mutual information of each latent and each factor.

    Parameters
    ----------
    codes
        Latent codes, shape ``(n, latents)``; each column is cut into ``bins`` equal-width parts between its own minimum
        and maximum.
    factors
        Factor values, shape ``(n, factors)``: any discrete values; continuous ones are binned as codes are.
    bins
        Number of bins of a latent.

    Returns
    -------
    DataFrame of shape ``(latents, factors)`` in nats, at least 0.

    Notes
    -----
    The plug-in estimate on counts, without correction: it lies about ``(bins - 1) (values - 1) / 2n`` nats too high for
    independent columns (Miller, 1955), 0.04 nats for a factor of 40 values at n = 10,000.
    """
    codes, factors = codes_and_factors(codes, factors)
    truth = {name: (values, int(values.max()) + 1) for name, values in factor_values(factors, bins).items()}
    entropy = {name: entropy_of_counts(np.bincount(values)) for name, (values, _) in truth.items()}
    matrix = np.empty((codes.shape[1], factors.shape[1]))
    for row, latent in enumerate(codes):
        binned = equal_width_bins(finite_column(codes, latent), bins)
        latent_entropy = entropy_of_counts(np.bincount(binned))
        for column, (name, (values, count)) in enumerate(truth.items()):
            joint = np.bincount(binned * count + values)
            matrix[row, column] = latent_entropy + entropy[name] - entropy_of_counts(joint)
    # Rounding can leave a zero at -1e-16.
    return pd.DataFrame(np.maximum(matrix, 0.0), index=codes.columns, columns=factors.columns)


def association(codes: Table, factors: Table, bins: int = 20) -> pd.DataFrame:
    """Share of each factor's entropy that each latent tells: mutual information over the factor's entropy.

    Parameters
    ----------
    codes, factors, bins
        As in `mutual_information`.

    Returns
    -------
    DataFrame of shape ``(latents, factors)`` in 0..1; NaN in the column of a constant factor. A latent with fewer bins
    than the factor has values cannot reach 1: 20 bins tell at most ``log 20 / log 40 = 0.81`` of 40 equally likely
    values.

    Examples
    --------
    >>> factors = pd.DataFrame({"Shape": [0, 0, 1, 1], "Scale": [0, 1, 0, 1]})
    >>> codes = pd.DataFrame({"z0": [0.1, 0.9, 0.1, 0.9]})
    >>> association(codes, factors)
        Shape  Scale
    z0    0.0    1.0
    """
    information = mutual_information(codes, factors, bins)
    entropies = factor_entropies(factors, bins)
    return (information / entropies.where(entropies > 0)).clip(upper=1.0)


def association_above_chance(codes: Table, factors: Table, bins: int = 20, seed: int = 0) -> pd.DataFrame:
    """Association beyond that of the same codes in random order: 0 at chance, 1 where the latent tells all.

    On few items, plug-in mutual information of independent columns is far from 0 for a factor of many values; names
    of latents must not be earned by that.

    Parameters
    ----------
    codes, factors, bins
        As in `mutual_information`.
    seed
        Of the random order.

    Returns
    -------
    DataFrame of shape ``(latents, factors)`` in 0..1; NaN in the column of a constant factor.

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> factors = pd.DataFrame({"Scale": generator.integers(0, 40, 500)})
    >>> codes = pd.DataFrame({"z0": generator.normal(size=500)})
    >>> bool(association(codes, factors).iloc[0, 0] > 0.1)
    True
    >>> bool(association_above_chance(codes, factors).iloc[0, 0] < 0.05)
    True
    """
    codes, factors = codes_and_factors(codes, factors)
    order = np.random.default_rng(seed).permutation(len(codes))
    found = association(codes, factors, bins)
    chance = association(codes.iloc[order].set_axis(codes.index), factors, bins)
    return ((found - chance) / (1 - chance)).clip(lower=0.0, upper=1.0)
