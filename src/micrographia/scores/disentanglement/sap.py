"""Separated attribute predictability."""

import numpy as np
import pandas as pd

from micrographia.scores.disentanglement.bootstrap import bootstrap_intervals
from micrographia.scores.disentanglement.mig import gap
from micrographia.scores.disentanglement.moments import standardised
from micrographia.scores.disentanglement.result import Score, named_parts
from micrographia.scores.tables import Table, codes_and_factors, factor_values, finite_column, require_least


def sap(
    codes: Table,
    factors: Table,
    continuous: bool = False,
    adjusted: bool = True,
    cells: int = 128,
    bins: int = 20,
    n_bootstrap: int = 0,
    seed: int = 0,
) -> Score:
    """Separated attribute predictability: how much better the best single latent predicts a factor than the next one.

    Each latent alone predicts each factor; a factor's score is the gap between its two best latents, and SAP the mean
    over the factors (Kumar et al., 2018, Variational inference of disentangled latent concepts, section 3). A discrete
    factor of K values is predicted by cutting the latent at up to K - 1 thresholds; the best thresholds are found
    exactly, by dynamic programming. A continuous one is predicted by a line.

    Parameters
    ----------
    codes
        Encoder means, shape ``(n, latents)``; n of 10,000 and more.
    factors
        Factor values, shape ``(n, factors)``; with ``continuous`` they must be numbers.
    continuous
        Whether factors are continuous: the entry of the matrix is then the squared correlation, else the balanced
        accuracy.
    adjusted
        Rescale balanced accuracy so that chance is 0: ``(accuracy - 1 / K) / (1 - 1 / K)``. The paper does not, so that
        its score of ideal codes is ``1 - 1 / K`` where the other latents predict at chance; the published score of a
        factor is this one times ``1 - 1 / K``.
    cells
        A latent with more distinct values is cut at this many of its quantiles only.
    bins
        Equal-width parts of a continuous factor that is treated as discrete.
    n_bootstrap, seed
        Resamples for a confidence interval, 0 for none, and their seed.

    Returns
    -------
    Score
        Score in 0..1, higher is better. Identity codes score near 1, independent or duplicated codes 0. A constant
        factor has no gap (NaN) and is left out of the mean. ``per_latent``: each latent's best prediction of a factor.
        ``matrix`` ``(latents, factors)``: how well each latent predicts each factor. ``intervals``: of the score, and
        of each factor's part.

    Raises
    ------
    ValueError
        If the tables differ in length or index, hold missing or infinite values, or ``continuous`` factors are text.

    Notes
    -----
    Known failures. A latent that encodes several factors is not penalised. Thresholds are fitted and scored on the same
    samples: few samples of many values raise all entries, and a value of one or two samples, which any latent can cut
    out, costs each gap about one over the number of values. Implementations that fit a
    linear classifier in place of thresholds cannot tell the inner values of an ordered factor apart, and score lower.

    Examples
    --------
    >>> factors = np.random.default_rng(0).integers(0, 5, (10_000, 3))
    >>> round(sap(factors, factors).score, 2)
    0.98
    >>> round(sap(factors, factors, adjusted=False).score, 2)
    0.79
    """
    require_least(1, cells=cells)
    codes, factors = codes_and_factors(codes, factors)
    if continuous:
        matrix, chance = squared_correlations(codes, factors), pd.Series(0.0, factors.columns)
    else:
        matrix, chance = threshold_accuracies(codes, factors, adjusted, cells, bins)
    per_factor = gap(matrix, chance).rename("sap")
    score = float(per_factor.mean())
    options = (continuous, adjusted, cells, bins)

    def resampled(rows: np.ndarray) -> dict[str, float]:
        result = sap(codes.take(rows), factors.take(rows), *options)
        return {"score": result.score, **named_parts(result.per_factor)}

    intervals = bootstrap_intervals(
        {"score": score, **named_parts(per_factor)}, resampled, len(codes), n_bootstrap, seed
    )
    settings = {"continuous": continuous, "samples": len(codes), "n_bootstrap": n_bootstrap, "seed": seed}
    return Score(
        score=score,
        per_factor=per_factor,
        per_latent=matrix.max(axis=1).rename("predictability"),
        matrix=matrix,
        settings=settings if continuous else {"adjusted": adjusted, "cells": cells, "bins": bins, **settings},
        intervals=intervals,
        undefined="" if per_factor.notna().any() else "all factors are constant",
    )


def squared_correlations(codes: pd.DataFrame, factors: pd.DataFrame) -> pd.DataFrame:
    """Share of each factor's variance that a line through each latent explains; 0 for constant latents."""
    truth = {factor: standardised(finite_column(factors, factor)) for factor in factors}
    matrix = np.zeros((codes.shape[1], factors.shape[1]))
    for row, latent in enumerate(codes):
        values = standardised(finite_column(codes, latent))
        matrix[row] = [(values @ target / len(values)) ** 2 for target in truth.values()]
    constant = [not target.any() for target in truth.values()]
    matrix[:, constant] = np.nan
    return pd.DataFrame(matrix.clip(max=1.0), index=codes.columns, columns=factors.columns)


def threshold_accuracies(
    codes: pd.DataFrame, factors: pd.DataFrame, adjusted: bool, cells: int, bins: int
) -> tuple[pd.DataFrame, pd.Series]:
    """Balanced accuracy of the best thresholds on each latent for each factor, NaN for constant factors; and chance."""
    truth = factor_values(factors, bins)
    chance = pd.Series({name: 0.0 if adjusted else 1 / (values.max() + 1) for name, values in truth.items()})
    cut = [cells_between_quantiles(finite_column(codes, latent), cells) for latent in codes]
    rows = max(int(cell.max()) for cell in cut) + 1
    matrix = pd.DataFrame(np.nan, index=codes.columns, columns=factors.columns)
    for factor, values in truth.items():
        classes = int(values.max()) + 1
        if classes == 1:
            continue
        counts = np.stack([np.bincount(cell * classes + values, minlength=rows * classes) for cell in cut])
        shares = counts.reshape(len(cut), rows, classes) / np.bincount(values) / classes
        accuracy = best_segmentation(shares, min(classes, rows))
        matrix[factor] = (accuracy - 1 / classes) / (1 - 1 / classes) if adjusted else accuracy
    # Rounding can leave a zero at -1e-16.
    return matrix.clip(lower=0.0, upper=1.0), chance


def cells_between_quantiles(values: np.ndarray, cells: int) -> np.ndarray:
    """Number of the cell that each value lies in, when the values' range is cut next to their quantiles.

    Equal values share a cell. Cuts are taken on both sides of a value that a quantile falls on, so that the result for
    the negated values is the same in reverse order.

    Examples
    --------
    >>> cells_between_quantiles(np.array([3.0, 1.0, 1.0, 7.0]), cells=10)
    array([1, 0, 0, 2])
    """
    ordered = np.sort(values)
    last = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(values) - 1)
    if len(last) > cells:
        quantiles = np.arange(1, cells) * len(values) / cells
        after = np.searchsorted(last + 1, quantiles)
        before = np.searchsorted(last + 1, quantiles, side="right") - 1
        last = last[np.unique(np.concatenate([before[before >= 0], after, [len(last) - 1]]))]
    return np.searchsorted(ordered[last[:-1]], values)


def best_segmentation(shares: np.ndarray, segments: int) -> np.ndarray:
    """Largest sum of shares when successive cells are joined to at most so many segments, each bearing one label.

    Parameters
    ----------
    shares
        Gain of giving each cell each label, shape ``(latents, cells, labels)``.
    segments
        Largest number of segments.

    Returns
    -------
    ndarray of shape ``(latents,)``.

    Examples
    --------
    >>> shares = np.array([[[0.2, 0.0], [0.0, 0.5], [0.3, 0.0]]])
    >>> best_segmentation(shares, 2), best_segmentation(shares, 3)
    (array([0.8]), array([1.]))
    """
    latents, cells, labels = shares.shape
    # best[:, s, k]: largest gain so far with the current cell in segment s, which bears label k.
    best = np.full((latents, segments, labels), -np.inf)
    best[:, 0] = 0.0
    for cell in range(cells):
        begun = best[:, :-1].max(axis=2, keepdims=True)
        np.maximum(best[:, 1:], begun, out=best[:, 1:])
        best += shares[:, cell, None]
    return best.max(axis=(1, 2))
