"""A probe fitted to training rows only, and scored on every part."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from sklearn.utils.class_weight import compute_sample_weight
from threadpoolctl import threadpool_limits

from micrographia.errors import UserError
from micrographia.probes.classifiers import Probe
from micrographia.probes.confusions import confusion_table, count_confusions, scores_of_counts
from micrographia.probes.importance import Importance, feature_importance

PARTS = ("train", "val", "test")
SCORES = ("accuracy", "balanced_accuracy", "macro_f1")


@dataclass(frozen=True)
class ProbeResult:
    """A fitted probe and its tables.

    Attributes
    ----------
    scores : DataFrame
        One row per part: ``part``, ``accuracy``, ``balanced_accuracy`` (mean recall of the classes that occur in the
        part), ``macro_f1`` (mean over the classes that occur or are predicted), each in 0..1, and ``n``. NaN for a
        part without rows.
    confusion : DataFrame
        Counts, one row per part and true class (``.loc["test"]`` is a part's matrix), one column per predicted class.
    importance : DataFrame
        One row per feature and kind: ``feature``, ``importance``, ``spread`` and ``kind``; see
        `micrographia.probes.importance.feature_importance`.
    predictions : DataFrame
        One row per item, under the features' index: ``part``, ``class``, ``predicted``.
    converged : bool
        False if fitting stopped at its most steps or iterations.
    pipeline : Pipeline
        The fitted classifier: from a float32 array of the features' columns in order to positions in ``classes``.
    features, classes : tuple of str
        Names of the columns, and of all classes in the order of the confusion matrix.
    """

    scores: pd.DataFrame
    confusion: pd.DataFrame
    importance: pd.DataFrame
    predictions: pd.DataFrame
    converged: bool
    pipeline: Pipeline
    features: tuple[str, ...]
    classes: tuple[str, ...]

    def probabilities(self, features: pd.DataFrame) -> pd.DataFrame:
        """Probability of each class for new items, ``(n, classes)``; 0 for a class that training rows do not have."""
        values = self.pipeline.predict_proba(float_matrix(features[list(self.features)]))
        known = [self.classes[position] for position in self.pipeline.classes_]
        table = pd.DataFrame(values, index=features.index, columns=known)
        return table.reindex(columns=list(self.classes), fill_value=0.0)


def fit_probe(
    probe: Probe,
    features: pd.DataFrame,
    classes: pd.Series,
    parts: pd.Series,
    order: Sequence[str] | None = None,
    importance: Sequence[Importance] = ("own", "permutation"),
    repeats: int = 10,
) -> ProbeResult:
    """Fit a probe, its scaling included, to the training rows, and score it on all parts.

    Parameters
    ----------
    probe
        Which classifier.
    features
        Named features, shape ``(n, features)``, one row per item.
    classes, parts
        Class name and part (train, val, test) of each item, under the same index.
    order
        Class names in the order of the confusion matrix; by default all that occur, sorted.
    importance
        Ways in which the features' importance is measured, all but a tree's own on VALIDATION rows; see
        `micrographia.probes.importance.feature_importance`. Permutation predicts ``features x repeats`` times: give
        no way for pixels.
    repeats
        Permutations per feature.

    Raises
    ------
    UserError
        If the training rows have fewer than two classes, a feature is not finite, or a class is not in ``order``.
    ValueError
        If the tables differ in their index.
    """
    if not (features.index.equals(classes.index) and features.index.equals(parts.index)):
        raise ValueError("features, classes and parts bear different indices")
    if not len(features.columns):
        raise ValueError("features has no columns")
    names = tuple(sorted(classes.unique())) if order is None else tuple(order)
    if strangers := sorted(set(classes) - set(names)):
        raise UserError(f"class {strangers[0]!r} occurs in the table, but is not one of the data set's classes.")
    matrix = float_matrix(features)
    labels = np.asarray(pd.Categorical(classes, categories=list(names)).codes, dtype=np.intp)
    rows = {part: np.flatnonzero(parts.to_numpy() == part) for part in PARTS}

    with threadpool_limits(limits=probe.threads):
        pipeline, converged = fit_pipeline(probe, matrix[rows["train"]], labels[rows["train"]])
        predicted = pipeline.predict(matrix)
        counts = {part: count_confusions(labels[row], predicted[row], len(names)) for part, row in rows.items()}
        held_out = matrix[rows["val"]], labels[rows["val"]]
        measured = feature_importance(
            probe, pipeline, list(features.columns), *held_out, len(names), repeats, importance
        )

    return ProbeResult(
        scores=pd.DataFrame([{"part": part, **scores_of_counts(counts[part])} for part in PARTS]),
        confusion=confusion_table(counts, names),
        importance=measured,
        predictions=pd.DataFrame({"part": parts, "class": classes, "predicted": np.array(names)[predicted]}),
        converged=converged,
        pipeline=pipeline,
        features=tuple(features.columns),
        classes=names,
    )


def fit_pipeline(probe: Probe, matrix: np.ndarray, labels: np.ndarray) -> tuple[Pipeline, bool]:
    """Classifier fitted to the given rows, and whether it converged."""
    if len(np.unique(labels)) < 2:
        raise UserError("the training part has fewer than two classes: a probe has nothing to tell apart.")
    pipeline = probe.build(*matrix.shape)
    weights = {}
    if probe.class_weight is not None:
        weights["classify__sample_weight"] = compute_sample_weight(probe.class_weight, labels)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        pipeline.fit(matrix, labels, **weights)
    others = [warning for warning in caught if not issubclass(warning.category, ConvergenceWarning)]
    for warning in others:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return pipeline, len(others) == len(caught)


def float_matrix(features: pd.DataFrame) -> np.ndarray:
    """Features as a float32 array.

    Raises
    ------
    UserError
        If a value is missing, infinite or too large for float32; the message names the feature.
    """
    with np.errstate(over="ignore"):
        matrix = features.to_numpy(dtype=np.float32)
    finite = np.isfinite(matrix).all(axis=0)
    if not finite.all():
        raise UserError(f"feature {features.columns[~finite][0]} has missing or infinite values.")
    return matrix
