"""Overlap and multiple encoding score, by interventions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from micrographia.scores.tables import Table, named_table

Pairs = Mapping[str, tuple[Table, Table]]


@dataclass(frozen=True)
class OMES:
    """Result of `omes`.

    Attributes
    ----------
    score : float
        Mean over the factors, in 0..1.
    per_factor : DataFrame
        One row per factor: ``overlap``, ``multiple_encoding`` and their weighted mean ``omes``, each in 0..1.
    per_latent : DataFrame
        Overlap score of each active latent for each factor, ``(active latents, factors)``.
    matrix : DataFrame
        ``A``, ``(latents, factors)``: reaction of each latent to an intervention on each factor, in 0..1, NaN in the
        rows of inactive latents.
    settings : dict
        Estimator's settings, with the names of the latents that were dropped as ``inactive``.
    """

    score: float
    per_factor: pd.DataFrame
    per_latent: pd.DataFrame
    matrix: pd.DataFrame
    settings: dict[str, Any]


def omes(
    pairs: Pairs, alpha: float = 0.5, pooling: Literal["mean", "max"] = "mean", active_deviation: float = 0.05
) -> OMES:
    """Overlap and multiple encoding: how far each latent reacts to one factor, and each factor moves one latent.

    With ``A_ij = 1 - |pearson(x_i, y_i)|`` over the pairs (x, y) in which only factor j was redrawn: overlap
    ``OS_ij = 1 - mean_k |[k = j] - A_ik|`` and multiple encoding ``MES_ij = 1 - mean_d |[d = i] - A_dj|``, both pooled
    over the latents with weights A, mixed by ``alpha``, and averaged over the factors (Dapueto et al., 2024,
    Transferring disentangled representations, section 3).

    Parameters
    ----------
    pairs
        For each factor the codes before and after an intervention on it: two tables of shape ``(n, latents)`` whose
        rows belong together. The factor is redrawn uniformly and independently, REPEATS ALLOWED: leaving out the old
        value biases A, and identity codes would get ``1 - 1 / (values - 1)``.
    alpha
        Weight of the overlap in 0..1; multiple encoding has the rest.
    pooling
        ``mean`` weighted by A, or ``max`` over the latents of A times the score.
    active_deviation
        Latents whose codes, over all pairs, have a smaller standard deviation are inactive and dropped.

    Returns
    -------
    OMES
        Score in 0..1, higher is better. Identity codes score near 1, independent noise of D latents for K factors
        ``alpha / K + (1 - alpha) / D``; without an active latent the score is 0.

    Raises
    ------
    ValueError
        If there are no pairs, the tables differ in their latents, a pair's tables in their length, or a code is not
        finite.

    Notes
    -----
    Known failures. Pearson's correlation sees linear dependence only, and noise in a latent counts as a reaction to
    every factor. A cyclic or symmetric factor (orientation) cannot reach 1 even for ideal codes.

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> before = generator.integers(0, 6, (5_000, 2))
    >>> pairs = {}
    >>> for position, factor in enumerate(["Shape", "Scale"]):
    ...     after = before.copy()
    ...     after[:, position] = generator.integers(0, 6, 5_000)
    ...     pairs[factor] = (before, after)
    >>> omes(pairs).score > 0.97
    True
    """
    if not pairs:
        raise ValueError("omes needs the pairs of at least one factor")
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is a weight in 0..1, got {alpha}")
    tables = {factor: (named_table(x, "z"), named_table(y, "z")) for factor, (x, y) in pairs.items()}
    latents = next(iter(tables.values()))[0].columns
    for factor, (x, y) in tables.items():
        if not (x.columns.equals(latents) and y.columns.equals(latents) and len(x) == len(y)):
            raise ValueError(f"the pairs of factor {factor!r} differ in their latents or in their length")

    deviation = pooled_deviation(tables)
    if not np.isfinite(deviation).all():
        raise ValueError(f"the codes of latent {latents[~np.isfinite(deviation)][0]!r} hold infinite or missing values")
    active = latents[deviation >= active_deviation]
    matrix = pd.DataFrame(
        {factor: 1 - np.abs(correlation(x[active], y[active])) for factor, (x, y) in tables.items()}, index=active
    )
    settings = {
        "alpha": alpha,
        "pooling": pooling,
        "active_deviation": active_deviation,
        "pairs": {factor: len(x) for factor, (x, _) in tables.items()},
        "inactive": [str(latent) for latent in latents if latent not in active],
    }
    reaction = matrix.to_numpy()
    overlap, multiple = selectivity(reaction), selectivity(reaction.T).T
    parts = pd.DataFrame(
        {"overlap": pool(reaction, overlap, pooling), "multiple_encoding": pool(reaction, multiple, pooling)},
        index=matrix.columns,
    )
    parts["omes"] = alpha * parts["overlap"] + (1 - alpha) * parts["multiple_encoding"]
    per_latent = pd.DataFrame(overlap, index=active, columns=matrix.columns)
    return OMES(float(parts["omes"].mean()), parts, per_latent, matrix.reindex(latents), settings)


def pooled_deviation(tables: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]]) -> np.ndarray:
    """Standard deviation of each latent over the codes of all pairs, without joining the tables."""
    sides = [side.to_numpy() for pair in tables.values() for side in pair]
    counts = np.array([len(side) for side in sides], dtype=float)
    means = np.stack([side.mean(axis=0, dtype=np.float64) for side in sides])
    variances = np.stack([side.var(axis=0, dtype=np.float64) for side in sides])
    centre = np.average(means, axis=0, weights=counts)
    return np.sqrt(np.average(variances + (means - centre) ** 2, axis=0, weights=counts))


def correlation(x: pd.DataFrame, y: pd.DataFrame) -> np.ndarray:
    """Pearson's correlation of each column of ``x`` with its namesake in ``y``.

    A column that is constant on either side has correlation 1 where both sides are equal (the intervention changed
    nothing), else 0.
    """
    first, second = x.to_numpy(dtype=np.float64), y.to_numpy(dtype=np.float64)
    equal = (first == second).all(axis=0)
    # By comparison, since the mean of equal numbers can differ from them in the last digit.
    varying = (first != first[0]).any(axis=0) & (second != second[0]).any(axis=0)
    first, second = first - first.mean(axis=0), second - second.mean(axis=0)
    scale = np.sqrt((first**2).sum(axis=0) * (second**2).sum(axis=0))
    products = (first * second).sum(axis=0)
    result = np.divide(products, scale, out=np.zeros_like(scale), where=varying & (scale > 0))
    return np.where(equal, 1.0, np.clip(result, -1.0, 1.0))


def selectivity(reaction: np.ndarray) -> np.ndarray:
    """``1 - mean_k |[k = j] - A_ik|`` of each row i and column j: 1 where row i reacts fully to column j, to no other.

    Examples
    --------
    >>> selectivity(np.array([[1.0, 0.0], [1.0, 1.0]]))
    array([[1. , 0. ],
           [0.5, 0.5]])
    """
    columns = reaction.shape[1]
    if columns == 0:
        return reaction
    return 1 - (reaction.sum(axis=1, keepdims=True) - reaction + 1 - reaction) / columns


def pool(reaction: np.ndarray, scores: np.ndarray, pooling: Literal["mean", "max"]) -> np.ndarray:
    """One score per factor from the scores of the latents, weighted by their reaction; 0 where none reacts."""
    weighted = scores * reaction
    if pooling == "max":
        return weighted.max(axis=0, initial=0.0)
    total = reaction.sum(axis=0)
    return np.divide((reaction * weighted).sum(axis=0), total, out=np.zeros_like(total), where=total > 0)
