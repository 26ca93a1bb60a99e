"""Total correlation of the latents."""

import numpy as np
import pandas as pd

from micrographia.scores.disentanglement.bootstrap import bootstrap_intervals
from micrographia.scores.disentanglement.moments import covariance
from micrographia.scores.disentanglement.result import Score, no_factors
from micrographia.scores.tables import Table, named_table

# A smallest eigenvalue of a correlation matrix that is 0 but for rounding.
SINGULAR = 1e-12


def total_correlation(codes: Table, n_bootstrap: int = 0, seed: int = 0) -> Score:
    """Total correlation: how far the latents depend on each other, were they jointly normal.

    ``KL(N(mu, C) || prod_i N(mu_i, C_ii)) = -1/2 log det R`` with the codes' covariance C and correlation matrix R
    (Watanabe, 1960, Information theoretical analysis of multivariate correlation; as a score in Locatello et al., 2019,
    Challenging common assumptions). It needs no factors.

    Parameters
    ----------
    codes
        Encoder means or samples, shape ``(n, latents)``.
    n_bootstrap, seed
        Resamples for a confidence interval, 0 for none, and their seed.

    Returns
    -------
    Score
        Score in nats, 0 and more, lower is better. Independent latents score about ``D (D - 1) / 4n``, duplicated ones
        infinity. Affine maps of single latents change nothing. Constant latents are left out; without another one the
        score is NaN. ``per_latent``: what each latent tells of all others together, in nats. ``matrix``
        ``(latents, latents)``: their correlations.

    Raises
    ------
    ValueError
        If codes are missing or not finite.

    Notes
    -----
    Known failures. It sees linear dependence only. Low values do not mean disentangled: any rotation to principal
    components scores 0.

    Examples
    --------
    >>> codes = np.random.default_rng(0).normal(size=(5000, 2))
    >>> codes[:, 1] = 0.6 * codes[:, 0] + 0.8 * codes[:, 1]
    >>> round(total_correlation(codes).score, 2), round(-0.5 * np.log(1 - 0.6**2), 2)
    (0.22, np.float64(0.22))
    """
    codes = named_table(codes, "z")
    spread = covariance(codes).to_numpy()
    varying = np.array([codes[latent].min() < codes[latent].max() for latent in codes])
    deviation = np.sqrt(np.diag(spread))[varying]
    correlations = spread[np.ix_(varying, varying)] / np.outer(deviation, deviation)
    eigenvalues = np.linalg.eigvalsh(correlations)
    independent = varying.any() and eigenvalues.min() > SINGULAR

    per_latent = pd.Series(np.nan, index=codes.columns, name="information")
    if independent:
        per_latent[varying] = np.maximum(np.log(np.diag(np.linalg.inv(correlations))) / 2, 0.0)
    elif varying.any():
        per_latent[varying] = np.inf
    score = (
        float("nan")
        if not varying.any()
        else max(-float(np.log(eigenvalues).sum()) / 2, 0.0)
        if independent
        else float("inf")
    )
    names = codes.columns[varying]
    intervals = bootstrap_intervals(
        {"score": score},
        lambda rows: {"score": total_correlation(codes.take(rows)).score},
        len(codes),
        n_bootstrap,
        seed,
        bounds=(0.0, np.inf),
    )
    return Score(
        score=score,
        per_factor=no_factors("total correlation"),
        per_latent=per_latent,
        matrix=pd.DataFrame(correlations, index=names, columns=names).reindex(codes.columns, columns=codes.columns),
        settings={"estimator": "gaussian", "samples": len(codes), "n_bootstrap": n_bootstrap, "seed": seed},
        intervals=intervals,
        undefined="" if varying.any() else "all latents are constant",
    )
