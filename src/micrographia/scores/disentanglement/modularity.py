"""Modularity."""

import numpy as np
import pandas as pd

from micrographia.scores.association import mutual_information
from micrographia.scores.disentanglement.bootstrap import bootstrap_intervals
from micrographia.scores.disentanglement.result import Score
from micrographia.scores.tables import Table, codes_and_factors


def modularity(codes: Table, factors: Table, bins: int = 20, n_bootstrap: int = 0, seed: int = 0) -> Score:
    """Modularity: how far each latent tells of one factor alone.

    With mutual information ``m_if`` and its largest entry ``m_i`` of latent i, the latent's score is
    ``1 - sum_f m_if^2 / (m_i^2 (K - 1))``, the sum over all other factors; modularity is the mean over the latents
    (Ridgeway & Mozer, 2018, Learning deep disentangled embeddings with the F-statistic loss, section 2).

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
        Score in 0..1, higher is better. Identity codes score near 1. A latent that tells nothing, such as a constant
        one, has no score (NaN) and is left out; the score of constant codes is NaN. With one factor it is 1.
        ``per_factor``: mean over the latents that tell most of the factor, NaN without any. ``matrix``
        ``(latents, factors)``: mutual information in nats.

    Raises
    ------
    ValueError
        If the tables differ in length or index, or hold missing or infinite values.

    Notes
    -----
    Known failures. Independent codes have no null value: plug-in information is above 0 by chance, and more so for
    factors of many values, which a latent of pure noise therefore seems to be devoted to. Duplicated codes and factors
    that no latent encodes are not penalised. Information is not normalised by the factors' entropies.

    Examples
    --------
    >>> factors = np.random.default_rng(0).integers(0, 5, (10_000, 3))
    >>> round(modularity(factors, factors).score, 2)
    1.0
    """
    codes, factors = codes_and_factors(codes, factors)
    matrix = mutual_information(codes, factors, bins)
    per_latent = latent_modularity(matrix).rename("modularity")
    score = float(per_latent.mean())
    favourite = matrix.columns[matrix.to_numpy().argmax(axis=1)]
    intervals = bootstrap_intervals(
        {"score": score},
        lambda rows: {"score": modularity(codes.take(rows), factors.take(rows), bins).score},
        len(codes),
        n_bootstrap,
        seed,
    )
    return Score(
        score=score,
        per_factor=per_latent.groupby(favourite).mean().reindex(matrix.columns).rename("modularity"),
        per_latent=per_latent,
        matrix=matrix,
        settings={
            "bins": bins,
            "estimator": "plug-in",
            "samples": len(codes),
            "n_bootstrap": n_bootstrap,
            "seed": seed,
        },
        intervals=intervals,
        undefined="" if per_latent.notna().any() else "no latent tells anything of a factor",
    )


def latent_modularity(matrix: pd.DataFrame, negligible: float = 1e-9) -> pd.Series:
    """One minus the mean square of each row's entries relative to its largest, that one left out; NaN for zero rows.

    Examples
    --------
    >>> latent_modularity(pd.DataFrame({"Shape": [1.0, 1.0, 0.0], "Scale": [0.0, 0.5, 0.0]})).tolist()
    [1.0, 0.75, nan]
    """
    information = matrix.to_numpy()
    largest = information.max(axis=1)
    informed = largest > negligible
    relative = information[informed] / largest[informed, None]
    strays = ((relative**2).sum(axis=1) - 1) / max(matrix.shape[1] - 1, 1)
    values = np.full(len(matrix), np.nan)
    values[informed] = 1 - strays
    return pd.Series(values, index=matrix.index)
