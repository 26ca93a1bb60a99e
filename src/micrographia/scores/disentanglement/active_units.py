"""Number of active latents."""

import numpy as np
import pandas as pd

from micrographia.scores.disentanglement.bootstrap import bootstrap_intervals
from micrographia.scores.disentanglement.moments import covariance
from micrographia.scores.disentanglement.result import Score, no_factors
from micrographia.scores.tables import Table, named_table


def active_units(codes: Table, variance: float = 0.01, n_bootstrap: int = 0, seed: int = 0) -> Score:
    """Active units: how many latents respond to the image at all.

    The number of latents whose encoder mean varies over the images by more than a threshold, ``Var_x(E_q[z_i]) > 0.01``
    (Burda et al., 2016, Importance weighted autoencoders).

    Parameters
    ----------
    codes
        Encoder means, not samples, shape ``(n, latents)``.
    variance
        Variance above which a latent is active; the prior's is 1.
    n_bootstrap, seed
        Resamples for a confidence interval, 0 for none, and their seed.

    Returns
    -------
    Score
        Score from 0 to the number of latents; neither direction is better in itself. ``per_latent``: variances.
        ``matrix`` ``(latents, latents)``: covariances.

    Raises
    ------
    ValueError
        If codes are missing or not finite.

    Notes
    -----
    Known failure. The threshold has the unit of the codes: it means something for codes with a standard normal prior.

    Examples
    --------
    >>> codes = np.random.default_rng(0).normal(size=(1000, 4)) * [1.0, 0.5, 0.05, 0.0]
    >>> active_units(codes).score
    2.0
    """
    codes = named_table(codes, "z")
    matrix = covariance(codes)
    per_latent = pd.Series(np.diag(matrix), index=codes.columns, name="variance")
    score = float((per_latent > variance).sum())
    intervals = bootstrap_intervals(
        {"score": score},
        lambda rows: {"score": active_units(codes.take(rows), variance).score},
        len(codes),
        n_bootstrap,
        seed,
        bounds=(0.0, float(len(per_latent))),
    )
    settings = {"variance": variance, "samples": len(codes), "n_bootstrap": n_bootstrap, "seed": seed}
    return Score(score, no_factors("active"), per_latent, matrix, settings, intervals)
