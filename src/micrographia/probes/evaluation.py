"""A probe fitted to training rows only, and scored on every part."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from sklearn.utils.class_weight import compute_sample_weight
from threadpoolctl import threadpool_limits

from micrographia.errors import UserError
from micrographia.probes.classifiers import Probe

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
        One row per feature: ``feature``, ``importance``, ``spread`` and ``kind``; see `fit_probe`.
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
    importance: bool = True,
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
        Measure the features' importance: of trees, their share of the total gain (or impurity), which adds up to 1;
        of other probes, by how much balanced accuracy on VALIDATION rows falls when the feature's values are
        permuted (Breiman, 2001), mean and standard deviation over ``repeats``. The latter predicts
        ``features x repeats`` times: switch it off for pixels.
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
        measured = pd.DataFrame(columns=["feature", "importance", "spread", "kind"])
        if importance:
            validation = matrix[rows["val"]], labels[rows["val"]]
            measured = feature_importance(probe, pipeline, list(features.columns), *validation, len(names), repeats)

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


def count_confusions(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts of predicted classes (columns) for each true class (rows), both given as integers.

    Examples
    --------
    >>> count_confusions(np.array([0, 0, 1]), np.array([0, 1, 1]), classes=2)
    array([[1, 1],
           [0, 1]])
    """
    return np.bincount(truth * classes + predicted, minlength=classes**2).reshape(classes, classes)


def confusion_table(counts: Mapping[str, np.ndarray], classes: Sequence[str]) -> pd.DataFrame:
    """Confusion matrices of the parts below each other, a row under ``part`` and true ``class``.

    Examples
    --------
    >>> table = confusion_table({"train": np.eye(2), "test": np.array([[3, 1], [0, 4]])}, ["round", "long"])
    >>> int(table.loc["test"].loc["round", "long"])  # round ones taken for long
    1
    """
    matrices = [pd.DataFrame(matrix, index=list(classes), columns=list(classes)) for matrix in counts.values()]
    return pd.concat(matrices, keys=list(counts), names=["part", "class"])


def scores_of_counts(counts: np.ndarray) -> dict[str, float]:
    """Accuracy, balanced accuracy, macro F1 and number of items of a confusion matrix of true (rows) classes.

    Examples
    --------
    >>> scores_of_counts(np.array([[8, 0], [1, 1]]))["balanced_accuracy"]
    0.75
    """
    true, predicted, right = counts.sum(axis=1), counts.sum(axis=0), counts.diagonal()
    if not true.sum():
        return {"accuracy": np.nan, "balanced_accuracy": np.nan, "macro_f1": np.nan, "n": 0}
    occurs, mentioned = true > 0, true + predicted > 0
    return {
        "accuracy": float(right.sum() / true.sum()),
        "balanced_accuracy": float((right[occurs] / true[occurs]).mean()),
        "macro_f1": float((2 * right[mentioned] / (true + predicted)[mentioned]).mean()),
        "n": int(true.sum()),
    }


def feature_importance(
    probe: Probe,
    pipeline: Pipeline,
    features: Sequence[str],
    matrix: np.ndarray,
    labels: np.ndarray,
    classes: int,
    repeats: int,
) -> pd.DataFrame:
    """Importance of each feature to a fitted probe, as `fit_probe` describes it; the rows given are validation rows.

    Raises
    ------
    UserError
        If there are no validation rows to permute.
    """
    if probe.importance == "permutation":
        if not len(labels):
            raise UserError("the validation part is empty: importance by permutation needs it.")
        falls = permutation_falls(pipeline, matrix, labels, classes, repeats, probe.seed)
        values, spread = falls.mean(axis=1), falls.std(axis=1)
    else:
        values = np.asarray(pipeline["classify"].feature_importances_, dtype=float)
        values = values / values.sum() if values.sum() > 0 else values
        spread = np.full(len(values), np.nan)
    return pd.DataFrame({"feature": features, "importance": values, "spread": spread, "kind": probe.importance})


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
