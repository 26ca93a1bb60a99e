"""Unsupervised disentanglement ranking."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from micrographia.scores.disentanglement.bootstrap import bootstrap_intervals
from micrographia.scores.disentanglement.moments import covariance
from micrographia.scores.disentanglement.result import named_parts
from micrographia.scores.tables import Table, finite_column, named_table


@dataclass(frozen=True)
class UDR:
    """Result of `udr`.

    Attributes
    ----------
    score : float
        Mean over the models, in 0..1.
    per_model : Series
        Score of each model, by which models are ranked: the median over its pairs with the other ones.
    per_latent : Series
        For each latent of each model, index ``(model, latent)``, its one-to-one similarity with the latents of another
        model, averaged over these; NaN for uninformative latents.
    matrix : DataFrame
        ``(models, models)``: score of each pair; NaN on the diagonal.
    settings : dict
        Estimator's settings, with the ``uninformative`` latents of each model.
    intervals : DataFrame or None
        Row ``score`` and one per model with the columns ``low`` and ``high``, 95 % bootstrap intervals; None unless
        asked for.
    """

    score: float
    per_model: pd.Series
    per_latent: pd.Series
    matrix: pd.DataFrame
    settings: dict[str, Any]
    intervals: pd.DataFrame | None = None


def udr(
    models: Mapping[str, Table],
    divergences: Mapping[str, pd.Series | np.ndarray] | None = None,
    informative_divergence: float = 0.01,
    active_deviation: float = 0.05,
    n_bootstrap: int = 0,
    seed: int = 0,
) -> UDR:
    """Unsupervised disentanglement ranking: how far models that differ in their seed agree on the same latents.

    With the absolute rank correlation ``R_ab`` of latent a of one model and b of the other, over informative latents,
    the score of a pair is ``(sum_b r_b^2 / sum_a R_ab + sum_a r_a^2 / sum_b R_ab) / (d_1 + d_2)``, where r is the
    largest entry of a row or column and d the number of informative latents; a model's score is the median over its
    pairs (Duan et al., 2020, Unsupervised model selection for variational disentangled representation learning;
    its variant UDR_S). It needs no factors.

    Parameters
    ----------
    models
        For each model, trained alike with another seed, its codes of the SAME images, shape ``(n, latents)``.
    divergences
        For each model, each latent's mean divergence from the prior in nats, ``(latents,)``: latents above
        ``informative_divergence`` are informative, as in the paper. If not given, those whose codes have a standard
        deviation of ``active_deviation`` and more.
    informative_divergence
        Least mean divergence from the prior of an informative latent, in nats.
    active_deviation
        Least standard deviation of the codes of an informative latent, where there are no divergences.
    n_bootstrap, seed
        Resamples of the images for confidence intervals, 0 for none, and their seed.

    Returns
    -------
    UDR
        Scores in 0..1, higher is better. Models with the same latents in another order, and otherwise transformed
        monotonically, score near 1, independent ones near 0. A pair without informative latents scores 0.

    Raises
    ------
    ValueError
        If there are fewer than two models, they encode different numbers of images, or codes are not finite.

    Notes
    -----
    Known failures. A latent that a model holds twice counts half, in both models of a pair. Models that fail alike
    agree: one that encodes one factor only, in one latent, scores 1. Latents that are related but not monotonically
    count as unrelated.

    Examples
    --------
    >>> codes = np.random.default_rng(0).normal(size=(2000, 3))
    >>> round(udr({"seed 0": codes, "seed 1": -codes[:, ::-1], "seed 2": codes**3}).score, 2)
    0.96
    """
    if len(models) < 2:
        raise ValueError(f"udr compares models, of which it needs two and more, got {len(models)}")
    tables = {name: named_table(codes, "z") for name, codes in models.items()}
    if len({len(table) for table in tables.values()}) > 1:
        raise ValueError(f"models encode different numbers of images: { {n: len(t) for n, t in tables.items()} }")
    informative = {
        name: (np.sqrt(np.diag(covariance(table))) >= active_deviation)
        if divergences is None
        else latents_of(divergences, name, table) > informative_divergence
        for name, table in tables.items()
    }
    ranks = {name: standardised_ranks(table, informative[name]) for name, table in tables.items()}
    matrix, shares = agreement(ranks)
    per_model = median_of_others(matrix)
    score = float(per_model.mean())

    def resampled(rows: np.ndarray) -> dict[str, float]:
        drawn = {name: standardised_ranks(table.take(rows), informative[name]) for name, table in tables.items()}
        found = median_of_others(agreement(drawn)[0])
        return {"score": float(found.mean()), **named_parts(found)}

    count = len(next(iter(tables.values())))
    per_latent = {
        (name, latent): share
        for name, table in tables.items()
        for latent, share in pd.Series(shares[name], index=table.columns[informative[name]])
        .reindex(table.columns)
        .items()
    }
    threshold = (
        {"active_deviation": active_deviation}
        if divergences is None
        else {"informative_divergence": informative_divergence}
    )
    settings = {
        "similarity": "absolute Spearman correlation",
        **threshold,
        "uninformative": {name: [str(z) for z in tables[name].columns[~mask]] for name, mask in informative.items()},
        "samples": count,
        "n_bootstrap": n_bootstrap,
        "seed": seed,
    }
    return UDR(
        score=score,
        per_model=per_model,
        per_latent=pd.Series(per_latent, name="similarity").rename_axis(["model", "latent"]),
        matrix=matrix,
        settings=settings,
        intervals=bootstrap_intervals({"score": score, **named_parts(per_model)}, resampled, count, n_bootstrap, seed),
    )


def latents_of(divergences: Mapping[str, pd.Series | np.ndarray], name: str, table: pd.DataFrame) -> np.ndarray:
    """Divergences of a model's latents in the order of its codes' columns.

    Raises
    ------
    ValueError
        If they are not of these latents.
    """
    if name not in divergences:
        raise ValueError(f"divergences: none of model {name!r}")
    given = divergences[name]
    if isinstance(given, pd.Series) and set(given.index) == set(table.columns):
        given = given[table.columns]
    elif isinstance(given, pd.Series) or len(given) != table.shape[1]:
        raise ValueError(f"divergences of model {name!r} are not those of its latents, {list(table.columns)}")
    return np.asarray(given, dtype=float)


def standardised_ranks(table: pd.DataFrame, chosen: np.ndarray) -> np.ndarray:
    """Ranks of some columns with mean 0 and length 1, single precision; zeros for constant ones."""
    ranks = np.zeros((len(table), int(chosen.sum())), np.float32)
    for position, latent in enumerate(table.columns[chosen]):
        ranked = rankdata(finite_column(table, latent))
        ranked -= ranked.mean()
        length = np.linalg.norm(ranked)
        if length > 0:
            ranks[:, position] = ranked / length
    return ranks


def agreement(ranks: Mapping[str, np.ndarray]) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Score of each pair of models, NaN on the diagonal, and each latent's mean part in those of its model."""
    names = list(ranks)
    matrix = pd.DataFrame(np.nan, index=names, columns=names)
    shares: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for first, second in combinations(names, 2):
        similarity = np.abs(ranks[first].T @ ranks[second]).astype(float).clip(max=1.0)
        rows, columns = relative_strength(similarity), relative_strength(similarity.T)
        informative = len(rows) + len(columns)
        score = (rows.sum() + columns.sum()) / informative if informative else 0.0
        matrix.loc[first, second] = matrix.loc[second, first] = score
        shares[first].append(rows)
        shares[second].append(columns)
    return matrix, {name: np.mean(parts, axis=0) for name, parts in shares.items()}


def relative_strength(similarity: np.ndarray) -> np.ndarray:
    """Each row's largest entry, times its share of the row: 1 for a row of one entry that is 1.

    Examples
    --------
    >>> relative_strength(np.array([[1.0, 0.0], [0.5, 0.5]]))
    array([1.  , 0.25])
    """
    largest = similarity.max(axis=1, initial=0.0)
    total = similarity.sum(axis=1)
    return np.divide(largest**2, total, out=np.zeros_like(total), where=total > 0)


def median_of_others(matrix: pd.DataFrame) -> pd.Series:
    """Median of each model's pairs."""
    return matrix.median(axis=1).rename("udr")
