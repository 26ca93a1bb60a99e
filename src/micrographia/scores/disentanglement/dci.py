"""Disentanglement, completeness and informativeness, by the importances of boosted trees."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.special import xlogy

from micrographia.scores.tables import Table, codes_and_factors, factor_values, finite_column

Booster = Literal["lightgbm", "sklearn_gbt"]


@dataclass(frozen=True)
class DCI:
    """Result of `dci`.

    Attributes
    ----------
    disentanglement, completeness, informativeness : float
        Each in 0..1.
    per_factor : DataFrame
        One row per factor: ``completeness``, ``informativeness`` (accuracy on held-out samples) and ``chance`` (share
        of the most frequent value); NaN where the factor is constant.
    per_latent : DataFrame
        One row per latent: ``disentanglement`` and ``weight``, its share of all importance.
    matrix : DataFrame
        ``(latents, factors)``: importance of each latent in predicting each factor; columns add up to 1, or to 0 where
        nothing was learned.
    settings : dict
        Estimator's settings.
    """

    disentanglement: float
    completeness: float
    informativeness: float
    per_factor: pd.DataFrame
    per_latent: pd.DataFrame
    matrix: pd.DataFrame
    settings: dict[str, Any]


def dci(
    codes: Table,
    factors: Table,
    booster: Booster = "lightgbm",
    trees: int = 100,
    depth: int = 3,
    learning_rate: float = 0.1,
    train_fraction: float = 2 / 3,
    bins: int = 20,
    seed: int = 0,
    threads: int = 1,
) -> DCI:
    """Disentanglement, completeness and informativeness: which latents a predictor of each factor uses.

    A classifier is trained to predict each factor from the codes. A latent is disentangled if it matters for one factor
    only, a factor completely encoded if one latent only matters for it, and the codes are informative if the prediction
    is right: ``D_i = 1 - H_K(P_i)`` weighted by the latents' shares of importance, ``C_j = 1 - H_D(P_j)`` averaged over
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
    trees, depth, learning_rate
        Rounds of boosting, depth of a tree, and shrinkage; the defaults are those of scikit-learn's class.
    train_fraction
        Share of the samples that the predictors are trained on.
    seed
        Of the split into training and held-out samples, and of the booster.
    threads
        Threads of lightgbm; the result does not depend on it.

    Returns
    -------
    DCI
        Each score in 0..1, higher is better. Identity codes score near 1. Independent codes: disentanglement and
        completeness near 0, informativeness at chance. A constant factor is left out. With one factor disentanglement,
        with one latent completeness, is 1 by definition.

    Notes
    -----
    Known failures. Boosted trees on independent codes still split, so that the null value lies slightly above 0, and
    more so for few samples. Duplicated latents share importance as the booster happens to choose.
    """
    codes, factors = codes_and_factors(codes, factors)
    if not 0 < train_fraction < 1:
        raise ValueError(f"train_fraction is a share strictly between 0 and 1, got {train_fraction}")
    features = np.column_stack([finite_column(codes, latent).astype(np.float32) for latent in codes])
    order = np.random.default_rng(seed).permutation(len(codes))
    train, test = np.split(order, [int(np.ceil(len(order) * train_fraction))])

    importance = pd.DataFrame(0.0, index=codes.columns, columns=factors.columns)
    rows = {}
    for factor, values in factor_values(factors, bins).items():
        if values.max() == 0 or len(np.unique(values[train])) < 2:
            rows[factor] = {"informativeness": np.nan, "chance": np.nan}
            continue
        fit = lightgbm_importance if booster == "lightgbm" else sklearn_importance
        gain, predicted = fit(features, values, train, test, trees, depth, learning_rate, seed, threads)
        importance[factor] = gain / gain.sum() if gain.sum() > 0 else 0.0
        rows[factor] = {
            "informativeness": float((predicted == values[test]).mean()),
            "chance": float(np.bincount(values[test]).max() / len(test)),
        }
    per_factor = pd.DataFrame.from_dict(rows, orient="index").reindex(factors.columns)
    used = importance.loc[:, per_factor["informativeness"].notna().to_numpy()]
    completeness = pd.Series(concentration(used.to_numpy().T), index=used.columns).reindex(factors.columns)
    per_factor.insert(0, "completeness", completeness)
    total = used.to_numpy().sum()
    weight = used.sum(axis=1) / total if total > 0 else used.sum(axis=1)
    per_latent = pd.DataFrame({"disentanglement": concentration(used.to_numpy()), "weight": weight})
    settings = {
        "booster": booster,
        "importance": "gain" if booster == "lightgbm" else "impurity",
        "trees": trees,
        "depth": depth,
        "learning_rate": learning_rate,
        "train_fraction": train_fraction,
        "bins": bins,
        "seed": seed,
        "samples": len(codes),
    }
    return DCI(
        disentanglement=float((per_latent["disentanglement"] * weight).sum()) if len(used.columns) else float("nan"),
        completeness=float(per_factor["completeness"].mean()),
        informativeness=float(per_factor["informativeness"].mean()),
        per_factor=per_factor,
        per_latent=per_latent,
        matrix=importance,
        settings=settings,
    )


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


def lightgbm_importance(
    features: np.ndarray,
    values: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    trees: int,
    depth: int,
    learning_rate: float,
    seed: int,
    threads: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Total gain of each feature, and predicted values of the test rows, by lightgbm's multiclass trees."""
    import lightgbm

    parameters = {
        "objective": "multiclass",
        "num_class": int(values.max()) + 1,
        "learning_rate": learning_rate,
        "max_depth": depth,
        "num_leaves": 2**depth,
        "max_bin": 63,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": threads,
        "verbose": -1,
    }
    data = lightgbm.Dataset(features[train], values[train], params={"verbose": -1})
    booster = lightgbm.train(parameters, data, trees)
    predicted = np.asarray(booster.predict(features[test], num_threads=threads)).argmax(axis=1)
    return booster.feature_importance("gain"), predicted


def sklearn_importance(
    features: np.ndarray,
    values: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    trees: int,
    depth: int,
    learning_rate: float,
    seed: int,
    threads: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean decrease of impurity by each feature, and predicted values of the test rows, by scikit-learn's boosting."""
    from sklearn.ensemble import GradientBoostingClassifier

    model = GradientBoostingClassifier(
        n_estimators=trees, max_depth=depth, learning_rate=learning_rate, random_state=seed
    )
    model.fit(features[train], values[train])
    return model.feature_importances_, model.predict(features[test])
