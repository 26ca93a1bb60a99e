"""Mutual information gap."""

import numpy as np
import pandas as pd

from micrographia.scores.association import association
from micrographia.scores.disentanglement.bootstrap import bootstrap_intervals
from micrographia.scores.disentanglement.result import Score, named_parts
from micrographia.scores.tables import Table, codes_and_factors


def mig(codes: Table, factors: Table, bins: int = 20, n_bootstrap: int = 0, seed: int = 0) -> Score:
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
    n_bootstrap, seed
        Resamples for a confidence interval, 0 for none, and their seed.

    Returns
    -------
    Score
        Score in 0..1, higher is better. Identity codes score near 1, independent or duplicated codes 0. A constant
        factor has no gap (NaN) and is left out of the mean; the score is NaN if all are constant. ``per_latent``: the
        association of each latent with its strongest factor. ``matrix`` ``(latents, factors)``: mutual information
        over the factor's entropy. ``intervals``: of the score, and of each factor's part.

    Raises
    ------
    ValueError
        If the tables differ in length or index, or hold missing or infinite values.

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
    codes, factors = codes_and_factors(codes, factors)
    matrix = association(codes, factors, bins)
    per_factor = gap(matrix).rename("mig")
    score = float(per_factor.mean())

    def resampled(rows: np.ndarray) -> dict[str, float]:
        result = mig(codes.take(rows), factors.take(rows), bins)
        return {"score": result.score, **named_parts(result.per_factor)}

    intervals = bootstrap_intervals(
        {"score": score, **named_parts(per_factor)},
        resampled,
        len(codes),
        n_bootstrap,
        seed,
    )
    return Score(
        score=score,
        per_factor=per_factor,
        per_latent=matrix.max(axis=1).rename("association"),
        matrix=matrix,
        settings={
            "bins": bins,
            "estimator": "plug-in",
            "samples": len(codes),
            "n_bootstrap": n_bootstrap,
            "seed": seed,
        },
        intervals=intervals,
        undefined="" if per_factor.notna().any() else "all factors are constant",
    )


def gap(matrix: pd.DataFrame, chance: pd.Series | float = 0.0) -> pd.Series:
    """Difference of the two largest entries of each column; NaN in a column with NaN.

    A lone latent has no rival: its gap is that to ``chance``, the least entry, of one number or one per column.

    Examples
    --------
    >>> gap(pd.DataFrame({"Shape": [0.1, 0.75, 0.25], "Scale": [0.5, 0.5, 0.0]})).tolist()
    [0.5, 0.0]
    """
    ranked = np.sort(np.vstack([matrix.to_numpy(), np.zeros(matrix.shape[1]) + chance]), axis=0)
    return pd.Series(ranked[-1] - ranked[-2], index=matrix.columns).where(matrix.notna().all())
