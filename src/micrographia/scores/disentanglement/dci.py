"""Disentanglement, completeness and informativeness, by the importances of predictors."""

from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import xlogy

from micrographia.scores.disentanglement.bootstrap import bootstrap_intervals
from micrographia.scores.disentanglement.held_out import train_and_test
from micrographia.scores.disentanglement.moments import standardised
from micrographia.scores.disentanglement.predictors import BoostedTrees, Booster, Lasso, Predictor, predictor
from micrographia.scores.tables import Table, codes_and_factors, factor_values, finite_column

DCI_SCORES = ("disentanglement", "completeness", "informativeness")


@dataclass(frozen=True)
class DCI:
    """Result of `dci`.

    Attributes
    ----------
    disentanglement, completeness, informativeness : float
        Each in 0..1.
    per_factor : DataFrame
        One row per factor: ``completeness``, ``informativeness`` on held-out samples and its ``chance``; NaN where the
        factor is constant.
    per_latent : DataFrame
        One row per latent: ``disentanglement`` and ``weight``, its share of all importance.
    matrix : DataFrame
        ``(latents, factors)``: importance of each latent in predicting each factor; columns add up to 1, or to 0 where
        nothing was learned.
    settings : dict
        The booster's and the estimator's settings.
    intervals : DataFrame or None
        Rows ``disentanglement``, ``completeness`` and ``informativeness`` with the columns ``low`` and ``high``, 95 %
        bootstrap intervals; None unless asked for.
    undefined : str
        Why the scores are NaN; empty where they are numbers.
    """

    disentanglement: float
    completeness: float
    informativeness: float
    per_factor: pd.DataFrame
    per_latent: pd.DataFrame
    matrix: pd.DataFrame
    settings: dict[str, Any]
    intervals: pd.DataFrame | None = None
    undefined: str = ""


def dci(
    codes: Table,
    factors: Table,
    booster: Booster = "lightgbm",
    trees: int | None = None,
    depth: int | None = None,
    learning_rate: float | None = None,
    train_fraction: float = 2 / 3,
    bins: int = 20,
    seed: int = 0,
    threads: int = 1,
    penalty: float | None = None,
    n_bootstrap: int = 0,
) -> DCI:
    """Disentanglement, completeness and informativeness: which latents a predictor of each factor uses.

    A predictor of each factor is trained on the codes. A latent is disentangled if it matters for one factor only, a
    factor completely encoded if one latent only matters for it, and the codes are informative if the prediction is
    right: ``D_i = 1 - H_K(P_i)`` weighted by the latents' shares of importance, ``C_j = 1 - H_D(P_j)`` averaged over
    the factors, accuracy on held-out samples (Eastwood & Williams, 2018, section 2).

    Parameters
    ----------
    codes
        Encoder means, shape ``(n, latents)``; n of 10,000 and more.
    factors
        Factor values, shape ``(n, factors)``, each predicted as classes; continuous ones are cut into ``bins``
        equal-width parts.
    booster
        ``lightgbm``: importance is the total gain of a latent's splits. ``sklearn_gbt``: scikit-learn's
        GradientBoostingClassifier, which the literature's numbers come from; slower by ten times and more.
        ``random_forest``: importance by impurity. ``lasso``: a line through the factor's numbers, not its classes;
        importance is the size of a standardised coefficient, informativeness the share of held-out variance explained.
    trees, depth, learning_rate, penalty
        Settings of the predictor, where it has them: rounds of boosting or trees of a forest (100), depth of a tree (3,
        forest 8), shrinkage (0.1), L1 penalty of the lasso (0.001).
    train_fraction
        Share of the samples that the predictors are trained on.
    seed
        Of the split into training and held-out samples, of the predictor, and of the resamples.
    bins
        Equal-width parts of a continuous factor.
    threads
        Threads of the predictor; the result does not depend on it.
    n_bootstrap
        Resamples for confidence intervals, 0 for none; each trains all predictors again.

    Returns
    -------
    DCI
        Each score in 0..1, higher is better. Identity codes score near 1. Independent codes: disentanglement and
        completeness near 0, informativeness at chance. A constant factor is left out. With one factor disentanglement,
        with one latent completeness, is 1 by definition.

    Raises
    ------
    ValueError
        If the tables differ in length or index, hold missing or infinite values, the booster is unknown or lacks a
        setting, a part of the split is empty, or the lasso's factors are text.

    Notes
    -----
    Known failures. A leaf of lightgbm's trees holds 20 samples at least: of a few dozen samples nothing is learned, and
    all scores are 0. Boosted trees on independent codes still split, so that the null value lies slightly above 0, and
    more so for few samples. The lasso's null value is far from 0 (0.15 at 10 latents and 5 factors, 0.3 at 6 and 4),
    since importances are shares of whatever little was learned. Duplicated latents share importance as the booster
    happens to choose.

    Examples
    --------
    >>> factors = np.random.default_rng(0).integers(0, 4, (1500, 2))
    >>> round(dci(factors.astype(float), factors, trees=10).disentanglement, 2)
    1.0
    """
    codes, factors = codes_and_factors(codes, factors)
    model = predictor(booster, trees=trees, depth=depth, learning_rate=learning_rate, penalty=penalty)
    # Centred in double precision: what is small beside a latent's mean is not lost in the predictors' single one.
    features = np.column_stack([standardised(finite_column(codes, latent)).astype(np.float32) for latent in codes])
    truth = {factor: finite_column(factors, factor) for factor in factors} if isinstance(model, Lasso) else None
    targets = truth or factor_values(factors, bins)
    train, test = train_and_test(len(codes), train_fraction, seed)

    matrix, per_factor, per_latent = parts(model, features, targets, train, test, codes.columns, seed, threads)
    scores = overall(matrix, per_factor, per_latent)
    intervals = bootstrap_intervals(
        scores,
        lambda *drawn: overall(
            *parts(model, features, targets, train[drawn[0]], test[drawn[1]], codes.columns, seed, threads)
        ),
        (len(train), len(test)),
        n_bootstrap,
        seed,
    )
    settings = {
        "booster": booster,
        "importance": model.importance,
        **asdict(model),
        "library": library(model),
        "train_fraction": train_fraction,
        "bins": bins,
        "samples": len(codes),
        "n_bootstrap": n_bootstrap,
        "seed": seed,
    }
    undefined = "" if per_factor["informativeness"].notna().any() else "all factors are constant"
    return DCI(
        **scores,
        per_factor=per_factor,
        per_latent=per_latent,
        matrix=matrix,
        settings=settings,
        intervals=intervals,
        undefined=undefined,
    )


def library(model: Predictor) -> str:
    """Name and version of the library that a predictor comes from."""
    name = "lightgbm" if isinstance(model, BoostedTrees) else "scikit-learn"
    return f"{name} {version(name)}"


def parts(
    model: Predictor,
    features: np.ndarray,
    targets: dict[Any, np.ndarray],
    train: np.ndarray,
    test: np.ndarray,
    latents: pd.Index,
    seed: int,
    threads: int,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Importance matrix, parts per factor and parts per latent of `DCI`."""
    matrix = pd.DataFrame(0.0, index=latents, columns=pd.Index(targets))
    rows = {}
    for factor, values in targets.items():
        if values[train].min() == values[train].max():
            rows[factor] = {"informativeness": np.nan, "chance": np.nan}
            continue
        importance, predicted = model.fit(features, values, train, test, seed, threads)
        matrix[factor] = importance / importance.sum() if importance.sum() > 0 else 0.0
        found = explained_variance if isinstance(model, Lasso) else accuracy
        rows[factor] = found(values[test], predicted)
    per_factor = pd.DataFrame.from_dict(rows, orient="index").reindex(matrix.columns)
    used = matrix.loc[:, per_factor["informativeness"].notna().to_numpy()]
    completeness = pd.Series(concentration(used.to_numpy().T), index=used.columns).reindex(matrix.columns)
    per_factor.insert(0, "completeness", completeness)
    total = used.to_numpy().sum()
    weight = used.sum(axis=1) / total if total > 0 else used.sum(axis=1)
    per_latent = pd.DataFrame({"disentanglement": concentration(used.to_numpy()), "weight": weight})
    return matrix, per_factor, per_latent


def overall(matrix: pd.DataFrame, per_factor: pd.DataFrame, per_latent: pd.DataFrame) -> dict[str, float]:
    """The three scores from their parts; NaN where all factors are constant."""
    defined = per_factor["informativeness"].notna().any()
    weighted = per_latent["disentanglement"] * per_latent["weight"]
    return {
        "disentanglement": float(weighted.sum()) if defined else float("nan"),
        "completeness": float(per_factor["completeness"].mean()),
        "informativeness": float(per_factor["informativeness"].mean()),
    }


def accuracy(values: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Share of the right predictions, and that of the most frequent value."""
    return {
        "informativeness": float((predicted == values).mean()),
        "chance": float(np.bincount(values).max() / len(values)),
    }


def explained_variance(values: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Share of the variance explained by predicted numbers, at least 0; chance is 0."""
    lost = ((values - predicted) ** 2).mean()
    return {"informativeness": float(max(1 - lost / values.var(), 0.0)) if values.var() > 0 else 0.0, "chance": 0.0}


def concentration(weights: np.ndarray) -> np.ndarray:
    """One minus the normalised entropy of each row: 1 for a row with one entry, 0 for equal entries or none.

    Examples
    --------
    >>> concentration(np.array([[3.0, 0.0], [1.0, 1.0], [0.0, 0.0]]))
    array([1., 0., 0.])
    """
    total = weights.sum(axis=1, keepdims=True)
    shares = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    entropy = -xlogy(shares, shares).sum(axis=1)
    if weights.shape[1] > 1:
        entropy = entropy / np.log(weights.shape[1])
    return np.where(total[:, 0] > 0, np.clip(1 - entropy, 0.0, 1.0), 0.0)
