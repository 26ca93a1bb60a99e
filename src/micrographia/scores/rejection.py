"""How unlike all known classes an item is, and how well such a score finds items of a class that nobody has seen."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.neighbors import NearestNeighbors

from micrographia.scores.disentanglement.bootstrap import bootstrap_intervals
from micrographia.scores.tables import finite_column, require_least

CONSTANT = 1e-9  # of a latent's largest size, below which its standard deviation is rounding
FLAT = 1e-10  # of the largest eigenvalue, below which a direction of the covariance is rounding
MEASURES = ("auroc", "fpr95", "kept", "rejected")


@dataclass(frozen=True)
class ClassGaussians:
    """One mean per class and one covariance for all, as Lee et al. 2018 fit them to a network's features.

    Attributes
    ----------
    means : DataFrame
        Mean code of each class, ``(classes, latents)``, in code units.
    deviations : Series
        Pooled standard deviation within the classes, per latent, in code units; 0 where it is constant within each.
    shrinkage : float
        Share of the identity in the pooled correlations, 0..1.
    whitening : DataFrame
        Shape ``(latents, directions)``: turns a difference of codes into one whose length is Mahalanobis' distance.

    References
    ----------
    Lee et al., A simple unified framework for detecting out-of-distribution samples and adversarial attacks, NeurIPS
    2018, equations 1 and 2.
    """

    means: pd.DataFrame
    deviations: pd.Series
    shrinkage: float
    whitening: pd.DataFrame

    @property
    def varied(self) -> list[str]:
        """Latents that vary within classes: others have no scale to judge a difference by."""
        return self.deviations.index[self.deviations > 0].tolist()

    def distances(self, codes: pd.DataFrame) -> pd.DataFrame:
        """Mahalanobis' distance of each row from each class mean, ``(n, classes)``, at least 0."""
        return euclidean(codes, self.means, self.whitening)

    def standardised_distances(self, codes: pd.DataFrame) -> pd.DataFrame:
        """Distance of each row from each class mean, each latent in its pooled deviation: ``(n, classes)``."""
        scale = 1 / self.deviations[self.varied]
        diagonal = pd.DataFrame(np.diag(scale), index=self.varied, columns=self.varied)
        return euclidean(codes, self.means, diagonal.reindex(self.means.columns, fill_value=0.0))


def fit_gaussians(codes: pd.DataFrame, classes: pd.Series, shrinkage: float | None = None) -> ClassGaussians:
    """Fit class means and a pooled, shrunk covariance.

    Each latent is divided by its pooled deviation; their correlations are then shrunk towards the identity. So the
    latents' own scales are kept, and change nothing. Directions without variance, which copies of a latent make
    where nothing is shrunk, are left out.

    Parameters
    ----------
    codes
        Named latents, ``(n, latents)``, of training rows.
    classes
        Class of each row, under the same index. A class of one row has a mean, and adds nothing to the covariance.
    shrinkage
        Share of the identity, 0..1; None estimates it (Ledoit and Wolf, 2004). With 0 the distances do not depend on
        the coordinates that codes are written in.

    Raises
    ------
    ValueError
        If there are no rows, the indices differ, or a value is infinite or missing.

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> classes = pd.Series(["round", "long"] * 500)
    >>> codes = pd.DataFrame({"Shape": 4.0 * (classes == "long") + generator.normal(size=1000), "z1": 0.0})
    >>> fitted = fit_gaussians(codes, classes)
    >>> fitted.varied
    ['Shape']
    >>> fitted.distances(pd.DataFrame({"Shape": [0.0], "z1": [9.0]})).round(0)
       long  round
    0   4.0    0.0
    """
    if not len(codes) or not codes.index.equals(classes.index):
        raise ValueError("expected codes and classes of the same rows, and at least one")
    values = np.stack([finite_column(codes, latent) for latent in codes], axis=1)
    table = pd.DataFrame(values, index=codes.index, columns=codes.columns)
    groups = table.groupby(classes.astype(str).to_numpy(), observed=True)
    means = groups.mean()
    residuals = (table - groups.transform("mean")).to_numpy()
    freedom = max(len(table) - len(means), 1)
    deviations = np.sqrt(np.square(residuals).sum(axis=0) / freedom)
    deviations[deviations <= CONSTANT * np.abs(values).max(axis=0)] = 0.0
    varied = deviations > 0
    scaled = residuals[:, varied] / deviations[varied]
    if shrinkage is None:
        shrinkage = float(ledoit_wolf_shrinkage(scaled, assume_centered=True)) if varied.any() else 0.0
    correlations = (1 - shrinkage) * scaled.T @ scaled / freedom + shrinkage * np.eye(varied.sum())
    sizes, directions = np.linalg.eigh(correlations)
    seen = sizes > FLAT * sizes.max(initial=0.0)
    whitening = np.zeros((len(varied), int(seen.sum())))
    whitening[varied] = directions[:, seen] / np.sqrt(sizes[seen]) / deviations[varied, None]
    return ClassGaussians(
        means, pd.Series(deviations, codes.columns), shrinkage, pd.DataFrame(whitening, index=codes.columns)
    )


def euclidean(codes: pd.DataFrame, means: pd.DataFrame, projection: pd.DataFrame) -> pd.DataFrame:
    """Distance of each row of ``codes`` from each of ``means`` after both were projected: ``(n, classes)``."""
    latents = list(projection.index)
    matrix = projection.to_numpy(np.float64)
    rows = codes[latents].to_numpy(np.float64) @ matrix
    columns = [np.linalg.norm(rows - mean, axis=1) for mean in means[latents].to_numpy(np.float64) @ matrix]
    return pd.DataFrame(np.stack(columns, axis=1), index=codes.index, columns=means.index)


def neighbour_distance(training: pd.DataFrame, codes: pd.DataFrame, neighbours: int = 10) -> pd.Series:
    """Distance of each row from its k-th nearest training row, every latent standardised on these.

    Sun et al. divide features by their length instead, which would drop how large a latent is.

    Parameters
    ----------
    training, codes
        The same named latents, ``(m, latents)`` and ``(n, latents)``; one that is constant in training is left out.
    neighbours
        k; all training rows where they are fewer.

    Returns
    -------
    Series under the index of ``codes``, at least 0, in standard deviations.

    Raises
    ------
    ValueError
        If there is no training row, k is below 1, or a value is infinite or missing.

    References
    ----------
    Sun et al., Out-of-distribution detection with deep nearest neighbors, ICML 2022, equation 1.

    Examples
    --------
    >>> training = pd.DataFrame({"Shape": [-1.0, 1.0], "z1": [5.0, 5.0]})
    >>> neighbour_distance(training, pd.DataFrame({"Shape": [3.0], "z1": [0.0]}), neighbours=1).tolist()
    [2.0]
    """
    require_least(1, neighbours=neighbours, rows=len(training))
    known = np.stack([finite_column(training, latent) for latent in training], axis=1)
    asked = np.stack([finite_column(codes, latent) for latent in training], axis=1)
    deviations = known.std(axis=0)
    varied = deviations > CONSTANT * np.abs(known).max(axis=0)
    if not varied.any():
        return pd.Series(0.0, index=codes.index)
    search = NearestNeighbors(n_neighbors=min(neighbours, len(known))).fit(known[:, varied] / deviations[varied])
    distances, _ = search.kneighbors(asked[:, varied] / deviations[varied])
    return pd.Series(distances[:, -1], index=codes.index)


def auroc(known: ArrayLike, left_out: ArrayLike) -> float:
    """Probability that a left-out item scores higher than a known one, ties counted half: 0..1, .5 at chance.

    Examples
    --------
    >>> auroc([1, 2, 3], [2, 4])
    0.75
    """
    inside, outside = np.asarray(known, float), np.asarray(left_out, float)
    ranks = rankdata(np.concatenate([inside, outside]))[len(inside) :]
    return float((ranks.sum() - len(outside) * (len(outside) + 1) / 2) / (len(inside) * len(outside)))


def least_threshold(known: ArrayLike, kept: float = 0.95) -> float:
    """Least of the known items' scores at which at least a share ``kept`` of them scores no higher.

    Examples
    --------
    >>> least_threshold(np.arange(1, 21), kept=0.95)
    19.0
    """
    return float(np.quantile(np.asarray(known, float), kept, method="inverted_cdf"))


def false_positive_rate(known: ArrayLike, left_out: ArrayLike, kept: float = 0.95) -> float:
    """Share of left-out items taken for known ones at the threshold that keeps a share ``kept`` of the known ones.

    With ``kept`` of .95 this is FPR at 95 % TPR, a known item being a positive: 0..1, low is good, .95 at chance.

    Examples
    --------
    >>> false_positive_rate(np.arange(1, 21), [18, 19, 20, 50], kept=0.95)
    0.5
    """
    return float(np.mean(np.asarray(left_out, float) <= least_threshold(known, kept)))


def rejection_measures(
    validation: ArrayLike,
    known: ArrayLike,
    left_out: ArrayLike,
    kept: float = 0.95,
    resamples: int = 200,
    seed: int = 0,
) -> dict[str, float]:
    """How well a score, high for what is unlike the known classes, finds a class that was left out.

    Parameters
    ----------
    validation
        Scores of known validation rows, on which the threshold of ``kept`` and ``rejected`` is chosen.
    known, left_out
        Scores of known test rows and of rows of the class that was left out.
    kept
        Share of the known validation rows that the threshold keeps, 0..1.
    resamples
        Bootstrap resamples of the known and the left-out test rows, as independent ones; 0 for no interval. The
        threshold stays: its own error is not in the intervals.
    seed
        Of the resamples.

    Returns
    -------
    dict
        ``auroc``, ``fpr95`` of the test rows; at the threshold of the validation rows the
        shares ``kept`` of the known test rows and ``rejected`` of the left-out ones; all in 0..1, with ``_low`` and
        ``_high`` of 95 % intervals. NaN where there are no rows to tell it from.
    """
    inside, outside = np.asarray(known, float), np.asarray(left_out, float)
    limit = least_threshold(validation, kept) if len(np.asarray(validation)) else np.nan

    def measures(some: NDArray[np.int64], others: NDArray[np.int64]) -> Mapping[str, float]:
        return {
            "auroc": auroc(inside[some], outside[others]),
            "fpr95": false_positive_rate(inside[some], outside[others]),
            "kept": float(np.mean(inside[some] <= limit)) if np.isfinite(limit) else np.nan,
            "rejected": float(np.mean(outside[others] > limit)) if np.isfinite(limit) else np.nan,
        }

    if not len(inside) or not len(outside):
        return {f"{name}{end}": np.nan for name in MEASURES for end in ("", "_low", "_high")}
    found = measures(np.arange(len(inside)), np.arange(len(outside)))
    intervals = bootstrap_intervals(found, measures, (len(inside), len(outside)), resamples, seed)
    row: dict[str, float] = {}
    for name in MEASURES:
        low, high = (float("nan"),) * 2 if intervals is None else map(float, intervals.loc[name].to_numpy(float))
        row |= {name: found[name], f"{name}_low": low, f"{name}_high": high}
    return row
