"""How much a fitted probe relies on each feature, measured in ways that can be compared between probes."""

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from micrographia.errors import UserError, needing
from micrographia.probes.classifiers import Probe
from micrographia.probes.confusions import count_confusions, scores_of_counts

Importance = Literal["own", "permutation", "shap"]

COLUMNS = ("feature", "importance", "spread", "kind")
EXPLAINED_ROWS = 100  # whose Shapley values are estimated where the probe is no tree
BACKGROUND_ROWS = 50  # from which a feature that is taken away gets its values
WALKS = 4  # random orders of the features, each there and back


def feature_importance(
    probe: Probe,
    pipeline: Pipeline,
    features: Sequence[str],
    matrix: NDArray,
    labels: NDArray,
    classes: int,
    repeats: int,
    wanted: Sequence[Importance] = ("own", "permutation"),
) -> pd.DataFrame:
    """Importance of each feature to a fitted probe, in each way that is wanted and that the probe has.

    Parameters
    ----------
    matrix, labels
        VALIDATION rows: float32 ``(n, features)``, and positions of their classes.
    classes
        How many classes there are.
    repeats
        Permutations per feature.
    wanted
        ``own``: of trees their share of the total gain (or impurity), which adds up to 1 and favours features of many
        values; other probes have none. ``permutation``: by how much balanced accuracy falls when the feature's values
        are permuted, mean and standard deviation over ``repeats``; low for each of two features that tell the same.
        ``shap``: share of the mean size of Shapley values, over rows and classes; of lightgbm's trees exact, in log
        odds, of other probes estimated on at most `EXPLAINED_ROWS` rows, in probability.

    Returns
    -------
    DataFrame
        A row per feature and kind: ``feature``, ``importance``, ``spread`` (NaN where there are no repeats) and
        ``kind``: gain, impurity, permutation or shap.

    Raises
    ------
    UserError
        If there are no validation rows, or a package is missing.

    References
    ----------
    Breiman, Random forests, 2001, section 10 (permutation); Lundberg and Lee, A unified approach to interpreting model
    predictions, NeurIPS 2017; Lundberg et al., From local explanations to global understanding with explainable AI for
    trees, 2020.
    """
    if not len(labels) and set(wanted) - {"own"}:
        raise UserError("the validation part is empty: importance by permutation needs it.")
    tables = []
    for measure in wanted:
        spread = np.full(len(features), np.nan)
        if measure == "own":
            if probe.importance is None:
                continue
            kind: str = probe.importance
            values = shares(np.asarray(pipeline["classify"].feature_importances_, dtype=float))
        elif measure == "permutation":
            kind = measure
            falls = permutation_falls(pipeline, matrix, labels, classes, repeats, probe.seed)
            values, spread = falls.mean(axis=1), falls.std(axis=1)
        else:
            kind = measure
            values = shares(shapley_sizes(probe, pipeline, matrix))
        tables.append(pd.DataFrame({"feature": features, "importance": values, "spread": spread, "kind": kind}))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(COLUMNS))


def shares(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Numbers of at least 0 as parts of their sum; as they are where all are 0."""
    return values / values.sum() if values.sum() > 0 else values


def shapley_sizes(probe: Probe, pipeline: Pipeline, matrix: NDArray) -> NDArray[np.float64]:
    """Mean size of each feature's Shapley values, over rows and classes: ``(features,)``, at least 0."""
    shap = require_shap()
    if probe.importance == "gain":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that of two classes it tells of both
            found = shap.TreeExplainer(pipeline["classify"]).shap_values(matrix)
        values = np.stack(found, axis=-1) if isinstance(found, list) else np.asarray(found)
    else:
        generator = np.random.default_rng(probe.seed)
        rows, background = (
            matrix[generator.permutation(len(matrix))[:count]] for count in (EXPLAINED_ROWS, BACKGROUND_ROWS)
        )
        masker = shap.maskers.Independent(background, max_samples=len(background))
        explainer = shap.explainers.Permutation(pipeline.predict_proba, masker, seed=probe.seed)
        budget = WALKS * (2 * matrix.shape[1] + 1)
        values = np.asarray(explainer(rows, max_evals=budget, silent=True).values)
    return np.abs(values.reshape(*values.shape[:2], -1)).mean(axis=(0, 2))


def require_shap() -> Any:
    """The package shap.

    Raises
    ------
    UserError
        If it is not installed.
    """
    with needing("importance by shap", "shap"):
        import shap
    return shap


def permutation_falls(
    pipeline: Pipeline, matrix: np.ndarray, labels: np.ndarray, classes: int, repeats: int, seed: int
) -> np.ndarray:
    """Fall of balanced accuracy when one feature is permuted: ``(features, repeats)``, all repeats of one at once."""
    generator = np.random.default_rng(seed)

    def score(predicted: np.ndarray) -> float:
        return scores_of_counts(count_confusions(labels, predicted, classes))["balanced_accuracy"]

    intact = score(pipeline.predict(matrix))
    falls = np.empty((matrix.shape[1], repeats))
    spoiled = np.tile(matrix, (repeats, 1))
    for feature in range(matrix.shape[1]):
        kept = spoiled[:, feature].copy()
        spoiled[:, feature] = generator.permuted(kept.reshape(repeats, -1), axis=1).ravel()
        predicted = pipeline.predict(spoiled).reshape(repeats, -1)
        falls[feature] = [intact - score(row) for row in predicted]
        spoiled[:, feature] = kept
    return falls
