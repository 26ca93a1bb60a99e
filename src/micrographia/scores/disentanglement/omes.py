"""Overlap and multiple encoding score, by interventions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from micrographia.scores.disentanglement.bootstrap import bootstrap_intervals
from micrographia.scores.disentanglement.result import named_parts
from micrographia.scores.disentanglement.sampler import Sampler, pairs_by_intervention
from micrographia.scores.tables import NotFiniteError, Table, named_table, require_least

Pairs = Mapping[str, tuple[Table, Table]]


@dataclass(frozen=True)
class OMES:
    """Result of `omes`.

    Attributes
    ----------
    score : float
        Mean over the factors, in 0..1.
    per_factor : Series
        Score of each factor: the weighted mean of ``overlap`` and ``multiple_encoding``.
    overlap, multiple_encoding : Series
        The two parts of each factor, in 0..1.
    per_latent : Series
        Overlap of each latent, pooled over the factors; NaN for inactive latents.
    matrix : DataFrame
        ``A``, ``(latents, factors)``: reaction of each latent to an intervention on each factor, in 0..1, NaN in the
        rows of inactive latents.
    settings : dict
        Estimator's settings, with the names of the latents that were dropped as ``inactive``.
    intervals : DataFrame or None
        Rows ``score`` and each factor's with the columns ``low`` and ``high``, 95 % bootstrap intervals; None unless
        asked for.
    """

    score: float
    per_factor: pd.Series
    overlap: pd.Series
    multiple_encoding: pd.Series
    per_latent: pd.Series
    matrix: pd.DataFrame
    settings: dict[str, Any]
    intervals: pd.DataFrame | None = None


def omes(
    source: Sampler | Pairs,
    alpha: float = 0.5,
    pooling: Literal["mean", "max"] = "mean",
    active_deviation: float = 0.05,
    samples: int = 10_000,
    n_bootstrap: int = 0,
    seed: int = 0,
) -> OMES:
    """Overlap and multiple encoding: how far each latent reacts to one factor, and each factor moves one latent.

    With ``A_ij = 1 - |pearson(x_i, y_i)|`` over the pairs (x, y) in which only factor j was redrawn: overlap
    ``OS_ij = 1 - mean_k |[k = j] - A_ik|`` and multiple encoding ``MES_ij = 1 - mean_d |[d = i] - A_dj|``, both pooled
    over the latents with weights A, mixed by ``alpha``, and averaged over the factors (Dapueto et al., 2024,
    Transferring disentangled representations, section 3).

    Parameters
    ----------
    source
        A sampler that draws factors and encodes their images, or for each factor the codes before and after an
        intervention on it: two tables of shape ``(n, latents)`` whose rows belong together. The factor is redrawn
        uniformly and independently, REPEATS ALLOWED: leaving out the old value biases A, and identity codes would get
        ``1 - 1 / (values - 1)``.
    alpha
        Weight of the overlap in 0..1; multiple encoding has the rest.
    pooling
        ``mean`` weighted by A, or ``max`` over the latents of A times the score.
    active_deviation
        Latents whose codes, over all pairs, have a smaller standard deviation are inactive and dropped.
    samples
        Pairs per factor that are drawn from a sampler.
    n_bootstrap, seed
        Resamples of each factor's pairs for a confidence interval, 0 for none, and the seed of draws and resamples.

    Returns
    -------
    OMES
        Score in 0..1, higher is better. Identity codes score near 1, independent noise of D latents for K factors
        ``alpha / K + (1 - alpha) / D``; without an active latent the score is 0. A sampler's constant factors are left
        out; among stored pairs a factor that never changed counts as one that no latent encodes.

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
    >>> from micrographia.scores.disentanglement.sampler import DiscreteFactors
    >>> world = DiscreteFactors({"Shape": 3, "Scale": 6}, lambda values: values / 2.0)
    >>> omes(world).score > 0.97
    True
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is a weight in 0..1, got {alpha}")
    require_least(2, samples=samples)
    if isinstance(source, Mapping):
        pairs: Pairs = source
    else:
        pairs = pairs_by_intervention(source, samples, np.random.default_rng(seed))
    tables = checked_pairs(pairs)
    latents = next(iter(tables.values()))[0].columns

    active = latents[pooled_deviation(tables) >= active_deviation]
    matrix = pd.DataFrame(
        {factor: 1 - np.abs(correlation(x, y, active)) for factor, (x, y) in tables.items()}, index=active
    )
    reaction = matrix.to_numpy()
    overlap = pool(reaction, selectivity(reaction), pooling)
    multiple = pool(reaction, selectivity(reaction.T).T, pooling)
    per_factor = pd.Series(alpha * overlap + (1 - alpha) * multiple, index=matrix.columns, name="omes")
    per_latent = pd.Series(pool(reaction.T, selectivity(reaction).T, pooling), index=active, name="overlap")
    score = float(per_factor.mean())

    def resampled(*rows: np.ndarray) -> dict[str, float]:
        drawn = {name: (x.take(r), y.take(r)) for (name, (x, y)), r in zip(tables.items(), rows, strict=True)}
        result = omes(drawn, alpha, pooling, active_deviation)
        return {"score": result.score, **named_parts(result.per_factor)}

    estimates = {"score": score, **named_parts(per_factor)}
    sizes = {factor: len(x) for factor, (x, _) in tables.items()}
    settings = {
        "alpha": alpha,
        "pooling": pooling,
        "active_deviation": active_deviation,
        "pairs": sizes,
        "inactive": [str(latent) for latent in latents if latent not in active],
        "n_bootstrap": n_bootstrap,
        "seed": seed,
    }
    return OMES(
        score=score,
        per_factor=per_factor,
        overlap=pd.Series(overlap, index=matrix.columns, name="overlap"),
        multiple_encoding=pd.Series(multiple, index=matrix.columns, name="multiple encoding"),
        per_latent=per_latent.reindex(latents),
        matrix=matrix.reindex(latents),
        settings=settings,
        intervals=bootstrap_intervals(estimates, resampled, tuple(sizes.values()), n_bootstrap, seed),
    )


def checked_pairs(pairs: Pairs) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """Pairs as named tables that all bear the same latents."""
    if not pairs:
        raise ValueError("omes needs the pairs of at least one factor")
    tables = {factor: (named_table(x, "z"), named_table(y, "z")) for factor, (x, y) in pairs.items()}
    latents = next(iter(tables.values()))[0].columns
    for factor, (x, y) in tables.items():
        if not (x.columns.equals(latents) and y.columns.equals(latents) and len(x) == len(y)):
            raise ValueError(f"the pairs of factor {factor!r} differ in their latents or in their length")
    return tables


def pooled_deviation(tables: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]]) -> np.ndarray:
    """Standard deviation of each latent over the codes of all pairs, column by column and without joining the tables.

    Raises
    ------
    ValueError
        If a code is infinite or missing.
    """
    sides = [side for pair in tables.values() for side in pair]
    counts = np.array([len(side) for side in sides], dtype=float)
    moments = np.array([[column_moments(side, latent) for latent in side] for side in sides])
    means, variances = moments[..., 0], moments[..., 1]
    centre = np.average(means, axis=0, weights=counts)
    return np.sqrt(np.average(variances + (means - centre) ** 2, axis=0, weights=counts))


def column_moments(table: pd.DataFrame, latent: Any) -> tuple[float, float]:
    """Mean and variance of a column, in double precision."""
    values = table[latent].to_numpy(dtype=np.float64)
    mean, variance = float(values.mean()), float(values.var())
    if not np.isfinite(variance):
        raise NotFiniteError(f"the codes of latent {latent!r} hold infinite or missing values")
    return mean, variance


def correlation(x: pd.DataFrame, y: pd.DataFrame, latents: pd.Index) -> np.ndarray:
    """Pearson's correlation of some columns of ``x`` with their namesakes in ``y``, column by column.

    A column that is constant on either side has correlation 1 where both sides are equal (the intervention changed
    nothing), else 0.
    """
    result = np.zeros(len(latents))
    for position, latent in enumerate(latents):
        first, second = x[latent].to_numpy(dtype=np.float64), y[latent].to_numpy(dtype=np.float64)
        if (first == second).all():
            result[position] = 1.0
        # By comparison, since the mean of equal numbers can differ from them in the last digit.
        elif first.min() < first.max() and second.min() < second.max():
            first, second = first - first.mean(), second - second.mean()
            scale = np.sqrt((first @ first) * (second @ second))
            result[position] = np.clip(first @ second / scale, -1.0, 1.0) if scale > 0 else 0.0
    return result


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
