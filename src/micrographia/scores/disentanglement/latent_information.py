"""Mutual information of the latents with each other."""

import numpy as np
import pandas as pd

from micrographia.scores.association import mutual_information
from micrographia.scores.disentanglement.bootstrap import bootstrap_intervals
from micrographia.scores.disentanglement.result import Score, no_factors
from micrographia.scores.tables import Table, equal_width_bins, finite_column, named_table


def latent_information(codes: Table, bins: int = 20, n_bootstrap: int = 0, seed: int = 0) -> Score:
    """Mean mutual information of pairs of latents: how much one tells of another, however they are related.

    Plug-in mutual information of binned latents, averaged over all pairs (Locatello et al., 2019, Challenging common
    assumptions). It needs no factors.

    Parameters
    ----------
    codes
        Encoder means or samples, shape ``(n, latents)``; n of 10,000 and more.
    bins
        Equal-width bins of each latent between its minimum and maximum.
    n_bootstrap, seed
        Resamples for a confidence interval, 0 for none, and their seed.

    Returns
    -------
    Score
        Score in nats, 0 and more, lower is better. Independent latents score up to ``(bins - 1)^2 / 2n``, 0.018 nats at
        n = 10,000. One latent has no pair: NaN. ``per_latent``: mean over its pairs. ``matrix`` ``(latents, latents)``:
        mutual information, with each latent's entropy on the diagonal.

    Raises
    ------
    ValueError
        If codes are missing or not finite.

    Notes
    -----
    Known failures. One outlier stretches the bins of its latent until all other codes share one. Inactive latents of
    independent noise lower the mean.

    Examples
    --------
    >>> codes = np.random.default_rng(0).normal(size=(10_000, 2))
    >>> latent_information(codes).score < 0.02
    True
    """
    codes = named_table(codes, "z")
    binned = pd.DataFrame(
        {latent: equal_width_bins(finite_column(codes, latent), bins) for latent in codes}, index=codes.index
    )
    matrix = mutual_information(binned, binned, bins)
    others = matrix.to_numpy()[~np.eye(len(matrix), dtype=bool)].reshape(len(matrix), -1)
    alone = len(matrix) == 1
    per_latent = pd.Series(np.nan if alone else others.mean(axis=1), index=codes.columns, name="information")
    score = float(per_latent.mean())
    intervals = bootstrap_intervals(
        {"score": score},
        lambda rows: {"score": latent_information(codes.take(rows), bins).score},
        len(codes),
        n_bootstrap,
        seed,
        bounds=(0.0, np.inf),
    )
    return Score(
        score=score,
        per_factor=no_factors("information"),
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
        undefined="one latent has no pair" if alone else "",
    )
