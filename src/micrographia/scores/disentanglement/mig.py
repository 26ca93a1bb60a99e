"""Mutual information gap."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from micrographia.scores.association import association
from micrographia.scores.tables import Table


@dataclass(frozen=True)
class MIG:
    """Result of `mig`.

    Attributes
    ----------
    score : float
        Mean over the factors, in 0..1.
    per_factor : Series
        Gap of each factor, in 0..1; NaN where the factor is constant.
    per_latent : Series
        The association of each latent with its strongest factor, in 0..1.
    matrix : DataFrame
        ``(latents, factors)``: mutual information over the factor's entropy.
    settings : dict
        Estimator's settings.
    """

    score: float
    per_factor: pd.Series
    per_latent: pd.Series
    matrix: pd.DataFrame
    settings: dict[str, Any]


def mig(codes: Table, factors: Table, bins: int = 20) -> MIG:
    """Mutual information gap: how far each factor is told by one latent alone.

    For each factor, the difference between the two latents that tell most of it, as a share of the factor's entropy:
    ``mean_j (I_1 - I_2) / H_j`` (Chen et al., 2018, Isolating sources of disentanglement, equation 6).

    Parameters
    ----------
    codes
        Encoder means, shape ``(n, latents)``; n of 10,000 and more.
    factors
        Factor values, shape ``(n, factors)``; continuous ones are binned.
    bins
        Equal-width bins of each latent between its minimum and maximum.

    Returns
    -------
    MIG
        Score in 0..1, higher is better. Identity codes score near 1, independent or duplicated codes 0. A constant
        factor has no gap (NaN) and is left out of the mean; the score is NaN if all are constant.

    Notes
    -----
    Known failures. One outlier stretches the bins of its latent until all other codes share one. A factor with more
    values than bins stays below 1 even for ideal codes. A latent that encodes two factors is not penalised.

    Examples
    --------
    >>> factors = np.random.default_rng(0).integers(0, 5, (10_000, 3))
    >>> round(mig(factors, factors).score, 2)
    1.0
    """
    matrix = association(codes, factors, bins)
    # A lone latent has no rival: its gap is its whole information.
    ranked = np.sort(np.vstack([matrix.to_numpy(), np.zeros(matrix.shape[1])]), axis=0)
    per_factor = pd.Series(ranked[-1] - ranked[-2], index=matrix.columns).where(matrix.notna().all())
    settings = {"bins": bins, "estimator": "plug-in", "samples": len(codes)}
    return MIG(float(per_factor.mean()), per_factor, matrix.max(axis=1), matrix, settings)
