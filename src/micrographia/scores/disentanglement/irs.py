"""Interventional robustness score."""

import numpy as np
import pandas as pd

from micrographia.scores.disentanglement.bootstrap import bootstrap_intervals
from micrographia.scores.disentanglement.result import ONE_FACTOR, Score
from micrographia.scores.disentanglement.sampler import Sampler, encoded, share_factor, varying
from micrographia.scores.tables import require_least


def irs(
    sampler: Sampler,
    references: int = 50,
    batch: int = 200,
    quantile: float = 0.99,
    n_bootstrap: int = 0,
    seed: int = 0,
) -> Score:
    """Interventional robustness: how little a latent moves under interventions on all factors but one.

    With factor j held at a reference value and the others drawn anew, latent i deviates from its mean by at most
    ``MPIDA``; ``EMPIDA_ij`` is the mean over reference values, and ``R_ij = 1 - EMPIDA_ij / EMPIDA_i``, whose divisor
    is the same with nothing held. A latent's score is its largest ``R_ij``, and IRS the mean over the latents, weighted
    by ``EMPIDA_i`` (Suter et al., 2019, Robustly disentangled causal mechanisms, section 4). The paper estimates these
    from recorded samples; here the interventions are made.

    Parameters
    ----------
    sampler
        Draws factors and encodes their images; ``(factors + 1) references batch`` of them.
    references
        Reference values of each factor, drawn at random.
    batch
        Images for each reference value.
    quantile
        The largest deviation is this quantile of a batch's deviations; 1 for the maximum, which noise governs.
    n_bootstrap, seed
        Resamples of the reference values for a confidence interval, 0 for none, and the seed of draws and resamples.

    Returns
    -------
    Score
        Score in 0..1, higher is better. Identity codes score 1, independent codes near 0. A constant latent has no
        score (NaN) and is left out; the score of constant codes is NaN, as is that of one factor alone, which
        holds everything. A constant factor is left out (NaN). ``per_factor``: the most robust latent's entry.
        ``matrix`` ``(latents, factors)``: R.

    Raises
    ------
    ValueError
        If codes are missing or not finite, or there are no references or fewer than two images for each.

    Notes
    -----
    Known failures. Deviations are those of single images, the paper's of expectations: what varies beside the factors
    (noise, debris, an encoder that samples) counts as a lack of robustness. Duplicated codes, and factors that no
    latent encodes, are not penalised. Latents are weighted by their range, so that it changes when one of them is
    rescaled (in proportion to another one's, not all alike).

    Examples
    --------
    >>> from micrographia.scores.disentanglement.sampler import DiscreteFactors
    >>> world = DiscreteFactors({"Shape": 3, "Scale": 6}, lambda values: values / 2.0)
    >>> irs(world).score
    1.0
    """
    require_least(1, references=references)
    require_least(2, batch=batch)
    generator = np.random.default_rng(seed)
    free = sampler.draw(references * batch, generator)
    codes, factors = encoded(sampler, free), varying(free)
    moved = largest_deviations(codes, references, quantile)
    held = np.stack(
        [
            largest_deviations(
                encoded(sampler, share_factor(sampler.draw(references * batch, generator), factor, batch)),
                references,
                quantile,
            )
            for factor in factors
        ]
    )

    robust, extent = robustness(moved, held)
    told_apart = len(factors) > 1
    score = weighted_best(robust, extent) if told_apart else float("nan")
    intervals = bootstrap_intervals(
        {"score": score},
        lambda of_moved, *of_held: {
            "score": weighted_best(
                *robustness(moved[of_moved], np.stack([part[rows] for part, rows in zip(held, of_held, strict=True)]))
            )
        },
        (references,) * (1 + len(held)),
        n_bootstrap,
        seed,
    )
    matrix = pd.DataFrame(robust, index=codes.columns, columns=factors).reindex(columns=free.columns)
    return Score(
        score=score,
        per_factor=matrix.max(axis=0).rename("robustness"),
        per_latent=matrix.max(axis=1).rename("robustness"),
        matrix=matrix,
        settings={
            "references": references,
            "batch": batch,
            "quantile": quantile,
            "n_bootstrap": n_bootstrap,
            "seed": seed,
        },
        intervals=intervals,
        undefined="all latents are constant" if not extent.any() else "" if told_apart else ONE_FACTOR,
    )


def largest_deviations(codes: pd.DataFrame, references: int, quantile: float) -> np.ndarray:
    """Quantile of the distances of each batch's codes from their mean, ``(references, latents)``."""
    batches = codes.to_numpy().reshape(references, -1, codes.shape[1])
    distances = np.abs(batches - batches.mean(axis=1, keepdims=True))
    # The mean of equal numbers can differ from them in the last digit.
    still = (batches == batches[:, :1]).all(axis=1, keepdims=True)
    distances = np.where(still, 0.0, distances)
    return np.quantile(distances, quantile, axis=1)


def robustness(moved: np.ndarray, held: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """R ``(latents, factors)``, NaN for constant latents, and EMPIDA with nothing held, ``(latents,)``."""
    extent = moved.mean(axis=0)
    ratio = np.divide(
        held.mean(axis=1).T, extent[:, None], out=np.full((len(extent), len(held)), np.nan), where=extent[:, None] > 0
    )
    return np.clip(1 - ratio, 0.0, 1.0), extent


def weighted_best(robust: np.ndarray, extent: np.ndarray) -> float:
    """Mean of each row's largest entry, weighted by extent; NaN where all extents are 0."""
    moving = extent > 0
    if not moving.any():
        return float("nan")
    return float(np.average(robust[moving].max(axis=1), weights=extent[moving]))
