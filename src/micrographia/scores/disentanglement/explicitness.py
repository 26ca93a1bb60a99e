"""Explicitness."""

from typing import cast

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from threadpoolctl import threadpool_limits

from micrographia.scores.disentanglement.bootstrap import bootstrap_intervals
from micrographia.scores.disentanglement.held_out import train_and_test
from micrographia.scores.disentanglement.moments import covariance, standardised
from micrographia.scores.disentanglement.result import Score, named_parts
from micrographia.scores.tables import Table, codes_and_factors, factor_values, finite_column

# Directions of the standardised codes with a smaller share of the largest variance are copies of other latents.
NEGLIGIBLE = 1e-6


def explicitness(
    codes: Table,
    factors: Table,
    one_versus_rest: bool = False,
    train_fraction: float = 2 / 3,
    strength: float = 1.0,
    bins: int = 20,
    n_bootstrap: int = 0,
    seed: int = 0,
) -> Score:
    """Explicitness: how well a logistic regression on all latents recovers each factor.

    For each value of a factor the area under the ROC curve of recognising it among held-out samples, averaged over the
    values, then over the factors (Ridgeway & Mozer, 2018, Learning deep disentangled embeddings with the F-statistic
    loss, section 2). One softmax regression is trained for all values of a factor; the paper trains one logistic
    regression for each (``one_versus_rest``), which cannot tell the inner values of an ordered factor apart, even from
    ideal codes.

    Parameters
    ----------
    codes
        Encoder means, shape ``(n, latents)``; n of 10,000 and more. They are whitened, so that no invertible linear map
        of the codes changes the result.
    factors
        Factor values, shape ``(n, factors)``, each predicted as classes; continuous ones are cut into ``bins``
        equal-width parts.
    one_versus_rest
        Train a regression for each value, as the paper does, in place of one for all values.
    bins
        Equal-width parts of a continuous factor.
    train_fraction
        Share of the samples that the regression is trained on.
    strength
        Inverse strength of the ridge penalty (scikit-learn's ``C``).
    n_bootstrap, seed
        Resamples for a confidence interval (each fits all regressions again), 0 for none, and the seed of resamples and
        of the split.

    Returns
    -------
    Score
        Score in 0..1, higher is better: chance is 0.5, identity codes score near 1. A rotation changes nothing. A
        constant factor is left out (NaN). ``per_latent``: length of each latent's weights over all values and factors,
        per standard deviation of the latent. ``matrix`` ``(latents, factors)``: the same for each factor.
        ``intervals``: of the score, and of each factor's part.

    Raises
    ------
    ValueError
        If the tables differ in length or index, hold missing or infinite values, or a part of the split is empty.

    Notes
    -----
    Known failures. It measures what can be read out linearly and no disentanglement. A cyclic factor that is encoded by
    its angle is recovered worse at the seam.

    Examples
    --------
    >>> factors = np.random.default_rng(0).integers(0, 4, (1500, 2))
    >>> round(explicitness(factors, factors).score, 2)
    1.0
    """
    codes, factors = codes_and_factors(codes, factors)
    truth = factor_values(factors, bins)
    features, unmixing = whitened(codes)
    train, test = train_and_test(len(codes), train_fraction, seed)

    def areas(train: np.ndarray, test: np.ndarray) -> tuple[pd.Series, pd.DataFrame]:
        found = dict.fromkeys(truth, np.nan)
        matrix = pd.DataFrame(np.nan, index=codes.columns, columns=factors.columns)
        for factor, values in truth.items():
            if len(np.unique(values[train])) < 2 or len(np.unique(values[test])) < 2:
                continue
            regress = regressions_of_values if one_versus_rest else softmax_regression
            # These matrices are small: threads of linear algebra wait for each other, and round in another order.
            with threadpool_limits(1, user_api="blas"):
                scores, weights = regress(features, values, train, test, strength)
            found[factor] = roc_areas(scores, values[test]).mean()
            matrix[factor] = np.linalg.norm(unmixing @ weights, axis=1)
        return pd.Series(found, name="explicitness"), matrix

    per_factor, matrix = areas(train, test)
    score = float(per_factor.mean())

    def resampled(*drawn: np.ndarray) -> dict[str, float]:
        found, _ = areas(train[drawn[0]], test[drawn[1]])
        return {"score": float(found.mean()), **named_parts(found)}

    estimates = {"score": score, **named_parts(per_factor)}
    intervals = bootstrap_intervals(estimates, resampled, (len(train), len(test)), n_bootstrap, seed)
    settings = {
        "classifier": "logistic regression of each value" if one_versus_rest else "softmax regression",
        "one_versus_rest": one_versus_rest,
        "strength": strength,
        "train_fraction": train_fraction,
        "bins": bins,
        "samples": len(codes),
        "n_bootstrap": n_bootstrap,
        "seed": seed,
    }
    per_latent = pd.Series(np.sqrt((matrix**2).sum(axis=1)), name="weight")
    undefined = ""
    if per_factor.isna().all():
        constant = all(values.max() == 0 for values in truth.values())
        undefined = "all factors are constant" if constant else "no factor has two values in training and held-out part"
    return Score(score, per_factor, per_latent, matrix, settings, intervals, undefined)


def whitened(codes: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Codes with uncorrelated columns of variance 1, and the matrix that makes them of the standardised codes.

    Returns
    -------
    Columns ``(n, r)`` in single precision, and ``(latents, r)``; r is the number of linearly independent latents. A
    column of zeros where all latents are constant.
    """
    features = np.empty(codes.shape, np.float32)
    for column, latent in enumerate(codes):
        features[:, column] = standardised(finite_column(codes, latent))
    variances, directions = np.linalg.eigh(covariance(pd.DataFrame(features, copy=False)))
    kept = variances > NEGLIGIBLE * max(variances.max(), 1.0)
    if not kept.any():
        return np.zeros((len(codes), 1), np.float32), np.zeros((codes.shape[1], 1), np.float32)
    unmixing = directions[:, kept] / np.sqrt(variances[kept])
    return features @ unmixing.astype(np.float32), unmixing


def softmax_regression(
    features: np.ndarray, values: np.ndarray, train: np.ndarray, test: np.ndarray, strength: float
) -> tuple[np.ndarray, np.ndarray]:
    """Probability of each value for the test rows, ``(test, values)``, and the weights, ``(features, values)``."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, tol=1e-3, max_iter=500)
    model.fit(features[train], values[train])
    probabilities = np.zeros((len(test), int(values.max()) + 1), np.float32)
    probabilities[:, model.classes_] = model.predict_proba(features[test])
    return probabilities, cast(np.ndarray, model.coef_).T


def regressions_of_values(
    features: np.ndarray, values: np.ndarray, train: np.ndarray, test: np.ndarray, strength: float
) -> tuple[np.ndarray, np.ndarray]:
    """Log odds of each value against all others for the test rows, ``(test, values)``, and the weights likewise."""
    from sklearn.linear_model import LogisticRegression

    count = int(values.max()) + 1
    odds, weights = np.full((len(test), count), -np.inf, np.float32), np.zeros((features.shape[1], count))
    for value in np.unique(values[train]):
        model = LogisticRegression(C=strength, tol=1e-3, max_iter=500)
        model.fit(features[train], values[train] == value)
        odds[:, value] = model.decision_function(features[test])
        weights[:, value] = model.coef_[0]
    return odds, weights


def roc_areas(scores: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of each value against all others, from the ranks of its probabilities or odds.

    Only values that some rows bear and others do not have one.

    Examples
    --------
    >>> roc_areas(np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]), np.array([0, 1, 1]))
    array([1., 1.])
    """
    counts = np.bincount(values, minlength=scores.shape[1])
    present = np.flatnonzero((counts > 0) & (counts < len(values)))
    ranks = rankdata(scores[:, present], axis=0)
    positive = counts[present]
    total = np.where(values[:, None] == present, ranks, 0.0).sum(axis=0)
    return (total - positive * (positive + 1) / 2) / (positive * (len(values) - positive))
