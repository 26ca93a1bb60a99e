"""Confusion matrices, and the scores that follow from them."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd


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
