"""Which measured feature each latent follows: four correlations, with intervals and a correction for many tests."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import pdist, squareform
from scipy.stats import f as f_distribution
from scipy.stats import false_discovery_control, rankdata
from scipy.stats import t as t_distribution

from micrographia.scores.association import association_above_chance
from micrographia.scores.naming import name_latents

LEAST_ROWS = 10  # with both numbers, below which nothing is said
DISTANCE_ROWS = 500  # rows of a distance correlation, whose matrices grow with their square


@dataclass(frozen=True)
class Correlations:
    """Settings of the table.

    Attributes
    ----------
    resamples : int
        Bootstrap resamples behind each interval.
    confidence : float
        Share of the resamples between its ends.
    seed : int
        Of the resamples, of the rows of distance correlations, and of the order that chance is estimated in.
    """

    resamples: int = 200
    confidence: float = 0.95
    seed: int = 0

    def table(
        self,
        codes: pd.DataFrame,
        features: pd.DataFrame,
        periods: Mapping[str, float] | None = None,
        groups: ArrayLike | None = None,
    ) -> pd.DataFrame:
        """Each latent beside each feature.

        Parameters
        ----------
        codes, features
            A row per image, ``(n, latents)`` and ``(n, features)``; NaN where a feature was not measured.
        periods
            Period of each feature that is an angle, in its units. Its correlation is that of the latent with the plane
            of its cosine and sine, without a sign (Mardia 1976; of ranks of the latent for Spearman's).
        groups
            Group of each row (well, field) that is resampled as a whole; None resamples rows.

        Returns
        -------
        DataFrame with a row per pair: ``latent``, ``feature``, ``n``; ``pearson`` and ``spearman`` with ``_low`` and
        ``_high`` (percentile intervals; of Spearman's by the ranks of the whole sample); ``distance``, bias-corrected,
        of at most `DISTANCE_ROWS` rows; ``information``, mutual information as a share of the feature's entropy, above
        chance; ``p`` of Spearman's, for independent rows, and ``q``, the same corrected for all pairs (Benjamini and
        Hochberg). NaN where fewer than `LEAST_ROWS` rows have both or one of the two is constant.

        References
        ----------
        Szekely and Rizzo, The distance correlation t-test of independence in high dimension, 2013; Benjamini and
        Hochberg, Controlling the false discovery rate, 1995; Mardia, Linear-circular correlation coefficients and
        rhythmometry, 1976.
        """
        periods = periods or {}
        rows = []
        for feature in features:
            values = features[feature].to_numpy(np.float64)
            there = np.isfinite(values)
            of_group = None if groups is None else np.asarray(groups)[there]
            rows.extend(self.of_feature(codes[there], feature, values[there], periods.get(str(feature)), of_group))
        table = pd.DataFrame(rows)
        tested = table["p"].notna()
        table["q"] = np.nan
        if tested.any():
            table.loc[tested, "q"] = false_discovery_control(table.loc[tested, "p"])
        return table

    def of_feature(
        self, codes: pd.DataFrame, feature: object, values: NDArray, period: float | None, groups: NDArray | None
    ) -> list[dict[str, object]]:
        """Rows of the table of one feature."""
        target = values[:, None] if period is None else on_circle(values, period)
        ranks = rankdata(values)[:, None] if period is None else target
        known = len(values) >= LEAST_ROWS and bool((np.ptp(target, axis=0) > 0).all())
        draws = self.draws(len(values), groups) if known else []
        chosen = np.random.default_rng(self.seed).permutation(len(values))[:DISTANCE_ROWS]
        varying = [latent for latent in codes if known and np.ptp(codes[latent].to_numpy(np.float64)) > 0]
        told = information(codes[varying], values, period, self.seed) if varying else {}
        rows = []
        for latent in codes:
            code = codes[latent].to_numpy(np.float64)
            row: dict[str, object] = {"latent": latent, "feature": feature, "n": len(values)}
            if latent in varying:
                code_ranks = rankdata(code)
                for name, one, other in (("pearson", code, target), ("spearman", code_ranks, ranks)):
                    found = [correlation(one[draw], other[draw]) for draw in draws]
                    ends = (1 - self.confidence) / 2, (1 + self.confidence) / 2
                    low, high = np.nanquantile(found, ends) if found else (np.nan, np.nan)
                    row |= {name: correlation(one, other), f"{name}_low": low, f"{name}_high": high}
                row["distance"] = distance_correlation(code[chosen], target[chosen])
                row["information"] = told[latent]
                row["p"] = p_value(correlation(code_ranks, ranks), len(values), target.shape[1])
            else:
                columns = [name + end for name in ("pearson", "spearman") for end in ("", "_low", "_high")]
                row |= dict.fromkeys([*columns, "distance", "information", "p"], np.nan)
            rows.append(row)
        return rows

    def draws(self, count: int, groups: NDArray | None) -> list[NDArray[np.int64]]:
        """Rows of each resample."""
        generator = np.random.default_rng(self.seed)
        if groups is None:
            return [generator.integers(0, count, count) for _ in range(self.resamples)]
        members = [np.flatnonzero(groups == group) for group in pd.unique(groups)]
        return [
            np.concatenate([members[number] for number in generator.integers(0, len(members), len(members))])
            for _ in range(self.resamples)
        ]


def suggested_names(table: pd.DataFrame, strength: float = 0.5) -> pd.DataFrame:
    """The feature that each latent may be called after: one to one, by the strongest rank correlations.

    Parameters
    ----------
    table
        Of `Correlations.table`.
    strength
        Least size of Spearman's correlation; its interval must lie on one side of 0, and ``q`` below 0.05.

    Returns
    -------
    DataFrame with a row per latent: ``latent``, ``name`` (the feature's, else ``z`` and its position), ``factor`` (the
    feature it follows most), ``strength`` (size of that correlation), ``named``, as `name_latents` has them, and
    ``spearman``, signed, with its interval.

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> codes = pd.DataFrame(generator.normal(size=(200, 2)), columns=["z0", "z1"])
    >>> features = pd.DataFrame({"area": -codes["z1"] + generator.normal(0, 0.2, 200)})
    >>> suggested_names(Correlations().table(codes, features))[["latent", "name", "named"]]
      latent  name  named
    0     z0    z0  False
    1     z1  area   True
    """
    sure = (table["spearman_low"] * table["spearman_high"] > 0) & (table["q"] < 0.05)
    earned = table.assign(size=table["spearman"].abs().where(sure, 0.0))
    matrix = earned.pivot(index="latent", columns="feature", values="size")
    matrix = matrix.reindex(index=table["latent"].unique(), columns=table["feature"].unique())
    names = name_latents(matrix, strength)
    shown = table.set_index(["latent", "feature"])[["spearman", "spearman_low", "spearman_high"]]
    keys = pd.MultiIndex.from_frame(names[["latent", "factor"]], names=["latent", "feature"])
    return names.join(shown.reindex(keys).reset_index(drop=True))


def on_circle(angles: NDArray, period: float) -> NDArray[np.float64]:
    """Cosine and sine of angles, ``(n, 2)``."""
    turned = 2 * np.pi * angles / period
    return np.stack([np.cos(turned), np.sin(turned)], axis=1)


def correlation(one: NDArray, other: NDArray) -> float:
    """Correlation of numbers ``(n,)`` with numbers ``(n, 1)``, signed, or with a plane ``(n, 2)``, 0..1."""
    first = one - one.mean()
    second = other - other.mean(axis=0)
    size = first @ first
    spread = np.square(second).sum(axis=0)
    if not size or not spread.all():
        return np.nan
    each = (first @ second) / np.sqrt(size * spread)
    if other.shape[1] == 1:
        return float(each[0])
    between = (second[:, 0] @ second[:, 1]) / np.sqrt(spread.prod())
    if between**2 > 1 - 1e-12:  # all angles on one line
        return float(np.abs(each[0]))
    square = (each[0] ** 2 + each[1] ** 2 - 2 * each[0] * each[1] * between) / (1 - between**2)
    return float(np.sqrt(np.clip(square, 0, 1)))


def p_value(found: float, count: int, dimensions: int) -> float:
    """Probability of a correlation of this size without any, for independent rows: t test, or F test of a plane."""
    left = max(1 - found**2, 1e-300)
    if dimensions == 1:
        return float(2 * t_distribution.sf(abs(found) * np.sqrt((count - 2) / left), count - 2))
    return float(f_distribution.sf(found**2 / 2 / (left / (count - 3)), 2, count - 3))


def distance_correlation(one: NDArray, other: NDArray) -> float:
    """Distance correlation, bias-corrected, 0..1; 0 in expectation of what is independent.

    Parameters
    ----------
    one, other
        ``(n,)`` and ``(n, d)``.

    Examples
    --------
    >>> numbers = np.random.default_rng(0).normal(size=300)
    >>> round(distance_correlation(numbers, 2 - 3 * numbers[:, None]), 3)
    1.0
    """
    first, second = (u_centred(squareform(pdist(values))) for values in (one[:, None], other))
    sizes = np.sqrt((first * first).sum() * (second * second).sum())
    return float(np.sqrt(np.clip((first * second).sum() / sizes, 0, 1))) if sizes else np.nan


def u_centred(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances without the means of rows and columns, as Szekely and Rizzo 2013 centre them."""
    count = len(distances)
    rows = distances.sum(axis=0) / (count - 2)
    centred = distances - rows[:, None] - rows[None] + distances.sum() / ((count - 1) * (count - 2))
    np.fill_diagonal(centred, 0.0)
    return centred


def information(codes: pd.DataFrame, values: NDArray, period: float | None, seed: int) -> dict[Hashable, float]:
    """Mutual information of each latent and a feature as a share of the feature's entropy, above chance, 0..1."""
    folded = pd.DataFrame({"feature": values if period is None else values % period}, index=codes.index)
    return association_above_chance(codes, folded, seed=seed)["feature"].to_dict()
